#include "tool/gdb/stub.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- to GDB ---- */

static void send_packet(struct stub *stub, const char *data, size_t length)
{
	stub->last.length = 0;
	packet_frame(&stub->last, data, length);
	bytes_add(&stub->out, stub->last.data, stub->last.length);
}

void stub_reply(struct stub *stub, const char *format, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	send_packet(stub, line, strlen(line));
}

void stub_reply_bytes(struct stub *stub, struct bytes *reply)
{
	send_packet(stub, reply->data != NULL ? reply->data : "", reply->length);
	bytes_free(reply);
}

void stub_ok(struct stub *stub, bool is) { stub_reply(stub, "%s", is ? "OK" : "E01"); }

/* ---- to the hypervisor ---- */

cJSON *stub_ask(struct stub *stub, const char *format, ...)
{
	char request[200], error[300];
	va_list ap;

	va_start(ap, format);
	vsnprintf(request, sizeof request, format, ap);
	va_end(ap);
	return stub->ask(stub->context, request, error, sizeof error);
}

bool stub_do(struct stub *stub, const char *request)
{
	char error[300];
	cJSON *answer = stub->ask(stub->context, request, error, sizeof error);

	cJSON_Delete(answer);
	return answer != NULL;
}

bool stub_begin(struct stub *stub, char *error, size_t size)
{
	char *request = text("debug %s attach", stub->vm);
	cJSON *answer = stub->ask(stub->context, request, error, size);
	int count = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(answer, "vcpus"));

	free(request);
	cJSON_Delete(answer);
	if (answer == NULL)
		return false;
	stub->threads = count < 1 ? 1 : count < STUB_THREADS_MAX ? (unsigned)count : STUB_THREADS_MAX;
	stub->thread = 1;
	stub->form = stub->wanted == WIDE_YES ? REGISTERS_WIDE : 0;
	/* All vCPUs have left their CPUs soon. */
	for (unsigned n = 0; n < 100; n++)
		if (stub_fetch_registers(stub))
			return true;
	snprintf(error, size, "%s does not stop", stub->vm);
	return false;
}

void stub_end(struct stub *stub)
{
	char *request = text("debug %s detach", stub->vm);

	if (!stub->ended && !stub->detached)
		stub_do(stub, request);
	free(request);
	free(stub->xml);
	stub->xml = NULL;
	stub->detached = true;
	bytes_free(&stub->out);
	bytes_free(&stub->last);
}

/* ---- questions ---- */

static void transfer(struct stub *stub, const char *p)
{
	static const char name[] = "target.xml:";
	struct bytes reply = { 0 };
	uint64_t from, length;
	size_t all;

	if (strncmp(p, name, strlen(name)) != 0 || (p += strlen(name), !hex_number(&p, &from)) || *p++ != ',' ||
	    !hex_number(&p, &length) || *p != 0) {
		stub_reply(stub, "E00");
		return;
	}
	if (stub->xml == NULL)
		stub->xml = registers_description(stub->form);
	all = strlen(stub->xml);
	if (from > all)
		from = all;
	if (length > PACKET_MAX / 2)
		length = PACKET_MAX / 2;
	if (length > all - from)
		length = all - from;
	bytes_add(&reply, from + length < all ? "m" : "l", 1);
	bytes_add(&reply, stub->xml + from, (size_t)length);
	stub_reply_bytes(stub, &reply);
}

/* The command that is asked for, with the virtual machine where it wants one; its answer as `vellum ctl` shows it. */
static void monitor(struct stub *stub, const char *p)
{
	char words[120] = "", error[300], *shown = NULL, *request;
	size_t size = 0, n = hex_bytes(&p, (uint8_t *)words, sizeof words - 1), first;
	struct bytes reply = { 0 };
	FILE *out = open_memstream(&shown, &size);
	cJSON *answer;

	words[n] = 0;
	first = strcspn(words, " ");
	request = strcmp(words, "list") == 0 ? text("list")
					     : text("%.*s %s%s", (int)first, words, stub->vm, words + first);
	answer = stub->ask(stub->context, request, error, sizeof error);
	words[first] = 0;
	if (answer == NULL)
		fprintf(out, "%s\n", error);
	else
		stub->show(out, words, answer);
	fclose(out);
	stub->registers_of = 0;
	hex_add(&reply, shown, size);
	if (size == 0)
		bytes_print(&reply, "OK");
	stub_reply_bytes(stub, &reply);
	cJSON_Delete(answer);
	free(request);
	free(shown);
}

static void threads(struct stub *stub)
{
	struct bytes reply = { 0 };

	for (unsigned n = 1; n <= stub->threads; n++)
		bytes_print(&reply, "%s%x", n == 1 ? "m" : ",", n);
	stub_reply_bytes(stub, &reply);
}

static void thread_name(struct stub *stub, const char *p)
{
	struct bytes reply = { 0 };
	char *name;
	uint64_t n = 0;

	if (!hex_number(&p, &n) || n == 0 || n > stub->threads) {
		stub_ok(stub, false);
		return;
	}
	name = text("virtual CPU %u of %s", (unsigned)n - 1, stub->vm);
	hex_add(&reply, name, strlen(name));
	stub_reply_bytes(stub, &reply);
	free(name);
}

