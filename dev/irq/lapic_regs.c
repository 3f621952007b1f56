/* dev/irq/lapic_regs.c - the local APIC's registers, by offset (xAPIC) and by MSR (x2APIC). SDM, "Local APIC Register
 * Address Map", "Extended XAPIC (x2APIC)".
 *
 * Both faces share one numbering, offset / 16 = MSR - 0x800, one reader and one performer; what is legal in x2APIC mode
 * is decided before anything is performed. */
#include "dev/irq/lapic_internal.h"
#include "lib/mutants/mutate.h"

#define VERSION 0x14u /* 0x10 to 0x15: an integrated local APIC */

static uint32_t version(const struct lapic *l)
{
	unsigned entries = l->features & LAPIC_CMCI ? 7 : 6;
	return VERSION | (entries - 1) << APIC_VERSION_LVT_SHIFT |
	       (l->features & LAPIC_DIRECTED_EOI ? APIC_VERSION_DIRECTED_EOI : 0);
}

/* ---- reading ---- */

/* One of ISR, TMR, IRR. */
static uint32_t row_read(const struct lapic *l, unsigned r)
{
	if (r < REG(TMR))
		return lapic_isr_word(l, r - REG(ISR));
	if (r < REG(IRR))
		return __atomic_load_n(&l->tmr[r - REG(TMR)], __ATOMIC_RELAXED);
	return lapic_irr_word(l, r - REG(IRR));
}

static bool lvt_read(const struct lapic *l, unsigned r, uint32_t *value)
{
	int lvt = lapic_lvt_of(l, r);

	if (lvt >= 0)
		*value = lapic_lvt_read(l, (unsigned)lvt);
	return lvt >= 0;
}

/* false: there is no such register, or it cannot be read. */
static ALWAYS_INLINE bool reg_read(struct lapic *l, unsigned r, uint32_t *value)
{
	*value = 0;
	switch (r) {
	case REG(ISR) ... REG(ESR) - 1: *value = row_read(l, r); break;
	case REG(ID): *value = lapic_id_read(l); break;
	case REG(VERSION): *value = version(l); break;
	case REG(TPR): *value = lapic_read_tpr(l); break;
	case REG(PPR): *value = lapic_ppr(l); break;
	case REG(LDR): *value = lapic_ldr_read(l); break;
	case REG(SVR): *value = l->svr; break;
	case REG(ESR): *value = l->esr; break;
	case REG(ICR): *value = l->x2apic ? (uint32_t)l->icr : lapic_icr_low(l); break;
	case REG(TIMER_INITIAL): *value = l->timer_initial; break;
	case REG(TIMER_CURRENT): *value = lapic_timer_current(l); break;
	case REG(TIMER_DIVIDE): *value = l->divide; break;
	/* xAPIC only */
	case REG(DFR): *value = lapic_dfr_read(l); return !l->x2apic;
	case REG(ICR_HIGH): *value = lapic_icr_high(l); return !l->x2apic;
	case REG(APR):
	case REG(RRD):
	case REG(EOI): return !l->x2apic; /* read as 0 */
	default: return lvt_read(l, r, value);
	}
	return true;
}

/* ---- writing ---- */

static inline bool all_masked(const struct lapic *l)
{
	uint32_t all = LVT_MASKED;

	for (unsigned i = 0; i < LVT_COUNT; i++)
		all &= l->lvt[i];
	return all;
}

static __attribute__((noinline)) void mask_all(struct lapic *l)
{
	if (!(l->lvt[LVT_TIMER] & LVT_MASKED))
		lapic_timer_write_lvt(l, l->lvt[LVT_TIMER] | LVT_MASKED);
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->lvt[i] |= LVT_MASKED;
	if (l->page)
		VM_MUTANT(LAPIC_MASKED_SHOWN, lapic_show_lvt(l));
}

/* While it is disabled by software all entries of the local vector table are masked, and stay so (SDM, "Local APIC
 * State After It Has Been Software Disabled"). */
static void svr_write(struct lapic *l, uint32_t value)
{
	l->svr = value & lapic_svr_writable(l);
	lapic_take_posted(l); /* while it is enabled: what has been accepted stays */
	__atomic_store_n(&l->sw_enabled, l->svr & SVR_ENABLED, __ATOMIC_SEQ_CST);
	if (!l->sw_enabled && !all_masked(l))
		mask_all(l);
}

static inline uint32_t lvt_masked(const struct lapic *l, unsigned lvt, uint32_t value)
{
	return (value & lapic_lvt_writable(l, lvt)) | (l->sw_enabled ? 0 : LVT_MASKED);
}

