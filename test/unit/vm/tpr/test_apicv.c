/* Where the CPU serves the local APIC and delivers its interrupts (apicv in vm/tpr/tpr.c), and CPUs that lack what it,
 * or flexpriority, takes: what it is told, what is left to do behind its exits, and that no interrupt is lost where the
 * method changes. The CPU's part is test/vm/apic.c; each entry is held against TP4 by the bench. */
#include "test/unit/vm/held.h"
#include "test/unit/vm/tpr/lapic.h"

#include <stdio.h>

#include "host/device/console.h"
#include "host/trap/interrupt.h"

#define LINT0 APIC_LVT_LINT0

static void begin(enum bench_mode mode)
{
	at("ept", "apicv", mode);
	interrupts_on();
	bench.entries = 0;
	bench.entry.event = 0;
}

static uint32_t shown(unsigned offset)
{
	uint32_t value = 0;

	assert_true(bench_apic_read(offset, &value));
	return value;
}

/* Something arrives from outside, and this CPU is kicked for it. */
static void arrives(uint8_t vector, bool level)
{
	struct apic_message m = { .vector = vector, .delivery = APIC_FIXED, .level = level, .assert = true };

	assert_true(lapic_deliver(&bench.v->lapic, &m));
	bench.entry.event = 0;
	STEP(bench_interrupt(VECTOR_KICK));
}

#define EOI_EXPECTING(exits) \
	do { \
		unsigned before_ = bench.entries; \
		bench.entry.event = 0; \
		STEP(apic_write(EOI, 0)); \
		assert_int_equal(bench.entries - before_, exits); \
	} while (0)

/* ---- CPUs without ---- */

static uint64_t without_shadow(uint32_t msr, uint64_t value)
{
	bool proc = msr == MSR_VMX_PROCBASED_CTLS || msr == TRUE_PROC;

	return proc ? value & ~((uint64_t)PROC_TPR_SHADOW << 32) : value;
}

static uint64_t without_access(uint32_t msr, uint64_t value)
{
	return msr == MSR_VMX_PROCBASED_CTLS2 ? value & ~((uint64_t)PROC2_APIC_ACCESS << 32) : value;
}

static uint64_t without_registers(uint32_t msr, uint64_t value)
{
	return msr == MSR_VMX_PROCBASED_CTLS2 ? value & ~((uint64_t)PROC2_APIC_REGISTERS << 32) : value;
}

static uint64_t without_delivery(uint32_t msr, uint64_t value)
{
	return msr == MSR_VMX_PROCBASED_CTLS2 ? value & ~((uint64_t)PROC2_VIRTUAL_INTERRUPTS << 32) : value;
}

/* Of a CPU that lacks what it takes, the sentence says what. */
static void lacking(uint64_t (*msr)(uint32_t, uint64_t), const char *method, const char *best, const char *lacks)
{
	struct bench_config config = { .cpu = BENCH_HASWELL, .mmu = "", .tpr = "auto", .msr = msr };
	char text[200];
	struct vm *vm;

	bench_new(&config);
	check_entry(0);
	assert_string_equal(tpr_name(bench.vm[0]), best);
	snprintf(text, sizeof(text), "test0: tpr %s, because %s", best, lacks);
	assert_non_null(strstr(bench_log(), text));
	assert_string_equal(tpr_change(bench.vm[0], method), lacks);
	assert_string_equal(tpr_name(bench.vm[0]), best);
	config.tpr = method;
	vm = bench_create(&config);
	assert_true(vm->ended);
	assert_int_equal(vm->status, VM_STATUS_UNSUPPORTED);
	snprintf(text, sizeof(text), "tpr %s cannot be had: %s; use tpr %s", method, lacks, best);
	assert_non_null(strstr(vm->end_text, text));
	finish();
}

static void cpus_without(void **state)
{
	(void)state;
	lacking(without_shadow, "flexpriority", "trap", "the CPU has no TPR shadow");
	lacking(without_access, "flexpriority", "trap",
		"the CPU has a TPR shadow, but does not virtualize APIC accesses");
	lacking(without_shadow, "apicv", "trap", "the CPU has no TPR shadow");
	lacking(without_registers, "apicv", "flexpriority",
		"the CPU does not virtualize the APIC's registers but for the TPR");
	lacking(without_delivery, "apicv", "flexpriority", "the CPU does not deliver virtual interrupts");
}

/* ---- registers ---- */

