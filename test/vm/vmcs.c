/* test/vm/vmcs.c - the VMX instructions of the bench's CPU, and its VMCS in memory. SDM, "VMX Instruction Reference"
 * and "Field Encoding in VMCS". */
#include "test/vm/cpu.h"

#include "vmx/vmcs.h"

#define VMCS_MAX 16
/* What a field holds that was never written: no state of a guest that passes the checks. */
#define GARBAGE 0x5a5a5a5a5a5a5a5aull

struct vmcs {
	uint64_t hpa; /* 0: none */
	bool clear, launched; /* clear: VMCLEAR has been executed since the region was written */
	bool active;          /* on the CPU of this number */
	unsigned cpu;
	uint64_t field[4][4][64]; /* by width, type and index */
};

static struct vmcs all[VMCS_MAX];
/* Of each CPU. */
static struct vmcs *currents[BENCH_HOST_CPUS];

static struct vmcs **current(void) { return &currents[soft.at]; }

static uint64_t *place(struct vmcs *v, uint32_t field)
{
	BUG_ON(field & ~0x6c7fu); /* no index is above 63; the upper half of a 64-bit field alone is not used */
	return &v->field[field >> 13 & 3][field >> 10 & 3][field >> 1 & 63];
}

/* Is there the field in this CPU's VMCS? */
static bool exists(uint32_t field)
{
	const struct vmentry_caps *c = cpu_vmentry_caps();

	switch (field) {
	case VMCS_VPID:
		return cpu_has_proc2(PROC2_VPID);
	case VMCS_EPTP:
	case VMCS_GUEST_PHYSICAL_ADDRESS:
	case VMCS_GUEST_PDPTE0:
	case VMCS_GUEST_PDPTE0 + 2:
	case VMCS_GUEST_PDPTE0 + 4:
	case VMCS_GUEST_PDPTE0 + 6:
		return cpu_has_proc2(PROC2_EPT);
	case VMCS_GUEST_INTERRUPT_STATUS:
	case VMCS_EOI_EXIT_BITMAP0:
	case VMCS_EOI_EXIT_BITMAP0 + 2:
	case VMCS_EOI_EXIT_BITMAP0 + 4:
	case VMCS_EOI_EXIT_BITMAP0 + 6:
		return cpu_has_proc2(PROC2_VIRTUAL_INTERRUPTS);
	case VMCS_PROC_CONTROLS2:
		return c->proc.may & PROC_SECONDARY;
	case VMCS_GUEST_PAT:
		return (c->entry.may & ENTRY_LOAD_PAT) || (c->exit.may & EXIT_SAVE_PAT);
	case VMCS_HOST_PAT:
		return c->exit.may & EXIT_LOAD_PAT;
	case VMCS_GUEST_EFER:
		return (c->entry.may & ENTRY_LOAD_EFER) || (c->exit.may & EXIT_SAVE_EFER);
	case VMCS_HOST_EFER:
		return c->exit.may & EXIT_LOAD_EFER;
	case VMCS_PML_ADDRESS:
	case VMCS_PML_INDEX:
		return cpu_has_proc2(PROC2_PML);
	case VMCS_PAUSE_GAP:
	case VMCS_PAUSE_WINDOW:
		return cpu_has_proc2(PROC2_PAUSE_LOOP);
	case 0x482e: /* the preemption timer's value */
		return c->pin.may & PIN_PREEMPTION_TIMER;
	default:
		return true;
	}
}

static uint64_t cut(uint32_t field, uint64_t value)
{
	switch (field >> 13 & 3) {
	case 0:
		return (uint16_t)value;
	case 2:
		return (uint32_t)value;
	default:
		return value;
	}
}

uint64_t vmcs_get(uint32_t field) { return exists(field) ? cut(field, *place(*current(), field)) : 0; }
void vmcs_put(uint32_t field, uint64_t value) { *place(*current(), field) = cut(field, value); }

uint64_t vmread(enum vmcs_field field)
{
	bench.accesses++;
	if (!*current() || !exists(field))
		vmx_access_failed(field, false);
	return vmcs_get(field);
}

void vmwrite(enum vmcs_field field, uint64_t v)
{
	bench.accesses++;
	/* Type 1, the information of the exit, is read-only. */
	if (!*current() || !exists(field) || (field >> 10 & 3) == 1)
		vmx_access_failed(field, true);
	vmcs_put(field, v);
}

bool vmxon(hpa_t region) { return region.v != 0; }
void vmxoff(void) {}

static struct vmcs *find(uint64_t hpa)
{
	struct vmcs *empty = NULL;

	for (unsigned i = 0; i < VMCS_MAX; i++) {
		if (all[i].hpa == hpa)
			return &all[i];
		if (!all[i].hpa)
			empty = &all[i];
	}
	BUG_ON(!empty);
	memset(empty->field, GARBAGE & 0xff, sizeof(empty->field));
	empty->hpa = hpa;
	return empty;
}

bool vmclear(hpa_t vmcs)
{
	struct vmcs *v = find(vmcs.v);

	BUG_ON(v->active && v->cpu != soft.at); /* that CPU may keep some of it */
	v->clear = true;
	v->launched = v->active = false;
	if (*current() == v)
		*current() = NULL;
	return true;
}

bool vmptrld(hpa_t vmcs)
{
	const uint32_t *revision = host_memory(vmcs.v, sizeof(*revision));
	struct vmcs *v;

	if (!revision || *revision != (uint32_t)(cpu_vmentry_caps()->basic & 0x7fffffff))
		return false;
	v = find(vmcs.v);
	/* SDM, "Software Use of Virtual-Machine Control Structures": active on one CPU at a time. */
	if (!v->clear || (v->active && v->cpu != soft.at))
		return false;
	v->active = true;
	v->cpu = soft.at;
	*current() = v;
	return true;
}

bool invept_insn(uint64_t type, uint64_t eptp)
{
	uint64_t cap = cpu_vmentry_caps()->ept_vpid;

	(void)eptp;
	bench.invepts++;
	if (bench.invalidations_fail && type != 2)
		return false;
	return (type == 1 && (cap & BIT(25))) || (type == 2 && (cap & BIT(26)));
}

bool invvpid_insn(uint64_t type, uint16_t vpid, uint64_t gva)
{
	uint64_t cap = cpu_vmentry_caps()->ept_vpid;

	bench.invvpids++;
	if ((bench.invalidations_fail && type != 2) || type > 3 || !(cap >> 40 & BIT(type)) || (type != 2 && !vpid))
		return false;
	return type != 0 || (uint64_t)((int64_t)(gva << 16) >> 16) == gva;
}

void vmcs_reset(void)
{
	memset(all, 0, sizeof(all));
	memset(currents, 0, sizeof(currents));
}
