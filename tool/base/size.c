#include "tool/base/size.h"

/* Digits up to the first other character, which *end is set to; false when there are none or they do not fit. */
static bool digits(const char *text, uint64_t *value, const char **end)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (v > (UINT64_MAX - (uint64_t)(*p - '0')) / 10)
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*value = v;
	*end = p;
	return p != text;
}

bool parse_number(const char *text, uint64_t *value)
{
	const char *end;

	return digits(text, value, &end) && *end == 0;
}

bool parse_size(const char *text, uint64_t *bytes)
{
	const char *end;
	uint64_t value;
	unsigned shift;

	if (!digits(text, &value, &end))
		return false;
	switch (*end) {
	case 'k': case 'K': shift = 10; break;
	case 'm': case 'M': shift = 20; break;
	case 'g': case 'G': shift = 30; break;
	case 0: shift = 20; break;
	default: return false;
	}
	if ((*end != 0 && end[1] != 0) || value == 0 || value > UINT64_MAX >> shift)
		return false;
	*bytes = value << shift;
	return true;
}
