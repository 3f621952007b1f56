/* test/unit/emulate/test_protected.c - protected and IA-32e mode: gates, far returns, IRET, LDTR and TR, single-stepped
 * repetitions, and what a fault leaves of the FPU. */
#include "lib/descriptor.h"
#include "test/unit/emulate/fixture.h"

/* The GDT: code and data, then gates and system segments. */
#define GATE 0x30
#define SYSTEM 0x40

static void set_up_gdt(void)
{
	uint32_t code = w->e.mode == EMULATE_LONG64 ? SEGMENT_FLAT_CODE64 : SEGMENT_FLAT_CODE32;

	world_descriptor(w, 1, 0, 0xffffffff, code);
	world_descriptor(w, 2, 0, 0xffffffff, SEGMENT_FLAT_DATA);
	world_descriptor(w, 3, 0, 0xffffffff, code | 0x60);
	world_descriptor(w, 4, 0, 0xffffffff, 0xc0f3);
	w->e.seg[EMULATE_CS].selector = CODE0;
	w->e.seg[EMULATE_SS].selector = w->e.seg[EMULATE_DS].selector = DATA0;
}

static int set_up_32(void **state)
{
	(void)state;
	set_up_in(EMULATE_PROT32);
	set_up_gdt();
	return 0;
}

static int set_up_64(void **state)
{
	(void)state;
	set_up_in(EMULATE_LONG64);
	set_up_gdt();
	return 0;
}

/* A gate of `type` to CODE0:offset. */
static void make_gate(unsigned type, uint64_t offset)
{
	world_store(w, WORLD_GDT + GATE, 8, gate_pack(offset, CODE0, SEGMENT_P | SEGMENT_DPL | type));
	world_store(w, WORLD_GDT + GATE + 8, 8, offset >> 32);
}

static void test_call_gate(void **state)
{
	(void)state;
	make_gate(0xc, 0x12345);
	/* call far GATE:ffffffff: the offset does not count */
	assert_ok(RUN(w, 0x9a, 0xff, 0xff, 0xff, 0xff, GATE, 0x00));
	assert_int_equal(w->e.rip, 0x12345);
	assert_int_equal(w->e.seg[EMULATE_CS].selector, CODE0);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7000 - 8);
	assert_int_equal(world_load(w, 0x6ff8, 8), 0x7c07ull | (uint64_t)CODE0 << 32);
	/* A 16-bit gate pushes words. */
	w->e.rip = 0x7c00;
	w->gpr[EMULATE_RSP] = 0x7000;
	make_gate(4, 0x2345);
	assert_ok(RUN(w, 0x9a, 0, 0, 0, 0, GATE, 0x00));
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7000 - 4);
	assert_int_equal(w->e.rip, 0x2345);
	w->e.rip = 0x7c00;
	assert_ok(RUN(w, 0xea, 0, 0, 0, 0, GATE, 0x00));
	assert_int_equal(w->e.rip, 0x2345);
	/* Not present; of a level that is not ours. */
	w->e.rip = 0x7c00;
	world_store(w, WORLD_GDT + GATE + 5, 1, 0x6c);
	assert_exception(RUN(w, 0x9a, 0, 0, 0, 0, GATE, 0x00), EXCEPTION_ERROR(VECTOR_NP, GATE));
	world_store(w, WORLD_GDT + GATE + 5, 1, 0x8c);
	assert_exception(RUN(w, 0x9a, 0, 0, 0, 0, GATE | 3, 0x00), EXCEPTION_ERROR(VECTOR_GP, GATE));
}

static void test_call_gate_64(void **state)
{
	(void)state;
	make_gate(0xc, 0x123456789a);
	w->gpr[EMULATE_RAX] = 0x5000;
	world_store(w, 0x5004, 2, GATE);
	assert_ok(RUN(w, 0xff, 0x18)); /* call far [rax] */
	assert_int_equal(w->e.rip, 0x123456789a);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7000 - 16);
	/* To level 0 from level 3, on another stack: not emulated. */
	w->e.rip = 0x7c00;
	w->e.cpl = 3;
	assert_int_equal(RUN(w, 0xff, 0x18), EMULATE_UNKNOWN);
	/* An offset that is not canonical. */
	w->e.cpl = 0;
	make_gate(0xc, 0x8000000000000000);
	assert_exception(RUN(w, 0xff, 0x18), EXCEPTION_ERROR(VECTOR_GP, 0));
}

