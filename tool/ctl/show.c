/* The answers of the control channel as text. */
#include <string.h>

#include "tool/base/number.h"
#include "tool/ctl/ctl.h"

/* A count of an answer, as a text that lasts until four others have been made. */
static const char *count_text(double value)
{
	static char buffers[4][32];
	static unsigned next;

	return grouped(value > 0 ? (uint64_t)(value + 0.5) : 0, buffers[next++ % 4]);
}

static double number_at(const cJSON *vm, const char *name, int at)
{
	const cJSON *item = cJSON_GetArrayItem(ctl_get(vm, name), at);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* Of each virtual CPU, in their order. */
static void show_cpus(FILE *out, const cJSON *vm)
{
	for (int n = 0; n < cJSON_GetArraySize(ctl_get(vm, "cpus")); n++)
		fprintf(out, " %.0f%s(%.0f)", number_at(vm, "cpus", n),
			cJSON_IsTrue(cJSON_GetArrayItem(ctl_get(vm, "pinned"), n)) ? "!" : "",
			number_at(vm, "moves", n));
}

/* pin and migrate: a number, or null. */
static void show_cpu(FILE *out, const cJSON *answer)
{
	const char *vm = ctl_text(answer, "vm");
	const cJSON *vcpu = ctl_get(answer, "vcpu"), *cpu = ctl_get(answer, "cpu");

	if (cJSON_IsNumber(vcpu))
		fprintf(out, "virtual CPU %.0f of %s", vcpu->valuedouble, vm);
	else
		fprintf(out, "all virtual CPUs of %s", vm);
	if (cJSON_IsNumber(cpu))
		fprintf(out, ": CPU %.0f\n", cpu->valuedouble);
	else
		fprintf(out, ": any CPU\n");
}

static void show_list(FILE *out, const cJSON *answer)
{
	const cJSON *vm;

	fprintf(out, "%3s  %-16s %-8s %-7s %-12s %8s %8s %8s %8s %6s  %s\n", "id", "name", "state", "mmu", "tpr",
		"memory", "resident", "merged", "swapped", "weight", "on CPU (moves; ! pinned)");
	cJSON_ArrayForEach(vm, ctl_get(answer, "vms")) {
		fprintf(out, "%3.0f  %-16s %-8s %-7s %-12s %5.0f MB %5.0f MB %5.0f MB %5.0f MB %6.0f ",
			ctl_number(vm, "id"), ctl_text(vm, "name"), ctl_text(vm, "state"), ctl_text(vm, "mmu"),
			ctl_text(vm, "tpr"), ctl_number(vm, "mem_bytes") / 1048576,
			ctl_number(vm, "resident_bytes") / 1048576, ctl_number(vm, "shared_bytes") / 1048576,
			ctl_number(vm, "swapped_bytes") / 1048576, ctl_number(vm, "weight"));
		show_cpus(out, vm);
		fprintf(out, "  %s%s\n", cJSON_IsFalse(ctl_get(vm, "switch")) ? "(stays with its mechanism) " : "",
			ctl_text(vm, "end"));
	}
}

static void show_exits(FILE *out, const cJSON *answer)
{
	const cJSON *exits = ctl_get(answer, "exits"), *reason;

	fprintf(out, "  %-26s %14s %20s %9s\n", "VM exits by reason", "count", "ticks", "per exit");
	cJSON_ArrayForEach(reason, ctl_get(exits, "by_reason")) {
		double count = ctl_number(reason, "count"), ticks = ctl_number(reason, "ticks");

		fprintf(out, "  %-26s %14s %20s %9s\n", reason->string, count_text(count), count_text(ticks),
			count_text(count > 0 ? ticks / count : 0));
	}
	fprintf(out, "  %-26s %14s\n", "total", count_text(ctl_number(exits, "total")));
}

static void show_stats(FILE *out, const cJSON *answer)
{
	const cJSON *instructions = ctl_get(answer, "instructions"), *counter;
	double hz = ctl_number(answer, "tsc_hz"), pages = ctl_number(ctl_get(answer, "tables"), "pages");

	fprintf(out, "%s: %s, %s, %.3f s of the machine's time\n", ctl_text(answer, "vm"), ctl_text(answer, "mmu"),
		ctl_text(answer, "state"), hz > 0 ? ctl_number(answer, "ticks") / hz : 0);
	show_exits(out, answer);
	fprintf(out, "  instructions: guest %s, hypervisor %s; tables: %s page%s\n",
		count_text(ctl_number(instructions, "guest")), count_text(ctl_number(instructions, "hypervisor")),
		count_text(pages), plural((uint64_t)pages));
	cJSON_ArrayForEach(counter, ctl_get(answer, "memory"))
		if (counter->valuedouble > 0)
			fprintf(out, "  memory: %-18s %14s\n", counter->string, count_text(counter->valuedouble));
	cJSON_ArrayForEach(counter, ctl_get(answer, "mmu_counters"))
		if (counter->valuedouble > 0)
			fprintf(out, "  %-26s %14s\n", counter->string, count_text(counter->valuedouble));
}

static void show_phases(FILE *out, const cJSON *answer)
{
	const cJSON *phase;

	fprintf(out, "  %-8s %20s %20s %14s\n", "phase", "guest", "hypervisor", "VM exits");
	cJSON_ArrayForEach(phase, ctl_get(answer, "phases")) {
		const cJSON *instructions = ctl_get(phase, "instructions");

		fprintf(out, "  %-8s %20s %20s %14s\n", phase->string, count_text(ctl_number(instructions, "guest")),
			count_text(ctl_number(instructions, "hypervisor")),
			count_text(ctl_number(ctl_get(phase, "exits"), "total")));
	}
}

/* ---- translate ---- */

static void show_levels(FILE *out, const cJSON *levels, const char *where)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, levels) {
		const char *at = ctl_text(e, where), *hpa = ctl_text(e, "hpa");

		fprintf(out, "    level %.0f  entry at %s %-14s", ctl_number(e, "level"), where,
			*at ? at : "(a register)");
		fprintf(out, " = %-20s %s", ctl_text(e, "value"), ctl_text(e, "flags"));
		fprintf(out, strcmp(where, "gpa") == 0 && *hpa ? "  (hpa %s)\n" : "%s\n",
			strcmp(where, "gpa") == 0 ? hpa : "");
	}
}

