/* vm/debug/debug.h - a debugger of a guest, which asks by the control channel (vm/control/debug.c): where the guest
 * stops, how it goes on, and what of the CPU the debugger has for that.
 *
 * DB1  A VM stops for the debugger as it is paused (vm/sched/freeze.c): each vCPU between two instructions.
 * DB2  Software breakpoints are INT3 in the guest's RAM. Their #BP is the debugger's; any other is the guest's. Whoever
 *      reads memory for the debugger finds the guest's own bytes; dropped, a breakpoint leaves them there.
 * DB3  A hardware breakpoint has a register of DR0 to DR3 that the guest has not enabled, on each vCPU by itself. The
 *      guest's DR0 to DR3 and DR7 are what it has written: while any of them is the debugger's, MOV DR exits. DR6 is
 *      the guest's alone.
 * DB4  A vCPU that steps has a request until it has made its step, so that the run loop comes here before each entry;
 *      nothing here is on the way of a guest without a debugger. */
#ifndef VELLUM_VM_DEBUG_H
#define VELLUM_VM_DEBUG_H

#include "hvm/types.h"
#include "mmu/addr.h"

#define DEBUG_SOFT_MAX 64
#define DEBUG_HARD_MAX 4

enum debug_stop {
	DEBUG_RUNS,
	DEBUG_PAUSED, /* by request */
	DEBUG_STEPPED,
	DEBUG_SOFT,
	DEBUG_HARD,
	DEBUG_WATCH, /* a write */
	DEBUG_ACCESS,
	DEBUG_STOPS
};

struct debug_hard {
	bool used;
	uint8_t kind, length; /* DR7_RW_*; 1, 2, 4 or 8 bytes */
	uint64_t address;     /* linear */
};

struct vm_debug {
	bool attached;
	struct {
		bool used;
		uint8_t own; /* the guest's byte */
		uint64_t gva;
		gpa_t gpa;
	} soft[DEBUG_SOFT_MAX];
	struct debug_hard hard[DEBUG_HARD_MAX];
};

struct vcpu_debug {
	uint8_t stop; /* enum debug_stop */
	bool step;    /* it makes one step, and stops */
	bool begun;   /* from step_rip */
	bool trap;    /* RFLAGS.TF is set for that: the CPU has no other way */
	bool held;    /* it does not run while others do */
	uint64_t address; /* of the data that a watchpoint has seen */
	uint64_t step_rip;
	uint8_t taken;    /* a bit for each of DR0 to DR3 that is the debugger's */
	uint8_t hard[4];  /* for which of vm_debug.hard */
	uint64_t dr[4];   /* the guest's values of these */
	uint64_t dr7;     /* and of their bits in DR7, none of which enables one */
};

struct vm;
struct vcpu;

/* ---- vm/debug/debug.c: for the control channel. The VM is attached, v is loaded on this CPU ---- */

/* The debugger is there, and the VM paused; or it has gone, nothing of it is left, and the VM goes on. */
void debug_attach(struct vm *vm);
void debug_detach(struct vm *vm);
/* Has every vCPU left its CPU? */
bool debug_is_stopped(const struct vm *vm);
/* v makes a step, or goes on (NULL: all do); the others go on, or are held. */
void debug_go(struct vm *vm, struct vcpu *v, bool step, bool hold_others);
/* NULL, or one clause that says why not. */
const char *debug_insert_soft(struct vcpu *v, uint64_t gva);
const char *debug_insert_hard(struct vm *vm, unsigned kind, uint64_t address, uint64_t length);
/* false: there is none. */
bool debug_remove_soft(struct vm *vm, uint64_t gva);
bool debug_remove_hard(struct vm *vm, unsigned kind, uint64_t address, uint64_t length);
/* DB2: n bytes at gpa, which were read, are what the guest has there. */
void debug_hide(const struct vm *vm, gpa_t gpa, uint8_t *bytes, size_t n);
/* Writes RAM, below the breakpoints; returns how many bytes could be. */
size_t debug_write(struct vm *vm, gpa_t gpa, const uint8_t *bytes, size_t n);

/* ---- vm/cpu/vcpu.c ---- */

/* v, which is loaded, has never run: it gets its first registers. */
void vcpu_begin(struct vcpu *v);

/* ---- vm/debug/debug.c: for the run loop ---- */

/* Serves REQUEST_DEBUG: v is loaded and about to run. true: it has made its step, and the VM is being paused. */
bool debug_serve(struct vcpu *v);
/* All debug registers are the guest's again, until the next debug_serve(), which is asked for. */
void debug_forget(struct vcpu *v);
/* v makes no step for the debugger any more. */
void debug_leave(struct vcpu *v);
/* v has stopped, at a boundary of instructions: the VM is paused. */
void debug_stop(struct vcpu *v, enum debug_stop why, uint64_t address);
/* v, which is emulated, is before an instruction. true: it stops there instead. */
bool debug_on_fetch(struct vcpu *v);
/* Of the causes of a #DB (DR6_*, PENDING_DEBUG_BS) takes the debugger's. true: none is left for the guest. */
bool debug_takes(struct vcpu *v, uint64_t *causes);
/* A #BP has exited. true: it was the debugger's. */
bool debug_takes_int3(struct vcpu *v);
/* The debug registers as the guest has them; v's are in this CPU. n: 0 to 3. */
uint64_t debug_dr7(const struct vcpu *v);
void debug_set_dr7(struct vcpu *v, uint64_t value);
uint64_t debug_dr(const struct vcpu *v, unsigned n);
void debug_set_dr(struct vcpu *v, unsigned n, uint64_t value);

/* ---- vm/debug/debug_registers.c ---- */

/* Changes one register; v is stopped, loaded, and its registers are in the heart. NULL, or one clause. */
const char *debug_set_register(struct vcpu *v, const char *name, const uint8_t *bytes, size_t n);

/* ---- vm/exit/breakpoint.c ---- */
/* Before an instruction is done for the guest: what there is to look for, if v->breakpoints then is not 0. */
void breakpoints_begin(struct vcpu *v);
/* An access of size bytes. true: it has hit a breakpoint, so that a repeated instruction stops here. */
bool breakpoints_on_data(struct vcpu *v, uint64_t linear, unsigned size, bool write);
bool breakpoints_on_port(struct vcpu *v, uint16_t port, unsigned size);
/* Before an instruction is emulated that no CPU has fetched. true: its breakpoint has raised #DB instead. */
bool breakpoints_on_fetch(struct vcpu *v);
/* After the instruction: the trap for what was hit is pending. */
void breakpoints_trap(struct vcpu *v);

#endif
