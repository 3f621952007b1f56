/* tool/emulator/bochs_cpus.h - what Bochs' CPU models have of what virtual machines may ask for, so that what the
 * hypervisor would refuse is refused before Bochs is started. The hypervisor reads the same from the CPU; a boot test
 * holds the two against each other. */
#ifndef VELLUM_TOOL_BOCHS_CPUS_H
#define VELLUM_TOOL_BOCHS_CPUS_H

#include "tool/options/machines.h"

enum cpu_vtx { CPU_OLD, CPU_32_BITS, CPU_NO_VTX, CPU_VTX, CPU_SVM /* AMD-V with NPT and NRIPS */ };

struct bochs_cpu {
	const char *model;
	enum cpu_vtx vtx;               /* CPU_OLD: not even a loader of a 64-bit hypervisor runs */
	/* EPT has 2M pages too; no model has tables of 5 levels; unrestricted: "unrestricted guest" */
	bool ept, ept_1g, vpid, unrestricted;
};

/* Null: a model that we do not know. */
const struct bochs_cpu *bochs_cpu_find(const char *model);
/* Can the model run them? false: error is one sentence. */
bool bochs_cpu_can(const struct bochs_cpu *cpu, const struct machines *machines, char *error, size_t error_size);

#endif
