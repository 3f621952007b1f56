/* dev/ide/sense.h - why a packet was refused (SPC-3, "Sense key and additional sense code definitions"). */
#ifndef VELLUM_DEV_IDE_SENSE_H
#define VELLUM_DEV_IDE_SENSE_H

#include "lib/base.h"

struct ide_sense {
	uint8_t key, code, qualifier;
};

#define SENSE_NONE ((struct ide_sense){ 0, 0, 0 })
#define SENSE_NO_MEDIUM ((struct ide_sense){ 2, 0x3a, 0 })
#define SENSE_UNREADABLE ((struct ide_sense){ 3, 0x11, 0 })
#define SENSE_NO_SUCH_COMMAND ((struct ide_sense){ 5, 0x20, 0 })
#define SENSE_OUT_OF_RANGE ((struct ide_sense){ 5, 0x21, 0 })
#define SENSE_BAD_FIELD ((struct ide_sense){ 5, 0x24, 0 })
#define SENSE_LOCKED ((struct ide_sense){ 5, 0x53, 2 })
#define SENSE_RESET ((struct ide_sense){ 6, 0x29, 0 })

#endif
