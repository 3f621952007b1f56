/* A driver of a virtio device for the bench: its queues in guest memory, its registers by BAR 4. */
#ifndef VELLUM_TEST_VM_VIRTIO_DRIVER_H
#define VELLUM_TEST_VM_VIRTIO_DRIVER_H

#include "test/unit/vm/fixture.h"

#include "dev/virtio/pci.h"
#include "test/unit/dev/virtio/steps.h"

#define DESC(q) (0x200000u + 0x4000u * (q))
#define AVAIL(q) (DESC(q) + 0x1000u)
#define USED(q) (DESC(q) + 0x2000u)
#define DATA 0x220000u
#define QUEUE_SIZE 64

/* Whose driver speaks, and of which virtual machine it is. */
static struct virtio_pci *device;
static struct vm *of;

static inline uint8_t *ram(uint64_t gpa) { return mmu_guest_ptr(&of->mmu, GPA(gpa), 1, true); }
static inline void put(uint64_t gpa, const void *p, size_t n) { memcpy(ram(gpa), p, n); }

static inline uint16_t get16(uint64_t gpa)
{
	uint16_t value;

	memcpy(&value, ram(gpa), sizeof(value));
	return value;
}

static inline void bar_out(unsigned offset, unsigned size, uint64_t value)
{
	platform_mmio_write(of->vcpu[0], device->pci.bar[VIRTIO_BAR].at + offset, size, value);
}

static inline void use_device(struct vm *vm, struct virtio_pci *pci)
{
	static const uint8_t zeroes[0x1000];

	of = vm;
	device = pci;
	step_agree(bar_out, pci->device->offered & ~BIT(VIRTIO_F_EVENT_IDX));
	for (unsigned q = 0; q < pci->device->queues; q++) {
		for (unsigned i = 0; i < 3; i++)
			put(DESC(q) + i * 0x1000, zeroes, sizeof(zeroes));
		bar_out(VIRTIO_COMMON_SELECT, 2, q);
		bar_out(VIRTIO_COMMON_SIZE, 2, min_u64(pci->device->queue_size, QUEUE_SIZE));
		bar_out(VIRTIO_COMMON_DESC, 8, DESC(q));
		bar_out(VIRTIO_COMMON_AVAIL, 8, AVAIL(q));
		bar_out(VIRTIO_COMMON_USED, 8, USED(q));
		bar_out(VIRTIO_COMMON_ENABLE, 2, 1);
	}
	bar_out(VIRTIO_COMMON_STATUS, 1, STATUS_READY);
}

static inline void describe_buffer(unsigned q, unsigned n, uint64_t gpa, uint32_t bytes, unsigned flags, unsigned next)
{
	struct { uint64_t gpa; uint32_t bytes; uint16_t flags, next; } d = { gpa, bytes, (uint16_t)flags,
									     (uint16_t)next };

	put(DESC(q) + VIRTQ_DESC_BYTES * n, &d, sizeof(d));
}

static inline void offer(unsigned q, unsigned head)
{
	unsigned size = device->device->queue[q].size;
	uint16_t at = get16(AVAIL(q) + VIRTQ_RING_IDX), idx = (uint16_t)(at + 1), h = (uint16_t)head;

	put(AVAIL(q) + VIRTQ_RING_ENTRIES + 2u * (at % size), &h, 2);
	put(AVAIL(q) + VIRTQ_RING_IDX, &idx, 2);
}

/* The notification, and the exit that it is. */
static inline void tell(unsigned q) { out_sized((uint16_t)(device->pci.bar[0].at + VIRTIO_PORT_MODERN_NOTIFY), 2, q); }

static inline unsigned used_count(unsigned q) { return get16(USED(q) + VIRTQ_RING_IDX); }

#endif
