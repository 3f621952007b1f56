/* The plain local APIC. Each function has the section of the SDM that it follows. */
#include "test/unit/dev/irq/plain_apic.h"

#include <string.h>

#include "lib/apic.h"
#include "lib/x86_msr.h"
#include "test/unit/dev/irq/highest.h"

static unsigned delivery_of(uint32_t lvt) { return lvt >> 8 & 7; }

/* ---- priority: "Interrupt, Task, and Processor Priority" ---- */

static unsigned ppr_at(const struct plain_apic *p, uint8_t tpr)
{
	int in_service = highest(p->isr);
	unsigned isrv = in_service < 0 ? 0 : (unsigned)in_service;

	/* Equal classes: the manual leaves the subclass to the model; ours has the TPR's, as VMX has. */
	return tpr >> 4 >= (int)(isrv >> 4) ? tpr : isrv & 0xf0;
}

unsigned plain_ppr(const struct plain_apic *p) { return ppr_at(p, p->tpr); }

int plain_pending_at(const struct plain_apic *p, uint8_t tpr)
{
	int v = highest(p->irr);

	return p->mode != PLAIN_OFF && v >= 0 && (unsigned)v >> 4 > ppr_at(p, tpr) >> 4 ? v : -1;
}

void plain_acknowledge(struct plain_apic *p, uint8_t vector)
{
	p->irr[vector] = false;
	p->isr[vector] = true;
}

void plain_set_tpr(struct plain_apic *p, uint8_t tpr) { p->tpr = tpr; }

/* ---- acceptance: "Interrupt Acceptance for Fixed Interrupts", "Valid Interrupt Vectors", "Error Handling" ---- */

static void accept(struct plain_apic *p, uint8_t vector, bool level);

static void error(struct plain_apic *p, uint32_t bit)
{
	bool known = p->new_errors & bit;
	uint32_t lvt = p->lvt[PLAIN_ERROR];

	p->new_errors |= bit;
	if (!known && (p->spurious & SVR_ENABLED) && !(lvt & LVT_MASKED) && (uint8_t)lvt >= 16)
		accept(p, (uint8_t)lvt, false);
}

static void accept(struct plain_apic *p, uint8_t vector, bool level)
{
	if (vector < 16) {
		error(p, ESR_RECEIVE_ILLEGAL_VECTOR);
		return;
	}
	p->irr[vector] = true;
	p->tmr[vector] = level;
}

bool plain_message(struct plain_apic *p, unsigned delivery, uint8_t vector, bool level)
{
	if (p->mode == PLAIN_OFF)
		return false;
	if (delivery == PLAIN_FIXED || delivery == PLAIN_LOWEST) {
		if (!(p->spurious & SVR_ENABLED))
			return false;
		accept(p, vector, level);
		return true;
	}
	if (delivery == 3 || delivery == PLAIN_EXTINT)
		return false;
	p->signals[delivery]++;
	return true;
}

/* ---- the local vector table: "Local Vector Table" ---- */

static void local(struct plain_apic *p, uint32_t lvt, bool level)
{
	if (lvt & LVT_MASKED || delivery_of(lvt) == PLAIN_LOWEST || delivery_of(lvt) == PLAIN_STARTUP)
		return;
	plain_message(p, delivery_of(lvt), (uint8_t)lvt, level);
}

static bool is_level(uint32_t lvt) { return (lvt & LVT_LEVEL) && delivery_of(lvt) == PLAIN_FIXED; }

/* A level is looked at all the time: an interrupt is sent while it is there and the last one has been served. */
static void look_at_pins(struct plain_apic *p)
{
	for (unsigned pin = 0; pin < 2; pin++) {
		uint32_t lvt = p->lvt[PLAIN_LINT0 + pin];

		if (!is_level(lvt))
			p->remote_irr[pin] = false;
		if (p->mode == PLAIN_OFF || !is_level(lvt) || (lvt & LVT_MASKED) || !p->pin[pin] || p->remote_irr[pin])
			continue;
		p->remote_irr[pin] = true;
		local(p, lvt, true);
	}
}

void plain_set_pin(struct plain_apic *p, unsigned pin, bool level)
{
	bool rises = level && !p->pin[pin];
	uint32_t lvt = p->lvt[PLAIN_LINT0 + pin];

	p->pin[pin] = level;
	look_at_pins(p);
	if (!rises || (p->mode != PLAIN_OFF && is_level(lvt)))
		return;
	if (p->mode != PLAIN_OFF)
		local(p, lvt, false);
	else if (pin == 1) /* "Enabling or Disabling the Local APIC": the pins are INTR and NMI */
		p->signals[PLAIN_NMI]++;
}

