#include "tool/base/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/base/util.h"

static const char result_word[] = "VELLUM-RESULT ", phase_word[] = "VELLUM-PHASE ", phases_word[] = "phases.",
		  clock_word[] = "VELLUM-CLOCK ", panic_word[] = "Kernel panic - not syncing: ",
		  stuck_word[] = "---[ end Kernel panic - not syncing";

enum { PHASES_MOST = 100 };

static void replace(char **where, const char *value)
{
	free(*where);
	*where = text("%s", value);
}

static void fact_set(struct fact **facts, size_t *count, const char *name, const char *value)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp((*facts)[i].name, name) == 0) {
			replace(&(*facts)[i].value, value);
			return;
		}
	*facts = grow(*facts, (*count + 1) * sizeof **facts);
	(*facts)[(*count)++] = (struct fact){ text("%s", name), text("%s", value) };
}

void result_stat(struct vm_result *vm, const char *name, uint64_t value)
{
	for (size_t i = 0; i < vm->stat_count; i++)
		if (strcmp(vm->stats[i].name, name) == 0) {
			vm->stats[i].value = value;
			return;
		}
	vm->stats = grow(vm->stats, (vm->stat_count + 1) * sizeof *vm->stats);
	vm->stats[vm->stat_count++] = (struct stat_value){ text("%s", name), value };
}

const char *fact_find(const struct fact *facts, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(facts[i].name, name) == 0)
			return facts[i].value;
	return NULL;
}

uint64_t stat_find(const struct vm_result *vm, const char *name)
{
	for (size_t i = 0; i < vm->stat_count; i++)
		if (strcmp(vm->stats[i].name, name) == 0)
			return vm->stats[i].value;
	return 0;
}

struct vm_result *result_vm(struct run_result *result, unsigned vm)
{
	if (vm >= result->vm_count) {
		result->vms = grow(result->vms, (vm + 1) * sizeof *result->vms);
		memset(result->vms + result->vm_count, 0, (vm + 1 - result->vm_count) * sizeof *result->vms);
		result->vm_count = vm + 1;
	}
	return &result->vms[vm];
}

static void facts_free(struct fact *facts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(facts[i].name);
		free(facts[i].value);
	}
	free(facts);
}

static void vm_free(struct vm_result *vm)
{
	facts_free(vm->settings, vm->setting_count);
	for (size_t k = 0; k < vm->stat_count; k++)
		free(vm->stats[k].name);
	free(vm->stats);
	for (size_t k = 0; k < vm->phase_count; k++)
		free(vm->phases[k].name);
	free(vm->phases);
	free(vm->name);
	free(vm->result);
	free(vm->panic);
	free(vm->end);
}

/* It begins, perhaps not for the first time: what is told is of the last. */
static void begin_vm(struct vm_result *vm, const char *name)
{
	struct vm_result fresh = { .started = true, .name = text("%s", name), .made_of = vm->made_of,
				   .starts = vm->starts + 1 };

	vm_free(vm);
	*vm = fresh;
}

static void apply_to_vm(struct vm_result *vm, const struct record *record)
{
	switch (record->kind) {
	case RECORD_VM_START:
		begin_vm(vm, record->name);
		break;
	case RECORD_VM_SET:
		fact_set(&vm->settings, &vm->setting_count, record->name, record->text);
		break;
	case RECORD_STAT:
		result_stat(vm, record->name, record->value);
		vm->counters = COUNTERS_STOP;
		break;
	default:
		vm->ended = true;
		if (vm->counters == COUNTERS_STOP)
			vm->counters = COUNTERS_END;
		vm->status = (unsigned)(record->value & 255);
		replace(&vm->end, record->text);
	}
}

