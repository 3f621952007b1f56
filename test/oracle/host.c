/* Host memory: frames, what backs the guests' pages, swapping, merging. */
#include <stdlib.h>
#include <string.h>

#include "test/oracle/weave.h"

/* Frames below 4 GBytes; then the homes (world.c); then the others. */
#define LOW_FIRST 0x100u
#define LOW_END (1u << 20)
#define HIGH_FIRST 0x900000u

uint64_t host_take(struct world *w, struct frames *f)
{
	uint64_t hfn = f->count ? f->free[--f->count] : f->next++;

	phys_add(&w->phys, hfn, 1);
	return hfn;
}

uint64_t host_frame(struct world *w)
{
	return host_take(w, w->c.low_frames ? &w->low : &w->high);
}

/* Where the frame is, if it is the home of a page in a block that mmu/ knows of. */
static uint8_t *block_bytes(struct world *w, uint64_t hfn)
{
	for (unsigned n = 0; n < VMS * RAMS; n++) {
		const struct ram *r = &w->vm[n / RAMS].ram[n % RAMS];

		if (r->bytes && hfn - r->home < r->pages)
			return r->bytes + (hfn - r->home) * PAGE_SIZE;
	}
	return NULL;
}

static void home_add(struct world *w, uint64_t hfn)
{
	uint8_t *bytes = block_bytes(w, hfn);

	if (bytes)
		phys_show(&w->phys, hfn, bytes);
	else
		phys_add(&w->phys, hfn, 1);
}

/* Last in, first out: a frame that is freed too early is soon somebody else's. */
void host_release(struct world *w, uint64_t hfn)
{
	struct frames *f = hfn < LOW_END ? &w->low : &w->high;

	if (block_bytes(w, hfn)) {
		phys_hide(&w->phys, hfn);
		return;
	}
	phys_remove(&w->phys, hfn);
	if (hfn >= LOW_END && hfn < HIGH_FIRST)
		return; /* a home frame: only its own page returns there */
	if (f->count == f->room) {
		f->room = f->room ? 2 * f->room : 256;
		f->free = realloc(f->free, f->room * sizeof(*f->free));
		BUG_ON(!f->free);
	}
	f->free[f->count++] = hfn;
}

bool host_init(struct world *w)
{
	w->low.next = LOW_FIRST;
	w->high.next = HIGH_FIRST;
	below_init(w);
	return phys_init(&w->phys);
}

void host_fini(struct world *w)
{
	for (unsigned i = 0; i < w->c.vms; i++) {
		for (unsigned k = 0; k < w->vm[i].rams; k++) {
			struct ram *r = &w->vm[i].ram[k];

			for (uint64_t n = 0; r->page && n < r->pages; n++)
				free(r->page[n].bytes);
			free(r->page);
			free(r->irregular);
			free(r->log);
			free(r->log_out);
		}
		free(w->vm[i].change);
	}
	free(w->low.free);
	free(w->high.free);
	phys_fini(&w->phys);
}

/* ---- what backs a slot ---- */

static bool at_home(const struct ram *r, uint64_t index)
{
	const struct page *p = &r->page[index];

	return r->home && p->in && p->hfn == r->home + index && !p->merged && !p->frozen;
}

void page_regularity(struct ram *r, uint64_t index)
{
	struct page *p = &r->page[index];
	bool now = !at_home(r, index);
	int change = (int)now - (int)p->irregular;

	p->irregular = now;
	r->irregular[index / 512] += change;
	r->irregular_all += change;
	if (r->bytes && r->irregular[index / 512] && r->block[index / 512].at)
		fail(r->vm->world, "a page of a block goes that mmu/ still knows of");
	if (!r->bytes || r->irregular[index / 512] || r->block[index / 512].at)
		return;
	r->block[index / 512].frame = HFN(r->home + index / 512 * 512);
	r->block[index / 512].at = (char *)r->bytes + index / 512 * 512 * PAGE_SIZE;
	cover(r->vm->world, COVER_BLOCK_KNOWN);
}

/* Before a page of a block goes, moves or becomes read-only. */
static void block_withdraw(struct ram *r, uint64_t index)
{
	if (!r->bytes || !r->block[index / 512].at)
		return;
	r->block[index / 512].at = NULL;
	mmu_block_gone(&r->vm->mmu);
	cover(r->vm->world, COVER_BLOCK_GONE);
}

/* Nobody is in the middle of anything for the VM, where it has such blocks. */
static void stand_still(const struct ram *r)
{
	if (r->bytes)
		weave_freeze(r->vm->world);
}

static void go_on(const struct ram *r)
{
	if (r->bytes)
		weave_thaw(r->vm->world);
}

static uint8_t order_of(const struct ram *r, uint64_t index)
{
	uint64_t gfn = r->base + index, block = align_down(gfn, 512), giga = align_down(gfn, 1u << 18);

	if (!r->home || (r->base ^ r->home) & 511 || block < r->base || block + 512 > r->base + r->pages ||
	    r->base & 511)
		return 0;
	if (r->irregular[index / 512])
		return 0;
	if ((r->base ^ r->home) & 0x3ffff || giga < r->base || giga + (1u << 18) > r->base + r->pages ||
	    r->irregular_all)
		return 9;
	return 18;
}

