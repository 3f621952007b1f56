/* vm/exit/emulation.h - between the files that serve the instruction emulator. */
#ifndef VELLUM_VM_EXIT_EMULATION_H
#define VELLUM_VM_EXIT_EMULATION_H

#include "vm/vm.h"

/* Iterations of a repeated string instruction that are made for each exit. */
#define EMULATION_REPEATS 128

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

/* ---- vm/exit/emulation.c ---- */
/* Delivers v->event, as emulation_deliver() does; where that has raised an exception, it is the event now. false: it
 * cannot be carried out, and nothing was done. */
bool emulation_delivers(struct vcpu *v);

/* ---- vm/exit/emulation.c, what is not inline of vm/exit/decoded.h ---- */
/* In another state than before: the mode of the guest's code, into v->mode. */
void emulation_find_mode(struct vcpu *v);
/* Where the byte is, and behind it those of the longest instruction, if in memory that lies in one piece. Code and what
 * it accesses need not be in the same. */
const uint8_t *emulation_code_at(struct vcpu *v, gpa_t gpa);
/* As mmu_translate(): the gpa, MEMO_NONE for a page fault. */
uint64_t emulation_translate_anew(struct vcpu *v, uint64_t linear, struct access access, uint64_t number);
/* What was decoded at rip, whatever is there now; NULL: nothing. */
struct insn_cache *emulation_decoded(struct vcpu *v, uint64_t rip);
/* What was decoded at the guest's RIP, if it is still there; else NULL. */
struct insn_cache *emulation_current(struct vcpu *v);
/* c, which is at RIP, if it is still there; else NULL. */
struct insn_cache *emulation_look(struct vcpu *v, struct insn_cache *c);
/* The gpa of the operand of c, which decoded_here() has found; linear: its linear address. MEMO_NONE: a page fault. */
uint64_t emulation_operand(struct vcpu *v, struct insn_cache *c, uint64_t linear);
/* What each access of the emulator's needs. */
static ALWAYS_INLINE void emulation_fill_access(struct vcpu *v)
{
	struct emulate *e = &v->emulate;

	v->hvm.gpr[GPR_RSP] = hvm_rsp(&v->hvm);
	e->ops = &emulation_ops;
	e->gpr = v->hvm.gpr;
	e->cr0 = v->mmu.regs.cr0;
	e->cr4 = v->mmu.regs.cr4;
	e->seg_dirty = 0;
}
/* And what it takes to carry out any instruction. */
static ALWAYS_INLINE void emulation_fill_all(struct vcpu *v)
{
	struct emulate *e = &v->emulate;

	emulation_fill_access(v);
	e->efer = v->mmu.regs.efer;
	e->xcr0 = v->xcr0;
	e->features = v->vm->cpuid.emulate_features;
	e->scratch = v->xsave_scratch;
}
/* What becomes of an instruction that was decoded before, which the emulator has carried out, or not. A sentence may be
 * about its bytes, which e has not. */
void emulation_act_on_known(struct vcpu *v, const struct insn_cache *c, enum emulate_result result);

/* ---- vm/exit/known.c: an instruction that was decoded before, carried out by the emulator with what is known ---- */
/* c is at RIP, as decoded_here() has found it, and has accessed the local APIC. false: the emulator must look, and
 * nothing was done: of a repeated instruction, no iteration. */
bool known_carried_out(struct vcpu *v, struct insn_cache *c);
enum emulate_access known_read(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how);
enum emulate_access known_write(struct emulate *e, uint64_t linear, const void *buf, unsigned size, unsigned how);
enum emulate_access known_cmpxchg(struct emulate *e, uint64_t linear, void *expected, const void *desired,
				  unsigned size, bool *done);
extern const struct emulate_ops emulation_known_ops; /* vm/exit/emulation_ops.c: emulation_ops, with these */

/* ---- vm/exit/told.c: the same of a string, a stack in the page, or a POP, where the exit tells of an instruction's
 * access to a register, which the CPU has looked at before it exited. false: as above. ---- */
bool told_carried_out(struct vcpu *v, struct insn_cache *c, unsigned offset, bool write);

/* ---- vm/exit/apic.c ---- */
/* A write to a register of v's own local APIC that may need the lock. */
void apic_write_locked(struct vcpu *v, unsigned offset, unsigned size, uint64_t value);
static ALWAYS_INLINE void apic_write_register(struct vcpu *v, unsigned offset, unsigned size, uint64_t value)
{
	if (unlikely(!lapic_mmio_write_unlocked(&v->lapic, offset, size, value)))
		apic_write_locked(v, offset, size, value);
}

/* ---- vm/exit/push.c ---- */
/* All that a PUSH does (decoded_here) when value was read for it. */
void emulation_push(struct vcpu *v, const struct insn_cache *c, uint64_t value);
/* The same to a stack of 16 bits. false: to another, or it takes more than that, and nothing has changed. */
bool push_small(struct vcpu *v, const struct insn_cache *c, uint64_t value);
/* The same without a look at what is quicker (vm/exit/stack.h). */
void emulation_push_anywhere(struct vcpu *v, const struct insn_cache *c, uint64_t value);

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

#endif
