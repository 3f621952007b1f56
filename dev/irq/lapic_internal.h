/* dev/irq/lapic_internal.h - what the files of the local APIC share. */
#ifndef VELLUM_DEV_LAPIC_INTERNAL_H
#define VELLUM_DEV_LAPIC_INTERNAL_H

#include "dev/irq/lapic.h"
#include "dev/irq/seam.h"

/* ---- 256-bit vector registers: eight words, one behind the other here, 16 bytes apart in a page ---- */

static inline void vector_set(uint32_t *reg, unsigned v) { reg[v >> 5] |= 1u << (v & 31); }
static inline void vector_clear(uint32_t *reg, unsigned v) { reg[v >> 5] &= ~(1u << (v & 31)); }

/* at: APIC_ISR, APIC_TMR or APIC_IRR. The guest's CPU may be writing to it. */
static inline uint32_t page_get(const struct lapic *l, unsigned at, unsigned word)
{
	return __atomic_load_n(&l->page[at / 4 + 4 * word], __ATOMIC_RELAXED);
}

static inline bool page_is_empty(const struct lapic *l, unsigned at)
{
	uint32_t any = 0;

#pragma GCC unroll 8
	for (unsigned n = 0; n < 8; n++) {
		any |= page_get(l, at, n);
		__asm__("" : "+r"(any)); /* the compiler would load all first, and save registers for that */
	}
	return !any;
}

/* While the guest is not running. */
static inline void page_put(struct lapic *l, unsigned at, unsigned word, uint32_t value)
{
	l->page[at / 4 + 4 * word] = value;
}

/* Of any vCPU, on any CPU. */
static inline bool lapic_tmr_test(const struct lapic *l, unsigned v)
{
	return __atomic_load_n(&l->tmr[v >> 5], __ATOMIC_RELAXED) >> (v & 31) & 1;
}

static inline uint32_t lapic_isr_word(const struct lapic *l, unsigned n)
{
	return unlikely(l->page) ? page_get(l, APIC_ISR, n) : l->isr[n];
}

static inline uint32_t lapic_irr_word(const struct lapic *l, unsigned n)
{
	return l->irr[n] | __atomic_load_n(&l->posted[n], __ATOMIC_RELAXED) |
	       (unlikely(l->page) ? page_get(l, APIC_IRR, n) : 0);
}

/* lapic.c */
void lapic_take_words(struct lapic *l);
/* What was posted is in irr (L6). */
static inline void lapic_take_posted(struct lapic *l)
{
	if (__atomic_load_n(&l->posted_words, __ATOMIC_SEQ_CST))
		lapic_take_words(l);
}
void lapic_notice(struct lapic *l); /* something may have become deliverable */
void lapic_eoi(struct lapic *l);
/* The part of it that needs no lock: the highest vector in service is that no more. */
void lapic_leave_service(struct lapic *l);
void lapic_timer_event(struct lapic *l);
void lapic_error(struct lapic *l, uint32_t esr_bits);
void lapic_look_at_lint(struct lapic *l);
/* A LINT entry was written: levels are looked at again. */
static inline void lapic_lint_changed(struct lapic *l)
{
	if (unlikely(l->lint[0] | l->lint[1] | l->remote_irr))
		lapic_look_at_lint(l);
}
void lapic_set_base(struct lapic *l, uint64_t base); /* a legal value: performs the transition */

void lapic_accept(struct lapic *l, uint8_t vector, bool level); /* of l, which is enabled; not below 16 (L4) */
void lapic_accept_own(struct lapic *l, uint8_t vector); /* the same of an edge-triggered one, on the vCPU's own CPU */

/* Those that can only be read are not another value for a write. offset: a multiple of 16. */
static inline bool lapic_is_read_only(unsigned offset)
{
	const uint64_t set = BIT(APIC_PPR / 16) | BIT(APIC_APR / 16) | BIT(APIC_RRD / 16) | BIT(APIC_VERSION / 16) |
			     BIT(APIC_TIMER_CURRENT / 16) | MASK(APIC_ESR / 16 - 1, APIC_ISR / 16);

	return offset < 64 * 16 && (set >> (offset / 16) & 1);
}

/* ---- registers ---- */

/* A register's number. */
#define REG(name) (APIC_##name / 16)

/* All but what is reserved, bits 31:20, 17:16 and 13, and the delivery status. */
#define ICR_LEGAL_X2APIC 0xffffffff000ccfffull

