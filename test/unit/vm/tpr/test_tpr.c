/* The TPR by trap, by patching, by flexpriority and by apicv (vm/tpr/tpr.c): who serves which access, when one comes,
 * and what becomes of it when the local APIC moves or the method changes. Each entry is held against TP3 by the
 * bench. */
#include "test/unit/vm/tpr/lapic.h"

#include "host/device/console.h"
#include "host/trap/interrupt.h"
#include "vmx/bitmaps.h"

/* ---- which, and with what ---- */

#define DELIVERY (PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS)

static void controls(void **state)
{
	static const char *const methods[] = { "flexpriority", "apicv", "auto" },
				 *const said[] = { "test0: tpr flexpriority, as asked for",
						   "test0: tpr apicv, as asked for",
						   "test0: tpr apicv, the best there is" };

	(void)state;
	at("ept", "trap", BENCH_LONG64);
	assert_false(vmcs_get(VMCS_PROC_CONTROLS) & PROC_TPR_SHADOW);
	assert_true(vmcs_get(VMCS_PROC_CONTROLS) & PROC_CR8_LOAD);
	assert_true(vmcs_get(VMCS_PROC_CONTROLS) & PROC_CR8_STORE);
	assert_false(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_APIC_ACCESS);
	finish();
	for (unsigned n = 0; n < 3; n++) {
		at("ept", methods[n], BENCH_LONG64);
		assert_int_equal(vmcs_get(VMCS_PROC_CONTROLS) & (PROC_TPR_SHADOW | PROC_CR8_LOAD | PROC_CR8_STORE),
				 PROC_TPR_SHADOW);
		assert_true(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_APIC_ACCESS);
		assert_int_equal(vmcs_get(VMCS_PROC_CONTROLS2) & DELIVERY, n ? DELIVERY : 0);
		assert_ptr_equal(host_memory(vmcs_get(VMCS_VIRTUAL_APIC_ADDRESS), PAGE_SIZE), bench.v->apic_registers);
		assert_int_equal(vmcs_get(VMCS_APIC_ACCESS_ADDRESS), hfn_hpa(bench.vm[0]->tpr.frame.hfn).v);
		assert_non_null(strstr(bench_log(), said[n]));
		finish();
	}
}

/* ---- when an interrupt comes ---- */

/* Interrupts are on, and the TPR holds back one of class 5. */
static void hold_back(const char *mmu)
{
	at(mmu, "flexpriority", BENCH_PAE);
	interrupts_on();
	STEP(bench_write_tpr(0x80));
	self_ipi(0x51);
}

/* The TPR holds one back: the threshold is its class, and only a write below it exits. */
static void the_threshold(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		hold_back(mechanisms[m]);
		EXPECT_NOTHING();
		assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 5);
		assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
		bench.entries = 0;
		STEP(bench_write_tpr(0xf0));
		STEP(bench_write_tpr(0x50));
		STEP(bench_write_tpr(0x5f));
		assert_int_equal(bench.entries, 0);
		STEP(bench_write_tpr(0x4f));
		assert_int_equal(bench.entries, 1);
		EXPECT_EVENT(EXTERNAL(0x51), 0);
		assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 0);
		finish();
	}
}

/* What is in service holds back, not the TPR: no threshold, and the EOI brings it. */
static void in_service(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	interrupts_on();
	self_ipi(0x61);
	EXPECT_EVENT(EXTERNAL(0x61), 0);
	STEP(bench_write_tpr(0x70));
	self_ipi(0x55);
	EXPECT_NOTHING();
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 0);
	self_ipi(0x75);
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 7);
	STEP(apic_write(EOI, 0));
	EXPECT_NOTHING();
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 7);
	STEP(bench_write_tpr(0));
	EXPECT_EVENT(EXTERNAL(0x75), 0);
	STEP(apic_write(EOI, 0));
	EXPECT_EVENT(EXTERNAL(0x55), 0);
	finish();
}

