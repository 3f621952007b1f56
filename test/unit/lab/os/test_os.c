/* The guest OS: after any random sequence of calls and accesses its tables, VMAs and frames agree (os_audit), every process finds
 * in every page what it wrote there, no translation that a TLB may keep is wrong (test/unit/lab/os_cpu.c), and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/os/inside.h"
#include "test/unit/lab/os_cpu.h"

enum { PROCESSES = 5, PAGES = 8 * 512, UNKNOWN = -1 };
#define ARENA 0x555500000000ull

static uint64_t random_state;
static uint64_t rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dull;
}

static struct lab_cpu *cpu;
static struct lab_config config;
static struct lab_os *os;
static struct lab_error error;
static bool alive[PROCESSES];
static int64_t holds[PROCESSES][PAGES]; /* what the page must hold: a tag, or UNKNOWN (shared, or of a file) */
static uint64_t next_tag, accesses;

static void start(unsigned levels, bool pcid, bool pti, unsigned pages, double fragmentation, bool implicit)
{
	if (!cpu)
		cpu = calloc(1, sizeof(*cpu));
	assert_non_null(cpu);
	cpu_reset(cpu, levels, pcid, 256ull << 20);
	memset(&config, 0, sizeof(config));
	config.guest.pages = (uint8_t)pages;
	config.guest.pcid = pcid;
	config.guest.pti = pti;
	config.guest.global = true;
	config.guest.fragmentation = fragmentation;
	config.guest.flush_ceiling = 33;
	config.guest.khugepaged = 3;
	config.seed = rnd();
	error.text[0] = 0;
	os = lab_os_new(cpu, &config, implicit, &error);
	if (!os)
		fail_msg("%s", error.text);
	memset(alive, 0, sizeof(alive));
	memset(holds, 0, sizeof(holds));
	alive[0] = true;
}

static void audit(void)
{
	char why[256] = "";

	if (!os_audit(os, why, sizeof(why)))
		fail_msg("%s (seed %lu)", why, (unsigned long)config.seed);
}

static void call(struct lab_call c)
{
	if (!lab_os_call(os, &c, &error))
		fail_msg("call %u: %s", c.kind, error.text);
	cpu_check(cpu);
}

static uint64_t frame_of(uint64_t va, bool write)
{
	uint64_t frame = 0;
	uint32_t code;

	for (unsigned tries = 0; !cpu_access(cpu, va, write, &frame, &code); tries++) {
		assert_true(tries < 3);
		if (!lab_os_page_fault(os, va, code, &error))
			fail_msg("fault at %#lx: %s", (unsigned long)va, error.text);
	}
	accesses++;
	return frame;
}

static void read_page(unsigned page)
{
	int64_t want = holds[os->current][page];
	uint64_t frame = frame_of(ARENA + 4096ull * page + 8, false);

	if (want != UNKNOWN)
		assert_int_equal(cpu->tag[frame], want);
}

static void write_page(unsigned page)
{
	uint64_t frame = frame_of(ARENA + 4096ull * page + 16, true);

	if (holds[os->current][page] == UNKNOWN)
		return;
	cpu->tag[frame] = ++next_tag;
	holds[os->current][page] = (int64_t)next_tag;
}

static void access_random(void)
{
	const struct mm *mm = os_mm(os);
	const struct vma *v;
	unsigned page;

	if (!mm->vmas)
		return;
	v = &mm->vma[rnd() % mm->vmas];
	page = (unsigned)((v->start - ARENA) / 4096 + rnd() % ((v->end - v->start) / 4096));
	if (v->prot & LAB_PROT_WRITE && rnd() % 2)
		write_page(page);
	else if (v->prot)
		read_page(page);
}

/* ---- what calls do to what is held ---- */

static void set_range(unsigned first, unsigned count, int64_t value)
{
	for (unsigned i = first; i < first + count; i++)
		holds[os->current][i] = value;
}

static void random_range(unsigned *first, unsigned *count)
{
	static const unsigned lengths[] = { 1, 3, 20, 40, 300, 512, 700, 1024 };

	*first = (unsigned)(rnd() % PAGES);
	*count = lengths[rnd() % 8];
	if (rnd() % 2)
		*first &= ~511u;
	if (*first + *count > PAGES)
		*count = PAGES - *first;
}

