/* vm/config/turns.c - the keys about a machine's share of the CPUs: its weight, and whether its virtual CPUs wander. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

#define MIGRATE_MIN_US 100
#define MIGRATE_MAX_US 1000000000

/* Digits, and no more than max; returns what is behind them. */
static const char *read_up_to(const char *p, uint64_t max, uint64_t *n)
{
	for (*n = 0; *p >= '0' && *p <= '9'; p++)
		*n = *n <= max ? *n * 10 + (uint64_t)(*p - '0') : *n;
	return p;
}

static bool read_weight(unsigned *weight, const char *value, char *error, size_t error_size)
{
	uint64_t n;
	const char *end = read_up_to(value, CONFIG_WEIGHT_MAX, &n);

	if (end == value || *end || VM_KEPT(CONFIG_WEIGHT_RANGE, n < CONFIG_WEIGHT_MIN || n > CONFIG_WEIGHT_MAX)) {
		fmt(error, error_size, "weight must be a number from %u to %u, not \"%.40s\"", CONFIG_WEIGHT_MIN,
		    CONFIG_WEIGHT_MAX, value);
		return false;
	}
	*weight = (unsigned)n;
	return true;
}

bool config_set_weight(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	return read_weight(&vm->weight, value, error, error_size);
}

bool config_set_migrate_every(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	uint64_t n;
	const char *unit = read_up_to(value, MIGRATE_MAX_US, &n);
	bool us = strcmp(unit, "us") == 0;

	if (!us)
		n *= 1000;
	if (unit == value || (*unit && !us && strcmp(unit, "ms") != 0) ||
	    VM_KEPT(CONFIG_MIGRATE_RANGE, n < MIGRATE_MIN_US || n > MIGRATE_MAX_US)) {
		fmt(error, error_size, "migrate-every must be from %uus to %u ms, such as 20 or 500us, not \"%.40s\"",
		    MIGRATE_MIN_US, MIGRATE_MAX_US / 1000, value);
		return false;
	}
	vm->migrate_every = n;
	return true;
}

bool config_set_clock(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	vm->guest_clock = strcmp(value, "guest") == 0;
	if (vm->guest_clock || strcmp(value, "host") == 0)
		return true;
	fmt(error, error_size, "clock must be guest or host, not \"%.40s\"", value);
	return false;
}
