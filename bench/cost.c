/* bench/cost.c - what the mechanisms cost, over the model: table pages for standard layouts, exits and instructions for
 * a guest's work on its tables, accesses a second. Prints; judges nothing. bench/cost.sh runs it. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <valgrind/callgrind.h>

#include "bench/machine.h"
#include "mmu/mechanisms.h"

#define RAM_PAGES 65536ull
#define USER 0x400000ull
#define BATCH 512u /* pages of one last-level table */

/* ---- guests ---- */

static uint64_t map_user(struct machine *m, uint64_t root, uint64_t va)
{
	uint64_t gfn = machine_page(m);

	machine_map(m, root, va, gfn, MACHINE_USER);
	return gfn;
}

/* A process whose kernel half is that of kernel. */
static uint64_t process(struct machine *m, uint64_t kernel)
{
	uint64_t root = machine_root(m);

	for (unsigned i = 256; i < 512; i++)
		if (machine_peek(m, kernel + i * 8))
			machine_poke(m, root + i * 8, machine_peek(m, kernel + i * 8));
	return root;
}

static uint64_t kernel_tables(struct machine *m)
{
	uint64_t root = machine_root(m);

	machine_map_direct(m, root);
	return root;
}

/* ---- the example of docs/mmu.md: exits, step by step ---- */

static const char *const example_steps[] = {
	"kernel writes a PTE for a new page",
	"user reads it",
	"user writes it",
	"kernel points the PTE elsewhere",
	"kernel executes INVLPG",
	"user reads it",
	"CR3 to a second process",
	"its user reads a page, first time",
	"CR3 back",
	"user reads the page again",
	"host takes the page away",
	"user reads it",
};

static void example_step(struct machine *m, const uint64_t root[2], const uint64_t page[2], unsigned n)
{
	const uint64_t va = USER + 4096;
	uint64_t at = MACHINE_DIRECT + machine_pte(m, root[0], va);

	switch (n) {
	case 0:
		machine_store(m, at, page[0] << 12 | PTE_P | PTE_W | PTE_U);
		break;
	case 2:
		machine_touch(m, va, true, true);
		break;
	case 3:
		machine_store(m, at, page[1] << 12 | PTE_P | PTE_W | PTE_U);
		break;
	case 4:
		machine_invlpg(m, va);
		break;
	case 6:
	case 8:
		machine_cr3(m, root[n == 6]);
		break;
	case 7:
		machine_touch(m, USER, false, true);
		break;
	case 10:
		m_exit(&m->cpu);
		mmu_unmap(&m->vm, GFN(page[1]), 1);
		break;
	default:
		machine_touch(m, va, false, true);
	}
}

/* Two processes; the first has one page in use, and the kernel its own map. */
static void example_run(const struct mmu_ops *ops, uint64_t exits[ARRAY_SIZE(example_steps)])
{
	struct machine *m = machine_new(ops, 4096, PAGE_LIMIT_4K);
	uint64_t kernel = kernel_tables(m), root[2], page[2];

	for (unsigned p = 0; p < 2; p++) {
		root[p] = process(m, kernel);
		machine_map(m, root[p], USER, machine_page(m), PTE_P | PTE_W | PTE_U);
	}
	page[0] = machine_page(m);
	page[1] = machine_page(m);
	machine_start(m, root[0]);
	machine_touch(m, USER, true, true);
	for (uint64_t gfn = 0; gfn < 512; gfn++)
		machine_touch(m, MACHINE_DIRECT + (gfn << 12), false, false);
	for (unsigned n = 0; n < ARRAY_SIZE(example_steps); n++) {
		uint64_t before = m->exits;

		example_step(m, root, page, n);
		exits[n] = m->exits - before;
	}
	machine_delete(m);
}

static void example(void)
{
	uint64_t exits[4][ARRAY_SIZE(example_steps)];

	printf("%-36s", "exits");
	for (unsigned i = 0; i < 4 && mmu_mechanisms[i]; i++) {
		printf(" %7s", mmu_mechanisms[i]->name);
		example_run(mmu_mechanisms[i], exits[i]);
	}
	for (unsigned n = 0; n < ARRAY_SIZE(example_steps); n++) {
		printf("\n%-36s", example_steps[n]);
		for (unsigned i = 0; i < 4; i++)
			printf(" %7llu", (unsigned long long)exits[i][n]);
	}
	printf("\n");
}

/* ---- table pages ---- */

struct layout {
	const char *name;
	unsigned processes, user_pages, kernel_pages; /* of each; kernel pages are touched through the direct map */
	uint64_t stride;
};

static const struct layout layouts[] = {
	{ "dense 64 MB", 1, 16384, 0, 4096 },
	{ "sparse, 1024 pages 2 MB apart", 1, 1024, 0, 1ull << 21 },
	{ "100 processes of 64 pages, 32 kernel pages", 100, 64, 32, 4096 },
	{ "16 MB user, 64 MB kernel", 1, 4096, 16384, 4096 },
};

