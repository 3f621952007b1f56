/* Instructions that access the local APIC's page and are not plain, or whose register or stack is out of the ordinary
 * (vm/exit/known.c): the first exit is the emulator's own, the others are by what is known; all come to the same. */
#include "test/unit/vm/tpr/lapic.h"

#define ELEMENT 0xa5c30041u /* in memory, where rSI and rDI may lead */
#define VALUE 0x41u         /* of the TPR */
#define ANY 0xff            /* whatever the emulator makes of it */

struct form {
	const char *code;
	uint8_t length;
	uint8_t tpr; /* behind it */
	uint64_t rcx, rsi, rdi, rsp; /* in front of it; 0: LAPIC + TPR */
	void (*prepare)(void);
	uint32_t event;
};

struct outcome {
	uint64_t gpr[16];
	uint64_t rip, rsp, rflags;
	uint32_t event, error, memory[4], stack[4];
	uint8_t tpr;
};

/* The first access makes the page's leaf. */
static void meet(enum bench_mode mode)
{
	at("ept", "trap", mode);
	STEP(apic_write(TPR, VALUE));
}

static uint64_t or_tpr(uint64_t at) { return at ? at : LAPIC + TPR; }

static void set_up(const struct form *f)
{
	static const uint32_t memory[4] = { ELEMENT, 0x11111111, 0x22222222, 0x33333333 };

	for (unsigned n = 0; n < 16; n++)
		if (n != GPR_RSP)
			*bench_gpr(n) = 0x1000000000000000u + n;
	*bench_gpr(GPR_RAX) = VALUE;
	*bench_gpr(GPR_RBX) = LAPIC + TPR;
	*bench_gpr(GPR_RCX) = f->rcx ? f->rcx : 1;
	*bench_gpr(GPR_RSI) = or_tpr(f->rsi);
	*bench_gpr(GPR_RDI) = or_tpr(f->rdi);
	bench_poke(BENCH_DATA, memory, sizeof(memory));
	bench_poke(BENCH_STACK, memory, sizeof(memory));
	lapic_set_tpr(&bench.v->lapic, VALUE);
	vmcs_put(VMCS_GUEST_RSP, f->rsp ? f->rsp : BENCH_STACK);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF | RFLAGS_CF);
	if (f->prepare)
		f->prepare();
	code(f->code, f->length);
}

static struct outcome outcome(void)
{
	struct outcome o = { .rip = bench.entry.rip, .rsp = vmcs_get(VMCS_GUEST_RSP), .rflags = bench.entry.rflags,
			     .event = bench.entry.event, .error = bench.entry.error,
			     .tpr = lapic_tpr(&bench.v->lapic) };

	for (unsigned n = 0; n < 16; n++)
		o.gpr[n] = n == GPR_RSP ? 0 : *bench_gpr(n);
	bench_peek(BENCH_DATA, o.memory, sizeof(o.memory));
	bench_peek(BENCH_STACK, o.stack, sizeof(o.stack));
	return o;
}

static void each(const struct form *forms, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		struct outcome first, again;

		for (unsigned k = 0; k < 4; k++) {
			set_up(&forms[n]);
			STEP(misconfig(LAPIC + TPR));
			again = outcome();
			if (!k)
				first = again;
			assert_memory_equal(&first, &again, sizeof(first));
			if (forms[n].tpr != ANY)
				assert_int_equal(again.tpr, forms[n].tpr);
			assert_int_equal(again.event, forms[n].event);
		}
	}
}

/* ---- strings ---- */

static void backwards(void) { vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_DF); }

