/* dev/irq/lapic_regs.c - the local APIC's registers, by offset (xAPIC) and by MSR (x2APIC). SDM, "Local APIC Register
 * Address Map", "Extended XAPIC (x2APIC)".
 *
 * Both faces share one numbering, offset / 16 = MSR - 0x800, one reader and one performer; what is legal in x2APIC mode
 * is decided before anything is performed. */
#include "dev/irq/lapic_internal.h"
#include "lib/mutants/mutate.h"

/* A register's number. */
#define REG(name) (APIC_##name / 16)

#define VERSION 0x14u /* 0x10 to 0x15: an integrated local APIC */
/* All but what is reserved, bits 31:20, 17:16 and 13, and the delivery status. */
#define ICR_LEGAL_X2APIC 0xffffffff000ccfffull

/* The entry of the local vector table at register r, or -1. */
static int lvt_of(const struct lapic *l, unsigned r)
{
	if (r >= REG(LVT_TIMER) && r <= REG(LVT_ERROR))
		return (int)(r - REG(LVT_TIMER)) + LVT_TIMER;
	return r == REG(LVT_CMCI) && (l->features & LAPIC_CMCI) ? LVT_CMCI : -1;
}

/* The bits of an entry that software can change. */
static uint32_t lvt_writable(const struct lapic *l, unsigned lvt)
{
	switch (lvt) {
	case LVT_TIMER:
		return LVT_VECTOR | LVT_MASKED |
		       (l->features & LAPIC_TSC_DEADLINE ? LVT_TIMER_MODE : LVT_TIMER_PERIODIC);
	case LVT_LINT0:
	case LVT_LINT1:
		return LVT_VECTOR | LVT_DELIVERY | LVT_POLARITY | LVT_LEVEL | LVT_MASKED;
	case LVT_ERROR:
		return LVT_VECTOR | LVT_MASKED;
	default:
		return LVT_VECTOR | LVT_DELIVERY | LVT_MASKED;
	}
}

static uint32_t lvt_read(const struct lapic *l, unsigned lvt)
{
	bool waiting = (lvt == LVT_LINT0 || lvt == LVT_LINT1) && (l->remote_irr >> (lvt - LVT_LINT0) & 1);
	return l->lvt[lvt] | (waiting ? LVT_REMOTE_IRR : 0);
}

static uint32_t version(const struct lapic *l)
{
	unsigned entries = l->features & LAPIC_CMCI ? 7 : 6;
	return VERSION | (entries - 1) << 16 | (l->features & LAPIC_DIRECTED_EOI ? 1u << 24 : 0);
}

static uint32_t svr_writable(const struct lapic *l)
{
	return SVR_ENABLED | 0xff | (l->features & LAPIC_DIRECTED_EOI ? SVR_SUPPRESS_EOI_BROADCAST : 0);
}

/* ---- reading ---- */

/* Those of which there are several in a row. false: it is none of them. */
static bool row_read(const struct lapic *l, unsigned r, uint32_t *value)
{
	int lvt = lvt_of(l, r);

	if (lvt >= 0)
		*value = lvt_read(l, (unsigned)lvt);
	else if (r >= REG(ISR) && r < REG(TMR))
		*value = lapic_isr_word(l, r - REG(ISR));
	else if (r >= REG(TMR) && r < REG(IRR))
		*value = l->tmr[r - REG(TMR)];
	else if (r >= REG(IRR) && r < REG(ESR))
		*value = lapic_irr_word(l, r - REG(IRR));
	else
		return false;
	return true;
}

/* false: there is no such register, or it cannot be read. */
static bool reg_read(struct lapic *l, unsigned r, uint32_t *value)
{
	*value = 0;
	switch (r) {
	case REG(ID): *value = l->x2apic ? l->id : (uint32_t)l->xapic_id << 24; break;
	case REG(VERSION): *value = version(l); break;
	case REG(TPR): *value = lapic_read_tpr(l); break;
	case REG(PPR): *value = lapic_ppr(l); break;
	case REG(LDR): *value = l->x2apic ? lapic_x2apic_logical_id(l) : (uint32_t)l->logical_id << 24; break;
	case REG(SVR): *value = l->svr; break;
	case REG(ESR): *value = l->esr; break;
	case REG(ICR): *value = (uint32_t)l->icr; break;
	case REG(TIMER_INITIAL): *value = l->timer_initial; break;
	case REG(TIMER_CURRENT): *value = lapic_timer_current(l); break;
	case REG(TIMER_DIVIDE): *value = l->divide; break;
	/* xAPIC only */
	case REG(DFR): *value = (uint32_t)l->dfr << 28 | 0x0fffffff; return !l->x2apic;
	case REG(ICR_HIGH): *value = (uint32_t)(l->icr >> 32); return !l->x2apic;
	case REG(APR):
	case REG(RRD):
	case REG(EOI): return !l->x2apic; /* read as 0 */
	default: return row_read(l, r, value);
	}
	return true;
}

