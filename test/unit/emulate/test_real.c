/* test/unit/emulate/test_real.c - real mode, virtual-8086 mode, and the way from real to protected mode. */
#include "test/unit/emulate/fixture.h"

static void test_jmp_far(void **state)
{
	(void)state;
	assert_ok(RUN(w, 0xea, 0x34, 0x12, 0x00, 0x20)); /* jmp 2000:1234 */
	assert_int_equal(w->e.rip, 0x1234);
	assert_int_equal(w->e.seg[EMULATE_CS].selector, 0x2000);
	assert_int_equal(w->e.seg[EMULATE_CS].base, 0x20000);
	assert_int_equal(w->e.seg_dirty, 1 << EMULATE_CS);
	/* With 66 the offset has 32 bits, and must be within the limit. */
	assert_int_equal(RUN(w, 0x66, 0xea, 0x00, 0x00, 0x01, 0x00, 0x00, 0x30), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION(VECTOR_GP));
	assert_int_equal(w->e.seg[EMULATE_CS].selector, 0x2000);
}

static void test_call_far(void **state)
{
	(void)state;
	assert_ok(RUN(w, 0x9a, 0x78, 0x56, 0x00, 0x30)); /* call 3000:5678 */
	assert_int_equal(w->e.rip, 0x5678);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x6ffc);
	assert_int_equal(world_load(w, 0x6ffc, 4), 0x00007c05);
	assert_ok(RUN(w, 0xca, 0x08, 0x00)); /* retf 8 */
	assert_int_equal(w->e.rip, 0x7c05);
	assert_int_equal(w->e.seg[EMULATE_CS].selector, 0);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7008);
	world_store(w, 0x500, 4, 0x40000010);
	assert_ok(RUN(w, 0xff, 0x1e, 0x00, 0x05)); /* call far [0x500] */
	assert_int_equal(w->e.seg[EMULATE_CS].base, 0x40000);
	assert_int_equal(w->e.rip, 0x10);
	assert_ok(RUN(w, 0xcb)); /* retf */
	assert_int_equal(w->e.rip, 0x7c09);
	assert_ok(RUN(w, 0xff, 0x2e, 0x00, 0x05)); /* jmp far [0x500] */
	assert_int_equal(w->e.seg[EMULATE_CS].selector, 0x4000);
}

static void test_interrupt(void **state)
{
	(void)state;
	world_store(w, 0x10 * 4, 4, 0xf0001234);
	w->e.rflags |= RFLAGS_IF | RFLAGS_CF | RFLAGS_TF;
	assert_ok(RUN(w, 0xcd, 0x10)); /* int 10h */
	assert_int_equal(w->e.seg[EMULATE_CS].base, 0xf0000);
	assert_int_equal(w->e.rip, 0x1234);
	assert_int_equal(w->e.rflags, 2 | RFLAGS_CF);
	assert_false(w->e.single_step); /* TF is clear by then */
	assert_int_equal(w->gpr[EMULATE_RSP], 0x6ffa);
	assert_int_equal(world_load(w, 0x6ffa, 2), 0x7c02);
	assert_int_equal(world_load(w, 0x6ffe, 2), RFLAGS_IF | RFLAGS_CF | RFLAGS_TF | 2);
	assert_ok(RUN(w, 0xcf)); /* iret */
	assert_int_equal(w->e.rip, 0x7c02);
	assert_int_equal(w->e.seg[EMULATE_CS].selector, 0);
	assert_int_equal(w->e.rflags, RFLAGS_IF | RFLAGS_CF | RFLAGS_TF | 2);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7000);
}

