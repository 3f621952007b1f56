/* vm/device/disk.c - virtual disks on the machine's: one queue for each channel of its controller, where the disks of
 * all virtual machines wait (dev/block/block.h).
 *
 * VD1  A disk of the machine's that somebody may write is one virtual machine's alone.
 * VD2  What is written to snapshots leaves an eighth of the machine's memory free.
 * VD3  While one waits for a virtual machine's device lock to answer a request, it holds no other. */
#include "vm/device/disk.h"
#include "vm/device/ide.h"
#include "vm/device/flash.h"

#include "host/device/disk.h"
#include "host/memory/frames.h"
#include "host/device/lapic.h"
#include "host/device/console.h"
#include "lib/fmt.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/swap.h"
#include "vm/vm.h"
#include "lib/mutants/mutate.h"

#define FIRST_SLOT 3 /* on the bus; what is before is the chipset's */

static struct medium {
	struct spinlock lock;
	unsigned channel;
	struct block_queue queue;
} media[DISK_CHANNELS];

/* ---- the medium below a queue ---- */

static void medium_lock(void *ctx) { spin_lock(&((struct medium *)ctx)->lock); }
static void medium_unlock(void *ctx) { spin_unlock(&((struct medium *)ctx)->lock); }

static bool medium_start(void *ctx, unsigned unit, enum block_op op, uint64_t sector, unsigned sectors)
{
	_Static_assert(CONFIG_IDE_CHANNELS == DISK_IDE && CONFIG_SATA_PORTS == AHCI_PORTS, "config_disk_place()");
	static const enum ata_op ops[] = {
		[BLOCK_READ] = ATA_OP_READ, [BLOCK_WRITE] = ATA_OP_WRITE,
		[BLOCK_ZEROES] = ATA_OP_WRITE, [BLOCK_FLUSH] = ATA_OP_FLUSH,
	};
	const struct medium *m = ctx;
	bool begun = disk_host_start(m->channel, unit, ops[op], sector, sectors);

	if (begun)
		schedule_disk_begun();
	return begun;
}

static void medium_later(void *ctx) { disk_host_later(((struct medium *)ctx)->channel); }

static void medium_event(unsigned channel, bool good)
{
	if (!swap_has_channel(channel)) {
		block_event(&media[channel].queue, good);
		return;
	}
	swap_event(good);
	reclaim_go_on();
}

static void medium_go_on(unsigned channel) { block_go_on(&media[channel].queue); }

static void make_queues(void)
{
	for (unsigned n = 0; n < DISK_CHANNELS; n++) {
		struct block_medium medium = { medium_lock, medium_unlock, cpu_relax, medium_start, medium_later,
					       &media[n] };

		media[n].channel = n;
		block_queue_init(&media[n].queue, &medium, disk_host_buffer(n), ATA_BUFFER / SECTOR_SIZE);
	}
	disk_event = medium_event;
	disk_later = medium_go_on;
}

/* ---- snapshots ---- */

static void *snapshot_page(void *ctx)
{
	hfn_t f;

	(void)ctx;
	if (VM_KEPT(SNAPSHOT_LEAVES, frames_available() < frames_total() / 8)) /* VD2 */
		return NULL;
	f = frames_alloc();
	return hfn_is_none(f) ? NULL : frames_ptr(f);
}

static void snapshot_free(void *ctx, void *page)
{
	(void)ctx;
	frames_free(frames_of_ptr(page), 1);
}

/* A virtual machine that begins again finds what it has written. */
static struct snapshot *snapshot_of(struct vm *vm, unsigned n)
{
	struct vm_place *place = &machine.place[vm->id];
	hfn_t f;

	if (!place->snapshots) {
		f = frames_alloc();
		if (hfn_is_none(f))
			return NULL;
		place->snapshots = frames_ptr(f);
		for (unsigned i = 0; i < CONFIG_DISKS_MAX; i++)
			place->snapshots[i] = (struct snapshot){ .alloc = snapshot_page, .free = snapshot_free };
	}
	return &place->snapshots[n];
}

void disks_end(void)
{
	vm_flash_end();
	for (unsigned id = 0; id < machine.vm_count; id++) {
		struct snapshot *o = machine.place[id].snapshots;

		for (unsigned i = 0; o && i < CONFIG_DISKS_MAX; i++)
			VM_MUTANT(SNAPSHOT_FREED, snapshot_clear(&o[i]));
		if (o)
			frames_free(frames_of_ptr(o), 1);
		machine.place[id].snapshots = NULL;
	}
}

/* ---- what a disk gets from its virtual machine ---- */

static void enter(void *ctx) { spin_lock(&((struct vm_disk *)ctx)->vm->device_lock); }
static void leave(void *ctx) { spin_unlock(&((struct vm_disk *)ctx)->vm->device_lock); }

