/* The local APIC: IA32_APIC_BASE and the modes it selects, and the MSRs of x2APIC mode. */
#include "test/unit/dev/irq/lapic_fixture.h"

static void test_base_transitions(void **state)
{
	enum { OFF = 0x000, ODD = 0x400, XAPIC = 0x800, X2APIC = 0xc00 };
	static const uint64_t all[] = { OFF, ODD, XAPIC, X2APIC };
	(void)state;
	for (unsigned from = 0; from < 4; from++) {
		for (unsigned to = 0; to < 4; to++) {
			if (all[from] == ODD)
				continue;
			lapic_reset(l);
			if (all[from] == X2APIC)
				wrmsr(MSR_APIC_BASE, X2APIC_ON | APIC_BASE_BSP);
			else if (all[from] == OFF)
				wrmsr(MSR_APIC_BASE, APIC_OFF | APIC_BASE_BSP);
			bool legal = all[to] != ODD && !(all[from] == OFF && all[to] == X2APIC) &&
				!(all[from] == X2APIC && all[to] == XAPIC);
			assert_int_equal(lapic_msr_write(l, MSR_APIC_BASE, APIC_OFF | APIC_BASE_BSP | all[to]), legal);
			uint64_t now = legal ? all[to] : all[from];
			assert_true(rdmsr(MSR_APIC_BASE) == (APIC_OFF | APIC_BASE_BSP | now));
			assert_int_equal(lapic_mmio_active(l), now == XAPIC);
			assert_int_equal(l->x2apic, now == X2APIC);
		}
	}
	lapic_reset(l);
	assert_true(wrmsr_fails(MSR_APIC_BASE, 0xfee00901)); /* reserved bits */
	assert_true(wrmsr_fails(MSR_APIC_BASE, 0xfee00a00));
	assert_true(wrmsr_fails(MSR_APIC_BASE, BIT(40) | XAPIC_ON | APIC_BASE_BSP));
	wrmsr(MSR_APIC_BASE, 0x8000000900);
	assert_true(lapic_base_gpa(l) == 0x8000000000);
}

/* EN toggled 1, 0, 1, as conformance guests do at their start. */
static void test_disable_and_enable(void **state)
{
	(void)state;
	lapic_virtual_wire(l);
	wr(APIC_ID, 0x05000000);
	deliver(0x40, false);
	wr(APIC_LVT_TIMER, 0x20050);
	wr(APIC_TIMER_INITIAL, 1000);
	wrmsr(MSR_APIC_BASE, APIC_OFF | APIC_BASE_BSP);
	assert_int_equal(lapic_pending(l), -1);
	assert_false(deliver(0x41, false));
	assert_true(timers_next(&pc->timers) == UINT64_MAX);
	assert_true(lapic_accepts_extint(l));
	wrmsr(MSR_APIC_BASE, XAPIC_ON | APIC_BASE_BSP);
	assert_int_equal(rd(APIC_ID), 0); /* as after power-up */
	assert_int_equal(rd(APIC_SVR), 0xff);
	assert_int_equal(rd(APIC_LVT_LINT0), 0x10000);
	assert_int_equal(lapic_pending(l), -1);
	assert_false(lapic_accepts_extint(l));
	wr(APIC_SVR, 0x1ff);
	assert_true(deliver(0x41, false));
	assert_int_equal(lapic_pending(l), 0x41);
	wrmsr(MSR_APIC_BASE, X2APIC_ON | APIC_BASE_BSP); /* to x2APIC: the state stays */
	assert_int_equal(lapic_pending(l), 0x41);
	assert_int_equal(rdmsr(MSR_X2APIC(APIC_SVR)), 0x1ff);
	lapic_init_reset(l); /* INIT: the mode stays */
	assert_true(l->x2apic);
	assert_int_equal(rdmsr(MSR_X2APIC(APIC_SVR)), 0xff);
}

/* ---- x2APIC MSRs: what exists, what is writable, which bits are reserved ---- */

