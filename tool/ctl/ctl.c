#include "tool/ctl/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/base/runtime.h"
#include "tool/options/value.h"
#include "tool/ctl/guest.h"
#include "tool/ctl/help.h"
#include "tool/ctl/merge.h"
#include "tool/ctl/screen.h"
#include "tool/ctl/top.h"

enum { PATIENCE_MS = 60000, ANSWER_MAX = 1 << 20, INTERVAL_MOST = 86400 };

/* ---- the connection ---- */

static bool send_all(int file, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = send(file, data, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		length -= (size_t)n;
	}
	return true;
}

/* The next line that came, without its end, in place; NULL: the session is gone, or says nothing for too long. */
static char *next_line(struct ctl *ctl, size_t *used)
{
	char block[4096], *end;
	struct pollfd ready = { .fd = ctl->file, .events = POLLIN };
	ssize_t n;

	ctl->in.length -= *used;
	if (*used > 0)
		memmove(ctl->in.data, ctl->in.data + *used, ctl->in.length + 1);
	*used = 0;
	while (ctl->in.length == 0 || (end = memchr(ctl->in.data, '\n', ctl->in.length)) == NULL) {
		int got = ctl->in.length > ANSWER_MAX ? 0 : poll(&ready, 1, PATIENCE_MS);

		if (got < 0 && errno == EINTR && (ctl->stop == NULL || !*ctl->stop))
			continue;
		n = got > 0 ? read(ctl->file, block, sizeof block) : 0;
		if (n <= 0)
			return NULL;
		bytes_add(&ctl->in, block, (size_t)n);
	}
	*end = 0;
	*used = (size_t)(end - ctl->in.data) + 1;
	return ctl->in.data;
}

char *ctl_ask(struct ctl *ctl, const char *request, char *error, size_t error_size)
{
	char *line = text("%s\n", request), *said;
	bool sent = send_all(ctl->file, line, strlen(line));
	struct bytes answer = { 0 };
	size_t used = 0;

	free(line);
	while (sent && (said = next_line(ctl, &used)) != NULL && answer.length < ANSWER_MAX) {
		if (strncmp(said, "reply ", 6) == 0) {
			bytes_add(&answer, said + 6, strlen(said + 6));
		} else if (strcmp(said, "done ok") == 0) {
			ctl->in.length -= used;
			memmove(ctl->in.data, ctl->in.data + used, ctl->in.length);
			bytes_add(&answer, "", 0);
			return answer.data != NULL ? answer.data : text("{}");
		} else if (strncmp(said, "done error ", 11) == 0) {
			snprintf(error, error_size, "%s", said + 11);
			ctl->in.length -= used;
			memmove(ctl->in.data, ctl->in.data + used, ctl->in.length);
			bytes_free(&answer);
			return NULL;
		}
	}
	bytes_free(&answer);
	snprintf(error, error_size, "the run ended, or does not answer");
	return NULL;
}

/* ---- the command ---- */

cJSON *ctl_ask_json(struct ctl *ctl, const char *request, char **raw, char *error, size_t error_size)
{
	char *answer = ctl_ask(ctl, request, error, error_size);
	cJSON *parsed;

	if (answer == NULL)
		return NULL;
	parsed = cJSON_Parse(answer);
	if (parsed == NULL)
		snprintf(error, error_size, "the hypervisor's answer is not whole: %.60s", answer);
	if (raw != NULL)
		*raw = answer;
	else
		free(answer);
	return parsed;
}

/* Is it the name or the number of a virtual machine, or of one of its virtual CPUs? */
static bool is_vm(const cJSON *vms, const char *word)
{
	const size_t length = strcspn(word, ".");
	const cJSON *vm;

	cJSON_ArrayForEach(vm, vms) {
		char *id = text("%.0f", ctl_number(vm, "id"));
		const char *name = ctl_text(vm, "name");
		bool same = (strlen(name) == length && strncmp(name, word, length) == 0) ||
			    (strlen(id) == length && strncmp(id, word, length) == 0);

		free(id);
		if (same)
			return true;
	}
	return false;
}