bool plain_extint(const struct plain_apic *p)
{
	uint32_t lvt = p->lvt[PLAIN_LINT0];

	return p->pin[0] && (p->mode == PLAIN_OFF || (!(lvt & LVT_MASKED) && delivery_of(lvt) == PLAIN_EXTINT));
}

/* ---- "Signaling Interrupt Servicing Completion" ---- */

static void end_of_interrupt(struct plain_apic *p)
{
	int v = highest(p->isr);

	if (v < 0)
		return;
	p->isr[v] = false;
	if (!p->tmr[v])
		return;
	for (unsigned pin = 0; pin < 2; pin++)
		if ((uint8_t)p->lvt[PLAIN_LINT0 + pin] == v)
			p->remote_irr[pin] = false;
	look_at_pins(p);
	if (!(p->spurious & SVR_SUPPRESS_EOI_BROADCAST))
		p->broadcasts[v]++;
}

/* ---- reset, and IA32_APIC_BASE: "Local APIC State After Power-Up or Reset", "x2APIC State Transitions" ---- */

void plain_init_ipi(struct plain_apic *p)
{
	memset(p->irr, 0, sizeof(p->irr));
	memset(p->isr, 0, sizeof(p->isr));
	memset(p->tmr, 0, sizeof(p->tmr));
	p->tpr = 0;
	p->logical_id = 0;
	p->format = 15;
	p->spurious = 0xff;
	p->errors = p->new_errors = 0;
	p->command = 0;
	for (unsigned i = 0; i < PLAIN_LVTS; i++)
		p->lvt[i] = LVT_MASKED;
	p->initial = p->divide = p->count = 0;
	p->part = p->deadline = 0;
	p->remote_irr[0] = p->remote_irr[1] = false;
}

void plain_power_up(struct plain_apic *p)
{
	plain_init_ipi(p);
	p->mode = PLAIN_XAPIC;
	p->xapic_id = (uint8_t)p->id;
	p->base = LAPIC_DEFAULT_BASE | APIC_BASE_EN | (p->base & APIC_BASE_BSP);
}

void plain_init(struct plain_apic *p, uint32_t id, bool bsp)
{
	*p = (struct plain_apic){ .id = id, .base = bsp ? APIC_BASE_BSP : 0 };
	plain_power_up(p);
}

/* Physical addresses have 40 bits. */
static bool write_base(struct plain_apic *p, uint64_t value)
{
	static const bool legal[3][3] = { { true, true, false }, { true, true, true }, { true, false, true } };
	bool en = value & APIC_BASE_EN, extd = value & APIC_BASE_EXTD;
	enum plain_mode to = extd ? PLAIN_X2APIC : en ? PLAIN_XAPIC : PLAIN_OFF;

	if ((value & 0xffffff00000002ff) || (extd && !en) || !legal[p->mode][to])
		return false;
	if ((to == PLAIN_OFF) != (p->mode == PLAIN_OFF)) {
		plain_init_ipi(p);
		p->xapic_id = (uint8_t)p->id;
	}
	p->mode = to;
	p->base = value;
	look_at_pins(p);
	return true;
}

/* ---- registers: "Local APIC Register Address Map", "x2APIC Register Address Space" ---- */

static int lvt_at(unsigned offset)
{
	if (offset == APIC_LVT_CMCI)
		return PLAIN_CMCI;
	return offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR ? (int)(offset - APIC_LVT_TIMER) / 16 : -1;
}

/* Bits that software can set. */
static uint32_t lvt_bits(unsigned lvt)
{
	if (lvt == PLAIN_TIMER)
		return 0x700ff;
	if (lvt == PLAIN_ERROR)
		return 0x100ff;
	return lvt == PLAIN_LINT0 || lvt == PLAIN_LINT1 ? 0x1a7ff : 0x107ff;
}

static uint32_t bits_of(const bool *set)
{
	uint32_t bits = 0;

	for (const bool *s = set + 32; s-- > set;)
		bits = bits << 1 | *s;
	return bits;
}

