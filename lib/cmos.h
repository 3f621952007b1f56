/* lib/cmos.h - a PC's real-time clock: ports, registers, their bits; for who reads it (host/) and who plays it
 * (dev/time/). Motorola MC146818A data sheet; the century as ACPI's FADT tells it. */
#ifndef VELLUM_LIB_CMOS_H
#define VELLUM_LIB_CMOS_H

#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_INDEX2 0x72 /* of its second half */
#define CMOS_DATA2 0x73

#define RTC_SECONDS 0x00
#define RTC_SECONDS_ALARM 0x01
#define RTC_MINUTES 0x02
#define RTC_MINUTES_ALARM 0x03
#define RTC_HOURS 0x04
#define RTC_HOURS_ALARM 0x05
#define RTC_WEEKDAY 0x06
#define RTC_DAY 0x07
#define RTC_MONTH 0x08
#define RTC_YEAR 0x09
#define RTC_A 0x0a
#define RTC_B 0x0b
#define RTC_C 0x0c
#define RTC_D 0x0d
#define RTC_CENTURY 0x32

/* Of QEMU's and Bochs' firmware. */
#define CMOS_BOOT_THIRD 0x38 /* bits 7:4: the third to boot from; bit 0: boot sectors need no signature */
#define CMOS_BOOT_UNSIGNED 0x01
#define CMOS_BOOT 0x3d       /* bits 3:0 the first, bits 7:4 the second */
#define CMOS_CPUS 0x5f       /* less one */
#define BOOT_FLOPPY 1
#define BOOT_DISK 2
#define BOOT_CD 3
#define BOOT_NETWORK 4

#define RTC_HOUR_PM 0x80 /* where hours go to 12 */
#define RTC_ALARM_ANY 0xc0 /* both set in an alarm's register: any value matches */

#define RTC_A_UIP 0x80 /* update in progress */
#define RTC_A_DIVIDER 0x70
#define RTC_A_DIVIDER_RUN 0x20
#define RTC_A_RATE 0x0f
#define RTC_B_SET 0x80
#define RTC_B_BINARY 0x04
#define RTC_B_24H 0x02
#define RTC_C_IRQF 0x80
#define RTC_C_PERIODIC 0x40 /* the enable bits in B have the same places */
#define RTC_C_ALARM 0x20
#define RTC_C_UPDATE 0x10
#define RTC_C_FLAGS 0x70
#define RTC_D_VALID 0x80

#endif