/* Do the words of a command leave out the virtual machine? */
static bool leaves_out(const cJSON *vms, int argc, char **argv)
{
	if (strcmp(argv[0], "detail") == 0 || strcmp(argv[0], "balloon") == 0)
		return argc == 1 || (!is_vm(vms, argv[1]) && argc == 2);
	if (strcmp(argv[0], "dump") != 0 && strcmp(argv[0], "dirty") != 0)
		return argc - 1 <= (strcmp(argv[0], "mmu") == 0 || strcmp(argv[0], "tpr") == 0 ||
				    strcmp(argv[0], "pin") == 0 || strcmp(argv[0], "weight") == 0 ||
				    strcmp(argv[0], "translate") == 0);
	if (argc > 1 && strcmp(argv[0], "dirty") == 0 && ctl_dirty_is_word(argv[1]) && !is_vm(vms, argv[1]))
		return true;
	return argc == 1 || strcmp(argv[1], "gva") == 0 || strcmp(argv[1], "gpa") == 0 ||
	       (argv[1][0] >= '0' && argv[1][0] <= '9' && !is_vm(vms, argv[1]));
}

/* The virtual machine that was left out, where there is only one; else NULL. */
static char *left_out(struct ctl *ctl, int argc, char **argv)
{
	char error[300], *name = NULL;
	cJSON *list;
	const cJSON *vms;

	if (strcmp(argv[0], "list") == 0 || argc > 4)
		return NULL;
	list = ctl_ask_json(ctl, "list", NULL, error, sizeof error);
	if (list == NULL)
		die(STATUS_FAILED, "%s", error);
	vms = ctl_get(list, "vms");
	if (cJSON_GetArraySize(vms) == 1 && leaves_out(vms, argc, argv))
		name = text("%s", ctl_text(cJSON_GetArrayItem(vms, 0), "name"));
	cJSON_Delete(list);
	return name;
}

static char *make_request(struct ctl *ctl, int argc, char **argv)
{
	char *vm = left_out(ctl, argc, argv);
	struct bytes request = { 0 };

	/* A word with a blank or a line's end in it must not become two. */
	for (int i = 0; i < argc; i++)
		if (strpbrk(argv[i], " \t\r\n") != NULL || argv[i][0] == 0)
			die(STATUS_USAGE, "ctl: \"%s\" is no word of a request", argv[i]);
	for (int i = 0; i < argc; i++) {
		bytes_print(&request, "%s%s", i == 0 ? "" : " ", argv[i]);
		if (i == 0 && vm != NULL)
			bytes_print(&request, " %s", vm);
	}
	free(vm);
	return request.data;
}

static int list_runs(bool json)
{
	size_t count;
	char **names = runtime_sessions(&count), *printed;
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < count; i++) {
		cJSON_AddItemToArray(list, cJSON_CreateString(names[i]));
		if (!json)
			puts(names[i]);
		free(names[i]);
	}
	free(names);
	printed = cJSON_PrintUnformatted(list);
	if (json && printed != NULL)
		puts(printed);
	free(printed);
	cJSON_Delete(list);
	return 0;
}

/* Of a request: those behind the command and the virtual machine. */
static unsigned words_behind_vm(const char *request)
{
	unsigned blanks = 0;

	for (; *request; request++)
		blanks += *request == ' ';
	return blanks > 1 ? blanks - 1 : 0;
}

/* Of --symbols; NULL: it was not given. */
static struct symbols *symbols;

static int disassemble(struct ctl *ctl, const char *vm, int argc, char **argv)
{
	return disassemble_command(ctl, vm, argc, argv, symbols);
}

