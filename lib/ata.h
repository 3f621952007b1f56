/* lib/ata.h - the registers, commands and bits of ATA disks and of the bus master that PCI IDE controllers have, for
 * who drives them (host/) and the tests' model of one. What is not used has no name. */
#ifndef VELLUM_LIB_ATA_H
#define VELLUM_LIB_ATA_H

#include "lib/bits.h"

/* Where compatible controllers have their two channels (PCI IDE Controller Specification, "Compatibility Mode"). */
#define ATA_COMMAND_1 0x1f0
#define ATA_CONTROL_1 0x3f6
#define ATA_IRQ_1 14
#define ATA_COMMAND_2 0x170
#define ATA_CONTROL_2 0x376
#define ATA_IRQ_2 15

/* Offsets in the command block (ATA/ATAPI-6, "Register delivered data transfer"). */
#define ATA_DATA 0
#define ATA_ERROR 1 /* read */
#define ATA_COUNT 2
#define ATA_LBA_LOW 3
#define ATA_LBA_MID 4
#define ATA_LBA_HIGH 5
#define ATA_DEVICE 6
#define ATA_STATUS 7  /* read */
#define ATA_COMMAND 7 /* written */

#define ATA_DEVICE_LBA 0x40u
#define ATA_DEVICE_SECOND 0x10u
#define ATA_DEVICE_OBSOLETE 0xa0u /* set, for old disks */

#define ATA_ERR 0x01u
#define ATA_DRQ 0x08u
#define ATA_DF 0x20u
#define ATA_DRDY 0x40u
#define ATA_BSY 0x80u

/* The device control register, written where the alternate status is read. */
#define ATA_SRST 0x04u
#define ATA_NIEN 0x02u

#define ATA_READ 0x20 /* READ SECTOR(S), and so on */
#define ATA_READ_EXT 0x24
#define ATA_READ_DMA_EXT 0x25
#define ATA_WRITE 0x30
#define ATA_WRITE_EXT 0x34
#define ATA_WRITE_DMA_EXT 0x35
#define ATA_READ_DMA 0xc8
#define ATA_WRITE_DMA 0xca
#define ATA_FLUSH 0xe7
#define ATA_FLUSH_EXT 0xea
#define ATA_IDENTIFY 0xec

/* Words of what IDENTIFY DEVICE answers. */
#define ATA_ID_SERIAL 10       /* 10 words */
#define ATA_ID_MODEL 27        /* 20 words */
#define ATA_ID_CAPABILITIES 49 /* bit 8: DMA, bit 9: LBA */
#define ATA_ID_SECTORS 60      /* 2 words */
#define ATA_ID_SETS 83         /* bit 10: 48-bit addresses, bit 12: FLUSH CACHE, bit 13: FLUSH CACHE EXT */
#define ATA_ID_SECTORS_EXT 100 /* 4 words */
#define ATA_ID_DMA 0x100u
#define ATA_ID_LBA 0x200u
#define ATA_SET_LBA48 0x400u
#define ATA_SET_FLUSH 0x1000u
#define ATA_SET_FLUSH_EXT 0x2000u

#define ATA_LBA28_SECTORS (BIT(28) - 1)

/* The bus master's registers of a channel, the second's 8 bytes behind (Programming Interface for Bus Master IDE
 * Controller). */
#define BM_COMMAND 0
#define BM_STATUS 2
#define BM_TABLE 4
#define BM_CHANNEL 8
#define BM_START 0x01u
#define BM_TO_MEMORY 0x08u
#define BM_ACTIVE 0x01u
#define BM_FAILED 0x02u    /* written: cleared */
#define BM_INTERRUPT 0x04u /* the same */
#define BM_TABLE_END 0x80000000u
#define BM_PIECE 0x10000u /* bytes that an entry of the table tells of, at most, and do not cross */

#endif