static void do_mmap(unsigned first, unsigned count)
{
	struct lab_call c = { .kind = LAB_MMAP, .addr = ARENA + 4096ull * first, .length = 4096ull * count, .prot = 3 };

	switch (rnd() % 6) {
	case 0: c.file = 1 + (uint32_t)(rnd() % 3); c.offset = 4096 * (rnd() % 50); c.prot = (uint8_t)(1 + rnd() % 3); break;
	case 1: c.file = 1 + (uint32_t)(rnd() % 3); c.flags = LAB_MAP_SHARED; break;
	case 2: c.flags = LAB_MAP_SHARED; break;
	case 3: c.prot = 1 + 2 * (rnd() % 4 > 0); c.flags = rnd() % 2 ? LAB_MAP_POPULATE : LAB_MAP_STACK; break;
	default: break;
	}
	call(c);
	set_range(first, count, c.file || c.flags & LAB_MAP_SHARED ? UNKNOWN : 0);
}

static void do_madvise(unsigned first, unsigned count)
{
	static const uint8_t advices[] = { LAB_ADVICE_DONTNEED, LAB_ADVICE_FREE, LAB_ADVICE_HUGEPAGE, LAB_ADVICE_NOHUGEPAGE };
	uint8_t advice = advices[rnd() % 4];

	call((struct lab_call){ .kind = LAB_MADVISE, .addr = ARENA + 4096ull * first, .length = 4096ull * count, .prot = advice });
	for (unsigned i = first; advice == LAB_ADVICE_DONTNEED && i < first + count; i++)
		if (holds[os->current][i] != UNKNOWN)
			holds[os->current][i] = 0;
}

static bool mapped(unsigned first, unsigned count)
{
	const struct mm *mm = os_mm(os);
	unsigned i = vma_find(mm, ARENA + 4096ull * first);

	for (uint64_t at = ARENA + 4096ull * first; at < ARENA + 4096ull * (first + count); at = mm->vma[i++].end)
		if (!vma_holds(mm, i, at))
			return false;
	return true;
}

static void do_mremap(unsigned from, unsigned count)
{
	static int64_t moved[PAGES];
	unsigned to, to_count;

	random_range(&to, &to_count);
	if (rnd() % 2)
		to = from;
	if (to + to_count > PAGES || (to != from && to < from + count && from < to + to_count) || !mapped(from, count))
		return;
	memcpy(moved, &holds[os->current][from], sizeof(moved[0]) * count);
	call((struct lab_call){ .kind = LAB_MREMAP, .addr = ARENA + 4096ull * from, .length = 4096ull * count,
				.to = ARENA + 4096ull * to, .to_length = 4096ull * to_count });
	for (unsigned i = 0; i < to_count; i++) /* what grows does so as its last page is */
		holds[os->current][to + i] = i < count ? moved[i] : os_mm(os)->vma[vma_find(os_mm(os), ARENA + 4096ull * (to + i))].file
			? UNKNOWN : 0;
}

