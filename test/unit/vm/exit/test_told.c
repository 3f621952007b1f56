/* Strings, stacks in the local APIC's page, jumps by a register, and what BMI and its like read there, where an
 * APIC-access exit tells of the access (vm/exit/told.c, vm/exit/apic.c): beside the emulator, which carries the same
 * out while nothing is known of the instruction. The same state in, the same state out. */
#include <stdlib.h>

#include "test/unit/vm/tpr/lapic.h"

#define CASES 1000u /* of each mode, level and mechanism; EMULATE_CASES for more */
#define HIGH (ICR + 0x10)
#define SMALL_BASE (BENCH_STACK - 0x1000)

enum { READ, WRITE };
enum { ALL, IN_64, IN_32 }; /* modes in which it is this form */
/* What leads to the register, and what to memory. */
enum leads { BY_RBX, BY_STACK, BY_RSI, BY_RDI, BY_BOTH, BY_SUM };

struct form {
	const char *code;
	uint8_t length, type, leads, size, in; /* size: of the access; 0: of the code's operands */
};

static const struct form forms[] = {
	{ "\xab", 1, WRITE, BY_RDI, 4, ALL }, { "\xf3\xab", 2, WRITE, BY_RDI, 4, ALL }, /* stosd */
	{ "\xaa", 1, WRITE, BY_RDI, 1, ALL }, { "\x66\xab", 2, WRITE, BY_RDI, 2, ALL },
	{ "\xad", 1, READ, BY_RSI, 4, ALL }, { "\xf3\xad", 2, READ, BY_RSI, 4, ALL },   /* lodsd */
	{ "\x67\xad", 2, READ, BY_RSI, 4, IN_64 }, { "\x64\xad", 2, READ, BY_RSI, 4, ALL },
	{ "\xaf", 1, READ, BY_RDI, 4, ALL }, { "\xf2\xaf", 2, READ, BY_RDI, 4, ALL },   /* scasd */
	{ "\xa5", 1, WRITE, BY_RDI, 4, ALL }, { "\xa5", 1, READ, BY_RSI, 4, ALL },      /* movsd */
	{ "\xf3\xa5", 2, WRITE, BY_RDI, 4, ALL }, { "\xf3\xa5", 2, READ, BY_RSI, 4, ALL },
	{ "\x66\xa5", 2, WRITE, BY_RDI, 2, ALL }, { "\xa4", 1, READ, BY_RSI, 1, ALL },
	{ "\xa7", 1, READ, BY_RSI, 4, ALL }, { "\xa7", 1, READ, BY_RDI, 4, ALL },       /* cmpsd */
	{ "\xa7", 1, READ, BY_BOTH, 4, ALL }, { "\xf3\xa7", 2, READ, BY_RDI, 4, ALL },
	{ "\xa6", 1, READ, BY_RSI, 1, ALL }, { "\x64\xa7", 2, READ, BY_RDI, 4, ALL },
	{ "\x50", 1, WRITE, BY_STACK, 0, ALL }, { "\x54", 1, WRITE, BY_STACK, 0, ALL }, /* push eax, esp */
	{ "\x66\x50", 2, WRITE, BY_STACK, 2, ALL }, { "\x6a\x85", 2, WRITE, BY_STACK, 0, ALL },
	{ "\x9c", 1, WRITE, BY_STACK, 0, ALL }, { "\xff\xf0", 2, WRITE, BY_STACK, 0, ALL },
	{ "\xff\x36", 2, WRITE, BY_STACK, 0, ALL },                                 /* push [esi] */
	{ "\xe8\x10\0\0\0", 5, WRITE, BY_STACK, 0, ALL }, { "\xff\xd1", 2, WRITE, BY_STACK, 0, ALL }, /* call */
	{ "\xff\x16", 2, WRITE, BY_STACK, 0, ALL },                                 /* call [esi] */
	{ "\x58", 1, READ, BY_STACK, 0, ALL }, { "\x5c", 1, READ, BY_STACK, 0, ALL },   /* pop eax, esp */
	{ "\x66\x58", 2, READ, BY_STACK, 2, ALL }, { "\x8f\xc0", 2, READ, BY_STACK, 0, ALL },
	{ "\x9d", 1, READ, BY_STACK, 0, ALL }, { "\xc3", 1, READ, BY_STACK, 0, ALL },   /* popf, ret */
	{ "\xc2\x08\0", 3, READ, BY_STACK, 0, ALL }, { "\xc9", 1, READ, BY_STACK, 0, ALL }, /* ret 8, leave */
	{ "\x8f\x03", 2, WRITE, BY_RBX, 0, ALL }, { "\x66\x8f\x03", 3, WRITE, BY_RBX, 2, ALL }, /* pop [ebx] */
	{ "\xff\x33", 2, READ, BY_RBX, 0, ALL }, { "\x66\xff\x33", 3, READ, BY_RBX, 2, ALL }, /* push [ebx] */
	{ "\xff\x23", 2, READ, BY_RBX, 0, ALL }, { "\xff\x13", 2, READ, BY_RBX, 0, ALL }, /* jmp, call [ebx] */
	{ "\x0f\xa4\x23\x03", 4, READ, BY_RBX, 4, ALL }, { "\xd3\x3b", 2, READ, BY_RBX, 4, ALL }, /* shld, sar */
	{ "\x66\xd3\x3b", 3, READ, BY_RBX, 2, ALL }, { "\xc0\x13\x03", 3, READ, BY_RBX, 1, ALL },
	{ "\x0f\x44\x0b", 3, READ, BY_RBX, 4, ALL }, { "\x0f\xc3\x03", 3, WRITE, BY_RBX, 4, ALL },
	{ "\x0f\x9f\x03", 3, WRITE, BY_RBX, 1, ALL }, { "\xf2\x0f\x38\xf1\x03", 5, READ, BY_RBX, 4, ALL },
	{ "\xf3\x0f\x38\xf6\x0b", 5, READ, BY_RBX, 4, ALL }, /* adox */
	{ "\xc4\xe2\x70\xf2\x03", 5, READ, BY_RBX, 4, ALL }, /* andn */
	{ "\xc4\xe2\x78\xf3\x0b", 5, READ, BY_RBX, 4, ALL }, /* blsr */
	{ "\xc4\xe2\x73\xf5\x03", 5, READ, BY_RBX, 4, ALL }, /* pdep */
	{ "\xc4\xe2\x73\xf6\x03", 5, READ, BY_RBX, 4, ALL }, /* mulx */
	{ "\xc4\xe2\x70\xf7\x03", 5, READ, BY_RBX, 4, ALL }, /* bextr */
	{ "\xc4\xe3\x7b\xf0\x03\x05", 6, READ, BY_RBX, 4, ALL }, /* rorx */
	{ "\x66\x0f\x38\xf6\x0b", 5, READ, BY_RBX, 4, ALL }, /* adcx */
	{ "\x66\xf2\x0f\x38\xf1\x03", 6, READ, BY_RBX, 2, ALL }, /* crc32 */
	{ "\xf2\x0f\x38\xf0\x03", 5, READ, BY_RBX, 1, ALL },
	{ "\xc4\xe2\x78\xf3\x1b", 5, READ, BY_RBX, 4, ALL }, /* blsi */
	{ "\xc4\xe2\x78\xf3\x13", 5, READ, BY_RBX, 4, ALL }, /* blsmsk */
	{ "\xc4\xe2\x72\xf5\x03", 5, READ, BY_RBX, 4, ALL }, /* pext */
	{ "\xc4\xe2\x70\xf5\x03", 5, READ, BY_RBX, 4, ALL }, /* bzhi */
	{ "\xc4\xe2\x72\xf7\x03", 5, READ, BY_RBX, 4, ALL }, /* sarx */
	{ "\xc4\xe2\x73\xf7\x03", 5, READ, BY_RBX, 4, ALL }, /* shrx */
	{ "\xc4\xe2\x71\xf7\x03", 5, READ, BY_RBX, 4, ALL }, /* shlx */
	{ "\xc4\xe2\xf0\xf2\x03", 5, READ, BY_RBX, 4, ALL }, /* andn with W */
	{ "\xc4\xe2\x58\xf2\x23", 5, READ, BY_RBX, 4, ALL }, /* andn esp, esp, [ebx] */
	{ "\x8f\x04\x1c", 3, WRITE, BY_SUM, 0, ALL }, { "\xff\x34\x1c", 3, READ, BY_SUM, 0, ALL },
	{ "\xff\x14\x1c", 3, READ, BY_SUM, 0, ALL }, { "\xff\x24\x1c", 3, READ, BY_SUM, 0, ALL },
	{ "\xff\x74\x24\x08", 4, WRITE, BY_STACK, 0, IN_64 }, { "\xff\x54\x24\x08", 4, WRITE, BY_STACK, 0, IN_64 },
	{ "\x66\x9c", 2, WRITE, BY_STACK, 2, ALL }, { "\x66\x9d", 2, READ, BY_STACK, 2, ALL },
	{ "\x66\xc9", 2, READ, BY_STACK, 2, ALL }, { "\x67\xab", 2, WRITE, BY_RDI, 4, IN_64 },
	{ "\x48\xab", 2, WRITE, BY_RDI, 8, IN_64 }, { "\x48\xa5", 2, READ, BY_RSI, 8, IN_64 },
	{ "\x48\xa7", 2, READ, BY_RDI, 8, IN_64 }, { "\xf2\xa7", 2, READ, BY_RSI, 4, ALL },
	{ "\xa5", 1, READ, BY_BOTH, 4, ALL }, { "\xf3\xa5", 2, READ, BY_BOTH, 4, ALL },
	{ "\x65\xa5", 2, WRITE, BY_RDI, 4, ALL }, { "\x2e\xa7", 2, READ, BY_RDI, 4, ALL },
	{ "\x0f\xac\x23\x03", 4, READ, BY_RBX, 4, ALL }, { "\x66\x0f\xa5\x0b", 4, READ, BY_RBX, 2, ALL },
	{ "\xd1\x23", 2, READ, BY_RBX, 4, ALL }, { "\xd3\x1b", 2, READ, BY_RBX, 4, ALL },
	{ "\x0f\x44\x23", 3, READ, BY_RBX, 4, ALL }, { "\x48\x0f\x45\x0b", 4, READ, BY_RBX, 8, IN_64 },
	{ "\x66\xe8\x10\0", 4, WRITE, BY_STACK, 2, IN_32 }, { "\x66\xc3", 2, READ, BY_STACK, 2, IN_32 },
	{ "\x66\xff\x23", 3, READ, BY_RBX, 2, IN_32 }, { "\x66\xff\x13", 3, READ, BY_RBX, 2, IN_32 },
};

