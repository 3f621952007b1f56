/* emulate/exec/exec_string.c - MOVS STOS LODS CMPS SCAS INS OUTS, with and without REP. SDM: "REP/REPE/REPNE".
 *
 * Each iteration is all or nothing and committed before the next (EM2); a repetition is cut after rep_limit (EM5). */
#include "emulate/flags.h"

#define REP_LIMIT 4096
#define SEVERAL_FOR_ONE 8u /* EM5 */

/* One iteration: moves its pointers, not rip. */
typedef enum emulate_result (*iteration)(struct emulate *e, const struct insn *i);
/* The same of several, at most so many; *done: how many, 0: none. */
typedef enum emulate_result (*iterations)(struct emulate *e, const struct insn *i, uint32_t most, uint32_t *done);

/* The pointer moves on by one element, up or down. */
static void advance(struct emulate *e, const struct insn *i, unsigned reg)
{
	uint64_t step = (e->rflags & RFLAGS_DF) ? 0 - (uint64_t)i->opsize : i->opsize;

	write_gpr(e, reg, i->adsize, e->gpr[reg] + step);
}

/* DS:rSI, or the override's segment. */
static enum emulate_result source(struct emulate *e, const struct insn *i, uint64_t *linear)
{
	return linear_address(e, i->seg, e->gpr[EMULATE_RSI] & size_mask(i->adsize), i->opsize, 0, linear);
}

/* ES:rDI, always. */
static enum emulate_result destination(struct emulate *e, const struct insn *i, unsigned how, uint64_t *linear)
{
	return linear_address(e, EMULATE_ES, e->gpr[EMULATE_RDI] & size_mask(i->adsize), i->opsize, how, linear);
}

/* After the n-th iteration: is it time to let interrupts and traps in? A single step is one iteration. */
static bool is_time(const struct emulate *e, uint32_t n, uint32_t limit)
{
	return n >= limit || e->interrupted || (e->rflags & RFLAGS_TF);
}

static enum emulate_result repeat(struct emulate *e, const struct insn *i, iteration one, iterations several,
				  bool compares)
{
	uint32_t limit = e->rep_limit ? e->rep_limit : REP_LIMIT;
	uint64_t mask = size_mask(i->adsize), flags = e->rflags;

	if (!(i->flags & (INSN_F_REP | INSN_F_REPNE))) {
		TRY(one(e, i));
		return finish(e, i);
	}
	for (uint32_t n = 0, done = 0; e->gpr[EMULATE_RCX] & mask;) {
		enum emulate_result result = several ? several(e, i, (limit - n) * SEVERAL_FOR_ONE, &done) : EMULATE_OK;

		if (result == EMULATE_OK && !done)
			result = one(e, i);
		if (result != EMULATE_OK) {
			/* A fault gives back the flags from before (SDM, "REP/REPE/REPZ/REPNE/REPNZ"). */
			if (compares && (i->flags & INSN_F_REPNE))
				set_flags(e, RFLAGS_STATUS, flags);
			return result;
		}
		done += !done;
		write_gpr(e, EMULATE_RCX, i->adsize, e->gpr[EMULATE_RCX] - done);
		if (compares && !(e->rflags & RFLAGS_ZF) == !(i->flags & INSN_F_REPNE))
			break;
		e->progress = true;
		n += (done + SEVERAL_FOR_ONE - 1) / SEVERAL_FOR_ONE;
		done = 0;
		if (unlikely(is_time(e, n, limit)) && (e->gpr[EMULATE_RCX] & mask)) {
			/* Between iterations RF is set: a breakpoint on the instruction has had its turn (SDM,
			 * "Instruction-Breakpoint Exception Condition"). */
			e->rflags |= RFLAGS_RF;
			return EMULATE_RESTART;
		}
	}
	return finish(e, i);
}

static enum emulate_result one_movs(struct emulate *e, const struct insn *i)
{
	uint64_t from, to, v;

	TRY(source(e, i, &from));
	TRY(read_value(e, from, i->opsize, 0, &v));
	TRY(destination(e, i, EMULATE_HOW_WRITE, &to));
	TRY(write_value(e, to, i->opsize, v));
	advance(e, i, EMULATE_RSI);
	advance(e, i, EMULATE_RDI);
	return EMULATE_OK;
}

static enum emulate_result one_stos(struct emulate *e, const struct insn *i)
{
	uint64_t to;

