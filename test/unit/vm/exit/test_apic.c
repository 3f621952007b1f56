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

/* It begins in the page before, where no memory is: the exit says 0 of it. */
static void an_operand_across_the_edge(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(lapic_mechanisms); m++) {
		at(lapic_mechanisms[m], "flexpriority", BENCH_PAE);
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

/* ---- by trap ---- */

/* Loads and stores, each decoded once and known from then on; reads and writes in turn. */
static void trapped(void **state)
{
	static const enum bench_mode modes[] = { BENCH_PROT32, BENCH_PAGED32, BENCH_PAE, BENCH_LONG64 };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
		at("ept", "trap", modes[m]);
		STEP(apic_write(TPR, 0x10));
		for (unsigned n = 0; n < 4; n++) {
			mov_store(TPR, 0x20 + n);
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
			STEP(misconfig(LAPIC + TPR));
			EXPECT_NOTHING();
			behind_6_bytes();
			assert_int_equal(lapic_tpr(&bench.v->lapic), 0x20 + n);
			mov_load(TPR);
			STEP(misconfig(LAPIC + TPR));
			assert_int_equal(*bench_gpr(GPR_RCX), 0x20 + n);
			behind_6_bytes();
		}
		assert_int_equal(bench.v->lapic.tpr_count.writes, 5);
		assert_int_equal(bench.v->lapic.tpr_count.reads, 4);
		assert_int_equal(bench.vm[0]->mmu.counters.ept_misconfigs, 8);
		finish();
	}
}

static const char *const shadows[] = { "shadow", "vtlb", "brute" };

/* By a page fault: the first makes the leaf, the second is answered by it, the others by the instruction. */
static void trapped_by_reserved_bits(void **state)
{
	static const enum bench_mode modes[] = { BENCH_PAGED32, BENCH_PAE, BENCH_LONG64 };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(modes) * ARRAY_SIZE(shadows); m++) {
		at(shadows[m / ARRAY_SIZE(modes)], "trap", modes[m % ARRAY_SIZE(modes)]);
		mov_store(TPR, 0x10);
		STEP(page_fault(PFERR_W, LAPIC + TPR));
		for (unsigned n = 0; n < 4; n++) {
			mov_store(TPR, 0x20 + n);
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
			STEP(page_fault(PFERR_P | PFERR_RSVD | PFERR_W, LAPIC + TPR));
			EXPECT_NOTHING();
			behind_6_bytes();
			assert_int_equal(lapic_tpr(&bench.v->lapic), 0x20 + n);
			mov_load(TPR);
			STEP(page_fault(PFERR_P | PFERR_RSVD, LAPIC + TPR));
			assert_int_equal(*bench_gpr(GPR_RCX), 0x20 + n);
			behind_6_bytes();
		}
		assert_int_equal(bench.v->lapic.tpr_count.writes, 5);
		assert_int_equal(bench.v->lapic.tpr_count.reads, 4);
		assert_int_equal(bench.vm[0]->mmu.counters.faults, 9);
		assert_int_equal(bench.vm[0]->mmu.counters.outcome_emulate, 9);
		finish();
	}
}

static void meet_the_page(void)
{
	at("shadow", "trap", BENCH_PAE);
	for (unsigned n = 0; n < 3; n++) {
		mov_load(TPR);
		STEP(page_fault(n ? PFERR_P | PFERR_RSVD : 0, LAPIC + TPR));
		behind_6_bytes();
	}
}

/* The memory map is another: the heart is asked, and finds the leaf out of date. */
static void the_page_is_memory_now(void **state)
{
	(void)state;
	meet_the_page();
	bench.vm[0]->mmu.slots.generation++;
	mov_load(TPR);
	STEP(page_fault(PFERR_P | PFERR_RSVD, LAPIC + TPR));
	assert_int_equal(bench.vm[0]->mmu.counters.mmio_stale, 1);
	finish();
}

