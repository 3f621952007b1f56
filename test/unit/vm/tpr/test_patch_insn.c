/* The closed set of instructions that are patched (vm/tpr/patch_insn.c, vm/tpr/patch_stub.c): which they are, and that
 * what replaces them does the same. Both are carried out by the instruction emulator, from random states. */
#include "test/unit/emulate/fixture.h"

#include <stdlib.h>

#include "vm/tpr/patch_insn.h"

#define SITE 0x7c00u
#define APIC_TPR_AT 0x9080u /* where the original's operand is */
#define TPR_AT 0xb080u
#define THRESHOLD_AT 0xb090u
#define POINTER_AT 0xa040u
#define STUB_AT 0xa044u
#define STACK_AT 0x7000u
#define INSTRUCTIONS_MAX 15u
#define ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* ---- the list, read another way than patch_decode() does ---- */

/* One opcode with a ModRM byte, and what it is: 'r' reads, 'w' writes; immediate bytes; a digit, or -1. */
struct listed {
	unsigned opcode;
	int digit;
	unsigned immediate;
	char what;
};
static const struct listed list[] = {
	{ 0x8a, -1, 0, 'r' },   { 0x8b, -1, 0, 'r' },   { 0x0fb6, -1, 0, 'r' }, { 0x0fb7, -1, 0, 'r' },
	{ 0xff, 6, 0, 'r' },    { 0x38, -1, 0, 'r' },   { 0x39, -1, 0, 'r' },   { 0x3a, -1, 0, 'r' },
	{ 0x3b, -1, 0, 'r' },   { 0x80, 7, 1, 'r' },    { 0x81, 7, 4, 'r' },    { 0x83, 7, 1, 'r' },
	{ 0x84, -1, 0, 'r' },   { 0x85, -1, 0, 'r' },   { 0xf6, 0, 1, 'r' },    { 0xf7, 0, 4, 'r' },
	{ 0x02, -1, 0, 'r' },   { 0x03, -1, 0, 'r' },   { 0x0a, -1, 0, 'r' },   { 0x0b, -1, 0, 'r' },
	{ 0x22, -1, 0, 'r' },   { 0x23, -1, 0, 'r' },   { 0x2a, -1, 0, 'r' },   { 0x2b, -1, 0, 'r' },
	{ 0x32, -1, 0, 'r' },   { 0x33, -1, 0, 'r' },   { 0x89, -1, 0, 'w' },   { 0xc7, 0, 4, 'w' },
	{ 0x21, -1, 0, 'w' },   { 0x81, 4, 4, 'w' },    { 0x83, 4, 1, 'w' },    { 0x09, -1, 0, 'w' },
	{ 0x81, 1, 4, 'w' },    { 0x83, 1, 1, 'w' },
};

static const struct listed *look_up(unsigned opcode, unsigned digit)
{
	for (unsigned n = 0; n < ARRAY_SIZE(list); n++)
		if (list[n].opcode == opcode && (list[n].digit < 0 || list[n].digit == (int)digit))
			return &list[n];
	return NULL;
}

/* What the bytes are by the list: their length, 0 if they are none of it. */
static unsigned must_be(const uint8_t *b, char *what)
{
	bool escaped = b[0] == 0x0f, sib = (b[escaped + 1] & 0xc7) == 0x04;
	const struct listed *l = look_up(escaped ? 0x0f00u | b[1] : b[0], b[escaped + 1] >> 3 & 7);
	bool absolute = (b[escaped + 1] & 0xc7) == 0x05 || (sib && (b[escaped + 2] & 0x3f) == 0x25);

	if (b[0] == 0xa0 || b[0] == 0xa1 || b[0] == 0xa3) {
		*what = b[0] == 0xa3 ? 'w' : 'r';
		return 5;
	}
	if (!l || !absolute || (l->what == 'w' && !l->immediate && (b[escaped + 1] >> 3 & 7) == 4))
		return 0;
	*what = l->what;
	return 2u + escaped + sib + 4 + l->immediate;
}

static void address_at(uint8_t *b, unsigned at, uint32_t address) { memcpy(b + at, &address, 4); }

/* Every opcode with every ModRM byte, and every SIB byte where there is one. */
static void each(void (*look)(const uint8_t *b))
{
	for (unsigned escaped = 0; escaped < 2; escaped++)
		for (unsigned opcode = 0; opcode < 256; opcode++)
			for (unsigned modrm = 0; modrm < 256; modrm++)
				for (unsigned s = 0; s < ((modrm & 0xc7) == 4 ? 256u : 1u); s++) {
					uint8_t b[16];
					unsigned n = 0;

					for (unsigned i = 0; i < sizeof(b); i++)
						b[i] = (uint8_t)rand();
					if (escaped)
						b[n++] = 0x0f;
					b[n++] = (uint8_t)opcode;
					b[n++] = (uint8_t)modrm;
					if ((modrm & 0xc7) == 4)
						b[n++] = (uint8_t)s;
					if (opcode >= 0xa0 && opcode <= 0xa3 && !escaped)
						n = 1;
					address_at(b, n, APIC_TPR_AT);
					look(b);
				}
}