static void test_interrupt_kinds(void **state)
{
	(void)state;
	world_store(w, 3 * 4, 4, 0x10000003);
	world_store(w, 4 * 4, 4, 0x10000004);
	assert_ok(RUN(w, 0xce)); /* into without OF */
	assert_int_equal(w->e.rip, 0x7c01);
	w->e.rflags |= RFLAGS_OF;
	assert_ok(RUN(w, 0xce));
	assert_int_equal(w->e.rip, 4);
	assert_ok(RUN(w, 0xcc));
	assert_int_equal(w->e.rip, 3);
	w->dtr[EMULATE_IDTR].limit = 0x3f;
	assert_int_equal(RUN(w, 0xcd, 0x10), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION(VECTOR_GP));
}

/* Nothing is half pushed, whichever of the pushes fails. */
static void test_interrupt_stack_fault(void **state)
{
	(void)state;
	w->gpr[EMULATE_RSP] = 0x2004; /* the last push goes to 1ffe */
	w->absent = 0x1000;
	assert_int_equal(RUN(w, 0xcd, 0x10), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.vector, 14);
	assert_int_equal(w->e.exception.cr2, 0x1ffe);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x2004);
	assert_int_equal(world_load(w, 0x2000, 8), 0);
	assert_int_equal(w->e.rip, 0x7c00);
}

static void test_segments(void **state)
{
	(void)state;
	w->e.seg[EMULATE_DS].limit = 0xffffffff; /* "unreal" mode stays */
	w->gpr[EMULATE_RAX] = 0x1234;
	assert_ok(RUN(w, 0x8e, 0xd8)); /* mov ds, ax */
	assert_int_equal(w->e.seg[EMULATE_DS].base, 0x12340);
	assert_int_equal(w->e.seg[EMULATE_DS].limit, 0xffffffff);
	assert_ok(RUN(w, 0x8c, 0xdb)); /* mov bx, ds */
	assert_int_equal(w->gpr[EMULATE_RBX], 0x1234);
	assert_ok(RUN(w, 0x1e)); /* push ds */
	assert_ok(RUN(w, 0x0f, 0xa1)); /* pop fs */
	assert_int_equal(w->e.seg[EMULATE_FS].base, 0x12340);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x7000);
	world_store(w, 0x12340 + 0x500, 4, 0x20003456);
	assert_ok(RUN(w, 0xc4, 0x1e, 0x00, 0x05)); /* les bx, [0x500] */
	assert_int_equal(w->gpr[EMULATE_RBX], 0x3456);
	assert_int_equal(w->e.seg[EMULATE_ES].base, 0x20000);
	assert_int_equal(RUN(w, 0x8e, 0xc8), EMULATE_EXCEPTION); /* mov cs, ax */
	assert_int_equal(world_exception(w), EXCEPTION(VECTOR_UD));
}

static void test_interrupt_shadow(void **state)
{
	(void)state;
	assert_ok(RUN(w, 0xfb)); /* sti */
	assert_int_equal(w->e.shadow, SHADOW_STI);
	assert_ok(RUN(w, 0xfb));
	assert_int_equal(w->e.shadow, 0);
	w->e.rflags |= RFLAGS_TF;
	assert_ok(RUN(w, 0x8e, 0xd0)); /* mov ss, ax */
	assert_int_equal(w->e.shadow, SHADOW_MOV_SS);
	assert_false(w->e.single_step);
	assert_ok(RUN(w, 0x90));
	assert_int_equal(w->e.shadow, 0);
	assert_true(w->e.single_step);
	assert_ok(RUN(w, 0xfa)); /* cli */
	assert_false(w->e.rflags & RFLAGS_IF);
	assert_int_equal(RUN(w, 0xf4), EMULATE_HALT);
	assert_int_equal(w->e.rip, 0x7c00 + 2 + 2 + 1 + 1 + 1);
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(RUN(w, 0xa1, 0xff, 0xff), EMULATE_EXCEPTION); /* mov ax, [0xffff] */
	assert_int_equal(world_exception(w), EXCEPTION(VECTOR_GP));
	assert_ok(RUN(w, 0xa0, 0xff, 0xff)); /* mov al, [0xffff] */
	w->gpr[EMULATE_RBP] = 0xffff;
	assert_int_equal(RUN(w, 0x8b, 0x46, 0x00), EMULATE_EXCEPTION); /* mov ax, [bp] */
	assert_int_equal(world_exception(w), EXCEPTION(VECTOR_SS));
	/* 32-bit addresses in real mode are checked against the limit too. */
	w->gpr[EMULATE_RBX] = 0x10000;
	assert_int_equal(RUN(w, 0x67, 0x8a, 0x03), EMULATE_EXCEPTION); /* mov al, [ebx] */
	assert_int_equal(world_exception(w), EXCEPTION(VECTOR_GP));
	/* The stack wraps at 64 KiB. */
	w->gpr[EMULATE_RSP] = 0xabcd0000;
	assert_ok(RUN(w, 0x50)); /* push ax */
	assert_int_equal(w->gpr[EMULATE_RSP], 0xabcdfffe);
}

