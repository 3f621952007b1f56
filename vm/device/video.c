/* vm/device/video.c - the screen's memory: taken, put where the guest has it, and watched. */
#include "vm/vm.h"

#include "host/boot/multiboot.h"
#include "host/device/console.h"
#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"

#define SLOT_ON_BUS 2

/* ---- what has changed (VV2) ---- */

static void note_page(struct vm_video *v, uint32_t page)
{
	v->page_number[page] = v->number;
}

static void note_all(struct vm_video *v)
{
	for (uint32_t n = 0; n < VIDEO_PAGES; n++)
		note_page(v, n);
}

/* What the guest has written in its own memory. */
static void note_logged(struct vm *vm)
{
	struct vm_video *v = vm->video;
	uint32_t first = v->place.offset >> PAGE_SHIFT;

	mmu_log_collect(&vm->mmu, gpa_gfn(GPA(v->place.gpa)), v->collected);
	for (uint32_t n = 0; n < v->place.bytes >> PAGE_SHIFT; n++)
		if (VM_KEPT(VIDEO_LOGGED, v->collected[n / 64] & BIT(n % 64)))
			note_page(v, first + n);
}

static void begin_log(struct vm *vm)
{
	struct vm_video *v = vm->video;

	if (!v->watched || v->place.plain == VGA_PLAIN_NOWHERE || v->logging)
		return;
	memset(v->log, 0, sizeof(v->log));
	v->logging = mmu_log_start(&vm->mmu, gpa_gfn(GPA(v->place.gpa)), v->log);
}

void video_changes(struct vm *vm)
{
	struct vm_video *v = vm->video;
	struct vga *vga = &v->stdvga.vga;

	v->number++;
	if (!v->watched) {
		v->watched = true;
		VM_MUTANT(VIDEO_WATCHED, begin_log(vm));
		note_all(v);
	}
	if (v->logging)
		note_logged(vm);
	for (uint32_t n = 0; n < VIDEO_PAGES; n++)
		if (VM_KEPT(VIDEO_TOUCHED, vga->touched[n]))
			note_page(v, n);
	memset(vga->touched, 0, sizeof(vga->touched));
	if (vga->changed)
		v->registers_number = v->number;
	vga->changed = false;
}

/* ---- where it is (VV1) ---- */

static struct video_place wanted(const struct vm *vm)
{
	const struct vga *vga = &vm->video->stdvga.vga;
	struct video_place p = { .plain = vga->plain };

	if (p.plain == VGA_PLAIN_APERTURE) {
		p.gpa = VGA_APERTURE;
		p.bytes = VGA_BANK;
		p.offset = vga->plain_offset;
	} else if (p.plain == VGA_PLAIN_LFB && stdvga_linear_at(&vm->video->stdvga, &p.gpa)) {
		p.bytes = VIDEO_BYTES;
	} else {
		p = (struct video_place){ .plain = VGA_PLAIN_NOWHERE };
	}
	return p;
}

static bool same(const struct video_place *a, const struct video_place *b)
{
	return a->plain == b->plain && a->gpa == b->gpa && a->offset == b->offset;
}

static void leave(struct vm *vm)
{
	struct vm_video *v = vm->video;
	gfn_t base = gpa_gfn(GPA(v->place.gpa));

	if (v->place.plain == VGA_PLAIN_NOWHERE)
		return;
	if (v->logging) {
		VM_MUTANT(VIDEO_LEFT, note_logged(vm));
		mmu_log_stop(&vm->mmu, base);
	}
	v->logging = false;
	VM_MUTANT(VIDEO_LEAVES, mmu_slot_remove(&vm->mmu, base));
	v->place = (struct video_place){ .plain = VGA_PLAIN_NOWHERE };
}

static void enter(struct vm *vm, const struct video_place *p)
{
	struct vm_video *v = vm->video;
	char *memory = (char *)v->memory + p->offset;
	struct slot slot = {
		.base = gpa_gfn(GPA(p->gpa)),
		.pages = p->bytes >> PAGE_SHIFT,
		.kind = SLOT_RAM,
		.type = MEMTYPE_WB,
		.backing = &v->backing.backing,
		.linear = memory,
		.linear_frame = frames_of_ptr(memory),
	};

	v->extent = (struct extent){ 0, slot.pages, slot.linear_frame };
	backing_extents_init(&v->backing, slot.base, &v->extent, 1);
	/* No device is at what was said to be one's when the VM was made. */
	if (p->plain == VGA_PLAIN_APERTURE)
		mmu_slot_remove(&vm->mmu, slot.base);
	if (mmu_slot_add(&vm->mmu, &slot))
		v->place = *p;
	begin_log(vm);
}

void video_set_place(struct vm *vm)
{
	struct video_place p;

	if (!vm->video || !vm->video->stale)
		return;
	p = wanted(vm);
	vm->video->stale = false;
	if (same(&p, &vm->video->place))
		return;
	vm->video->number++;
	leave(vm);
	if (p.plain != VGA_PLAIN_NOWHERE)
		VM_MUTANT(VIDEO_ENTERS, enter(vm, &p));
}

static void plain_changed(void *ctx)
{
	struct vm *vm = ctx;
	struct video_place p = wanted(vm);
	struct vcpu *v;

	if (same(&p, &vm->video->place))
		return;
	vm->video->stale = true;
	for_each_vcpu(v, vm)
		VM_MUTANT(VIDEO_REQUEST, vcpu_request(v, REQUEST_MEMORY));
}

/* ---- making ---- */

static bool refuse(struct vm *vm)
{
	vm_end(vm, VM_STATUS_BAD_IMAGE, "there is no memory for its screen, which takes %u MB in one piece",
	       VIDEO_BYTES >> 20);
	return false;
}

static bool take_memory(struct vm *vm)
{
	struct extent *extent = vm->extent[VM_EXTENTS_VIDEO];
	uint64_t pages = pages_for(sizeof(*vm->video));
	hfn_t frames;

	if (vm_take_memory(extent, VIDEO_PAGES) != 1)
		return false;
	frames = frames_alloc_run(pages, 1);
	if (hfn_is_none(frames))
		return false;
	extent[1] = (struct extent){ 0, pages, frames };
	vm->video = frames_ptr(frames);
	memset(vm->video, 0, pages << PAGE_SHIFT);
	vm->video->memory = frames_ptr(extent[0].hfn);
	return true;
}

bool video_add(struct vm *vm)
{
	struct stdvga_config config = { .bytes = VIDEO_BYTES, .subsystem = QEMU_SUBSYSTEM,
					.plain_changed = plain_changed, .ctx = vm };
	const struct boot_module *rom;

	if (!vm->config->vga[0])
		return firmware_given(vm) || vga_text_init(&vm->text, &vm->pio, vm_device_timers(vm));
	rom = vm_find_module(vm, vm->config->vga, "VGA BIOS");
	if (!rom)
		return false;
	if (VM_KEPT(VIDEO_ROM, rom->size > STDVGA_ROM_MAX)) {
		vm_end(vm, VM_STATUS_BAD_IMAGE, "its VGA BIOS has %lu bytes; a display has room for %u", rom->size,
		       STDVGA_ROM_MAX);
		return false;
	}
	if (!take_memory(vm))
		return refuse(vm);
	config.memory = vm->video->memory;
	config.rom = rom->data;
	config.rom_bytes = (uint32_t)rom->size;
	return stdvga_init(&vm->video->stdvga, &vm->pci, PCI_DEVFN(SLOT_ON_BUS, 0), vm_device_timers(vm), &config);
}