static void do_process(void)
{
	unsigned p = (unsigned)(rnd() % PROCESSES), others = 0;

	if (!alive[p]) {
		call((struct lab_call){ .kind = LAB_FORK, .process = p });
		memcpy(holds[p], holds[os->current], sizeof(holds[p]));
		alive[p] = true;
		return;
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		others += alive[i] && i != os->current;
	if (rnd() % 8 == 0 && others && p != os->current) {
		alive[os->current] = false;
		call((struct lab_call){ .kind = LAB_EXIT });
	} else if (rnd() % 16 == 0) {
		call((struct lab_call){ .kind = LAB_EXEC });
		memset(holds[os->current], 0, sizeof(holds[0]));
	}
	call((struct lab_call){ .kind = LAB_SWITCH, .process = p });
}

static void step(void)
{
	unsigned first, count;

	random_range(&first, &count);
	switch (rnd() % 12) {
	case 0: case 1: do_mmap(first, count); break;
	case 2: call((struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA + 4096ull * first, .length = 4096ull * count }); break;
	case 3: call((struct lab_call){ .kind = LAB_MPROTECT, .addr = ARENA + 4096ull * first, .length = 4096ull * count,
					.prot = (uint8_t)(rnd() % 4) }); break;
	case 4: do_madvise(first, count); break;
	case 5: do_mremap(first, count); break;
	case 6: case 7: case 8: do_process(); break;
	default: lab_os_tick(os); break;
	}
	for (unsigned i = rnd() % 60; i; i--)
		access_random();
}

/* All processes end: what is left in use is the kernel's own and the page cache. */
static void end(uint64_t at_start)
{
	for (unsigned p = 0; p < PROCESSES; p++) {
		if (!alive[p])
			continue;
		call((struct lab_call){ .kind = LAB_SWITCH, .process = p });
		call((struct lab_call){ .kind = LAB_EXIT });
	}
	audit();
	assert_int_equal(os->frames.used, at_start + os->cache.used);
	assert_int_equal(os->frames.refs.used, 0);
	lab_os_delete(os);
}

static void random_operations(void **state)
{
	static const struct { unsigned levels; bool pcid, pti; unsigned pages; double fragmentation; } of[] = {
		{ 4, true, false, 12, 0 }, { 4, false, false, 12, 0.5 }, { 4, true, false, 21, 0 }, { 4, true, true, 21, 0.9 },
		{ 5, true, false, 21, 0.3 }, { 5, false, true, 12, 1 }, { 4, false, false, 21, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		uint64_t own;

		random_state = 77 + i;
		start(of[i].levels, of[i].pcid, of[i].pti, of[i].pages, of[i].fragmentation, false);
		own = os->frames.used - (of[i].pti ? 2 : 1); /* without process 0's top tables */
		for (unsigned n = 0; n < 400; n++) {
			step();
			if (n % 5 == 0)
				audit();
		}
		end(own);
	}
	assert_true(accesses > 50000);
}

/* ---- particular things ---- */

static void test_copy_on_write(void **state)
{
	struct lab_os_counters c;

	(void)state;
	random_state = 1;
	start(4, true, false, 12, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 10, .prot = 3 });
	read_page(0); /* the page of zeros */
	c = lab_os_counters(os);
	assert_int_equal(c.os_zeroed_4k, 0);
	for (unsigned i = 0; i < 10; i++)
		write_page(i);
	c = lab_os_counters(os);
	assert_int_equal(c.os_zeroed_4k, 10);
	call((struct lab_call){ .kind = LAB_FORK, .process = 1 });
	memcpy(holds[1], holds[0], sizeof(holds[0]));
	for (unsigned i = 0; i < 10; i++)
		write_page(i);
	c = lab_os_counters(os);
	assert_int_equal(c.os_cow_copies, 10);
	call((struct lab_call){ .kind = LAB_SWITCH, .process = 1 });
	for (unsigned i = 0; i < 10; i++) {
		read_page(i);
		write_page(i);
	}
	c = lab_os_counters(os);
	assert_int_equal(c.os_cow_copies, 10);
	assert_int_equal(c.os_cow_reuses, 10);
	audit();
	lab_os_delete(os);
}

static void test_large_pages(void **state)
{
	struct lab_os_counters c;

	(void)state;
	random_state = 2;
	start(4, true, false, 21, 0, false);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA + 4096, .length = 4096 * 1500, .prot = 3 });
	for (unsigned i = 1; i < 1501; i++)
		write_page(i);
	c = lab_os_counters(os);
	assert_int_equal(c.os_pages_2m, 1); /* 512 to 1023; the ends are no whole blocks */
	assert_int_equal(c.os_zeroed_2m, 1);
	assert_int_equal(c.os_pages_4k, 1500 - 512);
	call((struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA + 4096 * 600, .length = 4096 });
	c = lab_os_counters(os);
	assert_int_equal(c.os_huge_split, 1);
	assert_int_equal(c.os_pages_2m, 0);
	assert_int_equal(c.os_pages_4k, 1499);
	audit();
	lab_os_delete(os);

	start(4, true, false, 21, 1, false); /* nothing can be had whole */
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 1024, .prot = 3 });
	write_page(5);
	c = lab_os_counters(os);
	assert_int_equal(c.os_huge_refused, 1);
	assert_int_equal(c.os_pages_4k, 1);
	lab_os_delete(os);
}

