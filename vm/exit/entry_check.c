/* vm/exit/entry_check.c - would a CPU enter with this VMCS? The manual's checks (model/vmentry.h) over the real one, in debug builds:
 * emulators leave some of them out, and a state that passes there ends a virtual machine on a CPU. */
#include "vm/vm.h"

#include "host/frames.h"
#include "model/vmentry.h"

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
static const struct vmentry_caps *capabilities(void)
{
	static struct vmentry_caps caps;
	static bool known;

	if (known)
		return &caps;
	vmentry_caps_read(&caps, read_msr, NULL);
	caps.physical_bits = machine.caps.mmu.maxphyaddr;
	caps.linear_bits = machine.caps.mmu.la57 ? 57 : 48;
	if (cpuid(0, 0).eax >= 7) {
		caps.sgx = cpuid(7, 0).ebx & BIT(2);
		caps.rtm = cpuid(7, 0).ebx & BIT(11);
	}
	known = true;
	return &caps;
}

bool entry_check(struct vcpu *v)
{
	struct vmentry e = { .caps = capabilities(), .read = read_field, .memory = host_memory };
	const char *broken = vmentry_check(&e);

	if (!broken)
		return true;
	vm_end(v->vm, VM_STATUS_STOPPED, "stopped: Vellum left a state that a CPU would refuse (last exit %u, rip 0x%lx): %s",
	       (unsigned)(vmread(VMCS_EXIT_REASON) & 0xffff), vmread(VMCS_GUEST_RIP), broken);
	return false;
}
