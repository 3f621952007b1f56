/* The virtual machines that a run is for, and the files they need: from the options, or from a description. */
#ifndef VELLUM_TOOL_MACHINES_H
#define VELLUM_TOOL_MACHINES_H

#include "tool/base/util.h"
#include "tool/options/drives.h"
#include "tool/options/options.h"

/* A file on the boot image. */
struct module {
	char *name, *path;      /* the name on the image; the file here */
	uint64_t bytes;
	bool packed;            /* it is a snapshot, whose memory is packed as it is */
};

struct machines {
	struct vm_config *vms;
	size_t count;
	size_t console;         /* the number of the one whose console is the run's own */
	struct module *modules;
	size_t module_count;
	bool uplink;            /* one of them has a card on the network with a way out */
	struct drives drives;   /* the files that they have as disks */
	const char *debian;     /* the first one's kernel, if it is Debian's */
	char *workload;         /* ... and what its initial RAM disk does, if that is ours; or null */
	bool expects_result;    /* the first one's initial RAM disk is ours, and tells a result before it ends */
	bool native;            /* the one guest runs without the hypervisor */
	const char *provoke;    /* for the hypervisor's command line; null: nothing */
	unsigned vpids;         /* how many VPIDs it may give; 0: all */
	const char *hide;       /* the same: features of the CPU that it does without */
	const char *exchange;   /* the place of the machine's own disk; null: it has none */
	bool stay;              /* the machine stays up when none of them is left */
	struct bytes config;    /* the description for the hypervisor, files named as on the image */
};

/* Ends the program with one sentence when something is wrong or missing. */
void machines_prepare(struct machines *machines, const struct options *options);
/* All RAM of the virtual machines, or only what is taken at once, and all bytes of their files. At least what the files
 * need before there is any virtual machine, when they lie in RAM twice: packed and unpacked. */
uint64_t machines_memory(const struct machines *machines, bool at_once);

#endif
