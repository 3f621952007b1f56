/* vm/cpu/resident.h - the registers of a virtual CPU that stay in the CPU from exit to entry (vm/cpu/resident.c). */
#ifndef VELLUM_VM_CPU_RESIDENT_H
#define VELLUM_VM_CPU_RESIDENT_H

#include <stdbool.h>
#include <stdint.h>

/* Where vcpu.saved_msr and vcpu.saved_dr have which. Those before SAVED_TSC_AUX are switched by entries and exits where
 * hvm_switches_syscall() says so, and are not here then. */
enum { SAVED_STAR, SAVED_LSTAR, SAVED_CSTAR, SAVED_FMASK, SAVED_KERNEL_GS_BASE, SAVED_TSC_AUX, SAVED_MSRS };
enum { SAVED_DR6 = 4, SAVED_DRS }; /* DR0 to DR3 before it */

struct vcpu;

/* Those registers as after a reset, in memory that resident_free() gives back. false: no memory. */
bool resident_init(struct vcpu *v);
void resident_free(struct vcpu *v);
/* What INIT changes of them; this CPU has v's. */
void resident_init_reset(struct vcpu *v);
/* Makes the FPU, debug and system-call registers of this CPU those of v. */
void resident_switch(struct vcpu *v);
/* v's are in memory again, if this CPU has them, and the CPU has nobody's. */
void resident_release(struct vcpu *v);
/* DRn, n from 0 to 3, of the vCPU whose registers this CPU has. */
uint64_t resident_breakpoint(unsigned n);
void resident_set_breakpoint(unsigned n, uint64_t address);

#endif
