/* mmu/ept/log.c - the flags that the CPU sets in leaves (SDM, "Accessed and Dirty Flags for EPT"; NPT has those of the
 * CPU's own paging): the dirty log by dirty flags, and large leaves when it is over; which pages were used, by accessed
 * flags (S23).
 *
 * E8  While a slot is logged by flags no large leaf of it is writable (LG1). The first write to one splits it, into
 *     parts that are all writable and clean where the backing lets them be.
 * E9  A leaf is taken away by one exchange, so that a flag that a CPU sets at that moment is in what is taken; a table
 *     that goes is looked through behind the flush, when no CPU sets any (LG2, S23). */
#include "mmu/ept/ept.h"
#include "mmu/log.h"

/* The pages whose leaves are looked at, and what is done to them. */
struct taking {
	struct mmu_vm *vm;
	gfn_t first;
	const uint64_t *which;
	uint64_t *dirty;
	bool protect, lost;
};

/* Of a word of pages, of which those of which are looked at, the leaves: from entry, the first's, on. Returns those
 * that have had the flag, or the right, that is taken. */
static inline uint64_t take_word(uint64_t *entry, uint64_t which, uint64_t flag)
{
	uint64_t taken = 0;

	for (; which; which &= which - 1) {
		uint64_t *at = &entry[__builtin_ctzll(which)], value = pt_get(at);

		if (!(value & flag) || !pt_present(&ept_format, value))
			continue;
		pt_clear_bits(at, flag);
		taken |= which & -which;
	}
	return taken;
}

static void note(struct taking *t, uint64_t n, uint64_t taken)
{
	uint64_t new;

	t->lost |= taken != 0;
	if (!t->dirty || !taken)
		return;
	new = taken & ~t->dirty[n / 64];
	t->dirty[n / 64] |= new;
	for (; new; new &= new - 1)
		t->vm->counters.log_dirtied++;
}

/* Pages n to end of one table, whose entry for page n is that. */
static void take_table(struct taking *t, uint64_t *entry, uint64_t n, uint64_t end)
{
	uint64_t *zero = entry - n % 64; /* where that of the first page of n's word would be */

	t->vm->counters.log_looked_at += end - n;
	for (uint64_t from = n; from < end; from = (from | 63) + 1, zero += 64) {
		uint64_t which = (t->which ? t->which[from / 64] : ~0ull) & ~0ull << from % 64;

		if (end - (from & ~63ull) < 64)
			which &= BIT(end % 64) - 1;
		note(t, from, take_word(zero, which, t->protect ? EPT_W : EPT_D));
	}
}

static bool wanted(const struct taking *t, uint64_t n, uint64_t end)
{
	while (t->which && n < end && !(t->which[n / 64] >> n % 64))
		n = (n | 63) + 1;
	return n < end;
}

/* The pages from n on that one table, or one entry of a higher one, has. Returns the first behind them. */
static uint64_t take_run(struct taking *t, uint64_t n, uint64_t pages)
{
	const struct ept_vm *e = t->vm->priv;
	uint64_t gfn = t->first.v + n, end = min_u64(pages, n + PAGE_TABLE_ENTRIES - gfn % PAGE_TABLE_ENTRIES);
	struct pt_position at;

	if (!wanted(t, n, end))
		return end;
	at = pt_lookup(&e->pt, gfn << PAGE_SHIFT, 1);
	if (at.level == 1) {
		take_table(t, at.entry, n, end);
		return end;
	}
	if (at.leaf && (at.value & EPT_W)) {
		MUTANT(LOG_CLEAR_LARGE, pt_clear_bits(at.entry, EPT_W | EPT_D));
		t->lost = true;
	}
	if (t->which)
		return end;
	return min_u64(pages, (gfn | ((pt_span(at.level) >> PAGE_SHIFT) - 1)) + 1 - t->first.v);
}

