/* hvm/types.h - a virtual CPU in neutral terms: what Intel's VT-x and AMD's AMD-V have in common, and what vm/ works
 * with. vmx/ and svm/ fill and read these; hvm/hvm.h has the functions. */
#ifndef VELLUM_HVM_TYPES_H
#define VELLUM_HVM_TYPES_H

#include "lib/base.h"
#include "mmu/addr.h"
#include "mmu/caps.h"

/* ---- registers ---- */

/* Indices of gpr[], as instructions encode them. RSP is elsewhere: hvm_rsp(). */
enum gpr { GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_R8, GPR_R15 = 15, GPR_COUNT };

/* Segment registers, as instructions encode the first six. */
enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR };

struct segment_state {
	uint16_t selector;
	uint32_t limit;
	uint32_t access; /* SDM, "Format of Access Rights" */
	uint64_t base;
};

/* GDTR, IDTR. */
struct table_register {
	uint64_t base;
	uint32_t limit;
};

/* Debug traps that wait for the next instruction boundary: bits 3:0 as in DR6, and (SDM, "Format of
 * Pending-Debug-Exceptions"): */
#define PENDING_DEBUG_ENABLED BIT(12) /* one of the breakpoints met is enabled */
#define PENDING_DEBUG_BS BIT(14)      /* single-step */

/* What a virtual CPU has under either vendor; the vendor's own begins with it (struct vmx_vcpu). */
struct hvm_vcpu {
	uint64_t gpr[GPR_COUNT];
	uint64_t spec_guest; /* IA32_SPEC_CTRL: the guest's value, and the host's */
	uint64_t spec_host;
	uint32_t guards;     /* GUARD_* (vmx/entry.h); set before hvm_vcpu_start() */
	/* instructions from the guest's last one to the first after hvm_enter(), at least; by the way out */
	uint64_t exit_ticks;
};

/* Where the CPU itself serves the guest's accesses to its local APIC (SDM, "APIC Virtualization and Virtual
 * Interrupts"). */
struct hvm_tpr {
	/* The page, laid out as a local APIC's, whose task-priority register CR8 is; 0: accesses to CR8 exit. */
	hpa_t registers;
	/* The frame which, where the guest's paging leads to it, is not read or written itself: the access is one to
	 * .registers, or exits. 0: there is none. */
	hpa_t access;
	bool x2apic; /* with .registers, in place of .access: the TPR by its MSR of x2APIC mode needs no exit */
	/* With .registers: that page is the local APIC for more than the TPR. The guest reads the others there, writes
	 * of them exit when they are done (HVM_EXIT_APIC_WRITE); the CPU delivers the interrupts and does the EOIs by
	 * itself (hvm_set_interrupts). */
	bool delivery;
};

/* How the guest's first instruction finds the CPU; registers not named are 0. */
struct hvm_start {
	uint64_t rip, rsp, rax, rbx, rdx, rsi;
	uint64_t gdt_base;
	uint32_t gdt_limit;
	uint16_t cs, ds;
	bool long_mode;
	/* in real mode, as INIT leaves the segment registers, but for CS; gdt_* and ds are not looked at */
	bool real_mode;
	uint64_t cs_base;
	uint32_t longest_run; /* TSC ticks without an exit, where the CPU has a timer for that */
	bool alarm; /* that timer stands while the guest does not run, and is set by hvm_set_alarm() */
	/* What the guest's CPUID offers, and so may be used without an exit. */
	bool rdtscp, invpcid;
	bool spins; /* a loop with PAUSE exits after a while, where the CPU can tell one */
	uint64_t cr4_offered; /* CR4 bits */
	struct hvm_tpr tpr;
};

/* A TSS by its linear address; limit 0: there is none. */
struct hvm_tss {
	uint32_t base, limit;
};

/* What a guest in real mode has in place of what the CPU needs to run it in virtual-8086 mode. */
struct hvm_v86 {
	uint64_t rflags;
	uint32_t access[6], limit[6]; /* of ES to GS; limits of those with SEGMENT_G */
	struct segment_state tr;
	uint64_t sysenter_cs;
	uint64_t exceptions, pf_mask, pf_match; /* which exceptions exit */
	uint64_t interrupts;                    /* what the CPU would deliver by itself */
};

/* What this CPU can do for its guests; the vendor's own begins with it (struct vmx_caps). */
struct hvm_caps {
	struct mmu_caps mmu;
	bool rdtscp;      /* guests may have RDTSCP, and IA32_TSC_AUX */
	bool invpcid;     /* guests may have INVPCID */
	bool alarm;       /* hvm_start.alarm can be had */
	bool tpr_shadow;  /* struct hvm_tpr: .registers can be had, */
	bool apic_access; /* and with it .access, */
	bool x2apic_tpr;  /* or .x2apic; */
	/* both: .delivery */
	bool apic_registers, virtual_interrupts;
	bool steps;       /* hvm_debug.step can be had */
	uint64_t cr4_may; /* bits of CR4 that may be set while a guest runs */
};

/* What exits for a debugger. */
struct hvm_debug {
	bool step;            /* after one instruction */
	bool debug_registers; /* MOV DR */
	bool int3;            /* #BP */
	bool exceptions;      /* all of them, for good; where .step can be had */
};

/* ---- events ---- */

/* What is injected, was being delivered, or has exited. The format is this interface's own, EVENT_* below: that of VT-x
 * (SDM, "Format of the VM-Entry Interruption-Information Field"), which vmx/ so takes as it is. AMD-V's has the same
 * vector, error and valid bits, but neither the two software exceptions nor EVENT_NMI_UNBLOCKED (APM, "Event
 * Injection"): its side translates. */
