/* lab/config/config_text.c - the types of settings: their values as text, read and written, one function a type. */
#include "lab/config/config_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- text to value ---- */

bool lab_parse_count(const char *text, uint64_t *out)
{
	static const char units[] = "kmgt";
	const char *unit;
	char *end;
	double v;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 0);
	if (*end == '\0')
		return errno == 0;
	v = strtod(text, &end);
	unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	if (!unit || end[1] != '\0')
		return false;
	v *= (double)(1ull << 10 * (unit - units + 1));
	if (!(v < 18e18) || v != floor(v))
		return false;
	*out = (uint64_t)v;
	return true;
}

static bool parse_number(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(*out) && *out >= 0 && *out <= 1e12;
}

static bool parse_ratio(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	if (end != text && end[0] == '%' && end[1] == '\0')
		*out /= 100;
	else if (end == text || *end != '\0')
		return false;
	return *out >= 0 && *out <= 1;
}

static bool parse_flag(const char *text, bool *out)
{
	*out = !strcmp(text, "on") || !strcmp(text, "yes") || !strcmp(text, "1");
	return *out || !strcmp(text, "off") || !strcmp(text, "no") || !strcmp(text, "0");
}

/* unit: bytes of an entry. */
static bool parse_shape(const char *text, unsigned unit, struct lab_geometry *out)
{
	char left[32], *slash;
	uint64_t entries, ways;

	if (!strcmp(text, "0") || !strcmp(text, "none")) {
		*out = (struct lab_geometry){ 0, 0 };
		return true;
	}
	if (strlen(text) >= sizeof(left))
		return false;
	memcpy(left, text, strlen(text) + 1);
	slash = strchr(left, '/');
	if (!slash)
		return false;
	*slash++ = '\0';
	if (!lab_parse_count(left, &entries) || entries % unit)
		return false;
	entries /= unit;
	if (!strcmp(slash, "full"))
		ways = entries;
	else if (!lab_parse_count(slash, &ways))
		return false;
	if (!entries || entries > 1u << 24 || !ways || entries % ways || ways > 4096)
		return false;
	*out = (struct lab_geometry){ (uint32_t)entries, (uint32_t)ways };
	return true;
}

static bool parse_pages(const char *text, uint8_t *out)
{
	*out = !strcmp(text, "4k") || !strcmp(text, "4K") ? 12 : !strcmp(text, "2m") || !strcmp(text, "2M") ? 21 :
	       !strcmp(text, "1g") || !strcmp(text, "1G") ? 30 : 0;
	return *out != 0;
}

static bool parse_holds(const char *text, uint8_t *out)
{
	const char *p = text;

	*out = 0;
	if (!strcmp(text, "none"))
		return true;
	for (;; p += 3) {
		char size[3] = { 0 };
		uint8_t shift;

		if (strlen(p) < 2)
			return false;
		memcpy(size, p, 2);
		if (!parse_pages(size, &shift))
			return false;
		*out |= 1u << (shift - 12) / 9;
		if (p[2] == '\0')
			return true;
		if (p[2] != '+')
			return false;
	}
}

