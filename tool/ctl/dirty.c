/* vellum ctl dirty: begins a measurement of the memory that a guest dirties, and waits until its time is over. The
 * hypervisor ends it by itself; whoever stops waiting asks later. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/number.h"
#include "tool/ctl/ctl.h"

enum { ASK_AGAIN_US = 50000 };

/* Has it to be asked again? false: it is over; or, with a sentence in error, it is not waited for. */
static bool goes_on(const cJSON *answer, double measurement, char *error, size_t size)
{
	const char *vm = ctl_text(answer, "vm");

	if (ctl_number(answer, "measurement") != measurement) {
		snprintf(error, size, "somebody else has measured %s since: ask again", vm);
		return false;
	}
	if (cJSON_IsTrue(ctl_get(answer, "measured")))
		return false;
	if (strcmp(ctl_text(answer, "state"), "paused") != 0)
		return true;
	snprintf(error, size, "%s is paused, and its clock stands still: the measurement goes on when it does, and "
		 "\"ctl dirty %s\" shows it then", vm, vm);
	return false;
}

cJSON *ctl_dirty_wait(struct ctl *ctl, cJSON *answer, char **raw, char *error, size_t size)
{
	double measurement = ctl_number(answer, "measurement");
	char *request = text("dirty %s", ctl_text(answer, "vm"));

	*error = 0;
	while (answer != NULL && goes_on(answer, measurement, error, size)) {
		usleep(ASK_AGAIN_US);
		cJSON_Delete(answer);
		free(*raw);
		*raw = NULL;
		answer = ctl_ask_json(ctl, request, raw, error, size);
	}
	free(request);
	if (answer == NULL || *error == 0)
		return answer;
	cJSON_Delete(answer);
	free(*raw);
	*raw = NULL;
	return NULL;
}

/* Of so many bytes, in the largest unit of which there is one. */
static const char *bytes_text(double bytes, char *buf, size_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB" };
	unsigned unit = 0;

	for (bytes /= 1024; bytes >= 1024 && unit < 2; bytes /= 1024)
		unit++;
	snprintf(buf, size, "%.1f %s", bytes, units[unit]);
	return buf;
}

bool ctl_dirty_is_word(const char *word)
{
	return strcmp(word, "on") == 0 || strcmp(word, "off") == 0 || strcmp(word, "show") == 0;
}

/* A character for each region: the blank is one that nothing was written to, the last the one with most. */
static void show_heat(FILE *out, const cJSON *answer)
{
	static const char shades[] = " .:-=+*#%@";
	const cJSON *heat = ctl_get(answer, "heat"), *item;
	double most = 0, region = ctl_number(answer, "region_pages") * ctl_number(answer, "page_bytes");
	double ram = ctl_number(answer, "ram_pages"), at = 0;
	char bytes[32];

	cJSON_ArrayForEach(item, heat)
		most = item->valuedouble > most ? item->valuedouble : most;
	fputs("RAM from its beginning: [", out);
	cJSON_ArrayForEach(item, heat) {
		if (at >= ram)
			break;
		fputc(item->valuedouble > 0 ? shades[1 + (int)(8 * item->valuedouble / most)] : shades[0], out);
		at += ctl_number(answer, "region_pages");
	}
	fprintf(out, "], %s each\n", bytes_text(region, bytes, sizeof bytes));
}

static void show_watch(FILE *out, const cJSON *answer)
{
	double hz = ctl_number(answer, "tsc_hz"), seconds = ctl_number(answer, "ticks") / hz;
	double last = ctl_number(answer, "last_ticks") / hz, pages = ctl_number(answer, "pages");
	double dirtied = ctl_number(answer, "dirtied");
	double exits = ctl_number(answer, "faults") + ctl_number(answer, "log_full");

	fprintf(out, "%s (%s, by %s): %.0f pages/s of its clock in the last period, %.0f pages/s in %.1f s; "
		"%.0f fault%s and %.0f full log%s, %.4f for each page found\n", ctl_text(answer, "vm"),
		ctl_text(answer, "mmu"), ctl_text(answer, "method"),
		last > 0 ? ctl_number(answer, "last_pages") / last : 0, seconds > 0 ? pages / seconds : 0, seconds,
		ctl_number(answer, "faults"), plural((uint64_t)ctl_number(answer, "faults")),
		ctl_number(answer, "log_full"), plural((uint64_t)ctl_number(answer, "log_full")),
		dirtied > 0 ? exits / dirtied : 0);
	show_heat(out, answer);
}

void ctl_show_dirty(FILE *out, const cJSON *answer)
{
	double pages = ctl_number(answer, "pages"), bytes = pages * ctl_number(answer, "page_bytes");
	double seconds = ctl_number(answer, "ticks") / ctl_number(answer, "tsc_hz");
	double ram = ctl_number(answer, "ram_pages"), switches = ctl_number(answer, "switches");
	char all[32], rate[32], count[32];

	if (ctl_get(answer, "heat") != NULL) {
		show_watch(out, answer);
		return;
	}
	if (!cJSON_IsTrue(ctl_get(answer, "measured"))) {
		fprintf(out, "%s is being measured, for %.0f s of its clock\n", ctl_text(answer, "vm"),
			ctl_number(answer, "seconds"));
		return;
	}
	fprintf(out, "%s (%s): %s page%s dirtied in %.3f s of its clock, %s: %s/s, %.2f%% of its RAM",
		ctl_text(answer, "vm"), ctl_text(answer, "mmu"), grouped((uint64_t)pages, count),
		plural((uint64_t)pages), seconds, bytes_text(bytes, all, sizeof all),
		bytes_text(seconds > 0 ? bytes / seconds : 0, rate, sizeof rate), ram > 0 ? 100 * pages / ram : 0);
	if (switches > 0)
		fprintf(out, "; its mechanism changed %.0f time%s meanwhile", switches, plural((uint64_t)switches));
	fputc('\n', out);
}
