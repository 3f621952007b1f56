#include "tool/base/number.h"

#include <inttypes.h>
#include <stdio.h>

char *grouped(uint64_t value, char buffer[32])
{
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%" PRIu64, value), out = 0;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			buffer[out++] = ',';
		buffer[out++] = digits[i];
	}
	buffer[out] = 0;
	return buffer;
}

const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}
