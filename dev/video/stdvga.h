/* dev/video/stdvga.h - the VGA as a PCI device: QEMU's standard VGA (1234:1111; QEMU, "QEMU Standard VGA"), with its
 * memory at BAR 0, its registers at BAR 2, and its BIOS in a ROM. */
#ifndef VELLUM_DEV_STDVGA_H
#define VELLUM_DEV_STDVGA_H

#include "dev/bus/pci.h"
#include "dev/video/vga.h"

#define STDVGA_VENDOR 0x1234
#define STDVGA_DEVICE 0x1111
#define STDVGA_ROM_MAX 0x10000u
/* Of BAR 2: the VGA's ports from 0x3c0 on, and the display interface. */
#define STDVGA_PORTS 0x400u
#define STDVGA_DISPI 0x500u
#define STDVGA_REGISTERS_SIZE 0x1000u

struct stdvga {
	struct pci_device pci;
	struct vga vga;
	const uint8_t *rom;
	uint32_t rom_bytes;
};

/* memory, bytes, plain_changed: as vga_init(). rom: rom_bytes of a BIOS, at most STDVGA_ROM_MAX; the caller's.
 * subsystem: as i440fx_init(). false: ports, addresses or the bus are taken. */
struct stdvga_config {
	void *memory;
	uint32_t bytes;
	const void *rom;
	uint32_t rom_bytes;
	uint32_t subsystem;
	void (*plain_changed)(void *ctx);
	void *ctx;
};
bool stdvga_init(struct stdvga *s, struct pci *bus, unsigned devfn, struct timers *timers,
		 const struct stdvga_config *config);
/* Where the linear frame buffer is. false: nowhere now. */
bool stdvga_linear_at(const struct stdvga *s, uint32_t *gpa);

#endif