/* Addresses wrap at 16 bits, and the sum of base and index too. */
static void test_addressing(void **state)
{
	(void)state;
	w->gpr[EMULATE_RBX] = 0xdead9000;
	w->gpr[EMULATE_RSI] = 0xbeef8000;
	world_store(w, 0x1010, 2, 0x5aa5);
	assert_ok(RUN(w, 0x8b, 0x40, 0x10)); /* mov ax, [bx+si+0x10] */
	assert_int_equal(w->gpr[EMULATE_RAX], 0x5aa5);
	w->gpr[EMULATE_RDI] = 0x2000;
	/* mov [edi*2], imm32 */
	assert_ok(RUN(w, 0x66, 0x67, 0xc7, 0x04, 0x7d, 0x00, 0x00, 0x00, 0x00, 0x78, 0x56, 0x34, 0x12));
	assert_int_equal(world_load(w, 0x4000, 4), 0x12345678);
}

static void test_ports(void **state)
{
	(void)state;
	w->port_value = 0x41;
	w->gpr[EMULATE_RDX] = 0x3f8;
	assert_ok(RUN(w, 0xec)); /* in al, dx */
	assert_int_equal(w->gpr[EMULATE_RAX], 0x41);
	assert_ok(RUN(w, 0x66, 0xe5, 0x60)); /* in eax, 0x60 */
	assert_int_equal(w->gpr[EMULATE_RAX], 0x42);
	assert_int_equal(w->log[1].kind, 'i');
	assert_int_equal(w->log[1].size, 4);
	assert_int_equal(w->log[1].address, 0x60);
	assert_ok(RUN(w, 0xe7, 0x80)); /* out 0x80, ax */
	assert_int_equal(w->log[1].kind, 'o');
	assert_int_equal(w->log[1].size, 2);
	assert_int_equal(w->log[1].how, 0x42);
	w->gpr[EMULATE_RCX] = 3;
	w->gpr[EMULATE_RDI] = 0x500;
	assert_ok(RUN(w, 0xf3, 0x6c)); /* rep insb */
	assert_int_equal(world_load(w, 0x500, 4), 0x454443);
	assert_int_equal(w->gpr[EMULATE_RDI], 0x503);
	w->gpr[EMULATE_RCX] = 2;
	w->gpr[EMULATE_RSI] = 0x500;
	assert_ok(RUN(w, 0xf3, 0x6f)); /* rep outsw */
	assert_int_equal(w->log[w->events - 1].how, 0x45);
	assert_int_equal(w->gpr[EMULATE_RSI], 0x504);
}

/* The destination of INS is tried before the port is read. */
static void test_ins_fault(void **state)
{
	(void)state;
	w->gpr[EMULATE_RDI] = 0x1fff;
	w->absent = 0x2000;
	assert_int_equal(RUN(w, 0x6d), EMULATE_EXCEPTION); /* insw */
	assert_int_equal(w->e.exception.cr2, 0x2000);
	for (unsigned n = 0; n < w->events; n++)
		assert_int_not_equal(w->log[n].kind, 'i');
}