static void check_which_exist(void)
{
	/* Offsets in the page. */
	static const uint16_t read_only[] = { APIC_ID, APIC_VERSION, APIC_PPR, APIC_LDR, APIC_TIMER_CURRENT };
	static const uint16_t read_write[] = { APIC_TPR, APIC_SVR, APIC_LVT_CMCI, APIC_ICR, APIC_LVT_TIMER,
					       APIC_LVT_TIMER + 0x10, APIC_LVT_TIMER + 0x20, APIC_LVT_LINT0,
					       APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_TIMER_INITIAL, APIC_TIMER_DIVIDE };
	bool readable[256] = { false }, writable[256] = { false };
	for (unsigned i = 0; i < ARRAY_SIZE(read_only); i++)
		readable[read_only[i] / 16] = true;
	for (unsigned i = 0; i < ARRAY_SIZE(read_write); i++)
		readable[read_write[i] / 16] = writable[read_write[i] / 16] = true;
	for (unsigned i = 0x10; i < 0x28; i++)
		readable[i] = true;
	readable[0x28] = writable[0x28] = true;
	writable[0x0b] = true;
	for (unsigned r = 0; r < 256; r++) {
		uint64_t v;
		assert_int_equal(lapic_msr_read(l, MSR_X2APIC_FIRST + r, &v), readable[r]);
		if (r != 0x3f) /* vector 0 of a self IPI is an error, not a fault */
			assert_int_equal(lapic_msr_write(l, MSR_X2APIC_FIRST + r, 0), writable[r]);
		if (r != 0x30)
			assert_true(wrmsr_fails(MSR_X2APIC_FIRST + r, BIT(32)));
	}
}

static void check_refused(void)
{
	assert_true(rdmsr_fails(MSR_X2APIC_SELF_IPI));
	assert_true(wrmsr_fails(MSR_X2APIC_SELF_IPI, 0x100));
	assert_true(wrmsr_fails(MSR_X2APIC_TPR, 0x100));
	assert_true(wrmsr_fails(MSR_X2APIC_EOI, 1));
	assert_true(wrmsr_fails(MSR_X2APIC(APIC_ESR), 1));
	assert_true(wrmsr_fails(MSR_X2APIC(APIC_SVR), 0x2000));
	assert_true(wrmsr_fails(MSR_X2APIC_LVT_TIMER, 0x80000));
	assert_true(wrmsr_fails(MSR_X2APIC_LVT_TIMER, 0x700));
	assert_true(wrmsr_fails(MSR_X2APIC(APIC_LVT_ERROR), 0x700));
	assert_true(wrmsr_fails(MSR_X2APIC_DIV_CONF, 4));
	assert_true(wrmsr_fails(MSR_X2APIC_ICR, 0x2000));
	assert_true(wrmsr_fails(MSR_X2APIC_ICR, 0x10000));
	assert_true(wrmsr_fails(MSR_X2APIC_ICR, 0x100000));
	assert_true(wrmsr_fails(MSR_X2APIC_FIRST - 1, 0));
	assert_true(wrmsr_fails(MSR_X2APIC_LAST + 1, 0));
	assert_true(rdmsr_fails(MSR_X2APIC_LAST + 1));
}

static void check_effects(void)
{
	wrmsr(MSR_X2APIC(APIC_SVR), SVR_ENABLED | 0xff);
	wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TIMER_DEADLINE | 0xef);
	assert_int_equal(rdmsr(MSR_X2APIC_LVT_TIMER), LVT_TIMER_DEADLINE | 0xef);
	wrmsr(MSR_X2APIC_TPR, 0x35);
	assert_int_equal(rdmsr(MSR_X2APIC_TPR), 0x35);
	assert_int_equal(rdmsr(MSR_X2APIC(APIC_PPR)), 0x35);
	assert_int_equal(lapic_tpr(l), 0x35);
	deliver(0x91, true);
	assert_int_equal(rdmsr(MSR_X2APIC(APIC_IRR + 0x40)), 1u << 17);
	assert_int_equal(rdmsr(MSR_X2APIC(APIC_TMR + 0x40)), 1u << 17);
	lapic_ack(l, (uint8_t)lapic_pending(l));
	assert_int_equal(rdmsr(MSR_X2APIC(APIC_ISR + 0x40)), 1u << 17);
	wrmsr(MSR_X2APIC_EOI, 0);
	assert_int_equal(rdmsr(MSR_X2APIC(APIC_ISR + 0x40)), 0);
	assert_int_equal(pc->eois[0x91], 1);
	wrmsr(MSR_X2APIC_SELF_IPI, 5);
	wrmsr(MSR_X2APIC(APIC_ESR), 0);
	assert_int_equal(rdmsr(MSR_X2APIC(APIC_ESR)), 0x20);
}

