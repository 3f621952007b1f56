/* vm/snapshot/save.c - the memory of a virtual machine leaves while it runs, then its state when it stands. */
#include "vm/memory/ram_out.h"
#include "vm/snapshot/firmware.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/device/disk.h"
#include "vm/snapshot/exchange.h"
#include "vm/vm.h"

/* ---- lists of pages ---- */

static uint64_t words_of(const struct save_range *r) { return (r->pages + 63) / 64; }

static uint64_t frames_of(const struct save_range *r) { return pages_for(words_of(r) * sizeof(r->pending[0])); }

static void set_all(struct save_range *r)
{
	memset(r->pending, 0xff, words_of(r) * sizeof(r->pending[0]));
	if (r->pages % 64)
		r->pending[words_of(r) - 1] = MASK(r->pages % 64 - 1, 0);
}

static bool begin_range(struct vm *vm, struct save_range *r, gfn_t base, uint64_t bytes)
{
	hfn_t frames;

	*r = (struct save_range){ .base = base, .pages = bytes >> PAGE_SHIFT };
	if (!r->pages)
		return true;
	frames = frames_alloc_run(frames_of(r), 1);
	if (hfn_is_none(frames))
		return false;
	r->pending = frames_ptr(frames);
	set_all(r);
	vm->save.left += r->pages;
	return true;
}

/* What no guest finds does not leave (SN5). */
static void without_hole(struct vm_save *s)
{
	for (uint64_t n = PAM_HOLE >> PAGE_SHIFT; n < PAM_BASE >> PAGE_SHIFT; n++, s->left--)
		s->range[0].pending[n / 64] &= ~BIT(n % 64);
}

/* What comes when it is touched follows later, or comes by another way. */
static void without_ram(struct vm *vm, struct save_range *r)
{
	for (uint64_t n = 0; n < r->pages; n++) {
		if (!ram_of(vm, GFN(r->base.v + n)) || !(r->pending[n / 64] & BIT(n % 64)))
			continue;
		r->pending[n / 64] &= ~BIT(n % 64);
		vm->save.left--;
	}
}

static bool begin_ranges(struct vm *vm, enum dirty_user what)
{
	struct vm_save *s = &vm->save;

	if (!begin_range(vm, &s->range[0], GFN(0), vm->low_ram) ||
	    !begin_range(vm, &s->range[1], gpa_gfn(GPA(4 * GIB)), vm->high_ram) ||
	    !begin_range(vm, &s->range[2], GFN(SNAPSHOT_DISPLAY_GFN), save_display_bytes(vm)))
		return false;
	if (firmware_given(vm))
		without_hole(s);
	for (unsigned n = 0; what == DIRTY_COPY_FIRST && n < 2; n++)
		without_ram(vm, &s->range[n]);
	spin_lock(&vm->device_lock);
	save_display_changes(vm, &s->display, NULL, NULL);
	spin_unlock(&vm->device_lock);
	return true;
}

static void end_range(struct save_range *r)
{
	if (!r->pending)
		return;
	VM_MUTANT(SAVE_FREED, frames_free(frames_of_ptr(r->pending), frames_of(r)));
	*r = (struct save_range){ .pending = NULL };
}

/* ---- beginning and end ---- */

/* Of what there is no copy yet. */
static const char *cannot(const struct vm *vm, bool leaves)
{
	if (hvm_switches_syscall())
		return "on this CPU (AMD-V) no snapshot holds all of a guest's registers yet";
	for (unsigned n = 0; leaves && n < vm->config->disks; n++)
		if (VM_KEPT(SAVE_SNAPSHOT_DISK, vm->config->disk[n].snapshot))
			return "what it writes to a disk with snapshot is in this machine's memory alone";
	if (VM_KEPT(SAVE_DEBUGGED, vm->debug.attached))
		return "a debugger is attached to it";
	return NULL;
}

static const char *begin_saving(struct vm *vm, bool leaves, enum dirty_user what)
{
	struct vm_save *s = &vm->save;
	const char *why = cannot(vm, leaves);

	if (why)
		return why;
	VM_MUTANT(SAVE_LOGS, why = dirty_log_begin(vm, what)); /* SN1 */
	if (why)
		return why;
	s->on = true;
	s->later = false;
	s->left = 0;
	s->at_range = 0;
	s->at = 0;
	if (!begin_ranges(vm, what))
		why = "there is no memory for lists of its pages";
	else if (leaves && exchange_is())
		why = exchange_take(vm);
	if (why)
		save_end(vm);
	return why;
}

const char *save_begin(struct vm *vm)
{
	save_end(vm);
	return begin_saving(vm, true, DIRTY_COPY);
}

