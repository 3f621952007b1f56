#include "vmx/entry_check.h"

#include "host/cpu/x86.h"
#include "host/memory/frames.h"
#include "model/vmentry.h"
#include "vmx/ops.h"

static uint64_t read_field(void *ctx, uint32_t field)
{
	(void)ctx;
	return vmread((enum vmcs_field)field);
}

static const void *host_memory(void *ctx, uint64_t hpa, unsigned n)
{
	(void)ctx;
	(void)n;
	return frames_at(HPA(hpa));
}

static uint64_t read_msr(void *ctx, uint32_t msr)
{
	(void)ctx;
	return rdmsr(msr);
}

/* The same on every CPU of a machine. */
static const struct vmentry_caps *capabilities(const struct hvm_caps *cpu)
{
	static struct vmentry_caps caps;
	static bool known;

	if (known)
		return &caps;
	vmentry_caps_read(&caps, read_msr, NULL);
	caps.physical_bits = cpu->mmu.maxphyaddr;
	caps.linear_bits = cpu->mmu.la57 ? 57 : 48;
	if (cpuid(CPUID_LEAF_BASIC, 0).eax >= CPUID_LEAF_FEATURES) {
		caps.sgx = cpuid(CPUID_LEAF_FEATURES, 0).ebx & CPUID_7_EBX_SGX;
		caps.rtm = cpuid(CPUID_LEAF_FEATURES, 0).ebx & CPUID_7_EBX_RTM;
	}
	known = true;
	return &caps;
}

const char *vmx_entry_check(const struct hvm_caps *caps)
{
	struct vmentry e = { .caps = capabilities(caps), .read = read_field, .memory = host_memory };

	return vmentry_check(&e);
}
