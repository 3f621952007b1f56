/* vm/exit/msr_own.c - the MSRs that guests access without an exit (hvm_intercepts_init), for when an instruction of
 * theirs is emulated. They are kept with the guest's other registers, or are in the CPU itself (vm/cpu/resident.c).
 * SDM, "WRMSR": an address must be canonical, and reserved bits 0. */
#include "vm/vm.h"

#include "lib/canonical.h"
#include "lib/mutants/mutate.h"

static bool in_cpu(const struct vcpu *v, uint32_t msr)
{
	switch (msr) {
	case MSR_STAR:
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_FMASK:
	case MSR_KERNEL_GS_BASE: return !hvm_switches_syscall();
	case MSR_TSC_AUX: return v->vm->cpuid.has_rdtscp;
	default: return false;
	}
}

bool msr_is_own(const struct vcpu *v, uint32_t msr)
{
	uint64_t value;

	return in_cpu(v, msr) || hvm_own_msr(&v->hvm, msr, &value);
}

bool msr_read_own(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
	if (!in_cpu(v, msr))
		return hvm_own_msr(&v->hvm, msr, value);
	*value = rdmsr(msr);
	return true;
}

/* SDM, WRMSR: "Protected Mode Exceptions", "64-Bit Mode Exceptions". */
static bool valid(const struct vcpu *v, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_STAR:
	case MSR_SYSENTER_CS: return true; /* of 32 bits: the rest is lost */
	case MSR_FMASK:
	case MSR_TSC_AUX: return !(value >> 32);
	default: return is_canonical_in(value, linear_bits(v->mmu.regs.cr4));
	}
}

bool msr_write_own(struct vcpu *v, uint32_t msr, uint64_t value)
{
	if (VM_KEPT(EMULATED_MSR, !valid(v, msr, value)))
		return false;
	if (in_cpu(v, msr))
		wrmsr(msr, value);
	else
		hvm_set_own_msr(&v->hvm, msr, value);
	return true;
}
