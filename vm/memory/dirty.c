#include "vm/memory/dirty.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/vm.h"

static uint64_t words_of(const struct dirty_log *log) { return (log->pages + 63) / 64; }

static uint64_t frames_of(const struct dirty_log *log)
{
	return align_up(2 * words_of(log) * sizeof(log->bits[0]), PAGE_SIZE) >> PAGE_SHIFT;
}

/* ---- logging (DY2, DY3) ---- */

static void stop_logs(struct vm *vm)
{
	struct dirty_log *log = vm->dirty.log;

	for (unsigned n = 0; n < DIRTY_LOGS; n++) {
		if (!log[n].bits)
			continue;
		mmu_log_stop(&vm->mmu, log[n].base);
		VM_MUTANT(DIRTY_FREED, frames_free(frames_of_ptr(log[n].bits), frames_of(&log[n])));
		log[n].bits = NULL;
	}
}

static bool start_log(struct vm *vm, struct dirty_log *log, gfn_t base, uint64_t bytes)
{
	hfn_t frames;

	*log = (struct dirty_log){ .base = base, .pages = bytes >> PAGE_SHIFT };
	if (!log->pages)
		return true;
	frames = frames_alloc_run(frames_of(log), 1);
	if (hfn_is_none(frames))
		return false;
	log->bits = frames_ptr(frames);
	return mmu_log_start(&vm->mmu, base, log->bits);
}

/* The areas of a firmware's that are RAM now and ROM then are not logged. */
static bool start_logs(struct vm *vm)
{
	struct dirty_log *log = vm->dirty.log;
	bool hole = firmware_given(vm);
	uint64_t low = hole ? PAM_HOLE : vm->low_ram, rest = hole ? vm->low_ram - PAM_END : 0;

	return start_log(vm, &log[0], GFN(0), low) && start_log(vm, &log[1], gpa_gfn(GPA(PAM_END)), rest) &&
	       start_log(vm, &log[2], gpa_gfn(GPA(4 * GIB)), vm->high_ram);
}

static uint64_t count(struct vm *vm, const struct dirty_log *log)
{
	uint64_t *collected, sum = 0;

	if (!log->bits)
		return 0;
	collected = log->bits + words_of(log);
	mmu_log_collect(&vm->mmu, log->base, collected);
	for (uint64_t n = 0; n < words_of(log); n++)
		for (uint64_t word = collected[n]; word; word &= word - 1)
			sum++;
	return sum;
}

/* ---- a measurement ---- */

static void alarm(void *dev, uint64_t now)
{
	struct vm *vm = dev;

	(void)now;
	vcpu_request(vm_boot_vcpu(vm), REQUEST_DIRTY);
}

static void arm(struct vm *vm, uint64_t ticks)
{
	struct timers *t = vm_device_timers(vm);

	vm->dirty.timer = (struct timer){ .fire = alarm, .dev = vm };
	spin_lock(&vm->device_lock);
	timer_arm(t, &vm->dirty.timer, timers_now(t) + ticks);
	spin_unlock(&vm->device_lock);
	VM_MUTANT(DIRTY_ALARM, vcpu_request(vm_boot_vcpu(vm), 0)); /* HA3: it may sleep */
}

const char *dirty_begin(struct vm *vm, uint64_t seconds)
{
	struct dirty_rate *d = &vm->dirty;

	if (VM_KEPT(DIRTY_ONE, d->state == DIRTY_MEASURING))
		return "a measurement goes on";
	if (VM_KEPT(DIRTY_PAUSED, vm->paused))
		return "it is paused, and its clock stands still";
	if (!start_logs(vm)) {
		stop_logs(vm);
		return "there is no host memory for the log";
	}
	d->state = DIRTY_MEASURING;
	d->number++;
	d->seconds = seconds;
	d->began = clock_now(&vm->clock);
	d->switches = vm->mmu.counters.switches;
	arm(vm, seconds * machine.tsc_hz);
	return NULL;
}

void dirty_end(struct vm *vm)
{
	struct dirty_rate *d = &vm->dirty;

	if (d->state != DIRTY_MEASURING)
		return;
	d->ticks = clock_now(&vm->clock) - d->began;
	d->switches = vm->mmu.counters.switches - d->switches;
	d->pages = 0;
	for (unsigned n = 0; n < DIRTY_LOGS; n++)
		d->pages += count(vm, &d->log[n]);
	VM_MUTANT(DIRTY_STOPS, stop_logs(vm));
	d->state = DIRTY_MEASURED;
}

void dirty_free(struct vm *vm) { stop_logs(vm); }
