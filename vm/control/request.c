#include "vm/control/request.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

#define WORDS_MAX 7

struct words {
	char *word[WORDS_MAX + 1];
	unsigned count; /* WORDS_MAX + 1: more than there can be */
};

bool control_line_take(struct control_line *line, uint8_t byte)
{
	if (byte == '\n') {
		if (line->length || line->too_long || line->garbage) {
			line->text[line->length] = '\0';
			return true;
		}
		return false;
	}
	if (byte == '\r')
		return false;
	if (byte == '\t')
		byte = ' ';
	if (VM_KEPT(REQUEST_GARBAGE, byte < 0x20 || byte > 0x7e))
		line->garbage = true;
	else if (VM_KEPT(REQUEST_LONG, line->length == CONTROL_LINE_MAX))
		line->too_long = true;
	else
		line->text[line->length++] = (char)byte;
	return false;
}

static void cut(char *text, struct words *w)
{
	w->count = 0;
	for (;;) {
		while (*text == ' ')
			*text++ = '\0';
		if (!*text || w->count > WORDS_MAX)
			return;
		w->word[w->count < WORDS_MAX ? w->count : WORDS_MAX] = text;
		w->count++;
		while (*text && *text != ' ')
			text++;
	}
}

static bool name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
	       c == '.';
}

static bool is_name(const char *s, size_t max)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (VM_KEPT(REQUEST_NAME, !name_char(s[n])))
			return false;
	return VM_LEFT_OUT_OR(REQUEST_NAME_LENGTH, n > 0 && n <= max);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* Decimal, or hexadecimal behind 0x. */
static bool read_number(const char *s, uint64_t *out)
{
	unsigned base = s[0] == '0' && (s[1] | 0x20) == 'x' ? 16 : 10;
	uint64_t n = 0;

	s += base == 16 ? 2 : 0;
	if (!*s)
		return false;
	for (; *s; s++) {
		unsigned d = (unsigned)digit(*s);

		if (d >= base || VM_KEPT(REQUEST_NUMBER, n > (UINT64_MAX - d) / base))
			return false;
		n = n * base + d;
	}
	*out = n;
	return true;
}

static const struct {
	const char *name;
	unsigned least, most; /* words behind the command */
	const char *usage;
} commands[] = {
	[CONTROL_LIST] = { "list", 0, 0, "list" },
	[CONTROL_STATS] = { "stats", 1, 1, "stats VM" },
	[CONTROL_PHASES] = { "phases", 1, 1, "phases VM" },
	[CONTROL_MMU] = { "mmu", 2, 2, "mmu VM MECHANISM, or mmu VM next" },
	[CONTROL_PAUSE] = { "pause", 1, 1, "pause VM" },
	[CONTROL_RESUME] = { "resume", 1, 1, "resume VM" },
	[CONTROL_SHUTDOWN] = { "shutdown", 1, 1, "shutdown VM" },
	[CONTROL_TRANSLATE] = { "translate", 2, 2, "translate VM[.VCPU] ADDRESS" },
	[CONTROL_DUMP] = { "dump", 1, 4, "dump VM[.VCPU], or dump VM[.VCPU] [gva|gpa] ADDRESS [LENGTH]" },
	[CONTROL_TPR] = { "tpr", 2, 2, "tpr VM METHOD" },
	[CONTROL_DIRTY] = { "dirty", 1, 3, "dirty VM [SECONDS], or dirty VM on [METHOD], off or show" },
	[CONTROL_BALLOON] = { "balloon", 1, 2, "balloon VM [BYTES]" },
	[CONTROL_PIN] = { "pin", 2, 2, "pin VM[.VCPU] CPU, or pin VM[.VCPU] any" },
	[CONTROL_MIGRATE] = { "migrate", 2, 2, "migrate VM.VCPU CPU" },
	[CONTROL_WEIGHT] = { "weight", 2, 2, "weight VM WEIGHT" },
	[CONTROL_DEBUG] = { "debug", 2, 5, "debug VM[.VCPU] WORD ..." },
	[CONTROL_SCREEN] = { "screen", 1, 2, "screen VM [SINCE]" },
	[CONTROL_VIDEO] = { "video", 3, 3, "video VM OFFSET LENGTH" },
	[CONTROL_KEYS] = { "keys", 2, 2, "keys VM BYTES" },
	[CONTROL_MOUSE] = { "mouse", 2, 2, "mouse VM BYTES" },
	[CONTROL_DETAIL] = { "detail", 1, 2, "detail VM [on|off]" },
	[CONTROL_TRACE] = { "trace", 2, 2, "trace VM COUNT" },
	[CONTROL_TRACED] = { "traced", 2, 2, "traced VM.VCPU FROM" },
	[CONTROL_MEMORY] = { "memory", 3, 3, "memory VM ADDRESS LENGTH" },
	[CONTROL_CONSOLE] = { "console", 1, 2, "console VM [SINCE]" },
	[CONTROL_INPUT] = { "input", 2, 2, "input VM BYTES" },
	[CONTROL_SAVE] = { "save", 2, 3, "save VM[.VCPU] WORD [OFFSET]" },
	[CONTROL_MERGE] = { "merge", 2, 2, "merge VM on, off or stats" },
	[CONTROL_TELL] = { "tell", 1, 2, "tell VM [pause]" },
	[CONTROL_MOVE] = { "move", 2, 3, "move VM begin [MECHANISM], postcopy [MECHANISM], show or cancel" },
	[CONTROL_AUDIT] = { "audit", 1, 1, "audit VM" },
	[CONTROL_START] = { "start", 1, 1, "start VM" },
	[CONTROL_STOP] = { "stop", 1, 1, "stop VM" },
	[CONTROL_RESET] = { "reset", 1, 1, "reset VM" },
	[CONTROL_DESTROY] = { "destroy", 1, 1, "destroy VM" },
};

