/* lib/x86.h - bits of x86's registers, tables and error codes, each named as the SDM names it; for C and for assembly.
 * What is not used has no name. MSRs are in lib/x86_msr.h, what CPUID says in lib/x86_cpuid.h. */
#ifndef VELLUM_LIB_X86_H
#define VELLUM_LIB_X86_H

#include "bits.h"

/* RFLAGS: "EFLAGS Register", "System Flags and Fields in the EFLAGS Register". */
#define RFLAGS_CF BIT(0)
#define RFLAGS_FIXED BIT(1) /* always 1; all others are 0 after a reset */
#define RFLAGS_PF BIT(2)
#define RFLAGS_AF BIT(4)
#define RFLAGS_ZF BIT(6)
#define RFLAGS_SF BIT(7)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_DF BIT(10)
#define RFLAGS_OF BIT(11)
#define RFLAGS_IOPL MASK(13, 12)
#define RFLAGS_IOPL_SHIFT 12
#define RFLAGS_NT BIT(14)
#define RFLAGS_RF BIT(16)
#define RFLAGS_VM BIT(17)
#define RFLAGS_AC BIT(18)
#define RFLAGS_VIF BIT(19)
#define RFLAGS_VIP BIT(20)
#define RFLAGS_ID BIT(21)
#define RFLAGS_KNOWN 0x3f7fd7 /* all of these */
#define RFLAGS_STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* "Control Registers". */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)
#define CR4_VME BIT(0)
#define CR4_PVI BIT(1)
#define CR4_TSD BIT(2)
#define CR4_DE BIT(3)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)
#define CR4_PCE BIT(8)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP BIT(11)
#define CR4_LA57 BIT(12)
#define CR4_VMXE BIT(13)
#define CR4_SMXE BIT(14)
#define CR4_FSGSBASE BIT(16)
#define CR4_PCIDE BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_KL BIT(19)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)
#define CR4_CET BIT(23)
#define CR4_PKS BIT(24)

/* "Extended Control Registers (Including XCR0)". */
#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)
#define XCR0_OPMASK BIT(5)
#define XCR0_ZMM_HI256 BIT(6)
#define XCR0_HI16_ZMM BIT(7)
#define XCR0_AVX512 (XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)
#define XCR0_PKRU BIT(9)
/* "FXSAVE Area": where parts of it lie. */
#define FXSAVE_BYTES 512u
#define FXSAVE_MXCSR 24u     /* and its mask, 4 bytes each */
#define FXSAVE_ST 32u        /* ST0 to ST7, 16 bytes each */
#define FXSAVE_XMM 160u      /* XMM0 to XMM15, 16 bytes each */
#define FXSAVE_REGISTERS 416u /* behind them: nothing is written there */
/* "XSAVE Area": behind that of FXSAVE its header, which is always there ("XSAVE Header"). */
#define XSAVE_XSTATE_BV FXSAVE_BYTES
#define XSAVE_HEADER_BYTES 64u
#define XSAVE_HEADER_END (XSAVE_XSTATE_BV + XSAVE_HEADER_BYTES)
#define XSAVE_YMM_BYTES 256u /* "AVX State": the upper halves of YMM0 to YMM15 */
#define XCOMP_BV_COMPACTED BIT(63) /* of the header's second word */

/* "x87 FPU Control Word", "MXCSR Control and Status Register": as FNINIT and a reset leave them. */
#define FCW_INITIAL 0x37f
#define MXCSR_INITIAL 0x1f80
#define MXCSR_RESERVED 0xffff0000u

/* "Extended Feature Enable Register". */
#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define EFER_SVME BIT(12)  /* AMD's */
#define EFER_FFXSR BIT(14) /* AMD's */

/* "Debug Status Register (DR6)", "Debug Control Register (DR7)". _RESET: "Processor State After Reset". */
#define DR6_BREAKPOINTS MASK(3, 0) /* B3 to B0 */
#define DR6_BD BIT(13)
#define DR6_BS BIT(14)
#define DR6_BT BIT(15)
#define DR6_RESET 0xffff0ff0
#define DR6_WRITABLE (DR6_BREAKPOINTS | DR6_BD | DR6_BS | DR6_BT)
#define DR7_ENABLED MASK(7, 0) /* L0, G0, … L3, G3 */
#define DR7_LOCAL 0x155        /* L0 to L3, LE */
#define DR7_GD BIT(13)
#define DR7_RESET 0x400
#define DR7_WRITABLE (MASK(31, 16) | DR7_GD | MASK(9, 0))
#define DR7_ENABLES(n) (MASK(1, 0) << 2 * (n)) /* Ln, Gn */
#define DR7_GLOBAL(n) BIT(2 * (n) + 1)
#define DR7_RW_SHIFT(n) (16 + 4 * (n))
#define DR7_LEN_SHIFT(n) (18 + 4 * (n))
#define DR7_RW_FETCH 0
#define DR7_RW_WRITE 1
#define DR7_RW_IO 2 /* with CR4.DE */
#define DR7_RW_ACCESS 3

