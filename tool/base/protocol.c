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

void percent_decode(char *text)
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

bool record_parse(char *line, struct record *record)
{
	char *rest = line, *word = field(&rest), *con;

	*record = (struct record){ .name = "", .text = "" };
	if (word == NULL)
		return false;
	if (strcmp(word, "vellum") == 0) {
		record->kind = RECORD_VERSION;
		return number_field(&rest, &record->value) && rest == NULL;
	}
	if (strcmp(word, "log") == 0 || strcmp(word, "panic") == 0) {
		record->kind = word[0] == 'l' ? RECORD_LOG : RECORD_PANIC;
		record->text = remainder_of(rest);
		return true;
	}
	if (strcmp(word, "host") == 0) {
		record->kind = RECORD_HOST;
		record->name = field(&rest);
		record->text = remainder_of(rest);
		return record->name != NULL;
	}
	if (strcmp(word, "vm") == 0)
		return vm_record(rest, record);
	if (strcmp(word, "con") == 0) {
		record->kind = RECORD_CON;
		if (!vm_field(&rest, &record->vm))
			return false;
		con = rest;
		if (con != NULL)
			percent_decode(con);
		record->text = remainder_of(con);
		return true;
	}
	if (strcmp(word, "stat") == 0) {
		record->kind = RECORD_STAT;
		if (!vm_field(&rest, &record->vm) || (record->name = field(&rest)) == NULL)
			return false;
		return number_field(&rest, &record->value) && rest == NULL;
	}
	if (strcmp(word, "end") == 0) {
		record->kind = RECORD_END;
		return number_field(&rest, &record->value) && rest == NULL;
	}
	return false;
}
