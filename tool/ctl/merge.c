#include "tool/ctl/merge.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/number.h"

enum { ASK_AGAIN_US = 50000 };

static const char *count_text(const cJSON *answer, const char *name)
{
	static char buffers[8][32];
	static unsigned next;

	return grouped((uint64_t)ctl_number(answer, name), buffers[next++ % 8]);
}

static void show(FILE *out, const cJSON *a)
{
	double scanned = ctl_number(a, "scanned"), ticks = ctl_number(a, "ticks");
	double shared = ctl_number(a, "shared_pages");

	fprintf(out, "%s: merging is %s%s; %s of its %s pages in memory are in shared frames\n", ctl_text(a, "vm"),
		ctl_text(a, "merging"),
		strcmp(ctl_text(a, "merging"), "off") == 0 && shared > 0 ? ", but there is no memory to end it for all"
									 : "",
		count_text(a, "shared_pages"), count_text(a, "resident_pages"));
	fprintf(out, "  %s looked at in %s rounds, %.0f ticks each; %s had changed\n", count_text(a, "scanned"),
		count_text(a, "rounds"), scanned > 0 ? ticks / scanned : 0, count_text(a, "unsteady"));
	fprintf(out, "  %s merged, %s offered, %s zero and given back, %s refused, %s parted by a write\n",
		count_text(a, "merged"), count_text(a, "offered"), count_text(a, "zero"), count_text(a, "refused"),
		count_text(a, "parted"));
}

static void show_machine(FILE *out, const cJSON *a, double bytes)
{
	double saved = ctl_number(a, "machine_pages") - ctl_number(a, "machine_frames");

	fprintf(out, "all: %s pages in %s frames, %.1f MB saved by that; %.2f MB taken for it\n",
		count_text(a, "machine_pages"), count_text(a, "machine_frames"), saved * 4096 / 1048576,
		(bytes + ctl_number(a, "table_bytes")) / 1048576);
}

/* The answer for one; NULL: error is a sentence. Waits until all its pages are its own again, where they are to be, and
 * its clock goes on. */
static cJSON *ask_one(struct ctl *ctl, const char *vm, const char *word, char **raw, char *error, size_t size)
{
	char *request = text("merge %s %s", vm, word), *again = text("merge %s stats", vm);
	cJSON *a = ctl_ask_json(ctl, request, raw, error, size);

	while (a != NULL && strcmp(word, "off") == 0 && strcmp(ctl_text(a, "merging"), "ending") == 0 &&
	       strcmp(ctl_text(a, "state"), "paused") != 0) {
		usleep(ASK_AGAIN_US);
		cJSON_Delete(a);
		free(*raw);
		*raw = NULL;
		a = ctl_ask_json(ctl, again, raw, error, size);
	}
	free(request);
	free(again);
	return a;
}

/* Of all: those that are there, and allow it. */
static bool is_meant(const cJSON *vm)
{
	const char *state = ctl_text(vm, "state");

	return cJSON_IsTrue(ctl_get(vm, "merge")) && strcmp(state, "off") != 0 && strcmp(state, "ended") != 0;
}

static int all(struct ctl *ctl, bool json, const char *word)
{
	char error[300], *raw = NULL;
	cJSON *list = ctl_ask_json(ctl, "list", NULL, error, sizeof error), *answers = cJSON_CreateArray(), *a;
	const cJSON *vm, *last = NULL;
	double bytes = 0;

	if (list == NULL)
		die(STATUS_FAILED, "%s", error);
	cJSON_ArrayForEach(vm, ctl_get(list, "vms")) {
		if (!is_meant(vm))
			continue;
		a = ask_one(ctl, ctl_text(vm, "name"), word, &raw, error, sizeof error);
		if (a == NULL)
			die(STATUS_FAILED, "%s", error);
		bytes += ctl_number(a, "bytes");
		cJSON_AddItemToArray(answers, a);
		free(raw);
		raw = NULL;
		last = a;
	}
	if (last == NULL)
		die(STATUS_FAILED, "no virtual machine that runs allows it: \"merge on\" in its description does");
	if (json) {
		puts(raw = cJSON_PrintUnformatted(answers));
		free(raw);
	} else {
		cJSON_ArrayForEach(vm, answers)
			show(stdout, vm);
		show_machine(stdout, last, bytes);
	}
	cJSON_Delete(answers);
	cJSON_Delete(list);
	return 0;
}

int merge_command(struct ctl *ctl, bool json, int argc, char **argv)
{
	char error[300], *raw = NULL;
	cJSON *a;

	if (argc == 1)
		return all(ctl, json, argv[0]);
	if (argc != 2)
		die(STATUS_USAGE, "ctl: it is: merge [VM] on, off or stats");
	a = ask_one(ctl, argv[0], argv[1], &raw, error, sizeof error);
	if (a == NULL)
		die(STATUS_FAILED, "%s", error);
	if (json)
		puts(raw);
	else
		show(stdout, a);
	cJSON_Delete(a);
	free(raw);
	return 0;
}
