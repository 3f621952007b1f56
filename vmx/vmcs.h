/* vmx/vmcs.h - the VMCS: field encodings and the bits of the control fields that Vellum uses.
 * SDM, "Field Encoding in VMCS" and "Virtual Machine Control Structures". */
#ifndef VELLUM_VMX_VMCS_H
#define VELLUM_VMX_VMCS_H

#include "lib/base.h"

enum vmcs_field {
	/* 16-bit */
	VMCS_VPID = 0x0000,
	VMCS_GUEST_ES_SELECTOR = 0x0800, /* CS, SS, DS, FS, GS, LDTR, TR follow, 2 apart */
	VMCS_GUEST_LDTR_SELECTOR = 0x080c,
	VMCS_GUEST_TR_SELECTOR = 0x080e,
	VMCS_GUEST_INTERRUPT_STATUS = 0x0810,
	VMCS_PML_INDEX = 0x0812,
	VMCS_HOST_ES_SELECTOR = 0x0c00,
	VMCS_HOST_CS_SELECTOR = 0x0c02,
	VMCS_HOST_SS_SELECTOR = 0x0c04,
	VMCS_HOST_DS_SELECTOR = 0x0c06,
	VMCS_HOST_FS_SELECTOR = 0x0c08,
	VMCS_HOST_GS_SELECTOR = 0x0c0a,
	VMCS_HOST_TR_SELECTOR = 0x0c0c,
	/* 64-bit */
	VMCS_IO_BITMAP_A = 0x2000,
	VMCS_IO_BITMAP_B = 0x2002,
	VMCS_MSR_BITMAP = 0x2004,
	VMCS_EXIT_MSR_LOAD_ADDRESS = 0x2008,
	VMCS_ENTRY_MSR_LOAD_ADDRESS = 0x200a,
	VMCS_PML_ADDRESS = 0x200e,
	VMCS_TSC_OFFSET = 0x2010,
	VMCS_VIRTUAL_APIC_ADDRESS = 0x2012,
	VMCS_APIC_ACCESS_ADDRESS = 0x2014,
	VMCS_EPTP = 0x201a,
	VMCS_EOI_EXIT_BITMAP0 = 0x201c, /* three more follow, 2 apart */
	VMCS_GUEST_PHYSICAL_ADDRESS = 0x2400,
	VMCS_LINK_POINTER = 0x2800,
	VMCS_GUEST_DEBUGCTL = 0x2802,
	VMCS_GUEST_PAT = 0x2804,
	VMCS_GUEST_EFER = 0x2806,
	VMCS_GUEST_PDPTE0 = 0x280a,
	VMCS_HOST_PAT = 0x2c00,
	VMCS_HOST_EFER = 0x2c02,
	/* 32-bit */
	VMCS_PIN_CONTROLS = 0x4000,
	VMCS_PROC_CONTROLS = 0x4002,
	VMCS_EXCEPTION_BITMAP = 0x4004,
	VMCS_PF_ERROR_MASK = 0x4006,
	VMCS_PF_ERROR_MATCH = 0x4008,
	VMCS_CR3_TARGET_COUNT = 0x400a,
	VMCS_EXIT_CONTROLS = 0x400c,
	VMCS_EXIT_MSR_STORE_COUNT = 0x400e,
	VMCS_EXIT_MSR_LOAD_COUNT = 0x4010,
	VMCS_ENTRY_CONTROLS = 0x4012,
	VMCS_ENTRY_MSR_LOAD_COUNT = 0x4014,
	VMCS_ENTRY_INTERRUPTION_INFO = 0x4016,
	VMCS_ENTRY_ERROR_CODE = 0x4018,
	VMCS_ENTRY_INSTRUCTION_LENGTH = 0x401a,
	VMCS_TPR_THRESHOLD = 0x401c,
	VMCS_PAUSE_GAP = 0x4020,
	VMCS_PAUSE_WINDOW = 0x4022,
	VMCS_PROC_CONTROLS2 = 0x401e,
	VMCS_INSTRUCTION_ERROR = 0x4400,
	VMCS_EXIT_REASON = 0x4402,
	VMCS_EXIT_INTERRUPTION_INFO = 0x4404,
	VMCS_EXIT_INTERRUPTION_ERROR = 0x4406,
	VMCS_IDT_VECTORING_INFO = 0x4408,
	VMCS_IDT_VECTORING_ERROR = 0x440a,
	VMCS_EXIT_INSTRUCTION_LENGTH = 0x440c,
	VMCS_EXIT_INSTRUCTION_INFO = 0x440e,
	VMCS_GUEST_ES_LIMIT = 0x4800,
	VMCS_GUEST_LDTR_LIMIT = 0x480c,
	VMCS_GUEST_TR_LIMIT = 0x480e,
	VMCS_GUEST_GDTR_LIMIT = 0x4810,
	VMCS_GUEST_IDTR_LIMIT = 0x4812,
	VMCS_GUEST_ES_ACCESS = 0x4814,
	VMCS_GUEST_CS_ACCESS = 0x4816,
	VMCS_GUEST_SS_ACCESS = 0x4818,
	VMCS_GUEST_LDTR_ACCESS = 0x4820,
	VMCS_GUEST_TR_ACCESS = 0x4822,
	VMCS_GUEST_INTERRUPTIBILITY = 0x4824,
	VMCS_GUEST_ACTIVITY = 0x4826,
	VMCS_GUEST_SYSENTER_CS = 0x482a,
	VMCS_PREEMPTION_TIMER = 0x482e,
	VMCS_HOST_SYSENTER_CS = 0x4c00,
	/* natural width */
	VMCS_CR0_MASK = 0x6000,
	VMCS_CR4_MASK = 0x6002,
	VMCS_CR0_SHADOW = 0x6004,
	VMCS_CR4_SHADOW = 0x6006,
	VMCS_EXIT_QUALIFICATION = 0x6400,
	VMCS_GUEST_LINEAR_ADDRESS = 0x640a,
	VMCS_GUEST_CR0 = 0x6800,
	VMCS_GUEST_CR3 = 0x6802,
	VMCS_GUEST_CR4 = 0x6804,
	VMCS_GUEST_ES_BASE = 0x6806,
	VMCS_GUEST_LDTR_BASE = 0x6812,
	VMCS_GUEST_TR_BASE = 0x6814,
	VMCS_GUEST_GDTR_BASE = 0x6816,
	VMCS_GUEST_IDTR_BASE = 0x6818,
	VMCS_GUEST_DR7 = 0x681a,
	VMCS_GUEST_RSP = 0x681c,
	VMCS_GUEST_RIP = 0x681e,
	VMCS_GUEST_RFLAGS = 0x6820,
	VMCS_GUEST_PENDING_DEBUG = 0x6822,
	VMCS_GUEST_SYSENTER_ESP = 0x6824,
	VMCS_GUEST_SYSENTER_EIP = 0x6826,
	VMCS_HOST_CR0 = 0x6c00,
	VMCS_HOST_CR3 = 0x6c02,
	VMCS_HOST_CR4 = 0x6c04,
	VMCS_HOST_FS_BASE = 0x6c06,
	VMCS_HOST_GS_BASE = 0x6c08,
	VMCS_HOST_TR_BASE = 0x6c0a,
	VMCS_HOST_GDTR_BASE = 0x6c0c,
	VMCS_HOST_IDTR_BASE = 0x6c0e,
	VMCS_HOST_SYSENTER_ESP = 0x6c10,
	VMCS_HOST_SYSENTER_EIP = 0x6c12,
	VMCS_HOST_RSP = 0x6c14,
	VMCS_HOST_RIP = 0x6c16,
};