static void touch_all(struct machine *m, const struct layout *l, const uint64_t *root)
{
	for (unsigned p = 0; p < l->processes; p++) {
		if (l->processes > 1)
			machine_cr3(m, root[p]);
		for (unsigned i = 0; i < l->user_pages; i++)
			machine_touch(m, USER + i * l->stride, true, true);
		for (unsigned i = 0; i < l->kernel_pages; i++)
			machine_touch(m, MACHINE_DIRECT + (i + 32768ull) * 4096, true, false);
	}
}

static void table_row(const struct mmu_ops *ops, const struct layout *l, enum page_limit limit)
{
	struct machine *m = machine_new(ops, RAM_PAGES, limit);
	uint64_t kernel = kernel_tables(m), root[100], first, second, pages;
	uint64_t touched = (uint64_t)l->processes * (l->user_pages + l->kernel_pages);

	for (unsigned p = 0; p < l->processes; p++) {
		root[p] = process(m, kernel);
		for (unsigned i = 0; i < l->user_pages; i++)
			map_user(m, root[p], USER + i * l->stride);
	}
	machine_start(m, root[0]);
	touch_all(m, l, root);
	first = m->exits;
	pages = mmu_table_pages(&m->vm);
	touch_all(m, l, root);
	second = m->exits - first;
	printf("%-43s %-7s %3s %8llu %8llu %8llu %9.4f %9llu %9llu\n", l->name, ops->name,
	       limit == PAGE_LIMIT_4K ? "4K" : "2M", (unsigned long long)touched, (unsigned long long)m->guest_tables,
	       (unsigned long long)pages, (double)pages / (double)touched, (unsigned long long)first,
	       (unsigned long long)second);
	machine_delete(m);
}

static void tables(void)
{
	printf("%-43s %-7s %3s %8s %8s %8s %9s %9s %9s\n", "layout", "mech.", "max", "touched", "guest's", "its own",
	       "per page", "exits", "again");
	for (unsigned l = 0; l < ARRAY_SIZE(layouts); l++)
		for (unsigned i = 0; mmu_mechanisms[i]; i++) {
			table_row(mmu_mechanisms[i], &layouts[l], PAGE_LIMIT_4K);
			table_row(mmu_mechanisms[i], &layouts[l], PAGE_LIMIT_2M);
		}
}

/* ---- work ---- */

struct guest {
	struct machine *m;
	uint64_t root[2];
	uint64_t spare; /* the first of BATCH frames to map */
};

/* Two processes with a full last-level table each, in use. */
static struct guest guest_new(const struct mmu_ops *ops)
{
	struct guest g = { .m = machine_new(ops, RAM_PAGES, PAGE_LIMIT_2M) };
	uint64_t kernel = kernel_tables(g.m);

	for (unsigned p = 0; p < 2; p++) {
		g.root[p] = process(g.m, kernel);
		for (unsigned i = 0; i < BATCH; i++)
			map_user(g.m, g.root[p], USER + i * 4096ull);
	}
	g.spare = machine_page(g.m);
	for (unsigned i = 1; i < BATCH; i++)
		machine_page(g.m);
	machine_start(g.m, g.root[0]);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned p = 0; p < 2; p++) {
			machine_cr3(g.m, g.root[p]);
			for (unsigned i = 0; i < BATCH; i++)
				machine_touch(g.m, USER + i * 4096ull, true, true);
			for (uint64_t i = 0; i < RAM_PAGES; i += 512) /* the direct map */
				machine_touch(g.m, MACHINE_DIRECT + (i << 12), true, false);
		}
	machine_cr3(g.m, g.root[0]);
	for (unsigned i = 0; i < BATCH; i++)
		machine_touch(g.m, USER + i * 4096ull, true, true);
	return g;
}

static void write_pte(struct guest *g, unsigned i, uint64_t value)
{
	machine_store(g->m, MACHINE_DIRECT + machine_pte(g->m, g->root[0], USER + i * 4096ull), value);
}

static uint64_t pte(struct guest *g, unsigned i)
{
	return machine_peek(g->m, machine_pte(g->m, g->root[0], USER + i * 4096ull));
}

/* One page after the other gets another frame, as by copy on write: entry, INVLPG, use. */
static void work_remap(struct guest *g)
{
	for (unsigned i = 0; i < BATCH; i++) {
		write_pte(g, i, (g->spare + i) << 12 | MACHINE_USER);
		machine_invlpg(g->m, USER + i * 4096ull);
		machine_touch(g->m, USER + i * 4096ull, true, true);
	}
}

/* All of a table is made read-only, as fork does, and CR3 loaded once. */
static void work_protect(struct guest *g)
{
	for (unsigned i = 0; i < BATCH; i++)
		write_pte(g, i, pte(g, i) & ~PTE_W);
	machine_cr3(g->m, g->root[0]);
}

