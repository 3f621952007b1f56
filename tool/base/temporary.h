/* tool/base/temporary.h - the command's temporary directory, which does not outlive it: whatever signal ends the
 * command, from the first moment on, removes it, and what a command left that was killed is removed by the next one. */
#ifndef VELLUM_TOOL_TEMPORARY_H
#define VELLUM_TOOL_TEMPORARY_H

#include <sys/types.h>

/* Makes a directory in $TMPDIR that is removed, with all that is in it, when the program exits. SIGINT, SIGTERM, SIGHUP
 * and SIGQUIT make it exit from here on, with status 128 + signal, at the next temporary_check(). Those that dead
 * commands have left are removed. */
char *temporary_directory(void);

/* Exits if one of these signals has come. */
void temporary_check(void);
/* pid is ended by such a signal, so that whoever waits for it comes to temporary_check(); 0: nobody is waited for. */
void temporary_waits_for(pid_t pid);
/* From now on such a program is ended by SIGTERM, as it has to clean up behind itself; by a second signal at once. */
void temporary_ends_gently(void);

#endif
