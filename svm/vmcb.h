/* svm/vmcb.h - the virtual machine control block, and what its fields say. AMD64 Architecture Programmer's Manual,
 * volume 2 (APM), "Layout of VMCB", "SVM Intercept Exit Codes" and "Secure Virtual Machine". */
#ifndef VELLUM_SVM_VMCB_H
#define VELLUM_SVM_VMCB_H

#include "lib/base.h"
#include "lib/x86.h"

/* ---- intercepts ---- */

/* vmcb.intercepts[0] (APM, "Layout of VMCB", offset 00Ch). */
#define INTERCEPT_INTR BIT(0)
#define INTERCEPT_NMI BIT(1)
#define INTERCEPT_VINTR BIT(4)
#define INTERCEPT_CR0_SELECTIVE BIT(5) /* a write of CR0 that changes more than TS and MP */
#define INTERCEPT_RDPMC BIT(15)
#define INTERCEPT_CPUID BIT(18)
#define INTERCEPT_IRET BIT(20)
#define INTERCEPT_INVD BIT(22)
#define INTERCEPT_PAUSE BIT(23)
#define INTERCEPT_HLT BIT(24)
#define INTERCEPT_INVLPG BIT(25)
#define INTERCEPT_INVLPGA BIT(26)
#define INTERCEPT_IOIO BIT(27)
#define INTERCEPT_MSR BIT(28)
#define INTERCEPT_TASK_SWITCH BIT(29)
#define INTERCEPT_SHUTDOWN BIT(31)

/* vmcb.intercepts[1] (offset 010h). */
#define INTERCEPT_VMRUN BIT(0)
#define INTERCEPT_VMMCALL BIT(1)
#define INTERCEPT_VMLOAD BIT(2)
#define INTERCEPT_VMSAVE BIT(3)
#define INTERCEPT_STGI BIT(4)
#define INTERCEPT_CLGI BIT(5)
#define INTERCEPT_SKINIT BIT(6)
#define INTERCEPT_RDTSCP BIT(7)
#define INTERCEPT_ICEBP BIT(8)
#define INTERCEPT_WBINVD BIT(9)
#define INTERCEPT_MONITOR BIT(10)
#define INTERCEPT_MWAIT BIT(11)
#define INTERCEPT_MWAIT_ARMED BIT(12)
#define INTERCEPT_XSETBV BIT(13)
#define INTERCEPT_RDPRU BIT(14)

/* vmcb.intercepts[2] (offset 014h). */
#define INTERCEPT_INVPCID BIT(2)

/* vmcb.cr_intercepts: reads in bits 15:0, writes above. */
#define CR_READ(n) BIT(n)
#define CR_WRITE(n) BIT(16 + (n))
#define DR_ALL 0xffffffffu

/* ---- other controls ---- */

/* vmcb.tlb_control (APM, "TLB Control"). */
#define TLB_FLUSH_NOTHING 0
#define TLB_FLUSH_ALL 1
#define TLB_FLUSH_ASID 3
#define TLB_FLUSH_ASID_NONGLOBAL 7

/* vmcb.interrupt_control (APM, "Virtual Interrupts"). */
#define V_IRQ BIT(8)
#define V_PRIORITY_HIGHEST (0xfu << 16)
#define V_IGNORE_TPR BIT(20)
#define V_INTR_MASKING BIT(24)

#define INTERRUPT_SHADOW BIT(0)
#define NESTED_PAGING BIT(0)

/* vmcb.event_injection and .exit_interrupt (APM, "Event Injection", "EXITINTINFO Pseudo-Code"): vector, type, error and
 * valid as EVENT_* has them (hvm/types.h), the error code above. */
#define SVM_EVENT_ERROR_SHIFT 32

/* vmcb.exit_info[0] of EXITCODE_NPF (APM, "Nested versus Guest Page Faults, Fault Ordering"): as a page fault's error
 * code, and: */
#define NPF_FINAL BIT(32) /* of the access itself */
#define NPF_WALK BIT(33)  /* of a table of the guest's on the way there */

/* vmcb.exit_info[0] of EXITCODE_MSR (APM, "MSR Intercepts"): WRMSR, else RDMSR. */
#define MSR_EXIT_WRITES BIT(0)

/* vmcb.exit_info[0] of EXITCODE_IOIO (APM, "IN and OUT Behavior"). */
#define IOIO_IN BIT(0)
#define IOIO_STRING BIT(2)
#define IOIO_SIZE_1 BIT(4)
#define IOIO_SIZE_4 BIT(6)
#define IOIO_PORT_SHIFT 16

/* vmcb.exit_info[1] of EXITCODE_TASK_SWITCH (APM, "Task Switch Intercept"). */
#define TASK_SWITCH_IRET BIT(36)
#define TASK_SWITCH_JMP BIT(38)

/* ---- exit codes (APM, "SVM Intercept Exit Codes") ---- */