/* What takes more than one request: by name, with the words behind the virtual machine. */
static const struct {
	const char *name;
	int (*main)(struct ctl *ctl, const char *vm, int argc, char **argv);
} longer[] = {
	{ "info", info_command }, { "dump-guest-memory", dump_memory_command }, { "disassemble", disassemble },
	{ "trace", trace_command }, { "screenshot", screenshot_command }, { "sendkey", sendkey_command },
	{ "mouse", mouse_command }, { "console", console_command }, { "snapshot", snapshot_command },
};

char *ctl_vm(struct ctl *ctl, const char *word, bool *named)
{
	char error[300], *name = NULL;
	cJSON *list = ctl_ask_json(ctl, "list", NULL, error, sizeof error);
	const cJSON *vms = ctl_get(list, "vms");

	if (list == NULL)
		die(STATUS_FAILED, "%s", error);
	*named = word != NULL && is_vm(vms, word);
	if (*named)
		name = text("%s", word);
	else if (cJSON_GetArraySize(vms) == 1)
		name = text("%s", ctl_text(cJSON_GetArrayItem(vms, 0), "name"));
	else
		die(STATUS_USAGE, "say which virtual machine: there are %d (vellum ctl list)", cJSON_GetArraySize(vms));
	cJSON_Delete(list);
	return name;
}

static int merge(const char *run, bool json, int argc, char **argv)
{
	char error[300];
	struct ctl ctl = { .file = runtime_connect(run, NULL, error, sizeof error) };
	int status;

	if (ctl.file < 0)
		die(STATUS_USAGE, "%s", error);
	if (argc == 0)
		die(STATUS_USAGE, "ctl: it is: merge [VM] on, off or stats");
	status = merge_command(&ctl, json, argc, argv);
	bytes_free(&ctl.in);
	close(ctl.file);
	return status;
}

/* Options may stand before and behind the command; words that are none are left, in order. */
struct ctl_options {
	const char *run;
	bool json, help;
	unsigned interval;      /* seconds; 0: once */
	const char *symbols;    /* an ELF file, or null */
	struct move_options move;
	int words;
	char **word;
};

/* false: it is none of them. */
static bool carry_out_longer(const char *run, int argc, char **argv, int *status)
{
	char error[300], *vm;
	struct ctl ctl;
	bool named;

	for (size_t i = 0; i < ARRAY_SIZE(longer); i++) {
		if (strcmp(argv[0], longer[i].name) != 0)
			continue;
		ctl = (struct ctl){ .file = -1 };
		ctl.file = runtime_connect(run, &ctl.run, error, sizeof error);
		if (ctl.file < 0)
			die(STATUS_USAGE, "%s", error);
		vm = ctl_vm(&ctl, argc > 1 ? argv[1] : NULL, &named);
		*status = longer[i].main(&ctl, vm, argc - 1 - named, argv + 1 + named);
		free(vm);
		bytes_free(&ctl.in);
		free(ctl.run);
		close(ctl.file);
		return true;
	}
	return false;
}

/* Behind the registers of a dump: their flags, and what comes next. */
static void show_code_of(struct ctl *ctl, const cJSON *dump)
{
	char *vm = text("%s.%.0f", ctl_text(dump, "vm"), ctl_number(dump, "vcpu"));

	code_show_dump(stdout, ctl, vm, dump, symbols);
	free(vm);
}

