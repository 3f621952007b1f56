/* vm/cpu/vcpu.c - how a virtual CPU begins: made with its virtual machine, at the kernel's entry point if it is the
 * boot processor, else to wait for a start-up IPI; reset by INIT; started by the IPI. SDM, "MP Initialization Protocol
 * Algorithm for MP Systems" (its part of it), "Issuing Interprocessor Interrupts", and for the registers the table
 * "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT".
 *
 * VI1  An INIT is taken before the next entry, on the vCPU's own CPU, and leaves it waiting. So does power-up an
 *      application processor.
 * VI2  A start-up IPI counts only for one that waits, or has an INIT to take; the first counts. One that waits takes
 *      nothing else: interrupts are not accepted by its local APIC, and are disabled, and an NMI is lost.
 * VI3  A vCPU that waits is halted and deaf: it is not scheduled, and wakes nobody. */
#include "vm/vm.h"

#include "host/memory/frames.h"
#include "vm/load/image.h"
#include "lib/mutants/mutate.h"

#define RESET_CS 0xf000
#define RESET_CS_BASE 0xffff0000
#define RESET_IP 0xfff0

static struct walk_regs blank_regs(const struct vm *vm)
{
	return (struct walk_regs){
		.maxphyaddr = vm->cpuid.maxphyaddr,
		.has_1g = vm->cpuid.has_1g,
		/* a bit whose feature the guest's CPUID does not have is reserved */
		.cr4_reserved = VM_LEFT_OUT_OR(CR4_RESERVED, false) ? 0 : ~vm->cpuid.cr4_offered,
		.efer_reserved = VM_LEFT_OUT_OR(EFER_RESERVED, false) ? 0 : ~vm->cpuid.efer_offered,
		/* ET is always 1 (SDM, "Control Registers"). */
		.cr0 = CR0_ET,
	};
}

static struct walk_regs start_regs(const struct vm *vm, const struct cpu_start *s)
{
	struct walk_regs r = blank_regs(vm);

	r.cr0 |= s->mode == START_RESET ? CR0_CD | CR0_NW : CR0_PE;
	if (s->mode == START_LONG64) {
		r.cr0 |= CR0_PG;
		r.cr3 = s->cr3;
		r.cr4 = CR4_PAE;
		r.efer = EFER_LME | EFER_LMA;
	}
	return r;
}

/* ---- made ---- */

static bool create_one(struct vm *vm, struct percpu *cpu)
{
	struct vcpu *v = frames_take(sizeof(struct vcpu));

	if (!v)
		return false;
	v->id = vm->vcpu_count;
	vm->vcpu[vm->vcpu_count++] = v;
	v->vm = vm;
	v->cpu = cpu;
	v->traced.codes = HVM_EXIT_CODES;
	memset(v->last.code, 0xff, sizeof(v->last.code)); /* LAST_NONE */
	/* The guest's TSC starts at 0, the same on all its CPUs. */
	VM_MUTANT(TSC_ZERO, v->tsc_offset = v->id ? vm_boot_vcpu(vm)->tsc_offset : 0 - rdtsc());
	msr_reset_vcpu(v);
	return resident_init(v) && hvm_vcpu_init(&v->hvm, &machine.caps);
}

bool vcpus_create(struct vm *vm, struct percpu *first)
{
	for (unsigned n = 0; n < vm->config->vcpus; n++) {
		if (!create_one(vm, percpu_of((first->id + n) % cpus_count()))) {
			vm_end(vm, VM_STATUS_BAD_IMAGE, "there is no memory for its virtual CPU%s",
			       vm->config->vcpus > 1 ? "s" : "");
			return false;
		}
	}
	return true;
}

static struct hvm_start reset_start(const struct vcpu *v)
{
	const struct vm *vm = v->vm;

