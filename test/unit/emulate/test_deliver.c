/* test/unit/emulate/test_deliver.c - events delivered by hand: what the SDM says of gates, stacks, frames and their
 * faults. */
#include "lib/descriptor.h"
#include "test/unit/emulate/fixture.h"

#define RFLAGS_SET (RFLAGS_RF | RFLAGS_IF | RFLAGS_TF | RFLAGS_FIXED)
#define IDT 0x2000u
#define CONFORMING 0x28u
#define STACK 0x9000u
#define ERROR_TS 10
#define EXT 1u

static void gate(unsigned vector, unsigned selector, uint64_t entry, unsigned access, unsigned ist)
{
	bool wide = w->e.efer & EFER_LMA;
	uint64_t low = gate_pack(entry, (uint16_t)selector, access) | (uint64_t)ist << GATE_IST_SHIFT;

	world_store(w, IDT + vector * (wide ? 16 : 8), 8, low);
	if (wide)
		world_store(w, IDT + vector * 16 + 8, 8, entry >> 32);
}

static void make(enum emulate_mode mode, unsigned cpl)
{
	bool wide = mode == EMULATE_LONG64;

	w = world_new(mode);
	w->e.cpl = (uint8_t)cpl;
	world_descriptor(w, 1, 0, 0xfffff, wide ? SEGMENT_FLAT_CODE64 : SEGMENT_FLAT_CODE32);
	world_descriptor(w, 2, 0, 0xfffff, SEGMENT_FLAT_DATA);
	world_descriptor(w, 3, 0, 0xfffff, (wide ? SEGMENT_FLAT_CODE64 : SEGMENT_FLAT_CODE32) | SEGMENT_DPL);
	world_descriptor(w, 4, 0, 0xfffff, SEGMENT_FLAT_DATA | SEGMENT_DPL);
	world_descriptor(w, 5, 0, 0xfffff, (wide ? SEGMENT_FLAT_CODE64 : SEGMENT_FLAT_CODE32) | TYPE_CONFORMING);
	w->e.seg_valid = 0x3f;
	if (mode != EMULATE_REAL && mode != EMULATE_V86) {
		uint32_t code = (uint32_t)(wide ? SEGMENT_FLAT_CODE64 : SEGMENT_FLAT_CODE32);

		w->e.seg[EMULATE_CS] = (struct emulate_segment){ 0, 0xffffffff, code | cpl << 5,
								 (uint16_t)(cpl ? CODE3 : CODE0) };
		w->e.seg[EMULATE_SS] = (struct emulate_segment){ 0, 0xffffffff, (uint32_t)SEGMENT_FLAT_DATA | cpl << 5,
								 (uint16_t)(cpl ? DATA3 : DATA0) };
	}
	w->dtr[EMULATE_IDTR] = (struct emulate_segment){ .base = mode == EMULATE_REAL ? 0 : IDT, .limit = 0xfff };
	w->dtr[EMULATE_TR] = (struct emulate_segment){
		.base = WORLD_TSS, .limit = WORLD_TSS_LIMIT, .access = SEGMENT_TSS_BUSY, .selector = 0x40
	};
	world_store(w, WORLD_TSS + 4, wide ? 8 : 4, STACK);
	if (!wide)
		world_store(w, WORLD_TSS + 8, 2, DATA0);
	w->gpr[EMULATE_RSP] = 0x7008;
	w->e.rip = 0x7c10;
	w->e.rflags = RFLAGS_SET | RFLAGS_NT;
}

static enum emulate_result deliver(unsigned vector, enum emulate_exception_kind kind, bool has_error, uint32_t error)
{
	struct emulate_event ev = { .vector = (uint8_t)vector,
				    .kind = (uint8_t)kind,
				    .has_error = has_error,
				    .error = error,
				    .length = kind == EMULATE_HARDWARE_EXCEPTION ? 0 : 2 };

	return emulate_deliver(&w->e, &ev);
}

static enum emulate_result hardware(unsigned vector) { return deliver(vector, EMULATE_HARDWARE_EXCEPTION, false, 0); }

/* The frame's values from its lowest address on. */
static void assert_frame(uint64_t at, unsigned size, unsigned count, const uint64_t *value)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(world_load(w, at + i * size, size), value[i]);
}
#define FRAME(at, size, ...) \
	assert_frame(at, size, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), \
		     (const uint64_t[]){ __VA_ARGS__ })

/* Another exception than the one delivered, and nothing of that one done. */
static void assert_not_delivered(enum emulate_result result, uint32_t exception)
{
	assert_exception(result, exception);
	assert_int_equal(w->e.rip, 0x7c10);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7008);
}

static void test_long_same_level(void **state)
{
	(void)state;
	make(EMULATE_LONG64, 0);
	gate(14, CODE0, 0x123456789abc, 0x8e, 0);
	assert_int_equal(deliver(14, EMULATE_HARDWARE_EXCEPTION, true, 0x77), EMULATE_OK);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7000 - 48);
	FRAME(0x7000 - 48, 8, 0x77, 0x7c10, CODE0, RFLAGS_SET | RFLAGS_NT, 0x7008, DATA0);
	assert_int_equal(w->e.rip, 0x123456789abc);
	assert_int_equal(w->e.rflags, 0x2);
	assert_int_equal(w->e.seg[EMULATE_CS].selector, CODE0);
}

