/* dev/irq/lapic_msr.c - the local APIC's registers as MSRs: those of x2APIC mode, IA32_APIC_BASE, IA32_TSC_DEADLINE.
 * SDM, "Extended XAPIC (x2APIC)", "Local APIC Status and Location". What is legal is decided before anything is
 * performed. */
#include "dev/irq/lapic_internal.h"

uint64_t lapic_x2apic_legal_bits(const struct lapic *l, unsigned r, bool *writable)
{
	int lvt = lapic_lvt_of(l, r);
	*writable = true;
	if (lvt == LVT_LINT0 || lvt == LVT_LINT1)
		return lapic_lvt_writable(l, (unsigned)lvt) | LVT_DELIVERY_STATUS | LVT_REMOTE_IRR;
	if (lvt >= 0)
		return lapic_lvt_writable(l, (unsigned)lvt) | LVT_DELIVERY_STATUS;
	switch (r) {
	case REG(TPR):
	case REG(SELF_IPI):
		return 0xff;
	case REG(EOI):
	case REG(ESR):
		return 0;
	case REG(SVR):
		return lapic_svr_writable(l);
	case REG(ICR):
		return ICR_LEGAL_X2APIC | ICR_DELIVERY_STATUS;
	case REG(TIMER_INITIAL):
		return 0xffffffff;
	case REG(TIMER_DIVIDE):
		return TIMER_DIVIDE_BY_1; /* all of them */
	default:
		*writable = false;
		return 0;
	}
}

/* false: #GP(0), for what is read-only or not there, and for reserved bits (SDM, "x2APIC Register Address Space",
 * "Reserved Bit Checking"). */
static bool x2apic_msr_write(struct lapic *l, unsigned r, uint64_t value)
{
	bool writable;
	uint64_t legal = lapic_x2apic_legal_bits(l, r, &writable);
	if (!l->x2apic || !writable || (value & ~legal))
		return false;
	if (r == REG(SELF_IPI)) {
		lapic_self_ipi(l, (uint8_t)value);
		return true;
	}
	if (r == REG(ICR))
		l->icr = value & 0xffffffff00000000;
	return lapic_reg_write(l, r, (uint32_t)value);
}

/* SDM, "x2APIC State Transitions": EN and EXTD move only off -> xAPIC -> x2APIC -> off. */
static bool apic_base_legal(const struct lapic *l, uint64_t value)
{
	bool en = value & APIC_BASE_EN, extd = value & APIC_BASE_EXTD;
	if ((value & l->base_reserved) || (extd && !en))
		return false;
	if (extd && !l->enabled)
		return false;
	return !(l->x2apic && en && !extd);
}

/* false: #GP(0), as for what is not there (SDM, "x2APIC Register Address Space", "TSC-Deadline Mode"). */
bool lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *value)
{
	uint32_t low;
	if (msr == MSR_APIC_BASE) {
		*value = l->base;
		return true;
	}
	if (msr == MSR_TSC_DEADLINE) {
		*value = lapic_timer_deadline(l, timers_now(l->timers));
		return l->features & LAPIC_TSC_DEADLINE;
	}
	if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST || !l->x2apic ||
	    !lapic_reg_read(l, msr - MSR_X2APIC_FIRST, &low))
		return false;
	*value = msr - MSR_X2APIC_FIRST == REG(ICR) ? l->icr : low;
	return true;
}

bool lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t value)
{
	if (likely(msr == MSR_TSC_DEADLINE))
		return lapic_write_tsc_deadline(l, value);
	if (msr == MSR_APIC_BASE) {
		if (!apic_base_legal(l, value))
			return false;
		lapic_set_base(l, value);
		return true;
	}
	if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST)
		return false;
	return x2apic_msr_write(l, msr - MSR_X2APIC_FIRST, value);
}
