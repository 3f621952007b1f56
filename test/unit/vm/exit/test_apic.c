/* Registers of the local APIC that the CPU does not serve itself under flexpriority (vm/exit/apic.c). */
#include "test/unit/vm/lapic.h"

static void behind_6_bytes(void)
{
	assert_int_equal(bench.entry.rip, BENCH_CODE + 6);
	assert_int_equal(bench.entry.rflags, RFLAGS_FIXED);
}

static void loads_and_stores(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(lapic_mechanisms); m++) {
		at(lapic_mechanisms[m], "flexpriority", BENCH_PAE);
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

static uint32_t stacked(unsigned below)
{
	uint32_t value;

	bench_peek(BENCH_STACK - below, &value, 4);
	return value;
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
		cmocka_unit_test(other_bytes),
		cmocka_unit_test(a_breakpoint_on_the_page),
		cmocka_unit_test(the_delivery_of_an_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
