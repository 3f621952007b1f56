#include "dev/block/snapshot.h"

#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)
#define SLOTS (PAGE_SIZE / sizeof(uintptr_t))
#define SLOT_BITS 9
/* An entry is a page's address, which is aligned; below it are the bits of the sectors that the page has. */
#define WRITTEN 0xffu

_Static_assert(SLOTS == 1 << SLOT_BITS && PAGE_SECTORS == 8, "an entry has a bit for each sector of a page");

static void *page_of(uintptr_t entry) { return (void *)(entry & ~(uintptr_t)(PAGE_SIZE - 1)); }

static uintptr_t *slot_of(uintptr_t table, uint64_t page, unsigned level)
{
	return (uintptr_t *)page_of(table) + (page >> (SLOT_BITS * level) & (SLOTS - 1));
}

/* The entry of a page of data; 0: nothing of it was written. */
static uintptr_t find(const struct snapshot *o, uint64_t page)
{
	uintptr_t entry = o->root;

	for (unsigned level = SNAPSHOT_LEVELS; entry && level-- > 0;)
		entry = *slot_of(entry, page, level);
	return entry;
}

/* The same, with the pages made that are missing; NULL: no memory. */
static uintptr_t *make(struct snapshot *o, uint64_t page)
{
	uintptr_t *entry = &o->root;

	for (unsigned level = SNAPSHOT_LEVELS;; level--) {
		if (!*entry) {
			*entry = (uintptr_t)o->alloc(o->ctx);
			if (!*entry)
				return NULL;
			o->pages += level == 0;
		}
		if (level == 0)
			return entry;
		entry = slot_of(*entry, page, level - 1);
	}
}

bool snapshot_has(const struct snapshot *o, uint64_t sector, unsigned sectors)
{
	for (unsigned i = 0; i < sectors; i++)
		if (!(find(o, (sector + i) / PAGE_SECTORS) & BIT((sector + i) % PAGE_SECTORS)))
			return false;
	return true;
}

void snapshot_read(const struct snapshot *o, uint64_t sector, unsigned sectors, uint8_t *data)
{
	for (unsigned i = 0; i < sectors;) {
		unsigned within = (sector + i) % PAGE_SECTORS;
		unsigned end = (unsigned)min_u64(PAGE_SECTORS, within + (uint64_t)sectors - i);
		uintptr_t entry = find(o, (sector + i) / PAGE_SECTORS);

		for (; within < end; within++, i++)
			if (entry & BIT(within))
				memcpy(data + i * SECTOR_SIZE, (uint8_t *)page_of(entry) + within * SECTOR_SIZE,
				       SECTOR_SIZE);
	}
}

bool snapshot_write(struct snapshot *o, uint64_t sector, unsigned sectors, const uint8_t *data)
{
	for (unsigned i = 0; i < sectors;) {
		unsigned within = (sector + i) % PAGE_SECTORS;
		unsigned n = (unsigned)min_u64(PAGE_SECTORS - within, sectors - i);
		uintptr_t *entry = make(o, (sector + i) / PAGE_SECTORS);

		if (!entry)
			return false;
		memcpy((uint8_t *)page_of(*entry) + within * SECTOR_SIZE, data + i * SECTOR_SIZE, n * SECTOR_SIZE);
		*entry |= MASK(within + n - 1, within) & WRITTEN;
		i += n;
	}
	return true;
}

/* What is below an entry, and its page. */
static void clear_below(struct snapshot *o, uintptr_t entry, unsigned level)
{
	if (level > 0)
		for (unsigned i = 0; i < SLOTS; i++)
			if (((uintptr_t *)page_of(entry))[i])
				clear_below(o, ((uintptr_t *)page_of(entry))[i], level - 1);
	o->free(o->ctx, page_of(entry));
}

void snapshot_clear(struct snapshot *o)
{
	if (o->root)
		clear_below(o, o->root, SNAPSHOT_LEVELS);
	o->root = 0;
	o->pages = 0;
}
