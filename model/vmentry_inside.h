/* model/vmentry_inside.h - what the files of the VM-entry checks share: encodings and bits, named anew from the SDM's
 * appendix "Field Encoding in VMCS" and its chapter "Virtual Machine Control Structures". */
#ifndef VELLUM_MODEL_VMENTRY_INSIDE_H
#define VELLUM_MODEL_VMENTRY_INSIDE_H

#include "model/vmentry.h"

enum {
	F_VPID = 0x0000,
	F_POSTED_VECTOR = 0x0002,
	/* guest ES, then CS, SS, DS, FS, GS, LDTR, TR, 2 apart, as are limits, access rights and bases */
	F_SELECTOR = 0x0800,
	F_HOST_ES = 0x0c00,
	F_HOST_CS = 0x0c02,
	F_HOST_SS = 0x0c04,
	F_HOST_TR = 0x0c0c,
	F_IO_BITMAP_A = 0x2000,
	F_IO_BITMAP_B = 0x2002,
	F_MSR_BITMAP = 0x2004,
	F_EXIT_STORE = 0x2006,
	F_EXIT_LOAD = 0x2008,
	F_ENTRY_LOAD = 0x200a,
	F_PML = 0x200e,
	F_VIRTUAL_APIC = 0x2012,
	F_APIC_ACCESS = 0x2014,
	F_POSTED = 0x2016,
	F_VM_FUNCTIONS = 0x2018,
	F_EPTP = 0x201a,
	F_VMREAD_BITMAP = 0x2026,
	F_VMWRITE_BITMAP = 0x2028,
	F_VE_INFORMATION = 0x202a,
	F_TSC_MULTIPLIER = 0x2032,
	F_LINK = 0x2800,
	F_DEBUGCTL = 0x2802,
	F_PAT = 0x2804,
	F_EFER = 0x2806,
	F_PDPTE = 0x280a,
	F_HOST_PAT = 0x2c00,
	F_HOST_EFER = 0x2c02,
	F_PIN = 0x4000,
	F_PROC = 0x4002,
	F_CR3_TARGETS = 0x400a,
	F_EXIT = 0x400c,
	F_EXIT_STORE_COUNT = 0x400e,
	F_EXIT_LOAD_COUNT = 0x4010,
	F_ENTRY = 0x4012,
	F_ENTRY_LOAD_COUNT = 0x4014,
	F_EVENT = 0x4016,
	F_EVENT_ERROR = 0x4018,
	F_EVENT_LENGTH = 0x401a,
	F_TPR_THRESHOLD = 0x401c,
	F_PROC2 = 0x401e,
	F_LIMIT = 0x4800,
	F_GDTR_LIMIT = 0x4810,
	F_IDTR_LIMIT = 0x4812,
	F_ACCESS = 0x4814,
	F_INTERRUPTIBILITY = 0x4824,
	F_ACTIVITY = 0x4826,
	F_CR0 = 0x6800,
	F_CR3 = 0x6802,
	F_CR4 = 0x6804,
	F_BASE = 0x6806,
	F_GDTR_BASE = 0x6816,
	F_IDTR_BASE = 0x6818,
	F_DR7 = 0x681a,
	F_RIP = 0x681e,
	F_RFLAGS = 0x6820,
	F_PENDING_DEBUG = 0x6822,
	F_SYSENTER_ESP = 0x6824,
	F_SYSENTER_EIP = 0x6826,
	F_HOST_CR0 = 0x6c00,
	F_HOST_CR3 = 0x6c02,
	F_HOST_CR4 = 0x6c04,
	F_HOST_FS_BASE = 0x6c06,
	F_HOST_GS_BASE = 0x6c08,
	F_HOST_TR_BASE = 0x6c0a,
	F_HOST_GDTR_BASE = 0x6c0c,
	F_HOST_IDTR_BASE = 0x6c0e,
	F_HOST_SYSENTER_ESP = 0x6c10,
	F_HOST_SYSENTER_EIP = 0x6c12,
	F_HOST_RIP = 0x6c16,
};

/* Pin-based controls. */
#define C_PIN_EXTERNAL BIT(0)
#define C_PIN_NMI BIT(3)
#define C_PIN_VIRTUAL_NMI BIT(5)
#define C_PIN_TIMER BIT(6)
#define C_PIN_POSTED BIT(7)
/* Primary processor-based controls. */
#define C_TPR_SHADOW BIT(21)
#define C_NMI_WINDOW BIT(22)
#define C_IO_BITMAPS BIT(25)
#define C_MSR_BITMAPS BIT(28)
#define C_SECONDARY BIT(31)
/* Secondary ones. */
#define C2_APIC_ACCESS BIT(0)
#define C2_EPT BIT(1)
#define C2_X2APIC BIT(4)
#define C2_VPID BIT(5)
#define C2_UNRESTRICTED BIT(7)
#define C2_APIC_REGISTERS BIT(8)
#define C2_VIRTUAL_INTERRUPTS BIT(9)
#define C2_VM_FUNCTIONS BIT(13)
#define C2_SHADOW_VMCS BIT(14)
#define C2_PML BIT(17)
#define C2_EXECUTE_MODE BIT(22)
#define C2_TSC_SCALING BIT(25)
/* VM-exit controls. */
#define CX_HOST_64 BIT(9)
#define CX_ACK BIT(15)
#define CX_LOAD_PAT BIT(19)
#define CX_LOAD_EFER BIT(21)
#define CX_SAVE_TIMER BIT(22)
/* VM-entry controls. */
#define CE_LOAD_DEBUG BIT(2)
#define CE_IA32E BIT(9)
#define CE_SMM BIT(10)
#define CE_DEACTIVATE BIT(11)
#define CE_LOAD_PAT BIT(14)
#define CE_LOAD_EFER BIT(15)