static const struct form strings[] = {
	{ "\xab", 1, VALUE, .rcx = 1 },                                     /* stosd */
	{ "\xf3\xab", 2, VALUE, .rcx = 1 },                                 /* rep stosd */
	{ "\xf3\xab", 2, VALUE, .rcx = 2 },
	{ "\xaa", 1, VALUE, .prepare = backwards },               /* stosb */
	{ "\xa5", 1, ELEMENT & 0xff, .rsi = BENCH_DATA },         /* movsd */
	{ "\xa5", 1, VALUE, .rdi = BENCH_DATA + 8 },
	{ "\xf3\xa5", 2, VALUE, .rsi = BENCH_DATA + 8, .rcx = 1, .rdi = BENCH_DATA },
	{ "\xf3\xa5", 2, ELEMENT & 0xff, .rsi = BENCH_DATA },     /* rep movsd */
	{ "\xf3\xa5", 2, ELEMENT & 0xff, .rsi = BENCH_DATA, .rcx = 3 },
	{ "\xad", 1, VALUE, .rcx = 1 },                                     /* lodsd */
	{ "\xac", 1, VALUE, .prepare = backwards },
	{ "\xaf", 1, VALUE, .rcx = 1 },                                     /* scasd */
	{ "\xf3\xae", 2, VALUE, .rcx = 1 },                                 /* repe scasb */
	{ "\xf2\xaf", 2, VALUE, .rcx = 2 },                       /* repne scasd */
	{ "\xa7", 1, VALUE, .rsi = BENCH_DATA },                  /* cmpsd */
	{ "\xa6", 1, VALUE, .rdi = BENCH_DATA },
	{ "\xf3\xa7", 2, VALUE, .rdi = BENCH_DATA + 4 },          /* repe cmpsd */
};

static void short_segment(void)
{
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_DS, 0xffff);
	vmcs_put(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS, vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS) & ~(uint64_t)SEGMENT_G);
}

static void absent_page(void)
{
	static const uint64_t absent = 0;

	bench_poke(BENCH_TABLES + 0x3008, &absent, 8);
}

/* A segment whose limit is passed; and an element of two pages, of which the second is not there. */
static const struct form beyond_limit[] = {
	{ "\xa5", 1, VALUE, .rsi = BENCH_DATA, .prepare = short_segment, .event = EXCEPTION_ERROR(VECTOR_GP) },
};

static void half_there(void)
{
	static const uint32_t same = VALUE;

	absent_page();
	bench_poke(0x1ffffc, &same, 4);
}

static const struct form faulting[] = {
	{ "\xa5", 1, VALUE, .rsi = 0x1000000000000 + BENCH_DATA, .event = EXCEPTION_ERROR(VECTOR_GP) },
	{ "\xa5", 1, VALUE, .rsi = 0x1ffffe, .prepare = absent_page, .event = EXCEPTION_ERROR(VECTOR_PF) },
};

static const struct form half[] = {
	{ "\xf3\xa7", 2, VALUE, .rsi = 0x1ffffc, .rcx = 4, .prepare = half_there,
	  .event = EXCEPTION_ERROR(VECTOR_PF) },
};

/* The second of repe cmpsd. */
static void half_way(void **state)
{
	(void)state;
	meet(BENCH_LONG64);
	each(half, ARRAY_SIZE(half));
	finish();
}

static void of_strings(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		meet(mode ? BENCH_LONG64 : BENCH_PAGED32);
		each(strings, ARRAY_SIZE(strings));
		if (mode)
			each(faulting, ARRAY_SIZE(faulting));
		else
			each(beyond_limit, ARRAY_SIZE(beyond_limit));
		finish();
	}
}

/* ---- the stack, and its pointer as a register ---- */

static void small_stack(void)
{
	const uint64_t db = SEGMENT_DB | SEGMENT_G;

	vmcs_put(VMCS_GUEST_SS_ACCESS, vmcs_get(VMCS_GUEST_SS_ACCESS) & ~db);
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_SS, 0x7fff);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_SS, BENCH_STACK - 0x1000);
}