/* One of the 8259 waits for its window, in which all is looked at: no threshold until then, however low the TPR. */
static void beside_the_8259(void **state)
{
	(void)state;
	hold_back("ept");
	STEP(apic_write(APIC_LVT_LINT0, APIC_EXTINT << 8));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	lapic_set_lint(&bench.v->lapic, 0, true);
	STEP(bench_interrupt(VECTOR_KICK));
	EXPECT_NOTHING();
	assert_true(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 0);
	bench.entries = 0;
	STEP(bench_write_tpr(0x20));
	assert_int_equal(bench.entries, 0);
	STEP(bench_write_tpr(0x60));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_exit_simple(EXIT_INTERRUPT_WINDOW, 0));
	EXPECT_EVENT(EXTERNAL(0x0f), 0); /* nobody asks the 8259 any more: its spurious one */
	lapic_set_lint(&bench.v->lapic, 0, false);
	bench.entry.event = 0;
	STEP(bench_exit_simple(EXIT_INTERRUPT_WINDOW, 0));
	EXPECT_NOTHING();
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 5);
	STEP(bench_write_tpr(0x20));
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	finish();
}

/* Behind STI it is the lowering itself that ends the blocking. */
static void lowered_behind_sti(void **state)
{
	static const uint64_t blocking[] = { BLOCKING_STI, BLOCKING_MOV_SS };

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(blocking); n++) {
		at("ept", "flexpriority", BENCH_LONG64);
		interrupts_on();
		STEP(bench_write_tpr(0x80));
		self_ipi(0x51);
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, blocking[n]);
		STEP(bench_mov_to_cr(8, 4));
		EXPECT_EVENT(EXTERNAL(0x51), 0);
		finish();
	}
}

/* CR8 is the same register; a program that halts with a TPR that holds back does not wake. */
static void cr8_and_halt(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_LONG64);
	interrupts_on();
	bench.entries = 0;
	STEP(bench_mov_to_cr(8, 9));
	assert_int_equal(bench.entries, 0);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x90);
	self_ipi(0x91);
	EXPECT_NOTHING();
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	finish();
}

/* ---- where it is ---- */

static enum slot_kind kind_at(uint64_t gpa)
{
	const struct slot *s = slots_find(&bench.vm[0]->mmu.slots, gpa_gfn(GPA(gpa)));

	return s ? s->kind : SLOT_RAM;
}

static void apic_base(uint64_t value) { STEP(bench_wrmsr(MSR_APIC_BASE, value)); }

/* The guest has used the page, so that there is something to take away. */
static void use(const char *mmu, uint64_t gpa)
{
	if (!strcmp(mmu, "ept"))
		EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN, .gpa = gpa, .gva = gpa);
	else
		EXIT(PAGE_FAULT_EXIT, .error = 2, .qualification = gpa);
}

static void moved(const char *mmu)
{
	unsigned flushes;

	at(mmu, "flexpriority", BENCH_PAE);
	use(mmu, LAPIC + ID);
	assert_int_equal(kind_at(LAPIC), SLOT_APIC);
	flushes = bench.invepts + bench.invvpids;
	apic_base(ELSEWHERE | APIC_ON);
	assert_true(bench.invepts + bench.invvpids > flushes); /* TP1 */
	assert_int_equal(kind_at(LAPIC), SLOT_MMIO);
	assert_int_equal(kind_at(ELSEWHERE), SLOT_APIC);
	assert_true(audits());
	*bench_gpr(GPR_RBX) = ELSEWHERE;
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	assert_int_equal(*bench_gpr(GPR_RCX), bench.v->lapic.svr);
	/* In the middle of RAM it is not seen, as without. */
	apic_base(BENCH_DATA | APIC_ON);
	assert_int_equal(kind_at(BENCH_DATA), SLOT_RAM);
	assert_int_equal(kind_at(ELSEWHERE), SLOT_RAM);
	apic_base(LAPIC | APIC_ON);
	assert_int_equal(kind_at(LAPIC), SLOT_APIC);
	/* Disabled, and in x2APIC mode, no page answers. */
	apic_base(LAPIC | APIC_BASE_BSP);
	assert_int_equal(kind_at(LAPIC), SLOT_MMIO);
	apic_base(LAPIC | APIC_ON);
	assert_int_equal(kind_at(LAPIC), SLOT_APIC);
	apic_base(LAPIC | APIC_ON | APIC_BASE_EXTD);
	assert_int_equal(kind_at(LAPIC), SLOT_MMIO);
	assert_true(audits());
	finish();
}

