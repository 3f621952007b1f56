/* dev/irq/lapic.h - the local APIC of one virtual CPU: xAPIC and x2APIC. SDM, chapter "Advanced Programmable Interrupt
 * Controller".
 *
 * Reading order: lapic.c (acceptance, priority, delivery, reset), lapic_timer.c, lapic_regs.c (the registers, by offset
 * and by MSR), lapic_virtual.c (where the CPU itself serves the guest). The APIC timer counts TSC ticks divided by
 * the divide configuration, nothing else: its "bus clock" is tsc_hz. Interrupts of a periodic timer that were missed,
 * or come faster than LAPIC_MIN_PERIOD_US, merge into one; the count read back is exact all the same.
 *
 * L1  irr_max / isr_max are the highest set bit of irr / isr, or -1.
 * L2  The task-priority register is *tpr and nowhere else: where lapic_keep_tpr() has put it, perhaps where the CPU
 *     itself reads and writes it for the guest, at any time that the guest runs. So nothing that follows from it is
 *     kept.
 * L3  irq_maybe is set whenever lapic_pending() or lapic_extint() would offer an interrupt, or the vCPU's own CPU is
 *     about to look. It may be set when they would not. With a page (L5) it is not set for what was there when that CPU
 *     looked (lapic_hand): the CPU has been handed it, or, of an ExtINT, asks for its window. What comes later is to be
 *     handed before the next entry, for the guest sees IRR.
 * L4  a vector below 16 never enters irr.
 * L5  With a page (lapic_virtualize) the CPU delivers interrupts by itself: ISR, and those of IRR that it knows of, are
 *     in the page and nowhere else, isr is empty, and irr is what has been accepted since lapic_hand(). In xAPIC mode
 *     ICR is there too. All other registers are here, and in the page is a copy for the guest to read: written on the
 *     vCPU's own CPU only, by when what the guest has written there was taken (lapic_wrote).
 * L6  What is accepted is posted, by any CPU and without a lock: first tmr, then the bit in posted, then that of its
 *     word in posted_words, then irq_maybe; and where that was not set, the vCPU is kicked. The vCPU's own CPU clears
 *     irq_maybe before it takes what is posted into irr. So whatever was posted before it looked is seen by that look,
 *     and for what comes later there is another.
 * L7  irr, isr, what is in the page, ICR and the registers of the guest's own accesses are written by the vCPU's own
 *     CPU only (or by who has frozen its VM), which so needs no lock for them. The device lock is needed for what the
 *     8259 writes too: lint and remote_irr, of the boot processor's; and the timers of a vCPU that devices share
 *     (vm/platform.c). What others read of it, to find whom a message is for, is written atomically, and so is
 *     esr_pending. Signals (INIT, start-up IPI, NMI) are their owner's, and need no lock either. */
#ifndef VELLUM_DEV_LAPIC_H
#define VELLUM_DEV_LAPIC_H

#include "dev/irq/apic_message.h"
#include "dev/dev.h"
#include "lib/x86_msr.h"

#define LAPIC_MIN_PERIOD_US 50u

/* What the guest's CPUID offers; decides what exists here. */
#define LAPIC_X2APIC BIT(0)
#define LAPIC_TSC_DEADLINE BIT(1)
#define LAPIC_CMCI BIT(2)         /* the CMCI LVT entry */
#define LAPIC_DIRECTED_EOI BIT(3) /* SVR can suppress EOI broadcasts */

enum { LVT_CMCI, LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

/* What the local APIC needs from the owner of the vCPU. All may be called without the device lock
 * (lapic_msr_write_unlocked, lapic_mmio_write_unlocked, lapic_wrote_unlocked, lapic_eoi_done_unlocked). */
struct lapic_host {
	/* ICR was written: usually apic_bus_send(bus, m, from). */
	void (*ipi)(void *ctx, struct lapic *from, const struct apic_message *m);
	/* EOI of a level-triggered vector, not suppressed: ioapic_eoi(). */
	void (*eoi)(void *ctx, struct lapic *from, uint8_t vector);
	/* irq_maybe went from false to true: the vCPU must look at it before it next enters, or leave the guest, or
	 * wake up. */
	void (*kick)(void *ctx, struct lapic *l);
	/* APIC_SMI, APIC_NMI, APIC_INIT or APIC_SIPI (then vector is meaningful) has arrived; the vCPU keeps it
	 * pending. On INIT the vCPU calls lapic_init_reset() when it takes the INIT. */
	void (*signal)(void *ctx, struct lapic *l, enum apic_delivery what, uint8_t vector);
};

/* Accesses to the TPR that somebody had to make for the guest. */
struct lapic_tpr_count {
	uint64_t reads, writes;
};

struct lapic {
	bool irq_maybe; /* the run loop's word: nothing to inject while false (L3, L6) */
	bool enabled; /* IA32_APIC_BASE.EN */
	bool x2apic;
	bool sw_enabled; /* SVR bit 8 */
	uint32_t *tpr, own_tpr; /* L2 */
	int16_t irr_max, isr_max;
	uint32_t irr[8], isr[8], tmr[8];
	uint32_t posted[8], posted_words; /* L6: bit n of the latter, that posted[n] may not be 0 */
	uint32_t *page;  /* L5; or NULL */
	bool stale;      /* the page's copy is not what is here */
	bool tmr_stale;  /* the same of its TMR, and of what the CPU was told of it */
	bool status_stale; /* IRR or ISR in the page were changed by others than the CPU */
	uint8_t irr_words; /* the words of irr that may not be 0 */

