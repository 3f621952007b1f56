/* A virtio disk under libFuzzer: registers of both layouts, the configuration space, rings and descriptors in guest
 * memory, what the medium does, at any time. Nothing may crash, an access does a bounded amount of work, and each
 * request that was taken is answered or taken back. */
#include "test/fuzz/rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/unit/dev/virtio/driver.h"

#define STEPS_MAX 200
#define MEDIUM_STEPS_MAX 20000 /* for all that a ring may hold: 32 requests of the whole disk, a piece each */

static void begin(struct input *in)
{
	uint64_t features = rig->blk.device.offered;

	if (in_bool(in))
		features &= ~(uint64_t)in32(in) | BIT(VIRTIO_F_VERSION_1);
	driver_programs(features);
}

static void register_access(struct input *in)
{
	unsigned how = in8(in), size = 1u << how % 4, at = how & 8 ? in8(in) % 60 : in16(in) % VIRTIO_BAR_BYTES;

	if (how & 0x10)
		bar_in(at, size);
	else
		bar_out(at, size, how & 0x20 ? in_bytes(in, 8) : in8(in));
}

static void port_access(struct input *in)
{
	unsigned how = in8(in), size = 1u << how % 3, at = in8(in) % VIRTIO_PORTS;

	if (how & 0x10)
		port_in(at, size);
	else
		port_out(at, size, how & 0x20 ? in32(in) : in8(in));
}

static void space_access(struct input *in)
{
	unsigned how = in8(in), size = 1u << how % 3, reg = (how & 8 ? VIRTIO_CAP_MSIX + in8(in) % 104 : in8(in)) & ~3u;

	if (how & 0x10)
		config_in(reg, size);
	else
		config_out(reg, size, how & 0x20 ? in32(in) : in8(in));
}

static void table_access(struct input *in)
{
	unsigned how = in8(in), size = 1u << how % 4, at = how & 8 ? in8(in) % 40 : in16(in) % MSIX_BAR_BYTES;

	if (how & 0x10)
		mmio_read(&rig->mmio, MSIX_AT + at, size);
	else
		mmio_write(&rig->mmio, MSIX_AT + at, size, in_bytes(in, 8));
}

/* Where a descriptor points. */
static uint64_t address(struct input *in)
{
	static const uint64_t odd[] = { 0, GUEST_ROM - 300, GUEST_ROM, GUEST_RAM - 17, GUEST_RAM, 0xfee00000,
					~0ull - 99, 1ull << 63, DESC, AVAIL, USED, HEADERS, INDIRECT };
	unsigned how = in8(in);

	return how & 0x80 ? odd[how % ARRAY_SIZE(odd)] : HEADERS + 16u * how;
}

static void write_descriptor(struct input *in)
{
	unsigned how = in8(in);
	uint32_t bytes = how & 0x80 ? in32(in) : how & 0x40 ? 512u * in8(in) : 16;

	descriptor(how & 0x20 ? INDIRECT : DESC, how % (RING_SIZE + 1), address(in), bytes, in8(in), in8(in) % 20);
}

static void write_memory(struct input *in)
{
	static const uint32_t where[] = { AVAIL, USED, HEADERS, INDIRECT, DESC };
	unsigned how = in8(in);

	put16(where[how % ARRAY_SIZE(where)] + in8(in) * 2, how & 0x80 ? in16(in) : in8(in));
}

/* A request as a driver makes it; what follows may change it. */
static void write_request(struct input *in)
{
	static const uint8_t types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
					 VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, 99 };
	unsigned how = in8(in), n = how % 5 * 3, type = types[in8(in) % sizeof(types)];
	uint64_t header = HEADERS + 32 * n;

	put(header, &(uint32_t[]){ type, 0, in16(in), 0 }, 16);
	descriptor(DESC, n, header, 16, VIRTQ_DESC_F_NEXT, n + 1);
	descriptor(DESC, n + 1, address(in), how & 0x80 ? 512u * in8(in) : in8(in),
		   VIRTQ_DESC_F_NEXT | (how & 0x40 ? VIRTQ_DESC_F_WRITE : 0), n + 2);
	descriptor(DESC, n + 2, header + 16, 1, VIRTQ_DESC_F_WRITE, 0);
	offer_quietly((uint16_t)n);
}

static void notify(struct input *in) { port_out(in_bool(in) ? VIRTIO_PORT_MODERN_NOTIFY : VIRTIO_PORT_NOTIFY, 2, 0); }

static void medium_works(struct input *in)
{
	unsigned how = in8(in);

	rig->medium.fail = how & 1;
	rig->medium.refuse = how & 2;
	rig->guest.inside = false;
	medium_end(&rig->medium);
	rig->guest.inside = true;
}

static void check(void)
{
	unsigned free = 0;

	for (const struct virtio_blk_slot *s = rig->blk.free; s; s = s->next)
		free++;
	if (free + rig->blk.busy != VIRTIO_BLK_SLOTS)
		fail_with("a slot is lost");
	if (rig->line[11] != (rig->pci.isr && !rig->pci.msix.enabled))
		fail_with("the pin is not what the ISR status says");
	if (rig->pci.msix.pending >> rig->pci.msix.vectors)
		fail_with("a vector that there is not is pending");
}

/* All that is under way ends. */
static void drain(void)
{
	unsigned n = 0;

	rig->medium.refuse = false;
	rig->guest.inside = false;
	while (medium_end(&rig->medium))
		if (++n > MEDIUM_STEPS_MAX)
			fail_with("the medium works without end");
	rig->guest.inside = true;
	if (rig->blk.busy || rig->medium.queue.state != BLOCK_IDLE)
		fail_with("a request is neither answered nor under way");
	check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const what[])(struct input *) = {
		begin, register_access, port_access, space_access, table_access, write_descriptor, write_memory,
		write_request, write_request, notify, notify, medium_works,
	};

	rig_fuzz(&(struct rig_steps){ what, ARRAY_SIZE(what), STEPS_MAX, check, drain }, data, size);
	return 0;
}
