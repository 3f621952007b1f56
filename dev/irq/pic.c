/* dev/irq/pic.c - the 8259A's registers and priority logic. Intel 8259A data sheet; ELCR as in the PIIX4. */
#include "dev/irq/pic.h"
#include "dev/bus/bytes.h"
#include "lib/mutants/mutate.h"
#include "lib/pic.h"

#define SPURIOUS_PIN 7u


/* The position of the highest-priority bit of mask in the order of priority (0 first), 8 if mask is empty. */
static unsigned priority(const struct pic_chip *c, uint8_t mask)
{
	unsigned first = (c->lowest + 1u) & 7;
	unsigned rotated = ((unsigned)mask >> first | (unsigned)mask << (8 - first)) & 0xff;
	return rotated ? (unsigned)__builtin_ctz(rotated) : 8;
}

static unsigned pin_at(const struct pic_chip *c, unsigned position)
{
	return (position + c->lowest + 1) & 7;
}

/* The pin for which the chip raises INT, or -1. */
static int chip_request(const struct pic_chip *c)
{
	uint8_t asking = c->irr & (uint8_t)~c->imr;
	if (!asking)
		return -1;
	uint8_t blocking = c->isr;
	/* "Special Mask Mode": what is masked while it is in service lets others through, also lower ones. */
	if (c->special_mask)
		blocking &= (uint8_t)~c->imr;
	/* "Special Fully Nested Mode": the slave may ask again, with a higher pin of its own. */
	if (c->special_fully_nested && !c->slave)
		blocking &= (uint8_t)~(1u << PIC_CASCADE_PIN);
	unsigned position = priority(c, asking);
	return position < priority(c, blocking) ? (int)pin_at(c, position) : -1;
}

static uint8_t level_pins(const struct pic_chip *c)
{
	return c->level_mode ? 0xff : c->elcr;
}

static void chip_set_pin(struct pic_chip *c, unsigned pin, bool level)
{
	uint8_t bit = (uint8_t)(1u << pin);
	if (!level) {
		c->pins &= (uint8_t)~bit;
		c->irr &= (uint8_t)~bit;
		return;
	}
	if (VM_LEFT_OUT_OR(PIC_EDGE, !(c->pins & bit)) || (level_pins(c) & bit)) /* PI2 */
		c->irr |= bit;
	c->pins |= bit;
}

static void chip_take(struct pic_chip *c, unsigned pin)
{
	uint8_t bit = (uint8_t)(1u << pin);
	if (!(level_pins(c) & bit))
		c->irr &= (uint8_t)~bit;
	if (!c->auto_eoi)
		c->isr |= bit;
	else if (c->rotate_auto_eoi)
		c->lowest = (uint8_t)pin;
}

/* Brings the cascade pin and INT up to date. */
static void pic_update(struct pic *p)
{
	chip_set_pin(&p->chip[0], PIC_CASCADE_PIN, chip_request(&p->chip[1]) >= 0);
	bool out = chip_request(&p->chip[0]) >= 0;
	if (VM_LEFT_OUT_OR(PIC_CHANGES, out != p->out)) { /* PI1 */
		p->out = out;
		p->intr(p->ctx, out);
	}
}

/* The slave's part of an acknowledge: its INT drops and rises again if it has more, so that the master sees a new
 * edge. */
static unsigned slave_take(struct pic *p)
{
	struct pic_chip *slave = &p->chip[1];
	int pin = chip_request(slave);
	if (pin >= 0)
		chip_take(slave, (unsigned)pin);
	chip_set_pin(&p->chip[0], PIC_CASCADE_PIN, false);
	return pin >= 0 ? (unsigned)pin : SPURIOUS_PIN;
}

uint8_t pic_ack(struct pic *p)
{
	struct pic_chip *master = &p->chip[0];
	int pin = chip_request(master);
	if (pin < 0)
		return (uint8_t)(master->vector_base + SPURIOUS_PIN);
	chip_take(master, (unsigned)pin);
	uint8_t vector = (uint8_t)(master->vector_base + pin);
	if (pin == (int)PIC_CASCADE_PIN && !master->single)
		vector = (uint8_t)(p->chip[1].vector_base + slave_take(p));
	pic_update(p);
	return vector;
}

void pic_set_pin(struct pic *p, unsigned pin, bool level)
{
	if (pin > 15 || pin == PIC_CASCADE_PIN)
		return;
	chip_set_pin(&p->chip[pin >> 3], pin & 7, level);
	pic_update(p);
}

/* What ICW1 resets: "Initialization Command Words 1 and 2". Without an ICW4 all its functions are off. */
static void icw1_write(struct pic_chip *c, uint8_t value)
{
	c->level_mode = value & ICW1_LEVEL;
	c->single = value & ICW1_SINGLE;
	c->need_icw4 = value & ICW1_NEED_ICW4;
	c->icw_state = 2;
	c->imr = 0;
	c->isr = 0;
	c->irr = c->pins & level_pins(c); /* the edge sense is reset */
	c->lowest = 7;
	c->special_mask = false;
	c->special_fully_nested = false;
	c->auto_eoi = false;
	c->rotate_auto_eoi = false;
	c->read_isr = false;
	c->poll = false;
}

