/* dev/video/vga.h - a VGA with the Bochs display interface: registers, memory, and what a screen would show of it.
 * Registers are named as in IBM's VGA reference and FreeVGA; the interface is the Bochs VBE Display API.
 *
 * Its memory is a row of doublewords: byte n of doubleword o is offset o of plane n. In chain-4 modes byte a is what
 * the CPU finds at a, so that it can be the guest's own memory: unlike in an IBM VGA, where it is offset a & ~3 of
 * plane a & 3; who writes in one mode and reads in another sees that.
 *
 *   VG1  Whatever the registers hold, no access leaves the memory, and a picture has at most VGA_WIDTH_MAX by
 *        VGA_HEIGHT_MAX pixels.
 *   VG2  The guest has the memory as its own (.plain) in one place at a time at most: at the linear frame buffer, while
 *        the display interface is enabled with it; else in the aperture, while that is chain-4 with all planes. There a
 *        byte that is written is stored, and one that is read is what was stored: nothing else follows from either.
 *   VG3  One without memory (vga_text_init) has .doublewords 0, and only its registers are reached: none of them reads
 *        or writes memory. */
#ifndef VELLUM_DEV_VGA_H
#define VELLUM_DEV_VGA_H

#include "dev/dev.h"
#include "lib/vga.h"

#define VGA_PLANES 4
#define EACH_PLANE 0x01010101u /* a byte times this is in all of them */
#define VGA_WIDTH_MAX 2560u
#define VGA_HEIGHT_MAX 1600u
/* Bytes that the aperture has in chain-4 modes, and a bank. */
#define VGA_BANK 0x10000u
#define VGA_MEMORY_MAX (16u << 20)
#define VGA_PAGES (VGA_MEMORY_MAX >> PAGE_SHIFT)

enum vga_plain { VGA_PLAIN_NOWHERE, VGA_PLAIN_APERTURE, VGA_PLAIN_LFB };

struct vga {
	uint8_t misc, feature;
	uint8_t sequencer_index, sequencer[VGA_SEQ_COUNT];
	uint8_t graphics_index, graphics[VGA_GC_COUNT];
	uint8_t crtc_index, crtc[VGA_CRTC_COUNT];
	uint8_t attribute_index, attribute[VGA_ATTR_COUNT];
	bool attribute_data;         /* what is written next is data */
	uint8_t dac_mask, dac_read, dac_write, dac_part, dac_new[3];
	bool dac_reading;
	uint8_t palette[256][3];     /* red, green, blue; 6 bits each, or 8 */
	uint16_t dispi_index, dispi[DISPI_COUNT];
	uint32_t latch;              /* of the four planes, as a doubleword of memory */
	/* What the registers say of writes, in the form in which it is needed */
	uint32_t map_mask, set_reset, enable_set_reset, bit_mask;
	uint32_t window_base, window_size; /* of the aperture, what answers; bytes from its beginning */
	uint32_t *memory;
	uint32_t doublewords;        /* of memory; a power of two */
	enum vga_plain plain;
	uint32_t plain_offset;       /* bytes: what is at the beginning of the aperture */
	uint32_t planes_offset, planes_mask; /* of planes: the same in doublewords, and those that addresses can name */
	bool changed;                /* registers, since the owner has cleared it */
	uint8_t touched[VGA_PAGES];  /* pages of memory that the device has written, since the owner has cleared it */
	struct timers *timers;
	void (*plain_changed)(void *ctx);
	void *ctx;
};

/* ---- vga.c ---- */
/* memory: bytes of it, a power of two, 256 KBytes to VGA_MEMORY_MAX, aligned to 4, all zero; the caller's.
 * plain_changed: .plain or .plain_offset has changed. false: ports or addresses are taken. */
bool vga_init(struct vga *v, struct pio_space *pio, struct mmio_space *mmio, struct timers *timers, void *memory,
	      uint32_t bytes, void (*plain_changed)(void *ctx), void *ctx);
void vga_reset(struct vga *v);
/* dev/video/video_state.c: of one without memory (VG3), and of one with. */
void vga_text_state(struct fields *s, struct vga *v);
void vga_state(struct fields *s, struct vga *v);
/* Its registers at 0x3b0 to 0x3df. false: the ports are taken. */
bool vga_add_ports(struct vga *v, struct pio_space *pio);
/* A register at one of VGA's ports, and of the display interface by its number. */
uint8_t vga_port_read(void *vga, uint16_t port);
void vga_port_write(void *vga, uint16_t port, uint8_t value);
/* Of what has been written, what follows from it. */
void vga_update(struct vga *v);

/* ---- vga_text.c ---- */
/* The registers alone, in text mode 3: there is no memory, nothing at the aperture, and no display interface (VG3).
 * false: ports are taken. */
bool vga_text_init(struct vga *v, struct pio_space *pio, struct timers *timers);

/* ---- dispi.c ---- */
bool dispi_init(struct vga *v, struct pio_space *pio);
void dispi_reset(struct vga *v);
uint16_t dispi_read(const struct vga *v, unsigned reg);
void dispi_write(struct vga *v, unsigned reg, uint16_t value);
/* Can its registers be so, in a display with this one's memory? */
bool dispi_possible(const struct vga *v, const uint16_t *dispi);
static inline bool dispi_enabled(const struct vga *v) { return v->dispi[DISPI_ENABLE] & DISPI_ENABLED; }

/* ---- vga_memory.c ---- */
extern const struct mmio_ops vga_aperture, vga_linear;
/* One byte of the aperture, by its offset in it. */
uint8_t vga_memory_read(struct vga *v, uint32_t offset);
void vga_memory_write(struct vga *v, uint32_t offset, uint8_t value);
/* The same of count elements of size bytes, one behind the other, each with the low bytes of value. */
void vga_fill(struct vga *v, uint32_t offset, uint64_t value, unsigned size, unsigned count);

/* ---- vga_picture.c ---- */

enum vga_kind { VGA_BLANK, VGA_TEXT, VGA_PLANAR, VGA_CGA, VGA_256, VGA_HIGH };

struct vga_picture {
	enum vga_kind kind;
	unsigned width, height;      /* pixels */
	unsigned bits;               /* VGA_HIGH: of a pixel */
	uint32_t start, pitch;       /* VGA_HIGH: bytes; else: counts of addresses */
	unsigned cell_width, cell_height; /* dots of a character */
	unsigned lines;              /* of the display for one of the picture */
};

/* What there is to be seen now. */
void vga_picture(const struct vga *v, struct vga_picture *p);
/* Line y of it, as .width pixels of 0xRRGGBB. */
void vga_picture_line(const struct vga *v, const struct vga_picture *p, unsigned y, uint32_t *pixel);

#endif
