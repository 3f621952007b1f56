/* Strings, stacks in the local APIC's page, jumps by a register, and what BMI and its like read there, where an
 * APIC-access exit tells of the access (vm/exit/told.c, vm/exit/apic.c): beside the emulator, which carries the same
 * out while nothing is known of the instruction. The same state in, the same state out. */
#include <stdlib.h>

#include "test/unit/vm/tpr/lapic.h"

#define CASES 3000u /* of each mode; EMULATE_CASES for more */
#define HIGH (ICR + 0x10)
#define SMALL_BASE (BENCH_STACK - 0x1000)

enum { READ, WRITE };
/* What leads to the register, and what to memory. */
enum leads { BY_RBX, BY_STACK, BY_RSI, BY_RDI, BY_BOTH };

struct form {
	const char *code;
	uint8_t length, type, leads, size; /* size: of the access; 0: of the code's operands */
	bool only64;
};

static const struct form forms[] = {
	{ "\xab", 1, WRITE, BY_RDI, 4, false }, { "\xf3\xab", 2, WRITE, BY_RDI, 4, false }, /* stosd */
	{ "\xaa", 1, WRITE, BY_RDI, 1, false }, { "\x66\xab", 2, WRITE, BY_RDI, 2, false },
	{ "\xad", 1, READ, BY_RSI, 4, false }, { "\xf3\xad", 2, READ, BY_RSI, 4, false },   /* lodsd */
	{ "\x67\xad", 2, READ, BY_RSI, 4, true }, { "\x64\xad", 2, READ, BY_RSI, 4, false },
	{ "\xaf", 1, READ, BY_RDI, 4, false }, { "\xf2\xaf", 2, READ, BY_RDI, 4, false },   /* scasd */
	{ "\xa5", 1, WRITE, BY_RDI, 4, false }, { "\xa5", 1, READ, BY_RSI, 4, false },      /* movsd */
	{ "\xf3\xa5", 2, WRITE, BY_RDI, 4, false }, { "\xf3\xa5", 2, READ, BY_RSI, 4, false },
	{ "\x66\xa5", 2, WRITE, BY_RDI, 2, false }, { "\xa4", 1, READ, BY_RSI, 1, false },
	{ "\xa7", 1, READ, BY_RSI, 4, false }, { "\xa7", 1, READ, BY_RDI, 4, false },       /* cmpsd */
	{ "\xa7", 1, READ, BY_BOTH, 4, false }, { "\xf3\xa7", 2, READ, BY_RDI, 4, false },
	{ "\xa6", 1, READ, BY_RSI, 1, false }, { "\x64\xa7", 2, READ, BY_RDI, 4, false },
	{ "\x50", 1, WRITE, BY_STACK, 0, false }, { "\x54", 1, WRITE, BY_STACK, 0, false }, /* push eax, esp */
	{ "\x66\x50", 2, WRITE, BY_STACK, 2, false }, { "\x6a\x85", 2, WRITE, BY_STACK, 0, false },
	{ "\x9c", 1, WRITE, BY_STACK, 0, false }, { "\xff\xf0", 2, WRITE, BY_STACK, 0, false },
	{ "\xff\x36", 2, WRITE, BY_STACK, 0, false },                                 /* push [esi] */
	{ "\xe8\x10\0\0\0", 5, WRITE, BY_STACK, 0, false }, { "\xff\xd1", 2, WRITE, BY_STACK, 0, false }, /* call */
	{ "\xff\x16", 2, WRITE, BY_STACK, 0, false },                                 /* call [esi] */
	{ "\x58", 1, READ, BY_STACK, 0, false }, { "\x5c", 1, READ, BY_STACK, 0, false },   /* pop eax, esp */
	{ "\x66\x58", 2, READ, BY_STACK, 2, false }, { "\x8f\xc0", 2, READ, BY_STACK, 0, false },
	{ "\x9d", 1, READ, BY_STACK, 0, false }, { "\xc3", 1, READ, BY_STACK, 0, false },   /* popf, ret */
	{ "\xc2\x08\0", 3, READ, BY_STACK, 0, false }, { "\xc9", 1, READ, BY_STACK, 0, false }, /* ret 8, leave */
	{ "\x8f\x03", 2, WRITE, BY_RBX, 0, false }, { "\x66\x8f\x03", 3, WRITE, BY_RBX, 2, false }, /* pop [ebx] */
	{ "\xff\x33", 2, READ, BY_RBX, 0, false }, { "\x66\xff\x33", 3, READ, BY_RBX, 2, false }, /* push [ebx] */
	{ "\xff\x23", 2, READ, BY_RBX, 0, false }, { "\xff\x13", 2, READ, BY_RBX, 0, false }, /* jmp, call [ebx] */
	{ "\x0f\xa4\x23\x03", 4, READ, BY_RBX, 4, false }, { "\xd3\x3b", 2, READ, BY_RBX, 4, false }, /* shld, sar */
	{ "\x66\xd3\x3b", 3, READ, BY_RBX, 2, false }, { "\xc0\x13\x03", 3, READ, BY_RBX, 1, false },
	{ "\x0f\x44\x0b", 3, READ, BY_RBX, 4, false }, { "\x0f\xc3\x03", 3, WRITE, BY_RBX, 4, false },
	{ "\x0f\x9f\x03", 3, WRITE, BY_RBX, 1, false }, { "\xf2\x0f\x38\xf1\x03", 5, READ, BY_RBX, 4, false },
	{ "\xf3\x0f\x38\xf6\x0b", 5, READ, BY_RBX, 4, false }, /* adox */
	{ "\xc4\xe2\x70\xf2\x03", 5, READ, BY_RBX, 4, false }, /* andn */
	{ "\xc4\xe2\x78\xf3\x0b", 5, READ, BY_RBX, 4, false }, /* blsr */
	{ "\xc4\xe2\x73\xf5\x03", 5, READ, BY_RBX, 4, false }, /* pdep */
	{ "\xc4\xe2\x73\xf6\x03", 5, READ, BY_RBX, 4, false }, /* mulx */
	{ "\xc4\xe2\x70\xf7\x03", 5, READ, BY_RBX, 4, false }, /* bextr */
	{ "\xc4\xe3\x7b\xf0\x03\x05", 6, READ, BY_RBX, 4, false }, /* rorx */
};

