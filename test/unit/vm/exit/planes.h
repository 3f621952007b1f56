/* test/unit/vm/exit/planes.h - the display's planes, for tests of instructions that access them. Included after a
 * fixture. */
#ifndef VELLUM_TEST_VM_PLANES_H
#define VELLUM_TEST_VM_PLANES_H

#include "lib/vga.h"

static inline void indexed(uint16_t port, uint8_t index, uint8_t value)
{
	out_sized(port, 2, (uint32_t)value << 8 | index);
}

/* As mode 12h has them: four, at 0xa0000. */
static inline void planes_on(void)
{
	out(VGA_MISC_WRITE, 3);
	indexed(VGA_SEQUENCER, VGA_SEQ_MAP_MASK, 0x0f);
	indexed(VGA_SEQUENCER, VGA_SEQ_MEMORY, 0x06);
	indexed(VGA_GRAPHICS, VGA_GC_MISC, 0x05);
	indexed(VGA_GRAPHICS, VGA_GC_BIT_MASK, 0xff);
}

#endif
