/* lab/plugin/regions.c - what is mapped when a program begins, without any system call of its own. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/types.h>

#include "lab/machine/event.h"
#include "lab/plugin/inside.h"

uint64_t file_number(dev_t device, ino_t inode)
{
	return ((uint64_t)device << 40 ^ inode) | 1ull << 63;
}

struct region {
	uint64_t start, end, offset;
	unsigned prot;
	uint64_t inode, device;
};

static bool parse_region(const char *line, struct region *r)
{
	char prot[8];
	unsigned major, minor;
	unsigned long start, end, offset, inode;

	if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu", &start, &end, prot, &offset, &major, &minor, &inode) != 7)
		return false;
	*r = (struct region){ .start = start, .end = end, .offset = offset, .inode = inode,
			      .device = (uint64_t)major << 8 | minor };
	r->prot = (prot[0] == 'r' ? LAB_PROT_READ : 0) | (prot[1] == 'w' ? LAB_PROT_WRITE : 0);
	return true;
}

/* What QEMU's own files were before it loaded the program. */
static struct region before[512];
static unsigned regions_before;

void note_regions_before(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f) && regions_before < 512)
		regions_before += parse_region(line, &before[regions_before]);
	if (f)
		fclose(f);
}

static bool was_before(const struct region *r)
{
	for (unsigned i = 0; i < regions_before; i++)
		if (before[i].start <= r->start && before[i].end >= r->end)
			return true;
	return false;
}

static void put_region(struct vcpu *v, const struct region *r, uint64_t file, unsigned flags, unsigned prot)
{
	const uint64_t words[RING_CALL_WORDS - 1] = {
		[WORD_ADDR] = r->start, [WORD_LENGTH] = r->end - r->start, [WORD_PROT] = prot, [WORD_FLAGS] = flags,
		[WORD_FILE] = file,	[WORD_OFFSET] = r->offset,
	};

	put_call(v, LAB_MMAP, words);
}

/* QEMU has mapped the program, its interpreter and the stack without a system call of the program's. Files' regions
 * that were not there before are theirs; anonymous memory right behind one is its bss; the stack is where the first
 * instructions write. What they execute QEMU only reads, so readable and not writable is taken for code. */
void put_regions(struct vcpu *v)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	uint64_t end = 0;

	while (f && fgets(line, sizeof(line), f)) {
		struct region r;

		if (!parse_region(line, &r) || was_before(&r))
			continue;
		if (!r.inode && r.start != end)
			continue;
		put_region(v, &r, r.inode ? file_number(r.device, r.inode) : 0, 0,
			   r.prot & LAB_PROT_WRITE ? r.prot : r.prot | LAB_PROT_EXEC);
		end = r.end;
	}
	if (f)
		fclose(f);
}

/* The anonymous region around an address that is written first of all. */
void put_stack(struct vcpu *v, uint64_t va)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	struct region r;

	while (f && fgets(line, sizeof(line), f)) {
		if (!parse_region(line, &r) || va < r.start || va >= r.end)
			continue;
		r.start = r.end - r.start > 132 << 10 && va > r.start + (132 << 10) ? (va & ~4095ull) - (128 << 10)
										    : r.start;
		r.offset = 0;
		put_region(v, &r, 0, LAB_MAP_STACK, LAB_PROT_READ | LAB_PROT_WRITE);
		break;
	}
	if (f)
		fclose(f);
}
