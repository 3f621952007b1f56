/* vm/exit/element.h - one element of a string, or of what a PUSH or a POP moves, in memory or in the local APIC's page:
 * of instructions that were decoded before (vm/exit/known.c, vm/exit/told.c). */
#ifndef VELLUM_VM_EXIT_ELEMENT_H
#define VELLUM_VM_EXIT_ELEMENT_H

#include "vm/exit/stack.h"

/* A register of v's own local APIC, of which bytes are accessed as one. */
static ALWAYS_INLINE bool is_register(const struct vcpu *v, uint64_t gpa, unsigned size)
{
	return lapic_mmio_active(&v->lapic) && align_down(gpa, PAGE_SIZE) == lapic_base_gpa(&v->lapic) &&
	       !(gpa & 3) && (0x116u >> (size & 31) & 1) && !(gpa & (size - 1) & 4);
}

/* In another page than v's own local APIC? */
static inline bool is_elsewhere(const struct vcpu *v, uint64_t gpa)
{
	return align_down(gpa, PAGE_SIZE) != lapic_base_gpa(&v->lapic);
}

static ALWAYS_INLINE bool element_at(struct vcpu *v, uint64_t gpa, uint64_t *value, unsigned size)
{
	*value = 0;
	if (likely(is_elsewhere(v, gpa)))
		return mmu_guest_read(&v->vm->mmu, GPA(gpa), value, size) == size;
	if (is_register(v, gpa, size)) {
		*value = lapic_mmio_read_aligned(&v->lapic, gpa & (PAGE_SIZE - 1), size);
		return true;
	}
	return !platform_is_lapic(v, gpa) && mmu_guest_read(&v->vm->mmu, GPA(gpa), value, size) == size;
}

static ALWAYS_INLINE bool element_put(struct vcpu *v, uint64_t gpa, uint64_t value, unsigned size)
{
	if (is_elsewhere(v, gpa))
		return mmu_guest_write(&v->vm->mmu, GPA(gpa), &value, size) == size;
	if (is_register(v, gpa, size)) {
		apic_write_register(v, gpa & (PAGE_SIZE - 1), size, value);
		return true;
	}
	return !platform_is_lapic(v, gpa) && mmu_guest_write(&v->vm->mmu, GPA(gpa), &value, size) == size;
}

/* ---- of strings ---- */

/* Outside 64-bit code, a segment of data of all 4 GBytes that may be written: nothing but paging can be in the way
 * (SDM, "Type Checking", "Limit Checking"). */
static inline bool is_flat(const struct vcpu *v, enum segment n)
{
	const uint32_t looked_at = SEGMENT_UNUSABLE | SEGMENT_S | TYPE_CODE | TYPE_EXPAND_DOWN | TYPE_READ_WRITE;

	return hvm_segment_limit(&v->hvm, n) == 0xffffffff &&
	       (hvm_segment_access(&v->hvm, n) & looked_at) == (SEGMENT_S | TYPE_READ_WRITE);
}

/* Its linear address, at reg in the segment n. */
static ALWAYS_INLINE uint64_t element_linear(const struct vcpu *v, const struct insn *i, enum segment n, unsigned reg)
{
	uint64_t offset = v->hvm.gpr[reg];

	if (i->adsize != 8)
		offset = likely(i->adsize == 4) ? (uint32_t)offset : (uint16_t)offset;
	if (v->mode != EMULATE_LONG64)
		return (uint32_t)(offset + hvm_segment_base(&v->hvm, n));
	return n == SEG_FS || n == SEG_GS ? offset + hvm_segment_base(&v->hvm, n) : offset;
}

/* Where it is, if it is aligned. looked_at: the CPU has accessed it, as it has not exited for it. false: it takes more,
 * or a page fault comes. */
static ALWAYS_INLINE bool element_translated(struct vcpu *v, const struct insn *i, enum segment n, uint64_t linear,
					     bool write, bool looked_at, uint64_t *gpa)
{
	if (v->mode == EMULATE_LONG64) {
		if (VM_KEPT(STRING_CANONICAL, !is_canonical_in(linear, LINEAR_BITS)))
			return false;
	} else if (!looked_at && VM_KEPT(STRING_FLAT, !is_flat(v, n))) {
		return false;
	}
	if (VM_KEPT(STRING_ALIGNED, linear & (i->opsize - 1u)))
		return false;
	*gpa = decoded_translated(v, linear, write);
	return *gpa != MEMO_NONE;
}

static ALWAYS_INLINE bool element_read(struct vcpu *v, const struct insn *i, enum segment n, unsigned reg,
				       bool looked_at, uint64_t *value)
{
	uint64_t gpa;

	return element_translated(v, i, n, element_linear(v, i, n, reg), false, looked_at, &gpa) &&
	       element_at(v, gpa, value, i->opsize);
}

static ALWAYS_INLINE bool element_write(struct vcpu *v, const struct insn *i, uint64_t value)
{
	uint64_t gpa;

	return element_translated(v, i, SEG_ES, element_linear(v, i, SEG_ES, GPR_RDI), true, false, &gpa) &&
	       element_put(v, gpa, value, i->opsize);
}

/* All that is left to do when the accesses are made. */
static ALWAYS_INLINE void string_done(struct vcpu *v, const struct insn *i, unsigned accesses, uint64_t from,
				      uint64_t at)
{
	struct emulate *e = &v->emulate;

	emulate_string(e, i, accesses, from, at);
	hvm_set_rflags(&v->hvm, e->rflags);
	exit_skip_to(v, e->rip, e->rflags);
}

#endif
