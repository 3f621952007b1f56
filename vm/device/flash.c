/* vm/device/flash.c - flash memory of a virtual machine: its contents in memory and on a disk. */
#include "vm/vm.h"

#include "host/cpu/x86.h"
#include "host/device/console.h"
#include "host/device/disk.h"
#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/device/disk.h"
#include "vm/device/flash.h"
#include "vm/device/own_memory.h"

static struct flash_store *stores;

/* Which of the disks it is; a number that none has: it has none. */
static unsigned flash_disk(const struct vm_config *config)
{
	unsigned n = 0;

	while (n < config->disks && !config->disk[n].flash)
		n++;
	return n;
}

/* ---- on the disk (FH2) ---- */

static void enter(void *ctx) { spin_lock(&((struct flash_store *)ctx)->lock); }
static void leave(void *ctx) { spin_unlock(&((struct flash_store *)ctx)->lock); }

static bool is_stale(const struct flash_store *s, uint32_t sector) { return s->stale[sector / 64] >> sector % 64 & 1; }

/* The first run of sectors that are to be written, which are not any more. false: there is none. */
static bool take_run(struct flash_store *s, uint32_t *first, uint32_t *count)
{
	uint32_t sectors = s->bytes / SECTOR_SIZE, at = 0;

	while (at < sectors && !is_stale(s, at))
		at += !s->stale[at / 64] ? 64 - at % 64 : 1;
	*first = at;
	for (; at < sectors && is_stale(s, at); at++)
		s->stale[at / 64] &= ~BIT(at % 64);
	*count = at - *first;
	return *first < sectors;
}

static void done(struct block_request *r, enum block_result result);

/* What changes while it is copied is stale again. The lock is held. */
static void write_next(struct flash_store *s)
{
	uint32_t first, count;

	if (s->busy || s->failed || !take_run(s, &first, &count))
		return;
	s->busy = true;
	s->segment = (struct guest_segment){ (uint64_t)(s->array + first * SECTOR_SIZE), count * SECTOR_SIZE };
	s->request = (struct block_request){ .op = BLOCK_WRITE, .through = true, .sector = first, .count = count,
					     .segment = &s->segment, .segments = 1, .done = done };
	block_submit(&s->disk, &s->request);
}

static void done(struct block_request *r, enum block_result result)
{
	struct flash_store *s = container_of(r, struct flash_store, request);

	s->busy = false;
	if (VM_KEPT(FLASH_FAILS, result != BLOCK_OK)) {
		s->failed = true;
		console_log("%s: its flash memory cannot be written to disk %s; what it keeps there is lost at its "
			    "end", s->vm->name, s->vm->disk[flash_disk(s->vm)].name);
	}
	write_next(s);
}

static void changed(void *ctx, uint32_t offset, uint32_t n)
{
	struct vm *vm = ctx;
	struct flash_store *s = machine.place[vm->id].flash;

	if (VM_KEPT(FLASH_SNAPSHOT, vm->config->disk[flash_disk(vm->config)].snapshot))
		return;
	spin_lock(&s->lock);
	for (uint32_t at = offset / SECTOR_SIZE; at <= (offset + n - 1) / SECTOR_SIZE; at++)
		s->stale[at / 64] |= BIT(at % 64);
	write_next(s);
	spin_unlock(&s->lock);
}

/* Nobody asks for anything else any more. */
void vm_flash_end(void)
{
	for (const struct flash_store *s = stores; s; s = s->next)
		while (VM_KEPT(FLASH_DRAINED, __atomic_load_n(&s->busy, __ATOMIC_ACQUIRE))) {
			disk_host_look();
			irq_window();
			cpu_relax();
		}
}

/* ---- before any begins ---- */

static bool read_all(struct flash_store *s, unsigned channel)
{
	uint64_t sectors = s->bytes / SECTOR_SIZE;

	for (uint64_t at = 0, n; at < sectors; at += n) {
		enum ata_result r = ATA_BUSY;

		n = min_u64(s->disk.most, sectors - at);
		if (!disk_host_begin(channel, s->disk.unit, ATA_OP_READ, at, (unsigned)n))
			return false;
		while (r == ATA_BUSY)
			r = disk_host_poll(channel);
		if (r != ATA_DONE)
			return false;
		memcpy(s->array + at * SECTOR_SIZE, disk_host_buffer(channel), n * SECTOR_SIZE);
	}
	return true;
}

#define STORE_HEAD align_up(sizeof(struct flash_store), PAGE_SIZE)

static struct flash_store *take_store(uint64_t bytes)
{
	hfn_t f = frames_alloc_run((STORE_HEAD + bytes) >> PAGE_SHIFT, 1);
	struct flash_store *s;

