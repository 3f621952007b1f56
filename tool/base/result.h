/* What a run has told: filled from the protocol's records while the machine runs, read by the report and the JSON. */
#ifndef VELLUM_TOOL_RESULT_H
#define VELLUM_TOOL_RESULT_H

#include "tool/base/protocol.h"

struct fact {
	char *name, *value;
};

/* A phase of the guest's work, as the guest told it; what the hypervisor counted in it is in the stats
 * "phases.NUMBER.…". */
struct phase {
	unsigned number;
	char *name;
	/* of the TSC, hypervisor included; operations done, in the workload's own unit */
	uint64_t ticks, steps;
};

struct stat_value {
	char *name;
	uint64_t value;
};

/* What it was made of; not told by the protocol. Strings may be null. */
struct guest_facts {
	const char *kernel, *initrd;            /* files */
	const char *debian;                     /* which of Debian's kernels */
	const char *command_line, *workload;
};

/* How a virtual machine's counters are known. */
enum counters {
	COUNTERS_NONE,          /* not at all */
	COUNTERS_EARLIER,       /* as somebody was told who asked while it ran */
	COUNTERS_STOP,          /* as they were when the machine was stopped, or stopped itself */
	COUNTERS_END,           /* all of them: it has ended */
};

/* One virtual machine. */
struct vm_result {
	bool started, ended;
	unsigned starts;                /* how often it began */
	char *name;
	struct guest_facts made_of;
	char *result;                   /* its VELLUM-RESULT line, or null */
	char *panic;                    /* what its kernel, Linux, panicked for, or null */
	bool stuck;                     /* ... and it will do nothing more */
	char *end;                      /* why it ended */
	unsigned status;
	struct fact *settings;
	size_t setting_count;
	struct stat_value *stats;
	size_t stat_count;
	enum counters counters;
	uint64_t clock_ticks, idle_ms;  /* at the workload's end, as the guest told; 0: it did not */
	struct phase *phases;
	size_t phase_count;
};

/* How the machine was made; not told by the protocol. Strings may be null. */
struct machine_facts {
	const char *machine, *cpu, *emulator, *emulator_version;
	unsigned cpus;
	uint64_t memory, ips;           /* bytes; instructions per emulated second, 0 on real hardware */
	double seconds, cpu_seconds;    /* what the run took here */
};

struct run_result {
	const char *command, *description;      /* as it was typed; of all virtual machines, for the hypervisor */
	struct machine_facts machine;
	struct fact *host;
	size_t host_count;
	struct vm_result *vms;          /* vm_count of them, by number */
	size_t vm_count;
	bool spoke;                     /* the hypervisor's first line came */
	uint64_t version;
	bool ended;
	unsigned status;
	char *panic;
	const char *ending;             /* how the run ended, in a word (docs/json.md) */
	char *error;                    /* what was wrong, in one sentence, or null */
};

void result_apply(struct run_result *result, const struct record *record);
/* One of the vm's counters. */
void result_stat(struct vm_result *vm, const char *name, uint64_t value);
/* Looks at a line that a VM wrote to its console. */
void result_console_line(struct run_result *result, unsigned vm, const char *line);
/* Adds the stats "workload.…", the sums over all phases (of tables.pages the largest), once the machine has ended. */
void result_sum_phases(struct vm_result *vm);
/* Without a hypervisor there is only what the guest told. Its ticks are taken for its instructions, less those, `ips` a
 * second, during which it had nothing to do. */
void result_native(struct vm_result *vm, uint64_t ips);
void result_free(struct run_result *result);

/* Null or 0 when there is none. */
const char *fact_find(const struct fact *facts, size_t count, const char *name);
uint64_t stat_find(const struct vm_result *vm, const char *name);
struct vm_result *result_vm(struct run_result *result, unsigned vm);

#endif
