/* dev/irq/lapic_virtual.c - the local APIC where the CPU itself delivers interrupts, and serves the guest's accesses
 * in a page (L5 in dev/irq/lapic.h). SDM, "APIC Virtualization and Virtual Interrupts".
 *
 * Both ways between the page and struct lapic are here: what has been accepted goes into the page before the guest goes
 * on (lapic_hand); what the guest has written there is taken when the CPU says so (lapic_wrote). Who asks for IRR or
 * ISR meanwhile reads both places (lapic_internal.h). */
#include "dev/irq/lapic_internal.h"
#include "lib/mutants/mutate.h"

void lapic_shown_no_more(struct lapic *l)
{
	__atomic_store_n(&l->stale, true, __ATOMIC_SEQ_CST);
	if (l->page)
		lapic_notice(l);
}

/* Most often there is none, or one of a high class: a look at each half spares most words. */
int16_t lapic_page_highest(const struct lapic *l, unsigned at)
{
	uint32_t high = page_get(l, at, 4) | page_get(l, at, 5) | page_get(l, at, 6) | page_get(l, at, 7);

	return lapic_highest(&l->page[at / 4], 4, high ? 255 : 127);
}

static void put_bit(struct lapic *l, unsigned at, uint8_t vector, bool set)
{
	uint32_t word = page_get(l, at, vector >> 5), bit = 1u << (vector & 31);

	page_put(l, at, vector >> 5, set ? word | bit : word & ~bit);
}

void lapic_page_ack(struct lapic *l, uint8_t vector)
{
	put_bit(l, APIC_IRR, vector, false);
	put_bit(l, APIC_ISR, vector, true);
	l->status_stale = true;
	lapic_notice(l); /* the CPU must be told */
}

void lapic_page_eoi(struct lapic *l, int16_t highest)
{
	if (highest < 0)
		return;
	put_bit(l, APIC_ISR, (uint8_t)highest, false);
	l->status_stale = true;
	lapic_eoi_done(l, (uint8_t)highest);
	lapic_notice(l); /* the CPU must be told */
}

void lapic_page_clear(struct lapic *l)
{
	for (unsigned n = 0; n < 8; n++) {
		page_put(l, APIC_IRR, n, 0);
		page_put(l, APIC_ISR, n, 0);
	}
	page_put(l, APIC_ICR, 0, 0);
	page_put(l, APIC_ICR_HIGH, 0, 0);
	l->status_stale = true;
}

/* ---- registers ---- */

void lapic_show_lvt(struct lapic *l)
{
	for (unsigned lvt = LVT_TIMER; lvt <= LVT_ERROR; lvt++)
		page_put(l, APIC_LVT_TIMER, lvt - LVT_TIMER, lapic_lvt_read(l, lvt));
}

/* What the guest has put into ICR without an exit stays. */
static void show_all(struct lapic *l)
{
	static const uint16_t copied[] = { APIC_ID, APIC_VERSION, APIC_LDR, APIC_DFR, APIC_SVR, APIC_ESR,
					   APIC_LVT_CMCI };

	VM_MUTANT(LAPIC_ICR_STAYS, lapic_take_icr(l));
	for (unsigned i = 0; i < ARRAY_SIZE(copied); i++)
		page_put(l, copied[i], 0, lapic_get(l, copied[i]));
	lapic_show_lvt(l);
	lapic_show_timer(l);
	page_put(l, APIC_EOI, 0, 0); /* it reads so */
	lapic_show_icr(l);
}

void lapic_show(struct lapic *l, unsigned offset)
{
	unsigned r = offset / 16; /* close together, for a table */

	switch (r) {
	case REG(ICR):
	case REG(ICR_HIGH): lapic_show_icr(l); break;
	case REG(ID): page_put(l, APIC_ID, 0, lapic_id_read(l)); break;
	case REG(LDR): page_put(l, APIC_LDR, 0, lapic_ldr_read(l)); break;
	case REG(DFR): page_put(l, APIC_DFR, 0, lapic_dfr_read(l)); break;
	case REG(SVR): page_put(l, APIC_SVR, 0, l->svr); break; /* and the table, where that has changed (mask_all) */
	case REG(ESR): page_put(l, APIC_ESR, 0, l->esr); break;
	case REG(LVT_TIMER) + 1 ... REG(LVT_ERROR):
		page_put(l, offset, 0, lapic_lvt_read(l, LVT_TIMER + r - REG(LVT_TIMER)));
		break;
	case REG(LVT_CMCI): page_put(l, offset, 0, l->features & LAPIC_CMCI ? l->lvt[LVT_CMCI] : 0); break;
	}
}

/* What a write has left that began behind the place of a register, which is undefined ("Local APIC Register Address
 * Map"): here it changes nothing. */
static void undo(struct lapic *l)
{
	page_put(l, APIC_TPR, 0, lapic_tpr(l));
	show_all(l);
}

void lapic_wrote(struct lapic *l, unsigned offset)
{
	if (offset & 15)
		undo(l);
	else if (offset == APIC_SELF_IPI && l->x2apic)
		lapic_self_ipi(l, (uint8_t)page_get(l, offset, 0));
	else
		lapic_mmio_write(l, offset, 4, page_get(l, offset, 0));
}