static void lvt_write(struct lapic *l, unsigned lvt, uint32_t value)
{
	value = lvt_masked(l, lvt, value);
	if (lvt == LVT_TIMER) {
		lapic_timer_write_lvt(l, value);
		return;
	}
	l->lvt[lvt] = value;
	if (lvt == LVT_LINT0 || lvt == LVT_LINT1)
		lapic_lint_changed(l);
}

static void esr_write(struct lapic *l)
{
	l->esr = __atomic_exchange_n(&l->esr_pending, 0, __ATOMIC_RELAXED);
}

/* Registers that only xAPIC mode can write. false: there is no such register. */
static bool xapic_write(struct lapic *l, unsigned r, uint32_t value)
{
	switch (r) {
	case REG(ID):
		__atomic_store_n(&l->xapic_id, (uint8_t)(value >> 24), __ATOMIC_RELAXED);
		return true;
	case REG(LDR):
		__atomic_store_n(&l->logical_id, (uint8_t)(value >> 24), __ATOMIC_RELAXED);
		return true;
	case REG(DFR):
		__atomic_store_n(&l->dfr, (uint8_t)(value >> 28), __ATOMIC_RELAXED);
		return true;
	case REG(ICR_HIGH):
		lapic_take_icr(l);
		l->icr = (l->icr & 0xffffffff) | (uint64_t)(value & ICR_HIGH_DESTINATION) << 32;
		return true;
	case REG(VERSION):
	case REG(APR):
	case REG(PPR):
	case REG(RRD):
	case REG(TIMER_CURRENT):
		return true; /* read-only */
	default:
		return r >= REG(ISR) && r < REG(ESR);
	}
}

/* Performs a write that is legal in the present mode. false: there is no such register. */
static ALWAYS_INLINE bool perform(struct lapic *l, unsigned r, uint32_t value)
{
	int lvt = lapic_lvt_of(l, r);
	if (lvt >= 0) {
		lvt_write(l, (unsigned)lvt, value);
		return true;
	}
	switch (r) {
	case REG(EOI):
		lapic_eoi(l);
		return true;
	case REG(TPR):
		lapic_write_tpr(l, (uint8_t)value);
		return true;
	case REG(SVR):
		svr_write(l, value);
		return true;
	case REG(ESR):
		esr_write(l);
		return true;
	case REG(ICR):
		lapic_take_icr(l);
		l->icr = (l->icr & 0xffffffff00000000) | (value & (uint32_t)ICR_LEGAL_X2APIC & ~ICR_DELIVERY_STATUS);
		lapic_icr_send(l);
		return true;
	case REG(TIMER_INITIAL):
		return lapic_timer_write_initial(l, value);
	case REG(TIMER_DIVIDE):
		return lapic_timer_write_divide(l, value);
	default:
		return !l->x2apic && xapic_write(l, r, value);
	}
}

/* Where the guest reads a copy it is made anew (L5). */
static ALWAYS_INLINE bool reg_write(struct lapic *l, unsigned r, uint32_t value)
{
	bool ok = perform(l, r, value);

	if (unlikely(l->page))
		lapic_show(l, r * 16);
	return ok;
}

/* ---- without the lock ---- */

/* Fixed, or of lowest priority. */
#define ICR_PLAIN (ICR_LEGAL_X2APIC & ~(uint64_t)(ICR_DELIVERY(7 & ~APIC_LOWEST) | ICR_LEVEL))

/* The one in x2APIC mode that a physical destination names, as most do. NULL: it takes a look at all. */
static inline struct lapic *addressed(const struct lapic *l, uint64_t icr)
{
	uint64_t to = icr >> 32;
	struct lapic *other;

	if (((uint32_t)icr & ~(ICR_ASSERT | 0xffu)) || !l->bus || to >= l->bus->count)
		return NULL;
	other = l->bus->cpu[to];
	return other->id == to && __atomic_load_n(&other->x2apic, __ATOMIC_RELAXED) ? other : NULL;
}

static inline void send_to_self(struct lapic *l, uint64_t icr)
{
	if (l->sw_enabled && l->enabled)
		lapic_accept_own(l, (uint8_t)icr);
}

/* To all, or to all others; fixed. */
static inline void send_to_all(struct lapic *l, uint64_t icr)
{
	if (!VM_KEPT(LAPIC_SENT_OTHERS, ((uint32_t)icr & ICR_SHORTHAND(3)) == ICR_SHORTHAND(APIC_OTHERS)))
		send_to_self(l, icr);
	if (l->bus->count > 1)
		lapic_icr_to_others(l, icr);
}

