/* vellum ctl balloon: how much of its RAM a guest has. It gives its pages back, or takes them again, by and by: the
 * command waits until it has got there, or gets no further. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/number.h"
#include "tool/ctl/ctl.h"
#include "tool/options/value.h"

enum { ASK_AGAIN_US = 50000, PATIENCE_S = 3, STATISTICS_S = 1 };

/* "balloon VM SIZE", as it was typed: with the bytes that SIZE is. */
char *ctl_balloon_request(char *request)
{
	char *size = strrchr(request, ' ');
	uint64_t bytes = bytes_given("ctl balloon", size + 1);
	char *whole;

	*size = 0;
	whole = text("%s %llu", request, (unsigned long long)bytes);
	free(request);
	return whole;
}

static double seconds_between(const cJSON *first, const cJSON *last)
{
	return (ctl_number(last, "ticks") - ctl_number(first, "ticks")) / ctl_number(last, "tsc_hz");
}

static double guest_has(const cJSON *answer)
{
	return ctl_number(answer, "mem_bytes") - ctl_number(answer, "balloon_bytes");
}

static bool there(const cJSON *answer) { return guest_has(answer) == ctl_number(answer, "wanted_bytes"); }

/* Has it to be asked again? since: the answer with which its balloon last became another one. */
static bool goes_on(const cJSON *since, const cJSON *answer, bool sized)
{
	if (strcmp(ctl_text(answer, "state"), "paused") == 0)
		return false;
	if (!sized)
		return ctl_number(answer, "statistics") == ctl_number(since, "statistics") &&
		       cJSON_IsTrue(ctl_get(answer, "driver")) && seconds_between(since, answer) < STATISTICS_S;
	return !there(answer) && seconds_between(since, answer) < PATIENCE_S;
}

static double megabytes(double bytes) { return bytes / 1048576; }

/* What there is to say where it has got no further. */
static bool why_not(const cJSON *answer, bool sized, char *error, size_t size)
{
	const char *vm = ctl_text(answer, "vm");

	if (!sized || there(answer))
		return false;
	if (strcmp(ctl_text(answer, "state"), "paused") == 0)
		snprintf(error, size, "%s is paused, with %.1f MB: its guest goes on to %.1f MB when it does", vm,
			 megabytes(guest_has(answer)), megabytes(ctl_number(answer, "wanted_bytes")));
	else
		snprintf(error, size, "%s has got to %.1f MB, and no nearer to %.1f MB for %d s of its clock; that "
			 "stays what is wanted of its guest, until another SIZE is", vm, megabytes(guest_has(answer)),
			 megabytes(ctl_number(answer, "wanted_bytes")), PATIENCE_S);
	return true;
}

static void free_answer(cJSON *answer, char **raw)
{
	cJSON_Delete(answer);
	free(*raw);
	*raw = NULL;
}

cJSON *ctl_balloon_wait(struct ctl *ctl, cJSON *answer, bool sized, char **raw, char *error, size_t size)
{
	char *request = text("balloon %s", ctl_text(answer, "vm"));
	cJSON *since = cJSON_Duplicate(answer, true);

	while (answer != NULL && goes_on(since, answer, sized)) {
		if (sized && ctl_number(answer, "balloon_bytes") != ctl_number(since, "balloon_bytes")) {
			cJSON_Delete(since);
			since = cJSON_Duplicate(answer, true);
		}
		usleep(ASK_AGAIN_US);
		free_answer(answer, raw);
		answer = ctl_ask_json(ctl, request, raw, error, size);
	}
	if (answer != NULL && why_not(answer, sized, error, size)) {
		free_answer(answer, raw);
		answer = NULL;
	}
	cJSON_Delete(since);
	free(request);
	return answer;
}

void ctl_show_balloon(FILE *out, const cJSON *answer)
{
	const cJSON *item;
	char pages[32];

	fprintf(out, "%s: has %.1f MB of its %.1f MB, %.1f MB of them in memory", ctl_text(answer, "vm"),
		megabytes(guest_has(answer)), megabytes(ctl_number(answer, "mem_bytes")),
		megabytes(ctl_number(answer, "resident_bytes")));
	if (!there(answer))
		fprintf(out, "; wanted: %.1f MB", megabytes(ctl_number(answer, "wanted_bytes")));
	if (!cJSON_IsTrue(ctl_get(answer, "driver")))
		fprintf(out, "; its guest has no driver for its balloon");
	fprintf(out, "\n  pages that became free: %s\n", grouped((uint64_t)ctl_number(answer, "freed"), pages));
	cJSON_ArrayForEach(item, ctl_get(answer, "memory")) {
		size_t length = strlen(item->string);
		bool bytes = length > 6 && strcmp(item->string + length - 6, "_bytes") == 0;

		fprintf(out, "  guest: %-18.*s %12.*f%s\n", (int)(bytes ? length - 6 : length), item->string, bytes,
			bytes ? megabytes(item->valuedouble) : item->valuedouble, bytes ? " MB" : "");
	}
}
