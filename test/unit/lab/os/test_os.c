/* The guest OS: after any random sequence of calls and accesses its tables, VMAs and frames agree (os_audit), every
 * process finds in every page what it wrote there, no translation that a TLB may keep is wrong
 * (test/unit/lab/os_cpu.c), and nothing leaks. */
#include "test/unit/lab/os/guest.h"

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
	case 0:
		c.file = 1 + (uint32_t)(rnd() % 3);
		c.offset = 4096 * (rnd() % 50);
		c.prot = (uint8_t)(1 + rnd() % 3);
		break;
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
	static const uint8_t advices[] = { LAB_ADVICE_DONTNEED, LAB_ADVICE_FREE, LAB_ADVICE_HUGEPAGE,
					   LAB_ADVICE_NOHUGEPAGE };
	uint8_t advice = advices[rnd() % 4];

	call((struct lab_call){
		.kind = LAB_MADVISE, .addr = ARENA + 4096ull * first, .length = 4096ull * count, .prot = advice });
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
		holds[os->current][to + i] = i < count ? moved[i]
					     : os_mm(os)->vma[vma_find(os_mm(os), ARENA + 4096ull * (to + i))].file
						     ? UNKNOWN
						     : 0;
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
	case 2:
		call((struct lab_call){
			.kind = LAB_MUNMAP, .addr = ARENA + 4096ull * first, .length = 4096ull * count });
		break;
	case 3:
		call((struct lab_call){ .kind = LAB_MPROTECT,
					.addr = ARENA + 4096ull * first,
					.length = 4096ull * count,
					.prot = (uint8_t)(rnd() % 4) });
		break;
	case 4: do_madvise(first, count); break;
	case 5: do_mremap(first, count); break;
	case 6: case 7: case 8: do_process(); break;
	case 9: lab_os_tick(os); break;
	default: lab_os_khugepaged(os); break;
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
	static const struct { unsigned cpus, levels; bool pcid, pti; unsigned pages; double fragmentation;
	} of[] = {
		{ 1, 4, true, false, 12, 0 },  { 1, 4, false, false, 12, 0.5 }, { 1, 4, true, false, 21, 0 },
		{ 1, 4, true, true, 21, 0.9 }, { 1, 5, true, false, 21, 0.3 },  { 1, 5, false, true, 12, 1 },
		{ 1, 4, false, false, 21, 0 }, { 2, 4, true, false, 21, 0.1 },  { 3, 4, false, false, 12, 0 },
		{ 3, 4, true, true, 21, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		uint64_t own;

		random_state = 77 + i;
		start_on(of[i].cpus, of[i].levels, of[i].pcid, of[i].pti, of[i].pages, of[i].fragmentation, false);
		own = os->frames.used - (of[i].pti ? 2 : 1); /* without process 0's top tables */
		for (unsigned n = 0; n < 400; n++) {
			step();
			if (n % 5 == 0)
				audit();
		}
		end(own);
		/* Each move is a wake-up by an interrupt, and the CPU that is left stops its timer. */
		assert_int_equal(cpu->moves > 0, of[i].cpus > 1);
		assert_int_equal(cpu->ipis, cpu->moves);
		assert_int_equal(cpu->ended, cpu->moves);
		assert_int_equal(cpu->armed, 2 * cpu->moves);
	}
	assert_true(accesses > 50000);
}

static uint64_t any_address(void)
{
	static const uint64_t bases[] = { 0, ARENA, 0x7fffffe00000, 1ull << 46, 0xffff888000000000, ~0xfffull };
	uint64_t at = bases[rnd() % 4 ? 1 : rnd() % 6] + ((rnd() % 4096) << 12);

	return rnd() % 16 ? at : at + rnd() % 5000;
}

static struct lab_call any_call(void)
{
	struct lab_call c = {
		.kind = (uint8_t)(rnd() % (LAB_CALLS + 1)),
		.prot = (uint8_t)(rnd() % 16),
		.flags = (uint16_t)(rnd() % 64),
		.process = (uint32_t)(rnd() % 4),
		.file = rnd() % 3 ? 0 : (uint32_t)rnd(),
		.addr = any_address(),
		.length = rnd() % 2 ? rnd() % (1 << 22) : rnd() >> (rnd() % 64),
		.to = any_address(),
		.to_length = rnd() % 2 ? rnd() % (1 << 22) : rnd() >> (rnd() % 64),
		.offset = rnd() % (1ull << 50),
	};

	if (c.kind == LAB_EXIT && rnd() % 16)
		c.kind = LAB_MMAP;
	if (c.kind == LAB_MMAP && c.length > 64 << 20)
		c.flags &= (uint16_t)~LAB_MAP_POPULATE;
	return c;
}

/* Calls and faults that no program makes: refused with a sentence, or done; and what is done leaves everything in
 * order. */
static void test_any_call(void **state)
{
	unsigned done = 0, refused = 0;

	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		random_state = round + 1;
		bool exhausted = false;

		start(4, true, false, round & 1 ? 21 : 12, 0, round & 2);
		for (unsigned i = 0; i < 200; i++) {
			struct lab_call c = any_call();
			uint64_t va = any_address(), frame;
			uint32_t code;

			if (!lab_os_call(os, &c, &error)) {
				assert_true(error.text[0] && !strchr(error.text, '\n'));
				refused++;
				exhausted |=
					strstr(error.text, "exhausted") || strstr(error.text, "is left for a copy");
			} else {
				done++;
			}
			cpu_check(cpu);
			if (os_mm(os) && !cpu_access(cpu, va, rnd() & 1, &frame, &code) &&
			    lab_os_page_fault(os, va, code, &error))
				assert_true(cpu_access(cpu, va, code & 2, &frame, &code));
			error.text[0] = 0;
		}
		if (!exhausted) /* then something was left half done, and the run ends */
			audit();
		lab_os_delete(os);
	}
	assert_true(done > 1000 && refused > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations), cmocka_unit_test(test_any_call),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
