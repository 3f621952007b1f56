/* 64 bits: page tables in use, written and read by every kind of instruction that a kernel may use on them, and by some
 * that none would: the translation must follow, whether the hypervisor lets the instruction run, emulates it, or gives
 * the table up. */
#include "guest/test/paging/tables.h"
#include "lib/apic.h"

const char test_name[] = "tables";

#define WINDOW (2ul << 39)       /* entry 2 of the PML4 */
#define ALIASES (WINDOW + (1ul << 30)) /* the tables once more, page by page, and what lies beside them */
#define SELF 300ul               /* this entry of the PML4 is the PML4 */

extern uint64_t boot_pml4[PAGE_TABLE_ENTRIES];
static uint64_t pdpt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t pd[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t pt[2][PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t alias_pd[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t alias_pt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint8_t data[4][4096] __attribute__((aligned(4096)));

static uint64_t frame(unsigned i) { return (uint64_t)data[i]; }
static uint32_t look(word va) { return *(volatile uint32_t *)va; }
static void flush(void) { write_cr3(read_cr3()); }

/* Where the entries lie that translate va, through the PML4's own entry: level 1 is the page table. */
static uint64_t *through_self(word va, unsigned level)
{
	word at = va;

	for (unsigned i = 0; i < level; i++)
		at = SELF << 39 | (at >> 9 & 0x7ffffffff8ul);
	/* Canonical: entry 300 lies in the upper half. */
	return (uint64_t *)(0xfffful << 48 | at);
}

static void build(void)
{
	for (unsigned i = 0; i < 4; i++)
		*(volatile uint32_t *)data[i] = 0xdad00000 + i;
	pd[0] = (uint64_t)pt[0] | PTE_U | PTE_W | PTE_P;
	pdpt[0] = (uint64_t)pd | PTE_U | PTE_W | PTE_P;
	pdpt[1] = (uint64_t)alias_pd | PTE_U | PTE_W | PTE_P;
	alias_pd[0] = (uint64_t)alias_pt | PTE_U | PTE_W | PTE_P;
	boot_pml4[2] = (uint64_t)pdpt | PTE_U | PTE_W | PTE_P;
	boot_pml4[SELF] = (uint64_t)boot_pml4 | PTE_W | PTE_P;
	flush();
}

/* ---- writers ---- */

static void one_entry(const struct writer *w, uint64_t *e, word va, const uint64_t value[2], const uint32_t holds[2],
		      const char *where)
{
	volatile uint64_t *entry = e;
	uint64_t before = entry[-1], after = entry[1];

	for (unsigned round = 0; round < 6; round++) {
		unsigned which = round & 1;
		uint64_t got;

		w->write(e, value[which]);
		/* The guest reads its table before and after it is used. */
		got = entry[0];
		CHECK(got == value[which], "%s %s: the entry is 0x%lx, not 0x%lx", w->name, where, got, value[which]);
		invlpg((void *)va);
		CHECK(look(va) == holds[which], "%s %s: the page reads 0x%x, not 0x%x", w->name, where, look(va),
		      holds[which]);
		got = entry[0];
		CHECK(got == (value[which] | PTE_A), "%s %s: the entry in use is 0x%lx", w->name, where, got);
	}
	CHECK(entry[-1] == before && entry[1] == after, "%s %s: the neighbours are 0x%lx 0x%lx", w->name, where,
	      entry[-1], entry[1]);
	w->write(e, 0);
	invlpg((void *)va);
	CHECK(trap_call(do_read, (void *)va) == TRAP(PF) && trap.error == 0 && trap.cr2 == va,
	      "%s %s: an entry taken away still translates", w->name, where);
}

static void with_writer(const struct writer *w)
{
	const uint64_t leaves[2] = { frame(1) | PTE_W | PTE_P, frame(2) | PTE_W | PTE_P };
	const uint64_t dirs[2] = { (uint64_t)pt[0] | PTE_U | PTE_W | PTE_P, (uint64_t)pt[1] | PTE_U | PTE_W | PTE_P };
	const uint32_t leaf_holds[2] = { 0xdad00001, 0xdad00002 }, dir_holds[2] = { 0xdad00000, 0xdad00003 };
	word va = WINDOW + 8 * 4096, below = WINDOW + (8ul << 21);

	/* Entry 8 of a page table and of a page directory; below entry 8 of the directory, either page table's page
	 * 0. */
	pt[0][0] = frame(0) | PTE_W | PTE_P;
	pt[1][0] = frame(3) | PTE_W | PTE_P;
	flush();
	one_entry(w, &pt[0][8], va, leaves, leaf_holds, "in a page table");
	one_entry(w, through_self(va, 1), va, leaves, leaf_holds, "in a page table that maps itself");
	one_entry(w, &pd[8], below, dirs, dir_holds, "in a page directory");
	one_entry(w, through_self(below, 2), below, dirs, dir_holds, "in a page directory that maps itself");
}

/* ---- readers ---- */

static void with_reader(const struct reader *r)
{
	uint64_t value = frame(1) | PTE_W | PTE_P | PTE_A | PTE_D;
	word va = WINDOW + 9 * 4096;

	pt[0][9] = pd[9] = value;
	for (unsigned i = 0; i < 3; i++) {
		invlpg((void *)va);
		CHECK(look(va) == 0xdad00001, "%s: the page reads 0x%x", r->name, look(va));
		CHECK(r->read(&pt[0][9]) == value, "%s of a page table: 0x%lx, not 0x%lx", r->name, r->read(&pt[0][9]),
		      value);
		CHECK(r->read(&pd[9]) == value, "%s of a page directory: 0x%lx, not 0x%lx", r->name, r->read(&pd[9]),
		      value);
	}
	pd[9] = 0;
}

/* ---- faults on the way ---- */

#define TABLE_VA ALIASES          /* the page table pt[0], and in the page behind it whatever the test puts there */
#define BEHIND (ALIASES + 4096)

static void place_behind(uint64_t pte)
{
	alias_pt[0] = (uint64_t)pt[0] | PTE_U | PTE_W | PTE_P;
	alias_pt[1] = pte;
	flush();
	/* The table is in use. */
	pt[0][0] = frame(0) | PTE_W | PTE_P;
	invlpg((void *)WINDOW);
	CHECK(look(WINDOW) == 0xdad00000, "the table behind the alias does not translate");
}

static void store_across(void *p) { *(volatile uint64_t *)p = 0x1122334455667788; }
static void add_across(void *p) { __asm__ volatile("lock addq $1, (%0)" : : "r"(p) : "memory", "cc"); }
static void read_across(void *p) { (void)*(volatile uint64_t *)p; }

static void rep_movsb(void *p)
{
	void *from = data[3], *to = p;
	word n = 64;

	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
}

static void rep_stosq_down(void *p)
{
	word n = 4;

	__asm__ volatile("std; rep stosq; cld" : "+D"(p), "+c"(n) : "a"(0ul) : "memory", "cc");
}

static void test_across(void)
{
	volatile uint32_t *last = (volatile uint32_t *)&pt[0][511] + 1;
	word at = BEHIND - 4;

	place_behind(0);
	*last = 0x5a5a5a5a;
	CHECK(trap_call(store_across, (void *)at) == TRAP(PF) && trap.error == PFERR_W && trap.cr2 == BEHIND,
	      "a store from a table into an absent page: vector %u, error 0x%x, CR2 0x%lx", trap.vector, trap.error,
	      trap.cr2);
	CHECK(*last == 0x5a5a5a5a, "a store that faulted left 0x%x", *last);
	CHECK(trap_call(add_across, (void *)at) == TRAP(PF) && trap.error == PFERR_W && trap.cr2 == BEHIND,
	      "a locked addition: vector %u, error 0x%x, CR2 0x%lx", trap.vector, trap.error, trap.cr2);
	CHECK(*last == 0x5a5a5a5a, "a locked addition that faulted left 0x%x", *last);
	CHECK(trap_call(read_across, (void *)at) == TRAP(PF) && trap.error == 0 && trap.cr2 == BEHIND,
	      "a load: vector %u, error 0x%x, CR2 0x%lx", trap.vector, trap.error, trap.cr2);
	place_behind(frame(1) | PTE_P);
	write_cr0(read_cr0() | CR0_WP);
	CHECK(trap_call(store_across, (void *)at) == TRAP(PF) && trap.error == (PFERR_W | PFERR_P) &&
		      trap.cr2 == BEHIND,
	      "a store into a read-only page: vector %u, error 0x%x, CR2 0x%lx", trap.vector, trap.error, trap.cr2);
	CHECK(*last == 0x5a5a5a5a, "a store into a read-only page left 0x%x", *last);
	write_cr0(read_cr0() & ~(word)CR0_WP);
	store_across((void *)at);
	CHECK(*last == 0x55667788 && *(volatile uint32_t *)data[1] == 0x11223344, "a store across pages left 0x%x 0x%x",
	      *last, *(volatile uint32_t *)data[1]);
	*(volatile uint32_t *)data[1] = 0xdad00001;
	pt[0][511] = 0;
}

/* A repetition that faults in its middle has done what it had come to, and its registers say so. */
static void test_repetition(void)
{
	volatile uint8_t *end = (volatile uint8_t *)&pt[0][PAGE_TABLE_ENTRIES];

	for (unsigned i = 4; i < 64; i++)
		data[3][i] = (uint8_t)(i | 0x80); /* reserved bits here and there: nobody uses those entries */
	place_behind(0);
	CHECK(trap_call(rep_movsb, (void *)(BEHIND - 40)) == TRAP(PF) && trap.error == PFERR_W && trap.cr2 == BEHIND,
	      "REP MOVSB out of a table: vector %u, error 0x%x, CR2 0x%lx", trap.vector, trap.error, trap.cr2);
	CHECK(trap.cx == 24 && trap.di == BEHIND && trap.si == frame(3) + 40,
	      "REP MOVSB stopped with %lu left, at 0x%lx from 0x%lx", trap.cx, trap.di, trap.si);
	for (unsigned i = 0; i < 40; i++)
		CHECK(end[(int)i - 40] == data[3][i], "REP MOVSB: byte %u is 0x%x", i, (unsigned)end[(int)i - 40]);
	/* Downwards, from the page behind into the table. */
	place_behind(frame(2) | PTE_W | PTE_P);
	rep_stosq_down((void *)(BEHIND + 8));
	CHECK(pt[0][511] == 0 && pt[0][510] == 0, "REP STOSQ downwards left 0x%lx 0x%lx", pt[0][510], pt[0][511]);
	CHECK(*(volatile uint32_t *)data[2] == 0, "REP STOSQ downwards left 0x%x behind the table",
	      *(volatile uint32_t *)data[2]);
	*(volatile uint32_t *)data[2] = 0xdad00002;
	for (unsigned i = 500; i < PAGE_TABLE_ENTRIES; i++)
		pt[0][i] = 0;
}

/* Rights on the way to a table hold for it as for any page. */
static void test_rights(void)
{
	alias_pt[2] = (uint64_t)pt[0] | PTE_P;
	place_behind(0);
	write_cr0(read_cr0() | CR0_WP);
	expect_fault("a write to a table through a read-only page", do_write, ALIASES + 0x2800, false,
		     PFERR_W | PFERR_P);
	expect_good("a read of a table through a read-only page", do_read, ALIASES + 0x2800, false);
	write_cr0(read_cr0() & ~(word)CR0_WP);
	expect_good("a write to a table through a read-only page, WP=0", do_write, ALIASES + 0x2800, false);
	pt[0][256] = 0;
	user_alias = 4ul << 39;
	expect_fault("a user's write to a table of the supervisor", do_write, ALIASES + 0x2800, true,
		     PFERR_U | PFERR_W | PFERR_P);
	expect_good("a user's write to a table that is the user's", do_write, TABLE_VA + 0x800, true);
	CHECK(*(volatile uint8_t *)&pt[0][256] == 0xc3, "the user's write left 0x%lx", pt[0][256]);
	pt[0][256] = 0;
	user_alias = 0;
}

/* A whole table cleared and filled, as kernels do it. */
static void test_whole(void)
{
	static uint64_t copy[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));

	for (unsigned round = 0; round < 4; round++) {
		void *from = copy, *to = pt[0];
		word n = PAGE_TABLE_ENTRIES;

		pt[0][0] = frame(0) | PTE_W | PTE_P;
		invlpg((void *)WINDOW);
		CHECK(look(WINDOW) == 0xdad00000, "round %u: the page reads 0x%x", round, look(WINDOW));
		__asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(0ul) : "memory");
		flush();
		for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++) {
			CHECK(pt[0][i] == 0, "round %u: entry %u of a cleared table is 0x%lx", round, i, pt[0][i]);
			copy[i] = frame((i + round) % 4) | PTE_W | PTE_P;
		}
		CHECK(trap_call(do_read, (void *)WINDOW) == TRAP(PF), "a cleared table still translates");
		to = pt[0];
		n = PAGE_TABLE_ENTRIES;
		__asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
		flush();
		for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
			CHECK(look(WINDOW + i * 4096ul) == 0xdad00000 + (i + round) % 4, "round %u: page %u reads 0x%x",
			      round, i, look(WINDOW + i * 4096ul));
	}
}

