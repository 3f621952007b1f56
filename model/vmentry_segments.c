/* model/vmentry_segments.c - SDM, "Checks on Guest Segment Registers". */
#include "model/vmentry_inside.h"

#define SECTION "Checks on Guest Segment Registers"

#define A_S BIT(4)
#define A_P BIT(7)
#define A_DB BIT(14)
#define A_G BIT(15)
#define A_UNUSABLE BIT(16)

struct segment {
	uint64_t selector, limit, access, base;
	unsigned type, dpl, rpl;
	bool usable;
};

static struct segment segment(const struct entering *g, unsigned n)
{
	struct segment s = {
		.selector = get(g, F_SELECTOR + 2 * n),
		.limit = get(g, F_LIMIT + 2 * n),
		.access = get(g, F_ACCESS + 2 * n),
		.base = get(g, F_BASE + 2 * n),
	};

	s.type = s.access & 15;
	s.dpl = s.access >> 5 & 3;
	s.rpl = s.selector & 3;
	s.usable = !(s.access & A_UNUSABLE);
	return s;
}

static bool bad_granularity(const struct segment *s)
{
	return ((~s->limit & 0xfff) && (s->access & A_G)) || ((s->limit >> 20) && !(s->access & A_G));
}

static const char *check_v86(const struct entering *g)
{
	for (unsigned n = ES; n <= GS; n++) {
		struct segment s = segment(g, n);

		BROKEN_IF(s.base != s.selector << 4, "in virtual-8086 mode a base is its selector times 16");
		BROKEN_IF(s.limit != 0xffff, "in virtual-8086 mode a limit is 0xffff");
		BROKEN_IF(s.access != 0xf3, "in virtual-8086 mode access rights are 0xf3");
	}
	return NULL;
}

static const char *check_cs(const struct entering *g, const struct segment *ss)
{
	struct segment s = segment(g, CS);

	BROKEN_IF((s.type & 9) != 9 && !(s.type == 3 && g->unrestricted),
		  "CS is accessed code, or with unrestricted guest accessed read/write data");
	BROKEN_IF(s.type == 3 && s.dpl != 0, "the DPL of a CS that is data is 0");
	BROKEN_IF((s.type == 9 || s.type == 11) && s.dpl != ss->dpl, "the DPL of non-conforming CS is that of SS");
	BROKEN_IF((s.type == 13 || s.type == 15) && s.dpl > ss->dpl,
		  "the DPL of conforming CS is not above that of SS");
	BROKEN_IF(g->ia32e && (s.access & A_L) && (s.access & A_DB), "in IA-32e mode CS has not both L and D");
	return NULL;
}

static const char *check_ss(const struct entering *g, const struct segment *s)
{
	struct segment cs = segment(g, CS);

	BROKEN_IF(!g->unrestricted && s->rpl != cs.rpl, "the RPL of SS is that of CS");
	BROKEN_IF(s->usable && s->type != 3 && s->type != 7, "SS is accessed read/write data");
	BROKEN_IF(!g->unrestricted && s->dpl != s->rpl, "the DPL of SS is its RPL");
	BROKEN_IF(s->dpl != 0 && (cs.type == 3 || !(g->cr0 & B_CR0_PE)),
		  "the DPL of SS is 0 in real mode, and where CS is data");
	return NULL;
}

static const char *check_data(const struct entering *g, const struct segment *s)
{
	if (!s->usable)
		return NULL;
	BROKEN_IF(!(s->type & 1), "DS, ES, FS and GS are accessed");
	BROKEN_IF((s->type & 8) && !(s->type & 2), "DS, ES, FS and GS are readable");
	BROKEN_IF(!g->unrestricted && s->type <= 11 && s->dpl < s->rpl,
		  "the DPL of DS, ES, FS and GS is not below their RPL");
	return NULL;
}

/* CS counts as usable. */
static const char *check_common(const struct entering *g, unsigned n, const struct segment *s)
{
	if (n == FS || n == GS)
		BROKEN_IF(!canonical(g, s->base), "the bases of FS and GS are canonical");
	if (n != CS && !s->usable)
		return NULL;
	if (n != FS && n != GS)
		BROKEN_IF(s->base >> 32, "bits 63:32 of the bases of CS, SS, DS and ES are 0");
	BROKEN_IF(!(s->access & A_S), "CS to GS are no system segments");
	BROKEN_IF(!(s->access & A_P), "CS to GS are present");
	BROKEN_IF((s->access & MASK(11, 8)) || (s->access >> 17), "reserved bits of access rights are 0");
	BROKEN_IF(bad_granularity(s), "G is as the limit needs it");
	return NULL;
}

static const char *check_protected(const struct entering *g)
{
	struct segment ss = segment(g, SS);

	for (unsigned n = ES; n <= GS; n++) {
		struct segment s = segment(g, n);

		BROKEN_BY(check_common(g, n, &s));
		if (n != CS && n != SS)
			BROKEN_BY(check_data(g, &s));
	}
	BROKEN_BY(check_cs(g, &ss));
	return check_ss(g, &ss);
}

static const char *check_tr(const struct entering *g)
{
	struct segment s = segment(g, TR);

	BROKEN_IF(s.selector & 4, "TR is in the GDT");
	BROKEN_IF(!canonical(g, s.base), "the base of TR is canonical");
	BROKEN_IF(s.type != 11 && !(s.type == 3 && !g->ia32e), "TR is a busy TSS, in IA-32e mode of 64 bits");
	BROKEN_IF(s.access & A_S, "TR is a system segment");
	BROKEN_IF(!(s.access & A_P), "TR is present");
	BROKEN_IF(!s.usable, "TR is usable");
	BROKEN_IF((s.access & MASK(11, 8)) || (s.access >> 17), "reserved bits of TR's access rights are 0");
	BROKEN_IF(bad_granularity(&s), "G of TR is as its limit needs it");
	return NULL;
}

static const char *check_ldtr(const struct entering *g)
{
	struct segment s = segment(g, LDTR);

	if (!s.usable)
		return NULL;
	BROKEN_IF(s.selector & 4, "LDTR is in the GDT");
	BROKEN_IF(!canonical(g, s.base), "the base of LDTR is canonical");
	BROKEN_IF(s.type != 2 || (s.access & A_S), "LDTR is a local descriptor table");
	BROKEN_IF(!(s.access & A_P), "LDTR is present");
	BROKEN_IF((s.access & MASK(11, 8)) || (s.access >> 17), "reserved bits of LDTR's access rights are 0");
	BROKEN_IF(bad_granularity(&s), "G of LDTR is as its limit needs it");
	return NULL;
}

const char *vmentry_check_segments(const struct entering *g)
{
	BROKEN_BY(g->v86 ? check_v86(g) : check_protected(g));
	BROKEN_BY(check_tr(g));
	return check_ldtr(g);
}
