/* vm/exit/apic.c - what is left to do where the CPU serves the guest's local APIC itself (vm/tpr.c): accesses to
 * registers that it does not serve, writes that it has put into the page, EOIs that somebody waits for, and a TPR that
 * has become low enough for an interrupt that waits. SDM, "Virtualizing Memory-Mapped APIC Accesses", "APIC-Write
 * Emulation", "EOI Virtualization" and "TPR Virtualization". */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

/* The instruction that exited is done, and with it the blocking by an STI or a load of SS before it, whatever is saved
 * (SDM, "Masking Maskable Hardware Interrupts", "Trap-Like VM Exits"). */
static void behind_instruction(struct vcpu *v)
{
	uint64_t blocking = hvm_blocking(&v->hvm);

	exit_requeue_event(v);
	if (VM_KEPT(TPR_BLOCKING, blocking & (BLOCKING_STI | BLOCKING_MOV_SS)))
		hvm_set_blocking(&v->hvm, blocking & ~(BLOCKING_STI | BLOCKING_MOV_SS));
}

/* The guest has written its TPR, after which an interrupt may be delivered. */
void exit_tpr_below(struct vcpu *v)
{
	behind_instruction(v);
	VM_MUTANT(TPR_LOWERED, lapic_tpr_lowered(&v->lapic));
}

void exit_apic_write(struct vcpu *v)
{
	behind_instruction(v);
	if (unlikely(!v->lapic.page)) {
		exit_unknown(v);
		return;
	}
	if (lapic_wrote_unlocked(&v->lapic, hvm_exit_apic_write(&v->hvm)))
		return;
	spin_lock(&v->vm->device_lock);
	VM_MUTANT(APIC_WROTE, lapic_wrote(&v->lapic, hvm_exit_apic_write(&v->hvm)));
	spin_unlock(&v->vm->device_lock);
}

/* The bit in ISR is gone. */
void exit_eoi(struct vcpu *v)
{
	behind_instruction(v);
	spin_lock(&v->vm->device_lock);
	VM_MUTANT(EOI_DONE, lapic_eoi_done(&v->lapic, hvm_exit_eoi(&v->hvm)));
	spin_unlock(&v->vm->device_lock);
}

/* The access that the exit tells of, to an aligned register: it has passed all of the guest's own checks. */
static void serve(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	uint64_t *gpr = &v->hvm.gpr[c->insn.reg];

	if (c->plain != INSN_PLAIN_LOAD &&
	    lapic_mmio_write_unlocked(&v->lapic, offset, 4, c->plain == INSN_PLAIN_STORE ? *gpr : c->insn.imm))
		return;
	spin_lock(&v->vm->device_lock);
	if (c->plain == INSN_PLAIN_LOAD)
		*gpr = lapic_mmio_read(&v->lapic, offset, 4);
	else
		lapic_mmio_write(&v->lapic, offset, 4, c->plain == INSN_PLAIN_STORE ? *gpr : c->insn.imm);
	spin_unlock(&v->vm->device_lock);
}

/* A MOV that was decoded before needs no emulator, if neither the delivery of an event nor a breakpoint comes into it.
 * NULL: it does. */
static const struct insn_cache *decoded(struct vcpu *v)
{
	if (VM_KEPT(QUICK_EVENT, v->event.info & EVENT_VALID) ||
	    VM_KEPT(QUICK_BREAKPOINT, hvm_dr7(&v->hvm) & DR7_ENABLED))
		return NULL;
	return emulation_plain(v);
}

/* Nor the translation of its operand: the exit says which register it reads or writes. But of an operand that begins in
 * the page before, it says 0, where no register is. */
static bool access_served(struct vcpu *v, struct hvm_apic_access a)
{
	const struct insn_cache *c;

	if (!a.instruction || (a.offset & 3) || VM_KEPT(QUICK_STRADDLE, !a.offset))
		return false;
	c = decoded(v);
	if (!c)
		return false;
	serve(v, c, a.offset);
	exit_skip_access(v, c->insn.length);
	return true;
}

/* Here the exit does not say that: it may have been the guest's tables that lead to gpa. */
static const struct insn_cache *decoded_access(struct vcpu *v, gpa_t gpa)
{
	const struct insn_cache *c = gpa.v & 3 ? NULL : decoded(v);
	gpa_t operand;

	if (!c || !emulation_operand(v, c, &operand) || VM_KEPT(SERVED_OPERAND, operand.v != gpa.v))
		return NULL;
	return c;
}

bool apic_served(struct vcpu *v, gpa_t gpa)
{
	const struct insn_cache *c;

	if (VM_KEPT(SERVED_ACTIVE, !lapic_mmio_active(&v->lapic)) ||
	    VM_KEPT(SERVED_BASE, align_down(gpa.v, PAGE_SIZE) != lapic_base_gpa(&v->lapic)))
		return false;
	c = decoded_access(v, gpa);
	if (!c)
		return false;
	serve(v, c, gpa.v & (PAGE_SIZE - 1));
	exit_skip_access(v, c->insn.length);
	return true;
}

bool device_served(struct vcpu *v, gpa_t gpa)
{
	const struct insn_cache *c = decoded_access(v, gpa);
	uint64_t *gpr;

	if (!c)
		return false;
	gpr = &v->hvm.gpr[c->insn.reg];
	if (c->plain == INSN_PLAIN_LOAD)
		*gpr = (uint32_t)platform_mmio_read(v, gpa.v, 4);
	else
		platform_mmio_write(v, gpa.v, 4, (uint32_t)(c->plain == INSN_PLAIN_STORE ? *gpr : c->insn.imm));
	exit_skip_access(v, c->insn.length);
	return true;
}

void exit_apic_access(struct vcpu *v)
{
	struct hvm_apic_access a = hvm_exit_apic_access(&v->hvm);

	if (!tpr_page_mapped(v->vm)) {
		exit_unknown(v);
		return;
	}
	VM_MUTANT(APIC_QUEUED, exit_requeue_event(v));
	if (!access_served(v, a))
		exit_emulate_mmio(v, GPA(gfn_gpa(v->vm->tpr.page_at).v | a.offset));
}
