/* The local APIC beside the plain one (plain_apic.h): a million random steps, and after each of them every register,
 * what is pending, and whether its CPU must look, are the same. The TPR is reached by its functions and registers
 * only.
 *
 * The same where the CPU serves the guest and delivers (virtual_apic.h): what the guest does is done by the CPU, as far
 * as it does not exit; what the guest reads without an exit is compared too; and the CPU is told of what waits only
 * when the local APIC has asked for that. Now and then the method changes, with interrupts waiting and in service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dev/irq/lapic.h"
#include "test/unit/dev/irq/plain_apic.h"
#include "test/unit/dev/irq/virtual_apic.h"
#include "lib/xorshift.h"

#define STEPS 1000000u
#define LEAST 64u /* a count that takes longer than the least period (LAPIC_MIN_PERIOD_US) */

static struct lapic l;
static struct plain_apic p;
static struct apic_bus bus;
static struct timers timers;
static unsigned signals[8], broadcasts[256], commands, kicks;
static uint64_t seed, present;

static bool with_cpu; /* the local APIC may be the CPU's */
static uint32_t page[1024];
static struct virtual_apic cpu = { .page = (uint8_t *)page };
static unsigned eoi_exits, eois, writes;

static uint64_t now(void *ctx)
{
	(void)ctx;
	return present;
}

static void ipi(void *ctx, struct lapic *from, const struct apic_message *m)
{
	(void)ctx;
	commands++;
	apic_bus_send(&bus, m, from);
}

static void eoi(void *ctx, struct lapic *from, uint8_t vector)
{
	(void)ctx;
	(void)from;
	broadcasts[vector]++;
}

static void kick(void *ctx, struct lapic *of)
{
	(void)ctx;
	(void)of;
	kicks++;
}

static void signal_cpu(void *ctx, struct lapic *of, enum apic_delivery what, uint8_t vector)
{
	(void)ctx;
	(void)of;
	(void)vector;
	signals[what]++;
}

static void start(uint64_t first)
{
	static const struct lapic_host host = { ipi, eoi, kick, signal_cpu };

	seed = first;
	present = 0;
	timers = (struct timers){ .tsc_hz = 1000000, .now = now };
	lapic_init(&l, &timers, 5, true, LAPIC_X2APIC | LAPIC_TSC_DEADLINE | LAPIC_CMCI | LAPIC_DIRECTED_EOI, 40, &host,
		   NULL);
	plain_init(&p, 5, true);
	bus = (struct apic_bus){ .cpu = { &l }, .count = 1 };
	memset(signals, 0, sizeof(signals));
	memset(broadcasts, 0, sizeof(broadcasts));
	commands = 0;
}

static uint32_t random_below(uint32_t n) { return (uint32_t)(xorshift(&seed) >> 33) % n; }
static bool one_in(uint32_t n) { return random_below(n) == 0; }

#include "test/unit/dev/irq/plain_cpu.h"

/* ---- what is compared ---- */

static uint64_t read_as_it_is(unsigned offset)
{
	uint64_t value = 0;

	if (!l.x2apic)
		return lapic_mmio_read(&l, offset, 4);
	assert_true(lapic_msr_read(&l, MSR_X2APIC(offset), &value));
	return value;
}

/* What the guest reads without an exit. */
static void compare_shown(unsigned offset, uint64_t expected)
{
	uint32_t value;

	if (p.mode == PLAIN_X2APIC) {
		if (offset != 0x390 && offset != 0x2f0)
			assert_int_equal(virtual_rdmsr(&cpu, MSR_X2APIC_FIRST + offset / 16), expected);
	} else if (!virtual_read(&cpu, offset, 4, &value).reason && value != expected) {
		fail_msg("the guest reads 0x%x in register 0x%x, not 0x%llx", value, offset,
			 (unsigned long long)expected);
	}
}

/* What the guest sees comes first: a read by us could mend it. */
static void compare_register(unsigned offset)
{
	uint64_t expected, got;

	if (!plain_read(&p, offset, &expected))
		return;
	if (by_cpu() && p.mode != PLAIN_OFF)
		compare_shown(offset, expected);
	if (with_cpu && one_in(4))
		return;
	got = read_as_it_is(offset);
	if (got != expected)
		fail_msg("register 0x%x is 0x%llx, not 0x%llx", offset, (unsigned long long)got,
			 (unsigned long long)expected);
}

