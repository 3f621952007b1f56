/* The statistics protocol of docs/protocol.md, as a reader sees it: bytes to lines, lines to records. */
#ifndef VELLUM_TOOL_PROTOCOL_H
#define VELLUM_TOOL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Cuts a stream of bytes into lines. A line longer than the room there is loses its end. */
struct line_cutter {
	char line[4096];
	size_t length;
};
typedef void line_handler(void *context, char *line);

/* Calls the handler for every line that these bytes complete, without its "\n" or "\r\n". */
void lines_feed(struct line_cutter *cutter, const char *data, size_t length, line_handler *handler, void *context);
/* The same for what is left at the end of the stream, if anything. */
void lines_end(struct line_cutter *cutter, line_handler *handler, void *context);

enum record_kind {
	RECORD_VERSION,         /* value */
	RECORD_LOG,             /* text */
	RECORD_HOST,            /* name, text */
	RECORD_VM_START,        /* vm, name */
	RECORD_VM_SET,          /* vm, name, text */
	RECORD_CON,             /* vm, text (decoded) */
	RECORD_STAT,            /* vm, name, value */
	RECORD_VM_END,          /* vm, value, text */
	RECORD_PANIC,           /* text */
	RECORD_END,             /* value */
};

struct record {
	enum record_kind kind;
	unsigned vm;
	uint64_t value;
	const char *name, *text;        /* within the line that was parsed */
};

enum { MAX_VMS = 65536 };               /* a VM's number is below this */

/* Cuts the line up in place; false when it is not a line of the protocol. */
bool record_parse(char *line, struct record *record);

#endif
