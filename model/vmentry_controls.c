/* model/vmentry_controls.c - SDM, "VM-Execution Control Fields" among the checks on VMX controls. */
#include "model/vmentry_inside.h"

#define SECTION "VM-Execution Control Fields"

static const char *check_reserved(const struct entering *g)
{
	unsigned targets = g->caps->misc >> 16 & 0x1ff;

	BROKEN_IF(bad_bits(g->pin, g->caps->pin),
		  "reserved bits of the pin-based controls are as the capability MSR says");
	BROKEN_IF(bad_bits(g->proc, g->caps->proc),
		  "reserved bits of the primary processor-based controls are as the capability MSR says");
	BROKEN_IF(bad_bits(g->proc2, g->caps->proc2),
		  "reserved bits of the secondary processor-based controls are as the capability MSR says");
	BROKEN_IF(get(g, F_CR3_TARGETS) > targets, "the CR3-target count is at most what IA32_VMX_MISC says");
	return NULL;
}

static const char *check_bitmaps(const struct entering *g)
{
	BROKEN_IF((g->proc & C_IO_BITMAPS) && bad_physical(g, get(g, F_IO_BITMAP_A), PAGE_SIZE),
		  "I/O bitmap A is at a page within the physical-address width");
	BROKEN_IF((g->proc & C_IO_BITMAPS) && bad_physical(g, get(g, F_IO_BITMAP_B), PAGE_SIZE),
		  "I/O bitmap B is at a page within the physical-address width");
	BROKEN_IF((g->proc & C_MSR_BITMAPS) && bad_physical(g, get(g, F_MSR_BITMAP), PAGE_SIZE),
		  "the MSR bitmap is at a page within the physical-address width");
	BROKEN_IF((g->proc2 & C2_SHADOW_VMCS) && bad_physical(g, get(g, F_VMREAD_BITMAP), PAGE_SIZE),
		  "the VMREAD bitmap is at a page within the physical-address width");
	BROKEN_IF((g->proc2 & C2_SHADOW_VMCS) && bad_physical(g, get(g, F_VMWRITE_BITMAP), PAGE_SIZE),
		  "the VMWRITE bitmap is at a page within the physical-address width");
	return NULL;
}

static const char *check_nmi(const struct entering *g)
{
	BROKEN_IF(!(g->pin & C_PIN_NMI) && (g->pin & C_PIN_VIRTUAL_NMI), "virtual NMIs is 0 where NMI exiting is");
	BROKEN_IF(!(g->pin & C_PIN_VIRTUAL_NMI) && (g->proc & C_NMI_WINDOW),
		  "NMI-window exiting is 0 where virtual NMIs is");
	return NULL;
}

static const char *check_tpr_shadow(const struct entering *g)
{
	const uint8_t *page;
	uint64_t threshold;

	if (!(g->proc & C_TPR_SHADOW)) {
		BROKEN_IF(g->proc2 & (C2_X2APIC | C2_APIC_REGISTERS | C2_VIRTUAL_INTERRUPTS),
			  "virtualizing of the x2APIC mode, of APIC registers and of interrupt delivery is 0 where the "
			  "TPR shadow is");
		return NULL;
	}
	BROKEN_IF(bad_physical(g, get(g, F_VIRTUAL_APIC), PAGE_SIZE),
		  "the virtual-APIC page is a page within the physical-address width");
	if (g->proc2 & C2_VIRTUAL_INTERRUPTS)
		return NULL;
	threshold = get(g, F_TPR_THRESHOLD);
	BROKEN_IF(threshold & ~0xfull, "bits 31:4 of the TPR threshold are 0");
	if (g->proc2 & C2_APIC_ACCESS)
		return NULL;
	page = g->e->memory(g->e->ctx, get(g, F_VIRTUAL_APIC), PAGE_SIZE);
	BROKEN_IF(!page, "the virtual-APIC page is memory");
	BROKEN_IF((threshold & 15) > (unsigned)(page[0x80] >> 4), "the TPR threshold is not above the class of VTPR");
	return NULL;
}

