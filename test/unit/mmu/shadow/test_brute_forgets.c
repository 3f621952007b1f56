/* What brute takes for tables: what a table names is one, however often it is written to; what none names any more is
 * memory. */
#include "test/unit/mmu/shadow/guest.h"

static void set_entry(uint64_t gfn, unsigned index, uint64_t value)
{
	assert_int_equal(mmu_guest_write(&vm, GPA(gfn << 12 | index * 8), &value, 8), 8);
	audit("a table write");
}

/* In a 4-level guest gva 0 is table 1, 2, 4, 6, page TABLES; and gva 0x8000 + n pages is page n. */
static void lay_out(void)
{
	uint64_t link = PTE_P | PTE_W | PTE_U | PTE_A;

	memset(ram(0), 0, 4096);
	for (uint64_t gfn = 0; gfn < TABLES; gfn++)
		memset(ram(gfn), 0, 4096);
	rewritten(0, TABLES);
	set_entry(1, 0, 2 << 12 | link);
	set_entry(2, 0, 4 << 12 | link);
	set_entry(4, 0, 6 << 12 | link);
	set_entry(6, 0, TABLES << 12 | link | PTE_D);
	for (unsigned n = 0; n < TABLES; n++)
		set_entry(6, 8 + n, n << 12 | link | PTE_D);
	expect_loaded(mmu_set_cr3(&vcpu, 0x30000));
	expect_loaded(mmu_set_efer(&vcpu, EFER_LME));
	expect_loaded(mmu_set_cr4(&vcpu, CR4_PAE));
	expect_loaded(mmu_set_cr3(&vcpu, 1 << 12));
	expect_loaded(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG));
}

static enum mmu_outcome read_page(unsigned n)
{
	return access_guest((8 + n) << 12, (struct access){ 0 }).how;
}

/* brute: what no table names any more is memory like any other, with all that only it named; what one names is a table
 * however often it is written to. */
static void test_brute_forgets(void **state)
{
	(void)state;
	guest_start(&mmu_brute, false, 0);
	lay_out();
	assert_int_equal(access_guest(0, (struct access){ .write = true }).how, MMU_FIXED);
	for (unsigned n = 1; n < TABLES; n++)
		assert_int_equal(read_page(n), n == 1 || n == 2 || n == 4 || n == 6 ? MMU_EMULATE : MMU_FIXED);
	for (unsigned i = 0; i < 20; i++)
		set_entry(6, 100 + i, 0);
	assert_int_equal(read_page(6), MMU_EMULATE);
	/* Another last-level table in the place of table 6, so that there is a way to look; then the upper link goes
	 * and comes. */
	memcpy(ram(7), ram(6), 4096);
	rewritten(7, 1);
	set_entry(4, 0, 7 << 12 | PTE_P | PTE_W | PTE_U | PTE_A);
	assert_int_equal(read_page(6), MMU_FIXED);
	assert_int_equal(read_page(7), MMU_EMULATE);
	set_entry(2, 0, 0);
	set_entry(2, 0, 5 << 12 | PTE_P | PTE_W | PTE_U | PTE_A);
	set_entry(5, 0, 6 << 12 | PTE_P | PTE_W | PTE_U | PTE_A);
	assert_int_equal(read_page(4), MMU_FIXED);
	assert_int_equal(read_page(7), MMU_FIXED);
	assert_int_equal(read_page(5), MMU_EMULATE);
	assert_int_equal(read_page(6), MMU_EMULATE);
	guest_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_brute_forgets) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
