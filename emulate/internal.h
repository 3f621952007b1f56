/* emulate/internal.h - private to emulate/: how the executors read and write registers, memory and flags.
 *
 * Every executor follows EM2: it reads its operands, computes, writes memory last, and only then registers, flags and
 * rip. A helper that can fail returns enum emulate_result; TRY() passes anything but EMULATE_OK up. */
#ifndef VELLUM_EMULATE_INTERNAL_H
#define VELLUM_EMULATE_INTERNAL_H

#include "emulate/decode/ops.h"
#include "lib/canonical.h"

#define SHADOW_STI BLOCKING_STI
#define SHADOW_MOV_SS BLOCKING_MOV_SS

#define TRY(expr) \
	do { \
		enum emulate_result try_result_ = (expr); \
		if (unlikely(try_result_ != EMULATE_OK)) \
			return try_result_; \
	} while (0)

/* A callback that may be absent: the instruction is then unknown. */
#define TRY_OPTIONAL(e, name, ...) \
	do { \
		if (!(e)->ops->name) \
			return EMULATE_UNKNOWN; \
		TRY(from_access(e, (e)->ops->name(__VA_ARGS__))); \
	} while (0)

/* raise.c: fill e->exception and return EMULATE_EXCEPTION. In real mode no exception has an error code. */
enum emulate_result raise(struct emulate *e, unsigned vector);
enum emulate_result raise_error(struct emulate *e, unsigned vector, uint32_t error);
enum emulate_result raise_software(struct emulate *e, const struct insn *i, unsigned vector,
				   enum emulate_exception_kind kind);

static inline enum emulate_result from_access(struct emulate *e, enum emulate_access a)
{
	if (likely(a == EMULATE_ACCESS_OK))
		return EMULATE_OK;
	e->exception.kind = EMULATE_HARDWARE_EXCEPTION;
	return a == EMULATE_ACCESS_FAULT ? EMULATE_EXCEPTION : EMULATE_UNHANDLEABLE;
}

static inline bool is_long64(const struct emulate *e)
{
	return e->mode == EMULATE_LONG64;
}

static inline bool is_real(const struct emulate *e)
{
	return e->mode <= EMULATE_REAL32;
}

/* Real or virtual-8086 mode: selectors are paragraph numbers. */
static inline bool is_real_like(const struct emulate *e)
{
	return e->mode <= EMULATE_V86;
}

static inline uint64_t size_mask(unsigned size)
{
	return ~0ull >> (64 - 8 * size);
}

static inline uint64_t size_sign(unsigned size)
{
	return 1ull << (8 * size - 1);
}

static inline uint64_t sign_extend(uint64_t v, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (uint64_t)((int64_t)(v << shift) >> shift);
}

static inline uint64_t byte_swap(uint64_t v, unsigned size)
{
	return __builtin_bswap64(v) >> (64 - 8 * size);
}

/* Without any REX, byte registers 4-7 are AH, CH, DH, BH. */
static inline bool is_high_byte(const struct insn *i, unsigned reg, unsigned size)
{
	return size == 1 && reg >= 4 && !i->rex;
}

static inline uint64_t read_reg(const struct emulate *e, const struct insn *i, unsigned reg, unsigned size)
{
	if (unlikely(is_high_byte(i, reg, size)))
		return (e->gpr[reg - 4] >> 8) & 0xff;
	return e->gpr[reg] & size_mask(size);
}

/* A write of 32 bits clears the upper half, narrower ones keep the rest. */
static inline void write_gpr(struct emulate *e, unsigned reg, unsigned size, uint64_t v)
{
	uint64_t mask = size_mask(size);

	if (size >= 4)
		e->gpr[reg] = v & mask;
	else
		e->gpr[reg] = (e->gpr[reg] & ~mask) | (v & mask);
}

static inline void write_reg(struct emulate *e, const struct insn *i, unsigned reg, unsigned size, uint64_t v)
{
	if (unlikely(is_high_byte(i, reg, size)))
		e->gpr[reg - 4] = (e->gpr[reg - 4] & ~0xff00ull) | ((v & 0xff) << 8);
	else
		write_gpr(e, reg, size, v);
}