static const struct form stacks[] = {
	{ "\x89\x23", 2, (uint8_t)(BENCH_STACK + 0x44), .rsp = BENCH_STACK + 0x44 }, /* mov [ebx], esp */
	{ "\x8b\x23", 2, VALUE, .rsp = BENCH_STACK + 8 },                            /* mov esp, [ebx] */
	{ "\x87\x23", 2, (uint8_t)(BENCH_STACK + 8), .rsp = BENCH_STACK + 8 },       /* xchg [ebx], esp */
	{ "\x01\x23", 2, (uint8_t)(BENCH_STACK + 0x51), .rsp = BENCH_STACK + 0x10 }, /* add [ebx], esp */
	{ "\x8f\x04\x24", 3, 0, .rsp = LAPIC + TPR - 4 }, /* pop [esp]: from a reserved one */
	{ "\x8f\x44\x24\xfc", 4, VALUE, .rsp = LAPIC + TPR },
	{ "\xff\x36", 2, ELEMENT & 0xff, .rsi = BENCH_DATA, .rsp = LAPIC + TPR + 4 }, /* push [esi] */
	{ "\x50", 1, VALUE, .rsp = LAPIC + TPR + 4 },                                 /* push eax */
};
/* From the page to itself, which a segment forbids. */
static void small_stack_in_page(void)
{
	small_stack();
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_SS, LAPIC);
	short_segment();
}

static const struct form small[] = {
	{ "\x8f\x03", 2, ELEMENT & 0xff, .rsp = 0xabcd1000, .prepare = small_stack }, /* pop [ebx] */
	{ "\x8f\x03", 2, VALUE, .rsp = 0x8000, .prepare = small_stack, .event = EXCEPTION_ERROR(VECTOR_SS) },
	{ "\x8f\x07", 2, VALUE, .rsp = TPR, .prepare = small_stack_in_page, /* pop [edi] */
	  .event = EXCEPTION_ERROR(VECTOR_GP) },
};

static void of_the_stack(void **state)
{
	(void)state;
	meet(BENCH_PAGED32);
	each(stacks, ARRAY_SIZE(stacks));
	each(small, ARRAY_SIZE(small));
	finish();
}

/* Where the exit says which register it is, no operand is looked for. */
static void served_by_cpu(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAGED32);
	for (uint32_t n = 0; n < 4; n++) {
		*bench_gpr(GPR_RBX) = LAPIC + ICR + 0x10;
		*bench_gpr(GPR_RSP) = 0x77000000;
		vmcs_put(VMCS_GUEST_RSP, 0x11000000 * (n + 1));
		CODE("\x89\x23"); /* mov [ebx], esp */
		STEP(apic_access(1, ICR + 0x10));
		assert_int_equal((uint32_t)lapic_mmio_read(&bench.v->lapic, ICR + 0x10, 4), 0x11000000 * (n + 1));
	}
	finish();
}

/* Nor is it for a string's access. Of two reads it is not told which; nor is it what reaches into the next register. */
struct told {
	const char *code;
	uint32_t type;
	uint64_t rsi, rdi;
	uint32_t eax, stored, icr; /* behind it */
};
#define HIGH (LAPIC + ICR + 0x10)
#define TO_CPU 0x05000000u

static const struct told told_strings[] = {
	{ "\xab", 1, 0, HIGH, VALUE, 0x11111111, VALUE & 0xff000000 }, /* stosd */
	{ "\xad", 0, HIGH, 0, TO_CPU, 0x11111111, TO_CPU },            /* lodsd */
	{ "\xa5", 1, BENCH_DATA, HIGH, VALUE, 0x11111111, ELEMENT & 0xff000000 }, /* movsd */
	{ "\xa5", 0, HIGH, BENCH_DATA + 4, VALUE, TO_CPU, TO_CPU },
	{ "\xa7", 0, HIGH, BENCH_DATA, VALUE, 0x11111111, TO_CPU },    /* cmpsd */
	{ "\xa7", 0, BENCH_DATA, HIGH, VALUE, 0x11111111, TO_CPU },
	{ "\xaf", 0, 0, HIGH, VALUE, 0x11111111, TO_CPU },             /* scasd */
};

