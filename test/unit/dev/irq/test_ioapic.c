/* The I/O APIC and the hub between lines and controllers. */
#include "test/unit/dev/fixture.h"
#include "lib/pic.h"
#include "lib/pit.h"

static struct lapic *l;

static int setup_apics(void **state)
{
	setup(state);
	l = &pc->lapic[0];
	enable_lapics();
	return 0;
}

#define PIN(n) (IOAPIC_INDEX_TABLE + 2 * (n))
#define PIN_HIGH(n) (PIN(n) + 1)

static uint32_t rd(unsigned index)
{
	mmio_write(&pc->mmio, IOAPIC_BASE + IOAPIC_SELECT, 4, index);
	return (uint32_t)mmio_read(&pc->mmio, IOAPIC_BASE + IOAPIC_WINDOW, 4);
}

static void wr(unsigned index, uint32_t value)
{
	mmio_write(&pc->mmio, IOAPIC_BASE + IOAPIC_SELECT, 4, index);
	mmio_write(&pc->mmio, IOAPIC_BASE + IOAPIC_WINDOW, 4, value);
}

static void entry(unsigned pin, uint32_t high, uint32_t low)
{
	wr(PIN_HIGH(pin), high);
	wr(PIN(pin), low);
}

/* Four bits, whoever gives it. */
static void test_id(void **state)
{
	struct mmio_space mmio = { .count = 0 };
	struct ioapic other;

	(void)state;
	wr(IOAPIC_INDEX_ID, 0xa7000000);
	assert_int_equal(rd(IOAPIC_INDEX_ID), 0x07000000);
	assert_true(ioapic_init(&other, &mmio, IOAPIC_BASE, 0x13, NULL, NULL));
	assert_int_equal(mmio_read(&mmio, IOAPIC_BASE + IOAPIC_WINDOW, 4), 0x03000000);
}

static bool take(struct lapic *c, uint8_t vector)
{
	int v = lapic_pending(c);
	if (v < 0)
		return false;
	assert_int_equal(v, vector);
	lapic_ack(c, vector);
	return true;
}

static void eoi(struct lapic *c) { lapic_mmio_write(c, APIC_EOI, 4, 0); }

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(rd(IOAPIC_INDEX_ID), IOAPIC_ID << 24);
	assert_int_equal(rd(IOAPIC_INDEX_VERSION), 0x00170020);
	assert_int_equal(rd(IOAPIC_INDEX_ARBITRATION), IOAPIC_ID << 24);
	for (unsigned i = 0; i < 48; i++)
		assert_int_equal(rd(IOAPIC_INDEX_TABLE + i), i & 1 ? 0 : 0x10000);
	assert_int_equal(rd(0x40), 0xffffffff);
	assert_int_equal(rd(0x0f), 0xffffffff);
	assert_int_equal(rd(0xff), 0xffffffff);
	wr(IOAPIC_INDEX_ID, 0x0a000000);
	assert_int_equal(rd(IOAPIC_INDEX_ID), 0x0a000000);
	wr(IOAPIC_INDEX_VERSION, 0);
	assert_int_equal(rd(IOAPIC_INDEX_VERSION), 0x00170020);
	wr(0x40, 0);
	wr(PIN(1), 0xffffffff);
	assert_int_equal(rd(PIN(1)), 0x1afff); /* read-only: delivery status, remote IRR */
	wr(PIN_HIGH(1), 0xffffffff);
	assert_int_equal(rd(PIN_HIGH(1)), 0xff000000);
	assert_int_equal(mmio_read(&pc->mmio, IOAPIC_BASE, 4), 0x13);
	assert_int_equal(mmio_read(&pc->mmio, IOAPIC_BASE + 0x13, 1), 0xff);
	assert_int_equal(mmio_read(&pc->mmio, IOAPIC_BASE + 0x20, 4), 0);
	mmio_write(&pc->mmio, IOAPIC_BASE + 0x20, 4, 1);
	ioapic_reset(&pc->ioapic);
	assert_int_equal(rd(PIN(1)), 0x10000);
}

static void test_edge(void **state)
{
	(void)state;
	entry(4, 0, 0x0034);
	irqhub_set(&pc->hub, 4, true);
	assert_true(take(l, 0x34));
	eoi(l);
	irqhub_set(&pc->hub, 4, true);
	assert_false(take(l, 0x34)); /* no new edge */
	irqhub_set(&pc->hub, 4, false);
	irqhub_set(&pc->hub, 4, true);
	assert_true(take(l, 0x34));
	eoi(l);
	assert_int_equal(pc->eois[0x34], 0); /* edges are not broadcast */
	irqhub_set(&pc->hub, 4, false);
	wr(PIN(4), 0x10034);
	irqhub_set(&pc->hub, 4, true); /* IO2: lost */
	wr(PIN(4), 0x00034);
	assert_false(take(l, 0x34));
}

