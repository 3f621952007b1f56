/* model/arch.h - the bits of the architecture that the model reads, named anew: a wrong constant in lib/x86.h,
 * which mmu/ uses, must not be right here by inclusion. Numbers from the SDM's chapters "Paging", "VMX Support for
 * Address Translation" and the register figures. */
#ifndef VELLUM_MODEL_ARCH_H
#define VELLUM_MODEL_ARCH_H

#include "lib/base.h"

#define X_CR0_PE BIT(0)
#define X_CR0_ET BIT(4) /* hardwired */
#define X_CR0_WP BIT(16)
#define X_CR0_NW BIT(29)
#define X_CR0_CD BIT(30)
#define X_CR0_PG BIT(31)

#define X_CR3_KEEP BIT(63) /* in the operand of MOV to CR3 with CR4.PCIDE: no invalidation is demanded */

#define X_CR4_PSE BIT(4)
#define X_CR4_PAE BIT(5)
#define X_CR4_PGE BIT(7)
#define X_CR4_LA57 BIT(12)
#define X_CR4_PCIDE BIT(17)
#define X_CR4_SMEP BIT(20)
#define X_CR4_SMAP BIT(21)
#define X_CR4_PKE BIT(22)

#define X_EFER_LME BIT(8)
#define X_EFER_LMA BIT(10)
#define X_EFER_NXE BIT(11)

/* Guest (or native) paging-structure entries. */
#define X_P BIT(0)
#define X_W BIT(1)
#define X_U BIT(2)
#define X_PWT BIT(3)
#define X_PCD BIT(4)
#define X_A BIT(5)
#define X_D BIT(6)
#define X_PS BIT(7)
#define X_PAT4K BIT(7)
#define X_G BIT(8)
#define X_PATLARGE BIT(12)
#define X_XD BIT(63)

/* Page-fault error code. */
#define X_PF_P BIT(0)
#define X_PF_WR BIT(1)
#define X_PF_US BIT(2)
#define X_PF_RSVD BIT(3)
#define X_PF_ID BIT(4)
#define X_PF_PK BIT(5)

/* EPT paging-structure entries. */
#define X_EPT_R BIT(0)
#define X_EPT_W BIT(1)
#define X_EPT_X BIT(2)
#define X_EPT_RWX 7ull
#define X_EPT_TYPE_SHIFT 3
#define X_EPT_IPAT BIT(6)
#define X_EPT_LARGE BIT(7)
#define X_EPT_A BIT(8)
#define X_EPT_D BIT(9)

/* EPTP. */
#define X_EPTP_TYPE 7ull
#define X_EPTP_LENGTH_SHIFT 3 /* page-walk length minus one, 3 bits */
#define X_EPTP_AD BIT(6)

/* Exit qualification for EPT violations. */
#define X_QUAL_READ BIT(0)
#define X_QUAL_WRITE BIT(1)
#define X_QUAL_FETCH BIT(2)
#define X_QUAL_RIGHTS_SHIFT 3
#define X_QUAL_GLA_VALID BIT(7)
/* the access was to the translation of the linear address, not to a paging-structure entry */
#define X_QUAL_TRANSLATION BIT(8)

#define X_ADDRESS_MASK 0x000ffffffffff000ull

#endif