/* The state in front of an instruction. */
struct state_in {
	const struct form *form;
	uint64_t gpr[16], rsp, rflags, ss_access, ss_base, ss_limit, cs_limit;
	uint32_t memory[4], high, svr, offset;
	uint64_t blocking, es_access, es_limit, ds_access, ds_limit;
};

struct outcome {
	uint64_t gpr[16], rip, rsp, rflags, pending, interruptibility;
	uint32_t event, error, memory[4], same_place, stack[4], high, svr;
};

static bool wide;
static unsigned level;
static uint64_t flat_ss; /* access rights */
static unsigned eventless; /* cases that were carried out, and ended in no exception */

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
	case BY_SUM:
		s->ss_access = flat_ss;
		s->ss_base = 0;
		s->ss_limit = 0xffffffff;
		if (s->rsp < BENCH_STACK || s->rsp > BENCH_STACK + 16)
			s->rsp = BENCH_STACK + 4;
		s->gpr[GPR_RBX] = (at - s->rsp - (s->form->type == WRITE ? size_of(s->form) : 0)) &
				  (wide ? ~0ull : 0xffffffff);
		break;
	default:
		break;
	}
	if (s->form->in == IN_64 && s->form->code[2] == 0x24 && s->form->leads == BY_STACK)
		s->rsp = at + 8;
}

