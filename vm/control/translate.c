/* vm/control/translate.c - one guest-virtual address on its whole way: through the guest's tables to a guest-physical
 * address, and through the tables that the CPU walks to memory. It reads and changes nothing, not even accessed
 * flags. */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "lib/x86_msr.h"
#include "mmu/hwpaging.h"
#include "mmu/inspect.h"
#include "lib/mutants/mutate.h"

/* SDM, "Determination of Access Rights": a supervisor may read whatever is present, but for SMAP and protection keys,
 * which are put aside. */
struct walk_result control_walk(struct vcpu *v, gva_t gva)
{
	struct walk_regs regs = v->mmu.regs;

	VM_MUTANT(TRANSLATE_RIGHTS, regs.cr4 &= ~(CR4_SMAP | CR4_PKE));
	return mmu_walk(&v->vm->mmu, &regs, gva, (struct access){ .write = false }, false);
}

const char *control_paging_mode(const struct walk_regs *r)
{
	switch (walk_mode(r)) {
	case PAGING_NONE:
		return "none";
	case PAGING_32BIT:
		return "32-bit";
	case PAGING_PAE:
		return "PAE";
	case PAGING_4LEVEL:
		return "4-level";
	case PAGING_5LEVEL:
		return "5-level";
	}
	return "?";
}

static const char *size_name(unsigned shift)
{
	return shift == 12 ? "4K" : shift == 21 ? "2M" : shift == 22 ? "4M" : shift == 30 ? "1G" : "?";
}

struct flag {
	uint64_t bit;
	const char *name;
};

static const struct flag guest_flags[] = {
	{ PTE_P, "P" }, { PTE_W, "W" }, { PTE_U, "U" },	  { PTE_PWT, "PWT" }, { PTE_PCD, "PCD" },
	{ PTE_A, "A" }, { PTE_D, "D" }, { PTE_PS, "PS" }, { PTE_G, "G" },     { PTE_NX, "NX" },
};
static const struct flag ept_flags[] = {
	{ EPT_R, "R" }, { EPT_W, "W" }, { EPT_X, "X" }, { EPT_IPAT, "IPAT" }, { EPT_LARGE, "PS" }, { EPT_A, "A" },
	{ EPT_D, "D" },
};

/* Some bits mean something in leaves only, and bit 7 of a last-level entry is part of the memory type. */
static bool applies(bool ept, uint64_t bit, unsigned level, bool leaf)
{
	if (bit == PTE_PS)
		return leaf && level > 1;
	return leaf || !(ept ? bit == EPT_IPAT || bit == EPT_D : bit == PTE_D || bit == PTE_G);
}

static void entry_flags(bool ept, uint64_t value, unsigned level, bool leaf, char *buf, size_t size)
{
	const struct flag *flags = ept ? ept_flags : guest_flags;
	size_t count = ept ? ARRAY_SIZE(ept_flags) : ARRAY_SIZE(guest_flags), at = 0;

	*buf = '\0';
	for (size_t i = 0; i < count && at < size; i++)
		if ((value & flags[i].bit) && applies(ept, flags[i].bit, level, leaf))
			at += fmt(buf + at, size - at, "%s%s", at ? " " : "", flags[i].name);
}

static void show_entry(struct json *j, bool ept, unsigned level, uint64_t value, bool leaf)
{
	char flags[60];

	entry_flags(ept, value, level, leaf, flags, sizeof(flags));
	json_hex(j, "value", value);
	json_text(j, "flags", flags);
}

/* ---- the guest's tables ---- */

static void show_guest_entry(struct json *j, struct mmu_vm *vm, const struct walk_entry *e, bool leaf)
{
	const char *kind;
	hpa_t hpa;

	json_open(j, NULL, '{');
	json_number(j, "level", e->level);
	if (e->gpa.v == ~0ull)
		json_text(j, "gpa", NULL); /* a PDPTE, which is a register */
	else
		json_hex(j, "gpa", e->gpa.v);
	if (e->gpa.v != ~0ull && mmu_inspect_backing(vm, e->gpa, &kind, &hpa))
		json_hex(j, "hpa", hpa.v);
	show_entry(j, false, e->level, e->value, leaf);
	json_close(j, '{');
}

static void guest_end(const struct walk_result *w, char *text, size_t size)
{
	unsigned level = w->count ? w->entry[w->count - 1].level : 0;

	if (w->ok)
		fmt(text, size, "mapped");
	else if (w->error & PFERR_RSVD)
		fmt(text, size, "a reserved bit is set at level %u", level);
	else
		fmt(text, size, "not present at level %u", level);
}

static void show_guest(struct json *j, struct vcpu *v, const struct walk_result *w)
{
	char end[60];

	json_open(j, "guest", '{');
	json_text(j, "paging", control_paging_mode(&v->mmu.regs));
	json_hex(j, "cr3", v->mmu.regs.cr3);
	json_open(j, "levels", '[');
	for (unsigned n = 0; n < w->count; n++)
		show_guest_entry(j, &v->vm->mmu, &w->entry[n], w->ok && n == w->count - 1u);
	json_close(j, '[');
	guest_end(w, end, sizeof(end));
	json_text(j, "end", end);
	if (w->ok) {
		json_hex(j, "gpa", w->gpa.v);
		if (walk_mode(&v->mmu.regs) != PAGING_NONE)
			json_text(j, "page", size_name(w->page_shift));
	}
	json_close(j, '{');
}

