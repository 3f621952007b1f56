/* vm/snapshot/possible_segments.c - the segment registers of a snapshot. SDM, "Checks on Guest Segment Registers", with
 * what "unrestricted guest" leaves open: between setting CR0.PE and loading a selector anew a CPU has what real mode
 * had, and the emulator runs the guest where the machine's CPU cannot. */
#include "vm/snapshot/registers.h"

#include "lib/canonical.h"

#define ACCESS_RESERVED (MASK(11, 8) | MASK(31, 17))
#define DATA (TYPE_READ_WRITE | TYPE_ACCESSED)

static unsigned type_of(const struct segment_state *s) { return s->access & SEGMENT_TYPE; }
static bool usable(const struct segment_state *s) { return !(s->access & SEGMENT_UNUSABLE); }

/* G may be 0 where bits 31:20 of the limit are 0, and 1 where bits 11:0 are ones. */
static bool shape_possible(const struct segment_state *s)
{
	return (s->access & SEGMENT_P) && !(s->access & ACCESS_RESERVED) &&
	       (s->access & SEGMENT_G ? (s->limit & 0xfff) == 0xfff : !(s->limit >> 20));
}

static bool v86_possible(const struct cpu_registers *r)
{
	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		const struct segment_state *s = &r->segment[n];

		if (s->base != (uint64_t)s->selector << 4 || s->limit != 0xffff || s->access != SEGMENT_V86)
			return false;
	}
	return true;
}

/* Of CS, or of another that is usable. */
static bool type_possible(enum segment n, const struct segment_state *s)
{
	unsigned type = type_of(s);

	if (!(s->access & SEGMENT_S) || !(type & TYPE_ACCESSED) || !shape_possible(s))
		return false;
	if (n == SEG_CS)
		return (type & TYPE_CODE) || (type == DATA && !access_dpl(s->access));
	if (n == SEG_SS)
		return (type & (TYPE_CODE | DATA)) == DATA;
	return !(type & TYPE_CODE) || (type & TYPE_READ_WRITE);
}

static bool levels_possible(const struct cpu_registers *r)
{
	const struct segment_state *cs = &r->segment[SEG_CS];
	unsigned cpl = access_dpl(r->segment[SEG_SS].access), dpl = access_dpl(cs->access);

	if (cpl && (!(r->paging.cr0 & CR0_PE) || !(type_of(cs) & TYPE_CODE)))
		return false;
	if (!(type_of(cs) & TYPE_CODE))
		return true;
	return access_conforming_code(cs->access) ? dpl <= cpl : dpl == cpl;
}

static bool protected_possible(const struct cpu_registers *r)
{
	unsigned bits = linear_bits(r->paging.cr4);

	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		const struct segment_state *s = &r->segment[n];
		bool counts = n == SEG_CS || usable(s), long_base = n == SEG_FS || n == SEG_GS;

		if (long_base ? !is_canonical_in(s->base, bits) : counts && s->base >> 32)
			return false;
		if (counts && !type_possible(n, s))
			return false;
	}
	return levels_possible(r) && (!(r->paging.efer & EFER_LMA) || !(r->segment[SEG_CS].access & SEGMENT_L) ||
				      !(r->segment[SEG_CS].access & SEGMENT_DB));
}

/* TR and LDTR: of the GDT. */
static bool system_possible(const struct cpu_registers *r, const struct segment_state *s)
{
	return !(s->selector & SELECTOR_TI) && !(s->access & SEGMENT_S) && shape_possible(s) &&
	       is_canonical_in(s->base, linear_bits(r->paging.cr4));
}

bool segments_possible(const struct cpu_registers *r)
{
	const struct segment_state *tr = &r->segment[SEG_TR], *ldtr = &r->segment[SEG_LDTR];
	bool task = type_of(tr) == TYPE_TSS32_BUSY ||
		    (type_of(tr) == TYPE_TSS16_BUSY && !(r->paging.efer & EFER_LMA));

	if (!(r->rflags & RFLAGS_VM ? v86_possible(r) : protected_possible(r)))
		return false;
	return usable(tr) && task && system_possible(r, tr) &&
	       (!usable(ldtr) || (type_of(ldtr) == TYPE_LDT && system_possible(r, ldtr)));
}