static void registers(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "apicv", BENCH_PAE);
		assert_int_equal(shown(APIC_VERSION), lapic_mmio_read(&bench.v->lapic, APIC_VERSION, 4));
		assert_int_equal(shown(SVR), 0xff | bench.v->lapic.svr);
		STEP(apic_write(SVR, 0x1ab));
		assert_int_equal(bench.v->lapic.svr, 0x1ab);
		STEP(apic_write(APIC_DFR, 0x12345678));
		assert_int_equal(shown(APIC_DFR), 0x1fffffff); /* the bits that it does not have */
		STEP(apic_write(APIC_LVT_TIMER, 0x20031));
		assert_int_equal(bench.v->lapic.lvt[LVT_TIMER], 0x20031);
		STEP(apic_write(SVR, 0xff)); /* disabled by software: all entries are masked */
		assert_int_equal(shown(APIC_LVT_TIMER), 0x30031);
		STEP(apic_write(APIC_ICR_HIGH, 0x12345678));
		STEP(apic_write(ICR, 0x31)); /* to nobody */
		assert_int_equal(bench.v->lapic.icr, 0x1200000000000031);
		assert_int_equal(shown(ICR), 0x31);
		assert_int_equal(shown(APIC_ICR_HIGH), 0x12000000);
		finish();
	}
}

/* L7 in dev/irq/lapic.h: what the guest has written of the timer, or to ICR, is taken without the device lock. */
static void no_lock_for_the_timer(void **state)
{
	(void)state;
	begin(BENCH_PAE);
	devices_held();
	STEP(apic_write(APIC_LVT_TIMER, LVT_TIMER_PERIODIC | 0x31));
	STEP(apic_write(APIC_TIMER_DIVIDE, 0xb));
	STEP(apic_write(APIC_TIMER_INITIAL, 1000000));
	STEP(apic_write(ICR, 0x31)); /* to nobody */
	devices_free();
	assert_int_equal(bench.v->lapic.lvt[LVT_TIMER], LVT_TIMER_PERIODIC | 0x31);
	assert_true(bench.v->lapic.timer.armed);
	assert_int_equal(shown(APIC_TIMER_INITIAL), 1000000);
	finish();
}

/* Behind a register's place: nothing has changed. */
static void behind_the_place(void **state)
{
	(void)state;
	begin(BENCH_PAE);
	STEP(bench_write_tpr(0x20));
	STEP(bench_apic_write(SVR + 1, 1, 0xee));
	STEP(bench_apic_write(TPR + 2, 2, 0xeeee));
	assert_int_equal(shown(SVR), 0x1ff);
	assert_int_equal(shown(TPR), 0x20);
	finish();
}

/* The instruction that exited is done. */
static void behind_sti(void **state)
{
	(void)state;
	begin(BENCH_PAE);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	STEP(apic_write(APIC_ESR, 0));
	assert_int_equal(bench.entry.interruptibility, 0);
	finish();
}

/* ---- interrupts ---- */

/* Neither the delivery nor the EOI of an edge-triggered interrupt exits; the EOI that a line waits for does. */
static void eois(void **state)
{
	(void)state;
	begin(BENCH_PAE);
	arrives(0x51, false);
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	EOI_EXPECTING(0);
	arrives(0x61, true);
	EXPECT_EVENT(EXTERNAL(0x61), 0);
	EOI_EXPECTING(1);
	arrives(0x61, false); /* the same vector, now by an edge */
	EXPECT_EVENT(EXTERNAL(0x61), 0);
	EOI_EXPECTING(0);
	finish();
}

/* A pin that is still asserted interrupts again after the EOI, and is seen to wait meanwhile. */
static void level_pin(void **state)
{
	(void)state;
	begin(BENCH_PAE);
	STEP(apic_write(LINT0, LVT_LEVEL | 0x71));
	lapic_set_lint(&bench.v->lapic, 0, true);
	STEP(bench_interrupt(VECTOR_KICK));
	EXPECT_EVENT(EXTERNAL(0x71), 0);
	assert_int_equal(shown(LINT0), LVT_LEVEL | LVT_REMOTE_IRR | 0x71);
	EOI_EXPECTING(1);
	EXPECT_EVENT(EXTERNAL(0x71), 0);
	lapic_set_lint(&bench.v->lapic, 0, false);
	EOI_EXPECTING(1);
	EXPECT_NOTHING();
	assert_int_equal(shown(LINT0), LVT_LEVEL | 0x71);
	finish();
}

