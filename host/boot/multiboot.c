#include "host/boot/multiboot.h"

#include "host/cpu/unpack.h"
#include "host/cpu/x86.h"
#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "lib/multiboot.h"
#include "lib/mutants/mutate.h"
#include "lib/packed_file.h"

#define TAG_END 0
#define TAG_COMMAND_LINE 1
#define TAG_MODULE 3
#define TAG_MMAP 6
#define TAG_RSDP_OLD 14
#define TAG_RSDP_NEW 15
#define MMAP_RAM 1
#define PROVOKE "provoke="
#define HIDE "hide="
#define EXCHANGE "exchange="
#define VPIDS "vpids="

struct tag {
	uint32_t type;
	uint32_t size;
};

struct mmap_tag {
	struct tag tag;
	uint32_t entry_size;
	uint32_t entry_version;
};

struct mmap_entry {
	uint64_t base, length;
	uint32_t type, reserved;
};

struct module_tag {
	struct tag tag;
	uint32_t start, end;
	char string[];
};

/* What the loader says lies in memory that becomes free. It is copied to RAM that nobody else has, however long it is,
 * and the modules that were asked for are kept behind it. Up to then it is read where the loader left it. In the copy a
 * module that was packed lies where it was unpacked to. */
static const uint8_t *left;
static struct boot_range kept;
static uint32_t total;
static char line[4096]; /* the hypervisor's command line */
static uint8_t rsdp[36]; /* ACPI, "Root System Description Pointer (RSDP)" */
static struct boot_info boot;
extern char image_start[], image_end[];

static const uint8_t *information(void) { return kept.base ? frames_at(HPA(kept.base)) : left; }
static struct boot_module *modules(void) { return frames_at(HPA(kept.base + align_up(total, 8))); }

static const struct tag *first_tag(void) { return (const struct tag *)(information() + 8); }

static const struct tag *next_tag(const struct tag *t)
{
	const uint8_t *next = (const uint8_t *)t + align_up(t->size, 8);

	if (t->type == TAG_END || t->size < 8 || next + sizeof(struct tag) > information() + total)
		return NULL;
	return (const struct tag *)next;
}

bool boot_ram(unsigned i, struct boot_range *ram)
{
	for (const struct tag *t = first_tag(); t; t = next_tag(t)) {
		const struct mmap_tag *m = (const void *)t;

		if (t->type != TAG_MMAP)
			continue;
		for (uint32_t off = sizeof(*m); off + sizeof(struct mmap_entry) <= t->size; off += m->entry_size) {
			const struct mmap_entry *e = (const void *)((const uint8_t *)m + off);

			if (e->type != MMAP_RAM || i--)
				continue;
			*ram = (struct boot_range){ e->base, e->base + e->length };
			return true;
		}
	}
	return false;
}

/* What is no number, or larger than a VPID can be, is 0. */
static uint32_t read_decimal(const char *digits)
{
	uint32_t n = 0;

	for (; *digits >= '0' && *digits <= '9' && n <= UINT16_MAX; digits++)
		n = n * 10 + (uint32_t)(*digits - '0');
	return *digits || n > UINT16_MAX ? 0 : n;
}

/* Words with single blanks between them; what is no word of ours is a boot loader's. */
static void read_command_line(char *word)
{
	while (word) {
		char *next = word;

		while (*next && *next != ' ')
			next++;
		if (*next)
			*next++ = '\0';
		else
			next = NULL;
		if (!strcmp(word, "native"))
			boot.native = true;
		else if (!strcmp(word, "stay"))
			boot.stay = true;
		else if (!strncmp(word, PROVOKE, strlen(PROVOKE)))
			boot.provoke = word + strlen(PROVOKE);
		else if (!strncmp(word, HIDE, strlen(HIDE)))
			boot.hide = word + strlen(HIDE);
		else if (!strncmp(word, EXCHANGE, strlen(EXCHANGE)))
			boot.exchange = word + strlen(EXCHANGE);
		else if (!strncmp(word, VPIDS, strlen(VPIDS)))
			boot.vpids = read_decimal(word + strlen(VPIDS));
		word = next;
	}
}

/* ---- where the copy and the map of the frames lie ---- */

/* What must stay as it is: everything below 1 MiB, the image, what the loader said, and the modules. */
struct taken {
	unsigned count;         /* of ranges, so far */
	const struct tag *next; /* where a module may be */
};

