/* Where running sessions can be found: Unix sockets NAME.sock in a directory of the user's own, $XDG_RUNTIME_DIR/vellum
 * or, without that, vellum-UID in $TMPDIR or /tmp. A socket that nobody listens on any more is what a killed run left:
 * it is removed. */
#ifndef VELLUM_TOOL_RUNTIME_H
#define VELLUM_TOOL_RUNTIME_H

#include "tool/base/util.h"

enum { RUN_NAME_MAX = 60 };

/* Letters, digits, - _ and . */
bool run_name_valid(const char *name);

/* Listens under this name; the file goes when the program exits. -1: error says why (one sentence). */
int runtime_listen(const char *name, char *error, size_t error_size);
/* It is not found any more; to be called before the listener is closed. */
void runtime_forget(void);
/* Puts a link to the file of this path beside it: what its machine's own disk is (runtime_disk). */
void runtime_link(const char *path);
/* Opens that of the session of this name, for reading and writing; -1: it has none that could be opened. */
int runtime_disk(const char *name);
/* The names of the sessions that answer now, in order; *count of them; the caller frees each and the array. */
char **runtime_sessions(size_t *count);
/* -1: error says why. name NULL: the only session that there is. *found (may be NULL): its name, to be freed. */
int runtime_connect(const char *name, char **found, char *error, size_t error_size);

#endif
