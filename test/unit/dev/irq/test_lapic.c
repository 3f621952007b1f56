/* The local APIC: its registers, their reset values and errors; EOI; LINT pins. Its other tests are beside it:
 * test_lapic_*.c. */
#include "test/unit/dev/irq/lapic_fixture.h"

/* ---- reset values and the xAPIC's registers ---- */

static void test_reset_values(void **state)
{
	(void)state;
	l = &pc->lapic[2];
	assert_int_equal(rd(APIC_ID), 2u << 24);
	assert_int_equal(rd(APIC_VERSION), 0x01060014); /* 7 entries, EOI broadcasts can be suppressed */
	assert_int_equal(rd(APIC_TPR), 0);
	assert_int_equal(rd(APIC_LDR), 0);
	assert_int_equal(rd(APIC_DFR), 0xffffffff);
	assert_int_equal(rd(APIC_SVR), 0xff);
	for (unsigned r = 0x320; r <= 0x370; r += 16)
		assert_int_equal(rd(r), 0x10000);
	assert_int_equal(rd(APIC_LVT_CMCI), 0x10000);
	assert_int_equal(rd(APIC_TIMER_INITIAL), 0);
	assert_int_equal(rd(APIC_TIMER_CURRENT), 0);
	assert_int_equal(rd(APIC_TIMER_DIVIDE), 0);
	assert_int_equal(rdmsr(MSR_APIC_BASE), XAPIC_ON);
	l = &pc->lapic[0];
	assert_int_equal(rdmsr(MSR_APIC_BASE), XAPIC_ON | APIC_BASE_BSP);
	lapic_init(l, &pc->timers, 0, true, 0, 36, pc->lapic[1].host, pc);
	assert_int_equal(rd(APIC_VERSION), 0x00050014);
	assert_true(rdmsr_fails(MSR_TSC_DEADLINE));
	assert_true(wrmsr_fails(MSR_TSC_DEADLINE, 5));
	assert_true(wrmsr_fails(MSR_APIC_BASE, X2APIC_ON | APIC_BASE_BSP)); /* no x2APIC */
	wr(APIC_SVR, 0x11ff);
	assert_int_equal(rd(APIC_SVR), 0x1ff); /* nor suppression */
	wr(APIC_LVT_TIMER, 0xffffffff);
	assert_int_equal(rd(APIC_LVT_TIMER), 0x300ff); /* nor TSC-deadline mode */
}

static void test_access_sizes(void **state)
{
	(void)state;
	enable_lapics();
	wr(APIC_LDR, 0xab000000);
	assert_int_equal(lapic_mmio_read(l, APIC_LDR + 3, 1), 0xab);
	assert_int_equal(lapic_mmio_read(l, APIC_LDR + 2, 2), 0xab00);
	assert_int_equal(lapic_mmio_read(l, APIC_LDR, 8), 0xab000000);
	assert_int_equal(lapic_mmio_read(l, APIC_LDR + 4, 4), 0);
	assert_int_equal(lapic_mmio_read(l, APIC_LDR + 2, 4), 0);
	lapic_mmio_write(l, APIC_LDR, 1, 0);
	lapic_mmio_write(l, APIC_LDR + 4, 4, 0);
	lapic_mmio_write(l, APIC_LDR + 1, 4, 0);
	assert_int_equal(rd(APIC_LDR), 0xab000000);
	lapic_mmio_write(l, APIC_LDR, 8, 0xffffffff01000000);
	assert_int_equal(rd(APIC_LDR), 0x01000000);
	wr(APIC_ID, 0x0f000000);
	assert_int_equal(rd(APIC_ID), 0x0f000000);
	wr(APIC_VERSION, 0);
	assert_int_equal(rd(APIC_VERSION), 0x01060014);
	assert_int_equal(rd(APIC_ESR), 0);
	wr(0x40, 1); /* no such register */
	assert_int_equal(rd(0xff0), 0);
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0x80);
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0);
}

static void test_software_disable(void **state)
{
	(void)state;
	wr(APIC_LVT_LINT0, 0x700); /* cannot unmask while disabled */
	assert_int_equal(rd(APIC_LVT_LINT0), 0x10700);
	assert_false(deliver(0x40, false));
	enable_lapics();
	wr(APIC_LVT_LINT0, 0x700);
	wr(APIC_LVT_TIMER, 0x2fe);
	wr(APIC_LVT_ERROR, 0xfd);
	assert_int_equal(rd(APIC_LVT_LINT0), 0x700);
	assert_true(deliver(0x40, false));
	wr(APIC_SVR, 0xff);
	assert_int_equal(rd(APIC_LVT_LINT0), 0x10700);
	assert_int_equal(rd(APIC_LVT_TIMER), 0x100fe);
	assert_int_equal(rd(APIC_LVT_ERROR), 0x100fd);
	assert_false(deliver(0x41, false));
	assert_int_equal(lapic_pending(l), 0x40); /* what was accepted stays */
	struct apic_message nmi = { .delivery = APIC_NMI };
	assert_true(lapic_deliver(l, &nmi)); /* NMI, INIT, SIPI and SMI are accepted all the same */
	assert_int_equal(pc->signals[0][APIC_NMI], 1);
}

