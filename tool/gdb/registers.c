#include "tool/gdb/registers.h"

#include <stdio.h>
#include <string.h>

#include "tool/gdb/packet.h"

/* Where a register comes from: a number of struct registers, or so many bytes of the image, or of the upper halves of
 * YMM registers, from an offset on. */
enum source { NUMBER, IMAGE, TAGS, YMM };

struct entry {
	char name[12];
	const char *type;       /* GDB's; NULL: int32, int64 by its size */
	unsigned bits;
	enum source source;
	unsigned at;
	char set[12];           /* its name in requests; "": it cannot be changed */
};

enum { ENTRIES_MAX = 112 };

struct table {
	struct entry entry[ENTRIES_MAX];
	unsigned count, core, sse, system;      /* the first that is none of the core's; of SSE's; of the system's */
};

static void add(struct table *t, const char *name, const char *type, unsigned bits, enum source source, unsigned at,
		const char *set)
{
	struct entry *e = &t->entry[t->count++];

	*e = (struct entry){ .type = type, .bits = bits, .source = source, .at = at };
	snprintf(e->name, sizeof e->name, "%s", name);
	snprintf(e->set, sizeof e->set, "%s", set);
}

/* An instruction's number of a register, in GDB's order. */
static const unsigned wide_order[16] = { 0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15 };
static const char *const encoded[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					 "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };

static void add_general(struct table *t, bool wide)
{
	for (unsigned i = 0; i < (wide ? 16u : 8u); i++) {
		unsigned n = wide ? wide_order[i] : i;
		char name[12];

		snprintf(name, sizeof name, "%s", encoded[n]);
		if (!wide)
			name[0] = 'e';
		add(t, name, n == 4 || n == 5 ? "data_ptr" : NULL, wide ? 64 : 32, NUMBER, n, encoded[n]);
	}
	add(t, wide ? "rip" : "eip", "code_ptr", wide ? 64 : 32, NUMBER, 16, "rip");
	add(t, "eflags", "i386_eflags", 32, NUMBER, 17, "eflags");
}

static void add_segments(struct table *t)
{
	static const struct { const char *name; unsigned at; } segments[] = {
		{ "cs", 19 }, { "ss", 20 }, { "ds", 21 }, { "es", 18 }, { "fs", 22 }, { "gs", 23 },
	};

	for (unsigned i = 0; i < 6; i++)
		add(t, segments[i].name, "int32", 32, NUMBER, segments[i].at, segments[i].name);
}

/* SDM, "FXSAVE Area". Of the last instruction and operand GDB wants selectors and offsets, which are shown only. */
static void add_x87(struct table *t)
{
	static const struct { const char *name; enum source source; unsigned at; const char *set; } control[] = {
		{ "fctrl", IMAGE, 0, "fx0" }, { "fstat", IMAGE, 2, "fx2" }, { "ftag", TAGS, 4, "fx4" },
		{ "fiseg", IMAGE, 12, "" }, { "fioff", IMAGE, 8, "" }, { "foseg", IMAGE, 20, "" },
		{ "fooff", IMAGE, 16, "" }, { "fop", IMAGE, 6, "fx6" },
	};
	char name[12], set[12];

	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "st%u", i);
		snprintf(set, sizeof set, "fx%u", 32 + 16 * i);
		add(t, name, "i387_ext", 80, IMAGE, 32 + 16 * i, set);
	}
	for (unsigned i = 0; i < 8; i++)
		add(t, control[i].name, "int", 32, control[i].source, control[i].at, control[i].set);
}

static void add_sse(struct table *t, bool wide)
{
	char name[12], set[12];

	for (unsigned i = 0; i < (wide ? 16u : 8u); i++) {
		snprintf(name, sizeof name, "xmm%u", i);
		snprintf(set, sizeof set, "fx%u", 160 + 16 * i);
		add(t, name, "vec128", 128, IMAGE, 160 + 16 * i, set);
	}
	add(t, "mxcsr", "i386_mxcsr", 32, IMAGE, 24, "fx24");
}

static void add_system(struct table *t, bool wide)
{
	static const struct { const char *name, *set; } system[] = {
		{ "fs_base", "fs_base" }, { "gs_base", "gs_base" }, { "k_gs_base", "" }, { "cr0", "cr0" },
		{ "cr2", "cr2" }, { "cr3", "cr3" }, { "cr4", "cr4" }, { "cr8", "" }, { "efer", "efer" },
	};

	for (unsigned i = 0; i < sizeof system / sizeof system[0]; i++)
		add(t, system[i].name, NULL, wide ? 64 : 32, NUMBER, 24 + i, system[i].set);
}

static void add_avx(struct table *t, bool wide)
{
	char name[12], set[12];

	for (unsigned i = 0; i < (wide ? 16u : 8u); i++) {
		snprintf(name, sizeof name, "ymm%uh", i);
		snprintf(set, sizeof set, "y%u", 16 * i);
		add(t, name, "uint128", 128, YMM, 16 * i, set);
	}
}