static unsigned strings(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->events; i++)
		n += w->log[i].kind == 'I' || w->log[i].kind == 'O';
	return n;
}

/* What a port moves at once ends with a page, with the address space, with the segment; not downwards, and not under
 * single step. */
static void test_port_strings(void **state)
{
	static const struct { uint64_t rdi, rcx, flags; unsigned once; } cases[] = {
		{ 0x1000, 8, 0, 1 }, { 0x1ff8, 8, 0, 2 }, { 0x1000, 20, 0, 3 }, { 0x1000, 1, 0, 0 },
		{ 0xfff8, 8, 0, 2 }, { 0x1010, 8, RFLAGS_DF, 0 }, { 0x1000, 8, RFLAGS_TF, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		w->string_most = 8;
		w->events = 0;
		w->port_value = 0x100;
		w->gpr[EMULATE_RDI] = cases[i].rdi;
		w->gpr[EMULATE_RCX] = cases[i].rcx;
		w->e.rflags = RFLAGS_FIXED | cases[i].flags;
		while (RUN(w, 0xf3, 0x6d) == EMULATE_RESTART) /* rep insw */
			;
		assert_int_equal(w->gpr[EMULATE_RCX], 0);
		assert_int_equal(strings(), cases[i].once);
		assert_int_equal(world_load(w, cases[i].rdi, 2), 0x100);
		assert_int_equal(w->port_value, 0x100 + cases[i].rcx);
		assert_int_equal((uint16_t)(w->gpr[EMULATE_RDI]),
				 (uint16_t)(cases[i].rdi + (cases[i].flags & RFLAGS_DF ? -2 : 2) * (int)cases[i].rcx));
	}
	/* The segment ends behind three: the fourth is a fault, and what was done stays. */
	w->e.rflags = RFLAGS_FIXED;
	w->e.seg[EMULATE_ES].limit = 0x1005;
	w->gpr[EMULATE_RDI] = 0x1000;
	w->gpr[EMULATE_RCX] = 8;
	w->events = 0;
	assert_int_equal(RUN(w, 0xf3, 0x6d), EMULATE_EXCEPTION);
	assert_int_equal(w->gpr[EMULATE_RCX], 5);
	assert_int_equal(strings(), 0);
	w->gpr[EMULATE_RSI] = 0x500;
	assert_ok(RUN(w, 0xf3, 0x6f)); /* rep outsw */
	assert_int_equal(w->gpr[EMULATE_RSI], 0x50a);
	assert_int_equal(strings(), 1);
}

/* EM5. */
static void test_port_strings_end(void **state)
{
	(void)state;
	w->string_most = 1000;
	w->e.rep_limit = 16;
	w->gpr[EMULATE_RDI] = 0x1000;
	w->gpr[EMULATE_RCX] = 1000;
	assert_int_equal(RUN(w, 0xf3, 0x6d), EMULATE_RESTART);
	assert_int_equal(w->gpr[EMULATE_RCX], 1000 - 128);
	assert_true(w->e.progress);
}

static void test_flags(void **state)
{
	(void)state;
	world_store(w, 0x7000, 4, 0xffffffff);
	assert_ok(RUN(w, 0x9d)); /* popf */
	assert_int_equal(w->e.rflags, 0x7fd7);
	w->gpr[EMULATE_RSP] = 0x7000;
	assert_ok(RUN(w, 0x66, 0x9d)); /* popfd: not VM, RF, VIF, VIP */
	assert_int_equal(w->e.rflags, 0x247fd7);
	assert_ok(RUN(w, 0x9c)); /* pushf */
	assert_int_equal(world_load(w, 0x7002, 2), 0x7fd7);
}

/* LGDT, CR0.PE, a far jump to 32-bit code, and segment loads from the GDT. */
static void test_to_protected_mode(void **state)
{
	(void)state;
	world_descriptor(w, 1, 0, 0xffffffff, 0xc09a); /* code, not accessed yet */
	world_descriptor(w, 2, 0x10000, 0xfffff, 0xc092);
	world_store(w, 0x500, 2, 0x17);
	world_store(w, 0x502, 4, 0xff000000 | WORLD_GDT);
	assert_ok(RUN(w, 0x0f, 0x01, 0x16, 0x00, 0x05)); /* lgdt [0x500]: 24 bits of the base */
	assert_int_equal(w->dtr[EMULATE_GDTR].base, WORLD_GDT);
	assert_int_equal(w->dtr[EMULATE_GDTR].limit, 0x17);
	w->gpr[EMULATE_RAX] = 0x11;
	assert_ok(RUN(w, 0x0f, 0x22, 0xc0)); /* mov cr0, eax */
	assert_int_equal(w->e.mode, EMULATE_PROT16);
	assert_ok(RUN(w, 0x66, 0xea, 0x00, 0x90, 0x00, 0x00, 0x08, 0x00)); /* jmp 8:9000 */
	assert_int_equal(w->e.mode, EMULATE_PROT32);
	assert_int_equal(w->e.rip, 0x9000);
	assert_int_equal(w->e.seg[EMULATE_CS].limit, 0xffffffff);
	assert_int_equal(w->e.seg[EMULATE_CS].access, SEGMENT_FLAT_CODE32);
	assert_int_equal(world_load(w, WORLD_GDT + 13, 1), 0x9b); /* accessed, in memory too */
	w->gpr[EMULATE_RAX] = 0x10;
	assert_ok(RUN(w, 0x8e, 0xd8)); /* mov ds, eax */
	assert_int_equal(w->e.seg[EMULATE_DS].base, 0x10000);
	assert_int_equal(w->e.seg[EMULATE_DS].limit, 0xfffff);
	assert_ok(RUN(w, 0xc6, 0x05, 0x34, 0x12, 0x00, 0x00, 0x77)); /* mov byte [0x1234], 0x77 */
	assert_int_equal(world_load(w, 0x11234, 1), 0x77);
}

static void test_bad_selectors(void **state)
{
	(void)state;
	world_free(w);
	w = world_new(EMULATE_PROT32);
	world_descriptor(w, 1, 0, 0xffffffff, SEGMENT_FLAT_CODE32);
	world_descriptor(w, 2, 0, 0xffffffff, 0xc013); /* not present */
	world_descriptor(w, 3, 0, 0xffffffff, 0xc091); /* not writable */
	world_descriptor(w, 4, 0, 0xffffffff, 0xc089); /* a TSS: another task */
	w->gpr[EMULATE_RAX] = 0x10;
	assert_int_equal(RUN(w, 0x8e, 0xc0), EMULATE_EXCEPTION); /* mov es */
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_NP, 0x10));
	assert_int_equal(RUN(w, 0x8e, 0xd0), EMULATE_EXCEPTION); /* mov ss */
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_SS, 0x10));
	w->gpr[EMULATE_RAX] = 0x18;
	assert_int_equal(RUN(w, 0x8e, 0xd0), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0x18));
	w->gpr[EMULATE_RAX] = 0x100;
	assert_int_equal(RUN(w, 0x8e, 0xd8), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0x100));
	w->gpr[EMULATE_RAX] = 0;
	assert_int_equal(RUN(w, 0x8e, 0xd0), EMULATE_EXCEPTION); /* null into SS */
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0));
	assert_ok(RUN(w, 0x8e, 0xd8)); /* null into DS: allowed, not usable */
	assert_int_equal(RUN(w, 0xa1, 0x00, 0x05, 0x00, 0x00), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0));
	assert_int_equal(RUN(w, 0xea, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00), EMULATE_UNKNOWN);
	assert_int_equal(RUN(w, 0xcd, 0x80), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.kind, EMULATE_SOFTWARE_INTERRUPT);
	assert_int_equal(w->e.exception.vector, 0x80);
	assert_int_equal(w->e.exception.length, 2);
}

