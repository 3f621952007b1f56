#include "tool/run/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "mmu/counters.h"
#include "tool/base/json_text.h"
#include "tool/base/size.h"
#include "tool/base/util.h"
#include "tool/base/version.h"

static void put_item(cJSON *object, const char *name, cJSON *item)
{
	if (item == NULL)
		die(STATUS_FAILED, "out of memory");
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
	cJSON_AddItemToObject(object, name, item);
}

static void put_text(cJSON *object, const char *name, const char *value)
{
	put_item(object, name, value != NULL ? cJSON_CreateString(value) : cJSON_CreateNull());
}

/* Text that is a plain number becomes one, "on" and "off" become booleans. */
static void put_value(cJSON *object, const char *name, const char *value)
{
	uint64_t n;

	if (value != NULL && parse_number(value, &n))
		put_item(object, name, json_exact(n));
	else if (value != NULL && (strcmp(value, "on") == 0 || strcmp(value, "off") == 0))
		put_item(object, name, cJSON_CreateBool(value[1] == 'n'));
	else
		put_text(object, name, value);
}

/* The object called `name` in `parent`, made if it is not there; null when something else has that name. */
static cJSON *inner(cJSON *parent, const char *name)
{
	cJSON *object = cJSON_GetObjectItemCaseSensitive(parent, name);

	if (object == NULL) {
		object = cJSON_CreateObject();
		put_item(parent, name, object);
	}
	return cJSON_IsObject(object) ? object : NULL;
}

/* Puts a counter where its dotted name says. A name that is both a counter and a group loses the later of the two. */
static void put_path(cJSON *object, const char *path, uint64_t value)
{
	char *copy = text("%s", path), *name = copy, *dot;

	while (object != NULL && (dot = strchr(name, '.')) != NULL) {
		*dot = 0;
		object = inner(object, name);
		name = dot + 1;
	}
	if (object != NULL && *name != 0 && !cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(object, name)))
		put_item(object, name, json_exact(value));
	free(copy);
}

/* What the guest told of its phases, beside what was counted in them. */
static void put_phases(cJSON *object, const struct vm_result *vm)
{
	for (size_t i = 0; i < vm->phase_count; i++) {
		char *number_text = text("%u", vm->phases[i].number);
		cJSON *list = inner(object, "phases"), *phase = list != NULL ? inner(list, number_text) : NULL;

		free(number_text);
		if (phase == NULL || cJSON_HasObjectItem(phase, "name"))
			continue;
		put_text(phase, "name", vm->phases[i].name);
		put_item(phase, "ticks", json_exact(vm->phases[i].ticks));
		put_item(phase, "steps", json_exact(vm->phases[i].steps));
	}
}

/* The hypervisor leaves out what is 0 of these (docs/protocol.md). A run without one has none. */
static void put_zeros(cJSON *object)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "mmu_counters");

#define C(name, help) if (list != NULL && !cJSON_HasObjectItem(list, #name)) put_item(list, #name, json_exact(0));
	MMU_COUNTERS(C)
#undef C
}

static void put_vm(cJSON *object, const struct vm_result *vm)
{
	static const char *const known[] = { NULL, "earlier", "stop", "end" };
	cJSON *guest = inner(object, "guest");

	put_value(object, "mmu", fact_find(vm->settings, vm->setting_count, "mmu"));
	put_value(object, "tpr", fact_find(vm->settings, vm->setting_count, "tpr"));
	put_value(object, "vcpus", fact_find(vm->settings, vm->setting_count, "vcpus"));
	put_value(object, "vpid", fact_find(vm->settings, vm->setting_count, "vpid"));
	put_value(object, "pages", fact_find(vm->settings, vm->setting_count, "pages"));
	put_text(guest, "name", vm->name);
	put_text(guest, "kernel", vm->made_of.kernel);
	put_text(guest, "debian_kernel", vm->made_of.debian);
	put_text(guest, "initrd", vm->made_of.initrd);
	put_text(guest, "command_line", vm->made_of.command_line);
	put_text(guest, "workload", vm->made_of.workload);
	put_item(guest, "status", vm->ended ? json_exact(vm->status) : cJSON_CreateNull());
	put_text(guest, "end", vm->end);
	put_text(guest, "result", vm->result);
	put_text(guest, "panic", vm->panic);
	put_item(guest, "starts", json_exact(vm->starts));
	put_text(object, "counters", known[vm->counters]);
	for (size_t i = 0; i < vm->setting_count; i++)
		if (!cJSON_HasObjectItem(object, vm->settings[i].name))
			put_value(object, vm->settings[i].name, vm->settings[i].value);
	for (size_t i = 0; i < vm->stat_count; i++)
		put_path(object, vm->stats[i].name, vm->stats[i].value);
	put_zeros(object);
	put_phases(object, vm);
}

static void put_machine(cJSON *root, const struct run_result *result)
{
	const struct machine_facts *machine = &result->machine;
	cJSON *part;

	put_text(root, "machine", machine->machine);
	put_text(root, "cpu", machine->cpu);
	part = inner(root, "emulator");
	put_text(part, "name", machine->emulator);
	put_text(part, "version", machine->emulator_version);
	put_item(part, "ips", machine->ips != 0 ? json_exact(machine->ips) : cJSON_CreateNull());
	put_item(part, "cpu_seconds", cJSON_CreateNumber(machine->cpu_seconds));
	put_item(part, "seconds", cJSON_CreateNumber(machine->seconds));
	part = inner(root, "host");
	put_item(part, "cpus", json_exact(machine->cpus));
	put_item(part, "mem_bytes", json_exact(machine->memory));
	for (size_t i = 0; i < result->host_count; i++)
		put_value(part, result->host[i].name, result->host[i].value);
}

char *json_text(const struct run_result *result, int status)
{
	static const struct vm_result none;
	cJSON *root = cJSON_CreateObject(), *list, *one;

	put_text(root, "version", VELLUM_VERSION);
	put_text(root, "command", result->command);
	put_machine(root, result);
	put_text(root, "description", result->description);
	put_item(root, "status", json_exact((uint64_t)status));
	put_text(root, "ending", result->ending);
	put_text(root, "error", result->error);
	put_text(root, "panic", result->panic);
	/* The first virtual machine's names are at the top; with several, all are in a list as well. */
	put_vm(root, result->vm_count > 0 ? &result->vms[0] : &none);
	if (result->vm_count > 1) {
		list = cJSON_CreateArray();
		put_item(root, "vms", list);
		for (size_t i = 0; i < result->vm_count; i++) {
			one = cJSON_CreateObject();
			put_vm(one, &result->vms[i]);
			cJSON_AddItemToArray(list, one);
		}
	}
	return json_printed(root);
}