const char *save_begin_here(struct vm *vm, bool follows)
{
	if (VM_KEPT(LIVE_NO_SNAPSHOT, vm->save.on))
		return "a snapshot of it is being taken, or has been begun and left; \"save VM end\" ends that";
	return begin_saving(vm, false, follows ? DIRTY_COPY_FIRST : DIRTY_COPY);
}

void save_free(struct vm *vm)
{
	struct vm_save *s = &vm->save;

	exchange_drop(vm);
	if (vm->dirty.user == DIRTY_COPY || vm->dirty.user == DIRTY_COPY_FIRST)
		dirty_log_end(vm);
	for (unsigned n = 0; n < SAVE_RANGES; n++)
		end_range(&s->range[n]);
	if (s->state)
		VM_MUTANT(SAVE_STATE_FREED, frames_give(s->state, SAVE_STATE_MAX));
	s->state = NULL;
	s->state_bytes = 0;
}

void save_end(struct vm *vm)
{
	struct vm_save *s = &vm->save;

	save_free(vm);
	if (s->still)
		VM_MUTANT(SAVE_TPR_BACK, tpr_change(vm, tpr_method_name(s->tpr))); /* SN3 */
	s->on = s->still = s->stands = false;
}

/* ---- memory ---- */

static bool is_zero(const uint8_t *page)
{
	const uint64_t *word = (const uint64_t *)(const void *)page;
	uint64_t any = 0;

	for (unsigned n = 0; n < PAGE_SIZE / sizeof(any) && !any; n += 16)
		for (unsigned i = 0; i < 16; i++)
			any |= word[n + i];
	return !any;
}

/* It is nothing (RA1 in vm/memory/ram.h), and is not taken from the machine for that. */
static bool is_absent(struct vm *vm, gfn_t gfn)
{
	return !save_own_page(vm, gfn) && VM_KEPT(SAVE_ABSENT, mmu_guest_absent(&vm->mmu, gfn)) &&
	       VM_LEFT_OUT_OR(SAVE_SWAPPED, ram_is_nothing(vm, gfn));
}

static void add_zero(struct vm_save *s, struct save_pages *p, uint64_t gfn)
{
	unsigned last = p->zeroes - 1;

	if (!s->later) /* before, all of it is zero for who takes it */
		return;
	if (p->zeroes && p->zero_first[last] + p->zero_pages[last] == gfn) {
		p->zero_pages[last]++;
		return;
	}
	p->zero_first[p->zeroes] = gfn;
	p->zero_pages[p->zeroes++] = 1;
}

bool save_page(struct vm *vm, gfn_t gfn, uint8_t *to)
{
	return !is_absent(vm, gfn) && save_read(vm, gfn_gpa(gfn).v, to, PAGE_SIZE) && !is_zero(to);
}

bool save_nothing(struct vm *vm, gfn_t gfn) { return is_absent(vm, gfn); }

/* SN1: it is off the list before it is read. */
static void add(struct vm *vm, struct save_pages *p, struct save_range *r, uint64_t index)
{
	uint8_t *to = p->bytes + p->count * PAGE_SIZE;
	gfn_t gfn = GFN(r->base.v + index);

	r->pending[index / 64] &= ~BIT(index % 64);
	vm->save.left--;
	if (save_page(vm, gfn, to))
		p->gfn[p->count++] = gfn.v;
	else
		add_zero(&vm->save, p, gfn.v);
}

/* The next page of the list, from .at on; false: there is none in this range. */
static bool next(struct vm_save *s, const struct save_range *r)
{
	while (s->at < r->pages) {
		uint64_t word = r->pending[s->at / 64] >> s->at % 64;

		if (word) {
			s->at += (unsigned)__builtin_ctzll(word);
			return true;
		}
		s->at = (s->at / 64 + 1) * 64;
	}
	return false;
}

void save_pages(struct vm *vm, struct save_pages *p)
{
	struct vm_save *s = &vm->save;

	p->count = p->zeroes = 0;
	for (unsigned looked = 0; s->left && looked < SAVE_SCAN && p->count < SAVE_PAGES && p->zeroes < SAVE_PAGES;) {
		struct save_range *r = &s->range[s->at_range];

		if (r->pending && next(s, r)) {
			add(vm, p, r, s->at++);
			looked++;
			continue;
		}
		s->at = 0;
		s->at_range = (s->at_range + 1) % SAVE_RANGES;
	}
}

