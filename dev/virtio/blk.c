#include "dev/virtio/blk.h"

#include "dev/virtio/chain.h"
#include "lib/mutants/mutate.h"

#define HEADER_BYTES 16u
#define MOST_SECTORS 0x400000u /* of a discard or of zeroes, as the driver is told: 2 GiB */

/* "Device configuration layout". */
#define CONFIG_CAPACITY 0
#define CONFIG_SEG_MAX 12
#define CONFIG_BLK_SIZE 20
#define CONFIG_DISCARD_SECTORS 36
#define CONFIG_DISCARD_SEG 40
#define CONFIG_DISCARD_ALIGNMENT 44
#define CONFIG_ZEROES_SECTORS 48
#define CONFIG_ZEROES_SEG 52
#define CONFIG_ZEROES_MAY_UNMAP 56

/* The header of a request, and what a discard or zeroes are for. */
struct header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};
struct range {
	uint64_t sector;
	uint32_t count;
	uint32_t flags; /* bit 0: may be unmapped */
};
_Static_assert(sizeof(struct header) == HEADER_BYTES && sizeof(struct range) == 16, "Device Operation");

static void take_requests(struct virtio_blk *b);

/* ---- slots ---- */

static struct virtio_blk_slot *take_slot(struct virtio_blk *b)
{
	struct virtio_blk_slot *s = b->free;

	b->free = s->next;
	b->busy++;
	return s;
}

static void give_slot(struct virtio_blk *b, struct virtio_blk_slot *s)
{
	s->next = b->free;
	b->free = s;
	b->busy--;
}

static void all_free(struct virtio_blk *b)
{
	b->free = NULL;
	b->busy = VIRTIO_BLK_SLOTS;
	for (unsigned i = 0; i < VIRTIO_BLK_SLOTS; i++) {
		b->slot[i].blk = b;
		give_slot(b, &b->slot[i]);
	}
}

/* ---- answers ---- */

/* VB2. */
static void answer(struct virtio_blk *b, struct virtio_blk_slot *s, uint8_t status)
{
	if (!guest_memory_write(&b->device.memory, s->status, &status, 1))
		b->queue.broken = true;
	virtq_push(&b->queue, s->chain.head, status == VIRTIO_BLK_S_OK ? s->written : 1);
	VM_MUTANT(BLK_SLOT, give_slot(b, s));
}

