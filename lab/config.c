/* lab/config.c - the settings by name: one table made of the lists in lab/config.h, and one function a type for reading and
 * writing their text. */
#include "lab/config.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"

enum type {
	TYPE_COUNT, TYPE_CYCLES, TYPE_RATIO, TYPE_FLAG, TYPE_SHAPE, TYPE_BYTES, TYPE_PAGES, TYPE_HOLDS, TYPE_NAME, TYPE_TEXT,
};

struct setting {
	const char *key, *value, *help;
	size_t offset;
	enum type type;
};

static const struct setting settings[] = {
#define S(type, field, key, value, help) { key, value, help, offsetof(struct lab_config, field), TYPE_##type },
	LAB_RUN_SETTINGS(S)
#undef S
#define S(type, field, key, value, help) { key, value, help, offsetof(struct lab_config, hv.field), TYPE_##type },
	LAB_HYPERVISOR_SETTINGS(S)
#undef S
#define S(type, field, key, value, help) { key, value, help, offsetof(struct lab_config, guest.field), TYPE_##type },
	LAB_GUEST_SETTINGS(S)
#undef S
#define S(type, field, key, value, help) { key, value, help, offsetof(struct lab_config, machine.field), TYPE_##type },
	LAB_MACHINE_SETTINGS(S)
#undef S
};

#define NAME_SIZE 64
#define TEXT_SIZE 512

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

static bool parse(enum type type, const char *text, void *out)
{
	switch (type) {
	case TYPE_COUNT: return lab_parse_count(text, out);
	case TYPE_CYCLES: return parse_number(text, out);
	case TYPE_RATIO: return parse_ratio(text, out);
	case TYPE_FLAG: return parse_flag(text, out);
	case TYPE_SHAPE: return parse_shape(text, 1, out);
	case TYPE_BYTES: return parse_shape(text, 64, out);
	case TYPE_PAGES: return parse_pages(text, out);
	case TYPE_HOLDS: return parse_holds(text, out);
	case TYPE_NAME: return parse_text(text, out, NAME_SIZE);
	case TYPE_TEXT: return parse_text(text, out, TEXT_SIZE);
	}
	return false;
}

static size_t type_size(enum type type)
{
	switch (type) {
	case TYPE_COUNT:
	case TYPE_CYCLES:
	case TYPE_RATIO: return 8;
	case TYPE_SHAPE:
	case TYPE_BYTES: return sizeof(struct lab_geometry);
	case TYPE_FLAG: return sizeof(bool);
	case TYPE_PAGES:
	case TYPE_HOLDS: return 1;
	case TYPE_NAME: return NAME_SIZE;
	case TYPE_TEXT: return TEXT_SIZE;
	}
	return 0;
}

static const char *what_it_takes(enum type type)
{
	switch (type) {
	case TYPE_COUNT: return "a whole number, with k, M, G or T after it if need be";
	case TYPE_CYCLES: return "a number that is not negative";
	case TYPE_RATIO: return "a number from 0 to 1, or a percentage";
	case TYPE_FLAG: return "on or off";
	case TYPE_SHAPE: return "ENTRIES/WAYS, ENTRIES/full or 0, where the ways divide the entries (1536/12)";
	case TYPE_BYTES: return "BYTES/WAYS or 0, in lines of 64 bytes which the ways divide (256K/8)";
	case TYPE_PAGES: return "4k, 2m or 1g";
	case TYPE_HOLDS: return "page sizes joined by + (4k+2m), or none";
	case TYPE_NAME: return "a name of at most 63 characters";
	case TYPE_TEXT: return "a text of at most 511 characters";
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
		n = g->ways == g->entries ? asprintf(&text, "%u/full", g->entries) : asprintf(&text, "%u/%u", g->entries, g->ways);
	else
		n = g->ways == g->entries ? asprintf(&text, "%s/full", entries) : asprintf(&text, "%s/%u", entries, g->ways);
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

static char *value_text(const struct lab_config *config, const struct setting *s)
{
	const void *p = (const char *)config + s->offset;
	char *text = NULL;

	switch (s->type) {
	case TYPE_COUNT: return count_text(*(const uint64_t *)p);
	case TYPE_CYCLES:
	case TYPE_RATIO: return asprintf(&text, "%.12g", *(const double *)p) < 0 ? NULL : text;
	case TYPE_FLAG: return strdup(*(const bool *)p ? "on" : "off");
	case TYPE_SHAPE: return shape_text(p, 1);
	case TYPE_BYTES: return shape_text(p, 64);
	case TYPE_PAGES: return strdup(pages_text(*(const uint8_t *)p));
	case TYPE_HOLDS: return holds_text(*(const uint8_t *)p);
	case TYPE_NAME:
	case TYPE_TEXT: return strdup(p);
	}
	return NULL;
}

/* ---- by key ---- */

static const struct setting *find(const char *key)
{
	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(settings[i].key, key))
			return &settings[i];
	return NULL;
}

/* The keys that share the longest piece with what was asked for are those that were meant. */
static const char *nearest(const char *key)
{
	const char *best = settings[0].key;
	size_t most = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++) {
		for (const char *at = settings[i].key; *at; at++) {
			for (const char *from = key; *from; from++) {
				size_t n = 0;

				while (at[n] && at[n] == from[n])
					n++;
				if (n > most) {
					most = n;
					best = settings[i].key;
				}
			}
		}
	}
	return best;
}

