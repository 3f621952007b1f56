/* vm/firmware/bios_data.c - what a firmware would have left in the memory of a guest that starts at its kernel: boot
 * loaders' guests read the BIOS data area, and some of them go back to real mode and call the BIOS. IBM Personal
 * System/2 and Personal Computer BIOS Interface Technical Reference, "BIOS Data Area" and "Interrupts". */
#include "vm/vm.h"

#include "lib/uart.h"
#include "lib/vga.h"
#include "vm/load/image.h"

#define BDA_COM1 0x400u
#define BDA_EBDA_SEGMENT 0x40eu
#define BDA_EQUIPMENT 0x410u
#define BDA_MEMORY_KB 0x413u
#define BDA_VIDEO_MODE 0x449u
#define BDA_VIDEO_MORE 0x484u
#define EQUIPMENT_COPROCESSOR 0x0002u
#define EQUIPMENT_COLOUR_80 0x0020u
#define EQUIPMENT_ONE_SERIAL 0x0200u

#define TEXT_COLUMNS 80u
#define TEXT_ROWS 25u
#define TEXT_BLANK 0x0720u /* a space, light grey on black */

/* Where a PC's BIOS has an IRET for interrupts that it does not serve. A guest that calls the BIOS finds every flag and
 * register as it was, and takes it for one without the service. */
#define DUMMY_SEGMENT 0xf000u
#define DUMMY_OFFSET 0xff53u
#define IRET 0xcfu
#define IVT_VECTORS 256u

static bool write(struct vm *vm, uint64_t gpa, const void *data, size_t n)
{
	return mmu_guest_write(&vm->mmu, GPA(gpa), data, n) == n;
}

static bool write_u16(struct vm *vm, uint64_t gpa, uint16_t value) { return write(vm, gpa, &value, sizeof(value)); }

static bool write_vectors(struct vm *vm)
{
	static const uint8_t iret = IRET;
	uint32_t vector[IVT_VECTORS];

	for (unsigned i = 0; i < IVT_VECTORS; i++)
		vector[i] = DUMMY_SEGMENT << 16 | DUMMY_OFFSET;
	return write(vm, 0, vector, sizeof(vector)) && write(vm, (DUMMY_SEGMENT << 4) + DUMMY_OFFSET, &iret, 1);
}

/* Text mode 3 (dev/video/vga_text.c), the screen empty, the cursor at its beginning. What the screen shows is RAM here,
 * as all of the hole is where there is no display. */
static bool write_screen(struct vm *vm)
{
	static const struct {
		uint8_t mode;
		uint16_t columns, page_bytes, page_at, cursor[8], cursor_lines;
		uint8_t page;
		uint16_t crtc;
	} __attribute__((packed)) video = { .mode = 3, .columns = TEXT_COLUMNS, .page_bytes = 0x1000,
					    .cursor_lines = 0x0607, .crtc = VGA_CRTC };
	static const struct {
		uint8_t last_row;
		uint16_t row_height;
	} __attribute__((packed)) more = { TEXT_ROWS - 1, 16 };
	uint16_t blank[TEXT_COLUMNS];

	for (unsigned n = 0; n < TEXT_COLUMNS; n++)
		blank[n] = TEXT_BLANK;
	for (unsigned row = 0; row < TEXT_ROWS; row++)
		if (!write(vm, VGA_TEXT_APERTURE + row * sizeof(blank), blank, sizeof(blank)))
			return false;
	return write(vm, BDA_VIDEO_MODE, &video, sizeof(video)) && write(vm, BDA_VIDEO_MORE, &more, sizeof(more));
}

bool bios_data_write(struct vm *vm)
{
	return write_vectors(vm) && write_screen(vm) && write_u16(vm, BDA_COM1, COM1_PORT) &&
	       write_u16(vm, BDA_EBDA_SEGMENT, LOADER_EBDA >> 4) &&
	       write_u16(vm, BDA_EQUIPMENT, EQUIPMENT_COPROCESSOR | EQUIPMENT_COLOUR_80 |
							 EQUIPMENT_ONE_SERIAL) &&
	       write_u16(vm, BDA_MEMORY_KB, LOADER_EBDA >> 10);
}
