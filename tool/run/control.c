#include "tool/run/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/base/runtime.h"

static const char stats_word[] = "stats ", audit_word[] = "audit ";

enum { OWN = CONTROL_CLIENTS };
enum { REQUEST_MAX = 180, IN_MAX = 4096, OUT_MAX = 1 << 20 };

bool control_open(struct control *control, const char *name, char *error, size_t error_size)
{
	*control = (struct control){ .active = -1, .heard = control->heard, .context = control->context };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		control->client[i].file = -1;
	control->listener = runtime_listen(name, error, error_size);
	return control->listener >= 0;
}

static void put_out(struct control *control, size_t i)
{
	struct control_client *c = &control->client[i];

	close(c->file);
	c->file = -1;
	bytes_free(&c->in);
	bytes_free(&c->out);
	c->in = c->out = (struct bytes){ 0 };
	if (control->active == (int)i)
		control->orphan = true;
}

void control_close(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->client[i].file >= 0)
			put_out(control, i);
	if (control->listener >= 0) {
		runtime_forget();
		close(control->listener);
	}
	control->listener = -1;
	free(control->own);
	control->own = NULL;
	bytes_free(&control->answer);
}

static void accept_client(struct control *control)
{
	int file = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	static const char full[] = "done error there are too many clients\n";

	if (file < 0)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		/* The place of someone who has gone stays taken while his answer is on its way. */
		if (control->client[i].file < 0 && !(control->orphan && control->active == (int)i)) {
			control->client[i].file = file;
			return;
		}
	if (write(file, full, sizeof full - 1) < 0) {
		/* then without a word */
	}
	close(file);
}

static void take_from(struct control *control, size_t i)
{
	struct control_client *c = &control->client[i];
	char block[1024];
	ssize_t n = read(c->file, block, sizeof block);

	if (n > 0)
		bytes_add(&c->in, block, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || c->in.length > IN_MAX)
		put_out(control, i);
}

static void give_to(struct control *control, size_t i)
{
	struct control_client *c = &control->client[i];
	ssize_t n = send(c->file, c->out.data, c->out.length, MSG_NOSIGNAL);

	if (n > 0) {
		memmove(c->out.data, c->out.data + n, c->out.length - (size_t)n);
		c->out.length -= (size_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		put_out(control, i);
	}
}

size_t control_polls(const struct control *control, struct pollfd *polls)
{
	size_t n = 0;

	if (control->listener >= 0)
		polls[n++] = (struct pollfd){ .fd = control->listener, .events = POLLIN };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->client[i].file >= 0)
			polls[n++] = (struct pollfd){ .fd = control->client[i].file,
				.events = (short)(POLLIN | (control->client[i].out.length > 0 ? POLLOUT : 0)) };
	return n;
}

void control_exchange(struct control *control)
{
	if (control->listener >= 0)
		accept_client(control);
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->client[i].file >= 0)
			take_from(control, i);
		if (control->client[i].file >= 0 && control->client[i].out.length > 0)
			give_to(control, i);
	}
}

static void reply(struct control *control, size_t i, const char *line)
{
	struct control_client *c = &control->client[i];

	if (c->file < 0)
		return;
	bytes_print(&c->out, "%s\n", line);
	if (c->out.length > OUT_MAX)
		put_out(control, i);
}

/* Cuts the first line off what client i wrote; NULL: it is not complete. The caller frees. */
static char *cut_line(struct control_client *c)
{
	char *end = c->in.length > 0 ? memchr(c->in.data, '\n', c->in.length) : NULL, *line;
	size_t length;

	if (end == NULL)
		return NULL;
	length = (size_t)(end - c->in.data);
	line = allocate(length + 1);
	memcpy(line, c->in.data, length);
	line[length] = 0;
	c->in.length -= length + 1;
	memmove(c->in.data, end + 1, c->in.length);
	return line;
}

/* What cannot be a request is answered here; the hypervisor's port is slow. */
static bool acceptable(struct control *control, size_t i, const char *line)
{
	size_t length = strlen(line);

	if (length > REQUEST_MAX) {
		reply(control, i, "done error the request is too long");
		return false;
	}
	for (size_t k = 0; k < length; k++)
		if (line[k] < 0x20 || line[k] > 0x7e) {
			reply(control, i, "done error the request holds bytes that are no printable characters");
			return false;
		}
	return true;
}

void control_give_up(struct control *control)
{
	if (control->active >= 0 && control->active != OWN && !control->orphan)
		reply(control, (size_t)control->active, "done error the hypervisor does not answer");
	control->active = -1;
	control->orphan = false;
}

void control_ask(struct control *control, const char *request)
{
	control_give_up(control);
	free(control->own);
	control->own = text("%s", request);
}

bool control_asking(const struct control *control)
{
	return control->own != NULL || control->active == OWN;
}

/* Puts whose request `line` is into *out, with a tag of its own. */
static void send_request(struct control *control, int whose, const char *line, struct bytes *out)
{
	control->active = whose;
	control->orphan = false;
	control->slow = strncmp(line, audit_word, strlen(audit_word)) == 0;
	control->kept = whose == OWN || strncmp(line, stats_word, strlen(stats_word)) == 0;
	control->answer.length = 0;
	bytes_print(out, "r%u %s\n", ++control->serial, line);
}

bool control_next(struct control *control, struct bytes *out)
{
	if (control->active >= 0)
		return false;
	if (control->own != NULL) {
		send_request(control, OWN, control->own, out);
		free(control->own);
		control->own = NULL;
	}
	for (size_t k = 1; k <= CONTROL_CLIENTS && control->active < 0; k++) {
		size_t i = (control->last + k) % CONTROL_CLIENTS;
		char *line = control->client[i].file >= 0 ? cut_line(&control->client[i]) : NULL;

		if (line != NULL && acceptable(control, i, line)) {
			control->last = (unsigned)i;
			send_request(control, (int)i, line, out);
		}
		free(line);
	}
	return control->active >= 0;
}

/* What is told to the run: a piece of an answer, or its end. */
static void keep_answer(struct control *control, bool done, const char *rest)
{
	bool own = control->active == OWN;

	if (!control->kept)
		return;
	if (!done && control->answer.length < OUT_MAX)
		bytes_add(&control->answer, rest, strlen(rest));
	if (done && strcmp(rest, "ok") == 0 && control->heard != NULL && control->answer.length > 0)
		control->heard(control->context, own, control->answer.data);
}

/* "reply TAG TEXT" or "done TAG ...": for whom? The tag is left out for the client. */
bool control_answer(struct control *control, const char *line)
{
	bool done = strncmp(line, "done ", 5) == 0, piece = strncmp(line, "reply ", 6) == 0;
	const char *tag = line + (done ? 5 : 6), *rest;
	char *own, *out;
	bool mine;

	if (!done && !piece)
		return false;
	own = text("r%u ", control->serial);
	rest = strchr(tag, ' ');
	mine = control->active >= 0 && rest != NULL && strncmp(tag, own, strlen(own)) == 0;
	free(own);
	if (!mine)
		return true;            /* of a request that was given up */
	keep_answer(control, done, rest + 1);
	if (!control->orphan && control->active != OWN) {
		out = text("%s%s", done ? "done" : "reply", rest);
		reply(control, (size_t)control->active, out);
		free(out);
	}
	if (done) {
		control->active = -1;
		control->orphan = false;
	}
	return true;
}