static bool assign(struct lab_config *config, char *line, struct lab_error *error);

static bool load_preset(struct lab_config *config, const char *name, struct lab_error *error)
{
	const struct lab_preset *p = lab_presets;
	char names[256] = "";

	for (; p->name && strcmp(p->name, name); p++) {
		strncat(names, names[0] ? ", " : "", sizeof(names) - strlen(names) - 1);
		strncat(names, p->name, sizeof(names) - strlen(names) - 1);
	}
	if (!p->name)
		return lab_fail(error, "there is no preset '%s'; there are %s", name, names);
	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strncmp(settings[i].key, "machine.", 8))
			BUG_ON(!parse(settings[i].type, settings[i].value, (char *)config + settings[i].offset));
	for (const char *at = p->settings; *at;) {
		size_t n = strcspn(at, "\n");
		char *line = strndup(at, n);
		bool ok = line && assign(config, line, error);

		free(line);
		if (!ok)
			return false;
		at += n + (at[n] == '\n');
	}
	snprintf(config->machine.preset, sizeof(config->machine.preset), "%s", p->name);
	return true;
}

bool lab_config_set(struct lab_config *config, const char *key, const char *value, struct lab_error *error)
{
	const struct setting *s = find(key);
	union { uint64_t count; double number; bool flag; uint8_t byte; struct lab_geometry shape; char text[TEXT_SIZE]; } v;

	if (!s)
		return lab_fail(error, "there is no setting '%s' (perhaps %s was meant)", key, nearest(key));
	if (!strcmp(key, "machine.preset"))
		return load_preset(config, value, error);
	/* A value that is refused leaves the old one. */
	if (!parse(s->type, value, &v))
		return lab_fail(error, "%s cannot be '%s': it takes %s", key, value, what_it_takes(s->type));
	memcpy((char *)config + s->offset, &v, type_size(s->type));
	return true;
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t\r");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	return s;
}

/* One line of a file: a setting, a comment, or nothing. Writes into line. */
static bool assign(struct lab_config *config, char *line, struct lab_error *error)
{
	char *comment = line, *equals;

	/* A # inside a value (of a file name, say) is no comment. */
	while ((comment = strchr(comment, '#')) && comment > line && !strchr(" \t", comment[-1]))
		comment++;
	if (comment)
		*comment = '\0';
	line = trim(line);
	if (!*line)
		return true;
	equals = strchr(line, '=');
	if (!equals)
		return lab_fail(error, "'%s' is not of the form key = value", line);
	*equals = '\0';
	return lab_config_set(config, trim(line), trim(equals + 1), error);
}

bool lab_config_assign(struct lab_config *config, const char *assignment, struct lab_error *error)
{
	const char *equals = strchr(assignment, '=');
	char *line;
	bool ok;

	if (!equals)
		return lab_fail(error, "'%s' is not of the form key=value", assignment);
	line = strdup(assignment);
	if (!line)
		return lab_fail(error, "out of memory");
	line[equals - assignment] = '\0';
	ok = lab_config_set(config, trim(line), trim(line + (equals - assignment) + 1), error);
	free(line);
	return ok;
}

bool lab_config_read(struct lab_config *config, const char *path, struct lab_error *error)
{
	FILE *f = fopen(path, "r");
	struct lab_error inner = { "" };
	char *line = NULL;
	size_t room = 0;
	unsigned number = 0;
	bool ok = true;

	if (!f)
		return lab_fail(error, "cannot read the configuration %s: %s", path, strerror(errno));
	while (ok && getline(&line, &room, f) >= 0) {
		number++;
		ok = assign(config, line, &inner);
	}
	if (ok && ferror(f))
		ok = lab_fail(error, "cannot read the configuration %s: %s", path, strerror(errno));
	else if (!ok)
		lab_fail(error, "%.200s, line %u: %.280s", path, number, inner.text);
	free(line);
	fclose(f);
	return ok;
}

void lab_config_init(struct lab_config *config)
{
	memset(config, 0, sizeof(*config));
	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++)
		BUG_ON(!parse(settings[i].type, settings[i].value, (char *)config + settings[i].offset));
	BUG_ON(!load_preset(config, config->machine.preset, NULL));
}

void lab_config_write(const struct lab_config *config, const char *prefix, bool help, FILE *out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++) {
		char *text;

		if (strncmp(settings[i].key, prefix, strlen(prefix)))
			continue;
		text = value_text(config, &settings[i]);
		if (help)
			fprintf(out, "%-24s = %-12s # %s\n", settings[i].key, text ? text : "", settings[i].help);
		else
			fprintf(out, "%s = %s\n", settings[i].key, text ? text : "");
		free(text);
	}
}

char *lab_config_get(const struct lab_config *config, const char *key)
{
	const struct setting *s = find(key);

	return s ? value_text(config, s) : NULL;
}

const char *lab_config_key(unsigned index)
{
	return index < ARRAY_SIZE(settings) ? settings[index].key : NULL;
}
