/* vm/tpr/tpr.c - how the guest's accesses to its local APIC's priority register (TPR) are virtualized: by trap, each
 * an exit; by patching the guest's instructions (vm/tpr/patch.c); by what Intel calls FlexPriority, by the CPU itself;
 * or by what it calls APICv, where the CPU serves other registers too and delivers the interrupts. docs/interrupts.md
 * has the way of an interrupt.
 *
 * Under flexpriority and apicv each virtual CPU has a page laid out as a local APIC's, in which the CPU keeps the TPR
 * (L2 in dev/irq/lapic.h), and the virtual machine a frame that the CPU knows: an access of the guest's paging to it
 * becomes one to that page, or an exit. The heart maps the frame where the guest's local APIC is (SLOT_APIC).
 *
 * TP1 The frame is mapped only while every virtual CPU runs with it as the page of its APIC: none can read or write the
 *     frame itself, which so stays all zero. That is, it is given to the CPUs before it is mapped, and taken from them
 *     after it was unmapped and that was flushed.
 * TP2 It is mapped where the local APIC's registers answer for all virtual CPUs alike: at the address that all of them
 *     have in IA32_APIC_BASE, while none is disabled or in x2APIC mode, and where nothing else is. Elsewhere accesses
 *     are trapped.
 *     In x2APIC mode nothing is mapped, and the CPU serves the TPR's MSR instead, where it can.
 * TP5 Where a local APIC lies over memory, the memory's page is covered (OV6 in mmu/overlay.c), under every method:
 *     whoever accesses it exits, and finds his own local APIC there, or else the memory.
 * TP3 Before each entry the threshold is lapic_tpr_threshold(): it is computed anew when either changes, for
 *     whoever changes what waits, what is in service or the TPR asks for a look at the events (lapic_notice). While
 *     the interrupt window is asked for, it is 0: all is looked at then. (So it is for the 8259's interrupts, which no
 *     TPR holds back: while one waits, nobody asks for another look, L3 in dev/irq/lapic.h.)
 * TP4 Under apicv, before each entry, all that the local APIC has accepted is in the CPU's page, it knows the
 *     highest there of IRR and ISR, and the EOIs that exit are those of the vectors in TMR: what waits for an EOI is a
 *     level-triggered line. The same looks keep it. */
#include "vm/vm.h"

#include "host/cpu/percpu.h"
#include "host/device/console.h"
#include "host/memory/frames.h"
#include "lib/apic.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/live/live.h"

#define NOWHERE GFN(~0ull)

/* NULL, or one clause that says what this CPU lacks for it. Each needs those before it (SDM, "VM-Execution Control
 * Fields"). */
static const char *lacking(enum config_tpr method)
{
	if (method == CONFIG_TPR_TRAP || method == CONFIG_TPR_PATCH)
		return NULL;
	if (VM_LEFT_OUT_OR(FLEX_SHADOW, !machine.caps.tpr_shadow))
		return "the CPU has no TPR shadow";
	if (VM_LEFT_OUT_OR(FLEX_ACCESS, !machine.caps.apic_access))
		return "the CPU has a TPR shadow, but does not virtualize APIC accesses";
	if (method != CONFIG_TPR_APICV)
		return NULL;
	if (VM_KEPT(APICV_REGISTERS, !machine.caps.apic_registers))
		return "the CPU does not virtualize the APIC's registers but for the TPR";
	return VM_KEPT(APICV_DELIVERY, !machine.caps.virtual_interrupts) ?
		       "the CPU does not deliver virtual interrupts" : NULL;
}

static bool by_cpu(enum config_tpr method) { return method == CONFIG_TPR_FLEXPRIORITY || method == CONFIG_TPR_APICV; }

/* ---- where the frame is mapped ---- */

static struct slot apic_slot(struct vm *vm, gfn_t gfn)
{
	return (struct slot){ .base = gfn, .pages = 1, .kind = SLOT_APIC, .type = MEMTYPE_WB,
			      .backing = &vm->tpr.backing.backing };
}

static struct slot trapped_slot(gfn_t gfn)
{
	return (struct slot){ .base = gfn, .pages = 1, .kind = SLOT_MMIO, .type = MEMTYPE_UC };
}