static bool parse_text(const char *text, char *out, size_t size)
{
	if (strlen(text) >= size)
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

bool lab_type_parse(enum lab_type type, const char *text, void *out)
{
	switch (type) {
	case LAB_TYPE_COUNT: return lab_parse_count(text, out);
	case LAB_TYPE_CYCLES: return parse_number(text, out);
	case LAB_TYPE_RATIO: return parse_ratio(text, out);
	case LAB_TYPE_FLAG: return parse_flag(text, out);
	case LAB_TYPE_SHAPE: return parse_shape(text, 1, out);
	case LAB_TYPE_BYTES: return parse_shape(text, 64, out);
	case LAB_TYPE_PAGES: return parse_pages(text, out);
	case LAB_TYPE_HOLDS: return parse_holds(text, out);
	case LAB_TYPE_NAME: return parse_text(text, out, LAB_NAME_SIZE);
	case LAB_TYPE_TEXT: return parse_text(text, out, LAB_TEXT_SIZE);
	}
	return false;
}

size_t lab_type_size(enum lab_type type)
{
	switch (type) {
	case LAB_TYPE_COUNT:
	case LAB_TYPE_CYCLES:
	case LAB_TYPE_RATIO: return 8;
	case LAB_TYPE_SHAPE:
	case LAB_TYPE_BYTES: return sizeof(struct lab_geometry);
	case LAB_TYPE_FLAG: return sizeof(bool);
	case LAB_TYPE_PAGES:
	case LAB_TYPE_HOLDS: return 1;
	case LAB_TYPE_NAME: return LAB_NAME_SIZE;
	case LAB_TYPE_TEXT: return LAB_TEXT_SIZE;
	}
	return 0;
}

const char *lab_type_takes(enum lab_type type)
{
	switch (type) {
	case LAB_TYPE_COUNT: return "a whole number, with k, M, G or T after it if need be";
	case LAB_TYPE_CYCLES: return "a number from 0 to 1e12";
	case LAB_TYPE_RATIO: return "a number from 0 to 1, or a percentage";
	case LAB_TYPE_FLAG: return "on or off";
	case LAB_TYPE_SHAPE: return "ENTRIES/WAYS, ENTRIES/full or 0, where the ways divide the entries (1536/12)";
	case LAB_TYPE_BYTES: return "BYTES/WAYS or 0, in lines of 64 bytes which the ways divide (256K/8)";
	case LAB_TYPE_PAGES: return "4k, 2m or 1g";
	case LAB_TYPE_HOLDS: return "page sizes joined by + (4k+2m), or none";
	case LAB_TYPE_NAME: return "a name of at most 63 characters";
	case LAB_TYPE_TEXT: return "a text of at most 511 characters";
	}
	return "";
}

/* ---- value to text ---- */

static char *count_text(uint64_t v)
{
	static const char units[] = "\0kMGT";
	unsigned unit = 0;
	char *text;

	while (unit < 4 && v && v % 1024 == 0) {
		v /= 1024;
		unit++;
	}
	return asprintf(&text, "%llu%.1s", (unsigned long long)v, &units[unit]) < 0 ? NULL : text;
}

static char *shape_text(const struct lab_geometry *g, unsigned unit)
{
	char *text, *entries = count_text((uint64_t)g->entries * unit);
	int n;

	if (!g->entries)
		n = asprintf(&text, "0");
	else if (unit == 1)
		n = g->ways == g->entries ? asprintf(&text, "%u/full", g->entries)
					  : asprintf(&text, "%u/%u", g->entries, g->ways);
	else
		n = g->ways == g->entries ? asprintf(&text, "%s/full", entries)
					  : asprintf(&text, "%s/%u", entries, g->ways);
	free(entries);
	return n < 0 ? NULL : text;
}

static const char *pages_text(uint8_t shift)
{
	return shift == 12 ? "4k" : shift == 21 ? "2m" : "1g";
}

static char *holds_text(uint8_t holds)
{
	char text[16] = "";

	for (unsigned i = 0; i < 3; i++) {
		if (!(holds & 1u << i))
			continue;
		if (text[0])
			strcat(text, "+");
		strcat(text, pages_text(12 + 9 * i));
	}
	return strdup(text[0] ? text : "none");
}

char *lab_type_print(enum lab_type type, const void *p)
{
	char *text = NULL;

	switch (type) {
	case LAB_TYPE_COUNT: return count_text(*(const uint64_t *)p);
	case LAB_TYPE_CYCLES:
	case LAB_TYPE_RATIO: return asprintf(&text, "%.12g", *(const double *)p) < 0 ? NULL : text;
	case LAB_TYPE_FLAG: return strdup(*(const bool *)p ? "on" : "off");
	case LAB_TYPE_SHAPE: return shape_text(p, 1);
	case LAB_TYPE_BYTES: return shape_text(p, 64);
	case LAB_TYPE_PAGES: return strdup(pages_text(*(const uint8_t *)p));
	case LAB_TYPE_HOLDS: return holds_text(*(const uint8_t *)p);
	case LAB_TYPE_NAME:
	case LAB_TYPE_TEXT: return strdup(p);
	}
	return NULL;
}
