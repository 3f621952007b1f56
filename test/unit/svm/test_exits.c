/* The exits' own numbers, names and kinds (svm/exits.c). APM, "SVM Intercept Exit Codes". */
#include "test/unit/svm/soft.h"

static struct vmcb vmcb;

static unsigned number(uint64_t code, uint64_t info)
{
	vmcb.exit_code = code;
	vmcb.exit_info[0] = info;
	return svm_exit_number(&vmcb);
}

static enum hvm_exit_kind kind(uint64_t code, uint64_t info)
{
	return (enum hvm_exit_kind)svm_exit_kinds[number(code, info)];
}

static void each_code(void **state)
{
	static const struct { uint64_t code, info; unsigned number; enum hvm_exit_kind kind; } codes[] = {
		{ 0x00, 0, SVM_EXIT_CR_READ, HVM_EXIT_EMULATE },
		{ 0x0f, 0, SVM_EXIT_CR_READ, HVM_EXIT_EMULATE },
		{ 0x10, 0, SVM_EXIT_CR_WRITE, HVM_EXIT_EMULATE },
		{ 0x1f, 0, SVM_EXIT_CR_WRITE, HVM_EXIT_EMULATE },
		{ 0x20, 0, SVM_EXIT_DR_ACCESS, HVM_EXIT_DR_ACCESS },
		{ 0x3f, 0, SVM_EXIT_DR_ACCESS, HVM_EXIT_DR_ACCESS },
		{ 0x40, 0, SVM_EXIT_EXCEPTION, HVM_EXIT_EXCEPTION },
		{ 0x5f, 0, SVM_EXIT_EXCEPTION, HVM_EXIT_EXCEPTION },
		{ 0x60, 0, SVM_EXIT_INTR, HVM_EXIT_INTERRUPT },
		{ 0x61, 0, SVM_EXIT_NMI, HVM_EXIT_EXCEPTION },
		{ 0x64, 0, SVM_EXIT_VINTR, HVM_EXIT_WINDOW },
		{ 0x65, 0, SVM_EXIT_CR_WRITE, HVM_EXIT_EMULATE },
		{ 0x72, 0, SVM_EXIT_CPUID, HVM_EXIT_CPUID },
		{ 0x74, 0, SVM_EXIT_IRET, HVM_EXIT_WINDOW },
		{ 0x78, 0, SVM_EXIT_HLT, HVM_EXIT_HLT },
		{ 0x7b, 0, SVM_EXIT_IOIO, HVM_EXIT_IO },
		{ 0x7c, 0, SVM_EXIT_RDMSR, HVM_EXIT_RDMSR },
		{ 0x7c, 1, SVM_EXIT_WRMSR, HVM_EXIT_WRMSR },
		{ 0x7f, 0, SVM_EXIT_SHUTDOWN, HVM_EXIT_TRIPLE_FAULT },
		{ 0x80, 0, SVM_EXIT_VMRUN, HVM_EXIT_ABSENT },
		{ 0x81, 0, SVM_EXIT_VMMCALL, HVM_EXIT_HYPERCALL },
		{ 0x88, 0, SVM_EXIT_ICEBP, HVM_EXIT_EXCEPTION },
		{ 0x8d, 0, SVM_EXIT_XSETBV, HVM_EXIT_XSETBV },
		{ 0xa2, 0, SVM_EXIT_INVPCID, HVM_EXIT_ABSENT },
		{ 0x400, 0x100000006, SVM_EXIT_NPF, HVM_EXIT_NESTED_FAULT },
		{ 0x400, 0x10000000d, SVM_EXIT_NPF_RESERVED, HVM_EXIT_NESTED_MISCONFIG },
		{ 0x400, 0x10000000c, SVM_EXIT_NPF_RESERVED, HVM_EXIT_NESTED_MISCONFIG }, /* an emulator's */
		{ ~0ull, 0, SVM_EXIT_INVALID, HVM_EXIT_ENTRY_FAILED },
		{ 0xffffffff, 0, SVM_EXIT_INVALID, HVM_EXIT_ENTRY_FAILED }, /* likewise */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		assert_int_equal(number(codes[i].code, codes[i].info), codes[i].number);
		assert_int_equal(kind(codes[i].code, codes[i].info), codes[i].kind);
	}
}

static void of_a_newer_cpu(void **state)
{
	(void)state;
	assert_int_equal(number(0x73, 0), HVM_EXIT_CODES);
	assert_int_equal(number(0xa5, 0), HVM_EXIT_CODES);
	assert_int_equal(number(0x401, 0), HVM_EXIT_CODES);
	assert_int_equal(svm_exit_kinds[HVM_EXIT_OTHER], HVM_EXIT_UNKNOWN);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(svm_exit_names[SVM_EXIT_NPF], "nested_page_fault");
	assert_string_equal(svm_exit_names[HVM_EXIT_OTHER], "other");
	for (unsigned i = 0; i < SVM_EXIT_COUNT; i++)
		assert_non_null(svm_exit_names[i]);
	assert_null(svm_exit_names[SVM_EXIT_COUNT]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code),
		cmocka_unit_test(of_a_newer_cpu),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("svm_exits", tests, NULL, NULL);
}
