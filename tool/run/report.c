#include "tool/run/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool/base/number.h"
#include "tool/base/util.h"
#include "vm/config/config.h"

struct reason {
	const char *name;
	size_t length;          /* of the name, within a counter's name */
	uint64_t count, ticks;
};

static const char exits_prefix[] = "exits.by_reason.";

enum { PHASES_END = 100 };      /* beyond every number of a phase (docs/protocol.md) */

static int by_count(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strncmp(x->name, y->name, x->length);
}

/* Gathers "exits.by_reason.NAME.count" and ".ticks" into one entry per NAME; the caller frees the list. */
static struct reason *reasons(const struct vm_result *vm, size_t *count)
{
	struct reason *list = allocate((vm->stat_count + 1) * sizeof *list);
	size_t n = 0, i;

	for (size_t s = 0; s < vm->stat_count; s++) {
		const char *name = vm->stats[s].name, *field;

		if (strncmp(name, exits_prefix, strlen(exits_prefix)) != 0)
			continue;
		name += strlen(exits_prefix);
		field = strrchr(name, '.');
		if (field == NULL)
			continue;
		for (i = 0; i < n; i++)
			if (list[i].length == (size_t)(field - name) &&
			    strncmp(list[i].name, name, list[i].length) == 0)
				break;
		if (i == n)
			list[n++] = (struct reason){ .name = name, .length = (size_t)(field - name) };
		if (strcmp(field, ".count") == 0)
			list[i].count = vm->stats[s].value;
		else if (strcmp(field, ".ticks") == 0)
			list[i].ticks = vm->stats[s].value;
	}
	qsort(list, n, sizeof *list, by_count);
	*count = n;
	return list;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole != 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void print_row(FILE *out, const char *name, int length, uint64_t count, uint64_t total, uint64_t ticks)
{
	char a[32], b[32], c[32];

	fprintf(out, "  %-30.*s %12s %7.1f%% %16s %9s\n", length, name, grouped(count, a), percent(count, total),
		grouped(ticks, b), grouped(count != 0 ? (ticks + count / 2) / count : 0, c));
}

static void print_exits(FILE *out, const struct vm_result *vm)
{
	size_t count;
	struct reason *list = reasons(vm, &count);
	uint64_t total = stat_find(vm, "exits.total"), ticks = 0, counted = 0;

	for (size_t i = 0; i < count; i++) {
		ticks += list[i].ticks;
		counted += list[i].count;
	}
	if (total == 0)
		total = counted;
	fprintf(out, "  %-30s %12s %8s %16s %9s\n", "VM exits by reason", "count", "share", "ticks", "per exit");
	for (size_t i = 0; i < count; i++)
		if (list[i].count != 0)
			print_row(out, list[i].name, (int)list[i].length, list[i].count, total, list[i].ticks);
	print_row(out, "total", 5, total, total, ticks);
	print_row(out, "of these, the mechanism's", 25, stat_find(vm, "exits.mechanism.count"), total,
		  stat_find(vm, "exits.mechanism.ticks"));
	free(list);
}

/* What the instructions were issued for, behind their number. */
static void print_reasons(FILE *out, const struct vm_result *vm, const char *instruction)
{
	static const char *const reasons[] = { "creation", "migration", "tables", "register", "address" };
	const char *before = " (";
	char name[64], a[32];

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		uint64_t n;

		snprintf(name, sizeof name, "mmu_counters.%s_for_%s", instruction, reasons[i]);
		n = stat_find(vm, name);
		if (n == 0)
			continue;
		fprintf(out, "%s%s %s", before, reasons[i], grouped(n, a));
		before = ", ";
	}
	if (before[0] == ',')
		fputs(")", out);
}

static void print_memory(FILE *out, const struct vm_result *vm)
{
	uint64_t tables = stat_find(vm, "tables.pages");
	char a[32], b[32], c[32], d[32], e[32];
	uint64_t untagged = stat_find(vm, "mmu_counters.vpid_exhausted");

	fprintf(out, "  EPT violations %s, misconfigurations %s; pages mapped: %s of 4K, %s of 2M, %s of 1G\n",
		grouped(stat_find(vm, "mmu_counters.ept_violations"), a),
		grouped(stat_find(vm, "mmu_counters.ept_misconfigs"), b),
		grouped(stat_find(vm, "mmu_counters.mapped_4k"), c),
		grouped(stat_find(vm, "mmu_counters.mapped_2m"), d),
		grouped(stat_find(vm, "mmu_counters.mapped_1g"), e));
	fprintf(out, "  tables %s page%s (%s KB); INVVPID %s", grouped(tables, a), plural(tables),
		grouped(4 * tables, b),
		grouped(stat_find(vm, "mmu_counters.invvpid_address") + stat_find(vm, "mmu_counters.invvpid_single") +
			stat_find(vm, "mmu_counters.invvpid_nonglobal") + stat_find(vm, "mmu_counters.invvpid_all"),
			c));
	print_reasons(out, vm, "invvpid");
	fprintf(out, ", INVEPT %s",
		grouped(stat_find(vm, "mmu_counters.invept_single") + stat_find(vm, "mmu_counters.invept_all"), d));
	print_reasons(out, vm, "invept");
	fprintf(out, "\n");
	if (untagged > 0)
		fprintf(out, "  %s virtual CPU%s without a VPID: none was left\n", grouped(untagged, a),
			plural(untagged));
}