/* Small pages that came one by one become a large one at a tick, with what they held. */
static void test_collapse(void **state)
{
	struct lab_os_counters c;

	(void)state;
	random_state = 8;
	start(4, true, false, 21, 0, false);
	for (unsigned i = 0; i < 512; i++) { /* a region that grows: there is never room for a large page */
		call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA + 4096ull * i, .length = 4096, .prot = 3 });
		if (i % 3)
			write_page(i);
	}
	c = lab_os_counters(os);
	assert_int_equal(c.os_pages_2m, 0);
	assert_int_equal(c.os_pages_4k, 341);
	lab_os_tick(os);
	cpu_check(cpu);
	c = lab_os_counters(os);
	assert_int_equal(c.os_collapsed, 1);
	assert_int_equal(c.os_pages_2m, 1);
	assert_int_equal(c.os_pages_4k, 0);
	for (unsigned i = 0; i < 512; i++)
		read_page(i);
	assert_int_equal(lab_os_counters(os).os_faults, c.os_faults);
	audit();
	lab_os_delete(os);
}

static void test_flushes(void **state)
{
	struct lab_os_counters before, after;

	(void)state;
	random_state = 3;
	start(4, true, false, 12, 0, false);
	for (unsigned pages = 33; pages <= 34; pages++) {
		call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 4096 * 100, .prot = 3 });
		for (unsigned i = 0; i < 100; i++)
			write_page(i);
		before = lab_os_counters(os);
		call((struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA, .length = 4096ull * pages });
		after = lab_os_counters(os);
		assert_int_equal(after.os_flush_pages - before.os_flush_pages, pages == 33 ? 33 : 0);
		assert_int_equal(after.os_flush_full - before.os_flush_full, pages == 33 ? 0 : 1);
		set_range(0, 100, 0);
	}
	lab_os_delete(os);
}

/* Six processes go round without a flush; a seventh takes a number away. */
static void test_address_space_numbers(void **state)
{
	uint64_t loads, kept;

	(void)state;
	random_state = 4;
	start(4, true, false, 12, 0, false);
	for (unsigned p = 1; p < 8; p++)
		call((struct lab_call){ .kind = LAB_FORK, .process = p });
	for (unsigned count = 6; count <= 7; count++) {
		for (unsigned round = 0; round < 3; round++) {
			loads = cpu->loads;
			kept = cpu->kept;
			for (unsigned p = 1; p <= count; p++)
				call((struct lab_call){ .kind = LAB_SWITCH, .process = p });
		}
		assert_int_equal(cpu->loads - loads, count);
		assert_int_equal(cpu->kept - kept, count == 6 ? 6 : 0);
	}
	lab_os_delete(os);
}

static void test_refusals(void **state)
{
	(void)state;
	random_state = 5;
	start(4, true, false, 12, 0, false);
	assert_false(lab_os_page_fault(os, ARENA, 6, &error));
	assert_non_null(strstr(error.text, "nothing is mapped"));
	error.text[0] = 0;
	assert_false(lab_os_call(os, &(struct lab_call){ .kind = LAB_SWITCH, .process = 9 }, &error));
	error.text[0] = 0;
	assert_false(lab_os_call(os, &(struct lab_call){ .kind = LAB_MMAP, .addr = 1ull << 47, .length = 4096 }, &error));
	error.text[0] = 0;
	assert_false(lab_os_call(os, &(struct lab_call){ .kind = LAB_MUNMAP, .addr = ARENA, .length = ~0ull }, &error));
	error.text[0] = 0;
	assert_false(lab_os_call(os, &(struct lab_call){ .kind = LAB_FORK, .process = 0 }, &error));
	error.text[0] = 0;
	call((struct lab_call){ .kind = LAB_MMAP, .addr = ARENA, .length = 1ull << 40, .prot = 3 });
	for (uint64_t va = ARENA;; va += 4096) { /* more than there is */
		uint64_t frame;
		uint32_t code;

		assert_true(va < ARENA + (512ull << 20));
		if (!cpu_access(cpu, va, true, &frame, &code) && !lab_os_page_fault(os, va, code, &error))
			break;
	}
	assert_non_null(strstr(error.text, "exhausted"));
	lab_os_delete(os);
}