/* TP2. */
static gfn_t wanted_page(const struct vm *vm)
{
	const struct lapic *first = &vm_boot_vcpu(vm)->lapic;
	const struct vcpu *v;

	if (!by_cpu(vm->tpr.method))
		return NOWHERE;
	for_each_vcpu(v, vm)
		if (VM_KEPT(PAGE_ACTIVE, !lapic_mmio_active(&v->lapic)) ||
		    lapic_base_gpa(&v->lapic) != lapic_base_gpa(first))
			return NOWHERE;
	return gpa_gfn(GPA(lapic_base_gpa(first)));
}

/* Removing a slot flushes what was mapped of it, so that nobody has a translation to the frame. Adding needs no flush:
 * what the guest's TLBs hold of an MMIO leaf or of nothing is nothing. SDM, "Guidelines for Use of the INVVPID
 * Instruction", wants one where such a page moves or begins to be one: it is the first of these. */
static void unmap_page(struct vm *vm)
{
	gfn_t was = vm->tpr.page_at;
	struct slot trapped = trapped_slot(was);

	if (was.v == NOWHERE.v)
		return;
	VM_MUTANT(PAGE_UNMAPPED, mmu_slot_remove(&vm->mmu, was));
	vm->tpr.page_at = NOWHERE;
	if (gfn_gpa(was).v == LAPIC_DEFAULT_BASE)
		mmu_slot_add(&vm->mmu, &trapped);
}

static void map_page(struct vm *vm, gfn_t gfn)
{
	struct slot slot = apic_slot(vm, gfn), trapped = trapped_slot(gfn);
	bool default_base = gfn_gpa(gfn).v == LAPIC_DEFAULT_BASE;

	if (default_base)
		mmu_slot_remove(&vm->mmu, gfn);
	if (mmu_slot_add(&vm->mmu, &slot))
		vm->tpr.page_at = gfn;
	else if (default_base)
		mmu_slot_add(&vm->mmu, &trapped);
}

/* ---- where it lies over memory ---- */

static bool somebodys_base(const struct vm *vm, gfn_t gfn)
{
	const struct vcpu *v;

	for_each_vcpu(v, vm)
		if (lapic_mmio_active(&v->lapic) && lapic_base_gpa(&v->lapic) == gfn_gpa(gfn).v)
			return true;
	return false;
}

/* TP5. */
void tpr_memory_changed(struct vm *vm)
{
	struct vcpu *v;

	for (unsigned n = vm->mmu.covers; n--;)
		if (!somebodys_base(vm, vm->mmu.covered[n]))
			VM_MUTANT(UNCOVERED, mmu_uncover(&vm->mmu, vm->mmu.covered[n]));
	for_each_vcpu(v, vm) {
		if (!lapic_mmio_active(&v->lapic) || !mmu_cover(&vm->mmu, gpa_gfn(GPA(lapic_base_gpa(&v->lapic)))))
			continue;
		if (!vm->tpr.over_memory)
			console_log("%s: the local APIC of CPU %u is at 0x%lx, where memory is: its accesses there are "
				    "trapped, as are those of others to the memory", vm->config->name, v->id,
				    lapic_base_gpa(&v->lapic));
		vm->tpr.over_memory = true;
	}
}

/* ---- interrupts ---- */

void tpr_hand(struct vcpu *v)
{
	struct lapic_handed handed = lapic_hand(&v->lapic);

	if (unlikely(handed.all))
		VM_MUTANT(HANDED_ALL, hvm_set_interrupts(&v->hvm, handed.requested, handed.serviced));
	else if (handed.requested)
		VM_MUTANT(HANDED, hvm_request_interrupt(&v->hvm, handed.requested));
	if (VM_KEPT(EOI_EXITS, unlikely(handed.eoi_notify_stale)))
		hvm_set_eoi_exits(&v->hvm, v->lapic.tmr);
}

/* ---- the pages ---- */

