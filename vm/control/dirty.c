/* vm/control/dirty.c - the rate at which a guest dirties its memory: a measurement that is begun, and the last one. */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "vm/memory/dirty.h"

static void show(const struct vm *vm, struct json *j)
{
	const struct dirty_rate *d = &vm->dirty;

	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_text(j, "state", control_state(vm));
	json_text(j, "mmu", vm->mmu.ops->name);
	json_number(j, "tsc_hz", machine.tsc_hz);
	json_number(j, "measurement", d->number);
	json_bool(j, "measured", d->state == DIRTY_MEASURED);
	json_number(j, "seconds", d->seconds);
	if (d->state == DIRTY_MEASURED) {
		json_number(j, "ticks", d->ticks);
		json_number(j, "pages", d->pages);
		json_number(j, "page_bytes", PAGE_SIZE);
		json_number(j, "ram_pages", (vm->low_ram + vm->high_ram) >> PAGE_SHIFT);
		json_number(j, "switches", d->switches);
	}
	json_close(j, '{');
}

bool control_dirty(struct vm *vm, uint64_t seconds, struct json *j, char *error, size_t size)
{
	const char *why = seconds ? dirty_begin(vm, seconds) : NULL;

	if (why) {
		fmt(error, size, "the memory of %s cannot be measured now: %s", vm->config->name, why);
		return false;
	}
	if (vm->dirty.state == DIRTY_NEVER) {
		fmt(error, size, "the memory of %s has not been measured yet: say for how many seconds",
		    vm->config->name);
		return false;
	}
	show(vm, j);
	return true;
}
