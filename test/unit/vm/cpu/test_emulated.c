/* A guest that no CPU can enter (vm/cpu/emulated.c): real mode under mechanisms without "unrestricted guest", and the
 * way back. What it executes stands in its memory. */
#include "test/unit/vm/fixture.h"

#include "host/trap/interrupt.h"

#define CODE 0x8000u
#define HANDLER 0x9000u
#define STACK 0x7ff0u
/* mov %cr0, %eax; or $1, %al; mov %eax, %cr0; nop. The segments are protected mode's by what they hold. */
#define BACK 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x90
#define BACK_LENGTH 8
#define SPIN 0xeb, 0xfe

static void at_door_by(const char *mmu, const char *tpr, bool guest_clock)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .tpr = tpr,
					  .description = "unrestricted off\n", .guest_clock = guest_clock });
	check_entry(__LINE__);
	assert_true(bench_mode(BENCH_PROT16, 0));
	vmcs_put(VMCS_GUEST_RSP, STACK);
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0x3ff);
	/* Their bases are 0, as real mode computes them of these. */
	for (unsigned n = SEG_ES; n <= SEG_GS; n++)
		vmcs_put(VMCS_GUEST_ES_SELECTOR + 2 * n, 0);
}

static void at_door(const char *mmu, bool guest_clock) { at_door_by(mmu, NULL, guest_clock); }

static void vector_to(unsigned n, uint32_t to) { bench_poke(4 * n, &to, 4); }

static void code_at(uint32_t at, const uint8_t *bytes, size_t n) { bench_poke(at, bytes, n); }
#define CODE_AT(at, ...) code_at(at, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* CR0.PE is cleared, and the code runs. */
static enum bench_at enter(void)
{
	vmcs_put(VMCS_GUEST_RIP, CODE - 3);
	return bench_mov_to_cr(0, CR0_NE | CR0_ET);
}
#define REAL(...) (CODE_AT(CODE, __VA_ARGS__), enter())

static uint16_t word_at(uint32_t at)
{
	uint16_t w;

	bench_peek(at, &w, 2);
	return w;
}

/* What a handler finds on the stack. */
static void expect_frame(uint16_t ip, uint16_t flags, int line)
{
	if (word_at(STACK - 6) != ip || (word_at(STACK - 2) & ~RFLAGS_STATUS) != flags)
		fail_msg("line %d: the frame holds IP 0x%x, flags 0x%x", line, word_at(STACK - 6), word_at(STACK - 2));
}
#define EXPECT_FRAME(ip, flags) expect_frame(ip, flags, __LINE__)

static uint64_t count(void) { return bench.v->exits[HVM_EXIT_EMULATED].count; }

/* ---- there and back ---- */

static void there_and_back(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at_door(mechanisms[m], false);
		STEP(REAL(BACK));
		assert_int_equal(bench.entry.rip, CODE + BACK_LENGTH);
		assert_int_equal(count(), 3);
		assert_int_equal((uint32_t)*bench_gpr(GPR_RAX) & ~CR0_PE, CR0_NE | CR0_ET);
		assert_int_equal(bench.v->mmu.regs.cr0, CR0_NE | CR0_ET | CR0_PE);
		again();
		assert_int_equal(count(), 3);
		finish();
	}
}

/* Behind MOV to CR0 with segments that VM entry does not take. */
static void half_way(void **state)
{
	static const uint8_t ss[] = { 0xb8, 0x03, 0x00, 0x8e, 0xd0 };                   /* mov $3, %ax; mov %ax, %ss */
	static const uint8_t mend[] = { 0xb8, BENCH_DATA0, 0x00, 0x8e, 0xd0, 0x90 };

	(void)state;
	at_door("shadow", false);
	code_at(CODE, ss, sizeof(ss));
	CODE_AT(CODE + sizeof(ss), BACK);
	code_at(CODE + sizeof(ss) + BACK_LENGTH, mend, sizeof(mend));
	STEP(enter());
	assert_int_equal(bench.entry.rip, CODE + sizeof(ss) + BACK_LENGTH + 5);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_SS), BENCH_DATA0);
	finish();
}

/* Paging begins with protected mode, while the segments are still those of real mode: the next instruction's addresses
 * go through the tables. FS reaches 4 MiB, which are the first ones again. */
