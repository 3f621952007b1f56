/* mmu/table/reserve.c - a VM's frames for tables. */
#include "mmu/inside.h"
#include "mmu/mutate.h"

/* frames that are taken from below at once, and kept beyond the need before any is given back */
#define BATCH 32
#define LEAST_SHIFT 8      /* the tree of what is known of guest frames, 16 bytes a page */
#define LIMIT_FIXED 1024
#define LIMIT_SHIFT 4
#define RAM_UNKNOWN 0x10000

/* Twice what a VM needs for itself whatever its size, and a frame for each 16 of RAM: a table maps 512 pages, so that
 * is room for ten processes that map all of it. */
uint32_t mmu_table_limit(uint64_t ram_pages)
{
	return (uint32_t)min_u64(LIMIT_FIXED + ((ram_pages ? ram_pages : RAM_UNKNOWN) >> LIMIT_SHIFT), UINT32_MAX);
}

uint32_t mmu_table_least(const struct mmu_ops *ops, uint64_t ram_pages)
{
	return (uint32_t)min_u64(ops->ample + ((ram_pages ? ram_pages : RAM_UNKNOWN) >> LEAST_SHIFT), UINT32_MAX);
}

static inline bool all_zero(const uint64_t *p)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		any |= p[i];
	return !any;
}

/* ---- lists ---- */

static void push(struct mmu_vm *vm, struct frame_list *list, hfn_t frame)
{
	*(uint64_t *)mmu_table_ptr(vm, frame) = list->first;
	list->first = frame.v + 1;
	list->count++;
}

static hfn_t pop(struct mmu_vm *vm, struct frame_list *list)
{
	hfn_t frame = HFN(list->first - 1);
	uint64_t *p;

	if (!list->count)
		return HFN_NONE;
	p = mmu_table_ptr(vm, frame);
	list->first = *p;
	list->count--;
	*p = 0;
	return frame;
}

static uint64_t held(const struct mmu_vm *vm) { return vm->table_pages + reserve_count(&vm->reserve); }

static bool take_page(struct mmu_vm *vm)
{
	hfn_t frame = vm->below->frame_alloc(vm->below->ctx);

	if (hfn_is_none(frame))
		return false;
	push(vm, &vm->reserve.clean, frame);
	return true;
}

static void give_back(struct mmu_vm *vm, struct frame_list *list)
{
	vm->below->frame_free(vm->below->ctx, pop(vm, list));
}

/* ---- life ---- */

static uint32_t wanted(const struct mmu_vm *vm, const struct mmu_ops *ops)
{
	return max_u64(ops->least, min_u64(mmu_table_least(ops, vm->config.ram_pages), vm->reserve.limit));
}

bool reserve_raise(struct mmu_vm *vm, const struct mmu_ops *ops)
{
	struct reserve *r = &vm->reserve;
	uint32_t least = wanted(vm, ops);

	while (held(vm) < least)
		if (!take_page(vm))
			break;
	least = min_u64(least, held(vm));
	if (least < ops->least)
		return false;
	r->least = r->least < least ? least : r->least;
	r->limit = r->limit < least ? least : r->limit;
	return true;
}

bool reserve_init(struct mmu_vm *vm)
{
	const struct mmu_config *c = &vm->config;

	vm->reserve.limit = c->table_frames ? c->table_frames : mmu_table_limit(c->ram_pages);
	if (reserve_raise(vm, vm->ops) && vm->reserve.least >= wanted(vm, vm->ops))
		return true;
	reserve_destroy(vm);
	return false;
}

void reserve_destroy(struct mmu_vm *vm)
{
	struct reserve *r = &vm->reserve;

	while (r->clean.count)
		give_back(vm, &r->clean);
	while (r->dirty.count)
		give_back(vm, &r->dirty);
	while (r->low.count)
		give_back(vm, &r->low);
}

void reserve_add_low(struct mmu_vm *vm)
{
	const struct mmu_below *b = vm->below;

	for (unsigned i = 0; i < 2; i++) {
		hfn_t frame = b->frame_alloc_low ? b->frame_alloc_low(b->ctx) : b->frame_alloc(b->ctx);

		if (!hfn_is_none(frame))
			push(vm, &vm->reserve.low, frame);
	}
}

void reserve_drop_low(struct mmu_vm *vm)
{
	for (unsigned i = 0; i < 2 && vm->reserve.low.count; i++)
		give_back(vm, &vm->reserve.low);
}

void reserve_refill(struct mmu_vm *vm, uint32_t need)
{
	struct reserve *r = &vm->reserve;

	r->need = need;
	while (reserve_count(r) < need + BATCH && MUTANT_OR(RESERVE_LIMIT, held(vm) < r->limit))
		if (!take_page(vm))
			break;
	if (reserve_count(r) >= need)
		return;
	vm->counters.tables_relieved++;
	mmu_alone(vm);
	MUTANT(RESERVE_RELIEVE, vm->ops->relieve(vm, need));
	/* more: a change of mechanisms, which can do without */
	r->short_of |= need <= vm->ops->need && reserve_count(r) < need;
}

/* ---- table frames ---- */

hfn_t mmu_table_alloc_raw(struct mmu_vm *vm)
{
	struct reserve *r = &vm->reserve;
	hfn_t frame = pop(vm, r->dirty.count ? &r->dirty : &r->clean);

	if (!hfn_is_none(frame)) {
		vm->table_pages++;
		vm->counters.table_pages_allocated++;
	}
	return frame;
}

hfn_t mmu_table_alloc(struct mmu_vm *vm)
{
	bool clean = vm->reserve.clean.count;
	hfn_t frame;

	if (!clean) {
		frame = mmu_table_alloc_raw(vm);
		if (!hfn_is_none(frame))
			memset(mmu_table_ptr(vm, frame), 0, PAGE_SIZE);
		return frame;
	}
	vm->table_pages++;
	vm->counters.table_pages_allocated++;
	return pop(vm, &vm->reserve.clean);
}

hfn_t mmu_table_alloc_low(struct mmu_vm *vm)
{
	hfn_t frame = pop(vm, &vm->reserve.low);

	if (!hfn_is_none(frame))
		memset(mmu_table_ptr(vm, frame), 0, PAGE_SIZE);
	return frame;
}

static void put_back(struct mmu_vm *vm, struct frame_list *list, hfn_t frame)
{
	const struct mmu_below *b = vm->below;

	vm->table_pages--;
	vm->counters.table_pages_freed++;
	if (unlikely(b->frame_idle)) {
		b->frame_idle(b->ctx, frame);
		list = &vm->reserve.dirty;
	}
	push(vm, list, frame);
	if (reserve_count(&vm->reserve) > vm->reserve.need + 2 * BATCH &&
	    MUTANT_OR(RESERVE_LEAST, held(vm) > vm->reserve.least))
		give_back(vm, vm->reserve.dirty.count ? &vm->reserve.dirty : &vm->reserve.clean);
}

void mmu_table_free(struct mmu_vm *vm, hfn_t frame) { put_back(vm, &vm->reserve.dirty, frame); }

void mmu_table_free_clean(struct mmu_vm *vm, hfn_t frame)
{
	ASSERT(all_zero(mmu_table_ptr(vm, frame)));
	put_back(vm, &vm->reserve.clean, frame);
}

void mmu_table_free_low(struct mmu_vm *vm, hfn_t frame)
{
	if (unlikely(vm->below->frame_idle))
		vm->below->frame_idle(vm->below->ctx, frame);
	push(vm, &vm->reserve.low, frame);
}
