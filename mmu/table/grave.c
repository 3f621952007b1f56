/* mmu/table/grave.c - tables that are freed little by little. */
#include "mmu/table/grave.h"
#include "mmu/inside.h"
#include "mmu/mutate.h"

bool grave_init(struct grave *g, struct mmu_vm *vm)
{
	*g = (struct grave){ .root = mmu_table_alloc(vm) };
	return !hfn_is_none(g->root);
}

void grave_destroy(struct grave *g, struct mmu_vm *vm)
{
	grave_free(g, vm, ~0ull);
	mmu_table_free(vm, g->root);
}

static unsigned count_of(const struct grave *g, unsigned level)
{
	return level == g->format->root_level ? 1u << g->format->root_bits : PAGE_TABLE_ENTRIES;
}

void grave_bury(struct grave *g, struct pt *pt)
{
	uint64_t *from = mmu_table_ptr(pt->vm, pt->root), *to = mmu_table_ptr(pt->vm, g->root);

	MUTANT(GRAVE_REST, grave_free(g, pt->vm, ~0ull));
	g->format = pt->format;
	for (unsigned i = 0; i < count_of(g, pt->format->root_level); i++) {
		to[i] = pt_get(&from[i]);
		pt_set(&from[i], 0);
	}
	g->depth = 1;
	g->way[0].table = g->root;
	g->way[0].next = 0;
	pt->vm->counters.steps += count_of(g, pt->format->root_level);
}

/* The table at the end of the way is done with. */
static void leave(struct grave *g, struct mmu_vm *vm)
{
	g->depth--;
	if (g->depth)
		mmu_table_free(vm, g->way[g->depth].table);
}

void grave_free(struct grave *g, struct mmu_vm *vm, uint64_t steps)
{
	uint64_t done = 0;

	while (g->depth && done++ < steps) {
		unsigned level = g->format->root_level - (g->depth - 1), next = g->way[g->depth - 1].next++;
		uint64_t e;

		if (level == 1 || next == count_of(g, level)) {
			leave(g, vm);
			continue;
		}
		e = ((const uint64_t *)mmu_table_ptr(vm, g->way[g->depth - 1].table))[next];
		if (!pt_present(g->format, e) || pt_is_leaf(g->format, e, level))
			continue;
		g->way[g->depth].table = pt_frame(g->format, e);
		g->way[g->depth++].next = 0;
	}
	vm->counters.steps += done;
	vm->counters.entries_searched += done;
}
