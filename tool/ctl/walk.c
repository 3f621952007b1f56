/* What a guest's page tables map: SDM, "Paging", in all of its modes. The tables are read as memory, whatever the
 * mechanism has made of them; rights are those of all levels together. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "lib/x86.h"
#include "tool/ctl/guest.h"

uint64_t guest_hex(const cJSON *object, const char *name)
{
	return strtoull(ctl_text(object, name), NULL, 16);
}

void guest_paging(const cJSON *dump, struct guest_paging *paging)
{
	const cJSON *control = ctl_get(dump, "control");

	*paging = (struct guest_paging){ guest_hex(control, "cr0"), guest_hex(control, "cr3"),
		guest_hex(control, "cr4"), guest_hex(control, "efer") };
}

struct walk {
	struct guest *guest;
	bool (*take)(void *context, const struct mapping *m);
	void *context;
	unsigned entry_bytes, bits;     /* of an entry, and of a level's index */
	bool page_size_4m, nx, pae;     /* large pages of two-level paging may be; NX counts; three levels */
	bool stop;
};

static uint64_t canonical(const struct walk *w, uint64_t gva, unsigned top)
{
	return w->entry_bytes == 8 && top > 32 && (gva >> (top - 1) & 1) != 0 ? gva | ~0ull << top : gva;
}

/* Where a large page's entry leads. */
static uint64_t large_frame(const struct walk *w, uint64_t entry, unsigned shift)
{
	if (w->entry_bytes == 4)        /* PSE-36: bits 39:32 are in 20:13 */
		return (entry & 0xffc00000u) | (entry >> 13 & 0xff) << 32;
	return entry & PTE_ADDRESS & ~((1ull << shift) - 1);
}

/* One table, whose entries map 2^shift bytes each; above: what the levels before allow. */
static void walk_table(struct walk *w, uint64_t table, unsigned shift, unsigned top, const struct mapping *above)
{
	unsigned count = w->pae && shift == 30 ? 4 : 1u << w->bits;
	uint64_t entries[1024];
	size_t got = guest_read(w->guest, table, entries, count * w->entry_bytes) / w->entry_bytes;

	for (unsigned n = 0; n < got && !w->stop; n++) {
		uint64_t entry = w->entry_bytes == 8 ? entries[n] : ((uint32_t *)entries)[n];
		struct mapping m = { .gva = above->gva | (uint64_t)n << shift, .entry = entry };
		bool leaf = shift == 12 || ((entry & PTE_PS) != 0 && (shift == 21 || (shift == 30 && !w->pae) ||
								     (shift == 22 && w->page_size_4m)));
		bool pdpte = w->pae && shift == 30; /* has no rights */

		if ((entry & PTE_P) == 0)
			continue;
		m.user = above->user && (pdpte || (entry & PTE_U) != 0);
		m.write = above->write && (pdpte || (entry & PTE_W) != 0);
		m.exec = above->exec && (pdpte || !w->nx || (entry & PTE_NX) == 0);
		if (!leaf) {
			walk_table(w, w->entry_bytes == 8 ? entry & PTE_ADDRESS : entry & 0xfffff000u,
				   shift - w->bits, top, &m);
			continue;
		}
		m.bytes = 1ull << shift;
		m.gpa = shift == 12 ? (w->entry_bytes == 8 ? entry & PTE_ADDRESS : entry & 0xfffff000u)
				    : large_frame(w, entry, shift);
		m.gva = canonical(w, m.gva, top);
		w->stop = !w->take(w->context, &m);
	}
}

