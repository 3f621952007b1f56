/* vm/firmware/firmware.c - the memory of a virtual machine that starts at a firmware (vm/firmware/firmware.h has the
 * rules). Intel 440FX PCIset data sheet, "System Address Map". */
#include "vm/vm.h"

#include "host/device/console.h"
#include "host/memory/frames.h"
#include "host/boot/multiboot.h"
#include "vm/device/flash.h"
#include "vm/load/firmware.h"
#include "vm/memory/memory.h"
#include "lib/mutants/mutate.h"

/* The last bytes of the ROM are seen below 1 MByte, too. */
#define ROM_LOW_BYTES 0x20000u

/* ---- memory ---- */

static struct slot piece_slot(struct firmware_piece *p, enum slot_kind kind, uint64_t base, uint64_t bytes, hfn_t frame)
{
	struct slot slot = {
		.base = gpa_gfn(GPA(base)),
		.pages = bytes >> PAGE_SHIFT,
		.kind = (uint8_t)kind,
		.type = MEMTYPE_WB,
		.backing = &p->backing.backing,
		.linear_frame = frame,
		.linear = frames_ptr(frame),
	};

	p->extent = (struct extent){ 0, slot.pages, frame };
	backing_extents_init(&p->backing, slot.base, &p->extent, 1);
	return slot;
}

/* The frames of the first MByte: no run is shorter. */
static hfn_t low_frame(const struct vm *vm, uint64_t gpa)
{
	return HFN(vm->extent[VM_EXTENTS_LOW][0].hfn.v + (gpa >> PAGE_SHIFT));
}

/* The runs of RAM without the first MByte. */
static unsigned cut_runs(struct vm *vm, unsigned count)
{
	const struct extent *run = vm->extent[VM_EXTENTS_LOW];
	uint64_t cut = PAM_END >> PAGE_SHIFT;

	for (unsigned i = 0; i < count; i++)
		vm->firmware.rest[i] = (struct extent){ run[i].first - cut, run[i].pages, run[i].hfn };
	vm->firmware.rest[0] = (struct extent){ 0, run[0].pages - cut, HFN(run[0].hfn.v + cut) };
	return run[0].pages > cut ? count : 0;
}

/* What is no whole block (vm/memory/ram.h) would come page by page, and be looked up at each access: the rest of the
 * block that begins with the first MByte. */
uint64_t firmware_at_once(const struct vm *vm) { return min_u64(SLOT_BLOCK_PAGES << PAGE_SHIFT, vm->low_ram); }

static bool add_when_touched(struct vm *vm, uint64_t base)
{
	struct slot slot;

	return base == vm->low_ram || (ram_init(&vm->ram[VM_EXTENTS_LOW], vm, gpa_gfn(GPA(base)),
						(vm->low_ram - base) >> PAGE_SHIFT, &slot) &&
				       slots_add(&vm->mmu.slots, &slot));
}

/* The first block at once, and the rest when it is touched. */
static bool add_lazily(struct vm *vm)
{
	struct extent *first = vm->extent[VM_EXTENTS_LOW];
	uint64_t end = firmware_at_once(vm);
	struct slot base, rest;

	if (vm_take_memory(first, end >> PAGE_SHIFT) != 1)
		return false;
	base = piece_slot(&vm->firmware.base, SLOT_RAM, 0, PAM_HOLE, low_frame(vm, 0));
	rest = piece_slot(&vm->firmware.first, SLOT_RAM, PAM_END, end - PAM_END, low_frame(vm, PAM_END));
	return memory_own(vm, first, GFN(0)) && slots_add(&vm->mmu.slots, &base) && slots_add(&vm->mmu.slots, &rest) &&
	       add_when_touched(vm, end);
}

static bool add_at_once(struct vm *vm)
{
	struct vm_firmware *f = &vm->firmware;
	unsigned count = vm_take_memory(vm->extent[VM_EXTENTS_LOW], vm->low_ram >> PAGE_SHIFT);
	struct slot base, rest = { .base = gpa_gfn(GPA(PAM_END)), .kind = SLOT_RAM, .type = MEMTYPE_WB,
				   .backing = &f->rest_backing.backing };

	if (!count || !cut_runs(vm, count))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!memory_own(vm, &vm->extent[VM_EXTENTS_LOW][i], GFN(0)))
			return false;
	base = piece_slot(&f->base, SLOT_RAM, 0, PAM_HOLE, low_frame(vm, 0));
	backing_extents_init(&f->rest_backing, rest.base, f->rest, count);
	rest.pages = (vm->low_ram - PAM_END) >> PAGE_SHIFT;
	if (count == 1) {
		rest.linear_frame = f->rest[0].hfn;
		rest.linear = frames_ptr(rest.linear_frame);
	}
	return slots_add(&vm->mmu.slots, &base) && slots_add(&vm->mmu.slots, &rest);
}

