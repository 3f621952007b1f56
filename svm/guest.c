/* svm/guest.c - the guest's registers in the VMCB, and what its last exit says, in the terms of hvm/types.h. */
#include "lib/descriptor.h"
#include "hvm/common.h"
#include "lib/mutants/mutate.h"
#include "lib/x86_msr.h"
#include "svm/exits.h"
#include "svm/vcpu.h"

static struct vmcb_segment *place(struct vmcb *c, enum segment n)
{
	return n == SEG_TR ? &c->tr : n == SEG_LDTR ? &c->ldtr : &c->segment[n];
}

/* Attributes are SEGMENT_* but for the four bits between (APM, "Segment State in the VMCB"). A segment that is not
 * present is unusable. What the CPU does not look at it need not keep: G, the accessed bit, that TR is busy, and the
 * DPL of SS, which is the CPL. */
struct segment_state svm_get_segment(const struct svm_vcpu *v, enum segment n)
{
	const struct vmcb_segment *s = place(v->vmcb, n);
	uint32_t access = (s->attributes & 0xffu) | (s->attributes & 0xf00u) << 4;

	access = s->limit > 0xfffff ? access | SEGMENT_G : access & ~(uint32_t)SEGMENT_G;
	if (n == SEG_SS)
		access = (access & ~(uint32_t)SEGMENT_DPL) | (uint32_t)v->vmcb->cpl << SEGMENT_DPL_SHIFT;
	if (!(access & SEGMENT_P))
		access |= SEGMENT_UNUSABLE;
	else if (n <= SEG_GS)
		access |= TYPE_ACCESSED;
	else if (n == SEG_TR)
		access |= TYPE_TSS32_BUSY & ~TYPE_TSS32;
	return (struct segment_state){ s->selector, s->limit, access, s->base };
}

void svm_set_segment(struct svm_vcpu *v, enum segment n, const struct segment_state *s)
{
	uint32_t access = s->access & SEGMENT_UNUSABLE ? s->access & ~(uint32_t)SEGMENT_P : s->access;

	*place(v->vmcb, n) = (struct vmcb_segment){
		s->selector, (uint16_t)((access & 0xff) | (access >> 4 & 0xf00)), s->limit, s->base,
	};
	if (n == SEG_SS)
		v->vmcb->cpl = (uint8_t)(v->vmcb->rflags & RFLAGS_VM ? 3 : access_dpl(access));
	if (n == SEG_CS)
		v->check = true;
}

void svm_set_rflags(struct svm_vcpu *v, uint64_t rflags)
{
	if (rflags & RFLAGS_VM)
		v->vmcb->cpl = 3;
	v->vmcb->rflags = rflags;
}

static uint64_t *own_msr(struct vmcb *c, uint32_t msr)
{
	switch (msr) {
	case MSR_SYSENTER_CS: return &c->sysenter_cs;
	case MSR_SYSENTER_ESP: return &c->sysenter_esp;
	case MSR_SYSENTER_EIP: return &c->sysenter_eip;
	case MSR_FS_BASE: return &c->segment[SEG_FS].base;
	case MSR_GS_BASE: return &c->segment[SEG_GS].base;
	case MSR_KERNEL_GS_BASE: return &c->kernel_gs_base;
	case MSR_STAR: return &c->star;
	case MSR_LSTAR: return &c->lstar;
	case MSR_CSTAR: return &c->cstar;
	case MSR_FMASK: return &c->fmask;
	default: return NULL;
	}
}

bool svm_own_msr(const struct svm_vcpu *v, uint32_t msr, uint64_t *value)
{
	const uint64_t *place_of = own_msr(v->vmcb, msr);

	if (place_of)
		*value = *place_of;
	return place_of;
}

void svm_set_own_msr(struct svm_vcpu *v, uint32_t msr, uint64_t value)
{
	uint64_t *place_of = own_msr(v->vmcb, msr);

	if (place_of)
		*place_of = value;
}

/* The VMCB's counts with nested paging only (APM, "Nested Paging and VMRUN/#VMEXIT"). */
void svm_set_pat(struct svm_vcpu *v, uint64_t pat)
{
	v->pat = v->vmcb->pat = pat;
	v->check = true;
}

/* ---- blocking, windows ---- */

/* One bit for STI and for MOV SS. */
void svm_set_blocking(struct svm_vcpu *v, uint64_t blocking)
{
	bool nmi = blocking & BLOCKING_NMI;

	v->vmcb->interrupt_shadow = blocking & (BLOCKING_STI | BLOCKING_MOV_SS) ? INTERRUPT_SHADOW : 0;
	if (nmi == v->nmi_blocked)
		return;
	v->nmi_blocked = nmi;
	v->iret = false;
	v->vmcb->intercepts[0] &= ~(uint32_t)INTERCEPT_IRET;
	if (nmi)
		VM_MUTANT(SVM_NMI_IRET, v->vmcb->intercepts[0] |= (uint32_t)INTERCEPT_IRET);
}

/* A virtual interrupt of the highest priority, whose delivery exits before it is made (APM, "Virtual Interrupts"). An
 * NMI that waits for the instruction behind an IRET is looked at then, too. */
