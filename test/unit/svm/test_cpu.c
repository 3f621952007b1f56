/* SVM on a CPU, and the flushes that VMRUN makes (svm/cpu.c). APM, "TLB Management". */
#include "test/unit/svm/soft.h"

static void enabled(void)
{
	soft_svm_new();
	assert_null(svm_cpu_enable(&svm_test_caps));
}

static void enabling(void **state)
{
	(void)state;
	enabled();
	assert_true(soft_svm.efer & EFER_SVME);
	assert_true(soft_svm.hsave && !(soft_svm.hsave & (PAGE_SIZE - 1)));
	assert_true(soft_svm.cr4 & CR4_OSXSAVE);
	assert_true(svm_this_cpu()->host.v && svm_this_cpu()->host.v != soft_svm.hsave);
	/* what was cached before */
	assert_int_equal(svm_take_flush(1), TLB_FLUSH_ALL);
	assert_int_equal(svm_take_flush(1), TLB_FLUSH_NOTHING);
	soft_svm_new();
	soft_svm.frames = 1;
	assert_non_null(strstr(svm_cpu_enable(&svm_test_caps), "no memory"));
}

static void flushes(void **state)
{
	(void)state;
	enabled();
	svm_take_flush(1);
	assert_true(svm_flush_tag(TAG_FLUSH_ADDRESS, 5, GVA(0x1234000)));
	assert_int_equal(soft_svm.invlpga_asid, 5);
	assert_int_equal(soft_svm.invlpga_gva, 0x1234000);
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_NOTHING);
	svm_flush_tag(TAG_FLUSH_SINGLE, 5, GVA(0));
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_ASID);
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_NOTHING);
	svm_flush_tag(TAG_FLUSH_NONGLOBAL, 5, GVA(0));
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_ASID_NONGLOBAL);
	/* the wider of the two */
	svm_flush_tag(TAG_FLUSH_NONGLOBAL, 5, GVA(0));
	svm_flush_tag(TAG_FLUSH_SINGLE, 5, GVA(0));
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_ASID);
	svm_flush_tag(TAG_FLUSH_SINGLE, 5, GVA(0));
	svm_flush_tag(TAG_FLUSH_NONGLOBAL, 5, GVA(0));
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_ASID);
	svm_flush_tag(TAG_FLUSH_ALL, 0, GVA(0));
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_ALL);
	assert_true(svm_flush_nested());
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_ALL);
}

/* VMRUN flushes its own tag: where another's is due, all of them. */
static void of_another_tag(void **state)
{
	(void)state;
	enabled();
	svm_take_flush(1);
	svm_flush_tag(TAG_FLUSH_SINGLE, 5, GVA(0));
	assert_int_equal(svm_take_flush(6), TLB_FLUSH_ALL);
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_NOTHING);
	svm_flush_tag(TAG_FLUSH_SINGLE, 5, GVA(0));
	svm_flush_tag(TAG_FLUSH_SINGLE, 6, GVA(0));
	assert_int_equal(svm_take_flush(5), TLB_FLUSH_ALL);
}

static void of_each_cpu(void **state)
{
	(void)state;
	enabled();
	soft_svm.cpu = 1;
	assert_null(svm_cpu_enable(&svm_test_caps));
	svm_take_flush(1);
	svm_flush_nested();
	soft_svm.cpu = 0;
	svm_take_flush(1);
	assert_int_equal(svm_take_flush(1), TLB_FLUSH_NOTHING);
	soft_svm.cpu = 1;
	assert_int_equal(svm_take_flush(1), TLB_FLUSH_ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enabling),
		cmocka_unit_test(flushes),
		cmocka_unit_test(of_another_tag),
		cmocka_unit_test(of_each_cpu),
	};

	return cmocka_run_group_tests_name("svm_cpu", tests, NULL, NULL);
}
