/* vm/machine.h - the machine that everything runs on, and the virtual machines that its description names. */
#ifndef VELLUM_VM_MACHINE_H
#define VELLUM_VM_MACHINE_H

#include "host/cpu/speculation.h"
#include "hvm/hvm.h"
#include "mmu/tag.h"
#include "vm/config/config.h"

struct vm;
struct snapshot;
struct vm_port;

/* What the description says of a virtual machine, and the one that is made of it. */
struct vm_place {
	const struct vm_config *config;
	struct vm *vm;       /* NULL: it has not been made, or was destroyed */
	int status;          /* of the last one that was here, from its end on */
	unsigned starts;     /* how often it was made */
	uint8_t resets_told; /* triple faults behind which it begins again (vm/life/end.c) */
	struct snapshot *snapshots; /* of its disks, CONFIG_DISKS_MAX of them; NULL: none (vm/device/disk.c) */
	struct flash_store *flash;  /* what its flash memory holds; NULL: it has none (vm/device/flash.c) */
	struct vm_port *ports;      /* of its network cards; NULL: it has none (vm/device/net.c) */
	uint64_t not_before; /* TSC: when it may begin again (LC3 in vm/life/life.c) */
};

struct machine {
	union {
		struct hvm_caps caps;
		union hvm_caps_room caps_room; /* which begins with them */
	};
	struct speculation speculation;
	struct vpid_pool vpids;
	uint64_t tsc_hz;
	uint64_t slice; /* of a vCPU, in TSC ticks (schedule_slice()) */
	uint64_t frames_before; /* free ones, before the first VM was made */
	uint64_t wall_clock; /* seconds since 1970, UTC, when the machine started */
	unsigned vm_count;      /* of the description */
	unsigned console;       /* the number of the one whose console is COM1 (vm/device/console.c) */
	struct vm_place *place; /* vm_count of them */
	/* which wait for room on the statistics port, a bit for each by its number; changed atomically */
	uint64_t *console_waits;
	uint64_t swaps_over; /* commands of the swap area that have ended (WA4 in vm/memory/swap.h) */
	unsigned alive;  /* virtual machines that have not settled, and whoever else keeps the machine up */
	bool unsettled;  /* some have been released, which the first CPU does not know yet; by any CPU, atomically */
};
extern struct machine machine;

/* The virtual machine of that number; NULL: there is none now. */
static inline struct vm *vm_at(unsigned id) { return id < machine.vm_count ? machine.place[id].vm : NULL; }

#endif
