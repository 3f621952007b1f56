/* A guest that does anything: random accesses to all devices. Nothing may crash, the clocks must go on, the work per
 * step is bounded, and the invariants that tie the devices together hold. */
#include "test/unit/dev/pc.h"
#include "lib/pic.h"
#include "lib/pit.h"
#include "lib/ports.h"

#define STEPS 600000u

/* Where the devices are; random ports hit them rarely otherwise. */
static const uint16_t bases[] = {
	0x20,  0xa0,  0x40,  0x42,  0x61,  0x60,  0x64,  0x70,  0x72,  0x80,  0x92,  0xe0,  0xe4,  0xf4,  0x3f8,
	0x3fc, 0x4d0, 0x510, 0x600, 0x604, 0x608, 0x620, 0xcf8, 0xcfc, 0x2000, 0x200c, 0x8900, 0xfffc,
};

static void random_port(struct pc *pc, uint64_t *seed)
{
	unsigned r = pc_random(seed);
	uint16_t port = r % 64 ? (uint16_t)(bases[r % ARRAY_SIZE(bases)] + (r >> 8) % 5) : (uint16_t)(r >> 8);
	unsigned size = 1u << (r >> 24) % 3;
	if (r & 1u << 28)
		pio_in(&pc->pio, port, size);
	else
		pio_out(&pc->pio, port, size, r & 1u << 29 ? pc_random(seed) : pc_random(seed) & 0x13);
}

static void random_mmio(struct pc *pc, uint64_t *seed)
{
	unsigned r = pc_random(seed), size = 1u << (r >> 24) % 4;
	uint64_t gpa = IOAPIC_BASE + (r >> 3) % 0x48, value = pc_random(seed);
	if (r % 8 == 0)
		gpa = TESTDEV_MMIO_BASE + (r >> 3) % (TESTDEV_MMIO_SIZE + 8);
	else if (r % 8 < 4) /* registers at the doublewords that exist */
		gpa = IOAPIC_BASE + (r >> 3 & 1) * 0x10;
	if (gpa == IOAPIC_BASE)
		value &= 0x3f;
	if (r & 1u << 28)
		mmio_read(&pc->mmio, gpa, size);
	else
		mmio_write(&pc->mmio, gpa, size, value);
}

static void random_lapic(struct pc *pc, uint64_t *seed)
{
	unsigned r = pc_random(seed), reg = (r >> 8) % 0x40;
	struct lapic *l = &pc->lapic[r % PC_CPUS];
	uint64_t value = pc_random(seed), ignored;
	if (r & 1u << 20)
		value &= 0x600ff;
	if (l->x2apic || !(r & 7)) {
		uint32_t msr = r >> 24 & 1 ? MSR_TSC_DEADLINE : r >> 25 & 3 ? 0x800 + reg : MSR_APIC_BASE;
		if (msr == MSR_TSC_DEADLINE)
			value = pc->now + value % 100000;
		else if (msr == MSR_APIC_BASE)
			value = LAPIC_DEFAULT_BASE | (value & 0xd00);
		if (r & 1u << 28)
			lapic_msr_read(l, msr, &ignored);
		else
			lapic_msr_write(l, msr, value);
	} else if (r & 1u << 28) {
		lapic_mmio_read(l, reg * 16 + (r >> 29), 4);
	} else {
		lapic_mmio_write(l, reg * 16, 4, reg == 0x0f ? value | 0x100 : value);
	}
}

static void random_outside(struct pc *pc, uint64_t *seed)
{
	unsigned r = pc_random(seed);
	switch (r % 5) {
	case 0: uart_receive(&pc->uart, (uint8_t)(r >> 8)); break;
	case 1: uart_tx_ready(&pc->uart); break;
	case 2: pc->sent_room = r >> 8 & 7; break;
	case 3: lapic_set_tpr(&pc->lapic[r >> 8 & 3], (uint8_t)(r >> 16)); break;
	default: acpi_pm_power_button(&pc->pm); break;
	}
}