static const char *check_apic(const struct entering *g)
{
	BROKEN_BY(check_tpr_shadow(g));
	BROKEN_IF((g->proc2 & C2_APIC_ACCESS) && bad_physical(g, get(g, F_APIC_ACCESS), PAGE_SIZE),
		  "the APIC-access page is a page within the physical-address width");
	BROKEN_IF((g->proc2 & C2_X2APIC) && (g->proc2 & C2_APIC_ACCESS),
		  "APIC accesses are not virtualized where the x2APIC mode is");
	BROKEN_IF((g->proc2 & C2_VIRTUAL_INTERRUPTS) && !(g->pin & C_PIN_EXTERNAL),
		  "external interrupts exit where interrupt delivery is virtualized");
	if (!(g->pin & C_PIN_POSTED))
		return NULL;
	BROKEN_IF(!(g->proc2 & C2_VIRTUAL_INTERRUPTS), "interrupt delivery is virtualized where interrupts are posted");
	BROKEN_IF(!(g->exit & CX_ACK), "interrupts are acknowledged on exit where interrupts are posted");
	BROKEN_IF(get(g, F_POSTED_VECTOR) > 255, "the notification vector of posted interrupts is at most 255");
	BROKEN_IF(bad_physical(g, get(g, F_POSTED), 64),
		  "the posted-interrupt descriptor is at 64 bytes within the physical-address width");
	return NULL;
}

const char *vmentry_check_execution(const struct entering *g)
{
	BROKEN_BY(check_reserved(g));
	BROKEN_BY(check_bitmaps(g));
	BROKEN_BY(check_nmi(g));
	BROKEN_BY(check_apic(g));
	BROKEN_IF((g->proc2 & C2_VPID) && get(g, F_VPID) == 0, "the VPID is not 0 where VPIDs are on");
	BROKEN_IF((g->proc2 & C2_TSC_SCALING) && get(g, F_TSC_MULTIPLIER) == 0, "the TSC multiplier is not 0");
	return NULL;
}

/* SDM, "Format of Extended-Page-Table Pointer". */
static const char *check_eptp(const struct entering *g)
{
	uint64_t eptp = get(g, F_EPTP), cap = g->caps->ept_vpid;
	unsigned type = eptp & 7, levels = (eptp >> 3 & 7) + 1;

	BROKEN_IF(!(type == 0 && (cap & CAP_EPT_UC)) && !(type == 6 && (cap & CAP_EPT_WB)),
		  "the EPTP's memory type is one that the CPU has");
	BROKEN_IF(!(levels == 4 && (cap & CAP_EPT_WALK_4)) && !(levels == 5 && (cap & CAP_EPT_WALK_5)),
		  "the EPTP's walk length is one that the CPU has");
	BROKEN_IF((eptp & EPTP_AD) && !(cap & CAP_EPT_AD),
		  "the EPTP turns accessed and dirty flags on only where the CPU has them");
	BROKEN_IF((eptp & MASK(11, 7)) || (eptp >> g->caps->physical_bits), "reserved bits of the EPTP are 0");
	return NULL;
}

const char *vmentry_check_ept(const struct entering *g)
{
	BROKEN_IF((g->proc2 & C2_PML) && (g->proc2 & C2_EPT) && bad_physical(g, get(g, F_PML), PAGE_SIZE),
		  "the PML address is a page within the physical-address width");
	if (g->proc2 & C2_EPT)
		return check_eptp(g);
	BROKEN_IF(g->unrestricted, "unrestricted guest is 0 where EPT is");
	BROKEN_IF(g->proc2 & C2_EXECUTE_MODE, "mode-based execute control is 0 where EPT is");
	BROKEN_IF(g->proc2 & C2_PML, "page-modification logging is 0 where EPT is");
	BROKEN_IF((g->proc2 & C2_VM_FUNCTIONS) && (get(g, F_VM_FUNCTIONS) & 1), "EPTP switching is 0 where EPT is");
	return NULL;
}
