/* vm/exit/stack.h - what PUSH of a device's register and POP to one do to the stack (vm/exit/apic.c), where that is an
 * aligned place in plain memory, of a stack that nothing but paging can be in the way of. The rest of them is in
 * vm/exit/push.c, and the emulator's. */
#ifndef VELLUM_VM_EXIT_STACK_H
#define VELLUM_VM_EXIT_STACK_H

#include "lib/canonical.h"
#include "vm/exit/decoded.h"

/* A stack of all 4 GBytes, of the kernel's, in 32-bit code: nothing but paging can be in the way. SDM, "Basic Flat
 * Model", "Interrupt 17 - Alignment Check Exception (#AC)" (of programs alone), "Stack Behavior in 64-Bit Mode" and
 * "Limit Checking". */
static inline bool is_flat_stack(const struct vcpu *v)
{
	const uint64_t looked_at = SEGMENT_UNUSABLE | SEGMENT_DB | (SEGMENT_TYPE & ~(uint32_t)TYPE_ACCESSED);

	return !v->emulate.cpl &&
	       VM_LEFT_OUT_OR(PUSH_FLAT, (hvm_synced_ss(&v->hvm) & looked_at) == (SEGMENT_DB | TYPE_READ_WRITE) &&
						 !hvm_segment_base(&v->hvm, SEG_SS) &&
						 hvm_segment_limit(&v->hvm, SEG_SS) == 0xffffffff);
}

/* Nor in 64-bit code, but for what is not canonical; that of CPUs with 57 bits is left to the emulator. */
static inline bool is_plain_place(const struct vcpu *v, uint64_t linear, unsigned size)
{
	if (VM_KEPT(PUSH_ALIGNED, linear & (size - 1)) || v->vm->tpr.over_memory)
		return false;
	if (v->mode == EMULATE_LONG64)
		return VM_LEFT_OUT_OR(PUSH_CANONICAL, is_canonical_in(linear, LINEAR_BITS));
	return is_flat_stack(v);
}

/* The stack pointer, by bytes further. */
static inline uint64_t stack_pointer(const struct vcpu *v, int bytes)
{
	uint64_t sp = hvm_rsp(&v->hvm) + (uint64_t)(int64_t)bytes;

	return v->mode == EMULATE_LONG64 ? sp : (uint32_t)sp;
}

/* Is the stack pointer SP? SDM, "Stack Behavior in 64-Bit Mode", and for SS.B "Segment Descriptors". */
static inline bool is_small_stack(const struct vcpu *v)
{
	return v->mode != EMULATE_LONG64 && !(hvm_synced_ss(&v->hvm) & SEGMENT_DB);
}

/* Where sp leads to in a stack of 16 bits, if that holds so many bytes there, and nothing but paging can be in the
 * way. SDM, "Type Checking", "Limit Checking". */
static inline bool is_small_place(const struct vcpu *v, uint64_t sp, unsigned size, uint64_t *linear)
{
	const uint64_t looked_at = SEGMENT_UNUSABLE | (SEGMENT_TYPE & ~(uint32_t)TYPE_ACCESSED);

	if (!is_small_stack(v) || (hvm_synced_ss(&v->hvm) & looked_at) != TYPE_READ_WRITE || v->vm->tpr.over_memory)
		return false;
	*linear = (uint32_t)(hvm_segment_base(&v->hvm, SEG_SS) + sp);
	return VM_LEFT_OUT_OR(POP_SMALL_LIMIT, sp + size - 1 <= hvm_segment_limit(&v->hvm, SEG_SS)) &&
	       !((sp | *linear) & (size - 1));
}

/* The store of a PUSH, or of a CALL. false: it takes more than that, and nothing has changed. */
static ALWAYS_INLINE bool pushed_quickly(struct vcpu *v, unsigned size, uint64_t value)
{
	uint64_t linear = stack_pointer(v, -(int)size), gpa;

	if (!is_plain_place(v, linear, size))
		return false;
	gpa = decoded_translated(v, linear, true);
	if (gpa == MEMO_NONE || mmu_guest_write(&v->vm->mmu, GPA(gpa), &value, size) != size)
		return false;
	hvm_set_rsp(&v->hvm, linear);
	return true;
}

static ALWAYS_INLINE bool push_quickly(struct vcpu *v, const struct insn_cache *c, uint64_t value)
{
	if (!pushed_quickly(v, c->size, value))
		return false;
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
	return true;
}

/* Is an instruction there for who branches to rip within the segment? SDM, "Limit Checking", "Canonical Addressing". */
static inline bool is_target(const struct vcpu *v, uint64_t rip)
{
	if (v->mode == EMULATE_LONG64)
		return VM_LEFT_OUT_OR(TARGET_CANONICAL, is_canonical_in(rip, LINEAR_BITS));
	return VM_LEFT_OUT_OR(TARGET_LIMIT, rip <= hvm_segment_limit(&v->hvm, SEG_CS));
}

/* What a POP from sp writes to its operand. false: as above. */
static ALWAYS_INLINE bool popped(struct vcpu *v, const struct insn_cache *c, uint64_t sp, uint64_t *value)
{
	uint64_t gpa;

	if (!is_plain_place(v, sp, c->size))
		return false;
	gpa = decoded_translated(v, sp, false);
	return gpa != MEMO_NONE && mmu_guest_read(&v->vm->mmu, GPA(gpa), value, c->size) == c->size;
}

/* And all that is left to do when that was written, in such a stack. */
static ALWAYS_INLINE void pop_done(struct vcpu *v, const struct insn_cache *c, uint64_t sp)
{
	sp += c->size;
	hvm_set_rsp(&v->hvm, v->mode == EMULATE_LONG64 ? sp : (uint32_t)sp);
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
}

#endif
