/* vm/device/own_memory.h - the hypervisor's own memory, where a disk's requests have a guest's: segments hold addresses
 * of it. Nothing is read from a disk to it so. */
#ifndef VELLUM_VM_DEVICE_OWN_MEMORY_H
#define VELLUM_VM_DEVICE_OWN_MEMORY_H

#include "dev/block/block.h"
#include "lib/base.h"

static inline bool own_memory_read(void *ctx, uint64_t address, void *to, size_t n)
{
	(void)ctx;
	memcpy(to, (const void *)address, n);
	return true;
}

static inline bool own_memory_write(void *ctx, uint64_t address, const void *from, size_t n)
{
	(void)ctx;
	(void)address;
	(void)from;
	(void)n;
	return false;
}

static const struct guest_memory own_memory = { own_memory_read, own_memory_write, NULL };

#endif