/* ICW2..ICW4, which follow ICW1 at the odd port. */
static void icw_write(struct pic_chip *c, uint8_t value)
{
	switch (c->icw_state) {
	case 2:
		c->vector_base = value & ICW2_VECTOR;
		c->icw_state = !c->single ? 3 : c->need_icw4 ? 4 : 0;
		break;
	case 3: /* the wiring of the cascade is fixed */
		c->icw_state = c->need_icw4 ? 4 : 0;
		break;
	default:
		c->auto_eoi = value & ICW4_AUTO_EOI;
		c->special_fully_nested = value & ICW4_SPECIAL_FULLY_NESTED;
		c->icw_state = 0;
		break;
	}
}

static void ocw2_write(struct pic_chip *c, uint8_t value)
{
	bool rotate = value & OCW2_ROTATE, specific = value & OCW2_SPECIFIC, eoi = value & OCW2_EOI;
	unsigned pin = value & 7;
	if (!eoi) {
		if (specific && rotate)
			c->lowest = (uint8_t)pin; /* set priority */
		else if (!specific)
			c->rotate_auto_eoi = rotate;
		return;
	}
	if (!specific) {
		uint8_t served = c->isr;
		if (c->special_mask) /* a non-specific EOI does not see masked levels in this mode */
			served &= (uint8_t)~c->imr;
		unsigned position = priority(c, served);
		if (position == 8)
			return;
		pin = pin_at(c, position);
	}
	c->isr &= (uint8_t)~(1u << pin);
	if (rotate)
		c->lowest = (uint8_t)pin;
}

static void ocw3_write(struct pic_chip *c, uint8_t value)
{
	if (value & OCW3_POLL)
		c->poll = true;
	else if (value & OCW3_READ)
		c->read_isr = value & OCW3_READ_ISR;
	if (value & OCW3_SET_SPECIAL_MASK)
		c->special_mask = value & OCW3_SPECIAL_MASK;
}

static void pic_write(void *dev, uint16_t port, uint8_t value)
{
	struct pic *p = dev;
	struct pic_chip *c = &p->chip[port >> 7 & 1];
	if (port & 1) {
		if (c->icw_state)
			icw_write(c, value);
		else
			c->imr = value;
	} else if (value & ICW1) {
		icw1_write(c, value);
	} else if (value & OCW3) {
		ocw3_write(c, value);
	} else {
		ocw2_write(c, value);
	}
	pic_update(p);
}

/* A read after the poll command is an acknowledge without a vector. */
static uint8_t poll_read(struct pic *p, struct pic_chip *c)
{
	c->poll = false;
	int pin = chip_request(c);
	if (pin < 0)
		return 0;
	chip_take(c, (unsigned)pin);
	if (c->slave)
		chip_set_pin(&p->chip[0], PIC_CASCADE_PIN, false);
	pic_update(p);
	return (uint8_t)(PIC_POLL_REQUEST | pin);
}

static uint8_t pic_read(void *dev, uint16_t port)
{
	struct pic *p = dev;
	struct pic_chip *c = &p->chip[port >> 7 & 1];
	if (c->poll)
		return poll_read(p, c);
	if (port & 1)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

static uint8_t elcr_read(void *dev, uint16_t port)
{
	struct pic *p = dev;
	return p->chip[port & 1].elcr;
}

static void elcr_write(void *dev, uint16_t port, uint8_t value)
{
	struct pic *p = dev;
	struct pic_chip *c = &p->chip[port & 1];
	c->elcr = value & c->elcr_mask;
	c->irr = (uint8_t)((c->irr & ~level_pins(c)) | (c->pins & level_pins(c)));
	pic_update(p);
}

BYTE_PORTS(pic)
BYTE_PORTS(elcr)

void pic_reset(struct pic *p)
{
	for (unsigned i = 0; i < 2; i++) {
		uint8_t pins = p->chip[i].pins;
		p->chip[i] = (struct pic_chip){
			.pins = pins, .imr = PIC_ALL, .lowest = 7, .slave = i == 1,
			.elcr_mask = i ? 0xde : 0xf8, /* IRQ 0, 1, 2, 8 and 13 are edges for good */
		};
	}
	pic_update(p);
}

void pic_set_level_triggered(struct pic *p, unsigned irq)
{
	struct pic_chip *c = &p->chip[irq >> 3 & 1];

	elcr_write(p, irq < 8 ? PIC_ELCR1 : PIC_ELCR2, c->elcr | (uint8_t)(1u << (irq & 7)));
}

void pic_after_bios(struct pic *p)
{
	static const uint8_t initialise[2][5] = {
		{ ICW1 | ICW1_NEED_ICW4, 0x08, 1u << PIC_CASCADE_PIN, ICW4_8086, 0xb8 },
		{ ICW1 | ICW1_NEED_ICW4, 0x70, PIC_CASCADE_PIN, ICW4_8086, 0x8f },
	};

	for (unsigned chip = 0; chip < 2; chip++)
		for (unsigned i = 0; i < ARRAY_SIZE(initialise[chip]); i++)
			pic_write(p, (uint16_t)((chip ? PIC2_COMMAND : PIC1_COMMAND) + (i != 0)), initialise[chip][i]);
}

bool pic_init(struct pic *p, struct pio_space *pio, void (*intr)(void *ctx, bool level), void *ctx)
{
	static const struct pio_ops chip_ops = { pic_in, pic_out }, elcr_ops = { elcr_in, elcr_out };
	*p = (struct pic){ .intr = intr, .ctx = ctx };
	pic_reset(p);
	return pio_add(pio, PIC1_COMMAND, 2, &chip_ops, p) && pio_add(pio, PIC2_COMMAND, 2, &chip_ops, p) &&
	       pio_add(pio, PIC_ELCR1, 2, &elcr_ops, p);
}