static void test_errors(void **state)
{
	(void)state;
	enable_lapics();
	wr(APIC_LVT_ERROR, 0x44);
	assert_true(deliver(5, false)); /* accepted from the bus, and bad */
	assert_int_equal(lapic_pending(l), 0x44);
	lapic_ack(l, 0x44);
	wr(APIC_EOI, 0);
	assert_true(deliver(6, false)); /* the same error again: told once until ESR is written */
	assert_int_equal(lapic_pending(l), -1);
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0x40);
	wr(APIC_ICR, 0x00005); /* vector 5 */
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0x20);
	wr(APIC_LVT_ERROR, 0x03); /* a bad vector in the error entry itself */
	assert_true(deliver(5, false));
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR), 0x40);
}

/* ---- EOI broadcasts ---- */

static void test_directed_eoi(void **state)
{
	(void)state;
	enable_lapics();
	deliver(0x70, true);
	lapic_ack(l, 0x70);
	wr(APIC_EOI, 0);
	assert_int_equal(pc->eois[0x70], 1);
	wr(APIC_SVR, 0x11ff);
	deliver(0x70, true);
	lapic_ack(l, 0x70);
	wr(APIC_EOI, 0);
	assert_int_equal(pc->eois[0x70], 1);
	deliver(0x71, false);
	lapic_ack(l, 0x71);
	wr(APIC_EOI, 0);
	wr(APIC_EOI, 0); /* nothing in service */
	assert_int_equal(pc->eois[0x71], 0);
}

/* ---- LINT pins and ExtINT ---- */

static void test_extint(void **state)
{
	(void)state;
	assert_false(lapic_accepts_extint(l));
	lapic_set_lint(l, 0, true);
	assert_false(lapic_extint(l));
	lapic_virtual_wire(l); /* as a BIOS leaves it */
	assert_true(lapic_extint(l));
	assert_true(l->irq_maybe);
	assert_int_equal(lapic_pending(l), -1);
	assert_true(l->irq_maybe); /* stays while the PIC asks */
	lapic_set_lint(l, 0, false);
	assert_int_equal(lapic_pending(l), -1);
	assert_false(l->irq_maybe);
	unsigned kicks = pc->kicks[0];
	lapic_set_lint(l, 0, true); /* while it is let through: the vCPU is told */
	assert_int_equal(pc->kicks[0], kicks + 1);
	assert_true(lapic_extint(l));
	lapic_set_lint(l, 0, false);
	lapic_pending(l);
	wr(APIC_LVT_LINT0, 0x10700);
	lapic_set_lint(l, 0, true);
	assert_false(lapic_extint(l));
	wr(APIC_LVT_LINT0, 0x700);
	assert_true(lapic_extint(l));
	assert_true(l->irq_maybe);
	lapic_set_lint(l, 0, false);
	wrmsr(MSR_APIC_BASE, APIC_OFF | APIC_BASE_BSP); /* disabled: LINT0 is INTR, LINT1 is NMI */
	lapic_pending(l);
	assert_true(lapic_accepts_extint(l));
	lapic_set_lint(l, 0, true);
	assert_true(l->irq_maybe && lapic_extint(l));
	lapic_set_lint(l, 1, true);
	assert_int_equal(pc->signals[0][APIC_NMI], 1);
}

static void test_lint_fixed_and_nmi(void **state)
{
	(void)state;
	enable_lapics();
	wr(APIC_LVT_LINT0, 0x45);
	lapic_set_lint(l, 0, true);
	assert_int_equal(lapic_pending(l), 0x45);
	lapic_ack(l, 0x45);
	wr(APIC_EOI, 0);
	assert_int_equal(lapic_pending(l), -1); /* an edge */
	lapic_set_lint(l, 0, true);
	assert_int_equal(lapic_pending(l), -1);
	lapic_set_lint(l, 0, false);
	wr(APIC_LVT_LINT0, 0x8046); /* level */
	lapic_set_lint(l, 0, true);
	assert_int_equal(rd(APIC_LVT_LINT0), 0xc046);
	assert_int_equal(lapic_pending(l), 0x46);
	lapic_ack(l, 0x46);
	wr(APIC_EOI, 0);
	assert_int_equal(lapic_pending(l), 0x46); /* still asserted */
	lapic_ack(l, 0x46);
	lapic_set_lint(l, 0, false);
	wr(APIC_EOI, 0);
	assert_int_equal(lapic_pending(l), -1);
	assert_int_equal(rd(APIC_LVT_LINT0), 0x8046);
	wr(APIC_LVT_LINT1, 0x400);
	lapic_set_lint(l, 1, true);
	assert_int_equal(pc->signals[0][APIC_NMI], 1);
	wr(APIC_LVT_LINT0, 0x8003); /* a level with a bad vector is an error, not a storm */
	lapic_set_lint(l, 0, true);
	wr(APIC_ESR, 0);
	assert_int_equal(rd(APIC_ESR) & 0x40, 0x40);
}

#define T(f) PC_TEST(f, setup_lapic)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_reset_values), T(test_access_sizes), T(test_software_disable), T(test_errors),
		T(test_directed_eoi), T(test_extint), T(test_lint_fixed_and_nmi),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
