/* vm/exit/decoded.h - instructions that were decoded before (struct insn_cache), and are still where they were. Here is
 * what the emulator's exits (vm/exit/emulation.c), and those that do without it (vm/exit/apic.c), have of that inline.
 *
 * DC1 A decoded instruction is one of the guest's only where its bytes are there now, in the mode that it was decoded
 *     in. The bytes are looked at each time, and so are the slots and the entries of the walk that led there. The walk
 *     is not done again as long as the registers and CS are the same (mmu_fetch_noted).
 * DC2 Nor is the walk to its operand, in the same state, while the operand is in that walk's page, and the walk's
 *     entries and the slots are what they were. */
#ifndef VELLUM_VM_EXIT_DECODED_H
#define VELLUM_VM_EXIT_DECODED_H

#include "vm/exit/emulation.h"
#include "vm/exit/skip.h"

#include "lib/mutants/mutate.h"
#include "mmu/recall.h"

/* What it takes to find the instruction. */
static ALWAYS_INLINE void decoded_find(struct vcpu *v, uint64_t rip)
{
	struct emulate *e = &v->emulate;

	e->rip = rip;
	e->rflags = hvm_rflags(&v->hvm);
	hvm_sync_known(&v->hvm, &v->mmu, e->rflags);
	if (unlikely(v->mode_number != hvm_sync_number(&v->hvm)))
		VM_MUTANT(MODE_NUMBER, emulation_find_mode(v));
	e->mode = v->mode;
	e->cpl = v->mmu.regs.cpl;
	e->seg_valid = 0;
}

/* Are its bytes at at? 16 bytes can be read there. */
static ALWAYS_INLINE bool same_bytes(const struct insn_cache *c, const uint8_t *at)
{
	unsigned length = c->insn.length;
	uint64_t x, y;

	memcpy(&x, at, 8);
	memcpy(&y, c->bytes, 8);
	if ((x ^ y) & c->mask)
		return false;
	if (likely(length <= 8))
		return true;
	memcpy(&x, at + length - 8, 8);
	memcpy(&y, c->bytes + length - 8, 8);
	return x == y;
}

/* Outside 64-bit code. false: length bytes of it are not all within the limit, where no CPU has fetched them. */
static inline bool code_linear(struct vcpu *v, unsigned length, uint64_t *linear)
{
	struct emulate *e = &v->emulate;

	if (likely(!v->emulated)) {
		*linear = (uint32_t)(e->rip + hvm_segment_base(&v->hvm, SEG_CS));
		return true;
	}
	if (!(e->seg_valid & 1u << EMULATE_CS))
		emulation_ops.load_segment(e, EMULATE_CS);
	*linear = (uint32_t)(e->rip + e->seg[EMULATE_CS].base);
	return !VM_KEPT(CACHE_LIMIT, e->rip + length - 1 > e->seg[EMULATE_CS].limit);
}

/* number: of the state that v->mmu.regs are in, or 0: not known. MEMO_NONE: a page fault. */
static ALWAYS_INLINE uint64_t decoded_translate(struct vcpu *v, uint64_t linear, struct access access, uint64_t number)
{
	uint64_t gpa = MEMO_NONE;

	if (number)
		gpa = mmu_recall(&v->mmu, GVA(linear), access, number);
	return likely(gpa != MEMO_NONE) ? gpa : emulation_translate_anew(v, linear, access, number);
}

/* true: the bytes that the instruction has now, and the mode, are those of the cached one, which is at e->rip.
 * number: as decoded_translate(). */
static ALWAYS_INLINE bool decoded_still_there(struct vcpu *v, struct insn_cache *c, uint64_t number)
{
	struct emulate *e = &v->emulate;
	struct access access = { .fetch = true, .user = e->cpl == 3 };
	uint64_t linear = e->rip, gpa;

	if (VM_KEPT(CACHE_MODE, c->mode != e->mode) || !c->insn.length)
		return false;
	if (e->mode != EMULATE_LONG64 && !code_linear(v, c->insn.length, &linear))
		return false;
	/* The rest of it is on a page that another walk finds. */
	if (VM_KEPT(CACHE_PAGE_END, (linear & (PAGE_SIZE - 1)) + c->insn.length > PAGE_SIZE))
		return false;
	gpa = decoded_translate(v, linear, access, number);
	c->noted = c->operand_noted = 0;
	c->at = gpa == MEMO_NONE ? NULL : emulation_code_at(v, GPA(gpa));
	if (!c->at || VM_KEPT(EMULATED_CACHE, !same_bytes(c, c->at)))
		return false;
	if (number && !v->emulated && mmu_recall(&v->mmu, GVA(linear), access, number) != MEMO_NONE) {
		c->number = number;
		c->walk = memo_of_fetch(&v->mmu, linear >> PAGE_SHIFT);
		c->noted = mmu_fetch_noted(&v->mmu, GVA(linear));
	}
	return true;
}

