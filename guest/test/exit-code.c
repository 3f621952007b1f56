/* 32 bits: ends through the debug-exit port with value=N. */
#include "guest/test/base/rt.h"

const char test_name[] = "exit-code";

void test_main(void)
{
	unsigned v = parameter_number("value", 21);

	print("exit-code: %u\n", v);
	debug_exit(v);
}