/* A higher one comes into the handler, a lower one when that is over. */
static void nested(void **state)
{
	(void)state;
	begin(BENCH_PAE);
	arrives(0x51, false);
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	arrives(0x45, false);
	EXPECT_NOTHING();
	arrives(0x81, false);
	EXPECT_EVENT(EXTERNAL(0x81), 0);
	EOI_EXPECTING(0);
	EXPECT_NOTHING();
	EOI_EXPECTING(0);
	EXPECT_EVENT(EXTERNAL(0x45), 0);
	EOI_EXPECTING(0);
	finish();
}

/* It wakes by what is above the TPR only, and then at once. */
static void halted(void **state)
{
	struct apic_message m = { .delivery = APIC_FIXED, .assert = true };

	(void)state;
	begin(BENCH_PAE);
	STEP(bench_write_tpr(0x60));
	arrives(0x51, false);
	EXPECT_NOTHING();
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	m.vector = 0x61;
	assert_true(lapic_deliver(&bench.v->lapic, &m));
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	m.vector = 0x71;
	assert_true(lapic_deliver(&bench.v->lapic, &m));
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_ENTRY);
	EXPECT_EVENT(EXTERNAL(0x71), 0);
	/* And above what is in service. */
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	m.vector = 0x75;
	assert_true(lapic_deliver(&bench.v->lapic, &m));
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
	m.vector = 0x81;
	assert_true(lapic_deliver(&bench.v->lapic, &m));
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_ENTRY);
	EXPECT_EVENT(EXTERNAL(0x81), 0);
	finish();
}

/* The window was for one of the 8259's, which is no more. */
static void halted_with_a_window(void **state)
{
	struct apic_message m = { .delivery = APIC_FIXED, .assert = true, .vector = 0x51 };

	(void)state;
	begin(BENCH_PAE);
	STEP(apic_write(LINT0, APIC_EXTINT << 8));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	lapic_set_lint(&bench.v->lapic, 0, true);
	STEP(bench_interrupt(VECTOR_KICK));
	assert_true(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	lapic_set_lint(&bench.v->lapic, 0, false);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_true(lapic_deliver(&bench.v->lapic, &m));
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_ENTRY);
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	finish();
}

/* The 8259's are injected, behind a window of their own, and before the others. */
static void with_the_8259(void **state)
{
	(void)state;
	begin(BENCH_PAE);
	STEP(apic_write(LINT0, APIC_EXTINT << 8));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	arrives(0x51, false);
	lapic_set_lint(&bench.v->lapic, 0, true);
	STEP(bench_interrupt(VECTOR_KICK));
	EXPECT_NOTHING();
	assert_true(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_exit_simple(EXIT_INTERRUPT_WINDOW, 0));
	EXPECT_EVENT(EXTERNAL(0x0f), 0); /* nobody asks the 8259 any more: its spurious one */
	lapic_set_lint(&bench.v->lapic, 0, false);
	STEP(bench_exit_simple(EXIT_INTERRUPT_WINDOW, 0));
	assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	finish();
}

/* One of a device's: its vector is what the 8259 was told, it is in service there and not in the local APIC, which
 * keeps what it has; RVI does not change. */
static void by_the_8259(void **state)
{
	struct pic *pic;

	(void)state;
	begin(BENCH_PAE);
	STEP(apic_write(LINT0, APIC_EXTINT << 8));
	pic = &bench.vm[0]->pic;
	pic_after_bios(pic);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	arrives(0x51, false);
	pic_set_pin(pic, 1, true);
	STEP(bench_interrupt(VECTOR_KICK));
	EXPECT_NOTHING();
	assert_true(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	assert_int_equal(vmcs_get(VMCS_GUEST_INTERRUPT_STATUS), 0x51);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_exit_simple(EXIT_INTERRUPT_WINDOW, 0));
	EXPECT_EVENT(EXTERNAL(0x09), 0);
	assert_int_equal(pic->chip[0].isr, 1u << 1);
	assert_int_equal(shown(APIC_ISR + 16 * (0x09 / 32)), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_INTERRUPT_STATUS), 0x51);
	assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
	/* Only behind that does the CPU deliver its own. */
	bench.entry.event = 0;
	STEP(bench_interrupt(VECTOR_KICK));
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	EOI_EXPECTING(0);
	EXPECT_NOTHING();
	finish();
}

