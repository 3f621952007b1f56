#include "host/device/e1000.h"

#include "lib/mutants/mutate.h"

#define SPINS 100000 /* looks at a card that resets, which takes a microsecond */
#define LEAST_FRAME 60u /* IEEE 802.3, without FCS */
#define BETWEEN_INTERRUPTS 488u /* 8,000 a second */

static void *at(void *memory, uint64_t offset) { return (uint8_t *)memory + offset; }

/* "General Initialization": its registers become what they are after power-on. */
static bool reset(struct e1000 *c)
{
	unsigned spins = 0;
	uint32_t control;

	c->write(E1000_IMC, ~0u);
	c->write(E1000_CTRL, c->read(E1000_CTRL) | E1000_CTRL_RST);
	while (c->read(E1000_CTRL) & E1000_CTRL_RST)
		if (++spins == SPINS)
			return false;
	c->write(E1000_IMC, ~0u);
	c->read(E1000_ICR);
	control = c->read(E1000_CTRL) | E1000_CTRL_ASDE | E1000_CTRL_SLU;
	c->write(E1000_CTRL, control & ~(uint32_t)(E1000_CTRL_LRST | E1000_CTRL_ILOS | E1000_CTRL_PHY_RST));
	return true;
}

/* "Receive Initialization". All frames are taken: the stations are behind this one. */
static void begin_receiving(struct e1000 *c, uint64_t ring, uint64_t buffers)
{
	for (unsigned i = 0; i < E1000_RING; i++)
		c->rx[i] = (struct e1000_rx){ .address = buffers + i * E1000_BUFFER };
	for (unsigned i = 0; i < E1000_MTA_WORDS; i++)
		c->write(E1000_MTA + 4 * i, 0);
	c->write(E1000_RDBAL, (uint32_t)ring);
	c->write(E1000_RDBAH, (uint32_t)(ring >> 32));
	c->write(E1000_RDLEN, sizeof(struct e1000_rx) * E1000_RING);
	c->write(E1000_RDH, 0);
	c->write(E1000_RDT, E1000_RING - 1); /* NE2 */
	c->write(E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_UPE | E1000_RCTL_MPE | E1000_RCTL_BAM | E1000_RCTL_SECRC);
}

/* "Transmit Initialization". */
static void begin_sending(struct e1000 *c, uint64_t ring, uint64_t buffers)
{
	for (unsigned i = 0; i < E1000_RING; i++)
		c->tx[i] = (struct e1000_tx){ .address = buffers + i * E1000_BUFFER, .status = E1000_TX_DONE };
	c->write(E1000_TDBAL, (uint32_t)ring);
	c->write(E1000_TDBAH, (uint32_t)(ring >> 32));
	c->write(E1000_TDLEN, sizeof(struct e1000_tx) * E1000_RING);
	c->write(E1000_TDH, 0);
	c->write(E1000_TDT, 0);
	c->write(E1000_TIPG, E1000_TIPG_COPPER);
	c->write(E1000_TCTL, E1000_TCTL_EN | E1000_TCTL_PSP | E1000_TCTL_COLLISIONS);
}

bool e1000_begin(struct e1000 *c, void *memory, uint64_t address)
{
	const uint64_t tx_ring = E1000_RINGS / 2, rx_buffers = E1000_RINGS;
	const uint64_t tx_buffers = rx_buffers + E1000_RING * E1000_BUFFER;

	c->rx = memory;
	c->tx = at(memory, tx_ring);
	c->rx_buffer = at(memory, rx_buffers);
	c->tx_buffer = at(memory, tx_buffers);
	c->rx_next = c->tx_next = 0;
	c->skips = false;
	if (!reset(c))
		return false;
	begin_sending(c, address + tx_ring, address + tx_buffers);
	begin_receiving(c, address, address + rx_buffers);
	c->write(E1000_ITR, BETWEEN_INTERRUPTS);
	c->write(E1000_IMS, E1000_RX_TIMER | E1000_RX_OVERRUN | E1000_RX_MINIMUM);
	return true;
}

static bool is_done(const struct e1000 *c, unsigned n)
{
	return __atomic_load_n(&c->tx[n].status, __ATOMIC_ACQUIRE) & E1000_TX_DONE;
}

bool e1000_send(struct e1000 *c, const uint8_t *frame, uint32_t bytes)
{
	unsigned n = c->tx_next, after = (n + 1) % E1000_RING;
	uint8_t *buffer = c->tx_buffer + n * E1000_BUFFER;
	uint32_t padded = bytes < LEAST_FRAME ? LEAST_FRAME : bytes;

	/* NE1, NE2. The card takes them in turn: where it is done with the one after, it is with this one. */
	if (bytes > E1000_BUFFER || !VM_LEFT_OUT_OR(E1000_FULL, is_done(c, after)))
		return false;
	memcpy(buffer, frame, bytes);
	/* What an earlier one has left there does not go out with it. */
	VM_MUTANT(E1000_PADDED, memset(buffer + bytes, 0, padded - bytes));
	c->tx[n].length = (uint16_t)padded;
	c->tx[n].command = E1000_TX_END | E1000_TX_FCS | E1000_TX_REPORT;
	__atomic_store_n(&c->tx[n].status, 0, __ATOMIC_RELEASE);
	c->tx_next = after;
	c->write(E1000_TDT, after);
	return true;
}

bool e1000_heed(struct e1000 *c) { return c->read(E1000_ICR) & (E1000_RX_TIMER | E1000_RX_OVERRUN | E1000_RX_MINIMUM); }

/* NE3. One that has more than a buffer holds is in several descriptors, the last of which says so. */
static void take_descriptor(struct e1000 *c, const struct e1000_rx *d,
			    void (*frame)(const uint8_t *frame, uint32_t bytes))
{
	bool begins = VM_LEFT_OUT_OR(E1000_LONG, !c->skips);
	bool whole = VM_LEFT_OUT_OR(E1000_LONG_BEGUN, d->status & E1000_RX_END);
	bool fits = VM_LEFT_OUT_OR(E1000_LENGTH, d->length <= E1000_BUFFER);

	c->skips = !(d->status & E1000_RX_END);
	if (begins && whole && fits && VM_LEFT_OUT_OR(E1000_ERRORS, !d->errors))
		frame(c->rx_buffer + c->rx_next * E1000_BUFFER, d->length);
}

void e1000_receive(struct e1000 *c, void (*frame)(const uint8_t *frame, uint32_t bytes))
{
	for (unsigned n = 0; n < E1000_RING; n++) {
		struct e1000_rx *d = &c->rx[c->rx_next];

		if (!(VM_LEFT_OUT_OR(E1000_CAME, __atomic_load_n(&d->status, __ATOMIC_ACQUIRE) & E1000_RX_DONE)))
			return; /* NE1 */
		take_descriptor(c, d, frame);
		VM_MUTANT(E1000_GIVEN_BACK, __atomic_store_n(&d->status, 0, __ATOMIC_RELEASE));
		c->write(E1000_RDT, c->rx_next);
		c->rx_next = (c->rx_next + 1) % E1000_RING;
	}
}
