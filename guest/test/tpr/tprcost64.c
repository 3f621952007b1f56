/* 64 bits: what an access to a register of the local APIC costs, by each form of instruction, or from several
 * places (the parameter `places`). */
#include "guest/test/tpr/tprcost.h"

const char test_name[] = "tprcost64";

void test_main(void)
{
	if (parameter("places"))
		measure_places();
	else
		measure_registers();
}
