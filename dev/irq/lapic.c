/* dev/irq/lapic.c - acceptance, priority, delivery, reset. SDM, "Handling Interrupts", "Interrupt, Task, and Processor
 * Priority", "Local APIC State". The invariants are in lapic.h. */
#include "dev/irq/lapic_internal.h"
#include "lib/mutants/mutate.h"

/* ---- priority ---- */

static uint8_t in_service(const struct lapic *l)
{
	int16_t v = lapic_highest_in_service(l);

	return v < 0 ? 0 : (uint8_t)(v & APIC_CLASS);
}

/* The class is the higher one of TPR and ISR; the subclass is the TPR's where the TPR's class is (SDM, "Interrupt,
 * Task, and Processor Priority"). */
uint8_t lapic_ppr(const struct lapic *l)
{
	uint8_t tpr = lapic_tpr(l), class = in_service(l);

	return (tpr & APIC_CLASS) >= class ? tpr : class;
}

void lapic_notice(struct lapic *l)
{
	if (__atomic_load_n(&l->irq_maybe, __ATOMIC_SEQ_CST))
		return;
	lapic_seam();
	if (!__atomic_exchange_n(&l->irq_maybe, true, __ATOMIC_SEQ_CST))
		l->host->kick(l->ctx, l);
}

/* Was what waits held back by the TPR, which is now below it? */
static bool let_in(const struct lapic *l, uint8_t was, uint8_t tpr)
{
	unsigned waiting = (unsigned)lapic_highest_waiting(l) & APIC_CLASS; /* of -1, and it is looked at below */

	return waiting > (tpr & APIC_CLASS) && waiting <= (was & APIC_CLASS);
}

/* With a page the CPU looks at it before each entry anyway (SDM, "Updating Non-Register State"); who has no CPU that
 * could enter it looks only when something may come. */
void lapic_set_tpr(struct lapic *l, uint8_t tpr)
{
	uint8_t was = lapic_tpr(l);

	if (was == tpr)
		return;
	__atomic_store_n(l->tpr, tpr, __ATOMIC_RELAXED);
	if (likely(!l->page) || VM_KEPT(LAPIC_TPR_LETS_IN, let_in(l, was, tpr)))
		lapic_tpr_lowered(l);
}

void lapic_write_tpr(struct lapic *l, uint8_t tpr)
{
	l->tpr_count.writes++;
	lapic_set_tpr(l, tpr);
}

uint8_t lapic_read_tpr(struct lapic *l)
{
	l->tpr_count.reads++;
	return lapic_tpr(l);
}

void lapic_tpr_lowered(struct lapic *l)
{
	if (lapic_highest_waiting(l) >= 0)
		lapic_notice(l);
}

void lapic_keep_tpr(struct lapic *l, uint32_t *tpr)
{
	uint32_t now = lapic_tpr(l);

	l->tpr = tpr ? tpr : &l->own_tpr;
	VM_MUTANT(LAPIC_TPR_MOVES, *l->tpr = now);
}

unsigned lapic_held_back(const struct lapic *l)
{
	int16_t highest = lapic_highest_waiting(l);
	unsigned waiting = highest < 0 || !l->enabled ? 0 : (unsigned)highest & APIC_CLASS;

	return waiting > in_service(l) && (lapic_tpr(l) & APIC_CLASS) >= waiting ? waiting >> 4 : 0;
}

int lapic_pending(struct lapic *l)
{
	int16_t waiting;

	VM_MUTANT(LAPIC_LOOKED, __atomic_store_n(&l->irq_maybe, false, __ATOMIC_SEQ_CST)); /* L6: before the look */
	lapic_seam();
	lapic_take_posted(l);
	lapic_seam();
	waiting = lapic_highest_waiting(l);
	/* Of a class higher than the processor's. */
	if (likely(waiting >= 0) && likely(l->enabled) && (waiting & APIC_CLASS) > (lapic_ppr(l) & APIC_CLASS)) {
		__atomic_store_n(&l->irq_maybe, true, __ATOMIC_RELAXED);
		return waiting;
	}
	if (lapic_extint(l))
		__atomic_store_n(&l->irq_maybe, true, __ATOMIC_RELAXED);
	return -1;
}

void lapic_ack(struct lapic *l, uint8_t vector)
{
	vector_clear(l->irr, vector);
	l->irr_max = l->irr_max < 0 ? -1 : lapic_highest(l->irr, 1, (unsigned)l->irr_max);
	if (unlikely(l->page)) {
		lapic_page_ack(l, vector);
		return;
	}
	vector_set(l->isr, vector);
	if (vector > l->isr_max)
		__atomic_store_n(&l->isr_max, vector, __ATOMIC_RELAXED);
}

/* ---- acceptance ---- */

