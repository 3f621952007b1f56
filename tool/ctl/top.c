#include "tool/ctl/top.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/base/json_text.h"
#include "tool/base/number.h"
#include "tool/base/runtime.h"

static const char usage[] =
	"usage: vellum top [--run NAME] [--once] [--json]\n"
	"\n"
	"Shows, each second, how often the virtual machines of a run exit and why, and where their time goes. Keys: up "
	"and\n"
	"down choose a virtual machine, p pauses it and lets it go on, m gives it the next mechanism, q quits.\n"
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
	return true;
}

unsigned top_order(const struct top_vm *vm, unsigned *order)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vm->reasons; i++) {
		unsigned at = n;

		if (vm->reason[i].per_second <= 0)
			continue;
		for (; at > 0 && vm->reason[order[at - 1]].per_second < vm->reason[i].per_second; at--)
			order[at] = order[at - 1];
		order[at] = i;
		n++;
	}
	return n;
}

/* ---- as text ---- */

static double neither(const struct top_vm *vm)
{
	double share = 1 - vm->guest_share - vm->hypervisor_share;

	return share > 0 ? share : 0;
}

static void print_vm(const struct top_vm *vm)
{
	unsigned order[TOP_REASONS], n = top_order(vm, order);
	char a[32], b[32];

	printf("%s: %s, %s, CPU %u; guest %.1f%%, hypervisor %.1f%%, neither %.1f%% of the time; %s exits/s; tables "
	       "%s page%s\n",
	       vm->name, vm->state, vm->mmu, vm->cpu, 100 * vm->guest_share, 100 * vm->hypervisor_share,
	       100 * neither(vm), grouped((uint64_t)(vm->exits_per_second + 0.5), a),
	       grouped((uint64_t)vm->table_pages, b), plural((uint64_t)vm->table_pages));
	printf("  %-28s %12s %10s\n", "VM exits by reason", "per second", "time");
	for (unsigned i = 0; i < n; i++)
		printf("  %-28s %12.1f %9.2f%%\n", vm->reason[order[i]].name, vm->reason[order[i]].per_second,
		       100 * vm->reason[order[i]].share);
}

static void print_all(const struct top *top)
{
	printf("run %s, %.3f s of the machine's time\n", top->run, top->machine_seconds);
	for (unsigned i = 0; i < top->vms; i++)
		print_vm(&top->vm[i]);
	fflush(stdout);
}

static cJSON *json_vm(const struct top_vm *vm)
{
	cJSON *object = cJSON_CreateObject(), *reasons, *one;
	unsigned order[TOP_REASONS], n = top_order(vm, order);

	cJSON_AddStringToObject(object, "vm", vm->name);
	cJSON_AddStringToObject(object, "state", vm->state);
	cJSON_AddStringToObject(object, "mmu", vm->mmu);
	cJSON_AddNumberToObject(object, "cpu", vm->cpu);
	cJSON_AddNumberToObject(object, "guest_share", vm->guest_share);
	cJSON_AddNumberToObject(object, "hypervisor_share", vm->hypervisor_share);
	cJSON_AddNumberToObject(object, "exits_per_second", vm->exits_per_second);
	cJSON_AddNumberToObject(object, "table_pages", vm->table_pages);
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
		cJSON_AddItemToArray(vms, json_vm(&top->vm[i]));
	printed = json_printed(root);
	fputs(printed, stdout);
	free(printed);
}

static void sample(struct top *top)
{
	char error[300];

	if (!top_sample(top, error, sizeof error))
		die(STATUS_FAILED, "%s", error);
}

/* Plain lines, of one second, or of each until the run ends or a signal does. */
static int lines(struct top *top, bool json, bool once)
{
	sample(top);
	do {
		sleep(1);
		sample(top);
		(json ? print_json : print_all)(top);
	} while (!once && !ferror(stdout));
	return 0;
}

int top_main(int argc, char **argv)
{
	static struct top top;
	const char *run = NULL;
	bool once = !isatty(1), json = false;
	char error[300];
	int status;

	for (int at = 1; at < argc; at++) {
		if (strcmp(argv[at], "--once") == 0 || strcmp(argv[at], "--batch") == 0)
			once = true;
		else if (strcmp(argv[at], "--json") == 0)
			once = json = true;
		else if (strcmp(argv[at], "--run") == 0 && at + 1 < argc)
			run = argv[++at];
		else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0 ||
			 strcmp(argv[at], "help") == 0)
			return fputs(usage, stdout) < 0;
		else
			die(STATUS_USAGE, "top: what should be done with %s? (vellum top help)", argv[at]);
	}
	top.ctl.file = runtime_connect(run, &top.run, error, sizeof error);
	if (top.ctl.file < 0)
		die(STATUS_USAGE, "%s", error);
	status = once || !top_screen_possible() ? lines(&top, json, once) : top_screen(&top);
	close(top.ctl.file);
	bytes_free(&top.ctl.in);
	free(top.run);
	return status;
}
