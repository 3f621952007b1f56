/* vm/snapshot/possible.c - can a virtual CPU have the registers that a snapshot says it has? What is called possible
 * here the CPU enters (model/vmentry.h, of which this is independent), and what a guest's own instructions would have
 * been refused is refused (SN4). */
#include "vm/snapshot/registers.h"

#include "lib/canonical.h"
#include "lib/memtype.h"
#include "lib/mutants/mutate.h"
#include "lib/x86_rules.h"

/* SDM, "Checks on Guest Control Registers, Debug Registers, and MSRs", and what MOV to them would refuse. */
static bool paging_possible(const struct vm *vm, const struct walk_regs *p)
{
	bool pg = p->cr0 & CR0_PG, lma = p->efer & EFER_LMA;

	if (!cr0_fits(p->cr0) || (p->cr4 & ~vm->cpuid.cr4_offered) || (p->efer & ~vm->cpuid.efer_offered) ||
	    !(p->cr0 & CR0_ET))
		return false;
	if (lma != (pg && (p->efer & EFER_LME)) || (lma && !(p->cr4 & CR4_PAE)) || ((p->cr4 & CR4_PCIDE) && !lma))
		return false;
	return !(p->cr3 >> vm->cpuid.maxphyaddr);
}

/* SDM, "Checks on Guest Page-Directory-Pointer-Table Entries"; a load of CR3 would have been refused. */
static bool pdptes_possible(const struct vm *vm, const struct walk_regs *p)
{
	return walk_mode(p) != PAGING_PAE || pdptes_fit(p->pdpte, vm->cpuid.maxphyaddr);
}

/* XRSTOR faults where a reserved bit of MXCSR is set, or of the header (SDM, "XSAVE Header", "Operation of XRSTOR"). */
static bool fpu_possible(const struct vcpu *v, const struct cpu_registers *r)
{
	const uint8_t *image = v->fpu;
	uint64_t header[XSAVE_HEADER_BYTES / 8];
	uint32_t mxcsr;

	memcpy(&mxcsr, image + FXSAVE_MXCSR, sizeof(mxcsr));
	if (mxcsr & MXCSR_RESERVED)
		return false;
	if (!v->vm->cpuid.has_xsave)
		return r->xcr0 == XCR0_X87;
	memcpy(header, image + XSAVE_XSTATE_BV, sizeof(header));
	for (unsigned n = 1; n < ARRAY_SIZE(header); n++)
		if (header[n])
			return false;
	return !(header[0] & ~v->vm->cpuid.xcr0_offered) && cr_xcr0_valid(v, r->xcr0);
}

/* What vm/cpu/vcpu.c lets come to be. */
static bool signals_possible(const struct vcpu *v, uint32_t signals)
{
	uint32_t ever = SIGNAL_NMI;

	if (v->id)
		ever |= SIGNAL_INIT | SIGNAL_WAITS;
	if (v->id && (signals & SIGNAL_SIPI) && (signals & (SIGNAL_INIT | SIGNAL_WAITS)))
		ever |= SIGNAL_SIPI | SIGNAL_VECTOR;
	else if (VM_KEPT(RESTORE_NMI, signals & (SIGNAL_INIT | SIGNAL_WAITS)))
		ever &= ~SIGNAL_NMI; /* lost on one that waits, but behind a start-up IPI */
	return !(signals & ~ever);
}

/* SDM, "Checks on Guest RIP, RFLAGS, and SSP". What is above a linear address is all zeroes or all ones, also behind
 * the last of the lower half, where a fetch faults. */
static bool flags_possible(const struct cpu_registers *r)
{
	uint64_t above = r->rip >> linear_bits(r->paging.cr4);

	if (!(r->rflags & RFLAGS_FIXED) || (r->rflags & ~(uint64_t)RFLAGS_KNOWN))
		return false;
	if ((r->rflags & RFLAGS_VM) && (!(r->paging.cr0 & CR0_PE) || (r->paging.efer & EFER_LMA)))
		return false;
	return in_long64(r) ? !above || above == ~0ull >> linear_bits(r->paging.cr4) : !(r->rip >> 32);
}

/* SDM, "Checks on Guest Descriptor-Table Registers". */
static bool table_possible(const struct table_register *t, unsigned bits)
{
	return is_canonical_in(t->base, bits) && !(t->limit >> 16);
}

/* SDM, "VM-Entry Control Fields": event injection. What a vCPU holds came from one of vm/exit/event.c's. */
static bool error_code_possible(const struct cpu_registers *r, bool exception, uint32_t vector)
{
	bool has = r->event.info & EVENT_HAS_ERROR;

	if (!exception || !(r->paging.cr0 & CR0_PE))
		return !has;
	return has == !!(VECTORS_WITH_ERROR_ALWAYS & BIT(vector)) && !(has && r->event.error >> 16);
}

