/* lab/machine/memory.c - see lab/machine/memory.h. */
#include "lab/machine/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/mix.h"

#define BLOCK_PAGES 512ull
#define GIGA_PAGES (1ull << 18)

/* Address space that reads as zero until it is written. NULL: there is none (error). */
static void *map_zeroes(uint64_t bytes, struct lab_error *error)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED) {
		lab_fail(error,
			 "cannot reserve %llu GBytes of address space (%s): allow overcommit (vm.overcommit_memory = 0 "
			 "or 1, "
			 "ulimit -v unlimited) or choose a smaller guest.memory",
			 (unsigned long long)(bytes >> 30), strerror(errno));
		return NULL;
	}
	/* One table page here and there must not take 2 MBytes. */
	madvise(at, bytes, MADV_NOHUGEPAGE);
	return at;
}

static void unmap(void *at, uint64_t bytes)
{
	if (at)
		munmap(at, bytes);
}

/* ---- what backs a guest ---- */

static bool scattered(const struct lab_ram *ram, uint64_t block, unsigned salt, uint32_t part, uint64_t *key)
{
	*key = mix(ram->seed ^ mix(block * 2 + salt));
	return *key >> 32 < part || part == UINT32_MAX;
}

/* The frame of a guest frame, relative to base. A block in pieces keeps its frames, each exchanged with its neighbour
 * at an odd distance: no two pieces are in order. */
static uint64_t scattered_frame(const struct lab_ram *ram, uint64_t index)
{
	uint64_t key;

	if (ram->scattered_1g && scattered(ram, index / GIGA_PAGES, 1, ram->scattered_1g, &key))
		index ^= (key % BLOCK_PAGES | 1) * BLOCK_PAGES;
	/* By place in the host, so that the way back decides alike. */
	if (ram->scattered_2m && scattered(ram, index / BLOCK_PAGES, 0, ram->scattered_2m, &key))
		index ^= key % BLOCK_PAGES | 1;
	return index;
}

static uint64_t unscatter(const struct lab_ram *ram, uint64_t index)
{
	uint64_t key;

	if (ram->scattered_2m && scattered(ram, index / BLOCK_PAGES, 0, ram->scattered_2m, &key))
		index ^= key % BLOCK_PAGES | 1;
	if (ram->scattered_1g && scattered(ram, index / GIGA_PAGES, 1, ram->scattered_1g, &key))
		index ^= (key % BLOCK_PAGES | 1) * BLOCK_PAGES;
	return index;
}

static uint8_t order_of(const struct lab_ram *ram, uint64_t index)
{
	uint64_t at = scattered_frame(ram, index), key;

	if (ram->order == 0)
		return 0;
	if (ram->scattered_2m && scattered(ram, at / BLOCK_PAGES, 0, ram->scattered_2m, &key))
		return 0;
	/* The last GByte of memory may be less than one. */
	if (ram->order < 18 || (index / GIGA_PAGES + 1) * GIGA_PAGES > ram->pages)
		return 9;
	if (ram->scattered_1g && scattered(ram, index / GIGA_PAGES, 1, ram->scattered_1g, &key))
		return 9;
	/* A whole GByte is one piece only if none of its blocks is in pieces. */
	for (uint64_t block = index / GIGA_PAGES * 512; ram->scattered_2m && block < index / GIGA_PAGES * 512 + 512;
	     block++)
		if (scattered(ram, block, 0, ram->scattered_2m, &key))
			return 9;
	return 18;
}

/* The mechanism asks for the page: if no one has before, the host had to find it. */
static void give(struct lab_ram *ram, uint64_t index, uint8_t order)
{
	uint64_t first = index >> order << order;

	if (ram->given[first >> 6] & BIT(first & 63))
		return;
	ram->given[first >> 6] |= BIT(first & 63);
	ram->populated[order / 9]++;
}

static bool page(struct backing *backing, uint64_t index, struct backing_page *out)
{
	struct lab_ram *ram = container_of(backing, struct lab_ram, backing);

	*out = (struct backing_page){ .hfn = HFN(ram->base + scattered_frame(ram, index)),
				      .order = order_of(ram, index),
				      .writable = true };
	give(ram, index, out->order);
	return true;
}

static uint32_t part_of_all(double ratio)
{
	return ratio >= 1 ? UINT32_MAX : (uint32_t)(ratio * 4294967296.0);
}

bool lab_ram_init(struct lab_ram *ram, unsigned vm, const struct lab_config *config, struct lab_error *error)
{
	*ram = (struct lab_ram){ .backing = { .page = page }, .pages = config->guest.memory >> PAGE_SHIFT,
				 .base = (uint64_t)(vm + 1) << LAB_VM_HFN_SHIFT, .seed = mix(config->seed + vm),
				 .scattered_2m = part_of_all(config->hv.fragmentation),
				 .scattered_1g = config->hv.pages >= 30 ? part_of_all(config->hv.fragmentation) : 0 };
	ram->order = (uint8_t)(config->hv.pages - PAGE_SHIFT);
	ram->bytes = map_zeroes(config->guest.memory, error);
	ram->stored = ram->bytes ? map_zeroes(ram->pages / 8 + 8, error) : NULL;
	ram->given = ram->stored ? map_zeroes(ram->pages / 8 + 8, error) : NULL;
	return ram->given != NULL;
}

void lab_ram_fini(struct lab_ram *ram)
{
	unmap(ram->bytes, ram->pages << PAGE_SHIFT);
	unmap(ram->stored, ram->pages / 8 + 8);
	unmap(ram->given, ram->pages / 8 + 8);
}

void *lab_ram_ptr(const struct lab_ram *ram, uint64_t hfn)
{
	uint64_t index = unscatter(ram, hfn - ram->base);

	BUG_ON(index >= ram->pages);
	return ram->bytes + (index << PAGE_SHIFT);
}

/* ---- frames for mmu/ ---- */

bool lab_frames_init(struct lab_frames *frames, struct lab_error *error)
{
	*frames = (struct lab_frames){ .bytes = map_zeroes(LAB_TABLE_FRAMES << PAGE_SHIFT, error) };
	/* These are taken one after the other, and many at once. */
	if (frames->bytes)
		madvise(frames->bytes, LAB_TABLE_FRAMES << PAGE_SHIFT, MADV_HUGEPAGE);
	return frames->bytes != NULL;
}

void lab_frames_fini(struct lab_frames *frames)
{
	unmap(frames->bytes, LAB_TABLE_FRAMES << PAGE_SHIFT);
	free(frames->spare);
}

hfn_t lab_frames_alloc(struct lab_frames *frames)
{
	if (frames->spares) {
		uint64_t hfn = frames->spare[--frames->spares];

		memset(lab_frames_ptr(frames, hfn), 0, PAGE_SIZE);
		return HFN(hfn);
	}
	if (frames->next == LAB_TABLE_FRAMES)
		return HFN_NONE;
	return HFN(LAB_TABLE_HFN + frames->next++);
}

void lab_frames_free(struct lab_frames *frames, hfn_t hfn)
{
	if (frames->spares == frames->room) {
		size_t room = frames->room ? 2 * frames->room : 1024;
		uint64_t *spare = realloc(frames->spare, room * sizeof(*spare));

		/* A frame that cannot be noted is not used again; there are more. */
		if (!spare)
			return;
		frames->spare = spare;
		frames->room = room;
	}
	frames->spare[frames->spares++] = hfn.v;
}