/* Pin-based controls. */
#define PIN_EXTERNAL_INTERRUPT BIT(0)
#define PIN_NMI BIT(3)
#define PIN_VIRTUAL_NMI BIT(5)
#define PIN_PREEMPTION_TIMER BIT(6)

/* Primary processor-based controls. */
#define PROC_INTERRUPT_WINDOW BIT(2)
#define PROC_TSC_OFFSETTING BIT(3)
#define PROC_HLT BIT(7)
#define PROC_INVLPG BIT(9)
#define PROC_MWAIT BIT(10)
#define PROC_RDPMC BIT(11)
#define PROC_CR3_LOAD BIT(15)
#define PROC_CR3_STORE BIT(16)
#define PROC_CR8_LOAD BIT(19)
#define PROC_CR8_STORE BIT(20)
#define PROC_TPR_SHADOW BIT(21)
#define PROC_NMI_WINDOW BIT(22)
#define PROC_MOV_DR BIT(23)
#define PROC_IO_BITMAPS BIT(25)
#define PROC_MONITOR_TRAP BIT(27)
#define PROC_MSR_BITMAPS BIT(28)
#define PROC_MONITOR BIT(29)
#define PROC_SECONDARY BIT(31)

/* Secondary processor-based controls. */
#define PROC2_APIC_ACCESS BIT(0)
#define PROC2_EPT BIT(1)
#define PROC2_RDTSCP BIT(3)
#define PROC2_X2APIC BIT(4)
#define PROC2_VPID BIT(5)
#define PROC2_WBINVD BIT(6)
#define PROC2_UNRESTRICTED BIT(7)
#define PROC2_APIC_REGISTERS BIT(8)
#define PROC2_VIRTUAL_INTERRUPTS BIT(9)
#define PROC2_PAUSE_LOOP BIT(10)
#define PROC2_INVPCID BIT(12)
#define PROC2_PML BIT(17)

/* VM-exit controls. */
#define EXIT_SAVE_DEBUG BIT(2)
#define EXIT_HOST_64 BIT(9)
#define EXIT_ACK_INTERRUPT BIT(15)
#define EXIT_SAVE_PAT BIT(18)
#define EXIT_LOAD_PAT BIT(19)
#define EXIT_SAVE_EFER BIT(20)
#define EXIT_LOAD_EFER BIT(21)
#define EXIT_SAVE_TIMER BIT(22)

