#include "vm/memory/packed.h"

#include "host/cpu/spinlock.h"
#include "host/cpu/unpack.h"
#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/memory/compress.h"
#include "vm/memory/ram.h"
#include "vm/vm.h"

#define CLASSES 7u
#define HEAD 64u                   /* bytes of a frame before its rooms */
#define BYTES_MOST (PAGE_SIZE / 2 - HEAD / 2) /* PK3 */
#define OWNERS BIT(14)             /* virtual machines whose pages can be */

/* Rooms of one class in a frame. */
static const uint8_t rooms[CLASSES] = { 2, 3, 4, 6, 8, 12, 16 };

/* At a frame's beginning. Frames of a class that have a room left are in a list, by their numbers; 0: its end. */
struct head {
	uint64_t before, after;
	uint32_t used; /* rooms, by bits */
	uint32_t class;
};
_Static_assert(sizeof(struct head) <= HEAD, "rooms begin behind it");

/* Of a place. Those that are packed are in a list, the oldest first, by their numbers and 1; 0: its end. */
struct entry {
	uint32_t before, after;
	uint32_t frame; /* 0: it is not packed */
	uint32_t bytes : 11, class : 3, room : 4, vm : 14;
};
_Static_assert(sizeof(struct entry) == 16 && BYTES_MOST < BIT(11) && CLASSES <= BIT(3), "small ones");

static struct {
	struct spinlock lock; /* a leaf but for the frames' */
	struct entry *entry;  /* NULL: nothing is packed */
	uint64_t places, most;
	uint64_t first, last;         /* of the list of entries */
	uint64_t partial[CLASSES];    /* the first of the lists of frames */
	struct packed_account account;
} packed;

static char small[BYTES_MOST]; /* with swap_lock() */
static struct compressor compressor; /* the same */

bool packed_begin(uint64_t places, uint64_t frames)
{
	packed.places = min_u64(places, UINT32_MAX - 1);
	packed.most = frames;
	packed.account = (struct packed_account){ 0 };
	if (!frames)
		return true;
	packed.entry = frames_take(packed.places * sizeof(struct entry));
	return packed.entry;
}

void packed_end(void)
{
	BUG_ON(packed.account.pages || packed.account.frames);
	if (packed.entry)
		frames_give(packed.entry, packed.places * sizeof(struct entry));
	packed.entry = NULL;
}

/* ---- rooms; the lock is held ---- */

static unsigned room_bytes(unsigned class) { return (PAGE_SIZE - HEAD) / rooms[class] & ~7u; }

static struct head *head_of(uint64_t frame) { return frames_ptr(HFN(frame)); }

static char *room_at(const struct entry *e)
{
	return (char *)head_of(e->frame) + HEAD + e->room * room_bytes(e->class);
}

static void list_frame(uint64_t frame)
{
	struct head *h = head_of(frame);

	h->before = 0;
	h->after = packed.partial[h->class];
	if (h->after)
		head_of(h->after)->before = frame;
	packed.partial[h->class] = frame;
}

static void unlist_frame(const struct head *h)
{
	if (h->before)
		head_of(h->before)->after = h->after;
	else
		packed.partial[h->class] = h->after;
	if (h->after)
		head_of(h->after)->before = h->before;
}

static bool is_full(const struct head *h) { return h->used == BIT(rooms[h->class]) - 1; }

/* PK2. */
static bool add_frame(unsigned class)
{
	hfn_t f;

	if (VM_KEPT(PACKED_MOST, packed.account.frames >= packed.most) ||
	    VM_KEPT(PACKED_KEEPS, frames_available() <= RAM_KEPT))
		return false;
	f = frames_alloc();
	if (hfn_is_none(f))
		return false;
	if (f.v > UINT32_MAX) {
		frames_free(f, 1);
		return false;
	}
	*head_of(f.v) = (struct head){ .class = class };
	list_frame(f.v);
	packed.account.frames++;
	return true;
}

static bool take_room(struct entry *e, unsigned bytes)
{
	unsigned class = CLASSES - 1;
	struct head *h;

	while (room_bytes(class) < bytes)
		class--;
	if (!packed.partial[class] && !add_frame(class))
		return false;
	e->frame = (uint32_t)packed.partial[class];
	e->class = class & 7;
	e->bytes = bytes & 0x7ff;
	h = head_of(e->frame);
	e->room = (unsigned)__builtin_ctz(~h->used) & 15;
	h->used |= BIT(e->room);
	if (is_full(h))
		unlist_frame(h);
	return true;
}