static void show_guest(FILE *out, const cJSON *guest)
{
	const char *page = ctl_text(guest, "page");

	fprintf(out, "  the guest's tables: paging %s, CR3 %s\n", ctl_text(guest, "paging"), ctl_text(guest, "cr3"));
	show_levels(out, ctl_get(guest, "levels"), "gpa");
	if (*ctl_text(guest, "gpa"))
		fprintf(out, "    gpa %s%s%s\n", ctl_text(guest, "gpa"), *page ? ", page " : "", page);
	else
		fprintf(out, "    %s: the guest gets a page fault\n", ctl_text(guest, "end"));
}

static void show_tables(FILE *out, const cJSON *tables)
{
	const char *ept = ctl_text(tables, "ept_type");

	if (tables == NULL)
		return;
	fprintf(out, "  what the CPU walks now: %s, root at hpa %s\n",
		strcmp(ctl_text(tables, "kind"), "ept") == 0 ? "EPT, for the gpa" : "shadow tables, for the gva",
		ctl_text(tables, "root"));
	show_levels(out, ctl_get(tables, "levels"), "hpa");
	if (*ctl_text(tables, "hpa"))
		fprintf(out, "    hpa %s, page %s, memory type %s (%s%s%sPAT %s)\n", ctl_text(tables, "hpa"),
			ctl_text(tables, "page"), ctl_text(tables, "type"), *ept ? "EPT " : "", ept, *ept ? ", " : "",
			ctl_text(tables, "pat_type"));
	else
		fprintf(out, "    %s: the access exits\n", ctl_text(tables, "end"));
}

static void show_translation(FILE *out, const cJSON *answer)
{
	const cJSON *memory = ctl_get(answer, "memory");

	fprintf(out, "%s (%s), gva %s\n", ctl_text(answer, "vm"), ctl_text(answer, "mmu"), ctl_text(answer, "gva"));
	show_guest(out, ctl_get(answer, "guest"));
	show_tables(out, ctl_get(answer, "tables"));
	if (memory != NULL)
		fprintf(out, "  behind it: %s%s%s\n", ctl_text(memory, "kind"),
			*ctl_text(memory, "hpa") ? " at hpa " : "", ctl_text(memory, "hpa"));
}

/* ---- dump ---- */

