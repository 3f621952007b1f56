/* The machine under the hypervisor, as a process. One file per kind of machine (bochs.c, qemu.c). */
#ifndef VELLUM_TOOL_EMULATOR_H
#define VELLUM_TOOL_EMULATOR_H

#include <stdio.h>

#include "lib/for_tests.h"
#include "tool/base/result.h"
#include "tool/options/drives.h"
#include "tool/options/options.h"

/* What the machine's ends are connected to: paths of FIFOs or terminals. */
struct wires {
	const char *console;                    /* COM1 */
	unsigned statistics;                    /* COM2, both ways: a port of 127.0.0.1 to connect to */
	bool console_is_terminal;               /* both ways; else a file that is only written to */
	const struct drives *drives;            /* its disks beside the boot image */
	bool card;                              /* it has a network card, behind which is the host's network */
	int screen;                             /* a terminal for an emulator that insists on one, or -1 */
};

struct emulator {
	char *program;
	const char *name, *build;
	char *version;
	char *cpu;
	const char *accelerator;                /* QEMU: who carries instructions out */
	const char *bios;                       /* Bochs: its file */
	char *log;                              /* the emulator's own log, or null */
	bool needs_screen;
	/* What of the CPU's virtualization extension it has wrong, as for --hide; or null. */
	const char *hides;
	unsigned cpus;
	uint64_t memory, ips;                   /* bytes; 0 instructions per second on real hardware */
	bool paced;                             /* its clock does not run ahead of ours */
};

/* Fill in the emulator or end the program with one sentence. `needed` is what the virtual machines take, in bytes. */
void bochs_find(struct emulator *emulator, const struct options *options, uint64_t needed);
void qemu_find(struct emulator *emulator, const struct options *options, uint64_t needed);

/* Start it on `iso`, with `work` as its directory and its messages going to `output`. Returns the process's id. */
pid_t bochs_start(struct emulator *emulator, const char *iso, const char *work, const struct wires *wires, int output);
pid_t qemu_start(struct emulator *emulator, const char *iso, const char *work, const struct wires *wires, int output);

/* RAM for the machine, from the options or from what is needed: whole 64 MB, at least 512, at most `most` MB. */
uint64_t emulator_memory(const struct options *options, uint64_t needed, unsigned most, const char *name);

/* May Bochs have so many CPUs? mended: by script/get-bochs.sh. room: its BIOS has room for the tables of more CPUs than
 * the package's has. false: the error is one sentence. */
FOR_TESTS bool bochs_can_have(bool mended, bool room, unsigned cpus, char *error, size_t error_size);

/* Says why the emulator ended, from its log; prints nothing when there is nothing to say. */
void bochs_explain(FILE *out, const char *log);
/* Did the guest write "Shutdown" to the port for it (0x8900), as kernels without ACPI power a Bochs off? */
bool bochs_powered_off(const char *log);
/* Did the guest write to the port for debug exits (0xf4), which the Bochs of script/get-bochs.sh has? What: value. */
bool bochs_debug_exit(const char *log, unsigned *value);
/* Did its CPU shut down by a triple fault? */
bool bochs_triple_fault(const char *log);

#endif