static void failed(void *ctx, const struct block_request *r)
{
	struct vm_disk *d = ctx;

	if (d->said)
		return;
	d->said = true;
	if (d->config->snapshot && r->op != BLOCK_READ)
		console_log("%s: there is no memory for what it writes to disk %s; its writes fail",
			    d->vm->config->name, d->config->name);
	else
		console_log("%s: disk %s has failed at sector %lu; this and what else fails, the guest is told",
			    d->vm->config->name, d->config->name, r->sector + r->at);
}

/* ---- making them ---- */

static bool refuse(struct vm *vm, const char *name, const char *why)
{
	vm_end(vm, VM_STATUS_BAD_IMAGE, "cannot give it disk %s: %s", name, why);
	return false;
}

bool disk_of_machine(const char *place, struct block_disk *disk)
{
	const struct ata_disk *ata;
	unsigned channel, unit;

	if (!config_disk_place(place, &channel, &unit) || !(ata = disk_host(channel, unit)))
		return false;
	*disk = (struct block_disk){ .queue = &media[channel].queue, .unit = unit, .sectors = ata->sectors,
				     .most = ata_most(ata) };
	return true;
}

unsigned disk_slot(unsigned n) { return FIRST_SLOT + n; }

static bool make_virtio(struct vm *vm, struct vm_disk *d, unsigned n)
{
	virtio_blk_init(&d->blk, &d->block, d->config->name);
	virtio_pci_init(&d->pci, &d->blk.device, PCI_CLASS(PCI_CLASS_STORAGE, 0), platform_message, vm);
	return pci_add(&vm->pci, &d->pci.pci, PCI_DEVFN(disk_slot(n), 0));
}

static bool make_disk(struct vm *vm, unsigned n)
{
	struct vm_disk *d = &vm->disks[n];
	const struct config_disk *config = &vm->config->disk[n];
	const struct ata_disk *ata = NULL;
	unsigned channel = 0, unit = 0;

	if (config->flash)
		return true; /* vm/device/flash.c */
	if (VM_LEFT_OUT_OR(DISK_PLACE, config_disk_place(config->name, &channel, &unit)))
		ata = disk_host(channel, unit);
	if (VM_KEPT(DISK_THERE, !ata))
		return refuse(vm, config->name, "the machine has none there (" CONFIG_DISK_PLACES " can be)");
	d->vm = vm;
	d->config = config;
	d->block = (struct block_disk){
		.queue = &media[channel].queue, .unit = unit, .sectors = ata->sectors, .most = ata_most(ata),
		.read_only = config->read_only, .memory = vm->memory,
		.enter = enter, .leave = leave, .failed = failed, .ctx = d,
	};
	if (config->snapshot && !(d->block.snapshot = snapshot_of(vm, n)))
		return refuse(vm, config->name, "there is no memory for its snapshot");
	block_disk_init(&d->block);
	return (config->ide ? vm_ide_attach(vm, n, &d->block) : make_virtio(vm, d, n)) ||
	       refuse(vm, config->name, "there are too many devices");
}

bool disks_add(struct vm *vm)
{
	if (!vm->config->disks)
		return true;
	vm->disks = frames_take(vm->config->disks * sizeof(struct vm_disk));
	if (!vm->disks)
		return refuse(vm, vm->config->disk[0].name, "there is no memory for it");
	if (!vm_ide_add(vm))
		return refuse(vm, vm->config->disk[0].name, "there is no memory for its controller");
	for (unsigned n = 0; n < vm->config->disks; n++)
		if (!make_disk(vm, n))
			return false;
	return true;
}

void disks_release(struct vm *vm)
{
	if (!vm->disks)
		return;
	for (unsigned n = 0; n < vm->config->disks; n++)
		if (vm->disks[n].block.queue)
			VM_MUTANT(DISK_CANCELLED, block_cancel(&vm->disks[n].block, false));
	vm_ide_release(vm);
	VM_MUTANT(DISK_FREED, frames_give(vm->disks, vm->config->disks * sizeof(struct vm_disk)));
	vm->disks = NULL;
}

/* ---- for all descriptions ---- */

static bool may_write(const struct config_disk *d) { return !d->read_only && !d->snapshot; }

/* VD1. The disk of this name that is described before; NULL: none that matters. */
static const struct config_disk *rival(const struct config_disk *of)
{
	for (unsigned id = 0; id < machine.vm_count; id++) {
		const struct vm_config *c = machine.place[id].config;

		for (unsigned n = 0; n < c->disks; n++) {
			if (&c->disk[n] == of)
				return NULL;
			if (strcmp(c->disk[n].name, of->name) == 0 && (may_write(of) || may_write(&c->disk[n])))
				return &c->disk[n];
		}
	}
	return NULL;
}