static void test_long_inner_level_and_ist(void **state)
{
	(void)state;
	make(EMULATE_LONG64, 3);
	gate(0x80, CODE0, 0x5000, 0xef, 0); /* a trap gate: IF stays */
	assert_int_equal(deliver(0x80, EMULATE_SOFTWARE_INTERRUPT, false, 0), EMULATE_OK);
	FRAME(STACK - 40, 8, 0x7c12, CODE3, RFLAGS_SET | RFLAGS_NT, 0x7008, DATA3);
	assert_int_equal(w->e.rflags, RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(w->e.cpl, 0);
	assert_int_equal(w->e.seg[EMULATE_SS].selector, 0);
	assert_int_equal(w->e.seg[EMULATE_SS].access, SEGMENT_UNUSABLE);
	tear_down(NULL);
	make(EMULATE_LONG64, 0);
	world_store(w, WORLD_TSS + 0x24 + 8, 8, 0xa00f); /* IST2, aligned down */
	gate(2, CODE0, 0x5000, 0x8e, 2);
	assert_int_equal(hardware(2), EMULATE_OK);
	FRAME(0xa000 - 40, 8, 0x7c10, CODE0, RFLAGS_SET | RFLAGS_NT, 0x7008, DATA0);
	assert_int_equal(w->e.seg[EMULATE_SS].selector, DATA0);
}

static void test_long_faults(void **state)
{
	(void)state;
	make(EMULATE_LONG64, 3);
	gate(3, CODE0, 0x5000, 0x8e, 0);
	/* the gate's DPL */
	assert_not_delivered(deliver(3, EMULATE_SOFTWARE_EXCEPTION, false, 0), EXCEPTION_ERROR(VECTOR_GP, 3 * 8 | 2));
	gate(6, CODE0, 0x5000, 0x0e, 0);
	assert_not_delivered(hardware(6), EXCEPTION_ERROR(VECTOR_NP, 6 * 8 | 2 | EXT));
	gate(6, CODE0, 0x5000, 0x86, 0); /* a 16-bit gate */
	assert_not_delivered(hardware(6), EXCEPTION_ERROR(VECTOR_GP, 6 * 8 | 2 | EXT));
	gate(6, 0, 0x5000, 0x8e, 0);
	assert_not_delivered(hardware(6), EXCEPTION_ERROR(VECTOR_GP, EXT));
	gate(6, DATA0, 0x5000, 0x8e, 0);
	assert_not_delivered(hardware(6), EXCEPTION_ERROR(VECTOR_GP, DATA0 | EXT));
	gate(6, CODE0, 1ull << 47, 0x8e, 0);
	assert_not_delivered(hardware(6), EXCEPTION_ERROR(VECTOR_GP, EXT));
	gate(6, CODE0, 0x5000, 0x8e, 0);
	world_store(w, WORLD_TSS + 4, 8, (1ull << 47) + 0x100);
	assert_not_delivered(hardware(6), EXCEPTION_ERROR(VECTOR_SS, EXT));
	w->dtr[EMULATE_TR].limit = 10;
	assert_not_delivered(hardware(6), EXCEPTION_ERROR(ERROR_TS, 0x40 | EXT));
	w->dtr[EMULATE_IDTR].limit = 6 * 16 + 14;
	assert_not_delivered(hardware(6), EXCEPTION_ERROR(VECTOR_GP, 6 * 8 | 2 | EXT));
	assert_int_equal(w->writes, 0);
}

static void test_page_faults(void **state)
{
	(void)state;
	make(EMULATE_LONG64, 3);
	gate(6, CODE0, 0x5000, 0x8e, 0);
	w->read_only = STACK - 0x1000;
	assert_int_equal(hardware(6), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.vector, 14);
	assert_int_equal(w->e.cpl, 3);
	assert_int_equal(w->writes, 0);
	w->read_only = ~0ull;
	w->absent = IDT;
	assert_int_equal(hardware(6), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.vector, 14);
	assert_int_equal(w->e.exception.cr2, IDT + 6 * 16);
}

static void test_protected(void **state)
{
	(void)state;
	make(EMULATE_PROT32, 3);
	gate(13, CODE0, 0x5000, 0x8e, 0);
	assert_int_equal(deliver(13, EMULATE_HARDWARE_EXCEPTION, true, 0x18), EMULATE_OK);
	FRAME(STACK - 24, 4, 0x18, 0x7c10, CODE3, RFLAGS_SET | RFLAGS_NT, 0x7008, DATA3);
	assert_int_equal(w->gpr[EMULATE_RSP], STACK - 24);
	assert_int_equal(w->e.seg[EMULATE_SS].selector, DATA0);
	assert_int_equal(w->e.rflags, 0x2);
	tear_down(NULL);
	make(EMULATE_PROT32, 3); /* a conforming handler stays at the level, and on the stack */
	gate(13, CONFORMING, 0x5000, 0x87, 0); /* 16-bit trap gate */
	assert_int_equal(hardware(13), EMULATE_OK);
	FRAME(0x7008 - 6, 2, 0x7c10, CODE3, (RFLAGS_SET | RFLAGS_NT) & 0xffff);
	assert_int_equal(w->e.seg[EMULATE_CS].selector, CONFORMING | 3);
	assert_int_equal(w->e.cpl, 3);
	assert_true(w->e.rflags & RFLAGS_IF);
}

static void test_protected_faults(void **state)
{
	(void)state;
	make(EMULATE_PROT32, 3);
	gate(13, CODE0, 0x5000, 0x8e, 0);
	world_store(w, WORLD_TSS + 8, 2, 0);
	assert_not_delivered(hardware(13), EXCEPTION_ERROR(ERROR_TS, EXT));
	world_store(w, WORLD_TSS + 8, 2, DATA3);
	assert_not_delivered(hardware(13), EXCEPTION_ERROR(ERROR_TS, (DATA3 & ~3u) | EXT));
	world_store(w, WORLD_TSS + 8, 2, DATA0);
	world_descriptor(w, 2, 0, 0xfffff, 0xc013);
	assert_not_delivered(hardware(13), EXCEPTION_ERROR(VECTOR_SS, DATA0 | EXT));
	world_descriptor(w, 2, 0, 0x7, 0x4093);
	world_store(w, WORLD_TSS + 4, 4, 10);
	assert_not_delivered(hardware(13), EXCEPTION_ERROR(VECTOR_SS, DATA0 | EXT));
	world_store(w, WORLD_TSS + 4, 4, 0x6000);
	world_descriptor(w, 2, 0, 0xfffff, SEGMENT_FLAT_DATA);
	world_descriptor(w, 1, 0, 0x4fff, 0x409b);
	assert_not_delivered(hardware(13), EXCEPTION_ERROR(VECTOR_GP, EXT));
	gate(13, 0x48, 0, 0x85, 0);
	assert_int_equal(hardware(13), EMULATE_UNKNOWN);
	assert_int_equal(w->writes, 0);
}

static void test_from_virtual_8086(void **state)
{
	(void)state;
	make(EMULATE_V86, 3);
	w->e.rflags |= RFLAGS_VM;
	for (unsigned n = 0; n < EMULATE_SEGS; n++)
		w->e.seg[n] = (struct emulate_segment){ (0x100u + n) << 4, 0xffff, 0xf3, (uint16_t)(0x100 + n) };
	gate(8, CODE0, 0x5000, 0x8e, 0);
	assert_int_equal(hardware(8), EMULATE_OK);
	FRAME(STACK - 36, 4, 0x7c10, 0x101, RFLAGS_SET | RFLAGS_NT | RFLAGS_VM, 0x7008, 0x102, 0x100, 0x103, 0x104,
	      0x105);
	assert_int_equal(w->e.mode, EMULATE_PROT32);
	assert_false(w->e.rflags & RFLAGS_VM);
	assert_true(w->e.seg[EMULATE_DS].access & SEGMENT_UNUSABLE);
	assert_int_equal(w->e.seg[EMULATE_GS].selector, 0);
	tear_down(NULL);
	make(EMULATE_V86, 3);
	gate(8, CODE3 & ~3u, 0x5000, 0x8e, 0); /* must lead to level 0 */
	assert_not_delivered(hardware(8), EXCEPTION_ERROR(VECTOR_GP, (CODE3 & ~3u) | EXT));
}

static void test_real(void **state)
{
	(void)state;
	make(EMULATE_REAL, 0);
	w->dtr[EMULATE_IDTR].limit = 0x3ff;
	world_store(w, 0x21 * 4, 4, 0x0b001234);
	w->e.rip = 0x7c10;
	assert_int_equal(deliver(0x21, EMULATE_SOFTWARE_INTERRUPT, false, 0), EMULATE_OK);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7008 - 6);
	FRAME(w->e.seg[EMULATE_SS].base + 0x7008 - 6, 2, 0x7c12, 0, (RFLAGS_SET | RFLAGS_NT) & 0xffff);
	assert_int_equal(w->e.rip, 0x1234);
	assert_int_equal(w->e.seg[EMULATE_CS].base, 0xb000);
	assert_false(w->e.rflags & (RFLAGS_IF | RFLAGS_TF));
	w->dtr[EMULATE_IDTR].limit = 0x21 * 4 + 2;
	assert_int_equal(hardware(0x21), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION(VECTOR_GP));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, NULL, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_long_same_level),   T(test_long_inner_level_and_ist),
		T(test_long_faults),	   T(test_page_faults),
		T(test_protected),	   T(test_protected_faults),
		T(test_from_virtual_8086), T(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
