/* lib/vga.h - the ports and registers of a VGA (names: IBM's VGA reference), and of the Bochs display interface, which
 * QEMU's standard VGA has too; for who plays it (dev/video/) and the guests' tests, of which those in assembly language
 * see the ports alone. What is not used has no name. */
#ifndef VELLUM_LIB_VGA_H
#define VELLUM_LIB_VGA_H

/* Where its memory is seen: at most 128 KBytes. */
#define VGA_APERTURE 0xa0000u
#define VGA_APERTURE_SIZE 0x20000u
#define VGA_TEXT_APERTURE 0xb8000u

/* ---- ports ---- */

#define VGA_PORTS 0x3b0        /* and to 0x3df */
#define VGA_PORTS_END 0x3e0
#define VGA_CRTC_MONO 0x3b4    /* index; its data follow; where Miscellaneous Output has no VGA_MISC_COLOUR */
#define VGA_STATUS_MONO 0x3ba
#define VGA_ATTRIBUTE 0x3c0    /* index and data in turn */
#define VGA_ATTRIBUTE_READ 0x3c1
#define VGA_MISC_WRITE 0x3c2   /* read: Input Status 0 */
#define VGA_SEQUENCER 0x3c4
#define VGA_DAC_MASK 0x3c6
#define VGA_DAC_READ 0x3c7     /* written: the index to read from; read: which was written last */
#define VGA_DAC_WRITE 0x3c8
#define VGA_DAC_DATA 0x3c9
#define VGA_FEATURE_READ 0x3ca
#define VGA_MISC_READ 0x3cc
#define VGA_GRAPHICS 0x3ce
#define VGA_CRTC 0x3d4
#define VGA_STATUS 0x3da       /* Input Status 1; written: Feature Control */

#define VGA_MISC_COLOUR 0x01u
#define VGA_MISC_MEMORY 0x02u  /* its memory is seen */
/* Of Input Status 1. */
#define VGA_STATUS_BLANK 0x01u
#define VGA_STATUS_RETRACE 0x08u
#define VGA_ATTRIBUTE_SHOW 0x20u /* of the index: the palette is the display's, and not the CPU's */

/* ---- registers by their indices ---- */

#ifndef __ASSEMBLER__

enum vga_sequencer_register {
	VGA_SEQ_RESET, VGA_SEQ_CLOCKING, VGA_SEQ_MAP_MASK, VGA_SEQ_FONTS, VGA_SEQ_MEMORY, VGA_SEQ_COUNT
};
#define VGA_CLOCKING_8_DOTS 0x01u
#define VGA_CLOCKING_OFF 0x20u
#define VGA_MEMORY_SEQUENTIAL 0x04u /* else odd addresses are in planes 1 and 3 */
#define VGA_MEMORY_CHAIN4 0x08u

enum vga_graphics_register {
	VGA_GC_SET_RESET, VGA_GC_ENABLE_SET_RESET, VGA_GC_COMPARE, VGA_GC_ROTATE, VGA_GC_READ_MAP, VGA_GC_MODE,
	VGA_GC_MISC, VGA_GC_CARE, VGA_GC_BIT_MASK, VGA_GC_COUNT
};
#define VGA_ROTATE_COUNT 0x07u
#define VGA_ROTATE_FUNCTION_SHIFT 3
enum vga_function { VGA_REPLACE, VGA_AND, VGA_OR, VGA_XOR };
#define VGA_MODE_WRITE 0x03u
#define VGA_MODE_COMPARE 0x08u  /* read mode 1 */
#define VGA_MODE_ODD_EVEN 0x10u
#define VGA_MODE_SHIFT_CGA 0x20u
#define VGA_MODE_SHIFT_256 0x40u
#define VGA_GC_MISC_GRAPHICS 0x01u
#define VGA_GC_MISC_MAP_SHIFT 2

enum vga_crtc_register {
	VGA_CRTC_SHOWN = 0x01, VGA_CRTC_OVERFLOW = 0x07, VGA_CRTC_PRESET_ROW, VGA_CRTC_ROW_HEIGHT,
	VGA_CRTC_CURSOR_START, VGA_CRTC_CURSOR_END, VGA_CRTC_START_HIGH, VGA_CRTC_START_LOW,
	VGA_CRTC_CURSOR_HIGH, VGA_CRTC_CURSOR_LOW,
	VGA_CRTC_RETRACE_START, VGA_CRTC_RETRACE_END, VGA_CRTC_SHOWN_LINES, VGA_CRTC_OFFSET, VGA_CRTC_UNDERLINE,
	VGA_CRTC_MODE = 0x17, VGA_CRTC_LINE_COMPARE, VGA_CRTC_COUNT
};
/* Of VGA_CRTC_OVERFLOW (the Overflow register), what other registers have no bits for. */
#define VGA_OVERFLOW_SHOWN8 0x02u
#define VGA_OVERFLOW_LINE_COMPARE8 0x10u
#define VGA_OVERFLOW_SHOWN9 0x40u
#define VGA_CRTC_PROTECT 0x80u     /* of VGA_CRTC_RETRACE_END: registers 0 to 7 are not written */
#define VGA_ROW_HEIGHT 0x1fu
#define VGA_ROW_LINE_COMPARE9 0x40u
#define VGA_ROW_DOUBLE 0x80u
#define VGA_CURSOR_OFF 0x20u
#define VGA_CRTC_MODE_ROW13 0x01u  /* 0: bit 13 of the address is bit 0 of the line within the row */
#define VGA_CRTC_MODE_ROW14 0x02u
#define VGA_CRTC_MODE_WRAP15 0x20u /* in word mode bit 0 of the address is bit 15 of the counter, else bit 13 */
#define VGA_CRTC_MODE_BYTES 0x40u

enum vga_attribute_register {
	VGA_ATTR_MODE = 0x10, VGA_ATTR_OVERSCAN, VGA_ATTR_PLANES, VGA_ATTR_PANNING, VGA_ATTR_SELECT, VGA_ATTR_COUNT
};
#define VGA_ATTR_MODE_MONO 0x02u
#define VGA_ATTR_MODE_LINES 0x04u  /* the ninth dot of 0xc0 to 0xdf is the eighth */
#define VGA_ATTR_MODE_BLINK 0x08u
#define VGA_ATTR_MODE_SPLIT 0x20u  /* below the line of VGA_CRTC_LINE_COMPARE there is no panning */
#define VGA_ATTR_MODE_P54 0x80u    /* bits 5 and 4 of a colour are those of VGA_ATTR_SELECT */

/* ---- the Bochs display interface ---- */

#define DISPI_INDEX 0x1ce      /* 2 bytes */
#define DISPI_DATA 0x1cf       /* 2 bytes; and at DISPI_DATA2, for who needs an even port */
#define DISPI_DATA2 0x1d0
#define DISPI_ID_FIRST 0xb0c0u
#define DISPI_ID_LAST 0xb0c5u

enum dispi_register {
	DISPI_ID, DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK, DISPI_VIRT_WIDTH, DISPI_VIRT_HEIGHT,
	DISPI_X_OFFSET, DISPI_Y_OFFSET, DISPI_MEMORY_64K, DISPI_COUNT
};
#define DISPI_ENABLED 0x01u
#define DISPI_GET_CAPABILITIES 0x02u
#define DISPI_8BIT_DAC 0x20u
#define DISPI_LFB 0x40u
#define DISPI_NO_CLEAR 0x80u

#endif /* __ASSEMBLER__ */

#endif
