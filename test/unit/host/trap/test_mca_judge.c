/* What machine checks mean for the host (host/trap/mca_judge.c), after the manual's table of error classes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/trap/mca.h"

#define CORRECTED MCI_STATUS_VAL
#define UNCORRECTED (MCI_STATUS_VAL | MCI_STATUS_UC)
#define RESTARTABLE MCG_STATUS_RIPV
#define HERE (MCG_STATUS_RIPV | MCG_STATUS_EIPV)

static enum mca_verdict judge(uint64_t mcg, uint64_t status, bool recovery)
{
	uint64_t banks[3] = { 0, status, 0 };

	return mca_judge(mcg | MCG_STATUS_MCIP, banks, 3, recovery);
}

static void test_nothing_lost(void **s)
{
	(void)s;
	assert_int_equal(mca_judge(RESTARTABLE, NULL, 0, false), MCA_GO_ON);
	assert_int_equal(judge(RESTARTABLE, 0, false), MCA_GO_ON);
	assert_int_equal(judge(RESTARTABLE, CORRECTED, false), MCA_GO_ON);
	assert_int_equal(judge(RESTARTABLE, CORRECTED | MCI_STATUS_OVER, true), MCA_GO_ON);
	/* Without VAL the other bits mean nothing. */
	assert_int_equal(judge(RESTARTABLE, MCI_STATUS_UC | MCI_STATUS_PCC, true), MCA_GO_ON);
}

static void test_corrupt(void **s)
{
	(void)s;
	assert_int_equal(judge(HERE, UNCORRECTED | MCI_STATUS_PCC, true), MCA_STOP);
	assert_int_equal(judge(HERE, UNCORRECTED | MCI_STATUS_PCC | MCI_STATUS_S | MCI_STATUS_AR, true), MCA_STOP);
	assert_int_equal(judge(HERE, UNCORRECTED | MCI_STATUS_OVER | MCI_STATUS_S | MCI_STATUS_AR, true), MCA_STOP);
	assert_int_equal(judge(HERE, UNCORRECTED, false), MCA_STOP);
}

static void test_classes_of_recovery(void **s)
{
	(void)s;
	/* No action required; action optional. */
	assert_int_equal(judge(RESTARTABLE, UNCORRECTED, true), MCA_GO_ON);
	assert_int_equal(judge(RESTARTABLE, UNCORRECTED | MCI_STATUS_S, true), MCA_GO_ON);
	/* Action required: of who used it; another CPU that is told of it goes on. */
	assert_int_equal(judge(HERE, UNCORRECTED | MCI_STATUS_S | MCI_STATUS_AR, true), MCA_CONTEXT_LOST);
	assert_int_equal(judge(MCG_STATUS_EIPV, UNCORRECTED | MCI_STATUS_S | MCI_STATUS_AR, true), MCA_CONTEXT_LOST);
	assert_int_equal(judge(RESTARTABLE, UNCORRECTED | MCI_STATUS_S | MCI_STATUS_AR, true), MCA_GO_ON);
	assert_int_equal(judge(0, UNCORRECTED | MCI_STATUS_S | MCI_STATUS_AR, true), MCA_STOP);
}

static void test_nowhere_to_go_on(void **s)
{
	(void)s;
	assert_int_equal(judge(0, 0, true), MCA_STOP);
	assert_int_equal(judge(0, CORRECTED, true), MCA_STOP);
	assert_int_equal(judge(MCG_STATUS_EIPV, CORRECTED, true), MCA_CONTEXT_LOST);
}

static void test_worst_bank_decides(void **s)
{
	uint64_t banks[3] = { UNCORRECTED | MCI_STATUS_S | MCI_STATUS_AR, CORRECTED, UNCORRECTED | MCI_STATUS_PCC };

	(void)s;
	assert_int_equal(mca_judge(HERE, banks, 3, true), MCA_STOP);
	assert_int_equal(mca_judge(HERE, banks, 2, true), MCA_CONTEXT_LOST);
	assert_int_equal(mca_judge(HERE, banks + 1, 1, true), MCA_GO_ON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_lost),
		cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_classes_of_recovery),
		cmocka_unit_test(test_nowhere_to_go_on),
		cmocka_unit_test(test_worst_bank_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