/* On the vCPU's own CPU. What was posted to one that was enabled, and is not any more, was too late. */
void lapic_take_words(struct lapic *l)
{
	uint32_t words = __atomic_exchange_n(&l->posted_words, 0, __ATOMIC_SEQ_CST);

	for (; words; words &= words - 1) {
		unsigned n = (unsigned)__builtin_ctz(words);
		int16_t highest;
		uint32_t new;

		lapic_seam();
		new = __atomic_exchange_n(&l->posted[n], 0, __ATOMIC_SEQ_CST);
		highest = (int16_t)(n * 32 + 31 - (unsigned)__builtin_clz(new | 1));
		if (!new || !l->sw_enabled)
			continue;
		l->irr[n] |= new;
		l->irr_words |= (uint8_t)(1u << n);
		if (VM_LEFT_OUT_OR(LAPIC_HIGHEST, highest > l->irr_max))
			l->irr_max = highest;
	}
}

/* The TMR says at the EOI whether an I/O APIC waits for it. */
static __attribute__((noinline)) void set_mode(struct lapic *l, uint8_t vector, bool level)
{
	uint32_t bit = 1u << (vector & 31);

	if (level)
		__atomic_fetch_or(&l->tmr[vector >> 5], bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&l->tmr[vector >> 5], ~bit, __ATOMIC_SEQ_CST);
	__atomic_store_n(&l->tmr_stale, true, __ATOMIC_SEQ_CST);
}

void lapic_accept(struct lapic *l, uint8_t vector, bool level)
{
	if (VM_KEPT(LAPIC_TRIGGER, unlikely(level != lapic_tmr_test(l, vector)))) /* L6 */
		set_mode(l, vector, level);
	lapic_seam();
	__atomic_fetch_or(&l->posted[vector >> 5], 1u << (vector & 31), __ATOMIC_SEQ_CST);
	lapic_seam();
	__atomic_fetch_or(&l->posted_words, 1u << (vector >> 5), __ATOMIC_SEQ_CST);
	lapic_seam();
	lapic_notice(l);
}

/* L7: nobody else writes irr. */
void lapic_accept_own(struct lapic *l, uint8_t vector)
{
	uint32_t bit = 1u << (vector & 31), *word = &l->irr[vector >> 5];

	if (VM_KEPT(LAPIC_OWN_TRIGGER, unlikely(lapic_tmr_test(l, vector))))
		set_mode(l, vector, false);
	if ((*word & bit) || (unlikely(l->page) && (page_get(l, APIC_IRR, vector >> 5) & bit)))
		return; /* it waits already, and somebody has been told, or looks when the TPR or ISR change */
	*word |= bit;
	l->irr_words |= (uint8_t)(1u << (vector >> 5));
	if (VM_LEFT_OUT_OR(LAPIC_OWN_HIGHEST, vector > l->irr_max))
		l->irr_max = vector;
	VM_MUTANT(LAPIC_OWN_NOTICE, lapic_notice(l));
}

static void accept_vector(struct lapic *l, uint8_t vector, bool level)
{
	if (VM_KEPT(LAPIC_ILLEGAL, vector < APIC_VECTOR_LEAST)) /* L4 */
		lapic_error(l, ESR_RECEIVE_ILLEGAL_VECTOR);
	else
		lapic_accept(l, vector, level);
}

bool lapic_deliver(struct lapic *l, const struct apic_message *m)
{
	if (!__atomic_load_n(&l->enabled, __ATOMIC_RELAXED))
		return false;
	switch (m->delivery) {
	case APIC_FIXED:
	case APIC_LOWEST:
		/* Disabled by software it takes the other modes only (SDM, "Local APIC State After It Has Been Software
		 * Disabled"). */
		if (!__atomic_load_n(&l->sw_enabled, __ATOMIC_RELAXED))
			return false;
		accept_vector(l, m->vector, m->level);
		return true;
	case APIC_INIT:
		if (m->level && !m->assert)
			return true; /* level de-assert: nothing to do since the Pentium 4 */
		l->host->signal(l->ctx, l, APIC_INIT, 0);
		return true;
	case APIC_SMI:
	case APIC_NMI:
	case APIC_SIPI:
		l->host->signal(l->ctx, l, (enum apic_delivery)m->delivery, m->vector);
		return true;
	default: /* reserved; ExtINT comes by the LINT0 pin only */
		return false;
	}
}

/* An interrupt from this APIC's own local vector table. */
static void deliver_lvt(struct lapic *l, uint32_t lvt, bool level)
{
	if (lvt & LVT_MASKED)
		return;
	struct apic_message m = {
		.vector = lvt & LVT_VECTOR, .delivery = apic_delivery_of(lvt), .level = level, .assert = true
	};
	if (m.delivery != APIC_LOWEST && m.delivery != APIC_SIPI)
		lapic_deliver(l, &m);
}

