/* The control channel's end in `vellum run`: requests of local clients, one after the other, to the hypervisor, and its
 * answers back.
 *
 * A client connects to the session's socket (tool/base/runtime.h) and writes a line; it gets lines "reply TEXT", then
 * "done ok" or "done error SENTENCE". On the hypervisor's port the same lines carry a tag (docs/protocol.md). Nobody is
 * waited for: a client that does not read what it asked for, or writes without end, is put out.
 *
 * The run asks too: its own request goes before all others. What was answered to it, and what is answered to whoever
 * asks for a virtual machine's counters, is told to the run (control.heard). */
#ifndef VELLUM_TOOL_CONTROL_H
#define VELLUM_TOOL_CONTROL_H

#include "tool/base/util.h"

enum { CONTROL_CLIENTS = 64 };

struct control_client {
	int file;                       /* -1: no client */
	struct bytes in, out;
};

/* A whole answer, as JSON: to the run's own request, or to a client's for counters. */
typedef void control_hears(void *context, bool own, const char *json);

struct control {
	int listener;                   /* -1: there is no channel */
	struct control_client client[CONTROL_CLIENTS];
	/* whose request is with the hypervisor, -1: nobody's, CONTROL_CLIENTS: the run's own */
	int active;
	bool orphan;                    /* ... who has gone since */
	unsigned serial, last;          /* the request's tag; whose turn it was */
	bool slow;                      /* the active request may take its time */
	char *own;                      /* the run's request that has not been sent, or null */
	struct bytes answer;            /* what has come of one that is told to the run */
	bool kept;                      /* the active request's is */
	control_hears *heard;           /* may be null */
	void *context;
};

/* Opens the session's socket; without one the control is there but deaf. false: error says why. */
bool control_open(struct control *control, const char *name, char *error, size_t error_size);
void control_close(struct control *control);

/* The descriptors to wait for, for poll(): at most CONTROL_CLIENTS + 1, with their places. Returns how many. */
struct pollfd;
size_t control_polls(const struct control *control, struct pollfd *polls);
/* Takes what can be read and writes what can be written. */
void control_exchange(struct control *control);
/* Puts the next request, if it is time for one, into *out, for the hypervisor; true if it did. */
bool control_next(struct control *control, struct bytes *out);
/* The active request is not waited for any longer: whoever made it is told. */
void control_give_up(struct control *control);
/* The run's own request; one that a client waits for is given up. */
void control_ask(struct control *control, const char *request);
/* Has it not been answered yet? */
bool control_asking(const struct control *control);
/* A line of the hypervisor: true, and taken care of, when it is one of an answer. */
bool control_answer(struct control *control, const char *line);

#endif
