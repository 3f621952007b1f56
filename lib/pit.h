/* lib/pit.h - the PC's 8254 interval timer and the port that has its third counter's gate: ports and control words; for
 * who drives them (host/), who plays them (dev/time/) and the guests' tests. Intel 8254 data sheet. What is not used
 * has no name. */
#ifndef VELLUM_LIB_PIT_H
#define VELLUM_LIB_PIT_H

#define PIT_HZ 1193182u

#define PIT_COUNTER(n) (0x40 + (n))
#define PIT_CONTROL 0x43

/* The control word. */
#define PIT_SELECT(counter) ((counter) << 6)
#define PIT_READ_BACK_COUNTER(n) (2 << (n))
#define PIT_READ_BACK_NO_COUNT 0x20  /* "Read-Back Command": active low */
#define PIT_READ_BACK_NO_STATUS 0x10
#define PIT_LATCH 0x00
#define PIT_LOW 0x10
#define PIT_HIGH 0x20
#define PIT_LOW_HIGH 0x30
#define PIT_ACCESS 0x30
#define PIT_MODE(n) ((n) << 1)
#define PIT_ONE_SHOT PIT_MODE(0) /* "Interrupt on Terminal Count" */
#define PIT_RATE PIT_MODE(2)     /* "Rate Generator" */
#define PIT_BCD 0x01

/* PC/AT, system control port B: IBM PC/AT Technical Reference, "System Board". */
#define PORT_B 0x61
#define PORT_B_GATE2 0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_WRITABLE 0x0f
#define PORT_B_REFRESH 0x10 /* changes every 15 microseconds */
#define PORT_B_OUT2 0x20

#endif
