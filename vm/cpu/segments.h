/* vm/cpu/segments.h - what segment registers a CPU can have: the rules that hold with "unrestricted guest" and without.
 * SDM, "Checks on Guest Segment Registers". What the CPU asks only without it is in vm/cpu/enterable.c; what it leaves
 * open with it, in vm/snapshot/possible_segments.c. linear: bits of a linear address, linear_bits(). */
#ifndef VELLUM_VM_CPU_SEGMENTS_H
#define VELLUM_VM_CPU_SEGMENTS_H

#include "hvm/types.h"
#include "lib/canonical.h"
#include "lib/descriptor.h"
#include "lib/mutants/mutate.h"

static inline unsigned segment_type(const struct segment_state *s) { return s->access & SEGMENT_TYPE; }
static inline bool segment_usable(const struct segment_state *s) { return !(s->access & SEGMENT_UNUSABLE); }

/* G may be 0 where bits 31:20 of the limit are 0, and 1 where bits 11:0 are ones. */
static inline bool segment_granularity_fits(const struct segment_state *s)
{
	return s->access & SEGMENT_G ? (s->limit & 0xfff) == 0xfff : !(s->limit >> 20);
}

/* ---- those that code and data are accessed by ---- */

/* FS and GS have 64 bits of base, whether they are usable or not. */
static inline bool segment_long_base_fits(enum segment n, const struct segment_state *s, unsigned linear)
{
	bool long_base = n == SEG_FS || n == SEG_GS;

	return !VM_KEPT(ENTER_CANONICAL, long_base && !is_canonical_in(s->base, linear));
}

/* Of CS, and of those others that are usable. */
static inline bool segment_common_fits(enum segment n, const struct segment_state *s)
{
	bool long_base = n == SEG_FS || n == SEG_GS;

	return VM_LEFT_OUT_OR(ENTER_BASE, long_base || !(s->base >> 32)) &&
	       VM_LEFT_OUT_OR(ENTER_PRESENT, (s->access & (SEGMENT_S | SEGMENT_P)) == (SEGMENT_S | SEGMENT_P)) &&
	       VM_LEFT_OUT_OR(ENTER_RESERVED, !(s->access & SEGMENT_RESERVED)) &&
	       VM_LEFT_OUT_OR(ENTER_GRANULARITY, segment_granularity_fits(s));
}

/* CS is code. */
static inline bool segment_code_level_fits(const struct segment_state *cs, unsigned cpl)
{
	unsigned dpl = access_dpl(cs->access);

	return VM_LEFT_OUT_OR(ENTER_CODE_LEVEL, cs->access & TYPE_CONFORMING ? dpl <= cpl : dpl == cpl);
}

static inline bool segment_l_and_d_fit(const struct segment_state *cs, uint64_t efer)
{
	return VM_LEFT_OUT_OR(ENTER_L_AND_D, !(efer & EFER_LMA) || !(cs->access & SEGMENT_L) ||
						     !(cs->access & SEGMENT_DB));
}

static inline bool segment_stack_type_fits(const struct segment_state *ss)
{
	unsigned want = TYPE_READ_WRITE | TYPE_ACCESSED;

	return VM_LEFT_OUT_OR(ENTER_STACK_TYPE, (segment_type(ss) & (want | TYPE_CODE)) == want);
}

static inline bool segment_data_type_fits(const struct segment_state *s)
{
	unsigned type = segment_type(s);

	return VM_LEFT_OUT_OR(ENTER_ACCESSED, type & TYPE_ACCESSED) &&
	       VM_LEFT_OUT_OR(ENTER_READABLE, !(type & TYPE_CODE) || (type & TYPE_READ_WRITE));
}

/* With RFLAGS.VM. */
static inline bool segment_v86_fits(const struct segment_state *s)
{
	return VM_LEFT_OUT_OR(ENTER_V86_BASE, s->base == (uint64_t)s->selector << 4) &&
	       VM_LEFT_OUT_OR(ENTER_V86_LIMIT, s->limit == 0xffff) &&
	       VM_LEFT_OUT_OR(ENTER_V86_ACCESS, s->access == SEGMENT_V86);
}

/* ---- TR and LDTR ---- */

/* Of the GDT, present. */
static inline bool segment_system_fits(const struct segment_state *s, unsigned linear)
{
	return !(s->selector & SELECTOR_TI) && is_canonical_in(s->base, linear) &&
	       (s->access & (SEGMENT_S | SEGMENT_P)) == SEGMENT_P && !(s->access & SEGMENT_RESERVED) &&
	       segment_granularity_fits(s);
}

static inline bool segment_tr_fits(const struct segment_state *tr, uint64_t efer, unsigned linear)
{
	bool busy = segment_type(tr) == TYPE_TSS32_BUSY ||
		    (segment_type(tr) == TYPE_TSS16_BUSY && !(efer & EFER_LMA));

	return segment_usable(tr) && busy && segment_system_fits(tr, linear);
}

static inline bool segment_ldtr_fits(const struct segment_state *ldtr, unsigned linear)
{
	return !segment_usable(ldtr) || (segment_type(ldtr) == TYPE_LDT && segment_system_fits(ldtr, linear));
}

#endif
