/* The heart's copy of the guest's paging registers, and the number of the state that they are in (vmx_is_synced in
 * vmx/vcpu.h): each field that the guest changes without an exit is noticed by itself. */
#include "test/unit/vm/fixture.h"

static struct walk_regs *regs(void) { return &bench.v->mmu.regs; }

static uint64_t sync_now(void)
{
	hvm_sync_paging(&bench.v->hvm, &bench.v->mmu);
	return hvm_sync_number(&bench.v->hvm);
}

static uint64_t begin_synced(const char *mmu, enum bench_mode mode)
{
	uint64_t number;

	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu });
	check_entry(0);
	assert_true(bench_mode(mode, 0));
	number = sync_now();
	assert_int_equal(sync_now(), number); /* as long as nothing changes */
	return number;
}

/* Another value of one field: another state. And again another when it is what it was. */
static void changes(uint32_t field, uint64_t bits)
{
	uint64_t was = vmcs_get(field), before = sync_now(), between;

	vmcs_put(field, was ^ bits);
	between = sync_now();
	assert_true(between > before);
	vmcs_put(field, was);
	assert_true(sync_now() > between);
}

static void each_field(void **state)
{
	(void)state;
	begin_synced("ept", BENCH_LONG64);
	changes(VMCS_GUEST_CS_ACCESS, SEGMENT_L);
	changes(VMCS_GUEST_SS_ACCESS, SEGMENT_DPL);
	changes(VMCS_GUEST_ES_BASE + 2 * SEG_CS, 0x1000);
	changes(VMCS_GUEST_RFLAGS, RFLAGS_AC);
	changes(VMCS_GUEST_RFLAGS, RFLAGS_VM);
	changes(VMCS_GUEST_CR0, CR0_WP);
	changes(VMCS_GUEST_CR4, CR4_PGE);
	changes(VMCS_GUEST_CR3, 0x1000);
	finish();
}

static void what_it_becomes(void **state)
{
	(void)state;
	begin_synced("ept", BENCH_LONG64);
	vmcs_put(VMCS_GUEST_CS_ACCESS, vmcs_get(VMCS_GUEST_CS_ACCESS) & ~(uint64_t)SEGMENT_L);
	vmcs_put(VMCS_GUEST_SS_ACCESS, vmcs_get(VMCS_GUEST_SS_ACCESS) | SEGMENT_DPL);
	vmcs_put(VMCS_GUEST_RFLAGS, vmcs_get(VMCS_GUEST_RFLAGS) | RFLAGS_AC);
	vmcs_put(VMCS_GUEST_CR3, BENCH_TABLES);
	sync_now();
	assert_false(regs()->cs_l);
	assert_int_equal(regs()->cpl, 3);
	assert_true(regs()->ac);
	assert_int_equal(regs()->cr3, BENCH_TABLES);
	finish();
}

/* What the hypervisor itself has put there is no reason to believe it: it is the CPU's that counts, but for CR3 where
 * that is the hypervisor's. */
static void by_the_hypervisor(void **state)
{
	uint64_t number;

	(void)state;
	number = begin_synced("ept", BENCH_PAE);
	regs()->cpl = 3;
	assert_true(sync_now() > number);
	assert_int_equal(regs()->cpl, 0);
	finish();
	number = begin_synced("shadow", BENCH_PAE);
	regs()->cr3 ^= 0x1000;
	assert_true(sync_now() > number);
	regs()->cr3 ^= 0x1000;
	finish();
}

/* Masks and shadows are another thing's. */
static void applied(void **state)
{
	uint64_t number;

	(void)state;
	number = begin_synced("ept", BENCH_LONG64);
	hvm_apply_paging(&bench.v->hvm, &bench.v->mmu);
	assert_true(sync_now() > number);
	finish();
}

/* Protection keys: PKRU is in the CPU, changes without an exit, and no field has it. As long as it stays the same, the
 * state does; without CR4.PKE it does not count. */
static void protection_keys(void **state)
{
	uint64_t cr4, number;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_MODERN, .mmu = "ept" });
	check_entry(0);
	assert_true(bench_mode(BENCH_LONG64, 0));
	number = sync_now();
	soft.pkru = 0x10;
	assert_int_equal(sync_now(), number);
	assert_int_equal(regs()->pkru, 0);
	cr4 = vmcs_get(VMCS_GUEST_CR4);
	vmcs_put(VMCS_GUEST_CR4, cr4 | CR4_PKE);
	vmcs_put(VMCS_CR4_SHADOW, vmcs_get(VMCS_CR4_SHADOW) | CR4_PKE);
	number = sync_now();
	assert_int_equal(regs()->pkru, 0x10);
	assert_int_equal(sync_now(), number);
	soft.pkru = 0x20;
	assert_true(sync_now() > number);
	assert_int_equal(regs()->pkru, 0x20);
	number = sync_now();
	vmcs_put(VMCS_GUEST_CR4, cr4);
	vmcs_put(VMCS_CR4_SHADOW, vmcs_get(VMCS_CR4_SHADOW) & ~(uint64_t)CR4_PKE);
	assert_true(sync_now() > number);
	assert_false(regs()->cr4 & CR4_PKE);
	finish();
}

/* A guest under EPT loads them without an exit. */
static void pdptes(void **state)
{
	(void)state;
	begin_synced("ept", BENCH_PAE);
	vmcs_put(VMCS_GUEST_PDPTE0 + 4, 0x234001);
	sync_now();
	assert_int_equal(regs()->pdpte[2], 0x234001);
	vmcs_put(VMCS_GUEST_PDPTE0 + 4, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field),
		cmocka_unit_test(what_it_becomes),
		cmocka_unit_test(by_the_hypervisor),
		cmocka_unit_test(applied),
		cmocka_unit_test(protection_keys),
		cmocka_unit_test(pdptes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
