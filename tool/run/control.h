/* The control channel's end in `vellum run`: requests of local clients, one after the other, to the hypervisor, and its
 * answers back.
 *
 * A client connects to the session's socket (tool/base/runtime.h) and writes a line; it gets lines "reply TEXT", then
 * "done ok" or "done error SENTENCE". On the hypervisor's port the same lines carry a tag (docs/protocol.md). Nobody is
 * waited for: a client that does not read what it asked for, or writes without end, is put out. */
#ifndef VELLUM_TOOL_CONTROL_H
#define VELLUM_TOOL_CONTROL_H

#include "tool/base/util.h"

enum { CONTROL_CLIENTS = 8 };

struct control_client {
	int file;                       /* -1: no client */
	struct bytes in, out;
};

struct control {
	int listener;                   /* -1: there is no channel */
	struct control_client client[CONTROL_CLIENTS];
	int active;                     /* whose request is with the hypervisor, -1: nobody's */
	bool orphan;                    /* ... who has gone since */
	unsigned serial, last;          /* the request's tag; whose turn it was */
	double deadline;
};

/* Opens the session's socket; without one the control is there but deaf. false: error says why. */
bool control_open(struct control *control, const char *name, char *error, size_t error_size);
void control_close(struct control *control);

/* The descriptors to wait for, for poll(): at most CONTROL_CLIENTS + 1, with their places. Returns how many. */
struct pollfd;
size_t control_polls(const struct control *control, struct pollfd *polls);
/* Takes what can be read and writes what can be written. */
void control_move(struct control *control);
/* Puts the next request, if it is time for one, into *out, for the hypervisor. */
void control_next(struct control *control, double now, struct bytes *out);
/* A line of the hypervisor: true, and taken care of, when it is one of an answer. */
bool control_answer(struct control *control, const char *line);

#endif