/* The entry of the local vector table at register r, or -1. */
static inline int lapic_lvt_of(const struct lapic *l, unsigned r)
{
	if (r >= REG(LVT_TIMER) && r <= REG(LVT_ERROR))
		return (int)(r - REG(LVT_TIMER)) + LVT_TIMER;
	return r == REG(LVT_CMCI) && (l->features & LAPIC_CMCI) ? LVT_CMCI : -1;
}

/* The bits of an entry that software can change (SDM, "Local Vector Table"). */
static inline uint32_t lapic_lvt_writable(const struct lapic *l, unsigned lvt)
{
	static const uint32_t writable[LVT_COUNT] = {
		[LVT_CMCI] = LVT_VECTOR | LVT_DELIVERY | LVT_MASKED,
		[LVT_TIMER] = LVT_VECTOR | LVT_MASKED,
		[LVT_THERMAL] = LVT_VECTOR | LVT_DELIVERY | LVT_MASKED,
		[LVT_PERF] = LVT_VECTOR | LVT_DELIVERY | LVT_MASKED,
		[LVT_LINT0] = LVT_VECTOR | LVT_DELIVERY | LVT_POLARITY | LVT_LEVEL | LVT_MASKED,
		[LVT_LINT1] = LVT_VECTOR | LVT_DELIVERY | LVT_POLARITY | LVT_LEVEL | LVT_MASKED,
		[LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
	};

	if (lvt == LVT_TIMER)
		return writable[lvt] | (l->features & LAPIC_TSC_DEADLINE ? LVT_TIMER_MODE : LVT_TIMER_PERIODIC);
	return writable[lvt];
}

static inline uint32_t lapic_svr_writable(const struct lapic *l)
{
	return SVR_ENABLED | 0xff | (l->features & LAPIC_DIRECTED_EOI ? SVR_SUPPRESS_EOI_BROADCAST : 0);
}

/* What is read of some, in the present mode. */
static inline uint32_t lapic_lvt_read(const struct lapic *l, unsigned lvt)
{
	uint8_t waiting = __atomic_load_n(&l->remote_irr, __ATOMIC_RELAXED);
	bool is_pin = lvt == LVT_LINT0 || lvt == LVT_LINT1;

	return l->lvt[lvt] | (is_pin && (waiting >> (lvt - LVT_LINT0) & 1) ? LVT_REMOTE_IRR : 0);
}

static inline uint32_t lapic_id_read(const struct lapic *l)
{
	return l->x2apic ? l->id : (uint32_t)l->xapic_id << 24;
}

static inline uint32_t lapic_ldr_read(const struct lapic *l)
{
	return l->x2apic ? lapic_x2apic_logical_id(l) : (uint32_t)l->logical_id << 24;
}

static inline uint32_t lapic_dfr_read(const struct lapic *l) { return (uint32_t)l->dfr << 28 | 0x0fffffff; }

/* lapic_regs.c, in the present mode. false: there is no such register. */
bool lapic_reg_read(struct lapic *l, unsigned r, uint32_t *value);
bool lapic_reg_write(struct lapic *l, unsigned r, uint32_t value);
uint32_t lapic_get(struct lapic *l, unsigned offset); /* what the guest reads there, in the present mode */
void lapic_self_ipi(struct lapic *l, uint8_t vector);
/* lapic_msr.c: the bits that may be set in a write to register r in x2APIC mode; writable: the register can be written
 * at all. SDM, "x2APIC Register Address Space", "Reserved Bit Checking". */
uint64_t lapic_x2apic_legal_bits(const struct lapic *l, unsigned r, bool *writable);

/* lapic_icr.c */
void lapic_icr_send(struct lapic *l);
/* Without the lock, as lapic_mmio_write_unlocked(). What can be sent so: an NMI, an INIT, a start-up IPI; a fixed
 * interrupt or one of lowest priority to anybody; a fixed one to all others; what is an error, or nothing. */
bool lapic_icr_signal(struct lapic *l, uint64_t icr);
void lapic_icr_to_some(struct lapic *l, uint64_t icr);
void lapic_icr_to_others(struct lapic *l, uint64_t icr);
static ALWAYS_INLINE void lapic_icr_to(struct lapic *to, uint64_t icr)
{
	if (__atomic_load_n(&to->sw_enabled, __ATOMIC_RELAXED) && __atomic_load_n(&to->enabled, __ATOMIC_RELAXED))
		lapic_accept(to, (uint8_t)icr, false);
}

/* lapic_virtual.c */
/* The register, and what hangs on it, into the page; but not the timer's. */
void lapic_show(struct lapic *l, unsigned offset);
static inline void lapic_show_timer(struct lapic *l) /* all that can be written of it */
{
	uint32_t *page = l->page;

	page[APIC_LVT_TIMER / 4] = l->lvt[LVT_TIMER];
	page[APIC_TIMER_INITIAL / 4] = l->timer_initial;
	page[APIC_TIMER_DIVIDE / 4] = l->divide;
}
void lapic_show_lvt(struct lapic *l); /* all entries but CMCI's */
void lapic_shown_no_more(struct lapic *l);            /* registers have changed, to be shown by lapic_hand() */
/* ICR out of the page: in xAPIC mode the CPU serves writes of the high half, and IPIs to oneself. */
static inline void lapic_take_icr(struct lapic *l)
{
	if (unlikely(l->page) && !l->x2apic)
		l->icr = page_get(l, APIC_ICR, 0) |
			 (uint64_t)(page_get(l, APIC_ICR_HIGH, 0) & ICR_HIGH_DESTINATION) << 32;
}
/* ICR's halves as they are read in xAPIC mode. */
static inline uint32_t lapic_icr_low(const struct lapic *l)
{
	return unlikely(l->page) ? page_get(l, APIC_ICR, 0) : (uint32_t)l->icr;
}
static inline uint32_t lapic_icr_high(const struct lapic *l)
{
	return unlikely(l->page) ? page_get(l, APIC_ICR_HIGH, 0) & ICR_HIGH_DESTINATION : (uint32_t)(l->icr >> 32);
}
/* And into it. In x2APIC mode it is one register of 64 bits. */
static inline void lapic_show_icr(struct lapic *l)
{
	uint32_t high = (uint32_t)(l->icr >> 32);

	page_put(l, APIC_ICR, 0, (uint32_t)l->icr);
	l->page[APIC_ICR / 4 + 1] = l->x2apic ? high : 0;
	page_put(l, APIC_ICR_HIGH, 0, l->x2apic ? 0 : high);
}
void lapic_page_ack(struct lapic *l, uint8_t vector);
void lapic_page_clear(struct lapic *l);
void lapic_page_eoi(struct lapic *l, int16_t highest); /* the highest in service, or -1 */
/* The highest set bit of eight words, each step words behind the one before, that is not above v; or -1. */
static inline int16_t lapic_highest(const uint32_t *reg, unsigned step, unsigned v)
{
	for (unsigned n = (v >> 5) + 1; n-- > 0;) {
		uint32_t word = __atomic_load_n(&reg[n * step], __ATOMIC_RELAXED); /* the CPU's, in a page */

		if (word)
			return (int16_t)(n * 32 + 31 - (unsigned)__builtin_clz(word));
	}
	return -1;
}
int16_t lapic_page_highest(const struct lapic *l, unsigned at); /* -1: none */
static inline int16_t lapic_highest_waiting(const struct lapic *l)
{
	int16_t known = likely(!l->page) || page_is_empty(l, APIC_IRR) ? -1 : lapic_page_highest(l, APIC_IRR);

	return known > l->irr_max ? known : l->irr_max;
}
static inline int16_t lapic_highest_in_service(const struct lapic *l)
{
	/* Others ask, too, for an interrupt of lowest priority. */
	if (likely(!l->page))
		return __atomic_load_n(&l->isr_max, __ATOMIC_RELAXED);
	return page_is_empty(l, APIC_ISR) ? -1 : lapic_page_highest(l, APIC_ISR);
}

/* lapic_timer.c */
void lapic_timer_reset(struct lapic *l);
void lapic_timer_fire(void *dev, uint64_t now);
/* Its registers, shown where the guest reads a copy (L5). lvt: what can be written of it. true */
bool lapic_timer_write_lvt(struct lapic *l, uint32_t lvt);
bool lapic_timer_write_initial(struct lapic *l, uint32_t count);
bool lapic_timer_write_divide(struct lapic *l, uint32_t divide);
uint64_t lapic_timer_deadline(struct lapic *l, uint64_t now); /* what IA32_TSC_DEADLINE reads as */
uint32_t lapic_timer_current(const struct lapic *l);

#endif
