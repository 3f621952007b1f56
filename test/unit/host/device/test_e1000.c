/* The driver of the network card over a model of one, which takes and brings frames when the test says so: how it
 * begins, rings that are full and go round, and what the card must not be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "host/device/e1000.h"

#define ADDRESS 0x123400000ull /* where the card has the memory */
#define ALL_FRAMES (E1000_RCTL_EN | E1000_RCTL_UPE | E1000_RCTL_MPE | E1000_RCTL_BAM | E1000_RCTL_SECRC)

static struct {
	uint32_t reg[E1000_BYTES / 4];
	uint8_t memory[E1000_MEMORY] __attribute__((aligned(4096)));
	unsigned resets; /* reads until one is over; UINT_MAX: never */
	uint32_t cause;
	uint8_t sent[E1000_BUFFER];
	uint32_t sent_bytes;
} model;

static struct e1000 card;
static struct { uint8_t bytes[E1000_BUFFER]; uint32_t length; unsigned count; } got;

static uint32_t read(unsigned reg)
{
	uint32_t v = model.reg[reg / 4];

	if (reg == E1000_CTRL && (v & E1000_CTRL_RST) && model.resets != UINT32_MAX && model.resets-- == 0) {
		memset(model.reg, 0, sizeof(model.reg));
		v = 0;
	}
	if (reg == E1000_ICR) {
		v = model.cause;
		model.cause = 0;
	}
	return v;
}

static void write(unsigned reg, uint32_t value)
{
	assert_true(reg < E1000_BYTES);
	if (reg == E1000_IMS)
		value |= model.reg[E1000_IMS / 4];
	if (reg == E1000_IMC)
		model.reg[E1000_IMS / 4] &= ~value;
	model.reg[reg / 4] = value;
}

static void *at(uint64_t address, uint32_t bytes)
{
	assert_true(address >= ADDRESS && address + bytes <= ADDRESS + sizeof(model.memory));
	return model.memory + (address - ADDRESS);
}

/* Base, length and one of the indices, of the ring whose registers begin there. */
static void *descriptor(unsigned base, uint32_t n)
{
	uint64_t address = model.reg[base / 4] | (uint64_t)model.reg[base / 4 + 1] << 32;

	assert_int_equal(model.reg[base / 4 + 2] % 128, 0);
	assert_true(n * 16 < model.reg[base / 4 + 2]);
	return at(address + 16ull * n, 16);
}

static uint32_t entries(unsigned base) { return model.reg[base / 4 + 2] / 16; }

/* The card takes one frame of those that it has been given. false: there is none. */
static bool take_one(void)
{
	uint32_t *head = &model.reg[E1000_TDH / 4];
	struct e1000_tx *d;

	if (*head == model.reg[E1000_TDT / 4])
		return false;
	assert_true(model.reg[E1000_TCTL / 4] & E1000_TCTL_EN);
	d = descriptor(E1000_TDBAL, *head);
	assert_int_equal(d->status, 0);
	assert_int_equal(d->command, E1000_TX_END | E1000_TX_FCS | E1000_TX_REPORT);
	memcpy(model.sent, at(d->address, d->length), d->length);
	model.sent_bytes = d->length;
	d->status = E1000_TX_DONE;
	*head = (*head + 1) % entries(E1000_TDBAL);
	return true;
}

/* The card brings what it says is a piece of a frame. false: it has no descriptor. */
static bool bring(uint16_t length, uint8_t fill, uint8_t status, uint8_t errors)
{
	uint32_t *head = &model.reg[E1000_RDH / 4];
	struct e1000_rx *d;

	if (*head == model.reg[E1000_RDT / 4])
		return false;
	assert_int_equal(model.reg[E1000_RCTL / 4], ALL_FRAMES);
	d = descriptor(E1000_RDBAL, *head);
	assert_int_equal(d->status, 0);
	memset(at(d->address, E1000_BUFFER), fill, E1000_BUFFER);
	d->length = length;
	d->errors = errors;
	d->status = (uint8_t)(E1000_RX_DONE | status);
	*head = (*head + 1) % entries(E1000_RDBAL);
	model.cause |= E1000_RX_TIMER;
	return true;
}

static void frame(const uint8_t *bytes, uint32_t length)
{
	assert_true(length <= E1000_BUFFER);
	memcpy(got.bytes, bytes, length);
	got.length = length;
	got.count++;
}

static void receive(void) { e1000_receive(&card, frame); }

static int begin(void **state)
{
	(void)state;
	memset(&model, 0, sizeof(model));
	memset(&got, 0, sizeof(got));
	memset(model.reg, 0xa5, sizeof(model.reg)); /* as somebody has left it */
	model.reg[E1000_CTRL / 4] = 0;
	model.resets = 3;
	card = (struct e1000){ .read = read, .write = write };
	return e1000_begin(&card, model.memory, ADDRESS) ? 0 : -1;
}