/* With x2APIC, and while it is off, MMIO does not get through to it: what it keeps is compared all the same. */
static void compare_registers(void)
{
	static const uint16_t offsets[] = { 0x020, 0x030, 0x080, 0x0a0, 0x0d0, 0x0f0, 0x280, 0x2f0, 0x300, 0x320, 0x330,
					    0x340, 0x350, 0x360, 0x370, 0x380, 0x390, 0x3e0, 0x0e0, 0x310 };
	uint64_t value;

	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++)
		compare_register(offsets[i]);
	for (unsigned offset = 0x100; offset < 0x280; offset += 16)
		compare_register(offset);
	assert_true(lapic_msr_read(&l, MSR_APIC_BASE, &value) && value == p.base);
	assert_true(lapic_msr_read(&l, MSR_TSC_DEADLINE, &value) && value == p.deadline);
	assert_int_equal(lapic_tpr(&l), p.tpr);
	assert_int_equal(lapic_mmio_active(&l), p.mode == PLAIN_XAPIC);
}

/* Is one pending? */
static bool compare_pending(void)
{
	int expected = plain_pending(&p);
	bool extint = plain_extint(&p);

	assert_int_equal(lapic_extint(&l), extint);
	if (by_cpu()) {
		assert_int_equal(cpu.recognized ? cpu.rvi : -1, expected);
		assert_int_equal(lapic_pending(&l), expected);
		return expected >= 0;
	}
	if (expected >= 0 || extint)
		assert_true(l.irq_maybe); /* L3 */
	assert_int_equal(lapic_pending(&l), expected);
	assert_int_equal(l.irq_maybe, expected >= 0 || extint);
	return expected >= 0;
}

/* A TPR of a class below the threshold lets something in, if nothing is pending now; of its class or above, not. */
static void check_threshold(bool pending)
{
	unsigned threshold = lapic_tpr_threshold(&l);
	unsigned classes[] = { threshold ? threshold - 1 : 0, threshold, random_below(16) };

	assert_true(threshold <= 15);
	if (pending)
		assert_int_equal(threshold, 0);
	for (unsigned i = 0; !pending && i < ARRAY_SIZE(classes); i++) {
		bool lets_in = plain_pending_at(&p, (uint8_t)(classes[i] << 4 | random_below(16))) >= 0;

		if (lets_in != (classes[i] < threshold))
			fail_msg("threshold %u at TPR 0x%x, PPR 0x%x: a TPR of class %u lets %s in", threshold, p.tpr,
				 plain_ppr(&p), classes[i], lets_in ? "something" : "nothing");
	}
}

static void compare_outside(void)
{
	assert_int_equal(commands, p.commands);
	assert_memory_equal(signals, p.signals, sizeof(signals));
}

/* ---- steps ---- */

/* Of a few classes more often, so that vectors meet. */
static uint8_t random_vector(void)
{
	return (uint8_t)(one_in(40) ? random_below(16) : one_in(2) ? 16 + random_below(240) : 0x40 + random_below(48));
}

static void step_message(void)
{
	static const uint8_t kinds[] = { PLAIN_FIXED, PLAIN_FIXED, PLAIN_FIXED, PLAIN_LOWEST, PLAIN_SMI, PLAIN_NMI,
					 PLAIN_INIT, PLAIN_STARTUP, PLAIN_EXTINT, 3 };
	struct apic_message m = { .vector = random_vector(), .level = one_in(3), .assert = true };

	m.delivery = one_in(8) ? kinds[random_below(ARRAY_SIZE(kinds))] : PLAIN_FIXED;
	assert_int_equal(lapic_deliver(&l, &m), plain_message(&p, m.delivery, m.vector, m.level));
}

static void write_register(unsigned offset, uint64_t value)
{
	if (l.x2apic) {
		uint32_t msr = MSR_X2APIC(offset);

		if (by_cpu() && cpu_wrmsr(msr, value))
			return;
		assert_int_equal(lapic_msr_write(&l, msr, value), plain_msr_write(&p, msr, value));
	} else if (by_cpu() && p.mode == PLAIN_XAPIC) {
		cpu_write(offset, (uint32_t)value);
	} else {
		lapic_mmio_write(&l, offset, 4, value);
		plain_mmio_write(&p, offset, (uint32_t)value);
	}
}

static void step_tpr(void)
{
	uint8_t tpr = (uint8_t)(one_in(4) ? random_below(256) : random_below(0x90));

	if (one_in(2)) {
		lapic_set_tpr(&l, tpr);
		plain_set_tpr(&p, tpr);
	} else {
		write_register(0x080, tpr);
	}
}