bool firmware_add_low_ram(struct vm *vm) { return memory_at_once(vm) ? add_at_once(vm) : add_lazily(vm); }

/* ---- the areas ---- */

/* The part of the ROM that is seen at gpa, below 1 MByte. false: none is. */
static bool rom_at(const struct vm *vm, uint64_t gpa, hfn_t *frame)
{
	uint64_t seen = min_u64(vm->firmware.rom_bytes, ROM_LOW_BYTES);

	if (gpa < PAM_END - seen)
		return false;
	*frame = HFN(vm->extent[VM_EXTENTS_ROM][0].hfn.v + ((gpa - PAM_END + vm->firmware.rom_bytes) >> PAGE_SHIFT));
	return true;
}

/* 440FX, "PAM - Programmable Attribute Map Registers": reads go to RAM with RE, writes with WE; else to the bus, where
 * the ROM is. */
static enum area_source wanted(const struct vm *vm, unsigned n)
{
	unsigned how = i440fx_area(&vm->i440fx, n);
	hfn_t frame;

	if (VM_LEFT_OUT_OR(AREA_READ, how & PAM_READ))
		return VM_LEFT_OUT_OR(AREA_WRITE, how & PAM_WRITE) ? AREA_RAM : AREA_RAM_READ_ONLY;
	return rom_at(vm, pam_base(n), &frame) ? AREA_ROM : AREA_NOTHING;
}

static void set_area(struct vm *vm, unsigned n, enum area_source source)
{
	struct firmware_piece *p = &vm->firmware.area[n];
	hfn_t frame = low_frame(vm, pam_base(n));
	struct slot slot;

	if (vm->firmware.source[n] != AREA_NOTHING)
		mmu_slot_remove(&vm->mmu, gpa_gfn(GPA(pam_base(n))));
	vm->firmware.source[n] = source;
	if (source == AREA_ROM)
		rom_at(vm, pam_base(n), &frame);
	slot = piece_slot(p, source == AREA_RAM ? SLOT_RAM : SLOT_ROM, pam_base(n), pam_bytes(n), frame);
	if (source != AREA_NOTHING)
		mmu_slot_add(&vm->mmu, &slot);
}

static void set_areas(struct vm *vm)
{
	for (unsigned n = 0; n < PAM_AREAS; n++) {
		enum area_source source = wanted(vm, n);

		if (source != vm->firmware.source[n])
			VM_MUTANT(AREA_SET, set_area(vm, n, source));
	}
}

void firmware_areas_changed(void *ctx)
{
	struct vm *vm = ctx;
	struct vcpu *v;

	vm->firmware.stale = true;
	for_each_vcpu(v, vm)
		VM_MUTANT(AREA_REQUEST, vcpu_request(v, REQUEST_MEMORY));
}

/* FM1, and VV1 in vm/device/video.h: who comes first does it, for all. */
void firmware_memory_changed(struct vm *vm)
{
	vm_freeze(vm);
	spin_lock(&vm->device_lock);
	if (vm->firmware.stale)
		set_areas(vm);
	VM_MUTANT(COVERED_ANEW, tpr_memory_changed(vm));
	vm->firmware.stale = false;
	vm_flash_place(vm);
	video_set_place(vm);
	spin_unlock(&vm->device_lock);
	vm_thaw(vm);
}

void firmware_place(struct vm *vm)
{
	VM_MUTANT(RESTORE_AREAS, set_areas(vm));
	VM_MUTANT(RESTORE_FLASH, vm_flash_place(vm));
	vm->firmware.stale = false;
}

const void *firmware_rom(const struct vm *vm) { return frames_ptr(vm->extent[VM_EXTENTS_ROM][0].hfn); }
void *firmware_behind(const struct vm *vm, uint64_t gpa) { return frames_ptr(low_frame(vm, gpa)); }

/* What is no memory reads as all ones; the heart does not ask for more. */
static uint64_t area_read(void *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	return MASK(8 * size - 1, 0);
}