static void give_room(struct entry *e)
{
	struct head *h = head_of(e->frame);
	bool was_full = is_full(h);

	h->used &= ~(uint32_t)BIT(e->room);
	if (was_full)
		list_frame(e->frame);
	if (!h->used) {
		unlist_frame(h);
		VM_MUTANT(PACKED_FREES, frames_free(HFN(e->frame), 1));
		packed.account.frames--;
	}
	e->frame = 0;
}

/* ---- the oldest; the lock is held ---- */

static void append(uint64_t place)
{
	struct entry *e = &packed.entry[place];

	e->before = (uint32_t)packed.last;
	e->after = 0;
	if (packed.last)
		packed.entry[packed.last - 1].after = (uint32_t)place + 1;
	else
		packed.first = place + 1;
	packed.last = place + 1;
}

static void take_out(uint64_t place)
{
	const struct entry *e = &packed.entry[place];

	if (e->before)
		packed.entry[e->before - 1].after = e->after;
	else
		packed.first = e->after;
	if (e->after)
		packed.entry[e->after - 1].before = e->before;
	else
		packed.last = e->before;
}

/* ---- from outside ---- */

bool packed_takes(void) { return packed.entry; }

/* Of the VM that a packed place is of; the lock is held. */
static void note_packed(const struct entry *e, int64_t pages)
{
	packed.account.pages += (uint64_t)pages;
	vm_at(e->vm)->packed += (uint64_t)pages;
}

bool packed_put(const struct vm *vm, uint64_t place, const void *page)
{
	struct entry *e;
	bool put = false;
	unsigned bytes;

	if (!packed.entry || place >= packed.places || vm->id >= OWNERS)
		return false;
	bytes = (unsigned)compress(&compressor, small, sizeof(small), page, PAGE_SIZE);
	spin_lock(&packed.lock);
	e = &packed.entry[place];
	if (bytes)
		put = take_room(e, bytes);
	else
		packed.account.refused++;
	if (put) {
		e->vm = vm->id & (OWNERS - 1);
		memcpy(room_at(e), small, bytes);
		append(place);
		note_packed(e, 1);
		packed.account.taken++;
	}
	spin_unlock(&packed.lock);
	return put;
}

/* The lock is held. */
static struct entry *find(uint64_t place)
{
	struct entry *e = packed.entry && place < packed.places ? &packed.entry[place] : NULL;

	return e && e->frame ? e : NULL;
}

bool packed_has(uint64_t place)
{
	bool has;

	if (!packed.entry)
		return false;
	spin_lock(&packed.lock);
	has = find(place);
	spin_unlock(&packed.lock);
	return has;
}

bool packed_get(uint64_t place, void *page)
{
	const struct entry *e;
	bool right = true;

	if (!packed.entry)
		return false;
	spin_lock(&packed.lock);
	e = find(place);
	if (e)
		right = unpack_block(page, PAGE_SIZE, room_at(e), e->bytes);
	spin_unlock(&packed.lock);
	BUG_ON(!right); /* PK1: it is what was put there */
	return e;
}

static void drop(uint64_t place, bool written)
{
	struct entry *e;

	spin_lock(&packed.lock);
	e = find(place);
	if (e) {
		take_out(place);
		give_room(e);
		note_packed(e, -1);
		packed.account.written += written;
	}
	spin_unlock(&packed.lock);
}

void packed_drop(uint64_t place)
{
	if (packed.entry)
		drop(place, false);
}

void packed_written(uint64_t place) { drop(place, true); }

bool packed_is_full(unsigned pages)
{
	uint64_t spare = min_u64(pages / 2, packed.most / 4);

	return packed.entry && packed.account.pages && packed.account.frames + spare > packed.most;
}

unsigned packed_oldest(uint64_t *first, unsigned most)
{
	unsigned n = 0;

	spin_lock(&packed.lock);
	if (packed.first) {
		*first = packed.first - 1;
		while (n < most && find(*first + n))
			n++;
	}
	spin_unlock(&packed.lock);
	return n;
}

struct packed_account packed_account(void)
{
	struct packed_account a;

	spin_lock(&packed.lock);
	a = packed.account;
	spin_unlock(&packed.lock);
	return a;
}