/* An event's delivery reached the page: it is not lost, and the instruction at RIP not executed. */
static void delivery_that_meets_the_page(void **state)
{
	(void)state;
	meet_the_page();
	mov_load(TPR);
	EXIT(PAGE_FAULT_EXIT, .error = PFERR_P | PFERR_RSVD, .qualification = LAPIC + TPR, .vectoring = EXTERNAL(0x51));
	assert_true(bench.entry.event & EVENT_VALID);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

/* The guest's tables themselves have reserved bits: a page fault of its own. */
static void reserved_bits_of_the_guests(void **state)
{
	(void)state;
	meet_the_page();
	*bench_gpr(GPR_RBX) = BENCH_DATA;
	mov_load(TPR);
	STEP(page_fault(PFERR_P | PFERR_RSVD, BENCH_DATA + TPR));
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

/* A segment with a base, and an address by RSP. */
static void trapped_by_other_operands(void **state)
{
	struct segment_state fs;

	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x10));
	fs = hvm_segment(&bench.v->hvm, SEG_DS);
	fs.base = LAPIC - 0x1000;
	hvm_set_segment(&bench.v->hvm, SEG_FS, &fs);
	for (unsigned n = 0; n < 2; n++) {
		CODE("\x64\xa3\x80\x10\0\0"); /* mov fs:[0x1080], eax */
		*bench_gpr(GPR_RAX) = 0x30 + n;
		STEP(misconfig(LAPIC + TPR));
		behind_6_bytes();
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x30 + n);
	}
	vmcs_put(VMCS_GUEST_RSP, LAPIC + 0x70);
	for (unsigned n = 0; n < 2; n++) {
		CODE("\x8b\x4c\x24\x10"); /* mov ecx, [esp + 0x10] */
		STEP(misconfig(LAPIC + TPR));
		assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), 0x31);
	}
	finish();
}

/* It was a table of the guest's that lies in the page: the operand is elsewhere. */
static void a_walk_through_the_page(void **state)
{
	uint32_t found;

	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x10));
	*bench_gpr(GPR_RBX) = BENCH_DATA;
	mov_store(TPR, 0x50);
	STEP(misconfig(LAPIC + TPR));
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x10);
	bench_peek(BENCH_DATA + TPR, &found, 4);
	assert_int_equal(found, 0x50);
	finish();
}

#define IOAPIC 0xfec00000u

static void the_page_of_another_device(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x10));
	*bench_gpr(GPR_RBX) = IOAPIC;
	for (unsigned n = 0; n < 2; n++) {
		mov_store(TPR, 0x50);
		STEP(bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN,
						      .gpa = IOAPIC + TPR, .gva = IOAPIC + TPR }));
		mov_store(TPR, 0x50);
		STEP(misconfig(IOAPIC + TPR));
		behind_6_bytes();
	}
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x10);
	finish();
}

/* The I/O APIC's version and a redirection entry, by the emulator and without it. */
static void registers_of_another_device(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_LONG64);
	*bench_gpr(GPR_RBX) = IOAPIC;
	mov_store(0, 1);
	STEP(bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN,
					      .gpa = IOAPIC, .gva = IOAPIC }));
	for (unsigned n = 0; n < 3; n++) {
		mov_load(0x10);
		*bench_gpr(GPR_RCX) = ~0ull;
		STEP(misconfig(IOAPIC + 0x10));
		assert_int_equal(*bench_gpr(GPR_RCX), 0x170020);
		behind_6_bytes();
	}
	mov_store(0, 0x10);
	STEP(misconfig(IOAPIC));
	for (unsigned n = 0; n < 3; n++) {
		mov_store(0x10, 0x10030 + n);
		STEP(misconfig(IOAPIC + 0x10));
		assert_int_equal((uint32_t)bench.vm[0]->ioapic.redirection[0], 0x10030 + n);
	}
	finish();
}

/* There is nobody in its page then. */
static void trapped_while_disabled(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x10));
	for (unsigned n = 0; n < 2; n++) {
		mov_load(SVR);
		STEP(misconfig(LAPIC + SVR));
		assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), bench.v->lapic.svr);
	}
	STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC | APIC_BASE_BSP));
	mov_load(SVR);
	STEP(misconfig(LAPIC + SVR));
	assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), 0xffffffff);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_and_stores),
		cmocka_unit_test(other_instructions),
		cmocka_unit_test(other_bytes),
		cmocka_unit_test(a_breakpoint_on_the_page),
		cmocka_unit_test(an_operand_across_the_edge),
		cmocka_unit_test(the_delivery_of_an_event),
		cmocka_unit_test(trapped),
		cmocka_unit_test(trapped_by_reserved_bits),
		cmocka_unit_test(the_page_is_memory_now),
		cmocka_unit_test(delivery_that_meets_the_page),
		cmocka_unit_test(reserved_bits_of_the_guests),
		cmocka_unit_test(trapped_by_other_operands),
		cmocka_unit_test(a_walk_through_the_page),
		cmocka_unit_test(the_page_of_another_device),
		cmocka_unit_test(registers_of_another_device),
		cmocka_unit_test(trapped_while_disabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
