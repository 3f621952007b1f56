/* test/unit/emulate/test_native.c - random instructions, on the host CPU and in the emulator: registers, flags, memory,
 * vector registers and exceptions must be the same.
 *
 * EMULATE_CASES sets the number of cases, EMULATE_SEED the seed; a failure prints the seed of its case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emulate/decode/ops.h"
#include "emulate/internal.h"
#include "test/unit/emulate/cases.h"
#include "test/unit/emulate/freedom.h"

#define DEFAULT_CASES 200000
#define REFILL 512 /* fresh memory after so many cases */
#define CACHE_LINE 64
#define SPLITS 64 /* locked accesses to two lines of the cache */

static const char *const layout_names[LAYOUT_COUNT] = { "64-bit", "flat 32-bit", "small 32-bit", "16-bit" };

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void print_state(const char *title, const struct state *s)
{
	printf("%s: rip %llx rflags %llx vector %x error %x cr2 %llx\n", title, (unsigned long long)s->rip,
	       (unsigned long long)s->rflags, s->vector, s->error, (unsigned long long)s->cr2);
	for (unsigned n = 0; n < EMULATE_GPRS; n++)
		printf(" %016llx%s", (unsigned long long)s->gpr[n], n % 4 == 3 ? "\n" : "");
}

static void print_vector(const char *title, const uint8_t v[32], unsigned number)
{
	printf("%s vector %u:", title, number);
	for (unsigned n = 32; n-- > 0;)
		printf("%s%02x", n % 4 == 3 ? " " : "", v[n]);
	printf("\n");
}

static void report(const struct case_ *c, const struct state *native, const struct state *emulated, uint64_t seed,
		   const char *what)
{
	printf("%s differs: %s, %s, seed %llu:", what, c->form->name, layout_names[c->layout],
	       (unsigned long long)seed);
	for (unsigned n = 0; n < c->n; n++)
		printf(" %02x", c->bytes[n]);
	printf("\n");
	print_state("before", &c->in);
	print_state("native", native);
	print_state("emulated", emulated);
	for (unsigned n = 0; n < WORLD_BYTES; n++) {
		if (machine_native_memory()[n] != machine_emulated_memory()[n])
			printf("at %x: native %02x emulated %02x\n", WORLD_DATA + n, machine_native_memory()[n],
			       machine_emulated_memory()[n]);
	}
	for (unsigned n = 0; n < 16; n++) {
		if (!memcmp(native->vec[n], emulated->vec[n], 32))
			continue;
		print_vector("before", c->in.vec[n], n);
		print_vector("native", native->vec[n], n);
		print_vector("emulated", emulated->vec[n], n);
	}
	for (unsigned n = 0; n < 160; n++) {
		if (native->fx[n] != emulated->fx[n])
			printf("FPU %u: before %02x native %02x emulated %02x\n", n, c->in.fx[n], native->fx[n],
			       emulated->fx[n]);
	}
}

/* The host's own kernel is mapped in the upper half, where the emulator's world has nothing. */
static uint32_t expected_error(const struct state *native)
{
	return native->vector == VECTOR_PF && (native->cr2 >> 63) ? native->error & ~1u : native->error;
}

/* What differs, or NULL. */
static const char *compare(const struct case_ *c, const struct state *native, struct state *emulated)
{
	if (freedom_allows(c, native, emulated))
		return NULL;
	if (native->vector != emulated->vector || expected_error(native) != emulated->error)
		return "exception";
	if (native->cr2 != emulated->cr2)
		return "cr2";
	if (native->rip != emulated->rip)
		return "rip";
	if (memcmp(machine_native_memory(), machine_emulated_memory(), WORLD_BYTES))
		return "memory";
	if (memcmp(native->gpr, emulated->gpr, sizeof(native->gpr)))
		return "register";
	if ((native->rflags ^ emulated->rflags) & ~RFLAGS_RF & ~c->undefined_flags)
		return "flags";
	if (memcmp(native->vec, emulated->vec, sizeof(native->vec)))
		return "vector register";
	if ((c->form->flags & F_VECTOR) && !freedom_same_units(c, native, emulated))
		return "FPU";
	return NULL;
}

