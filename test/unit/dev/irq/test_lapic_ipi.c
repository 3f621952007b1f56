/* The local APIC: whom interprocessor interrupts reach. */
#include "test/unit/dev/irq/lapic_fixture.h"

static unsigned arrived(uint8_t vector)
{
	unsigned mask = 0;
	for (unsigned n = 0; n < PC_CPUS; n++) {
		struct lapic *c = &pc->lapic[n];

		lapic_pending(c); /* what was posted to it is in irr */
		if (c->irr[vector / 32] >> (vector % 32) & 1) {
			mask |= 1u << n;
			c->irr[vector / 32] &= ~(1u << vector % 32);
		}
		c->irr_max = -1;
	}
	return mask;
}

static unsigned ipi(uint32_t high, uint32_t low)
{
	wr(APIC_ICR_HIGH, high);
	wr(APIC_ICR, low);
	assert_int_equal(rd(APIC_ICR_HIGH), high & 0xff000000);
	return arrived((uint8_t)low);
}

static void test_xapic_destinations(void **state)
{
	(void)state;
	enable_lapics();
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_mmio_write(&pc->lapic[n], APIC_LDR, 4, 0x10000000u << n); /* flat: bits 4..7 */
	assert_int_equal(ipi(2u << 24, 0x40), 0x4);
	assert_int_equal(ipi(9u << 24, 0x40), 0);
	assert_int_equal(ipi(0xffu << 24, 0x40), 0xf);
	assert_int_equal(ipi(0x50u << 24, 0x840), 0x5);
	assert_int_equal(ipi(0xffu << 24, 0x840), 0xf);
	assert_int_equal(ipi(0, 0x40840), 0x1); /* shorthands: self, all, others */
	assert_int_equal(ipi(0, 0x80840), 0xf);
	assert_int_equal(ipi(0, 0xc0840), 0xe);
	for (unsigned n = 0; n < PC_CPUS; n++) {
		lapic_mmio_write(&pc->lapic[n], APIC_DFR, 4, 0x0fffffff); /* clusters 0 and 1, two each */
		lapic_mmio_write(&pc->lapic[n], APIC_LDR, 4, (n / 2) << 28 | 1u << (24 + n % 2));
	}
	assert_int_equal(ipi(0x13u << 24, 0x840), 0xc);
	assert_int_equal(ipi(0x01u << 24, 0x840), 0x1);
	assert_int_equal(ipi(0x23u << 24, 0x840), 0x0);
	assert_int_equal(ipi(0xffu << 24, 0x840), 0xf);
}

static unsigned ipi_unlocked(uint32_t high, uint32_t low)
{
	assert_true(lapic_mmio_write_unlocked(&pc->lapic[0], APIC_ICR_HIGH, 4, high));
	assert_true(lapic_mmio_write_unlocked(&pc->lapic[0], APIC_ICR, 4, low));
	assert_int_equal(lapic_mmio_read_aligned(&pc->lapic[0], APIC_ICR_HIGH, 4), high & 0xff000000);
	return arrived((uint8_t)low);
}

/* Without the device lock, and by the short ways: to oneself, and to a physical destination. */
static void test_unlocked_destinations(void **state)
{
	static const struct apic_message level = { .vector = 0x47, .delivery = APIC_FIXED, .level = true,
						    .assert = true };

	(void)state;
	enable_lapics();
	pc->lapic[0].bus = &pc->bus;
	assert_int_equal(ipi_unlocked(2u << 24, 0x40), 0x4);
	assert_int_equal(ipi_unlocked(0, 0x4040), 0x1);
	assert_int_equal(ipi_unlocked(9u << 24, 0x40), 0);
	assert_int_equal(ipi_unlocked(0xffu << 24, 0x40), 0xf);
	assert_int_equal(ipi_unlocked(2u << 24, 0x40040), 0x1);
	assert_int_equal(ipi_unlocked(0, 0x80040), 0xf);
	assert_int_equal(ipi_unlocked(0, 0xc0040), 0xe);
	lapic_mmio_write(&pc->lapic[3], APIC_ID, 4, 9u << 24);
	assert_int_equal(ipi_unlocked(9u << 24, 0x40), 0x8);
	lapic_mmio_write(&pc->lapic[3], APIC_SVR, 4, 0xff);
	assert_int_equal(ipi_unlocked(9u << 24, 0x40), 0);
	/* Edge-triggered again, whatever it was. */
	lapic_deliver(&pc->lapic[0], &level);
	assert_int_equal(arrived(0x47), 0x1);
	assert_int_equal(pc->lapic[0].tmr[2], 1u << 7);
	assert_int_equal(ipi_unlocked(0, 0x40047), 0x1);
	assert_int_equal(pc->lapic[0].tmr[2], 0);
}

