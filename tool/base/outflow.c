#include "tool/base/outflow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK belongs to what all who share a descriptor have in common; so it is set on one of our own. A regular file
 * has its place there too, and never waits. */
static int own(int file)
{
	struct stat is;
	char name[40];
	int fresh;

	if (fstat(file, &is) != 0 || !(S_ISFIFO(is.st_mode) || (S_ISCHR(is.st_mode) && isatty(file))))
		return file;
	snprintf(name, sizeof name, "/proc/self/fd/%d", file);
	fresh = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fresh >= 0 ? fresh : file;
}

void outflow_open(struct outflow *o, int file)
{
	*o = (struct outflow){ .file = own(file) };
}

size_t outflow_waits(const struct outflow *o) { return o->waiting.length - o->at; }

bool outflow_go_on(struct outflow *o)
{
	while (o->error == 0 && outflow_waits(o) > 0) {
		ssize_t n = write(o->file, o->waiting.data + o->at, outflow_waits(o));

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0 && errno != EINTR)
			o->error = errno;
		if (n > 0)
			o->at += (size_t)n;
	}
	o->waiting.length = o->at = 0;
	return o->error == 0;
}

bool outflow_write(struct outflow *o, const char *data, size_t length)
{
	/* What was written makes room before more is taken: each byte is moved once at most. */
	if (o->at > 0 && o->at >= outflow_waits(o)) {
		memmove(o->waiting.data, o->waiting.data + o->at, outflow_waits(o));
		o->waiting.length -= o->at;
		o->at = 0;
	}
	bytes_add(&o->waiting, data, length);
	return outflow_go_on(o);
}

bool outflow_end(struct outflow *o, int stop, int milliseconds)
{
	struct pollfd list[] = { { .fd = o->file, .events = POLLOUT }, { .fd = stop, .events = POLLIN } };
	double until = clock_seconds() + milliseconds / 1000.0;

	while (outflow_go_on(o) && outflow_waits(o) > 0) {
		double left = milliseconds < 0 ? -1 : (until - clock_seconds()) * 1000;

		if (milliseconds >= 0 && left <= 0)
			return false;
		if (poll(list, 2, milliseconds < 0 ? -1 : (int)left + 1) < 0 && errno != EINTR)
			o->error = errno;
		if (list[1].revents != 0)
			return false;
	}
	return o->error == 0;
}