/* One entry is written, then CR3 loaded, again and again: a process that changes little between two schedulings. */
static void work_edit_switch(struct guest *g)
{
	for (unsigned i = 0; i < BATCH; i++) {
		write_pte(g, i & 15, pte(g, i & 15) ^ PTE_W);
		machine_cr3(g->m, g->root[0]);
	}
}

/* A process comes into being in a table page that is new: 512 entries of a table that nothing has used, then a use. */
static void work_fill(struct guest *g)
{
	uint64_t table = machine_root(g->m), pde;

	for (unsigned i = 0; i < BATCH; i++)
		machine_store(g->m, MACHINE_DIRECT + table + i * 8, (g->spare + i) << 12 | MACHINE_USER);
	pde = g->root[0];
	for (unsigned level = 4; level > 2; level--)
		pde = machine_peek(g->m, pde) & PTE_ADDRESS;
	machine_store(g->m, MACHINE_DIRECT + pde + 8 * 16, table | MACHINE_USER);
	for (unsigned i = 0; i < BATCH; i++)
		machine_touch(g->m, (16ull << 21) + i * 4096ull, true, true);
}

/* Two processes by turns, without and with using 16 pages of each. */
static void work_switch(struct guest *g)
{
	for (unsigned i = 0; i < BATCH; i++)
		machine_cr3(g->m, g->root[(i + 1) & 1]);
}

static void work_switch_use(struct guest *g)
{
	for (unsigned i = 0; i < BATCH; i++) {
		machine_cr3(g->m, g->root[(i + 1) & 1]);
		for (unsigned k = 0; k < 16; k++)
			machine_touch(g->m, USER + k * 4096ull, true, true);
	}
}

static const struct {
	const char *name;
	void (*run)(struct guest *g);
} works[] = {
	{ "remap", work_remap },   { "protect", work_protect }, { "edit-switch", work_edit_switch },
	{ "fill", work_fill },     { "switch", work_switch },   { "switch-use", work_switch_use },
};

/* What follows each line's exits is filled in by bench/cost.sh from callgrind's dump of the same name. */
static void work(void)
{
	for (unsigned i = 0; mmu_mechanisms[i]; i++)
		for (unsigned k = 0; k < ARRAY_SIZE(works); k++) {
			struct guest g = guest_new(mmu_mechanisms[i]);
			uint64_t exits = g.m->exits, emulated = g.m->emulated;
			char name[64];

			snprintf(name, sizeof(name), "%s/%s", works[k].name, mmu_mechanisms[i]->name);
			CALLGRIND_ZERO_STATS;
			works[k].run(&g);
			CALLGRIND_DUMP_STATS_AT(name);
			printf("%s %u %llu %llu\n", name, BATCH, (unsigned long long)(g.m->exits - exits),
			       (unsigned long long)(g.m->emulated - emulated));
			machine_delete(g.m);
		}
}

/* ---- accesses a second (of CPU time: the computer may be busy) ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double rate(const struct mmu_ops *ops, unsigned pages, unsigned edit_every)
{
	struct machine *m = machine_new(ops, RAM_PAGES, PAGE_LIMIT_4K);
	uint64_t kernel = kernel_tables(m), root = process(m, kernel), n = 0, random = 1;
	double begin, t;

	for (unsigned i = 0; i < pages; i++)
		map_user(m, root, USER + i * 4096ull);
	machine_start(m, root);
	for (unsigned i = 0; i < pages; i++)
		machine_touch(m, USER + i * 4096ull, true, true);
	begin = now();
	do {
		for (unsigned i = 0; i < 10000; i++) {
			uint64_t va;

			random = random * 6364136223846793005ull + 1442695040888963407ull;
			va = USER + (random >> 33) % pages * 4096;
			n++;
			if (edit_every && n % edit_every == 0) {
				uint64_t at = machine_pte(m, root, va);

				machine_store(m, MACHINE_DIRECT + at, machine_peek(m, at) ^ PTE_NX);
				machine_invlpg(m, va);
			}
			machine_touch(m, va, random >> 32 & 1, true);
		}
		t = now() - begin;
	} while (t < 0.7);
	machine_delete(m);
	return (double)n / t / 1e6;
}

static void accesses(void)
{
	printf("%-9s %14s %14s %24s\n", "millions/s", "16 pages", "64 MB", "64 MB, an edit every 16");
	for (unsigned i = 0; mmu_mechanisms[i]; i++)
		printf("%-9s %15.2f %14.2f %24.2f\n", mmu_mechanisms[i]->name, rate(mmu_mechanisms[i], 16, 0),
		       rate(mmu_mechanisms[i], 16384, 0), rate(mmu_mechanisms[i], 16384, 16));
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "tables") == 0)
		tables();
	else if (argc == 2 && strcmp(argv[1], "work") == 0)
		work();
	else if (argc == 2 && strcmp(argv[1], "accesses") == 0)
		accesses();
	else if (argc == 2 && strcmp(argv[1], "example") == 0)
		example();
	else {
		fprintf(stderr, "usage: cost example | tables | work | accesses\n");
		return 2;
	}
	return 0;
}