static unsigned in_set;

static void look_at(const uint8_t *b)
{
	struct patch_insn insn;
	char what = 0;
	unsigned length = must_be(b, &what);

	if (patch_decode(b, 16, &insn) != (length != 0))
		fail_msg("%02x %02x %02x %02x is %s", b[0], b[1], b[2], b[3], length ? "refused" : "taken");
	if (!length)
		return;
	in_set++;
	assert_int_equal(insn.length, length);
	assert_int_equal(insn.op != PATCH_READ, what == 'w');
	assert_int_equal(insn.address, APIC_TPR_AT);
	/* Nothing is read beyond, nor guessed at. */
	for (unsigned n = 0; n < 16; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, b, n);
		assert_int_equal(patch_decode(exact, n, &insn), n >= length);
		free(exact);
	}
}

static void the_set(void **state)
{
	(void)state;
	srand(1);
	each(look_at);
	assert_true(in_set > 500);
}

static void prefixes(void **state)
{
	static const uint8_t prefix[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3 };
	struct patch_insn insn;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(prefix); n++) {
		uint8_t b[16] = { prefix[n], 0x89, 0x05, 0x80, 0x00, 0xe0, 0xfe };

		assert_false(patch_decode(b, 16, &insn));
		assert_true(patch_decode(b + 1, 15, &insn));
	}
}

/* ---- the same effect ---- */

struct start {
	uint64_t gpr[EMULATE_GPRS], rflags;
	uint8_t tpr, threshold;
};

static struct start random_start(void)
{
	struct start s = { .rflags = RFLAGS_FIXED | ((uint64_t)rand() & (ARITHMETIC | RFLAGS_IF | RFLAGS_DF)),
			   .tpr = (uint8_t)rand(), .threshold = (uint8_t)(rand() & 0xf0) };

	for (unsigned n = 0; n < 8; n++)
		s.gpr[n] = (uint32_t)rand() ^ (uint32_t)rand() << 16;
	s.gpr[EMULATE_RSP] = STACK_AT;
	return s;
}

static void begin(const struct start *s)
{
	for (unsigned n = 0; n < EMULATE_GPRS; n++)
		w->gpr[n] = s->gpr[n];
	w->e.rflags = s->rflags;
	w->e.rip = SITE - w->e.seg[EMULATE_CS].base;
	for (unsigned n = 0; n < 64; n++)
		w->memory[STACK_AT + n] = (uint8_t)(n * 7 + 1);
	world_store(w, APIC_TPR_AT, 4, s->tpr);
	world_store(w, TPR_AT, 4, s->tpr);
	world_store(w, THRESHOLD_AT, 1, s->threshold);
}

static uint64_t rip(void) { return w->e.rip + w->e.seg[EMULATE_CS].base; }

/* The patched instruction, with its stub, in memory. */
static void put_patched(const uint8_t *b, const struct patch_insn *insn, struct patch_stub *stub)
{
	uint8_t out[16];

	if (insn->op == PATCH_READ) {
		patch_read(out, b, insn, TPR_AT);
	} else {
		patch_stub(stub, patch_key_of(insn), TPR_AT, THRESHOLD_AT);
		assert_in_range(stub->length, 1, PATCH_STUB_MAX);
		memcpy(w->memory + STUB_AT, stub->code, stub->length);
		world_store(w, POINTER_AT, 4, STUB_AT);
		patch_call(out, insn, SITE, STUB_AT, POINTER_AT);
	}
	memcpy(w->memory + SITE, out, insn->length);
}

/* The emulator does not know VMRESUME, by which a stub tells: here it does no more. */
static bool tells(void)
{
	static const uint8_t vmresume[] = { 0x0f, 0x01, 0xc3 };

	if (memcmp(w->memory + rip(), vmresume, sizeof(vmresume)) != 0)
		return false;
	w->e.rip += sizeof(vmresume);
	return true;
}

/* Runs until behind the site, at most max instructions; how many. */
static unsigned run_patched(const struct patch_insn *insn, unsigned max, bool *told)
{
	unsigned n = 0;

	*told = false;
	while (n < max && rip() != SITE + insn->length) {
		if (tells())
			*told = true;
		else
			assert_ok(world_step(w, w->memory, 0));
		n++;
	}
	return n;
}

struct end {
	uint64_t gpr[8], rflags;
	uint8_t tpr, stack[64];
};

static struct end look(uint32_t tpr_at)
{
	struct end e = { .rflags = w->e.rflags, .tpr = (uint8_t)world_load(w, tpr_at, 1) };

	memcpy(e.gpr, w->gpr, sizeof(e.gpr));
	memcpy(e.stack, w->memory + STACK_AT, sizeof(e.stack));
	return e;
}