/* The state in front of an instruction. */
struct state_in {
	const struct form *form;
	uint64_t gpr[16], rsp, rflags, ss_access, ss_base, ss_limit, cs_limit;
	uint32_t memory[4], high, svr, offset;
	uint64_t blocking;
};

struct outcome {
	uint64_t gpr[16], rip, rsp, rflags, pending, interruptibility;
	uint32_t event, error, memory[4], same_place, stack[4], high, svr;
};

static bool wide;
static uint64_t flat_ss; /* access rights */
static unsigned quick;

static uint64_t any(void) { return (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand(); }

static unsigned one_in(unsigned n) { return !((unsigned)rand() % n); }

static unsigned size_of(const struct form *f) { return f->size ? f->size : wide ? 8 : 4; }

static void lead_stack(struct state_in *s)
{
	uint64_t at = LAPIC + s->offset, moved = s->form->type == WRITE ? size_of(s->form) : 0;

	s->rsp = at + moved;
	if (!wide && one_in(3)) {
		s->ss_access &= ~(uint64_t)(SEGMENT_DB | SEGMENT_G);
		s->ss_base = LAPIC;
		s->ss_limit = 0xffff;
		s->rsp = ((any() << 16) & 0xffff0000) | (uint32_t)(s->offset + moved);
	}
	s->gpr[GPR_RBP] = s->rsp;
}

/* The stack in memory: mostly of 4 GBytes, or of 16 bits, which may be too small. */
static void lead_memory_stack(struct state_in *s)
{
	s->rsp = BENCH_STACK + (one_in(8) ? (unsigned)rand() % 16 : 4u * ((unsigned)rand() % 4));
	if (!wide && one_in(2)) {
		s->ss_access &= ~(uint64_t)(SEGMENT_DB | SEGMENT_G);
		s->ss_base = SMALL_BASE;
		s->ss_limit = s->form->type == READ && one_in(4) ? 0x1001 : 0xffff; /* POP has read */
		s->rsp -= SMALL_BASE;
		s->rsp |= (any() << 16) & 0xffff0000;
	}
}

static void lead(struct state_in *s)
{
	uint64_t at = LAPIC + s->offset, elsewhere = BENCH_DATA + (one_in(8) ? (unsigned)rand() % 12 : 4);

	if (one_in(4)) /* the same place in another page */
		elsewhere = BENCH_DATA + s->offset;
	s->gpr[GPR_RBX] = s->gpr[GPR_RSI] = s->gpr[GPR_RDI] = at;
	s->gpr[GPR_RCX] = one_in(4) ? 2 : 1;
	if (s->form->leads != BY_STACK)
		lead_memory_stack(s);
	switch ((enum leads)s->form->leads) {
	case BY_STACK:
		lead_stack(s);
		s->gpr[GPR_RSI] = elsewhere;
		if (one_in(2))
			s->gpr[GPR_RCX] = any();
		break;
	case BY_RSI:
		s->gpr[GPR_RDI] = elsewhere;
		break;
	case BY_RDI:
		s->gpr[GPR_RSI] = elsewhere;
		break;
	default:
		break;
	}
}

static struct state_in random_in(void)
{
	struct state_in s = { .form = &forms[(unsigned)rand() % ARRAY_SIZE(forms)],
			      .ss_access = flat_ss, .ss_limit = 0xffffffff,
			      .cs_limit = one_in(4) ? 0x10000fff : 0xffffffff };

	while (s.form->only64 && !wide)
		s.form = &forms[(unsigned)rand() % ARRAY_SIZE(forms)];
	for (unsigned n = 0; n < 16; n++)
		s.gpr[n] = any();
	for (unsigned n = 0; n < 4; n++)
		s.memory[n] = one_in(2) ? 0x11223344 * n : (uint32_t)any();
	s.offset = one_in(2) ? HIGH : SVR;
	s.high = (uint32_t)any() & 0xff000000;
	s.svr = 0x100 | (uint32_t)(any() & 0xff);
	s.rflags = RFLAGS_FIXED | (any() & (RFLAGS_STATUS | RFLAGS_DF | RFLAGS_RF | RFLAGS_IF | RFLAGS_IOPL));
	if (one_in(8))
		s.rflags |= RFLAGS_TF;
	s.blocking = one_in(8) && (s.rflags & (RFLAGS_IF | RFLAGS_TF)) == RFLAGS_IF ? BLOCKING_STI : 0;
	lead(&s);
	return s;
}

static void put(const struct state_in *s)
{
	for (unsigned n = 0; n < 16; n++)
		if (n != GPR_RSP)
			*bench_gpr(n) = s->gpr[n];
	bench_poke(BENCH_DATA, s->memory, sizeof(s->memory));
	bench_poke(BENCH_DATA + s->offset, s->memory, 4);
	bench_poke(BENCH_STACK, s->memory, sizeof(s->memory));
	lapic_mmio_write(&bench.v->lapic, SVR, 4, s->svr);
	lapic_mmio_write(&bench.v->lapic, HIGH, 4, s->high);
	vmcs_put(VMCS_GUEST_RSP, s->rsp);
	vmcs_put(VMCS_GUEST_RFLAGS, s->rflags);
	vmcs_put(VMCS_GUEST_SS_ACCESS, s->ss_access);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_SS, s->ss_base);
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_SS, s->ss_limit);
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_CS, s->cs_limit);
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, s->blocking);
	code(s->form->code, s->form->length);
}

