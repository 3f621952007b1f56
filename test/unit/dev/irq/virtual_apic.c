/* The CPU's part: virtual_apic.h. */
#include "test/unit/dev/irq/virtual_apic.h"

#include <string.h>

#include "lib/apic.h"
#include "lib/x86_msr.h"

static uint32_t get(const struct virtual_apic *v, unsigned offset)
{
	uint32_t value;

	memcpy(&value, v->page + offset, sizeof(value));
	return value;
}

static void put(struct virtual_apic *v, unsigned offset, uint32_t value) { memcpy(v->page + offset, &value, 4); }

/* ---- sets of vectors: bit v & 31 at offset 16 * (v >> 5) ---- */

static uint8_t *byte_of(struct virtual_apic *v, unsigned set, unsigned vector)
{
	return v->page + set + (vector & 0xe0) / 2 + (vector & 0x1f) / 8;
}

static void set_bit(struct virtual_apic *v, unsigned set, unsigned vector)
{
	*byte_of(v, set, vector) |= (uint8_t)(1u << (vector & 7));
}

static void clear_bit(struct virtual_apic *v, unsigned set, unsigned vector)
{
	*byte_of(v, set, vector) &= (uint8_t)~(1u << (vector & 7));
}

/* 0: none. */
static uint8_t highest(struct virtual_apic *v, unsigned set)
{
	for (unsigned vector = 255; vector; vector--)
		if (*byte_of(v, set, vector) >> (vector & 7) & 1)
			return (uint8_t)vector;
	return 0;
}

/* ---- "Virtual-Interrupt Delivery" ---- */

static void virtualize_ppr(struct virtual_apic *v)
{
	uint8_t tpr = v->page[APIC_TPR];

	put(v, APIC_PPR, tpr >> 4 >= v->svi >> 4 ? tpr : v->svi & 0xf0);
}

static void evaluate(struct virtual_apic *v) { v->recognized = v->rvi >> 4 > v->page[APIC_PPR] >> 4; }

void virtual_entry(struct virtual_apic *v)
{
	virtualize_ppr(v);
	evaluate(v);
}

void virtual_set_tpr(struct virtual_apic *v, uint8_t tpr)
{
	put(v, APIC_TPR, tpr);
	virtual_entry(v);
}

int virtual_deliver(struct virtual_apic *v)
{
	uint8_t vector = v->rvi;

	if (!v->recognized)
		return -1;
	set_bit(v, APIC_ISR, vector);
	v->svi = vector;
	put(v, APIC_PPR, vector & 0xf0);
	clear_bit(v, APIC_IRR, vector);
	v->rvi = highest(v, APIC_IRR);
	v->recognized = false;
	return vector;
}

static struct virtual_exit eoi(struct virtual_apic *v)
{
	uint8_t vector = v->svi;

	put(v, APIC_EOI, 0);
	clear_bit(v, APIC_ISR, vector);
	v->svi = highest(v, APIC_ISR);
	virtualize_ppr(v);
	if (v->eoi_exits[vector >> 6] >> (vector & 63) & 1)
		return (struct virtual_exit){ VIRTUAL_EOI, vector };
	evaluate(v);
	return (struct virtual_exit){ VIRTUAL_NO_EXIT, 0 };
}

static struct virtual_exit self_ipi(struct virtual_apic *v, uint8_t vector)
{
	set_bit(v, APIC_IRR, vector);
	if (vector > v->rvi)
		v->rvi = vector;
	evaluate(v);
	return (struct virtual_exit){ VIRTUAL_NO_EXIT, 0 };
}

/* ---- "Virtualizing Memory-Mapped APIC Accesses" ---- */

/* The registers that writes are virtualized of. */
static bool is_written(unsigned reg)
{
	return reg == APIC_ID || reg == APIC_TPR || reg == APIC_EOI || reg == APIC_LDR || reg == APIC_DFR ||
	       reg == APIC_SVR || reg == APIC_ESR || reg == APIC_ICR || reg == APIC_ICR_HIGH ||
	       (reg >= APIC_LVT_TIMER && reg <= APIC_TIMER_INITIAL) || reg == APIC_TIMER_DIVIDE;
}

static bool is_read(unsigned reg)
{
	return is_written(reg) || reg == APIC_VERSION || (reg >= APIC_ISR && reg <= APIC_ESR);
}

/* Of at most 4 bytes, within the first four of a register. */
static bool in_register(unsigned offset, unsigned size)
{
	return size <= 4 && (offset & 15) + size <= 4 && offset < 0x400;
}

struct virtual_exit virtual_read(struct virtual_apic *v, unsigned offset, unsigned size, uint32_t *value)
{
	if (!in_register(offset, size) || !is_read(offset & ~15u))
		return (struct virtual_exit){ VIRTUAL_APIC_ACCESS, offset };
	*value = 0;
	memcpy(value, v->page + offset, size);
	return (struct virtual_exit){ VIRTUAL_NO_EXIT, 0 };
}

/* "APIC-Write Emulation", of a self-IPI: fixed, edge-triggered, by the shorthand, with nothing reserved. */
static bool is_self_ipi(uint32_t icr)
{
	return !(icr & 0xfff3b700) && (icr >> 18 & 3) == 1 && (icr & 0xf0);
}

struct virtual_exit virtual_write(struct virtual_apic *v, unsigned offset, unsigned size, uint32_t value)
{
	if (!in_register(offset, size) || !is_written(offset & ~15u))
		return (struct virtual_exit){ VIRTUAL_APIC_ACCESS, 0x1000 | offset };
	memcpy(v->page + offset, &value, size);
	switch (offset) {
	case APIC_TPR:
		virtual_set_tpr(v, (uint8_t)value);
		return (struct virtual_exit){ VIRTUAL_NO_EXIT, 0 };
	case APIC_EOI:
		return eoi(v);
	case APIC_ICR:
		if (is_self_ipi(get(v, APIC_ICR)))
			return self_ipi(v, (uint8_t)value);
		break;
	case APIC_ICR_HIGH:
	case APIC_ICR_HIGH + 1:
	case APIC_ICR_HIGH + 2:
	case APIC_ICR_HIGH + 3:
		put(v, APIC_ICR_HIGH, get(v, APIC_ICR_HIGH) & 0xff000000);
		return (struct virtual_exit){ VIRTUAL_NO_EXIT, 0 };
	}
	return (struct virtual_exit){ VIRTUAL_APIC_WRITE, offset };
}

/* ---- "Virtualizing MSR-Based APIC Accesses" ---- */

struct virtual_exit virtual_wrmsr(struct virtual_apic *v, uint32_t msr, uint64_t value)
{
	if (msr == MSR_X2APIC_EOI)
		return eoi(v);
	if (msr == MSR_X2APIC_TPR) {
		virtual_set_tpr(v, (uint8_t)value);
		return (struct virtual_exit){ VIRTUAL_NO_EXIT, 0 };
	}
	if (value & 0xf0)
		return self_ipi(v, (uint8_t)value);
	put(v, 0x3f0, (uint32_t)value);
	return (struct virtual_exit){ VIRTUAL_APIC_WRITE, 0x3f0 };
}

uint64_t virtual_rdmsr(const struct virtual_apic *v, uint32_t msr)
{
	unsigned offset = (msr & 0xff) << 4;

	return get(v, offset) | (uint64_t)get(v, offset + 4) << 32;
}
