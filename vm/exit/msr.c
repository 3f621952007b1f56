/* vm/exit/msr.c - the MSRs that the guest does not reach directly. An MSR that is not here does not exist: #GP(0), as
 * on a CPU without it. */
#include "vm/vm.h"

#include "host/trap/interrupt.h"
#include "lib/mutants/mutate.h"
#include "vm/load/image.h"

/* IA32_MISC_ENABLE: what the guest may write, and of that what it is told when it starts only if its CPUID has the
 * feature, which it has not: performance monitoring, SpeedStep, MONITOR. */
#define MISC_ENABLE_WRITABLE \
	(MISC_ENABLE_FAST_STRING | MISC_ENABLE_THERMAL_CONTROL | MISC_ENABLE_BTS_UNAVAILABLE | \
	 MISC_ENABLE_PEBS_UNAVAILABLE | MISC_ENABLE_LIMIT_CPUID | MISC_ENABLE_XTPR_DISABLE | MISC_ENABLE_XD_DISABLE | \
	 MISC_ENABLE_HIDDEN)
#define MISC_ENABLE_HIDDEN (MISC_ENABLE_PERFMON | MISC_ENABLE_SPEEDSTEP | MISC_ENABLE_MONITOR)

#define MTRR_VARIABLE_COUNT 8

/* As firmware leaves them: write-back but for the hole below 4 GiB and the legacy video memory (SDM, "Memory Type Range
 * Registers"). */
void msr_reset(struct vm *vm)
{
	struct mtrrs *m = &vm->mtrrs;

	memset(m, 0, sizeof(*m));
	m->def_type = MTRR_DEF_TYPE_E | MTRR_DEF_TYPE_FE | MEMTYPE_WB;
	for (unsigned i = 0; i < ARRAY_SIZE(m->fixed); i++)
		m->fixed[i] = MTRR_FIXED(MEMTYPE_WB);
	m->fixed[2] = MTRR_FIXED(MEMTYPE_UC); /* 0xa0000 - 0xbffff */
	m->variable[0] = LOADER_LOW_MAX | MEMTYPE_UC;
	m->variable[1] = (MASK(vm->cpuid.maxphyaddr - 1, 12) & ~(FOUR_GIB - LOADER_LOW_MAX - 1)) | MTRR_PHYSMASK_V;
}

void msr_reset_vcpu(struct vcpu *v)
{
	rdmsr_safe(MSR_MISC_ENABLE, &v->misc_enable);
	v->misc_enable &= MISC_ENABLE_WRITABLE & ~MISC_ENABLE_HIDDEN;
}

/* The place of an MTRR; NULL: no such register. */
static uint64_t *mtrr(struct vm *vm, uint32_t msr)
{
	struct mtrrs *m = &vm->mtrrs;

	if (msr == MSR_MTRR_DEF_TYPE)
		return &m->def_type;
	if (msr >= MSR_MTRR_PHYSBASE0 && msr < MSR_MTRR_PHYSBASE0 + 2 * MTRR_VARIABLE_COUNT)
		return &m->variable[msr - MSR_MTRR_PHYSBASE0];
	if (msr == MSR_MTRR_FIX64K_00000)
		return &m->fixed[0];
	if (msr >= MSR_MTRR_FIX16K_80000 && msr <= MSR_MTRR_FIX16K_A0000)
		return &m->fixed[1 + msr - MSR_MTRR_FIX16K_80000];
	if (msr >= MSR_MTRR_FIX4K_C0000 && msr <= MSR_MTRR_FIX4K_F8000)
		return &m->fixed[3 + msr - MSR_MTRR_FIX4K_C0000];
	return NULL;
}

/* What is reserved or no memory type is #GP (SDM, "IA32_MTRR_DEF_TYPE MSR", "Fixed Range MTRRs", "Variable Range
 * MTRRs"). */