static bool event_possible(const struct cpu_registers *r)
{
	uint32_t info = r->event.info, type = info & EVENT_TYPE, vector = info & EVENT_VECTOR;
	uint64_t held = BLOCKING_STI | BLOCKING_MOV_SS;

	if (!(info & EVENT_VALID))
		return true;
	if ((info & ~(uint32_t)(EVENT_VALID | EVENT_TYPE | EVENT_VECTOR | EVENT_HAS_ERROR)) ||
	    !error_code_possible(r, type == EVENT_TYPE_HARDWARE_EXCEPTION, vector))
		return false;
	switch (type) {
	case EVENT_TYPE_EXTERNAL:
		return (r->rflags & RFLAGS_IF) && !(r->blocking & held);
	case EVENT_TYPE_NMI:
		return vector == VECTOR_NMI && !(r->blocking & (held | BLOCKING_NMI));
	case EVENT_TYPE_HARDWARE_EXCEPTION:
		return vector < VECTOR_FIRST_INTERRUPT && vector != VECTOR_NMI;
	case EVENT_TYPE_SOFTWARE_INTERRUPT:
	case EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION:
	case EVENT_TYPE_SOFTWARE_EXCEPTION:
		return r->event.length && r->event.length <= INSTRUCTION_LENGTH_MAX;
	default:
		return false;
	}
}

/* SDM, "Checks on Guest Non-Register State". IA32_DEBUGCTL.BTF is never set. */
static bool blocking_possible(const struct cpu_registers *r)
{
	uint64_t held = r->blocking & (BLOCKING_STI | BLOCKING_MOV_SS), pending = r->pending_debug;

	if ((r->blocking & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS | BLOCKING_NMI)) ||
	    held == (BLOCKING_STI | BLOCKING_MOV_SS) || ((held & BLOCKING_STI) && !(r->rflags & RFLAGS_IF)))
		return false;
	if (pending & ~(uint64_t)(DR6_BREAKPOINTS | PENDING_DEBUG_ENABLED | PENDING_DEBUG_BS))
		return false;
	return !held || !(r->rflags & RFLAGS_TF) == !(pending & PENDING_DEBUG_BS);
}

/* What a WRMSR, or MOV to a debug register, would refuse ("Checks on Guest Control Registers, Debug Registers, and
 * MSRs"). */
static bool registers_possible(const struct vcpu *v, const struct cpu_registers *r)
{
	unsigned bits = linear_bits(r->paging.cr4);

	return is_canonical_in(r->resident[SAVED_LSTAR], bits) && is_canonical_in(r->resident[SAVED_CSTAR], bits) &&
	       is_canonical_in(r->resident[SAVED_KERNEL_GS_BASE], bits) && !(r->resident[SAVED_FMASK] >> 32) &&
	       !(r->resident[SAVED_TSC_AUX] >> 32) && !(r->dr[SAVED_DR6] >> 32) && !(r->dr7 >> 32) &&
	       memtypes_valid(r->pat, true) && is_canonical_in(r->sysenter[1], bits) &&
	       is_canonical_in(r->sysenter[2], bits) &&
	       VM_LEFT_OUT_OR(RESTORE_SIGNALS, signals_possible(v, r->signals));
}

const char *registers_impossible(const struct vcpu *v, const struct cpu_registers *r)
{
	unsigned bits = linear_bits(r->paging.cr4);

	if (VM_KEPT(RESTORE_PAGING, !paging_possible(v->vm, &r->paging)) ||
	    VM_KEPT(RESTORE_PDPTES, !pdptes_possible(v->vm, &r->paging)))
		return "its control registers are as no CPU has them";
	if (VM_KEPT(RESTORE_FPU, !fpu_possible(v, r)))
		return "its vector registers are as no CPU has them";
	if (VM_KEPT(RESTORE_SEGMENTS, !segments_possible(r)) || VM_KEPT(RESTORE_FLAGS, !flags_possible(r)) ||
	    VM_KEPT(RESTORE_TABLES, !table_possible(&r->gdtr, bits) || !table_possible(&r->idtr, bits)))
		return "its segments or flags are as no CPU has them";
	if (VM_KEPT(RESTORE_EVENT, !event_possible(r)) || VM_KEPT(RESTORE_BLOCKING, !blocking_possible(r)))
		return "what it is about to be interrupted by is nothing that can be";
	if (VM_KEPT(RESTORE_REGISTERS, !registers_possible(v, r)))
		return "its registers are as no CPU has them";
	return NULL;
}