static void same(const uint8_t *b, const struct end *is, const struct end *must)
{
	for (unsigned n = 0; n < 8; n++)
		if (is->gpr[n] != must->gpr[n])
			fail_msg("%02x %02x: register %u is %lx, must be %lx", b[0], b[1], n, is->gpr[n], must->gpr[n]);
	if ((is->rflags ^ must->rflags) & ~RFLAGS_AF)
		fail_msg("%02x %02x: flags are %lx, must be %lx", b[0], b[1], is->rflags, must->rflags);
	if (is->tpr != must->tpr)
		fail_msg("%02x %02x: TPR is %x, must be %x", b[0], b[1], is->tpr, must->tpr);
	assert_memory_equal(is->stack, must->stack, sizeof(is->stack));
}

static unsigned longest;

/* From .start: the original, and what replaces it. */
static void compare(const uint8_t *b, const struct patch_insn *insn, const struct start *s)
{
	struct end must, is;
	struct patch_stub stub;
	unsigned n;
	bool told;

	begin(s);
	assert_ok(world_step(w, b, insn->length));
	assert_int_equal(rip(), SITE + insn->length);
	must = look(APIC_TPR_AT);
	begin(s);
	put_patched(b, insn, &stub);
	n = run_patched(insn, 40, &told);
	is = look(TPR_AT);
	assert_int_equal(rip(), SITE + insn->length);
	same(b, &is, &must);
	assert_true(n <= INSTRUCTIONS_MAX);
	longest = max_u64(longest, n) & 0xff;
	/* It tells of what the threshold waits for, and of nothing else. */
	assert_int_equal(told, insn->op != PATCH_READ && is.tpr >> 4 < s->threshold >> 4);
	/* Its byte is the low one of a register that has no more. */
	assert_int_equal(world_load(w, TPR_AT, 4), is.tpr);
}

/* PJ4: interrupted by a page fault in front of instruction k of what replaces it, it is begun anew. false: there are
 * not so many. */
static bool begin_anew(const uint8_t *b, const struct patch_insn *insn, const struct start *s, unsigned k)
{
	struct patch_stack stack;
	struct patch_stub stub;
	struct end must, is;
	uint32_t esp;
	bool told;

	begin(s);
	assert_ok(world_step(w, b, insn->length));
	must = look(APIC_TPR_AT);
	begin(s);
	put_patched(b, insn, &stub);
	if (run_patched(insn, k, &told) < k || rip() == SITE + insn->length)
		return false;
	assert_true(patch_stack_at(patch_key_of(insn), (unsigned)(rip() - STUB_AT), &stack));
	esp = (uint32_t)w->gpr[EMULATE_RSP];
	assert_int_equal(world_load(w, esp + 4u * stack.words, 4), SITE + insn->length);
	if (stack.eax_at >= 0)
		w->gpr[EMULATE_RAX] = world_load(w, esp + 4u * (unsigned)stack.eax_at, 4);
	if (stack.flags_at >= 0)
		w->e.rflags = world_load(w, esp + 4u * (unsigned)stack.flags_at, 4);
	w->gpr[EMULATE_RSP] = esp + 4u * stack.words + 4;
	for (unsigned n = 0; n < 8; n++)
		assert_int_equal(w->gpr[n], s->gpr[n]);
	if (insn->op == PATCH_MOV)
		assert_int_equal(w->e.rflags & ARITHMETIC, s->rflags & ARITHMETIC);
	world_store(w, APIC_TPR_AT, 4, world_load(w, TPR_AT, 4));
	w->e.rip = SITE - w->e.seg[EMULATE_CS].base;
	assert_ok(world_step(w, b, insn->length));
	is = look(APIC_TPR_AT);
	same(b, &is, &must);
	return true;
}

static void try_it(const uint8_t *b)
{
	struct patch_insn insn;

	if (!patch_decode(b, 16, &insn))
		return;
	for (unsigned n = 0; n < 8; n++) {
		struct start s = random_start();

		compare(b, &insn, &s);
		for (unsigned k = 1; insn.op != PATCH_READ && begin_anew(b, &insn, &s, k); k++)
			;
	}
}

static void the_same_effect(void **state)
{
	(void)state;
	srand(2);
	each(try_it);
	assert_in_range(longest, 9, INSTRUCTIONS_MAX);
}

static void no_instruction_begins_there(void **state)
{
	struct patch_key key = { PATCH_MOV, false, 0, 0 };
	struct patch_stack stack;
	struct patch_stub stub;
	unsigned found = 0;

	(void)state;
	patch_stub(&stub, key, TPR_AT, THRESHOLD_AT);
	for (unsigned n = 0; n < 60; n++)
		found += patch_stack_at(key, n, &stack);
	assert_int_equal(found, 7); /* PUSHF, MOV, CMP, JBE, VMRESUME, POPF, RET */
	assert_false(patch_stack_at(key, 2, &stack));
	assert_false(patch_stack_at(key, stub.length, &stack));
}

static int set_up_32(void **state) { (void)state; return set_up_in(EMULATE_PROT32); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_set),
		cmocka_unit_test(prefixes),
		cmocka_unit_test_setup_teardown(the_same_effect, set_up_32, tear_down),
		cmocka_unit_test(no_instruction_begins_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
