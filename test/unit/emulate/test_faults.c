/* test/unit/emulate/test_faults.c - what happens when an instruction cannot be finished: faults leave nothing half done
 * (EM2, EM3), accesses are split at pages (EM4), repetitions and lost races are bounded (EM5). */
#include "test/unit/emulate/fixture.h"
#include "test/unit/emulate/step.h"

/* REP MOVSB from 0x1ff0 on; the page at 0x2000 is missing. */
static void test_rep_fault(void **state)
{
	(void)state;
	w->absent = 0x2000;
	w->gpr[EMULATE_RCX] = 100;
	w->gpr[EMULATE_RSI] = 0x1ff0;
	w->gpr[EMULATE_RDI] = 0x5000;
	memset(w->memory + 0x1ff0, 0x5a, 16);
	assert_int_equal(RUN(w, 0xf3, 0xa4), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.cr2, 0x2000);
	assert_int_equal(w->gpr[EMULATE_RCX], 84);
	assert_int_equal(w->gpr[EMULATE_RSI], 0x2000);
	assert_int_equal(w->gpr[EMULATE_RDI], 0x5010);
	assert_int_equal(w->e.rip, 0x7c00);
	assert_int_equal(world_load(w, 0x500f, 2), 0x5a);
	w->absent = ~0ull;
	assert_ok(RUN(w, 0xf3, 0xa4));
	assert_int_equal(w->gpr[EMULATE_RCX], 0);
	assert_int_equal(w->e.rip, 0x7c02);
}

static void test_rep_limit(void **state)
{
	(void)state;
	w->e.rep_limit = 10;
	w->gpr[EMULATE_RCX] = 25;
	w->gpr[EMULATE_RDI] = 0x5000;
	w->gpr[EMULATE_RAX] = 0x1122334455667788;
	assert_int_equal(RUN(w, 0xf3, 0x48, 0xab), EMULATE_RESTART); /* rep stosq */
	assert_int_equal(w->gpr[EMULATE_RCX], 15);
	assert_int_equal(w->gpr[EMULATE_RDI], 0x5050);
	assert_int_equal(w->e.rip, 0x7c00);
	/* A breakpoint on it has had its turn, until it is done. */
	assert_true(w->e.rflags & RFLAGS_RF);
	assert_int_equal(RUN(w, 0xf3, 0x48, 0xab), EMULATE_RESTART);
	assert_ok(RUN(w, 0xf3, 0x48, 0xab));
	assert_false(w->e.rflags & RFLAGS_RF);
	assert_int_equal(w->gpr[EMULATE_RDI], 0x5000 + 25 * 8);
	assert_int_equal(world_load(w, 0x5000 + 24 * 8, 8), 0x1122334455667788);
	assert_int_equal(world_load(w, 0x5000 + 25 * 8, 8), 0);
	/* A count that is the limit exactly is finished at once. */
	w->gpr[EMULATE_RCX] = 10;
	assert_ok(RUN(w, 0xf3, 0xaa));
}

static void test_rep_default_limit(void **state)
{
	(void)state;
	w->gpr[EMULATE_RCX] = ~0ull;
	w->gpr[EMULATE_RSI] = 0x8000;
	assert_int_equal(RUN(w, 0xf3, 0xac), EMULATE_RESTART); /* rep lodsb */
	assert_int_equal(w->gpr[EMULATE_RCX], ~0ull - 4096);
}

static void test_repne_scas(void **state)
{
	(void)state;
	memcpy(w->memory + 0x5000, "hello", 6);
	w->gpr[EMULATE_RCX] = ~0ull;
	w->gpr[EMULATE_RDI] = 0x5000;
	assert_ok(RUN(w, 0xf2, 0xae)); /* strlen */
	assert_int_equal(~w->gpr[EMULATE_RCX], 6);
	assert_int_equal(w->gpr[EMULATE_RDI], 0x5006);
	assert_true(w->e.rflags & RFLAGS_ZF);
}

