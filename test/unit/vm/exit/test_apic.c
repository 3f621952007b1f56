/* Registers of the local APIC that the CPU does not serve itself under flexpriority (vm/exit/apic.c). */
#include "test/unit/vm/tpr/lapic.h"

static void loads_and_stores(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "flexpriority", BENCH_PAE);
		/* The first is decoded, the others are known. */
		for (unsigned n = 0; n < 3; n++) {
			mov_load(PPR);
			*(uint32_t *)(void *)(bench.v->apic_registers + TPR) = 0x37 + n;
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
			STEP(apic_access(0, PPR));
			EXPECT_NOTHING();
			assert_int_equal(*bench_gpr(GPR_RCX), 0x37 + n);
			behind_6_bytes();
		}
		for (unsigned n = 0; n < 3; n++) {
			mov_store(SVR, 0x1f0 + n);
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
			STEP(apic_access(1, SVR));
			assert_int_equal(bench.v->lapic.svr, 0x1f0 + n);
			behind_6_bytes();
		}
		finish();
	}
}

/* What is no MOV of four bytes, however often it comes. */
static void other_instructions(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	STEP(apic_write(SVR, 0x1ab));
	for (unsigned n = 0; n < 2; n++) {
		vmcs_put(VMCS_GUEST_RSP, BENCH_STACK);
		CODE("\xff\xb3\xf0\0\0\0"); /* push [ebx + 0xf0] */
		STEP(apic_access(0, SVR));
		assert_int_equal(stacked(4), 0x1ab);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 4);
		CODE("\x0f\xb6\x8b\xf0\0\0\0"); /* movzx ecx, byte [ebx + 0xf0] */
		STEP(apic_access(0, SVR));
		assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), 0xab);
		CODE("\x8b\xa3\xf0\0\0\0"); /* mov esp, [ebx + 0xf0] */
		STEP(apic_access(0, SVR));
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), 0x1ab);
		CODE("\xc7\x83\xf0\0\0\0\xab\x01\0\0"); /* mov dword [ebx + 0xf0], 0x1ab */
		STEP(apic_access(1, SVR));
		assert_int_equal(bench.v->lapic.svr, 0x1ab);
		CODE("\x83\x8b\xf0\0\0\0\x03"); /* or dword [ebx + 0xf0], 3: an access to read and write */
		STEP(apic_access(n, SVR));
		assert_int_equal(bench.v->lapic.svr, 0x1ab);
		assert_int_equal(bench.entry.rip, BENCH_CODE + 7);
	}
	finish();
}

/* All 8 bytes at a register's place are that register; 4 bytes further they are none and the next one's first. The
 * third time each is quick. */
static void wide_instructions(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_LONG64);
	for (unsigned n = 0; n < 9; n++) {
		lapic_mmio_write(&bench.v->lapic, SVR, 4, 0x1ab);
		*bench_gpr(GPR_RCX) = 0xffffffff00000013;
		if (n < 3) {
			CODE("\x48\x8b\x8b\xf0\0\0\0"); /* mov rcx, [rbx + 0xf0] */
			STEP(apic_access(0, SVR));
			assert_int_equal(*bench_gpr(GPR_RCX), 0x1ab);
		} else if (n < 6) {
			CODE("\x48\x31\x8b\xf0\0\0\0"); /* xor [rbx + 0xf0], rcx */
			STEP(apic_access(n & 1, SVR));
			assert_int_equal(bench.v->lapic.svr, 0x1b8);
			assert_true(bench.entry.rflags & RFLAGS_SF);
		} else {
			CODE("\x48\x8b\x8b\xec\0\0\0"); /* mov rcx, [rbx + 0xec] */
			STEP(apic_access(0, SVR - 4));
			assert_int_equal(*bench_gpr(GPR_RCX), 0x1abull << 32);
		}
	}
	finish();
}

