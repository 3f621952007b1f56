/* lab/trace/import_lackey.c - the text that `valgrind --tool=lackey --trace-mem=yes` writes: one line an access,
 *
 * 	I  04000890,3      an instruction is fetched
 * 	 L 1ffeffe7e,8     load       S: store       M: modify, that is a load and then a store
 *
 * addresses in hexadecimal, sizes in decimal, and lines that begin with == or -- of valgrind itself. Mappings are not
 * in it. */
#include <string.h>

#include "lab/trace/import.h"
#include "lab/trace/format.h"

static bool hex(const char **at, uint64_t *value)
{
	unsigned digits = 0;

	for (*value = 0; digits <= 16; (*at)++, digits++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			*value = *value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	return digits && digits <= 16;
}

static bool decimal(const char **at, unsigned *value)
{
	unsigned digits = 0;

	for (*value = 0; **at >= '0' && **at <= '9' && digits <= 5; (*at)++, digits++)
		*value = *value * 10 + (unsigned)(**at - '0');
	return digits && digits <= 5;
}

static bool are_canonical(uint64_t addr, unsigned size)
{
	uint64_t end = addr + size - 1;

	return size && trace_canonical(addr) && trace_canonical(end);
}

/* false: not a line of lackey. */
static bool line(const char *text, struct lab_writer *w, uint64_t *accesses)
{
	char kind = text[0] == 'I' ? 'I' : text[1];
	const char *at = text + 3;
	uint64_t addr;
	unsigned size;

	if (!strncmp(text, "==", 2) || !strncmp(text, "--", 2) || !text[0])
		return true;
	if (!text[0] || !text[1] || text[2] != ' ' || (text[0] != 'I' && text[0] != ' ') ||
	    (text[0] == 'I' && text[1] != ' '))
		return false;
	if (!hex(&at, &addr) || *at++ != ',' || !decimal(&at, &size) || *at || !are_canonical(addr, size))
		return false;
	++*accesses;
	switch (kind) {
	case 'I': lab_writer_fetch(w, addr, 1); return true;
	case 'L': lab_writer_access(w, LAB_READ, addr, size, false); return true;
	case 'S': lab_writer_access(w, LAB_WRITE, addr, size, false); return true;
	case 'M':
		lab_writer_access(w, LAB_READ, addr, size, false);
		lab_writer_access(w, LAB_WRITE, addr, size, false);
		return true;
	default: return false;
	}
}

bool lab_import_lackey(FILE *in, const char *name, struct lab_writer *w, struct lab_error *error)
{
	char text[1024];
	uint64_t number = 0, accesses = 0;

	lab_writer_call(w, &(struct lab_call){ .kind = LAB_SWITCH });
	while (fgets(text, sizeof(text), in)) {
		size_t length = strlen(text);

		number++;
		if (length && text[length - 1] == '\n')
			text[length - 1] = 0;
		else if (!feof(in) && strncmp(text, "==", 2))
			return lab_fail(error,
					"%s: line %llu is longer than any line of lackey: is this lackey's text?", name,
					(unsigned long long)number);
		if (!line(text, w, &accesses))
			return lab_fail(
				error,
				"%s: line %llu is not one of lackey's (\"%.40s\"); its lines are like \"I  "
				"04000890,3\" and \" L "
				"1ffeffe7e,8\": keep the program's own output out of it with valgrind's --log-file",
				name, (unsigned long long)number, text);
	}
	if (ferror(in))
		return lab_fail(error, "%s: reading failed after line %llu", name, (unsigned long long)number);
	if (!accesses)
		return lab_fail(error,
				"%s: there is no access in it: was valgrind run with --tool=lackey --trace-mem=yes?",
				name);
	return true;
}