static void test_x2apic_msrs(void **state)
{
	(void)state;
	assert_true(rdmsr_fails(MSR_X2APIC_APICID)); /* not in xAPIC mode */
	assert_true(wrmsr_fails(MSR_X2APIC_TPR, 0));
	x2apic_all();
	check_which_exist();
	check_refused();
	check_effects();
}

/* "Local Vector Table", "Valid Interrupt Vectors": a level with a vector that there is not is an error, and waits for
 * no EOI. */
static void test_level_of_illegal_vector(void **state)
{
	(void)state;
	lapic_virtual_wire(l);
	lapic_set_lint(l, 0, true);
	wr(APIC_LVT_LINT0, LVT_LEVEL | 0x0f);
	assert_int_equal(rd(APIC_LVT_LINT0), LVT_LEVEL | 0x0f);
	assert_int_equal(lapic_pending(l), -1);
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), ESR_RECEIVE_ILLEGAL_VECTOR);
	wr(APIC_LVT_LINT0, LVT_LEVEL | 0x40);
	assert_int_equal(lapic_pending(l), 0x40);
}

/* L2. */
static void test_priority_moves(void **state)
{
	uint32_t page[4] = { 0x12 };

	(void)state;
	lapic_set_tpr(l, 0x50);
	lapic_keep_tpr(l, page);
	assert_int_equal(page[0], 0x50);
	assert_int_equal(rd(APIC_TPR), 0x50);
	page[0] = 0x60;
	lapic_keep_tpr(l, NULL);
	assert_int_equal(rd(APIC_TPR), 0x60);
}

static void in_service(uint8_t vector)
{
	assert_int_equal(lapic_pending(l), vector);
	lapic_ack(l, vector);
}

/* L7: the EOI that a pin of its own may wait for is given under the lock; that which an I/O APIC waits for is not. */
static void test_eoi_without_the_lock(void **state)
{
	(void)state;
	x2apic_all();
	for (unsigned level = 0; level < 2; level++) {
		assert_true(deliver(0x40, level));
		in_service(0x40);
		assert_true(lapic_msr_write_unlocked(l, MSR_X2APIC_EOI, 0));
		assert_int_equal(l->isr_max, -1);
		assert_int_equal(pc->eois[0x40], level);
	}
	assert_true(lapic_msr_write(l, MSR_X2APIC(APIC_LVT_LINT0), LVT_LEVEL | 0x41));
	lapic_set_lint(l, 0, true);
	in_service(0x41);
	lapic_set_lint(l, 0, false);
	assert_false(lapic_msr_write_unlocked(l, MSR_X2APIC_EOI, 0));
	assert_int_equal(l->isr_max, 0x41);
	assert_true(lapic_msr_write(l, MSR_X2APIC_EOI, 0));
	assert_int_equal(l->remote_irr, 0);
	assert_true(lapic_msr_write_unlocked(l, MSR_X2APIC_EOI, 0));
}

/* What is sent by ICR, but for what the SDM reserves; also what is an error, or heard by nobody. */
static void test_icr_without_the_lock(void **state)
{
	static const uint8_t modes[] = { APIC_FIXED, APIC_LOWEST, APIC_SMI, 3, APIC_NMI, APIC_INIT, APIC_SIPI,
					 APIC_EXTINT };

	(void)state;
	x2apic_all();
	for (unsigned n = 0; n < ARRAY_SIZE(modes); n++) {
		uint64_t icr = ICR_ASSERT | ICR_DELIVERY(modes[n]) | 0x52;

		assert_true(lapic_msr_write_unlocked(l, MSR_X2APIC_ICR, icr));
		assert_false(lapic_msr_write_unlocked(l, MSR_X2APIC_ICR, icr | BIT(30)));
	}
	assert_int_equal(l->esr_pending, 0);
	assert_true(lapic_msr_write_unlocked(l, MSR_X2APIC_ICR, ICR_ASSERT | 8));
	assert_int_equal(l->esr_pending, ESR_SEND_ILLEGAL_VECTOR);
}

