/* test/vm/apic.c - the bench's CPU where it serves the guest's local APIC: what is asked at each entry, and what the
 * guest does to the page without an exit, or with one (test/unit/dev/irq/virtual_apic.h). */
#include "test/vm/cpu.h"

#include "lib/apic.h"
#include "test/unit/dev/irq/virtual_apic.h"
#include "vmx/bitmaps.h"

/* The virtual-APIC page; NULL: there is no TPR shadow. */
static uint8_t *virtual_page(void)
{
	if (!(vmcs_get(VMCS_PROC_CONTROLS) & PROC_TPR_SHADOW))
		return NULL;
	return (uint8_t *)(uintptr_t)host_memory(vmcs_get(VMCS_VIRTUAL_APIC_ADDRESS), PAGE_SIZE);
}

static bool delivers(void)
{
	return virtual_page() && (vmcs_get(VMCS_PROC_CONTROLS) & PROC_SECONDARY) &&
	       (vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_VIRTUAL_INTERRUPTS);
}

/* ---- what the CPU keeps, in the VMCS ---- */

static struct virtual_apic take(void)
{
	uint64_t status = vmcs_get(VMCS_GUEST_INTERRUPT_STATUS);
	struct virtual_apic v = { .page = virtual_page(), .rvi = (uint8_t)status, .svi = (uint8_t)(status >> 8) };

	for (unsigned n = 0; n < 4; n++)
		v.eoi_exits[n] = vmcs_get(VMCS_EOI_EXIT_BITMAP0 + 2 * n);
	virtual_entry(&v);
	return v;
}

static void put(const struct virtual_apic *v)
{
	vmcs_put(VMCS_GUEST_INTERRUPT_STATUS, (uint64_t)v->svi << 8 | v->rvi);
}

/* SDM, "Virtual-Interrupt Delivery": with interrupts open, and no window asked for. */
static void deliver(struct virtual_apic *v)
{
	bool open = (vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_IF) &&
		    !(vmcs_get(VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW) &&
		    !(vmcs_get(VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_STI | BLOCKING_MOV_SS));
	int vector = open ? virtual_deliver(v) : -1;

	if (vector >= 0)
		bench.entry.event = (uint32_t)(EVENT_VALID | EVENT_TYPE_EXTERNAL) | (uint32_t)vector;
}

void bench_apic_entered(void)
{
	struct virtual_apic v;

	if (!delivers())
		return;
	v = take();
	if (!bench.entry.event)
		deliver(&v);
	put(&v);
}

/* ---- what is asked at an entry ---- */

static unsigned highest(const uint8_t *page, unsigned set)
{
	for (unsigned v = 255; v; v--)
		if (page[set + v / 32 * 16 + v % 32 / 8] >> v % 8 & 1)
			return v;
	return 0;
}

static bool exits_are(const uint32_t *tmr)
{
	for (unsigned n = 0; n < 8; n++)
		if ((uint32_t)(vmcs_get(VMCS_EOI_EXIT_BITMAP0 + n / 2 * 2) >> n % 2 * 32) != tmr[n])
			return false;
	return true;
}

static const char *handed_rightly(const struct lapic *l)
{
	uint64_t status = vmcs_get(VMCS_GUEST_INTERRUPT_STATUS);
	const uint8_t *page = virtual_page();

	for (unsigned n = 0; n < 8; n++)
		if (l->irr[n] || l->posted[n])
			return "TP4: what was accepted is in the CPU's page";
	if ((status & 0xff) != highest(page, APIC_IRR))
		return "TP4: RVI is the highest vector in IRR";
	if (status >> 8 != highest(page, APIC_ISR))
		return "TP4: SVI is the highest vector in ISR";
	return exits_are(l->tmr) ? NULL : "TP4: the EOIs exit of the vectors that an I/O APIC or a pin waits for";
}

const char *bench_apic_rightly(struct vcpu *v)
{
	bool window = vmcs_get(VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW;
	const uint8_t *page = virtual_page();
	unsigned threshold = page ? (unsigned)vmcs_get(VMCS_TPR_THRESHOLD) : 0;

	if (delivers()) {
		if (!window && lapic_extint(&v->lapic))
			return "an interrupt of the 8259 that can be delivered is, or its window is asked for";
		return handed_rightly(&v->lapic);
	}
	if (page && threshold != (window ? 0 : lapic_tpr_threshold(&v->lapic)))
		return "TP3: the TPR threshold is the class of what the TPR holds back, or 0 for the window";
	if (page && threshold > (unsigned)page[APIC_TPR] >> 4)
		return "TP3: the TPR threshold is not above the class of the TPR, else the entry is an exit";
	/* A TPR in the guest's memory is whatever the guest has written since, and stubs tell of it later. */
	if (v->lapic.tpr == (void *)(uintptr_t)(v->vm->patch.data ? v->vm->patch.data + PATCH_DATA_TPR : NULL))
		return NULL;
	if (!window && (lapic_pending(&v->lapic) >= 0 || lapic_extint(&v->lapic)))
		return "an interrupt that can be delivered is, or its window is asked for";
	return NULL;
}

/* ---- what the guest does ---- */

static enum bench_at done(struct virtual_apic *v, struct virtual_exit x)
{
	if (!x.reason)
		deliver(v);
	put(v);
	return x.reason ? bench_exit(&(struct bench_exit){ .reason = x.reason, .qualification = x.number }) : bench.at;
}

enum bench_at bench_apic_write(unsigned offset, unsigned size, uint32_t value)
{
	struct virtual_apic v = take();

	BUG_ON(!delivers());
	return done(&v, virtual_write(&v, offset, size, value));
}

bool bench_apic_read(unsigned offset, uint32_t *value)
{
	struct virtual_apic v = take();

	BUG_ON(!delivers());
	return !virtual_read(&v, offset, 4, value).reason;
}

/* SDM, "MSR-Bitmap Address": of the low MSRs, writes begin at byte 2048. */
static bool passes(uint32_t msr, unsigned part)
{
	const uint8_t *bitmap = (const uint8_t *)(uintptr_t)vmcs_get(VMCS_MSR_BITMAP);

	return delivers() && (vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_X2APIC) && msr >> 8 == 8 &&
	       !(bitmap[part + msr / 8] >> msr % 8 & 1);
}

bool bench_apic_wrmsr(uint32_t msr, uint64_t value, enum bench_at *at)
{
	struct virtual_apic v;

	if (!passes(msr, 2048))
		return false;
	v = take();
	*at = done(&v, virtual_wrmsr(&v, msr, value));
	return true;
}

bool bench_apic_rdmsr(uint32_t msr, uint64_t *value)
{
	struct virtual_apic v;

	if (!passes(msr, 0))
		return false;
	v = take();
	*value = virtual_rdmsr(&v, msr);
	return true;
}

enum bench_at bench_write_tpr(uint8_t value)
{
	uint8_t *page = virtual_page();
	struct virtual_apic v;

	BUG_ON(!page);
	if (delivers()) {
		v = take();
		virtual_set_tpr(&v, value);
		return done(&v, (struct virtual_exit){ VIRTUAL_NO_EXIT, 0 });
	}
	page[APIC_TPR] = value;
	/* SDM, "TPR Virtualization". */
	if (value >> 4 < vmcs_get(VMCS_TPR_THRESHOLD))
		return bench_exit_simple(EXIT_TPR_BELOW_THRESHOLD, 0);
	return bench.at;
}