static void paging_at_once(void **state)
{
	static const uint8_t code[] = {
		0xb8, 0x03, 0x00, 0x8e, 0xd0,                         /* mov $3, %ax; mov %ax, %ss */
		0x0f, 0x20, 0xe0, 0x0c, 0x10, 0x0f, 0x22, 0xe0,       /* CR4.PSE */
		0x66, 0xb8, 0x00, 0x70, 0x20, 0x00, 0x0f, 0x22, 0xd8, /* CR3 */
		0x0f, 0x20, 0xc0, 0x66, 0x0d, 0x01, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0,
		0x64, 0x67, 0x8b, 0x0d, 0x00, 0x80, 0x40, 0x00,       /* mov %fs:0x408000, %cx */
		0xb8, BENCH_DATA0, 0x00, 0x8e, 0xd0, 0x90,
	};
	static const uint32_t pd[2] = { PTE_P | PTE_W | PTE_U | PTE_PS, PTE_P | PTE_W | PTE_U | PTE_PS };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at_door(mechanisms[m], false);
		bench_poke(BENCH_TABLES + 0x7000, pd, sizeof(pd));
		vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_FS, 0xffffffff);
		vmcs_put(VMCS_GUEST_ES_ACCESS + 2 * SEG_FS, SEGMENT_DATA16 | SEGMENT_G);
		code_at(CODE, code, sizeof(code));
		STEP(enter());
		assert_int_equal((uint16_t)*bench_gpr(GPR_RCX), 0x03b8);
		assert_int_equal(bench.v->mmu.regs.cr3, BENCH_TABLES + 0x7000);
		finish();
	}
}

/* 32-bit code stays so: 66 chooses 16 bits. */
static void wide_code(void **state)
{
	(void)state;
	at_door("shadow", false);
	vmcs_put(VMCS_GUEST_CS_ACCESS, SEGMENT_CODE16 | SEGMENT_DB);
	STEP(REAL(0xb9, 0x78, 0x56, 0x34, 0x12, 0x66, 0xba, 0x34, 0x12, BACK));
	assert_int_equal(*bench_gpr(GPR_RCX), 0x12345678);
	assert_int_equal((uint16_t)*bench_gpr(GPR_RDX), 0x1234);
	finish();
}

/* ---- events ---- */

static void exceptions(void **state)
{
	(void)state;
	at_door("shadow", false);
	CODE_AT(HANDLER, BACK);
	vector_to(6, HANDLER);
	STEP(REAL(0xf9, 0x0f, 0x0b)); /* stc; ud2 */
	EXPECT_FRAME(CODE + 1, RFLAGS_FIXED);
	assert_int_equal(bench.entry.rip, HANDLER + BACK_LENGTH);
	assert_int_equal((uint16_t)vmcs_get(VMCS_GUEST_RSP), STACK - 6);
	finish();
	/* A vector beyond the table's limit: #GP, #DF, and the end. */
	at_door("shadow", false);
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0);
	EXPECT_END(REAL(0x0f, 0x0b), "triple fault");
	bench_delete();
	/* Only that of INT's vector. */
	at_door("shadow", false);
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 4 * 13 + 3);
	CODE_AT(HANDLER, BACK);
	vector_to(13, HANDLER);
	STEP(REAL(0xcd, 0x20));
	EXPECT_FRAME(CODE, RFLAGS_FIXED);
	finish();
}

