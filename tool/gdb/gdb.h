/* vellum gdb: lets GDB debug the guest of a running session. */
#ifndef VELLUM_TOOL_GDB_H
#define VELLUM_TOOL_GDB_H

#include <stdbool.h>
#include "tool/options/options.h"
#include <sys/types.h>

int gdb_main(int argc, char **argv);

/* A socket where `place` says: a port of this computer's, 127.0.0.1, or with a / in it a Unix socket's path. Nobody
 * listens there yet. -1: error is one sentence. */
int gdb_place(const char *place, char *error, size_t size);
/* For vellum run --gdb: starts `vellum gdb` for the session of this name, at `place` ("-": standard input and output,
 * after which what this program prints goes to standard error). Ends the program where that cannot be. */
pid_t gdb_start(const char *place, const char *arch, const char *session);
/* Ends the program with one sentence where --gdb makes no sense. */
void gdb_check(const struct options *options);
/* It ends by itself when the session does; does not wait for longer than a second. */
void gdb_wait(pid_t pid);

#endif