/* Events that are delivered on a stack in a page table in use; so are their handlers. */
#define ON_STACK(what) __asm__ volatile("movq %0, %%rsp; " what : : "r"(top) : "memory")
static void software_interrupt(void *top) { ON_STACK("int $0x80"); }
static void breakpoint(void *top) { ON_STACK("int3"); }
static void undefined(void *top) { ON_STACK("ud2"); }

static void deliver(uint64_t *table, unsigned event)
{
	static const struct {
		void (*fn)(void *);
		unsigned result;
	} events[3] = { { software_interrupt, 0 }, { breakpoint, TRAP(BP) }, { undefined, TRAP(UD) } };
	uint64_t *top = &table[PAGE_TABLE_ENTRIES];
	unsigned result;

	pt[0][0] = frame(event) | PTE_W | PTE_P;
	flush();
	CHECK(look(WINDOW) == 0xdad00000 + event, "delivery %u: the page reads 0x%x", event, look(WINDOW));
	result = trap_call(events[event].fn, top);
	CHECK(result == events[event].result, "delivery %u to a page table ended with %u", event, result);
	CHECK(((volatile uint64_t *)top)[-2] == (word)top, "delivery %u: pushed was 0x%lx", event, top[-2]);
	CHECK(look(WINDOW) == 0xdad00000 + event, "delivery %u: the page reads 0x%x then", event, look(WINDOW));
	for (unsigned i = 1; i < PAGE_TABLE_ENTRIES; i++)
		table[i] = 0;
}