static bool backing_page(struct backing *b, uint64_t index, struct backing_page *out)
{
	struct ram *r = container_of(b, struct ram, backing);
	struct page *p = &r->page[index];

	if (index >= r->pages) {
		fail(r->vm->world, "the backing is asked for a page beyond the slot");
		return false;
	}
	if (!p->in)
		return false;
	if (!weave_exact(r->vm->world))
		p->asked |= !r->vm->world->auditing;
	*out = (struct backing_page){ .hfn = HFN(p->hfn), .order = order_of(r, index),
				      .writable = !p->merged && !p->frozen };
	return true;
}

static unsigned *sharers(struct world *w, uint64_t hfn)
{
	for (unsigned i = 0; i < ARRAY_SIZE(w->shared); i++)
		if (w->shared[i].users && w->shared[i].hfn == hfn)
			return &w->shared[i].users;
	return NULL;
}

/* The page no longer uses its frame. */
void page_forsake(struct world *w, struct page *p)
{
	unsigned *n = p->merged ? sharers(w, p->hfn) : NULL;

	if (!n || --*n == 0)
		host_release(w, p->hfn);
	p->in = false;
	p->merged = false;
}

static void fill(struct world *w, struct page *p)
{
	if (p->bytes)
		memcpy(phys_ptr(&w->phys, p->hfn), p->bytes, PAGE_SIZE);
}

bool page_in(struct ram *r, uint64_t index, bool write)
{
	struct world *w = r->vm->world;
	struct page *p = &r->page[index];

	if (!p->in) {
		if (r->home && !phys_exists(&w->phys, r->home + index) && (w->now & 1 || weave_exact(w))) {
			p->hfn = r->home + index;
			home_add(w, p->hfn);
		} else {
			p->hfn = host_frame(w);
		}
		p->in = true;
		fill(w, p);
	} else if (write && p->merged) {
		unsigned *n = sharers(w, p->hfn);

		if (*n == 1) {
			*n = 0;
			p->merged = false;
		} else {
			page_forsake(w, p);
			cover(w, COVER_COPIED);
			p->hfn = host_frame(w);
			p->in = true;
			fill(w, p);
		}
	}
	page_regularity(r, index);
	return true;
}

static bool backing_touch(struct backing *b, uint64_t index)
{
	struct ram *r = container_of(b, struct ram, backing);
	struct page *p = &r->page[index];

	if (!r->vm->world->c.touching || index >= r->pages || p->in || p->busy || p->leaving)
		return false;
	cover(r->vm->world, COVER_TOUCHED);
	return page_in(r, index, false);
}

static enum populated backing_populate(struct backing *b, uint64_t index, bool write)
{
	struct ram *r = container_of(b, struct ram, backing);

	if (weave_holds(r->vm->world))
		fail(r->vm->world, "populate() with the VM's lock held (S12)");
	if (index < r->pages)
		weave_wait_page(r->vm->world, &r->page[index]);
	return index < r->pages && page_in(r, index, write) ? POPULATE_DONE : POPULATE_NONE;
}

static void backing_used(struct backing *b, uint64_t index, uint64_t pages)
{
	struct ram *r = container_of(b, struct ram, backing);

	for (uint64_t i = index; i < index + pages; i++)
		r->page[i].asked = true;
	cover(r->vm->world, COVER_AGED_TOLD);
}

const struct backing host_backing = { backing_page, backing_touch, backing_populate, backing_used };

static bool same_as_frame(struct world *w, struct page *p)
{
	static const uint8_t zero[PAGE_SIZE];

	return memcmp(phys_ptr(&w->phys, p->hfn), p->bytes ? p->bytes : zero, PAGE_SIZE) == 0;
}

/* Swapping: the backing first, then mmu/, then the frame. */
void page_out(struct vm *vm, uint64_t gfn)
{
	struct ram *r = ram_find(vm, gfn);
	struct page *p = page_find(vm, gfn);

	if (!p || !p->in || p->busy || r->linear)
		return;
	stand_still(r);
	if (!p->in || p->busy) {
		go_on(r);
		return;
	}
	block_withdraw(r, gfn - r->base);
	p->busy = true;
	p->in = false;
	p->leaving = true;
	page_regularity(r, gfn - r->base);
	go_on(r);
	mmu_unmap(&vm->mmu, GFN(gfn), 1);
	p->in = true;
	p->leaving = p->busy = false;
	if (!same_as_frame(vm->world, p) && !(vm->world->weave && gm_settle_page(vm, gfn)))
		fail(vm->world, "page %llx changed unseen before it was swapped out", (unsigned long long)gfn);
	for (unsigned i = 0; i < CPUS; i++)
		if (!p->merged && m_reaches(&vm->world->cpu[i], p->hfn))
			fail(vm->world, "page %llx is swapped out, and a CPU in the guest still reaches it (S11)",
			     (unsigned long long)gfn);
	page_forsake(vm->world, p);
	cover(vm->world, COVER_SWAPPED);
	page_regularity(r, gfn - r->base);
}