static void privileged_registers(void **state)
{
	(void)state;
	at_door("shadow", false);
	CODE_AT(HANDLER, BACK);
	vector_to(13, HANDLER);
	/* mov $0xc0000081, %ecx (STAR), rdmsr, wrmsr; wrmsr to LSTAR of what is no address */
	STEP(REAL(0x66, 0xb9, 0x81, 0, 0, 0xc0, 0x0f, 0x32, 0x0f, 0x30, 0x66, 0xff, 0xc1, 0x66, 0xba, 0, 0, 0, 0x80,
		  0x0f, 0x30));
	EXPECT_FRAME(CODE + 19, RFLAGS_FIXED);
	finish();
	/* mov %eax, %dr7 with GD; mov %dr0, %eax: #DB; its handler may. */
	at_door("shadow", false);
	CODE_AT(HANDLER, 0x0f, 0x21, 0xc0, BACK);
	vector_to(1, HANDLER);
	STEP(REAL(0x66, 0xb8, 0, 0x20, 0, 0, 0x0f, 0x23, 0xf8, 0x0f, 0x21, 0xc0));
	EXPECT_FRAME(CODE + 9, RFLAGS_FIXED);
	assert_true(soft.dr6 & DR6_BD);
	assert_false(vmcs_get(VMCS_GUEST_DR7) & DR7_GD);
	finish();
	/* Debugging extensions: no DR4. mov $8, %eax; mov %eax, %cr4; mov %dr4, %eax */
	at_door("shadow", false);
	CODE_AT(HANDLER, BACK);
	vector_to(6, HANDLER);
	STEP(REAL(0x66, 0xb8, 8, 0, 0, 0, 0x0f, 0x22, 0xe0, 0x0f, 0x21, 0xe0));
	EXPECT_FRAME(CODE + 9, RFLAGS_FIXED);
	finish();
	/* Bits of CR4 that are not offered are #GP, here too: mov $0x2000, %eax; mov %eax, %cr4 */
	at_door("shadow", false);
	CODE_AT(HANDLER, BACK);
	vector_to(13, HANDLER);
	STEP(REAL(0x66, 0xb8, 0, 0x20, 0, 0, 0x0f, 0x22, 0xe0));
	EXPECT_FRAME(CODE + 6, RFLAGS_FIXED);
	finish();
}

/* INVVPID, VMREAD and a hole in the opcode map are none of the guest's; RDPMC has no counter. XSETBV stops it. */
static void no_instructions(void **state)
{
	static const struct { uint8_t code[5]; unsigned vector; } none[] = {
		{ { 0x66, 0x0f, 0x38, 0x81, 0x07 }, 6 }, { { 0x0f, 0x78, 0xc0 }, 6 }, { { 0x0f, 0x04 }, 6 },
		{ { 0x0f, 0x01, 0xc2 }, 6 }, { { 0x0f, 0x05 }, 6 }, { { 0x62, 0xf1, 0x7c, 0x48, 0x10 }, 6 },
		{ { 0x0f, 0x01, 0xcb }, 6 }, { { 0xf3, 0x0f, 0xae, 0x22 }, 6 }, { { 0xc7, 0xfc }, 6 },
		{ { 0x0f, 0x33 }, 13 }, { { 0x0f, 0x34 }, 13 },
	};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(none); n++) {
		at_door("shadow", false);
		CODE_AT(HANDLER, BACK);
		vector_to(none[n].vector, HANDLER);
		code_at(CODE, none[n].code, 5);
		if (none[n].code[0] == 0x62)
			vector_to(5, HANDLER); /* BOUND, there */
		STEP(enter());
		EXPECT_FRAME(CODE, RFLAGS_FIXED);
		finish();
	}
	at_door("shadow", false);
	EXPECT_END(REAL(0x0f, 0x01, 0xd1), "does not emulate");
	bench_delete();
}

/* sti; jmp to itself. */
static void interrupts(void **state)
{
	(void)state;
	for (unsigned guest_clock = 0; guest_clock < 2; guest_clock++) {
		at_door("shadow", guest_clock);
		CODE_AT(HANDLER, BACK);
		vector_to(DEADLINE_VECTOR, HANDLER);
		deadline_in(guest_clock ? 500 : 10000);
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
		STEP(REAL(0xfb, SPIN));
		EXPECT_FRAME(CODE + 1, RFLAGS_FIXED | RFLAGS_IF);
		assert_false(bench.entry.rflags & RFLAGS_IF);
		finish();
	}
}

/* AL3: the time that 400 instructions took is over when the CPU begins to count to the alarm. */
static void an_alarm_behind_it(void **state)
{
	(void)state;
	at_door("shadow", true);
	deadline_in(10000);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	STEP(REAL(0xb9, 0xc8, 0x00, 0x49, 0x75, 0xfd, BACK)); /* mov $200, %cx; dec %cx; jnz back */
	assert_in_range(vmcs_get(VMCS_PREEMPTION_TIMER), 9000, 9650);
	finish();
}

