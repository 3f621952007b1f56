#include "tool/run/answer.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tool/base/util.h"

/* Deeper than any counter's name: exits, by_reason, NAME, count. */
enum { DEPTH_MOST = 6 };

static struct vm_result *running_vm(struct run_result *result, const char *name)
{
	for (size_t i = 0; i < result->vm_count; i++) {
		struct vm_result *vm = &result->vms[i];

		if (vm->started && !vm->ended && vm->name != NULL && strcmp(vm->name, name) == 0)
			return vm;
	}
	return NULL;
}

/* Every number below `object`, by its dotted name. cJSON's numbers are doubles: exact up to 2^53. */
static void take_numbers(struct vm_result *vm, const char *path, const cJSON *object, unsigned depth)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, object) {
		char *name = text("%s.%s", path, item->string != NULL ? item->string : "");

		if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 0x1p63)
			result_stat(vm, name, (uint64_t)item->valuedouble);
		else if (cJSON_IsObject(item) && depth < DEPTH_MOST)
			take_numbers(vm, name, item, depth + 1);
		free(name);
	}
}

bool answer_apply(struct run_result *result, const char *json, enum counters known)
{
	static const char *const groups[] = { "exits", "instructions", "mmu_counters", "tables", "locks", "lapic",
					      "disks", "console", "phases", "mechanisms" };
	cJSON *answer = cJSON_Parse(json);
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(answer, "vm");
	struct vm_result *vm = cJSON_IsString(name) ? running_vm(result, name->valuestring) : NULL;
	bool any = false;

	for (size_t i = 0; vm != NULL && i < sizeof groups / sizeof groups[0]; i++) {
		const cJSON *group = cJSON_GetObjectItemCaseSensitive(answer, groups[i]);

		if (!cJSON_IsObject(group))
			continue;
		any = true;
		take_numbers(vm, groups[i], group, 0);
	}
	if (any)
		vm->counters = known;
	cJSON_Delete(answer);
	return any;
}
