#include "tool/base/protocol.h"

#include <string.h>

#include "tool/base/size.h"

void lines_end(struct line_cutter *cutter, line_handler *handler, void *context)
{
	size_t length = cutter->length;

	if (length == 0)
		return;
	cutter->length = 0;
	if (cutter->line[length - 1] == '\r')
		length--;
	cutter->line[length] = 0;
	handler(context, cutter->line);
}

void lines_feed(struct line_cutter *cutter, const char *data, size_t length, line_handler *handler, void *context)
{
	for (size_t i = 0; i < length; i++) {
		if (data[i] == '\n')
			lines_end(cutter, handler, context);
		else if (data[i] != 0 && cutter->length < sizeof cutter->line - 1)
			cutter->line[cutter->length++] = data[i];
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Replaces each %XX by its byte, in place. */
static void percent_decode(char *text)
{
	char *out = text;

	while (*text != 0) {
		int high = text[0] == '%' ? hex_digit(text[1]) : -1, low = high >= 0 ? hex_digit(text[2]) : -1;

		if (low >= 0) {
			*out++ = (char)(high << 4 | low);
			text += 3;
		} else {
			*out++ = *text++;
		}
	}
	*out = 0;
}

/* Takes the next field off the line; null when there is none. */
static char *field(char **rest)
{
	char *start = *rest, *space;

	if (start == NULL || *start == 0)
		return NULL;
	space = strchr(start, ' ');
	if (space != NULL)
		*space++ = 0;
	*rest = space;
	return start;
}

static bool number_field(char **rest, uint64_t *value)
{
	char *start = field(rest);

	return start != NULL && parse_number(start, value);
}

static bool vm_field(char **rest, unsigned *vm)
{
	uint64_t value;

	if (!number_field(rest, &value) || value >= MAX_VMS)
		return false;
	*vm = (unsigned)value;
	return true;
}

static const char *remainder_of(const char *rest)
{
	return rest != NULL ? rest : "";
}

static bool vm_record(char *rest, struct record *record)
{
	const char *what;

	if (!vm_field(&rest, &record->vm) || (what = field(&rest)) == NULL)
		return false;
	if (strcmp(what, "start") == 0) {
		record->kind = RECORD_VM_START;
		return (record->name = field(&rest)) != NULL;
	}
	if (strcmp(what, "set") == 0) {
		record->kind = RECORD_VM_SET;
		record->name = field(&rest);
		record->text = remainder_of(rest);
		return record->name != NULL;
	}
	if (strcmp(what, "end") == 0) {
		record->kind = RECORD_VM_END;
		if (!number_field(&rest, &record->value))
			return false;
		record->text = remainder_of(rest);
		return true;
	}
	return false;
}

/* log TEXT, panic TEXT */
static bool text_record(char *rest, struct record *record)
{
	record->text = remainder_of(rest);
	return true;
}

static bool host_record(char *rest, struct record *record)
{
	record->name = field(&rest);
	record->text = remainder_of(rest);
	return record->name != NULL;
}

static bool con_record(char *rest, struct record *record)
{
	if (!vm_field(&rest, &record->vm))
		return false;
	if (rest != NULL)
		percent_decode(rest);
	record->text = remainder_of(rest);
	return true;
}

static bool number_record(char *rest, struct record *record)
{
	return number_field(&rest, &record->value) && rest == NULL;
}

static bool stat_record(char *rest, struct record *record)
{
	if (!vm_field(&rest, &record->vm) || (record->name = field(&rest)) == NULL)
		return false;
	return number_record(rest, record);
}

bool record_parse(char *line, struct record *record)
{
	static const struct {
		const char *word;
		enum record_kind kind;
		bool (*parse)(char *rest, struct record *record);
	} kinds[] = {
		{ "vellum", RECORD_VERSION, number_record }, { "log", RECORD_LOG, text_record },
		{ "panic", RECORD_PANIC, text_record },	     { "host", RECORD_HOST, host_record },
		{ "con", RECORD_CON, con_record },	     { "stat", RECORD_STAT, stat_record },
		{ "end", RECORD_END, number_record },
	};
	char *rest = line, *word = field(&rest);

	*record = (struct record){ .name = "", .text = "" };
	if (word == NULL)
		return false;
	if (strcmp(word, "vm") == 0)
		return vm_record(rest, record);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(word, kinds[i].word) == 0) {
			record->kind = kinds[i].kind;
			return kinds[i].parse(rest, record);
		}
	return false;
}
