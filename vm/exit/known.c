/* vm/exit/known.c - instructions that access the local APIC's page and are not plain (vm/exit/decoded.h): strings,
 * divisions, what pushes to the page. The emulator carries them out as it does any; but that they are still there is
 * known (DC1), and an access of theirs is mostly to a page that was walked to before, in the state that the vCPU is in
 * (S18 in mmu/translate.c), and to memory or to the local APIC. What is otherwise is left to the emulator's own
 * accesses, which also say what fault it is. */
#include "vm/exit/element.h"

#include "lib/mutants/mutate.h"

static struct vcpu *vcpu_of(struct emulate *e) { return e->opaque; }

/* The gpa of an access as the instruction makes it; MEMO_NONE: of another, or a page fault. What it has read in order
 * to write there was translated for that. */
static ALWAYS_INLINE uint64_t gpa_of(struct vcpu *v, uint64_t linear, unsigned how)
{
	uint64_t gpa;

	if (VM_KEPT(KNOWN_IMPLICIT, unlikely(how & EMULATE_HOW_SYSTEM)))
		return MEMO_NONE;
	if ((how & EMULATE_HOW_WRITE) && linear == v->known_linear)
		return v->known_gpa;
	gpa = decoded_translated(v, linear, how & EMULATE_HOW_WRITE);
	if (how & EMULATE_HOW_WRITE) {
		v->known_linear = linear;
		v->known_gpa = gpa;
	}
	return gpa;
}

static ALWAYS_INLINE void copy(void *to, const void *from, unsigned size)
{
	if (likely(size == 4))
		memcpy(to, from, 4);
	else if (size == 8)
		memcpy(to, from, 8);
	else if (size == 2)
		memcpy(to, from, 2);
	else
		memcpy(to, from, 1);
}

static ALWAYS_INLINE void write_register(struct vcpu *v, uint64_t gpa, const void *buf, unsigned size)
{
	uint64_t value = 0;

	copy(&value, buf, size);
	apic_write_register(v, gpa & (PAGE_SIZE - 1), size, value);
}

enum emulate_access known_read(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how)
{
	struct vcpu *v = vcpu_of(e);
	uint64_t gpa = gpa_of(v, linear, how), value;

	if (unlikely(gpa == MEMO_NONE))
		return emulation_ops.read(e, linear, buf, size, how);
	if (is_register(v, gpa, size)) {
		value = lapic_mmio_read_aligned(&v->lapic, gpa & (PAGE_SIZE - 1), size);
		copy(buf, &value, size);
		return EMULATE_ACCESS_OK;
	}
	if (likely(!platform_is_lapic(v, gpa) && mmu_guest_read(&v->vm->mmu, GPA(gpa), buf, size) == size))
		return EMULATE_ACCESS_OK;
	return emulation_ops.read(e, linear, buf, size, how);
}

enum emulate_access known_write(struct emulate *e, uint64_t linear, const void *buf, unsigned size, unsigned how)
{
	struct vcpu *v = vcpu_of(e);
	uint64_t gpa = gpa_of(v, linear, how);

	if (unlikely(gpa == MEMO_NONE))
		return emulation_ops.write(e, linear, buf, size, how);
	if (is_register(v, gpa, size)) {
		write_register(v, gpa, buf, size);
		return EMULATE_ACCESS_OK;
	}
	if (likely(!platform_is_lapic(v, gpa) && mmu_guest_write(&v->vm->mmu, GPA(gpa), buf, size) == size))
		return EMULATE_ACCESS_OK;
	return emulation_ops.write(e, linear, buf, size, how);
}

enum emulate_access known_cmpxchg(struct emulate *e, uint64_t linear, void *expected, const void *desired,
				  unsigned size, bool *done)
{
	struct vcpu *v = vcpu_of(e);
	uint64_t gpa = gpa_of(v, linear, EMULATE_HOW_WRITE);

	if (gpa == MEMO_NONE || !is_register(v, gpa, size))
		return emulation_ops.cmpxchg(e, linear, expected, desired, size, done);
	write_register(v, gpa, desired, size);
	*done = true;
	return EMULATE_ACCESS_OK;
}

/* ---- strings ---- */