/* Those that flexpriority needs and that are not there yet. They stay until the virtual machine is over. */
static bool take_frames(struct vm *vm)
{
	struct vcpu *v;

	if (!vm->tpr.frame.pages) {
		hfn_t f = frames_alloc();

		if (hfn_is_none(f))
			return false;
		vm->tpr.frame = (struct extent){ 0, 1, f };
		backing_extents_init(&vm->tpr.backing, GFN(0), &vm->tpr.frame, 1);
	}
	for_each_vcpu(v, vm) {
		hfn_t f = v->apic_registers ? HFN_NONE : frames_alloc();

		if (!v->apic_registers && hfn_is_none(f))
			return false;
		if (!v->apic_registers)
			v->apic_registers = frames_ptr(f);
	}
	return true;
}

void tpr_free(struct vm *vm)
{
	struct vcpu *v;

	patch_free(vm);
	if (VM_KEPT(RELEASE_APIC_FRAME, vm->tpr.frame.pages))
		frames_free(vm->tpr.frame.hfn, 1);
	for_each_vcpu(v, vm)
		if (VM_KEPT(RELEASE_APIC_REGISTERS, v->apic_registers))
			frames_free(frames_of_ptr(v->apic_registers), 1);
}

/* ---- the method ---- */

/* What the CPU is to serve for v as its local APIC is now. */
static struct hvm_tpr wanted(const struct vcpu *v)
{
	struct hvm_tpr tpr = { .x2apic = false };

	if (!by_cpu(v->vm->tpr.method))
		return tpr;
	tpr.registers = hfn_hpa(frames_of_ptr(v->apic_registers));
	tpr.x2apic = v->lapic.x2apic && VM_LEFT_OUT_OR(X2APIC_HAS, machine.caps.x2apic_tpr);
	tpr.delivery = v->vm->tpr.method == CONFIG_TPR_APICV;
	if (!tpr.x2apic)
		tpr.access = hfn_hpa(v->vm->tpr.frame.hfn);
	return tpr;
}

/* L2 in dev/irq/lapic.h; NULL: the local APIC's own. */
static uint32_t *tpr_of(struct vcpu *v)
{
	uint8_t *page = NULL;

	if (by_cpu(v->vm->tpr.method))
		page = v->apic_registers;
	else if (v->vm->tpr.method == CONFIG_TPR_PATCH && v->vm->vcpu_count == 1)
		page = v->vm->patch.data;
	_Static_assert(PATCH_DATA_TPR == APIC_TPR, "as a local APIC's page");
	return page ? (uint32_t *)(void *)(page + APIC_TPR) : NULL;
}

/* The device lock is held, and v does not run. One that lives on another CPU is given it before it next enters. */
static void give_method(struct vcpu *v)
{
	uint32_t *page = (uint32_t *)(void *)v->apic_registers;

	v->start.tpr = wanted(v);
	lapic_keep_tpr(&v->lapic, tpr_of(v));
	VM_MUTANT(APICV_PAGE, lapic_virtualize(&v->lapic, v->start.tpr.delivery ? page : NULL));
	if (v->started && v->cpu != this_cpu()) {
		v->tpr_stale = true;
	} else if (v->started) {
		struct vcpu *before = vcpu_visit(v);

		hvm_set_tpr(&v->hvm, &v->start.tpr);
		vcpu_visited(before);
	}
	VM_MUTANT(FLEX_LOOK, vcpu_note(v, REQUEST_EVENT)); /* TP3 */
}

/* TP1: unmapped before it is taken from a CPU, mapped when all have it. */
static void map_page_anew(struct vcpu *v)
{
	struct vm *vm = v->vm;
	gfn_t want;

	spin_lock(&vm->device_lock);
	want = wanted_page(vm);
	if (want.v != vm->tpr.page_at.v)
		unmap_page(vm);
	if (v->start.tpr.x2apic != wanted(v).x2apic)
		VM_MUTANT(X2APIC_GIVEN, give_method(v));
	if (want.v != vm->tpr.page_at.v && want.v != NOWHERE.v)
		map_page(vm, want);
	VM_MUTANT(COVERED, tpr_memory_changed(vm));
	patch_aim_anew(vm);
	VM_MUTANT(FLEX_LOOK, vcpu_note(v, REQUEST_EVENT));
	spin_unlock(&vm->device_lock);
}

/* Others must not be on their way to what was mapped: an exit for it finds it mapped. */
void tpr_page_moves(struct vcpu *v)
{
	VM_MUTANT(PAGE_FREEZES, vm_freeze(v->vm));
	map_page_anew(v);
	VM_MUTANT(PAGE_FREEZES, vm_thaw(v->vm));
}

