/* vm/snapshot/registers.h - the registers of a virtual CPU, as a snapshot holds them (vm/snapshot/cpu.c), and what of
 * them can be (vm/snapshot/possible.c, vm/snapshot/possible_segments.c). */
#ifndef VELLUM_VM_SNAPSHOT_REGISTERS_H
#define VELLUM_VM_SNAPSHOT_REGISTERS_H

#include "vm/snapshot/snapshot.h"
#include "vm/vm.h"

/* What is read is kept here until all of it has been looked at. */
struct cpu_registers {
	struct walk_regs paging;
	uint64_t gpr[GPR_COUNT];
	uint64_t rip, rsp, rflags, dr7, dr[SAVED_DRS], cr2, xcr0;
	struct segment_state segment[SEG_TR + 1];
	struct table_register gdtr, idtr;
	uint64_t pat, sysenter[3], resident[SAVED_MSRS], spec, tsc_adjust, tsc_offset, misc_enable;
	uint64_t blocking, pending_debug;
	struct event event;
	uint32_t signals;
	bool halted, deaf, fpu_short;
};

/* Can a CPU of v's virtual machine be so (SN4)? NULL, or one clause that says what cannot be. v->fpu is the state of
 * x87 and vectors. */
const char *registers_impossible(const struct vcpu *v, const struct cpu_registers *r);
bool segments_possible(const struct cpu_registers *r);

static inline bool in_long64(const struct cpu_registers *r)
{
	return (r->paging.efer & EFER_LMA) && (r->segment[SEG_CS].access & SEGMENT_L);
}

#endif
