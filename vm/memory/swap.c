#include "vm/memory/swap.h"

#include "host/cpu/spinlock.h"
#include "host/device/console.h"
#include "host/device/disk.h"
#include "host/device/lapic.h"
#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/config/config.h"
#include "vm/memory/packed.h"
#include "vm/sched/schedule.h"
#include "vm/vm.h"

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
	void (*done)(bool good); /* of the command that is under way; NULL: none is */
	bool writes;             /* it does */
	uint64_t begun;          /* commands */
	enum told { TOLD_NOTHING, TOLD_GOOD, TOLD_BAD } told; /* by disk_event(), of that command */
	bool awaited;            /* somebody has asked for its number; changed by atomic operations */
} swap;

static uint64_t bytes_for(uint64_t places)
{
	return align_up((places + 63) / 64 * sizeof(*swap.taken), PAGE_SIZE);
}

void swap_end(void)
{
	BUG_ON(swap.free != swap.places); /* WA3 */
	packed_end();
	if (swap.places)
		frames_free(frames_of_ptr(swap.taken), bytes_for(swap.places) >> PAGE_SHIFT);
	swap.places = swap.free = 0;
	swap.begun = machine.swaps_over = 0;
}

const char *swap_begin(const char *place, uint64_t packed_frames)
{
	static char text[CONFIG_NAME_MAX + 120];
	const struct ata_disk *disk = NULL;
	uint64_t bytes, places;
	hfn_t f;

	if (config_disk_place(place, &swap.channel, &swap.unit))
		disk = disk_host(swap.channel, swap.unit);
	if (VM_KEPT(SWAP_THERE, !disk || disk->sectors < PAGE_SECTORS)) {
		fmt(text, sizeof(text), "there is no disk %.40s to swap to (" CONFIG_DISK_PLACES " can be)", place);
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
	if (!packed_begin(places, packed_frames))
		return "there is no memory to tell which parts of the swap area are compressed";
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
	VM_MUTANT(PACKED_DROPS, packed_drop(place)); /* PK1 */
	spin_lock(&swap.places_lock);
	BUG_ON(place >= swap.places || !is_taken(place)); /* WA3 */
	swap.taken[place / 64] &= ~BIT(place % 64);
	__atomic_fetch_add(&swap.free, 1, __ATOMIC_RELAXED);
	spin_unlock(&swap.places_lock);
}

/* ---- commands (WA4) ---- */

bool swap_is_busy(void)
{
	return __atomic_load_n(&swap.begun, __ATOMIC_SEQ_CST) != __atomic_load_n(&machine.swaps_over, __ATOMIC_SEQ_CST);
}

uint64_t swap_await(void)
{
	__atomic_store_n(&swap.awaited, true, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&swap.begun, __ATOMIC_SEQ_CST);
}

bool swap_has_channel(unsigned channel) { return swap.places && channel == swap.channel; }

/* Their CPUs may have gone to sleep. */
static void wake_others(void)
{
	if (!__atomic_exchange_n(&swap.awaited, false, __ATOMIC_SEQ_CST))
		return;
	for (unsigned n = 0; n < cpus_count(); n++)
		if (percpu_of(n) != this_cpu())
			VM_MUTANT(SWAP_WAKES, lapic_host_kick(percpu_of(n)->apic_id));
}

/* The lock is held; in all of these. */
static void over(bool good)
{
	void (*done)(bool good) = swap.done;
	uint64_t number = swap.begun;

	if (swap.writes && !good) {
		if (!swap.failed)
			console_log("the swap area cannot be written any more: its disk has failed");
		VM_MUTANT(SWAP_FAILED, __atomic_store_n(&swap.failed, true, __ATOMIC_RELAXED));
	}
	swap.done = NULL;
	__atomic_store_n(&swap.told, TOLD_NOTHING, __ATOMIC_RELAXED);
	done(good);
	VM_MUTANT(SWAP_OVER, __atomic_store_n(&machine.swaps_over, number, __ATOMIC_SEQ_CST));
	wake_others();
}

static void begin_transfer(enum ata_op op, uint64_t first, unsigned n, void (*done)(bool good))
{
	BUG_ON(swap.done); /* WA4 */
	swap.done = done;
	swap.writes = op == ATA_OP_WRITE;
	__atomic_store_n(&swap.begun, swap.begun + 1, __ATOMIC_SEQ_CST);
	if (disk_host_begin(swap.channel, swap.unit, op, first * PAGE_SECTORS, n * PAGE_SECTORS))
		schedule_disk_begun();
	else
		over(false);
}

void swap_write(uint64_t first, unsigned n, void (*done)(bool good)) { begin_transfer(ATA_OP_WRITE, first, n, done); }
void swap_read(uint64_t first, unsigned n, void (*done)(bool good)) { begin_transfer(ATA_OP_READ, first, n, done); }

/* ---- what is packed, and has to leave (PK4) ---- */

static struct {
	uint64_t first;
	unsigned n;
} leaving;

/* What has been given back meanwhile is packed no more; nothing else has come to these places (WA4). */
static void has_left(bool good)
{
	for (unsigned i = 0; VM_LEFT_OUT_OR(PACKED_STAYS, good) && i < leaving.n; i++)
		packed_written(leaving.first + i);
}

static void begin_to_leave(void)
{
	leaving.n = packed_oldest(&leaving.first, swap.most);
	for (unsigned i = 0; i < leaving.n; i++)
		packed_get(leaving.first + i, (char *)swap_buffer() + i * PAGE_SIZE);
	if (leaving.n)
		swap_write(leaving.first, leaving.n, has_left);
}

void swap_make_room(unsigned pages)
{
	swap_lock();
	/* What is under way may be just that, and its end looks at .leaving. */
	if (VM_LEFT_OUT_OR(PACKED_ONE_WRITE, !swap.done) && !swap_failed() && packed_is_full(pages))
		begin_to_leave();
	swap_unlock();
}

static enum told told(void) { return __atomic_load_n(&swap.told, __ATOMIC_ACQUIRE); }

void swap_finish(void)
{
	while (swap.done) {
		enum ata_result result = disk_host_poll(swap.channel);

		if (result != ATA_BUSY)
			over(result == ATA_DONE);
		else if (told() != TOLD_NOTHING)
			over(told() == TOLD_GOOD);
		else
			cpu_relax();
	}
}

/* Who holds the lock may have waited for just that, and has noticed by .told. */
void swap_event(bool good)
{
	__atomic_store_n(&swap.told, good ? TOLD_GOOD : TOLD_BAD, __ATOMIC_RELEASE);
	swap_lock();
	if (swap.done && told() != TOLD_NOTHING)
		over(told() == TOLD_GOOD);
	swap_unlock();
}
