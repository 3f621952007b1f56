/* vm/control/request.h - the control channel's requests: bytes to lines, lines to requests (docs/protocol.md).
 * Freestanding, without state of its own, so that hosted tests can feed it garbage.
 *
 *   RQ1  Whatever arrives, at most CONTROL_LINE_MAX bytes are kept, and every line ends in a request or in one
 *        sentence.
 *   RQ2  A line too long is dropped as a whole, up to its end. */
#ifndef VELLUM_VM_CONTROL_REQUEST_H
#define VELLUM_VM_CONTROL_REQUEST_H

#include "lib/base.h"

#define CONTROL_LINE_MAX 200
#define CONTROL_TAG_MAX 16
#define CONTROL_WORD_MAX 31
#define CONTROL_DUMP_MAX 4096
#define CONTROL_SECONDS_MAX 60
#define CONTROL_BYTES_MAX 64
#define CONTROL_VIDEO_MAX 16384
#define CONTROL_MEMORY_MAX CONTROL_VIDEO_MAX
#define CONTROL_SAID_MAX 2048u /* bytes of a console in one answer */
#define CONTROL_TRACE_MAX 16384u /* records of exits */
#define CONTROL_MOUSE_BYTES 6u /* buttons, x and y of two, the wheel */
#define CONTROL_ANY UINT64_MAX

enum control_command {
	CONTROL_LIST,
	CONTROL_STATS,
	CONTROL_PHASES,
	CONTROL_MMU,
	CONTROL_PAUSE,
	CONTROL_RESUME,
	CONTROL_SHUTDOWN,
	CONTROL_TRANSLATE,
	CONTROL_DUMP,
	CONTROL_AUDIT,
	CONTROL_START,
	CONTROL_STOP,
	CONTROL_RESET,
	CONTROL_DESTROY,
	CONTROL_TPR,
	CONTROL_DIRTY,
	CONTROL_BALLOON,
	CONTROL_PIN,
	CONTROL_MIGRATE,
	CONTROL_WEIGHT,
	CONTROL_DEBUG,
	CONTROL_SCREEN,
	CONTROL_VIDEO,
	CONTROL_KEYS,
	CONTROL_MOUSE,
	CONTROL_DETAIL,
	CONTROL_TRACE,
	CONTROL_TRACED,
	CONTROL_MEMORY,
	CONTROL_CONSOLE,
	CONTROL_INPUT,
	CONTROL_SAVE,
	CONTROL_MERGE,
	CONTROL_TELL,
	CONTROL_MOVE,
	CONTROL_LAST = CONTROL_MOVE
};

enum control_space { CONTROL_REGISTERS, CONTROL_GVA, CONTROL_GPA };

struct control_request {
	char tag[CONTROL_TAG_MAX + 1]; /* the requester's; "-" where the line has none that could be one */
	enum control_command command;
	char vm[CONTROL_WORD_MAX + 1];   /* its name or number */
	uint64_t vcpu;                   /* of VM.VCPU, as it was given; CONTROL_ANY: none was */
	/* CONTROL_MMU: the mechanism; CONTROL_TPR: the method; CONTROL_DETAIL: on, off or ""; CONTROL_DIRTY: the same,
	 * or show; CONTROL_SAVE: what; CONTROL_MERGE: on, off or stats; CONTROL_TELL: pause or ""; CONTROL_MOVE: begin,
	 * postcopy, show or cancel */
	char word[CONTROL_WORD_MAX + 1];
	enum control_space space;        /* CONTROL_DUMP: what */
	/* or a CPU, or CONTROL_ANY; or a weight; CONTROL_SCREEN, CONTROL_CONSOLE: since when; CONTROL_SAVE,
	 * CONTROL_VIDEO: from which byte on; CONTROL_TRACE: how many; CONTROL_TRACED: from which on */
	uint64_t address;
	/* CONTROL_DUMP of memory: 1 .. CONTROL_DUMP_MAX; CONTROL_DIRTY: seconds, 1 .. CONTROL_SECONDS_MAX, 0: none;
	 * CONTROL_VIDEO: bytes; CONTROL_BALLOON: bytes, 0: none */
	uint64_t length;
	/* CONTROL_MOVE, begin or postcopy: the mechanism, or "";
	 * CONTROL_DIRTY, on: the method, or ""; CONTROL_DEBUG: a register's name or a breakpoint's kind, and bytes
	 * for a register or for memory; CONTROL_KEYS: for each key two, as i8042_key() has them; CONTROL_MOUSE:
	 * CONTROL_MOUSE_BYTES; CONTROL_INPUT: what is typed */
	char name[CONTROL_WORD_MAX + 1];
	uint8_t bytes[CONTROL_BYTES_MAX];
	unsigned count;
};

struct control_line {
	char text[CONTROL_LINE_MAX + 1];
	unsigned length;
	bool too_long;
	bool garbage; /* it holds a byte that no request has */
};

/* Takes one byte. true: a line is complete in line->text, to be parsed before the next byte; empty lines are not
 * told. */
bool control_line_take(struct control_line *line, uint8_t byte);
/* Makes a request of the complete line, and the line empty. false: error is one sentence; request->tag is set in any
 * case. */
bool control_parse(struct control_line *line, struct control_request *request, char *error, size_t error_size);

#endif
