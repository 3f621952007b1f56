/* vm/config/switch.c - the keys about changing the mechanism while the machine runs: a period, and a list of
 * mechanisms. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

#define PERIOD_MIN_US 100ull
#define PERIOD_MAX_US 1000000000ull
/* An instruction may need this many exits under tables that begin empty; fewer could never get past it. */
#define EXITS_MIN 32
#define EXITS_MAX 1000000000u

/* The names in mmu/'s table of mechanisms; kept here too because the hosted command does not link the mechanisms. */
const char *const config_mechanisms[] = { "ept", "npt", "shadow", "vtlb", "brute", NULL };

bool config_read_period(uint64_t *us, unsigned *exits, const char *value, char *error, size_t error_size)
{
	const char *p = value;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		n = n <= PERIOD_MAX_US ? n * 10 + (uint64_t)(*p - '0') : n;
	if (p != value && strcmp(p, "exits") == 0 && VM_LEFT_OUT_OR(CONFIG_EXITS_LEAST, n >= EXITS_MIN) &&
	    VM_LEFT_OUT_OR(CONFIG_EXITS_MOST, n <= EXITS_MAX)) {
		*exits = (unsigned)n;
		return true;
	}
	if (p == value || (VM_KEPT(CONFIG_UNIT, *p && strcmp(p, "us") != 0 && strcmp(p, "ms") != 0))) {
		fmt(error, error_size, "switch-every must be milliseconds, microseconds or VM exits (at least %u), "
		    "such as 20, 500us or 100exits, not \"%.40s\"",
		    EXITS_MIN, value);
		return false;
	}
	if (strcmp(p, "us") != 0)
		n *= 1000;
	if (VM_KEPT(CONFIG_PERIOD, n < PERIOD_MIN_US || n > PERIOD_MAX_US)) {
		fmt(error, error_size, "switch-every must be from %lluus to %llu ms, not %.40s", PERIOD_MIN_US,
		    PERIOD_MAX_US / 1000, value);
		return false;
	}
	*us = n;
	return true;
}

void config_print_period(uint64_t us, unsigned exits, char *buf, size_t size)
{
	if (exits)
		fmt(buf, size, "%uexits", exits);
	else
		fmt(buf, size, "%luus", us);
}

const char *config_next_among(const char *among, char *name)
{
	size_t n = 0;

	while (among[n] && among[n] != ',' && VM_LEFT_OUT_OR(CONFIG_AMONG_NAME, n < 15)) {
		name[n] = among[n];
		n++;
	}
	name[n] = '\0';
	while (among[n] && among[n] != ',')
		n++;
	return among[n] ? among + n + 1 : NULL;
}

static bool known(const char *name)
{
	for (size_t i = 0; config_mechanisms[i]; i++)
		if (strcmp(name, config_mechanisms[i]) == 0)
			return true;
	return false;
}

bool config_read_among(char *among, const char *value, char *error, size_t error_size)
{
	unsigned count = 0;
	char name[16];

	for (const char *p = value; p; count++) {
		p = config_next_among(p, name);
		if (VM_LEFT_OUT_OR(CONFIG_AMONG_KNOWN, known(name)))
			continue;
		fmt(error, error_size,
		    "switch-among must be mechanisms with commas between them, among ept, npt, shadow, vtlb and brute, "
		    "such as ept,shadow, not \"%.40s\"",
		    value);
		return false;
	}
	if (VM_KEPT(CONFIG_AMONG_LONG, count > CONFIG_SWITCHES_MAX || strlen(value) > CONFIG_SWITCH_AMONG_MAX)) {
		fmt(error, error_size, "switch-among names %u mechanisms, at most %u are possible", count,
		    CONFIG_SWITCHES_MAX);
		return false;
	}
	memcpy(among, value, strlen(value) + 1);
	return true;
}