bool lapic_wrote_unlocked(struct lapic *l, unsigned offset)
{
	switch (offset) {
	case APIC_ICR:
	case APIC_LVT_TIMER:
	case APIC_TIMER_INITIAL:
	case APIC_TIMER_DIVIDE:
		return lapic_mmio_write_unlocked(l, offset, 4, page_get(l, offset, 0));
	default:
		return false;
	}
}

/* ---- interrupts ---- */

static void hand_requests(struct lapic *l)
{
	for (unsigned words = l->irr_words; words; words &= words - 1) {
		unsigned n = (unsigned)__builtin_ctz(words);

		page_put(l, APIC_IRR, n, page_get(l, APIC_IRR, n) | l->irr[n]);
		l->irr[n] = 0;
	}
	l->irr_words = 0;
	l->irr_max = -1;
}

/* What was posted goes straight there (as lapic_take_words); the highest of it, or -1. */
static int16_t hand_posted(struct lapic *l)
{
	uint32_t words = __atomic_exchange_n(&l->posted_words, 0, __ATOMIC_SEQ_CST);
	int16_t highest = -1;

	for (; words; words &= words - 1) {
		unsigned n = (unsigned)__builtin_ctz(words);
		uint32_t new;

		lapic_seam();
		new = __atomic_exchange_n(&l->posted[n], 0, __ATOMIC_SEQ_CST);
		if (unlikely(!new || !l->sw_enabled))
			continue;
		page_put(l, APIC_IRR, n, page_get(l, APIC_IRR, n) | new);
		highest = (int16_t)(n * 32 + 31 - (unsigned)__builtin_clz(new)); /* words go up */
	}
	return highest;
}

static void show_tmr(struct lapic *l)
{
	for (unsigned n = 0; n < 8; n++)
		page_put(l, APIC_TMR, n, __atomic_load_n(&l->tmr[n], __ATOMIC_RELAXED));
}

static uint8_t vector_or_0(int16_t vector) { return vector < 0 ? 0 : (uint8_t)vector; }

/* What the registers in the page are, where others than the CPU have changed them. */
static __attribute__((noinline)) void look_again(struct lapic *l, struct lapic_handed *handed)
{
	/* Others may make them so again at any time. */
	if (__atomic_exchange_n(&l->tmr_stale, false, __ATOMIC_SEQ_CST))
		show_tmr(l);
	if (__atomic_exchange_n(&l->stale, false, __ATOMIC_SEQ_CST))
		show_all(l);
	handed->all = l->status_stale;
	if (!handed->all)
		return;
	handed->requested = vector_or_0(lapic_page_highest(l, APIC_IRR));
	handed->serviced = vector_or_0(lapic_page_highest(l, APIC_ISR));
	l->status_stale = false;
}

struct lapic_handed lapic_hand(struct lapic *l)
{
	struct lapic_handed handed = { .requested = 0 };

	__atomic_store_n(&l->irq_maybe, false, __ATOMIC_SEQ_CST); /* L6: before the look */
	lapic_seam();
	handed.requested = vector_or_0(hand_posted(l));
	lapic_seam();
	if (unlikely(l->irr_max > handed.requested))
		handed.requested = (uint8_t)l->irr_max;
	handed.eoi_notify_stale = __atomic_load_n(&l->tmr_stale, __ATOMIC_SEQ_CST);
	if (l->irr_max >= 0)
		hand_requests(l);
	if (unlikely(handed.eoi_notify_stale || __atomic_load_n(&l->stale, __ATOMIC_SEQ_CST) || l->status_stale))
		look_again(l, &handed);
	return handed;
}

static void take_all(struct lapic *l)
{
	lapic_take_icr(l);
	lapic_take_posted(l);
	for (unsigned n = 0; n < 8; n++) {
		l->irr[n] |= page_get(l, APIC_IRR, n);
		VM_MUTANT(LAPIC_PAGE_TAKEN, l->isr[n] = lapic_isr_word(l, n)); /* L5 */
	}
	l->irr_max = lapic_highest_waiting(l);
	l->irr_words = 0xff;
	l->isr_max = lapic_highest_in_service(l);
	l->page = NULL;
	lapic_notice(l);
}

/* What waits stays in irr until it is handed. */
static void give_all(struct lapic *l, uint32_t *page)
{
	uint32_t tpr = lapic_tpr(l);

	l->page = page;
	memset(page, 0, PAGE_SIZE);
	page_put(l, APIC_TPR, 0, tpr);
	for (unsigned n = 0; n < 8; n++) {
		page_put(l, APIC_ISR, n, l->isr[n]);
		l->isr[n] = 0;
	}
	l->isr_max = -1;
	lapic_show_icr(l);
	l->status_stale = true;
	__atomic_store_n(&l->tmr_stale, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&l->stale, true, __ATOMIC_SEQ_CST);
	lapic_notice(l);
}

void lapic_virtualize(struct lapic *l, uint32_t *page)
{
	if (l->page)
		take_all(l);
	if (page)
		give_all(l, page);
}