static uint64_t any_address(void)
{
	static const uint64_t bases[] = { 0, ARENA, 0x7fffffe00000, 1ull << 46, 0xffff888000000000, ~0xfffull };
	uint64_t at = bases[rnd() % 4 ? 1 : rnd() % 6] + ((rnd() % 4096) << 12);

	return rnd() % 16 ? at : at + rnd() % 5000;
}

/* Calls and faults that no program makes: refused with a sentence, or done; and what is done leaves everything in order. */
static void test_any_call(void **state)
{
	unsigned done = 0, refused = 0;

	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		random_state = round + 1;
		bool exhausted = false;

		start(4, true, false, round & 1 ? 21 : 12, 0, round & 2);
		for (unsigned i = 0; i < 200; i++) {
			struct lab_call c = {
				.kind = (uint8_t)(rnd() % (LAB_CALLS + 1)), .prot = (uint8_t)(rnd() % 16), .flags = (uint16_t)(rnd() % 64),
				.process = (uint32_t)(rnd() % 4), .file = rnd() % 3 ? 0 : (uint32_t)rnd(), .addr = any_address(),
				.length = rnd() % 2 ? rnd() % (1 << 22) : rnd() >> (rnd() % 64), .to = any_address(),
				.to_length = rnd() % 2 ? rnd() % (1 << 22) : rnd() >> (rnd() % 64), .offset = rnd() % (1ull << 50),
			};
			uint64_t va = any_address(), frame;
			uint32_t code;

			if (c.kind == LAB_EXIT && rnd() % 16)
				c.kind = LAB_MMAP;
			if (c.kind == LAB_MMAP && c.length > 64 << 20)
				c.flags &= (uint16_t)~LAB_MAP_POPULATE;
			if (!lab_os_call(os, &c, &error)) {
				assert_true(error.text[0] && !strchr(error.text, '\n'));
				refused++;
				exhausted |= strstr(error.text, "exhausted") || strstr(error.text, "is left for a copy");
			} else {
				done++;
			}
			cpu_check(cpu);
			if (os_mm(os) && !cpu_access(cpu, va, rnd() & 1, &frame, &code) && lab_os_page_fault(os, va, code, &error))
				assert_true(cpu_access(cpu, va, code & 2, &frame, &code));
			error.text[0] = 0;
		}
		if (!exhausted) /* then something was left half done, and the run ends */
			audit();
		lab_os_delete(os);
	}
	assert_true(done > 1000 && refused > 1000);
}

/* A stream without mappings; a gigabyte page; the heap and the stack. */
static void test_regions(void **state)
{
	(void)state;
	random_state = 6;
	start(4, true, false, 12, 0, true);
	frame_of(0x400123, false);
	frame_of(0x7fff12345678, true);
	frame_of(0x7fff12345678 - 0x1000, true);
	assert_int_equal(lab_os_counters(os).os_implicit, 2);
	audit();
	lab_os_delete(os);

	start(4, true, false, 12, 0, false);
	call((struct lab_call){ .kind = LAB_BRK, .addr = 0x601234 });
	call((struct lab_call){ .kind = LAB_BRK, .addr = 0x605001 });
	frame_of(0x602000, true);
	frame_of(0x605fff, true);
	call((struct lab_call){ .kind = LAB_BRK, .addr = 0x602000 });
	assert_int_equal(lab_os_counters(os).os_pages_4k, 0);
	call((struct lab_call){ .kind = LAB_MMAP, .addr = 0x7ffffff00000, .length = 4096, .prot = 3, .flags = LAB_MAP_STACK });
	frame_of(0x7ffffff00000 - 100 * 4096, true);
	assert_int_equal(os_mm(os)->vma[0].start, 0x7ffffff00000 - 100 * 4096);
	audit();
	lab_os_delete(os);
}

static int teardown(void **state)
{
	(void)state;
	if (cpu)
		cpu_reset(cpu, 4, true, 0);
	free(cpu);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_on_write), cmocka_unit_test(test_large_pages), cmocka_unit_test(test_collapse),
		cmocka_unit_test(test_flushes),
		cmocka_unit_test(test_address_space_numbers), cmocka_unit_test(test_refusals), cmocka_unit_test(test_regions),
		cmocka_unit_test(random_operations), cmocka_unit_test(test_any_call),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
