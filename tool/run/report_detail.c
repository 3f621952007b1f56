/* The exits that were looked at one by one (--detail), as a table. */
#include <stdlib.h>
#include <string.h>

#include "tool/base/number.h"
#include "tool/base/util.h"
#include "tool/run/report.h"

static const char prefix[] = "detail.", count_word[] = ".count", number_word[] = ".by_number.";

static uint64_t figure(const struct vm_result *vm, const char *of, size_t length, const char *what)
{
	char *name = text("%.*s.%s", (int)length, of, what);
	uint64_t value = stat_find(vm, name);

	free(name);
	return value;
}

/* A line of the reason, or of the number of one, whose counter `name` is; false: it is another counter. */
static bool print_line(FILE *out, const struct vm_result *vm, const char *name, uint64_t count)
{
	size_t length = strlen(name);
	const char *number = strstr(name, number_word), *shown;
	char a[32], b[32], c[32], d[32];

	if (strncmp(name, prefix, strlen(prefix)) != 0 || length < strlen(count_word) ||
	    strcmp(name + length - strlen(count_word), count_word) != 0 || count == 0)
		return false;
	length -= strlen(count_word);
	shown = number != NULL ? number + strlen(number_word) : name + strlen(prefix);
	fprintf(out, "  %s%-*.*s %12s %10s %10s %10s\n", number != NULL ? "  " : "", number != NULL ? 28 : 30,
		(int)(name + length - shown), shown, grouped(count, a), grouped(figure(vm, name, length, "min"), b),
		grouped(figure(vm, name, length, "ticks") / count, c), grouped(figure(vm, name, length, "max"), d));
	return true;
}

static bool is_of(const char *name, const char *reason, size_t length)
{
	return strncmp(name, reason, length) == 0 && strncmp(name + length, number_word, strlen(number_word)) == 0;
}

void report_detail(FILE *out, const struct vm_result *vm)
{
	bool any = false;

	for (size_t i = 0; i < vm->stat_count; i++) {
		const struct stat_value *s = &vm->stats[i];

		if (strncmp(s->name, prefix, strlen(prefix)) != 0 || strstr(s->name, number_word) != NULL)
			continue;
		if (!any)
			fprintf(out, "  %-30s %12s %10s %10s %10s   (ticks)\n", "VM exits one by one", "count", "least",
				"mean", "most");
		any = true;
		if (!print_line(out, vm, s->name, s->value))
			continue;
		for (size_t n = 0; n < vm->stat_count; n++)
			if (is_of(vm->stats[n].name, s->name, strlen(s->name) - strlen(count_word)))
				print_line(out, vm, vm->stats[n].name, vm->stats[n].value);
	}
}
