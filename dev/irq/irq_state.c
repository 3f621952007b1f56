/* dev/irq/irq_state.c - what a snapshot holds of the interrupt controllers. Levels of lines are in each of them, as
 * they were: nobody drives them when they are read. */
#include "dev/irq/irqhub.h"
#include "dev/irq/lapic_internal.h"
#include "lib/mutants/mutate.h"

/* ---- 8259 ---- */

static void chip_state(struct fields *s, struct pic_chip *c)
{
	state_u8(s, &c->pins);
	state_u8(s, &c->irr);
	state_u8(s, &c->imr);
	state_u8(s, &c->isr);
	state_u8(s, &c->elcr);
	state_u8(s, &c->vector_base);
	state_u8(s, &c->lowest);
	state_u8(s, &c->icw_state);
	state_bool(s, &c->need_icw4);
	state_bool(s, &c->single);
	state_bool(s, &c->auto_eoi);
	state_bool(s, &c->rotate_auto_eoi);
	state_bool(s, &c->special_mask);
	state_bool(s, &c->special_fully_nested);
	state_bool(s, &c->read_isr);
	state_bool(s, &c->poll);
	state_bool(s, &c->level_mode);
	state_check(s, !(c->elcr & ~c->elcr_mask) && !(c->vector_base & 7) &&
		    VM_LEFT_OUT_OR(STATE_PIC, c->lowest < 8 && c->icw_state <= 4 && c->icw_state != 1),
		    "an 8259 is as none can be");
}

void pic_state(struct fields *s, struct pic *p)
{
	state_begin(s, "pic", 1);
	for (unsigned n = 0; n < ARRAY_SIZE(p->chip); n++)
		chip_state(s, &p->chip[n]);
	state_bool(s, &p->out);
	state_end(s);
}

/* ---- I/O APIC ---- */

#define ENTRY_BITS (MASK(63, 56) | MASK(16, 0))
#define PINS_BITS ((uint32_t)MASK(IOAPIC_PINS - 1, 0))

void ioapic_state(struct fields *s, struct ioapic *io)
{
	uint64_t all = 0;

	state_begin(s, "ioapic", 1);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		state_u64(s, &io->redirection[pin]);
		all |= io->redirection[pin];
	}
	state_u32(s, &io->pins);
	state_u8(s, &io->select);
	state_u8(s, &io->id);
	state_check(s, VM_LEFT_OUT_OR(STATE_IOAPIC, !(all & ~ENTRY_BITS) && !(io->pins & ~PINS_BITS) && io->id < 16),
		    "reserved bits are set");
	state_end(s);
}

void irqhub_state(struct fields *s, struct irqhub *h)
{
	state_begin(s, "irqhub", 1);
	state_u32(s, &h->levels);
	state_check(s, !(h->levels & ~PINS_BITS), "there is a line too many");
	state_end(s);
}

/* ---- local APIC ---- */

static void vectors_state(struct fields *s, uint32_t *reg)
{
	for (unsigned n = 0; n < 8; n++)
		state_u32(s, &reg[n]);
	state_check(s, VM_LEFT_OUT_OR(STATE_VECTORS, !(reg[0] & 0xffff)), /* L4 */
		    "an interrupt is of a vector below 16");
}

static void timers_state(struct fields *s, struct lapic *l)
{
	state_u32(s, &l->timer_initial);
	state_u8(s, &l->timer_shift);
	state_u8(s, &l->divide);
	state_bool(s, &l->timer_done);
	state_time(s, &l->timer_start);
	state_u64(s, &l->tsc_deadline); /* the guest's TSC goes on from where it was */
	state_u64(s, &l->tsc_offset);
	if (s->load && !s->bad)
		VM_MUTANT(STATE_LAPIC_TSC, l->tsc_offset -= s->shift);
	state_check(s, VM_LEFT_OUT_OR(STATE_LAPIC_SHIFT, l->timer_shift < 8), "the timer's divisor is none");
	timer_state(s, l->timers, &l->timer);
}

static void registers_state(struct fields *s, struct lapic *l)
{
	state_u64(s, &l->base);
	state_u8(s, &l->xapic_id);
	state_u8(s, &l->logical_id);
	state_u8(s, &l->dfr);
	state_u32(s, &l->svr);
	state_u32(s, &l->esr);
	state_u32(s, &l->esr_pending);
	state_u64(s, &l->icr);
	for (unsigned n = 0; n < LVT_COUNT; n++)
		state_u32(s, &l->lvt[n]);
	state_bool(s, &l->lint[0]);
	state_bool(s, &l->lint[1]);
	state_u8(s, &l->remote_irr);
	state_check(s, VM_LEFT_OUT_OR(STATE_LAPIC_BASE, !(l->base & l->base_reserved) &&
				      (l->base & (APIC_BASE_EN | APIC_BASE_EXTD)) != APIC_BASE_EXTD) &&
		    l->dfr < 16 && l->remote_irr < 4, "the local APIC is as none can be");
}

/* What follows from the rest. */
static void derive(struct lapic *l)
{
	l->enabled = l->base & APIC_BASE_EN;
	l->x2apic = l->base & APIC_BASE_EXTD;
	l->sw_enabled = l->svr & SVR_ENABLED;
	memset(l->posted, 0, sizeof(l->posted));
	l->posted_words = 0;
	l->irr_max = lapic_highest(l->irr, 1, 255);
	l->isr_max = lapic_highest(l->isr, 1, 255);
	l->irr_words = 0xff;
	l->tmr_stale = true;
	VM_MUTANT(STATE_LAPIC_LOOK, l->irq_maybe = true); /* L3 */
}

/* L5: it has no page, or none yet. */
void lapic_state(struct fields *s, struct lapic *l)
{
	uint8_t tpr = lapic_tpr(l);

	BUG_ON(l->page);
	state_begin(s, "lapic", 1);
	if (!s->load)
		VM_MUTANT(STATE_LAPIC_POSTED, lapic_take_posted(l));
	state_same(s, l->id, "it is another CPU's");
	state_u8(s, &tpr);
	vectors_state(s, l->irr);
	vectors_state(s, l->isr);
	vectors_state(s, l->tmr);
	registers_state(s, l);
	timers_state(s, l);
	state_end(s);
	if (!s->load || s->bad)
		return;
	*l->tpr = tpr;
	derive(l);
}