static void it_begins(void **state)
{
	uint32_t control = model.reg[E1000_CTRL / 4];

	(void)state;
	assert_true(control & E1000_CTRL_SLU);
	assert_false(control & (E1000_CTRL_RST | E1000_CTRL_PHY_RST | E1000_CTRL_ILOS | E1000_CTRL_LRST));
	assert_int_equal(model.reg[E1000_RCTL / 4], ALL_FRAMES);
	for (unsigned i = 0; i < E1000_MTA_WORDS; i++)
		assert_int_equal(model.reg[E1000_MTA / 4 + i], 0);
	assert_int_equal(model.reg[E1000_IMS / 4], E1000_RX_TIMER | E1000_RX_OVERRUN | E1000_RX_MINIMUM);
	assert_true(entries(E1000_RDBAL) == E1000_RING && entries(E1000_TDBAL) == E1000_RING);
	/* One that does not come back is no card. */
	memset(&model, 0, sizeof(model));
	model.resets = UINT32_MAX;
	assert_false(e1000_begin(&card, model.memory, ADDRESS));
}

static void it_sends(void **state)
{
	uint8_t text[E1000_BUFFER + 1];
	unsigned n = 0;

	(void)state;
	memset(text, 0xee, sizeof(text));
	assert_false(e1000_send(&card, text, sizeof(text)));
	/* As many as there is room for, more often than the ring has places. */
	for (unsigned round = 0; round < 5; round++) {
		while (e1000_send(&card, text, 1000 + n))
			n++;
		assert_true(n >= E1000_RING - 2 && n < E1000_RING);
		for (unsigned i = 0; i < n; i++) {
			assert_true(take_one());
			assert_int_equal(model.sent_bytes, 1000 + i);
			assert_memory_equal(model.sent, text, 1000 + i);
		}
		assert_false(take_one());
		n = 0;
	}
}

/* One at a time, with the ring nearly full all the while. */
static void its_ring_is_full(void **state)
{
	uint8_t text[100] = { 0 };
	uint32_t first = 0, last = 0;

	(void)state;
	for (text[0] = 0; e1000_send(&card, text, sizeof(text)); text[0]++)
		last++;
	for (unsigned i = 0; i < 300; i++) {
		assert_true(take_one());
		assert_int_equal(model.sent[0], (uint8_t)first++);
		text[0] = (uint8_t)last++;
		assert_true(e1000_send(&card, text, sizeof(text)));
		assert_false(e1000_send(&card, text, sizeof(text)));
	}
}

/* A short one is filled up, with nothing that somebody else has sent. */
static void a_short_frame(void **state)
{
	uint8_t text[60];

	(void)state;
	memset(text, 0x77, sizeof(text));
	for (unsigned i = 0; i < E1000_RING; i++)
		assert_true(e1000_send(&card, text, sizeof(text)) && take_one());
	assert_true(e1000_send(&card, text, 14) && take_one());
	assert_int_equal(model.sent_bytes, 60);
	assert_memory_equal(model.sent, text, 14);
	for (unsigned i = 14; i < 60; i++)
		assert_int_equal(model.sent[i], 0);
}

static void it_receives(void **state)
{
	unsigned n = 0, all = 0;

	(void)state;
	assert_false(e1000_heed(&card));
	receive();
	assert_int_equal(got.count, 0);
	for (unsigned round = 0; round < 5; round++) {
		while (bring((uint16_t)(100 + n), (uint8_t)n, E1000_RX_END, 0))
			n++;
		assert_int_equal(n, E1000_RING - 1);
		assert_true(e1000_heed(&card));
		assert_false(e1000_heed(&card));
		receive();
		all += n;
		assert_int_equal(got.count, all);
		assert_int_equal(got.length, 100 + n - 1);
		assert_int_equal(got.bytes[99 + n - 1], (uint8_t)(n - 1));
		n = 0;
	}
	/* One at a time. */
	for (unsigned i = 0; i < 3 * E1000_RING; i++) {
		assert_true(bring(60, (uint8_t)i, E1000_RX_END, 0));
		receive();
		assert_int_equal(got.bytes[0], (uint8_t)i);
		assert_int_equal(got.count, ++all);
	}
}

/* NE3. */
static void what_does_not_fit(void **state)
{
	(void)state;
	assert_true(bring(E1000_BUFFER, 1, 0, 0) && bring(E1000_BUFFER, 2, 0, 0) && bring(90, 3, E1000_RX_END, 0));
	receive();
	assert_int_equal(got.count, 0);
	assert_true(bring(E1000_BUFFER + 1, 4, E1000_RX_END, 0) && bring(70, 5, E1000_RX_END, 1));
	receive();
	assert_int_equal(got.count, 0);
	assert_true(bring(70, 6, E1000_RX_END, 0));
	receive();
	assert_int_equal(got.count, 1);
	assert_int_equal(got.bytes[0], 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_begins, begin),     cmocka_unit_test_setup(it_sends, begin),
		cmocka_unit_test_setup(its_ring_is_full, begin), cmocka_unit_test_setup(a_short_frame, begin),
		cmocka_unit_test_setup(it_receives, begin),   cmocka_unit_test_setup(what_does_not_fit, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
