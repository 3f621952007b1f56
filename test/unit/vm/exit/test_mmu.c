/* EPT violations, misconfigurations and page faults (vm/exit/mmu.c), and the instructions that are emulated for them
 * (vm/exit/emulation.c). */
#include "lib/descriptor.h"
#include "test/unit/vm/fixture.h"

#define LAPIC LAPIC_DEFAULT_BASE
#define LAPIC_TPR 0x80
#define ABSENT 0x30000000u /* no memory, no device */

static const char *const shadows[] = { "shadow", "vtlb", "brute" };

#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

/* ---- memory ---- */

static void memory_is_mapped(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	STEP(violation(MMU_READ | GVA_KNOWN, BENCH_DATA));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	assert_int_equal(mmu_counters(&bench.vm[0]->mmu).ept_violations, 1);
	/* Again: nothing to do, and it is said. */
	STEP(violation(MMU_READ | GVA_KNOWN, BENCH_DATA));
	EXPECT_NOTHING();
	finish();
	for (unsigned m = 0; m < ARRAY_SIZE(shadows); m++) {
		at_mode(shadows[m], BENCH_LONG64, 0);
		STEP(page_fault(0, BENCH_DATA));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.rip, BENCH_CODE);
		STEP(page_fault(2, BENCH_DATA));
		EXPECT_NOTHING();
		/* The guest's own fault: its error code says what the guest's tables say. */
		STEP(page_fault(2, 0x40000000));
		EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2);
		assert_int_equal(read_cr2(), 0x40000000);
		finish();
	}
}

/* A user's write to a page that the guest has made read-only. */
static void the_guests_own_protection(void **state)
{
	static const uint32_t read_only = (BENCH_DATA & ~0xfffu) | 0x25;

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(shadows); m++) {
		at_mode(shadows[m], BENCH_PAGED32, 3);
		bench_poke(BENCH_TABLES + 0x1000 + (BENCH_DATA >> 12) * 4, &read_only, 4);
		STEP(page_fault(6, BENCH_DATA));
		EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 7);
		finish();
	}
}

/* ---- devices ---- */

static enum bench_at touch(const char *mmu, bool write, uint64_t address)
{
	if (!strcmp(mmu, "ept"))
		return violation((write ? MMU_WRITE : MMU_READ) | GVA_KNOWN, address);
	return page_fault(write ? 2 : 0, address);
}

static void device_memory_is_emulated(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at_mode(mechanisms[m], BENCH_PAE, 0);
		*bench_gpr(GPR_RAX) = 0x30;
		*bench_gpr(GPR_RBX) = LAPIC + LAPIC_TPR;
		CODE("\x89\x03"); /* mov [ebx], eax */
		STEP(touch(mechanisms[m], true, LAPIC + LAPIC_TPR));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.rip, BENCH_CODE + 2);
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x30);
		CODE("\x8b\x0b"); /* mov ecx, [ebx] */
		*bench_gpr(GPR_RCX) = ~0ull;
		STEP(touch(mechanisms[m], false, LAPIC + LAPIC_TPR));
		assert_int_equal(*bench_gpr(GPR_RCX), 0x30);
		finish();
	}
}

/* A device's page that was accessed before is known by its leaf, and then without a look at it; in every mode. */
static void a_known_device_page(void **state)
{
	static const enum bench_mode modes[] = { BENCH_PROT32, BENCH_PAGED32, BENCH_PAE, BENCH_LONG64 };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
		at_mode("ept", modes[m], 0);
		*bench_gpr(GPR_RBX) = LAPIC;
		for (unsigned n = 0; n < 4; n++) {
			*bench_gpr(GPR_RAX) = 0x10 * n;
			CODE("\x89\x83\x80\0\0\0"); /* mov [rbx + 0x80], eax */
			STEP(n ? misconfig(LAPIC + LAPIC_TPR) : violation(MMU_WRITE | GVA_KNOWN, LAPIC + LAPIC_TPR));
			EXPECT_NOTHING();
			assert_int_equal(bench.entry.rip, BENCH_CODE + 6);
			assert_int_equal(lapic_tpr(&bench.v->lapic), 0x10 * n);
			assert_int_equal(mmu_counters(&bench.vm[0]->mmu).ept_misconfigs, n);
		}
		assert_int_equal(mmu_counters(&bench.vm[0]->mmu).ept_violations, 1);
		finish();
	}
}