	struct lapic_tpr_count tpr_count;

	uint64_t base; /* IA32_APIC_BASE */
	uint64_t features, base_reserved;
	uint32_t id; /* the initial (x2APIC) id */
	uint8_t xapic_id, logical_id, dfr; /* as the xAPIC registers' bits 31..24, 31..24 and 31..28 */
	uint32_t svr, esr, esr_pending;
	uint64_t icr;
	uint32_t lvt[LVT_COUNT];
	bool lint[2]; /* levels of the pins */
	uint8_t remote_irr; /* LVT_LINT0/1 level-triggered, delivered, no EOI yet: bits 0 and 1 */

	struct timers *timers;
	struct timer timer;
	uint64_t tsc_offset;   /* guest TSC = ticks + tsc_offset */
	uint64_t tsc_deadline; /* as the guest wrote it; 0 disarmed */
	uint64_t timer_start;  /* ticks when counting from timer_initial began */
	uint32_t timer_initial;
	uint8_t timer_shift; /* log2 of the divisor */
	uint8_t divide;      /* the divide configuration register */
	/* a one-shot count has ended: the current count stays 0 until an initial count is written */
	bool timer_done;

	const struct lapic_host *host;
	void *ctx;
	struct apic_bus *bus; /* where the ones whose id is their place are found at once; or NULL */
};

/* id: the initial APIC ID (CPUID); physaddr_bits bounds IA32_APIC_BASE. Power-up state, xAPIC mode. */
void lapic_init(struct lapic *l, struct timers *timers, uint32_t id, bool bsp, uint64_t features,
		unsigned physaddr_bits, const struct lapic_host *host, void *ctx);
/* The state after power-up: IA32_APIC_BASE too. */
FOR_TESTS void lapic_reset(struct lapic *l);
/* What a BIOS leaves on the boot processor: software-enabled, LINT0 passes the PIC's interrupts on, LINT1 is NMI. For
 * loaders that start a kernel without a BIOS. */
void lapic_virtual_wire(struct lapic *l);
/* The state after INIT: IA32_APIC_BASE and the id stay. */
void lapic_init_reset(struct lapic *l);
/* guest TSC = ticks + offset (modulo 2^64); rearms a pending deadline. On its own CPU, without a lock, as a write to
 * the deadline. */
void lapic_set_tsc_offset(struct lapic *l, uint64_t offset);

/* dev/irq/irq_state.c; the CPU does not serve the guest (lapic_virtualize), whose VM is frozen. */
void lapic_state(struct fields *s, struct lapic *l);

/* ---- registers ---- */

static inline uint64_t lapic_base_gpa(const struct lapic *l) { return l->base & ~0xfffull; }
/* The page at lapic_base_gpa() answers (EN, not x2APIC). */
static inline bool lapic_mmio_active(const struct lapic *l) { return l->enabled && !l->x2apic; }
/* offset 0..0xfff within the page; size 1, 2, 4 or 8. Registers are 32 bits wide at multiples of 16; other writes are
 * ignored. They are read without the device lock, on the vCPU's own CPU (L7). */
uint64_t lapic_mmio_read(struct lapic *l, uint64_t offset, unsigned size);
void lapic_mmio_write(struct lapic *l, uint64_t offset, unsigned size, uint64_t value);
/* IA32_APIC_BASE, IA32_TSC_DEADLINE and 0x800-0x8ff. false: #GP(0), and nothing has changed. They are read without the
 * device lock, on the vCPU's own CPU (L7). */
bool lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *value);
bool lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t value);
/* The same without the device lock, for what needs none, on the vCPU's own CPU: what is sent by ICR or to oneself, an
 * EOI where no pin of its own waits for it, the timer's registers, the TPR. false: nothing was done; it needs the lock,
 * or is not legal. */
bool lapic_msr_write_unlocked(struct lapic *l, uint32_t msr, uint64_t value);
bool lapic_mmio_write_unlocked(struct lapic *l, uint64_t offset, unsigned size, uint64_t value);
/* The fast path of WRMSR to IA32_TSC_DEADLINE; same as lapic_msr_write(). */
bool lapic_write_tsc_deadline(struct lapic *l, uint64_t guest_tsc);