static void write_window(struct svm_vcpu *v)
{
	struct vmcb *c = v->vmcb;
	bool on = v->interrupt_window || (v->nmi_window && (!v->nmi_blocked || v->iret));

	c->interrupt_control &= (uint32_t)~(V_IRQ | V_PRIORITY_HIGHEST | V_IGNORE_TPR);
	c->intercepts[0] &= ~(uint32_t)INTERCEPT_VINTR;
	if (!on)
		return;
	c->interrupt_control |= (uint32_t)(V_IRQ | V_PRIORITY_HIGHEST | V_IGNORE_TPR);
	VM_MUTANT(SVM_WINDOW, c->intercepts[0] |= (uint32_t)INTERCEPT_VINTR);
	c->interrupt_vector = 0;
}

void svm_set_interrupt_window(struct svm_vcpu *v, bool on)
{
	v->interrupt_window = on;
	write_window(v);
}

void svm_set_nmi_window(struct svm_vcpu *v, bool on)
{
	v->nmi_window = on;
	write_window(v);
}

void svm_set_debug(struct svm_vcpu *v, const struct hvm_debug *d)
{
	uint32_t asked = d->exceptions ? ~0u : d->int3 ? (uint32_t)BIT(VECTOR_BP) : 0;

	v->vmcb->exceptions = (uint32_t)(HVM_EXCEPTIONS_ALWAYS | asked |
					 (v->mmu->intercepts.page_fault ? BIT(VECTOR_PF) : 0));
	v->exceptions = asked;
	v->vmcb->dr_intercepts = d->debug_registers ? DR_ALL : 0;
}

/* ---- events ---- */

static bool is_software(uint32_t info)
{
	uint32_t type = info & EVENT_TYPE;

	return type == EVENT_TYPE_SOFTWARE_INTERRUPT || type == EVENT_TYPE_SOFTWARE_EXCEPTION ||
	       type == EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION;
}

/* There are no software exceptions among the types (APM, "Event Injection"): what is to be pushed for one, RIP behind
 * the instruction, is in the VMCB beforehand. */
void svm_inject(struct svm_vcpu *v, const struct event *e)
{
	struct vmcb *c = v->vmcb;
	uint32_t info = e->info & (uint32_t)(EVENT_VECTOR | EVENT_TYPE | EVENT_HAS_ERROR | EVENT_VALID);
	uint32_t type = info & EVENT_TYPE;

	v->soft_length = 0;
	if (is_software(info)) {
		v->soft_length = e->length;
		VM_MUTANT(SVM_SOFT_LENGTH, c->rip += e->length);
		c->next_rip = c->rip;
	}
	if (type == EVENT_TYPE_SOFTWARE_EXCEPTION || type == EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION)
		info = (info & ~(uint32_t)EVENT_TYPE) | EVENT_TYPE_HARDWARE_EXCEPTION;
	c->event_injection = info;
	if (VM_KEPT(SVM_INJECT_ERROR, info & EVENT_HAS_ERROR))
		c->event_injection |= (uint64_t)e->error << SVM_EVENT_ERROR_SHIFT;
	if (type == EVENT_TYPE_NMI)
		svm_set_blocking(v, BLOCKING_NMI | (c->interrupt_shadow & INTERRUPT_SHADOW ? BLOCKING_STI : 0));
	v->check = true;
}

/* SV4: what INT n, INT3 or INTO was delivering is left to the instruction. A task switch tells by it where it came
 * from, and is carried out. */
static bool is_software_exception(uint32_t info)
{
	uint32_t vector = info & EVENT_VECTOR;

	return (info & EVENT_TYPE) == EVENT_TYPE_HARDWARE_EXCEPTION && (vector == VECTOR_BP || vector == VECTOR_OF);
}

static bool is_left(const struct svm_vcpu *v)
{
	uint32_t info = (uint32_t)v->vmcb->exit_interrupt;

	return ((info & EVENT_TYPE) == EVENT_TYPE_SOFTWARE_INTERRUPT || is_software_exception(info)) &&
	       v->exit != SVM_EXIT_TASK_SWITCH;
}

/* APM, "Intercepts During IDT Interrupt Delivery": what EXITINTINFO says of it. #BP and #OF are those of INT3 and INTO
 * (SV4). */
uint64_t svm_exit_delivery(const struct svm_vcpu *v)
{
	uint32_t info = (uint32_t)v->vmcb->exit_interrupt;

	if (VM_KEPT(SVM_SOFT_AGAIN, is_left(v)))
		return 0;
	if (VM_KEPT(SVM_SOFT_TYPE, is_software_exception(info)))
		info = (info & ~(uint32_t)EVENT_TYPE) | EVENT_TYPE_SOFTWARE_EXCEPTION;
	else if (VM_KEPT(SVM_INT1_TYPE, v->back_length) && (info & EVENT_VECTOR) == VECTOR_DB)
		info = (info & ~(uint32_t)EVENT_TYPE) | EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION;
	return info & (EVENT_VECTOR | EVENT_TYPE | EVENT_HAS_ERROR | EVENT_VALID);
}