static void forget_instructions(void)
{
	for (unsigned set = 0; set < INSN_CACHE_SETS; set++)
		for (unsigned way = 0; way < INSN_CACHE_WAYS; way++)
			bench.v->insn_cache[set][way].rip = ~0ull;
}

static struct outcome step(const struct state_in *s)
{
	struct outcome o;

	put(s);
	STEP(apic_access(s->form->type, s->offset));
	o = (struct outcome){ .rip = bench.entry.rip, .rsp = vmcs_get(VMCS_GUEST_RSP), .rflags = bench.entry.rflags,
			      .pending = vmcs_get(VMCS_GUEST_PENDING_DEBUG),
			      .interruptibility = vmcs_get(VMCS_GUEST_INTERRUPTIBILITY),
			      .event = bench.entry.event, .error = bench.entry.error,
			      .high = (uint32_t)lapic_mmio_read(&bench.v->lapic, HIGH, 4),
			      .svr = (uint32_t)lapic_mmio_read(&bench.v->lapic, SVR, 4) };
	for (unsigned n = 0; n < 16; n++)
		o.gpr[n] = n == GPR_RSP ? 0 : *bench_gpr(n);
	bench_peek(BENCH_DATA, o.memory, sizeof(o.memory));
	bench_peek(BENCH_DATA + s->offset, &o.same_place, 4);
	bench_peek(BENCH_STACK, o.stack, sizeof(o.stack));
	return o;
}

