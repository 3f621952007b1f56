/* One run, from the machine's start to its end: what relay.c moves, display.c shows, conclude.c explains and run.c puts
 * together. */
#ifndef VELLUM_TOOL_SESSION_H
#define VELLUM_TOOL_SESSION_H

#include <stdio.h>

#include "tool/run/control.h"
#include "tool/run/incoming.h"
#include "tool/emulator/emulator.h"
#include "tool/options/machines.h"
#include "tool/base/outflow.h"
#include "tool/base/protocol.h"
#include "tool/base/util.h"

enum {
	TAIL = 8,               /* lines that are shown again after a bad end */
	HELD_MS = 300,          /* that words of the hypervisor wait for the end of a line of the guest */
	HELD_LINES_MS = 3000,   /* that lines of other guests wait for it */
	KEY_PAUSE_MS = 2,       /* between two characters for the guest: its UART has room for 16 */
	ASKING_MS = 50,         /* between two looks at a machine that does not answer */
	LAST_WORDS_MS = 1000,   /* for what a machine that is gone has still said */
	/* of output that waits for its reader: then no more is taken from the console; and then from nobody */
	OUTPUT_MOST = 1 << 20,
	OUTPUT_TOO_MUCH = 1 << 26,
	LINGER_MS = 5000,       /* for the machine to power off after the last line */
	SILENCE_MS = 180000,    /* for the hypervisor to say its first word, on a machine of one CPU, */
	SILENCE_CPUS = 16,      /* and as long again for so many more: an emulator has each of them take its turn */
};

enum ending { RUNNING, MACHINE_GONE, ENDED, PANICKED, TIMED_OUT, SILENT, INTERRUPTED, QUIT, OUTPUT_GONE,
	GUEST_PANICKED };

struct tail {
	char *lines[TAIL];
	unsigned count;
};

struct session {
	const struct options *options;
	const struct machines *machines;        /* that it runs */
	struct emulator emulator;
	struct run_result result;
	char *work;
	pid_t pid;
	struct incoming incoming;
	pid_t gdb, view;                              /* what GDB talks to; 0: nothing */
	bool alive;
	enum ending ending;
	int signal;                             /* that interrupted us */
	struct outflow output, errors;
	bool one_reader;                        /* both go to the same: then all goes by the first, in order */
	double start, ended_at;
	int console, statistics, screen, signals, keyboard;     /* descriptors, or -1 */
	int console_other, screen_other;
	char *console_path, *screen_path;
	FILE *console_copy, *statistics_copy;   /* in the working directory */
	struct line_cutter console_lines, statistics_lines;
	bool middle_of_line;                    /* the console's last byte ended no line */
	/* the hypervisor's words that wait for that line's end, each with its newline */
	struct bytes held;
	double held_since;
	struct bytes held_lines;                /* the same of other guests' lines */
	double held_lines_since;
	struct tail console_tail, statistics_tail;
	char *last_log;                         /* the hypervisor's last message, or null */
	struct bytes keys;                      /* typed, not sent yet */
	double next_key;
	int statistics_listener;                /* where the machine's second serial port will connect to, or -1 */
	struct control control;
	struct bytes requests;                  /* for the hypervisor, not sent yet */
	/* when the hypervisor last said something, or was asked, in seconds: the clock's, the emulator's CPU time */
	double heard_at, heard_at_cpu;
	bool farewell;                          /* the last questions are being asked: three of each VM */
	unsigned farewell_next;                 /* ... of which this is next */
	double farewell_since;                  /* and when that began */
	bool panic_seen[MAX_VMS];               /* what follows from a guest's panic has been done */
	bool panic_told[MAX_VMS];               /* its registers have been asked for */
	bool unheard;                           /* nobody takes the output, and who waited for that gave up */
	bool hurry;                             /* who stopped the machine has said so again */
};

void tail_add(struct tail *tail, const char *line);
void tail_free(struct tail *tail);

/* display.c: where what is shown goes to, before anything is. */
void display_open(struct session *session);

/* relay.c: makes the ends of the serial ports, in the working directory; then, once the machine runs, passes on what
 * comes from them and from the keyboard until it ends or has to be ended. */
void connect_wires(struct session *session, struct wires *wires);
void disconnect_wires(struct session *session);
void watch_signals(struct session *session);
/* Takes what has come of them; what it means to a run that has ended is `hurry`. */
void take_signals(struct session *session);
void relay(struct session *session);
/* Kills the machine when this program ends before it. */
void guard_machine(struct session *session);

/* farewell.c: before a machine is stopped that would have gone on, asks what its virtual machines have cost. true: all
 * have answered, or nobody does. */
bool farewell(struct session *session);
/* An answer about counters (struct control). */
void counters_heard(void *context, bool own, const char *json);
/* The hypervisor has said something; has it been silent for longer than a working machine is while it is asked? */
void heard_from_machine(struct session *session);
bool machine_silent(const struct session *session);

/* panic.c: a guest's console has a new line; a guest has ended, and those that are left may have panicked for good. */
void look_for_panic(struct session *session, unsigned vm);
void panics_alone(struct session *session);

/* display.c: what was read from the console that is ours; a line of another guest's; the hypervisor's own words. Then,
 * from time to time, what waits for the end of a line that does not come; and all that is left, at the end. */
void display_console(struct session *session, const char *data, size_t length);
void display_other_console(struct session *session, const struct record *record);
void display_log(struct session *session, const char *line);
void display_what_waits(struct session *session);
void display_rest(struct session *session);
/* More that comes behind it, such as the report. */
void display_text(struct session *session, const char *text, size_t length);
/* Once the machine is gone: waits for who reads the output, however long that takes, but a signal ends it. */
void display_end(struct session *session);

/* For how long a machine may say nothing from its start on. */
static inline int session_silence_ms(const struct session *session)
{
	return SILENCE_MS * (1 + (int)session->emulator.cpus / SILENCE_CPUS);
}

/* conclude.c: says in one sentence how a run ended that did not end by itself, and puts it into the result; returns the
 * exit status. */
int conclude(struct session *session);

#endif
