/* The guest's PC (vm/platform.c): which wire goes where, consoles that the port has no room for, the local APIC's
 * page. */
#include "test/unit/vm/fixture.h"

#include "host/device/console.h"
#include "host/trap/interrupt.h"
#include "lib/ports.h"
#include "lib/uart.h"
#include "mmu/inspect.h"

#define SELF ICR_SHORTHAND(APIC_SELF)
#define NMI ICR_DELIVERY(APIC_NMI)
#define INIT ICR_DELIVERY(APIC_INIT)
#define LSR_READY (LSR_THRE | LSR_TEMT)

static uint8_t in(uint16_t port)
{
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)port << 16 | IO_IN, .length = 2);
	return (uint8_t)*bench_gpr(GPR_RAX);
}

static void open_interrupts(void) { vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF); }

static void ioapic_pin(unsigned pin, uint64_t entry)
{
	for (unsigned half = 0; half < 2; half++) {
		platform_mmio_write(bench.v, IOAPIC_BASE + IOAPIC_SELECT, 4, IOAPIC_INDEX_TABLE + 2 * pin + half);
		platform_mmio_write(bench.v, IOAPIC_BASE + IOAPIC_WINDOW, 4, (uint32_t)(entry >> 32 * half));
	}
}

/* ---- wires ---- */

static void interrupts_to_itself(void **state)
{
	(void)state;
	start();
	x2apic_on();
	open_interrupts();
	STEP(bench_wrmsr(MSR_X2APIC_ICR, SELF | 0x41));
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x41), 0);
	again();
	EXPECT_NOTHING();
	STEP(bench_wrmsr(MSR_X2APIC_ICR, ICR_ASSERT | NMI));
	EXPECT_EVENT(INFO(EVENT_TYPE_NMI, 2), 0);
	EXPECT_END(bench_wrmsr(MSR_X2APIC_ICR, ICR_ASSERT | INIT), "INIT");
	assert_int_equal(bench.vm[0]->status, VM_STATUS_OK);
	bench_delete();
}

/* As a BIOS leaves them: a kernel that programs neither finds the timer at vector 8. */
static void interrupt_controllers_at_the_start(void **state)
{
	(void)state;
	start();
	open_interrupts();
	out(0x43, 0x30);
	out(0x40, 0xa9);
	out(0x40, 0x04);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	STEP(bench_timer());
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 8), 0);
	finish();
}

static void with_testdev(void)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .description = "testdev on\n" });
	check_entry(__LINE__);
}

static void eoi(void) { STEP(bench_wrmsr(MSR_X2APIC_EOI, 0)); }

/* A line that stays asserted interrupts again after the EOI; one that is not, does not. */
static void a_level_at_the_ioapic(void **state)
{
	(void)state;
	with_testdev();
	x2apic_on();
	open_interrupts();
	ioapic_pin(10, REDIRECTION_LEVEL | 0x51);
	out(0x200a, 1);
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x51), 0);
	again();
	EXPECT_NOTHING();
	eoi();
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x51), 0);
	out(0x200a, 0);
	EXPECT_NOTHING();
	eoi();
	EXPECT_NOTHING();
	finish();
}

/* A HLT with interrupts disabled ends the guest only where nothing can wake it. */
static void an_nmi_that_may_come(void **state)
{
	(void)state;
	with_testdev();
	x2apic_on();
	EXPECT_END(bench_exit_simple(EXIT_HLT, 1), "halted for good");
	bench_delete();
	with_testdev();
	x2apic_on();
	STEP(bench_wrmsr(MSR_X2APIC(APIC_LVT_LINT0), NMI));
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_false(bench.vm[0]->ended);
	finish();
	with_testdev();
	x2apic_on();
	ioapic_pin(10, NMI);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	assert_false(bench.vm[0]->ended);
	finish();
}

static void deadline(uint64_t ticks)
{
	uint64_t due = soft.tsc + ticks;

	STEP(bench_wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TIMER_DEADLINE | DEADLINE_VECTOR));
	STEP(bench_wrmsr(MSR_TSC_DEADLINE, due + vmcs_get(VMCS_TSC_OFFSET)));
	assert_in_range(timers_next(&bench.vm[0]->vcpu[0]->timers), due - 1000, due + 1000);
}

