/* The control channel between a guest's exits (vm/control/control.c, dump.c, translate.c): who is asked, what an answer
 * shows, and that nothing changes for whoever runs. The grammar of requests: test_request.c. */
#include "test/unit/vm/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "host/device/console.h"
#include "host/trap/interrupt.h"

#define PT32 (BENCH_TABLES + 0x1000)

static bool answers(const char *tag, const char *text) { return strstr(answer_to(tag), text); }

/* ---- the channel ---- */

static void answers_in_pieces(void **state)
{
	uint8_t bytes[1000];
	char hex[2001];

	(void)state;
	start();
	for (unsigned n = 0; n < sizeof(bytes); n++) {
		bytes[n] = (uint8_t)(n * 7);
		snprintf(hex + 2 * n, 3, "%02x", bytes[n]);
	}
	bench_poke(BENCH_DATA, bytes, sizeof(bytes));
	STEP(ask("a1 dump 0 gpa 0x1c0000 1000\n"));
	assert_true(answers("a1", hex));
	assert_true(said("done a1 ok\n"));
	finish();
}

/* CT1: two that arrive together are two. */
static void two_at_once(void **state)
{
	(void)state;
	start();
	STEP(ask("1 dump 0\n2 stats 0\n3 list\n"));
	for (unsigned n = 0; n < 4 && !said("done 3"); n++)
		STEP(bench_interrupt(VECTOR_KICK));
	assert_true(said("done 1 ok\n"));
	assert_true(answers("1", "\"rip\":"));
	assert_true(said("done 2 ok\n"));
	assert_true(answers("2", "\"exits\":"));
	assert_true(said("done 3 ok\n"));
	finish();
}

/* Each that has been, and the one that is open until now; asking closes nothing. */
static void phases(void **state)
{
	(void)state;
	start();
	STEP(ask("0 phases 0\n"));
	assert_string_equal(answer_to("0"), "{\"vm\":\"test0\",\"phases\":{},\"mechanisms\":{}}");
	mark(2);
	again();
	again();
	mark(5);
	bench_wait(3000000);
	again();
	STEP(ask("1 phases 0\n"));
	assert_true(answers("1", "{\"vm\":\"test0\",\"phases\":{\"2\":{\"exits\":{\"by_reason\":{\"cpuid\":"
				 "{\"count\":2,"));
	assert_true(answers("1", "\"5\":{\"exits\":{\"by_reason\":{"));
	assert_true(answers("1", "\"cpuid\":{\"count\":1,"));
	assert_true(answers("1", "\"instructions\":{\"guest\":3000"));
	assert_false(answers("1", "\"1\":{"));
	again();
	again();
	STEP(ask("2 phases 0\n"));
	assert_true(answers("2", "\"cpuid\":{\"count\":3,"));
	assert_true(answers("2", "\"cpuid\":{\"count\":2,"));
	finish();
}

/* CT2: the answer waits for room, and nobody for the answer. */
static void an_answer_without_room(void **state)
{
	(void)state;
	start();
	bench.stalled = true;
	while (console_guest_line("."))
		;
	STEP(ask("1 dump 0\n"));
	for (unsigned n = 0; n < 10; n++)
		again();
	bench.stalled = false;
	for (unsigned n = 0; n < 20; n++)
		STEP(bench_sent(CONSOLE_STATS));
	assert_true(said("done 1 ok\n"));
	assert_true(answers("1", "{\"vm\":\"test0\""));
	assert_int_equal(answer_to("1")[strlen(answer_to("1")) - 1], '}');
	finish();
}

static void who_is_asked(void **state)
{
	(void)state;
	start();
	STEP(ask("1 pause zz\n"));
	assert_true(said("done 1 error there is no virtual machine zz\n"));
	STEP(ask("2 audit 1\n"));
	assert_true(said("done 2 error there is no virtual machine 1\n"));
	STEP(ask("3 audit 0x\n"));
	assert_true(said("done 3 error there is no virtual machine 0x\n"));
	STEP(ask("4 audit 99999999999999999999\n"));
	assert_true(said("done 4 error there is no"));
	STEP(ask("4a audit 99\n"));
	assert_true(said("done 4a error there is no"));
	STEP(ask("5 audit 0\n"));
	assert_true(said("done 5 ok\n"));
	STEP(ask("6 audit test0\n"));
	assert_true(said("done 6 ok\n"));
	STEP(ask("7 tell 0\n"));
	assert_true(said("log test0: virtual CPU 0, rip 0x"));
	assert_true(answered("7", "{\"vm\":\"test0\",\"state\":\"running\"}"));
	assert_int_equal(ask("8 tell test0 pause\n"), BENCH_IDLE);
	assert_true(answered("8", "{\"vm\":\"test0\",\"state\":\"paused\"}"));
	finish();
}

