/* vm/exit/emulation_registers.c - what the instruction emulator asks of registers that are not general ones: control
 * and debug registers, MSRs, CPUID, the TSC. Where the CPU runs the guest these instructions exit, or touch what it
 * keeps for the guest; so what is done here is what those exits do. */
#include "vm/exit/emulation.h"

#include "lib/mutants/mutate.h"

static struct vcpu *vcpu_of(struct emulate *e) { return e->opaque; }

static enum emulate_access fault(struct emulate *e, uint8_t vector, bool has_error)
{
	e->exception = (struct emulate_exception){ .vector = vector, .has_error = has_error };
	return EMULATE_ACCESS_FAULT;
}

static enum emulate_access gp(struct emulate *e) { return fault(e, VECTOR_GP, e->mode > EMULATE_REAL32); }

/* ---- control registers ---- */

/* The exception that was queued is the instruction's; or else the VM is over. */
static enum emulate_access queued(struct emulate *e)
{
	struct event *event = &vcpu_of(e)->event;

	if (!(event->info & EVENT_VALID))
		return EMULATE_ACCESS_UNHANDLEABLE;
	e->exception = (struct emulate_exception){ .vector = (uint8_t)(event->info & EVENT_VECTOR),
						   .has_error = event->info & EVENT_HAS_ERROR,
						   .error = event->error };
	event->info = 0;
	return EMULATE_ACCESS_FAULT;
}

/* MOV to CR3 under PAE, with page-directory pointers where the CPU found no memory: they are all ones, which is #GP
 * (SDM, "PDPTE Registers"), or a device's. */
static enum emulate_access load_cr3(struct emulate *e, uint64_t value)
{
	struct mmu_result r = mmu_set_cr3(&vcpu_of(e)->mmu, value);

	if (r.outcome == MMU_INJECT) {
		e->exception = (struct emulate_exception){ .vector = r.exception.vector,
							   .has_error = true,
							   .error = r.exception.error };
		return EMULATE_ACCESS_FAULT;
	}
	vcpu_of(e)->mmu.root_changed = true;
	return r.outcome == MMU_STOP ? EMULATE_ACCESS_UNHANDLEABLE : EMULATE_ACCESS_OK;
}

/* The paging registers may have changed each other: EFER.LMA follows CR0.PG. */
static void paging_changed(struct emulate *e)
{
	const struct walk_regs *r = &vcpu_of(e)->mmu.regs;

	e->cr0 = r->cr0;
	e->cr4 = r->cr4;
	e->efer = r->efer;
	e->mode = (uint8_t)emulation_mode(vcpu_of(e), e->rflags);
}

enum emulate_access emulation_write_cr(struct emulate *e, unsigned n, uint64_t value)
{
	if (n == 2) {
		write_cr2(value);
		return EMULATE_ACCESS_OK;
	}
	if (n == 3)
		return load_cr3(e, value);
	if (!cr_write(vcpu_of(e), n, value))
		return queued(e);
	paging_changed(e);
	return EMULATE_ACCESS_OK;
}

enum emulate_access emulation_read_cr(struct emulate *e, unsigned n, uint64_t *value)
{
	struct vcpu *v = vcpu_of(e);

	switch (n) {
	case 0: *value = e->cr0; break;
	case 2: *value = read_cr2(); break;
	case 3: *value = v->mmu.regs.cr3; break;
	case 4: *value = e->cr4; break;
	default: *value = lapic_read_tpr(&v->lapic) >> 4; break; /* CR8 */
	}
	return EMULATE_ACCESS_OK;
}

/* ---- debug registers ---- */

/* SDM, "Debug Registers DR4 and DR5", and DR7.GD of "Debug Control Register (DR7)": the exception comes before the
 * access, and clears GD. */
static enum emulate_access may_access_dr(struct emulate *e, unsigned *n)
{
	struct hvm_vcpu *v = &vcpu_of(e)->hvm;
	uint64_t dr7 = hvm_dr7(v);

	if (*n == 4 || *n == 5) {
		if (VM_KEPT(EMULATED_DE, e->cr4 & CR4_DE))
			return fault(e, VECTOR_UD, false);
		*n += 2;
	}
	if (!VM_KEPT(EMULATED_GD, dr7 & DR7_GD))
		return EMULATE_ACCESS_OK;
	write_dr6((read_dr6() & ~DR6_BREAKPOINTS) | DR6_BD);
	hvm_set_dr7(v, dr7 & ~DR7_GD);
	return fault(e, VECTOR_DB, false);
}

enum emulate_access emulation_read_dr(struct emulate *e, unsigned n, uint64_t *value)
{
	enum emulate_access a = may_access_dr(e, &n);

	if (a != EMULATE_ACCESS_OK)
		return a;
	*value = n < 4 ? debug_dr(vcpu_of(e), n) : n == 6 ? read_dr6() : debug_dr7(vcpu_of(e));
	return EMULATE_ACCESS_OK;
}

/* Bits of DR6 and DR7 that no MOV changes are as after a reset; those above 31 must be 0 (SDM, "Debug Registers and
 * Intel 64 Processors"). */
enum emulate_access emulation_write_dr(struct emulate *e, unsigned n, uint64_t value)
{
	enum emulate_access a = may_access_dr(e, &n);

	if (a != EMULATE_ACCESS_OK)
		return a;
	if (n >= 6 && value >> 32)
		return gp(e);
	if (n < 4)
		debug_set_dr(vcpu_of(e), n, value);
	else if (n == 6)
		write_dr6((value & DR6_WRITABLE) | (DR6_RESET & ~DR6_WRITABLE));
	else
		debug_set_dr7(vcpu_of(e), (value & DR7_WRITABLE) | DR7_RESET);
	return EMULATE_ACCESS_OK;
}

/* ---- MSRs, CPUID, TSC ---- */

enum emulate_access emulation_read_msr(struct emulate *e, uint32_t index, uint64_t *value)
{
	struct vcpu *v = vcpu_of(e);

	return msr_read_own(v, index, value) || msr_read(v, index, value) ? EMULATE_ACCESS_OK : gp(e);
}

enum emulate_access emulation_write_msr(struct emulate *e, uint32_t index, uint64_t value)
{
	struct vcpu *v = vcpu_of(e);

	if (msr_is_own(v, index) ? !msr_write_own(v, index, value) : !msr_write(v, index, value))
		return gp(e);
	paging_changed(e);
	/* IA32_FS_BASE and IA32_GS_BASE are parts of segment registers. */
	e->seg_valid &= (uint8_t)~((1u << EMULATE_FS | 1u << EMULATE_GS) & ~(unsigned)e->seg_dirty);
	return EMULATE_ACCESS_OK;
}

enum emulate_access emulation_cpuid(struct emulate *e, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	struct cpuid r = vcpu_cpuid(vcpu_of(e), leaf, subleaf);

	out[0] = r.eax;
	out[1] = r.ebx;
	out[2] = r.ecx;
	out[3] = r.edx;
	return EMULATE_ACCESS_OK;
}

enum emulate_access emulation_rdtsc(struct emulate *e, uint64_t *value)
{
	const struct vcpu *v = vcpu_of(e);

	*value = clock_now(&v->vm->clock) + v->tsc_offset;
	return EMULATE_ACCESS_OK;
}

enum emulate_access emulation_invlpg(struct emulate *e, uint64_t linear)
{
	mmu_invlpg(&vcpu_of(e)->mmu, GVA(linear));
	return EMULATE_ACCESS_OK;
}