void result_apply(struct run_result *result, const struct record *record)
{
	switch (record->kind) {
	case RECORD_VERSION:
		result->spoke = true;
		result->version = record->value;
		break;
	case RECORD_LOG:
		break;
	case RECORD_HOST:
		fact_set(&result->host, &result->host_count, record->name, record->text);
		break;
	case RECORD_CON:
		result_console_line(result, record->vm, record->text);
		break;
	case RECORD_VM_START:
	case RECORD_VM_SET:
	case RECORD_STAT:
	case RECORD_VM_END:
		apply_to_vm(result_vm(result, record->vm), record);
		break;
	case RECORD_PANIC:
		replace(&result->panic, record->text);
		break;
	case RECORD_END:
		result->ended = true;
		result->status = (unsigned)(record->value & 255);
		break;
	}
}

/* "NUMBER NAME ticks=TICKS steps=STEPS" */
static void phase_line(struct vm_result *vm, const char *line)
{
	unsigned long long ticks;
	unsigned number, steps;
	char name[32];

	if (sscanf(line, "%u %31s ticks=%llu steps=%u", &number, name, &ticks, &steps) != 4 ||
	    vm->phase_count == PHASES_MOST)
		return;
	vm->phases = grow(vm->phases, (vm->phase_count + 1) * sizeof *vm->phases);
	vm->phases[vm->phase_count++] = (struct phase){ number, text("%s", name), ticks, steps };
}

/* Linux' words: with the first it panics, with the last it stops for good, if it is not told to reboot. */
static void panic_line(struct run_result *result, unsigned vm, const char *line)
{
	const char *start = strstr(line, panic_word), *end = strstr(line, stuck_word);

	if (end != NULL)
		result_vm(result, vm)->stuck = result_vm(result, vm)->panic != NULL;
	else if (start != NULL && result_vm(result, vm)->panic == NULL)
		replace(&result_vm(result, vm)->panic, start + strlen(panic_word));
}

void result_console_line(struct run_result *result, unsigned vm, const char *line)
{
	const char *start = strstr(line, result_word);
	unsigned long long ticks, idle;

	panic_line(result, vm, line);
	if (start != NULL)
		replace(&result_vm(result, vm)->result, start + strlen(result_word));
	start = strstr(line, clock_word);
	if (start != NULL && sscanf(start + strlen(clock_word), "ticks=%llu idle_ms=%llu", &ticks, &idle) == 2) {
		result_vm(result, vm)->clock_ticks = ticks;
		result_vm(result, vm)->idle_ms = idle;
	}
	start = strstr(line, phase_word);
	if (start != NULL)
		phase_line(result_vm(result, vm), start + strlen(phase_word));
}

void result_native(struct vm_result *vm, uint64_t ips)
{
	uint64_t passed = vm->clock_ticks - stat_find(vm, "native.start_ticks"), idle = vm->idle_ms * (ips / 1000);
	char *name;

	for (size_t i = 0; i < vm->phase_count; i++) {
		name = text("phases.%u.instructions.guest", vm->phases[i].number);
		result_stat(vm, name, vm->phases[i].ticks);
		free(name);
	}
	if (vm->clock_ticks != 0 && passed > idle)
		result_stat(vm, "instructions.guest", passed - idle);
}

void result_sum_phases(struct vm_result *vm)
{
	size_t count = vm->stat_count;
	char *name;

	for (size_t i = 0; i < count; i++) {
		const char *rest = vm->stats[i].name;
		uint64_t value = vm->stats[i].value, before;

		if (strncmp(rest, phases_word, strlen(phases_word)) != 0 ||
		    (rest = strchr(rest + strlen(phases_word), '.')) == NULL)
			continue;
		name = text("workload%s", rest);
		before = stat_find(vm, name);
		if (strcmp(rest, ".tables.pages") == 0)
			result_stat(vm, name, before > value ? before : value);
		else
			result_stat(vm, name, before + value);
		free(name);
	}
}

void result_free(struct run_result *result)
{
	for (size_t i = 0; i < result->vm_count; i++)
		vm_free(&result->vms[i]);
	free(result->vms);
	facts_free(result->host, result->host_count);
	free(result->panic);
	free(result->error);
	*result = (struct run_result){ 0 };
}