static void assert_at_level_3(uint64_t rip, uint64_t sp)
{
	assert_int_equal(w->e.cpl, 3);
	assert_int_equal(w->e.rip, rip);
	assert_int_equal(w->gpr[EMULATE_RSP], sp);
	assert_int_equal(w->e.seg[EMULATE_CS].selector, CODE3);
	assert_int_equal(w->e.seg[EMULATE_SS].selector, DATA3);
	assert_int_equal((w->e.seg[EMULATE_SS].access >> SEGMENT_DPL_SHIFT) & 3, 3);
	/* A segment of level 0 is not left behind. */
	assert_int_equal(w->e.seg[EMULATE_DS].selector, 0);
	assert_true(w->e.seg[EMULATE_DS].access & SEGMENT_UNUSABLE);
}

static void test_return_outward(void **state)
{
	static const uint32_t frame[] = { 0x1234, CODE3, 0xaaaa, 0x6000, DATA3 };

	(void)state;
	memcpy(w->memory + 0x7000, frame, sizeof(frame));
	assert_ok(RUN(w, 0xca, 0x04, 0x00)); /* retf 4 */
	assert_at_level_3(0x1234, 0x6004);
}

static void test_iret(void **state)
{
	static const uint32_t same[] = { 0x1234, CODE0, RFLAGS_IF | RFLAGS_CF | 2 }, inward[] = { 0, CODE0, 2 };
	static const uint32_t outward[] = { 0x4321, CODE3, RFLAGS_IOPL | RFLAGS_IF | RFLAGS_FIXED, 0x6000, DATA3 };

	(void)state;
	memcpy(w->memory + 0x7000, same, sizeof(same));
	assert_ok(RUN(w, 0xcf));
	assert_int_equal(w->e.rip, 0x1234);
	assert_int_equal(w->e.rflags, RFLAGS_IF | RFLAGS_CF | 2);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x700c);
	assert_true(w->e.unblocks_nmi);
	w->e.rip = 0x7c00;
	w->gpr[EMULATE_RSP] = 0x7000;
	memcpy(w->memory + 0x7000, outward, sizeof(outward));
	assert_ok(RUN(w, 0xcf));
	assert_at_level_3(0x4321, 0x6000);
	assert_int_equal(w->e.rflags, RFLAGS_IOPL | RFLAGS_IF | 2);
	w->e.rip = 0x7c00;
	w->gpr[EMULATE_RSP] = 0x7000;
	memcpy(w->memory + 0x7000, inward, sizeof(inward));
	assert_exception(RUN(w, 0xcf), EXCEPTION_ERROR(VECTOR_GP, CODE0));
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7000);
	w->e.rflags |= RFLAGS_NT;
	assert_int_equal(RUN(w, 0xcf), EMULATE_UNKNOWN); /* another task */
}

static void test_iret_v86(void **state)
{
	static const uint32_t frame[] = { 0x1234, 0x2000, RFLAGS_VM | RFLAGS_IOPL | RFLAGS_IF | RFLAGS_CF | 2,
					  0x56789, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000 };
	static const unsigned registers[] = { EMULATE_SS, EMULATE_ES, EMULATE_DS, EMULATE_FS, EMULATE_GS };

	(void)state;
	memcpy(w->memory + 0x7000, frame, sizeof(frame));
	world_store(w, 0x7000, 4, 0x10000); /* beyond the segment's limit, which is that of the mode */
	assert_exception(RUN(w, 0xcf), EXCEPTION_ERROR(VECTOR_GP, 0));
	assert_int_equal(w->e.cpl, 0);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7000);
	world_store(w, 0x7000, 4, 0x1234);
	assert_ok(RUN(w, 0xcf));
	assert_int_equal(w->e.rip, 0x1234);
	assert_int_equal(w->e.mode, EMULATE_V86);
	assert_int_equal(w->e.cpl, 3);
	assert_int_equal(w->e.rflags, frame[2]);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x56789);
	assert_int_equal(w->e.seg[EMULATE_CS].base, 0x20000);
	for (unsigned n = 0; n < 5; n++) {
		const struct emulate_segment *s = &w->e.seg[registers[n]];

		assert_int_equal(s->selector, frame[4 + n]);
		assert_int_equal(s->base, frame[4 + n] << 4);
		assert_int_equal(s->limit, 0xffff);
		assert_int_equal(s->access, 0xf3);
	}
	assert_true(w->e.unblocks_nmi);
}

static void test_iret_64(void **state)
{
	static const uint64_t same[] = { 0x1234, CODE0, RFLAGS_IF | RFLAGS_FIXED, 0x6008, 0 };
	static const uint64_t outward[] = { 0x4321, CODE3, RFLAGS_IF | RFLAGS_FIXED, 0x5550, DATA3 };

	(void)state;
	memcpy(w->memory + 0x7000, same, sizeof(same));
	assert_ok(RUN(w, 0x48, 0xcf)); /* to the same level the stack is popped too, and its segment may be null */
	assert_int_equal(w->e.rip, 0x1234);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x6008);
	assert_true(w->e.seg[EMULATE_SS].access & SEGMENT_UNUSABLE);
	assert_int_equal(w->e.cpl, 0);
	w->e.rip = 0x7c00;
	w->gpr[EMULATE_RSP] = 0x7000;
	memcpy(w->memory + 0x7000, outward, sizeof(outward));
	w->read_only = 0x7000; /* a return writes nothing */
	assert_ok(RUN(w, 0x48, 0xcf));
	assert_at_level_3(0x4321, 0x5550);
}