static void test_delivery(void)
{
	for (unsigned i = 0; i < 6; i++) {
		deliver(pt[0], i % 3);
		deliver(pd, i % 3);
	}
	pt[0][0] = 0;
	flush();
}

/* Level 3 runs on a copy of the low memory. */
static void build_user(void)
{
	static uint64_t user_pdpt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
	static uint64_t user_pd[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));

	for (unsigned i = 0; i < 8; i++)
		user_pd[i] = (uint64_t)i << 21 | PTE_PS | PTE_U | PTE_W | PTE_P;
	user_pdpt[0] = (uint64_t)user_pd | PTE_U | PTE_W | PTE_P;
	boot_pml4[4] = (uint64_t)user_pdpt | PTE_U | PTE_W | PTE_P;
}

/* An instruction that the hypervisor does not emulate (AVX-512), on what cannot be given up: the guest is stopped, and
 * told why. */
static void hopeless(volatile void *p)
{
	print("tables: now\n");
	__asm__ volatile("vmovups %%zmm0, (%0)" : : "r"((word)p & ~63ul) : "memory");
	print("tables: still here\n");
}

void test_main(void)
{
	build();
	tables_init();
	if (parameter("root"))
		hopeless(&boot_pml4[500]);
	if (parameter("self")) {
		/* The directory is a page table too, which maps it. */
		pd[511] = (uint64_t)pd | PTE_W | PTE_P;
		hopeless((void *)(WINDOW + (511ul << 21) + 511 * 4096 + 400 * 8));
	}
	if (parameter("device"))
		hopeless((void *)((word)LAPIC_DEFAULT_BASE + APIC_TPR));
	build_user();
	for (const struct writer *w = writers; w->name; w++)
		if (w->usable())
			with_writer(w);
	for (const struct reader *r = readers; r->name; r++)
		if (r->usable())
			with_reader(r);
	test_across();
	test_repetition();
	test_rights();
	test_whole();
	test_delivery();
}
