/* vm/cpu/hide.c - plays an older CPU: what this one's virtualization extension has and the hypervisor does without, by
 * the word hide=NAME,NAME,... on its command line. */
#include "vm/vm.h"

const char *caps_hide(struct hvm_caps *caps, const char *list)
{
	static char error[240];
	uint32_t hidden;

	if (!list)
		return NULL;
	if (!config_read_features(&hidden, list, error, sizeof(error)))
		return error;
	caps->mmu.ept &= !(hidden & BIT(CONFIG_EPT));
	caps->mmu.vpid &= !(hidden & BIT(CONFIG_VPIDS));
	caps->mmu.ept_ad &= !(hidden & BIT(CONFIG_EPT_AD));
	caps->mmu.pml &= caps->mmu.ept && caps->mmu.ept_ad && !(hidden & BIT(CONFIG_PML));
	caps->tpr_shadow &= !(hidden & BIT(CONFIG_TPR_SHADOW));
	/* These need another (SDM, "Checks on VMX Controls"). */
	caps->mmu.unrestricted_guest &= caps->mmu.ept && !(hidden & BIT(CONFIG_UNRESTRICTED));
	caps->apic_access &= caps->tpr_shadow && !(hidden & BIT(CONFIG_APIC_ACCESS));
	caps->apic_registers &= caps->tpr_shadow && !(hidden & BIT(CONFIG_APIC_REGISTERS));
	caps->virtual_interrupts &= caps->tpr_shadow && !(hidden & BIT(CONFIG_VIRTUAL_INTERRUPTS));
	return NULL;
}
