#include "tool/options/value.h"

#include <string.h>

#include "tool/base/size.h"
#include "tool/base/util.h"

uint64_t number_between(const char *option, const char *value, uint64_t low, uint64_t high)
{
	uint64_t number;

	if (!parse_number(value, &number) || number < low || number > high)
		die(STATUS_USAGE, "%s %s: must be a number from %llu to %llu", option, value, (unsigned long long)low,
		    (unsigned long long)high);
	return number;
}

uint64_t bytes_given(const char *option, const char *value)
{
	uint64_t bytes;

	if (!parse_size(value, &bytes))
		die(STATUS_USAGE, "%s %s: must be a number of megabytes, or with K, M or G", option, value);
	return bytes;
}

const char *one_of(const char *option, const char *value, const char *const *choices)
{
	struct bytes list = { 0 };

	for (size_t i = 0; choices[i] != NULL; i++) {
		if (strcmp(value, choices[i]) == 0)
			return choices[i];
		bytes_print(&list, "%s%s", i == 0 ? "" : " or ", choices[i]);
	}
	die(STATUS_USAGE, "%s %s: must be %s", option, value, list.data);
}