/* In xAPIC mode: fixed, by a shorthand or to those that a physical destination names. false: it takes a look at all. */
static inline bool sent_plainly(struct lapic *l, uint64_t icr)
{
	uint8_t dest = (uint8_t)(icr >> 56);

	if (((uint32_t)icr & (ICR_SHORTHAND(3) | LVT_DELIVERY)) == ICR_SHORTHAND(APIC_SELF)) {
		send_to_self(l, icr);
		return true;
	}
	if (unlikely(!l->bus))
		return false;
	if (unlikely(((uint32_t)icr & ~(ICR_ASSERT | 0xffu)) || dest == 0xff)) {
		if (!((uint32_t)icr & ICR_SHORTHAND(2)) || ((uint32_t)icr & LVT_DELIVERY))
			return false;
		send_to_all(l, icr);
		return true;
	}
	for (unsigned n = 0; n < l->bus->count; n++) {
		struct lapic *to = l->bus->cpu[n];
		bool wide = __atomic_load_n(&to->x2apic, __ATOMIC_RELAXED);

		if (VM_LEFT_OUT_OR(LAPIC_SENT_ID,
				   (wide ? to->id : __atomic_load_n(&to->xapic_id, __ATOMIC_RELAXED)) == dest))
			lapic_icr_to(to, icr);
	}
	return true;
}

/* A fixed interrupt, or one of lowest priority, edge-triggered. */
static ALWAYS_INLINE bool icr_unlocked(struct lapic *l, uint64_t icr, const bool x2apic)
{
	struct lapic *to = x2apic ? addressed(l, icr) : NULL;

	if (unlikely((icr & ~ICR_PLAIN) || (uint8_t)icr < 16))
		return lapic_icr_signal(l, icr);
	l->icr = icr;
	if (to)
		lapic_icr_to(to, icr);
	else if (x2apic || !sent_plainly(l, icr))
		lapic_icr_to_some(l, icr);
	if (l->page && !x2apic)
		page_put(l, APIC_ICR, 0, (uint32_t)icr); /* the high half is what is there */
	else if (l->page)
		lapic_show_icr(l);
	return true;
}

/* L7: of one that was edge-triggered nobody waits for the EOI, whatever is posted from now on; of a level-triggered one
 * an I/O APIC does, or, with the lock, a pin of the local APIC's own. */
static bool eoi_unlocked(struct lapic *l)
{
	int16_t vector = lapic_highest_in_service(l);
	bool level = vector >= 0 && lapic_tmr_test(l, (unsigned)vector);

	if (level && VM_KEPT(LAPIC_EOI_LOCKED, __atomic_load_n(&l->remote_irr, __ATOMIC_SEQ_CST)))
		return false;
	if (unlikely(l->page)) {
		lapic_page_eoi(l, vector);
		return true;
	}
	lapic_leave_service(l);
	if (unlikely(level))
		lapic_eoi_done(l, (uint8_t)vector);
	return true;
}

bool lapic_eoi_done_unlocked(struct lapic *l, uint8_t vector)
{
	if (__atomic_load_n(&l->remote_irr, __ATOMIC_SEQ_CST))
		return false;
	lapic_eoi_done(l, vector);
	return true;
}

/* ---- by register, each on its own: what one needs of the CPU's registers none saves that does not ---- */

static __attribute__((noinline)) bool tpr_unlocked(struct lapic *l, uint8_t value)
{
	lapic_write_tpr(l, value);
	return true;
}

static __attribute__((noinline)) bool plain_unlocked(struct lapic *l, unsigned offset, uint32_t value)
{
	xapic_write(l, offset >> 4, value);
	if (unlikely(l->page))
		lapic_show(l, offset);
	return true;
}

/* What nothing is written to: there is no such register, which is an error (SDM, "Error Handling"), or it can only be
 * read. */
static __attribute__((noinline)) bool nothing_unlocked(struct lapic *l, unsigned offset)
{
	if (!lapic_is_read_only(offset))
		VM_MUTANT(LAPIC_ABSENT_WRITTEN, lapic_error(l, ESR_ILLEGAL_REGISTER));
	return true;
}

static __attribute__((noinline)) bool icr_mmio_unlocked(struct lapic *l, uint32_t value)
{
	value &= (uint32_t)ICR_LEGAL_X2APIC & ~ICR_DELIVERY_STATUS;
	return icr_unlocked(l, (uint64_t)lapic_icr_high(l) << 32 | value, false);
}

/* Registers of 32 bits at multiples of 16 bytes (SDM, "The Local APIC Block Diagram"); others are left to
 * lapic_mmio_write(). */
