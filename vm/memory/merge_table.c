/* vm/memory/merge_table.c - places of four entries, by the highest bits of the hash. An entry goes when its place is
 * wanted: first one that is empty, then one whose frame is not shared any more, then pages that were seen, in turn. */
#include "vm/memory/merge_table.h"

#include "host/cpu/spinlock.h"
#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/owner.h"

#define WAYS 4u
#define FRAMES_PER_WAY 2u /* of the machine, for each entry */

/* .what: the frame, or the virtual machine's number and the guest frame, behind the kind. */
#define KIND MASK(1, 0)
#define IS_FRAME 1ull
#define IS_SEEN 2ull
#define NUMBER_SHIFT 2
#define VM_SHIFT 44

struct entry {
	uint64_t hash, what;
};

static struct {
	struct spinlock lock; /* a leaf, but for owners' */
	struct entry *entry;
	unsigned users, shift, turn;
	uint64_t pages;
} table;

static unsigned bits_for(uint64_t entries)
{
	unsigned bits = 2;

	while (2ull << bits <= entries)
		bits++;
	return bits;
}

bool merge_table_take(void)
{
	unsigned bits = bits_for(frames_total() / FRAMES_PER_WAY);
	uint64_t pages = pages_for(sizeof(struct entry) << bits);
	hfn_t f;

	spin_lock(&table.lock);
	table.users += !!table.users;
	if (table.users) {
		spin_unlock(&table.lock);
		return true;
	}
	spin_unlock(&table.lock);
	f = frames_alloc_run(pages, 1);
	if (hfn_is_none(f))
		return false;
	memset(frames_ptr(f), 0, pages << PAGE_SHIFT);
	spin_lock(&table.lock);
	if (!table.users++) {
		table.entry = frames_ptr(f);
		table.pages = pages;
		table.shift = 64 - (bits - 2);
		f = HFN_NONE;
	}
	spin_unlock(&table.lock);
	if (!hfn_is_none(f))
		frames_free(f, pages); /* another was faster */
	return true;
}

void merge_table_give(void)
{
	struct entry *last = NULL;
	uint64_t pages;

	spin_lock(&table.lock);
	pages = table.pages;
	if (!--table.users) {
		last = table.entry;
		table.pages = 0;
	}
	spin_unlock(&table.lock);
	if (VM_KEPT(MERGE_TABLE_FREED, last))
		frames_free(frames_of_ptr(last), pages);
}

uint64_t merge_table_bytes(void) { return __atomic_load_n(&table.pages, __ATOMIC_RELAXED) << PAGE_SHIFT; }

/* The lock is held, in these. */

static struct entry *place_of(uint64_t hash)
{
	return &table.entry[(table.shift < 64 ? hash >> table.shift : 0) * WAYS];
}

static struct entry *entry_of(uint64_t hash)
{
	struct entry *e = place_of(hash);

	for (unsigned n = 0; n < WAYS; n++)
		if (e[n].what && e[n].hash == hash)
			return &e[n];
	return NULL;
}

static bool is_stale(const struct entry *e)
{
	return (e->what & KIND) == IS_FRAME && owner_of(HFN(e->what >> NUMBER_SHIFT)).kind != OWNER_SHARED;
}

/* NULL: all are frames that are shared. */
static struct entry *room_for(uint64_t hash)
{
	struct entry *e = place_of(hash);

	for (unsigned n = 0; n < WAYS; n++)
		if (!e[n].what || is_stale(&e[n]))
			return &e[n];
	for (unsigned n = 0; n < WAYS; n++) {
		struct entry *next = &e[table.turn++ % WAYS];

		if ((next->what & KIND) == IS_SEEN)
			return next;
	}
	return NULL;
}

static void put_entry(struct entry *e, uint64_t hash, uint64_t what)
{
	if (e)
		*e = (struct entry){ hash, what };
}

enum merge_found merge_table_find(uint64_t hash, unsigned vm, gfn_t gfn, hfn_t *frame)
{
	uint64_t self = (uint64_t)vm << VM_SHIFT | gfn.v << NUMBER_SHIFT | IS_SEEN;
	enum merge_found found = MERGE_NOTHING;
	struct entry *e;

	spin_lock(&table.lock);
	e = entry_of(hash);
	if (!e) {
		put_entry(room_for(hash), hash, self);
	} else if ((e->what & KIND) == IS_FRAME) {
		*frame = HFN(e->what >> NUMBER_SHIFT);
		found = MERGE_FRAME;
	} else if (e->what != self) {
		found = MERGE_SEEN;
	}
	spin_unlock(&table.lock);
	return found;
}

void merge_table_offer(uint64_t hash, hfn_t frame)
{
	struct entry *e;

	spin_lock(&table.lock);
	e = entry_of(hash);
	put_entry(e ? e : room_for(hash), hash, frame.v << NUMBER_SHIFT | IS_FRAME);
	spin_unlock(&table.lock);
}

void merge_table_forget(uint64_t hash, hfn_t frame)
{
	struct entry *e;

	spin_lock(&table.lock);
	e = entry_of(hash);
	if (e && e->what == (frame.v << NUMBER_SHIFT | IS_FRAME))
		e->what = 0;
	spin_unlock(&table.lock);
}

/* Two words at a time for each of four sums: what is alike is compared whole before anything comes of it. */
#define STEP(sum, i) (sum) = (((sum) + p[i]) ^ p[(i) + 4]) * 0x9e3779b97f4a7c15ull

uint64_t merge_hash(const void *page)
{
	const uint64_t *p = page, *end = p + PAGE_SIZE / sizeof(*p);
	uint64_t a = 0, b = 0, c = 0, d = 0;

	for (; p < end; p += 32) {
		for (unsigned n = 0; n < 32; n += 8) {
			STEP(a, n);
			STEP(b, n + 1);
			STEP(c, n + 2);
			STEP(d, n + 3);
		}
	}
	a = (a ^ a >> 29) + 3 * (b ^ b >> 31) + 5 * (c ^ c >> 33) + 7 * (d ^ d >> 35);
	return (a ^ a >> 32) * 0x9e3779b97f4a7c15ull;
}
