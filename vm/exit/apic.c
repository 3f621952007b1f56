/* vm/exit/apic.c - what is left to do where the CPU serves the guest's local APIC itself (vm/tpr/tpr.c): accesses to
 * registers that it does not serve, writes that it has put into the page, EOIs that somebody waits for, and a TPR that
 * has become low enough for an interrupt that waits. SDM, "Virtualizing Memory-Mapped APIC Accesses", "APIC-Write
 * Emulation", "EOI Virtualization" and "TPR Virtualization". */
#include "vm/exit/stack.h"

#include "lib/mutants/mutate.h"

/* These exits are trap-like (SDM, "TPR Virtualization", "EOI Virtualization", "APIC-Write VM Exits"): the instruction
 * is done, and with it the blocking by an STI or a load of SS before it ("Masking Maskable Hardware Interrupts"),
 * whatever is saved. */
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
	if (likely(lapic_eoi_done_unlocked(&v->lapic, hvm_exit_eoi(&v->hvm))))
		return;
	spin_lock(&v->vm->device_lock);
	VM_MUTANT(EOI_DONE, lapic_eoi_done(&v->lapic, hvm_exit_eoi(&v->hvm)));
	spin_unlock(&v->vm->device_lock);
}

__attribute__((noinline)) void apic_write_locked(struct vcpu *v, unsigned offset, unsigned size, uint64_t value)
{
	spin_lock(&v->vm->device_lock);
	lapic_mmio_write(&v->lapic, offset, size, value);
	spin_unlock(&v->vm->device_lock);
}

static __attribute__((noinline)) bool pushed(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	uint64_t value = lapic_mmio_read_aligned(&v->lapic, offset, c->size);

	if (unlikely(is_small_stack(v)) ? !push_small(v, c, value) : !push_quickly(v, c, value))
		emulation_push_anywhere(v, c, value);
	return true;
}

static __attribute__((noinline)) bool popped_to(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	uint64_t value = 0, sp = stack_pointer(v, 0);

	if (!popped(v, c, sp, &value))
		return false;
	apic_write_register(v, offset, c->size, value);
	pop_done(v, c, sp);
	return true;
}

/* false: #DE, which is the emulator's, and nothing has changed. */
static __attribute__((noinline)) bool divided(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	uint64_t value = lapic_mmio_read_aligned(&v->lapic, offset, c->size);
	struct emulate *e = &v->emulate;

	e->gpr = v->hvm.gpr;
	if (VM_KEPT(QUICK_DIVIDES, emulate_divide(e, &c->insn, value) != EMULATE_OK))
		return false;
	hvm_set_rflags(&v->hvm, e->rflags);
	exit_skip_to(v, e->rip, e->rflags);
	return true;
}

/* A jump or call to where the register says. false: as above. SDM, "CALL", "JMP". */
static __attribute__((noinline)) bool branched(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	uint64_t target = lapic_mmio_read_aligned(&v->lapic, offset, c->size), rflags = v->emulate.rflags;

	if (!is_target(v, target))
		return false;
	if (c->plain == INSN_PLAIN_CALL && !pushed_quickly(v, c->size, v->emulate.rip + c->insn.length))
		return false;
	exit_skip_access_to(v, target, rflags);
	return true;
}

static __attribute__((noinline)) bool served_oddly(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	if (likely(c->plain == INSN_PLAIN_PUSH))
		return pushed(v, c, offset);
	if (c->plain == INSN_PLAIN_POP)
		return popped_to(v, c, offset);
	return c->plain == INSN_PLAIN_DIVIDE ? divided(v, c, offset) : branched(v, c, offset);
}

/* What is no MOV of 4 bytes. false: it takes the emulator. */
static ALWAYS_INLINE bool serve_other(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	uint64_t value = 0;

	if (unlikely((offset | ODD_FORM) & c->odd)) {
		if (VM_KEPT(SERVED_WIDE, offset & c->odd)) /* it would be an access to each of two */
			return false;
		if (c->odd & ODD_FORM)
			return served_oddly(v, c, offset);
	}
	if (c->plain != INSN_PLAIN_WRITE)
		value = lapic_mmio_read_aligned(&v->lapic, offset, c->size);
	value = decoded_on_value(v, c, value);
	if (decoded_writes(c))
		apic_write_register(v, offset, c->size, value); /* of which it takes the size */
	return true;
}

static inline bool is_mov(const struct insn_cache *c)
{
	return c->plain >= INSN_PLAIN_LOAD && c->plain <= INSN_PLAIN_STORE_IMM;
}

/* The access, to an aligned register of the local APIC, has passed all of the guest's own checks. false: it takes the
 * emulator. */
static ALWAYS_INLINE bool serve(struct vcpu *v, const struct insn_cache *c, unsigned offset)
{
	uint64_t *gpr;

	if (unlikely(!is_mov(c)))
		return serve_other(v, c, offset);
	gpr = &v->hvm.gpr[c->insn.reg];
	if (c->plain == INSN_PLAIN_LOAD)
		*gpr = lapic_mmio_read_aligned(&v->lapic, offset, 4);
	else
		apic_write_register(v, offset, 4, c->plain == INSN_PLAIN_STORE ? *gpr : c->insn.imm);
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
	return true;
}