static void the_local_apic_moves(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++)
		moved(mechanisms[m]);
}

/* In x2APIC mode the TPR is an MSR, which the CPU serves where it can, and only for a guest in that mode. */
static void x2apic_mode(void **state)
{
	uint64_t bitmap;

	(void)state;
	at("ept", "flexpriority", BENCH_LONG64);
	bitmap = vmcs_get(VMCS_MSR_BITMAP);
	assert_false(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_X2APIC);
	apic_base(LAPIC | APIC_ON | APIC_BASE_EXTD);
	assert_int_equal(vmcs_get(VMCS_PROC_CONTROLS2) & (PROC2_X2APIC | PROC2_APIC_ACCESS), PROC2_X2APIC);
	assert_int_equal(vmcs_get(VMCS_MSR_BITMAP), (uintptr_t)vmx_msr_bitmap_x2apic);
	STEP(bench_wrmsr(MSR_X2APIC(SVR), SVR_ENABLED | 0xff));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_write_tpr(0x80));
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x51));
	EXPECT_NOTHING();
	STEP(bench_write_tpr(0x40));
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	apic_base(LAPIC | APIC_BASE_BSP);
	apic_base(LAPIC | APIC_ON);
	assert_int_equal(vmcs_get(VMCS_PROC_CONTROLS2) & (PROC2_X2APIC | PROC2_APIC_ACCESS), PROC2_APIC_ACCESS);
	assert_int_equal(vmcs_get(VMCS_MSR_BITMAP), bitmap);
	assert_int_equal(kind_at(LAPIC), SLOT_APIC);
	finish();
}

static uint64_t without_x2apic(uint32_t msr, uint64_t value)
{
	return msr == MSR_VMX_PROCBASED_CTLS2 ? value & ~((uint64_t)PROC2_X2APIC << 32) : value;
}

/* A CPU that cannot serve the MSR: it exits as before. */
static void x2apic_mode_without(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .tpr = "auto", .msr = without_x2apic });
	assert_true(bench_mode(BENCH_LONG64, 0));
	assert_true(apicv());
	apic_base(LAPIC | APIC_ON | APIC_BASE_EXTD);
	assert_int_equal(vmcs_get(VMCS_PROC_CONTROLS2) & (PROC2_X2APIC | PROC2_APIC_ACCESS), PROC2_APIC_ACCESS);
	STEP(bench_wrmsr(MSR_X2APIC(TPR), 0x30));
	assert_int_equal(bench.v->apic_registers[TPR], 0x30);
	finish();
}

/* Disabled with an interrupt waiting: neither that nor its threshold is left. */
static void disabled_while_one_waits(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	interrupts_on();
	STEP(bench_write_tpr(0x80));
	self_ipi(0x51);
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 5);
	apic_base(LAPIC | APIC_BASE_BSP);
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 0);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0);
	finish();
}

/* The frame is the guest's to read and write through the CPU, never to execute. */
static void a_fetch_from_the_page(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "flexpriority", BENCH_PAE);
		use(mechanisms[m], LAPIC + ID);
		assert_true(audits());
		vmcs_put(VMCS_GUEST_RIP, LAPIC + ID);
		if (m)
			EXIT(PAGE_FAULT_EXIT, .error = PFERR_P | PFERR_I,
			     .qualification = LAPIC + ID);
		else
			EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = MMU_FETCH | GVA_KNOWN, .gpa = LAPIC + ID,
			     .gva = LAPIC + ID);
		EXPECT_UD();
		finish();
	}
}

/* ---- another method ---- */

