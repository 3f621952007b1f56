/* vm/device/trace_disk.c - the records of exits on a disk of the machine's (vm/account/trace.h): chunk behind chunk,
 * whosever they are. What is behind the last is not touched. */
#include "vm/account/trace.h"

#include "host/device/lapic.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/device/disk.h"
#include "vm/device/own_memory.h"
#include "vm/vm.h"

#define CHUNK_SECTORS (TRACE_CHUNK / SECTOR_SIZE)

static struct {
	struct spinlock lock; /* a leaf, but for that of the disk's queue */
	struct block_disk disk;
	uint64_t next; /* sector */
} sink;

static void enter(void *ctx) { (void)ctx; spin_lock(&sink.lock); }
static void leave(void *ctx) { (void)ctx; spin_unlock(&sink.lock); }

static void done(struct block_request *r, enum block_result result)
{
	struct trace_chunk *c = container_of(r, struct trace_chunk, request);
	struct vcpu *v = c->v;
	const struct trace_head *head = (const struct trace_head *)c->record;

	if (VM_KEPT(TRACE_FAILS, result != BLOCK_OK))
		__atomic_fetch_add(&v->traced.by->lost, head->records, __ATOMIC_RELAXED);
	__atomic_store_n(&c->busy, false, __ATOMIC_RELEASE);
	/* Who waits to tell its account may be asleep. */
	if (v->vm->ended && v->cpu != this_cpu())
		lapic_host_kick(v->cpu->apic_id);
}

const char *trace_disk_begin(const char *name)
{
	static char text[CONFIG_NAME_MAX + 80];

	if (!disk_of_machine(name, &sink.disk)) {
		fmt(text, sizeof(text), "there is no disk %.40s for the trace (" CONFIG_DISK_PLACES " can be)", name);
		return text;
	}
	sink.disk.memory = own_memory;
	sink.disk.enter = enter;
	sink.disk.leave = leave;
	block_disk_init(&sink.disk);
	sink.next = 0;
	return NULL;
}

bool trace_disk_write(struct trace_chunk *c, unsigned records)
{
	struct trace_head *head = (struct trace_head *)c->record;
	bool room;

	spin_lock(&sink.lock);
	room = VM_LEFT_OUT_OR(TRACE_ROOM, block_in_range(&sink.disk, sink.next, CHUNK_SECTORS));
	if (room) {
		head->records = (uint16_t)records;
		c->segment = (struct guest_segment){ (uint64_t)c->record, TRACE_CHUNK };
		c->request = (struct block_request){ .op = BLOCK_WRITE, .sector = sink.next, .count = CHUNK_SECTORS,
						     .segment = &c->segment, .segments = 1, .done = done };
		__atomic_store_n(&c->busy, true, __ATOMIC_RELEASE);
		sink.next += CHUNK_SECTORS;
		block_submit(&sink.disk, &c->request);
	}
	spin_unlock(&sink.lock);
	return room;
}
