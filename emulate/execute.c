/* emulate/execute.c - from a decoded instruction to its executor, and the whole step from rip. */
#include "emulate/internal.h"

/* How often a locked access is tried again before the guest is entered to do so itself (EM5). */
#define LOCK_ATTEMPTS 4

static enum emulate_result exec_unknown(struct emulate *e, const struct insn *i)
{
	(void)e;
	(void)i;
	return EMULATE_UNKNOWN;
}

typedef enum emulate_result (*executor)(struct emulate *e, const struct insn *i);

static const executor executors[OP_COUNT] = {
	[OP_unknown] = exec_unknown,
	[OP_ud] = exec_unknown,
	[OP_group] = exec_unknown,
	[OP_prefix] = exec_unknown,
	[OP_group_0f01] = exec_unknown,
	[OP_group_0fae] = exec_unknown,
#define INSN_OP_EXECUTOR(name) [OP_##name] = exec_##name,
	INSN_OPS(INSN_OP_EXECUTOR)
#undef INSN_OP_EXECUTOR
};

/* Only string instructions give EMULATE_RESTART for any reason but a lost race. */
static bool lost_race(const struct insn *i, enum emulate_result result)
{
	return result == EMULATE_RESTART && !(i->op >= OP_movs && i->op <= OP_outs);
}

/* The rare ends: a lost race, or a single-step trap, which MOV SS holds back. */
__attribute__((noinline)) static enum emulate_result execute_rest(struct emulate *e, const struct insn *i,
								   enum emulate_result result)
{
	for (unsigned n = 1; lost_race(i, result) && n < LOCK_ATTEMPTS; n++)
		result = executors[i->op](e, i);
	if ((e->shadow & SHADOW_MOV_SS) || (result == EMULATE_RESTART && !e->progress))
		e->single_step = false;
	return result;
}

enum emulate_result emulate_execute(struct emulate *e, const struct insn *i)
{
	enum emulate_result result;

	if (unlikely(i->op >= OP_COUNT))
		return EMULATE_UNKNOWN;
	e->shadow = 0;
	e->interrupted = e->progress = e->unblocks_nmi = false;
	e->single_step = e->rflags & RFLAGS_TF;
	result = executors[i->op](e, i);
	if (unlikely(result != EMULATE_OK || e->single_step))
		return execute_rest(e, i, result);
	return EMULATE_OK;
}

/* More instruction bytes into e->bytes: as many as lie together in one page, within the segment or the canonical
 * range (SDM, "Limit Checking", "Canonical Addressing"). */
static enum emulate_result fetch_more(struct emulate *e)
{
	uint64_t offset = e->rip + e->length, linear = offset;
	uint64_t n = sizeof(e->bytes) - e->length;

	if (is_long64(e)) {
		if (!is_canonical(e, linear))
			return raise_error(e, VECTOR_GP, 0);
	} else {
		const struct emulate_segment *cs = segment(e, EMULATE_CS);

		if (offset > cs->limit) /* of the byte that is needed next: what is not needed may lie beyond */
			return raise_error(e, VECTOR_GP, 0);
		n = min_u64(n, cs->limit - offset + 1);
		linear = (uint32_t)(cs->base + offset);
	}
	n = min_u64(n, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
	TRY(from_access(e, e->ops->fetch(e, linear, e->bytes + e->length, n)));
	e->length += n;
	return EMULATE_OK;
}

enum emulate_result emulate_fetch(struct emulate *e, struct insn *insn)
{
	e->length = 0;
	for (;;) {
		TRY(fetch_more(e));
		switch (emulate_decode(e->bytes, e->length, e->mode, insn)) {
		case INSN_OK:
			return EMULATE_OK;
		case INSN_UD: /* SDM, "Interrupt 6 - Invalid Opcode Exception (#UD)" */
			return raise(e, VECTOR_UD);
		case INSN_TOO_LONG: /* SDM, "Interrupt 13 - General Protection Exception (#GP)": more than 15 bytes */
			return raise_error(e, VECTOR_GP, 0);
		case INSN_UNKNOWN:
			return EMULATE_UNKNOWN;
		case INSN_SHORT:
			break; /* the rest lies in the next page; 15 bytes are never short */
		}
	}
}
