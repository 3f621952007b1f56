/* What stays cached and what goes by its tags, VPID and EPTP: VM entries and exits, INVVPID, INVEPT, EPT violations.
 * Each test names the section of the SDM whose statement it carries out. */
#include "test/unit/model/cached.h"

/* "Operations that Invalidate Cached Mappings": VM entries and exits with "enable VPID" 0. */
static void transitions(void **state)
{
	struct machine *m = *state;

	cache_and_change(m, X_G);
	m_exit(&m->cpu);
	run(m);
	reaches(m, 0, READ, OLD); /* VPID 1 */
	restart(m);
	m->vmcs.vpid = 0;
	cache_and_change(m, X_G);
	m_exit(&m->cpu);
	run(m);
	reaches(m, 0, READ, NEW);
}

/* The same: guest-physical mappings live through transitions, VPID or not. */
static void transitions_and_guest_physical(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	m->vmcs.vpid = 0;
	run(m);
	reaches(m, 0, READ, OLD);
	poke(m, EPT1, DATA, NEW | RWX | WB);
	m_exit(&m->cpu);
	run(m);
	reaches(m, 0, READ, OLD);
	m_exit(&m->cpu);
	m_invept(&m->cpu, 1, m->vmcs.eptp);
	run(m);
	reaches(m, 0, READ, NEW);
}

static void other_vpid(void **state)
{
	struct machine *m = *state;

	cache_and_change(m, X_G);
	m_exit(&m->cpu);
	m->vmcs.vpid = 2;
	run(m);
	reaches(m, 0, READ, NEW);
	m_exit(&m->cpu);
	m->vmcs.vpid = 1;
	run(m);
	reaches(m, 0, READ, OLD);
}

/* "INVVPID - Invalidate Translations Based on VPID". */
static void invvpid(void **state)
{
	static const struct { unsigned type; uint16_t vpid; uint64_t va, flags; bool goes;
	} cases[] = {
		{ 0, 1, 0, 0, true },	 { 0, 1, 0, X_G, true }, { 0, 1, 0x1000, 0, false }, { 0, 2, 0, 0, false },
		{ 1, 1, 0, X_G, true },	 { 1, 2, 0, 0, false },	 { 2, 0, 0, X_G, true },     { 3, 1, 0, 0, true },
		{ 3, 1, 0, X_G, false }, { 3, 2, 0, 0, false },
	};
	struct machine *m = *state;

	for (unsigned ept = 0; ept < 2; ept++)
		for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
			restart(m);
			if (ept)
				with_ept(m);
			cache_and_change(m, cases[i].flags);
			m_exit(&m->cpu);
			m_invvpid(&m->cpu, cases[i].type, cases[i].vpid, cases[i].va);
			run(m);
			reaches(m, 0, READ, cases[i].goes ? NEW : OLD);
		}
}

/* Operands that the instructions refuse, and then do nothing. INVLPG of what is no address is a NOP. */
static void refused(void **state)
{
	struct machine *m = *state;

	cache_and_change(m, 0);
	m_invlpg(&m->cpu, 1ull << 47);
	m_invlpg(&m->cpu, 1ull << 63);
	reaches(m, 0, READ, OLD);
	m_exit(&m->cpu);
	assert_false(m_invvpid(&m->cpu, 0, 1, 1ull << 47));
	assert_false(m_invvpid(&m->cpu, 0, 1, ~0ull >> 1));
	assert_false(m_invvpid(&m->cpu, 0, 0, 0));
	assert_false(m_invvpid(&m->cpu, 1, 0, 0));
	assert_false(m_invvpid(&m->cpu, 3, 0, 0));
	assert_false(m_invvpid(&m->cpu, 4, 1, 0));
	assert_false(m_invept(&m->cpu, 1, 0xf80));
	assert_false(m_invept(&m->cpu, 3, 0));
	run(m);
	reaches(m, 0, READ, OLD);
	m_exit(&m->cpu);
	assert_true(m_invvpid(&m->cpu, 0, 1, 0));
	run(m);
	reaches(m, 0, READ, NEW);
}

/* INVVPID reaches no guest-physical mapping; INVEPT no linear one. */
static void not_theirs(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	run(m);
	reaches(m, 0, READ, OLD);
	poke(m, EPT1, DATA, NEW | RWX | WB);
	m_exit(&m->cpu);
	m_invvpid(&m->cpu, 2, 0, 0);
	run(m);
	reaches(m, 0, READ, OLD);
	restart(m);
	cache_and_change(m, 0);
	m_exit(&m->cpu);
	m_invept(&m->cpu, 2, 0);
	run(m);
	reaches(m, 0, READ, OLD);
}

