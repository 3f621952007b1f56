/* lib/e1000.h - registers of Intel's gigabit Ethernet controllers, and what their descriptors look like (PCI/PCI-X
 * Family of Gigabit Ethernet Controllers Software Developer's Manual, "Register Descriptions", "Receive and Transmit
 * Description"); for who drives one (host/) and the tests. What is not used has no name. */
#ifndef VELLUM_LIB_E1000_H
#define VELLUM_LIB_E1000_H

#include "lib/base.h"

#define E1000_CTRL 0x0000u
#define E1000_ICR 0x00c0u  /* read: which causes there are; they are no more then */
#define E1000_ITR 0x00c4u  /* least time between two interrupts, in 256 ns */
#define E1000_IMS 0x00d0u  /* sets bits of the mask */
#define E1000_IMC 0x00d8u  /* clears them */
#define E1000_RCTL 0x0100u
#define E1000_TCTL 0x0400u
#define E1000_TIPG 0x0410u /* gaps between packets */
#define E1000_RDBAL 0x2800u
#define E1000_RDBAH 0x2804u
#define E1000_RDLEN 0x2808u
#define E1000_RDH 0x2810u
#define E1000_RDT 0x2818u
#define E1000_TDBAL 0x3800u
#define E1000_TDBAH 0x3804u
#define E1000_TDLEN 0x3808u
#define E1000_TDH 0x3810u
#define E1000_TDT 0x3818u
#define E1000_MTA 0x5200u  /* 128 of them */
#define E1000_MTA_WORDS 128
#define E1000_BYTES 0x20000u /* of the first base address register */

#define E1000_CTRL_LRST BIT(3)
#define E1000_CTRL_ASDE BIT(5)
#define E1000_CTRL_SLU BIT(6)
#define E1000_CTRL_ILOS BIT(7)
#define E1000_CTRL_RST BIT(26)
#define E1000_CTRL_PHY_RST BIT(31)

#define E1000_RX_MINIMUM BIT(4) /* causes: few free descriptors are left, */
#define E1000_RX_OVERRUN BIT(6) /* none was, */
#define E1000_RX_TIMER BIT(7)   /* frames have come */

#define E1000_RCTL_EN BIT(1)
#define E1000_RCTL_UPE BIT(3)   /* frames for all stations, */
#define E1000_RCTL_MPE BIT(4)   /* for all groups, */
#define E1000_RCTL_BAM BIT(15)  /* and broadcasts */
#define E1000_RCTL_SECRC BIT(26) /* without the FCS; buffers are of 2048 bytes where no other size is set */
#define E1000_TCTL_EN BIT(1)
#define E1000_TCTL_PSP BIT(3)   /* short packets are padded */
/* As "Transmit Initialization" has them, for full duplex and for copper. */
#define E1000_TCTL_COLLISIONS (0x0fu << 4 | 0x40u << 12)
#define E1000_TIPG_COPPER (10u | 8u << 10 | 6u << 20)

#define E1000_BUFFER 2048u
#define E1000_RX_DONE 0x01u /* of .status */
#define E1000_RX_END 0x02u  /* the frame ends here */
#define E1000_TX_END 0x01u  /* of .command: the frame ends here */
#define E1000_TX_FCS 0x02u  /* the card adds the FCS */
#define E1000_TX_REPORT 0x08u
#define E1000_TX_DONE 0x01u /* of .status */

/* "Receive Descriptor (RDESC) Layout"; hardware's. */
struct e1000_rx {
	uint64_t address;
	uint16_t length, checksum;
	uint8_t status, errors;
	uint16_t special;
};

/* "Legacy Transmit Descriptor Format". */
struct e1000_tx {
	uint64_t address;
	uint16_t length;
	uint8_t checksum_offset, command;
	uint8_t status, checksum_start;
	uint16_t special;
};
_Static_assert(sizeof(struct e1000_rx) == 16 && sizeof(struct e1000_tx) == 16, "as the manual has them");

#endif
