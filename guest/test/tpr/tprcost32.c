/* 32 bits, two-level paging with large pages: what an access to a register of the local APIC costs, by each form of
 * instruction. */
#include "guest/test/tpr/tprcost.h"

const char test_name[] = "tprcost32";

static uint32_t pd[1024] __attribute__((aligned(4096)));

void test_main(void)
{
	for (uint32_t i = 0; i < 1024; i++)
		pd[i] = i << 22 | PTE_PS | PTE_W | PTE_P;
	write_cr4(read_cr4() | CR4_PSE);
	write_cr3((word)pd);
	write_cr0(read_cr0() | CR0_PG | CR0_WP);
	measure_registers();
}
