/* Patches taken back (vm/tpr/patch.c, vm/tpr/patch_page.c), also for page faults that they cause
 * (vm/tpr/patch_fault.c). */
#include "test/unit/vm/tpr/patched.h"

/* ---- the end of it ---- */

/* A write to the page, by whomever. */
static void written(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		begin(mechanisms[m], BENCH_PAE);
		PATCH(LOAD_EAX, false);
		put_byte(BENCH_CODE + 0x800, 0x90);
		assert_false(is_patched(LOAD_EAX, 5));
		assert_int_equal(patch_live(bench.vm[0]), 0);
		PATCH(LOAD_EAX, false);
		mmu_unmap(&bench.vm[0]->mmu, GFN(BENCH_CODE >> 12), 1);
		assert_false(is_patched(LOAD_EAX, 5));
		/* PX6 */
		PATCH(LOAD_EAX, false);
		put_byte(BENCH_CODE + 0x800, 0x90);
		code(LOAD_EAX, 5);
		STEP(access_tpr(false));
		assert_int_equal(bench.entry.rip, BENCH_CODE + 5);
		assert_int_equal(patches()->left[PATCH_LEFT_page], 1);
		assert_true(audits());
		finish();
	}
}

static void the_local_apic_goes(void **state)
{
	static const uint64_t bases[] = { LAPIC | APIC_BASE_BSP, ELSEWHERE | APIC_ON,
					  LAPIC | APIC_ON | APIC_BASE_EXTD };

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(bases); n++) {
		begin("ept", BENCH_PAE);
		PATCH(LOAD_EAX, false);
		STEP(bench_wrmsr(MSR_APIC_BASE, bases[n]));
		assert_false(is_patched(LOAD_EAX, 5));
		assert_int_equal(patch_live(bench.vm[0]), 0);
		code(LOAD_EAX, 5);
		STEP(access_tpr(false));
		assert_int_equal(patches()->made, 1);
		finish();
	}
}

static void paging_changes(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		begin(mechanisms[m], BENCH_PAGED32);
		PATCH(LOAD_EAX, false);
		STEP(bench_mov_to_cr(4, vmcs_get(VMCS_CR4_SHADOW) | CR4_PGE));
		assert_true(is_patched(LOAD_EAX, 5));
		STEP(bench_mov_to_cr(0, vmcs_get(VMCS_CR0_SHADOW) & ~CR0_PG));
		assert_false(is_patched(LOAD_EAX, 5));
		PATCH(LOAD_EAX, false);
		finish();
	}
}

/* Who was interrupted in a stub goes on in it, and writes the register. */
static void another_method(void **state)
{
	struct patch_stub stub;
	struct patch_key key = { PATCH_MOV, false, 0, 0 };
	uint32_t address;

	(void)state;
	patch_stub(&stub, key, 0, 0);
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		begin(mechanisms[m], BENCH_PAE);
		PATCH(STORE_EAX, true);
		put_byte(TPR_AT, 0x43);
		STEP(ask(m & 1 ? "t1 tpr 0 trap\n" : "t1 tpr 0 flexpriority\n"));
		assert_true(said("done t1 ok\n"));
		assert_false(is_patched(STORE_EAX, 5));
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x43);
		assert_int_equal(get_byte(THRESHOLD_AT), 0);
		bench_peek(ROM_STUB + stub.tpr_at[0], &address, 4);
		assert_int_equal(address, LAPIC + TPR);
		if (m & 1) {
			vmcs_put(VMCS_GUEST_RIP, ROM_STUB + stub.tpr_at[0] - 2);
			*bench_gpr(GPR_RAX) = 0xabcd34;
			STEP(access_tpr(true));
			assert_int_equal(lapic_tpr(&bench.v->lapic), 0x34);
		}
		code(STORE_EAX, 5);
		assert_int_equal(patches()->made, 1);
		STEP(ask("t2 tpr 0 patch\n"));
		bench_peek(ROM_STUB + stub.tpr_at[0], &address, 4);
		assert_int_equal(address, TPR_AT);
		PATCH(STORE_EAX, true);
		finish();
	}
}