/* The guest's accesses to its TPR, which are counted; value: all of it (CR8 << 4). */
void lapic_write_tpr(struct lapic *l, uint8_t tpr);
uint8_t lapic_read_tpr(struct lapic *l);
/* A read of 1, 2, 4 or 8 bytes at a multiple of 4 without the device lock, on the vCPU's own CPU. */
uint64_t lapic_mmio_read_aligned(struct lapic *l, uint64_t offset, unsigned size);
/* Uncounted. */
FOR_TESTS void lapic_set_tpr(struct lapic *l, uint8_t tpr);
static inline uint8_t lapic_tpr(const struct lapic *l) { return (uint8_t)__atomic_load_n(l->tpr, __ATOMIC_RELAXED); }
/* The processor-priority register. */
uint8_t lapic_ppr(const struct lapic *l);
/* *tpr was lowered by somebody else: something may have become deliverable. */
void lapic_tpr_lowered(struct lapic *l);
/* Keeps the TPR in *tpr from now on, with its value of now; NULL: in l itself. *tpr lives until the next call. */
void lapic_keep_tpr(struct lapic *l, uint32_t *tpr);
/* A vector's class, and that of a priority: SDM, "Interrupt, Task, and Processor Priority". */
#define APIC_CLASS 0xf0u
/* The class of priority below which the TPR must fall for an interrupt to become deliverable, 1 to 15: that of the
 * highest one that waits, which is then the smaller of both (TP3 in vm/tpr/tpr.c). 0: none waits, or what it waits for
 * is not the TPR but the end of an interrupt in service, or a moment in which interrupts are open. */
unsigned lapic_held_back(const struct lapic *l);
/* The same. Mostly one look tells that it is not the TPR. */
static inline unsigned lapic_tpr_threshold(const struct lapic *l)
{
	bool above = ((unsigned)l->irr_max & APIC_CLASS) > (lapic_tpr(l) & APIC_CLASS); /* so is -1, which is none */

	return above && !l->page ? 0 : lapic_held_back(l);
}

/* The 32-bit logical ID of x2APIC mode. */
static inline uint32_t lapic_x2apic_logical_id(const struct lapic *l)
{
	return (l->id >> 4) << 16 | 1u << (l->id & 15);
}

/* ---- the CPU serves the guest ---- */

/* From now on the CPU does so in page, whose TPR is *tpr already (lapic_keep_tpr), or, NULL, no longer: nothing that
 * waits or is in service is lost. The guest is not running. */
void lapic_virtualize(struct lapic *l, uint32_t *page);
/* What the CPU is to know before the guest goes on (SDM, "Guest Non-Register State" and "EOI Virtualization"). */
struct lapic_handed {
	uint8_t requested;     /* the highest vector that waits, 0: none; or, without .all, of those that are new */
	uint8_t serviced;      /* with .all: the highest in service */
	bool all;              /* it cannot know from what it has been told before */
	bool eoi_notify_stale; /* of which EOIs it must tell has changed: those of the vectors in tmr */
};
/* All that waits is in the page then. On the vCPU's own CPU, before it enters, after everything that came to l. */
struct lapic_handed lapic_hand(struct lapic *l);
/* The guest has written to the page at this offset, and the CPU has left the rest to do. */
void lapic_wrote(struct lapic *l, unsigned offset);
/* The same, as lapic_mmio_write_unlocked(). */
bool lapic_wrote_unlocked(struct lapic *l, unsigned offset);
/* The CPU has done the EOI of vector, somebody else may wait for it. */
void lapic_eoi_done(struct lapic *l, uint8_t vector);
/* The same without the device lock; false: it needs that. */
bool lapic_eoi_done_unlocked(struct lapic *l, uint8_t vector);

/* ---- interrupts ---- */

/* Accept m, which is addressed to l (apic_bus_send() does the matching). false: not accepted (disabled APIC). */
bool lapic_deliver(struct lapic *l, const struct apic_message *m);
/* The levels of the LINT0 (the PIC's INT output, on the BSP) and LINT1 (NMI) pins. */
void lapic_set_lint(struct lapic *l, unsigned pin, bool level);
/* Can the PIC's output bring an NMI or an INIT? */
bool lapic_lint_unmaskable(const struct lapic *l);

/* The highest vector that may be delivered now, or -1. Clears irq_maybe when there is nothing (no ExtINT either). On
 * the vCPU's own CPU. */
int lapic_pending(struct lapic *l);
/* Take it: vector (from lapic_pending()) moves from IRR to ISR. */
void lapic_ack(struct lapic *l, uint8_t vector);
/* LINT0 lets the PIC's interrupts through: ExtINT unmasked, or the APIC hardware-disabled. */
bool lapic_accepts_extint(const struct lapic *l);
/* The PIC asks and is let through: take it with pic_ack(). Comes before lapic_pending() in priority. */
static inline bool lapic_extint(const struct lapic *l)
{
	return unlikely(__atomic_load_n(&l->lint[0], __ATOMIC_SEQ_CST)) && lapic_accepts_extint(l);
}

#endif