struct event {
	uint32_t info; /* EVENT_VALID clear: none */
	uint32_t error;
	uint32_t length; /* of the instruction, for those that come from one */
};

#define EVENT_VECTOR MASK(7, 0)
#define EVENT_TYPE MASK(10, 8)
#define EVENT_TYPE_SHIFT 8
#define EVENT_TYPE_EXTERNAL (0u << EVENT_TYPE_SHIFT)
#define EVENT_TYPE_NMI (2u << EVENT_TYPE_SHIFT)
#define EVENT_TYPE_HARDWARE_EXCEPTION (3u << EVENT_TYPE_SHIFT)
#define EVENT_TYPE_SOFTWARE_INTERRUPT (4u << EVENT_TYPE_SHIFT)
#define EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION (5u << EVENT_TYPE_SHIFT)
#define EVENT_TYPE_SOFTWARE_EXCEPTION (6u << EVENT_TYPE_SHIFT)
#define EVENT_HAS_ERROR BIT(11)
/* of one that has exited: an IRET that faulted had already unblocked NMIs; else undefined */
#define EVENT_NMI_UNBLOCKED BIT(12)
#define EVENT_VALID BIT(31)

/* ---- exits ---- */

/* An exit's code is the vendor's number of its reason, as an index; how many there are at most, and what stands for all
 * others. */
#define HVM_EXIT_CODES 81
#define HVM_EXIT_OTHER 79
#define HVM_EXIT_EMULATED 80 /* no exit: an instruction of a guest that the CPU cannot enter */

/* What an exit asks for. */
enum hvm_exit_kind {
	HVM_EXIT_UNKNOWN,      /* nothing that this hypervisor has asked the CPU for */
	HVM_EXIT_EXCEPTION,    /* an exception that is intercepted, or the host's NMI */
	HVM_EXIT_INTERRUPT,    /* the host's */
	HVM_EXIT_TRIPLE_FAULT,
	HVM_EXIT_WINDOW,       /* an interrupt or NMI can be delivered */
	HVM_EXIT_TASK_SWITCH,
	HVM_EXIT_CPUID,
	HVM_EXIT_HLT,
	HVM_EXIT_NOTHING_TO_DO, /* INVD, WBINVD: caches are coherent */
	HVM_EXIT_INVLPG,
	HVM_EXIT_RDPMC,
	HVM_EXIT_HYPERCALL,
	HVM_EXIT_ABSENT,       /* an instruction that the guest's CPU does not have */
	HVM_EXIT_CR_ACCESS,
	HVM_EXIT_IO,
	HVM_EXIT_RDMSR,
	HVM_EXIT_WRMSR,
	HVM_EXIT_XSETBV,
	HVM_EXIT_ENTRY_FAILED, /* the CPU has not taken the guest's state */
	HVM_EXIT_MACHINE_CHECK, /* during an entry */
	HVM_EXIT_TIMER,        /* the guest has run for longest_run, or what hvm_set_alarm() said */
	HVM_EXIT_NESTED_FAULT, /* EPT violation */
	HVM_EXIT_NESTED_MISCONFIG,
	HVM_EXIT_TPR_BELOW,    /* hvm_set_tpr_threshold() */
	HVM_EXIT_APIC_ACCESS,  /* to the frame that is hvm_tpr.access */
	HVM_EXIT_APIC_WRITE,   /* of a register, in the page; the instruction is done */
	HVM_EXIT_EOI,          /* of a vector for which that was asked; likewise */
	HVM_EXIT_STEP,         /* hvm_debug.step: one instruction is done, or an event delivered */
	HVM_EXIT_DR_ACCESS,    /* hvm_debug.debug_registers: a MOV to or from one */
	HVM_EXIT_LOG_FULL,     /* mmu_intercepts.log is full */
	HVM_EXIT_EMULATE,      /* an instruction whose operands the CPU does not tell: of control registers, INVLPG */
	HVM_EXIT_PAUSE,        /* the guest spins, with PAUSE in the loop */
	HVM_EXIT_KINDS,
};

enum hvm_cr_how { HVM_CR_TO, HVM_CR_FROM, HVM_CR_CLTS, HVM_CR_LMSW };

struct hvm_cr_access {
	enum hvm_cr_how how;
	unsigned cr, gpr; /* of MOV */
	uint16_t lmsw;    /* the operand of LMSW */
};

/* IN, OUT, INS, OUTS, as the vendor tells it in one word: hvm_io_port() and the like read it. */
typedef struct { uint32_t v; } hvm_io_t;

enum hvm_task_source { HVM_TASK_CALL, HVM_TASK_IRET, HVM_TASK_JMP, HVM_TASK_GATE };

struct hvm_task_switch {
	enum hvm_task_source source;
	uint16_t selector;
};

/* An access to the local APIC's page that the CPU has not served. */
struct hvm_apic_access {
	uint16_t offset;  /* in the page */
	bool instruction; /* an instruction's read or write of data, by linear address */
	bool write;       /* it was a write: the first half of a read-modify-write may be a read */
};

/* A guest-physical access that the nested tables did not allow. */
struct hvm_nested_fault {
	gpa_t gpa;
	gva_t gva;          /* with MMU_LINEAR: the linear address that the access began with */
	uint8_t access;     /* MMU_READ, MMU_WRITE, MMU_FETCH, MMU_LINEAR (mmu/mmu.h) */
	bool translated;    /* gpa is what gva means; else a page table on the way there, or its flags */
	bool nmi_unblocked; /* as EVENT_NMI_UNBLOCKED */
};

#endif