static int request_and_show(const char *run, bool json, int argc, char **argv)
{
	char error[300], *request, *raw = NULL;
	struct ctl ctl = { .file = runtime_connect(run, NULL, error, sizeof error) };
	cJSON *answer;

	if (ctl.file < 0)
		die(STATUS_USAGE, "%s", error);
	request = make_request(&ctl, argc, argv);
	if (strcmp(argv[0], "balloon") == 0 && words_behind_vm(request) == 1)
		request = ctl_balloon_request(request);
	answer = ctl_ask_json(&ctl, request, &raw, error, sizeof error);
	if (answer != NULL && strcmp(argv[0], "balloon") == 0)
		answer = ctl_balloon_wait(&ctl, answer, words_behind_vm(request) > 0, &raw, error, sizeof error);
	if (answer != NULL && strcmp(argv[0], "dirty") == 0 && words_behind_vm(request) > 0 &&
	    ctl_get(answer, "heat") == NULL)
		answer = ctl_dirty_wait(&ctl, answer, &raw, error, sizeof error);
	if (answer == NULL)
		die(STATUS_FAILED, "%s", error);
	if (json)
		puts(raw);
	else
		ctl_show(stdout, argv[0], answer);
	if (!json && strcmp(argv[0], "dump") == 0 && ctl_get(answer, "registers") != NULL)
		show_code_of(&ctl, answer);
	cJSON_Delete(answer);
	free(raw);
	free(request);
	bytes_free(&ctl.in);
	close(ctl.file);
	return 0;
}

static struct ctl_options ctl_options(int argc, char **argv)
{
	struct ctl_options o = { .word = argv + 1 };

	for (int at = 1; at < argc; at++) {
		if (strcmp(argv[at], "--json") == 0)
			o.json = true;
		else if (strcmp(argv[at], "--run") == 0 && at + 1 < argc && o.run == NULL)
			o.run = argv[++at];
		else if (strcmp(argv[at], "--symbols") == 0 && at + 1 < argc && o.symbols == NULL)
			o.symbols = argv[++at];
		else if (strcmp(argv[at], "--mmu") == 0 && at + 1 < argc && o.move.mmu == NULL)
			o.move.mmu = argv[++at];
		else if (strcmp(argv[at], "--precopy") == 0)
			o.move.precopy = true;
		else if (strcmp(argv[at], "--postcopy") == 0)
			o.move.postcopy = true;
		else if (strcmp(argv[at], "--interval") == 0 && at + 1 < argc && o.interval == 0)
			o.interval = (unsigned)number_between("--interval", argv[++at], 1, INTERVAL_MOST);
		else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
			o.help = true;
		else if (argv[at][0] == '-' && (argv[at][1] < '0' || argv[at][1] > '9'))
			die(STATUS_USAGE,
			    "ctl: there is no option %s here, or it needs a value, or has one (vellum ctl help)",
			    argv[at]);
		else
			o.word[o.words++] = argv[at];
	}
	return o;
}

int ctl_main(int argc, char **argv)
{
	struct ctl_options o = ctl_options(argc, argv);
	int status;

	if (o.words > 0 && strcmp(o.word[0], "help") == 0)
		return ctl_help(o.words > 1 ? o.word[1] : NULL);
	if (o.help)
		return ctl_help(o.words > 0 ? o.word[0] : NULL);
	if (o.words == 0)
		die(STATUS_USAGE, "ctl: say what to do (vellum ctl help)");
	if (strcmp(o.word[0], "runs") == 0)
		return list_runs(o.json);
	if (o.interval != 0) {
		if (strcmp(o.word[0], "stats") != 0 || o.words > 2)
			die(STATUS_USAGE, "ctl: --interval is for stats [VM]");
		return top_follow(o.run, o.words > 1 ? o.word[1] : NULL, o.interval, o.json);
	}
	if ((o.move.mmu != NULL || o.move.precopy || o.move.postcopy) && strcmp(o.word[0], "move") != 0)
		die(STATUS_USAGE, "ctl: --mmu, --precopy and --postcopy are for move [VM]");
	if (o.symbols != NULL)
		symbols = symbols_read(o.symbols);
	if (strcmp(o.word[0], "merge") == 0)
		status = merge(o.run, o.json, o.words - 1, o.word + 1);
	else if (strcmp(o.word[0], "move") == 0)
		status = move_command(o.run, o.words - 1, o.word + 1, &o.move, o.json);
	else if (!carry_out_longer(o.run, o.words, o.word, &status))
		status = request_and_show(o.run, o.json, o.words, o.word);
	symbols_free(symbols);
	return status;
}
