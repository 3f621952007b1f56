/* The command line of `vellum`. */
#ifndef VELLUM_TOOL_OPTIONS_H
#define VELLUM_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/config/config.h"

enum command { COMMAND_RUN, COMMAND_ISO, COMMAND_HELP, COMMAND_VERSION };

struct options {
	enum command command;
	char *typed;                    /* all of the command line */
	bool guest_given;               /* else .guest is the default */
	const char *guest;              /* which of Debian's kernels: "amd64", "686-pae" or "686" */
	const char *machine;            /* "bochs" or "qemu" */
	const char *bochs;              /* "auto", "built" or "debian" */
	const char *cpu;                /* null: the machine's default */
	unsigned host_cpus;
	uint64_t host_mem;              /* bytes; 0: what the virtual machines need */
	uint64_t ips;
	const char *hypervisor;         /* null: the one beside this program */
	const char *vm_file;            /* null: `vm` below describes the one virtual machine */
	const char *restore;            /* the snapshot that it goes on with, or null */
	bool incoming;                  /* it waits for another run's, which is such a snapshot */
	bool from;                      /* ... of a guest that waits, and is told what its workload is */
	struct vm_config vm;
	bool no_initrd;                 /* --initrd none */
	bool native;                    /* the guest without the hypervisor */
	/* a fault of the hypervisor on purpose (docs/security.md), for its tests; null: none */
	const char *provoke, *hide;
	unsigned vpids;                 /* 0: all there are */
	bool stay;
	bool exchange;                  /* the machine has a disk of its own, by which snapshots leave */
	bool snapshot;                  /* of all disks that are not ro */
	const char *workload;           /* for the default initramfs; null: its default */
	const char *display;            /* null, "none", "vnc" or "vnc:PORT" */
	const char *gdb, *gdb_arch;     /* where GDB comes to, or null; "auto", "i386" or "x86-64" */
	uint64_t swap; /* bytes of the area for guests' pages; 0: none */
	const char *json, *keep, *output, *name, *trace;
	const char *console;            /* whose console the run's terminal is; null: as the description says */
	unsigned timeout;               /* seconds; 0: none */
	bool interactive, quiet;
	bool check;                     /* nothing is started */
};

/* Ends the program with one sentence when the options make no sense. */
void options_parse(struct options *options, int argc, char **argv);
extern const char help_text[];

#endif
