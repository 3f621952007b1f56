/* vm/control/merge.c - pages that hold the same: looking for them begins and ends, and what came of it. */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "vm/memory/merge.h"
#include "vm/memory/merge_table.h"
#include "vm/memory/owner.h"

static const char *const states[] = { [MERGE_OFF] = "off", [MERGE_ON] = "on", [MERGE_ENDING] = "ending" };

static void show(struct json *j, const struct vm *vm)
{
	const struct owner_sums all = owner_shared();

	json_text(j, "merging", states[vm->merge.state]);
	json_bool(j, "short_of_memory", vm->merge.short_of_memory);
	json_number(j, "rate", merge_rate(vm));
	json_number(j, "resident_pages", ram_resident(vm));
	json_number(j, "shared_pages", ram_shared(vm));
#define A(name) json_number(j, #name, vm->merge.account.name);
	MERGE_ACCOUNT(A)
#undef A
	json_number(j, "bytes", vm->merge.bytes);
	json_number(j, "table_bytes", merge_table_bytes());
	json_number(j, "machine_frames", all.frames);
	json_number(j, "machine_pages", all.pages);
}

void control_show_merge(struct json *j, const struct vm *vm)
{
	json_open(j, "merge", '{');
	show(j, vm);
	json_close(j, '{');
}

static bool merge(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	const char *why = strcmp(r->word, "on") == 0 ? merge_begin(vm) : NULL;

	if (why) {
		fmt(error, size, "the pages of %s cannot be merged: %s", vm->config->name, why);
		return false;
	}
	if (strcmp(r->word, "off") == 0)
		merge_end(vm);
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_text(j, "state", control_state(vm));
	json_number(j, "tsc_hz", machine.tsc_hz);
	show(j, vm);
	json_close(j, '{');
	return true;
}

bool control_of_memory(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	if (r->command == CONTROL_BALLOON)
		return control_balloon(vm, r, j, error, size);
	return (r->command == CONTROL_DIRTY ? control_dirty : merge)(vm, r, j, error, size);
}
