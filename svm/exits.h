/* svm/exits.h - the exits of AMD-V as Vellum counts them: one number each, a name, and what it asks for in the terms of
 * hvm/types.h. Exit codes are by register and by vector, and others tell two things by a bit elsewhere: so the numbers
 * here are this file's own. */
#ifndef VELLUM_SVM_EXITS_H
#define VELLUM_SVM_EXITS_H

#include "hvm/types.h"
#include "svm/vmcb.h"

/* X(name, in snake case as in the statistics, kind). */
#define SVM_EXITS(X) \
	X(CR_READ, cr_read, EMULATE) \
	X(CR_WRITE, cr_write, EMULATE) \
	X(DR_ACCESS, dr_access, DR_ACCESS) \
	X(EXCEPTION, exception, EXCEPTION) \
	X(INTR, interrupt, INTERRUPT) \
	X(NMI, nmi, EXCEPTION) \
	X(VINTR, interrupt_window, WINDOW) \
	X(RDPMC, rdpmc, RDPMC) \
	X(CPUID, cpuid, CPUID) \
	X(IRET, iret, WINDOW) \
	X(INVD, invd, NOTHING_TO_DO) \
	X(PAUSE, pause, PAUSE) \
	X(HLT, hlt, HLT) \
	X(INVLPG, invlpg, EMULATE) \
	X(INVLPGA, invlpga, ABSENT) \
	X(IOIO, io_instruction, IO) \
	X(RDMSR, rdmsr, RDMSR) \
	X(WRMSR, wrmsr, WRMSR) \
	X(TASK_SWITCH, task_switch, TASK_SWITCH) \
	X(SHUTDOWN, shutdown, TRIPLE_FAULT) \
	X(VMRUN, vmrun, ABSENT) \
	X(VMMCALL, vmmcall, HYPERCALL) \
	X(VMLOAD, vmload, ABSENT) \
	X(VMSAVE, vmsave, ABSENT) \
	X(STGI, stgi, ABSENT) \
	X(CLGI, clgi, ABSENT) \
	X(SKINIT, skinit, ABSENT) \
	X(ICEBP, icebp, EXCEPTION) \
	X(WBINVD, wbinvd, NOTHING_TO_DO) \
	X(MONITOR, monitor, ABSENT) \
	X(MWAIT, mwait, ABSENT) \
	X(XSETBV, xsetbv, XSETBV) \
	X(RDPRU, rdpru, ABSENT) \
	X(RDTSCP, rdtscp, ABSENT) \
	X(INVPCID, invpcid, ABSENT) \
	X(NPF, nested_page_fault, NESTED_FAULT) \
	X(NPF_RESERVED, nested_reserved_bit, NESTED_MISCONFIG) \
	X(INVALID, invalid_state, ENTRY_FAILED)

enum svm_exit {
#define X(name, text, kind) SVM_EXIT_##name,
	SVM_EXITS(X)
#undef X
	SVM_EXIT_COUNT
};

/* By these numbers. */
extern const char *const svm_exit_names[HVM_EXIT_CODES]; /* NULL: there is none of this number */
extern const uint8_t svm_exit_kinds[HVM_EXIT_CODES];     /* enum hvm_exit_kind */

/* Of the exit that the VMCB tells of; HVM_EXIT_CODES: of one that nothing was asked for. */
unsigned svm_exit_number(const struct vmcb *vmcb);

/* An instruction by which a guest's kernel tells the hypervisor something, HVM_EXIT_ABSENT: VMRUN. */
static const uint8_t svm_tell_insn[] = { 0x0f, 0x01, 0xd8 };

#endif
