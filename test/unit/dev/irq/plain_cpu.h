/* test/unit/dev/irq/plain_cpu.h - the part of test_lapic_plain.c in which the CPU serves the local APIC
 * (virtual_apic.h); it stands behind that file's local APICs. */
#ifndef VELLUM_TEST_DEV_IRQ_PLAIN_CPU_H
#define VELLUM_TEST_DEV_IRQ_PLAIN_CPU_H

#include "lib/x86_msr.h"

static bool by_cpu(void) { return l.page != NULL; }

static bool ipi_to_itself(uint32_t icr) { return (icr >> 18 & 3) == 1 && !(icr & 0xfff3b700) && (icr & 0xf0); }

/* What an access has left to do. */
static void exited(struct virtual_exit x, unsigned offset, uint32_t value)
{
	switch (x.reason) {
	case VIRTUAL_APIC_ACCESS:
		lapic_mmio_write(&l, offset, 4, value);
		break;
	case VIRTUAL_APIC_WRITE:
		writes++;
		lapic_wrote(&l, x.number);
		break;
	case VIRTUAL_EOI:
		eoi_exits++;
		lapic_eoi_done(&l, (uint8_t)x.number);
		break;
	}
}

/* An IPI to itself that the CPU does leaves TMR as it is, and it asks nobody whether software has disabled the local
 * APIC; else it is like any other. */
static void sent_by_cpu(uint8_t vector, bool tmr)
{
	p.irr[vector] = true;
	p.tmr[vector] = tmr;
}

static void cpu_write(unsigned offset, uint32_t value)
{
	uint8_t vector = (uint8_t)value;
	bool was = p.tmr[vector];

	eois += offset == 0x0b0;
	exited(virtual_write(&cpu, offset, 4, value), offset, value);
	plain_mmio_write(&p, offset, value);
	if (offset == 0x300 && ipi_to_itself(value)) {
		commands++;
		sent_by_cpu(vector, was);
	}
}

/* The MSRs that the CPU serves of those that are legal. */
static bool cpu_wrmsr(uint32_t msr, uint64_t value)
{
	bool was = p.tmr[value & 0xff], there;

	if (msr != MSR_X2APIC_TPR && msr != MSR_X2APIC_EOI && msr != MSR_X2APIC_SELF_IPI)
		return false;
	there = plain_msr_write(&p, msr, value);
	if (msr == MSR_X2APIC_EOI ? value != 0 : value >> 8 != 0) {
		assert_false(there);
		return true;
	}
	assert_true(there);
	eois += msr == MSR_X2APIC_EOI;
	exited(virtual_wrmsr(&cpu, msr, value), 0, 0);
	if (msr == MSR_X2APIC_SELF_IPI && (value & 0xf0))
		sent_by_cpu((uint8_t)value, was);
	return true;
}

/* As before each entry, where somebody has asked for it; where nobody has, there is nothing that the CPU does not
 * know. */
static void enter(void)
{
	bool asked = l.irq_maybe;
	struct lapic_handed handed = lapic_hand(&l);

	if (!asked)
		assert_true(!handed.requested && !handed.all && !handed.eoi_notify_stale);
	if (handed.all) {
		cpu.rvi = handed.requested;
		cpu.svi = handed.serviced;
	} else if (handed.requested > cpu.rvi) {
		cpu.rvi = handed.requested;
	}
	if (handed.eoi_notify_stale)
		memcpy(cpu.eoi_exits, l.tmr, sizeof(cpu.eoi_exits));
	virtual_entry(&cpu);
}

/* The other method; what is there stays. */
static void step_method(void)
{
	bool on = !by_cpu();

	if (!with_cpu)
		return;
	lapic_keep_tpr(&l, on ? page + 0x80 / 4 : NULL);
	lapic_virtualize(&l, on ? page : NULL);
	assert_true(l.irq_maybe);
	if (!on)
		memset(page, 0x5a, sizeof(page));
}

#endif
