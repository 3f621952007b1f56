/* vm/config/features.c - lists of what a CPU's virtualization extension has, to be hidden (vm/cpu/hide.c). */
#include "vm/config/config.h"

#include "lib/fmt.h"

static const char *const names[CONFIG_FEATURES] = {
	[CONFIG_EPT] = "ept",
	[CONFIG_VPIDS] = "vpid",
	[CONFIG_UNRESTRICTED] = "unrestricted-guest",
	[CONFIG_TPR_SHADOW] = "tpr-shadow",
	[CONFIG_APIC_ACCESS] = "apic-access",
	[CONFIG_APIC_REGISTERS] = "apic-register-virt",
	[CONFIG_VIRTUAL_INTERRUPTS] = "virtual-interrupt-delivery",
	[CONFIG_EPT_AD] = "ept-ad",
	[CONFIG_PML] = "pml",
};

static uint32_t find(const char *name, size_t n)
{
	for (unsigned i = 0; i < CONFIG_FEATURES; i++)
		if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
			return (uint32_t)BIT(i);
	return 0;
}

bool config_read_features(uint32_t *set, const char *list, char *error, size_t error_size)
{
	*set = 0;
	for (;;) {
		size_t n = 0;
		uint32_t feature;

		while (list[n] && list[n] != ',')
			n++;
		feature = find(list, n);
		if (!feature) {
			fmt(error, error_size,
			    "there is no feature \"%.*s\"; to be hidden there are ept, vpid, unrestricted-guest, "
			    "tpr-shadow, apic-access, apic-register-virt, virtual-interrupt-delivery, ept-ad and pml",
			    (int)min_u64(n, 40), list);
			return false;
		}
		*set |= feature;
		if (!list[n])
			return true;
		list += n + 1;
	}
}