/* After a change of the slots nothing is known of it (S14): the leaf goes, and the access is looked at again. */
static void a_known_device_page_of_old(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	*bench_gpr(GPR_RBX) = LAPIC;
	CODE("\x8b\x83\x80\0\0\0"); /* mov eax, [rbx + 0x80] */
	STEP(violation(MMU_READ | GVA_KNOWN, LAPIC + LAPIC_TPR));
	STEP(misconfig(LAPIC + LAPIC_TPR));
	CODE("\x8b\x83\x80\0\0\0");
	bench.vm[0]->mmu.slots.generation++;
	STEP(misconfig(LAPIC + LAPIC_TPR));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	STEP(violation(MMU_READ | GVA_KNOWN, LAPIC + LAPIC_TPR));
	assert_int_equal(bench.entry.rip, BENCH_CODE + 6);
	finish();
}

/* SDM, "PDPTE Registers": MOV to CR3 and to CR4 may have found a device's page where the pointers should be. That is
 * no access for the emulator; the violation that follows tells. */
static void pdptes_in_a_known_device_page(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		at_mode("ept", BENCH_PAE, 0);
		*bench_gpr(GPR_RBX) = LAPIC;
		CODE("\x8b\x83\x80\0\0\0"); /* mov eax, [ebx + 0x80] */
		STEP(violation(MMU_READ | GVA_KNOWN, LAPIC + LAPIC_TPR));
		STEP(misconfig(LAPIC + LAPIC_TPR));
		if (n == 0) {
			*bench_gpr(GPR_RDX) = LAPIC + 0x20;
			CODE("\x0f\x22\xda"); /* mov cr3, edx */
		} else {
			vmcs_put(VMCS_GUEST_CR3, LAPIC + 0x20);
			CODE("\x0f\x22\xe2"); /* mov cr4, edx */
		}
		STEP(misconfig(LAPIC + 0x28));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.rip, BENCH_CODE);
		STEP(violation(MMU_READ, LAPIC + 0x28));
		EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_GP), 0);
		finish();
	}
}

static void absent_memory_reads_as_ones(void **state)
{
	(void)state;
	start();
	assert_true(bench_mode(BENCH_PROT32, 0));
	*bench_gpr(GPR_RBX) = ABSENT;
	*bench_gpr(GPR_RAX) = 0;
	CODE("\x8b\x03"); /* mov eax, [ebx] */
	STEP(violation(MMU_READ | GVA_KNOWN, ABSENT));
	EXPECT_NOTHING();
	assert_int_equal(*bench_gpr(GPR_RAX), 0xffffffff);
	CODE("\xf0\x0f\xb1\x03"); /* lock cmpxchg [ebx], eax */
	STEP(violation(MMU_WRITE | GVA_KNOWN, ABSENT));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE + 4);
	finish();
}

static void code_where_no_memory_is(void **state)
{
	(void)state;
	start();
	assert_true(bench_mode(BENCH_PROT32, 0));
	vmcs_put(VMCS_GUEST_RIP, ABSENT);
	STEP(violation(MMU_FETCH | GVA_KNOWN, ABSENT)); /* all ones are no instruction */
	EXPECT_UD();
	finish();
}

/* A write through the guest's read-only mapping of a device page faults, even where a read has told the translation. */
static void read_only_device_page(void **state)
{
	static const uint64_t read_only = LAPIC | 0xe5;

	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	bench_poke(BENCH_TABLES + 0x4000 + 503 * 8, &read_only, 8);
	*bench_gpr(GPR_RBX) = LAPIC + LAPIC_TPR;
	*bench_gpr(GPR_RAX) = 0x30;
	CODE("\x01\x03"); /* add [rbx], eax: the read exits first */
	STEP(violation(MMU_READ | GVA_KNOWN, LAPIC + LAPIC_TPR));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 3);
	assert_int_equal(read_cr2(), LAPIC + LAPIC_TPR);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

/* ---- what an emulated instruction leaves ---- */

static void single_step_of_an_emulated_instruction(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	*bench_gpr(GPR_RBX) = LAPIC + LAPIC_TPR;
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
	CODE("\x89\x03");
	STEP(violation(MMU_WRITE | GVA_KNOWN, LAPIC + LAPIC_TPR));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.pending_debug, PENDING_DEBUG_BS);
	/* After MOV SS the trap of MOV SS is lost, that of the instruction is not. */
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_MOV_SS);
	CODE("\x89\x03");
	STEP(violation(MMU_WRITE | GVA_KNOWN, LAPIC + LAPIC_TPR));
	assert_int_equal(bench.entry.pending_debug, PENDING_DEBUG_BS);
	assert_int_equal(bench.entry.interruptibility, 0);
	finish();
}