static void changed_while_it_runs(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		hold_back(mechanisms[m]);
		use(mechanisms[m], LAPIC + ID);
		STEP(ask("t1 tpr 0 trap\n"));
		assert_non_null(strstr(bench_log(), "done t1 ok\n"));
		assert_int_equal(kind_at(LAPIC), SLOT_MMIO);
		assert_false(vmcs_get(VMCS_PROC_CONTROLS) & PROC_TPR_SHADOW);
		assert_false(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_APIC_ACCESS);
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x80);
		assert_true(audits());
		STEP(ask("t2 tpr 0 flexpriority\n"));
		assert_int_equal(kind_at(LAPIC), SLOT_APIC);
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x80);
		assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 5);
		STEP(bench_write_tpr(0x40));
		EXPECT_EVENT(EXTERNAL(0x51), 0);
		STEP(ask("t3 tpr 0 patch-it\n"));
		assert_non_null(strstr(bench_log(), "done t3 error test0 stays with tpr flexpriority; patch-it cannot "
						    "be used: there is no such method"));
		finish();
	}
}

/* The accesses that the hypervisor made. */
static void counted(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_LONG64);
	STEP(apic_write(TPR, 0x10));
	STEP(bench_mov_to_cr(8, 3));
	assert_int_equal(stats_tpr(bench.vm[0]).writes, 2);
	mov_load(TPR);
	EXIT(.reason = EXIT_EPT_MISCONFIG, .gpa = LAPIC + TPR);
	assert_int_equal(stats_tpr(bench.vm[0]).reads, 1);
	STEP(ask("s stats 0\n"));
	assert_non_null(strstr(bench_log(), "\"tpr\":\"trap\",\"lapic\":{\"tpr_reads\":1,\"tpr_writes\":2,"
					    "\"methods\":{\"trap\":{"));
	finish();
	at("ept", "flexpriority", BENCH_LONG64);
	STEP(bench_write_tpr(0x10));
	STEP(bench_mov_to_cr(8, 3));
	assert_int_equal(stats_tpr(bench.vm[0]).writes, 0);
	finish();
}

/* Each for itself, also of a method that comes back. */
static void counted_by_method(void **state)
{
	struct tpr_account a;

	(void)state;
	at("ept", "trap", BENCH_PAE);
	interrupts_on();
	STEP(apic_write(TPR, 0x80));
	self_ipi(0x51);
	STEP(ask("t1 tpr 0 flexpriority\n"));
	STEP(bench_write_tpr(0x70));
	STEP(bench_write_tpr(0x40));
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	STEP(ask("t2 tpr 0 trap\n"));
	STEP(apic_write(TPR, 0x90));
	STEP(apic_write(TPR, 0xa0));
	assert_true(stats_tpr_method(bench.vm[0], CONFIG_TPR_TRAP, &a));
	assert_int_equal(a.writes, 3);
	assert_int_equal(a.threshold, 0);
	assert_int_equal(tpr_account_exits(&a), 3);
	assert_true(stats_tpr_method(bench.vm[0], CONFIG_TPR_FLEXPRIORITY, &a));
	assert_int_equal(a.writes, 0);
	assert_int_equal(a.threshold, 1);
	assert_int_equal(tpr_account_exits(&a), 1);
	assert_false(stats_tpr_method(bench.vm[0], CONFIG_TPR_APICV, &a));
	assert_false(stats_tpr_method(bench.vm[0], CONFIG_TPR_AUTO, &a));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controls),
		cmocka_unit_test(the_threshold),
		cmocka_unit_test(in_service),
		cmocka_unit_test(beside_the_8259),
		cmocka_unit_test(lowered_behind_sti),
		cmocka_unit_test(cr8_and_halt),
		cmocka_unit_test(the_local_apic_moves),
		cmocka_unit_test(x2apic_mode),
		cmocka_unit_test(x2apic_mode_without),
		cmocka_unit_test(disabled_while_one_waits),
		cmocka_unit_test(a_fetch_from_the_page),
		cmocka_unit_test(changed_while_it_runs),
		cmocka_unit_test(counted),
		cmocka_unit_test(counted_by_method),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