/* A guest that waits for the button, as its registers of ACPI say, has the interrupt. */
static void the_power_button(void **state)
{
	uint8_t irr;

	(void)state;
	start();
	STEP(ask("1 shutdown 0\n"));
	assert_true(answers("1", "{\"vm\":\"test0\",\"state\":\"running\"}"));
	*bench_gpr(GPR_RAX) = 0;
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)ACPI_PM1A_EVT << 16 | IO_IN | 1, .length = 1);
	assert_int_equal(*bench_gpr(GPR_RAX) & 0xffff, 0x0100);
	irr = bench.vm[0]->pic.chip[1].irr;
	*bench_gpr(GPR_RAX) = 0x0100; /* enabled: the SCI, an interrupt of the second 8259 */
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)(ACPI_PM1A_EVT + 2) << 16 | 1, .length = 1);
	assert_int_equal(bench.vm[0]->pic.chip[1].irr, irr | 1 << 1);
	finish();
}

/* ---- who is visited ---- */


static void wait_for(const struct vcpu *v)
{
	for (unsigned n = 0; n < 8 && bench.v != v; n++)
		STEP(bench_timer());
	assert_ptr_equal(bench.v, v);
}

/* One that waits for its turn: its registers, not those of whoever runs, to whom nothing happens. */
static void one_that_waits(void **state)
{
	struct vcpu *first, *other;
	char request[40], rip[40];

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = 2 });
	first = bench.v;
	other = other_than(first);
	/* It has not begun: there are no registers, and a look at it spoils nothing. */
	assert_false(other->started);
	snprintf(request, sizeof(request), "1 dump %u\n", other->vm->id);
	STEP(ask(request));
	assert_true(said("done 1 error"));
	snprintf(request, sizeof(request), "2 translate %u 0x1000\n", other->vm->id);
	STEP(ask(request));
	assert_true(said("done 2 ok"));
	assert_ptr_equal(bench.v, first);
	wait_for(other);
	assert_int_equal(bench.entry.rip, 0x100010);
	wait_for(first);
	/* Now it has. */
	vmcs_put(VMCS_GUEST_RIP, 0x123000);
	first->saved_cr2 = 0x1111;
	other->saved_cr2 = 0x2222;
	soft.cr2 = 0x3333;
	snprintf(request, sizeof(request), "3 dump %u\n", other->vm->id);
	STEP(ask(request));
	assert_ptr_equal(bench.v, first);
	snprintf(rip, sizeof(rip), "\"rip\":\"0x%x\"", 0x100010);
	assert_true(answers("3", rip));
	assert_true(answers("3", "\"cr2\":\"0x2222\""));
	assert_int_equal(bench.entry.rip, 0x123000);
	assert_ptr_equal(soft.percpu.loaded, first);
	snprintf(request, sizeof(request), "4 dump %u\n", first->vm->id);
	STEP(ask(request));
	assert_true(answers("4", "\"rip\":\"0x123000\""));
	assert_true(answers("4", "\"cr2\":\"0x3333\""));
	finish();
}

/* What the guest changed without an exit is shown, and what was about to be written is not lost. */
static void registers_on_the_way(void **state)
{
	uint64_t pdpte[4];

	(void)state;
	start();
	assert_true(bench_mode(BENCH_PAGED32, 0));
	vmcs_put(VMCS_GUEST_CR3, BENCH_TABLES + 0x18);
	STEP(ask("1 dump 0\n"));
	assert_true(answers("1", "\"cr2\":\"0x0\",\"cr3\":\"0x200018\""));
	finish();
	start_as(BENCH_LYNNFIELD, "ept");
	assert_true(bench_mode(BENCH_PAE, 0));
	STEP(bench_mov_to_cr(0, CR0_WP | CR0_NE | CR0_ET | CR0_PE));
	memcpy(pdpte, bench.v->mmu.regs.pdpte, sizeof(pdpte));
	for (unsigned n = 0; n < 4; n++)
		vmcs_put(VMCS_GUEST_PDPTE0 + 2 * n, 0);
	bench_type(CONSOLE_STATS, "1 dump 0\n", 9);
	bench.v->host_turn = 0;
	STEP(bench_mov_to_cr(0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE));
	assert_true(said("done 1 ok"));
	assert_memory_equal(bench.v->mmu.regs.pdpte, pdpte, sizeof(pdpte));
	assert_int_equal(vmcs_get(VMCS_GUEST_PDPTE0), pdpte[0]);
	finish();
}

