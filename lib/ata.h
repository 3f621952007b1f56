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
#define ATA_ERROR 1    /* read */
#define ATA_FEATURES 1 /* written */
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
#define ATA_DEVICE_LOW 0x0fu      /* bits 27:24 of an address, or the head */

/* The status register's. */
#define ATA_ERR 0x01u
#define ATA_DRQ 0x08u
#define ATA_DSC 0x10u /* of old disks: the heads have arrived */
#define ATA_DF 0x20u
#define ATA_DRDY 0x40u
#define ATA_BSY 0x80u

/* The error register's. */
#define ATA_ABRT 0x04u
#define ATA_IDNF 0x10u
#define ATA_UNC 0x40u

/* The device control register, written where the alternate status is read. */
#define ATA_HOB 0x80u /* what was written before the last is read back */
#define ATA_SRST 0x04u
#define ATA_NIEN 0x02u

/* What a reset leaves in the address, by which the kind of a drive is known ("Signature and persistence"). */
#define ATA_SIGNATURE_PACKET_MID 0x14
#define ATA_SIGNATURE_PACKET_HIGH 0xeb
#define ATA_DIAGNOSTIC_PASSED 0x01

#define ATA_DEVICE_RESET 0x08
#define ATA_RECALIBRATE 0x10 /* and up to 0x1f */
#define ATA_READ 0x20 /* READ SECTOR(S), and so on */
#define ATA_READ_ONCE 0x21 /* "without retries", and so on: the same */
#define ATA_READ_EXT 0x24
#define ATA_READ_DMA_EXT 0x25
#define ATA_NATIVE_MAX_EXT 0x27
#define ATA_READ_MULTIPLE_EXT 0x29
#define ATA_WRITE 0x30
#define ATA_WRITE_ONCE 0x31
#define ATA_WRITE_EXT 0x34
#define ATA_WRITE_DMA_EXT 0x35
#define ATA_WRITE_MULTIPLE_EXT 0x39
#define ATA_VERIFY 0x40
#define ATA_VERIFY_ONCE 0x41
#define ATA_VERIFY_EXT 0x42
#define ATA_SEEK 0x70
#define ATA_DIAGNOSTIC 0x90
#define ATA_INIT_PARAMETERS 0x91
#define ATA_PACKET 0xa0
#define ATA_IDENTIFY_PACKET 0xa1
#define ATA_READ_MULTIPLE 0xc4
#define ATA_WRITE_MULTIPLE 0xc5
#define ATA_SET_MULTIPLE 0xc6
#define ATA_READ_DMA 0xc8
#define ATA_READ_DMA_ONCE 0xc9
#define ATA_WRITE_DMA 0xca
#define ATA_WRITE_DMA_ONCE 0xcb
#define ATA_STANDBY_NOW 0xe0
#define ATA_IDLE_NOW 0xe1
#define ATA_STANDBY 0xe2
#define ATA_IDLE_TIMER 0xe3
#define ATA_CHECK_POWER 0xe5
#define ATA_SLEEP 0xe6
#define ATA_FLUSH 0xe7
#define ATA_FLUSH_EXT 0xea
#define ATA_IDENTIFY 0xec
#define ATA_SET_FEATURES 0xef
#define ATA_NATIVE_MAX 0xf8

/* SET FEATURES' sub-commands. */
#define ATA_FEATURE_CACHE_ON 0x02
#define ATA_FEATURE_TRANSFER_MODE 0x03
#define ATA_FEATURE_CACHE_OFF 0x82

/* Words of what IDENTIFY DEVICE answers. */
#define ATA_ID_GENERAL 0
#define ATA_ID_CYLINDERS 1
#define ATA_ID_HEADS 3
#define ATA_ID_TRACK 6         /* sectors of a track */
#define ATA_ID_SERIAL 10       /* 10 words */
#define ATA_ID_FIRMWARE 23     /* 4 words */
#define ATA_ID_MODEL 27        /* 20 words */
#define ATA_ID_MULTIPLE_MOST 47
#define ATA_ID_CAPABILITIES 49 /* bit 8: DMA, bit 9: LBA */
#define ATA_ID_CAPABILITIES_2 50
#define ATA_ID_VALID 53        /* which of the words behind mean something */
#define ATA_ID_CHS 54          /* cylinders, heads, sectors, 2 words of sectors in all: as they are set now */
#define ATA_ID_MULTIPLE 59
#define ATA_ID_SECTORS 60      /* 2 words */
#define ATA_ID_MWDMA 63        /* modes; which is chosen, above them */
#define ATA_ID_PIO 64          /* modes beyond 2, and 4 words of cycle times behind DMA's */
#define ATA_ID_CYCLES 65
#define ATA_ID_VERSION 80
#define ATA_ID_SETS_1 82
#define ATA_ID_SETS 83         /* bit 10: 48-bit addresses, bit 12: FLUSH CACHE, bit 13: FLUSH CACHE EXT */
#define ATA_ID_SETS_3 84
#define ATA_ID_ENABLED 85      /* and 86, 87: the same of what is in use */
#define ATA_ID_RESET 93        /* how the last reset ended */
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