/* Its entry has no delivery mode: it is fixed. */
void lapic_timer_event(struct lapic *l)
{
	uint32_t lvt = l->lvt[LVT_TIMER];

	if (likely(!(lvt & LVT_MASKED) && l->enabled && l->sw_enabled))
		accept_vector(l, lvt & LVT_VECTOR, false);
}

void lapic_error(struct lapic *l, uint32_t esr_bits)
{
	uint32_t lvt = __atomic_load_n(&l->lvt[LVT_ERROR], __ATOMIC_RELAXED);

	if (!(esr_bits & ~__atomic_load_n(&l->esr_pending, __ATOMIC_SEQ_CST)) ||
	    !(esr_bits & ~__atomic_fetch_or(&l->esr_pending, esr_bits, __ATOMIC_SEQ_CST)))
		return;
	/* A bad vector in the error entry itself must not recurse. */
	if (!(lvt & LVT_MASKED) && __atomic_load_n(&l->sw_enabled, __ATOMIC_RELAXED) &&
	    (lvt & LVT_VECTOR) >= 16)
		accept_vector(l, lvt & LVT_VECTOR, false);
}

void lapic_leave_service(struct lapic *l)
{
	uint8_t vector = (uint8_t)l->isr_max;

	if (l->isr_max < 0)
		return;
	vector_clear(l->isr, vector);
	__atomic_store_n(&l->isr_max, lapic_highest(l->isr, 1, vector), __ATOMIC_RELAXED);
	if (VM_KEPT(LAPIC_EOI_NOTICE, l->irr_max >= 0)) /* L3 */
		lapic_notice(l);
}

void lapic_eoi(struct lapic *l)
{
	int16_t highest = l->isr_max;

	if (unlikely(l->page)) {
		lapic_page_eoi(l, lapic_page_highest(l, APIC_ISR));
		return;
	}
	lapic_leave_service(l);
	if (highest >= 0)
		lapic_eoi_done(l, (uint8_t)highest);
}

void lapic_eoi_done(struct lapic *l, uint8_t vector)
{
	if (likely(!lapic_tmr_test(l, vector)))
		return;
	bool waits = false;
	for (unsigned pin = 0; pin < 2; pin++) {
		if ((l->remote_irr >> pin & 1) && (l->lvt[LVT_LINT0 + pin] & LVT_VECTOR) == vector) {
			l->remote_irr &= (uint8_t)~(1u << pin);
			waits = true;
		}
	}
	if (waits) {
		lapic_shown_no_more(l);
		lapic_lint_changed(l);
	}
	if (!((l->svr & SVR_SUPPRESS_EOI_BROADCAST) && (l->features & LAPIC_DIRECTED_EOI)))
		l->host->eoi(l->ctx, l, vector);
}

/* ---- LINT pins ---- */

bool lapic_accepts_extint(const struct lapic *l)
{
	uint32_t lvt = l->lvt[LVT_LINT0];
	return !l->enabled || (lvt & (LVT_MASKED | LVT_DELIVERY)) == APIC_EXTINT << 8;
}

static bool lint_is_level(uint32_t lvt)
{
	return (lvt & (LVT_LEVEL | LVT_DELIVERY)) == (LVT_LEVEL | APIC_FIXED << 8);
}

/* A level-triggered fixed LINT pin is sent while it is asserted and the last one has been served. A vector below 16 is
 * an error (SDM, "Error Handling"; L4). */
static void lint_level(struct lapic *l, unsigned pin)
{
	uint32_t lvt = l->lvt[LVT_LINT0 + pin];
	if (!l->lint[pin] || (l->remote_irr >> pin & 1) || (lvt & LVT_MASKED) || !lint_is_level(lvt) || !l->enabled)
		return;
	if (VM_KEPT(LAPIC_PIN_ILLEGAL, (lvt & LVT_VECTOR) < APIC_VECTOR_LEAST)) {
		lapic_error(l, ESR_RECEIVE_ILLEGAL_VECTOR);
		return;
	}
	l->remote_irr |= (uint8_t)(1u << pin);
	lapic_shown_no_more(l);
	deliver_lvt(l, lvt, true);
}

void lapic_look_at_lint(struct lapic *l)
{
	for (unsigned pin = 0; pin < 2; pin++) {
		if (!lint_is_level(l->lvt[LVT_LINT0 + pin]))
			l->remote_irr &= (uint8_t)~(1u << pin);
		lint_level(l, pin);
	}
	if (lapic_extint(l))
		lapic_notice(l);
}