static bool mtrr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
	uint64_t *place = mtrr(v->vm, msr);
	uint64_t reserved = ~MASK(v->vm->cpuid.maxphyaddr - 1, 0);

	if (!place)
		return false;
	if (VM_KEPT(MTRR_DEF, msr == MSR_MTRR_DEF_TYPE) &&
	    (!memtype_valid(value & 0xff) || (value & ~(MTRR_DEF_TYPE_E | MTRR_DEF_TYPE_FE | 0xff))))
		return false;
	if (VM_KEPT(MTRR_FIXED, msr >= MSR_MTRR_FIX64K_00000) && msr <= MSR_MTRR_FIX4K_F8000 &&
	    !memtypes_valid(value, false))
		return false;
	if (VM_KEPT(MTRR_VARIABLE, msr < MSR_MTRR_FIX64K_00000)) {
		bool mask = msr & 1; /* PHYSMASKn; else PHYSBASEn, whose bits 7:0 are the type */

		reserved |= mask ? MTRR_PHYSMASK_RESERVED : MTRR_PHYSBASE_RESERVED;
		if ((value & reserved) || (!mask && !memtype_valid(value & 0xff)))
			return false;
	}
	/* Remembered, not obeyed: RAM is write-back whatever the guest's MTRRs say (the EPT leaf's type and the guest's
	 * PAT decide). */
	*place = value;
	return true;
}

/* SDM, "Initializing IA-32e Mode": mmu_set_efer() has the rules, and keeps LMA, which is the CPU's. */
static bool efer_write(struct vcpu *v, uint64_t value)
{
	struct mmu_result r;

	hvm_sync_paging(&v->hvm, &v->mmu);
	r = mmu_set_efer(&v->mmu, value);
	if (r.outcome == MMU_INJECT)
		return false;
	if (VM_KEPT(EFER_STOP, r.outcome == MMU_STOP))
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: %s", r.why);
	VM_MUTANT(EFER_APPLY, hvm_apply_paging(&v->hvm, &v->mmu));
	v->mmu.root_changed = true;
	return true;
}

/* WRMSR to the TSC, or to IA32_TSC_ADJUST, moves both by the same amount (SDM, "Time-Stamp Counter Adjustment"). */
static void tsc_shift(struct vcpu *v, uint64_t by)
{
	VM_MUTANT(TSC_ADJUST, v->tsc_adjust += by);
	VM_MUTANT(TSC_OFFSET, v->tsc_offset += by);
	vcpu_write_tsc_offset(v);
	lapic_set_tsc_offset(&v->lapic, v->tsc_offset);
}

static bool is_lapic(uint32_t msr)
{
	return msr == MSR_TSC_DEADLINE || msr == MSR_APIC_BASE || (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST);
}

static bool lapic_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
	bool ok;

	if (likely(msr == MSR_TSC_DEADLINE))
		return lapic_write_tsc_deadline(&v->lapic, value);
	if (lapic_msr_write_unlocked(&v->lapic, msr, value))
		return true;
	spin_lock(&v->vm->device_lock);
	ok = lapic_msr_write(&v->lapic, msr, value);
	spin_unlock(&v->vm->device_lock);
	if (unlikely(msr == MSR_APIC_BASE))
		VM_MUTANT(APIC_MOVED, tpr_page_moves(v));
	return ok;
}

/* Registers that every kernel takes for granted on a CPU of AMD's (APM, "System Configuration Register (SYSCFG)", and
 * the BIOS and Kernel Developer's Guides), without asking CPUID: they read as 0, and what is written is forgotten. */
static bool is_amds(const struct vcpu *v, uint32_t msr)
{
	if (VM_KEPT(MSR_VENDOR, v->vm->cpuid.basic[0].ecx != CPUID_0_ECX_AMD))
		return false;
	switch (msr) {
	case MSR_AMD_SYSCFG:
	case MSR_AMD_HWCR:
	case MSR_AMD_NB_CFG:
	case MSR_AMD_INT_PENDING:
	case MSR_AMD_TSEG_ADDR:
	case MSR_AMD_TSEG_MASK: return true;
	default: return false;
	}
}