static void test_system_segments(void **state)
{
	(void)state;
	world_store(w, WORLD_GDT + SYSTEM, 8, 0x0000890012340067); /* an available TSS at 0xffff800000001234 */
	world_store(w, WORLD_GDT + SYSTEM + 8, 8, 0xffff8000);
	w->gpr[EMULATE_RAX] = SYSTEM;
	assert_ok(RUN(w, 0x0f, 0x00, 0xd8)); /* ltr ax */
	assert_int_equal(w->dtr[EMULATE_TR].base, 0xffff800000001234);
	assert_int_equal(w->dtr[EMULATE_TR].access & 0x1f, 11);
	assert_int_equal(world_load(w, WORLD_GDT + SYSTEM + 5, 1), SEGMENT_TSS_BUSY);
	assert_exception(RUN(w, 0x0f, 0x00, 0xd8), EXCEPTION_ERROR(VECTOR_GP, SYSTEM)); /* it is busy now */
	w->gpr[EMULATE_RAX] = ~0ull;
	assert_ok(RUN(w, 0x0f, 0x00, 0xc8)); /* str eax */
	assert_int_equal(w->gpr[EMULATE_RAX], SYSTEM);
	world_store(w, WORLD_GDT + SYSTEM, 8, 0x000082005678003f);
	w->gpr[EMULATE_RAX] = SYSTEM;
	assert_ok(RUN(w, 0x0f, 0x00, 0xd0)); /* lldt ax */
	assert_int_equal(w->dtr[EMULATE_LDTR].limit, 0x3f);
	w->gpr[EMULATE_RAX] = 0;
	assert_ok(RUN(w, 0x0f, 0x00, 0xd0));
	assert_true(w->dtr[EMULATE_LDTR].access & SEGMENT_UNUSABLE);
	assert_exception(RUN(w, 0x0f, 0x00, 0xd8), EXCEPTION_ERROR(VECTOR_GP, 0));
	w->e.cpl = 3;
	w->e.cr4 |= CR4_UMIP;
	assert_exception(RUN(w, 0x0f, 0x00, 0xc0), EXCEPTION_ERROR(VECTOR_GP, 0)); /* sldt */
}

/* One trap for each iteration, rip at the instruction until the last. */
static void test_stepped_repetition(void **state)
{
	(void)state;
	w->gpr[EMULATE_RCX] = 3;
	w->gpr[EMULATE_RSI] = 0x5000;
	w->gpr[EMULATE_RDI] = 0x6000;
	w->e.rflags |= RFLAGS_TF;
	for (unsigned left = 3; left-- > 0;) {
		assert_int_equal(RUN(w, 0xf3, 0xa4), left ? EMULATE_RESTART : EMULATE_OK);
		assert_true(w->e.single_step);
		assert_int_equal(w->gpr[EMULATE_RCX], left);
		assert_int_equal(w->e.rip, left ? 0x7c00 : 0x7c02);
	}
	/* What a callback asks for ends an iteration too; without TF it is no step. */
	w->e.rip = 0x7c00;
	w->e.rflags = 2;
	w->gpr[EMULATE_RCX] = 2;
	w->interrupts = true;
	assert_int_equal(RUN(w, 0xf3, 0xa4), EMULATE_RESTART);
	assert_true(w->e.progress && !w->e.single_step);
	assert_ok(RUN(w, 0xf3, 0xa4));
	/* Nothing to do is one step. */
	w->e.rip = 0x7c00;
	w->e.rflags |= RFLAGS_TF;
	assert_ok(RUN(w, 0xf3, 0xa4));
	assert_true(w->e.single_step);
}