/* The store of a PUSH, to a stack in the page; its operand is in memory. */
static void a_stack_in_the_page(void **state)
{
	static const uint32_t pushed = 0x1cd;

	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	bench_poke(BENCH_DATA, &pushed, 4);
	for (unsigned n = 0; n < 3; n++) {
		bench.v->lapic.svr = 0x1ff;
		vmcs_put(VMCS_GUEST_RSP, LAPIC + SVR + 4);
		*bench_gpr(GPR_RBX) = BENCH_DATA;
		CODE("\xff\x33"); /* push [ebx] */
		STEP(apic_access(1, SVR));
		assert_int_equal(bench.v->lapic.svr, 0x1cd);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), LAPIC + SVR);
		*bench_gpr(GPR_RBX) = LAPIC;
	}
	finish();
}

/* Who reads and writes exits by the read: whether it may write has not been looked at. */
static void a_change_of_a_read_only_page(void **state)
{
	static const uint64_t read_only = LAPIC | 0xe5, writable = LAPIC | 0xe7;

	(void)state;
	at("ept", "flexpriority", BENCH_LONG64);
	STEP(apic_write(SVR, 0x1f0));
	for (unsigned n = 0; n < 3; n++) {
		CODE("\x83\x8b\xf0\0\0\0\x03"); /* or dword [rbx + 0xf0], 3 */
		STEP(apic_access(0, SVR));
		assert_int_equal(bench.v->lapic.svr, 0x1f3);
	}
	bench.v->lapic.svr = 0x1f0;
	bench_poke(BENCH_TABLES + 0x4000 + 503 * 8, &read_only, 8);
	CODE("\x83\x8b\xf0\0\0\0\x03");
	STEP(apic_access(0, SVR));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 3);
	assert_int_equal(bench.v->lapic.svr, 0x1f0);
	bench_poke(BENCH_TABLES + 0x4000 + 503 * 8, &writable, 8);
	finish();
}

/* The bytes at the address are others than those that were decoded, or do the other thing: nothing is believed. */
static void other_bytes(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	CODE("\x8b\x93\xf0\0\0\0"); /* mov edx, [ebx + 0xf0] */
	*bench_gpr(GPR_RDX) = *bench_gpr(GPR_RCX) = 0;
	STEP(apic_access(0, SVR));
	assert_int_equal(*bench_gpr(GPR_RDX), 0xff | bench.v->lapic.svr);
	assert_int_equal(*bench_gpr(GPR_RCX), 0);
	finish();
}

static void a_breakpoint_on_the_page(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	vmcs_put(VMCS_GUEST_DR7, 0x400 | 1 | 0xf << 16); /* DR0: 4 bytes, read or written */
	bench.v->saved_dr[0] = LAPIC + SVR;
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	assert_true(bench.entry.pending_debug & 1);
	finish();
}

/* It begins in the page before, where no memory is: the exit says 0 of it. */
static void an_operand_across_the_edge(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "flexpriority", BENCH_PAE);
		for (unsigned n = 0; n < 3; n++) {
			CODE("\x8b\x8b\xfe\xff\xff\xff"); /* mov ecx, [ebx - 2] */
			STEP(apic_access(0, 0));
			assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), 0xffff);
			assert_int_equal(bench.entry.rip, BENCH_CODE + 6);
		}
		finish();
	}
}

/* An event's delivery reached the page: it is delivered by the emulator, and not lost. */
static void the_delivery_of_an_event(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	mov_load(SVR);
	EXIT(.reason = EXIT_APIC_ACCESS, .qualification = 3u << 12 | SVR, .vectoring = EXTERNAL(0x51));
	/* There is no IDT: what the emulator finds is a fault of the guest's. */
	assert_true(bench.entry.event & EVENT_VALID);
	mov_load(SVR);
	EXIT(.reason = EXIT_APIC_ACCESS, .qualification = SVR, .vectoring = EXTERNAL(0x51));
	assert_true(bench.entry.event & EVENT_VALID);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_and_stores),
		cmocka_unit_test(other_instructions),
		cmocka_unit_test(wide_instructions),
		cmocka_unit_test(a_stack_in_the_page),
		cmocka_unit_test(a_change_of_a_read_only_page),
		cmocka_unit_test(other_bytes),
		cmocka_unit_test(a_breakpoint_on_the_page),
		cmocka_unit_test(an_operand_across_the_edge),
		cmocka_unit_test(the_delivery_of_an_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
