/* A guest's driver of a virtio disk on the PCI bus, and all that is below: medium, disk, bus, ports and MMIO. */
#ifndef VELLUM_TEST_DRIVER_H
#define VELLUM_TEST_DRIVER_H

#include "dev/virtio/blk.h"
#include "dev/virtio/pci.h"
#include "test/unit/dev/block/medium.h"
#include "test/unit/dev/block/rig.h"
#include "test/unit/dev/virtio/steps.h"

#define RING_SIZE 16u /* what the driver makes of it */
#define DESC 0x10000u
#define AVAIL 0x11000u
#define USED 0x12000u
#define HEADERS 0x13000u /* 32 bytes a request: header and, behind it, status */
#define INDIRECT 0x14000u

#define PORTS_AT 0xc000u
#define MSIX_AT 0xc0000000u
#define BAR_AT 0xc0001000u

struct rig {
	struct medium medium;
	struct guest guest;
	struct virtio_blk blk;
	struct virtio_pci pci;
	struct pio_space pio;
	struct mmio_space mmio;
	struct ports ports;
	struct pci bus;
	bool line[16];
	unsigned messages;
	uint64_t message_address;
	uint32_t message_data;
	/* the driver's */
	uint16_t avail, seen;
};

extern struct rig *rig;

static inline uint32_t bar_in(unsigned offset, unsigned size)
{
	return (uint32_t)mmio_read(&rig->mmio, BAR_AT + offset, size);
}
static inline void bar_out(unsigned offset, unsigned size, uint64_t value)
{
	mmio_write(&rig->mmio, BAR_AT + offset, size, value);
}
static inline uint32_t port_in(unsigned offset, unsigned size)
{
	return pio_in(&rig->pio, (uint16_t)(PORTS_AT + offset), size);
}
static inline void port_out(unsigned offset, unsigned size, uint32_t value)
{
	pio_out(&rig->pio, (uint16_t)(PORTS_AT + offset), size, value);
}
/* Configuration space of the device, 00:03.0. */
uint32_t config_in(unsigned reg, unsigned size);
void config_out(unsigned reg, unsigned size, uint32_t value);

/* "Device Initialization", with these features, by BAR 4; the first does not look what comes of it. */
void driver_programs(uint64_t features);
void driver_begin(uint64_t features);
void put(uint64_t gpa, const void *p, size_t n);
void put16(uint64_t gpa, uint16_t v);
void put64(uint64_t gpa, uint64_t v);
uint16_t get16(uint64_t gpa);
void descriptor(uint64_t table, unsigned n, uint64_t gpa, uint32_t bytes, unsigned flags, unsigned next);
/* Makes the chain of this head available, and notifies. */
void offer(uint16_t head);
void offer_quietly(uint16_t head);
void kick(void);
/* A whole request in three descriptors from number n on; offered. bytes: 0 for none. */
void request(unsigned n, uint32_t type, uint64_t sector, uint64_t gpa, uint32_t bytes);
uint8_t status_of(unsigned n);
/* What was used since the last look; fails if that is not one, and of this head. Returns its length. */
uint32_t used(uint16_t head);
bool none_used(void);
bool needs_reset(void);

#endif