static bool deadline_mode(const struct plain_apic *p)
{
	return (p->lvt[PLAIN_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_DEADLINE;
}

static bool read_xapic_only(const struct plain_apic *p, unsigned offset, uint64_t *value)
{
	*value = 0;
	if (offset == APIC_DFR)
		*value = (uint32_t)p->format << 28 | 0x0fffffff;
	else if (offset == APIC_ICR_HIGH)
		*value = p->command >> 32;
	else if (offset != APIC_APR && offset != APIC_EOI && offset != APIC_RRD)
		return false;
	return p->mode != PLAIN_X2APIC;
}

static uint32_t logical_of(const struct plain_apic *p)
{
	return p->mode == PLAIN_X2APIC ? (p->id >> 4) << 16 | 1u << (p->id & 15) : (uint32_t)p->logical_id << 24;
}

static uint64_t lvt_value(const struct plain_apic *p, unsigned lvt)
{
	bool remote = (lvt == PLAIN_LINT0 || lvt == PLAIN_LINT1) && p->remote_irr[lvt - PLAIN_LINT0];

	return p->lvt[lvt] | (remote ? LVT_REMOTE_IRR : 0);
}

bool plain_read(const struct plain_apic *p, unsigned offset, uint64_t *value)
{
	bool x2 = p->mode == PLAIN_X2APIC;

	if (lvt_at(offset) >= 0)
		*value = lvt_value(p, (unsigned)lvt_at(offset));
	else if (offset >= APIC_ISR && offset < APIC_TMR)
		*value = bits_of(&p->isr[(offset - APIC_ISR) * 2]);
	else if (offset >= APIC_TMR && offset < APIC_IRR)
		*value = bits_of(&p->tmr[(offset - APIC_TMR) * 2]);
	else if (offset >= APIC_IRR && offset < APIC_ESR)
		*value = bits_of(&p->irr[(offset - APIC_IRR) * 2]);
	else
		switch (offset) {
		case APIC_ID: *value = x2 ? p->id : (uint32_t)p->xapic_id << 24; break;
		case APIC_VERSION: *value = 0x01060014; break; /* 7 LVT entries; EOI broadcasts can be suppressed */
		case APIC_TPR: *value = p->tpr; break;
		case APIC_PPR: *value = plain_ppr(p); break;
		case APIC_LDR: *value = logical_of(p); break;
		case APIC_SVR: *value = p->spurious; break;
		case APIC_ESR: *value = p->errors; break;
		case APIC_ICR: *value = x2 ? p->command : (uint32_t)p->command; break;
		case APIC_TIMER_INITIAL: *value = p->initial; break;
		case APIC_TIMER_CURRENT: *value = deadline_mode(p) ? 0 : p->count; break;
		case APIC_TIMER_DIVIDE: *value = p->divide; break;
		default: return read_xapic_only(p, offset, value);
		}
	return true;
}

uint32_t plain_mmio_read(struct plain_apic *p, unsigned offset)
{
	uint64_t value;

	if (plain_read(p, offset, &value))
		return (uint32_t)value;
	error(p, ESR_ILLEGAL_REGISTER);
	return 0;
}

/* "TSC-Deadline Mode": a change to or from it stops the timer. */
static void write_timer(struct plain_apic *p, uint32_t value)
{
	bool before = deadline_mode(p);

	p->lvt[PLAIN_TIMER] = value;
	if (before != deadline_mode(p)) {
		p->deadline = 0;
		p->initial = p->count = 0;
	}
}

/* "APIC Timer": by 2, 4, 8, 16, 32, 64, 128, 1. */
static uint64_t divisor(const struct plain_apic *p)
{
	return p->divide == 11 ? 1 : 2u << ((p->divide >> 1 & 4) | (p->divide & 3));
}

static void write_initial(struct plain_apic *p, uint32_t value)
{
	if (deadline_mode(p))
		return;
	p->initial = p->count = value;
	p->part = 0;
}

static void write_divide(struct plain_apic *p, uint32_t value)
{
	p->part = p->divide == (value & 0xb) ? p->part : 0;
	p->divide = value & 0xb;
}

static void expire(struct plain_apic *p)
{
	if (!(p->lvt[PLAIN_TIMER] & LVT_MASKED))
		p->expired += plain_message(p, PLAIN_FIXED, (uint8_t)p->lvt[PLAIN_TIMER], false);
}

static void count_down(struct plain_apic *p, uint64_t ticks)
{
	while (ticks && p->count) {
		uint64_t left = p->count * divisor(p) - p->part;

		if (ticks < left) {
			p->count -= (uint32_t)((p->part += ticks) / divisor(p));
			p->part %= divisor(p);
			return;
		}
		ticks -= left, p->part = 0;
		p->count = (p->lvt[PLAIN_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_PERIODIC ? p->initial : 0;
		expire(p);
	}
}

void plain_time(struct plain_apic *p, uint64_t now)
{
	count_down(p, now - p->now);
	p->now = now;
	if (p->deadline && p->deadline <= now) {
		p->deadline = 0;
		expire(p);
	}
}

static void write_lvt(struct plain_apic *p, unsigned lvt, uint32_t value)
{
	value = (value & lvt_bits(lvt)) | (p->spurious & SVR_ENABLED ? 0 : LVT_MASKED);
	if (lvt == PLAIN_TIMER)
		write_timer(p, value);
	else
		p->lvt[lvt] = value;
	look_at_pins(p);
}

/* "Local APIC State After It Has Been Software Disabled": all entries are masked. */
static void write_spurious(struct plain_apic *p, uint32_t value)
{
	p->spurious = value & (SVR_ENABLED | 0xff | SVR_SUPPRESS_EOI_BROADCAST);
	for (unsigned i = 0; !(p->spurious & SVR_ENABLED) && i < PLAIN_LVTS; i++)
		p->lvt[i] |= LVT_MASKED;
}

/* "Interrupt Command Register (ICR)". Whom it is for, the test says. */
static void send_command(struct plain_apic *p)
{
	unsigned delivery = p->command >> 8 & 7;

	if ((delivery == PLAIN_FIXED || delivery == PLAIN_LOWEST) && (uint8_t)p->command < 16)
		error(p, ESR_SEND_ILLEGAL_VECTOR);
	else if (delivery != 3 && delivery != PLAIN_EXTINT)
		p->commands++;
}

static bool write_xapic_only(struct plain_apic *p, unsigned offset, uint32_t value)
{
	uint64_t ignored;

	if (offset == APIC_ID)
		p->xapic_id = (uint8_t)(value >> 24);
	else if (offset == APIC_LDR)
		p->logical_id = (uint8_t)(value >> 24);
	else if (offset == APIC_DFR)
		p->format = (uint8_t)(value >> 28);
	else if (offset == APIC_ICR_HIGH)
		p->command = (uint32_t)p->command | (uint64_t)(value & 0xff000000) << 32;
	else
		return plain_read(p, offset, &ignored); /* read-only */
	return true;
}

/* What is legal, is done. false: there is no such register. */
static bool write(struct plain_apic *p, unsigned offset, uint32_t value)
{
	if (lvt_at(offset) >= 0) {
		write_lvt(p, (unsigned)lvt_at(offset), value);
		return true;
	}
	switch (offset) {
	case APIC_TPR: p->tpr = (uint8_t)value; return true;
	case APIC_EOI: end_of_interrupt(p); return true;
	case APIC_SVR: write_spurious(p, value); return true;
	case APIC_ESR: p->errors = p->new_errors, p->new_errors = 0; return true;
	case APIC_TIMER_INITIAL: write_initial(p, value); return true;
	case APIC_TIMER_DIVIDE: write_divide(p, value); return true;
	case APIC_ICR:
		p->command = (p->command & 0xffffffff00000000) | (value & 0xccfff & ~ICR_DELIVERY_STATUS);
		send_command(p);
		return true;
	default: return p->mode != PLAIN_X2APIC && write_xapic_only(p, offset, value);
	}
}

void plain_mmio_write(struct plain_apic *p, unsigned offset, uint32_t value)
{
	if (!write(p, offset, value))
		error(p, ESR_ILLEGAL_REGISTER);
}

/* ---- MSRs: "Reserved Bit Checking" ---- */

/* Which bits a write may have set; false: the register cannot be written. */
static bool x2apic_bits(unsigned offset, uint64_t *bits)
{
	int lvt = lvt_at(offset);

	*bits = 0;
	if (lvt >= 0)
		*bits = lvt_bits((unsigned)lvt) | LVT_DELIVERY_STATUS |
			(lvt == PLAIN_LINT0 || lvt == PLAIN_LINT1 ? LVT_REMOTE_IRR : 0);
	else if (offset == APIC_TPR || offset == APIC_SELF_IPI)
		*bits = 0xff;
	else if (offset == APIC_SVR)
		*bits = 0x11ff;
	else if (offset == APIC_ICR)
		*bits = 0xffffffff000cdfff;
	else if (offset == APIC_TIMER_INITIAL)
		*bits = 0xffffffff;
	else if (offset == APIC_TIMER_DIVIDE)
		*bits = 0xb;
	else
		return offset == APIC_EOI || offset == APIC_ESR;
	return true;
}

static bool write_x2apic(struct plain_apic *p, unsigned offset, uint64_t value)
{
	uint64_t bits;

	if (p->mode != PLAIN_X2APIC || !x2apic_bits(offset, &bits) || (value & ~bits))
		return false;
	if (offset == APIC_SELF_IPI) { /* "SELF IPI Register" */
		if (value < 16)
			error(p, ESR_SEND_ILLEGAL_VECTOR);
		else
			plain_message(p, PLAIN_FIXED, (uint8_t)value, false);
		return true;
	}
	if (offset == APIC_ICR)
		p->command = value;
	return write(p, offset, (uint32_t)value);
}

bool plain_msr_write(struct plain_apic *p, uint32_t msr, uint64_t value)
{
	if (msr == MSR_APIC_BASE)
		return write_base(p, value);
	if (msr == MSR_TSC_DEADLINE) {
		if (deadline_mode(p))
			p->deadline = value;
		return true;
	}
	return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST &&
	       write_x2apic(p, (msr - MSR_X2APIC_FIRST) * 16, value);
}
