/* `vellum compare` from its beginning to its end. */
#include "tool/compare/compare.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tool/base/number.h"
#include "tool/base/output.h"

/* FNV-1a, over the files that decide the numbers: only results of the same ones may be put beside each other. */
static void fingerprint_file(uint64_t *hash, const char *path)
{
	struct bytes content = { 0 };

	if (!file_read(path, &content))
		return;         /* the run will say what is missing */
	for (size_t i = 0; i < content.length; i++)
		*hash = (*hash ^ (unsigned char)content.data[i]) * 0x100000001b3u;
	bytes_free(&content);
}

static void fingerprint(struct comparison *c)
{
	static const char *const files[] = { "vellum.elf",	     "guest/vmlinux",
					     "guest/initramfs.cpio", "guest/686-pae/vmlinux",
					     "guest/686/vmlinux",    "guest/i386/initramfs.cpio" };
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *path = i == 0 && c->hypervisor != NULL ? text("%s", c->hypervisor) :
							       text("%s/%s", program_directory(), files[i]);

		fingerprint_file(&hash, path);
		free(path);
	}
	for (size_t i = 0; i < c->value_count[AXIS_KERNEL]; i++)
		if (c->values[AXIS_KERNEL][i][0] != 0)
			fingerprint_file(&hash, c->values[AXIS_KERNEL][i]);
	if (c->from != NULL)
		fingerprint_file(&hash, c->from);
	c->fingerprint = text("%016llx ips=%s mem=%s append=%s%s", (unsigned long long)hash, c->ips,
			      c->mem != NULL ? c->mem : "", c->append != NULL ? c->append : "",
			      c->boots ? "" : " boot=once");
}

static void announce(const struct comparison *c)
{
	if (c->quiet)
		return;
	for (size_t i = 0; i < c->note_count; i++)
		say("%s", c->notes[i]);
	say("%zu run%s, %u at a time", c->count, plural(c->count), c->jobs);
}

static void write_with(const struct comparison *c, const char *path, void (*write)(const struct comparison *, FILE *))
{
	char *content = NULL;
	size_t length;
	FILE *out;

	if (path == NULL)
		return;
	out = open_memstream(&content, &length);
	if (out == NULL)
		die(STATUS_FAILED, "out of memory");
	write(c, out);
	fclose(out);
	file_write(path, content, length);
	free(content);
}

static void print_all(const struct comparison *c)
{
	struct crossing *x = allocate(sizeof *x);
	char *sentence, *prices;

	compare_table(c, stdout);
	for (size_t k = 0; k < CROSSING_KINDS; k++) {
		if (!compare_crossing(c, &crossing_kinds[k], x))
			continue;
		sentence = crossing_sentence(x);
		prices = crossing_prices(x);
		printf("%s\n%s\n", sentence, prices);
		free(sentence);
		free(prices);
	}
	fflush(stdout);
	free(x);
}

static void write_report(const struct comparison *c)
{
	write_with(c, c->html, compare_html);
	write_with(c, c->csv, compare_csv);
	if (c->svg != NULL)
		compare_svg(c, c->svg);
	if (c->html != NULL)
		say("the report is in %s", c->html);
}

static void write_json(const struct comparison *c, const char *path)
{
	char *json = compare_json(c);

	file_write(path, json, strlen(json));
	free(json);
}

/* What was interrupted, or has nothing in it, takes no other report's place; what there is can be resumed. */
static void write_part(const struct comparison *c, const char *why)
{
	bool own = c->resume != NULL && c->json != NULL && output_same(c->resume, c->json);
	char *path;

	if (c->json == NULL) {
		say("%s", why);
		return;
	}
	path = text("%s%s", c->json, file_exists(c->json) && !own ? ".partial" : "");
	write_json(c, path);
	say("%s; what there is is in %s; to go on: --resume %s", why, path, path);
	free(path);
}

static void free_all(struct comparison *c)
{
	for (size_t i = 0; i < c->count; i++) {
		measure_free(&c->cells[i].measure);
		cJSON_Delete(c->cells[i].run);
		free(c->cells[i].label);
		free(c->cells[i].why);
		free(c->cells[i].from);
		cJSON_Delete(c->cells[i].booted);
	}
	free(c->cells);
	free(c->command);
	free(c->fingerprint);
}

int compare_main(int argc, char **argv)
{
	static struct comparison c;
	int signal_number = 0, status;
	bool complete;

	compare_options(&c, argc, argv);
	compare_expand(&c);
	fingerprint(&c);
	if (c.resume != NULL)
		compare_resume(&c, c.resume);
	announce(&c);
	complete = compare_run(&c, &signal_number);
	compare_results(&c);
	print_all(&c);
	if (!complete || compare_failed(&c) == c.count) {
		write_part(&c, complete ? "no run succeeded" : "interrupted");
	} else {
		write_report(&c);
		if (c.json != NULL)
			write_json(&c, c.json);
	}
	status = compare_failed(&c) != 0;
	free_all(&c);
	return complete ? status : 128 + signal_number;
}