	TRY(destination(e, i, EMULATE_HOW_WRITE, &to));
	TRY(write_value(e, to, i->opsize, e->gpr[EMULATE_RAX]));
	advance(e, i, EMULATE_RDI);
	return EMULATE_OK;
}

static enum emulate_result one_lods(struct emulate *e, const struct insn *i)
{
	uint64_t from, v;

	TRY(source(e, i, &from));
	TRY(read_value(e, from, i->opsize, 0, &v));
	write_gpr(e, EMULATE_RAX, i->opsize, v);
	advance(e, i, EMULATE_RSI);
	return EMULATE_OK;
}

/* ES:rDI is read first, for no better reason than that the CPUs that this was compared with do so. */
static enum emulate_result one_cmps(struct emulate *e, const struct insn *i)
{
	uint64_t from, to, a, b;

	TRY(destination(e, i, 0, &to));
	TRY(read_value(e, to, i->opsize, 0, &b));
	TRY(source(e, i, &from));
	TRY(read_value(e, from, i->opsize, 0, &a));
	advance(e, i, EMULATE_RSI);
	advance(e, i, EMULATE_RDI);
	set_flags(e, RFLAGS_STATUS, flags_sub(a, b, a - b, i->opsize));
	return EMULATE_OK;
}

static enum emulate_result one_scas(struct emulate *e, const struct insn *i)
{
	uint64_t to, a = e->gpr[EMULATE_RAX] & size_mask(i->opsize), b;

	TRY(destination(e, i, 0, &to));
	TRY(read_value(e, to, i->opsize, 0, &b));
	advance(e, i, EMULATE_RDI);
	set_flags(e, RFLAGS_STATUS, flags_sub(a, b, a - b, i->opsize));
	return EMULATE_OK;
}

/* Ports have at most 32 bits, whatever REX.W says. */
static unsigned port_size(const struct insn *i)
{
	return i->opsize == 8 ? 4 : i->opsize;
}

/* The destination is tried first: what was read from a port cannot be put back (EM3). */
static enum emulate_result one_ins(struct emulate *e, const struct insn *i)
{
	struct insn narrow = *i;
	uint64_t to;
	uint32_t v = 0;

	narrow.opsize = port_size(i);
	TRY(destination(e, &narrow, EMULATE_HOW_WRITE, &to));
	TRY(mem_probe(e, to, narrow.opsize, EMULATE_HOW_WRITE));
	TRY_OPTIONAL(e, io_in, e, e->gpr[EMULATE_RDX], narrow.opsize, &v);
	TRY(write_value(e, to, narrow.opsize, v));
	advance(e, &narrow, EMULATE_RDI);
	return EMULATE_OK;
}

static enum emulate_result one_outs(struct emulate *e, const struct insn *i)
{
	struct insn narrow = *i;
	uint64_t from, v;

	narrow.opsize = port_size(i);
	TRY(source(e, &narrow, &from));
	TRY(read_value(e, from, narrow.opsize, 0, &v));
	TRY_OPTIONAL(e, io_out, e, e->gpr[EMULATE_RDX], narrow.opsize, v);
	advance(e, &narrow, EMULATE_RSI);
	return EMULATE_OK;
}

/* As many iterations upwards as the page and the segment have room for, where the device can do so (EM3, EM4). A single
 * step is one. */
static enum emulate_result several_io(struct emulate *e, const struct insn *i, bool in, uint32_t most, uint32_t *done)
{
	unsigned size = port_size(i), reg = in ? EMULATE_RDI : EMULATE_RSI, seg = in ? EMULATE_ES : i->seg;
	uint64_t mask = size_mask(i->adsize), offset = e->gpr[reg] & mask, linear, count;
	unsigned how = in ? EMULATE_HOW_WRITE : 0;

	*done = 0;
	if (!e->ops->io_string || (e->rflags & (RFLAGS_DF | RFLAGS_TF)))
		return EMULATE_OK;
	TRY(linear_address(e, seg, offset, size, how, &linear));
	count = min_u64(min_u64(most, e->gpr[EMULATE_RCX] & mask), (PAGE_SIZE - linear % PAGE_SIZE) / size);
	count = min_u64(count, (mask - offset) / size);
	if (count < 2 || linear_address(e, seg, offset, (unsigned)count * size, how, &linear) != EMULATE_OK)
		return EMULATE_OK;
	TRY(from_access(e, e->ops->io_string(e, (uint16_t)e->gpr[EMULATE_RDX], size, linear, (uint32_t)count, in,
					     done)));
	write_gpr(e, reg, i->adsize, e->gpr[reg] + (uint64_t)*done * size);
	return EMULATE_OK;
}