/* A segment in which the access that was not told of may not be made. */
static void spoil(uint64_t *access, uint64_t *limit)
{
	switch (rand() % 5) {
	case 0:
		*access &= ~(uint64_t)TYPE_READ_WRITE;
		break;
	case 1:
		*access |= TYPE_EXPAND_DOWN;
		*limit = one_in(2) ? 0xfff : *limit;
		break;
	case 2:
		*access |= SEGMENT_UNUSABLE;
		break;
	case 3:
		*limit = 0x1c0fff;
		break;
	default:
		break;
	}
}

/* Not canonical, at a page's or the address space's end, absent, a device's, misaligned. */
static uint64_t bad_place(uint64_t offset)
{
	static const uint64_t of_32[] = { 0, 2, 4, 0xfffffffe, 0xfffffffc, 0xfffffff8, 0x10002, 0x40000000, 0xf0010,
					  ELSEWHERE + 16, BENCH_DATA + 0xffe, LAPIC + 2, LAPIC + HIGH + 4 };
	static const uint64_t of_64[] = { 1ull << 47, (1ull << 47) + 4, 0xffff800000000004, 1ull << 63,
					  0xffffffff00000008, LAPIC + HIGH + 8 };

	if (one_in(8))
		return LAPIC + offset;
	if (wide && one_in(2))
		return of_64[(unsigned)rand() % ARRAY_SIZE(of_64)];
	return of_32[(unsigned)rand() % ARRAY_SIZE(of_32)];
}

static void spoil_stack(struct state_in *s)
{
	if (one_in(2))
		s->rsp = bad_place(s->offset);
	if (s->ss_access == flat_ss && one_in(2)) {
		s->ss_limit = one_in(2) ? 0xfff : BENCH_STACK - 1;
		s->ss_access |= one_in(2) ? TYPE_EXPAND_DOWN : 0;
	}
}