/* MOV SS out of device memory blocks, and under single-step its own trap waits for the next instruction. */
static void an_emulated_mov_ss(void **state)
{
	(void)state;
	for (unsigned steps = 0; steps < 2; steps++) {
		at_mode("ept", BENCH_PAE, 0);
		/* The TPR holds the selector. */
		STEP(bench_mov_to_cr(8, BENCH_DATA0 >> 4));
		*bench_gpr(GPR_RBX) = LAPIC + LAPIC_TPR;
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | (steps ? RFLAGS_TF : 0));
		CODE("\x8e\x13"); /* mov ss, [ebx] */
		STEP(violation(MMU_READ | GVA_KNOWN, LAPIC + LAPIC_TPR));
		EXPECT_NOTHING();
		assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_SS), BENCH_DATA0);
		assert_int_equal(bench.entry.interruptibility, BLOCKING_MOV_SS);
		assert_int_equal(bench.entry.pending_debug, steps ? PENDING_DEBUG_BS : 0);
		finish();
	}
}

static void rip_wraps_after_an_emulated_instruction(void **state)
{
	(void)state;
	start();
	assert_true(bench_mode(BENCH_PROT16, 0));
	*bench_gpr(GPR_RBX) = LAPIC + LAPIC_TPR;
	/* At the end of the 4 GiB, by way of a base. */
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_CS, BENCH_CODE + 4);
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_CS, 0xffffffff);
	vmcs_put(VMCS_GUEST_ES_ACCESS + 2 * SEG_CS, SEGMENT_FLAT_CODE32);
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_DS, 0xffffffff);
	vmcs_put(VMCS_GUEST_ES_ACCESS + 2 * SEG_DS, SEGMENT_FLAT_DATA);
	bench_poke(BENCH_CODE + 2, "\x89\x03", 2);
	vmcs_put(VMCS_GUEST_RIP, 0xfffffffe);
	STEP(violation(MMU_WRITE | GVA_KNOWN, LAPIC + LAPIC_TPR));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, 0);
	finish();
}

/* ---- delivery of events ---- */

static void delivery_that_needs_memory(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = MMU_WRITE | GVA_KNOWN, .gpa = BENCH_STACK - 8,
	     .gva = BENCH_STACK - 8, .vectoring = INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80), .length = 2);
	EXPECT_EVENT(INFO(EVENT_TYPE_SOFTWARE_INTERRUPT, 0x80), 0);
	assert_int_equal(bench.entry.length, 2);
	finish();
}

/* A gate for #UD, to code at BENCH_CODE. */
static void with_a_gate(void)
{
	uint64_t gate = gate_pack(BENCH_CODE, BENCH_CODE0, GATE_INTERRUPT);

	bench_poke(BENCH_DATA + 0x800 + 6 * 8, &gate, 8);
	vmcs_put(VMCS_GUEST_IDTR_BASE, BENCH_DATA + 0x800);
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0x7f);
	vmcs_put(VMCS_GUEST_RIP, 0x1234);
}

/* A stack in a device's memory: the frame is written there by hand, which a local APIC ignores. */
static void delivery_to_a_device(void **state)
{
	(void)state;
	at_mode("ept", BENCH_PROT32, 0);
	with_a_gate();
	vmcs_put(VMCS_GUEST_RSP, LAPIC + 0x20);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = MMU_WRITE | GVA_KNOWN,
	     .gpa = LAPIC + 0x1c, .gva = LAPIC + 0x1c,
	     .vectoring = EXCEPTION(VECTOR_UD));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), LAPIC + 0x20 - 12);
	assert_int_equal(bench.entry.interruptibility, 0);
	finish();
	/* Without a gate for it, it becomes what the CPU would make of it: #GP, whose delivery is the CPU's again. */
	at_mode("ept", BENCH_PROT32, 0);
	vmcs_put(VMCS_GUEST_IDTR_LIMIT, 0);
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = MMU_WRITE | GVA_KNOWN,
	     .gpa = LAPIC + 0x1c, .gva = LAPIC + 0x1c,
	     .vectoring = EXCEPTION(VECTOR_UD));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_GP), 0x33);
	finish();
}