static void test_v86(void **state)
{
	static const uint8_t sensitive[][2] = { { 0xfa }, { 0xfb },	  { 0x9c }, { 0x9d },
						{ 0xcf }, { 0xcd, 0x21 }, { 0xf4 }, { 0xec } };

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(sensitive); n++) {
		assert_int_equal(world_step(w, sensitive[n], 2), EMULATE_EXCEPTION);
		assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0));
		assert_int_equal(w->e.rip, 0x7c00);
	}
	world_store(w, WORLD_TSS + WORLD_IO_MAP, 1, 0); /* ports 0 to 7 */
	assert_ok(RUN(w, 0xec));
	w->gpr[EMULATE_RAX] = 0x1000;
	w->e.seg[EMULATE_DS].limit = 0x10;
	assert_ok(RUN(w, 0x8e, 0xd8));
	assert_int_equal(w->e.seg[EMULATE_DS].base, 0x10000);
	assert_int_equal(w->e.seg[EMULATE_DS].limit, 0xffff);
}

static void test_v86_iopl3(void **state)
{
	(void)state;
	w->e.rflags |= RFLAGS_IOPL;
	assert_ok(RUN(w, 0xfb));
	assert_true(w->e.rflags & RFLAGS_IF);
	world_store(w, 0x7000, 2, 0);
	assert_ok(RUN(w, 0x9d)); /* popf: IF, but not IOPL */
	assert_int_equal(w->e.rflags, 2 | RFLAGS_VM | RFLAGS_IOPL);
	assert_int_equal(RUN(w, 0xcd, 0x21), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.kind, EMULATE_SOFTWARE_INTERRUPT);
	assert_int_equal(w->e.exception.vector, 0x21);
}

