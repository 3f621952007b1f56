#include "tool/ctl/top.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/json_text.h"
#include "tool/base/number.h"
#include "tool/base/runtime.h"
#include "tool/options/value.h"

static const char usage[] =
	"usage: vellum top [--run NAME] [--once | --log] [--json] [--sort KEY]\n"
	"\n"
	"Shows, each second, how often the virtual machines of a run exit and why, and where their time goes. Keys: up "
	"and\n"
	"down choose a virtual machine or their sum, s sorts otherwise, p pauses it and lets it go on, m gives it the\n"
	"next mechanism, q quits. --sort is by count, time, each or name.\n"
	"--log prints the figures of each second as text until the run ends.\n"
	"--once prints the figures of one second as text, which it also does where its output is no terminal; --json\n"
	"prints them as JSON. On a terminal without a movable cursor (TERM=dumb) it prints them each second.\n"
	"Seconds are the emulated machine's.\n";

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static cJSON *ask(struct top *top, const char *request, char *error, size_t error_size)
{
	char *answer = ctl_ask(&top->ctl, request, error, error_size);
	cJSON *parsed = answer != NULL ? cJSON_Parse(answer) : NULL;

	if (answer != NULL && parsed == NULL)
		snprintf(error, error_size, "the hypervisor's answer is not whole");
	free(answer);
	return parsed;
}

static struct top_reason *reason_of(struct top_vm *vm, const char *name)
{
	for (unsigned i = 0; i < vm->reasons; i++)
		if (strcmp(vm->reason[i].name, name) == 0)
			return &vm->reason[i];
	if (vm->reasons == TOP_REASONS)
		return NULL;
	copy(vm->reason[vm->reasons].name, sizeof vm->reason[0].name, name);
	return &vm->reason[vm->reasons++];
}

/* The figures of one reason; ticks: of the machine, since the sample before. */
static void take_reason(struct top_vm *vm, const cJSON *item, double ticks, double hz)
{
	struct top_reason *r = reason_of(vm, item->string);
	double count = ctl_number(item, "count"), own = ctl_number(item, "ticks");

	if (r == NULL)
		return;
	if (vm->known) {
		r->per_second = ticks > 0 ? (count - r->count) * hz / ticks : 0;
		r->share = ticks > 0 ? (own - r->ticks) / ticks : 0;
		vm->exits_per_second += r->per_second;
	}
	r->count = count;
	r->ticks = own;
}

static void take_memory(struct top_vm *vm, const cJSON *memory)
{
	double ticks = ctl_number(memory, "dirtied_ticks");

	vm->resident_mb = ctl_number(memory, "resident_pages") / 256;
	vm->merged_mb = ctl_number(memory, "shared_pages") / 256;
	vm->swapped_mb = ctl_number(memory, "swapped_pages") / 256;
	vm->packed_mb = ctl_number(memory, "packed_pages") / 256;
	vm->watched = cJSON_IsTrue(ctl_get(memory, "watched"));
	vm->dirtied_per_second = ticks > 0 ? ctl_number(memory, "dirtied_pages") * vm->hz / ticks : 0;
}

static void take_stats(struct top_vm *vm, const cJSON *stats)
{
	const cJSON *instructions = ctl_get(stats, "instructions"), *item;
	double guest = ctl_number(instructions, "guest"), hypervisor = ctl_number(instructions, "hypervisor");
	double now = ctl_number(stats, "ticks"), ticks = now - vm->ticks;

	vm->known = vm->ticks > 0;
	vm->hz = ctl_number(stats, "tsc_hz");
	vm->exits_per_second = 0;
	vm->guest_share = vm->known && ticks > 0 ? (guest - vm->guest) / ticks : 0;
	vm->hypervisor_share = vm->known && ticks > 0 ? (hypervisor - vm->hypervisor) / ticks : 0;
	cJSON_ArrayForEach(item, ctl_get(ctl_get(stats, "exits"), "by_reason"))
		take_reason(vm, item, ticks, vm->hz);
	vm->table_pages = ctl_number(ctl_get(stats, "tables"), "pages");
	take_memory(vm, ctl_get(stats, "memory"));
	vm->switches = ctl_number(ctl_get(stats, "mmu_counters"), "switches");
	vm->ticks = now;
	vm->guest = guest;
	vm->hypervisor = hypervisor;
}