/* ---- writing ---- */

/* While it is disabled by software all entries of the local vector table are masked, and stay so (SDM, "Local APIC
 * State After It Has Been Software Disabled"). */
static void svr_write(struct lapic *l, uint32_t value)
{
	l->svr = value & svr_writable(l);
	lapic_take_posted(l); /* while it is enabled: what has been accepted stays */
	__atomic_store_n(&l->sw_enabled, l->svr & SVR_ENABLED, __ATOMIC_SEQ_CST);
	if (l->sw_enabled)
		return;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		if (i != LVT_TIMER)
			l->lvt[i] |= LVT_MASKED;
	lapic_timer_write_lvt(l, l->lvt[LVT_TIMER] | LVT_MASKED);
}

static void lvt_write(struct lapic *l, unsigned lvt, uint32_t value)
{
	value &= lvt_writable(l, lvt);
	if (!l->sw_enabled)
		value |= LVT_MASKED;
	if (lvt == LVT_TIMER) {
		lapic_timer_write_lvt(l, value);
		return;
	}
	l->lvt[lvt] = value;
	if (lvt == LVT_LINT0 || lvt == LVT_LINT1)
		lapic_lint_changed(l);
}

static struct apic_message icr_message(const struct lapic *l, uint64_t icr)
{
	return (struct apic_message){
		.dest = l->x2apic ? (uint32_t)(icr >> 32) : (uint32_t)(icr >> 56),
		.vector = (uint8_t)icr,
		.delivery = apic_delivery_of(icr),
		.shorthand = icr >> 18 & 3,
		.logical = icr & ICR_LOGICAL,
		.level = icr & ICR_LEVEL,
		.assert = icr & ICR_ASSERT,
		.wide = l->x2apic,
	};
}

/* Sends what l->icr says; a vector below 16 is an error instead (SDM, "Error Handling": Send Illegal Vector). */
static void icr_send(struct lapic *l)
{
	struct apic_message m = icr_message(l, l->icr);
	bool vectored = m.delivery == APIC_FIXED || m.delivery == APIC_LOWEST;
	if (vectored && m.vector < 16) {
		lapic_error(l, ESR_SEND_ILLEGAL_VECTOR);
		return;
	}
	if (m.delivery == APIC_EXTINT || m.delivery == 3)
		return; /* not defined for ICR: sent, and nobody listens */
	if (m.delivery != APIC_INIT)
		m.level = false; /* IPIs are edge-triggered */
	l->host->ipi(l->ctx, l, &m);
}

static void esr_write(struct lapic *l)
{
	l->esr = l->esr_pending;
	l->esr_pending = 0;
}

/* As for the ICR. */
void lapic_self_ipi(struct lapic *l, uint8_t vector)
{
	struct apic_message m = { .vector = vector, .delivery = APIC_FIXED, .shorthand = APIC_SELF, .assert = true };
	if (vector < 16)
		lapic_error(l, ESR_SEND_ILLEGAL_VECTOR);
	else
		lapic_deliver(l, &m);
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
	int lvt = lvt_of(l, r);
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
		l->icr = (l->icr & 0xffffffff00000000) | (value & (uint32_t)ICR_LEGAL_X2APIC & ~ICR_DELIVERY_STATUS);
		icr_send(l);
		return true;
	case REG(TIMER_INITIAL):
		lapic_timer_write_initial(l, value);
		return true;
	case REG(TIMER_DIVIDE):
		lapic_timer_write_divide(l, value);
		return true;
	default:
		return !l->x2apic && xapic_write(l, r, value);
	}
}

static __attribute__((noinline)) bool perform_and_show(struct lapic *l, unsigned r, uint32_t value)
{
	bool ok = perform(l, r, value);

	lapic_show(l, r * 16);
	return ok;
}

