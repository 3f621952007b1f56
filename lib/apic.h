/* lib/apic.h - the APICs' registers, their bits, and how messages are delivered; for who drives them (host/), who plays
 * them (dev/irq/) and the guests' tests. What is not used has no name. */
#ifndef VELLUM_LIB_APIC_H
#define VELLUM_LIB_APIC_H

#include "bits.h"

/* ---- the local APIC ---- */

#define LAPIC_DEFAULT_BASE 0xfee00000u /* SDM, "Local APIC Status and Location" */

/* Offsets in its page (SDM, "Local APIC Register Address Map"); in x2APIC mode the MSR is MSR_X2APIC_FIRST +
 * offset / 16. */
#define APIC_ID 0x20u
#define APIC_VERSION 0x30u
#define APIC_VERSION_LVT_SHIFT 16 /* how many entries the local vector table has, less 1 */
#define APIC_VERSION_DIRECTED_EOI 0x1000000u
#define APIC_TPR 0x80u
#define APIC_APR 0x90u
#define APIC_PPR 0xa0u
#define APIC_EOI 0xb0u
#define APIC_RRD 0xc0u
#define APIC_LDR 0xd0u
#define APIC_DFR 0xe0u
#define APIC_SVR 0xf0u
#define APIC_VECTOR_LEAST 16 /* those below are illegal */
#define APIC_ISR 0x100u /* and 7 more, 16 apart; TMR, IRR likewise */
#define APIC_TMR 0x180u
#define APIC_IRR 0x200u
#define APIC_ESR 0x280u
#define APIC_LVT_CMCI 0x2f0u
#define APIC_ICR 0x300u
#define APIC_ICR_HIGH 0x310u
#define APIC_LVT_TIMER 0x320u /* to APIC_LVT_ERROR: timer, thermal, performance, LINT0, LINT1, error */
#define APIC_LVT_LINT0 0x350u
#define APIC_LVT_LINT1 0x360u
#define APIC_LVT_ERROR 0x370u
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_CURRENT 0x390u
#define APIC_TIMER_DIVIDE 0x3e0u
#define APIC_SELF_IPI 0x3f0u /* in x2APIC mode only */

/* SDM, "Spurious Interrupt". */
#define SVR_ENABLED 0x100
#define SVR_SUPPRESS_EOI_BROADCAST 0x1000u

/* SDM, "Local Vector Table". */
#define LVT_VECTOR 0xffu
#define LVT_DELIVERY 0x700u /* enum apic_delivery; so in all that is or becomes a message */
#define LVT_DELIVERY_STATUS 0x1000u /* read-only */
#define LVT_POLARITY 0x2000u
#define LVT_REMOTE_IRR 0x4000u
#define LVT_LEVEL 0x8000u
#define LVT_MASKED 0x10000u
#define LVT_TIMER_MODE 0x60000u
#define LVT_TIMER_PERIODIC 0x20000u
#define LVT_TIMER_DEADLINE 0x40000u

#define TIMER_DIVIDE_BY_1 0xbu /* SDM, "APIC Timer"; its bits are 3, 1 and 0 */

/* SDM, "Interrupt Command Register (ICR)". */
#define ICR_DELIVERY(mode) ((uint32_t)(mode) << 8) /* enum apic_delivery */
#define ICR_HIGH_DESTINATION 0xff000000u /* in xAPIC mode */
#define ICR_LEVEL 0x8000u /* trigger mode; of an INIT alone */
#define ICR_DELIVERY_STATUS 0x1000u /* read-only: the last one is still on its way */
#define ICR_ASSERT 0x4000u
#define ICR_SHORTHAND(which) ((uint32_t)(which) << 18) /* enum apic_shorthand */
#define ICR_LOGICAL 0x800u

/* SDM, "Error Handling". */
#define ESR_SEND_ILLEGAL_VECTOR 0x20u
#define ESR_RECEIVE_ILLEGAL_VECTOR 0x40u
#define ESR_ILLEGAL_REGISTER 0x80u

/* SDM, "Message Address Register Format": bits 31:20 are those of LAPIC_DEFAULT_BASE. The data are as the lower half of
 * ICR, with neither shorthand nor destination mode. */
#define MESSAGE_DESTINATION 0xff000u
#define MESSAGE_LOGICAL 0x4u

/* ---- messages ---- */

#ifndef __ASSEMBLER__
/* Delivery modes, as encoded in ICR, LVT and redirection entries. */
enum apic_delivery {
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_SMI = 2,
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_SIPI = 6,
	APIC_EXTINT = 7,
};

enum apic_shorthand { APIC_DEST = 0, APIC_SELF = 1, APIC_ALL = 2, APIC_OTHERS = 3 };
#endif

/* ---- the I/O APIC: Intel 82093AA data sheet, and the EOI register of version 0x20 ---- */

#define IOAPIC_BASE 0xfec00000u

/* Offsets in its page. */
#define IOAPIC_SELECT 0x00u
#define IOAPIC_WINDOW 0x10u
#define IOAPIC_EOI 0x40u

/* What IOAPIC_SELECT chooses. */
#define IOAPIC_INDEX_ID 0x00u
#define IOAPIC_INDEX_VERSION 0x01u /* bits 23:16: the last pin */
#define IOAPIC_INDEX_ARBITRATION 0x02u
#define IOAPIC_INDEX_TABLE 0x10u /* two for each pin: bits 31:0 and 63:32 of its entry */

/* An entry of the redirection table, 64 bits; bits 63:56 are the destination. */
#define REDIRECTION_LOGICAL BIT(11)
#define REDIRECTION_STATUS BIT(12) /* read-only */
#define REDIRECTION_LOW_ACTIVE BIT(13)
#define REDIRECTION_REMOTE_IRR BIT(14) /* read-only */
#define REDIRECTION_LEVEL BIT(15)
#define REDIRECTION_MASKED BIT(16)

#endif