/* One that waits comes as soon as it may, and that is behind the instruction behind STI. */
static void interrupts_that_wait(void **state)
{
	(void)state;
	at_door("shadow", false);
	CODE_AT(HANDLER, BACK);
	vector_to(DEADLINE_VECTOR, HANDLER);
	deadline_mode();
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, DEADLINE_VECTOR)); /* self-IPI */
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	STEP(REAL(0x90, 0xfb, 0x90, 0x90, SPIN));
	EXPECT_FRAME(CODE + 3, RFLAGS_FIXED | RFLAGS_IF);
	finish();
}

/* And behind the instruction that lowers the TPR, whoever keeps that. */
static void held_back_by_the_tpr(void **state)
{
	static const char *const methods[] = { "trap", "flexpriority", "apicv" };

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		at_door_by("shadow", methods[n], false);
		CODE_AT(HANDLER, BACK);
		vector_to(DEADLINE_VECTOR, HANDLER);
		deadline_mode();
		STEP(bench_wrmsr(MSR_X2APIC_TPR, 0xf0));
		STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, DEADLINE_VECTOR));
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
		/* sti; nop; mov $0x808, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr; nop */
		STEP(REAL(0xfb, 0x90, 0x66, 0xb9, 0x08, 0x08, 0x00, 0x00, 0x66, 0x31, 0xc0, 0x66, 0x31, 0xd2, 0x0f,
			  0x30, 0x90, SPIN));
		EXPECT_FRAME(CODE + 16, RFLAGS_FIXED | RFLAGS_IF);
		finish();
	}
}

static void sleep_and_wake(void **state)
{
	(void)state;
	at_door("shadow", true);
	CODE_AT(HANDLER, BACK);
	vector_to(DEADLINE_VECTOR, HANDLER);
	deadline_in(100000);
	assert_int_equal(REAL(0xfb, 0xf4, SPIN), BENCH_IDLE);
	STEP(bench_timer());
	EXPECT_FRAME(CODE + 2, RFLAGS_FIXED | RFLAGS_IF);
	finish();
	at_door("shadow", false);
	EXPECT_END(REAL(0xfa, 0xf4), "halted for good");
	bench_delete();
}

static void nmi(void **state)
{
	(void)state;
	at_door("shadow", false);
	CODE_AT(HANDLER, BACK);
	vector_to(2, HANDLER);
	assert_int_equal(REAL(SPIN), BENCH_EMULATED);
	bench.v->signals |= SIGNAL_NMI;
	vcpu_request(bench.v, REQUEST_EVENT);
	STEP(bench_emulate());
	EXPECT_FRAME(CODE, RFLAGS_FIXED);
	assert_true(bench.entry.interruptibility & BLOCKING_NMI);
	finish();
	/* Until an IRET, here to what is on the stack below: the spot behind the loop. */
	at_door("shadow", false);
	CODE_AT(HANDLER, 0x83, 0x06, 0xea, 0x7f, 0x02, 0xcf); /* addw $2, STACK - 6; iret */
	vector_to(2, HANDLER);
	assert_int_equal(REAL(SPIN, BACK), BENCH_EMULATED);
	bench.v->signals |= SIGNAL_NMI;
	vcpu_request(bench.v, REQUEST_EVENT);
	STEP(bench_emulate());
	assert_false(bench.entry.interruptibility & BLOCKING_NMI);
	finish();
}

/* ---- debugging ---- */

static void single_steps(void **state)
{
	(void)state;
	at_door("shadow", false);
	CODE_AT(HANDLER, BACK);
	vector_to(1, HANDLER);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	/* pushf; pop %ax; or $1, %ah; push %ax; popf; mov %ss, %ax; and so on: the trap is behind that */
	STEP(REAL(0x9c, 0x58, 0x80, 0xcc, 0x01, 0x50, 0x9d, 0x8c, 0xd0, 0x90));
	EXPECT_FRAME(CODE + 9, RFLAGS_FIXED | RFLAGS_TF);
	assert_true(soft.dr6 & DR6_BS);
	assert_int_equal(bench.entry.pending_debug, 0);
	finish();
	/* Behind a load of SS it comes one instruction later. */
	at_door("shadow", false);
	CODE_AT(HANDLER, BACK);
	vector_to(1, HANDLER);
	STEP(REAL(0x8c, 0xd3, 0x9c, 0x58, 0x80, 0xcc, 0x01, 0x50, 0x9d, 0x8e, 0xd3, 0x90, 0x90));
	EXPECT_FRAME(CODE + 12, RFLAGS_FIXED | RFLAGS_TF);
	finish();
}

