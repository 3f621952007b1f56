/* host/memory/paging_audit.c - walks the hypervisor's own tables for H1 to H4 (host/memory/paging.h). */
#include "host/memory/paging.h"

#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "host/memory/page_table.h"
#include "lib/fmt.h"

static char found[160];

struct leaf {
	uint64_t va, pa, size, entry;
};

static const char *told_leaf(const char *what, const struct leaf *l)
{
	fmt(found, sizeof(found), "the hypervisor's page at 0x%lx (physical 0x%lx, entry 0x%lx) %s", l->va, l->pa,
	    l->entry, what);
	return found;
}

static bool in_image(const struct leaf *l)
{
	return l->pa < (uintptr_t)image_end && l->pa + l->size > (uintptr_t)image_start;
}

static const char *check(const struct leaf *l)
{
	bool executable = !(l->entry & PTE_NX), writable = l->entry & PTE_W;

	if (executable && writable)
		return told_leaf("is writable and executable (H1)", l);
	if (l->entry & PTE_U)
		return told_leaf("is a user's page (H2)", l);
	if (l->va < FOUR_GIB &&
	    (l->va != l->pa || l->va < (uintptr_t)image_start || l->va + l->size > (uintptr_t)image_end))
		return told_leaf("lies below 4 GiB outside of the image (H3)", l);
	if (executable && l->va + l->size > (uintptr_t)code_end)
		return told_leaf("is executable, and no code of the hypervisor (H4)", l);
	/* The image's frames are seen in one place, whose rights are the strictest that there are for them (H1). */
	if (in_image(l) && l->va != l->pa)
		return told_leaf("shows the image a second time (H1)", l);
	if (writable && l->va == l->pa && l->va < (uintptr_t)rodata_end)
		return told_leaf("lets code or constants be written (H1)", l);
	return NULL;
}

static const char *walk_table(uint64_t *table, unsigned level, uint64_t va)
{
	for (uint64_t n = 0; n < PAGE_TABLE_ENTRIES; n++) {
		uint64_t entry = table[n], at = va | n << PAGING_SHIFT(level);
		const char *wrong;

		if (!(entry & PTE_P))
			continue;
		if (level == TOP_LEVEL && (n & 256))
			at |= MASK(63, 48);
		if (level == 1 || (entry & PTE_PS)) {
			struct leaf l = { at, entry & PTE_ADDRESS & ~MASK(PAGING_SHIFT(level) - 1, 0),
					  BIT(PAGING_SHIFT(level)), entry };

			wrong = check(&l);
		} else {
			wrong = walk_table(table_below(entry), level - 1, at);
		}
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *check_stacks(const struct percpu *p)
{
	for (unsigned i = 0; i < STACKS; i++) {
		const struct stack *s = &p->stack[i];

		if (paging_maps(s->guard) || !paging_maps(s->guard + PAGE_SIZE) || !paging_maps((char *)s->top - 1)) {
			fmt(found, sizeof(found), "the %s of CPU %u has no guard page (H3)", stack_name(i), p->id);
			return found;
		}
	}
	return NULL;
}

const char *paging_audit(void)
{
	const char *wrong = NULL;

	if (read_cr3() != (uintptr_t)host_pml4 || !(read_cr0() & CR0_WP) || !(rdmsr(MSR_EFER) & EFER_NXE))
		return "CR3, CR0.WP or EFER.NXE of the hypervisor is not what it set (H1)";
	wrong = walk_table(host_pml4, TOP_LEVEL, 0);
	for (unsigned id = 0; !wrong && id < cpus_count(); id++)
		wrong = check_stacks(percpu_of(id));
	return wrong;
}