/* Code lies there that is not breakpoints. */
static bool lands_badly(const struct case_ *c, const struct state *s)
{
	uint64_t base = machine_segment_base(c->layout, EMULATE_CS), linear = base + s->rip;

	if (s->vector != NO_VECTOR || linear < CODE || linear >= CODE + PAGE_SIZE)
		return false;
	if (linear == CODE_SLOT + c->n)
		return false;
	return linear < CODE_SLOT - LANDING || linear >= CODE_SLOT + LANDING ||
	       (linear >= CODE_SLOT && linear < CODE_SLOT + c->n);
}

/* The linear address of the memory operand, but for what the number of a bit adds. */
static uint64_t operand_at(struct case_ *c)
{
	struct emulate e = { .gpr = c->in.gpr,
			     .rip = c->in.rip,
			     .mode = c->layout == LAYOUT_LONG64 ? EMULATE_LONG64 : EMULATE_PROT32 };
	uint64_t linear = machine_segment_base(c->layout, c->insn.seg) + insn_offset(&e, &c->insn);

	return c->layout == LAYOUT_LONG64 ? linear : (uint32_t)linear;
}

/* A locked access to two lines of the cache locks the bus. Hosts make who does that wait for it, 29 ms each were seen
 * (Linux: split_lock_detect). So there are some of them, and no more. */
static bool a_split_too_many(struct case_ *c)
{
	static unsigned splits;
	unsigned size = c->form->flags & F_BYTE ? 1 : c->insn.opsize << (c->insn.op == OP_cmpxchg8b);
	uint64_t at;

	if (!(c->insn.flags & INSN_F_MEM) || !(c->insn.flags & INSN_F_LOCK || c->insn.op == OP_xchg))
		return false;
	at = operand_at(c);
	if (insn_is_displaced(&c->insn) ? at % size == 0 : at / CACHE_LINE == (at + size - 1) / CACHE_LINE)
		return false;
	return ++splits > SPLITS;
}

/* Where an instruction has stored the addresses that the FPU remembers: they do not survive each switch of the host's
 * tasks, so both memories forget them. */
static void forget_addresses(struct case_ *c)
{
	bool environment =
		c->insn.op == OP_x87 && (c->form->opcode == 0xd9 || c->form->opcode == 0xdd) && c->form->digit == 6;
	bool area = c->insn.op == OP_fxsave || c->insn.op == OP_xsave, narrow = environment && c->insn.opsize == 2;
	uint8_t zeros[18] = { 0 };
	uint64_t linear;

	if (!(c->insn.flags & INSN_F_MEM) || !(environment || area))
		return;
	linear = operand_at(c);
	if (area)
		machine_poke(linear + 6, zeros, 18);
	else
		machine_poke(linear + (narrow ? 6 : 12), zeros, narrow ? 8 : 16);
}

/* What cannot be compared: undefined results, and what the CPU did of an instruction that then faulted. */
static void forget(const struct case_ *c, struct state *native, struct state *emulated)
{
	bool partial = (c->form->flags & F_WRITES) && native->vector != NO_VECTOR &&
		       (native->vector == emulated->vector || (c->form->flags & (F_RDI | F_AREA)));

	freedom_forget(c, native, emulated);
	if (!c->undefined_result && !partial)
		return;
	memcpy(emulated->gpr, native->gpr, sizeof(native->gpr));
	machine_fill(random64);
}

static const char *run(struct case_ *c, struct state *native, struct state *emulated)
{
	bool traps = c->form->flags & F_CONTROL;
	struct emulate e;
	enum emulate_result result;
	const char *what;

	/* The slot must hold the instruction before the emulator fetches it. */
	memcpy((void *)(uintptr_t)CODE_SLOT, c->bytes, sizeof(c->bytes));
	result = machine_emulate(c->layout, &c->in, emulated, &e);
	if (lands_badly(c, emulated)) {
		machine_fill(random64);
		return NULL;
	}
	machine_native(c->layout, c->bytes, c->n, &c->in, native, c->form->flags & F_VECTOR, traps);
	if (result != EMULATE_OK && result != EMULATE_EXCEPTION)
		return "result";
	forget(c, native, emulated);
	forget_addresses(c);
	what = compare(c, native, emulated);
	if (!what && memcmp(machine_native_memory(), machine_emulated_memory(), WORLD_BYTES))
		machine_fill(random64); /* where they may differ, they are alike again for the next case */
	return what;
}