/* It goes on from the element that faults, but the flags are those from before (SDM, "REP/REPE/REPZ/REPNE/REPNZ"). */
static void test_repne_scas_fault(void **state)
{
	const uint64_t before = RFLAGS_FIXED | RFLAGS_CF | RFLAGS_ZF | RFLAGS_OF;

	(void)state;
	w->absent = 0x6000;
	w->gpr[EMULATE_RAX] = 0x7f;
	w->gpr[EMULATE_RCX] = 100;
	w->gpr[EMULATE_RDI] = 0x5ff0;
	memset(w->memory + 0x5ff0, 1, 16);
	w->e.rflags = before;
	assert_int_equal(RUN(w, 0xf2, 0xae), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.cr2, 0x6000);
	assert_int_equal(w->gpr[EMULATE_RCX], 84);
	assert_int_equal(w->gpr[EMULATE_RDI], 0x6000);
	assert_int_equal(w->e.rflags & RFLAGS_STATUS, before & RFLAGS_STATUS);
}

static void test_lost_races(void **state)
{
	(void)state;
	w->gpr[EMULATE_RAX] = 1;
	w->races = 2;
	assert_ok(RUN(w, 0xf0, 0x48, 0x01, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00)); /* lock add [0x5000], rax */
	assert_int_equal(world_load(w, 0x5000, 8), 3);
	w->races = 1000;
	assert_int_equal(RUN(w, 0xf0, 0x48, 0x01, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00), EMULATE_RESTART);
	assert_true(w->races >= 990);
	assert_int_equal(w->e.rip, 0x7c09);
	w->races = 0;
	world_store(w, 0x5000, 8, 7);
	assert_ok(RUN(w, 0x48, 0x87, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00)); /* xchg [0x5000], rax: locked by itself */
	assert_int_equal(w->gpr[EMULATE_RAX], 7);
	assert_int_equal(w->log[w->events - 1].kind, 'c');
	assert_int_equal(w->log[w->events - 1].size, 8);
}

static void test_cmpxchg16b(void **state)
{
	(void)state;
	w->gpr[EMULATE_RSI] = 0x5000;
	w->gpr[EMULATE_RBX] = 3;
	w->gpr[EMULATE_RCX] = 4;
	assert_ok(RUN(w, 0xf0, 0x48, 0x0f, 0xc7, 0x0e)); /* lock cmpxchg16b [rsi] */
	assert_int_equal(world_load(w, 0x5000, 8), 3);
	assert_int_equal(world_load(w, 0x5008, 8), 4);
	assert_int_equal(w->log[w->events - 1].size, 16);
	w->gpr[EMULATE_RSI] = 0x5008;
	assert_int_equal(RUN(w, 0xf0, 0x48, 0x0f, 0xc7, 0x0e), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0));
}

/* A write across a page: both parts are probed before one is written. */
static void test_split_write(void **state)
{
	(void)state;
	w->gpr[EMULATE_RAX] = 0x1122334455667788;
	w->gpr[EMULATE_RDI] = 0x1ffd;
	assert_ok(RUN(w, 0x48, 0x89, 0x07)); /* mov [rdi], rax */
	assert_int_equal(w->events, 5);
	assert_int_equal(w->log[1].kind, 'p');
	assert_int_equal(w->log[2].kind, 'p');
	assert_int_equal(w->log[3].kind, 'w');
	assert_int_equal(w->log[3].size, 3);
	assert_int_equal(w->log[4].address, 0x2000);
	assert_int_equal(w->log[4].size, 5);
	assert_int_equal(world_load(w, 0x1ffd, 8), 0x1122334455667788);
	w->gpr[EMULATE_RAX] = 0;
	w->read_only = 0x2000;
	assert_int_equal(RUN(w, 0x48, 0x89, 0x07), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.error, 3);
	assert_int_equal(w->e.exception.cr2, 0x2000);
	assert_int_equal(world_load(w, 0x1ffd, 8), 0x1122334455667788);
	w->refused = 0x2000;
	assert_int_equal(RUN(w, 0x48, 0x89, 0x07), EMULATE_UNHANDLEABLE);
	assert_int_equal(world_load(w, 0x1ffd, 8), 0x1122334455667788);
}