static void test_x2apic_destinations(void **state)
{
	(void)state;
	x2apic_all();
	assert_int_equal(rdmsr(MSR_X2APIC_LDR), 0x00000001);
	wrmsr(MSR_X2APIC_ICR, 0x0000000200000040);
	assert_int_equal(arrived(0x40), 0x4);
	wrmsr(MSR_X2APIC_ICR, 0x0000000a00000840); /* logical: cluster 0, members 1 and 3 */
	assert_int_equal(arrived(0x40), 0xa);
	wrmsr(MSR_X2APIC_ICR, 0x0001000100000840); /* cluster 1: nobody */
	assert_int_equal(arrived(0x40), 0);
	wrmsr(MSR_X2APIC_ICR, 0xffffffff00000040);
	assert_int_equal(arrived(0x40), 0xf);
	wrmsr(MSR_X2APIC_ICR, 0x000000ff00000040); /* 0xff is not a broadcast here */
	assert_int_equal(arrived(0x40), 0);
	assert_true(rdmsr(MSR_X2APIC_ICR) == 0x000000ff00000040);
	wrmsr(MSR_X2APIC_SELF_IPI, 0x50);
	assert_int_equal(arrived(0x50), 0x1);
	struct apic_message from_ioapic = { .dest = 0xff, .vector = 0x60 }; /* but it is in the I/O APIC's eight bits */
	assert_true(apic_bus_send(&pc->bus, &from_ioapic, NULL));
	assert_int_equal(arrived(0x60), 0xf);
	from_ioapic.dest = 3;
	apic_bus_send(&pc->bus, &from_ioapic, NULL);
	assert_int_equal(arrived(0x60), 0x8);
	from_ioapic.logical = true;
	apic_bus_send(&pc->bus, &from_ioapic, NULL);
	assert_int_equal(arrived(0x60), 0x3);
}

static void test_logical_ids(void **state)
{
	struct lapic big;
	uint64_t v;
	(void)state;
	lapic_init(&big, &pc->timers, 0x1234, false, LAPIC_X2APIC, 40, l->host, pc);
	assert_true(lapic_msr_write(&big, MSR_APIC_BASE, X2APIC_ON));
	assert_true(lapic_msr_read(&big, MSR_X2APIC_APICID, &v) && v == 0x1234);
	assert_true(lapic_msr_read(&big, MSR_X2APIC_LDR, &v) && v == (0x123u << 16 | 1u << 4));
	struct apic_message m = { .dest = 0x1230010, .logical = true, .wide = true };
	assert_true(apic_message_matches(&m, &big, NULL));
	m.dest = 0x1240010;
	assert_false(apic_message_matches(&m, &big, NULL));
	m = (struct apic_message){ .dest = 0x34 };
	assert_false(apic_message_matches(&m, &big, NULL)); /* eight bits do not reach it */
}

static void test_lowest_priority(void **state)
{
	(void)state;
	enable_lapics();
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_mmio_write(&pc->lapic[n], APIC_LDR, 4, 0x01000000u << n);
	struct apic_message m = { .dest = 0xf, .vector = 0x70, .delivery = APIC_LOWEST, .logical = true };
	unsigned seen = 0;
	for (unsigned i = 0; i < PC_CPUS; i++) {
		assert_true(apic_bus_send(&pc->bus, &m, NULL));
		unsigned who = arrived(0x70);
		assert_int_equal(who & (who - 1), 0); /* exactly one */
		seen |= who;
	}
	assert_int_equal(seen, 0xf); /* and in turn */
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_set_tpr(&pc->lapic[n], n == 2 ? 0x20 : 0x50);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(apic_bus_send(&pc->bus, &m, NULL));
		assert_int_equal(arrived(0x70), 0x4);
	}
	/* By ICR it needs no lock. */
	lapic_mmio_write(&pc->lapic[0], APIC_ICR_HIGH, 4, 0x0f000000);
	assert_true(lapic_mmio_write_unlocked(&pc->lapic[0], APIC_ICR, 4,
					      ICR_LOGICAL | ICR_ASSERT | ICR_DELIVERY(APIC_LOWEST) | 0x70));
	assert_int_equal(arrived(0x70), 0x4);
	m.dest = 0x3;
	apic_bus_send(&pc->bus, &m, NULL);
	unsigned who = arrived(0x70);
	assert_true(who == 1 || who == 2);
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_mmio_write(&pc->lapic[n], APIC_SVR, 4, 0xff);
	assert_false(apic_bus_send(&pc->bus, &m, NULL));
	struct apic_bus empty = { .count = 0 };
	assert_false(apic_bus_send(&empty, &m, NULL));
	m.delivery = APIC_FIXED;
	assert_false(apic_bus_send(&empty, &m, NULL));
}

/* INIT, INIT de-assert, SIPI: as Linux wakes a CPU. */
static void test_wake_up(void **state)
{
	(void)state;
	enable_lapics();
	wr(APIC_ICR_HIGH, 1u << 24);
	wr(APIC_ICR, 0xc500);
	assert_int_equal(pc->signals[1][APIC_INIT], 1);
	wr(APIC_ICR, 0x8500);
	assert_int_equal(pc->signals[1][APIC_INIT], 1);
	lapic_init_reset(&pc->lapic[1]);
	assert_int_equal(pc->lapic[1].svr, 0xff);
	assert_int_equal(lapic_base_gpa(&pc->lapic[1]), LAPIC_DEFAULT_BASE);
	wr(APIC_ICR, 0x69a);
	assert_int_equal(pc->signals[1][APIC_SIPI], 1);
	assert_int_equal(pc->signal_vector[1], 0x9a);
	wr(APIC_ICR, 0xc0400); /* NMI to all others */
	assert_int_equal(pc->signals[0][APIC_NMI], 0);
	assert_int_equal(pc->signals[3][APIC_NMI], 1);
	wr(APIC_ICR, 0x80200);
	assert_int_equal(pc->signals[0][APIC_SMI], 1);
	wr(APIC_ICR, 0x80700); /* ExtINT and the reserved mode go nowhere */
	wr(APIC_ICR, 0x80300);
	for (unsigned n = 0; n < PC_CPUS; n++)
		assert_int_equal(pc->signals[n][APIC_EXTINT] + pc->signals[n][3], 0);
}

#define T(f) PC_TEST(f, setup_lapic)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_xapic_destinations), T(test_x2apic_destinations), T(test_logical_ids),
		T(test_unlocked_destinations),
		T(test_lowest_priority), T(test_wake_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
