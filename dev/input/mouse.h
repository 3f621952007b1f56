/* dev/input/mouse.h - a PS/2 mouse with three buttons, and a wheel for who asks for it: as IBM's PS/2 mouse, and as
 * Microsoft's IntelliMouse once the sample rates 200, 100, 80 have been set, when it says so to "read device type".
 *
 *   PM1  A packet goes into the queue whole, or what it would say waits for the next.
 *   PM2  It sends packets in stream mode while reporting is enabled, and when it is asked for one in remote mode. */
#ifndef VELLUM_DEV_MOUSE_H
#define VELLUM_DEV_MOUSE_H

#include "lib/base.h"

/* What a keyboard and a mouse say to a byte that they have understood. */
#define PS2_ACK 0xfau
#define MOUSE_QUEUE 32u

#define MOUSE_LEFT 0x01u
#define MOUSE_RIGHT 0x02u
#define MOUSE_MIDDLE 0x04u

struct mouse {
	uint8_t queue[MOUSE_QUEUE];
	unsigned first, count;
	uint8_t pending;         /* the command whose parameter comes next; 0: none */
	uint8_t id;              /* 0: three bytes a packet; 3: four, with the wheel's */
	uint8_t rate, resolution, rates[2]; /* the last two rates before .rate */
	bool scaled, remote, wrap, enabled;
	uint8_t buttons, said;   /* as they are; as the last packet had them */
	int x, y, wheel;         /* movements that no packet has had yet */
};

void mouse_reset(struct mouse *m);
/* A byte for it. */
void mouse_write(struct mouse *m, uint8_t value);
/* It has moved, to the right and up, its wheel towards its user, and holds these buttons down. false: a packet before
 * has not been taken yet; what has changed is kept. */
bool mouse_move(struct mouse *m, uint8_t buttons, int x, int y, int wheel);
/* Its next byte, which is taken. There is one. */
uint8_t mouse_take(struct mouse *m);

#endif
