/* The viewers' server beside a run. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tool/base/size.h"
#include "tool/base/util.h"
#include "tool/view/view.h"

bool view_display(const char *display, uint64_t *port)
{
	*port = strcmp(display, "none") == 0 ? 0 : VIEW_PORT;
	if (*port == 0 || strcmp(display, "vnc") == 0)
		return true;
	return strncmp(display, "vnc:", 4) == 0 && parse_number(display + 4, port) && *port > 0 && *port < 65536;
}

pid_t view_start(uint64_t port, const char *session)
{
	char *number = text("%lu", (unsigned long)port), *program = text("%s/vellum", program_directory());
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execl(program, "vellum", "view", "--begins", "--run", session, "--port", number, NULL);
		_exit(STATUS_FAILED);
	}
	if (pid < 0)
		die(STATUS_FAILED, "cannot start what VNC viewers connect to: %s", strerror(errno));
	free(number);
	free(program);
	return pid;
}
