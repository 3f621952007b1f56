#include "vm/memory/dirty.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/memory.h"
#include "vm/vm.h"

static uint64_t words_of(const struct dirty_log *log) { return (log->pages + 63) / 64; }

static uint64_t frames_of(const struct dirty_log *log)
{
	return pages_for(2 * words_of(log) * sizeof(log->bits[0]));
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
static bool start_logs(struct vm *vm, enum dirty_user user)
{
	struct dirty_log *log = vm->dirty.log;
	bool hole = firmware_given(vm), all = user != DIRTY_COPY_FIRST;
	uint64_t first = hole && !memory_at_once(vm) ? firmware_at_once(vm) : vm->low_ram;

	return start_log(vm, &log[0], GFN(0), hole ? PAM_HOLE : all ? vm->low_ram : 0) &&
	       start_log(vm, &log[1], gpa_gfn(GPA(PAM_END)), hole ? first - PAM_END : 0) &&
	       start_log(vm, &log[2], gpa_gfn(GPA(first)), all ? vm->low_ram - first : 0) &&
	       start_log(vm, &log[3], gpa_gfn(GPA(4 * GIB)), all ? vm->high_ram : 0);
}

/* ---- for whoever logs ---- */

static const char *const users[] = {
	[DIRTY_MEASURE] = "a measurement goes on",
	[DIRTY_WATCH] = "it is watched: \"dirty VM off\" ends that",
	[DIRTY_COPY] = "its memory is being copied",
	[DIRTY_COPY_FIRST] = "its memory is being copied",
};

const char *dirty_log_begin(struct vm *vm, enum dirty_user user)
{
	struct dirty_rate *d = &vm->dirty;

	if (VM_KEPT(DIRTY_ONE, d->user != DIRTY_NOBODY))
		return users[d->user];
	if (!start_logs(vm, user)) {
		stop_logs(vm);
		return "there is no host memory for the log";
	}
	d->user = user;
	d->by = vm->mmu.log_by;
	return NULL;
}

/* Bits that are set, by twos, fours, ... at once. */
static uint64_t bits_in(uint64_t x)
{
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	return ((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full) * 0x0101010101010101ull >> 56;
}

uint64_t dirty_log_collect(struct vm *vm, void (*each)(void *ctx, gfn_t first, uint64_t pages),
			   void *ctx)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < DIRTY_LOGS; n++) {
		const struct dirty_log *log = &vm->dirty.log[n];
		uint64_t *collected;

		if (!log->bits)
			continue;
		collected = log->bits + words_of(log);
		mmu_log_collect(&vm->mmu, log->base, collected);
		for (uint64_t i = 0; i < words_of(log); i++) {
			if (!collected[i])
				continue;
			sum += bits_in(collected[i]);
			if (each)
				each(ctx, GFN(log->base.v + 64 * i), collected[i]);
		}
	}
	return sum;
}

void dirty_log_end(struct vm *vm)
{
	VM_MUTANT(DIRTY_STOPS, stop_logs(vm));
	vm->dirty.user = DIRTY_NOBODY;
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

static void disarm(struct vm *vm)
{
	spin_lock(&vm->device_lock);
	timer_cancel(vm_device_timers(vm), &vm->dirty.timer);
	spin_unlock(&vm->device_lock);
}

static const char *begin_logging(struct vm *vm, enum dirty_user user)
{
	if (VM_KEPT(DIRTY_PAUSED, vm->paused))
		return "it is paused, and its clock stands still";
	return dirty_log_begin(vm, user);
}

const char *dirty_begin(struct vm *vm, uint64_t seconds)
{
	const char *why = begin_logging(vm, DIRTY_MEASURE);
	struct dirty_rate *d = &vm->dirty;

	if (why)
		return why;
	d->state = DIRTY_MEASURING;
	d->number++;
	d->seconds = seconds;
	d->began = clock_now(&vm->clock);
	d->switches = vm->mmu.counters.switches;
	arm(vm, seconds * machine.tsc_hz);
	return NULL;
}

static void measured(struct vm *vm)
{
	struct dirty_rate *d = &vm->dirty;

	d->ticks = clock_now(&vm->clock) - d->began;
	d->switches = vm->mmu.counters.switches - d->switches;
	d->pages = dirty_log_collect(vm, NULL, NULL);
	dirty_log_end(vm);
	d->state = DIRTY_MEASURED;
}

/* ---- a watch (DY4) ---- */

static uint64_t period(void) { return machine.tsc_hz / DIRTY_PERIODS_PER_SECOND; }

const char *dirty_method(const struct vm *vm) { return config_dirties[vm->mmu.log_by]; }

/* Also where it is refused for another reason then. */
static const char *choose(struct vm *vm, const char *method)
{
	enum config_dirty dirty = vm->config->dirty;
	char error[80];

	if (*method && !config_read_dirty(&dirty, method, error, sizeof(error)))
		return "the methods are wp, ad, pml and auto";
	return vm->dirty.user == DIRTY_NOBODY ? mmu_log_ask(&vm->mmu, (enum mmu_log_method)dirty) : NULL;
}

const char *dirty_watch_on(struct vm *vm, const char *method)
{
	const char *why = choose(vm, method);
	uint64_t pages = (vm->low_ram + vm->high_ram) >> PAGE_SHIFT, now = clock_now(&vm->clock);

	why = why ? why : begin_logging(vm, DIRTY_WATCH);
	if (why)
		return why;
	vm->dirty.watch = (struct dirty_watch){
		.began = now,
		.seen = now,
		.region_pages = align_up((pages + DIRTY_REGIONS - 1) / DIRTY_REGIONS, 64),
		.before = mmu_counters(&vm->mmu),
	};
	arm(vm, period());
	return NULL;
}

const char *dirty_watch_off(struct vm *vm)
{
	if (vm->dirty.user != DIRTY_WATCH)
		return "it is not watched";
	VM_MUTANT(DIRTY_DISARMED, disarm(vm));
	dirty_log_end(vm);
	return NULL;
}

/* 64 pages that begin in a region are taken for its own. */
static void heat(void *ctx, gfn_t first, uint64_t pages)
{
	struct vm *vm = ctx;
	struct dirty_watch *w = &vm->dirty.watch;
	uint64_t high = (4 * GIB) >> PAGE_SHIFT;
	uint64_t page = first.v < high ? first.v : first.v - high + (vm->low_ram >> PAGE_SHIFT);

	w->heat[min_u64(page / w->region_pages, DIRTY_REGIONS - 1)] += bits_in(pages);
}

static void look(struct vm *vm)
{
	struct dirty_watch *w = &vm->dirty.watch;
	uint64_t now = clock_now(&vm->clock);

	w->last_pages = dirty_log_collect(vm, heat, vm);
	w->last_ticks = now - w->seen;
	w->seen = now;
	w->pages += w->last_pages;
	w->periods++;
	VM_MUTANT(DIRTY_AGAIN, arm(vm, period()));
}

void dirty_end(struct vm *vm)
{
	if (vm->dirty.user == DIRTY_MEASURE)
		measured(vm);
	else if (vm->dirty.user == DIRTY_WATCH)
		look(vm);
}

void dirty_free(struct vm *vm) { stop_logs(vm); }
