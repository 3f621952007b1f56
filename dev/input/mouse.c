/* dev/input/mouse.c - the mouse behind the keyboard controller's auxiliary port. Modes, commands
 * and packets are those of IBM's Personal System/2 Mouse Technical Reference; the wheel as Microsoft's IntelliMouse has
 * it. */
#include "dev/input/mouse.h"
#include "lib/mutants/mutate.h"

enum {
	SCALE_OFF = 0xe6, SCALE_ON = 0xe7, SET_RESOLUTION = 0xe8, STATUS = 0xe9, STREAM = 0xea, READ = 0xeb,
	WRAP_OFF = 0xec, WRAP_ON = 0xee, REMOTE = 0xf0, READ_ID = 0xf2, SET_RATE = 0xf3, ENABLE = 0xf4, DISABLE = 0xf5,
	DEFAULTS = 0xf6, RESEND = 0xfe, RESET = 0xff
};
#define TEST_PASSED 0xaau
#define WHEEL_ID 3u
#define RATE_DEFAULT 100u
#define RESOLUTION_DEFAULT 2u
/* A packet's first byte, and the status' (answer to the command Status Request). */
enum { PACKET_BUTTONS = 0x07, PACKET_ALWAYS = 0x08, PACKET_X_NEGATIVE = 0x10, PACKET_Y_NEGATIVE = 0x20 };
enum {
	STATUS_RIGHT = 0x01, STATUS_MIDDLE = 0x02, STATUS_LEFT = 0x04, STATUS_SCALED = 0x10, STATUS_ENABLED = 0x20,
	STATUS_REMOTE = 0x40
};
/* A packet's movements have nine bits, its wheel four. */
#define MOVE_MAX 255
#define WHEEL_MAX 7
#define KEPT_MAX 32767
#define PACKET_MAX 4
#define ANSWER_MAX (1 + PACKET_MAX)

/* There is room: send() has looked, and what a byte is answered with comes into a queue that is empty. */
_Static_assert(MOUSE_QUEUE >= ANSWER_MAX, "an answer fits into the queue");
static void say(struct mouse *m, uint8_t value)
{
	m->queue[(m->first + m->count++) % MOUSE_QUEUE] = value;
}

static int within(int value, int most)
{
	return value < -most ? -most : value > most ? most : value;
}

/* ---- packets ---- */

static bool changed(const struct mouse *m)
{
	return m->x || m->y || (m->wheel && VM_LEFT_OUT_OR(MOUSE_WHEEL, m->id == WHEEL_ID)) || m->buttons != m->said;
}

static void packet(struct mouse *m)
{
	int x = within(m->x, MOVE_MAX), y = within(m->y, MOVE_MAX), wheel = within(m->wheel, WHEEL_MAX);

	say(m, (uint8_t)((m->buttons & PACKET_BUTTONS) | PACKET_ALWAYS | (x < 0 ? PACKET_X_NEGATIVE : 0) |
			 (y < 0 ? PACKET_Y_NEGATIVE : 0)));
	say(m, (uint8_t)x);
	say(m, (uint8_t)y);
	if (VM_LEFT_OUT_OR(MOUSE_WHEEL_BYTE, m->id == WHEEL_ID))
		say(m, (uint8_t)wheel);
	m->x -= x;
	m->y -= y;
	m->wheel = m->id == WHEEL_ID ? m->wheel - wheel : 0;
	m->said = m->buttons;
}

/* PM1, PM2: stream mode and remote mode. */
static void send(struct mouse *m)
{
	while (VM_LEFT_OUT_OR(MOUSE_ENABLED, m->enabled) && VM_LEFT_OUT_OR(MOUSE_REMOTE, !m->remote) && !m->wrap &&
	       changed(m) && VM_LEFT_OUT_OR(MOUSE_WHOLE, m->count + PACKET_MAX <= MOUSE_QUEUE))
		packet(m);
}