/* A store that faults pops nothing, a load that faults pushes nothing. */
static void test_fpu_faults(void **state)
{
	uint8_t before[160];

	(void)state;
	assert_ok(RUN(w, 0xd9, 0xe8)); /* fld1 */
	w->e.rip = 0x7c00;
	memcpy(before, w->cpu.bytes, sizeof(before));
	w->gpr[EMULATE_RAX] = 0x5ffc; /* across a border */
	w->read_only = 0x6000;
	assert_exception(RUN(w, 0xdd, 0x18), EXCEPTION_ERROR(14, 3)); /* fstp qword [rax] */
	assert_int_equal(w->writes, 0);
	w->read_only = ~0ull;
	w->absent = 0x6000;
	assert_exception(RUN(w, 0xdb, 0x28), EXCEPTION_ERROR(14, 0)); /* fld tbyte [rax] */
	assert_exception(RUN(w, 0xdd, 0x30), EXCEPTION_ERROR(14, 2)); /* fnsave [rax] */
	assert_memory_equal(before, w->cpu.bytes, sizeof(before));
	w->absent = ~0ull;
	assert_ok(RUN(w, 0xdd, 0x18));
	assert_int_equal(world_load(w, 0x5ffc, 8), 0x3ff0000000000000);
	w->e.cr0 |= CR0_TS;
	w->e.rip = 0x7c00;
	assert_exception(RUN(w, 0xdd, 0x18), EXCEPTION(VECTOR_NM));
	w->e.cr0 &= ~CR0_TS;
	/* An exception that is kept comes before the operand is looked at. */
	memcpy(w->cpu.bytes, &(uint16_t){ 0x37e }, 2);
	memcpy(w->cpu.bytes + 2, &(uint16_t){ 0x8081 }, 2);
	assert_exception(RUN(w, 0xdd, 0x18), EXCEPTION(VECTOR_MF));
	assert_int_equal(w->events, 1);
	assert_ok(RUN(w, 0xdd, 0x38)); /* fnstsw [rax] does not wait */
}

/* In real mode the environment has linear addresses, in 14 bytes. */
static void test_environment_real(void **state)
{
	static const uint16_t environment[7] = { 0x37f, 0, 0xffff, 0x5678, 0x1123, 0xdef0, 0xa000 };

	(void)state;
	world_free(w);
	w = world_new(EMULATE_REAL);
	memcpy(w->memory + 0x5000, environment, sizeof(environment));
	w->gpr[EMULATE_RBX] = 0x5000;
	assert_ok(RUN(w, 0xd9, 0x27)); /* fldenv [bx] */
	w->gpr[EMULATE_RBX] = 0x5100;
	w->e.rip = 0x7c00;
	assert_ok(RUN(w, 0xd9, 0x37)); /* fnstenv [bx] */
	assert_memory_equal(w->memory + 0x5100, environment, 6);
	assert_int_equal(world_load(w, 0x510e, 2), 0);
}

static void test_bound(void **state)
{
	(void)state;
	world_store(w, 0x5000, 4, (uint32_t)-5);
	world_store(w, 0x5004, 4, 7);
	w->gpr[EMULATE_RBX] = 0x5000;
	for (int index = -6; index <= 8; index++) {
		w->e.rip = 0x7c00;
		w->gpr[EMULATE_RAX] = (uint32_t)index;
		if (index < -5 || index > 7)
			assert_exception(RUN(w, 0x62, 0x03), EXCEPTION(VECTOR_BR));
		else
			assert_ok(RUN(w, 0x62, 0x03));
	}
}

/* A gather whose third element faults: two are done, and the mask says which are left. */
static void test_gather_fault(void **state)
{
	static const uint32_t index[4] = { 0, 4, 0x1000, 8 };

	(void)state;
	if (!cpu_has_avx())
		skip();
	memcpy(cpu_xmm(&w->cpu, 1), index, sizeof(index));
	memset(cpu_xmm(&w->cpu, 2), 0xff, 16);
	w->gpr[EMULATE_RAX] = 0x5000;
	world_store(w, 0x5000, 8, 0x2222222211111111);
	w->absent = 0x6000;
	if (RUN(w, 0xc4, 0xe2, 0x69, 0x90, 0x04, 0x08) == EMULATE_EXCEPTION && w->e.exception.vector == VECTOR_UD)
		skip(); /* vpgatherdd xmm0, [rax+xmm1], xmm2: the host has no AVX2 */
	assert_int_equal(w->e.exception.cr2, 0x6000);
	assert_memory_equal(cpu_xmm(&w->cpu, 0), w->memory + 0x5000, 8);
	assert_memory_equal(cpu_xmm(&w->cpu, 2), ((const uint32_t[4]){ 0, 0, ~0u, ~0u }), 16);
	w->absent = ~0ull;
	assert_ok(RUN(w, 0xc4, 0xe2, 0x69, 0x90, 0x04, 0x08));
	assert_memory_equal(cpu_xmm(&w->cpu, 2), ((const uint32_t[4]){ 0 }), 16);
}

#define T32(test) cmocka_unit_test_setup_teardown(test, set_up_32, tear_down)
#define T64(test) cmocka_unit_test_setup_teardown(test, set_up_64, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T32(test_call_gate),	   T64(test_call_gate_64),
		T32(test_return_outward),  T32(test_iret),
		T32(test_iret_v86),	   T64(test_iret_64),
		T64(test_system_segments), T64(test_stepped_repetition),
		T64(test_fpu_faults),	   T64(test_environment_real),
		T32(test_bound),	   T64(test_gather_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
