/* A run that waits for a virtual machine of another one (vellum run --incoming, vellum migrate; docs/move.md). */
#ifndef VELLUM_TOOL_INCOMING_H
#define VELLUM_TOOL_INCOMING_H

#include <stdbool.h>
#include <sys/types.h>

struct incoming {
	int listener;   /* under the run's name; -1: there is none */
	int file;       /* who brings it; -1: nobody */
	char *path;     /* of what has come, whole: a snapshot */
	char *run, *vm; /* where it runs, and what it is called there */
	bool paused;    /* it stood there, and is to stand here */
	pid_t taker;    /* what lets it go on here; 0: nothing, or it has ended: */
	int status;     /* so, by waitpid() */
	unsigned killed; /* how often it was */
	const char *name; /* of this run */
	char *said;     /* a file that is there when this run is to have it (ME5 in tool/ctl/migrate.c) */
};

/* Listens under the name for one that is to come into a file of the directory `work`. Ends the program with a sentence
 * where it cannot. */
void incoming_listen(struct incoming *in, const char *name, const char *work);
/* Waits until one has come. */
void incoming_wait(struct incoming *in);
/* Starts what lets it go on here when it is there, and ends it where it was. Once its run, of this name, is there. */
void incoming_start(struct incoming *in, const char *name);
/* A process of ours has ended: if that was it, and it was killed, it begins again (ME5). */
void incoming_look(struct incoming *in);
/* The run is over, with this status; that of the command. Where what was to come did not go on here it says so. */
int incoming_status(struct incoming *in, int run);

#endif