static void test_level(void **state)
{
	(void)state;
	entry(9, 1u << 24, 0x8039);
	irqhub_set(&pc->hub, 9, true);
	assert_int_equal(rd(PIN(9)), 0xc039);
	assert_true(take(&pc->lapic[1], 0x39));
	irqhub_set(&pc->hub, 9, false);
	irqhub_set(&pc->hub, 9, true);
	assert_false(take(&pc->lapic[1], 0x39)); /* IO1 */
	eoi(&pc->lapic[1]);
	assert_true(take(&pc->lapic[1], 0x39)); /* still asserted: again */
	irqhub_set(&pc->hub, 9, false);
	eoi(&pc->lapic[1]);
	assert_int_equal(rd(PIN(9)), 0x8039);
	assert_false(take(&pc->lapic[1], 0x39));

	wr(PIN(9), 0x18039); /* masked; a level waits */
	irqhub_set(&pc->hub, 9, true);
	assert_false(take(&pc->lapic[1], 0x39));
	wr(PIN(9), 0x8039);
	assert_true(take(&pc->lapic[1], 0x39));
	wr(PIN(9), 0x18039); /* masked while in service, as Linux does for threaded handlers */
	eoi(&pc->lapic[1]);
	assert_int_equal(rd(PIN(9)), 0x18039);
	wr(PIN(9), 0x8039);
	assert_true(take(&pc->lapic[1], 0x39));
	irqhub_set(&pc->hub, 9, false);
	mmio_write(&pc->mmio, IOAPIC_BASE + 0x40, 4, 0x39); /* the EOI register */
	assert_int_equal(rd(PIN(9)), 0x8039);
}

/* IO1: a level that is said once more, and an entry that is written again, while the interrupt is in service. */
static void test_once_for_each_eoi(void **state)
{
	(void)state;
	entry(9, 0, REDIRECTION_LEVEL | 0x59);
	ioapic_set_pin(&pc->ioapic, 9, true);
	assert_true(take(l, 0x59));
	ioapic_set_pin(&pc->ioapic, 9, true);
	entry(9, 0, REDIRECTION_LEVEL | 0x59);
	ioapic_set_pin(&pc->ioapic, 9, false);
	lapic_mmio_write(l, APIC_EOI, 4, 0);
	assert_int_equal(lapic_pending(l), -1);
}

/* How drivers without an EOI register clear the remote IRR: masked and edge, then level again. */
static void test_remote_irr_by_trigger_switch(void **state)
{
	(void)state;
	entry(9, 0, 0x8039);
	irqhub_set(&pc->hub, 9, true);
	assert_int_equal(rd(PIN(9)), 0xc039);
	wr(PIN(9), 0x10039);
	assert_int_equal(rd(PIN(9)), 0x10039);
	irqhub_set(&pc->hub, 9, false);
	wr(PIN(9), 0x8039);
	assert_int_equal(rd(PIN(9)), 0x8039);
	irqhub_set(&pc->hub, 9, true);
	assert_int_equal(rd(PIN(9)), 0xc039);
}

static void test_eoi_of_shared_vector(void **state)
{
	(void)state;
	entry(10, 0, 0x8050);
	entry(11, 0, 0x8050);
	entry(12, 0, 0x0050);
	irqhub_set(&pc->hub, 10, true);
	irqhub_set(&pc->hub, 11, true);
	assert_true(take(l, 0x50));
	irqhub_set(&pc->hub, 10, false);
	eoi(l);
	assert_int_equal(rd(PIN(10)) & 0x4000, 0);
	assert_int_equal(rd(PIN(11)) & 0x4000, 0x4000);
	assert_true(take(l, 0x50));
}

static void test_nobody_accepts(void **state)
{
	(void)state;
	entry(9, 9u << 24, 0x8039);
	irqhub_set(&pc->hub, 9, true);
	assert_int_equal(rd(PIN(9)), 0x8039); /* no remote IRR without acceptance */
	wr(PIN_HIGH(9), 0);
	assert_int_equal(rd(PIN(9)), 0xc039); /* the new destination gets it */
	assert_true(take(l, 0x39));
}

static void test_delivery_modes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_mmio_write(&pc->lapic[n], APIC_LDR, 4, 0x01000000u << n);
	entry(5, 0x0cu << 24, 0x0860); /* logical: CPUs 2 and 3 */
	irqhub_set(&pc->hub, 5, true);
	assert_false(take(l, 0x60));
	assert_true(take(&pc->lapic[2], 0x60));
	assert_true(take(&pc->lapic[3], 0x60));
	entry(6, 0x0fu << 24, 0x0961); /* lowest priority: one */
	irqhub_set(&pc->hub, 6, true);
	unsigned got = 0;
	for (unsigned n = 0; n < PC_CPUS; n++)
		got += take(&pc->lapic[n], 0x61);
	assert_int_equal(got, 1);
	entry(7, 0xffu << 24, 0x0400);
	irqhub_set(&pc->hub, 7, true);
	for (unsigned n = 0; n < PC_CPUS; n++)
		assert_int_equal(pc->signals[n][APIC_NMI], 1);
	entry(8, 3u << 24, 0x0500);
	irqhub_set(&pc->hub, 8, true);
	assert_int_equal(pc->signals[3][APIC_INIT], 1);
	entry(10, 3u << 24, 0x0600); /* reserved */
	irqhub_set(&pc->hub, 10, true);
	assert_int_equal(pc->signals[3][APIC_SIPI], 0);
	entry(11, 0, 0x0700);
	irqhub_set(&pc->hub, 11, true);
	assert_int_equal(lapic_pending(l), -1);
}