static inline void set_flags(struct emulate *e, uint64_t which, uint64_t values)
{
	e->rflags = (e->rflags & ~which) | (values & which);
}

/* The instruction is done: on to the next. Outside 64-bit mode the instruction pointer has 32 bits (CVE-2016-7093). RF
 * was for this one. */
static inline enum emulate_result finish(struct emulate *e, const struct insn *i)
{
	uint64_t next = e->rip + i->length;

	e->rip = is_long64(e) ? next : (uint32_t)next;
	e->rflags &= ~RFLAGS_RF;
	return EMULATE_OK;
}

static inline const struct emulate_segment *segment(struct emulate *e, unsigned n)
{
	if (unlikely(!(e->seg_valid & (1u << n)))) {
		e->ops->load_segment(e, n);
		e->seg_valid |= 1u << n;
	}
	return &e->seg[n];
}

/* Are all of size bytes at a canonical? Shifted up by half the range, they lie in the range from 0 on. */
static inline bool are_canonical(const struct emulate *e, uint64_t a, unsigned size)
{
	uint64_t half = 1ull << (linear_bits(e->cr4) - 1);

	return a + half <= 2 * half - size;
}

static inline bool is_canonical(const struct emulate *e, uint64_t a)
{
	return are_canonical(e, a, 1);
}

/* segmentation.c: the linear address of size bytes at offset in a segment; checks type, limit, canonicality, alignment.
 * how: EMULATE_HOW_WRITE if they are (also) written. Errors: #GP(0), #SS(0), #AC(0). */
enum emulate_result linear_segmented(struct emulate *e, unsigned seg, uint64_t offset, unsigned size, unsigned how,
				     uint64_t *linear);
enum emulate_result linear_not_canonical(struct emulate *e, unsigned seg);
enum emulate_result check_alignment(struct emulate *e, uint64_t linear, unsigned size);

static inline bool crosses_page(uint64_t linear, unsigned size)
{
	return (linear & (PAGE_SIZE - 1)) + size > PAGE_SIZE;
}

static inline enum emulate_result linear_address(struct emulate *e, unsigned seg, uint64_t offset, unsigned size,
						 unsigned how, uint64_t *linear)
{
	if (likely(is_long64(e))) {
		if (unlikely(seg >= EMULATE_FS))
			offset += segment(e, seg)->base;
		if (unlikely(!are_canonical(e, offset, size)))
			return linear_not_canonical(e, seg);
		*linear = offset;
	} else {
		TRY(linear_segmented(e, seg, offset, size, how, linear));
	}
	if (unlikely(e->rflags & RFLAGS_AC))
		return check_alignment(e, *linear, size);
	return EMULATE_OK;
}

/* memory.c: accesses by linear address that may cross a page (EM3, EM4). */
enum emulate_result read_crossing(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how);
enum emulate_result write_crossing(struct emulate *e, uint64_t linear, const void *buf, unsigned size, unsigned how);
enum emulate_result mem_probe(struct emulate *e, uint64_t linear, unsigned size, unsigned how);
/* A locked read-modify-write whose first half was a read of *old: EMULATE_RESTART if memory has changed since. */
enum emulate_result write_locked(struct emulate *e, uint64_t linear, const void *old, const void *new, unsigned size);

static inline enum emulate_result mem_read(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how)
{
	if (unlikely(crosses_page(linear, size)))
		return read_crossing(e, linear, buf, size, how);
	return from_access(e, e->ops->read(e, linear, buf, size, how));
}

static inline enum emulate_result mem_write(struct emulate *e, uint64_t linear, const void *buf, unsigned size,
					    unsigned how)
{
	if (unlikely(crosses_page(linear, size)))
		return write_crossing(e, linear, buf, size, how | EMULATE_HOW_WRITE);
	return from_access(e, e->ops->write(e, linear, buf, size, how | EMULATE_HOW_WRITE));
}

/* size 1..8, zero-extended. */
static inline enum emulate_result read_value(struct emulate *e, uint64_t linear, unsigned size, unsigned how,
					     uint64_t *v)
{
	*v = 0;
	return mem_read(e, linear, v, size, how);
}