bool save_scan(struct vm *vm)
{
	struct vm_save *s = &vm->save;

	for (unsigned looked = 0; looked < SAVE_LOOKS; looked++) {
		struct save_range *r = &s->range[s->at_range];
		const uint8_t *page;
		gfn_t gfn;

		if (s->later || (!r->pending || !next(s, r))) {
			s->at = 0;
			s->at_range = (s->at_range + 1) % SAVE_RANGES;
			if (s->later || !s->at_range)
				return false;
			continue;
		}
		gfn = GFN(r->base.v + s->at);
		page = save_own_page(vm, gfn);
		if (!page && !is_absent(vm, gfn))
			page = mmu_guest_ptr(&vm->mmu, gfn_gpa(gfn), PAGE_SIZE, false);
		if (!page || is_zero(page)) {
			r->pending[s->at / 64] &= ~BIT(s->at % 64);
			s->left--;
		}
		s->at++;
	}
	return true;
}

bool save_take_run(struct vm_save *s, uint64_t most, unsigned *range, uint64_t *first, uint64_t *pages)
{
	while (s->left) {
		struct save_range *r = &s->range[s->at_range];

		if (!r->pending || !next(s, r)) {
			s->at = 0;
			s->at_range = (s->at_range + 1) % SAVE_RANGES;
			continue;
		}
		*range = s->at_range;
		*first = s->at;
		while (s->at < r->pages && s->at - *first < most && (r->pending[s->at / 64] & BIT(s->at % 64))) {
			r->pending[s->at / 64] &= ~BIT(s->at % 64);
			s->at++;
			s->left--;
		}
		*pages = s->at - *first;
		return true;
	}
	return false;
}

static void set_in(struct vm_save *s, struct save_range *r, gfn_t first, uint64_t pages)
{
	uint64_t *word = &r->pending[(first.v - r->base.v) / 64], new;

	for (new = pages & ~*word; new; new &= new - 1)
		s->left++;
	*word |= pages;
}

/* The exchange takes pages off the lists with the device lock held. */
static void set_pending(void *ctx, gfn_t first, uint64_t pages)
{
	struct vm *vm = ctx;

	spin_lock(&vm->device_lock);
	set_in(&vm->save, &vm->save.range[first.v >= 4 * GIB >> PAGE_SHIFT], first, pages);
	spin_unlock(&vm->device_lock);
}

static void set_display(void *ctx, gfn_t first, uint64_t pages)
{
	struct vm_save *s = &((struct vm *)ctx)->save;

	set_in(s, &s->range[2], first, pages);
}

/* SN5. */
static void collect_own(struct vm *vm)
{
	struct vm_save *s = &vm->save;

	spin_lock(&vm->device_lock);
	VM_MUTANT(SAVE_DISPLAY, save_display_changes(vm, &s->display, set_display, vm));
	if (s->still && VM_KEPT(SAVE_AREAS, firmware_given(vm)))
		set_in(s, &s->range[0], gpa_gfn(GPA(PAM_BASE)), ~0ull);
	spin_unlock(&vm->device_lock);
}

void save_collect(struct vm *vm)
{
	vm->save.later = true;
	dirty_log_collect(vm, set_pending, vm);
	collect_own(vm);
}

/* ---- state (SN2) ---- */

static bool devices_rest(struct vm *vm)
{
	bool rest = true;

	spin_lock(&vm->device_lock);
	for (unsigned n = 0; n < vm->config->disks; n++)
		rest = rest && !vm->disks[n].block.first;
	spin_unlock(&vm->device_lock);
	return rest;
}

bool save_prepare(struct vm *vm, const char **why)
{
	struct vm_save *s = &vm->save;

	*why = NULL;
	if (!s->on)
		*why = "no snapshot was begun";
	else if (VM_KEPT(SAVE_PAUSED, !__atomic_load_n(&vm->paused, __ATOMIC_SEQ_CST)))
		*why = "it runs: pause it first";
	if (*why)
		return true;
	if (VM_KEPT(SAVE_DEVICES, !devices_rest(vm)))
		return false;
	s->stands = true;
	if (!s->still) {
		s->tpr = vm->tpr.method;
		s->still = true;
		VM_MUTANT(SAVE_TPR, *why = tpr_change(vm, tpr_method_name(CONFIG_TPR_TRAP)));
	}
	VM_MUTANT(SAVE_LAST, save_collect(vm));
	return true;
}

bool save_machine(struct vm *vm)
{
	struct vm_save *s = &vm->save;
	struct fields fields;
	hfn_t frames;

	if (!s->state) {
		frames = frames_alloc_run(pages_for(SAVE_STATE_MAX), 1);
		if (hfn_is_none(frames))
			return false;
		s->state = frames_ptr(frames);
	}
	state_save(&fields, s->state, SAVE_STATE_MAX);
	spin_lock(&vm->device_lock);
	cpuid_state(&fields, &vm->cpuid);
	machine_state(&fields, vm);
	spin_unlock(&vm->device_lock);
	s->state_bytes = (uint32_t)fields.at;
	return !fields.bad;
}