static void told_string(const struct told *t, uint64_t *flags)
{
	for (unsigned n = 0; n < 4; n++) {
		uint32_t stored;

		set_up(&(struct form){ t->code, 1, 0, .rsi = t->rsi, .rdi = t->rdi });
		lapic_mmio_write(&bench.v->lapic, ICR + 0x10, 4, TO_CPU);
		STEP(apic_access(t->type, ICR + 0x10));
		EXPECT_NOTHING();
		assert_int_equal(*bench_gpr(GPR_RAX), t->eax);
		assert_int_equal((uint32_t)lapic_mmio_read(&bench.v->lapic, ICR + 0x10, 4), t->icr);
		bench_peek(BENCH_DATA + 4, &stored, 4);
		assert_int_equal(stored, t->stored);
		if (!n)
			*flags = bench.entry.rflags;
		assert_int_equal(bench.entry.rflags, *flags);
	}
}

static void strings_served_by_cpu(void **state)
{
	uint64_t flags;

	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		at("ept", "flexpriority", mode ? BENCH_LONG64 : BENCH_PAGED32);
		for (unsigned n = 0; n < ARRAY_SIZE(told_strings); n++)
			told_string(&told_strings[n], &flags);
		finish();
	}
	at("ept", "flexpriority", BENCH_LONG64);
	lapic_mmio_write(&bench.v->lapic, ICR + 0x10, 4, TO_CPU);
	for (unsigned n = 0; n < 4; n++) {
		set_up(&(struct form){ "\x48\xad", 2, 0, .rsi = HIGH - 4 }); /* lodsq */
		STEP(apic_access(0, ICR + 0xc));
		assert_int_equal(*bench_gpr(GPR_RAX), (uint64_t)TO_CPU << 32);
	}
	finish();
}

/* ---- others ---- */

static void too_much(void) { *bench_gpr(GPR_RDX) = VALUE; }
static void just_fits(void) { *bench_gpr(GPR_RDX) = VALUE - 1; }
static void negative(void) { *bench_gpr(GPR_RAX) = *bench_gpr(GPR_RDX) = ~0ull; }

static const struct form others[] = {
	{ "\xf7\x33", 2, VALUE, .rcx = 1, .prepare = too_much, .event = EXCEPTION(VECTOR_DE) }, /* div [ebx] */
	{ "\xf7\x33", 2, VALUE, .rcx = 1, .prepare = just_fits },
	{ "\xf7\x3b", 2, VALUE, .rcx = 1, .prepare = just_fits, .event = EXCEPTION(VECTOR_DE) }, /* idiv [ebx] */
	{ "\xf7\x3b", 2, VALUE, .rcx = 1, .prepare = negative },
	{ "\xf7\x33", 2, VALUE, .rcx = 1 },                 /* div [ebx] */
	{ "\xf6\x3b", 2, VALUE, .rcx = 1 },                 /* idiv byte [ebx] */
	{ "\xf3\x0f\xb8\x03", 4, VALUE, .rcx = 1 },         /* popcnt eax, [ebx] */
	{ "\x0f\x38\xf1\x03", 4, ANY, .rcx = 1 },           /* movbe [ebx], eax */
	{ "\x0f\x38\xf0\x03", 4, VALUE, .rcx = 1 },         /* movbe eax, [ebx] */
	{ "\x0f\x01\x23", 3, ANY, .rcx = 1 },               /* smsw [ebx] */
	{ "\x8c\x1b", 2, ANY, .rcx = 1 },                   /* mov [ebx], ds */
	{ "\xff\x13", 2, VALUE, .rcx = 1 },                 /* call [ebx] */
	{ "\x0f\xc7\x0e", 3, ANY, .rcx = 1 },               /* cmpxchg8b [esi] */
	{ "\xf0\x0f\xc7\x0e", 4, ANY, .rcx = 1 },
};

static void of_others(void **state)
{
	(void)state;
	meet(BENCH_PAGED32);
	each(others, ARRAY_SIZE(others));
	finish();
	meet(BENCH_LONG64);
	each(others, ARRAY_SIZE(others));
	finish();
}

