/* vellum ctl console: a virtual machine's console, from another terminal than the run's. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/tty.h"
#include "tool/ctl/screen.h"

enum {
	ASK_MS = 100,           /* between two looks at a console that says nothing */
	TYPED_MS = 10,          /* the same, behind something that was typed */
	SAID_MAX = 2048,        /* bytes in one answer */
	TYPE_MAX = 64,          /* bytes in one request */
};

struct attached {
	struct ctl *ctl;
	const char *vm;
	double next;            /* the number of the byte that comes next */
	struct bytes typed;     /* not taken yet */
	bool input, over;       /* may more be typed; the virtual machine has ended, and all has been shown */
};

/* What has come since, if anything. false: error says why there is no more. */
static bool show_more(struct attached *a, bool *any, char *error, size_t size)
{
	char *request = text("console %s %.0f", a->vm, a->next);
	cJSON *answer = ctl_ask_json(a->ctl, request, NULL, error, size);
	uint8_t bytes[SAID_MAX + 1]; /* base64_decode() wants one more */
	double lost;
	long n;

	free(request);
	if (answer == NULL)
		return false;
	lost = ctl_number(answer, "from") - a->next;
	n = base64_decode(ctl_text(answer, "bytes"), bytes, sizeof bytes);
	if (lost > 0 && a->next > 0)
		say("%.0f bytes of the console of %s came too fast to be shown", lost, a->vm);
	a->next = ctl_number(answer, "next");
	*any = n > 0;
	a->over = n <= 0 && ctl_get(answer, "over") != NULL;
	if (a->over)
		say("%s is over: %s", a->vm, ctl_text(answer, "over"));
	cJSON_Delete(answer);
	if (n > 0 && !console_write((const char *)bytes, (size_t)n))
		die(STATUS_FAILED, "cannot write the output: %s", strerror(errno));
	return true;
}

/* Types what waits, as much as finds room. */
static bool type_more(struct attached *a, char *error, size_t size)
{
	size_t n = a->typed.length < TYPE_MAX ? a->typed.length : TYPE_MAX, taken;
	struct bytes request = { 0 };
	cJSON *answer;

	bytes_print(&request, "input %s ", a->vm);
	for (size_t i = 0; i < n; i++)
		bytes_print(&request, "%02x", (uint8_t)a->typed.data[i]);
	answer = ctl_ask_json(a->ctl, request.data, NULL, error, size);
	bytes_free(&request);
	if (answer == NULL)
		return false;
	taken = (size_t)ctl_number(answer, "taken");
	cJSON_Delete(answer);
	if (taken > n)
		taken = n;
	a->typed.length -= taken;
	memmove(a->typed.data, a->typed.data + taken, a->typed.length);
	return true;
}

/* Waits for something to be typed, for so long at most. false: the escape key was. */
static bool take_typed(struct attached *a, int wait)
{
	struct pollfd input = { .fd = a->input ? 0 : -1, .events = POLLIN };
	char block[256], *escape;
	ssize_t n;

	if (poll(&input, 1, wait) <= 0)
		return true;
	n = read(0, block, sizeof block);
	if (n <= 0) {
		a->input = n < 0 && (errno == EINTR || errno == EAGAIN);
		return true;
	}
	escape = isatty(0) ? memchr(block, ESCAPE_KEY, (size_t)n) : NULL;
	bytes_add(&a->typed, block, escape != NULL ? (size_t)(escape - block) : (size_t)n);
	return escape == NULL;
}

int console_command(struct ctl *ctl, const char *vm, int argc, char **argv)
{
	struct attached a = { .ctl = ctl, .vm = vm, .input = true };
	char error[300];
	bool any = false, first = true, stays = true;

	(void)argv;
	if (argc != 0)
		die(STATUS_USAGE, "ctl: it is: console [VM]");
	while (show_more(&a, &any, error, sizeof error)) {
		if (first) {
			if (isatty(0))
				say("the console of %s; Ctrl-] leaves it", vm);
			console_raw();
			first = false;
		}
		if (a.over || !stays) {
			bytes_free(&a.typed);
			return 0;
		}
		if (a.typed.length > 0 && !type_more(&a, error, sizeof error))
			break;
		stays = take_typed(&a, any ? 0 : a.typed.length > 0 ? TYPED_MS : ASK_MS);
	}
	bytes_free(&a.typed);
	console_restore();
	if (first)
		die(STATUS_FAILED, "%s", error);
	say("%s", error);
	return 0;
}