/* What x2APIC mode has of registers that need no lock: legal bits only, each as with it. */
static void test_wide_without_the_lock(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t legal, reserved;
	} unlocked[] = {
		{ MSR_X2APIC_TPR, 0x35, 0x100 },
		{ MSR_X2APIC_LVT_TIMER, LVT_MASKED | LVT_TIMER_PERIODIC | 0x51, 0x700 },
		{ MSR_X2APIC(APIC_TIMER_INITIAL), 12345, BIT(32) },
		{ MSR_X2APIC_DIV_CONF, 0xa, 4 },
	}, locked[] = {
		{ MSR_X2APIC(APIC_SVR), 0x1f0, 0 },         { MSR_X2APIC(APIC_ESR), 0, 0 },
		{ MSR_X2APIC(APIC_LVT_LINT0), 0x45, 0 },    { MSR_X2APIC(APIC_LVT_ERROR), 0x46, 0 },
		{ MSR_X2APIC(APIC_LVT_CMCI), 0x47, 0 },     { MSR_X2APIC_APICID, 0, 0 },
		{ MSR_X2APIC(APIC_TIMER_CURRENT), 0, 0 },   { MSR_APIC_BASE, 0, 0 },
		{ MSR_X2APIC_LAST + 1, 0, 0 },
	};

	(void)state;
	assert_false(lapic_msr_write_unlocked(l, MSR_X2APIC_TPR, 0)); /* in xAPIC mode */
	x2apic_all();
	for (unsigned n = 0; n < ARRAY_SIZE(unlocked); n++) {
		uint64_t before = rdmsr(unlocked[n].msr);

		assert_false(lapic_msr_write_unlocked(l, unlocked[n].msr, unlocked[n].legal | unlocked[n].reserved));
		assert_true(rdmsr(unlocked[n].msr) == before);
		assert_true(lapic_msr_write_unlocked(l, unlocked[n].msr, unlocked[n].legal));
		assert_true(rdmsr(unlocked[n].msr) == unlocked[n].legal);
	}
	for (unsigned n = 0; n < ARRAY_SIZE(locked); n++)
		assert_false(lapic_msr_write_unlocked(l, locked[n].msr, locked[n].legal));
	assert_false(lapic_msr_write_unlocked(l, MSR_X2APIC_SELF_IPI, 0x152));
	assert_int_equal(lapic_pending(l), -1);
	assert_true(lapic_msr_write_unlocked(l, MSR_X2APIC_SELF_IPI, 0x52));
	assert_int_equal(lapic_pending(l), 0x52);
	assert_true(lapic_msr_write_unlocked(l, MSR_X2APIC_SELF_IPI, 5));
	assert_int_equal(l->esr_pending, ESR_SEND_ILLEGAL_VECTOR);
}

/* Places where no register is, and those that can only be read. */
static void test_absent_without_the_lock(void **state)
{
	static const uint16_t absent[] = { 0, 0x40, 0x3f0, 0x400, 0x4f0, 0xff0 };

	(void)state;
	enable_lapics();
	for (unsigned n = 0; n < ARRAY_SIZE(absent); n++) {
		l->esr_pending = 0;
		assert_true(lapic_mmio_write_unlocked(l, absent[n], 4, 1));
		assert_int_equal(l->esr_pending, ESR_ILLEGAL_REGISTER);
		l->esr_pending = 0;
		assert_int_equal(lapic_mmio_read_aligned(l, absent[n], 4), 0);
		assert_int_equal(l->esr_pending, ESR_ILLEGAL_REGISTER);
	}
	l->esr_pending = 0;
	assert_true(lapic_mmio_write_unlocked(l, APIC_VERSION, 4, 1));
	assert_true(lapic_mmio_write_unlocked(l, APIC_PPR, 8, 1));
	assert_int_equal(lapic_mmio_read_aligned(l, APIC_SVR + 4, 4), 0);
	assert_false(lapic_mmio_write_unlocked(l, APIC_SVR, 4, 0x1ff)); /* needs the lock */
	assert_int_equal(l->esr_pending, 0);
}

#define T(f) PC_TEST(f, setup_lapic)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_base_transitions), T(test_disable_and_enable), T(test_x2apic_msrs),
		T(test_level_of_illegal_vector), T(test_priority_moves), T(test_eoi_without_the_lock),
		T(test_icr_without_the_lock), T(test_wide_without_the_lock), T(test_absent_without_the_lock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