/* The other access of those with two, which the exit says nothing of. */
static void spoil_other(struct state_in *s)
{
	bool two = ((uint8_t)s->form->code[s->form->length - 1] & 0xfc) == 0xa4; /* MOVS, CMPS */

	if (s->form->type != READ || one_in(3))
		return;
	if (s->form->leads == BY_RBX) {
		spoil_stack(s);
	} else if (two && s->form->leads == BY_RSI) {
		s->gpr[GPR_RDI] = one_in(2) ? bad_place(s->offset) : s->gpr[GPR_RDI];
		spoil(&s->es_access, &s->es_limit);
	} else if (two && s->form->leads == BY_RDI) {
		s->gpr[GPR_RSI] = one_in(2) ? bad_place(s->offset) : s->gpr[GPR_RSI];
		spoil(&s->ds_access, &s->ds_limit);
	}
}

static struct state_in random_in(void)
{
	struct state_in s = { .form = &forms[(unsigned)rand() % ARRAY_SIZE(forms)],
			      .ss_access = flat_ss, .ss_limit = 0xffffffff,
			      .cs_limit = one_in(4) ? 0x10000fff : 0xffffffff };

	while (s.form->in == (wide ? IN_32 : IN_64))
		s.form = &forms[(unsigned)rand() % ARRAY_SIZE(forms)];
	for (unsigned n = 0; n < 16; n++)
		s.gpr[n] = any();
	for (unsigned n = 0; n < 4; n++)
		s.memory[n] = one_in(2) ? 0x11223344 * n : (uint32_t)any();
	s.offset = one_in(2) ? HIGH : SVR;
	s.high = (uint32_t)any() & 0xff000000;
	s.svr = 0x100 | (uint32_t)(any() & 0xff);
	s.rflags = RFLAGS_FIXED | (any() & (RFLAGS_STATUS | RFLAGS_DF | RFLAGS_RF | RFLAGS_IF | RFLAGS_IOPL |
					    (level == 3 ? RFLAGS_AC : 0)));
	if (one_in(8))
		s.rflags |= RFLAGS_TF;
	s.blocking = one_in(8) && (s.rflags & (RFLAGS_IF | RFLAGS_TF)) == RFLAGS_IF ? BLOCKING_STI : 0;
	s.es_access = s.ds_access = flat_ss;
	s.es_limit = s.ds_limit = 0xffffffff;
	lead(&s);
	spoil_other(&s);
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
	vmcs_put(VMCS_GUEST_ES_ACCESS, s->es_access);
	vmcs_put(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS, s->ds_access);
	vmcs_put(VMCS_GUEST_ES_LIMIT, s->es_limit);
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_DS, s->ds_limit);
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
	fail_msg("form %u (%02x), %s, level %u: rip %lx %lx, rsp %lx %lx, rflags %lx %lx, event %x %x, high %x %x, "
		 "svr %x %x; registers %s, memory %s",
		 (unsigned)(s->form - forms), (uint8_t)s->form->code[0], wide ? "64 bits" : "32 bits", level, a->rip,
		 b->rip, a->rsp, b->rsp, a->rflags, b->rflags, a->event, b->event, a->high, b->high, a->svr, b->svr,
		 memcmp(a->gpr, b->gpr, sizeof(a->gpr)) ? "differ" : "are the same",
		 memcmp(a->memory, b->memory, sizeof(a->memory)) || memcmp(a->stack, b->stack, sizeof(a->stack)) ?
			 "differs" : "is the same");
}

/* The first time by the emulator, then by what is known. */
static void try_one(const struct state_in *in)
{
	struct outcome first, again;

	forget_instructions();
	first = step(in);
	for (unsigned n = 0; n < 2; n++) {
		again = step(in);
		same(in, &first, &again);
	}
	eventless += !first.event;
}

/* Alignment is checked at level 3 where CR0 says so. */
static void in_mode(const char *mmu, enum bench_mode mode, unsigned cases)
{
	wide = mode == BENCH_LONG64;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .tpr = "flexpriority" });
	check_entry(0);
	assert_true(bench_mode(mode, level));
	flat_ss = vmcs_get(VMCS_GUEST_SS_ACCESS);
	if (level == 3 && mode != BENCH_PROT32)
		bench_mov_to_cr(0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE | CR0_AM);
	eventless = 0;
	for (unsigned n = 0; n < cases; n++) {
		struct state_in in = random_in();

		try_one(&in);
	}
	assert_true(eventless > cases / 2);
	finish();
}

static void beside_the_emulator(void **state)
{
	const char *more = getenv("EMULATE_CASES");
	unsigned cases = more ? (unsigned)strtoul(more, NULL, 10) : CASES;

	(void)state;
	srand(1);
	for (enum bench_mode mode = BENCH_PROT32; mode < BENCH_MODES; mode++)
		for (level = 0; level < 4; level += 3) {
			in_mode("ept", mode, cases);
			in_mode("shadow", mode, cases);
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
