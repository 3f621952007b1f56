/* PUSH of a register of the local APIC's, and POP to one (vm/exit/push.c): where the value goes, and what comes of a
 * stack that is none. Three times each: the third finds the instruction decoded. */
#include "test/unit/vm/tpr/lapic.h"

#define PUSH_SVR "\xff\xb3\xf0\0\0\0" /* push [ebx + 0xf0] */

static void push_at(uint64_t esp)
{
	vmcs_put(VMCS_GUEST_RSP, esp);
	CODE(PUSH_SVR);
	STEP(apic_access(0, SVR));
}

static uint32_t word(uint64_t gpa)
{
	uint32_t value;

	bench_peek(gpa, &value, 4);
	return value;
}

static void each_mechanism(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "flexpriority", BENCH_PAE);
		for (unsigned n = 0; n < 3; n++) {
			lapic_mmio_write(&bench.v->lapic, SVR, 4, 0x100 | n);
			push_at(BENCH_STACK);
			EXPECT_NOTHING();
			behind_6_bytes();
			assert_int_equal(word(BENCH_STACK - 4), 0x100 | n);
			assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 4);
		}
		finish();
	}
}

/* One whose segment has a base, and one whose limit it passes. */
static void of_a_segment(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	STEP(apic_write(SVR, 0x1aa));
	for (unsigned n = 0; n < 3; n++)
		push_at(BENCH_STACK);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_SS, 0x1000);
	push_at(BENCH_STACK);
	assert_int_equal(word(BENCH_STACK + 0x1000 - 4), 0x1aa);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_SS, 0);
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * SEG_SS, 0xffff);
	vmcs_put(VMCS_GUEST_SS_ACCESS, vmcs_get(VMCS_GUEST_SS_ACCESS) & ~(uint64_t)SEGMENT_G);
	push_at(BENCH_STACK);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_SS), 0);
	finish();
}

/* Of two pages, of which the second may not be written; the first keeps what it has. */
static void across_pages(void **state)
{
	static const uint64_t read_only = 0x2000e5, writable = 0x2000e7;
	static const uint32_t before = 0x5a5a5a5a;

	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	STEP(apic_write(SVR, 0x1aa));
	for (unsigned n = 0; n < 3; n++)
		push_at(BENCH_STACK);
	bench_poke(0x1ffffc, &before, 4);
	bench_poke(BENCH_TABLES + 0x3008, &read_only, 8);
	push_at(0x200002);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 3);
	assert_int_equal(word(0x1ffffc), before);
	bench_poke(BENCH_TABLES + 0x3008, &writable, 8);
	finish();
}

static void a_fault(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	for (unsigned n = 0; n < 3; n++) {
		push_at(0x40000000);
		EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), 0x40000000);
	}
	finish();
}

#define POP_SVR "\x8f\x83\xf0\0\0\0" /* pop [ebx + 0xf0] */

static void pop_from(uint64_t esp)
{
	vmcs_put(VMCS_GUEST_RSP, esp);
	CODE(POP_SVR);
	STEP(apic_access(1, SVR));
}

static void popped_by_each(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "flexpriority", BENCH_PAE);
		STEP(apic_write(SVR, 0x1ff));
		for (uint32_t n = 0; n < 3; n++) {
			uint32_t value = 0x1a0 | n;

			bench_poke(BENCH_STACK, &value, 4);
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
			pop_from(BENCH_STACK);
			EXPECT_NOTHING();
			behind_6_bytes();
			assert_int_equal(bench.v->lapic.svr, value);
			assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK + 4);
		}
		finish();
	}
}

/* A stack in the page itself is read as the page is; one that is not there faults, and nothing has changed. */
static void popped_from_nowhere(void **state)
{
	uint32_t value = 0x1a0;

	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	bench_poke(BENCH_STACK, &value, 4);
	for (unsigned n = 0; n < 2; n++)
		pop_from(BENCH_STACK);
	lapic_mmio_write(&bench.v->lapic, ICR + 0x10, 4, 0x03000000);
	pop_from(LAPIC + ICR + 0x10);
	EXPECT_NOTHING();
	assert_int_equal(bench.v->lapic.svr, 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), LAPIC + ICR + 0x14);
	pop_from(0x40000000);
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), 0x40000000);
	finish();
}

static uint64_t long_word(uint64_t gpa)
{
	uint64_t value;

	bench_peek(gpa, &value, 8);
	return value;
}

#define NOT_CANONICAL (1ull << 50 | BENCH_STACK)

/* 8 bytes each in 64-bit code, where the upper four of a register are 0. */
static void of_64_bits(void **state)
{
	const uint64_t value = 0x123400000000 | 0x1b7;

	(void)state;
	at("ept", "flexpriority", BENCH_LONG64);
	STEP(apic_write(SVR, 0x1aa));
	for (unsigned n = 0; n < 3; n++) {
		push_at(BENCH_STACK);
		EXPECT_NOTHING();
		assert_int_equal(long_word(BENCH_STACK - 8), 0x1aa);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 8);
	}
	push_at(NOT_CANONICAL);
	assert_int_equal(bench.entry.event & (EVENT_VALID | EVENT_VECTOR), EVENT_VALID | VECTOR_SS);
	bench_poke(BENCH_STACK, &value, 8);
	for (unsigned n = 0; n < 3; n++) {
		lapic_mmio_write(&bench.v->lapic, SVR, 4, 0x1aa);
		pop_from(BENCH_STACK);
		assert_int_equal(bench.v->lapic.svr, 0x1b7);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK + 8);
	}
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mechanism),
		cmocka_unit_test(of_a_segment),
		cmocka_unit_test(across_pages),
		cmocka_unit_test(a_fault),
		cmocka_unit_test(popped_by_each),
		cmocka_unit_test(popped_from_nowhere),
		cmocka_unit_test(of_64_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
