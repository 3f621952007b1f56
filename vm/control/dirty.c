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

/* ---- a watch ---- */

static bool cannot(struct vm *vm, const char *why, char *error, size_t size)
{
	if (why)
		fmt(error, size, "the memory of %s cannot be watched: %s", vm->config->name, why);
	return why;
}

static void show_watch(const struct vm *vm, struct json *j)
{
	const struct mmu_counters now = mmu_counters(&vm->mmu), *before = &vm->dirty.watch.before;
	const struct dirty_watch *w = &vm->dirty.watch;

	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_text(j, "state", control_state(vm));
	json_text(j, "mmu", vm->mmu.ops->name);
	json_text(j, "method", dirty_method(vm));
	json_number(j, "tsc_hz", machine.tsc_hz);
	json_number(j, "page_bytes", PAGE_SIZE);
	json_number(j, "ram_pages", (vm->low_ram + vm->high_ram) >> PAGE_SHIFT);
	json_number(j, "ticks", w->seen - w->began);
	json_number(j, "periods", w->periods);
	json_number(j, "pages", w->pages);
	json_number(j, "last_pages", w->last_pages);
	json_number(j, "last_ticks", w->last_ticks);
	json_number(j, "dirtied", now.log_dirtied - before->log_dirtied);
	json_number(j, "faults", now.log_faults - before->log_faults);
	json_number(j, "log_full", now.log_full - before->log_full);
	json_number(j, "region_pages", w->region_pages);
	json_open(j, "heat", '[');
	for (unsigned n = 0; n < DIRTY_REGIONS; n++)
		json_number(j, NULL, w->heat[n]);
	json_close(j, '[');
	json_close(j, '{');
}

static bool watch(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	if (strcmp(r->word, "on") == 0 && cannot(vm, dirty_watch_on(vm, r->name), error, size))
		return false;
	if (cannot(vm, vm->dirty.user == DIRTY_WATCH ? NULL : "it is not watched; \"dirty VM on\" begins that", error,
		   size))
		return false;
	show_watch(vm, j);
	if (strcmp(r->word, "off") == 0)
		dirty_watch_off(vm);
	return true;
}

bool control_dirty(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	const char *why = r->length ? dirty_begin(vm, r->length) : NULL;

	if (r->word[0])
		return watch(vm, r, j, error, size);
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