static void io_done(struct block_request *r, enum block_result result)
{
	struct virtio_blk_slot *s = container_of(r, struct virtio_blk_slot, io);
	struct virtio_blk *b = s->blk;

	answer(b, s, result == BLOCK_OK ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
	take_requests(b);
	virtio_tell(&b->device, 0);
}

/* ---- requests ---- */

/* The last byte of the writable part is for the status ("Device Operation"), whatever the driver's layout ("Message
 * Framing"). false: there is none. */
static bool take_status(struct virtio_blk_slot *s)
{
	struct virtq_chain *c = &s->chain;

	for (unsigned i = c->readable + c->writable; i-- > c->readable;) {
		if (!c->segment[i].bytes)
			continue;
		c->segment[i].bytes--;
		s->status = c->segment[i].gpa + c->segment[i].bytes;
		return true;
	}
	return false;
}

static void submit(struct virtio_blk *b, struct virtio_blk_slot *s, enum block_op op, uint64_t sector, uint64_t count)
{
	s->io.op = op;
	s->io.sector = sector;
	s->io.count = count;
	/* "Driver Requirements: Device Initialization": who does not know of flushes takes each write for done. */
	s->io.through = !virtio_has(&b->device, VIRTIO_BLK_F_FLUSH);
	s->io.done = io_done;
	block_submit(b->disk, &s->io);
}

static void transfer(struct virtio_blk *b, struct virtio_blk_slot *s, bool in, uint64_t sector)
{
	struct virtq_chain *c = &s->chain;
	uint64_t bytes;

	s->io.segment = c->segment + (in ? c->readable : 0);
	s->io.segments = in ? c->writable : c->readable;
	bytes = in ? virtq_writable(c) : virtq_readable(c);
	/* "Driver Requirements: Device Operation": whole sectors, within the capacity; "Feature bits": not where RO
	 * is. */
	if (bytes % SECTOR_SIZE || bytes >> 32 || !block_in_range(b->disk, sector, bytes / SECTOR_SIZE) ||
	    (!in && b->disk->read_only)) {
		answer(b, s, VIRTIO_BLK_S_IOERR);
		return;
	}
	s->written = in ? (uint32_t)bytes + 1 : 1;
	submit(b, s, in ? BLOCK_READ : BLOCK_WRITE, sector, bytes / SECTOR_SIZE);
}

/* What was discarded may read as anything: it stays as it is. */
static void change_range(struct virtio_blk *b, struct virtio_blk_slot *s, bool zeroes)
{
	struct range range;
	uint64_t bytes = virtq_readable(&s->chain);

	if (bytes != sizeof(range) || !virtq_take(&b->device.memory, &s->chain, &range, sizeof(range)) ||
	    b->disk->read_only || !block_in_range(b->disk, range.sector, range.count))
		answer(b, s, VIRTIO_BLK_S_IOERR);
	/* "Device Operation": of the flags there is the one bit, for zeroes; else the device says that it knows
	 * none. */
	else if (range.flags & ~(zeroes ? 1u : 0u))
		answer(b, s, VIRTIO_BLK_S_UNSUPP);
	else if (zeroes)
		submit(b, s, BLOCK_ZEROES, range.sector, range.count);
	else
		answer(b, s, VIRTIO_BLK_S_OK);
}

/* 20 bytes, fewer if there is less room. */
static void get_id(struct virtio_blk *b, struct virtio_blk_slot *s)
{
	struct virtq_chain *c = &s->chain;
	uint32_t at = 0;

	for (unsigned i = c->readable; at < sizeof(b->id) && i < c->readable + c->writable; i++) {
		uint32_t n = (uint32_t)min_u64(sizeof(b->id) - at, c->segment[i].bytes);

		if (n && !guest_memory_write(&b->device.memory, c->segment[i].gpa, b->id + at, n)) {
			answer(b, s, VIRTIO_BLK_S_IOERR);
			return;
		}
		at += n;
	}
	s->written = at + 1;
	answer(b, s, VIRTIO_BLK_S_OK);
}

static void begin_request(struct virtio_blk *b, struct virtio_blk_slot *s)
{
	struct header header;

	/* There is nothing that could be answered. */
	if (!take_status(s) || !virtq_take(&b->device.memory, &s->chain, &header, sizeof(header))) {
		b->queue.broken = true;
		give_slot(b, s);
		return;
	}
	s->written = 1;
	switch (header.type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		transfer(b, s, header.type == VIRTIO_BLK_T_IN, header.sector);
		break;
	case VIRTIO_BLK_T_FLUSH:
		submit(b, s, BLOCK_FLUSH, 0, 0);
		break;
	case VIRTIO_BLK_T_GET_ID:
		get_id(b, s);
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		change_range(b, s, header.type == VIRTIO_BLK_T_WRITE_ZEROES);
		break;
	default:
		answer(b, s, VIRTIO_BLK_S_UNSUPP);
	}
}

/* As many as there are slots for, once: a guest that goes on adding some has to notify again. While requests are under
 * way no notification is asked for, since the ring is looked at when they are done. */
static void take_requests(struct virtio_blk *b)
{
	for (unsigned n = 0; n < VIRTIO_BLK_QUEUE && b->free; n++) {
		struct virtio_blk_slot *s = take_slot(b);

		if (!virtq_pop(&b->queue, &s->chain)) {
			give_slot(b, s);
			if (b->busy || !virtq_ask_notice(&b->queue))
				return;
		} else {
			begin_request(b, s);
		}
	}
}

static void notify(struct virtio_device *d, unsigned queue)
{
	take_requests(container_of(d, struct virtio_blk, device));
	virtio_tell(d, queue);
}

static void reset(struct virtio_device *d)
{
	struct virtio_blk *b = container_of(d, struct virtio_blk, device);

	block_cancel(b->disk, true);
	all_free(b);
}

/* ---- what the driver is told ---- */

static void put32(uint8_t *p, uint32_t value) { memcpy(p, &value, sizeof(value)); }

static void fill_config(struct virtio_blk *b)
{
	memcpy(b->config + CONFIG_CAPACITY, &b->disk->sectors, sizeof(b->disk->sectors));
	put32(b->config + CONFIG_SEG_MAX, VIRTIO_BLK_SEGMENTS);
	put32(b->config + CONFIG_BLK_SIZE, SECTOR_SIZE);
	put32(b->config + CONFIG_DISCARD_SECTORS, MOST_SECTORS);
	put32(b->config + CONFIG_DISCARD_SEG, 1);
	put32(b->config + CONFIG_DISCARD_ALIGNMENT, 1);
	put32(b->config + CONFIG_ZEROES_SECTORS, MOST_SECTORS);
	put32(b->config + CONFIG_ZEROES_SEG, 1);
	b->config[CONFIG_ZEROES_MAY_UNMAP] = 0;
}

static uint64_t offered(const struct block_disk *disk)
{
	uint64_t changes = BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);

	return BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |
	       BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) |
	       BIT(VIRTIO_F_VERSION_1) | (disk->read_only ? BIT(VIRTIO_BLK_F_RO) : changes);
}

void virtio_blk_init(struct virtio_blk *b, struct block_disk *disk, const char *id)
{
	static const struct virtio_ops ops = { notify, reset, NULL };
	size_t n = min_u64(strlen(id), sizeof(b->id));

	b->disk = disk;
	memset(b->id, 0, sizeof(b->id));
	memcpy(b->id, id, n);
	fill_config(b);
	b->device = (struct virtio_device){
		.type = VIRTIO_BLK_TYPE,
		.offered = offered(disk),
		.queue = &b->queue,
		.queues = 1,
		.queue_size = VIRTIO_BLK_QUEUE,
		.config = b->config,
		.config_bytes = sizeof(b->config),
		.ops = &ops,
		.memory = disk->memory,
		.interrupt = b->device.interrupt,
		.ctx = b->device.ctx,
	};
	virtio_init(&b->device);
	all_free(b);
}