static void same(const struct state_in *s, const struct outcome *a, const struct outcome *b)
{
	if (!memcmp(a, b, sizeof(*a)))
		return;
	fail_msg("form %u (%02x), %s: rip %lx %lx, rsp %lx %lx, rflags %lx %lx, event %x %x, high %x %x, svr %x %x",
		 (unsigned)(s->form - forms), (uint8_t)s->form->code[0], wide ? "64 bits" : "32 bits", a->rip, b->rip,
		 a->rsp, b->rsp, a->rflags, b->rflags, a->event, b->event, a->high, b->high, a->svr, b->svr);
}

static void beside_the_emulator(void **state)
{
	const char *more = getenv("EMULATE_CASES");
	unsigned cases = more ? (unsigned)strtoul(more, NULL, 10) : CASES;

	(void)state;
	srand(1);
	for (unsigned mode = 0; mode < 2; mode++) {
		wide = mode;
		at("ept", "flexpriority", wide ? BENCH_LONG64 : BENCH_PAGED32);
		flat_ss = vmcs_get(VMCS_GUEST_SS_ACCESS);
		for (unsigned n = 0; n < cases; n++) {
			struct state_in in = random_in();
			struct outcome first, again;

			forget_instructions();
			first = step(&in);
			again = step(&in);
			same(&in, &first, &again);
			again = step(&in);
			same(&in, &first, &again);
			quick += !first.event;
		}
		assert_true(quick > cases / 2);
		quick = 0;
		finish();
	}
}

/* Eight bytes that reach into the next register are none of either. */
static void pushed_across(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_LONG64);
	for (unsigned n = 0; n < 3; n++) {
		lapic_mmio_write(&bench.v->lapic, HIGH, 4, 0x05000000);
		*bench_gpr(GPR_RAX) = 0x77000000ull << 32;
		vmcs_put(VMCS_GUEST_RSP, LAPIC + HIGH + 4);
		CODE("\x50"); /* push rax */
		STEP(apic_access(WRITE, HIGH - 4));
		EXPECT_NOTHING();
		assert_int_equal((uint32_t)lapic_mmio_read(&bench.v->lapic, HIGH, 4), 0x77000000);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), LAPIC + HIGH - 4);
	}
	finish();
}

/* The read that it exited for was another instruction's, in whose place it is now. */
static void of_another(void **state)
{
	uint32_t pushed;

	(void)state;
	at("ept", "flexpriority", BENCH_PAGED32);
	for (unsigned n = 0; n < 3; n++) {
		lapic_mmio_write(&bench.v->lapic, HIGH, 4, 0x05000000);
		*bench_gpr(GPR_RAX) = 0x77000000 + n;
		vmcs_put(VMCS_GUEST_RSP, BENCH_STACK + 4);
		CODE("\x50"); /* push eax */
		STEP(apic_access(READ, HIGH));
		assert_int_equal((uint32_t)lapic_mmio_read(&bench.v->lapic, HIGH, 4), 0x05000000);
		bench_peek(BENCH_STACK, &pushed, 4);
		assert_int_equal(pushed, 0x77000000 + n);
	}
	finish();
}

/* #GP comes in front of the store of a CALL, and before a JMP has gone anywhere. SDM, "CALL", "JMP". */
static void to_no_target(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		wide = mode;
		at("ept", "flexpriority", wide ? BENCH_LONG64 : BENCH_PAGED32);
		for (unsigned n = 0; n < 6; n++) {
			vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_CS, wide ? 0xffffffff : 0x10000fff);
			lapic_mmio_write(&bench.v->lapic, HIGH, 4, 0x77000000);
			*bench_gpr(GPR_RBX) = LAPIC + HIGH;
			*bench_gpr(GPR_RCX) = wide ? 1ull << 63 : 0x77000000;
			vmcs_put(VMCS_GUEST_RSP, n % 2 ? BENCH_STACK : LAPIC + HIGH + 4 + 4 * wide);
			if (n % 2 && !wide)
				CODE("\xff\x23"); /* jmp [ebx] */
			else
				CODE("\xff\xd1"); /* call ecx */
			STEP(apic_access(n % 2 && !wide ? READ : WRITE, HIGH));
			EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_GP), 0);
			assert_int_equal(bench.entry.rip, BENCH_CODE);
			assert_int_equal((uint32_t)lapic_mmio_read(&bench.v->lapic, HIGH, 4), 0x77000000);
		}
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beside_the_emulator),
		cmocka_unit_test(pushed_across),
		cmocka_unit_test(of_another),
		cmocka_unit_test(to_no_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