/* A read-modify-write asks for write permission when it reads. */
static void test_read_for_write(void **state)
{
	(void)state;
	w->read_only = 0x5000;
	w->gpr[EMULATE_RDI] = 0x5000;
	assert_int_equal(RUN(w, 0xff, 0x07), EMULATE_EXCEPTION); /* inc dword [rdi] */
	assert_int_equal(w->e.exception.error, 3);
	assert_int_equal(w->log[1].kind, 'r');
	assert_int_equal(w->log[1].how, EMULATE_HOW_WRITE);
	assert_int_equal(w->events, 2);
	assert_ok(RUN(w, 0x83, 0x3f, 0x05)); /* cmp dword [rdi], 5 */
	assert_int_equal(w->log[1].how, 0);
}

/* The hot path: one fetch, one access of the operand's size. */
static void test_simple_store(void **state)
{
	struct insn i;

	(void)state;
	w->gpr[EMULATE_RAX] = 0xdeadbeef;
	w->gpr[EMULATE_RDI] = 0x5000;
	assert_int_equal(emulate_decode((const uint8_t[]){ 0x89, 0x47, 0x30 }, 3, EMULATE_LONG64, &i), INSN_OK);
	assert_ok(emulate_execute(&w->e, &i)); /* mov [rdi+0x30], eax */
	assert_int_equal(w->events, 1);
	assert_int_equal(w->log[0].kind, 'w');
	assert_int_equal(w->log[0].address, 0x5030);
	assert_int_equal(w->log[0].size, 4);
	assert_int_equal(w->e.rip, 0x7c03);
}

static void test_push_fault(void **state)
{
	(void)state;
	w->gpr[EMULATE_RSP] = 0x2004;
	w->absent = 0x1000;
	assert_int_equal(RUN(w, 0xe8, 0x00, 0x00, 0x00, 0x00), EMULATE_EXCEPTION); /* call */
	assert_int_equal(w->gpr[EMULATE_RSP], 0x2004);
	assert_int_equal(w->e.rip, 0x7c00);
	assert_int_equal(world_load(w, 0x2000, 4), 0);
}

/* AX = -128 * -1: one too many for AL; 127 and -128 still fit. */
static void test_division_limits(void **state)
{
	(void)state;
	w->gpr[EMULATE_RAX] = 0xff80;
	w->gpr[EMULATE_RCX] = 0xff;
	assert_int_equal(RUN(w, 0xf6, 0xf9), EMULATE_EXCEPTION); /* idiv cl */
	assert_int_equal(world_exception(w), EXCEPTION(VECTOR_DE));
	assert_int_equal(w->gpr[EMULATE_RAX], 0xff80);
	w->gpr[EMULATE_RAX] = 0xff81;
	assert_ok(RUN(w, 0xf6, 0xf9));
	assert_int_equal(w->gpr[EMULATE_RAX], 127);
	w->gpr[EMULATE_RAX] = 0x0080;
	assert_ok(RUN(w, 0xf6, 0xf9));
	assert_int_equal(w->gpr[EMULATE_RAX], 0x80);
	/* -2^127 / -2^63 = 2^64, and 2^127 - 2^63 over 2^63 - 1 just fits without a sign */
	w->gpr[EMULATE_RDX] = BIT(63);
	w->gpr[EMULATE_RAX] = 0;
	w->gpr[EMULATE_RCX] = BIT(63);
	assert_int_equal(RUN(w, 0x48, 0xf7, 0xf9), EMULATE_EXCEPTION); /* idiv rcx */
	w->gpr[EMULATE_RDX] = BIT(63) - 1;
	w->gpr[EMULATE_RAX] = ~0ull;
	assert_ok(RUN(w, 0x48, 0xf7, 0xf1)); /* div rcx */
	assert_int_equal(w->gpr[EMULATE_RAX], ~0ull);
	assert_int_equal(w->gpr[EMULATE_RDX], BIT(63) - 1);
}

