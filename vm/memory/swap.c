#include "vm/memory/swap.h"

#include "host/cpu/spinlock.h"
#include "host/device/console.h"
#include "host/device/disk.h"
#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/config/config.h"

#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)
_Static_assert(SWAP_MOST * PAGE_SIZE <= ATA_BUFFER, "a command's pages fit");

static struct {
	struct spinlock lock;  /* WA2 */
	struct spinlock places_lock; /* a leaf: .taken and .next */
	unsigned channel, unit;
	unsigned most;   /* pages that the disk takes in a command */
	uint64_t places;
	uint64_t free;   /* changed by atomic operations */
	uint64_t next;   /* where the search begins */
	uint64_t *taken; /* a bit for each */
	bool failed;
} swap;

static uint64_t bytes_for(uint64_t places)
{
	return align_up((places + 63) / 64 * sizeof(*swap.taken), PAGE_SIZE);
}

void swap_end(void)
{
	BUG_ON(swap.free != swap.places); /* WA3 */
	if (swap.places)
		frames_free(frames_of_ptr(swap.taken), bytes_for(swap.places) >> PAGE_SHIFT);
	swap.places = swap.free = 0;
}

const char *swap_begin(const char *place)
{
	static char text[CONFIG_NAME_MAX + 120];
	const struct ata_disk *disk = NULL;
	uint64_t bytes, places;
	hfn_t f;

	if (config_disk_place(place, &swap.channel, &swap.unit))
		disk = disk_host(swap.channel, swap.unit);
	if (VM_KEPT(SWAP_THERE, !disk || disk->sectors < PAGE_SECTORS)) {
		fmt(text, sizeof(text), "there is no disk %.40s to swap to (ide0.0 to ide1.1 can be)", place);
		return text;
	}
	swap.most = (unsigned)min_u64(SWAP_MOST, ata_most(disk) / PAGE_SECTORS);
	places = disk->sectors / PAGE_SECTORS;
	swap_end();
	bytes = bytes_for(places);
	f = frames_alloc_run(bytes >> PAGE_SHIFT, 1);
	if (hfn_is_none(f))
		return "there is no memory to tell which parts of the swap area are in use";
	swap.taken = frames_ptr(f);
	memset(swap.taken, 0, bytes);
	swap.next = 0;
	swap.failed = false;
	swap.places = swap.free = places;
	return NULL;
}

uint64_t swap_places(void) { return swap.places; }
bool swap_failed(void) { return __atomic_load_n(&swap.failed, __ATOMIC_RELAXED); }
uint64_t swap_room(void) { return swap_failed() ? 0 : __atomic_load_n(&swap.free, __ATOMIC_RELAXED); }
void swap_lock(void) { spin_lock(&swap.lock); }
void swap_unlock(void) { spin_unlock(&swap.lock); }
void *swap_buffer(void) { return disk_host_buffer(swap.channel); }

/* ---- places ---- */

static bool is_taken(uint64_t place) { return swap.taken[place / 64] >> place % 64 & 1; }

/* The first one from the last that was taken on. The places' lock is held; there is one. */
static uint64_t find_free(void)
{
	uint64_t at = swap.next % swap.places, looked = 0;

	while (is_taken(at)) {
		uint64_t step = at % 64 == 0 && swap.taken[at / 64] == UINT64_MAX ? 64 : 1;

		BUG_ON(looked > 2 * swap.places);
		looked += step;
		at = at + step < swap.places ? at + step : 0;
	}
	return at;
}

unsigned swap_take(unsigned n, uint64_t *first)
{
	unsigned got = 0;

	spin_lock(&swap.places_lock);
	if (VM_LEFT_OUT_OR(SWAP_FULL, swap_room())) {
		*first = find_free();
		while (got < min_u64(n, swap.most) && *first + got < swap.places && !is_taken(*first + got)) {
			uint64_t place = *first + got++;

			swap.taken[place / 64] |= BIT(place % 64);
		}
		swap.next = *first + got;
		__atomic_fetch_sub(&swap.free, got, __ATOMIC_RELAXED);
	}
	spin_unlock(&swap.places_lock);
	return got;
}

void swap_release(uint64_t place)
{
	spin_lock(&swap.places_lock);
	BUG_ON(place >= swap.places || !is_taken(place)); /* WA3 */
	swap.taken[place / 64] &= ~BIT(place % 64);
	__atomic_fetch_add(&swap.free, 1, __ATOMIC_RELAXED);
	spin_unlock(&swap.places_lock);
}

/* ---- commands ---- */

static bool command(enum ata_op op, uint64_t first, unsigned n)
{
	return disk_host_now(swap.channel, swap.unit, op, first * PAGE_SECTORS, n * PAGE_SECTORS);
}

bool swap_write(uint64_t first, unsigned n)
{
	if (command(ATA_OP_WRITE, first, n))
		return true;
	if (!swap.failed)
		console_log("the swap area cannot be written any more: its disk has failed");
	VM_MUTANT(SWAP_FAILED, __atomic_store_n(&swap.failed, true, __ATOMIC_RELAXED));
	return false;
}

bool swap_read(uint64_t first, unsigned n) { return command(ATA_OP_READ, first, n); }