static bool find_command(const char *name, struct control_request *r)
{
	for (unsigned n = 0; n < ARRAY_SIZE(commands); n++) {
		if (strcmp(name, commands[n].name) == 0) {
			r->command = (enum control_command)n;
			return true;
		}
	}
	return false;
}

/* Says what there is. */
static void no_command(const struct words *w, char *error, size_t size)
{
	size_t at = fmt(error, size, "%s%.40s; there are", w->count < 2 ? "no command" : "there is no command ",
			w->count < 2 ? "" : w->word[1]);

	for (unsigned n = 0; n < ARRAY_SIZE(commands); n++)
		at += fmt(at < size ? error + at : NULL, at < size ? size - at : 0, "%s %s",
			  n == 0 ? "" : n + 1 < ARRAY_SIZE(commands) ? "," : " and", commands[n].name);
}

/* [gva|gpa] ADDRESS [LENGTH] */
static bool parse_memory(struct control_request *r, char *const *word, unsigned count, char *error, size_t size)
{
	bool named = strcmp(word[0], "gva") == 0 || strcmp(word[0], "gpa") == 0;

	r->space = named && word[0][1] == 'p' ? CONTROL_GPA : CONTROL_GVA;
	r->length = 256;
	word += named;
	count -= named;
	if (count < 1 || count > 2) {
		fmt(error, size, "it is: %s", commands[CONTROL_DUMP].usage);
		return false;
	}
	if (!read_number(word[0], &r->address)) {
		fmt(error, size, "%.40s is not an address", word[0]);
		return false;
	}
	if (count == 2 && (!read_number(word[1], &r->length) ||
			   VM_KEPT(REQUEST_LENGTH, r->length == 0 || r->length > CONTROL_DUMP_MAX))) {
		fmt(error, size, "the length must be from 1 to %u, not %.40s", CONTROL_DUMP_MAX, word[1]);
		return false;
	}
	return true;
}

static bool parse_seconds(struct control_request *r, const char *word, char *error, size_t size)
{
	if (read_number(word, &r->length) &&
	    VM_LEFT_OUT_OR(REQUEST_SECONDS, r->length && r->length <= CONTROL_SECONDS_MAX))
		return true;
	fmt(error, size, "a measurement takes from 1 to %u seconds, not %.40s", CONTROL_SECONDS_MAX, word);
	return false;
}

static bool parse_bytes(struct control_request *r, const char *word, char *error, size_t size)
{
	if (read_number(word, &r->length) && VM_LEFT_OUT_OR(REQUEST_BALLOON, r->length))
		return true;
	fmt(error, size, "a guest has from 1 byte of RAM on, not %.40s", word);
	return false;
}

