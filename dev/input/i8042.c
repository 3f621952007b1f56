/* dev/input/i8042.c - the keyboard controller and its keyboard. */
#include "dev/input/i8042.h"
#include "dev/bus/bytes.h"

/* The controller's commands. */
enum {
	READ_COMMAND_BYTE = 0x20, WRITE_COMMAND_BYTE = 0x60, AUX_OFF = 0xa7, AUX_ON, AUX_TEST, SELF_TEST, KEYBOARD_TEST,
	KEYBOARD_OFF = 0xad, KEYBOARD_ON, READ_INPUT_PORT = 0xc0, READ_OUTPUT_PORT = 0xd0, WRITE_OUTPUT_PORT,
	WRITE_KEYBOARD_BUFFER, WRITE_AUX_BUFFER, WRITE_AUX, PULSE = 0xf0
};
#define SELF_TEST_PASSED 0x55u
#define TEST_PASSED 0x00u
#define CLOCK_STUCK 0x01u /* no device answers at the auxiliary port */
#define OUTPUT_RESET 0x01u
#define OUTPUT_A20 0x02u
#define INPUT_PORT 0x80u  /* not locked */

/* The keyboard's. */
enum {
	SET_LEDS = 0xed, ECHO = 0xee, SCAN_SET = 0xf0, IDENTIFY = 0xf2, TYPEMATIC, ENABLE, DISABLE, DEFAULTS,
	RESEND = 0xfe, RESET = 0xff
};
#define ACK 0xfau
#define BAT_PASSED 0xaau

static void lines(struct i8042 *k)
{
	bool keyboard = k->count && !(k->command_byte & I8042_KEYBOARD_OFF);
	bool full = k->answered || keyboard, aux = k->answered && k->aux_byte;

	irq_set(&k->keyboard_irq, full && !aux && (k->command_byte & I8042_IRQ1));
	irq_set(&k->aux_irq, full && aux && (k->command_byte & I8042_IRQ12));
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
	say(k, ACK);
	if (command == SCAN_SET && !value)
		say(k, k->scan_set);
	else if (command == SCAN_SET && value <= 3)
		k->scan_set = value;
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
	say(k, ACK);
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
	case AUX_TEST: answer(k, CLOCK_STUCK, false); break;
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

static void data(struct i8042 *k, uint8_t value)
{
	uint8_t pending = k->pending;

	k->pending = 0;
	switch (pending) {
	case WRITE_COMMAND_BYTE: k->command_byte = value; break;
	case WRITE_OUTPUT_PORT: write_output_port(k, value); break;
	case WRITE_KEYBOARD_BUFFER: answer(k, value, false); break;
	case WRITE_AUX_BUFFER: answer(k, value, true); break;
	case WRITE_AUX: break; /* nobody is there */
	default: keyboard_write(k, value); break;
	}
}

static uint8_t read_data(struct i8042 *k)
{
	uint8_t value = k->answer; /* what was there last */

	if (k->answered) {
		k->answered = false;
	} else if (k->count && !(k->command_byte & I8042_KEYBOARD_OFF)) {
		value = k->answer = k->queue[k->first];
		k->first = (k->first + 1) % I8042_QUEUE;
		k->count--;
		irq_set(&k->keyboard_irq, false); /* an edge for each byte */
	}
	lines(k);
	return value;
}

static uint8_t status(const struct i8042 *k)
{
	bool full = k->answered || (k->count && !(k->command_byte & I8042_KEYBOARD_OFF));

	return (uint8_t)(I8042_UNLOCKED | (full ? I8042_OUTPUT_FULL : 0) | (k->command_byte & I8042_SYSTEM) |
			 (k->last_command ? I8042_COMMAND : 0) | (k->answered && k->aux_byte ? I8042_AUX_FULL : 0));
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
		data(k, value);
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