	return (struct hvm_start){
		.rip = RESET_IP, .rdx = vm->cpuid.basic[1].eax, .cs = RESET_CS, .cs_base = RESET_CS_BASE,
		.real_mode = true, .rdtscp = vm->cpuid.has_rdtscp,
		.longest_run = (uint32_t)min_u64(schedule_slice(), UINT32_MAX),
		.invpcid = vm->cpuid.has_invpcid, .cr4_offered = vm->cpuid.cr4_offered, .tpr = v->start.tpr,
		.alarm = alarm_wanted(v),
		.spins = vm->vcpu_count > 1,
	};
}

static struct hvm_start boot_start(const struct vcpu *v, const struct cpu_start *s)
{
	struct hvm_start start = reset_start(v);

	start.rip = s->rip;
	start.rsp = s->rsp;
	start.rax = s->rax;
	start.rbx = s->rbx;
	start.rdx = 0;
	start.rsi = s->rsi;
	start.gdt_base = s->gdt_base;
	start.gdt_limit = s->gdt_limit;
	start.cs = s->cs;
	start.ds = s->ds;
	start.real_mode = false;
	start.long_mode = s->mode == START_LONG64;
	return start;
}

/* VI3. */
static void wait_for_sipi(struct vcpu *v)
{
	__atomic_fetch_or(&v->signals, SIGNAL_WAITS, __ATOMIC_SEQ_CST);
	v->halted = v->deaf = true;
}

void vcpu_prepare(struct vcpu *v)
{
	v->start = reset_start(v);
	v->mmu.regs = blank_regs(v->vm);
}

bool vcpus_start(struct vm *vm, const struct cpu_start *boot)
{
	struct walk_regs regs = start_regs(vm, boot), waiting = blank_regs(vm);
	struct vcpu *v;

	waiting.cr0 |= CR0_CD | CR0_NW;
	for_each_vcpu(v, vm) {
		v->start = v->id == 0 && boot->mode != START_RESET ? boot_start(v, boot) : reset_start(v);
		if (v->id)
			VM_MUTANT(AP_WAITS, wait_for_sipi(v));
		if (!mmu_vcpu_init(&v->mmu, &vm->mmu, v->id == 0 ? &regs : &waiting)) {
			vm_end(vm, VM_STATUS_BAD_IMAGE, "there is no memory for its tables");
			return false;
		}
	}
	return true;
}

/* ---- reset ---- */

/* INIT leaves CR0.CD and NW as they are, whose every change by the guest has exited. */
static bool reset_paging(struct vcpu *v)
{
	struct walk_regs regs = blank_regs(v->vm);
	struct mmu_result r;

	regs.cr0 |= v->mmu.regs.cr0 & (CR0_CD | CR0_NW);
	r = mmu_vcpu_reset(&v->mmu, &regs);
	if (r.outcome == MMU_STOP) {
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: %s", r.why);
		return false;
	}
	VM_MUTANT(INIT_PAGING, hvm_apply_paging(&v->hvm, &v->mmu));
	return true;
}

/* What is unchanged: FPU, vector state and XCR0, the TSC and its adjustment, the MSRs of SYSCALL and SYSENTER, PAT,
 * MTRRs and IA32_MISC_ENABLE. */
static void reset(struct vcpu *v)
{
	struct hvm_start start = reset_start(v);

	if (!reset_paging(v))
		return;
	VM_MUTANT(INIT_REGISTERS, hvm_vcpu_reset(&v->hvm, &start));
	VM_MUTANT(INIT_RESIDENT, resident_init_reset(v));
	v->hvm.spec_guest = 0;
	VM_MUTANT(INIT_EVENT, v->event.info = 0);
	hvm_set_interrupt_window(&v->hvm, false);
	hvm_set_nmi_window(&v->hvm, false);
}

/* At vector << 12, in real mode. */
static void start_at(struct vcpu *v, uint8_t vector)
{
	struct segment_state cs = { (uint16_t)(vector << 8), 0xffff, SEGMENT_CODE16, (uint64_t)vector << 12 };

	hvm_set_segment(&v->hvm, SEG_CS, &cs);
	hvm_set_rip(&v->hvm, 0);
	__atomic_store_n(&v->halted, false, __ATOMIC_RELEASE);
	v->deaf = false;
	VM_MUTANT(SIPI_DECIDES, emulated_decide(v));
	vcpu_note(v, REQUEST_EVENT);
}