/* TP1 decides the order. */
static bool set_method(struct vm *vm, enum config_tpr method)
{
	struct vcpu *v;
	gfn_t want;

	if (by_cpu(method) && !take_frames(vm))
		return false;
	if (method == CONFIG_TPR_PATCH && !patch_begin(vm))
		return false;
	spin_lock(&vm->device_lock);
	if (!by_cpu(method))
		unmap_page(vm);
	if (vm->tpr.method == CONFIG_TPR_PATCH)
		patch_end(vm);
	account_tpr(vm, method);
	vm->tpr.method = method;
	for_each_vcpu(v, vm)
		give_method(v);
	want = wanted_page(vm);
	if (want.v != NOWHERE.v && want.v != vm->tpr.page_at.v)
		map_page(vm, want);
	patch_aim_anew(vm);
	spin_unlock(&vm->device_lock);
	return true;
}

/* Why set_method() has failed. */
static const char *no_room(const struct vm *vm, enum config_tpr method)
{
	if (method != CONFIG_TPR_PATCH)
		return "there is no memory for it";
	if (firmware_given(vm))
		return "a firmware has the place of option ROMs, where the stubs would be; use another method";
	return "there is no RAM at 0xc8000, where the stubs would be; use another method";
}

static enum config_tpr best(void)
{
	enum config_tpr method = CONFIG_TPR_APICV;

	while (lacking(method))
		method = method == CONFIG_TPR_APICV ? CONFIG_TPR_FLEXPRIORITY : CONFIG_TPR_TRAP;
	return method;
}

static void announce(const struct vm *vm, enum config_tpr method)
{
	const char *lacks = lacking(CONFIG_TPR_APICV);
	bool several = method == CONFIG_TPR_PATCH && vm->vcpu_count > 1;

	if (vm->config->tpr != CONFIG_TPR_AUTO)
		console_log("%s: tpr %s, as asked for%s", vm->config->name, config_tprs[method],
			    several ? "; with several CPUs each access is left to the trap" : "");
	else
		console_log("%s: tpr %s, %s%s", vm->config->name, config_tprs[method],
			    lacks ? "because " : "the best there is, because the CPU can do it", lacks ? lacks : "");
}

bool tpr_init(struct vm *vm)
{
	enum config_tpr method = vm->config->tpr == CONFIG_TPR_AUTO ? best() : vm->config->tpr;
	const char *lacks = lacking(method);

	vm->tpr.page_at = NOWHERE;
	if (VM_KEPT(WANTS_FLEX, lacks)) {
		vm_end(vm, VM_STATUS_UNSUPPORTED, "tpr %s cannot be had: %s; use tpr %s, or leave the setting out",
		       config_tprs[method], lacks, config_tprs[best()]);
		return false;
	}
	if (!set_method(vm, method)) {
		vm_end(vm, VM_STATUS_BAD_IMAGE, "tpr %s cannot be had: %s", config_tprs[method], no_room(vm, method));
		return false;
	}
	announce(vm, method);
	return true;
}

bool tpr_go_on(struct vm *vm, unsigned method)
{
	vm->tpr.page_at = NOWHERE;
	return set_method(vm, method);
}

const char *tpr_method_name(unsigned method)
{
	_Static_assert(TPR_METHODS == CONFIG_TPRS, "an account for each");
	return config_tprs[method];
}

const char *tpr_name(const struct vm *vm) { return tpr_method_name(vm->tpr.method); }

const char *tpr_change(struct vm *vm, const char *name)
{
	enum config_tpr method;
	const char *lacks;
	char error[100];

	if (!config_read_tpr(&method, name, error, sizeof(error)))
		return "there is no such method; there are trap, patch, flexpriority, apicv and auto";
	if (method == CONFIG_TPR_AUTO)
		method = best();
	lacks = lacking(method);
	if (VM_KEPT(CHANGE_LACKS, lacks))
		return lacks;
	vm_freeze(vm);
	if (method != vm->tpr.method && !set_method(vm, method))
		lacks = no_room(vm, method);
	vm_thaw(vm);
	return lacks;
}