/* What the CPU served without an exit is not in it. Where there is no account, no method is named. */
static void print_tpr(FILE *out, const struct vm_result *vm)
{
	static const char *const methods[] = { "trap", "patch", "flexpriority", "apicv" };
	char a[32], b[32], c[32], d[32], e[32], name[64];

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		uint64_t made[5];
		static const char *const figures[] = { "tpr_reads", "tpr_writes", "tpr_exits", "threshold_exits",
						       "virtualized_eoi_exits" };
		uint64_t sum = 0;

		for (size_t n = 0; n < ARRAY_SIZE(figures); n++) {
			snprintf(name, sizeof name, "lapic.methods.%s.%s", methods[i], figures[n]);
			made[n] = stat_find(vm, name);
			sum += made[n];
		}
		if (sum > 0)
			fprintf(out, "  TPR by %s: %s reads and %s writes made for the guest, %s exits (%s at the "
				"threshold); %s exits of virtualized EOIs\n", methods[i], grouped(made[0], a),
				grouped(made[1], b), grouped(made[2], c), grouped(made[3], d), grouped(made[4], e));
	}
	if (stat_find(vm, "lapic.patches_made") > 0)
		fprintf(out, "  instructions patched %s, undone %s\n", grouped(stat_find(vm, "lapic.patches_made"), a),
			grouped(stat_find(vm, "lapic.patches_undone"), b));
}

/* A line for each disk that did something. */
static void print_disks(FILE *out, const struct vm_result *vm)
{
	static const char *const figures[] = { "reads", "bytes_read", "writes", "bytes_written", "flushes",
					       "failures" };
	char name[40], a[32], b[32], c[32], d[32], e[32], f[32];

	for (unsigned n = 0; n < CONFIG_DISKS_MAX; n++) {
		uint64_t value[ARRAY_SIZE(figures)], sum = 0;

		for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
			snprintf(name, sizeof name, "disks.%u.%s", n, figures[i]);
			value[i] = stat_find(vm, name);
			sum += value[i];
		}
		if (sum > 0)
			fprintf(out, "  disk %u: reads %s (%s byte%s), writes %s (%s byte%s), flushes %s, failed %s\n",
				n, grouped(value[0], a), grouped(value[1], b), plural(value[1]), grouped(value[2], c),
				grouped(value[3], d), plural(value[3]), grouped(value[4], e), grouped(value[5], f));
	}
}

/* A line for each network card that did something. */
static void print_nets(FILE *out, const struct vm_result *vm)
{
	static const char *const figures[] = { "sent", "bytes_sent", "received", "bytes_received", "dropped_full",
					       "dropped_source", "dropped_unknown", "dropped_malformed" };
	char name[40], a[32], b[32], c[32], d[32];

	for (unsigned n = 0; n < CONFIG_NETS_MAX; n++) {
		uint64_t value[ARRAY_SIZE(figures)], sum = 0;

		for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
			snprintf(name, sizeof name, "nets.%u.%s", n, figures[i]);
			value[i] = stat_find(vm, name);
			sum += value[i];
		}
		if (sum > 0)
			fprintf(out, "  network card %u: sent %s (%s byte%s), received %s (%s byte%s); dropped: "
				"%llu for want of room, %llu with a wrong source, %llu to nobody, %llu malformed\n",
				n, grouped(value[0], a), grouped(value[1], b), plural(value[1]), grouped(value[2], c),
				grouped(value[3], d), plural(value[3]), (unsigned long long)value[4],
				(unsigned long long)value[5], (unsigned long long)value[6],
				(unsigned long long)value[7]);
	}
}

static void print_setting(FILE *out, const struct vm_result *vm, const char *name, const char *shown)
{
	const char *value = fact_find(vm->settings, vm->setting_count, name);

	if (value != NULL)
		fprintf(out, ", %s%s%s", shown, *shown != 0 ? " " : "", value);
}

/* What the guest calls the phase, which it tells at its workload's end; NULL: it has not. */
static const char *phase_name(const struct vm_result *vm, unsigned number)
{
	for (size_t i = 0; i < vm->phase_count; i++)
		if (vm->phases[i].number == number)
			return vm->phases[i].name;
	return NULL;
}

static uint64_t phase_stat(const struct vm_result *vm, unsigned number, const char *name)
{
	char *whole = text("phases.%u.%s", number, name);
	uint64_t value = stat_find(vm, whole);

	free(whole);
	return value;
}

