/* vm/snapshot/firmware.c - what a snapshot holds of a virtual machine that starts at a firmware, beside what any has:
 * memory that its guest does not always find where it is (RAM behind the areas below 1 MByte, the display's own), what
 * of it has been written since, and the devices that only such a machine has. */
#include "vm/snapshot/firmware.h"

#include "lib/mutants/mutate.h"
#include "vm/load/image.h"
#include "vm/vm.h"

#define CHECKED_MAX (256u << 10) /* bytes of a file of which a checksum is kept */

_Static_assert(SNAPSHOT_DISPLAY_GFN == LOADER_LOW_MAX >> PAGE_SHIFT, "where no machine has RAM");

/* ---- memory ---- */

uint64_t save_display_bytes(const struct vm *vm) { return vm->video ? VIDEO_BYTES : 0; }

static bool in_display(const struct vm *vm, uint64_t gfn)
{
	return gfn >= SNAPSHOT_DISPLAY_GFN && gfn - SNAPSHOT_DISPLAY_GFN < save_display_bytes(vm) >> PAGE_SHIFT;
}

void *save_own_page(const struct vm *vm, gfn_t gfn)
{
	bool area = firmware_given(vm) && gfn.v >= PAM_BASE >> PAGE_SHIFT && gfn.v < PAM_END >> PAGE_SHIFT;

	if (VM_KEPT(SAVE_BEHIND, area))
		return firmware_behind(vm, gfn.v << PAGE_SHIFT);
	if (!in_display(vm, gfn.v))
		return NULL;
	return (char *)vm->video->memory + ((gfn.v - SNAPSHOT_DISPLAY_GFN) << PAGE_SHIFT);
}

bool save_is_memory(const struct vm *vm, uint64_t gfn)
{
	uint64_t low = vm->low_ram >> PAGE_SHIFT, high = vm->high_ram >> PAGE_SHIFT, first = 4 * GIB >> PAGE_SHIFT;

	if (firmware_given(vm) && VM_KEPT(RESTORE_HOLE, gfn >= PAM_HOLE >> PAGE_SHIFT && gfn < PAM_BASE >> PAGE_SHIFT))
		return false;
	return gfn < low || (gfn >= first && gfn - first < high) || in_display(vm, gfn);
}

/* Where gpa is in such a page; NULL: in none. */
static uint8_t *own_at(const struct vm *vm, uint64_t gpa)
{
	uint8_t *page = save_own_page(vm, gpa_gfn(GPA(gpa)));

	return page ? page + gpa % PAGE_SIZE : NULL;
}

static size_t within_page(uint64_t gpa, size_t n) { return min_u64(n, PAGE_SIZE - gpa % PAGE_SIZE); }

bool save_read(void *ctx, uint64_t gpa, void *to, size_t n)
{
	struct vm *vm = ctx;
	uint8_t *p = to;

	for (size_t piece; n; n -= piece, gpa += piece, p += piece) {
		const uint8_t *own = own_at(vm, gpa);

		piece = within_page(gpa, n);
		if (own)
			memcpy(p, own, piece);
		else if (mmu_guest_read(&vm->mmu, GPA(gpa), p, piece) != piece)
			return false;
	}
	return true;
}

bool save_write(struct vm *vm, uint64_t gpa, const void *from, size_t n)
{
	const uint8_t *p = from;

	for (size_t piece; n; n -= piece, gpa += piece, p += piece) {
		uint8_t *own = own_at(vm, gpa);

		piece = within_page(gpa, n);
		if (own)
			memcpy(own, p, piece);
		else if (mmu_guest_write(&vm->mmu, GPA(gpa), p, piece) != piece)
			return false;
	}
	return true;
}

/* ---- what has been written ---- */

void save_display_changes(struct vm *vm, uint32_t *since, void (*each)(void *ctx, gfn_t first, uint64_t pages),
			  void *ctx)
{
	const struct vm_video *v = vm->video;

	if (!v)
		return;
	video_changes(vm);
	for (uint32_t n = 0; each && n < VIDEO_PAGES; n += 64) {
		uint64_t pages = 0;

		for (uint32_t i = 0; i < 64; i++)
			if (v->page_number[n + i] > *since)
				pages |= BIT(i);
		if (pages)
			each(ctx, GFN(SNAPSHOT_DISPLAY_GFN + n), pages);
	}
	*since = v->number;
}

/* ---- devices ---- */

/* Not in the snapshot, as disks are not: what the machine was given, by its size and the checksum of its beginning. */
static void file_state(struct fields *s, const void *data, size_t size, const char *what)
{
	uint32_t crc = snapshot_crc(0, data, min_u64(size, CHECKED_MAX));

	state_same(s, size, what);
	VM_MUTANT(STATE_FIRMWARE_FILES, state_same(s, crc, what));
}

static void files_state(struct fields *s, struct vm *vm)
{
	static const char kernel[] = "its firmware reads another kernel, or initrd: give --kernel and --initrd as it "
				     "began with";
	const struct fw_cfg *f = &vm->fw_cfg;

	file_state(s, firmware_rom(vm), vm->firmware.rom_bytes,
		   "its firmware is another: give --bios as it began with");
	if (vm->video)
		file_state(s, vm->video->stdvga.rom, vm->video->stdvga.rom_bytes,
			   "its display's BIOS is another: give --vga as it began with");
	state_same(s, f->items, kernel);
	for (unsigned n = 0; n < f->items; n++) {
		state_same(s, f->item[n].key, kernel);
		file_state(s, f->item[n].data, f->item[n].size, kernel);
	}
}

/* The line of its log that is not complete. */
static void line_state(struct fields *s, struct vm_firmware *f)
{
	state_unsigned(s, &f->line_used);
	if (!state_check(s, VM_LEFT_OUT_OR(STATE_FIRMWARE_LINE, f->line_used < sizeof(f->line) - 1),
			 "its log has a line that is too long"))
		return;
	state_bytes(s, f->line, f->line_used);
	for (unsigned n = 0; n < f->line_used; n++)
		state_check(s, f->line[n] >= 0x20 && f->line[n] <= 0x7e, "its log has what is no character");
}

/* PIRQs go where the south bridge's registers say (dev/bus/piix.c). */
static bool routed(const struct vm *vm)
{
	for (unsigned n = 0; n < PCI_PIRQS; n++) {
		uint8_t irq = vm->piix.isa.config[PIIX_PIRQ + n];

		if (vm->pci.pirq[n] != (irq & PCI_PIRQ_OFF ? PCI_PIRQ_OFF : irq & 15))
			return false;
	}
	return true;
}

void firmware_state(struct fields *s, struct vm *vm)
{
	state_begin(s, "firmware", 1);
	files_state(s, vm);
	line_state(s, &vm->firmware);
	state_check(s, VM_LEFT_OUT_OR(STATE_ROUTED, routed(vm)), "an interrupt goes where no register says");
	state_end(s);
	dma8237_state(s, &vm->dma8237);
	i8042_state(s, &vm->i8042);
	if (vm->video)
		vga_state(s, &vm->video->stdvga.vga);
	if (vm->firmware.chip.bytes)
		flash_state(s, &vm->firmware.chip);
	if (s->load && !s->bad)
		firmware_place(vm);
}
