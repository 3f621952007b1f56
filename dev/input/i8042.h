/* dev/input/i8042.h - the keyboard controller (ports 0x60 and 0x64) with a keyboard, and a mouse behind it. As IBM's
 * PS/2 has them; the keyboard is that of 101 and 102 keys.
 *
 * Answers are there at once, one after the other as they are read.
 *
 *   KB1  What the status says of the byte that is there, whose it is, holds until that is read: nothing comes before it
 *        but the controller's own answer.
 *   KB2  A key's bytes go into the queue whole, or not at all. */
#ifndef VELLUM_DEV_I8042_H
#define VELLUM_DEV_I8042_H

#include "dev/dev.h"
#include "dev/machine.h"
#include "dev/input/mouse.h"
#include "lib/ports.h"

#define I8042_QUEUE 16u

/* Status (0x64). */
#define I8042_OUTPUT_FULL 0x01u
#define I8042_SYSTEM 0x04u   /* the self-test was passed */
#define I8042_COMMAND 0x08u  /* what was written last went to 0x64 */
#define I8042_UNLOCKED 0x10u
#define I8042_AUX_FULL 0x20u /* the byte is the auxiliary device's */
/* The controller's command byte. */
#define I8042_IRQ1 0x01u
#define I8042_IRQ12 0x02u
#define I8042_KEYBOARD_OFF 0x10u
#define I8042_AUX_OFF 0x20u
#define I8042_TRANSLATE 0x40u

/* How a key is told: bits beside its code in scan code set 2. */
#define I8042_KEY_EXTENDED 0x01u /* 0xe0 comes before it */
#define I8042_KEY_RELEASED 0x02u
#define I8042_KEY_PAUSE 0x04u    /* the key Pause, which is not released and whose code is not asked for */

enum i8042_front { I8042_NOTHING, I8042_KEYBOARD, I8042_MOUSE };

struct i8042 {
	struct machine_sink machine;
	struct irq_line keyboard_irq, aux_irq;
	uint8_t command_byte, output_port;
	uint8_t pending;      /* the command whose parameter is written next to 0x60; 0: none */
	bool last_command;
	bool aux_byte;        /* what is at the front of .answer is the auxiliary device's */
	/* the controller's own answer, which comes before what the keyboard has */
	uint8_t answer;
	bool answered;
	enum i8042_front front; /* else: whose byte is there (KB1) */
	uint8_t queue[I8042_QUEUE]; /* of the keyboard */
	unsigned first, count;
	uint8_t keyboard_pending; /* the keyboard's command whose parameter comes next; 0: none */
	uint8_t scan_set;
	bool scanning;
	struct mouse mouse;
};

/* false: a port is taken. */
bool i8042_init(struct i8042 *k, struct pio_space *pio, struct irq_line keyboard, struct irq_line aux,
		struct machine_sink machine);
FOR_TESTS void i8042_reset(struct i8042 *k);
/* dev/input/input_state.c */
void i8042_state(struct fields *s, struct i8042 *k);
/* A key is pressed or released; how: bits as above. false: there is no room for it now (KB2). */
bool i8042_key(struct i8042 *k, uint8_t how, uint8_t code);
/* As mouse_move(). */
bool i8042_mouse(struct i8042 *k, uint8_t buttons, int x, int y, int wheel);

#endif
