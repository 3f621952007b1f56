/* dev/input/i8042.c - the keyboard controller and its keyboard; the mouse is in dev/input/mouse.c. Commands
 * and registers are named as in IBM's Personal System/2 Hardware Interface Technical Reference. */
#include "dev/input/i8042.h"
#include "dev/bus/bytes.h"
#include "lib/mutants/mutate.h"

/* The controller's commands. */
enum {
	READ_COMMAND_BYTE = 0x20, WRITE_COMMAND_BYTE = 0x60, AUX_OFF = 0xa7, AUX_ON, AUX_TEST, SELF_TEST, KEYBOARD_TEST,
	KEYBOARD_OFF = 0xad, KEYBOARD_ON, READ_INPUT_PORT = 0xc0, READ_OUTPUT_PORT = 0xd0, WRITE_OUTPUT_PORT,
	WRITE_KEYBOARD_BUFFER, WRITE_AUX_BUFFER, WRITE_AUX, PULSE = 0xf0
};
#define SELF_TEST_PASSED 0x55u
#define TEST_PASSED 0x00u
#define OUTPUT_RESET 0x01u
#define OUTPUT_A20 0x02u
#define INPUT_PORT 0x80u  /* not locked */

/* The keyboard's. */
enum {
	SET_LEDS = 0xed, ECHO = 0xee, SCAN_SET = 0xf0, IDENTIFY = 0xf2, TYPEMATIC, ENABLE, DISABLE, DEFAULTS,
	RESEND = 0xfe, RESET = 0xff
};
#define BAT_PASSED 0xaau

/* KB1: bits 0 and 5 of the Status register. A device whose interface is off has nothing to say. */
static void choose(struct i8042 *k)
{
	bool keyboard = k->count && !(k->command_byte & I8042_KEYBOARD_OFF);
	bool mouse = k->mouse.count && !(k->command_byte & I8042_AUX_OFF);

	if ((k->front == I8042_KEYBOARD && keyboard) || VM_KEPT(KBC_FRONT, k->front == I8042_MOUSE && mouse))
		return;
	k->front = keyboard ? I8042_KEYBOARD : mouse ? I8042_MOUSE : I8042_NOTHING;
}

static bool is_full(const struct i8042 *k) { return k->answered || k->front != I8042_NOTHING; }
static bool is_aux(const struct i8042 *k) { return k->answered ? k->aux_byte : k->front == I8042_MOUSE; }

static void lines(struct i8042 *k)
{
	choose(k);
	irq_set(&k->keyboard_irq, is_full(k) && !is_aux(k) && (k->command_byte & I8042_IRQ1));
	irq_set(&k->aux_irq, is_full(k) && is_aux(k) && (k->command_byte & I8042_IRQ12));
}

static void answer(struct i8042 *k, uint8_t value, bool aux)
{
	k->answer = value;
	k->answered = true;
	k->aux_byte = aux;
}

/* ---- the keyboard ---- */

/* What does not fit is lost. */
static void say(struct i8042 *k, uint8_t value)
{
	if (k->count < I8042_QUEUE)
		k->queue[(k->first + k->count++) % I8042_QUEUE] = value;
}

static void keyboard_defaults(struct i8042 *k, bool scanning)
{
	k->scan_set = 2;
	k->scanning = scanning;
}

static void keyboard_parameter(struct i8042 *k, uint8_t value)
{
	uint8_t command = k->keyboard_pending;

	k->keyboard_pending = 0;
	say(k, PS2_ACK);
	if (command == SCAN_SET && !value)
		say(k, k->scan_set);
	else if (command == SCAN_SET && value <= 2)
		k->scan_set = value; /* set 3 it does not have */
}