void block_out(struct ram *r, uint64_t first)
{
	struct world *w = r->vm->world;
	static bool was[512];

	if (r->linear)
		return;
	stand_still(r);
	block_withdraw(r, first);
	for (unsigned i = 0; i < 512; i++) {
		was[i] = r->page[first + i].leaving = r->page[first + i].in;
		r->page[first + i].in = false;
		page_regularity(r, first + i);
	}
	go_on(r);
	cover(w, COVER_BLOCK_OUT);
	mmu_unmap(&r->vm->mmu, GFN(r->base + first), 512);
	for (unsigned i = 0; i < 512; i++) {
		struct page *p = &r->page[first + i];

		if (!was[i])
			continue;
		p->leaving = false;
		if (!same_as_frame(w, p))
			fail(w, "page %llx changed unseen before its block was swapped out",
			     (unsigned long long)(r->base + first + i));
		page_forsake(w, p);
	}
}

void block_home(struct ram *r, uint64_t first)
{
	struct world *w = r->vm->world;

	if (r->linear)
		return;
	cover(w, COVER_BLOCK_HOME);
	for (unsigned i = 0; r->home && i < 512; i++) {
		struct page *p = &r->page[first + i];

		p->hfn = r->home + first + i;
		if (phys_exists(&w->phys, p->hfn)) {
			/* Somebody shares that frame. */
			page_in(r, first + i, false);
			continue;
		}
		home_add(w, p->hfn);
		p->in = true;
		fill(w, p);
		page_regularity(r, first + i);
	}
}

static void set_frozen(struct vm *vm, uint64_t gfn, bool frozen)
{
	struct ram *r = ram_find(vm, gfn);

	r->page[gfn - r->base].frozen = frozen;
	page_regularity(r, gfn - r->base);
}

static bool equal_pages(struct world *w, const struct page *a, const struct page *b)
{
	return memcmp(phys_ptr(&w->phys, a->hfn), phys_ptr(&w->phys, b->hfn), PAGE_SIZE) == 0;
}

static bool share(struct world *w, struct page *keep, struct page *drop)
{
	unsigned *n = keep->merged ? sharers(w, keep->hfn) : NULL;

	for (unsigned i = 0; !n && i < ARRAY_SIZE(w->shared); i++) {
		if (w->shared[i].users)
			continue;
		w->shared[i].hfn = keep->hfn;
		w->shared[i].users = 1;
		n = &w->shared[i].users;
	}
	if (!n)
		return false;
	keep->merged = true;
	page_forsake(w, drop);
	++*n;
	drop->hfn = keep->hfn;
	drop->in = true;
	drop->merged = true;
	return true;
}

static bool mergeable(struct vm *vm, uint64_t gfn1, uint64_t gfn2)
{
	const struct page *a = page_find(vm, gfn1), *b = page_find(vm, gfn2);
	const struct ram *r = ram_find(vm, gfn1), *q = ram_find(vm, gfn2);

	return a && b && !r->linear && !q->linear && a != b && a->in && b->in && a->hfn != b->hfn &&
	       r->kind == SLOT_RAM && q->kind == SLOT_RAM;
}

/* Merging, in the order that mmu.h gives. */
void pages_merge(struct vm *vm, uint64_t gfn1, uint64_t gfn2)
{
	struct world *w = vm->world;
	struct page *a = page_find(vm, gfn1), *b = page_find(vm, gfn2);
	struct ram *still;

	if (!mergeable(vm, gfn1, gfn2))
		return;
	still = ram_find(vm, ram_find(vm, gfn1)->bytes ? gfn1 : gfn2);
	stand_still(still);
	if (!mergeable(vm, gfn1, gfn2)) {
		go_on(still);
		return;
	}
	block_withdraw(ram_find(vm, gfn1), gfn1 - ram_find(vm, gfn1)->base);
	block_withdraw(ram_find(vm, gfn2), gfn2 - ram_find(vm, gfn2)->base);
	set_frozen(vm, gfn1, true);
	set_frozen(vm, gfn2, true);
	go_on(still);
	mmu_write_protect(&vm->mmu, GFN(gfn1), 1);
	mmu_write_protect(&vm->mmu, GFN(gfn2), 1);
	if (equal_pages(w, a, b)) {
		uint64_t old = b->hfn;

		b->in = false;
		page_regularity(ram_find(vm, gfn2), gfn2 - ram_find(vm, gfn2)->base);
		mmu_unmap(&vm->mmu, GFN(gfn2), 1);
		b->in = true;
		b->hfn = old;
		if (share(w, a, b))
			cover(w, COVER_MERGED);
	}
	set_frozen(vm, gfn1, false);
	set_frozen(vm, gfn2, false);
}