/* A write to what reads as ROM, or nothing, may go to the RAM behind. */
static void area_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct vm *vm = dev;
	unsigned n = pam_area(PAM_BASE + (uint32_t)offset);

	if (VM_LEFT_OUT_OR(AREA_BEHIND, i440fx_area(&vm->i440fx, n) == PAM_WRITE))
		memcpy((char *)frames_ptr(low_frame(vm, 0)) + PAM_BASE + offset, &value, size);
}

/* ---- a TSS ---- */

/* Where no guest looks for anything, and read-only to it; mapped to itself while the guest has no paging. SDM, "32-Bit
 * Task-State Segment", "I/O Permission Bit Map": the map ends with a byte of ones. */
#define TSS_AT 0xfeffd000u
#define TSS_MAP_BASE 102
#define TSS_BYTES 104u
#define MAP_BYTES 0x2000u
#define TSS_PAGES 3u

static bool add_tss(struct vm *vm)
{
	const uint16_t map = TSS_BYTES;
	hfn_t frames = frames_alloc_run(TSS_PAGES, 1);
	struct slot slot;
	uint8_t *tss;

	if (hfn_is_none(frames))
		return false;
	vm->extent[VM_EXTENTS_TSS][0] = (struct extent){ 0, TSS_PAGES, frames };
	tss = frames_ptr(frames);
	memset(tss, 0, TSS_PAGES << PAGE_SHIFT);
	memcpy(tss + TSS_MAP_BASE, &map, sizeof(map));
	tss[TSS_BYTES + MAP_BYTES] = 0xff;
	vm->firmware.tss = (struct hvm_tss){ TSS_AT, TSS_BYTES + MAP_BYTES };
	slot = piece_slot(&vm->firmware.tss_pages, SLOT_ROM, TSS_AT, TSS_PAGES << PAGE_SHIFT, frames);
	return slots_add(&vm->mmu.slots, &slot);
}

/* ---- the ROM ---- */

static bool add_rom(struct vm *vm, const struct boot_module *m)
{
	static const struct mmio_ops ops = { area_read, area_write };
	struct vm_firmware *f = &vm->firmware;
	hfn_t frames = frames_alloc_run(m->size >> PAGE_SHIFT, 1);
	struct slot slot;

	if (hfn_is_none(frames))
		return false;
	vm->extent[VM_EXTENTS_ROM][0] = (struct extent){ 0, m->size >> PAGE_SHIFT, frames };
	memcpy(frames_ptr(frames), m->data, m->size);
	f->rom_bytes = m->size;
	slot = piece_slot(&f->rom, SLOT_ROM, FOUR_GIB - m->size, m->size, frames);
	set_areas(vm);
	return slots_add(&vm->mmu.slots, &slot) && mmio_add(&vm->mmio, PAM_BASE, PAM_END - PAM_BASE, &ops, vm);
}

bool firmware_load(struct vm *vm, struct cpu_start *start)
{
	const struct boot_module *m = vm_find_module(vm, vm->config->bios, "firmware");
	char why[sizeof(vm->end_text)];

	if (!m)
		return false;
	if (!load_firmware_fits(m->size, why, sizeof(why))) {
		vm_end(vm, VM_STATUS_BAD_IMAGE, "%s", why);
		return false;
	}
	if (!add_rom(vm, m) || !add_tss(vm)) {
		vm_end(vm, VM_STATUS_BAD_IMAGE, "there is no memory for its firmware");
		return false;
	}
	if (!vm_flash_add(vm, firmware_areas_changed))
		return false;
	*start = (struct cpu_start){ .mode = START_RESET };
	return firmware_add_files(vm);
}

/* ---- its log ---- */

/* A line that the port has no room for is lost, and counted as the console's are. */
static void write_line(struct vm *vm)
{
	struct vm_firmware *f = &vm->firmware;

	f->line[f->line_used] = '\0';
	if (f->line_used && !console_guest_line("log %s: firmware: %s", vm->config->name, f->line))
		vm->console.dropped += f->line_used;
	f->line_used = 0;
}

void firmware_says(void *ctx, uint8_t byte)
{
	struct vm *vm = ctx;
	struct vm_firmware *f = &vm->firmware;

	if (byte == '\n')
		write_line(vm);
	else if (byte != '\r')
		f->line[f->line_used++] = byte < 0x20 || byte > 0x7e ? '?' : (char)byte;
	if (VM_LEFT_OUT_OR(FIRMWARE_LINE, f->line_used == sizeof(f->line) - 1))
		write_line(vm);
}