static void take_pace(struct top *top, const cJSON *list)
{
	double hz = ctl_number(list, "tsc_hz"), real = clock_seconds();

	top->machine_seconds = hz > 0 ? ctl_number(list, "ticks") / hz : 0;
	if (top->real_then > 0 && real > top->real_then)
		top->pace = (top->machine_seconds - top->machine_then) / (real - top->real_then);
	top->machine_then = top->machine_seconds;
	top->real_then = real;
}

const char *const top_sorts[TOP_SORTS + 1] = { "count", "time", "each", "name", NULL };

static double each(const struct top_reason *r) { return r->per_second > 0 ? r->share / r->per_second : 0; }

/* Does a come before b? */
static bool before(const struct top_reason *a, const struct top_reason *b, enum top_sort sort)
{
	switch (sort) {
	case TOP_BY_TIME: return a->share > b->share;
	case TOP_BY_EACH: return each(a) > each(b);
	case TOP_BY_NAME: return strcmp(a->name, b->name) < 0;
	default: return a->per_second > b->per_second;
	}
}

unsigned top_order(const struct top_vm *vm, enum top_sort sort, unsigned *order)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vm->reasons; i++) {
		unsigned at = n;

		if (vm->reason[i].per_second <= 0)
			continue;
		for (; at > 0 && before(&vm->reason[i], &vm->reason[order[at - 1]], sort); at--)
			order[at] = order[at - 1];
		order[at] = i;
		n++;
	}
	return n;
}

/* The sum of all; their shares are of one CPU's time, as theirs. */
static void sum_up(struct top *top)
{
	struct top_vm *all = &top->all;

	*all = (struct top_vm){ .known = true };
	copy(all->name, sizeof all->name, "(all)");
	for (unsigned i = 0; i < top->vms; i++) {
		const struct top_vm *vm = &top->vm[i];

		all->hz = vm->hz;
		all->known &= vm->known;
		all->guest_share += vm->guest_share;
		all->hypervisor_share += vm->hypervisor_share;
		all->exits_per_second += vm->exits_per_second;
		all->table_pages += vm->table_pages;
		all->resident_mb += vm->resident_mb;
		all->merged_mb += vm->merged_mb;
		all->swapped_mb += vm->swapped_mb;
		all->packed_mb += vm->packed_mb;
		all->watched |= vm->watched;
		all->dirtied_per_second += vm->dirtied_per_second;
		for (unsigned n = 0; n < vm->reasons; n++) {
			struct top_reason *r = reason_of(all, vm->reason[n].name);

			if (r == NULL)
				continue;
			r->per_second += vm->reason[n].per_second;
			r->share += vm->reason[n].share;
			r->count += vm->reason[n].count;
			r->ticks += vm->reason[n].ticks;
		}
	}
}

bool top_sample(struct top *top, char *error, size_t error_size)
{
	cJSON *list = ask(top, "list", error, error_size), *stats;
	const cJSON *item;
	char *request;

	if (list == NULL)
		return false;
	take_pace(top, list);
	top->vms = 0;
	cJSON_ArrayForEach(item, ctl_get(list, "vms")) {
		struct top_vm *vm = &top->vm[top->vms];

		if (top->vms == TOP_VMS)
			break;
		copy(vm->name, sizeof vm->name, ctl_text(item, "name"));
		copy(vm->state, sizeof vm->state, ctl_text(item, "state"));
		copy(vm->mmu, sizeof vm->mmu, ctl_text(item, "mmu"));
		vm->cpu = (unsigned)ctl_number(item, "cpu");
		if (strcmp(vm->state, "off") == 0) { /* there is nothing to ask of */
			top->vms++;
			continue;
		}
		request = text("stats %u", top->vms++);
		stats = ask(top, request, error, error_size);
		free(request);
		if (stats == NULL) {
			cJSON_Delete(list);
			return false;
		}
		take_stats(vm, stats);
		cJSON_Delete(stats);
	}
	cJSON_Delete(list);
	sum_up(top);
	return true;
}

/* ---- as text ---- */

static double neither(const struct top_vm *vm)
{
	double share = 1 - vm->guest_share - vm->hypervisor_share;

	return share > 0 ? share : 0;
}

