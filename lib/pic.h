/* lib/pic.h - the PC's two 8259A interrupt controllers: their ports and command words; for who drives them (host/), who
 * plays them (dev/irq/) and the guests' tests, for C and for assembly. Intel 8259A data sheet, in whose words they are
 * named. What is not used has no name. */
#ifndef VELLUM_LIB_PIC_H
#define VELLUM_LIB_PIC_H

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21 /* ICW2 to ICW4, and the mask */
#define PIC2_COMMAND 0xa0
#define PIC2_DATA 0xa1
#define PIC_ELCR1 0x4d0 /* 82371SB (PIIX3) data sheet, "Edge/Level Control Registers"; and behind it the second's */
#define PIC_ELCR2 0x4d1

#define PIC_CASCADE_PIN 2 /* of the first, where a PC has the second */
#define PIC_ALL 0xff      /* the mask of all pins */

#define ICW1 0x10
#define ICW1_NEED_ICW4 0x01
#define ICW1_SINGLE 0x02
#define ICW1_LEVEL 0x08
#define ICW2_VECTOR 0xf8 /* the rest is the pin */
#define ICW4_8086 0x01
#define ICW4_AUTO_EOI 0x02
#define ICW4_SPECIAL_FULLY_NESTED 0x10

#define OCW2_EOI 0x20
#define OCW2_SPECIFIC 0x40 /* of the pin in bits 2:0 */
#define OCW2_ROTATE 0x80
#define OCW3 0x08
#define OCW3_READ_ISR 0x01
#define OCW3_READ 0x02
#define OCW3_POLL 0x04
#define OCW3_SPECIAL_MASK 0x20
#define OCW3_SET_SPECIAL_MASK 0x40
#define PIC_POLL_REQUEST 0x80 /* in what is read after OCW3_POLL: there is one, from the pin in bits 2:0 */

#endif