/* The guest's TSC and the timer that goes by it are one. */
static void the_deadline_timer(void **state)
{
	(void)state;
	start();
	x2apic_on();
	deadline(100000);
	assert_true(soft.percpu.timer_armed <= timers_next(&bench.vm[0]->vcpu[0]->timers));
	STEP(bench_wrmsr(MSR_TSC_DEADLINE, 0));
	STEP(bench_wrmsr(MSR_TSC, 0x123456789));
	deadline(100000);
	finish();
}

static void the_lapic_page(void **state)
{
	(void)state;
	start();
	assert_int_equal(platform_mmio_read(bench.v, LAPIC_DEFAULT_BASE + APIC_VERSION, 4) & 0xff, 0x14);
	platform_mmio_write(bench.v, LAPIC_DEFAULT_BASE + APIC_TPR, 4, 0x50);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x50);
	assert_int_equal(platform_mmio_read(bench.v, IOAPIC_BASE, 4), 0);
	/* Elsewhere: then there is nobody at the old place. */
	STEP(bench_wrmsr(MSR_APIC_BASE, (LAPIC_DEFAULT_BASE + 0x1000) | APIC_BASE_EN | APIC_BASE_BSP));
	assert_int_equal(platform_mmio_read(bench.v, LAPIC_DEFAULT_BASE + APIC_TPR, 4), 0xffffffff);
	assert_int_equal(platform_mmio_read(bench.v, LAPIC_DEFAULT_BASE + 0x1000 + APIC_TPR, 4), 0x50);
	/* In x2APIC mode there is no page. */
	STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_BSP));
	STEP(bench_wrmsr(MSR_APIC_BASE, X2APIC_ON | APIC_BASE_BSP));
	assert_int_equal(platform_mmio_read(bench.v, LAPIC_DEFAULT_BASE + APIC_TPR, 4), 0xffffffff);
	finish();
}

/* What the test device drops is mapped again by the next access, which faults. */
static void a_dropped_mapping(void **state)
{
	uint64_t removed;

	(void)state;
	with_testdev();
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = READ_KNOWN, .gpa = BENCH_DATA, .gva = BENCH_DATA);
	removed = mmu_counters(&bench.vm[0]->mmu).leaves_removed;
	*bench_gpr(GPR_RAX) = BENCH_DATA;
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = 0xe4ull << 16 | 3, .length = 1);
	assert_int_not_equal(mmu_counters(&bench.vm[0]->mmu).leaves_removed, removed);
	finish();
}

static uint64_t leaf_rights(void)
{
	struct mmu_path path;

	mmu_inspect(&bench.vm[0]->vcpu[0]->mmu, GVA(BENCH_DATA), GPA(BENCH_DATA), &path);
	assert_int_equal(path.end, MMU_PATH_LEAF);
	return path.entry[path.count - 1].value;
}

/* And what it protects can be read, and is written after a fault. */
static void a_protected_mapping(void **state)
{
	(void)state;
	with_testdev();
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN, .gpa = BENCH_DATA, .gva = BENCH_DATA);
	assert_int_equal(leaf_rights() & (EPT_R | EPT_W), EPT_R | EPT_W);
	*bench_gpr(GPR_RAX) = BENCH_DATA;
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)TESTDEV_PROTECT << 16 | 3, .length = 1);
	assert_int_equal(leaf_rights() & (EPT_R | EPT_W), EPT_R);
	EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN, .gpa = BENCH_DATA, .gva = BENCH_DATA);
	assert_int_equal(leaf_rights() & (EPT_R | EPT_W), EPT_R | EPT_W);
	finish();
}

/* What ends the guest by a port is a byte, as a process' status is. */
static void the_status_of_a_debug_exit(void **state)
{
	(void)state;
	start();
	*bench_gpr(GPR_RAX) = 0x180;
	EXPECT_END(bench_exit(&(struct bench_exit){
			   .reason = EXIT_IO_INSTRUCTION, .qualification = 0xf4ull << 16 | 3, .length = 1 }),
		   "value 384");
	assert_int_equal(bench.vm[0]->status, 1);
	bench_delete();
}