/* An access of data that the instruction makes to its operand, as far as the exit tells: who pushes what it reads has
 * written to its stack; and if who reads and writes has read, whether it may write has not been looked at. */
static inline bool is_of_operand(struct vcpu *v, struct insn_cache *c, struct hvm_apic_access a)
{
	if (likely(a.write == decoded_writes(c)))
		return true;
	if (a.write)
		return VM_LEFT_OUT_OR(QUICK_PUSH, false);
	return VM_LEFT_OUT_OR(QUICK_MAY_WRITE, decoded_leads_to(v, c, GPA(gfn_gpa(v->vm->tpr.page_at).v | a.offset)));
}

/* Nor does it need the translation of its operand, mostly: the exit says which register it reads or writes. But of an
 * operand that begins in the page before, it says 0, where no register is. */
static inline bool access_served(struct vcpu *v, struct hvm_apic_access a)
{
	struct insn_cache *c;

	if (!a.instruction || (a.offset & 3) || VM_KEPT(QUICK_STRADDLE, !a.offset))
		return false;
	c = decoded_undisturbed(v);
	if (unlikely(!c))
		return false;
	if (likely(c->plain) && is_of_operand(v, c, a) && serve(v, c, a.offset))
		return true;
	return told_carried_out(v, c, a.offset, a.write) || known_carried_out(v, c);
}

/* Is gpa a register's of v's own local APIC? */
static inline bool is_register(const struct vcpu *v, gpa_t gpa)
{
	return VM_LEFT_OUT_OR(SERVED_ACTIVE, lapic_mmio_active(&v->lapic)) &&
	       VM_LEFT_OUT_OR(SERVED_BASE, align_down(gpa.v, PAGE_SIZE) == lapic_base_gpa(&v->lapic)) && !(gpa.v & 3);
}

static ALWAYS_INLINE bool served(struct vcpu *v, gpa_t gpa, bool looked_at)
{
	struct insn_cache *c = is_register(v, gpa) ? decoded_undisturbed(v) : NULL;

	if (unlikely(!c))
		return false;
	/* It may have been the stack that led there. */
	if (likely(c->plain) && unlikely(!decoded_leads_to(v, c, gpa)))
		return decoded_on_stack(c) && known_carried_out(v, c);
	/* What may be patched is looked at first. */
	if (!looked_at && unlikely(gpa.v == v->patch_watched) && !patch_left(v, c))
		return false;
	return (likely(c->plain) && serve(v, c, gpa.v & (PAGE_SIZE - 1))) || known_carried_out(v, c);
}

bool apic_served(struct vcpu *v, gpa_t gpa) { return served(v, gpa, false); }

bool apic_served_anyhow(struct vcpu *v, gpa_t gpa) { return served(v, gpa, true); }

static bool other_served(struct vcpu *v, const struct insn_cache *c, gpa_t gpa)
{
	uint64_t value = 0;

	if ((gpa.v & c->odd) || ((c->odd & ODD_FORM) && c->plain != INSN_PLAIN_PUSH))
		return false;
	if (c->plain != INSN_PLAIN_WRITE)
		value = platform_mmio_read(v, gpa.v, c->size);
	if (c->plain == INSN_PLAIN_PUSH) {
		emulation_push(v, c, value);
		return true;
	}
	value = decoded_on_value(v, c, value);
	if (decoded_writes(c))
		platform_mmio_write(v, gpa.v, c->size, value & MASK(8 * c->size - 1, 0));
	return true;
}

bool device_served(struct vcpu *v, gpa_t gpa)
{
	const struct insn_cache *c = decoded_access(v, gpa);
	uint64_t *gpr;

	if (!c)
		return false;
	if (gpa.v & 3)
		return false;
	if (!is_mov(c))
		return other_served(v, c, gpa);
	gpr = &v->hvm.gpr[c->insn.reg];
	if (c->plain == INSN_PLAIN_LOAD)
		*gpr = (uint32_t)platform_mmio_read(v, gpa.v, 4);
	else
		platform_mmio_write(v, gpa.v, 4, (uint32_t)(c->plain == INSN_PLAIN_STORE ? *gpr : c->insn.imm));
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
	return true;
}

void exit_apic_access(struct vcpu *v)
{
	struct hvm_apic_access a = hvm_exit_apic_access(&v->hvm);

	if (!tpr_page_mapped(v->vm)) {
		exit_unknown(v);
		return;
	}
	if (unlikely(hvm_exit_delivery(&v->hvm) & EVENT_VALID))
		VM_MUTANT(APIC_QUEUED, exit_requeue_event(v));
	if (!access_served(v, a))
		exit_emulate_mmio(v, GPA(gfn_gpa(v->vm->tpr.page_at).v | a.offset));
}