/* "Exceptions and Interrupts", by the mnemonics of "Protected-Mode Exceptions and Interrupts". */
#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_BR 5
#define VECTOR_UD 6
#define VECTOR_NM 7
#define VECTOR_DF 8
#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_MF 16
#define VECTOR_AC 17
#define VECTOR_MC 18
#define VECTOR_XM 19
#define VECTOR_CP 21
#define VECTOR_VC 29 /* AMD's */
#define VECTOR_SX 30
#define VECTOR_FIRST_INTERRUPT 32 /* those below are the CPU's own */
/* Exceptions that push an error code: those that every CPU has, and all. */
#define VECTORS_WITH_ERROR_ALWAYS (BIT(VECTOR_DF) | MASK(VECTOR_PF, VECTOR_TS) | BIT(VECTOR_AC))
#define VECTORS_WITH_ERROR (VECTORS_WITH_ERROR_ALWAYS | BIT(VECTOR_CP) | BIT(VECTOR_VC) | BIT(VECTOR_SX))

/* "Error Code": of exceptions that name a selector, or with IDT a vector; beside these its bits are the selector's. */
#define ERROR_EXT BIT(0) /* it came with an event that the program had not asked for */
#define ERROR_IDT BIT(1)
#define ERROR_INDEX_SHIFT 3

/* "Page-Fault Exceptions": the error code. */
#define PFERR_P BIT(0)
#define PFERR_W BIT(1)
#define PFERR_U BIT(2)
#define PFERR_RSVD BIT(3)
#define PFERR_I BIT(4)
#define PFERR_PK BIT(5)

/* "Paging": what the entries of all paging modes have in common. */
#define PAGE_TABLE_ENTRIES 512 /* of 8 bytes; a table of 4-byte entries has twice as many */
#define PAGING_SHIFT(level) (12 + 9 * ((level) - 1)) /* bits of an address below an entry; of PAE and more levels */
#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_U BIT(2)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_PS BIT(7)
#define PTE_PAT BIT(7) /* of a page of 4 KBytes; a larger one has PTE_PAT_LARGE */
#define PTE_G BIT(8)
#define PTE_PAT_LARGE BIT(12)
#define PTE_KEY_SHIFT 59 /* the protection key, 4 bits */
#define PTE_NX BIT(63) /* XD */
#define PTE_ADDRESS MASK(51, 12)       /* of an entry of 8 bytes; above the CPU's width it is reserved */
#define PTE_ADDRESS_32BIT MASK(31, 12) /* of one of 4 bytes */
#define PTE_ABOVE MASK(62, 52) /* ignored in IA-32e mode, but for a protection key; reserved under PAE paging */
#define PDPTE_RESERVED (MASK(2, 1) | MASK(8, 5)) /* of PAE paging, and what is above the physical address */
#define CR3_PCID MASK(11, 0)
#define CR3_PDPT MASK(31, 5) /* under PAE paging */
/* "Protection Keys": two bits of PKRU for each key. */
#define PKRU_AD 1u
#define PKRU_WD 2u
#define CR3_NO_FLUSH BIT(63) /* in the operand of MOV to CR3 ("MOV - Move to/from Control Registers") */

/* "The Extended Page Table Mechanism (EPT)": entries; "Extended-Page-Table Pointer (EPTP)". */
#define EPT_R BIT(0)
#define EPT_W BIT(1)
#define EPT_X BIT(2)
#define EPT_TYPE_SHIFT 3
#define EPT_TYPE_MASK MASK(5, 3)
#define EPT_IPAT BIT(6)
#define EPT_LARGE BIT(7)
#define EPT_A BIT(8)
#define EPT_D BIT(9)
#define EPTP_ADDRESS MASK(51, 12)
#define EPTP_WALK_SHIFT 3 /* page-walk length minus one, 3 bits */
#define EPTP_AD BIT(6)

/* "Format of Interruptibility State": what blocks interrupts and NMIs beside RFLAGS.IF. */
#define BLOCKING_STI BIT(0)
#define BLOCKING_MOV_SS BIT(1)
#define BLOCKING_NMI BIT(3)

/* "Instruction Format": bytes; the bits of a REX prefix ("REX Prefixes"), and of VEX's last two bytes, or one, of which
 * R, X and B are inverted ("The VEX Prefix"). */
#define INSTRUCTION_LENGTH_MAX 15
#define REX 0x40
#define REX_PREFIXES 0xf0 /* the bits that are REX' in all of them */
#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1
#define VEX_3_BYTES 0xc4
#define VEX_2_BYTES 0xc5
#define EVEX_PREFIX 0x62
#define VEX_R 0x80
#define VEX_X 0x40
#define VEX_B 0x20
#define VEX_W 0x80
#define VEX_L 4
#define VEX_VVVV_SHIFT 3