static void breakpoint_on_fetch(void **state)
{
	(void)state;
	at_door("shadow", false);
	CODE_AT(HANDLER, BACK);
	vector_to(1, HANDLER);
	bench.v->saved_dr[2] = CODE + 1;
	vmcs_put(VMCS_GUEST_DR7, DR7_RESET | 2 << 4);
	STEP(REAL(0x90, 0x90, SPIN));
	EXPECT_FRAME(CODE + 1, RFLAGS_FIXED);
	assert_int_equal(soft.dr6 & DR6_BREAKPOINTS, 4);
	finish();
}

/* ---- bounds ---- */

/* It has slices like any other, and can be paused and ended. */
static void spinning(void **state)
{
	(void)state;
	at_door("shadow", false);
	assert_int_equal(REAL(SPIN), BENCH_EMULATED);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(bench_emulate(), BENCH_EMULATED);
	bench_type(CONSOLE_STATS, "1 pause 0\n", 10);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	assert_true(bench.v->vm->paused);
	finish();
}

/* A request that comes again and again, as that of the next mechanism, does not keep it from going on. */
static void requests_without_end(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){
		.cpu = BENCH_PENRYN, .mmu = "shadow", .description = "switch-every 32exits\n" });
	assert_true(bench_mode(BENCH_PROT16, 0));
	STEP(REAL(BACK));
	finish();
}

static void beside_a_neighbour(void **state)
{
	struct vcpu *spinner;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "shadow", .vms = 2 });
	spinner = bench.v;
	assert_true(bench_mode(BENCH_PROT16, 0));
	assert_int_equal(REAL(SPIN), BENCH_EMULATED);
	for (unsigned n = 0; n < 10 && bench.v == spinner; n++) {
		soft.percpu.timer_fired = true;
		bench_emulate();
	}
	assert_ptr_not_equal(bench.v, spinner);
	assert_int_equal(bench.at, BENCH_ENTRY);
	finish();
}

/* The time is on the instructions' account. rdtsc; mov %eax, %ebx; nop, four times; rdtsc */
static void time_goes_on(void **state)
{
	uint64_t before;

	(void)state;
	at_door("shadow", true);
	before = bench.v->exits[EXIT_CR_ACCESS].ticks;
	soft.ticks = 100;
	STEP(REAL(0x0f, 0x31, 0x66, 0x89, 0xc3, 0x90, 0x90, 0x90, 0x90, 0x0f, 0x31, 0x66, 0x89, 0xc1, BACK));
	assert_int_equal(*bench_gpr(GPR_RCX) - *bench_gpr(GPR_RBX), 6);
	again();
	assert_true(bench.v->exits[EXIT_CR_ACCESS].ticks > before);
	assert_true(bench.v->exits[HVM_EXIT_EMULATED].ticks > 10 * (bench.v->exits[EXIT_CR_ACCESS].ticks - before));
	finish();
}

/* A decoded instruction is kept; the limit of CS may have become smaller since. */
static void limit_of_code(void **state)
{
	(void)state;
	at_door("shadow", false);
	CODE_AT(HANDLER, SPIN);
	vector_to(13, HANDLER - 0x2000);
	CODE_AT(HANDLER - 0x2000, BACK);
	assert_int_equal(REAL(SPIN), BENCH_EMULATED);
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_CS, CODE);
	STEP(bench_emulate());
	EXPECT_FRAME(CODE, RFLAGS_FIXED);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(half_way),
		cmocka_unit_test(paging_at_once),
		cmocka_unit_test(wide_code),
		cmocka_unit_test(exceptions),
		cmocka_unit_test(privileged_registers),
		cmocka_unit_test(no_instructions),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(an_alarm_behind_it),
		cmocka_unit_test(interrupts_that_wait),
		cmocka_unit_test(held_back_by_the_tpr),
		cmocka_unit_test(sleep_and_wake),
		cmocka_unit_test(nmi),
		cmocka_unit_test(single_steps),
		cmocka_unit_test(breakpoint_on_fetch),
		cmocka_unit_test(spinning),
		cmocka_unit_test(requests_without_end),
		cmocka_unit_test(beside_a_neighbour),
		cmocka_unit_test(time_goes_on),
		cmocka_unit_test(limit_of_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