static void keyboard_command(struct i8042 *k, uint8_t value)
{
	k->keyboard_pending = 0;
	switch (value) {
	case ECHO: say(k, ECHO); return;
	case SET_LEDS: case SCAN_SET: case TYPEMATIC: k->keyboard_pending = value; break;
	case ENABLE: k->scanning = true; break;
	case DISABLE: keyboard_defaults(k, false); break;
	case DEFAULTS: keyboard_defaults(k, true); break;
	case IDENTIFY: case RESET: break;
	default: say(k, RESEND); return;
	}
	say(k, PS2_ACK);
	if (value == IDENTIFY) {
		say(k, 0xab);
		say(k, k->command_byte & I8042_TRANSLATE ? 0x41 : 0x83);
	} else if (value == RESET) {
		keyboard_defaults(k, true);
		say(k, BAT_PASSED);
	}
}

static void keyboard_write(struct i8042 *k, uint8_t value)
{
	/* Any write to the keyboard lets it send. */
	k->command_byte &= (uint8_t)~I8042_KEYBOARD_OFF;
	if (k->keyboard_pending && value < SET_LEDS)
		keyboard_parameter(k, value);
	else
		keyboard_command(k, value);
}

/* Scan code set 2 to set 1, as the controller translates and as a keyboard with set 1 says it. */
static uint8_t set_1(uint8_t code)
{
	static const uint8_t table[0x80] = {
		0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
		0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
		0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
		0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
		0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
		0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
		0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
		0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
	};

	return code < ARRAY_SIZE(table) ? table[code] : code == 0x83 ? 0x41 : code == 0x84 ? 0x54 : code & 0x7f;
}

/* All of the bytes of a key, or nothing (KB2). */
static bool say_all(struct i8042 *k, const uint8_t *bytes, unsigned n)
{
	if (VM_KEPT(KEY_WHOLE, k->count + n > I8042_QUEUE))
		return false;
	for (unsigned i = 0; i < n; i++)
		say(k, bytes[i]);
	lines(k);
	return true;
}

bool i8042_key(struct i8042 *k, uint8_t how, uint8_t code)
{
	static const uint8_t pause_1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 },
		pause_2[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };
	bool first = k->scan_set == 1 || (k->command_byte & I8042_TRANSLATE);
	uint8_t bytes[3];
	unsigned n = 0;

	if (!k->scanning)
		return true; /* nobody listens */
	if (how & I8042_KEY_PAUSE)
		return (how & I8042_KEY_RELEASED) ||
		       (first ? say_all(k, pause_1, sizeof(pause_1)) : say_all(k, pause_2, sizeof(pause_2)));
	if (how & I8042_KEY_EXTENDED)
		bytes[n++] = 0xe0;
	if ((how & I8042_KEY_RELEASED) && !first)
		bytes[n++] = 0xf0;
	bytes[n++] = first ? (uint8_t)(set_1(code) | (how & I8042_KEY_RELEASED ? 0x80 : 0)) : code;
	return say_all(k, bytes, n);
}

bool i8042_mouse(struct i8042 *k, uint8_t buttons, int x, int y, int wheel)
{
	bool taken = mouse_move(&k->mouse, buttons, x, y, wheel);

	lines(k);
	return taken;
}

/* ---- the controller ---- */

static void write_output_port(struct i8042 *k, uint8_t value)
{
	k->output_port = value | OUTPUT_A20; /* A20 cannot be closed (dev/bus/ports.c) */
	if (!(value & OUTPUT_RESET))
		machine_report(&k->machine, MACHINE_RESET, PORT_KBC_COMMAND);
}

static void self_test(struct i8042 *k)
{
	k->command_byte = I8042_KEYBOARD_OFF | I8042_AUX_OFF | I8042_SYSTEM;
	answer(k, SELF_TEST_PASSED, false);
}