/* What the capability MSRs say ("VMX Capability Reporting Facility"). */
#define CAP_BASIC_TRUE BIT(55)
#define CAP_BASIC_ANY_ERROR_CODE BIT(56)
#define CAP_PROC_MONITOR_TRAP BIT(27)
#define CAP_MISC_LENGTH_0 BIT(30)
#define CAP_EPT_WALK_4 BIT(6)
#define CAP_EPT_WALK_5 BIT(7)
#define CAP_EPT_UC BIT(8)
#define CAP_EPT_WB BIT(14)
#define CAP_EPT_AD BIT(21)
#define EPTP_AD BIT(6)

#define A_L BIT(13) /* of access rights: 64-bit code */
#define DELIVERS BIT(31) /* of the interruption information: it is valid */
#define DELIVERS_ERROR BIT(11)

#define B_CR0_PE BIT(0)
#define B_CR0_NE BIT(5)
#define B_CR0_WP BIT(16)
#define B_CR0_PG BIT(31)
#define B_CR4_PAE BIT(5)
#define B_CR4_VMXE BIT(13)
#define B_CR4_PCIDE BIT(17)
#define B_CR4_CET BIT(23)
#define B_EFER_LME BIT(8)
#define B_EFER_LMA BIT(10)
#define B_EFER_DEFINED (BIT(0) | B_EFER_LME | B_EFER_LMA | BIT(11))
#define B_DEBUGCTL_BTF BIT(1)
#define B_FIXED BIT(1) /* of RFLAGS: always 1 */
#define B_TF BIT(8)
#define B_IF BIT(9)
#define B_VM BIT(17)

enum { ES, CS, SS, DS, FS, GS, LDTR, TR };
enum { V_DB = 1, V_NMI = 2, V_DF = 8, V_TS = 10, V_PF = 14, V_AC = 17, V_MC = 18, V_LAST_EXCEPTION = 31 };

enum {
	TYPE_EXTERNAL,
	TYPE_RESERVED,
	TYPE_NMI,
	TYPE_EXCEPTION,
	TYPE_SOFTWARE_INT,
	TYPE_PRIVILEGED,
	TYPE_SOFTWARE,
	TYPE_OTHER
};

/* What several checks look at, read once. */
struct entering {
	const struct vmentry *e;
	const struct vmentry_caps *caps;
	uint64_t pin, proc, proc2, exit, entry; /* controls; proc2 is 0 where "activate secondary controls" is */
	uint64_t cr0, cr4, rflags;
	uint64_t event; /* VM-entry interruption information; 0: not valid */
	bool ia32e, v86, unrestricted;
};

/* Ends the function with the rule where it is broken. SECTION is the title of the manual's section that the file is
 * at. */
#define BROKEN_IF(cond, rule) \
	do { \
		if (cond) \
			return SECTION ": " rule; \
	} while (0)
/* Ends the function with the rule that the other function found broken. */
#define BROKEN_BY(call) \
	do { \
		const char *broken_ = (call); \
		if (broken_) \
			return broken_; \
	} while (0)

static inline uint64_t get(const struct entering *g, uint32_t field) { return g->e->read(g->e->ctx, field); }

static inline bool canonical(const struct entering *g, uint64_t address)
{
	unsigned shift = 64 - g->caps->linear_bits;

	return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

/* Beyond the physical-address width, or not at a multiple of align (a power of two). */
static inline bool bad_physical(const struct entering *g, uint64_t address, uint64_t align)
{
	return (address & (align - 1)) || (address >> g->caps->physical_bits);
}

static inline bool bad_pat(uint64_t pat)
{
	for (unsigned i = 0; i < 8; i++, pat >>= 8)
		if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
			return true;
	return false;
}

/* Reserved bits that are not as the capability MSR says. */
static inline bool bad_bits(uint64_t value, struct vmentry_bits b)
{
	return (~value & b.must) || (value & ~(uint64_t)b.may);
}

static inline unsigned event_type(const struct entering *g) { return g->event >> 8 & 7; }
static inline unsigned event_vector(const struct entering *g) { return g->event & 0xff; }
static inline bool injects(const struct entering *g, unsigned type) { return g->event && event_type(g) == type; }

/* model/vmentry_controls.c */
const char *vmentry_check_execution(const struct entering *g);
const char *vmentry_check_ept(const struct entering *g);
/* model/vmentry_event.c */
const char *vmentry_check_exit_controls(const struct entering *g);
const char *vmentry_check_entry_controls(const struct entering *g);
/* model/vmentry_host.c */
const char *vmentry_check_host(const struct entering *g);
/* model/vmentry_guest.c */
const char *vmentry_check_registers(const struct entering *g);
const char *vmentry_check_tables(const struct entering *g);
const char *vmentry_check_rip(const struct entering *g);
const char *vmentry_check_pdptes(const struct entering *g);
/* model/vmentry_segments.c */
const char *vmentry_check_segments(const struct entering *g);
/* model/vmentry_state.c */
const char *vmentry_check_state(const struct entering *g);
/* model/vmentry_msrs.c */
const char *vmentry_check_msrs(const struct entering *g);

#endif
