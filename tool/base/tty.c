#include "tool/base/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "tool/base/util.h"

static struct termios saved;
static volatile sig_atomic_t raw;

void console_restore(void)
{
	if (raw) {
		raw = 0;
		tcsetattr(0, TCSAFLUSH, &saved);
	}
}

/* Signals of our own mistakes: they end the program, but not with a dead terminal. */
static void on_crash(int number)
{
	console_restore();
	signal(number, SIG_DFL);
	raise(number);
}

void console_raw(void)
{
	struct termios mode;

	if (tcgetattr(0, &saved) != 0)
		return;
	mode = saved;
	cfmakeraw(&mode);
	mode.c_oflag |= OPOST | ONLCR;          /* our own lines end in "\n" alone */
	atexit(console_restore);
	signal(SIGSEGV, on_crash);
	signal(SIGBUS, on_crash);
	signal(SIGABRT, on_crash);
	raw = 1;
	if (tcsetattr(0, TCSAFLUSH, &mode) != 0)
		raw = 0;
}

int pseudo_terminal(char **path, int *other)
{
	struct termios mode;
	char name[200];
	int ours;

	if (openpty(&ours, other, name, NULL, NULL) != 0)
		die(STATUS_FAILED, "cannot make a pseudo-terminal: %s", strerror(errno));
	if (tcgetattr(*other, &mode) == 0) {
		cfmakeraw(&mode);
		tcsetattr(*other, TCSANOW, &mode);
	}
	fcntl(ours, F_SETFD, FD_CLOEXEC);
	fcntl(*other, F_SETFD, FD_CLOEXEC);
	fcntl(ours, F_SETFL, O_NONBLOCK);
	*path = text("%s", name);
	return ours;
}

bool console_write(const char *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(1, data, length);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd output = { .fd = 1, .events = POLLOUT };

			poll(&output, 1, 1000);
			continue;
		}
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			data += n;
			length -= (size_t)n;
		}
	}
	return true;
}