/* CS keeps the D that it was loaded with in protected mode; interrupts are of 16 bits for all that. */
static void test_wide_code(void **state)
{
	(void)state;
	w->e.mode = EMULATE_REAL32;
	assert_ok(RUN(w, 0xb8, 0x78, 0x56, 0x34, 0x12)); /* mov $0x12345678, %eax */
	assert_int_equal(w->gpr[EMULATE_RAX], 0x12345678);
	assert_ok(RUN(w, 0xea, 0x34, 0x12, 0x00, 0x00, 0x00, 0x20)); /* ljmp $0x2000, $0x1234 */
	assert_int_equal(w->e.seg[EMULATE_CS].base, 0x20000);
	assert_int_equal(w->e.rip, 0x1234);
	assert_int_equal(w->e.mode, EMULATE_REAL32);
	world_store(w, 0x10 * 4, 4, 0xf0001234);
	assert_ok(RUN(w, 0xcd, 0x10));
	assert_int_equal(w->gpr[EMULATE_RSP], 0x6ffa);
	assert_int_equal(w->e.seg[EMULATE_CS].base, 0xf0000);
	assert_exception(RUN(w, 0x0f, 0x00, 0xd0), EXCEPTION(VECTOR_UD)); /* lldt */
}

#define REAL(test) cmocka_unit_test_setup_teardown(test, set_up_real, tear_down)
#define V86(test) cmocka_unit_test_setup_teardown(test, set_up_v86, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REAL(test_jmp_far),
		REAL(test_call_far),
		REAL(test_interrupt),
		REAL(test_interrupt_kinds),
		REAL(test_interrupt_stack_fault),
		REAL(test_segments),
		REAL(test_interrupt_shadow),
		REAL(test_limits),
		REAL(test_addressing),
		REAL(test_ports),
		REAL(test_ins_fault), REAL(test_port_strings), REAL(test_port_strings_end),
		REAL(test_flags),
		REAL(test_to_protected_mode),
		REAL(test_bad_selectors),
		REAL(test_wide_code),
		V86(test_v86),
		V86(test_v86_iopl3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
