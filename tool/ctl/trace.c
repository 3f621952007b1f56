/* vellum ctl trace and detail: the exits of a virtual machine one by one, some of them or their sums. */
#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/exits.h"
#include "tool/base/number.h"
#include "tool/base/output.h"
#include "tool/options/value.h"
#include "tool/ctl/guest.h"
#include "tool/ctl/screen.h"

enum { DEFAULT_COUNT = 4096, COUNT_MOST = 16384, DEFAULT_SECONDS = 10, SECONDS_MOST = 3600, ASK_AGAIN_US = 100000 };

/* The records of an answer, behind those that there are. */
static void unpack(struct exits *exits, const cJSON *answer)
{
	static struct trace_record records[1024];
	static uint8_t packed[2 * sizeof records];
	size_t count = (size_t)ctl_number(answer, "records");
	long length;

	if (count == 0)
		return;
	length = base64_decode(ctl_text(answer, "packed"), packed, sizeof packed);
	if (count > ARRAY_SIZE(records) || length < 0 ||
	    LZ4_decompress_safe((char *)packed, (char *)records, (int)length, (int)sizeof records) !=
		    (int)(count * sizeof *records))
		die(STATUS_FAILED, "the hypervisor's answer is not whole");
	exits_add(exits, records, count);
}

/* All that one virtual CPU has recorded. */
static void fetch(struct ctl *ctl, const char *vm, unsigned vcpu, struct exits *exits)
{
	size_t before = exits->count;
	bool more = true;

	while (more) {
		cJSON *answer = guest_ask(ctl, text("traced %s.%u %zu", vm, vcpu, exits->count - before));

		unpack(exits, answer);
		more = ctl_number(answer, "records") > 0 &&
		       exits->count - before < (size_t)ctl_number(answer, "recorded");
		cJSON_Delete(answer);
	}
}

/* Have all virtual CPUs recorded as many as they were to? */
static bool all_complete(struct ctl *ctl, const char *vm, unsigned vcpus)
{
	bool complete = true;

	for (unsigned n = 0; n < vcpus && complete; n++) {
		cJSON *answer = guest_ask(ctl, text("traced %s.%u %u", vm, n, COUNT_MOST));

		complete = cJSON_IsTrue(ctl_get(answer, "complete"));
		cJSON_Delete(answer);
	}
	return complete;
}

static unsigned vm_number(struct ctl *ctl, const char *vm, char **name)
{
	cJSON *list = guest_ask(ctl, text("list"));
	const cJSON *item;
	unsigned id = 0;

	cJSON_ArrayForEach(item, ctl_get(list, "vms")) {
		char *number = text("%.0f", ctl_number(item, "id"));

		if (strcmp(ctl_text(item, "name"), vm) == 0 || strcmp(number, vm) == 0) {
			id = (unsigned)ctl_number(item, "id");
			*name = text("%s", ctl_text(item, "name"));
		}
		free(number);
	}
	cJSON_Delete(list);
	return id;
}

int trace_command(struct ctl *ctl, const char *vm, int argc, char **argv)
{
	uint64_t count = argc > 1 ? number_between("COUNT", argv[1], 1, COUNT_MOST) : DEFAULT_COUNT;
	uint64_t seconds = argc > 2 ? number_between("SECONDS", argv[2], 1, SECONDS_MOST) : DEFAULT_SECONDS;
	char *name = NULL, number[32];
	struct exits exits = { 0 };
	unsigned vcpus, id;
	const char **names;
	double start;
	cJSON *answer;
	bool csv;

	if (argc < 1 || argc > 3 || !exits_format(argv[0], &csv))
		die(STATUS_USAGE, "ctl: it is: trace [VM] FILE.json|FILE.csv [COUNT [SECONDS]]");
	if (!output_possible(argv[0]))
		die(STATUS_USAGE, "ctl: trace %s: cannot be written: %s", argv[0], strerror(errno));
	id = vm_number(ctl, vm, &name);
	answer = guest_ask(ctl, text("trace %s %llu", vm, (unsigned long long)count));
	vcpus = (unsigned)ctl_number(answer, "vcpus");
	exits.tsc_hz = (uint64_t)ctl_number(answer, "tsc_hz");
	cJSON_Delete(answer);
	for (start = clock_seconds(); clock_seconds() - start < (double)seconds && !all_complete(ctl, vm, vcpus);)
		usleep(ASK_AGAIN_US);
	cJSON_Delete(guest_ask(ctl, text("trace %s 0", vm)));
	for (unsigned n = 0; n < vcpus; n++)
		fetch(ctl, vm, n, &exits);
	names = allocate((id + 1) * sizeof *names);
	memset(names, 0, (id + 1) * sizeof *names);
	names[id] = name;
	exits_write(argv[0], &exits, &(struct exits_about){ .vms = names, .vm_count = id + 1 });
	say("%s: %s exit%s", argv[0], grouped(exits.count, number), plural(exits.count));
	exits_free(&exits);
	free(names);
	free(name);
	return 0;
}