static inline enum emulate_result write_value(struct emulate *e, uint64_t linear, unsigned size, uint64_t v)
{
	return mem_write(e, linear, &v, size, 0);
}

static inline bool is_memory(const struct insn *i)
{
	return i->flags & INSN_F_MEM;
}

/* The linear address of the memory operand. */
static inline enum emulate_result rm_linear(struct emulate *e, const struct insn *i, unsigned size, unsigned how,
					    uint64_t *linear)
{
	return linear_address(e, i->seg, insn_offset(e, i), size, how, linear);
}

/* operands.c: the r/m operand, register or memory. rm_read() sets *linear if it is memory, for rm_update(), which
 * writes back after a rm_read() with EMULATE_HOW_WRITE gave `old`; a locked rm_update() may give EMULATE_RESTART. */
enum emulate_result rm_read(struct emulate *e, const struct insn *i, unsigned size, unsigned how, uint64_t *linear,
			    uint64_t *v);
enum emulate_result rm_update(struct emulate *e, const struct insn *i, unsigned size, uint64_t linear, uint64_t old,
			      uint64_t new);
enum emulate_result rm_write(struct emulate *e, const struct insn *i, unsigned size, uint64_t v);

/* exec_shift.c: what a shift of v, or of v and another, gives, and which flags; v has nothing above its size. */
struct shifted {
	uint64_t value;
	uint32_t flags, which;
};
struct shifted shift_value(const struct insn *i, uint64_t v, uint64_t by, uint64_t rflags);
struct shifted shift_double_value(const struct insn *i, uint64_t v, uint64_t other, uint64_t by, bool left);

/* plain_insn.c: is reg a register, and not a part of the opcode? Of what insn_plain() says is plain. */
bool insn_has_register(const struct insn *i);

/* plain_bits.c: BMI1, BMI2, ADX and CRC32: is i one, by what CPUID offers (EMULATE_HAS_*)? And all that it does but its
 * access: value is what it has read, and is returned. */
bool insn_is_bits(const struct insn *i, uint32_t features);
uint64_t on_value_bits(struct emulate *e, const struct insn *i, uint64_t value);

/* condition.c: SDM, "EFLAGS Condition Codes". */
bool condition(uint64_t rflags, unsigned code);

/* exec_control.c: rip is now `target`. */
enum emulate_result arrive(struct emulate *e, uint64_t target);

/* exec_stack.c: bytes of the stack pointer, and pushes and pops that change nothing but *sp; push_probe() only
 * tries. */
unsigned stack_size(struct emulate *e);
/* The stack pointer with n bytes more released. */
static inline uint64_t release(struct emulate *e, uint64_t sp, uint64_t n)
{
	uint64_t mask = size_mask(stack_size(e));

	return (sp & ~mask) | ((sp + n) & mask);
}
enum emulate_result push_at(struct emulate *e, uint64_t *sp, unsigned size, uint64_t v);
enum emulate_result push_probe(struct emulate *e, uint64_t *sp, unsigned size);
enum emulate_result pop_at(struct emulate *e, uint64_t *sp, unsigned size, uint64_t *v);
/* What POPF has popped, but for RF, which is over. */
void take_popped_flags(struct emulate *e, const struct insn *i, uint64_t v);

/* exec_segment.c: what loading a selector into seg[n] gives, and putting it there. */
enum emulate_result prepare_segment(struct emulate *e, unsigned n, uint16_t selector, struct emulate_segment *out);
enum emulate_result prepare_code_segment(struct emulate *e, uint16_t selector, bool is_return,
					 struct emulate_segment *out);
void commit_segment(struct emulate *e, unsigned n, const struct emulate_segment *s);
/* As virtual-8086 mode has them; e->mode is that already. */
void commit_v86_segment(struct emulate *e, unsigned n, uint16_t selector);

/* exec_system.c: #GP(0) but at CPL 0; and #GP(0) elsewhere with CR4.UMIP only. */
enum emulate_result check_cpl0(struct emulate *e);
enum emulate_result check_umip(struct emulate *e);
/* May CPL and the TSS use these ports? */
enum emulate_result check_port(struct emulate *e, uint16_t port, unsigned size);

#endif