void top_memory(const struct top_vm *vm, char *line, size_t size)
{
	char dirtied[40] = "not watched (ctl dirty)", packed[48] = "", a[32];

	if (vm->watched)
		snprintf(dirtied, sizeof(dirtied), "%s pages/s",
			 grouped((uint64_t)(vm->dirtied_per_second + 0.5), a));
	if (vm->packed_mb > 0)
		snprintf(packed, sizeof(packed), ", %.0f of these compressed in memory", vm->packed_mb);
	snprintf(line, size, "memory: %.0f MB resident, %.0f of these merged, %.0f swapped%s; dirtied: %s",
		 vm->resident_mb, vm->merged_mb, vm->swapped_mb, packed, dirtied);
}

static void print_vm(const struct top_vm *vm, enum top_sort sort)
{
	unsigned order[TOP_REASONS], n = top_order(vm, sort, order);
	char a[32], b[32], memory[120];

	printf("%s: ", vm->name);
	if (*vm->state != 0)
		printf("%s, %s, CPU %u; ", vm->state, vm->mmu, vm->cpu);
	printf("guest %.1f%%, hypervisor %.1f%%, neither %.1f%% of the time; %s exits/s; tables "
	       "%s page%s\n",
	       100 * vm->guest_share, 100 * vm->hypervisor_share,
	       100 * neither(vm), grouped((uint64_t)(vm->exits_per_second + 0.5), a),
	       grouped((uint64_t)vm->table_pages, b), plural((uint64_t)vm->table_pages));
	top_memory(vm, memory, sizeof(memory));
	printf("  %s\n", memory);
	printf("  %-28s %12s %10s\n", "VM exits by reason", "per second", "time");
	for (unsigned i = 0; i < n; i++)
		printf("  %-28s %12.1f %9.2f%%\n", vm->reason[order[i]].name, vm->reason[order[i]].per_second,
		       100 * vm->reason[order[i]].share);
}

static bool is_shown(const struct top *top, unsigned n)
{
	char number[12];

	snprintf(number, sizeof number, "%u", n);
	return top->only == NULL || strcmp(top->only, top->vm[n].name) == 0 || strcmp(top->only, number) == 0;
}

static void print_all(const struct top *top)
{
	printf("run %s, %.3f s of the machine's time\n", top->run, top->machine_seconds);
	for (unsigned i = 0; i < top->vms; i++)
		if (is_shown(top, i))
			print_vm(&top->vm[i], top->sort);
	if (top->vms > 1 && top->only == NULL)
		print_vm(&top->all, top->sort);
	fflush(stdout);
}

static cJSON *json_vm(const struct top_vm *vm, enum top_sort sort)
{
	cJSON *object = cJSON_CreateObject(), *reasons, *one;
	unsigned order[TOP_REASONS], n = top_order(vm, sort, order);

	cJSON_AddStringToObject(object, "vm", vm->name);
	cJSON_AddStringToObject(object, "state", vm->state);
	cJSON_AddStringToObject(object, "mmu", vm->mmu);
	cJSON_AddNumberToObject(object, "cpu", vm->cpu);
	cJSON_AddNumberToObject(object, "guest_share", vm->guest_share);
	cJSON_AddNumberToObject(object, "hypervisor_share", vm->hypervisor_share);
	cJSON_AddNumberToObject(object, "exits_per_second", vm->exits_per_second);
	cJSON_AddNumberToObject(object, "table_pages", vm->table_pages);
	cJSON_AddNumberToObject(object, "resident_mb", vm->resident_mb);
	cJSON_AddNumberToObject(object, "merged_mb", vm->merged_mb);
	cJSON_AddNumberToObject(object, "swapped_mb", vm->swapped_mb);
	cJSON_AddNumberToObject(object, "packed_mb", vm->packed_mb);
	if (vm->watched)
		cJSON_AddNumberToObject(object, "dirtied_pages_per_second", vm->dirtied_per_second);
	reasons = cJSON_AddObjectToObject(object, "by_reason");
	for (unsigned i = 0; i < n; i++) {
		one = cJSON_AddObjectToObject(reasons, vm->reason[order[i]].name);
		cJSON_AddNumberToObject(one, "per_second", vm->reason[order[i]].per_second);
		cJSON_AddNumberToObject(one, "share", vm->reason[order[i]].share);
	}
	return object;
}

