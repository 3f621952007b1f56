/* The TPR by patching (vm/tpr/patch.c, vm/tpr/patch_page.c): what is patched, where the register is then, how
 * interrupts come. */
#include "test/unit/vm/tpr/patched.h"

/* ---- what is patched ---- */

static void a_read(void **state)
{
	uint8_t now[5];

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		begin(mechanisms[m], BENCH_PAE);
		PATCH(LOAD_EAX, false);
		fetched(BENCH_CODE, now, 5);
		assert_int_equal(now[0], 0xa1);
		assert_int_equal(word_of(now + 1), TPR_AT);
		assert_int_equal(stats_tpr(bench.vm[0]).reads, 0);
		/* L2: it is there, whoever writes it. */
		STEP(put_register(TPR, 0x57));
		assert_int_equal(get_byte(TPR_AT), 0x57);
		put_byte(TPR_AT, 0x75);
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x75);
		assert_true(said("test0: tpr patch: the stubs are at 0xc8000"));
		finish();
	}
}

static void writes(void **state)
{
	uint8_t now[10];

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		begin(mechanisms[m], m & 1 ? BENCH_PAGED32 : BENCH_PROT32);
		PATCH(STORE_EAX, true);
		fetched(BENCH_CODE, now, 5);
		assert_int_equal(now[0], 0xe8);
		assert_int_equal(word_of(now + 1) + BENCH_CODE + 5, ROM_STUB);
		PATCH(AND_IMM, true); /* which the writing of it has unpatched */
		fetched(BENCH_CODE, now, 10);
		assert_int_equal(now[4], 0xff);
		assert_int_equal(word_of(now + 6), ROM_STUB - 4 + PATCH_STUB_ROOM);
		bench_peek(word_of(now + 6), now, 4);
		assert_int_equal(word_of(now), ROM_STUB + PATCH_STUB_ROOM);
		assert_int_equal(patch_live(bench.vm[0]), 1);
		assert_int_equal(stats_tpr(bench.vm[0]).writes, 0);
		finish();
	}
}

static void the_rom(void **state)
{
	uint8_t rom[PAGE_SIZE], sum = 0;

	(void)state;
	begin("ept", BENCH_PAE);
	PATCH(STORE_EAX, true);
	bench_peek(PATCH_CODE_GPA, rom, sizeof(rom));
	for (unsigned n = 0; n < rom[2] * 512u; n++)
		sum = (uint8_t)(sum + rom[n]);
	assert_true(rom[0] == 0x55 && rom[1] == 0xaa && rom[2] == 8 && rom[3] == 0xcb && !sum);
	finish();
}

static void other_states(void **state)
{
	uint64_t left;

	(void)state;
	begin("ept", BENCH_PAE);
	LEFT("\x89\x83\x80\0\0\0", form); /* mov [ebx + 0x80], eax */
	LEFT("\x3e" STORE_EAX, form);
	finish();
	begin("ept", BENCH_LONG64);
	LEFT("\xa3\x80\0\xe0\xfe\0\0\0\0", mode);
	finish();
	begin("ept", BENCH_PAE);
	vmcs_put(VMCS_GUEST_DR7, 0x402);
	LEFT(STORE_EAX, debug);
	vmcs_put(VMCS_GUEST_DR7, 0x400);
	left = patches()->left[PATCH_LEFT_debug];
	code(STORE_EAX, 5);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(access_tpr(true));
	assert_int_equal(patches()->left[PATCH_LEFT_debug], left + 1);
	PATCH(STORE_EAX, true);
	finish();
}

static void segments_with_a_base(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		static const unsigned which[] = { SEG_CS, SEG_SS, SEG_DS };

		begin("ept", BENCH_PAE);
		code(STORE_EAX, 5);
		vmcs_put(VMCS_GUEST_ES_BASE + 2 * which[n], 0x1000);
		if (which[n] == SEG_CS)
			vmcs_put(VMCS_GUEST_RIP, BENCH_CODE - 0x1000);
		STEP(access_tpr(true));
		assert_int_equal(patches()->left[PATCH_LEFT_mode], 1);
		assert_int_equal(patches()->made, 0);
		finish();
	}
}

static void of_programs(void **state)
{
	(void)state;
	at("ept", "patch", BENCH_PROT32);
	assert_true(bench_mode(BENCH_PAE, 3));
	LEFT(STORE_EAX, mode);
	finish();
}

/* What was accessed is the TPR; what the instruction names is another register, or was by the time. */
static void another_address(void **state)
{
	(void)state;
	begin("ept", BENCH_PAE);
	code("\xa3\x90\0\xe0\xfe", 5);
	STEP(access_tpr(true));
	assert_int_equal(patches()->left[PATCH_LEFT_form], 1);
	assert_int_equal(patches()->made, 0);
	finish();
}

