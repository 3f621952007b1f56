/* vm/cpu/mitigations.c - what is done around one virtual machine's runs against what CPUs do speculatively: by its
 * description, and by what this CPU needs and can (host/cpu/speculation.h); and the controls that its guest is
 * offered. */
#include "vm/vm.h"

#include "host/cpu/x86.h"
#include "host/device/console.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

/* With any of these in CPUID.(7,0):EDX there is IA32_SPEC_CTRL. */
#define SPEC_CTRL_OFFERED (CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP | CPUID_7_EDX_SSBD)
#define LIST_SIZE 200

_Static_assert(CONFIG_MEASURES == (int)MEASURES, "one list of names");

/* What a CPU must have for each, for the sentence that says that it is missing. */
static const char *const wanted[MEASURES] = {
	[MEASURE_L1D] = "IA32_FLUSH_CMD", [MEASURE_VERW] = "MD_CLEAR",         [MEASURE_IBRS] = "IA32_SPEC_CTRL",
	[MEASURE_IBPB] = "IA32_PRED_CMD", [MEASURE_GUEST] = "IA32_SPEC_CTRL",
};

/* "registers (always), verw (no MDS_NO)" */
static void list(char *buf, uint32_t measures, bool why)
{
	const struct speculation *s = &machine.speculation;
	size_t n = fmt(buf, LIST_SIZE, "%s", measures ? "" : "none");

	for (unsigned m = 0; m < MEASURES; m++)
		if (measures & BIT(m))
			n += fmt(buf + n, LIST_SIZE - n, why ? "%s%s (%s)" : "%s%s", n ? ", " : "", config_measures[m],
				 s->why[m]);
}

static void announce(const struct vm *vm, uint32_t measures)
{
	const struct speculation *s = &machine.speculation;
	uint32_t missing = VM_LEFT_OUT_OR(MITIGATIONS_SAID, false) ? 0 : s->needs & ~s->can & ~measures;
	char on[LIST_SIZE], old[LIST_SIZE];

	list(on, measures, !vm->config->mitigations_chosen);
	list(old, missing, false);
	if (vm->config->mitigations_chosen)
		console_log("%s: mitigations: %s, as asked for", vm->config->name, on);
	else if (missing)
		console_log("%s: mitigations: %s; the CPU's microcode is too old for what it needs besides: %s",
			    vm->config->name, on, old);
	else
		console_log("%s: mitigations: %s", vm->config->name, on);
}

void mitigations_choose(struct vm *vm)
{
	const struct vm_config *c = vm->config;
	const struct speculation *s = &machine.speculation;
	uint32_t can = VM_LEFT_OUT_OR(MITIGATIONS_CAN, false) ? UINT32_MAX : s->can;
	uint32_t measures = c->mitigations_chosen ? c->mitigations : s->needs & can;
	struct vcpu *v;

	if (vm->ended)
		return;
	for (unsigned m = 0; m < MEASURES; m++) {
		if (VM_KEPT(MITIGATIONS_REFUSED, measures & ~s->can & BIT(m))) {
			vm_end(vm, VM_STATUS_UNSUPPORTED,
			       "mitigations %s cannot be had: this CPU has no %s; use auto, or leave the setting out",
			       config_measures[m], wanted[m]);
			return;
		}
	}
	for_each_vcpu(v, vm) {
		hvm_set_measures(&v->hvm, s, measures);
		v->hvm.spec_host = VM_LEFT_OUT_OR(MITIGATIONS_HOST, measures & BIT(MEASURE_IBRS)) ? s->spec_host : 0;
	}
	if (VM_LEFT_OUT_OR(MITIGATIONS_GUEST, measures & BIT(MEASURE_GUEST)))
		vm->cpuid.basic[7].edx |= s->guest_l7_edx;
	if (!vm->live.second)
		announce(vm, measures);
}

/* The guest's IA32_SPEC_CTRL is in force from the next entry on (vmx/entry.S), and not while the host runs. Its writes
 * exit always: a guest's kernel that needs one for each of its own entries has a CPU without enhanced IBRS. */
bool mitigations_read(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
	uint32_t offered = v->vm->cpuid.basic[7].edx;

	if (msr == MSR_SPEC_CTRL && VM_LEFT_OUT_OR(SPEC_CTRL_READ, offered & SPEC_CTRL_OFFERED)) {
		ASSERT(rdmsr(MSR_SPEC_CTRL) == v->hvm.spec_host);
		*value = v->hvm.spec_guest;
	} else if (msr == MSR_ARCH_CAPABILITIES && VM_LEFT_OUT_OR(ARCH_READ, offered & CPUID_7_EDX_ARCH_CAPABILITIES)) {
		*value = machine.speculation.guest_arch_capabilities;
	} else {
		return false;
	}
	return true;
}

/* A bit that is not offered is reserved: #GP (SDM, "Architectural MSRs"; CVE-2017-5715, CVE-2018-3639). A write of 0 to
 * IA32_PRED_CMD asks for no barrier. */
bool mitigations_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
	uint32_t offered = v->vm->cpuid.basic[7].edx;

	if (msr == MSR_SPEC_CTRL && VM_LEFT_OUT_OR(SPEC_CTRL_WRITE, offered & SPEC_CTRL_OFFERED)) {
		if (VM_KEPT(SPEC_CTRL_BITS, value & ~machine.speculation.guest_spec_ctrl))
			return false;
		v->hvm.spec_guest = value;
		return true;
	}
	if (msr == MSR_PRED_CMD && VM_LEFT_OUT_OR(PRED_CMD_WRITE, offered & CPUID_7_EDX_SPEC_CTRL)) {
		if (VM_KEPT(PRED_CMD_BITS, value & ~PRED_CMD_IBPB))
			return false;
		if (VM_LEFT_OUT_OR(PRED_CMD_ZERO, value))
			VM_MUTANT(PRED_CMD_BARRIER, wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB));
		return true;
	}
	return false;
}