bool svm_exit_delivery_anew(const struct svm_vcpu *v)
{
	return VM_KEPT(SVM_SOFT_KNOWN, (v->vmcb->exit_interrupt & EVENT_VALID) && is_left(v));
}

/* An interrupt is not acknowledged by the exit: it waits for the host's interrupt flag, and is none here (APM, "Global
 * Interrupt Flag, STGI and CLGI Instructions"). */
uint64_t svm_exit_event(const struct svm_vcpu *v)
{
	uint32_t vector = (uint32_t)v->vmcb->exit_code - EXITCODE_EXCEPTION;
	uint64_t info = EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | vector;

	switch (v->exit) {
	case SVM_EXIT_NMI: return EVENT_VALID | EVENT_TYPE_NMI | VECTOR_NMI;
	case SVM_EXIT_ICEBP: return EVENT_VALID | EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION | VECTOR_DB;
	case SVM_EXIT_EXCEPTION: break;
	default: return 0;
	}
	if (vector == VECTOR_BP)
		return EVENT_VALID | EVENT_TYPE_SOFTWARE_EXCEPTION | vector;
	return VECTORS_WITH_ERROR & BIT(vector) ? info | EVENT_HAS_ERROR : info;
}

/* The linear address is not told: what is accessed is walked for again, by who must know. A walk is counted as a write,
 * for it may set flags (APM, "Nested versus Guest Page Faults, Fault Ordering"); it reads as well. */
struct hvm_nested_fault svm_exit_nested_fault(const struct svm_vcpu *v)
{
	uint64_t error = v->vmcb->exit_info[0];
	struct hvm_nested_fault f = { .gpa = GPA(v->vmcb->exit_info[1]), .access = MMU_LINEAR };

	if (error & NPF_WALK)
		f.access |= MMU_READ | MMU_TABLE;
	if (error & PFERR_W)
		f.access |= MMU_WRITE;
	else
		f.access |= error & PFERR_I ? MMU_FETCH : MMU_READ;
	return f;
}

struct hvm_task_switch svm_exit_task_switch(const struct svm_vcpu *v)
{
	const uint64_t *info = v->vmcb->exit_info;
	bool event = v->vmcb->exit_interrupt & EVENT_VALID;
	enum hvm_task_source source = info[1] & TASK_SWITCH_IRET  ? HVM_TASK_IRET
				      : info[1] & TASK_SWITCH_JMP ? HVM_TASK_JMP
				      : event			  ? HVM_TASK_GATE
								  : HVM_TASK_CALL;

	return (struct hvm_task_switch){ source, (uint16_t)info[0] };
}

/* The next RIP of IN and OUT has a place of its own (APM, "IN and OUT Behavior"). */
uint64_t svm_exit_length(const struct svm_vcpu *v)
{
	const struct vmcb *c = v->vmcb;

	if (VM_KEPT(SVM_BACK_LENGTH, v->back_length))
		return v->back_length;
	return (uint32_t)c->exit_code == EXITCODE_IOIO ? c->exit_info[1] - c->rip : c->next_rip - c->rip;
}

/* Of an instruction that is skipped, or whose event goes on, on a CPU without NRIPS. IN and OUT tell it elsewhere. */
bool svm_exit_lacks_length(const struct svm_vcpu *v)
{
	uint32_t vector = (uint32_t)v->vmcb->exit_code - EXITCODE_EXCEPTION;

	switch (v->exit) {
	case SVM_EXIT_CPUID:
	case SVM_EXIT_INVD:
	case SVM_EXIT_WBINVD:
	case SVM_EXIT_PAUSE:
	case SVM_EXIT_HLT:
	case SVM_EXIT_RDMSR:
	case SVM_EXIT_WRMSR:
	case SVM_EXIT_VMMCALL:
	case SVM_EXIT_XSETBV:
	case SVM_EXIT_ICEBP:
	case SVM_EXIT_TASK_SWITCH:
		return true;
	case SVM_EXIT_EXCEPTION:
		return VM_KEPT(SVM_LENGTH_LACKS, vector == VECTOR_BP || vector == VECTOR_OF);
	default:
		return false;
	}
}

void svm_set_exit_length(struct svm_vcpu *v, unsigned length) { v->vmcb->next_rip = v->vmcb->rip + length; }

/* ---- for people ---- */

const char *svm_control_shown(const struct svm_vcpu *v, unsigned n, uint64_t *value)
{
	const struct vmcb *c = v->vmcb;
	const struct {
		const char *name;
		uint64_t value;
	} shown[] = {
		{ "cr_intercepts", c->cr_intercepts }, { "exceptions", c->exceptions },
		{ "intercepts", c->intercepts[0] | (uint64_t)c->intercepts[1] << 32 },
		{ "asid", c->asid }, { "nested", c->nested_control }, { "nested_cr3", c->nested_cr3 },
		{ "interrupt_control", c->interrupt_control }, { "cr0", c->cr0 }, { "cr3", c->cr3 }, { "cr4", c->cr4 },
		{ "efer", c->efer },
	};

	if (n >= ARRAY_SIZE(shown))
		return NULL;
	*value = shown[n].value;
	return shown[n].name;
}
