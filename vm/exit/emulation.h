/* vm/exit/emulation.h - between the files that serve the instruction emulator. */
#ifndef VELLUM_VM_EXIT_EMULATION_H
#define VELLUM_VM_EXIT_EMULATION_H

#include "vm/vm.h"

/* What the vCPU decodes instructions by, as its control registers, its CS and these RFLAGS are. */
enum emulate_mode emulation_mode(const struct vcpu *v, uint64_t rflags);

/* What an emulated vCPU's instruction is that the emulator does not know (vm/exit/emulation_unknown.c). */
enum emulation_unknown {
	UNKNOWN_STOPS, /* one that the guest's CPU has, or may have */
	UNKNOWN_UD,
	UNKNOWN_GP,
};
enum emulation_unknown emulation_unknown(const struct vcpu *v);
/* What cannot be emulated runs on the CPU, if it is a page table that it accesses. Else a program without privileges
 * gets #UD, so that it cannot stop its VM; what a kernel does stops it, with a sentence. */
void emulation_refuse(struct vcpu *v, const char *what);

/* What an access of the instruction's is to. The exit itself told what the faulting page translates to, for such an
 * access; anything else is walked. Once there was an implicit supervisor access, so is everything: it may have been
 * that which exited. how: EMULATE_HOW_*. false: *error is the page fault's error code. */
bool emulation_translate(struct emulate *e, uint64_t linear, unsigned how, bool fetch, gpa_t *gpa, uint32_t *error);

/* vm/exit/emulation.c, for who makes the access himself. */
/* The instruction at the guest's RIP, if it is one of the decoded ones, as its bytes are now, and plain; else NULL. */
const struct insn_cache *emulation_plain(struct vcpu *v);
/* What the operand of that instruction is at, accessed and dirty flags set; the CPU has let the access pass otherwise.
 * false: a page fault. */
bool emulation_operand(struct vcpu *v, const struct insn_cache *c, gpa_t *gpa);
static inline bool emulation_writes(const struct insn_cache *c) { return c->plain >= INSN_PLAIN_STORE; }
/* All that such an instruction does but its access: *value is what was read, and then what is to be written; PUSH is
 * for the other. Nothing is being delivered, and there are no breakpoints. */
void emulation_on_value(struct vcpu *v, const struct insn_cache *c, uint64_t *value);
void emulation_push(struct vcpu *v, const struct insn_cache *c, uint64_t value);

/* struct emulate_ops (emulate/emulate.h): vm/exit/emulation_registers.c. */
enum emulate_access emulation_read_cr(struct emulate *e, unsigned n, uint64_t *value);
enum emulate_access emulation_write_cr(struct emulate *e, unsigned n, uint64_t value);
enum emulate_access emulation_read_dr(struct emulate *e, unsigned n, uint64_t *value);
enum emulate_access emulation_write_dr(struct emulate *e, unsigned n, uint64_t value);
enum emulate_access emulation_read_msr(struct emulate *e, uint32_t index, uint64_t *value);
enum emulate_access emulation_write_msr(struct emulate *e, uint32_t index, uint64_t value);
enum emulate_access emulation_cpuid(struct emulate *e, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
enum emulate_access emulation_rdtsc(struct emulate *e, uint64_t *value);
enum emulate_access emulation_invlpg(struct emulate *e, uint64_t linear);

/* ---- vm/exit/planes.c: fill() and copy() of struct emulate_ops, for the display's planes ---- */
unsigned emulation_fill(struct emulate *e, uint64_t to, uint64_t value, unsigned size, unsigned count);
unsigned emulation_copy(struct emulate *e, uint64_t to, uint64_t from, unsigned size, unsigned count);
/* The plain instruction c accesses gpa, which its operand leads to. true: that was the planes, and it is done. */
bool planes_served(struct vcpu *v, gpa_t gpa, const struct insn_cache *c);

#endif