static ALWAYS_INLINE bool reg_write(struct lapic *l, unsigned r, uint32_t value)
{
	if (likely(!l->page))
		return perform(l, r, value);
	return perform_and_show(l, r, value);
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

static __attribute__((noinline)) void send_to_some(struct lapic *l, uint64_t icr)
{
	struct apic_message m = icr_message(l, icr);

	l->host->ipi(l->ctx, l, &m);
}

/* A fixed interrupt, or one of lowest priority, edge-triggered. */
static ALWAYS_INLINE bool icr_unlocked(struct lapic *l, uint64_t icr)
{
	struct lapic *to = l->x2apic ? addressed(l, icr) : NULL;

	if ((icr & ~ICR_PLAIN) || (uint8_t)icr < 16)
		return false;
	l->icr = icr;
	if (!to)
		send_to_some(l, icr);
	else if (__atomic_load_n(&to->sw_enabled, __ATOMIC_RELAXED) && __atomic_load_n(&to->enabled, __ATOMIC_RELAXED))
		lapic_accept(to, (uint8_t)icr, false);
	if (l->page)
		lapic_show_icr(l);
	return true;
}

/* L7: of one that was edge-triggered nobody waits for the EOI, whatever is posted from now on. */
static bool eoi_unlocked(struct lapic *l)
{
	if (VM_KEPT(LAPIC_EOI_LOCKED,
		    unlikely(l->page) || (l->isr_max >= 0 && lapic_tmr_test(l, (unsigned)l->isr_max))))
		return false;
	lapic_leave_service(l);
	return true;
}

bool lapic_msr_write_unlocked(struct lapic *l, uint32_t msr, uint64_t value)
{
	if (!l->x2apic)
		return false;
	if (msr == MSR_X2APIC_ICR)
		return icr_unlocked(l, value);
	if (msr == MSR_X2APIC(APIC_TIMER_INITIAL) && !(value >> 32))
		return reg_write(l, REG(TIMER_INITIAL), (uint32_t)value);
	return msr == MSR_X2APIC_EOI && !value && eoi_unlocked(l);
}

bool lapic_mmio_write_unlocked(struct lapic *l, uint64_t offset, unsigned size, uint64_t value)
{
	if (size != 4)
		return false;
	if (offset == APIC_TPR) {
		lapic_write_tpr(l, (uint8_t)value);
		return true;
	}
	if (offset == APIC_EOI)
		return eoi_unlocked(l);
	if (offset == APIC_ICR) {
		lapic_take_icr(l);
		value &= 0xffffffff & ~(uint64_t)ICR_DELIVERY_STATUS;
		return icr_unlocked(l, (l->icr & 0xffffffff00000000) | value);
	}
	return offset == APIC_TIMER_INITIAL && reg_write(l, REG(TIMER_INITIAL), (uint32_t)value);
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
	if ((offset & 0xfe0) == APIC_ICR) /* or its high half */
		lapic_take_icr(l);
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

void lapic_mmio_write(struct lapic *l, uint64_t offset, unsigned size, uint64_t value)
{
	if (unlikely((offset & 0xf) || size < 4)) {
		odd_write(l, offset, size, value);
		return;
	}
	lapic_take_icr(l);
	if (!reg_write(l, (unsigned)(offset >> 4 & 0xff), (uint32_t)value))
		lapic_error(l, ESR_ILLEGAL_REGISTER);
}

/* ---- MSRs ---- */

/* The bits that may be set in a write to register r in x2APIC mode; writable: the register can be written at all. SDM,
 * "x2APIC Register Address Space", "Reserved Bit Checking". */
static uint64_t x2apic_legal_bits(const struct lapic *l, unsigned r, bool *writable)
{
	int lvt = lvt_of(l, r);
	*writable = true;
	if (lvt == LVT_LINT0 || lvt == LVT_LINT1)
		return lvt_writable(l, (unsigned)lvt) | LVT_DELIVERY_STATUS | LVT_REMOTE_IRR;
	if (lvt >= 0)
		return lvt_writable(l, (unsigned)lvt) | LVT_DELIVERY_STATUS;
	switch (r) {
	case REG(TPR):
	case REG(SELF_IPI):
		return 0xff;
	case REG(EOI):
	case REG(ESR):
		return 0;
	case REG(SVR):
		return svr_writable(l);
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

static bool x2apic_msr_write(struct lapic *l, unsigned r, uint64_t value)
{
	bool writable;
	uint64_t legal = x2apic_legal_bits(l, r, &writable);
	if (!l->x2apic || !writable || (value & ~legal))
		return false;
	if (r == REG(SELF_IPI)) {
		lapic_self_ipi(l, (uint8_t)value);
		return true;
	}
	if (r == REG(ICR))
		l->icr = value & 0xffffffff00000000;
	return reg_write(l, r, (uint32_t)value);
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
	if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST || !l->x2apic || !reg_read(l, msr - MSR_X2APIC_FIRST, &low))
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
