/* Records of VM exits, one by one, as the hypervisor makes them (lib/trace_record.h): collected, put into their order,
 * and written for Perfetto and Chrome, or as CSV. */
#ifndef VELLUM_TOOL_EXITS_H
#define VELLUM_TOOL_EXITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/for_tests.h"
#include "lib/trace_record.h"

struct exits {
	struct trace_record *record;
	size_t count, room;
	uint64_t tsc_hz;
};

/* What was run, for what is written; all of it may be null but the names of the virtual machines that exited. */
struct exits_about {
	const char *command, *cpu, *emulator;
	uint64_t ips;                           /* 0: not known */
	const char *const *vms;                 /* by number */
	size_t vm_count;
};

/* The format that a file's name asks for; false: neither of them. */
bool exits_format(const char *path, bool *csv);

void exits_add(struct exits *exits, const struct trace_record *records, size_t count);
/* All chunks of a trace disk. false: the file cannot be read, and errno says why. */
bool exits_read_disk(struct exits *exits, const char *path);
FOR_TESTS void exits_sort(struct exits *exits);
void exits_free(struct exits *exits);

FOR_TESTS void exits_write_csv(FILE *out, const struct exits *exits, const struct exits_about *about);
FOR_TESTS void exits_write_json(FILE *out, const struct exits *exits, const struct exits_about *about);
/* Writes the file, sorted, in the format that its name asks for. Ends the program with one sentence if it cannot. */
void exits_write(const char *path, struct exits *exits, const struct exits_about *about);

#endif