/* An exit while one was being delivered: it is injected again, and in service once. */
static void delivery_that_exits(void **state)
{
	(void)state;
	begin(BENCH_PAE);
	arrives(0x51, false);
	bench.entry.event = 0;
	EXIT(.reason = EXIT_EXTERNAL_INTERRUPT, .info = (uint32_t)EVENT_VALID | VECTOR_KICK,
	     .vectoring = EXTERNAL(0x51));
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	EOI_EXPECTING(0);
	EXPECT_NOTHING();
	finish();
}

/* ---- x2APIC mode ---- */

static uint64_t rdmsr_of(uint32_t msr)
{
	STEP(bench_rdmsr(msr));
	return *bench_gpr(GPR_RAX) | *bench_gpr(GPR_RDX) << 32;
}

static void by_msr(void **state)
{
	(void)state;
	begin(BENCH_LONG64);
	STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC | APIC_ON | APIC_BASE_EXTD));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	bench.entries = 0;
	assert_int_equal(rdmsr_of(MSR_X2APIC_FIRST + SVR / 16), 0x1ff);
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 0x51));
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	assert_int_equal(rdmsr_of(MSR_X2APIC_FIRST + (APIC_ISR + 0x20) / 16), BIT(0x11));
	STEP(bench_wrmsr(MSR_X2APIC_FIRST + EOI / 16, 0));
	assert_int_equal(rdmsr_of(MSR_X2APIC_FIRST + (APIC_ISR + 0x20) / 16), 0);
	assert_int_equal(bench.entries, 0);
	/* An ICR of 64 bits exits when it is written, not when it is read. */
	STEP(bench_wrmsr(MSR_X2APIC_FIRST + ICR / 16, 0x1200000031));
	assert_int_equal(bench.entries, 1);
	assert_int_equal(rdmsr_of(MSR_X2APIC_FIRST + ICR / 16), 0x1200000031);
	assert_int_equal(bench.entries, 1);
	/* A vector that there is not. */
	STEP(bench_wrmsr(MSR_X2APIC_SELF_IPI, 3));
	assert_int_equal(bench.v->lapic.esr_pending, ESR_SEND_ILLEGAL_VECTOR);
	/* Registers that there are not, or that the page does not have. */
	assert_int_equal(rdmsr_of(MSR_X2APIC_FIRST + APIC_TIMER_CURRENT / 16), 0);
	assert_int_equal(bench.entries, 3);
	bench.entry.event = 0;
	STEP(bench_rdmsr(MSR_X2APIC_FIRST + APIC_DFR / 16));
	EXPECT_GP();
	finish();
}

/* ---- another method ---- */

static void change(unsigned method)
{
	static const char *const request[] = { "a tpr 0 trap\n", "b tpr 0 flexpriority\n", "c tpr 0 apicv\n" };

	STEP(ask(request[method]));
}

/* Whoever waits comes, in the right order, and who was in service ends once, whatever was changed in between. */
static void changed(unsigned first, unsigned second, unsigned third)
{
	at("ept", "apicv", BENCH_PAE);
	interrupts_on();
	change(first);
	bench.entry.event = 0;
	self_ipi(0x61);
	EXPECT_EVENT(EXTERNAL(0x61), 0);
	self_ipi(0x55);
	self_ipi(0x45);
	change(second);
	assert_int_equal(lapic_mmio_read(&bench.v->lapic, APIC_ISR + 0x30, 4), BIT(1));
	STEP(apic_write(EOI, 0));
	EXPECT_EVENT(EXTERNAL(0x55), 0);
	STEP(apic_write(TPR, 0x40));
	change(third);
	bench.entry.event = 0;
	STEP(apic_write(EOI, 0));
	EXPECT_NOTHING();
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x40);
	STEP(apic_write(TPR, 0x30));
	EXPECT_EVENT(EXTERNAL(0x45), 0);
	assert_int_equal(lapic_mmio_read(&bench.v->lapic, APIC_ISR + 0x20, 4), BIT(5));
	finish();
}

static void changed_in_any_order(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 27; n++)
		changed(n / 9, n / 3 % 3, n % 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_without),
		cmocka_unit_test(registers),
		cmocka_unit_test(no_lock_for_the_timer),
		cmocka_unit_test(behind_the_place),
		cmocka_unit_test(behind_sti),
		cmocka_unit_test(eois),
		cmocka_unit_test(level_pin),
		cmocka_unit_test(nested),
		cmocka_unit_test(halted),
		cmocka_unit_test(halted_with_a_window),
		cmocka_unit_test(with_the_8259),
		cmocka_unit_test(by_the_8259),
		cmocka_unit_test(delivery_that_exits),
		cmocka_unit_test(by_msr),
		cmocka_unit_test(changed_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