void lapic_set_lint(struct lapic *l, unsigned pin, bool level)
{
	bool rising = level && !l->lint[pin];
	uint32_t lvt = l->lvt[LVT_LINT0 + pin];
	__atomic_store_n(&l->lint[pin], level, __ATOMIC_SEQ_CST); /* before the look at irq_maybe, as in L6 */
	if (!rising)
		return;
	if (!l->enabled) { /* the pins are INTR and NMI then */
		if (pin == 0)
			lapic_notice(l);
		else
			l->host->signal(l->ctx, l, APIC_NMI, 0);
	} else if (apic_delivery_of(lvt) == APIC_EXTINT) {
		if (pin == 0 && lapic_accepts_extint(l))
			lapic_notice(l);
	} else if (lint_is_level(lvt)) {
		lint_level(l, pin);
	} else {
		deliver_lvt(l, lvt, false);
	}
}

/* ---- reset and IA32_APIC_BASE ---- */

/* SDM, "Local APIC State After Power-Up or Reset". */
void lapic_init_reset(struct lapic *l)
{
	__atomic_store_n(&l->sw_enabled, false, __ATOMIC_SEQ_CST); /* from here on nothing more is accepted */
	lapic_take_posted(l);
	memset(l->irr, 0, sizeof(l->irr));
	l->irr_words = 0;
	memset(l->isr, 0, sizeof(l->isr));
	for (unsigned n = 0; n < 8; n++)
		__atomic_store_n(&l->tmr[n], 0, __ATOMIC_RELAXED);
	l->irr_max = -1;
	__atomic_store_n(&l->isr_max, -1, __ATOMIC_RELAXED);
	*l->tpr = 0;
	if (l->page)
		lapic_page_clear(l);
	l->logical_id = 0;
	l->dfr = 0xf;
	l->svr = 0xff;
	l->esr = 0;
	l->esr_pending = 0;
	l->icr = 0;
	l->remote_irr = 0;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->lvt[i] = LVT_MASKED;
	lapic_timer_reset(l);
	__atomic_store_n(&l->tmr_stale, true, __ATOMIC_SEQ_CST);
	/* L3: it needs no local vector table where the APIC is disabled. */
	__atomic_store_n(&l->irq_maybe, lapic_extint(l), __ATOMIC_SEQ_CST);
	lapic_shown_no_more(l);
}

void lapic_set_base(struct lapic *l, uint64_t base)
{
	bool was_enabled = l->enabled;
	lapic_take_icr(l);
	l->base = base;
	__atomic_store_n(&l->enabled, base & APIC_BASE_EN, __ATOMIC_RELAXED);
	__atomic_store_n(&l->x2apic, base & APIC_BASE_EXTD, __ATOMIC_RELAXED);
	lapic_shown_no_more(l);
	if (l->enabled != was_enabled) { /* disabled it keeps nothing, and it comes back as after power-up */
		lapic_init_reset(l);
		l->xapic_id = (uint8_t)l->id;
	}
	lapic_lint_changed(l);
}

bool lapic_lint_unmaskable(const struct lapic *l)
{
	uint32_t lvt = l->lvt[LVT_LINT0];
	unsigned delivery = apic_delivery_of(lvt);

	return !(lvt & LVT_MASKED) && (delivery == APIC_NMI || delivery == APIC_INIT);
}

void lapic_virtual_wire(struct lapic *l)
{
	l->svr = SVR_ENABLED | 0xff;
	__atomic_store_n(&l->sw_enabled, true, __ATOMIC_SEQ_CST);
	l->lvt[LVT_LINT0] = APIC_EXTINT << 8;
	l->lvt[LVT_LINT1] = APIC_NMI << 8;
	lapic_shown_no_more(l);
	lapic_lint_changed(l);
}

void lapic_reset(struct lapic *l)
{
	l->enabled = true;
	l->x2apic = false;
	l->xapic_id = (uint8_t)l->id;
	l->base = LAPIC_DEFAULT_BASE | APIC_BASE_EN | (l->base & APIC_BASE_BSP);
	lapic_init_reset(l);
}

void lapic_init(struct lapic *l, struct timers *timers, uint32_t id, bool bsp, uint64_t features,
		unsigned physaddr_bits, const struct lapic_host *host, void *ctx)
{
	*l = (struct lapic){ .timers = timers, .id = id, .features = features, .host = host, .ctx = ctx };
	l->tpr = &l->own_tpr;
	l->timer = (struct timer){ .fire = lapic_timer_fire, .dev = l };
	l->base = bsp ? APIC_BASE_BSP : 0;
	l->base_reserved = ~MASK(physaddr_bits - 1, 12) & ~(APIC_BASE_BSP | APIC_BASE_EN);
	if (features & LAPIC_X2APIC)
		l->base_reserved &= ~APIC_BASE_EXTD;
	lapic_reset(l);
}
