/* vmx/shown.c - a virtual CPU's execution controls, and the registers that they bear on, by name, for people. */
#include "vmx/msrs.h"

#include "vmx/vcpu.h"

const char *vmx_control_shown(const struct vmx_vcpu *v, unsigned n, uint64_t *value)
{
	static const struct {
		const char *name;
		enum vmcs_field field;
	} fields[] = {
		{ "exceptions", VMCS_EXCEPTION_BITMAP },
		{ "pf_mask", VMCS_PF_ERROR_MASK },
		{ "pf_match", VMCS_PF_ERROR_MATCH },
		{ "cr0", VMCS_GUEST_CR0 },
		{ "cr0_mask", VMCS_CR0_MASK },
		{ "cr3", VMCS_GUEST_CR3 },
		{ "cr4", VMCS_GUEST_CR4 },
		{ "cr4_mask", VMCS_CR4_MASK },
	};

	switch (n) {
	case 0:
		*value = v->proc;
		return "proc";
	case 1:
		*value = v->proc2;
		return "proc2";
	case 2 + ARRAY_SIZE(fields):
		*value = vmx_get_efer(v);
		return "efer";
	default:
		if (n > 2 + ARRAY_SIZE(fields))
			return NULL;
		*value = vmread(fields[n - 2].field);
		return fields[n - 2].name;
	}
}
