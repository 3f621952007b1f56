/* vm/exit/known.c - instructions that access the local APIC's page and are not plain (vm/exit/decoded.h): strings,
 * divisions, what pushes to the page. The emulator carries them out as it does any; but that they are still there is
 * known (DC1), and an access of theirs is mostly to a page that was walked to before, in the state that the vCPU is in
 * (S18 in mmu/translate.c), and to memory or to the local APIC. What is otherwise is left to the emulator's own
 * accesses, which also say what fault it is. */
#include "vm/exit/stack.h"

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

/* A register of v's own local APIC, of which bytes are accessed as one. */
static ALWAYS_INLINE bool is_register(const struct vcpu *v, uint64_t gpa, unsigned size)
{
	return lapic_mmio_active(&v->lapic) && align_down(gpa, PAGE_SIZE) == lapic_base_gpa(&v->lapic) &&
	       !(gpa & 3) && (0x116u >> (size & 31) & 1) && !(gpa & (size - 1) & 4);
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

static ALWAYS_INLINE void write_register(struct vcpu *v, uint64_t gpa, const void *buf, unsigned size)
{
	uint64_t value = 0;

	copy(&value, buf, size);
	if (likely(lapic_mmio_write_unlocked(&v->lapic, gpa & (PAGE_SIZE - 1), size, value)))
		return;
	spin_lock(&v->vm->device_lock);
	lapic_mmio_write(&v->lapic, gpa & (PAGE_SIZE - 1), size, value);
	spin_unlock(&v->vm->device_lock);
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

/* Outside 64-bit code, a segment of data of all 4 GBytes that may be written: nothing but paging can be in the way
 * (SDM, "Type Checking", "Limit Checking"). */
static inline bool is_flat(const struct segment_state *s)
{
	const uint32_t looked_at = SEGMENT_UNUSABLE | SEGMENT_S | TYPE_CODE | TYPE_EXPAND_DOWN | TYPE_READ_WRITE;

	return s->limit == 0xffffffff && (s->access & looked_at) == (SEGMENT_S | TYPE_READ_WRITE);
}

/* Where an aligned element at reg in the segment n is. looked_at: the CPU has accessed it, as it has not exited for it.
 * false: it takes more, or a page fault comes. */
static ALWAYS_INLINE bool element(struct vcpu *v, const struct insn *i, enum segment n, unsigned reg, bool write,
				  bool looked_at, uint64_t *gpa)
{
	uint64_t linear = v->hvm.gpr[reg] & MASK(8 * i->adsize - 1, 0);

	if (v->mode == EMULATE_LONG64) {
		if (n == SEG_FS || n == SEG_GS)
			linear += hvm_segment_base(&v->hvm, n);
		if (VM_KEPT(STRING_CANONICAL, !is_canonical_in(linear, LINEAR_BITS)))
			return false;
	} else if (looked_at) {
		linear = (uint32_t)(linear + hvm_segment_base(&v->hvm, n));
	} else {
		struct segment_state s = hvm_segment(&v->hvm, n);

		if (VM_KEPT(STRING_FLAT, !is_flat(&s)))
			return false;
		linear = (uint32_t)(linear + s.base);
	}
	if (VM_KEPT(STRING_ALIGNED, linear & (i->opsize - 1u)))
		return false;
	*gpa = decoded_translated(v, linear, write);
	return *gpa != MEMO_NONE;
}

/* In another page than v's own local APIC? */
static inline bool is_elsewhere(const struct vcpu *v, uint64_t gpa)
{
	return align_down(gpa, PAGE_SIZE) != lapic_base_gpa(&v->lapic);
}

static ALWAYS_INLINE bool read_element(struct vcpu *v, uint64_t gpa, uint64_t *value, unsigned size)
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

static ALWAYS_INLINE bool write_element(struct vcpu *v, uint64_t gpa, uint64_t value, unsigned size)
{
	if (is_elsewhere(v, gpa))
		return mmu_guest_write(&v->vm->mmu, GPA(gpa), &value, size) == size;
	if (is_register(v, gpa, size)) {
		write_register(v, gpa, &value, size);
		return true;
	}
	return !platform_is_lapic(v, gpa) && mmu_guest_write(&v->vm->mmu, GPA(gpa), &value, size) == size;
}

/* Which of its accesses it is that the exit tells of, to a register: for that one all has been looked at. Of a
 * comparison's two it is not told which. */
static inline unsigned string_told(const struct insn *i, unsigned accesses, const struct hvm_apic_access *told)
{
	unsigned which;

	if (!told || VM_KEPT(STRING_TOLD_ALIGNED, told->offset & (i->opsize - 1u)))
		return 0;
	which = accesses & (told->write ? INSN_STRING_TO : INSN_STRING_FROM | INSN_STRING_AT);
	return VM_KEPT(STRING_TOLD_ONE, which == (INSN_STRING_FROM | INSN_STRING_AT)) ? 0 : which;
}

/* One of its reads, at reg. */
static ALWAYS_INLINE bool string_read(struct vcpu *v, const struct insn *i, enum segment n, unsigned reg,
				      bool looked_at, uint64_t *value)
{
	uint64_t gpa;

	return element(v, i, n, reg, false, looked_at, &gpa) && read_element(v, gpa, value, i->opsize);
}

static ALWAYS_INLINE bool string_write(struct vcpu *v, const struct insn *i, uint64_t value)
{
	uint64_t gpa;

	return element(v, i, SEG_ES, GPR_RDI, true, false, &gpa) && write_element(v, gpa, value, i->opsize);
}

/* The only iteration of a string instruction. false: it takes more than that, and nothing has changed. */
static bool string_carried_out(struct vcpu *v, const struct insn *i, unsigned accesses,
			       const struct hvm_apic_access *told)
{
	struct emulate *e = &v->emulate;
	unsigned known = string_told(i, accesses, told);
	uint64_t from = 0, at = 0, value;

	e->gpr = v->hvm.gpr;
	if (VM_KEPT(STRING_ONCE, !insn_string_once(e, i)))
		return false;
	if (known & (INSN_STRING_FROM | INSN_STRING_AT))
		from = at = lapic_mmio_read_aligned(&v->lapic, told->offset, i->opsize);
	if (accesses & ~known & INSN_STRING_FROM &&
	    !string_read(v, i, (enum segment)i->seg, GPR_RSI, known & INSN_STRING_TO, &from))
		return false;
	if (accesses & ~known & INSN_STRING_AT && !string_read(v, i, SEG_ES, GPR_RDI, false, &at))
		return false;
	value = accesses & INSN_STRING_FROM ? from : v->hvm.gpr[GPR_RAX];
	if (known & INSN_STRING_TO)
		write_register(v, told->offset, &value, i->opsize);
	else if (accesses & INSN_STRING_TO && !string_write(v, i, value))
		return false;
	emulate_string(e, i, accesses, from, at);
	hvm_set_rflags(&v->hvm, e->rflags);
	exit_skip_to(v, e->rip, e->rflags);
	return true;
}

/* PUSH of what is in memory to the page. false: as above. */
static bool pushed_to_page(struct vcpu *v, struct insn_cache *c)
{
	uint64_t sp = stack_pointer(v, -(int)c->size), from, to, value;

	if (!is_plain_place(v, sp, c->size))
		return false;
	from = decoded_operand_again(v, c, decoded_linear(v, c));
	if (from == MEMO_NONE || (from & (c->size - 1)) || !read_element(v, from, &value, c->size))
		return false;
	to = decoded_translated(v, sp, true);
	if (to == MEMO_NONE || !write_element(v, to, value, c->size))
		return false;
	hvm_set_rsp(&v->hvm, sp);
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
	return true;
}

/* POP to the page from a stack of 16 bits. false: as above. SDM, "Stack Behavior in 64-Bit Mode", "Limit Checking". */
static bool popped_small(struct vcpu *v, struct insn_cache *c)
{
	const uint32_t looked_at = SEGMENT_UNUSABLE | SEGMENT_DB | TYPE_CODE | TYPE_EXPAND_DOWN | TYPE_READ_WRITE;
	struct segment_state s = hvm_segment(&v->hvm, SEG_SS);
	uint64_t rsp = hvm_rsp(&v->hvm), sp = rsp & 0xffff, linear = (uint32_t)(s.base + sp), from, to, value;

	if (v->mode == EMULATE_LONG64 || (s.access & looked_at) != TYPE_READ_WRITE || c->aside)
		return false;
	if (VM_KEPT(POP_SMALL_LIMIT, sp + c->size - 1 > s.limit) || (sp | linear) & (c->size - 1u))
		return false;
	from = decoded_translated(v, linear, false);
	/* Else it was the stack that exited, and no CPU has looked at the operand's segment. */
	if (from == MEMO_NONE || VM_KEPT(POP_SMALL_FROM, !is_elsewhere(v, from)) ||
	    !read_element(v, from, &value, c->size))
		return false;
	to = decoded_operand_again(v, c, decoded_linear(v, c));
	if (to == MEMO_NONE || !is_register(v, to, c->size))
		return false;
	write_register(v, to, &value, c->size);
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

bool known_carried_out(struct vcpu *v, struct insn_cache *c, const struct hvm_apic_access *told)
{
	struct emulate *e = &v->emulate;
	bool fault_known = v->fault_known;
	unsigned accesses = c->string;
	enum emulate_result result;

	if (accesses && string_carried_out(v, &c->insn, accesses, told))
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