/* Every form must have come to its end, without an exception, where it can. */
static void check_coverage(enum layout layout, const struct form *list, unsigned forms, const unsigned *completed,
			   const unsigned *other)
{
	uint64_t never = layout == LAYOUT_LONG64 ? F_NO64 : F_ONLY64;

	for (unsigned n = 0; n < forms; n++) {
		if ((list[n].flags & (never | F_FAULTS)) || completed[n])
			continue;
		if ((list[n].flags & (F_ANY_VEX | F_VECTOR)) && !other[n])
			continue; /* the host's CPU does not have it: nothing but #UD */
		printf("%s never ran to its end (%s)\n", list[n].name, layout_names[layout]);
		fail();
	}
}

/* What came of the cases of one layout, by form where that matters. */
static struct tally {
	unsigned done, faults, remembered, differences;
	unsigned completed[MAX_FORMS], other[MAX_FORMS];
} tally;

/* Makes the case of that seed and runs it on both. */
static void check_case(enum layout layout, const struct form *list, unsigned forms, uint64_t seed)
{
	static struct state native, emulated;
	static struct case_ c;
	const struct form *form;
	const char *what;

	random_seed(seed);
	form = &list[random_below(forms)];
	if ((form->flags & F_CONTROL) && random_below(4))
		return; /* each costs a signal */
	if (!case_make(&c, form, layout) || a_split_too_many(&c))
		return;
	what = run(&c, &native, &emulated);
	tally.done++;
	tally.faults += native.vector != NO_VECTOR;
	tally.completed[form - list] += native.vector == NO_VECTOR;
	tally.remembered +=
		native.vector == NO_VECTOR && (form->flags & F_VECTOR) && !memcmp(native.fx + 8, &c.in.rip, 4);
	tally.other[form - list] += native.vector != NO_VECTOR && native.vector != VECTOR_UD;
	if (what) {
		report(&c, &native, &emulated, seed, what);
		tally.differences++;
	}
}

static void check(enum layout layout, uint64_t cases)
{
	unsigned forms;
	const struct form *list = cases_forms(&forms);
	uint64_t first = number("EMULATE_SEED", 1);

	machine_setup();
	tally = (struct tally){ 0 };
	for (uint64_t n = 0; n < cases && tally.differences < 5; n++) {
		/* Each case has its own seed, but memory lives on from REFILL to REFILL. */
		if (n % REFILL == 0 || tally.differences)
			machine_fill(random64);
		check_case(layout, list, forms, first + n);
	}
	printf("%s: %u cases, %u exceptions, %u times an FPU's last instruction\n", layout_names[layout], tally.done,
	       tally.faults, tally.remembered);
	assert_int_equal(tally.differences, 0);
	assert_true(cases < 10000 || (tally.done > cases / 2 && tally.faults && tally.remembered));
	if (cases >= 100000)
		check_coverage(layout, list, forms, tally.completed, tally.other);
}

static void test_long64(void **state)
{
	(void)state;
	check(LAYOUT_LONG64, number("EMULATE_CASES", DEFAULT_CASES));
}

static void test_flat32(void **state)
{
	(void)state;
	check(LAYOUT_FLAT32, number("EMULATE_CASES", DEFAULT_CASES) / 2);
}

static void test_small32(void **state)
{
	(void)state;
	if (!machine_has(LAYOUT_SMALL32))
		skip();
	check(LAYOUT_SMALL32, number("EMULATE_CASES", DEFAULT_CASES) / 2);
}

static void test_code16(void **state)
{
	(void)state;
	if (!machine_has(LAYOUT_CODE16))
		skip();
	check(LAYOUT_CODE16, number("EMULATE_CASES", DEFAULT_CASES) / 2);
}

/* An argument is the name of the only test to run. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long64),
		cmocka_unit_test(test_flat32),
		cmocka_unit_test(test_small32),
		cmocka_unit_test(test_code16),
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	machine_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