static bool begins(const char **p, const char *with)
{
	if (strncmp(*p, with, strlen(with)) != 0)
		return false;
	*p += strlen(with);
	return true;
}

static void query(struct stub *stub, const char *p)
{
	if (begins(&p, "Supported")) {
		stub->tells_why = strstr(p, "swbreak+") != NULL;
		stub_reply(stub, "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;vContSupported+;"
				 "swbreak+;hwbreak+", (unsigned)PACKET_MAX);
	} else if (begins(&p, "Xfer:features:read:")) {
		transfer(stub, p);
	} else if (begins(&p, "fThreadInfo")) {
		threads(stub);
	} else if (begins(&p, "sThreadInfo")) {
		stub_reply(stub, "l");
	} else if (begins(&p, "ThreadExtraInfo,")) {
		thread_name(stub, p);
	} else if (begins(&p, "Attached")) {
		stub_reply(stub, "1");
	} else if (begins(&p, "Symbol")) {
		stub_ok(stub, true);
	} else if (begins(&p, "Rcmd,")) {
		monitor(stub, p);
	} else if (strcmp(p, "C") == 0) {
		stub_reply(stub, "QC%x", stub->thread);
	} else {
		stub_reply(stub, "%s", "");
	}
}

/* H and T: thread 0 is any, -1 all. */
static void choose_thread(struct stub *stub, const char *p)
{
	char what = *p++;
	bool all = strcmp(p, "-1") == 0;
	uint64_t n = 0;

	if ((what != 'g' && what != 'c') || (!all && (!hex_number(&p, &n) || *p != 0)) || n > stub->threads) {
		stub_ok(stub, false);
		return;
	}
	if (what == 'c')
		stub->resumed = (unsigned)n;
	else if (n != 0)
		stub->thread = (unsigned)n;
	stub_ok(stub, true);
}

static void is_alive(struct stub *stub, const char *p)
{
	uint64_t n = 0;

	stub_ok(stub, hex_number(&p, &n) && n >= 1 && n <= stub->threads);
}

/* Ends the virtual machine, as killing a program does. */
static void kill_guest(struct stub *stub)
{
	char *request = text("stop %s", stub->vm);

	stub_do(stub, request);
	free(request);
	stub->ended = stub->detached = true;
}

static void verbose(struct stub *stub, const char *p)
{
	if (strcmp(p, "Cont?") == 0) {
		stub_reply(stub, "%s", stub_actions());
	} else if (begins(&p, "Cont")) {
		stub_continue(stub, p);
	} else if (begins(&p, "Kill")) {
		kill_guest(stub);
		stub_ok(stub, true);
	} else {
		stub_reply(stub, "%s", "");
	}
}

static void detach(struct stub *stub)
{
	char *request = text("debug %s detach", stub->vm);

	stub_ok(stub, stub_do(stub, request));
	free(request);
	stub->detached = true;
}

static void no_acks(struct stub *stub)
{
	stub_ok(stub, true);
	stub->no_acks = true;
}

static void carry_out(struct stub *stub)
{
	const char *p = stub->reader.data;

	switch (*p++) {
	case '?': stub_tell_stop(stub); break;
	case 'g': stub_read_all(stub); break;
	case 'G': stub_write_all(stub, p); break;
	case 'p': stub_read_one(stub, p); break;
	case 'P': stub_write_one(stub, p); break;
	case 'm': stub_read_memory(stub, p); break;
	case 'M': stub_change_memory(stub, p, true); break;
	case 'X': stub_change_memory(stub, p, false); break;
	case 'Z': stub_breakpoint(stub, p, true); break;
	case 'z': stub_breakpoint(stub, p, false); break;
	case 'c': case 'C': stub_resume_all(stub, false); break;
	case 's': case 'S': stub_resume_all(stub, true); break;
	case 'v': verbose(stub, p); break;
	case 'q': query(stub, p); break;
	case 'H': choose_thread(stub, p); break;
	case 'T': is_alive(stub, p); break;
	case 'D': detach(stub); break;
	case 'k': kill_guest(stub); break;
	case 'Q':
		if (strcmp(p, "StartNoAckMode") == 0)
			no_acks(stub);
		else
			stub_reply(stub, "%s", "");
		break;
	default: stub_reply(stub, "%s", ""); break;
	}
}

/* While it runs GDB has nothing to say but to stop it. */
static void interrupt(struct stub *stub)
{
	char *request = text("debug %s pause", stub->vm);

	if (stub->running) {
		stub->interrupted = true;
		stub_do(stub, request);
	}
	free(request);
}

void stub_take(struct stub *stub, const char *data, size_t length)
{
	for (size_t i = 0; i < length && !stub->detached; i++) {
		enum packet_event event = packet_take(&stub->reader, data[i]);

		if (event == PACKET_INTERRUPT)
			interrupt(stub);
		else if (event == PACKET_NAK && !stub->no_acks)
			bytes_add(&stub->out, stub->last.data, stub->last.length);
		if (event != PACKET_WHOLE && event != PACKET_BAD)
			continue;
		if (event == PACKET_BAD && stub->reader.too_long)
			stub_ok(stub, false);        /* it would come again as long */
		else if (!stub->no_acks)
			bytes_add(&stub->out, event == PACKET_WHOLE ? "+" : "-", 1);
		if (event == PACKET_WHOLE && !stub->running)
			carry_out(stub);
	}
}