/* The same where the page is known. */
static void delivery_to_a_known_device_page(void **state)
{
	(void)state;
	at_mode("ept", BENCH_PROT32, 0);
	*bench_gpr(GPR_RBX) = LAPIC;
	CODE("\x8b\x83\x80\0\0\0");
	STEP(violation(MMU_READ | GVA_KNOWN, LAPIC + LAPIC_TPR));
	STEP(misconfig(LAPIC + LAPIC_TPR));
	with_a_gate();
	vmcs_put(VMCS_GUEST_RSP, LAPIC + 0x20);
	EXIT(.reason = EXIT_EPT_MISCONFIG, .gpa = LAPIC + 0x1c, .vectoring = EXCEPTION(VECTOR_UD));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

/* SDM, "Information About NMI Unblocking Due to IRET": an IRET that faults has unblocked NMIs; it is executed
 * again. */
static void nmi_blocking_by_iret(void **state)
{
	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	STEP(violation(MMU_READ | GVA_KNOWN | VIOLATION_NMI_UNBLOCKED, BENCH_STACK));
	assert_int_equal(bench.entry.interruptibility, BLOCKING_NMI);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, 0);
	/* Not where an event was being delivered: the bit means nothing then. */
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = MMU_READ | GVA_KNOWN | VIOLATION_NMI_UNBLOCKED,
	     .gpa = BENCH_STACK,
	     .gva = BENCH_STACK, .vectoring = EXCEPTION(VECTOR_UD));
	assert_int_equal(bench.entry.interruptibility, 0);
	finish();
	for (unsigned m = 0; m < ARRAY_SIZE(shadows); m++) {
		at_mode(shadows[m], BENCH_PAGED32, 0);
		EXIT(PAGE_FAULT_EXIT | (uint32_t)EVENT_NMI_UNBLOCKED,
		     .qualification = BENCH_STACK);
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.interruptibility, BLOCKING_NMI);
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, 0);
		/* The guest's own fault: its handler runs with NMIs as IRET left them. */
		EXIT(PAGE_FAULT_EXIT | (uint32_t)EVENT_NMI_UNBLOCKED,
		     .qualification = 0x800000);
		EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 0);
		assert_int_equal(bench.entry.interruptibility, 0);
		finish();
	}
}

/* Delivery of an event whose stack is in a page table that is write-protected: the frame is written as the guest's
 * writes to tables are. */
static void delivery_onto_a_page_table(void **state)
{
	uint32_t frame[3];

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(shadows); m++) {
		at_mode(shadows[m], BENCH_PAGED32, 0);
		with_a_gate();
		STEP(page_fault(0, BENCH_DATA)); /* its tables are shadowed from here on */
		vmcs_put(VMCS_GUEST_RSP, BENCH_TABLES + 0x2000);
		EXIT(PAGE_FAULT_EXIT, .error = 3,
		     .qualification = BENCH_TABLES + 0x1ffc, .vectoring = EXCEPTION(VECTOR_UD));
		if (bench.entry.event == 0) {
			bench_peek(BENCH_TABLES + 0x2000 - sizeof(frame), frame, sizeof(frame));
			assert_int_equal(frame[0], 0x1234);
			assert_int_equal(frame[1], BENCH_CODE0);
			assert_int_equal(bench.entry.rip, BENCH_CODE);
		} else {
			EXPECT_EVENT(EXCEPTION(VECTOR_UD), 0); /* nothing is protected there: the CPU goes on */
		}
		finish();
	}
}

/* INVVPID and INVEPT that the CPU refuses stop nobody. */
static void invalidations_that_fail(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(shadows); m++) {
		at_mode(shadows[m], BENCH_PAGED32, 0);
		bench.invalidations_fail = true;
		STEP(page_fault(0, BENCH_DATA));
		EXIT(.reason = EXIT_INVLPG, .length = 3, .qualification = BENCH_DATA);
		STEP(bench_mov_to_cr(3, BENCH_TABLES));
		STEP(page_fault(2, BENCH_DATA));
		bench.invalidations_fail = false;
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_mapped),
		cmocka_unit_test(the_guests_own_protection),
		cmocka_unit_test(device_memory_is_emulated),
		cmocka_unit_test(a_known_device_page),
		cmocka_unit_test(a_known_device_page_of_old),
		cmocka_unit_test(pdptes_in_a_known_device_page),
		cmocka_unit_test(delivery_to_a_known_device_page),
		cmocka_unit_test(absent_memory_reads_as_ones),
		cmocka_unit_test(code_where_no_memory_is),
		cmocka_unit_test(read_only_device_page),
		cmocka_unit_test(single_step_of_an_emulated_instruction),
		cmocka_unit_test(an_emulated_mov_ss),
		cmocka_unit_test(rip_wraps_after_an_emulated_instruction),
		cmocka_unit_test(delivery_that_needs_memory),
		cmocka_unit_test(delivery_to_a_device),
		cmocka_unit_test(nmi_blocking_by_iret),
		cmocka_unit_test(delivery_onto_a_page_table),
		cmocka_unit_test(invalidations_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