/* The clock of a guest's own stands still until the guest goes on, not only until somebody says that it may. */
static void a_resumed_one_that_waits(void **state)
{
	struct vcpu *v, *other;
	char request[20];
	uint64_t before;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = 2, .guest_clock = true });
	soft.ticks = 100;
	v = bench.v;
	other = other_than(v);
	before = soft.tsc + vmcs_get(VMCS_TSC_OFFSET);
	snprintf(request, sizeof(request), "1 pause %u\n", v->vm->id);
	STEP(ask(request));
	assert_ptr_equal(bench.v, other);
	bench_wait(5 * schedule_slice());
	again();
	snprintf(request, sizeof(request), "2 resume %u\n", v->vm->id);
	STEP(ask(request));
	assert_ptr_equal(bench.v, other);
	bench_wait(schedule_slice());
	wait_for(v);
	assert_true(soft.tsc + vmcs_get(VMCS_TSC_OFFSET) - before < schedule_slice() / 4);
	finish();
}

/* ---- memory ---- */

static void poke32(uint64_t gpa, uint32_t v) { bench_poke(gpa, &v, sizeof(v)); }

static void memory_by_linear_address(void **state)
{
	static const char left[] = "left", right[] = "right", wrong[] = "wrong";
	uint32_t pte;

	(void)state;
	start();
	assert_true(bench_mode(BENCH_PAGED32, 0));
	/* Two pages that are neighbours to the guest and not in its memory. */
	poke32(PT32 + 4 * (BENCH_DATA / PAGE_SIZE + 1), (BENCH_DATA + 0x5000) | 0x43);
	bench_poke(BENCH_DATA + 0xffc, left, 4);
	bench_poke(BENCH_DATA + 0x1000, wrong, 5);
	bench_poke(BENCH_DATA + 0x5000, right, 5);
	STEP(ask("1 dump 0 gva 0x1c0ffc 9\n"));
	assert_true(answers("1", "6c6566747269676874"));
	assert_true(answers("1", "\"complete\":true"));
	/* Looking sets no flag: accessed is still clear. */
	bench_peek(PT32 + 4 * (BENCH_DATA / PAGE_SIZE + 1), &pte, sizeof(pte));
	assert_int_equal(pte & PTE_A, 0x43 & PTE_A);
	poke32(PT32 + 4 * (BENCH_DATA / PAGE_SIZE + 1), (BENCH_DATA + 0x5000) | 3);
	STEP(ask("2 translate 0 0x1c1004\n"));
	assert_true(answers("2", "\"gpa\":\"0x1c5004\""));
	bench_peek(PT32 + 4 * (BENCH_DATA / PAGE_SIZE + 1), &pte, sizeof(pte));
	assert_int_equal(pte & (PTE_A | PTE_D), 0);
	finish();
}

static void where_memory_ends(void **state)
{
	(void)state;
	start();
	STEP(ask("1 dump 0 gpa 0x3ffff0 64\n"));
	assert_true(answers("1", "\"length\":16,"));
	assert_true(answers("1", "\"complete\":false"));
	STEP(ask("2 dump 0 gpa 0x400000 64\n"));
	assert_true(said("done 2 error there is no memory"));
	/* A device is not asked. */
	STEP(ask("3 dump 0 gpa 0xfee00000 64\n"));
	assert_true(said("done 3 error there is no memory"));
	finish();
}

/* A user's page, under SMAP. */
static void past_the_guests_rights(void **state)
{
	(void)state;
	start_as(BENCH_MODERN, "ept");
	assert_true(bench_mode(BENCH_LONG64, 0));
	STEP(bench_mov_to_cr(4, CR4_PAE | CR4_SMAP));
	EXPECT_NOTHING();
	STEP(ask("1 translate 0 0x1c0123\n"));
	assert_true(answers("1", "\"gpa\":\"0x1c0123\""));
	finish();
}

/* Memory for a core file: packed, or how much of it is empty, which is looked at up to a bound. */
static void memory_packed(void **state)
{
	char *zeroes;

	(void)state;
	start();
	bench_poke(BENCH_DATA, "something", 9);
	STEP(ask("1 memory 0 0x1c0000 16384\n"));
	assert_true(answers("1", "\"gpa\":\"0x1c0000\",\"length\":16384,\"complete\":true,\"packed\":\""));
	STEP(ask("2 memory 0 0x200000 16384\n"));
	zeroes = strstr(answer_to("2"), "\"zeroes\":");
	assert_non_null(zeroes);
	assert_in_range(strtoul(zeroes + 9, NULL, 10), 1u << 20, (1u << 20) + 16384);
	STEP(ask("3 memory 0 0x10000000 16384\n"));
	assert_true(said("done 3 error there is no memory at gpa 0x10000000"));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_in_pieces),	    cmocka_unit_test(two_at_once),
		cmocka_unit_test(phases),
		cmocka_unit_test(an_answer_without_room),   cmocka_unit_test(who_is_asked),
		cmocka_unit_test(the_power_button),
		cmocka_unit_test(one_that_waits),	    cmocka_unit_test(registers_on_the_way),
		cmocka_unit_test(a_resumed_one_that_waits), cmocka_unit_test(memory_by_linear_address),
		cmocka_unit_test(memory_packed),
		cmocka_unit_test(where_memory_ends),	    cmocka_unit_test(past_the_guests_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