/* What has arrived, all at once: an INIT comes before the start-up IPI, since it would have taken that one's place.
 * From here on it waits, or does not. */
static uint32_t take_signals(struct vcpu *v)
{
	uint32_t was = vcpu_signals(v), now;

	do {
		now = was & ~(SIGNAL_INIT | SIGNAL_SIPI | SIGNAL_VECTOR);
		if (was & SIGNAL_INIT)
			now |= SIGNAL_WAITS;
		if (was & SIGNAL_SIPI)
			now &= ~SIGNAL_WAITS;
	} while (!__atomic_compare_exchange_n(&v->signals, &was, now, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
	return was;
}

/* Nobody but its own CPU changes the local APIC of one that can be asked so (L7 in dev/irq/lapic.h). */
void vcpu_serve_init(struct vcpu *v)
{
	uint32_t arrived = take_signals(v);

	if (v->vm->debug.attached)
		debug_forget(v); /* an INIT resets the guest's debug registers */
	if (arrived & SIGNAL_INIT) {
		VM_MUTANT(INIT_APIC, lapic_init_reset(&v->lapic));
		v->halted = v->deaf = true;
		reset(v);
	}
	if (arrived & SIGNAL_SIPI)
		start_at(v, (uint8_t)(arrived >> SIGNAL_VECTOR_SHIFT));
}

void vcpu_begin(struct vcpu *v)
{
	mmu_enter(&v->mmu, this_cpu()->id);
	hvm_vcpu_start(&v->hvm, &v->start, &v->mmu);
	v->started = true;
	emulated_decide(v);
}

/* ---- from any CPU, without a lock ---- */

void vcpu_signal_init(struct vcpu *v)
{
	uint32_t was = vcpu_signals(v), now;

	if (v->id == 0) {
		/* INIT to the boot processor resets the machine, as its other ways do. */
		VM_MUTANT(INIT_RESETS, vm_reset(v->vm, false, "reset by an INIT to its boot processor"));
		return;
	}
	do {
		now = was | SIGNAL_INIT;
		VM_MUTANT(INIT_OVER_SIPI, now &= ~(SIGNAL_SIPI | SIGNAL_VECTOR));
		VM_MUTANT(INIT_NMI, now &= ~SIGNAL_NMI);
	} while (!__atomic_compare_exchange_n(&v->signals, &was, now, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
	VM_MUTANT(INIT_KICK, vcpu_request(v, REQUEST_INIT));
}

/* VI2. SDM, "MP Initialization Protocol Algorithm for MP Systems": a start-up IPI is ignored by who does not wait for
 * one. */
void vcpu_signal_sipi(struct vcpu *v, uint8_t vector)
{
	uint32_t was = vcpu_signals(v), now;

	do {
		if (VM_KEPT(SIPI_IGNORED, !(was & (SIGNAL_WAITS | SIGNAL_INIT))) ||
		    VM_KEPT(SIPI_FIRST, was & SIGNAL_SIPI))
			return;
		now = (was & ~SIGNAL_VECTOR) | SIGNAL_SIPI | (uint32_t)vector << SIGNAL_VECTOR_SHIFT;
	} while (!__atomic_compare_exchange_n(&v->signals, &was, now, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
	VM_MUTANT(SIPI_KICK, vcpu_request(v, REQUEST_INIT));
}

/* Lost on one that waits, or is about to; behind a start-up IPI it is for the code that this one starts. */
void vcpu_signal_nmi(struct vcpu *v)
{
	uint32_t was = vcpu_signals(v);

	do {
		if (VM_KEPT(NMI_WAITS, was & (SIGNAL_WAITS | SIGNAL_INIT)) &&
		    VM_LEFT_OUT_OR(NMI_STARTED, !(was & SIGNAL_SIPI)))
			return;
	} while (!__atomic_compare_exchange_n(&v->signals, &was, was | SIGNAL_NMI, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_ACQUIRE));
	VM_MUTANT(NMI_KICK, vcpu_request(v, REQUEST_EVENT));
}
