/* host/device/e1000.h - a driver for Intel's gigabit Ethernet controllers, as 82540EM, which Bochs and QEMU play
 * (PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual): frames out and in, nothing else. It
 * reaches the card by functions, so that a test can be one.
 *
 * NE1  A descriptor and its buffer are the card's from when the tail passes them until it says that it is done.
 * NE2  One descriptor of a ring stays free: head and tail that are the same mean an empty ring.
 * NE3  What the card says of a frame is held against its buffer; a frame that is longer is dropped whole. */
#ifndef VELLUM_HOST_E1000_H
#define VELLUM_HOST_E1000_H

#include "lib/e1000.h"

#define E1000_RING 64 /* descriptors; their bytes are a multiple of 128 ("Receive Descriptor Length") */
#define E1000_RINGS 4096u /* bytes: both */
#define E1000_MEMORY (E1000_RINGS + 2 * E1000_RING * E1000_BUFFER)

struct e1000 {
	uint32_t (*read)(unsigned reg);
	void (*write)(unsigned reg, uint32_t value);
	struct e1000_rx *rx;
	struct e1000_tx *tx;
	uint8_t *rx_buffer, *tx_buffer; /* one after the other */
	unsigned rx_next, tx_next;
	bool skips; /* the next descriptor is of a frame that began before it */
};

/* The card begins. .read and .write are there; memory is E1000_MEMORY zeroed bytes, 16-byte aligned and in one piece,
 * which the card has at address, and which stay. false: it does not answer. */
bool e1000_begin(struct e1000 *c, void *memory, uint64_t address);
/* Sends a copy of a frame of up to E1000_BUFFER bytes, without FCS. false: there is no room, and it was not sent. */
bool e1000_send(struct e1000 *c, const uint8_t *frame, uint32_t bytes);
/* Is there anything to receive? The card's interrupt is over then. */
bool e1000_heed(struct e1000 *c);
/* Tells frame() of those that have come, without FCS; of no more than the ring holds. */
void e1000_receive(struct e1000 *c, void (*frame)(const uint8_t *frame, uint32_t bytes));

#endif