static bool next_module(struct taken *at, struct boot_range *r)
{
	for (const struct tag *t = at->next; t; t = next_tag(t)) {
		const struct module_tag *m = (const void *)t;

		if (t->type != TAG_MODULE)
			continue;
		*r = (struct boot_range){ m->start, m->end };
		at->next = next_tag(t);
		return true;
	}
	at->next = NULL;
	return false;
}

/* From { 0 } on. false: there is no further range. */
static bool next_taken(struct taken *at, struct boot_range *r)
{
	switch (at->count++) {
	case 0:
		*r = (struct boot_range){ 0, 1 << 20 };
		return true;
	case 1:
		*r = (struct boot_range){ (uintptr_t)image_start, (uintptr_t)image_end };
		return true;
	case 2:
		at->next = first_tag();
		*r = (struct boot_range){ 0, 0 };
		if (kept.base)
			VM_MUTANT(BOOT_KEPT, *r = kept);
		else
			VM_MUTANT(BOOT_BESIDE, *r = (struct boot_range){ (uintptr_t)left, (uintptr_t)left + total });
		return true;
	default:
		return next_module(at, r);
	}
}

/* From base on, the first page where so many bytes have nothing in their way. */
static uint64_t out_of_the_way(uint64_t base, uint64_t bytes)
{
	struct boot_range r;
	bool moved;

	do {
		struct taken at = { 0 };

		moved = false;
		while (next_taken(&at, &r))
			if (r.base < base + bytes && r.end > base) {
				base = align_up(r.end, PAGE_SIZE);
				moved = true;
			}
	} while (moved);
	return base;
}

/* Of whole pages, at `from` or above it, below 4 GiB, which the first tables map, and so that its end is a number of 32
 * bits. Empty: no room. */
static struct boot_range place_from(uint64_t from, uint64_t bytes)
{
	struct boot_range ram;

	bytes = align_up(bytes, PAGE_SIZE);
	for (unsigned i = 0; boot_ram(i, &ram); i++) {
		uint64_t base = out_of_the_way(max_u64(align_up(ram.base, PAGE_SIZE), from), bytes), end = ram.end;

		VM_MUTANT(BOOT_END, end = min_u64(end, FOUR_GIB - PAGE_SIZE));
		if (base < end && end - base >= bytes)
			return (struct boot_range){ base, base + bytes };
	}
	return (struct boot_range){ 0, 0 };
}

static struct boot_range place(uint64_t bytes) { return place_from(0, bytes); }

static const char *keep_information(void)
{
	struct taken at = { 0, first_tag() };
	struct boot_range r;
	uint64_t bytes = align_up(total, 8);

	while (next_module(&at, &r))
		bytes += sizeof(struct boot_module);
	r = place(bytes);
	if (!r.base)
		return "there is no room in RAM below 4 GiB for what the boot loader says";
	memcpy(frames_at(HPA(r.base)), left, total);
	kept = r;
	return NULL;
}

/* ---- modules that the command packed (lib/packed_file.h) ---- */

static const char *bad_module(const struct module_tag *m, const char *what)
{
	static char why[200];
	int length = 0;

	while (length < 80 && m->string[length] && m->string[length] != ' ')
		length++;
	fmt(why, sizeof(why), "the boot image's file %.*s %s", length, m->string, what);
	return why;
}

/* SDM, "Initialization of the SSE Extensions": CR4.OSFXSR is set before they are used. It is then as it was, for a
 * guest that gets the machine as the loader left it. */
static bool unpack_early(void *to, uint64_t bytes, const void *packed, uint64_t length)
{
	uint64_t cr4 = read_cr4();
	bool good;

	VM_MUTANT(BOOT_OSFXSR, write_cr4(cr4 | CR4_OSFXSR));
	good = unpack_block(to, bytes, packed, length);
	VM_MUTANT(BOOT_CR4, write_cr4(cr4));
	return good;
}

/* NULL: the module is now what it was before it was packed, or never was packed. A place for it is looked for behind
 * the last one's, *behind, first, which takes one look at all modules, and not as many as there are of them. */