/* The PIT is on I/O APIC pin 2 and PIC pin 0. */
static void test_hub(void **state)
{
	(void)state;
	pc_program_pics(pc);
	outb(pc, PIC1_DATA, 0);
	outb(pc, PIC2_DATA, 0);
	entry(0, 0, 0x30);
	entry(2, 0, 0x32);
	irqhub_set(&pc->hub, 0, true);
	assert_true(take(l, 0x32));
	eoi(l);
	assert_int_equal(pic_ack(&pc->pic), 0x30);
	outb(pc, PIC1_COMMAND, OCW2_EOI);
	irqhub_set(&pc->hub, 2, true); /* shares the pin */
	assert_false(take(l, 0x32));
	irqhub_set(&pc->hub, 0, false); /* the pin stays up while either line is */
	assert_int_equal(pc->ioapic.pins, 1u << 2);
	irqhub_set(&pc->hub, 2, false);
	assert_int_equal(pc->ioapic.pins, 0);
	irqhub_set(&pc->hub, 2, true);
	assert_true(take(l, 0x32));
	assert_false(pc->pic.out); /* the cascade */
	entry(20, 0, 0x44);
	irqhub_set(&pc->hub, 20, true);
	assert_false(pc->pic.out);
	assert_int_equal(lapic_pending(l), 0x44);
	irqhub_set(&pc->hub, 24, true); /* no such */
	irqhub_set(&pc->hub, 1000, true);
	assert_int_equal(pc->hub.levels, 1u << 20 | 1u << 2);
	irqhub_set(&pc->hub, 20, false);
	irqhub_set(&pc->hub, 2, false);
	assert_int_equal(pc->hub.levels, 0);
	assert_int_equal(pc->ioapic.pins, 0);
}

/* The timer through the I/O APIC, as Linux's check_timer() tries it first. */
static void test_pit_through_ioapic(void **state)
{
	(void)state;
	unsigned ticks = 0;
	entry(2, 0, 0x0030);
	outb(pc, PIT_CONTROL, PIT_SELECT(0) | PIT_LOW_HIGH | PIT_MODE(2));
	outb(pc, PIT_COUNTER(0), (uint8_t)4773);
	outb(pc, PIT_COUNTER(0), 4773 >> 8);
	for (unsigned ms = 0; ms < 100; ms++) {
		pc_advance_us(pc, 1000);
		if (take(l, 0x30)) {
			ticks++;
			eoi(l);
		}
	}
	assert_in_range(ticks, 24, 25);
}

/* Random pins, entries and EOIs: IO1 holds, and no asserted, unmasked, served level is ever forgotten. */
static void test_levels_randomly(void **state)
{
	uint64_t seed = 9;
	(void)state;
	for (unsigned step = 0; step < 20000; step++) {
		unsigned r = pc_random(&seed), pin = r % IOAPIC_PINS;
		switch (r >> 8 & 3) {
		case 0:
			ioapic_set_pin(&pc->ioapic, pin, r >> 16 & 1);
			break;
		case 1:
			entry(pin, 0, 0x8000 | (0x20 + pin) | (r >> 16 & 1) << 16);
			break;
		case 2: {
			int v = lapic_pending(l);
			if (v >= 0)
				lapic_ack(l, (uint8_t)v);
			break;
		}
		default:
			eoi(l);
		}
		for (unsigned p = 0; p < IOAPIC_PINS; p++) {
			uint64_t e = pc->ioapic.redirection[p];
			uint8_t v = (uint8_t)e;
			if (!(e & 0x8000))
				continue;
			bool held = (l->irr[v / 32] | l->posted[v / 32] | l->isr[v / 32]) >> (v % 32) & 1;
			if (e & 0x4000)
				assert_true(held);
			else if (!(e & 0x10000))
				assert_false(pc->ioapic.pins >> p & 1);
		}
	}
}

#define T(f) PC_TEST(f, setup_apics)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_registers), T(test_id),
		T(test_edge),
		T(test_level), T(test_once_for_each_eoi),
		T(test_remote_irr_by_trigger_switch),
		T(test_eoi_of_shared_vector),
		T(test_nobody_accepts),
		T(test_delivery_modes),
		T(test_hub),
		T(test_pit_through_ioapic),
		T(test_levels_randomly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