static const struct table *table_of(unsigned form)
{
	static struct table tables[REGISTERS_FORMS];
	struct table *t = &tables[form];
	bool wide = form & REGISTERS_WIDE;

	if (t->count != 0)
		return t;
	add_general(t, wide);
	add_segments(t);
	add_x87(t);
	t->core = t->count;
	add_sse(t, wide);
	t->sse = t->count;
	add_system(t, wide);
	t->system = t->count;
	if (form & REGISTERS_AVX)
		add_avx(t, wide);
	return t;
}

unsigned registers_count(unsigned form) { return table_of(form)->count; }
size_t register_size(unsigned form, unsigned n) { return table_of(form)->entry[n].bits / 8; }

bool register_is_pc(unsigned form, unsigned n) { return n == (form & REGISTERS_WIDE ? 16 : 8); }

/* The image has a bit for each register that is in use, GDB wants two as FSAVE has them (SDM, "x87 FPU Tag Word"): 3 is
 * an empty one; which of the others, GDB finds out by the contents. */
static uint32_t full_tags(uint8_t short_tags)
{
	uint32_t tags = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((short_tags >> i & 1) == 0)
			tags |= 3u << (2 * i);
	return tags;
}

static uint8_t short_tags(const uint8_t *full)
{
	uint8_t tags = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((full[i / 4] >> (2 * (i % 4)) & 3) != 3)
			tags |= (uint8_t)(1u << i);
	return tags;
}

/* 16 bits of the image's each; the pointers have 32, and MXCSR. */
static size_t image_size(const struct entry *e)
{
	return e->bits >= 80 ? e->bits / 8 : e->at == 8 || e->at == 16 || e->at == 24 ? 4 : 2;
}

size_t register_read(const struct registers *r, unsigned form, unsigned n, uint8_t *out)
{
	const struct entry *e = &table_of(form)->entry[n];
	uint32_t tags;

	memset(out, 0, e->bits / 8);
	switch (e->source) {
	case NUMBER:
		memcpy(out, &r->number[e->at], e->bits / 8);
		break;
	case IMAGE:
		memcpy(out, r->image + e->at, image_size(e));
		break;
	case YMM:
		memcpy(out, r->ymm + e->at, e->bits / 8);
		break;
	case TAGS:
		tags = full_tags(r->image[e->at]);
		memcpy(out, &tags, sizeof tags);
		break;
	}
	return e->bits / 8;
}

char *register_set(unsigned form, unsigned n, const uint8_t *bytes)
{
	const struct entry *e = &table_of(form)->entry[n];
	uint8_t tags = short_tags(bytes);
	struct bytes words = { 0 };

	if (e->set[0] == 0)
		return NULL;
	bytes_print(&words, "%s ", e->set);
	if (e->source == TAGS)
		hex_add(&words, &tags, 1);
	else
		hex_add(&words, bytes, e->source == NUMBER ? e->bits / 8 : image_size(e));
	return words.data;
}

static const char flags_type[] =
	"<flags id=\"i386_eflags\" size=\"4\">"
	"<field name=\"\" start=\"22\" end=\"31\"/>"
	"<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
	"<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
	"<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
	"<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
	"<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
	"<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
	"<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
	"<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
	"<field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

static const char sse_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
	"<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
	"<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
	"<field name=\"uint128\" type=\"uint128\"/></union>"
	"<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/>"
	"<field name=\"DE\" start=\"1\" end=\"1\"/><field name=\"ZE\" start=\"2\" end=\"2\"/>"
	"<field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/>"
	"<field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/>"
	"<field name=\"IM\" start=\"7\" end=\"7\"/><field name=\"DM\" start=\"8\" end=\"8\"/>"
	"<field name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/>"
	"<field name=\"UM\" start=\"11\" end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/>"
	"<field name=\"FZ\" start=\"15\" end=\"15\"/></flags>";

static void describe(struct bytes *out, const struct table *t, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++) {
		const struct entry *e = &t->entry[n];
		const char *type = e->type != NULL ? e->type : e->bits == 64 ? "int64" : "int32";

		bytes_print(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"/>", e->name, e->bits, type,
			    n);
	}
}

/* FS_BASE and GS_BASE are the first two behind SSE's; GDB has a feature for them in 64 bits. */
char *registers_description(unsigned form)
{
	const struct table *t = table_of(form);
	struct bytes out = { 0 };
	bool wide = form & REGISTERS_WIDE;
	unsigned bases = wide ? 2 : 0;

	bytes_print(&out, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">"
			  "<architecture>%s</architecture><feature name=\"org.gnu.gdb.i386.core\">%s",
		    wide ? "i386:x86-64" : "i386", flags_type);
	describe(&out, t, 0, t->core);
	bytes_print(&out, "</feature><feature name=\"org.gnu.gdb.i386.sse\">%s", sse_types);
	describe(&out, t, t->core, t->sse);
	if (wide) {
		bytes_print(&out, "</feature><feature name=\"org.gnu.gdb.i386.segments\">");
		describe(&out, t, t->sse, t->sse + bases);
	}
	bytes_print(&out, "</feature><feature name=\"org.vellum.system\">");
	describe(&out, t, t->sse + bases, t->system);
	if (form & REGISTERS_AVX) {
		bytes_print(&out, "</feature><feature name=\"org.gnu.gdb.i386.avx\">");
		describe(&out, t, t->system, t->count);
	}
	bytes_print(&out, "</feature></target>");
	return out.data;
}