/* "Segment Selectors". */
#define SELECTOR_RPL 3u
#define SELECTOR_TI 4u
#define SELECTOR_INDEX 0xfff8u /* … times 8 */

/* Segment registers: "Guest Register State", "Format of Access Rights". */
#define SEGMENT_TYPE MASK(3, 0)
#define SEGMENT_S BIT(4)
#define SEGMENT_DPL MASK(6, 5)
#define SEGMENT_DPL_SHIFT 5
#define SEGMENT_P BIT(7)
#define SEGMENT_L BIT(13)
#define SEGMENT_DB BIT(14)
#define SEGMENT_G BIT(15)
#define SEGMENT_UNUSABLE BIT(16)
#define SEGMENT_RESERVED (MASK(11, 8) | MASK(31, 17))

/* The type with S = 1: "Code- and Data-Segment Descriptor Types". */
#define TYPE_ACCESSED 1u
#define TYPE_READ_WRITE 2u  /* data: writable; code: readable */
#define TYPE_EXPAND_DOWN 4u /* data */
#define TYPE_CONFORMING 4u  /* code */
#define TYPE_CODE 8u
/* With S = 0: "System Descriptor Types". Those of 32 bits are the 64-bit ones in IA-32e mode. */
#define TYPE_TSS16 1u
#define TYPE_LDT 2u
#define TYPE_TSS16_BUSY 3u
#define TYPE_CALL_GATE16 4u
#define TYPE_TASK_GATE 5u
#define TYPE_INTERRUPT_GATE16 6u
#define TYPE_TRAP_GATE16 7u
#define TYPE_TSS32 9u
#define TYPE_TSS32_BUSY 11u
#define TYPE_CALL_GATE32 12u
#define TYPE_INTERRUPT_GATE32 14u
#define TYPE_TRAP_GATE32 15u
#define TYPE_BUSY 2u /* what the busy ones have */

/* Access rights of whole segments: those of privilege level 0 that span all of the address space, and others. */
#define SEGMENT_FLAT_DATA (SEGMENT_G | SEGMENT_DB | SEGMENT_P | SEGMENT_S | TYPE_READ_WRITE | TYPE_ACCESSED)
#define SEGMENT_FLAT_CODE32 (SEGMENT_FLAT_DATA | TYPE_CODE)
#define SEGMENT_FLAT_CODE64 ((SEGMENT_FLAT_CODE32 & ~SEGMENT_DB) | SEGMENT_L)
#define SEGMENT_DATA16 (SEGMENT_P | SEGMENT_S | TYPE_READ_WRITE | TYPE_ACCESSED)
#define SEGMENT_CODE16 (SEGMENT_DATA16 | TYPE_CODE)
#define SEGMENT_V86 (SEGMENT_DATA16 | SEGMENT_DPL)
#define SEGMENT_TSS (SEGMENT_P | TYPE_TSS32)
#define SEGMENT_TSS_BUSY (SEGMENT_P | TYPE_TSS32_BUSY)
#define SEGMENT_LDT (SEGMENT_P | TYPE_LDT)
#define SEGMENT_NO_LDT (SEGMENT_UNUSABLE | SEGMENT_LDT)
/* Those of gates; with SEGMENT_DPL a program of level 3 may use them. */
#define GATE_INTERRUPT (SEGMENT_P | TYPE_INTERRUPT_GATE32)
#define GATE_TRAP (SEGMENT_P | TYPE_TRAP_GATE32)
#define GATE_CALL (SEGMENT_P | TYPE_CALL_GATE32)
#define GATE_TASK (SEGMENT_P | TYPE_TASK_GATE)
#define GATE_IST_SHIFT 32 /* of a gate's 8 bytes, in IA-32e mode: "Interrupt Stack Table" */

/* "Task-State Segment (TSS)", of 32 bits, and of 64: the least limit; and where the I/O map's place is. */
#define TSS_LIMIT_LEAST 0x67u
#define TSS_IO_MAP 0x66u

/* "Segment Descriptors": bits of the 8 bytes in memory; and whole ones. */
#define DESCRIPTOR_ACCESS_SHIFT 40 /* bits 55:40 are an access-rights word, but for four bits of the limit */
#define DESCRIPTOR_ACCESSED BIT(40)
#define DESCRIPTOR_BUSY BIT(41)
#define DESCRIPTOR_S BIT(44)
#define DESCRIPTOR_DPL3 (3 * BIT(45))
#define DESCRIPTOR_P BIT(47)
#define DESCRIPTOR_FLAT_CODE64 0x00af9b000000ffff
#define DESCRIPTOR_FLAT_CODE32 0x00cf9b000000ffff
#define DESCRIPTOR_FLAT_DATA 0x00cf93000000ffff

#endif
