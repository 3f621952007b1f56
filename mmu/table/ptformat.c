/* mmu/table/ptformat.c - the page-table algorithm. */
#include "mmu/inside.h"
#include "mmu/table/ptformat.h"

static unsigned index_bits(const struct pt_format *f, unsigned level)
{
	return level == f->root_level ? f->root_bits : 9;
}

static uint64_t *entry_of(const struct pt *pt, hfn_t table, uint64_t addr, unsigned level)
{
	uint64_t *entries = mmu_table_ptr(pt->vm, table);

	return &entries[addr >> pt_shift(level) & (BIT(index_bits(pt->format, level)) - 1)];
}

static struct pt_position position(const struct pt *pt, uint64_t *entry, unsigned level)
{
	uint64_t value = pt_get(entry);

	return (struct pt_position){ entry, value, level, pt_is_leaf(pt->format, value, level) };
}

struct pt_position pt_lookup(const struct pt *pt, uint64_t addr, unsigned stop_level)
{
	const struct pt_format *f = pt->format;
	unsigned level = f->root_level;
	struct pt_position at = position(pt, entry_of(pt, pt->root, addr, level), level);

	while (level > stop_level && pt_present(f, at.value) && !at.leaf) {
		level--;
		at = position(pt, entry_of(pt, pt_frame(f, at.value), addr, level), level);
	}
	return at;
}

bool pt_reach(const struct pt *pt, uint64_t addr, unsigned level, struct pt_position *at)
{
	while (at->level > level) {
		hfn_t table = mmu_table_alloc(pt->vm);

		if (hfn_is_none(table))
			return false;
		pt_set(at->entry, hfn_hpa(table).v | pt_table_flags(pt->format, at->level));
		*at = position(pt, entry_of(pt, table, addr, at->level - 1), at->level - 1);
	}
	return true;
}

bool pt_split(const struct pt *pt, uint64_t addr, struct pt_position *at)
{
	const struct pt_format *f = pt->format;
	hfn_t table = mmu_table_alloc(pt->vm);
	unsigned child = at->level - 1;
	uint64_t part = at->value;
	uint64_t *entries;

	if (hfn_is_none(table))
		return false;
	if (child == 1)
		part &= ~f->leaf_only;
	entries = mmu_table_ptr(pt->vm, table);
	for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
		entries[i] = part + i * pt_span(child);
	pt_set(at->entry, hfn_hpa(table).v | pt_table_flags(f, at->level));
	pt->vm->counters.leaves_split++;
	*at = position(pt, entry_of(pt, table, addr, child), child);
	return true;
}

static void visit_table(const struct pt *pt, hfn_t table, unsigned level, uint64_t base, uint64_t first, uint64_t end,
			struct pt_visitor *v)
{
	const struct pt_format *f = pt->format;
	uint64_t *entries = mmu_table_ptr(pt->vm, table);
	uint64_t span = pt_span(level), count = BIT(index_bits(f, level));

	for (uint64_t i = first > base ? (first - base) / span : 0; i < count && base + i * span < end;
	     i++, v->looked_at++) {
		uint64_t addr = base + i * span;
		struct pt_position at = position(pt, &entries[i], level);
		bool inside = addr >= first && addr + span <= end, special = pt_special(f, at.value);

		if (!special && !pt_present(f, at.value))
			continue;
		if (at.leaf || special || inside) {
			bool down = v->visit(v, &at, addr);

			at = position(pt, &entries[i], level);
			if (!down || at.leaf || !pt_present(f, at.value))
				continue;
		}
		visit_table(pt, pt_frame(f, at.value), level - 1, addr, first, end, v);
	}
}

void pt_visit(const struct pt *pt, uint64_t first, uint64_t end, struct pt_visitor *v)
{
	visit_table(pt, pt->root, pt->format->root_level, 0, first, end, v);
}

static uint64_t free_below(const struct pt *pt, hfn_t table, unsigned level)
{
	const struct pt_format *f = pt->format;
	uint64_t *entries = mmu_table_ptr(pt->vm, table), count = level > 1 ? BIT(index_bits(f, level)) : 0,
		 looked_at = count;

	for (uint64_t i = 0; i < count; i++)
		if (pt_present(f, entries[i]) && !pt_is_leaf(f, entries[i], level))
			looked_at += pt_free(pt, pt_frame(f, entries[i]), level - 1);
	return looked_at;
}

uint64_t pt_free(const struct pt *pt, hfn_t table, unsigned level)
{
	uint64_t looked_at = free_below(pt, table, level);

	mmu_table_free(pt->vm, table);
	pt->vm->counters.steps += looked_at + 1;
	return looked_at;
}

void pt_free_below_root(const struct pt *pt) { free_below(pt, pt->root, pt->format->root_level); }