bool lapic_mmio_write_unlocked(struct lapic *l, uint64_t offset, unsigned size, uint64_t value)
{
	if (size < 4 || (offset & 15))
		return false;
	switch (offset / 16) { /* close together, for a table */
	case REG(TPR):
		return tpr_unlocked(l, (uint8_t)value);
	case REG(EOI):
		return eoi_unlocked(l);
	case REG(ICR):
		return icr_mmio_unlocked(l, (uint32_t)value);
	case REG(LVT_TIMER):
		return lapic_timer_write_lvt(l, lvt_masked(l, LVT_TIMER, (uint32_t)value));
	case REG(TIMER_INITIAL):
		return lapic_timer_write_initial(l, (uint32_t)value);
	case REG(TIMER_DIVIDE):
		return lapic_timer_write_divide(l, (uint32_t)value);
	case REG(ID):
	case REG(LDR):
	case REG(DFR):
	case REG(ICR_HIGH): /* L7 */
		return plain_unlocked(l, (unsigned)offset, (uint32_t)value);
	case REG(SVR):
	case REG(ESR):
	case REG(LVT_CMCI):
	case REG(LVT_TIMER) + 1 ... REG(LVT_ERROR):
		return false;
	default:
		return nothing_unlocked(l, (unsigned)offset);
	}
}

/* What else needs no lock in x2APIC mode: registers that need none in xAPIC mode, and an interrupt to oneself. What is
 * not legal is left to lapic_msr_write() (SDM, "Reserved Bit Checking"). */
static __attribute__((noinline)) bool wide_unlocked(struct lapic *l, unsigned r, uint64_t value)
{
	bool writable;

	if (VM_KEPT(LAPIC_LEGAL_UNLOCKED, value & ~lapic_x2apic_legal_bits(l, r, &writable)))
		return false;
	switch (r) {
	case REG(TPR):
	case REG(LVT_TIMER):
	case REG(TIMER_INITIAL):
	case REG(TIMER_DIVIDE):
		return lapic_mmio_write_unlocked(l, 16 * r, 4, value);
	case REG(SELF_IPI):
		lapic_self_ipi(l, (uint8_t)value);
		return true;
	default:
		return false;
	}
}

bool lapic_msr_write_unlocked(struct lapic *l, uint32_t msr, uint64_t value)
{
	if (!l->x2apic)
		return false;
	if (msr == MSR_X2APIC_ICR)
		return icr_unlocked(l, value, true);
	if (msr == MSR_X2APIC_EOI)
		return !value && eoi_unlocked(l);
	return wide_unlocked(l, msr - MSR_X2APIC_FIRST, value);
}

/* L7. What others write, of the pins, is one byte. */
uint64_t lapic_mmio_read_aligned(struct lapic *l, uint64_t offset, unsigned size)
{
	uint32_t value;

	if (unlikely(offset == APIC_TIMER_CURRENT) && size >= 4)
		return lapic_timer_current(l); /* which takes longest */
	if (unlikely(offset & 15))
		return 0; /* undefined by the SDM */
	if (unlikely(!reg_read(l, (unsigned)offset >> 4, &value))) {
		VM_MUTANT(LAPIC_ABSENT_READ, lapic_error(l, ESR_ILLEGAL_REGISTER));
		return 0;
	}
	return likely(size >= 4) ? value : value & MASK(8 * size - 1, 0);
}

uint32_t lapic_get(struct lapic *l, unsigned offset)
{
	uint32_t value;

	reg_read(l, offset / 16, &value);
	return value;
}

/* ---- xAPIC ---- */

uint64_t lapic_mmio_read(struct lapic *l, uint64_t offset, unsigned size)
{
	uint32_t value;
	if ((offset & 0xc) || (offset & 3) + size > 4) {
		if ((offset & 0xf) || size != 8)
			return 0; /* undefined by the SDM */
	}
	if (!reg_read(l, (unsigned)(offset >> 4 & 0xff), &value)) {
		lapic_error(l, ESR_ILLEGAL_REGISTER);
		return 0;
	}
	value >>= 8 * (offset & 3);
	return size < 4 ? value & MASK(8 * size - 1, 0) : value;
}

/* Undefined by the SDM. A byte of the TPR is written, as by CPUs that virtualize it ("Virtualizing Writes to the
 * APIC-Access Page"). */
static __attribute__((noinline, cold)) void odd_write(struct lapic *l, uint64_t offset, unsigned size, uint64_t value)
{
	if (offset == APIC_TPR && size == 1)
		lapic_write_tpr(l, (uint8_t)value);
}

/* SDM, "Error Handling": a register that is not there is an error, which tells no exception. */
void lapic_mmio_write(struct lapic *l, uint64_t offset, unsigned size, uint64_t value)
{
	if (unlikely((offset & 0xf) || size < 4)) {
		odd_write(l, offset, size, value);
		return;
	}
	if (!reg_write(l, (unsigned)(offset >> 4 & 0xff), (uint32_t)value))
		lapic_error(l, ESR_ILLEGAL_REGISTER);
}

/* ---- for lapic_msr.c ---- */

bool lapic_reg_read(struct lapic *l, unsigned r, uint32_t *value) { return reg_read(l, r, value); }
bool lapic_reg_write(struct lapic *l, unsigned r, uint32_t value) { return reg_write(l, r, value); }
