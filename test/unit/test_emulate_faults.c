/* test/unit/test_emulate_faults.c - what happens when an instruction cannot be finished: faults leave nothing half done (E2,
 * E3), accesses are split at pages (E4), repetitions and lost races are bounded (E5), and random bytes do no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/unit/emulate_world.h"

#define assert_ok(result) assert_int_equal(result, EMULATE_OK)

static struct world *w;

static int set_up(void **state)
{
	(void)state;
	w = world_new(EMULATE_LONG64);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_free(w);
	return 0;
}

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
	assert_int_equal(RUN(w, 0xf3, 0x48, 0xab), EMULATE_RESTART);
	assert_ok(RUN(w, 0xf3, 0x48, 0xab));
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
	assert_true(w->e.rflags & FLAG_ZF);
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
	static const uint8_t prefixes[15] = { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 };

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
	w->e.rflags |= FLAG_AC;
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

/* ---- random bytes, failing callbacks ---- */

#define FUZZ_STEPS 300000

static void random_registers(void)
{
	for (unsigned n = 0; n < EMULATE_GPRS; n++) {
		uint64_t v = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand();

		w->gpr[n] = rand() % 4 ? v % WORLD_MEMORY : v;
	}
	w->e.rflags = ((uint64_t)rand() & 0x3f7fd5) | 2;
	if (w->e.mode == EMULATE_V86)
		w->e.rflags |= FLAG_VM;
	w->e.cpl = w->e.mode == EMULATE_REAL ? 0 : w->e.mode == EMULATE_V86 ? 3 : rand() % 2 * 3;
	w->e.rip = rand() % 8 ? 0x7c00 : 0x7ff8; /* near a page's end */
}

/* E2 and E3. A callback that fails although its probe did not may leave half a write behind. */
static void check_untouched(const uint64_t *gpr, uint64_t rip, uint64_t rflags, const struct emulate_segment *seg)
{
	assert_memory_equal(gpr, w->gpr, sizeof(w->gpr));
	assert_int_equal(rip, w->e.rip);
	assert_int_equal(rflags, w->e.rflags);
	assert_memory_equal(seg, w->e.seg, sizeof(w->e.seg));
	if (!w->fail_one_in)
		assert_int_equal(w->writes, 0);
}

static bool is_repetition(void)
{
	struct insn i;

	return emulate_decode(w->e.bytes, w->e.length, w->e.mode, &i) == INSN_OK && i.op >= OP_movs && i.op <= OP_outs &&
	       (i.flags & (INSN_F_REP | INSN_F_REPNE));
}

static void fuzz_step(enum emulate_mode mode)
{
	uint8_t code[15];
	uint64_t gpr[EMULATE_GPRS], rip, rflags;
	struct emulate_segment seg[EMULATE_SEGS];
	enum emulate_result result;

	w->e.mode = mode;
	w->fail_one_in = rand() % 2 ? 8 : 0;
	random_registers();
	for (unsigned n = 0; n < sizeof(code); n++)
		code[n] = rand();
	if (rand() % 3 == 0)
		code[0] = 0x0f;
	memcpy(gpr, w->gpr, sizeof(gpr));
	memcpy(seg, w->e.seg, sizeof(seg));
	rip = w->e.rip;
	rflags = w->e.rflags;
	result = world_step(w, code, sizeof(code));
	assert_true(result <= EMULATE_HALT);
	assert_true(w->events < 3000);
	if (result != EMULATE_OK && result != EMULATE_HALT && w->e.mode == mode && !is_repetition())
		check_untouched(gpr, rip, rflags, seg);
}

static void test_random_bytes(void **state)
{
	(void)state;
	srand(1);
	for (enum emulate_mode mode = EMULATE_REAL; mode <= EMULATE_LONG64; mode++) {
		world_free(w);
		w = world_new(mode);
		w->e.rep_limit = 500;
		for (unsigned n = 0; n < FUZZ_STEPS / 5; n++) {
			struct emulate_segment cs = w->e.seg[EMULATE_CS];

			fuzz_step(mode);
			w->e.seg[EMULATE_CS] = cs;
			w->e.cr0 = (mode == EMULATE_REAL ? 0x10 : 0x11) | ((unsigned)rand() & 8);
		}
	}
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_rep_fault), T(test_rep_limit), T(test_rep_default_limit), T(test_repne_scas), T(test_lost_races),
		T(test_cmpxchg16b), T(test_split_write), T(test_read_for_write), T(test_simple_store), T(test_push_fault),
		T(test_fetch_across_page), T(test_fetch_limits), T(test_canonical), T(test_alignment_check),
		T(test_lazy_segments), T(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
