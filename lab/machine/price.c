/* lab/machine/price.c - instructions of the mechanism beyond those of the exit itself: so many for each piece of work
 * that mmu/ counts. Where the prices come from: docs/lab.md, "The hypervisor's path lengths". */
#include <math.h>

#include "lab/machine/machine.h"

/* A leaf that a sync makes anew counts as made in advance, one that it takes away as removed. */
static double price(const struct mmu_counters *n, const struct lab_hypervisor_config *hv)
{
	return (double)n->prefetched * hv->path_prefetch + (double)n->leaves_removed * hv->path_remove +
	       (double)n->shadow_created * hv->path_page + (double)n->resynced * hv->path_sync +
	       (double)n->entries_compared * hv->path_compare + (double)n->entries_synced * hv->path_change +
	       (double)n->entries_searched * hv->path_search;
}

uint64_t lab_work_since(struct lab_cpu *cpu)
{
	double before = floor(cpu->work);

	cpu->work = price(&cpu->vm.counters, &cpu->m->config->hv);
	return (uint64_t)(floor(cpu->work) - before);
}