static const char *unpack_module(struct module_tag *m, uint64_t *behind)
{
	const struct packed_head *head = frames_at(HPA(m->start));
	uint64_t length = m->end - m->start, room;
	struct boot_range r;

	if (length < PACKED_MARK_BYTES || memcmp(head->mark, PACKED_MARK, PACKED_MARK_BYTES))
		return NULL;
	if (VM_KEPT(BOOT_HEAD, length < sizeof(*head)) || VM_KEPT(BOOT_SIZE, head->bytes > INT32_MAX))
		return bad_module(m, "is damaged: it is packed, and how large it was is not to be seen");
	room = max_u64(head->bytes, 1); /* an empty file, too, has a place */
	r = place_from(*behind, room);
	if (!r.base)
		VM_MUTANT(BOOT_AGAIN, r = place(room));
	if (!r.base)
		return bad_module(m, "is packed, and there is no room in RAM below 4 GiB to unpack it to");
	if (VM_KEPT(BOOT_DAMAGE,
		    !unpack_early(frames_at(HPA(r.base)), head->bytes, head + 1, length - sizeof(*head))))
		return bad_module(m, "is damaged: it is packed, and does not unpack to what it was");
	*behind = r.end;
	VM_MUTANT(BOOT_UNPACKED, m->end = (uint32_t)(r.base + head->bytes); m->start = (uint32_t)r.base);
	return NULL;
}

/* Before anybody else uses memory: what is packed is nobody's then. */
static const char *unpack_modules(void)
{
	const char *why = NULL;
	uint64_t behind = 0;

	for (const struct tag *t = first_tag(); t && !why; t = next_tag(t))
		if (t->type == TAG_MODULE)
			why = unpack_module((struct module_tag *)t, &behind);
	return why;
}

static const char *give_frames(void)
{
	uint64_t end = 0;
	struct taken at = { 0 };
	struct boot_range r, map;

	for (unsigned i = 0; boot_ram(i, &r); i++)
		end = max_u64(end, r.end);
	map = place(frames_map_bytes(end));
	if (!map.base)
		return "there is no room in RAM below 4 GiB for the map of its frames";
	frames_init(map.base, end);
	for (unsigned i = 0; boot_ram(i, &r); i++)
		frames_add(r.base, r.end);
	frames_reserve(map.base, map.end);
	while (next_taken(&at, &r))
		frames_reserve(r.base, r.end);
	return NULL;
}

/* Their words, which are read before the rest is copied: they go on being seen where they are here. */
static const char *read_words(void)
{
	for (const struct tag *t = first_tag(); t; t = next_tag(t)) {
		uint64_t bytes = t->size - sizeof(*t);

		if (t->type == TAG_COMMAND_LINE) {
			if (bytes > sizeof(line))
				return "the hypervisor's command line is longer than 4095 characters";
			memcpy(line, t + 1, bytes);
			read_command_line(line);
		} else if (t->type == TAG_RSDP_NEW || (t->type == TAG_RSDP_OLD && !boot.rsdp)) {
			memcpy(rsdp, t + 1, min_u64(bytes, sizeof(rsdp)));
			boot.rsdp = rsdp;
		}
	}
	return NULL;
}

const char *boot_info_read(uint32_t magic, const void *loaders)
{
	const char *why;
	struct boot_range ram;

	if (magic != MULTIBOOT2_BOOT_MAGIC)
		return "the boot loader is no Multiboot2 loader; boot vellum.elf with GRUB's multiboot2 command";
	left = loaders;
	total = *(const uint32_t *)loaders;
	if (!boot_ram(0, &ram))
		return "the boot loader gave no memory map";
	why = read_words();
	if (!why)
		why = keep_information();
	if (!why)
		why = unpack_modules();
	return why ? why : give_frames();
}

const struct boot_info *boot_info(void) { return &boot; }

/* Is it the first word of the module's string? */
static bool has_name(const struct module_tag *m, const char *name)
{
	const char *word = m->string;

	for (; *name && *name != ' ' && *word == *name; name++)
		word++;
	return *name == '\0' && (*word == '\0' || *word == ' ');
}

const struct boot_module *boot_module_find(const char *name)
{
	struct boot_module *found = modules();

	for (const struct tag *t = first_tag(); t; t = next_tag(t)) {
		const struct module_tag *m = (const void *)t;

		if (t->type != TAG_MODULE)
			continue;
		if (has_name(m, name)) {
			*found = (struct boot_module){ frames_at(HPA(m->start)), m->end - m->start };
			return found;
		}
		found++;
	}
	return NULL;
}