/* ---- consoles ---- */

/* Guests' part of the port's ring, but for a little on COM1. */
static void fill(unsigned port)
{
	bench.stalled = true;
	while (port == CONSOLE_GUEST ? console_put(port, '.') : console_guest_line("."))
		;
	if (port == CONSOLE_STATS)
		return;
	bench.stalled = false;
	STEP(bench_sent(port));
	bench.stalled = true;
}

/* IRQ 4 at the 8259s, and the UART's interrupt for an empty transmitter. */
static void transmitter_interrupt(void)
{
	out(0x21, 0xef);
	out(COM1_PORT + 4, 8);
	out(COM1_PORT + 1, 2);
}

/* It waits, and nothing that it wrote meanwhile is lost; what it writes all the same is, and is counted. */
static void a_console_without_room(void **state)
{
	unsigned written = 0;

	(void)state;
	start();
	fill(CONSOLE_GUEST);
	while (in(COM1_PORT + 5) == LSR_READY && written < 1000) {
		out(COM1_PORT, 'a');
		written++;
	}
	assert_in_range(written, 1, 999);
	assert_int_equal(bench.vm[0]->console.dropped, 0);
	out(COM1_PORT, 'b');
	assert_int_equal(bench.vm[0]->console.dropped, 1);
	assert_int_equal(in(COM1_PORT + 5), 0);
	open_interrupts();
	transmitter_interrupt();
	EXPECT_NOTHING();
	bench.stalled = false;
	STEP(bench_sent(CONSOLE_GUEST));
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x0c), 0);
	assert_int_equal(in(COM1_PORT + 5), LSR_READY);
	assert_int_equal(occurrences(bench_console(), "a"), written);
	assert_null(strchr(bench_console(), 'b'));
	finish();
}

/* The second of two has its turn. */
static void second(void)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = 2 });
	check_entry(__LINE__);
	for (unsigned n = 0; n < 8 && bench.v->vm->id != 1; n++)
		STEP(bench_timer());
	assert_int_equal(bench.v->vm->id, 1);
}

static void say(const char *text)
{
	for (; *text; text++)
		out(COM1_PORT, (uint8_t)*text);
}

static void lines_of_another(void **state)
{
	(void)state;
	second();
	say("50% a\x01\x7f\xff\tb\r\nnext\n");
	assert_int_equal(occurrences(bench_log(), "con 1 50%25 a%01%7F%FF%09b\n"), 1);
	assert_int_equal(occurrences(bench_log(), "con 1 next\n"), 1);
	assert_int_equal(occurrences(bench_console(), "next"), 0);
	finish();
}

/* In pieces, each of which a reader has room for, and nothing is lost. */
static void a_long_line(void **state)
{
	unsigned total = 0;
	const char *p;

	(void)state;
	second();
	for (unsigned n = 0; n < 140; n++)
		out(COM1_PORT, n & 1 ? 0xff : 'x');
	out(COM1_PORT, '\n');
	for (p = bench_log(); (p = strstr(p, "con 1 ")); p++) {
		unsigned n = (unsigned)strcspn(p + 6, "\n");

		assert_true(n < sizeof(bench.v->vm->console.text));
		total += n;
	}
	assert_int_equal(total, 70 + 3 * 70);
	finish();
}