static void chosen_late(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	STEP(bench_write_tpr(0x50));
	STEP(ask("t1 tpr 0 patch\n"));
	assert_int_equal(get_byte(TPR_AT), 0x50);
	PATCH(STORE_EAX, true);
	STEP(ask("t2 stats 0\n"));
	assert_true(said("\"patches_made\":1,\"patches_undone\":0,\"left_cpus\":0"));
	finish();
}

/* ---- page faults ---- */

static void push(uint32_t word)
{
	uint32_t sp = (uint32_t)vmcs_get(VMCS_GUEST_RSP) - 4;

	bench_poke(sp, &word, 4);
	vmcs_put(VMCS_GUEST_RSP, sp);
}

/* In front of each instruction of a stub, after what it has pushed: the original is carried out instead. */
static void in_a_stub(void **state)
{
	const struct patch_key key = { PATCH_MOV, false, GPR_RCX, 0 };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++)
		for (unsigned offset = 0; offset < PATCH_STUB_MAX; offset++) {
			struct patch_stack stack;

			if (!patch_stack_at(key, offset, &stack))
				continue;
			begin(mechanisms[m], BENCH_PAE);
			PATCH(STORE_ECX, true);
			vmcs_put(VMCS_GUEST_RSP, BENCH_STACK);
			push(BENCH_CODE + 6);
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_ZF);
			if (stack.words)
				push(RFLAGS_FIXED | RFLAGS_CF | RFLAGS_SF);
			vmcs_put(VMCS_GUEST_RIP, ROM_STUB + offset);
			STEP(fault(2, 0x40000000));
			EXPECT_NOTHING();
			assert_int_equal(bench.entry.rip, BENCH_CODE);
			assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK);
			assert_int_equal(bench.entry.rflags & (RFLAGS_CF | RFLAGS_ZF | RFLAGS_SF),
					 stack.words ? RFLAGS_CF | RFLAGS_SF : RFLAGS_ZF);
			assert_false(is_patched(STORE_ECX, 6));
			finish();
		}
}

static void at_a_patched_place(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		begin(mechanisms[m], BENCH_PAE);
		PATCH(LOAD_EAX, false);
		STEP(fault(0, 0x40000000));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.rip, BENCH_CODE);
		assert_false(is_patched(LOAD_EAX, 5));
		/* The next is the guest's. */
		STEP(fault(0, 0x40000000));
		EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 0);
		finish();
	}
}

/* It has called where another map of low memory would have the stubs. */
static void called_elsewhere(void **state)
{
	(void)state;
	begin("ept", BENCH_PAE);
	PATCH(STORE_EAX, true);
	vmcs_put(VMCS_GUEST_RSP, BENCH_STACK);
	push(BENCH_CODE + 5);
	vmcs_put(VMCS_GUEST_RIP, 0x40000000);
	STEP(fault(0, 0x40000000));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

/* Faults that are the guest's own arrive: elsewhere; in the stubs' page, with nothing of ours on the stack. */
static void faults_of_its_own(void **state)
{
	(void)state;
	begin("ept", BENCH_PAE);
	PATCH(STORE_EAX, true);
	vmcs_put(VMCS_GUEST_RSP, BENCH_STACK);
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE + 0x100);
	STEP(fault(2, 0x40000000));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2);
	assert_int_equal(read_cr2(), 0x40000000);
	push(BENCH_CODE + 0x200);
	vmcs_put(VMCS_GUEST_RIP, ROM_STUB);
	STEP(fault(2, 0x40000000));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 2);
	assert_true(is_patched(STORE_EAX, 5));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written),
		cmocka_unit_test(the_local_apic_goes),
		cmocka_unit_test(paging_changes),
		cmocka_unit_test(another_method),
		cmocka_unit_test(chosen_late),
		cmocka_unit_test(in_a_stub),
		cmocka_unit_test(at_a_patched_place),
		cmocka_unit_test(called_elsewhere),
		cmocka_unit_test(faults_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