static void command(struct i8042 *k, uint8_t value)
{
	k->pending = 0;
	switch (value) {
	case READ_COMMAND_BYTE: answer(k, k->command_byte, false); break;
	case WRITE_COMMAND_BYTE: case WRITE_OUTPUT_PORT: case WRITE_KEYBOARD_BUFFER: case WRITE_AUX_BUFFER:
	case WRITE_AUX:
		k->pending = value;
		break;
	case AUX_OFF: k->command_byte |= I8042_AUX_OFF; break;
	case AUX_ON: k->command_byte &= (uint8_t)~I8042_AUX_OFF; break;
	case AUX_TEST: answer(k, TEST_PASSED, false); break;
	case SELF_TEST: self_test(k); break;
	case KEYBOARD_TEST: answer(k, TEST_PASSED, false); break;
	case KEYBOARD_OFF: k->command_byte |= I8042_KEYBOARD_OFF; break;
	case KEYBOARD_ON: k->command_byte &= (uint8_t)~I8042_KEYBOARD_OFF; break;
	case READ_INPUT_PORT: answer(k, INPUT_PORT, false); break;
	case READ_OUTPUT_PORT: answer(k, k->output_port, false); break;
	default:
		/* 0xf0-0xff pulse the output port's low bits; bit 0 is the CPU's reset line. */
		if (value >= PULSE && !(value & OUTPUT_RESET))
			machine_report(&k->machine, MACHINE_RESET, PORT_KBC_COMMAND);
		break;
	}
}

static void data_written(struct i8042 *k, uint8_t value)
{
	uint8_t pending = k->pending;

	k->pending = 0;
	switch (pending) {
	case WRITE_COMMAND_BYTE: k->command_byte = value; break;
	case WRITE_OUTPUT_PORT: write_output_port(k, value); break;
	case WRITE_KEYBOARD_BUFFER: answer(k, value, false); break;
	case WRITE_AUX_BUFFER: answer(k, value, true); break;
	case WRITE_AUX: mouse_write(&k->mouse, value); break;
	default: keyboard_write(k, value); break;
	}
}

static uint8_t read_data(struct i8042 *k)
{
	uint8_t value = k->answer; /* what was there last */

	if (k->answered) {
		k->answered = false;
	} else if (k->front == I8042_KEYBOARD) {
		value = k->answer = k->queue[k->first];
		k->first = (k->first + 1) % I8042_QUEUE;
		k->count--;
		k->front = I8042_NOTHING;
	} else if (k->front == I8042_MOUSE) {
		value = k->answer = mouse_take(&k->mouse);
		k->front = I8042_NOTHING;
	}
	irq_set(&k->keyboard_irq, false); /* an edge for each byte */
	irq_set(&k->aux_irq, false);
	lines(k);
	return value;
}

static uint8_t status(const struct i8042 *k)
{
	return (uint8_t)(I8042_UNLOCKED | (is_full(k) ? I8042_OUTPUT_FULL : 0) | (k->command_byte & I8042_SYSTEM) |
			 (k->last_command ? I8042_COMMAND : 0) | (is_full(k) && is_aux(k) ? I8042_AUX_FULL : 0));
}

static uint8_t kbc_read(void *dev, uint16_t port)
{
	return port == PORT_KBC_DATA ? read_data(dev) : status(dev);
}

static void kbc_write(void *dev, uint16_t port, uint8_t value)
{
	struct i8042 *k = dev;

	k->last_command = port == PORT_KBC_COMMAND;
	if (k->last_command)
		command(k, value);
	else
		data_written(k, value);
	lines(k);
}

BYTE_PORTS(kbc)

void i8042_reset(struct i8042 *k)
{
	k->command_byte = I8042_KEYBOARD_OFF | I8042_AUX_OFF;
	k->output_port = OUTPUT_RESET | OUTPUT_A20;
	k->pending = k->keyboard_pending = k->answer = 0;
	k->last_command = k->aux_byte = k->answered = false;
	k->first = k->count = 0;
	k->front = I8042_NOTHING;
	mouse_reset(&k->mouse);
	keyboard_defaults(k, true);
	lines(k);
}

bool i8042_init(struct i8042 *k, struct pio_space *pio, struct irq_line keyboard, struct irq_line aux,
		struct machine_sink machine)
{
	static const struct pio_ops ops = { kbc_in, kbc_out };

	*k = (struct i8042){ .machine = machine, .keyboard_irq = keyboard, .aux_irq = aux };
	i8042_reset(k);
	return pio_add(pio, PORT_KBC_DATA, 1, &ops, k) && pio_add(pio, PORT_KBC_COMMAND, 1, &ops, k);
}