/* A line for each phase that the guest has marked. */
static void print_phases(FILE *out, const struct vm_result *vm, const char *unit)
{
	char a[32], b[32], c[32], number[16];
	bool any = false;

	for (unsigned n = 1; n < PHASES_END; n++) {
		const char *name = phase_name(vm, n);
		uint64_t guest = phase_stat(vm, n, "instructions.guest");

		if (name == NULL && guest == 0)
			continue;
		if (!any)
			fprintf(out, "  %-30s %16s %16s %12s   (%s)\n", "phases of the workload", "guest", "hypervisor",
				"VM exits", unit);
		any = true;
		snprintf(number, sizeof number, "number %u", n);
		fprintf(out, "  %-30s %16s %16s %12s\n", name != NULL ? name : number, grouped(guest, a),
			grouped(phase_stat(vm, n, "instructions.hypervisor"), b),
			grouped(phase_stat(vm, n, "exits.total"), c));
	}
}

/* A line for each mechanism, where there was more than one. */
static void print_mechanisms(FILE *out, const struct vm_result *vm, const char *unit)
{
	char a[32], b[32], c[32];
	bool any = false;

	for (size_t i = 0; config_mechanisms[i] != NULL; i++) {
		char *guest = text("mechanisms.%s.instructions.guest", config_mechanisms[i]),
		     *own = text("mechanisms.%s.instructions.hypervisor", config_mechanisms[i]),
		     *exits = text("mechanisms.%s.exits.total", config_mechanisms[i]);

		if (stat_find(vm, guest) != 0 && !any)
			fprintf(out, "  %-30s %16s %16s %12s   (%s)\n", "under each mechanism", "guest", "hypervisor",
				"VM exits", unit);
		any |= stat_find(vm, guest) != 0;
		if (stat_find(vm, guest) != 0)
			fprintf(out, "  %-30s %16s %16s %12s\n", config_mechanisms[i],
				grouped(stat_find(vm, guest), a), grouped(stat_find(vm, own), b),
				grouped(stat_find(vm, exits), c));
		free(guest);
		free(own);
		free(exits);
	}
}

static void print_vcpus(FILE *out, const struct vm_result *vm)
{
	const char *vcpus = fact_find(vm->settings, vm->setting_count, "vcpus");

	if (vcpus != NULL && strcmp(vcpus, "1") != 0)
		fprintf(out, ", %s virtual CPUs", vcpus);
}

static void print_vm(FILE *out, const struct run_result *result, const struct vm_result *vm)
{
	uint64_t guest = stat_find(vm, "instructions.guest"), own = stat_find(vm, "instructions.hypervisor");
	const char *unit = result->machine.ips != 0 ? "instructions" : "TSC ticks";
	char a[32], b[32];

	fprintf(out, "What it cost: %s", vm->name != NULL ? vm->name : "(without a name)");
	print_setting(out, vm, "mmu", "");
	print_setting(out, vm, "pages", "pages");
	print_setting(out, vm, "vpid", "VPID");
	print_setting(out, vm, "tpr", "TPR by");
	print_vcpus(out, vm);
	if (vm->ended)
		fprintf(out, "; status %u, %s", vm->status, vm->end);
	else if (vm->counters == COUNTERS_STOP)
		fprintf(out, "; so far, when the machine was stopped");
	else if (vm->counters == COUNTERS_EARLIER)
		fprintf(out, "; as it was when somebody last asked, before the machine stopped");
	fprintf(out, "\n");
	if (vm->stat_count == 0) {
		fprintf(out, "  no counters were told\n");
		return;
	}
	/* On Bochs a tick of the TSC is an instruction; elsewhere it is only time. */
	if (stat_find(vm, "exits.total") != 0) {
		print_exits(out, vm);
		print_memory(out, vm);
		print_tpr(out, vm);
		print_disks(out, vm);
		print_nets(out, vm);
		if (stat_find(vm, "console.dropped") != 0)
			fprintf(out, "  console: lost for coming faster than the port takes it: %s byte%s\n",
				grouped(stat_find(vm, "console.dropped"), a), plural(stat_find(vm, "console.dropped")));
		fprintf(out, "  %s: guest %s, hypervisor %s (%.2f%% of the guest's)\n", unit, grouped(guest, a),
			grouped(own, b), percent(own, guest));
	}
	print_mechanisms(out, vm, unit);
	print_phases(out, vm, unit);
	report_detail(out, vm);
}

void report_print(FILE *out, const struct run_result *result)
{
	const struct machine_facts *machine = &result->machine;

	for (size_t i = 0; i < result->vm_count; i++)
		if (result->vms[i].started || result->vms[i].ended) {
			fprintf(out, "\n");
			print_vm(out, result, &result->vms[i]);
		}
	if (machine->emulator != NULL)
		fprintf(out, "\n%s %s: %.1f s, of which %.1f s of CPU\n", machine->emulator, machine->emulator_version,
			machine->seconds, machine->cpu_seconds);
}

void report_bad_ends(FILE *out, const struct run_result *result)
{
	for (size_t i = 0; i < result->vm_count; i++) {
		const struct vm_result *vm = &result->vms[i];

		if (vm->ended && vm->status != 0)
			fprintf(out, "vellum: %s: status %u, %s\n", vm->name, vm->status, vm->end);
	}
}
