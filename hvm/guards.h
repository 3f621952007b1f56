/* hvm/guards.h - what is done around an entry against the speculation of real CPUs (host/cpu/speculation.h says what
 * each is for): bits of hvm_vcpu.guards, for C and for assembly. */
#ifndef VELLUM_HVM_GUARDS_H
#define VELLUM_HVM_GUARDS_H

#define GUARD_REGISTERS 0x01     /* general registers do not keep the guest's values after an exit */
#define GUARD_L1D 0x02           /* before an entry, the first-level data cache is flushed (IA32_FLUSH_CMD) */
#define GUARD_VERW 0x04          /* before an entry, VERW overwrites the CPU's buffers */
/* IA32_SPEC_CTRL: the guest's before an entry, the host's after an exit, where they differ */
#define GUARD_SPEC_CTRL 0x08
/* the host's value is written at each exit, as IBRS without its enhanced form wants */
#define GUARD_SPEC_CTRL_EACH 0x10
#define GUARD_RSB 0x20           /* after an exit, the return stack buffer is filled with what leads nowhere */
#define GUARD_RSB_ONE 0x40       /* after an exit, one call and an LFENCE: where the rest of it needs no filling */
/* when the vCPU gets the CPU after another, no predictor keeps what that one taught it */
#define GUARD_IBPB 0x80
#endif