/* SECONDS; or on [METHOD], off, show; of a balloon BYTES. */
static bool parse_dirty(struct control_request *r, char *const *word, unsigned count, char *error, size_t size)
{
	bool on = strcmp(word[0], "on") == 0;

	if (r->command == CONTROL_BALLOON)
		return parse_bytes(r, word[0], error, size);
	if (!on && strcmp(word[0], "off") != 0 && strcmp(word[0], "show") != 0 && count == 1)
		return parse_seconds(r, word[0], error, size);
	if (VM_KEPT(REQUEST_DIRTY_COUNT, count == 2 && (!on || !is_name(word[1], CONTROL_WORD_MAX)))) {
		fmt(error, size, "it is: %s", commands[CONTROL_DIRTY].usage);
		return false;
	}
	memcpy(r->word, word[0], strlen(word[0]) + 1);
	if (count == 2)
		memcpy(r->name, word[1], strlen(word[1]) + 1);
	return true;
}

/* merge on, off, stats; tell [pause]; move begin [MECHANISM], postcopy [MECHANISM], show, cancel. */
static bool parse_one_word(struct control_request *r, char *const *word, unsigned count, char *error, size_t size)
{
	static const char *const of_merge[] = { "on", "off", "stats", "stats" };
	static const char *const of_move[] = { "show", "cancel", "begin", "postcopy" };
	const char *first = count ? word[0] : "";
	bool begins = strcmp(first, "begin") == 0 || strcmp(first, "postcopy") == 0;
	bool known = r->command == CONTROL_TELL && (!*first || strcmp(first, "pause") == 0);

	for (unsigned n = 0; r->command != CONTROL_TELL && n < ARRAY_SIZE(of_move); n++)
		known |= strcmp(first, (r->command == CONTROL_MERGE ? of_merge : of_move)[n]) == 0;
	if (VM_KEPT(REQUEST_MERGE_WORD, !known) ||
	    VM_KEPT(REQUEST_MOVE, count == 2 && (!begins || !is_name(word[1], CONTROL_WORD_MAX)))) {
		fmt(error, size, "it is: %s", commands[r->command].usage);
		return false;
	}
	fmt(r->word, sizeof(r->word), "%s", first);
	fmt(r->name, sizeof(r->name), "%s", count == 2 ? word[1] : "");
	return true;
}

/* Pairs of hexadecimal digits, the first byte first. */
static bool read_bytes(struct control_request *r, const char *s)
{
	for (r->count = 0; *s; s += 2) {
		unsigned high = (unsigned)digit(s[0]), low = (unsigned)digit(s[1]);

		if (high > 15 || low > 15 || VM_KEPT(REQUEST_BYTES, r->count == CONTROL_BYTES_MAX))
			return false;
		r->bytes[r->count++] = (uint8_t)(high << 4 | low);
	}
	return r->count;
}

/* set NAME BYTES; write ADDRESS BYTES, writep likewise; insert KIND ADDRESS LENGTH, remove likewise. */
static bool parse_debug(struct control_request *r, char *const *word, unsigned count, char *error, size_t size)
{
	bool set = strcmp(r->word, "set") == 0, write = strcmp(r->word, "write") == 0 || strcmp(r->word, "writep") == 0,
	     place = strcmp(r->word, "insert") == 0 || strcmp(r->word, "remove") == 0;

	if (VM_KEPT(REQUEST_DEBUG_COUNT, count != (set || write ? 2u : place ? 3u : 0u))) {
		fmt(error, size, "debug %s needs %s", r->word,
		    set || write ? "two words" : place ? "three" : "no more");
		return false;
	}
	if (set || place) {
		if (!is_name(word[0], CONTROL_WORD_MAX)) {
			fmt(error, size, "%.40s is no name", word[0]);
			return false;
		}
		memcpy(r->name, word[0], strlen(word[0]) + 1);
	}
	if ((write && !read_number(word[0], &r->address)) ||
	    (place && (!read_number(word[1], &r->address) || !read_number(word[2], &r->length)))) {
		fmt(error, size, "%.40s is not an address, or no length follows", word[write ? 0 : 1]);
		return false;
	}
	if ((set || write) && !read_bytes(r, word[1])) {
		fmt(error, size, "%.40s is not 1 to %u bytes in hexadecimal", word[1], CONTROL_BYTES_MAX);
		return false;
	}
	return true;
}