static void show_hex(FILE *out, const cJSON *answer)
{
	const char *bytes = ctl_text(answer, "bytes"), *gva = ctl_text(answer, "gva"),
		   *start = *gva ? gva : ctl_text(answer, "gpa");
	size_t n = strlen(bytes) / 2;
	unsigned long long at = 0;

	sscanf(start, "%llx", &at);
	for (size_t line = 0; line < n; line += 16) {
		char letters[17] = "";

		fprintf(out, "%016llx ", at + line);
		for (size_t i = line; i < line + 16; i++) {
			unsigned byte = 0;

			if (i < n)
				sscanf(bytes + 2 * i, "%2x", &byte);
			letters[i - line] = i >= n ? 0 : byte < 0x20 || byte > 0x7e ? '.' : (char)byte;
			fprintf(out, i < n ? " %02x" : "   ", byte);
		}
		fprintf(out, "  %s\n", letters);
	}
	if (cJSON_IsFalse(ctl_get(answer, "complete")))
		fprintf(out, "there is no memory behind that\n");
}

static void show_group(FILE *out, const cJSON *group)
{
	const cJSON *item, *part;
	unsigned column = 0;

	fprintf(out, "%s\n", group->string);
	cJSON_ArrayForEach(item, group) {
		if (cJSON_IsArray(item))
			continue;
		if (cJSON_IsObject(item)) {
			fprintf(out, "  %-6s", item->string);
			cJSON_ArrayForEach(part, item) fprintf(out, " %s %-18s", part->string,
							       part->valuestring != NULL ? part->valuestring : "");
			fprintf(out, "\n");
			continue;
		}
		if (cJSON_IsString(item))
			fprintf(out, "  %-10s %-18s", item->string, item->valuestring);
		else
			fprintf(out, "  %-10s %-18.0f", item->string, item->valuedouble);
		if (++column % 3 == 0)
			fprintf(out, "\n");
	}
	if (column % 3 != 0)
		fprintf(out, "\n");
	cJSON_ArrayForEach(item, ctl_get(group, "slots"))
		fprintf(out, "  gpa %-14s %-12s bytes  %s\n", ctl_text(item, "gpa"), ctl_text(item, "bytes"),
			ctl_text(item, "kind"));
}

static void show_dump(FILE *out, const cJSON *answer)
{
	const cJSON *item;

	if (ctl_get(answer, "bytes") != NULL) {
		show_hex(out, answer);
		return;
	}
	fprintf(out, "%s: %s, %s, CPU %.0f\n", ctl_text(answer, "vm"), ctl_text(answer, "mmu"),
		ctl_text(answer, "state"), ctl_number(answer, "cpu"));
	cJSON_ArrayForEach(item, answer)
		if (cJSON_IsObject(item))
			show_group(out, item);
}

void ctl_show(FILE *out, const char *command, const cJSON *answer)
{
	const char *vm = ctl_text(answer, "vm");

	if (strcmp(command, "list") == 0)
		show_list(out, answer);
	else if (strcmp(command, "stats") == 0)
		show_stats(out, answer);
	else if (strcmp(command, "phases") == 0)
		show_phases(out, answer);
	else if (strcmp(command, "translate") == 0)
		show_translation(out, answer);
	else if (strcmp(command, "dump") == 0)
		show_dump(out, answer);
	else if (strcmp(command, "balloon") == 0)
		ctl_show_balloon(out, answer);
	else if (strcmp(command, "dirty") == 0)
		ctl_show_dirty(out, answer);
	else if (strcmp(command, "detail") == 0)
		ctl_show_detail(out, answer);
	else if (strcmp(command, "mmu") == 0)
		fprintf(out, "%s runs under %s\n", vm, ctl_text(answer, "mmu"));
	else if (strcmp(command, "tpr") == 0)
		fprintf(out, "%s has its TPR by %s\n", vm, ctl_text(answer, "tpr"));
	else if (strcmp(command, "pin") == 0 || strcmp(command, "migrate") == 0)
		show_cpu(out, answer);
	else if (strcmp(command, "weight") == 0)
		fprintf(out, "%s has weight %.0f\n", vm, ctl_number(answer, "weight"));
	else if (strcmp(command, "audit") == 0)
		fprintf(out, "%s: every invariant of its tables holds\n", vm);
	else if (strcmp(command, "shutdown") == 0)
		fprintf(out, "the power button of %s has been pressed; it is %s\n", vm, ctl_text(answer, "state"));
	else
		fprintf(out, "%s is %s\n", vm, ctl_text(answer, "state"));
}