static void another_console_without_room(void **state)
{
	(void)state;
	second();
	fill(CONSOLE_STATS);
	say("whole\n");
	assert_int_equal(in(COM1_PORT + 5), 0);
	out(COM1_PORT, 'z');
	assert_int_equal(bench.vm[1]->console.dropped, 1);
	open_interrupts();
	transmitter_interrupt();
	EXPECT_NOTHING();
	/* Nobody else waits. */
	for (unsigned n = 0; n < 8 && bench.v->vm->id != 0; n++)
		STEP(bench_timer());
	assert_int_equal(bench.v->vm->id, 0);
	assert_int_equal(in(COM1_PORT + 5), LSR_READY);
	for (unsigned n = 0; n < 8 && bench.v->vm->id != 1; n++)
		STEP(bench_timer());
	bench.stalled = false;
	for (unsigned n = 0; n < 8 && !bench.entry.event; n++)
		STEP(bench_sent(CONSOLE_STATS));
	EXPECT_EVENT(INFO(EVENT_TYPE_EXTERNAL, 0x0c), 0);
	assert_int_equal(in(COM1_PORT + 5), LSR_READY);
	assert_int_equal(occurrences(bench_log(), "con 1 whole\n"), 1);
	assert_null(strchr(strstr(bench_log(), "con 1 "), 'z'));
	finish();
}

/* What it wrote last is told, also where no newline ended it, and before its end is. */
static void the_last_words(void **state)
{
	const char *words;

	(void)state;
	second();
	say("panic: no");
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_ENTRY);
	for (unsigned n = 0; n < 20 && !bench.vm[1]->all_told; n++)
		next_slice();
	words = strstr(bench_log(), "con 1 panic: no\n");
	assert_non_null(words);
	assert_non_null(strstr(words, "vm 1 end 65"));
	finish();
}

/* One that ended while its line waited is not spoken to any more; the line comes with its account. */
static void an_end_while_a_line_waits(void **state)
{
	(void)state;
	second();
	fill(CONSOLE_STATS);
	say("whole\n");
	assert_int_equal(in(COM1_PORT + 5), 0);
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_ENTRY);
	assert_int_equal(bench.v->vm->id, 0);
	bench.stalled = false;
	for (unsigned n = 0; n < 8 && !bench.vm[1]->uart.thre_pending; n++) {
		uint8_t lsr = bench.vm[1]->uart.lsr;

		STEP(bench_sent(CONSOLE_STATS));
		assert_int_equal(bench.vm[1]->uart.lsr, lsr);
	}
	for (unsigned n = 0; n < 20 && !bench.vm[1]->all_told; n++)
		next_slice();
	assert_int_equal(occurrences(bench_log(), "con 1 whole\n"), 1);
	finish();
}

/* Bytes that arrive faster than the guest takes them stay in order where they are. */
static void input(void **state)
{
	static const char text[] = "The quick brown fox jumps over the lazy dog";

	(void)state;
	start();
	bench_type(CONSOLE_GUEST, text, strlen(text));
	for (unsigned n = 0; text[n]; n++) {
		for (unsigned tries = 0; tries < 4 && !(in(COM1_PORT + 5) & 1); tries++)
			again();
		assert_int_equal(in(COM1_PORT), text[n]);
	}
	assert_int_equal(in(COM1_PORT + 5) & 1, 0);
	finish();
}

/* What is typed for one that has ended reaches nobody. */
static void input_after_the_end(void **state)
{
	(void)state;
	second();
	for (unsigned n = 0; n < 8 && bench.v->vm->id != 0; n++)
		STEP(bench_timer());
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_ENTRY);
	bench_type(CONSOLE_GUEST, "x", 1);
	again();
	assert_false(uart_rx_room(&bench.vm[0]->uart) && !console_waiting(CONSOLE_GUEST));
	assert_int_equal(bench.vm[0]->uart.rx_count, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_to_itself),
		cmocka_unit_test(interrupt_controllers_at_the_start),
		cmocka_unit_test(a_level_at_the_ioapic),
		cmocka_unit_test(an_nmi_that_may_come),
		cmocka_unit_test(the_deadline_timer),
		cmocka_unit_test(the_lapic_page),
		cmocka_unit_test(a_dropped_mapping),
		cmocka_unit_test(a_protected_mapping),
		cmocka_unit_test(the_status_of_a_debug_exit),
		cmocka_unit_test(a_console_without_room),
		cmocka_unit_test(lines_of_another),
		cmocka_unit_test(a_long_line),
		cmocka_unit_test(another_console_without_room),
		cmocka_unit_test(the_last_words),
		cmocka_unit_test(an_end_while_a_line_waits),
		cmocka_unit_test(input),
		cmocka_unit_test(input_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
