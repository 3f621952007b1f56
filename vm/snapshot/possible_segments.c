/* vm/snapshot/possible_segments.c - the segment registers of a snapshot. SDM, "Checks on Guest Segment Registers", with
 * what "unrestricted guest" leaves open: between setting CR0.PE and loading a selector anew a CPU has what real mode
 * had, and the emulator runs the guest where the machine's CPU cannot. */
#include "vm/snapshot/registers.h"

#include "vm/cpu/segments.h"

static bool v86_possible(const struct cpu_registers *r)
{
	for (enum segment n = SEG_ES; n <= SEG_GS; n++)
		if (!segment_v86_fits(&r->segment[n]))
			return false;
	return true;
}

/* Of CS, or of another that is usable. */
static bool type_possible(enum segment n, const struct segment_state *s)
{
	if (n == SEG_CS && segment_type(s) & TYPE_CODE)
		return s->access & TYPE_ACCESSED;
	if (n == SEG_CS) /* as real mode had it */
		return segment_stack_type_fits(s) && !(s->access & (TYPE_EXPAND_DOWN | SEGMENT_DPL));
	return n == SEG_SS ? segment_stack_type_fits(s) : segment_data_type_fits(s);
}

static bool levels_possible(const struct cpu_registers *r)
{
	const struct segment_state *cs = &r->segment[SEG_CS];
	unsigned cpl = access_dpl(r->segment[SEG_SS].access);

	if (segment_type(cs) & TYPE_CODE)
		return (!cpl || (r->paging.cr0 & CR0_PE)) && segment_code_level_fits(cs, cpl);
	return !cpl;
}

static bool protected_possible(const struct cpu_registers *r)
{
	unsigned linear = linear_bits(r->paging.cr4);

	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		const struct segment_state *s = &r->segment[n];

		if (!segment_long_base_fits(n, s, linear))
			return false;
		if ((n == SEG_CS || segment_usable(s)) && (!segment_common_fits(n, s) || !type_possible(n, s)))
			return false;
	}
	return levels_possible(r) && segment_l_and_d_fit(&r->segment[SEG_CS], r->paging.efer);
}

bool segments_possible(const struct cpu_registers *r)
{
	unsigned linear = linear_bits(r->paging.cr4);

	return (r->rflags & RFLAGS_VM ? v86_possible(r) : protected_possible(r)) &&
	       segment_tr_fits(&r->segment[SEG_TR], r->paging.efer, linear) &&
	       segment_ldtr_fits(&r->segment[SEG_LDTR], linear);
}
