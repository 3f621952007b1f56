#include "svm/maps.h"

#include "host/memory/paging.h"
#include "host/cpu/x86.h"
#include "hvm/common.h"
#include "lib/mutants/mutate.h"

uint8_t svm_io_map[3 * PAGE_SIZE] READ_MOSTLY __attribute__((aligned(PAGE_SIZE)));
uint8_t svm_msr_map[2 * PAGE_SIZE] READ_MOSTLY __attribute__((aligned(PAGE_SIZE)));

/* Two bits for each MSR, reads below writes, of three ranges of 2000h each: from 0, from C0000000h, from C0010000h; all
 * others exit always (APM, "MSR Intercepts"). */
#define HIGH_AT 2048

static void allow(uint32_t msr, bool writes)
{
	uint32_t bit = msr % MSR_RANGE * 2;
	uint8_t *byte = &svm_msr_map[(VM_KEPT(SVM_MAP_HIGH, msr >= MSR_HIGH_FIRST) ? HIGH_AT : 0) + bit / 8];

	*byte &= (uint8_t)~((writes ? 3u : 1u) << bit % 8);
}

void svm_maps_init(const struct svm_caps *caps)
{
	static const uint32_t free[] = { HVM_FREE_MSRS };

	VM_MUTANT(SVM_MAP_IO, memset(svm_io_map, 0xff, sizeof(svm_io_map)));
	VM_MUTANT(SVM_MAP_MSR, memset(svm_msr_map, 0xff, sizeof(svm_msr_map)));
	for (unsigned i = 0; i < ARRAY_SIZE(free); i++)
		allow(free[i], true);
	allow(MSR_TSC, false);
	if (VM_LEFT_OUT_OR(SVM_MAP_AUX, caps->hvm.rdtscp))
		allow(MSR_TSC_AUX, true);
}
