/* 32 bits with PAE, pages of 2 MBytes: what an access to a register of the local APIC costs, by each form of
 * instruction. */
#include "guest/test/tpr/tprcost.h"

const char test_name[] = "tprcost32pae";

static uint64_t pdpt[4] __attribute__((aligned(32))), pd[4][512] __attribute__((aligned(4096)));

void test_main(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		pdpt[i] = (uint32_t)pd[i] | PTE_P;
		for (uint32_t j = 0; j < 512; j++)
			pd[i][j] = (uint64_t)(i << 30 | j << 21) | PTE_PS | PTE_W | PTE_P;
	}
	write_cr4(read_cr4() | CR4_PAE);
	write_cr3((word)pdpt);
	write_cr0(read_cr0() | CR0_PG | CR0_WP);
	measure_registers();
}
