/* vm/config/memory.c - the keys about a machine's share of the memory: what it keeps, what it may have, and where its
 * pages go that it must give back. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

static unsigned unit_bits(char c)
{
	switch (c) {
	case 'K': case 'k': return 10;
	case 'M': case 'm': case '\0': return 20;
	case 'G': case 'g': return 30;
	default: return 0;
	}
}

/* As mem is given: a number of megabytes, or with K, M or G. */
static bool read_bytes(uint64_t *bytes, const char *value)
{
	const char *p = value;
	uint64_t n = 0;
	unsigned bits;

	for (; *p >= '0' && *p <= '9'; p++)
		n = n <= CONFIG_MEM_MAX ? n * 10 + (uint64_t)(*p - '0') : n;
	bits = unit_bits(*p);
	if (p == value || !bits || (*p && p[1]) || VM_KEPT(CONFIG_SIZE_MOST, n > CONFIG_MEM_MAX >> bits))
		return false;
	*bytes = n << bits;
	return VM_LEFT_OUT_OR(CONFIG_SIZE_PAGES, *bytes % PAGE_SIZE == 0);
}

static bool set_bytes(uint64_t *bytes, const char *key, const char *value, char *error, size_t error_size)
{
	uint64_t n;

	if (!read_bytes(&n, value)) {
		fmt(error, error_size, "%s must be a number of megabytes, or with K, M or G, in pages of 4K and up to "
		    "%lluG, not \"%.40s\"", key, CONFIG_MEM_MAX >> 30, value);
		return false;
	}
	*bytes = n;
	return true;
}

bool config_set_reservation(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	return set_bytes(&vm->reservation, "reservation", value, error, error_size);
}

bool config_set_zpool(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	return set_bytes(&vm->zpool, "zpool", value, error, error_size);
}

bool config_set_limit(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	uint64_t n;

	if (!set_bytes(&n, "limit", value, error, error_size))
		return false;
	if (VM_KEPT(CONFIG_LIMIT_LEAST, n < CONFIG_MEM_MIN)) {
		fmt(error, error_size, "limit %.40s is too little: a machine needs at least %lluM", value,
		    CONFIG_MEM_MIN >> 20);
		return false;
	}
	vm->limit = n;
	return true;
}

bool config_set_swap(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	unsigned channel, unit;

	if (VM_KEPT(CONFIG_SWAP_PLACE, !config_disk_place(value, &channel, &unit))) {
		fmt(error, error_size, "swap is the place of a disk, " CONFIG_DISK_PLACES ", not \"%.40s\"", value);
		return false;
	}
	fmt(vm->swap, sizeof(vm->swap), "%s", value);
	return true;
}

const char *const config_balloons[CONFIG_BALLOONS] = { "off", "on", "oom" };

bool config_set_balloon(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	for (unsigned n = 0; n < CONFIG_BALLOONS; n++)
		if (strcmp(value, config_balloons[n]) == 0) {
			vm->balloon = (enum config_balloon)n;
			return true;
		}
	fmt(error, error_size, "balloon must be on, off or oom, not \"%.40s\"", value);
	return false;
}

bool config_check_memory(const struct vm_config *vm, char *error, size_t error_size)
{
	if (VM_KEPT(CONFIG_RESERVED_MOST, vm->reservation > (vm->limit ? min_u64(vm->limit, vm->mem) : vm->mem))) {
		fmt(error, error_size, "%s is to keep %luM by reservation, which is more than it may have", vm->name,
		    vm->reservation >> 20);
		return false;
	}
	if (VM_KEPT(CONFIG_LIMIT_LESS, vm->limit > vm->mem)) {
		fmt(error, error_size, "%s has %luM of RAM, and may have %luM of it in memory by limit: give it less, "
		    "or no limit", vm->name, vm->mem >> 20, vm->limit >> 20);
		return false;
	}
	if (VM_KEPT(CONFIG_SWAP_STAYS, (vm->swap[0] || vm->limit || vm->balloon) && vm->prealloc == CONFIG_ON)) {
		fmt(error, error_size, "%s has prealloc, so its RAM stays where it is: swap, limit and balloon are for "
		    "others", vm->name);
		return false;
	}
	return true;
}
