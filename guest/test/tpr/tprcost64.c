/* 64 bits: what an access to a register of the local APIC costs, by each form of instruction. */
#include "guest/test/tpr/tprcost.h"

const char test_name[] = "tprcost64";

void test_main(void) { measure_registers(); }
