/* GDB's stub: the guest goes on, steps, and stops. */
#include <stdlib.h>
#include <string.h>

#include "tool/gdb/stub.h"

enum action { STAY, GO, STEP };

const char *stub_actions(void) { return "vCont;c;C;s;S"; }

static const char *text_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

/* ---- it stops ---- */

/* What GDB is told of a thread's stop, behind its number; NULL: it has not stopped by itself. */
static const char *reason(const struct stub *stub, const cJSON *vcpu, char *out, size_t size)
{
	const char *why = text_of(vcpu, "why"), *address = text_of(vcpu, "address");

	if (strncmp(address, "0x", 2) == 0)
		address += 2;
	out[0] = 0;
	if (strcmp(why, "stepped") == 0)
		return out;
	if (strcmp(why, "soft") == 0 || strcmp(why, "hard") == 0)
		snprintf(out, size, "%s", !stub->tells_why ? "" : why[0] == 's' ? "swbreak:;" : "hwbreak:;");
	else if (strcmp(why, "watch") == 0 || strcmp(why, "access") == 0)
		snprintf(out, size, "%s:%.16s;", why[0] == 'w' ? "watch" : "awatch", address);
	else
		return NULL;
	return out;
}

/* Chooses the thread to tell of; what others have seen of data waits until they go on. (Breakpoints are met again.) */
static void choose(struct stub *stub, const cJSON *vcpus, char *told, size_t size)
{
	bool found = false;
	unsigned n = 0;
	const cJSON *vcpu;
	char text[40];

	told[0] = 0;
	cJSON_ArrayForEach(vcpu, vcpus) {
		const char *why = n < STUB_THREADS_MAX ? reason(stub, vcpu, text, sizeof text) : NULL;

		n++;
		if (why == NULL)
			continue;
		if (!found) {
			found = true;
			stub->thread = n;
			snprintf(told, size, "%s", why);
		} else if (strstr(why, "watch") != NULL) {
			snprintf(stub->waiting[n - 1], sizeof stub->waiting[n - 1], "%s", why);
		}
	}
	if (!found)
		snprintf(told, size, "%s", "-");
}

/* How it ended, as the hypervisor knows it. */
static void tell_end(struct stub *stub)
{
	char error[300];
	cJSON *list = stub->ask(stub->context, "list", error, sizeof error);
	const cJSON *vm;
	int status = -1;

	cJSON_ArrayForEach(vm, cJSON_GetObjectItemCaseSensitive(list, "vms")) {
		const cJSON *number = cJSON_GetObjectItemCaseSensitive(vm, "status");

		if (strcmp(text_of(vm, "name"), stub->vm) == 0 && cJSON_IsNumber(number))
			status = number->valueint;
	}
	cJSON_Delete(list);
	stub->running = false;
	stub->ended = true;
	if (status >= 0)
		stub_reply(stub, "W%02x", (unsigned)status & 255);
	else
		stub_reply(stub, "X09");
}

void stub_tell_stop(struct stub *stub)
{
	cJSON *status = stub_ask(stub, "debug %s status", stub->vm);
	char told[40];

	if (status == NULL) {
		tell_end(stub);
		return;
	}
	choose(stub, cJSON_GetObjectItemCaseSensitive(status, "vcpus"), told, sizeof told);
	cJSON_Delete(status);
	stub->running = false;
	stub->registers_of = 0;
	if (told[0] == '-')
		stub_reply(stub, "T%02xthread:%x;", stub->interrupted ? 2 : 5, stub->thread);
	else
		stub_reply(stub, "T05thread:%x;%s", stub->thread, told);
	stub->interrupted = false;
}

void stub_look(struct stub *stub)
{
	cJSON *status;
	bool stopped, attached;

	if (!stub->running)
		return;
	status = stub_ask(stub, "debug %s status", stub->vm);
	stopped = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(status, "stopped"));
	attached = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(status, "attached"));
	if (status == NULL || stopped) {
		stub_tell_stop(stub);
	} else if (!attached) {
		/* It has begun again, and knows nothing of a debugger. */
		cJSON *answer = stub_ask(stub, "debug %s attach", stub->vm);

		cJSON_Delete(answer);
	}
	cJSON_Delete(status);
}

/* ---- it goes on ---- */

static bool tell_waiting(struct stub *stub, const enum action *actions)
{
	for (unsigned n = 0; n < stub->threads; n++)
		if (stub->waiting[n][0] != 0 && actions[n] != STAY) {
			stub->thread = n + 1;
			stub_reply(stub, "T05thread:%x;%s", n + 1, stub->waiting[n]);
			stub->waiting[n][0] = 0;
			return true;
		}
	return false;
}

/* One may step, or go on alone; GDB asks for nothing else while one of them is held. */
static void resume(struct stub *stub, const enum action *actions)
{
	const char *word = "continue";
	unsigned one = 0;
	bool stay = false;
	cJSON *answer;

	if (tell_waiting(stub, actions))
		return;
	for (unsigned n = stub->threads; n > 0; n--) {
		stay |= actions[n - 1] == STAY;
		if (actions[n - 1] == STEP || (actions[n - 1] == GO && (one == 0 || actions[one - 1] != STEP)))
			one = n;
	}
	if (one == 0) {
		stub_reply(stub, "E01");
		return;
	}
	if (actions[one - 1] == STEP)
		word = stay ? "stepalone" : "step";
	else if (stay)
		word = "continuealone";
	answer = stub_ask(stub, "debug %s.%u %s", stub->vm, one - 1, word);
	if (answer == NULL) {
		tell_end(stub);
		return;
	}
	cJSON_Delete(answer);
	stub->registers_of = 0;
	stub->running = true;
}

void stub_resume_all(struct stub *stub, bool step)
{
	enum action actions[STUB_THREADS_MAX];
	unsigned one = stub->resumed != 0 ? stub->resumed : stub->thread;

	for (unsigned n = 0; n < stub->threads; n++)
		actions[n] = step && n + 1 == one ? STEP : GO;
	resume(stub, actions);
}

/* ;ACTION[:THREAD] over and over; the first that names a thread counts for it. */
void stub_continue(struct stub *stub, const char *p)
{
	enum action actions[STUB_THREADS_MAX] = { STAY };
	bool said[STUB_THREADS_MAX] = { false }, any = false;

	while (*p++ == ';') {
		char what = *p;
		uint64_t thread = 0, ignored;

		if (what == 0 || strchr("csCS", what) == NULL)
			break;
		p++;
		if (what == 'C' || what == 'S')
			hex_number(&p, &ignored); /* a guest has no signals */
		if (*p == ':' && p++ && strncmp(p, "-1", 2) == 0)
			p += 2;
		else if (p[-1] == ':' && !hex_number(&p, &thread))
			break;
		for (unsigned n = 0; n < stub->threads; n++)
			if ((thread == 0 || thread == n + 1) && !said[n]) {
				actions[n] = what == 'c' || what == 'C' ? GO : STEP;
				said[n] = any = true;
			}
		if (*p == 0 && any) {
			resume(stub, actions);
			return;
		}
	}
	stub_reply(stub, "E01");
}