/* VM-entry controls. */
#define ENTRY_LOAD_DEBUG BIT(2)
#define ENTRY_IA32E BIT(9)
#define ENTRY_LOAD_PAT BIT(14)
#define ENTRY_LOAD_EFER BIT(15)

/* Exit reasons. X(number, name, in snake case as in the statistics). SDM, "VMX Basic Exit Reasons". */
#define EXIT_REASONS(X) \
	X(0, EXCEPTION_OR_NMI, exception_or_nmi) \
	X(1, EXTERNAL_INTERRUPT, external_interrupt) \
	X(2, TRIPLE_FAULT, triple_fault) \
	X(3, INIT_SIGNAL, init_signal) \
	X(4, SIPI, start_up_ipi) \
	X(7, INTERRUPT_WINDOW, interrupt_window) \
	X(8, NMI_WINDOW, nmi_window) \
	X(9, TASK_SWITCH, task_switch) \
	X(10, CPUID, cpuid) \
	X(11, GETSEC, getsec) \
	X(12, HLT, hlt) \
	X(13, INVD, invd) \
	X(14, INVLPG, invlpg) \
	X(15, RDPMC, rdpmc) \
	X(16, RDTSC, rdtsc) \
	X(17, RSM, rsm) \
	X(18, VMCALL, vmcall) \
	X(19, VMCLEAR, vmclear) \
	X(20, VMLAUNCH, vmlaunch) \
	X(21, VMPTRLD, vmptrld) \
	X(22, VMPTRST, vmptrst) \
	X(23, VMREAD, vmread) \
	X(24, VMRESUME, vmresume) \
	X(25, VMWRITE, vmwrite) \
	X(26, VMXOFF, vmxoff) \
	X(27, VMXON, vmxon) \
	X(28, CR_ACCESS, control_register_access) \
	X(29, MOV_DR, mov_dr) \
	X(30, IO_INSTRUCTION, io_instruction) \
	X(31, RDMSR, rdmsr) \
	X(32, WRMSR, wrmsr) \
	X(33, INVALID_GUEST_STATE, entry_failure_guest_state) \
	X(34, MSR_LOADING, entry_failure_msr_loading) \
	X(36, MWAIT, mwait) \
	X(37, MONITOR_TRAP_FLAG, monitor_trap_flag) \
	X(39, MONITOR, monitor) \
	X(40, PAUSE, pause) \
	X(41, MACHINE_CHECK, entry_failure_machine_check) \
	X(43, TPR_BELOW_THRESHOLD, tpr_below_threshold) \
	X(44, APIC_ACCESS, apic_access) \
	X(45, VIRTUALIZED_EOI, virtualized_eoi) \
	X(46, GDTR_IDTR_ACCESS, gdtr_or_idtr_access) \
	X(47, LDTR_TR_ACCESS, ldtr_or_tr_access) \
	X(48, EPT_VIOLATION, ept_violation) \
	X(49, EPT_MISCONFIG, ept_misconfiguration) \
	X(50, INVEPT, invept) \
	X(51, RDTSCP, rdtscp) \
	X(52, PREEMPTION_TIMER, preemption_timer_expired) \
	X(53, INVVPID, invvpid) \
	X(54, WBINVD, wbinvd_or_wbnoinvd) \
	X(55, XSETBV, xsetbv) \
	X(56, APIC_WRITE, apic_write) \
	X(57, RDRAND, rdrand) \
	X(58, INVPCID, invpcid) \
	X(59, VMFUNC, vmfunc) \
	X(60, ENCLS, encls) \
	X(61, RDSEED, rdseed) \
	X(62, PML_FULL, page_modification_log_full) \
	X(63, XSAVES, xsaves) \
	X(64, XRSTORS, xrstors) \
	X(65, PCONFIG, pconfig) \
	X(66, SPP_EVENT, sub_page_permission_event) \
	X(67, UMWAIT, umwait) \
	X(68, TPAUSE, tpause) \
	X(69, LOADIWKEY, loadiwkey) \
	X(70, ENCLV, enclv) \
	X(72, ENQCMD_PASID, enqcmd_pasid_translation) \
	X(73, ENQCMDS_PASID, enqcmds_pasid_translation) \
	X(74, BUS_LOCK, bus_lock) \
	X(75, NOTIFY_WINDOW, notify_window) \
	X(76, SEAMCALL, seamcall) \
	X(77, TDCALL, tdcall) \
	X(79, OTHER, other) \
	X(80, EMULATED, emulated_instruction)

enum exit_reason {
#define X(number, name, text) EXIT_##name = number,
	EXIT_REASONS(X)
#undef X
	EXIT_REASON_COUNT = 81, /* EXIT_OTHER stands for those of newer CPUs; EXIT_EMULATED is none */
};

#define EXIT_REASON_ENTRY_FAILED BIT(31)

/* "Guest Non-Register State": guest interrupt status. */
#define INTERRUPT_STATUS_RVI MASK(7, 0)
#define INTERRUPT_STATUS_SVI_SHIFT 8

#endif