/* VM, or VM.VCPU where the command is about one: names of virtual machines have no dot. */
static bool parse_vm(struct control_request *r, char *word, char *error, size_t size)
{
	bool of_one = r->command == CONTROL_PIN || r->command == CONTROL_MIGRATE || r->command == CONTROL_DUMP ||
		      r->command == CONTROL_TRACED || r->command == CONTROL_TRANSLATE || r->command == CONTROL_DEBUG ||
		      r->command == CONTROL_SAVE;
	char *dot = word;

	while (*dot && *dot != '.')
		dot++;
	if (*dot && VM_LEFT_OUT_OR(REQUEST_OF_ONE, of_one)) {
		*dot = '\0';
		if (dot[1] < '0' || dot[1] > '9' || !read_number(dot + 1, &r->vcpu)) {
			fmt(error, size, "%.40s is not the number of a virtual CPU", dot + 1);
			return false;
		}
	}
	if (VM_KEPT(REQUEST_VM, !is_name(word, CONTROL_WORD_MAX))) {
		fmt(error, size, "%.40s is not a virtual machine's name or number", word);
		return false;
	}
	memcpy(r->vm, word, strlen(word) + 1);
	if (r->command == CONTROL_MIGRATE && VM_KEPT(REQUEST_WHICH, r->vcpu == CONTROL_ANY)) {
		fmt(error, size, "it is: %s", commands[CONTROL_MIGRATE].usage);
		return false;
	}
	return true;
}

/* A CPU, or a weight. */
static bool parse_cpu_or_weight(struct control_request *r, const char *word, char *error, size_t size)
{
	if (r->command == CONTROL_PIN && strcmp(word, "any") == 0) {
		r->address = CONTROL_ANY;
		return true;
	}
	if (!read_number(word, &r->address) || r->address == CONTROL_ANY) {
		fmt(error, size, "%.40s is not a %s", word, r->command == CONTROL_WEIGHT ? "weight" : "CPU's number");
		return false;
	}
	return true;
}

/* screen SINCE, console likewise; video OFFSET LENGTH, memory likewise; keys BYTES, mouse and input likewise. */
static bool parse_screen(struct control_request *r, char *const *word, unsigned count, char *error, size_t size)
{
	bool typed = r->command == CONTROL_KEYS || r->command == CONTROL_MOUSE || r->command == CONTROL_INPUT,
	     of_bytes = r->command == CONTROL_VIDEO || r->command == CONTROL_MEMORY;

	if (typed && !read_bytes(r, word[0])) {
		fmt(error, size, "%.40s is not 1 to %u bytes in hexadecimal", word[0], CONTROL_BYTES_MAX);
		return false;
	}
	if (!typed && count && !read_number(word[0], &r->address)) {
		fmt(error, size, "%.40s is not a number", word[0]);
		return false;
	}
	r->space = CONTROL_GPA;
	if (of_bytes && (!read_number(word[1], &r->length) ||
			 VM_KEPT(REQUEST_VIDEO, !r->length || r->length > CONTROL_VIDEO_MAX))) {
		fmt(error, size, "the length must be from 1 to %u, not %.40s", CONTROL_VIDEO_MAX, word[1]);
		return false;
	}
	return true;
}

/* detail on or off; trace COUNT; traced FROM. */
static bool parse_trace(struct control_request *r, const char *word, char *error, size_t size)
{
	if (r->command == CONTROL_DETAIL) {
		if (!*word || VM_LEFT_OUT_OR(REQUEST_DETAIL, strcmp(word, "on") == 0 || strcmp(word, "off") == 0)) {
			fmt(r->word, sizeof(r->word), "%s", word);
			return true;
		}
		fmt(error, size, "detail is on or off, not %.40s", word);
		return false;
	}
	if (read_number(word, &r->address) &&
	    VM_LEFT_OUT_OR(REQUEST_TRACE, r->address <= CONTROL_TRACE_MAX))
		return true;
	fmt(error, size, "%.40s is not a number of exits: at most %u are kept", word, CONTROL_TRACE_MAX);
	return false;
}

