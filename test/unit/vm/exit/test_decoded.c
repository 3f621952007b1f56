/* Instructions that were decoded before (vm/exit/decoded.h, DC1): what is at their place now is carried out, whatever
 * has changed without a word to the hypervisor. */
#include "test/unit/vm/tpr/lapic.h"
#include "vm/exit/decoded.h"

#define MOV_ECX "\x8b\x8b\xf0\0\0\0" /* mov ecx, [ebx + 0xf0] */
#define MOV_EDX "\x8b\x93\xf0\0\0\0" /* mov edx, [ebx + 0xf0] */
#define AFTER 0x200000u              /* from one page of 2 MBytes to the next */

/* Both registers, as they are after the instruction at RIP has read SVR. */
static void reads(bool into_edx)
{
	*bench_gpr(GPR_RCX) = *bench_gpr(GPR_RDX) = 0;
	STEP(apic_access(0, SVR));
	assert_int_equal(*bench_gpr(GPR_RDX), into_edx ? bench.v->lapic.svr : 0);
	assert_int_equal(*bench_gpr(GPR_RCX), into_edx ? 0 : bench.v->lapic.svr);
}

/* Decoded, found again, and remembered where. */
static void warm(enum bench_mode mode)
{
	at("ept", "flexpriority", mode);
	for (unsigned n = 0; n < 3; n++) {
		CODE(MOV_ECX);
		reads(false);
	}
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
}

static void other_bytes(void **state)
{
	(void)state;
	warm(BENCH_PAE);
	CODE(MOV_EDX);
	reads(true);
	finish();
}

/* The same RIP in another code segment. */
static void another_base(void **state)
{
	(void)state;
	warm(BENCH_PAE);
	bench_poke(BENCH_CODE + 0x100, MOV_EDX, 6);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_CS, 0x100);
	reads(true);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * SEG_CS, 0);
	finish();
}

/* The same linear address, by another entry: no register has changed, and nothing has exited. */
static void another_page(void **state)
{
	static const uint64_t elsewhere = AFTER | 0xe7, back = 0xe7;

	(void)state;
	warm(BENCH_LONG64);
	bench_poke(BENCH_CODE + AFTER, MOV_EDX, 6);
	bench_poke(BENCH_TABLES + 0x3000, &elsewhere, 8);
	reads(true);
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	reads(true);
	bench_poke(BENCH_TABLES + 0x3000, &back, 8);
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	reads(false);
	finish();
}

/* Two instructions of a page that is elsewhere now: the first finds that out, for the second, too. */
static void neighbour(void **state)
{
	static const uint64_t elsewhere = AFTER | 0xe7, back = 0xe7;

	(void)state;
	warm(BENCH_LONG64);
	bench_poke(BENCH_CODE + 0x100, MOV_ECX, 6);
	for (unsigned n = 0; n < 3; n++) {
		vmcs_put(VMCS_GUEST_RIP, BENCH_CODE + 0x100);
		reads(false);
	}
	bench_poke(BENCH_CODE + AFTER, MOV_EDX, 6);
	bench_poke(BENCH_CODE + AFTER + 0x100, MOV_EDX, 6);
	bench_poke(BENCH_TABLES + 0x3000, &elsewhere, 8);
	for (unsigned n = 0; n < 3; n++) {
		vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
		reads(true);
	}
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE + 0x100);
	reads(true);
	bench_poke(BENCH_TABLES + 0x3000, &back, 8);
	finish();
}

#define PAGES 0x1d0000u /* a table of 4 KByte pages, for the first 2 MBytes */

/* Decoded where it is, and executed there again. true: where that is, is remembered. */
static bool remembered_at(uint64_t rip)
{
	const struct insn_cache *c;

	bench_poke(rip, MOV_ECX, 6);
	for (unsigned n = 0; n < 3; n++) {
		vmcs_put(VMCS_GUEST_RIP, rip);
		reads(false);
	}
	c = decoded_cached(bench.v, rip);
	assert_non_null(c);
	vmcs_put(VMCS_GUEST_RIP, rip);
	return c->noted != 0;
}

static void in_small_pages(void)
{
	static const uint64_t table = PAGES | 0x67;

	at("ept", "flexpriority", BENCH_LONG64);
	for (uint64_t n = 0; n < 512; n++) {
		uint64_t entry = n << 12 | 0x67;

		bench_poke(PAGES + n * 8, &entry, 8);
	}
	bench_poke(BENCH_TABLES + 0x3000, &table, 8);
}

/* It begins on one page and goes on on the next, which is elsewhere now; where that was, all is as before. */
static void across_pages(void **state)
{
	static const uint64_t elsewhere = (BENCH_CODE + 0x3000) | 0x67;

	(void)state;
	in_small_pages();
	assert_false(remembered_at(BENCH_CODE + 0xfff));
	bench_poke(BENCH_CODE + 0x3000, &MOV_EDX[1], 5);
	bench_poke(PAGES + ((BENCH_CODE >> 12) + 1) * 8, &elsewhere, 8);
	reads(true);
	finish();
}

/* The page ends behind it; nothing of the next one is looked at, but in memory that goes on there. */
static void the_end_of_a_page(void **state)
{
	(void)state;
	in_small_pages();
	assert_true(remembered_at(BENCH_CODE + 0xffa));
	bench_poke(BENCH_CODE + 0x1000, "\xf0\xf0", 2);
	reads(false);
	finish();
}

static void the_end_of_memory(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_LONG64);
	assert_true(remembered_at(BENCH_RAM - 15));
	assert_false(remembered_at(BENCH_RAM - 6));
	finish();
}

/* The same bytes mean something else in 16-bit code: another register of the page. */
static void another_mode(void **state)
{
	uint64_t access;

	(void)state;
	warm(BENCH_PAE);
	access = vmcs_get(VMCS_GUEST_CS_ACCESS);
	vmcs_put(VMCS_GUEST_CS_ACCESS, access & ~(uint64_t)SEGMENT_DB);
	*bench_gpr(GPR_RCX) = 0x1234;
	STEP(apic_access(0, SVR)); /* mov cx, [bp + di + 0xf0], of memory */
	assert_int_not_equal(*bench_gpr(GPR_RCX), bench.v->lapic.svr);
	vmcs_put(VMCS_GUEST_CS_ACCESS, access);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_bytes),
		cmocka_unit_test(another_base),
		cmocka_unit_test(another_page),
		cmocka_unit_test(neighbour),
		cmocka_unit_test(across_pages),
		cmocka_unit_test(the_end_of_a_page),
		cmocka_unit_test(the_end_of_memory),
		cmocka_unit_test(another_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