static void step_eoi(void) { write_register(0x0b0, 0); }

/* As the run loop does. */
static void step_take(void)
{
	int v = by_cpu() && one_in(2) ? virtual_deliver(&cpu) : lapic_pending(&l);

	if (v < 0)
		return;
	if (by_cpu() && (cpu.page[0x100 + (v >> 5) * 16 + (v >> 3 & 3)] >> (v & 7) & 1)) {
		plain_acknowledge(&p, (uint8_t)v);
		return;
	}
	lapic_ack(&l, (uint8_t)v);
	plain_acknowledge(&p, (uint8_t)v);
}

/* A LINT pin's level-triggered entry with an illegal vector is an error each time that it is looked at, and when that
 * is, is the model's choice: it is left out. */
static uint32_t random_lvt(unsigned offset)
{
	uint32_t value = random_vector() | random_below(8) << 8 | random_below(2) << 15 | random_below(2) << 16;

	if (offset == 0x320)
		value = (value & 0x100ff) | random_below(3) << 17;
	if (offset == 0x370)
		value &= 0x100ff;
	return (value & 0xf0) ? value : value | 0x10;
}

static void step_lvt(void)
{
	static const uint16_t offsets[] = { 0x2f0, 0x320, 0x330, 0x340, 0x350, 0x350, 0x360, 0x360, 0x370 };
	unsigned offset = offsets[random_below(ARRAY_SIZE(offsets))];

	write_register(offset, random_lvt(offset));
}

static void step_pin(void)
{
	unsigned pin = random_below(2);
	bool level = one_in(2);

	lapic_set_lint(&l, pin, level);
	plain_set_pin(&p, pin, level);
}

/* To itself, by the shorthands or by its number; to others. */
static void step_command(void)
{
	uint32_t delivery = one_in(4) ? random_below(8) : PLAIN_FIXED, shorthand, dest = one_in(4) ? 9 : 5;
	uint32_t low = random_vector() | delivery << 8 | random_below(4) << 18 | 0x4000;
	unsigned before = p.commands;
	bool mine;

	if (one_in(8)) /* bits that may be reserved, or read-only */
		low |= 1u << (12 + random_below(20));
	shorthand = low >> 18 & 3;
	if (by_cpu() && p.mode == PLAIN_XAPIC && ipi_to_itself(low))
		mine = false; /* cpu_write() has done it */
	else
		mine = shorthand == 1 || shorthand == 2 ||
	       (shorthand == 0 && dest == (p.mode == PLAIN_X2APIC ? p.id : p.xapic_id));
	if (p.mode == PLAIN_XAPIC)
		write_register(0x310, dest << 24);
	write_register(0x300, p.mode == PLAIN_X2APIC ? (uint64_t)dest << 32 | low : low);
	if (p.commands != before && mine)
		plain_message(&p, delivery, (uint8_t)low, false);
}

static void step_registers(void)
{
	switch (random_below(7)) {
	case 0: write_register(0x280, 0); break;
	case 1: write_register(0x380, one_in(8) ? 0 : LEAST + random_below(2000)); break;
	case 2: write_register(0x3e0, random_below(16)); break;
	case 3: write_register(0x0d0, (uint64_t)random_below(256) << 24); break;
	case 4: write_register(0x0e0, (uint64_t)random_below(16) << 28); break;
	case 5: write_register(0x310, (uint64_t)random_below(256) << 24); break;
	default: write_register(0x3f0, one_in(2) ? random_below(20) : random_vector());
	}
}

/* Any register, any value: what there is of it. But for commands, which go out, and what random_lvt() spares. */
static void step_any(void)
{
	unsigned offset = random_below(256) * 16;
	uint64_t value = xorshift(&seed) >> random_below(64);

	if (offset == 0x300 || (offset >= 0x350 && offset <= 0x360))
		return;
	if (one_in(2) && !l.x2apic) {
		assert_int_equal(lapic_mmio_read(&l, offset, 4), plain_mmio_read(&p, offset));
		return;
	}
	if (offset == 0x380)
		value |= LEAST;
	write_register(offset, l.x2apic ? value : (uint32_t)value);
}

/* One that is not masked, and expires soon or now and then. */
static void step_timer(void)
{
	write_register(0x320, random_vector() | 0x10 | random_below(2) << 17);
	write_register(0x380, LEAST + random_below(200));
}

