/* emulate/segmentation.c - from offset to linear address outside 64-bit mode, and the checks on the way.
 * SDM: "Logical and Linear Addresses", "Limit Checking", "Type Checking", "Canonical Addressing". */
#include "emulate/internal.h"

/* What lies outside of the stack segment is #SS, else #GP (SDM, "Limit Checking", "Interrupt 12 - Stack Fault
 * Exception (#SS)"). */
static enum emulate_result bad_access(struct emulate *e, unsigned seg)
{
	return raise_error(e, seg == EMULATE_SS ? VECTOR_SS : VECTOR_GP, 0);
}

enum emulate_result linear_not_canonical(struct emulate *e, unsigned seg)
{
	return bad_access(e, seg);
}

/* Protected mode only: real and virtual-8086 mode do not look at the type. */
static bool type_allows(const struct emulate_segment *s, unsigned how)
{
	if (s->access & SEGMENT_UNUSABLE) /* whatever base and limit it still has (CVE-2016-9386) */
		return false;
	if (s->access & TYPE_CODE)
		return !(how & EMULATE_HOW_WRITE) && (s->access & TYPE_READ_WRITE);
	return !(how & EMULATE_HOW_WRITE) || (s->access & TYPE_READ_WRITE);
}

static bool limit_allows(const struct emulate_segment *s, uint64_t offset, unsigned size)
{
	uint64_t last = offset + size - 1;

	if ((s->access & (TYPE_CODE | TYPE_EXPAND_DOWN)) == TYPE_EXPAND_DOWN)
		return offset > s->limit && last <= ((s->access & SEGMENT_DB) ? 0xffffffffu : 0xffffu);
	return last <= s->limit;
}

/* The segment's type allows the access (SDM, "Type Checking"), and its limit holds it. A null selector is #GP(0), in SS
 * #SS(0). */
enum emulate_result linear_segmented(struct emulate *e, unsigned seg, uint64_t offset, unsigned size, unsigned how,
				     uint64_t *linear)
{
	const struct emulate_segment *s = segment(e, seg);

	if (!is_real_like(e) && !type_allows(s, how))
		return (s->access & SEGMENT_UNUSABLE) ? bad_access(e, seg) : raise_error(e, VECTOR_GP, 0);
	if (!limit_allows(s, offset, size))
		return bad_access(e, seg);
	*linear = (uint32_t)(s->base + offset);
	return EMULATE_OK;
}

/* SDM, "Interrupt 17 - Alignment Check Exception (#AC)". Vectors (16 bytes and more) have their own rules; the FPU's 10
 * bytes are aligned like 8. */
enum emulate_result check_alignment(struct emulate *e, uint64_t linear, unsigned size)
{
	if (size == 10)
		size = 8;
	if (e->cpl != 3 || !(e->cr0 & CR0_AM) || size > 8 || (size & (size - 1)) || !(linear & (size - 1)))
		return EMULATE_OK;
	return raise_error(e, VECTOR_AC, 0);
}
