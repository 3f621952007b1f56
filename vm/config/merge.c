/* vm/config/merge.c - the keys that say how fast a guest's pages are looked at, to find those that hold the same. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

/* Digits, of a number from 1 to most. */
static bool read(unsigned *to, const char *p, uint64_t most)
{
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		n = n <= most ? n * 10 + (uint64_t)(*p - '0') : n;
	*to = (unsigned)n;
	return !*p && VM_LEFT_OUT_OR(CONFIG_MERGE_RANGE, n && n <= most);
}

bool config_set_merge_rate(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	if (read(&vm->merge_rate, value, CONFIG_MERGE_RATE_MAX))
		return true;
	fmt(error, error_size, "merge-rate must be a number of pages a second from 1 to %u, not \"%.40s\"",
	    CONFIG_MERGE_RATE_MAX, value);
	return false;
}

bool config_set_merge_share(struct vm_config *vm, const char *value, char *error, size_t error_size)
{
	if (read(&vm->merge_share, value, 100))
		return true;
	fmt(error, error_size, "merge-share must be a number of per cent from 1 to 100, not \"%.40s\"", value);
	return false;
}