bool msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
	const uint64_t *place;

	if (is_lapic(msr))
		return lapic_msr_read(&v->lapic, msr, value);
	*value = 0;
	switch (msr) {
	case MSR_EFER:
		hvm_sync_paging(&v->hvm, &v->mmu);
		*value = v->mmu.regs.efer;
		return true;
	case MSR_PAT:
		*value = hvm_pat(&v->hvm);
		return true;
	case MSR_TSC:
		*value = clock_now(&v->vm->clock) + v->tsc_offset;
		return true;
	case MSR_TSC_ADJUST:
		*value = v->tsc_adjust;
		return true;
	case MSR_MTRRCAP:
		*value = MTRRCAP_FIX | MTRR_VARIABLE_COUNT;
		return true;
	case MSR_MISC_ENABLE:
		*value = v->misc_enable;
		return true;
	case MSR_PLATFORM_ID:
	case MSR_BIOS_SIGN_ID:
	case MSR_MCG_CAP: /* no bank */
	case MSR_MCG_STATUS:
	case MSR_DEBUGCTL:
		return true;
	}
	place = mtrr(v->vm, msr);
	if (place)
		*value = *place;
	return VM_LEFT_OUT_OR(MSR_ABSENT, place) || is_amds(v, msr) || mitigations_read(v, msr, value);
}

bool msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
	if (is_lapic(msr))
		return lapic_write(v, msr, value);
	switch (msr) {
	case MSR_EFER:
		return efer_write(v, value);
	case MSR_PAT: /* SDM, "IA32_PAT MSR" */
		if (VM_KEPT(PAT_TYPES, !memtypes_valid(value, true)))
			return false;
		hvm_set_pat(&v->hvm, value);
		return true;
	case MSR_TSC:
		tsc_shift(v, value - (clock_now(&v->vm->clock) + v->tsc_offset));
		return true;
	case MSR_TSC_ADJUST:
		tsc_shift(v, value - v->tsc_adjust);
		return true;
	case MSR_MISC_ENABLE: /* remembered, not obeyed; reserved bits: SDM, WRMSR, "Protected Mode Exceptions" */
		if (VM_KEPT(MISC_ENABLE, value & ~MISC_ENABLE_WRITABLE))
			return false;
		v->misc_enable = value;
		return true;
	case MSR_BIOS_SIGN_ID:
	case MSR_BIOS_UPDT_TRIG:
	case MSR_MCG_STATUS:
		return true; /* nothing to do: no microcode, no machine checks */
	case MSR_DEBUGCTL:
		return VM_LEFT_OUT_OR(DEBUGCTL, value == 0); /* no LBR, no BTS: SDM, "IA32_DEBUGCTL MSR" */
	}
	return mtrr_write(v, msr, value) || is_amds(v, msr) || mitigations_write(v, msr, value);
}

/* #GP for an MSR that is not there (SDM, RDMSR, "Protected Mode Exceptions"). The CPU has checked the level before the
 * exit ("Relative Priority of Faults and VM Exits"). */
void exit_rdmsr(struct vcpu *v)
{
	uint64_t value;

	if (!msr_read(v, (uint32_t)v->hvm.gpr[GPR_RCX], &value)) {
		event_gp(v);
		return;
	}
	v->hvm.gpr[GPR_RAX] = (uint32_t)value;
	v->hvm.gpr[GPR_RDX] = value >> 32;
	exit_skip(v);
}

/* The same of WRMSR, and of a value that the MSR cannot hold. */
void exit_wrmsr(struct vcpu *v)
{
	uint64_t value = (uint32_t)v->hvm.gpr[GPR_RAX] | v->hvm.gpr[GPR_RDX] << 32;
	uint32_t msr = (uint32_t)v->hvm.gpr[GPR_RCX];
	bool done;

	/* Two as msr_write(), sooner. */
	if (likely(msr == MSR_TSC_DEADLINE))
		done = lapic_write_tsc_deadline(&v->lapic, value);
	else
		done = (msr == MSR_X2APIC_ICR && lapic_msr_write_unlocked(&v->lapic, MSR_X2APIC_ICR, value)) ||
		       msr_write(v, msr, value);
	if (likely(done))
		exit_skip(v);
	else
		event_gp(v);
}
