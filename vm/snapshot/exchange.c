#include "vm/snapshot/exchange.h"
#include "vm/snapshot/firmware.h"

#include "dev/block/block.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/device/disk.h"
#include "vm/vm.h"

static struct {
	struct block_disk disk;
	struct block_request request;
	struct guest_segment segment;
	const char *place; /* NULL: there is none */
	struct vm *vm;     /* EX1; changed by atomic operations */
	bool busy, failed; /* with its device lock held */
} exchange;

bool exchange_is(void) { return exchange.place; }
bool exchange_taken(const struct vm *vm) { return __atomic_load_n(&exchange.vm, __ATOMIC_SEQ_CST) == vm; }

const char *exchange_begin(const char *place)
{
	static char text[120];

	if (!place)
		return NULL;
	if (!disk_of_machine(place, &exchange.disk)) {
		fmt(text, sizeof(text), "there is no disk %.20s for exchange=: " CONFIG_DISK_PLACES " can be", place);
		return text;
	}
	exchange.place = place;
	return NULL;
}

/* ---- what the queue needs of its virtual machine ---- */

static void enter(void *ctx) { spin_lock(&((struct vm *)ctx)->device_lock); }
static void leave(void *ctx) { spin_unlock(&((struct vm *)ctx)->device_lock); }

const char *exchange_take(struct vm *vm)
{
	struct vm *nobody = NULL;
	uint64_t bytes = vm->low_ram + vm->high_ram + save_display_bytes(vm);

	if (VM_KEPT(EXCHANGE_SIZE, bytes / SECTOR_SIZE > exchange.disk.sectors))
		return "the machine's own disk is smaller than its RAM";
	if (!VM_LEFT_OUT_OR(EXCHANGE_ONE, __atomic_compare_exchange_n(&exchange.vm, &nobody, vm, false,
								  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)))
		return "another is just being taken";
	exchange.disk.memory = (struct guest_memory){ save_read, NULL, vm };
	exchange.disk.enter = enter;
	exchange.disk.leave = leave;
	exchange.disk.ctx = vm;
	exchange.busy = exchange.failed = false;
	block_disk_init(&exchange.disk);
	return NULL;
}

/* ---- pages ---- */

/* Of range n, page index: its place in the RAM, or behind it. */
static uint64_t page_of(const struct vm *vm, unsigned n, uint64_t index)
{
	while (n--)
		index += vm->save.range[n].pages;
	return index;
}

static void done(struct block_request *r, enum block_result result);

/* The next run of pages that are to leave, which is submitted. The device lock is held. */
static void send_next(struct vm *vm)
{
	struct vm_save *s = &vm->save;
	unsigned range;
	uint64_t first, pages;

	exchange.busy = save_take_run(s, EXCHANGE_PAGES, &range, &first, &pages);
	if (!exchange.busy)
		return;
	exchange.segment = (struct guest_segment){ (s->range[range].base.v + first) << PAGE_SHIFT,
						   (uint32_t)(pages << PAGE_SHIFT) };
	exchange.request = (struct block_request){
		.op = BLOCK_WRITE, .sector = page_of(vm, range, first) * (PAGE_SIZE / SECTOR_SIZE),
		.count = pages * (PAGE_SIZE / SECTOR_SIZE), .segment = &exchange.segment, .segments = 1, .done = done,
	};
	block_submit(&exchange.disk, &exchange.request);
}

static void done(struct block_request *r, enum block_result result)
{
	(void)r;
	if (VM_KEPT(EXCHANGE_FAILED, result != BLOCK_OK))
		exchange.failed = true;
	send_next(exchange.vm);
}

void exchange_send(struct vm *vm)
{
	spin_lock(&vm->device_lock);
	if (!exchange.busy)
		send_next(vm);
	spin_unlock(&vm->device_lock);
}

bool exchange_sent(struct vm *vm, bool *failed)
{
	bool busy;

	spin_lock(&vm->device_lock);
	busy = exchange.busy;
	*failed = exchange.failed;
	spin_unlock(&vm->device_lock);
	return !busy;
}

void exchange_drop(struct vm *vm)
{
	if (!exchange_taken(vm))
		return;
	VM_MUTANT(EXCHANGE_CANCELLED, block_cancel(&exchange.disk, false));
	VM_MUTANT(EXCHANGE_GIVEN_BACK, __atomic_store_n(&exchange.vm, NULL, __ATOMIC_SEQ_CST));
}