void ept_log_take(struct mmu_vm *vm, gfn_t first, uint64_t pages, const uint64_t *which, uint64_t *dirty, bool protect)
{
	struct taking t = { vm, first, which, dirty, protect, false };
	const struct ept_vm *e = vm->priv;
	uint64_t limit = pt_limit(e->pt.format) >> PAGE_SHIFT;

	if (first.v >= limit)
		return;
	pages = min_u64(pages, limit - first.v);
	for (uint64_t n = 0; n < pages;)
		n = take_run(&t, n, pages);
	if (t.lost)
		MUTANT(LOG_CLEAR_FLUSH, tag_request_ept(vm));
}

/* ---- what goes (E9) ---- */

static void mark(struct mmu_vm *vm, uint64_t value, uint64_t addr)
{
	struct slot *slot = value & EPT_D ? slots_find(&vm->slots, GFN(addr >> PAGE_SHIFT)) : NULL;

	if (slot)
		mmu_mark_dirty(vm, slot, GFN(addr >> PAGE_SHIFT));
}

void ept_log_leaf_gone(struct mmu_vm *vm, uint64_t value, unsigned level, uint64_t addr)
{
	const struct ept_vm *e = vm->priv;

	if (unlikely(log_loses(vm)) && level == 1)
		MUTANT(LOG_UNMAP_TAKE, mark(vm, value, addr));
	if (unlikely(vm->ages) && (value & e->pt.format->accessed))
		MUTANT(AGE_LEAF_TELLS, mmu_tell_used(vm, GFN(addr >> PAGE_SHIFT), pt_span(level) >> PAGE_SHIFT));
}

static void leaf_of_table_gone(const struct pt *pt, uint64_t value, unsigned level, uint64_t addr)
{
	if (log_loses(pt->vm) && level == 1)
		MUTANT(LOG_TABLE_TAKE, mark(pt->vm, value, addr));
	if (pt->vm->ages && (value & pt->format->accessed))
		MUTANT(AGE_TABLE_TELLS, mmu_tell_used(pt->vm, GFN(addr >> PAGE_SHIFT), pt_span(level) >> PAGE_SHIFT));
}

static void look_through(const struct pt *pt, hfn_t table, unsigned level, uint64_t addr)
{
	const uint64_t *entries = mmu_table_ptr(pt->vm, table);

	for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++, addr += pt_span(level)) {
		if (!pt_present(pt->format, entries[i]))
			continue;
		if (pt_is_leaf(pt->format, entries[i], level))
			leaf_of_table_gone(pt, entries[i], level, addr);
		else
			look_through(pt, pt_frame(pt->format, entries[i]), level - 1, addr);
	}
}

void ept_log_tables_gone(struct mmu_vm *vm)
{
	const struct ept_vm *e = vm->priv;

	for (unsigned n = 0; (log_loses(vm) || vm->ages) && n < e->detached.count; n++)
		look_through(&e->pt, e->detached.tree[n].table, e->detached.tree[n].level, e->detached.tree[n].addr);
}

/* ---- accessed flags (S23) ---- */

struct ageing {
	struct mmu_vm *vm;
	gfn_t first;
	uint64_t *used;
	bool clear, lost;
};

static void set_used(uint64_t *used, uint64_t n, uint64_t end)
{
	for (; n < end; n = (n | 63) + 1)
		used[n / 64] |= MASK(min_u64(end - 1, n | 63) % 64, n % 64);
}

/* The leaf of the pages n to end, or of more. */
static void age_leaf(struct ageing *a, const struct pt_position *at, uint64_t n, uint64_t end)
{
	uint64_t flag = ((const struct ept_vm *)a->vm->priv)->pt.format->accessed;
	uint64_t span = pt_span(at->level) >> PAGE_SHIFT;

	if (!(at->value & flag))
		return;
	set_used(a->used, n, end);
	if (!a->clear)
		return;
	MUTANT(AGE_CLEAR, pt_clear_bits(at->entry, flag));
	a->lost = true;
	if (end - n < span)
		MUTANT(AGE_PART_TELLS, mmu_tell_used(a->vm, GFN(align_down(a->first.v + n, span)), span));
}