static inline struct insn_cache *decoded_set(struct vcpu *v, uint64_t rip)
{
	return v->insn_cache[mmu_slot_of(rip, INSN_CACHE_BITS)];
}

/* NULL: none was at rip. */
static inline struct insn_cache *decoded_cached(struct vcpu *v, uint64_t rip)
{
	struct insn_cache *set = decoded_set(v, rip);

	for (unsigned n = 0; n < INSN_CACHE_WAYS; n++)
		if (likely(set[n].rip == rip))
			return &set[n];
	return NULL;
}

/* DC1: c is at RIP, and v->emulate is filled (decoded_find). */
static ALWAYS_INLINE bool decoded_as_before(struct vcpu *v, const struct insn_cache *c)
{
	const struct walk_memo *m = c->walk;

	return VM_LEFT_OUT_OR(DECODED_KEY, c->number == hvm_sync_number(&v->hvm)) &&
	       VM_LEFT_OUT_OR(DECODED_NOTED, c->noted == m->noted) &&
	       VM_LEFT_OUT_OR(DECODED_WALK, memo_stands(&v->mmu, m)) &&
	       VM_LEFT_OUT_OR(EMULATED_CACHE, same_bytes(c, c->at)) && likely(!v->emulated);
}

/* The instruction at the guest's RIP, if it is one of the decoded ones, as its bytes are now; else NULL. */
static ALWAYS_INLINE struct insn_cache *decoded_here(struct vcpu *v)
{
	uint64_t rip = hvm_rip(&v->hvm);
	struct insn_cache *c = decoded_cached(v, rip);

	if (unlikely(!c))
		return NULL;
	decoded_find(v, rip);
	return likely(decoded_as_before(v, c)) ? c : emulation_look(v, c);
}

/* ---- after decoded_here(), of what that has found ---- */

/* The gpa of a linear address that it accesses, accessed and dirty flags set. MEMO_NONE: a page fault. */
static ALWAYS_INLINE uint64_t decoded_translated(struct vcpu *v, uint64_t linear, bool write)
{
	struct access access = { .write = write, .user = VM_KEPT(USER_ACCESS, v->emulate.cpl == 3) };

	return decoded_translate(v, linear, access, hvm_sync_number(&v->hvm));
}

static inline bool decoded_writes(const struct insn_cache *c) { return c->plain >= INSN_PLAIN_STORE; }

/* PUSH or POP? */
static inline bool decoded_on_stack(const struct insn_cache *c)
{
	return c->plain == INSN_PLAIN_PUSH || c->plain == INSN_PLAIN_POP;
}

/* Is more to be done than to registers and flags (ODD_FORM)? */
static inline bool decoded_is_odd(const struct insn_cache *c)
{
	return decoded_on_stack(c) || (c->plain >= INSN_PLAIN_DIVIDE && c->plain <= INSN_PLAIN_CALL);
}

/* The offset of an operand that is on the stack, or where a bit's number says. */
static ALWAYS_INLINE uint64_t decoded_aside(struct vcpu *v, const struct insn_cache *c)
{
	const struct insn *i = &c->insn;
	uint64_t offset;

	if (c->aside & (ASIDE_RSP | ASIDE_BY_RSP))
		v->hvm.gpr[GPR_RSP] = hvm_rsp(&v->hvm);
	if (c->plain == INSN_PLAIN_POP) /* SDM, "POP": rSP is incremented first */
		v->hvm.gpr[GPR_RSP] += c->size;
	offset = insn_offset(&v->emulate, i);
	if (c->aside & ASIDE_BIT)
		offset += (uint64_t)insn_displaced_by(v->hvm.gpr[i->reg], i->opsize);
	return i->adsize == 8 ? offset : i->adsize == 4 ? (uint32_t)offset : (uint16_t)offset;
}

