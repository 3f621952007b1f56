/* Lengths of instructions by their bytes (vm/exit/length.c), where a CPU does not tell them. */
#include "test/unit/vm/fixture.h"

#include "vm/exit/length.h"

#define LOW_CODE 0x8000 /* within the limit of 16-bit code */

static const struct {
	enum bench_mode mode;
	char bytes[9];
	unsigned length;
} insns[] = {
	{ BENCH_LONG64, "\x0f\xa2\x90", 2 },                        /* CPUID */
	{ BENCH_LONG64, "\xf3\x90\x90", 2 },                        /* PAUSE */
	{ BENCH_LONG64, "\x66\x48\x0f\x30\x90", 4 },                /* WRMSR */
	{ BENCH_LONG64, "\xf4\x90", 1 },                            /* HLT */
	{ BENCH_LONG64, "\x0f\x01\xd9\x90", 3 },                    /* VMMCALL */
	{ BENCH_LONG64, "\x66\x2e\x41\x0f\x01\xd9\x90", 6 },
	{ BENCH_PROT32, "\x64\x0f\x01\xd9\x90", 4 },
	{ BENCH_LONG64, "\x0f\x01\xd1\x90", 3 },                    /* XSETBV */
	{ BENCH_LONG64, "\xf1\x90", 1 },                            /* INT1 */
	{ BENCH_PROT32, "\xcd\x80\x90", 2 },                        /* INT 0x80 */
	{ BENCH_PROT32, "\xea\1\2\3\4\5\6\x90", 7 },               /* JMP far */
	{ BENCH_PROT16, "\xea\1\2\3\4\x90\x90\x90", 5 },
	{ BENCH_PROT32, "\x9a\1\2\3\4\5\6\x90", 7 },               /* CALL far */
	{ BENCH_PROT32, "\x2e\xff\x2d\1\2\3\4\x90", 7 },           /* JMP far, by memory */
	{ BENCH_PROT32, "\x0f\x02\xc0\x90", 3 },                    /* LAR, which the emulator knows */
	{ BENCH_LONG64, "\x0f\x0b\x90\x90", 0 },                    /* UD2 does not come here, whatever it is */
};

static void by_bytes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(insns); n++) {
		at_mode("ept", insns[n].mode, 0);
		bench_poke(LOW_CODE, insns[n].bytes, 8);
		vmcs_put(VMCS_GUEST_RIP, LOW_CODE);
		if (exit_length_by_bytes(bench.v) != insns[n].length)
			fail_msg("instruction %u has %u bytes", n, exit_length_by_bytes(bench.v));
		finish();
	}
}

/* Half of it in the next page; and where that is none. */
static void over_pages(void **state)
{
	static const uint64_t nothing = 0;

	(void)state;
	at_mode("ept", BENCH_LONG64, 0);
	bench_poke(0x1ffffe, "\x0f\x01\xd9", 3);
	vmcs_put(VMCS_GUEST_RIP, 0x1ffffe);
	assert_int_equal(exit_length_by_bytes(bench.v), 3);
	bench_poke(BENCH_TABLES + 0x3000 + 8, &nothing, 8);
	EXIT(.reason = EXIT_CPUID, .length = 0);
	assert_int_equal(exit_length_by_bytes(bench.v), 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(by_bytes), cmocka_unit_test(over_pages) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