/* "INVEPT - Invalidate Translations Derived from EPT": combined mappings of the EP4TA, of all VPIDs. */
static void invept(void **state)
{
	static const struct {
		unsigned type;
		unsigned table;
		bool goes;
	} cases[] = { { 1, EPT4, true }, { 1, ROOT, false }, { 2, ROOT, true } };
	struct machine *m = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		restart(m);
		with_ept(m);
		cache_and_change(m, 0);
		m_exit(&m->cpu);
		m_invept(&m->cpu, cases[i].type, frame(cases[i].table) | 6 | 3 << 3);
		run(m);
		reaches(m, 0, READ, cases[i].goes ? NEW : OLD);
	}
}

/* What is cached without EPT is not used with it, nor the other way; guest-physical mappings are the EP4TA's own. */
static void kinds(void **state)
{
	struct machine *m = *state;

	cache_and_change(m, 0);
	m_exit(&m->cpu);
	with_ept(m);
	run(m);
	reaches(m, 0, READ, NEW);
	m_exit(&m->cpu);
	m->vmcs.ept = false;
	run(m);
	reaches(m, 0, READ, OLD);
}

/* The guest's own INVLPG drops combined mappings, not guest-physical ones. */
static void invlpg_under_ept(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	run(m);
	reaches(m, 0, READ, OLD);
	poke(m, EPT1, DATA, NEW | RWX | WB);
	m_invlpg(&m->cpu, 0);
	reaches(m, 0, READ, OLD);
	poke(m, L1, 0, NEW | RWU);
	m_invlpg(&m->cpu, 0);
	reaches(m, 0, READ, NEW);
}

/* "EPT Violations" invalidate what would translate the address, so that they do not recur: no INVEPT after adding
 * rights. */
static void violation(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	poke(m, EPT1, DATA, OLD | X_EPT_R | WB);
	run(m);
	reaches(m, 0, READ, OLD);
	violates(m, 0, WRITE, OLD, X_QUAL_WRITE | 1 << X_QUAL_RIGHTS_SHIFT | X_QUAL_GLA_VALID | X_QUAL_TRANSLATION);
	poke(m, EPT1, DATA, OLD | RWX | WB);
	reaches(m, 0, WRITE, OLD);
}

/* The same of another address on that page, cached by a combined mapping with the old rights: a violation again,
 * once. */
static void violation_elsewhere(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	m->cpu.adversarial = true;
	poke(m, EPT1, DATA, OLD | X_EPT_R | WB);
	poke(m, L1, 1, OLD | RWU | X_A | X_D);
	run(m);
	for (unsigned i = 0; i < 30; i++) {
		reaches(m, 0, READ, OLD);
		reaches(m, 0x1000, READ, OLD);
	}
	poke(m, EPT1, DATA, OLD | RWX | WB);
	for (unsigned i = 0; i < 30; i++) {
		struct m_result r = m_access(&m->cpu, 0x1000, WRITE);

		if (r.event == M_EXIT) {
			assert_int_equal(r.exit, M_EXIT_EPT_VIOLATION);
			run(m);
		}
	}
	reaches(m, 0x1000, WRITE, OLD);
}

/* The account: a flush that drops only what memory still says was not needed. */
static void account(void **state)
{
	struct machine *m = *state;

	with_ept(m);
	m->cpu.account = true;
	run(m);
	reaches(m, 0, READ, OLD);
	m_exit(&m->cpu);
	m_invvpid(&m->cpu, 1, 1, 0);
	m_invept(&m->cpu, 1, m->vmcs.eptp);
	assert_int_equal(m->cpu.stats.flushes, 2);
	assert_int_equal(m->cpu.stats.flushes_idle, 2);
	run(m);
	reaches(m, 0, READ, OLD);
	m_exit(&m->cpu);
	poke(m, EPT1, DATA, 0);
	m_invept(&m->cpu, 1, m->vmcs.eptp);
	assert_int_equal(m->cpu.stats.flushes, 3);
	assert_int_equal(m->cpu.stats.flushes_idle, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(transitions), T(transitions_and_guest_physical), T(other_vpid), T(invvpid), T(refused),
		T(not_theirs), T(invept), T(kinds), T(invlpg_under_ept), T(violation), T(violation_elsewhere),
		T(account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