/* The linear address of its operand. */
static ALWAYS_INLINE uint64_t decoded_linear(struct vcpu *v, const struct insn_cache *c)
{
	struct emulate *e = &v->emulate;
	const struct insn *i = &c->insn;
	uint64_t linear;

	e->gpr = v->hvm.gpr;
	linear = likely(!c->aside) ? insn_offset(e, i) : decoded_aside(v, c);
	if (v->mode != EMULATE_LONG64)
		return (uint32_t)(linear + hvm_segment_base(&v->hvm, (enum segment)i->seg));
	return i->seg >= EMULATE_FS ? linear + hvm_segment_base(&v->hvm, (enum segment)i->seg) : linear;
}

/* An instruction that was decoded before needs no more than its accesses, if neither the delivery of an event nor a
 * breakpoint comes into it. NULL: one does, or it is another instruction. */
static ALWAYS_INLINE struct insn_cache *decoded_undisturbed(struct vcpu *v)
{
	if (VM_KEPT(QUICK_EVENT, v->event.info & EVENT_VALID) ||
	    VM_KEPT(QUICK_BREAKPOINT, hvm_dr7(&v->hvm) & DR7_ENABLED))
		return NULL;
	return decoded_here(v);
}

/* And of a plain one there is but one to a device. NULL: as above, or it is not plain. */
static ALWAYS_INLINE struct insn_cache *decoded_quick(struct vcpu *v)
{
	struct insn_cache *c = decoded_undisturbed(v);

	return c && likely(c->plain) ? c : NULL;
}

/* DC2: as emulation_operand(), of one whose operand is mostly in the page that it was in the last time. */
static ALWAYS_INLINE uint64_t decoded_operand_again(struct vcpu *v, struct insn_cache *c, uint64_t linear)
{
	const struct walk_memo *m = c->operand;

	if (likely(c->operand_noted && VM_LEFT_OUT_OR(OPERAND_NOTED, m->noted == c->operand_noted) &&
		   VM_LEFT_OUT_OR(OPERAND_PAGE, m->page == linear >> PAGE_SHIFT) &&
		   VM_LEFT_OUT_OR(OPERAND_WALK, memo_stands(&v->mmu, m))))
		return m->gpa | (linear & (PAGE_SIZE - 1));
	return emulation_operand(v, c, linear);
}

/* Is it the operand that leads to gpa? It may have been the guest's tables, or a stack. */
static ALWAYS_INLINE bool decoded_leads_to(struct vcpu *v, struct insn_cache *c, gpa_t gpa)
{
	uint64_t operand = decoded_operand_again(v, c, decoded_linear(v, c));

	return operand != MEMO_NONE && !VM_KEPT(SERVED_OPERAND, operand != gpa.v);
}

/* The same where the exit does not say what it accessed but where. */
static ALWAYS_INLINE const struct insn_cache *decoded_access(struct vcpu *v, gpa_t gpa)
{
	struct insn_cache *c = decoded_quick(v);

	return c && decoded_leads_to(v, c, gpa) ? c : NULL;
}

/* All that it does but its access: value is what was read; returns what is to be written. Not of PUSH and POP.
 * Nothing is being delivered, and there are no breakpoints. */
static ALWAYS_INLINE uint64_t decoded_on_value(struct vcpu *v, const struct insn_cache *c, uint64_t value)
{
	struct emulate *e = &v->emulate;

	e->gpr = v->hvm.gpr;
	if (VM_KEPT(QUICK_RSP_READ, unlikely(c->aside & ASIDE_BY_RSP)))
		v->hvm.gpr[GPR_RSP] = hvm_rsp(&v->hvm);
	value = emulate_on_value(e, &c->insn, value);
	if (VM_KEPT(QUICK_RSP, unlikely(c->aside & ASIDE_BY_RSP)))
		hvm_set_rsp(&v->hvm, v->hvm.gpr[GPR_RSP]);
	VM_MUTANT(QUICK_FLAGS, hvm_set_rflags(&v->hvm, e->rflags)); /* without RF */
	exit_skip_to(v, e->rip, e->rflags);
	return value;
}

#endif