/* What the run loop does before it enters the guest. */
static void run_loop(struct pc *pc, struct lapic *l)
{
	if (lapic_extint(l)) {
		assert_true(l->irq_maybe);
		pic_ack(&pc->pic);
		return;
	}
	int v = lapic_pending(l);
	if (v < 0)
		return;
	assert_true(v >= 16 && v <= 255);
	lapic_ack(l, (uint8_t)v);
}

static int highest(const uint32_t *reg)
{
	for (int v = 255; v >= 0; v--)
		if (reg[v / 32] >> (v % 32) & 1)
			return v;
	return -1;
}

static void check(struct pc *pc)
{
	assert_int_equal(pc->lapic[0].lint[0], pc->pic.out);
	for (unsigned n = 0; n < PC_CPUS; n++) {
		struct lapic *l = &pc->lapic[n];
		assert_int_equal(l->irr_max, highest(l->irr));
		assert_int_equal(l->isr_max, highest(l->isr));
		bool offers =
			(l->enabled && l->irr_max >= 0 && (l->irr_max & 0xf0) > (lapic_ppr(l) & 0xf0)) ||
			lapic_extint(l);
		assert_true(!offers || l->irq_maybe);
	}
	assert_int_equal(pc->ioapic.pins & ~5u, pc->hub.levels & ~5u);
	unsigned length = 0;
	for (const struct timer *t = pc->timers.first; t; t = t->next) {
		assert_true(t->armed && (!t->next || t->deadline <= t->next->deadline));
		assert_true(++length <= PC_CPUS + 3);
	}
}

/* Lets 10 ms pass as a run loop would, and returns how often it was called back: the devices' rates are bounded. */
static unsigned callbacks_in_10_ms(struct pc *pc)
{
	return pc_advance_us(pc, 10000);
}

static void all_lines_down(struct pc *pc)
{
	for (unsigned gsi = 0; gsi < IOAPIC_PINS; gsi++)
		irqhub_set(&pc->hub, gsi, false);
}

static void fuzz(uint64_t seed, uint64_t tsc_hz)
{
	struct pc *pc = pc_new(tsc_hz);
	pc_program_pics(pc);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned r = pc_random(&seed);
		switch (r % 16) {
		case 0:
		case 1:
		case 2: random_mmio(pc, &seed); break;
		case 3:
		case 4:
		case 5: random_lapic(pc, &seed); break;
		case 6: random_outside(pc, &seed); break;
		case 7: {
			/* at most one callback per alarm, whatever the guest did */
			pc->now += (r >> 8) % 20000;
			timers_run(&pc->timers, pc->now);
			break;
		}
		case 8:
		case 9: run_loop(pc, &pc->lapic[r >> 8 & 3]); break;
		default: random_port(pc, &seed); break;
		}
		if (step % 64 == 0)
			check(pc);
		/* 4 APIC timers, PIT, RTC, PM timer: at most one callback per 50 microseconds each */
		if (step % 4096 == 0)
			assert_true(callbacks_in_10_ms(pc) <= 7 * 210);
	}
	/* It all still works: the PIT ticks through a freshly programmed PIC. */
	all_lines_down(pc);
	pit_reset(&pc->pit);
	pc_program_pics(pc);
	outb(pc, PIC1_DATA, 0xfe);
	outb(pc, PIT_CONTROL, PIT_SELECT(0) | PIT_LOW_HIGH | PIT_MODE(2));
	outb(pc, PIT_COUNTER(0), 0xa9);
	outb(pc, PIT_COUNTER(0), 0x04);
	pc_advance_us(pc, 1500);
	assert_true(pc->pic.out);
	assert_int_equal(pic_ack(&pc->pic), 0x30);
	pc_delete(pc);
}

static void test_slow_machine(void **state)
{
	(void)state;
	fuzz(1, 10000000);
	fuzz(2, 10000000);
}

static void test_fast_machine(void **state)
{
	(void)state;
	fuzz(3, 3100000001);
	fuzz(4, 2000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_slow_machine), cmocka_unit_test(test_fast_machine) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