/* What is due by then comes once, however often it was. */
static void step_time(void)
{
	present += 1 + random_below(one_in(8) ? 5000 : 200);
	timers_run(&timers, present);
	plain_time(&p, present);
}

static void step_msrs(void)
{
	uint32_t msr = MSR_X2APIC_FIRST + random_below(256);
	uint64_t value = 0, expected = 0;
	bool there = p.mode == PLAIN_X2APIC && plain_read(&p, (msr - MSR_X2APIC_FIRST) * 16, &expected);

	assert_int_equal(lapic_msr_read(&l, msr, &value), there);
	assert_true(!there || value == expected);
	value = present + 1 + random_below(2000);
	assert_int_equal(lapic_msr_write(&l, MSR_TSC_DEADLINE, value), plain_msr_write(&p, MSR_TSC_DEADLINE, value));
}

static void step_software(void)
{
	write_register(0x0f0, (one_in(3) ? 0 : 0x100) | (one_in(3) ? 0x1000 : 0) | random_below(256));
}

static void step_base(void)
{
	static const uint64_t gpa[] = { LAPIC_DEFAULT_BASE, LAPIC_DEFAULT_BASE, 0x12345000, 0x10000000000 };
	uint64_t value = gpa[random_below(4)] | random_below(4) << 10 | random_below(2) << 8 | (one_in(20) ? 1 : 0);

	assert_int_equal(lapic_msr_write(&l, MSR_APIC_BASE, value), plain_msr_write(&p, MSR_APIC_BASE, value));
}

/* An INIT does not come to one that is off. */
static void step_reset(void)
{
	if (p.mode == PLAIN_OFF || one_in(2)) {
		lapic_reset(&l);
		plain_power_up(&p);
	} else {
		lapic_init_reset(&l);
		plain_init_ipi(&p);
	}
}

/* Resets, and what switches it off, are rare, and it is switched on again soon. */
static void step_rare(void)
{
	if (one_in(3))
		step_reset();
	else if (one_in(2))
		step_base();
	else
		step_software();
}

static void step_on(void)
{
	uint64_t base = p.base | 0x800;

	if (p.mode == PLAIN_OFF)
		assert_int_equal(lapic_msr_write(&l, MSR_APIC_BASE, base), plain_msr_write(&p, MSR_APIC_BASE, base));
	if (!(p.spurious & 0x100))
		write_register(0x0f0, 0x1ff);
}

static void step(void)
{
	static void (*const often[])(void) = { step_message, step_message, step_message, step_tpr, step_tpr, step_take,
					       step_take, step_take, step_eoi, step_eoi };
	static void (*const seldom[])(void) = { step_lvt, step_pin, step_pin, step_command, step_registers, step_any,
						step_msrs, step_on, step_timer, step_time, step_time };

	if (one_in(500))
		step_method();
	else if (one_in(300))
		step_rare();
	else if (one_in(4))
		seldom[random_below(ARRAY_SIZE(seldom))]();
	else
		often[random_below(ARRAY_SIZE(often))]();
}

/* ---- the tests ---- */

static void beside_the_plain_one(void)
{
	unsigned pending = 0, modes[3] = { 0 };

	kicks = 0;
	for (unsigned i = 0; i < STEPS; i++) {
		bool some;

		step();
		if (by_cpu())
			enter();
		compare_registers();
		some = compare_pending();
		pending += some;
		check_threshold(some);
		compare_outside();
		modes[p.mode]++;
	}
	assert_memory_equal(broadcasts, p.broadcasts, sizeof(broadcasts));
	/* The stream has been everywhere. */
	assert_true(p.expired > STEPS / 200);
	assert_true(pending > STEPS / 20 && kicks > STEPS / 100);
	assert_true(modes[PLAIN_OFF] > STEPS / 200);
	assert_true(modes[PLAIN_XAPIC] > STEPS / 5 && modes[PLAIN_X2APIC] > STEPS / 10);
}

static void test_beside_the_plain_one(void **state)
{
	(void)state;
	with_cpu = false;
	start(0x9e3779b97f4a7c15);
	beside_the_plain_one();
}

static void test_with_the_cpu(void **state)
{
	(void)state;
	with_cpu = true;
	start(0x9e3779b97f4a7c15);
	beside_the_plain_one();
	assert_true(eois > STEPS / 100 && writes > STEPS / 100);
	assert_true(eoi_exits > STEPS / 1000 && eoi_exits < eois / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beside_the_plain_one),
		cmocka_unit_test(test_with_the_cpu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