static void several_cpus(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .tpr = "patch",
					  .description = "vcpus 2\n" });
	check_entry(0);
	assert_true(bench_mode(BENCH_PAE, 0));
	*bench_gpr(GPR_RBX) = LAPIC;
	code(STORE_EAX, 5);
	*bench_gpr(GPR_RAX) = 0x30;
	STEP(access_tpr(true));
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x30);
	assert_int_equal(bench.v->patch_watched, ~0ull); /* nor is it looked whether it could be */
	STEP(ask("t1 stats 0\n"));
	assert_true(said("\"patches_made\":0,\"patches_undone\":0,\"left_cpus\":1"));
	assert_true(said("with several CPUs each access is left to the trap"));
	assert_ptr_equal(bench.v->lapic.tpr, &bench.v->lapic.own_tpr);
	finish();
}

static void no_map_of_the_stubs(void **state)
{
	const uint32_t absent = 0;

	(void)state;
	begin("shadow", BENCH_PAGED32);
	bench_poke(BENCH_TABLES + 0x1000 + (PATCH_DATA_GPA >> 12) * 4, &absent, 4);
	LEFT(STORE_EAX, mapping);
	assert_true(said("an access is left to the trap: no linear address maps the stubs"));
	assert_true(patches()->searches == 1);
	finish();
}

/* They were mapped when something was patched, and are not any more. */
static void no_longer_mapped(void **state)
{
	const uint32_t absent = 0;

	(void)state;
	begin("shadow", BENCH_PAGED32);
	PATCH(LOAD_EAX, false);
	bench_poke(BENCH_TABLES + 0x1000 + (PATCH_DATA_GPA >> 12) * 4, &absent, 4);
	LEFT(STORE_EAX, mapping);
	finish();
}

/* ---- interrupts ---- */

static void a_threshold(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		begin(mechanisms[m], BENCH_PAE);
		STEP(put_register(SVR, 0x1ff));
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
		STEP(put_register(TPR, 0x80));
		assert_int_equal(get_byte(THRESHOLD_AT), 0);
		STEP(put_register(ICR, 1u << 18 | 1u << 14 | 0x51));
		assert_int_equal(get_byte(THRESHOLD_AT), 0x50);
		STEP(put_register(ICR, 1u << 18 | 1u << 14 | 0x71));
		assert_int_equal(get_byte(THRESHOLD_AT), 0x70);
		/* A stub lowers it, and finds that it is low enough. */
		put_byte(TPR_AT, 0x6f);
		STEP(stub_tells());
		EXPECT_EVENT(EXTERNAL(0x71), 0);
		/* What is in service keeps the other back, and its end will bring it. */
		assert_int_equal(get_byte(THRESHOLD_AT), 0);
		STEP(put_register(TPR, 0x20));
		EXPECT_NOTHING();
		STEP(put_register(EOI, 0));
		EXPECT_EVENT(EXTERNAL(0x51), 0);
		/* Told in vain, or by whomever. */
		STEP(stub_tells());
		EXPECT_NOTHING();
		assert_int_equal(patches()->told, 2);
		finish();
	}
}

/* At another place it is an instruction that the guest's CPU does not have. */
static void no_stub_tells(void **state)
{
	(void)state;
	begin("ept", BENCH_PAE);
	STEP(stub_tells());
	EXPECT_NOTHING();
	for (unsigned n = 0; n < 3; n++) {
		static const uint32_t places[] = { BENCH_CODE, ROM_STUB, ROM_STUB + PATCH_STUB_ROOM };

		vmcs_put(VMCS_GUEST_RIP, places[n] + (n == 2 ? patches()->stub[0].tell_at : 0));
		EXIT(.reason = EXIT_VMRESUME, .length = 3);
		EXPECT_EVENT(EXCEPTION(VECTOR_UD), 0);
	}
	assert_int_equal(patches()->told, 1);
	finish();
}

/* Where the patched code is a program's, too, it calls them from there. */
static void a_program_tells(void **state)
{
	(void)state;
	begin("shadow", BENCH_PAE);
	STEP(put_register(SVR, 0x1ff));
	STEP(put_register(TPR, 0x80));
	STEP(put_register(ICR, 1u << 18 | 1u << 14 | 0x51));
	assert_true(bench_mode(BENCH_PAE, 3));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	put_byte(TPR_AT, 0x20);
	STEP(stub_tells());
	EXPECT_EVENT(EXTERNAL(0x51), 0);
	finish();
}

