/* lab/sweep/cellkey.c - what a cell's result is known by. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab/sweep/sweep.h"

static uint64_t hash(uint64_t sum, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 1099511628211ull;
	return sum;
}

#define HASH_BEGIN 14695981039346656037ull

bool lab_hash_file(const char *file, uint64_t *out, struct lab_error *error)
{
	FILE *f = fopen(file, "rb");
	char *buffer;
	size_t n;
	bool ok;

	if (!f)
		return lab_fail(error, "cannot read %s: %s", file, strerror(errno));
	buffer = malloc(1 << 16);
	if (!buffer)
		abort();
	*out = HASH_BEGIN;
	while ((n = fread(buffer, 1, 1 << 16, f)) > 0)
		*out = hash(*out, buffer, n);
	ok = !ferror(f) || lab_fail(error, "cannot read %s: %s", file, strerror(errno));
	free(buffer);
	fclose(f);
	return ok;
}

static bool identity(struct lab_identities *known, const char *file, uint64_t *out, struct lab_error *error)
{
	for (unsigned i = 0; i < known->count; i++) {
		if (!strcmp(known->known[i].file, file)) {
			*out = known->known[i].hash;
			return true;
		}
	}
	if (!lab_hash_file(file, out, error))
		return false;
	known->known = realloc(known->known, (known->count + 1) * sizeof(*known->known));
	if (!known->known)
		abort();
	known->known[known->count++] = (struct lab_identity){ strdup(file), *out };
	return true;
}

char *lab_cell_trace(const struct lab_config *config)
{
	const char *path = config->workload + 6, *skip;
	char *copy;

	if (strncmp(config->workload, "trace:", 6))
		return NULL;
	skip = strstr(path, ",skip=");
	copy = strndup(path, skip ? (size_t)(skip - path) : strlen(path));
	if (!copy)
		abort();
	return copy;
}

bool lab_cell_key(const struct lab_config *config, struct lab_identities *identities, char key[LAB_KEY_SIZE],
		  struct lab_error *error)
{
	uint64_t sum = HASH_BEGIN, trace = 0;
	char *path = lab_cell_trace(config);
	const char *rest = path ? config->workload + 6 + strlen(path) : NULL; /* ",skip=N", or "" */

	if (path && !identity(identities, path, &trace, error)) {
		free(path);
		return false;
	}
	free(path);
	for (unsigned i = 0; lab_config_key(i); i++) {
		char *value = lab_config_get(config, lab_config_key(i));

		if (!value)
			abort();
		sum = hash(sum, lab_config_key(i), strlen(lab_config_key(i)) + 1);
		if (rest && !strcmp(lab_config_key(i), "workload"))
			sum = hash(hash(sum, &trace, sizeof(trace)), rest, strlen(rest));
		else
			sum = hash(sum, value, strlen(value) + 1);
		free(value);
	}
	snprintf(key, LAB_KEY_SIZE, "%016llx", (unsigned long long)sum);
	return true;
}

void lab_identities_free(struct lab_identities *identities)
{
	for (unsigned i = 0; i < identities->count; i++)
		free(identities->known[i].file);
	free(identities->known);
	*identities = (struct lab_identities){ 0 };
}