/* The second push of a far call fails: the first has not been made. */
static void test_far_call_fault(void **state)
{
	(void)state;
	world_free(w);
	w = world_new(EMULATE_REAL);
	w->gpr[EMULATE_RSP] = 0x2002;
	w->absent = 0x1000;
	world_store(w, 0x2000, 2, 0x5555);
	assert_int_equal(RUN(w, 0x9a, 0x00, 0x00, 0x00, 0x20), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.cr2, 0x1ffe);
	assert_int_equal(world_load(w, 0x2000, 2), 0x5555);
	assert_int_equal(w->gpr[EMULATE_RSP], 0x2002);
}

/* Outside 64-bit mode the instruction pointer wraps at 4 GiB, and so do linear addresses. */
static void test_wrap(void **state)
{
	(void)state;
	world_free(w);
	w = world_new(EMULATE_PROT32);
	w->e.seg[EMULATE_CS].base = 0x8000;
	w->e.rip = 0xffffffff;
	world_store(w, 0x7fff, 1, 0x90);
	assert_ok(emulate_step(&w->e));
	assert_int_equal(w->e.rip, 0);
	w->e.seg[EMULATE_DS].base = 0xfffff000;
	world_store(w, 0x500, 4, 0x11223344);
	w->e.seg[EMULATE_CS].base = 0;
	w->e.rip = 0x7c00;
	assert_ok(RUN(w, 0xa1, 0x00, 0x15, 0x00, 0x00)); /* mov eax, [0x1500] */
	assert_int_equal(w->gpr[EMULATE_RAX], 0x11223344);
}

static void test_expand_down(void **state)
{
	(void)state;
	world_free(w);
	w = world_new(EMULATE_PROT32);
	w->e.seg[EMULATE_DS].access |= 4;
	w->e.seg[EMULATE_DS].limit = 0x4fff;
	assert_int_equal(RUN(w, 0xa0, 0xff, 0x4f, 0x00, 0x00), EMULATE_EXCEPTION); /* mov al, [0x4fff] */
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0));
	assert_ok(RUN(w, 0xa0, 0x00, 0x50, 0x00, 0x00));
	w->e.seg[EMULATE_DS].access &= ~(uint32_t)SEGMENT_DB;
	assert_ok(RUN(w, 0xa0, 0xff, 0xff, 0x00, 0x00));
	assert_int_equal(RUN(w, 0xa0, 0x00, 0x00, 0x01, 0x00), EMULATE_EXCEPTION);
}

/* The next page is only missed if the instruction reaches into it. */
static void test_fetch_across_page(void **state)
{
	(void)state;
	w->e.rip = 0x1fff;
	w->absent = 0x2000;
	assert_ok(RUN(w, 0x90));
	w->e.rip = 0x1ffe;
	assert_int_equal(RUN(w, 0x48, 0x89), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.cr2, 0x2000);
	w->absent = ~0ull;
	w->gpr[EMULATE_RAX] = 0x77;
	world_store(w, 0x2000, 1, 0xc3);
	assert_ok(RUN(w, 0x48, 0x89)); /* mov rbx, rax */
	assert_int_equal(w->gpr[EMULATE_RBX], 0x77);
	assert_int_equal(w->e.rip, 0x2001);
}