void guest_mappings(struct guest *guest, const struct guest_paging *p,
		    bool (*take)(void *context, const struct mapping *m), void *context)
{
	const struct mapping all = { .user = true, .write = true, .exec = true };
	bool paging = (p->cr0 & CR0_PG) != 0, pae = (p->cr4 & CR4_PAE) != 0, is_long = (p->efer & EFER_LMA) != 0;
	unsigned top = !is_long ? 32 : (p->cr4 & CR4_LA57) != 0 ? 57 : 48;
	struct walk w = { .guest = guest, .take = take, .context = context, .entry_bytes = pae ? 8 : 4,
		.bits = pae ? 9 : 10, .page_size_4m = (p->cr4 & CR4_PSE) != 0, .nx = (p->efer & EFER_NXE) != 0,
		.pae = pae && !is_long };

	if (!paging)
		return;
	if (w.pae)
		walk_table(&w, p->cr3 & 0xffffffe0u, 30, top, &all);
	else
		walk_table(&w, is_long ? p->cr3 & PTE_ADDRESS : p->cr3 & 0xfffff000u, !pae ? 22 : top == 57 ? 48 : 39,
			   top, &all);
}

/* ---- ctl info ---- */

struct range {
	uint64_t start, end;
	char rights[4];
	unsigned count;
};

static void print_range(const struct range *r)
{
	if (r->count != 0)
		printf("%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %s\n", r->start, r->end, r->end - r->start,
		       r->rights);
}

/* As `info mem` of QEMU's monitor, with what may be executed. */
static bool take_range(void *context, const struct mapping *m)
{
	struct range *r = context;
	char rights[4] = { m->user ? 'u' : '-', m->write ? 'w' : '-', m->exec ? 'x' : '-', 0 };

	if (r->count != 0 && r->end == m->gva && strcmp(r->rights, rights) == 0) {
		r->end += m->bytes;
		return true;
	}
	print_range(r);
	*r = (struct range){ m->gva, m->gva + m->bytes, "", 1 };
	memcpy(r->rights, rights, sizeof rights);
	return !ferror(stdout);
}

/* As `info tlb`, with the page's size. */
static bool print_mapping(void *context, const struct mapping *m)
{
	static const struct { uint64_t bit; char letter; } flags[] = {
		{ PTE_NX, 'X' }, { PTE_G, 'G' }, { PTE_PS, 'P' }, { PTE_D, 'D' }, { PTE_A, 'A' }, { PTE_PCD, 'C' },
		{ PTE_PWT, 'T' }, { PTE_U, 'U' }, { PTE_W, 'W' },
	};
	char text[ARRAY_SIZE(flags) + 1] = "";
	unsigned *count = context;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		text[i] = (m->entry & flags[i].bit) != 0 && !(flags[i].bit == PTE_PS && m->bytes == 4096)
				  ? flags[i].letter : '-';
	printf("%016" PRIx64 ": %016" PRIx64 " %s %s\n", m->gva, m->gpa, text,
	       m->bytes == 4096 ? "4K" : m->bytes == 1u << 30 ? "1G" : m->bytes == 1u << 21 ? "2M" : "4M");
	++*count;
	return !ferror(stdout);
}

int info_command(struct ctl *ctl, const char *vm, int argc, char **argv)
{
	struct guest_paging paging;
	struct range range = { 0 };
	struct guest guest;
	unsigned count = 0;
	cJSON *dump;

	if (argc != 1 || (strcmp(argv[0], "mem") != 0 && strcmp(argv[0], "tlb") != 0))
		die(STATUS_USAGE, "ctl: it is: info [VM[.VCPU]] mem, or tlb");
	dump = guest_ask(ctl, text("dump %s", vm));
	guest_paging(dump, &paging);
	guest_init(&guest, ctl, vm);
	if (strcmp(argv[0], "mem") == 0) {
		guest_mappings(&guest, &paging, take_range, &range);
		print_range(&range);
		count = range.count;
	} else {
		guest_mappings(&guest, &paging, print_mapping, &count);
	}
	if (count == 0)
		printf("%s maps nothing: %s\n", vm,
		       (paging.cr0 >> 31 & 1) != 0 ? "its tables are empty" : "paging is off");
	guest_free(&guest);
	cJSON_Delete(dump);
	return 0;
}
