/* vellum ctl move: a virtual machine goes to another container while its guest works (docs/move.md). The hypervisor
 * does that by itself; the command waits for it, and calls it off where it is interrupted. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool/base/runtime.h"
#include "tool/ctl/ctl.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void wait_a_while(void)
{
	const struct timespec while_ = { .tv_nsec = 20000000 };

	nanosleep(&while_, NULL);
}

static void show_progress(const cJSON *answer)
{
	if (!isatty(2))
		return;
	if (strcmp(ctl_text(answer, "move"), "follows") == 0)
		fprintf(stderr, "\rmove of %s: it runs there, and %.0f pages are to follow or to be looked at \033[K",
			ctl_text(answer, "vm"), ctl_number(answer, "left"));
	else
		fprintf(stderr, "\rmove of %s: %.0f pages copied, %.0f rounds ", ctl_text(answer, "vm"),
			ctl_number(answer, "pages"), ctl_number(answer, "rounds"));
}

static void show(FILE *out, const cJSON *a)
{
	double stood = ctl_number(a, "stood"), used = ctl_number(a, "used"), rounds = ctl_number(a, "rounds");

	fprintf(out, "%s is in another container, under %s: ", ctl_text(a, "vm"), ctl_text(a, "mmu"));
	if (ctl_number(a, "faults") + ctl_number(a, "pushed") > 0)
		fprintf(out, "%.0f pages followed when they were wanted, and %.0f were brought; ",
			ctl_number(a, "faults"), ctl_number(a, "pushed"));
	else
		fprintf(out, "%.0f pages were copied in %.0f round%s, of %.0f in use; ", ctl_number(a, "pages"),
			rounds, rounds == 1 ? "" : "s", used);
	fprintf(out, "it stood for %.0f ticks of %.0f", stood, ctl_number(a, "ticks"));
	if (stood > 0)
		fprintf(out, " (1/%.0f)", ctl_number(a, "ticks") / stood);
	fputc('\n', out);
}

/* Its answers, until it is over; NULL: error is one sentence. */
static cJSON *follow(struct ctl *ctl, const char *vm, char *request, char **raw, char *error, size_t size)
{
	cJSON *answer;
	bool over = false, called_off = false;

	for (;;) {
		free(*raw);
		*raw = NULL;
		answer = ctl_ask_json(ctl, request, raw, error, size);
		free(request);
		over = answer != NULL && strcmp(ctl_text(answer, "move"), "over") == 0;
		if (answer == NULL || over)
			return answer;
		show_progress(answer);
		cJSON_Delete(answer);
		wait_a_while();
		request = text("move %s %s", vm, interrupted && !called_off ? "cancel" : "show");
		called_off = interrupted;
	}
}

static int move(struct ctl *ctl, const char *vm, const struct move_options *o, bool json)
{
	char error[300], *raw = NULL;
	cJSON *answer = follow(ctl, vm, text("move %s %s%s%s", vm, o->postcopy ? "postcopy" : "begin",
					     o->mmu != NULL ? " " : "", o->mmu != NULL ? o->mmu : ""),
			       &raw, error, sizeof error);

	if (isatty(2))
		fputs("\r\033[K", stderr);
	if (answer == NULL)
		die(STATUS_FAILED, "%s", error);
	if (json)
		puts(raw);
	else
		show(stdout, answer);
	cJSON_Delete(answer);
	free(raw);
	return 0;
}

int move_command(const char *run, int argc, char **argv, const struct move_options *o, bool json)
{
	const struct sigaction action = { .sa_handler = interrupt };
	char error[300], *vm;
	struct ctl ctl = { .file = runtime_connect(run, NULL, error, sizeof error) };
	bool named;
	int status;

	if (ctl.file < 0)
		die(STATUS_USAGE, "%s", error);
	vm = ctl_vm(&ctl, argc > 0 ? argv[0] : NULL, &named);
	if (argc != named)
		die(STATUS_USAGE, "ctl: it is: move [VM] [--mmu MECHANISM] [--precopy|--postcopy]");
	if (o->precopy && o->postcopy)
		die(STATUS_USAGE, "ctl: --precopy and --postcopy are two ways of a move: give one of them");
	if (o->mmu != NULL && (o->mmu[0] == 0 || strpbrk(o->mmu, " \t\r\n") != NULL))
		die(STATUS_USAGE, "ctl: \"%s\" is no mechanism", o->mmu);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	status = move(&ctl, vm, o, json);
	free(vm);
	bytes_free(&ctl.in);
	close(ctl.file);
	return status;
}