static enum emulate_result several_ins(struct emulate *e, const struct insn *i, uint32_t most, uint32_t *done)
{
	return several_io(e, i, true, most, done);
}

static enum emulate_result several_outs(struct emulate *e, const struct insn *i, uint32_t most, uint32_t *done)
{
	return several_io(e, i, false, most, done);
}

/* Elements from an offset on that lie in one page, in the segment, and before the offset wraps; of most. Where the
 * first is. 0: not two. */
static unsigned in_a_row(struct emulate *e, const struct insn *i, unsigned seg, unsigned reg, unsigned how,
			 uint64_t most, uint64_t *linear)
{
	uint64_t mask = size_mask(i->adsize), offset = e->gpr[reg] & mask;

	if (linear_address(e, seg, offset, i->opsize, how, linear) != EMULATE_OK)
		return 0;
	most = min_u64(most, (PAGE_SIZE - *linear % PAGE_SIZE) / i->opsize);
	most = min_u64(most, (mask - offset) / i->opsize);
	if (most < 2 || linear_address(e, seg, offset, (unsigned)most * i->opsize, how, linear) != EMULATE_OK)
		return 0;
	return (unsigned)most;
}

/* rDI, or rSI, moves on by so many elements, upwards. */
static void advance_by(struct emulate *e, const struct insn *i, unsigned reg, unsigned count)
{
	write_gpr(e, reg, i->adsize, e->gpr[reg] + (uint64_t)count * i->opsize);
}

static enum emulate_result several_stos(struct emulate *e, const struct insn *i, uint32_t most, uint32_t *done)
{
	unsigned count;
	uint64_t to;

	*done = 0;
	if (!e->ops->fill || (e->rflags & (RFLAGS_DF | RFLAGS_TF)))
		return EMULATE_OK;
	count = in_a_row(e, i, EMULATE_ES, EMULATE_RDI, EMULATE_HOW_WRITE,
			 min_u64(most, e->gpr[EMULATE_RCX] & size_mask(i->adsize)), &to);
	if (count && (*done = e->ops->fill(e, to, e->gpr[EMULATE_RAX], i->opsize, count)))
		advance_by(e, i, EMULATE_RDI, *done);
	return EMULATE_OK;
}

static enum emulate_result several_movs(struct emulate *e, const struct insn *i, uint32_t most, uint32_t *done)
{
	uint64_t to, from;
	unsigned count;

	*done = 0;
	if (!e->ops->copy || (e->rflags & (RFLAGS_DF | RFLAGS_TF)))
		return EMULATE_OK;
	count = in_a_row(e, i, i->seg, EMULATE_RSI, 0, min_u64(most, e->gpr[EMULATE_RCX] & size_mask(i->adsize)),
			 &from);
	count = count ? in_a_row(e, i, EMULATE_ES, EMULATE_RDI, EMULATE_HOW_WRITE, count, &to) : 0;
	if (count && (*done = e->ops->copy(e, to, from, i->opsize, count))) {
		advance_by(e, i, EMULATE_RSI, *done);
		advance_by(e, i, EMULATE_RDI, *done);
	}
	return EMULATE_OK;
}

enum emulate_result exec_movs(struct emulate *e, const struct insn *i)
{
	return repeat(e, i, one_movs, several_movs, false);
}

enum emulate_result exec_stos(struct emulate *e, const struct insn *i)
{
	return repeat(e, i, one_stos, several_stos, false);
}

enum emulate_result exec_lods(struct emulate *e, const struct insn *i)
{
	return repeat(e, i, one_lods, NULL, false);
}

enum emulate_result exec_cmps(struct emulate *e, const struct insn *i)
{
	return repeat(e, i, one_cmps, NULL, true);
}

enum emulate_result exec_scas(struct emulate *e, const struct insn *i)
{
	return repeat(e, i, one_scas, NULL, true);
}

enum emulate_result exec_ins(struct emulate *e, const struct insn *i)
{
	TRY(check_port(e, e->gpr[EMULATE_RDX], port_size(i)));
	return repeat(e, i, one_ins, several_ins, false);
}

enum emulate_result exec_outs(struct emulate *e, const struct insn *i)
{
	TRY(check_port(e, e->gpr[EMULATE_RDX], port_size(i)));
	return repeat(e, i, one_outs, several_outs, false);
}
