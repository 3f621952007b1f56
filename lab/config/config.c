/* lab/config/config.c - the settings by name: one table made of the lists in lab/config/config.h. What their values
 * look like as text: lab/config/config_text.c. */
#include "lab/config/config_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab/wrap.h"
#include "lib/base.h"

struct setting {
	const char *key, *value, *help;
	size_t offset;
	enum lab_type type;
};

static const struct setting settings[] = {
#define S(type, field, key, value, help) { key, value, help, offsetof(struct lab_config, field), LAB_TYPE_##type },
	LAB_RUN_SETTINGS(S)
#undef S
#define S(type, field, key, value, help) { key, value, help, offsetof(struct lab_config, hv.field), LAB_TYPE_##type },
		LAB_HYPERVISOR_SETTINGS(S)
#undef S
#define S(type, field, key, value, help) \
	{ key, value, help, offsetof(struct lab_config, guest.field), LAB_TYPE_##type },
			LAB_GUEST_SETTINGS(S)
#undef S
#define S(type, field, key, value, help) \
	{ key, value, help, offsetof(struct lab_config, machine.field), LAB_TYPE_##type },
				LAB_MACHINE_SETTINGS(S)
#undef S
};

static char *value_of(const struct lab_config *config, const struct setting *s)
{
	return lab_type_print(s->type, (const char *)config + s->offset);
}

static const struct setting *find(const char *key)
{
	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(settings[i].key, key))
			return &settings[i];
	return NULL;
}

/* The name, of those that name(0), name(1), ... gives up to NULL, that shares the longest piece with what was asked
 * for, if that is half of it; NULL: none. */
static const char *nearest(const char *asked, const char *(*name)(unsigned index))
{
	const char *best = NULL, *one;
	size_t most = (strlen(asked) - 1) / 2;

	for (unsigned i = 0; (one = name(i)); i++) {
		for (const char *at = one; *at; at++) {
			for (const char *from = asked; *from; from++) {
				size_t n = 0;

				while (at[n] && at[n] == from[n])
					n++;
				if (n > most) {
					most = n;
					best = one;
				}
			}
		}
	}
	return best;
}

bool lab_unknown(const char *what, const char *asked, const char *(*name)(unsigned index), const char *list,
		 struct lab_error *error)
{
	const char *near = *asked ? nearest(asked, name) : NULL;

	if (near)
		return lab_fail(error, "there is no %s '%s' (perhaps %s was meant); %s shows all", what, asked, near,
				list);
	return lab_fail(error, "there is no %s '%s'; %s shows all", what, asked, list);
}

static bool assign(struct lab_config *config, char *line, bool *seen, struct lab_error *error);

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
			BUG_ON(!lab_type_parse(settings[i].type, settings[i].value,
					       (char *)config + settings[i].offset));
	for (const char *at = p->settings; *at;) {
		size_t n = strcspn(at, "\n");
		char *line = strndup(at, n);
		bool ok = line && assign(config, line, NULL, error);

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
	union {
		uint64_t count;
		double number;
		bool flag;
		uint8_t byte;
		struct lab_geometry shape;
		char text[LAB_TEXT_SIZE];
	} v;

	if (!s)
		return lab_unknown("setting", key, lab_config_key, "vellum lab run --settings", error);
	if (!strcmp(key, "machine.preset"))
		return load_preset(config, value, error);
	/* A value that is refused leaves the old one. */
	if (!lab_type_parse(s->type, value, &v))
		return lab_fail(error, "%s cannot be '%s': it takes %s", key, value, lab_type_takes(s->type));
	memcpy((char *)config + s->offset, &v, lab_type_size(s->type));
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

/* One line of a file: a setting, a comment, or nothing. Writes into line. seen: which settings the file has had; NULL:
 * nobody asks. */
static bool assign(struct lab_config *config, char *line, bool *seen, struct lab_error *error)
{
	char *comment = line, *equals;
	const struct setting *s;

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
	line = trim(line);
	s = find(line);
	if (s && seen && seen[s - settings])
		return lab_fail(error, "%s is set twice", line);
	if (s && seen)
		seen[s - settings] = true;
	return lab_config_set(config, line, trim(equals + 1), error);
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
	ssize_t length;
	unsigned number = 0;
	bool ok = true, seen[ARRAY_SIZE(settings)] = { false };

	if (!f)
		return lab_fail(error, "cannot read the configuration %s: %s", path, strerror(errno));
	while (ok && (length = getline(&line, &room, f)) >= 0) {
		number++;
		ok = strlen(line) == (size_t)length ? assign(config, line, seen, &inner)
						    : lab_fail(&inner, "it holds a zero byte: this is not a text");
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
		BUG_ON(!lab_type_parse(settings[i].type, settings[i].value, (char *)config + settings[i].offset));
	BUG_ON(!load_preset(config, config->machine.preset, NULL));
}

/* A value stays whole; its comment goes on in lines of comment. */
static void write_line(const struct setting *s, const char *value, FILE *out)
{
	int start = fprintf(out, "%-24s = %-12s ", s->key, value);
	char comment[512];

	snprintf(comment, sizeof(comment), "# %s", s->help);
	if (start > 60) {
		fprintf(out, "\n%40s", "");
		start = 40;
	}
	lab_wrap(comment, start < 0 ? 0 : (size_t)start, 40, "# ", out);
}

void lab_config_write(const struct lab_config *config, const char *prefix, FILE *out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++) {
		char *text;

		if (strncmp(settings[i].key, prefix, strlen(prefix)))
			continue;
		text = value_of(config, &settings[i]);
		write_line(&settings[i], text ? text : "", out);
		free(text);
	}
}

char *lab_config_get(const struct lab_config *config, const char *key)
{
	const struct setting *s = find(key);

	return s ? value_of(config, s) : NULL;
}

const char *lab_config_key(unsigned index)
{
	return index < ARRAY_SIZE(settings) ? settings[index].key : NULL;
}