/* Is the disk that traces are written to a guest's? */
static bool is_disk_of_guest(const char *place)
{
	for (unsigned id = 0; id < machine.vm_count; id++)
		for (unsigned n = 0; n < machine.place[id].config->disks; n++)
			if (strcmp(machine.place[id].config->disk[n].name, place) == 0)
				return true;
	return false;
}

/* A name that is no place is refused elsewhere. */
static bool is_at_channel(const char *name, unsigned channel)
{
	unsigned of, unit;

	return config_disk_place(name, &of, &unit) && of == channel;
}

static bool has_disk_at(const struct vm_config *c, unsigned channel)
{
	for (unsigned n = 0; n < c->disks; n++)
		if (is_at_channel(c->disk[n].name, channel))
			return true;
	return is_at_channel(c->trace, channel);
}

/* With the swap area at that place. */
static bool shares_channel(const struct vm_config *c, const char *place)
{
	unsigned channel, unit;

	return config_disk_place(place, &channel, &unit) && has_disk_at(c, channel);
}

/* All that are traced have the same. */
static const char *begin_trace(void)
{
	static char text[CONFIG_NAME_MAX + 120];
	const char *place = NULL;

	for (unsigned id = 0; id < machine.vm_count; id++) {
		const struct vm_config *c = machine.place[id].config;

		if (!c->trace[0])
			continue;
		if (VM_KEPT(TRACE_ONE_DISK, place && strcmp(place, c->trace) != 0)) {
			fmt(text, sizeof(text), "%s is to be traced to %s, another to %s; one disk has all", c->name,
			    c->trace, place);
			return text;
		}
		place = c->trace;
		if (VM_KEPT(TRACE_OWN_DISK, is_disk_of_guest(place))) {
			fmt(text, sizeof(text), "%s is to be traced to %s, which is a guest's disk", c->name, place);
			return text;
		}
	}
	return place ? trace_disk_begin(place) : NULL;
}

/* All that swap do so to the same, whose channel no guest's disk has (WA1 in vm/memory/swap.h). */
static const char *begin_swap(void)
{
	static char text[3 * CONFIG_NAME_MAX + 160];
	const char *place = NULL;
	uint64_t packed = 0;

	for (unsigned id = 0; id < machine.vm_count; id++) {
		const struct vm_config *c = machine.place[id].config;

		packed = max_u64(packed, c->zpool);
		if (!c->swap[0])
			continue;
		if (VM_KEPT(SWAP_ONE_DISK, place && strcmp(place, c->swap) != 0)) {
			fmt(text, sizeof(text), "%s is to swap to %s, another to %s; one disk has the pages of all",
			    c->name, c->swap, place);
			return text;
		}
		place = c->swap;
	}
	for (unsigned id = 0; place && id < machine.vm_count; id++) {
		const struct vm_config *c = machine.place[id].config;

		if (VM_LEFT_OUT_OR(SWAP_ALONE, !shares_channel(c, place)))
			continue;
		fmt(text, sizeof(text), "%s has a disk, or its trace, at the channel of the swap area (%s), which must "
		    "be alone there", c->name, place);
		return text;
	}
	if (!place)
		return NULL;
	if (VM_KEPT(ZPOOL_FITS, packed >> PAGE_SHIFT >= frames_total())) {
		fmt(text, sizeof(text), "zpool is %lu MB, and the machine has %lu MB of memory in all; it must be less",
		    packed >> 20, frames_total() >> 8);
		return text;
	}
	place = swap_begin(place, packed >> PAGE_SHIFT);
	if (!place)
		reclaim_init();
	return place;
}

const char *disks_begin(bool wanted)
{
	static char text[CONFIG_NAME_MAX + 120];
	unsigned disks = 0;
	const char *why;

	for (unsigned id = 0; id < machine.vm_count; id++) {
		const struct vm_config *c = machine.place[id].config;

		for (unsigned n = 0; n < c->disks; n++)
			if (VM_KEPT(DISK_RIVAL, rival(&c->disk[n]))) {
				fmt(text, sizeof(text), "%s has disk %.40s, which is somebody's already; several may "
				    "have one that all of them have ro or snapshot", c->name, c->disk[n].name);
				return text;
			}
		disks += c->disks + (c->trace[0] != 0) + (c->swap[0] != 0);
	}
	if (!disks && !wanted)
		return NULL;
	why = disk_host_init(machine.tsc_hz);
	if (why)
		return why;
	why = vm_flash_begin();
	make_queues();
	if (!why)
		why = begin_swap();
	return why ? why : begin_trace();
}