/* The only iteration of a string instruction. false: it takes more than that, and nothing has changed. */
static bool string_carried_out(struct vcpu *v, const struct insn *i, unsigned accesses)
{
	struct emulate *e = &v->emulate;
	uint64_t from = 0, at = 0;

	e->gpr = v->hvm.gpr;
	if (VM_KEPT(STRING_ONCE, !insn_string_once(e, i)))
		return false;
	if (accesses & INSN_STRING_FROM && !element_read(v, i, (enum segment)i->seg, GPR_RSI, false, &from))
		return false;
	if (accesses & INSN_STRING_AT && !element_read(v, i, SEG_ES, GPR_RDI, false, &at))
		return false;
	if (accesses & INSN_STRING_TO &&
	    !element_write(v, i, accesses & INSN_STRING_FROM ? from : v->hvm.gpr[GPR_RAX]))
		return false;
	string_done(v, i, accesses, from, at);
	return true;
}

/* PUSH of what is in memory to the page. false: as above. */
static bool pushed_to_page(struct vcpu *v, struct insn_cache *c)
{
	uint64_t sp = stack_pointer(v, -(int)c->size), from, to, value;

	if (!is_plain_place(v, sp, c->size))
		return false;
	from = decoded_operand_again(v, c, decoded_linear(v, c));
	if (from == MEMO_NONE || (from & (c->size - 1)) || !element_at(v, from, &value, c->size))
		return false;
	to = decoded_translated(v, sp, true);
	if (to == MEMO_NONE || !element_put(v, to, value, c->size))
		return false;
	hvm_set_rsp(&v->hvm, sp);
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
	return true;
}

/* POP to the page from a stack of 16 bits. false: as above. */
static bool popped_small(struct vcpu *v, struct insn_cache *c)
{
	uint64_t rsp = hvm_rsp(&v->hvm), sp = rsp & 0xffff, linear, from, to, value;

	if (c->aside || !is_small_place(v, sp, c->size, &linear))
		return false;
	from = decoded_translated(v, linear, false);
	/* Else it was the stack that exited, and no CPU has looked at the operand's segment. */
	if (from == MEMO_NONE || VM_KEPT(POP_SMALL_FROM, !is_elsewhere(v, from)) ||
	    !element_at(v, from, &value, c->size))
		return false;
	to = decoded_operand_again(v, c, decoded_linear(v, c));
	if (to == MEMO_NONE || !is_register(v, to, c->size))
		return false;
	apic_write_register(v, to & (PAGE_SIZE - 1), c->size, value);
	hvm_set_rsp(&v->hvm, (rsp & ~0xffffull) | ((sp + c->size) & 0xffff));
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
	return true;
}

/* ---- any ---- */

/* The rest of it is nothing but where the next instruction is, registers and flags. */
static inline bool is_ordinary(const struct emulate *e)
{
	return !(e->seg_dirty | e->shadow) && !e->single_step && !e->unblocks_nmi && !(e->rflags & RFLAGS_TF);
}

static void ordinary_done(struct vcpu *v)
{
	struct emulate *e = &v->emulate;

	hvm_set_rsp(&v->hvm, v->hvm.gpr[GPR_RSP]);
	hvm_set_rflags(&v->hvm, e->rflags);
	exit_skip_to(v, e->rip, e->rflags);
}

bool known_carried_out(struct vcpu *v, struct insn_cache *c)
{
	struct emulate *e = &v->emulate;
	bool fault_known = v->fault_known;
	unsigned accesses = c->string;
	enum emulate_result result;

	if (accesses && string_carried_out(v, &c->insn, accesses))
		return true;
	if (c->plain == INSN_PLAIN_PUSH && pushed_to_page(v, c))
		return true;
	if (c->plain == INSN_PLAIN_POP && popped_small(v, c))
		return true;
	emulation_fill_all(v);
	e->ops = &emulation_known_ops;
	e->rep_limit = EMULATION_REPEATS;
	v->breakpoints = v->breakpoint_hits = 0;
	v->fault_known = false;
	v->known_linear = v->known_gpa = MEMO_NONE; /* no access: that address is one, and of no gpa yet */
	result = emulate_execute(e, &c->insn);
	v->fault_known = fault_known;
	if (likely(result == EMULATE_OK && is_ordinary(e)))
		ordinary_done(v);
	else if (result == EMULATE_OK || result == EMULATE_RESTART || VM_KEPT(KNOWN_PROGRESS, e->progress))
		emulation_act_on_known(v, c, result); /* of what iterations have done, the flags are in e alone */
	else
		return false;
	return true;
}