bool mouse_move(struct mouse *m, uint8_t buttons, int x, int y, int wheel)
{
	m->buttons = buttons;
	m->x = within(m->x + within(x, KEPT_MAX), KEPT_MAX);
	m->y = within(m->y + within(y, KEPT_MAX), KEPT_MAX);
	m->wheel = within(m->wheel + within(wheel, KEPT_MAX), KEPT_MAX);
	send(m);
	return !changed(m) || !m->enabled;
}

uint8_t mouse_take(struct mouse *m)
{
	uint8_t value = m->queue[m->first];

	m->first = (m->first + 1) % MOUSE_QUEUE;
	m->count--;
	send(m);
	return value;
}

/* ---- commands ---- */

static void defaults(struct mouse *m)
{
	m->rate = RATE_DEFAULT;
	m->resolution = RESOLUTION_DEFAULT;
	m->scaled = m->remote = m->wrap = m->enabled = false;
	m->x = m->y = m->wheel = 0;
}

void mouse_reset(struct mouse *m)
{
	*m = (struct mouse){ .first = 0 };
	defaults(m);
}

/* IntelliMouse: the sample rates 200, 100, 80, one behind the other, make it one with a wheel. */
static void parameter(struct mouse *m, uint8_t value)
{
	uint8_t command = m->pending;

	m->pending = 0;
	say(m, PS2_ACK);
	if (command == SET_RESOLUTION) {
		m->resolution = value & 3;
		return;
	}
	if (VM_LEFT_OUT_OR(MOUSE_KNOCK, m->rates[0] == 200 && m->rates[1] == 100 && value == 80))
		m->id = WHEEL_ID;
	m->rates[0] = m->rates[1];
	m->rates[1] = m->rate = value;
}

static void status(struct mouse *m)
{
	bool left = m->buttons & MOUSE_LEFT, right = m->buttons & MOUSE_RIGHT, middle = m->buttons & MOUSE_MIDDLE;

	say(m, (uint8_t)((m->remote ? STATUS_REMOTE : 0) | (m->enabled ? STATUS_ENABLED : 0) |
			 (m->scaled ? STATUS_SCALED : 0) | (left ? STATUS_LEFT : 0) | (middle ? STATUS_MIDDLE : 0) |
			 (right ? STATUS_RIGHT : 0)));
	say(m, m->resolution);
	say(m, m->rate);
}

static void reset(struct mouse *m)
{
	uint8_t buttons = m->buttons;

	mouse_reset(m);
	m->buttons = m->said = buttons;
	say(m, PS2_ACK);
	say(m, TEST_PASSED);
	say(m, 0);
}

/* What it does, once it has said that it has understood. */
static void carry_out(struct mouse *m, uint8_t value)
{
	switch (value) {
	case SCALE_OFF: case SCALE_ON: m->scaled = value == SCALE_ON; break;
	case SET_RESOLUTION: case SET_RATE: m->pending = value; break;
	case STATUS: status(m); break;
	case STREAM: m->remote = false; break;
	case READ: packet(m); break;
	case WRAP_OFF: m->wrap = false; break;
	case WRAP_ON: m->wrap = true; break;
	case REMOTE: m->remote = true; break;
	case READ_ID: say(m, m->id); break;
	case ENABLE: m->enabled = true; break;
	case DISABLE: m->enabled = false; break;
	default: defaults(m); break;
	}
}

static bool known(uint8_t value)
{
	return (value >= SCALE_OFF && value <= WRAP_OFF) || value == WRAP_ON || value == REMOTE ||
	       (value >= READ_ID && value <= DEFAULTS);
}

/* Wrap mode; Resend. A byte that is not expected begins anew; what it had to say before is dropped. */
void mouse_write(struct mouse *m, uint8_t value)
{
	m->count = 0;
	if (value == RESET) {
		reset(m);
	} else if (m->wrap && value != WRAP_OFF) {
		say(m, value);
	} else if (m->pending) {
		parameter(m, value);
	} else if (known(value)) {
		say(m, PS2_ACK);
		carry_out(m, value);
	} else {
		say(m, RESEND);
	}
	send(m);
}