/* The pages from n on that one table, or one entry of a higher one, has. Returns the first behind them. */
static uint64_t age_run(struct ageing *a, uint64_t n, uint64_t pages)
{
	const struct ept_vm *e = a->vm->priv;
	uint64_t gfn = a->first.v + n, end;
	struct pt_position at = pt_lookup(&e->pt, gfn << PAGE_SHIFT, 1);

	if (at.level > 1) {
		end = min_u64(pages, (gfn | ((pt_span(at.level) >> PAGE_SHIFT) - 1)) + 1 - a->first.v);
		if (at.leaf)
			age_leaf(a, &at, n, end);
		return end;
	}
	end = min_u64(pages, n + PAGE_TABLE_ENTRIES - gfn % PAGE_TABLE_ENTRIES);
	for (; n < end; n++, at.entry++) {
		at.value = pt_get(at.entry);
		if (pt_present(e->pt.format, at.value))
			age_leaf(a, &at, n, n + 1);
	}
	return end;
}

bool ept_age(struct mmu_vm *vm, gfn_t first, uint64_t pages, uint64_t *used, bool clear)
{
	struct ageing a = { vm, first, used, clear, false };
	const struct ept_vm *e = vm->priv;
	uint64_t limit = pt_limit(e->pt.format) >> PAGE_SHIFT;

	pages = first.v < limit ? min_u64(pages, limit - first.v) : 0;
	for (uint64_t n = 0; n < pages;)
		n = age_run(&a, n, pages);
	/* Who has the old flag in a TLB would not set it anew. */
	if (a.lost)
		MUTANT(AGE_FLUSH, tag_request_ept(vm));
	return true;
}

/* ---- large leaves ---- */

uint64_t ept_log_split(struct mmu_vm *vm, gpa_t gpa, const struct pt_position *at)
{
	struct mmu_page page;

	if (at->level != 2 || !log_by_flags(vm))
		return at->value;
	page = mmu_peek_leaf(vm, gpa_gfn(gpa));
	if (page.kind != MMU_MEMORY || !page.slot->dirty || !page.owned || page.block < at->level * 9 - 9)
		return at->value;
	vm->counters.log_faults++;
	return at->value | EPT_W;
}

/* A table of leaves for which there could be a larger one. */
static bool could_be_larger(struct mmu_vm *vm, gpa_t gpa, const struct pt_position *at)
{
	struct mmu_page page;

	if (at->leaf || !pt_present(&ept_format, at->value))
		return false;
	page = mmu_peek_leaf(vm, gpa_gfn(gpa));
	return page.kind == MMU_MEMORY && ept_leaf_level(vm, gpa, &page) >= at->level;
}

/* The first block that begins within [first, end) at gfn or behind it, whose table could be a leaf, is unlinked. */
static uint64_t join_block(struct mmu_vm *vm, uint64_t gfn, uint64_t end)
{
	struct ept_vm *e = vm->priv;

	for (unsigned level = 3; level > 1; level--) {
		uint64_t pages = pt_span(level) >> PAGE_SHIFT;
		gpa_t gpa = GPA(gfn << PAGE_SHIFT);
		struct pt_position at = pt_lookup(&e->pt, gpa.v, level);

		if (gfn & (pages - 1) || pages > end - gfn)
			continue;
		if (at.level > level)
			return gfn + pages;
		if (!could_be_larger(vm, gpa, &at))
			continue;
		if (detached_full(&e->detached))
			ept_flush_and_free(vm);
		pt_set(at.entry, 0);
		detached_add(&e->detached, &ept_format, &at);
		e->detached.tree[e->detached.count - 1].addr = gpa.v;
		return gfn + pages;
	}
	return (gfn | (PAGE_TABLE_ENTRIES - 1)) + 1;
}

void ept_join(struct mmu_vm *vm, gfn_t first, uint64_t pages)
{
	struct ept_vm *e = vm->priv;
	uint64_t end = min_u64(first.v + pages, pt_limit(e->pt.format) >> PAGE_SHIFT);

	for (uint64_t gfn = first.v; gfn < end;)
		gfn = join_block(vm, gfn, end);
	if (e->detached.count)
		ept_flush_and_free(vm);
}
