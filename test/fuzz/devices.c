/* The guest's devices under libFuzzer: accesses to ports, MMIO and local APICs, bytes from outside, and time. Nothing
 * may crash, an access does a bounded amount of work, interrupts that are offered exist, and alarms are in order. */
#include "test/fuzz/input.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/unit/dev/pc.h"

#define STEPS_MAX 300
#define CALLBACKS_MAX 200000u /* in 10 ms: the fastest timer that the devices have, all of them */

static uint16_t port(struct input *in)
{
	static const uint16_t bases[] = { 0x20,	 0xa0,	0x40,  0x42,  0x60,  0x64,   0x70,   0x72,   0x80,
					  0x92,	 0xe0,	0xe4,  0xf4,  0x3f8, 0x3fc,  0x4d0,  0x510,  0x600,
					  0x604, 0x608, 0x620, 0xcf8, 0xcfc, 0x2000, 0x200c, 0x8900, 0xfffc,
					  0x505, 0x00,	0xc0,  0x402, 0x514,  0x518,  0xc000 };
	uint8_t n = in8(in);

	return n == 0xff ? in16(in) : (uint16_t)(bases[n % ARRAY_SIZE(bases)] + n / 28 % 4);
}

static void port_access(struct pc *pc, struct input *in)
{
	uint16_t p = port(in);
	unsigned how = in8(in), size = 1u << how % 3;

	if (how & 0x80)
		pio_in(&pc->pio, p, size);
	else
		pio_out(&pc->pio, p, size, how & 0x40 ? in32(in) : in8(in));
}

static void mmio_access(struct pc *pc, struct input *in)
{
	unsigned how = in8(in), size = 1u << (how & 3);
	uint64_t gpa = how & 0x40 ? TESTDEV_MMIO_BASE + in16(in)
				  : IOAPIC_BASE + (how & 4 ? 0x10 : 0) + (how & 8 ? in8(in) : 0);

	if (how & 0x80)
		mmio_read(&pc->mmio, gpa, size);
	else
		mmio_write(&pc->mmio, gpa, size, how & 0x20 ? in_bytes(in, 8) : in8(in));
}

static void lapic_access(struct pc *pc, struct input *in)
{
	unsigned how = in8(in), reg = in8(in) & 0x3f;
	struct lapic *l = &pc->lapic[how % PC_CPUS];
	uint64_t value = how & 4 ? in_bytes(in, 8) : in16(in), ignored;

	if (how & 8) {
		uint32_t msr = how & 0x10 ? MSR_TSC_DEADLINE : how & 0x20 ? 0x800 + reg : MSR_APIC_BASE;

		if (msr == MSR_TSC_DEADLINE)
			lapic_write_tsc_deadline(l, pc->now + value % 1000000);
		else if (how & 0x80)
			lapic_msr_read(l, msr, &ignored);
		else
			lapic_msr_write(l, msr, msr == MSR_APIC_BASE ? LAPIC_DEFAULT_BASE | (value & 0xd00) : value);
	} else if (lapic_mmio_active(l)) {
		if (how & 0x80)
			lapic_mmio_read(l, reg * 16u, 4);
		else
			lapic_mmio_write(l, reg * 16u, 4, value);
	}
}

static void outside(struct pc *pc, struct input *in)
{
	unsigned how = in8(in);

	switch (how % 6) {
	case 0:
		uart_receive(&pc->uart, in8(in));
		break;
	case 1:
		uart_tx_ready(&pc->uart);
		break;
	case 2:
		pc->sent_room = how >> 3;
		break;
	case 3:
		lapic_set_tpr(&pc->lapic[how >> 3 & 3], in8(in));
		break;
	case 4:
		acpi_pm_power_button(&pc->pm);
		break;
	case 5:
		if (pc_advance(pc, in16(in) * 16u) > CALLBACKS_MAX)
			fail_with("a guest makes alarms without end");
		break;
	}
}

/* What the run loop does before an entry. */
static void deliver(struct pc *pc, struct lapic *l)
{
	int v;

	if (lapic_extint(l)) {
		pic_ack(&pc->pic);
		return;
	}
	v = lapic_pending(l);
	if (v >= 0 && (v < 16 || v > 255))
		fail_with("an interrupt that there is not");
	if (v >= 0)
		lapic_ack(l, (uint8_t)v);
}

static void check_timers(const struct pc *pc)
{
	unsigned length = 0;

	for (const struct timer *t = pc->timers.first; t; t = t->next)
		if (!t->armed || (t->next && t->deadline > t->next->deadline) || ++length > PC_CPUS + 4)
			fail_with("the list of alarms is out of order");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const what[])(struct pc *, struct input *) = { port_access,  port_access,	 mmio_access,
								     lapic_access, lapic_access, outside };
	struct input in = { data, size };
	uint8_t kind = in8(&in);
	struct pc *pc = pc_new(kind & 1 ? 50000000 : 3000000000);

	if (kind & 2)
		pc_add_firmware(pc);

	for (unsigned n = 0; n < STEPS_MAX && in.left; n++) {
		what[in8(&in) % ARRAY_SIZE(what)](pc, &in);
		deliver(pc, &pc->lapic[n % PC_CPUS]);
		check_timers(pc);
	}
	if (pc_advance_us(pc, 10000) > CALLBACKS_MAX)
		fail_with("a guest makes alarms without end");
	pc_delete(pc);
	return 0;
}
