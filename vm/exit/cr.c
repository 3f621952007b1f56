/* vm/exit/cr.c - the guest's loads of control registers that exit. SDM, "Exit Qualification for Control-Register
 * Accesses". */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

/* What LMSW loads. */
#define CR0_LMSW (CR0_MP | CR0_EM | CR0_TS | CR0_PE)

static uint64_t gpr_read(const struct vcpu *v, unsigned n)
{
	return VM_KEPT(CR_RSP, n == GPR_RSP) ? hvm_rsp(&v->hvm) : v->hvm.gpr[n];
}

static void gpr_write(struct vcpu *v, unsigned n, uint64_t value)
{
	if (n == GPR_RSP)
		hvm_set_rsp(&v->hvm, value);
	else
		v->hvm.gpr[n] = value;
}

/* The front functions of the heart check and act; what they did then goes into the CPU's state. */
static bool register_loaded(struct vcpu *v, unsigned n, struct mmu_result r)
{
	if (r.outcome == MMU_INJECT) {
		event_exception(v, r.exception.vector, true, r.exception.error);
		return false;
	}
	if (r.outcome == MMU_STOP) {
		vm_end(v->vm, VM_STATUS_STOPPED, "stopped: %s", r.why);
		return false;
	}
	/* A load of CR3 changes the root alone. */
	if (VM_KEPT(CR_APPLY, n != 3))
		hvm_apply_paging(&v->hvm, &v->mmu);
	v->mmu.root_changed = true;
	return true;
}

/* SDM, MOV to CR0: #GP(0) where IA-32e mode would begin with a TSS of 16 bits in TR. VM entry refuses it, too. */
static bool tss_allows(const struct vcpu *v, uint64_t cr0)
{
	bool begins = (cr0 & CR0_PG) && !(v->mmu.regs.cr0 & CR0_PG) && (v->mmu.regs.efer & EFER_LME);

	return VM_LEFT_OUT_OR(LONG_TSS, !begins) ||
	       (hvm_segment(&v->hvm, SEG_TR).access & SEGMENT_TYPE) == TYPE_TSS32_BUSY;
}

bool cr_write(struct vcpu *v, unsigned n, uint64_t value)
{
	switch (n) {
	case 0:
		if (!tss_allows(v, value)) {
			event_gp(v);
			return false;
		}
		if (!register_loaded(v, 0, mmu_set_cr0(&v->mmu, value)))
			return false;
		VM_MUTANT(REAL_MODE, emulated_decide(v));
		return true;
	case 3:
		return register_loaded(v, 3, mmu_set_cr3(&v->mmu, value));
	case 4:
		return register_loaded(v, 4, mmu_set_cr4(&v->mmu, value));
	case 8:
		/* Bits 63:4 are reserved (SDM, MOV to and from control registers). */
		if (VM_KEPT(CR8_RANGE, value > 15)) {
			event_gp(v);
			return false;
		}
		lapic_write_tpr(&v->lapic, (uint8_t)(value << 4));
		return true;
	default: /* there is no such register: #UD (SDM, MOV - Move to/from Control Registers) */
		event_ud(v);
		return false;
	}
}

/* The operand has 64 bits in 64-bit mode, whatever its prefixes, and else 32 (SDM, MOV to and from control
 * registers). */
static bool mov_to(struct vcpu *v, unsigned n, unsigned gpr)
{
	uint64_t value = gpr_read(v, gpr);

	return cr_write(v, n, VM_LEFT_OUT_OR(OPERAND_32, hvm_in_64bit_code(&v->hvm)) ? value : (uint32_t)value);
}

/* CR0, CR2 and CR4 are read without an exit (SDM, "Changes to Instruction Behavior in VMX Non-Root Operation"). */
static void mov_from(struct vcpu *v, unsigned n, unsigned gpr)
{
	gpr_write(v, gpr, n == 8 ? lapic_read_tpr(&v->lapic) >> 4 : v->mmu.regs.cr3);
}

void exit_cr_access(struct vcpu *v)
{
	struct hvm_cr_access a = hvm_exit_cr(&v->hvm);
	bool done = true;

	/* Without EPT, each change of what a load of CR3 looks at has exited. */
	if (VM_KEPT(CR_SYNC, a.cr != 3 || v->mmu.intercepts.ept))
		hvm_sync_paging(&v->hvm, &v->mmu);
	switch (a.how) {
	case HVM_CR_TO:
		done = mov_to(v, a.cr, a.gpr);
		break;
	case HVM_CR_FROM:
		mov_from(v, a.cr, a.gpr);
		break;
	case HVM_CR_CLTS:
		done = cr_write(v, 0, v->mmu.regs.cr0 & ~CR0_TS);
		break;
	case HVM_CR_LMSW:
		/* It can set PE but not clear it (SDM, LMSW). */
		done = cr_write(v, 0, (v->mmu.regs.cr0 & ~(CR0_LMSW & ~(VM_LEFT_OUT_OR(LMSW_PE, false) ? 0 : CR0_PE))) |
					      (a.lmsw & CR0_LMSW));
		break;
	}
	if (done)
		exit_skip(v);
}

/* SDM, "Extended Control Registers (Including XCR0)": x87 always; AVX with SSE; AVX-512 whole and with AVX. */
bool cr_xcr0_valid(const struct vcpu *v, uint64_t x)
{
	if (VM_KEPT(XCR0_X87, !(x & XCR0_X87)) || VM_KEPT(XCR0_OFFERED, (x & ~v->vm->cpuid.xcr0_offered)))
		return false;
	if (VM_KEPT(XCR0_AVX, x & XCR0_AVX) && !(x & XCR0_SSE))
		return false;
	return !(x & XCR0_AVX512) || ((x & XCR0_AVX512) == XCR0_AVX512 && (x & XCR0_AVX));
}

/* SDM, XSETBV: for level 0, and there is XCR0 only. The CPU has checked CR4.OSXSAVE before the exit; the level too,
 * says "Relative Priority of Faults and VM Exits", but not each does: Bochs' exits at level 3. */
void exit_xsetbv(struct vcpu *v)
{
	uint64_t value = (uint32_t)v->hvm.gpr[GPR_RAX] | v->hvm.gpr[GPR_RDX] << 32;

	if (VM_KEPT(XSETBV_CPL, hvm_cpl(&v->hvm) != 0) || VM_KEPT(XCR_INDEX, (uint32_t)v->hvm.gpr[GPR_RCX] != 0) ||
	    VM_KEPT(XCR0_VALID, !cr_xcr0_valid(v, value))) {
		event_gp(v);
		return;
	}
	v->xcr0 = value;
	xsetbv(0, value);
	exit_skip(v);
}

/* SDM, INVLPG: a page of an address that is not canonical is no error (mmu_invlpg). */
void exit_invlpg(struct vcpu *v)
{
	if (v->mmu.intercepts.ept)
		hvm_sync_paging(&v->hvm, &v->mmu);
	mmu_invlpg(&v->mmu, hvm_exit_invlpg(&v->hvm));
	exit_skip(v);
}