/* ---- the tables that the CPU walks ---- */

static const char *type_name(unsigned type)
{
	static const char *const names[] = { "UC", "WC", "?", "?", "WT", "WP", "WB", "UC-" };

	return names[type & 7];
}

/* Of a leaf of shadow tables. SDM, "Selecting a Memory Type from the PAT". */
static unsigned pat_index(const struct mmu_path_entry *leaf)
{
	uint64_t pat = leaf->level > 1 ? leaf->value & PTE_PAT_LARGE : leaf->value & PTE_PAT;

	return (pat ? 4 : 0) | (leaf->value & PTE_PCD ? 2 : 0) | (leaf->value & PTE_PWT ? 1 : 0);
}

/* SDM, "Memory Type Used for Translated Guest-Physical Addresses": write-back memory of EPT takes the type of the
 * guest's PAT. */
static void show_types(struct json *j, struct vcpu *v, const struct walk_result *w, const struct mmu_path *p)
{
	const struct mmu_path_entry *leaf = &p->entry[p->count - 1];
	uint64_t pat = v->started ? hvm_pat(&v->hvm) : PAT_AFTER_RESET;
	unsigned index = !p->nested ? pat_index(leaf) : w->ok ? w->pat_index : 0;
	unsigned nested = p->ept ? (leaf->value & EPT_TYPE_MASK) >> EPT_TYPE_SHIFT
				 : leaf->value & PTE_PCD ? MEMTYPE_UC : MEMTYPE_WB; /* by the host's PAT */
	bool paged = walk_mode(&v->mmu.regs) != PAGING_NONE;
	unsigned by_pat = !p->nested || paged ? pat >> 8 * index & 7 : MEMTYPE_WB;

	json_text(j, "pat_type", type_name(by_pat));
	if (p->nested)
		json_text(j, p->ept ? "ept_type" : "npt_type", type_name(nested));
	json_text(j, "type", type_name(p->nested && nested != MEMTYPE_WB ? nested : by_pat));
}

static void path_end(const struct mmu_path *p, char *text, size_t size)
{
	unsigned level = p->count ? p->entry[p->count - 1].level : 0;

	switch (p->end) {
	case MMU_PATH_LEAF:
		fmt(text, size, "mapped");
		break;
	case MMU_PATH_ABSENT:
		fmt(text, size, "not present at level %u", level);
		break;
	case MMU_PATH_MMIO:
		fmt(text, size, "known as a device's at level %u", level);
		break;
	case MMU_PATH_NO_ROOT:
		fmt(text, size, "beyond what the tables map");
		break;
	}
}

static void show_path(struct json *j, struct vcpu *v, const struct walk_result *w, const struct mmu_path *p)
{
	char end[60];

	json_open(j, "tables", '{');
	json_text(j, "kind", !p->nested ? "shadow" : p->ept ? "ept" : "npt");
	json_hex(j, "root", p->root.v);
	json_open(j, "levels", '[');
	for (unsigned n = 0; n < p->count; n++) {
		const struct mmu_path_entry *e = &p->entry[n];

		json_open(j, NULL, '{');
		json_number(j, "level", e->level);
		json_hex(j, "hpa", e->hpa.v);
		show_entry(j, p->ept, e->level, e->value, p->end == MMU_PATH_LEAF && n == p->count - 1u);
		json_close(j, '{');
	}
	json_close(j, '[');
	path_end(p, end, sizeof(end));
	json_text(j, "end", end);
	if (p->end == MMU_PATH_LEAF) {
		json_hex(j, "hpa", p->hpa.v);
		json_text(j, "page", size_name(p->page_shift));
		show_types(j, v, w, p);
	}
	json_close(j, '{');
}

/* ---- all of it ---- */

static void show_backing(struct json *j, struct mmu_vm *vm, gpa_t gpa)
{
	const char *kind;
	hpa_t hpa;
	bool memory = mmu_inspect_backing(vm, gpa, &kind, &hpa);

	json_open(j, "memory", '{');
	json_text(j, "kind", kind);
	if (memory)
		json_hex(j, "hpa", hpa.v);
	json_close(j, '{');
}

bool control_translate(struct vcpu *v, gva_t gva, struct json *j, char *error, size_t size)
{
	struct walk_result w = control_walk(v, gva);
	struct mmu_path path;

	(void)error;
	(void)size;
	json_open(j, NULL, '{');
	json_text(j, "vm", v->vm->config->name);
	json_text(j, "mmu", v->vm->mmu.ops->name);
	json_hex(j, "gva", gva.v);
	show_guest(j, v, &w);
	/* Shadow tables are asked for the address itself, whatever the guest says; EPT has nothing to say without a
	 * gpa. */
	if (w.ok || !v->mmu.intercepts.ept) {
		mmu_inspect(&v->mmu, gva, w.gpa, &path);
		show_path(j, v, &w, &path);
	}
	if (w.ok)
		show_backing(j, &v->vm->mmu, w.gpa);
	json_close(j, '{');
	return true;
}
