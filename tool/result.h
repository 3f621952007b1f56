/* What a run has told: filled from the protocol's records while the machine runs, read by the report and the JSON. */
#ifndef VELLUM_TOOL_RESULT_H
#define VELLUM_TOOL_RESULT_H

#include "tool/protocol.h"

struct fact {
	char *name, *value;
};

struct stat_value {
	char *name;
	uint64_t value;
};

/* One virtual machine. */
struct vm_result {
	bool started, ended;
	char *name;
	char *result;                   /* its VELLUM-RESULT line, or null */
	char *end;                      /* why it ended */
	unsigned status;
	struct fact *settings;
	size_t setting_count;
	struct stat_value *stats;
	size_t stat_count;
};

/* How the machine was made; not told by the protocol. Strings may be null. */
struct machine_facts {
	const char *machine, *cpu, *emulator, *emulator_version;
	unsigned cpus;
	uint64_t memory, ips;           /* bytes; instructions per emulated second, 0 on real hardware */
	double seconds, cpu_seconds;    /* what the run took here */
};

struct run_result {
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
};

void result_apply(struct run_result *result, const struct record *record);
/* Looks at a line that a VM wrote to its console. */
void result_console_line(struct run_result *result, unsigned vm, const char *line);
void result_free(struct run_result *result);

/* Null or 0 when there is none. */
const char *fact_find(const struct fact *facts, size_t count, const char *name);
uint64_t stat_find(const struct vm_result *vm, const char *name);
struct vm_result *result_vm(struct run_result *result, unsigned vm);

#endif