	if (hfn_is_none(f))
		return NULL;
	s = frames_ptr(f);
	memset(s, 0, STORE_HEAD);
	s->array = (uint8_t *)s + STORE_HEAD;
	s->bytes = (uint32_t)bytes;
	s->next = stores;
	stores = s;
	return s;
}

void vm_flash_release(void)
{
	while (stores) {
		struct flash_store *s = stores;

		stores = s->next;
		frames_free(frames_of_ptr(s), (STORE_HEAD + s->bytes) >> PAGE_SHIFT);
	}
}

static const char *begin_flash(struct vm_place *place, unsigned n)
{
	static char text[CONFIG_NAME_MAX + CONFIG_FILE_MAX + 160];
	const char *name = place->config->disk[n].name, *why = NULL;
	struct block_disk disk;
	unsigned channel, unit;
	uint64_t bytes;

	if (!disk_of_machine(name, &disk))
		why = "the machine has none there (" CONFIG_DISK_PLACES " can be)";
	else if (bytes = disk.sectors * SECTOR_SIZE, VM_KEPT(FLASH_SIZE, bytes % FLASH_BLOCK || bytes > FLASH_MAX))
		why = "a flash memory has whole blocks of 4 KB, and at most 8 MB";
	else if (!(place->flash = take_store(bytes)))
		why = "there is no memory for it";
	if (!why) {
		struct flash_store *s = place->flash;

		s->vm = place->config;
		s->disk = disk;
		s->disk.memory = own_memory;
		s->disk.enter = enter;
		s->disk.leave = leave;
		s->disk.ctx = s;
		block_disk_init(&s->disk);
		config_disk_place(name, &channel, &unit);
		why = read_all(s, channel) ? NULL : "it cannot be read";
	}
	if (!why)
		return NULL;
	fmt(text, sizeof(text), "%s cannot have disk %s as its flash memory: %s", place->config->name, name, why);
	return text;
}

const char *vm_flash_begin(void)
{
	const char *why = NULL;

	for (unsigned id = 0; id < machine.vm_count && !why; id++) {
		unsigned n = flash_disk(machine.place[id].config);

		if (n < machine.place[id].config->disks && !machine.place[id].flash)
			why = begin_flash(&machine.place[id], n);
	}
	return why;
}

/* ---- in a virtual machine (FH3) ---- */

static uint64_t flash_base(const struct vm *vm) { return FOUR_GIB - vm->firmware.rom_bytes - vm->firmware.chip.bytes; }

void vm_flash_place(struct vm *vm)
{
	struct vm_firmware *f = &vm->firmware;
	struct slot slot = { .base = gpa_gfn(GPA(flash_base(vm))), .pages = f->chip.bytes >> PAGE_SHIFT,
			     .kind = SLOT_ROM, .type = MEMTYPE_WB, .backing = &f->flash.backing.backing,
			     .linear = (char *)f->chip.array };

	if (!f->chip.bytes || f->flash_plain == flash_is_plain(&f->chip))
		return;
	f->flash_plain = !f->flash_plain;
	if (!f->flash_plain) {
		VM_MUTANT(FLASH_LEAVES, mmu_slot_remove(&vm->mmu, slot.base));
		return;
	}
	slot.linear_frame = frames_of_ptr(f->chip.array);
	f->flash.extent = (struct extent){ 0, slot.pages, slot.linear_frame };
	backing_extents_init(&f->flash.backing, slot.base, &f->flash.extent, 1);
	VM_MUTANT(FLASH_ENTERS, mmu_slot_add(&vm->mmu, &slot));
}

bool vm_flash_add(struct vm *vm, void (*mode_changed)(void *vm))
{
	static const struct mmio_ops ops = { flash_read, flash_write };
	struct flash_store *s = machine.place[vm->id].flash;

	if (!s)
		return true;
	if (VM_KEPT(FLASH_ROOM, vm->firmware.rom_bytes + s->bytes > FLASH_MAX)) {
		vm_end(vm, VM_STATUS_BAD_IMAGE, "its firmware and its flash memory have %lu KB; a PC has room for %u",
		       (vm->firmware.rom_bytes + s->bytes) >> 10, FLASH_MAX >> 10);
		return false;
	}
	vm->firmware.chip = (struct flash){
		.array = s->array, .bytes = s->bytes, .mode_changed = mode_changed, .changed = changed,
		.read_only = vm->config->disk[flash_disk(vm->config)].read_only, .ctx = vm,
	};
	flash_reset(&vm->firmware.chip);
	if (!mmio_add(&vm->mmio, flash_base(vm), s->bytes, &ops, &vm->firmware.chip)) {
		vm_end(vm, VM_STATUS_BAD_IMAGE, "there is no room for its flash memory");
		return false;
	}
	vm_flash_place(vm);
	return true;
}
