#include "svm/maps.h"

#include "host/memory/paging.h"
#include "host/cpu/x86.h"
#include "lib/mutants/mutate.h"

uint8_t svm_io_map[3 * PAGE_SIZE] READ_MOSTLY __attribute__((aligned(PAGE_SIZE)));
uint8_t svm_msr_map[2 * PAGE_SIZE] READ_MOSTLY __attribute__((aligned(PAGE_SIZE)));

/* Two bits for each MSR, reads below writes, of three ranges of 2000h each: from 0, from C0000000h, from C0010000h; all
 * others exit always. */
#define HIGH_MSRS 0xc0000000u
#define HIGH_AT 2048

static void allow(uint32_t msr, bool writes)
{
	uint32_t bit = (msr & 0x1fff) * 2;
	uint8_t *byte = &svm_msr_map[(VM_KEPT(SVM_MAP_HIGH, msr >= HIGH_MSRS) ? HIGH_AT : 0) + bit / 8];

	*byte &= (uint8_t)~((writes ? 3u : 1u) << bit % 8);
}

void svm_maps_init(const struct svm_caps *caps)
{
	/* By VMLOAD and VMSAVE the VMCB's. A WRMSR that does not exit is checked by the CPU itself. */
	static const uint32_t own[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_FS_BASE, MSR_GS_BASE,
					MSR_KERNEL_GS_BASE, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK };

	VM_MUTANT(SVM_MAP_IO, memset(svm_io_map, 0xff, sizeof(svm_io_map)));
	VM_MUTANT(SVM_MAP_MSR, memset(svm_msr_map, 0xff, sizeof(svm_msr_map)));
	for (unsigned i = 0; i < ARRAY_SIZE(own); i++)
		allow(own[i], true);
	allow(MSR_TSC, false); /* the CPU adds the offset */
	if (VM_LEFT_OUT_OR(SVM_MAP_AUX, caps->hvm.rdtscp))
		allow(MSR_TSC_AUX, true);
}
