/* lib/ahci.h - the registers of an AHCI controller and what it finds in memory (Serial ATA AHCI 1.3.1 Specification,
 * "HBA Memory Registers", "System Memory Structures"); for who drives one (host/) and the tests. What is not used has
 * no name. */
#ifndef VELLUM_LIB_AHCI_H
#define VELLUM_LIB_AHCI_H

#include "lib/base.h"
#include "lib/bits.h"

#define AHCI_CAP 0x00u   /* "HBA Capabilities" */
#define AHCI_GHC 0x04u   /* "Global HBA Control" */
#define AHCI_IS 0x08u    /* a bit for each port; written: cleared */
#define AHCI_PI 0x0cu    /* the ports that there are */
#define AHCI_CAP2 0x24u
#define AHCI_BOHC 0x28u  /* "BIOS/OS Handoff Control and Status" */

#define AHCI_CAP_SPIN_UP (1u << 27) /* staggered: a port waits for AHCI_CMD_SPIN_UP */
#define AHCI_GHC_RESET (1u << 0)
#define AHCI_GHC_INTERRUPTS (1u << 1)
#define AHCI_GHC_ENABLE (1u << 31)
#define AHCI_CAP2_HANDOFF (1u << 0)
#define AHCI_BOHC_BIOS (1u << 0)
#define AHCI_BOHC_OS (1u << 1)

/* A port's registers, each AHCI_PORT_BYTES behind the one before. */
#define AHCI_PORT 0x100u
#define AHCI_PORT_BYTES 0x80u
#define AHCI_CLB 0x00u  /* the command list, and behind it its upper half */
#define AHCI_CLBU 0x04u
#define AHCI_FB 0x08u   /* what the disk sends */
#define AHCI_FBU 0x0cu
#define AHCI_PORT_IS 0x10u /* written: cleared */
#define AHCI_PORT_IE 0x14u
#define AHCI_CMD 0x18u
#define AHCI_TFD 0x20u  /* the disk's status, and above it its error register */
#define AHCI_SIG 0x24u
#define AHCI_SSTS 0x28u
#define AHCI_SCTL 0x2cu
#define AHCI_SERR 0x30u /* written: cleared */
#define AHCI_CI 0x38u   /* commands that were given, a bit each */

#define AHCI_CMD_START (1u << 0)
#define AHCI_CMD_SPIN_UP (1u << 1)
#define AHCI_CMD_POWER_ON (1u << 2)
#define AHCI_CMD_RECEIVE (1u << 4)
#define AHCI_CMD_RECEIVING (1u << 14)
#define AHCI_CMD_RUNNING (1u << 15)

/* Of a port's interrupt status: a register FIS of the disk's, PIO's end, and what has failed: overflow, the interface
 * (which may have recovered, or not), the HBA's accesses to memory, an error that the disk tells. */
#define AHCI_IS_REGISTERS (1u << 0)
#define AHCI_IS_PIO (1u << 1)
#define AHCI_IS_FAILED ((1u << 24) | (1u << 27) | (1u << 28) | (1u << 29) | (1u << 30))

#define AHCI_DETECTED 0xfu /* of SSTS: */
#define AHCI_LINKED 3u     /* a device is there, and is talked to */
#define AHCI_SCTL_RESET 1u

#define AHCI_SIGNATURE_DISK 0x00000101u

/* "Command List Structure": a header for each of 32 commands. */
struct ahci_header {
	uint32_t flags; /* dwords of the FIS; AHCI_WRITE; entries of the table of pieces, from bit 16 on */
	uint32_t bytes; /* that were transferred */
	uint32_t table, table_upper;
	uint32_t reserved[4];
};
#define AHCI_HEADERS 32
#define AHCI_WRITE (1u << 6)
#define AHCI_PIECES_SHIFT 16

/* "Physical Region Descriptor Table". */
struct ahci_piece {
	uint32_t address, address_upper, reserved;
	uint32_t bytes; /* less one; at most 4 MiB */
};

/* "Register - Host to Device" (Serial ATA Revision 3.0, "Frame Information Structure (FIS) types"). */
struct ahci_fis {
	uint8_t type, flags, command, features;
	uint8_t lba[3], device;
	uint8_t lba_upper[3], features_upper;
	uint8_t count, count_upper, reserved[6];
};
#define AHCI_FIS_HOST 0x27u
#define AHCI_FIS_COMMAND 0x80u

/* All that a port needs in memory, each part as it has to be aligned. */
struct ahci_memory {
	struct ahci_header header[AHCI_HEADERS];
	uint8_t received[256];
	struct ahci_fis fis; /* the table of the one command: FIS, ATAPI command, pieces */
	uint8_t packet[0x80 - sizeof(struct ahci_fis)];
	struct ahci_piece piece[1];
};

#endif
