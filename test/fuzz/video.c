/* The guest's display, keyboard and mouse under libFuzzer: accesses to ports, registers and memory, keys, movements,
 * and pictures of what comes of it. Nothing leaves the memory or a picture's lines, which the sanitizers watch. */
#include "test/fuzz/input.h"

#include <stdlib.h>

#include "dev/video/stdvga.h"
#include "dev/video/vga_state.h"
#include "test/unit/dev/pc.h"
#include "test/unit/dev/video/places.h"

#define STEPS_MAX 300
#define BYTES (256u << 10)

static struct stdvga card;

static void config_write(struct pc *pc, unsigned reg, uint32_t value)
{
	outl(pc, PCI_ADDRESS, PCI_ADDRESS_ENABLE | 2 << 11 | reg);
	outl(pc, PCI_DATA, value);
}

static void port_access(struct pc *pc, struct input *in)
{
	static const uint16_t bases[] = { VGA_PORTS, DISPI_INDEX, PORT_KBC_DATA };
	static const uint8_t counts[] = { VGA_PORTS_END - VGA_PORTS, 4, 5 };
	unsigned how = in8(in), which = (how >> 2) % 3, size = 1u << how % 3;
	uint16_t port = (uint16_t)(bases[which] + in8(in) % counts[which]);

	if (how & 0x80)
		pio_in(&pc->pio, port, size);
	else
		pio_out(&pc->pio, port, size, how & 0x40 ? in32(in) : in8(in));
}

static void memory_access(struct pc *pc, struct input *in)
{
	static const uint32_t bases[] = { VGA_APERTURE, LFB, REGISTERS, ROM };
	unsigned how = in8(in), size = 1u << (how & 3);
	uint64_t at = bases[how >> 2 & 3] + (in32(in) & 0x3ffff);

	if (how & 0x80)
		mmio_read(&pc->mmio, at, size);
	else if (how & 0x40 && at - VGA_APERTURE < VGA_APERTURE_SIZE)
		vga_fill(&card.vga, (uint32_t)(at - VGA_APERTURE), in32(in), size, in8(in));
	else
		mmio_write(&pc->mmio, at, size, in_bytes(in, 8));
}

static void picture(struct input *in)
{
	uint8_t bytes[VGA_STATE_BYTES];
	struct vga_picture p;
	uint32_t *line;

	vga_picture(&card.vga, &p);
	if (!p.width || p.width > VGA_WIDTH_MAX || !p.height || p.height > VGA_HEIGHT_MAX)
		fail_with("a picture of no size, or too large");
	line = malloc(p.width * sizeof(*line));
	vga_picture_line(&card.vga, &p, p.height - 1, line);
	vga_picture_line(&card.vga, &p, in16(in) % p.height, line);
	free(line);
	vga_state_save(&card.vga, bytes);
}

static void outside(struct pc *pc, struct input *in)
{
	if (in8(in) & 1)
		i8042_key(&pc->i8042, in8(in), in8(in));
	else
		i8042_mouse(&pc->i8042, in8(in), (int16_t)in16(in), (int16_t)in16(in), (int8_t)in8(in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t rom[700] = { 0x55, 0xaa };
	struct input in = { data, size };
	struct pc *pc = pc_new(1000000000);
	struct stdvga_config config = { .memory = calloc(1, BYTES), .bytes = BYTES, .rom = rom,
					.rom_bytes = sizeof(rom) };

	pc_add_firmware(pc);
	if (!stdvga_init(&card, &pc->pci, PCI_DEVFN(2, 0), &pc->timers, &config))
		fail_with("it cannot be made");
	config_write(pc, PCI_BAR, LFB);
	config_write(pc, PCI_BAR + 8, REGISTERS);
	config_write(pc, PCI_ROM_BASE, ROM | PCI_ROM_ENABLE);
	config_write(pc, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	for (unsigned n = 0; n < STEPS_MAX && in.left; n++)
		switch (in8(&in) % 8) {
		case 0: case 1: case 2: port_access(pc, &in); break;
		case 3: case 4: memory_access(pc, &in); break;
		case 5: picture(&in); break;
		case 6: outside(pc, &in); break;
		default: pc->now += in16(&in); break;
		}
	free(config.memory);
	pc_delete(pc);
	return 0;
}
