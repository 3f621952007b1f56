/* What a CPU says of its AMD-V (svm/caps.c), and the permission maps (svm/maps.c). APM, "Enabling SVM", "MSR
 * Intercepts". */
#include "test/unit/svm/soft.h"

static struct svm_caps caps;

static const char *read_caps(void) { return svm_caps_read(&caps); }

static void a_whole_cpu(void **state)
{
	const struct mmu_caps *m = &caps.hvm.mmu;

	(void)state;
	soft_svm_new();
	assert_null(read_caps());
	assert_true(m->npt && m->vpid && m->invvpid_single && m->unrestricted_guest && m->paged_real_mode && !m->ept);
	assert_true(m->nx && m->page_1g && m->ept_1g && m->ept_2m && m->smep && m->smap && !m->la57 && !m->pcid);
	assert_int_equal(m->maxphyaddr, 48);
	assert_int_equal(caps.asids, 16);
	assert_true(caps.hvm.rdtscp && !caps.hvm.tpr_shadow && !caps.hvm.alarm && !caps.hvm.steps);
	assert_true((caps.hvm.cr4_may & (CR4_SMEP | CR4_FSGSBASE | CR4_OSXSAVE | CR4_PAE)) ==
		    (CR4_SMEP | CR4_FSGSBASE | CR4_OSXSAVE | CR4_PAE));
	assert_false(caps.hvm.cr4_may & (CR4_VMXE | CR4_LA57 | CR4_PCIDE));
	assert_true(caps.efer_may & EFER_NXE);
}

static void a_smaller_cpu(void **state)
{
	(void)state;
	soft_svm_new();
	soft_svm.basic.eax = 1; /* no leaf 7 */
	soft_svm.svm.edx = CPUID_8000000A_EDX_NRIPS;
	soft_svm.extended_features.edx = 0;
	assert_null(read_caps());
	assert_false(caps.hvm.mmu.npt || caps.hvm.mmu.invept || caps.hvm.mmu.invvpid_single || caps.hvm.mmu.smep);
	assert_true(caps.hvm.mmu.vpid && caps.hvm.mmu.invvpid_all && caps.next_rip);
	assert_false((caps.efer_may & EFER_NXE) || caps.hvm.rdtscp || (caps.hvm.cr4_may & CR4_SMEP));
}

/* QEMU's TCG: lengths are looked for. */
static void without_nrips(void **state)
{
	(void)state;
	soft_svm_new();
	soft_svm.svm.edx = CPUID_8000000A_EDX_NP;
	assert_null(read_caps());
	assert_true(caps.hvm.mmu.npt && !caps.next_rip);
	assert_false(caps.hvm.cr4_may & CR4_OSXSAVE); /* XSETBV would not exit */
}

/* Each is refused with a sentence. */
static void what_vellum_cannot_do_without(void **state)
{
	(void)state;
	soft_svm_new();
	soft_svm.extended_features.ecx = 0;
	assert_false(svm_offered());
	assert_non_null(strstr(read_caps(), "neither VT-x nor AMD-V"));
	soft_svm_new();
	soft_svm.extended.eax = CPUID_LEAF_SVM - 1;
	assert_false(svm_offered());
	soft_svm_new();
	assert_true(svm_offered());
	soft_svm.vm_cr = VM_CR_SVMDIS | VM_CR_LOCK;
	assert_non_null(strstr(read_caps(), "firmware has disabled AMD-V"));
	soft_svm_new();
	soft_svm.svm.ebx = 3;
	assert_non_null(strstr(read_caps(), "ASIDs"));
}

/* Where the two bits of an MSR are; -1: in none of the ranges. */
static unsigned exits(uint32_t msr)
{
	unsigned base = msr >= 0xc0000000 ? 2048 : 0, bit = (msr & 0x1fff) * 2;

	return svm_msr_map[base + bit / 8] >> bit % 8 & 3;
}

static void maps(void **state)
{
	(void)state;
	soft_svm_new();
	svm_maps_init(&svm_test_caps);
	for (size_t i = 0; i < sizeof(svm_io_map); i++)
		assert_int_equal(svm_io_map[i], 0xff);
	assert_int_equal(exits(MSR_LSTAR), 0);
	assert_int_equal(exits(MSR_SYSENTER_EIP), 0);
	assert_int_equal(exits(MSR_GS_BASE), 0);
	assert_int_equal(exits(MSR_TSC_AUX), 0);
	assert_int_equal(exits(MSR_TSC), 2); /* writes exit */
	assert_int_equal(exits(MSR_EFER), 3);
	assert_int_equal(exits(MSR_PAT), 3);
	assert_int_equal(exits(MSR_APIC_BASE), 3);
	for (size_t i = 4096; i < sizeof(svm_msr_map); i++)
		assert_int_equal(svm_msr_map[i], 0xff);
	svm_test_caps.hvm.rdtscp = false;
	svm_maps_init(&svm_test_caps);
	assert_int_equal(exits(MSR_TSC_AUX), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_cpu),
		cmocka_unit_test(a_smaller_cpu),
		cmocka_unit_test(without_nrips), cmocka_unit_test(what_vellum_cannot_do_without),
		cmocka_unit_test(maps),
	};

	return cmocka_run_group_tests_name("svm_caps", tests, NULL, NULL);
}