static void test_fetch_limits(void **state)
{
	static const uint8_t prefixes[15] = { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
					      0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 };

	(void)state;
	assert_int_equal(world_step(w, prefixes, 15), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0));
	world_store(w, 0x7c00 + 14, 1, 0x90);
	assert_int_equal(emulate_step(&w->e), EMULATE_OK); /* 14 prefixes and NOP: 15 bytes */
	w->e.rip = 0x800000000000;
	assert_int_equal(emulate_step(&w->e), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0));
	w->e.mode = EMULATE_PROT32;
	w->e.seg[EMULATE_CS].limit = 0x7c00;
	w->e.rip = 0x7c00;
	assert_int_equal(RUN(w, 0xeb, 0x00), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0));
	assert_ok(RUN(w, 0x90));
}

static void test_canonical(void **state)
{
	(void)state;
	w->gpr[EMULATE_RBX] = 0x800000000000;
	assert_int_equal(RUN(w, 0x8a, 0x03), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_GP, 0));
	w->gpr[EMULATE_RBP] = 0x7ffffffffffd;
	assert_int_equal(RUN(w, 0x8b, 0x45, 0x00), EMULATE_EXCEPTION); /* its last byte is beyond */
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_SS, 0));
	w->e.cr4 |= CR4_LA57;
	assert_int_equal(RUN(w, 0x8a, 0x03), EMULATE_EXCEPTION);
	assert_int_equal(w->e.exception.vector, 14);
	w->e.seg[EMULATE_GS].base = 0x5000;
	w->gpr[EMULATE_RBX] = 0x10;
	world_store(w, 0x5010, 1, 0x33);
	assert_ok(RUN(w, 0x65, 0x8a, 0x03)); /* mov al, gs:[rbx] */
	assert_int_equal(w->gpr[EMULATE_RAX], 0x33);
}

static void test_alignment_check(void **state)
{
	(void)state;
	w->e.cpl = 3;
	w->e.cr0 |= CR0_AM;
	w->gpr[EMULATE_RDI] = 0x5002;
	assert_ok(RUN(w, 0x8b, 0x07));
	w->e.rflags |= RFLAGS_AC;
	assert_int_equal(RUN(w, 0x8b, 0x07), EMULATE_EXCEPTION);
	assert_int_equal(world_exception(w), EXCEPTION_ERROR(VECTOR_AC, 0));
	assert_ok(RUN(w, 0x66, 0x8b, 0x07));
	w->e.cpl = 0;
	assert_ok(RUN(w, 0x8b, 0x07));
}

static unsigned segments_loaded;

static void load_segment(struct emulate *e, enum emulate_seg n)
{
	segments_loaded |= 1u << n;
	e->seg[n].base = 0x1000 * n;
}

/* seg[] is asked for only when needed. */
static void test_lazy_segments(void **state)
{
	struct emulate_ops ops = *w->e.ops;

	(void)state;
	ops.load_segment = load_segment;
	w->e.ops = &ops;
	w->e.seg_valid = 0;
	assert_ok(RUN(w, 0x8a, 0x07));
	assert_int_equal(segments_loaded, 0);
	assert_ok(RUN(w, 0x65, 0x8a, 0x07));
	assert_ok(RUN(w, 0x65, 0x8a, 0x07));
	assert_int_equal(segments_loaded, 1 << EMULATE_GS);
	assert_int_equal(w->e.seg_valid, 1 << EMULATE_GS);
	assert_int_equal(w->log[1].address, 0x5000);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up_long, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_rep_fault),    T(test_rep_limit),       T(test_rep_default_limit), T(test_repne_scas),
		T(test_repne_scas_fault),
		T(test_lost_races),   T(test_cmpxchg16b),      T(test_split_write),	  T(test_read_for_write),
		T(test_simple_store), T(test_push_fault),      T(test_division_limits),	  T(test_far_call_fault),
		T(test_wrap),	      T(test_expand_down),     T(test_fetch_across_page), T(test_fetch_limits),
		T(test_canonical),    T(test_alignment_check), T(test_lazy_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
