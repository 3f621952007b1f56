/* dev/input/input_state.c - what a snapshot holds of the keyboard controller, the keyboard and the mouse. */
#include "dev/input/i8042.h"
#include "lib/mutants/mutate.h"

#define MOVED_MAX 32767 /* that no packet has had (dev/input/mouse.c) */

static bool within(int v) { return v >= -MOVED_MAX && v <= MOVED_MAX; }

static void mouse_state(struct fields *s, struct mouse *m)
{
	state_bytes(s, m->queue, sizeof(m->queue));
	state_unsigned(s, &m->first);
	state_unsigned(s, &m->count);
	state_u8(s, &m->pending);
	state_u8(s, &m->id);
	state_u8(s, &m->rate);
	state_u8(s, &m->resolution);
	state_bytes(s, m->rates, sizeof(m->rates));
	state_bool(s, &m->scaled);
	state_bool(s, &m->remote);
	state_bool(s, &m->wrap);
	state_bool(s, &m->enabled);
	state_u8(s, &m->buttons);
	state_u8(s, &m->said);
	state_int(s, &m->x);
	state_int(s, &m->y);
	state_int(s, &m->wheel);
	state_check(s, VM_LEFT_OUT_OR(STATE_MOUSE_QUEUE, m->first < MOUSE_QUEUE && m->count <= MOUSE_QUEUE),
		    "more waits than there is room for");
	state_check(s, VM_LEFT_OUT_OR(STATE_MOUSE_MOVED, within(m->x) && within(m->y) && within(m->wheel)),
		    "the mouse has moved too far");
}

void i8042_state(struct fields *s, struct i8042 *k)
{
	unsigned front = k->front;

	state_begin(s, "i8042", 1);
	state_u8(s, &k->command_byte);
	state_u8(s, &k->output_port);
	state_u8(s, &k->pending);
	state_bool(s, &k->last_command);
	state_bool(s, &k->aux_byte);
	state_u8(s, &k->answer);
	state_bool(s, &k->answered);
	state_unsigned(s, &front);
	state_bytes(s, k->queue, sizeof(k->queue));
	state_unsigned(s, &k->first);
	state_unsigned(s, &k->count);
	state_u8(s, &k->keyboard_pending);
	state_u8(s, &k->scan_set);
	state_bool(s, &k->scanning);
	mouse_state(s, &k->mouse);
	state_check(s, VM_LEFT_OUT_OR(STATE_KEYS, k->first < I8042_QUEUE && k->count <= I8042_QUEUE),
		    "more waits than there is room for");
	/* KB1: who is said to have a byte there, has one. */
	state_check(s, VM_LEFT_OUT_OR(STATE_KEYS_FRONT, front == I8042_NOTHING ||
				      (front == I8042_KEYBOARD && k->count) ||
				      (front == I8042_MOUSE && k->mouse.count)),
		    "a byte waits that is not there");
	state_end(s);
	if (s->load && !s->bad)
		k->front = (enum i8042_front)front;
}