/* More bytes than any register has. */
static void wide(void **state)
{
	(void)state;
	meet(BENCH_LONG64);
	STEP(bench_mov_to_cr(4, CR4_PAE | CR4_OSXSAVE));
	bench.v->xcr0 = 7;
	for (unsigned n = 0; n < 3; n++) {
		*bench_gpr(GPR_RBX) = LAPIC + TPR;
		CODE("\xc5\xfe\x6f\x03"); /* vmovdqu ymm0, [rbx] */
		STEP(misconfig(LAPIC + TPR));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.rip, BENCH_CODE + 4);
	}
	finish();
}

/* A single step, and blocking by STI: both are over behind it. */
static void stepped(void **state)
{
	(void)state;
	meet(BENCH_PAGED32);
	for (unsigned n = 0; n < 4; n++) {
		set_up(&strings[n % 2]);
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF | RFLAGS_IF);
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
		STEP(misconfig(LAPIC + TPR));
		assert_int_equal(bench.entry.interruptibility, 0);
		assert_int_equal(bench.entry.pending_debug & PENDING_DEBUG_BS, PENDING_DEBUG_BS);
		vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	}
	finish();
}

/* A program's load of a segment reads the GDT as the kernel, which SMAP keeps from a page of programs'. */
static void implicitly(void **state)
{
	static const uint64_t descriptor = 0x00cff3000000ffff;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_MODERN, .mmu = "ept", .tpr = "trap" });
	check_entry(0);
	assert_true(bench_mode(BENCH_LONG64, 0));
	*bench_gpr(GPR_RBX) = LAPIC;
	STEP(apic_write(TPR, VALUE));
	assert_true(bench_mode(BENCH_LONG64, 3));
	STEP(bench_mov_to_cr(4, CR4_PAE | CR4_SMAP));
	EXPECT_NOTHING();
	bench_poke(BENCH_DATA + 0x40, &descriptor, 8);
	vmcs_put(VMCS_GUEST_GDTR_BASE, BENCH_DATA);
	vmcs_put(VMCS_GUEST_GDTR_LIMIT, 0xff);
	for (unsigned n = 0; n < 4; n++) {
		*bench_gpr(GPR_RBX) = LAPIC + TPR;
		lapic_set_tpr(&bench.v->lapic, 0x43);
		CODE("\x8e\x23"); /* mov fs, [rbx] */
		STEP(misconfig(LAPIC + TPR));
		EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 1);
		assert_int_equal(bench.entry.rip, BENCH_CODE);
	}
	finish();
}

/* Of what could be patched, each 256th access is looked at anew. What it reads besides is memory, though the exit
 * before was one on that page. */
static void beside_a_patch(void **state)
{
	static const uint64_t descriptor = 0x00cf93000000ffff;

	(void)state;
	at("ept", "patch", BENCH_PAGED32);
	STEP(apic_write(SVR, SVR_ENABLED | 0xff));
	bench_poke(BENCH_DATA + 0x40, &descriptor, 8);
	vmcs_put(VMCS_GUEST_GDTR_BASE, BENCH_DATA);
	vmcs_put(VMCS_GUEST_GDTR_LIMIT, 0xff);
	for (unsigned n = 0; n < 600; n++) {
		*bench_gpr(GPR_RBX) = LAPIC + TPR;
		lapic_set_tpr(&bench.v->lapic, 0x40);
		vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_FS, 0x1234);
		if (n)
			STEP(bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION,
							      .qualification = WRITE_KNOWN, .gpa = BENCH_DATA,
							      .gva = BENCH_DATA }));
		CODE("\x8e\x23"); /* mov fs, [ebx] */
		STEP(misconfig(LAPIC + TPR));
		assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_FS), 0);
	}
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_strings),
		cmocka_unit_test(half_way),
		cmocka_unit_test(of_the_stack),
		cmocka_unit_test(served_by_cpu),
		cmocka_unit_test(strings_served_by_cpu),
		cmocka_unit_test(of_others),
		cmocka_unit_test(wide),
		cmocka_unit_test(stepped),
		cmocka_unit_test(implicitly),
		cmocka_unit_test(beside_a_patch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
