#include "vmx/bitmaps.h"

#include "host/cpu/x86.h"
#include "host/memory/paging.h"
#include "hvm/common.h"
#include "lib/apic.h"
#include "lib/mutants/mutate.h"

uint8_t vmx_io_bitmaps[2 * PAGE_SIZE] READ_MOSTLY __attribute__((aligned(PAGE_SIZE)));
uint8_t vmx_msr_bitmap[PAGE_SIZE] READ_MOSTLY __attribute__((aligned(PAGE_SIZE)));
uint8_t vmx_msr_bitmap_x2apic[PAGE_SIZE] READ_MOSTLY __attribute__((aligned(PAGE_SIZE)));
uint8_t vmx_msr_bitmap_x2apic_all[PAGE_SIZE] READ_MOSTLY __attribute__((aligned(PAGE_SIZE)));

/* The four parts of 1 KByte (SDM, "MSR-Bitmap Address"): low MSRs are 0 to 0x1fff, high ones 0xc0000000 to 0xc0001fff;
 * all others exit always. */
#define READ_LOW 0
#define READ_HIGH 1024
#define WRITE_LOW 2048
#define WRITE_HIGH 3072

/* SDM, "MSR-Bitmap Address": a bit that is clear lets the MSR through. */
static void allow_in(uint8_t *bitmap, unsigned low_part, unsigned high_part, uint32_t msr)
{
	unsigned part = VM_KEPT(BITMAP_HIGH, msr >= MSR_HIGH_FIRST) ? high_part : low_part;
	uint32_t bit = msr % MSR_RANGE;

	bitmap[part + bit / 8] &= (uint8_t)~(1u << bit % 8);
}

static void allow(unsigned low_part, unsigned high_part, uint32_t msr)
{
	allow_in(vmx_msr_bitmap, low_part, high_part, msr);
}

/* What the CPU serves by itself where it delivers interrupts. It reads the page whatever the register is (SDM,
 * "Virtualizing MSR-Based APIC Accesses"). So those exit that there are not, that cannot be read, and the current
 * count, which the page does not have. */
static void allow_x2apic(void)
{
	static const struct { uint16_t first, last; } reads[] = {
		{ APIC_ID, APIC_VERSION }, { APIC_TPR, APIC_TPR }, { APIC_PPR, APIC_PPR }, { APIC_LDR, APIC_LDR },
		{ APIC_SVR, APIC_ESR }, { APIC_ICR, APIC_ICR }, { APIC_LVT_TIMER, APIC_TIMER_INITIAL },
		{ APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE },
	};
	static const uint16_t writes[] = { APIC_TPR, APIC_EOI, APIC_SELF_IPI };
	uint8_t *bitmap = vmx_msr_bitmap_x2apic_all;

	memcpy(bitmap, vmx_msr_bitmap, sizeof(vmx_msr_bitmap));
	for (unsigned i = 0; i < ARRAY_SIZE(reads); i++)
		for (unsigned at = reads[i].first; at <= reads[i].last; at += 16)
			allow_in(bitmap, READ_LOW, READ_HIGH, MSR_X2APIC_FIRST + at / 16);
	for (unsigned i = 0; i < ARRAY_SIZE(writes); i++)
		allow_in(bitmap, WRITE_LOW, WRITE_HIGH, MSR_X2APIC_FIRST + writes[i] / 16);
}

void vmx_bitmaps_init(const struct vmx_caps *caps)
{
	static const uint32_t free[] = { HVM_FREE_MSRS };

	VM_MUTANT(BITMAP_IO, memset(vmx_io_bitmaps, 0xff, sizeof(vmx_io_bitmaps)));
	VM_MUTANT(BITMAP_MSR, memset(vmx_msr_bitmap, 0xff, sizeof(vmx_msr_bitmap)));
	for (unsigned i = 0; i < ARRAY_SIZE(free); i++) {
		allow(READ_LOW, READ_HIGH, free[i]);
		allow(WRITE_LOW, WRITE_HIGH, free[i]);
	}
	allow(READ_LOW, READ_HIGH, MSR_TSC);
	if (VM_LEFT_OUT_OR(BITMAP_AUX, caps->hvm.rdtscp)) {
		allow(READ_LOW, READ_HIGH, MSR_TSC_AUX);
		allow(WRITE_LOW, WRITE_HIGH, MSR_TSC_AUX);
	}
	memcpy(vmx_msr_bitmap_x2apic, vmx_msr_bitmap, sizeof(vmx_msr_bitmap));
	allow_in(vmx_msr_bitmap_x2apic, READ_LOW, READ_HIGH, MSR_X2APIC_TPR);
	allow_in(vmx_msr_bitmap_x2apic, WRITE_LOW, WRITE_HIGH, MSR_X2APIC_TPR);
	allow_x2apic();
}