/* save VM WORD OFFSET */
static bool parse_offset(struct control_request *r, char *const *word, unsigned count, char *error, size_t size)
{
	if (!count || read_number(word[0], &r->address))
		return true;
	fmt(error, size, "%.40s is not a number", word[0]);
	return false;
}

static const char *kind_of_word(enum control_command command)
{
	return command == CONTROL_MMU ? "mechanism" : command == CONTROL_TPR ? "method"
		: command == CONTROL_SAVE ? "part of a snapshot" : "word of the debugger";
}

static bool parse_words(struct control_request *r, struct words *w, char *error, size_t size)
{
	if (w->count < 2 || !find_command(w->word[1], r)) {
		no_command(w, error, size);
		return false;
	}
	if (VM_KEPT(REQUEST_COUNT,
		    w->count - 2 < commands[r->command].least || w->count - 2 > commands[r->command].most)) {
		fmt(error, size, "it is: %s", commands[r->command].usage);
		return false;
	}
	if (w->count == 2)
		return true;
	if (!parse_vm(r, w->word[2], error, size))
		return false;
	if (r->command == CONTROL_MMU || r->command == CONTROL_TPR || r->command == CONTROL_DEBUG ||
	    r->command == CONTROL_SAVE) {
		if (VM_KEPT(REQUEST_WORD, !is_name(w->word[3], CONTROL_WORD_MAX))) {
			fmt(error, size, "%.40s is not a %s's name", w->word[3], kind_of_word(r->command));
			return false;
		}
		memcpy(r->word, w->word[3], strlen(w->word[3]) + 1);
	}
	if (r->command >= CONTROL_PIN && r->command <= CONTROL_WEIGHT)
		return parse_cpu_or_weight(r, w->word[3], error, size);
	if (r->command == CONTROL_SAVE)
		return parse_offset(r, w->word + 4, w->count - 4, error, size);
	if (r->command >= CONTROL_DETAIL && r->command < CONTROL_MEMORY)
		return parse_trace(r, w->count > 3 ? w->word[3] : "", error, size);
	if (r->command >= CONTROL_MERGE)
		return parse_one_word(r, w->word + 3, w->count - 3, error, size);
	if (r->command >= CONTROL_SCREEN)
		return parse_screen(r, w->word + 3, w->count - 3, error, size);
	if (r->command == CONTROL_DEBUG)
		return parse_debug(r, w->word + 4, w->count - 4, error, size);
	if (r->command == CONTROL_TRANSLATE && !read_number(w->word[3], &r->address)) {
		fmt(error, size, "%.40s is not an address", w->word[3]);
		return false;
	}
	if ((r->command == CONTROL_DIRTY || r->command == CONTROL_BALLOON) && w->count > 3)
		return parse_dirty(r, w->word + 3, w->count - 3, error, size);
	return r->command != CONTROL_DUMP || w->count == 3 || parse_memory(r, w->word + 3, w->count - 3, error, size);
}

bool control_parse(struct control_line *line, struct control_request *request, char *error, size_t error_size)
{
	struct words w;
	bool ok = false;

	*request = (struct control_request){ .tag = "-", .vcpu = CONTROL_ANY };
	cut(line->text, &w);
	if (VM_LEFT_OUT_OR(REQUEST_TAG, w.count && !line->garbage && is_name(w.word[0], CONTROL_TAG_MAX)))
		memcpy(request->tag, w.word[0], strlen(w.word[0]) + 1);
	if (line->garbage)
		fmt(error, error_size, "the line holds bytes that are no printable characters");
	else if (line->too_long)
		fmt(error, error_size, "the line is too long: at most %u characters", CONTROL_LINE_MAX);
	else if (w.count == 0 || !is_name(w.word[0], CONTROL_TAG_MAX))
		fmt(error, error_size, "a line must begin with a tag of 1 to %u letters, digits, - _ and .",
		    CONTROL_TAG_MAX);
	else
		ok = parse_words(request, &w, error, error_size);
	*line = (struct control_line){ .length = 0 };
	return ok;
}