static void print_json(const struct top *top)
{
	cJSON *root = cJSON_CreateObject(), *vms;
	char *printed;

	cJSON_AddStringToObject(root, "run", top->run);
	cJSON_AddNumberToObject(root, "machine_seconds", top->machine_seconds);
	vms = cJSON_AddArrayToObject(root, "vms");
	for (unsigned i = 0; i < top->vms; i++)
		if (is_shown(top, i))
			cJSON_AddItemToArray(vms, json_vm(&top->vm[i], top->sort));
	if (top->vms > 1 && top->only == NULL)
		cJSON_AddItemToObject(root, "all", json_vm(&top->all, top->sort));
	printed = json_printed(root);
	fputs(printed, stdout);
	fflush(stdout);
	free(printed);
}

static void sample(struct top *top)
{
	char error[300];

	if (!top_sample(top, error, sizeof error))
		die(STATUS_FAILED, "%s", error);
}

/* Plain lines, of one interval, or of each until the run ends or a signal does. */
static int lines(struct top *top, bool json, bool once, unsigned interval)
{
	char error[300];

	sample(top);
	do {
		sleep(interval);
		if (!top_sample(top, error, sizeof error)) {
			if (once)
				die(STATUS_FAILED, "%s", error);
			return 0; /* the run is over */
		}
		(json ? print_json : print_all)(top);
	} while (!once && !ferror(stdout));
	return 0;
}

static void connect_to(struct top *top, const char *run)
{
	char error[300];

	top->ctl.file = runtime_connect(run, &top->run, error, sizeof error);
	if (top->ctl.file < 0)
		die(STATUS_USAGE, "%s", error);
}

static void close_run(struct top *top)
{
	close(top->ctl.file);
	bytes_free(&top->ctl.in);
	free(top->run);
}

static bool any_shown(const struct top *top)
{
	for (unsigned i = 0; i < top->vms; i++)
		if (is_shown(top, i))
			return true;
	return false;
}

int top_follow(const char *run, const char *vm, unsigned interval, bool json)
{
	static struct top top;
	int status;

	top.only = vm;
	connect_to(&top, run);
	sample(&top);
	if (!any_shown(&top))
		die(STATUS_FAILED, "there is no virtual machine %s", vm);
	status = lines(&top, json, false, interval);
	close_run(&top);
	return status;
}

struct top_options {
	const char *run;
	bool once, log, json;
	enum top_sort sort;
};

static enum top_sort sort_given(const char *name)
{
	unsigned n = 0;

	name = one_of("top: --sort", name, top_sorts);
	while (strcmp(top_sorts[n], name) != 0)
		n++;
	return n;
}

static struct top_options options_given(int argc, char **argv)
{
	struct top_options o = { .once = !isatty(1) };

	for (int at = 1; at < argc; at++) {
		if (strcmp(argv[at], "--once") == 0 || strcmp(argv[at], "--batch") == 0)
			o.once = true;
		else if (strcmp(argv[at], "--log") == 0)
			o.log = true;
		else if (strcmp(argv[at], "--json") == 0)
			o.once = o.json = true;
		else if (strcmp(argv[at], "--run") == 0 && at + 1 < argc)
			o.run = argv[++at];
		else if (strcmp(argv[at], "--sort") == 0 && at + 1 < argc)
			o.sort = sort_given(argv[++at]);
		else
			die(STATUS_USAGE, "top: what should be done with %s? (vellum top help)", argv[at]);
	}
	return o;
}

int top_main(int argc, char **argv)
{
	static struct top top;
	struct top_options o;
	int status;

	for (int at = 1; at < argc; at++)
		if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0 || strcmp(argv[at], "help") == 0)
			return fputs(usage, stdout) < 0;
	o = options_given(argc, argv);
	top.sort = o.sort;
	connect_to(&top, o.run);
	if (o.log)
		status = lines(&top, o.json, false, 1);
	else if (o.once || !top_screen_possible())
		status = lines(&top, o.json, o.once, 1);
	else
		status = top_screen(&top);
	close_run(&top);
	return status;
}
