/* test/unit/emulate/layout.c - the segments of each layout: their descriptors in the LDT, and as the emulator sees
 * them. */
#include <asm/ldt.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/descriptor.h"
#include "test/unit/emulate/machine.h"

#define LDT_SELECTOR(n) ((n) * 8 | 7)

enum { LDT_CODE32, LDT_CODE16, LDT_SMALL, LDT_READ_ONLY, LDT_DOWN, LDT_DATA16, LDT_USED };

static const struct ldt_case {
	uint32_t base, limit; /* limit in bytes */
	uint8_t contents;     /* 0 data, 1 expand down, 2 code */
	bool big, read_only;
} ldt[LDT_USED] = {
	[LDT_CODE32] = { 0, 0xffffffff, 2, true, false },
	[LDT_CODE16] = { CODE, 0xffff, 2, false, false },
	[LDT_SMALL] = { 0, WORLD_END - 1, 0, true, false },
	[LDT_READ_ONLY] = { 0, 0xffffffff, 0, true, true },
	[LDT_DOWN] = { 0, WORLD_DATA - 1, 1, true, false },
	[LDT_DATA16] = { WORLD, 0xffff, 0, false, false },
};

/* Selectors of CS, SS, DS, ES for each layout. */
struct selectors {
	uint16_t seg[4]; /* ES CS SS DS */
};

static const struct selectors selectors[LAYOUT_COUNT] = {
	[LAYOUT_LONG64] = { { 0, USER_CS64, USER_DS, 0 } },
	[LAYOUT_FLAT32] = { { USER_DS, USER_CS32, USER_DS, USER_DS } },
	[LAYOUT_SMALL32] = { { LDT_SELECTOR(LDT_READ_ONLY), LDT_SELECTOR(LDT_CODE32), LDT_SELECTOR(LDT_DOWN),
			       LDT_SELECTOR(LDT_SMALL) } },
	[LAYOUT_CODE16] = { { LDT_SELECTOR(LDT_DATA16), LDT_SELECTOR(LDT_CODE16), LDT_SELECTOR(LDT_DATA16),
			      LDT_SELECTOR(LDT_DATA16) } },
};

/* Limits that a 20-bit field cannot say in bytes are in pages; the CPU then fills the low 12 bits with ones. */
static bool write_ldt(unsigned n, const struct ldt_case *c)
{
	bool pages = c->limit > 0xfffff;
	struct user_desc d = {
		.entry_number = n,
		.base_addr = c->base,
		.limit = pages ? c->limit >> 12 : c->limit,
		.seg_32bit = c->big,
		.contents = c->contents,
		.read_exec_only = c->read_only,
		.limit_in_pages = pages,
	};

	return syscall(SYS_modify_ldt, 1, &d, sizeof(d)) == 0;
}

static void describe_flat(bool code, bool long_mode, struct emulate_segment *s)
{
	s->base = 0;
	s->limit = 0xffffffff;
	s->access = (code ? 0xbu : 0x3u) | SEGMENT_S | 3u << SEGMENT_DPL_SHIFT | SEGMENT_P | SEGMENT_G;
	s->access |= long_mode ? SEGMENT_L : SEGMENT_DB;
}

void machine_describe(uint16_t selector, struct emulate_segment *s)
{
	const struct ldt_case *c = &ldt[selector >> 3];

	*s = (struct emulate_segment){ .selector = selector };
	if (!(selector & 4)) {
		if (!selector)
			s->access = SEGMENT_UNUSABLE;
		else
			describe_flat(selector != USER_DS, selector == USER_CS64, s);
		return;
	}
	s->base = c->base;
	s->limit = c->limit;
	s->access = SEGMENT_S | 3u << SEGMENT_DPL_SHIFT | SEGMENT_P | 1u;
	s->access |= (uint32_t)c->contents << 2 | (c->read_only ? 0 : 2u) | (c->big ? SEGMENT_DB : 0);
	if (c->limit > 0xfffff)
		s->access |= SEGMENT_G;
}

unsigned machine_ldt_bytes(void)
{
	return 8 * LDT_USED;
}

uint64_t machine_ldt_entry(unsigned n)
{
	struct emulate_segment s;

	machine_describe(LDT_SELECTOR(n), &s);
	return descriptor_pack(s.base, s.limit, s.access);
}

bool machine_make_segments(void)
{
	for (unsigned n = 0; n < LDT_USED; n++) {
		if (!write_ldt(n, &ldt[n]))
			return false;
	}
	return true;
}

uint16_t machine_selector(enum layout layout, enum emulate_seg seg)
{
	return selectors[layout].seg[seg];
}

uint64_t machine_segment_base(enum layout layout, enum emulate_seg seg)
{
	struct emulate_segment s;

	if (seg >= EMULATE_FS)
		return seg == EMULATE_GS && layout == LAYOUT_LONG64 ? GS_BASE : 0;
	machine_describe(selectors[layout].seg[seg], &s);
	return s.base;
}

uint64_t machine_slot(enum layout layout)
{
	return layout == LAYOUT_CODE16 ? CODE_SLOT - CODE : CODE_SLOT;
}