enum svm_exitcode {
	EXITCODE_CR_READ = 0x00,   /* + number of the register */
	EXITCODE_CR_WRITE = 0x10,
	EXITCODE_DR_READ = 0x20,
	EXITCODE_DR_WRITE = 0x30,
	EXITCODE_EXCEPTION = 0x40, /* + vector */
	EXITCODE_INTR = 0x60,
	EXITCODE_NMI = 0x61,
	EXITCODE_VINTR = 0x64,
	EXITCODE_CR0_SELECTIVE = 0x65,
	EXITCODE_RDPMC = 0x6f,
	EXITCODE_CPUID = 0x72,
	EXITCODE_IRET = 0x74,
	EXITCODE_INVD = 0x76,
	EXITCODE_PAUSE = 0x77,
	EXITCODE_HLT = 0x78,
	EXITCODE_INVLPG = 0x79,
	EXITCODE_INVLPGA = 0x7a,
	EXITCODE_IOIO = 0x7b,
	EXITCODE_MSR = 0x7c,
	EXITCODE_TASK_SWITCH = 0x7d,
	EXITCODE_SHUTDOWN = 0x7f,
	EXITCODE_VMRUN = 0x80,
	EXITCODE_VMMCALL = 0x81,
	EXITCODE_VMLOAD = 0x82,
	EXITCODE_VMSAVE = 0x83,
	EXITCODE_STGI = 0x84,
	EXITCODE_CLGI = 0x85,
	EXITCODE_SKINIT = 0x86,
	EXITCODE_RDTSCP = 0x87,
	EXITCODE_ICEBP = 0x88,
	EXITCODE_WBINVD = 0x89,
	EXITCODE_MONITOR = 0x8a,
	EXITCODE_MWAIT = 0x8b,
	EXITCODE_MWAIT_ARMED = 0x8c,
	EXITCODE_XSETBV = 0x8d,
	EXITCODE_RDPRU = 0x8e,
	EXITCODE_INVPCID = 0xa2,
	EXITCODE_NPF = 0x400,
};
/* VMEXIT_INVALID, of which 32 bits are looked at: an emulator writes no more. */
#define EXITCODE_INVALID 0xffffffffu

/* ---- the block ---- */

/* A segment register (APM, "Layout of VMCB"): attributes are bits 55:52 and 47:40 of a descriptor. GDTR and IDTR have
 * base and limit only. */
struct vmcb_segment {
	uint16_t selector;
	uint16_t attributes;
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	uint32_t cr_intercepts, dr_intercepts, exceptions;
	uint32_t intercepts[3];
	uint8_t reserved018[0x03c - 0x018];
	uint16_t pause_threshold, pause_count;
	uint64_t io_map, msr_map; /* host-physical */
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control;
	uint8_t reserved05d[3];
	uint32_t interrupt_control;
	uint32_t interrupt_vector;
	uint64_t interrupt_shadow;
	uint64_t exit_code;
	uint64_t exit_info[2];
	uint64_t exit_interrupt;
	uint64_t nested_control;
	uint8_t reserved098[0x0a8 - 0x098];
	uint64_t event_injection;
	uint64_t nested_cr3;
	uint64_t lbr_control;
	uint32_t clean;
	uint32_t reserved0c4;
	uint64_t next_rip;
	uint8_t reserved0d0[0x400 - 0x0d0];

	struct vmcb_segment segment[6]; /* as enum segment (hvm/types.h) has them: ES to GS */
	struct vmcb_segment gdtr, ldtr, idtr, tr;
	uint8_t reserved4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint8_t reserved4cc[4];
	uint64_t efer;
	uint8_t reserved4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved5e0[0x5f8 - 0x5e0];
	uint64_t rax;
	uint64_t star, lstar, cstar, fmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t cr2;
	uint8_t reserved648[0x668 - 0x648];
	uint64_t pat;
	uint64_t debugctl;
	uint8_t reserved678[0x1000 - 0x678];
};

#define VMCB_HAS(field, offset) _Static_assert(offsetof(struct vmcb, field) == (offset), "APM, Layout of VMCB")
VMCB_HAS(intercepts, 0x00c);
VMCB_HAS(pause_threshold, 0x03c);
VMCB_HAS(io_map, 0x040);
VMCB_HAS(msr_map, 0x048);
VMCB_HAS(tsc_offset, 0x050);
VMCB_HAS(asid, 0x058);
VMCB_HAS(tlb_control, 0x05c);
VMCB_HAS(interrupt_control, 0x060);
VMCB_HAS(interrupt_shadow, 0x068);
VMCB_HAS(exit_code, 0x070);
VMCB_HAS(exit_info, 0x078);
VMCB_HAS(exit_interrupt, 0x088);
VMCB_HAS(nested_control, 0x090);
VMCB_HAS(event_injection, 0x0a8);
VMCB_HAS(nested_cr3, 0x0b0);
VMCB_HAS(clean, 0x0c0);
VMCB_HAS(next_rip, 0x0c8);
VMCB_HAS(segment, 0x400);
VMCB_HAS(gdtr, 0x460);
VMCB_HAS(ldtr, 0x470);
VMCB_HAS(idtr, 0x480);
VMCB_HAS(tr, 0x490);
VMCB_HAS(cpl, 0x4cb);
VMCB_HAS(efer, 0x4d0);
VMCB_HAS(cr4, 0x548);
VMCB_HAS(cr3, 0x550);
VMCB_HAS(cr0, 0x558);
VMCB_HAS(dr7, 0x560);
VMCB_HAS(dr6, 0x568);
VMCB_HAS(rflags, 0x570);
VMCB_HAS(rip, 0x578);
VMCB_HAS(rsp, 0x5d8);
VMCB_HAS(rax, 0x5f8);
VMCB_HAS(star, 0x600);
VMCB_HAS(kernel_gs_base, 0x620);
VMCB_HAS(sysenter_cs, 0x628);
VMCB_HAS(cr2, 0x640);
VMCB_HAS(pat, 0x668);
_Static_assert(sizeof(struct vmcb) == 4096, "APM, Layout of VMCB");

#endif