/* Behind an STI or a load of SS it is left to the trap, however it was reached this time. */
static void behind_a_shadow(void **state)
{
	static const struct {
		const char *bytes;
		unsigned n;
		bool shadows;
	} before[] = {
		{ "\xfb", 1, true }, { "\x17", 1, true }, { "\x8e\xd0", 2, true }, { "\x8e\xd7", 2, true },
		{ "\x8e\x16", 2, true }, { "\x8e\x14\x24", 3, true }, { "\x8e\x55\xf8", 3, true },
		{ "\x8e\x54\x24\x08", 4, true }, { "\x67\x8e\x16\x34\x12", 5, true },
		{ "\x8e\x15\x90\x90\x90\x90", 6, true }, { "\x8e\x93\x90\x90\x90\x90", 6, true },
		{ "\x8e\x14\x25\x90\x90\x90\x90", 7, true }, { "\x8e\x94\x24\x90\x90\x90\x90", 7, true },
		{ "\x90", 1, false }, { "\x8e\xd8", 2, false }, { "\x8e\xd0\x90", 3, false },
		{ "\xfb\x90", 2, false }, { "\x8e\x15\x90\x90\x90", 5, false }, { "\x8e\x14\x24\x90", 4, false },
	};

	(void)state;
	begin("ept", BENCH_PAE);
	for (unsigned n = 0; n < ARRAY_SIZE(before); n++) {
		uint8_t nops[16];

		memset(nops, 0x90, sizeof(nops));
		memset(patches()->worn, 0, sizeof(patches()->worn));
		bench_poke(BENCH_CODE - 16, nops, sizeof(nops));
		bench_poke(BENCH_CODE - before[n].n, before[n].bytes, before[n].n);
		if (before[n].shadows)
			LEFT(STORE_EAX, debug);
		else
			PATCH(STORE_EAX, true);
	}
	finish();
}

/* The same instruction once more. */
static void once_more(unsigned times)
{
	while (times--) {
		vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
		STEP(access_tpr(true));
	}
}

/* STORE_EAX is left to the trap, and remembered so, though its page, which was worn, is not any more. */
static void leave_it(void)
{
	begin("ept", BENCH_PAE);
	for (unsigned n = 0; n < 3; n++) {
		PATCH(STORE_EAX, true);
		put_byte(BENCH_CODE + 0x800, 0x90);
	}
	code(STORE_EAX, 5);
	once_more(3);
	memset(patches()->worn, 0, sizeof(patches()->worn));
	once_more(3);
	assert_int_equal(patches()->left[PATCH_LEFT_page], 6);
	assert_int_equal(patches()->made, 3);
}

/* PX8: what makes the place fit again. */
static void left_no_more(void **state)
{
	(void)state;
	begin("ept", BENCH_PAE);
	LEFT("\x89\x83\x80\0\0\0", form); /* mov [ebx + 0x80], eax */
	LEFT("\x89\x83\x80\0\0\0", form); /* remembered */
	/* Other bytes, seen first where it was not the moment to look. */
	code(STORE_EAX, 5);
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(access_tpr(true));
	PATCH(STORE_EAX, true);
	STEP(ask("t1 stats 0\n"));
	assert_true(said("\"left_cpus\":0,"));
	finish();
	/* Other segments. */
	begin("ept", BENCH_PAE);
	code(STORE_EAX, 5);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_SS, 0x1000);
	once_more(3);
	assert_int_equal(patches()->left[PATCH_LEFT_mode], 3);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_SS, 0);
	once_more(1);
	assert_int_equal(patches()->made, 1);
	finish();
}

/* The method is another for a while, or the local APIC's page is elsewhere. */
static void left_until_undone(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 2; way++) {
		leave_it();
		if (way == 0) {
			STEP(ask("t1 tpr 0 trap\n"));
			STEP(ask("t2 tpr 0 patch\n"));
		} else {
			STEP(bench_wrmsr(MSR_APIC_BASE, ELSEWHERE | APIC_ON));
			STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC | APIC_ON));
		}
		once_more(1);
		assert_int_equal(patches()->made, 4);
		finish();
	}
}

/* Whatever has changed is found after 256 accesses. */
static void left_for_a_while(void **state)
{
	unsigned n = 0;

	(void)state;
	leave_it();
	for (; patches()->made == 3 && n < 300; n++)
		once_more(1);
	assert_in_range(n, 200, 256);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read),
		cmocka_unit_test(writes),
		cmocka_unit_test(the_rom),
		cmocka_unit_test(other_states),
		cmocka_unit_test(segments_with_a_base),
		cmocka_unit_test(of_programs),
		cmocka_unit_test(another_address),
		cmocka_unit_test(several_cpus),
		cmocka_unit_test(no_map_of_the_stubs),
		cmocka_unit_test(no_longer_mapped),
		cmocka_unit_test(a_threshold),
		cmocka_unit_test(no_stub_tells),
		cmocka_unit_test(a_program_tells),
		cmocka_unit_test(behind_a_shadow),
		cmocka_unit_test(left_no_more),
		cmocka_unit_test(left_until_undone),
		cmocka_unit_test(left_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
