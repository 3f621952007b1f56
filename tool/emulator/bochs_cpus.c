#include "tool/emulator/bochs_cpus.h"

#include <stdio.h>
#include <string.h>

#include "lib/base.h"

/* Bochs 3.0. */
static const struct bochs_cpu cpus[] = {
	{ "i386", CPU_OLD, false, false, false, false },
	{ "i486dx4", CPU_OLD, false, false, false, false },
	{ "pentium", CPU_32_BITS, false, false, false, false },
	{ "pentium_mmx", CPU_32_BITS, false, false, false, false },
	{ "amd_k6_2_chomper", CPU_32_BITS, false, false, false, false },
	{ "athlon_xp", CPU_32_BITS, false, false, false, false },
	{ "p2_klamath", CPU_32_BITS, false, false, false, false },
	{ "p3_katmai", CPU_32_BITS, false, false, false, false },
	{ "p4_willamette", CPU_32_BITS, false, false, false, false },
	{ "core_duo_t2400_yonah", CPU_32_BITS, false, false, false, false },
	{ "atom_n270", CPU_32_BITS, false, false, false, false },
	{ "p4_prescott_celeron_336", CPU_NO_VTX, false, false, false, false },
	{ "athlon64_clawhammer", CPU_NO_VTX, false, false, false, false },
	{ "athlon64_venice", CPU_NO_VTX, false, false, false, false },
	{ "turion64_tyler", CPU_NO_VTX, false, false, false, false },
	{ "phenom_8650_toliman", CPU_NO_VTX, false, false, false, false },
	{ "zambezi", CPU_NO_VTX, false, false, false, false },
	{ "trinity_apu", CPU_NO_VTX, false, false, false, false },
	{ "ryzen", CPU_SVM, false, true, true, true },
	{ "core2_penryn_t9600", CPU_VTX, false, false, false, false },
	{ "corei5_lynnfield_750", CPU_VTX, true, false, true, false },
	{ "corei5_arrandale_m520", CPU_VTX, true, false, true, true },
	{ "corei7_sandy_bridge_2600k", CPU_VTX, true, false, true, true },
	{ "corei7_ivy_bridge_3770k", CPU_VTX, true, false, true, true },
	{ "corei7_haswell_4770", CPU_VTX, true, true, true, true },
	{ "broadwell_ult", CPU_VTX, true, true, true, true },
	{ "corei7_skylake_x", CPU_VTX, true, true, true, true },
	{ "corei3_cnl", CPU_VTX, true, true, true, true },
	{ "corei7_icelake_u", CPU_VTX, true, true, true, true },
	{ "tigerlake", CPU_VTX, true, true, true, true },
	{ "sapphire_rapids", CPU_VTX, true, true, true, true },
	{ "arrow_lake", CPU_VTX, true, true, true, true },
};

const struct bochs_cpu *bochs_cpu_find(const char *model)
{
	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++)
		if (strcmp(cpus[i].model, model) == 0)
			return &cpus[i];
	return NULL;
}

/* The CPU itself: NULL, or what it lacks. Without the hypervisor, VT-x is not missed. */
static const char *lacks(const struct bochs_cpu *cpu, bool native)
{
	if (cpu->vtx == CPU_OLD || cpu->vtx == CPU_32_BITS)
		return "this CPU has no 64-bit mode; Vellum needs a CPU of 2006 or later with VT-x or AMD-V";
	if (cpu->vtx == CPU_NO_VTX && !native)
		return "this CPU has no VT-x, nor AMD-V as Vellum needs it; take one of Intel's from "
		       "core2_penryn_t9600 on, or ryzen";
	return NULL;
}

/* What the virtual machine asks for: NULL, or what cannot be had. */
static const char *refuses(const struct bochs_cpu *cpu, const struct vm_config *vm)
{
	bool svm = cpu->vtx == CPU_SVM;
	bool ept = (cpu->ept || svm) && (vm->mmu[0] == 0 || strcmp(vm->mmu, svm ? "npt" : "ept") == 0);

	if (strcmp(vm->mmu, "npt") == 0 && !svm)
		return "mmu npt cannot be used: the CPU has no nested paging of AMD's (NPT); use mmu shadow, or leave "
		       "the setting out";

	if (strcmp(vm->mmu, "ept") == 0 && !cpu->ept)
		return "mmu ept cannot be used: the CPU has no EPT; use mmu shadow, or leave the setting out";
	if (svm && vm->trace[0])
		return "trace cannot be had: its records have the numbers of VT-x' exits; take a CPU model of Intel's";
	if (vm->vpid == CONFIG_ON && !cpu->vpid)
		return "vpid on cannot be had: this CPU has no VPID; leave the setting out";
	if (vm->ept_levels == 5)
		return "ept-levels 5 cannot be had: this CPU has no EPT tables of 5 levels; use 4 or auto";
	if (ept && vm->page_bits == 30 && !cpu->ept_1g)
		return "pages 1g cannot be had: this CPU's EPT has no pages of that size; use 2m, 4k or auto";
	return NULL;
}

bool bochs_cpu_can(const struct bochs_cpu *cpu, const struct machines *machines, char *error, size_t error_size)
{
	const char *why = lacks(cpu, machines->native);

	if (why != NULL) {
		snprintf(error, error_size, "--cpu %s: %s", cpu->model, why);
		return false;
	}
	for (size_t i = 0; !machines->native && i < machines->count; i++) {
		why = refuses(cpu, &machines->vms[i]);
		if (why != NULL) {
			snprintf(error, error_size, "%s on --cpu %s: %s", machines->vms[i].name, cpu->model, why);
			return false;
		}
	}
	return true;
}
