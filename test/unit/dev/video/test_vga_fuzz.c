/* A guest that does anything with its display: random ports, registers and accesses; and pictures of what comes of it.
 * Nothing leaves the memory (which the sanitizers watch), and no picture is larger than it may be (VG1). */
#include <stdlib.h>

#include "dev/video/stdvga.h"
#include "dev/video/vga_state.h"
#include "test/unit/dev/fixture.h"
#include "test/unit/dev/video/places.h"

#define BYTES (256u << 10)
#define STEPS 400000u

static struct stdvga card;
static unsigned changes;

static void plain_changed(void *ctx)
{
	(void)ctx;
	changes++;
}

static void random_port(uint64_t *seed)
{
	uint32_t r = pc_random(seed), value = pc_random(seed);
	uint16_t port = r & 0x100 ? (uint16_t)(VGA_PORTS + r % 0x30) : (uint16_t)(DISPI_INDEX + r % 4);
	unsigned size = 1u << (r >> 16) % 3;

	if (r & 1u << 28)
		pio_in(&pc->pio, port, size);
	else
		pio_out(&pc->pio, port, size, r & 1u << 29 ? value : value & 0x0f1f);
}

/* Registers that make sense now and then. */
static void random_register(uint64_t *seed)
{
	static const uint16_t ports[] = { VGA_SEQUENCER, VGA_GRAPHICS, VGA_CRTC };
	uint32_t r = pc_random(seed);

	if (r & 1) {
		outw(pc, ports[(r >> 8) % 3], (uint16_t)((r >> 16 & 0xff) << 8 | (r >> 24) % 0x1a));
	} else {
		outw(pc, DISPI_INDEX, (uint16_t)((r >> 8) % DISPI_COUNT));
		outw(pc, DISPI_DATA, (uint16_t)(pc_random(seed) >> (r >> 16) % 16));
	}
}

static void random_access(uint64_t *seed)
{
	static const struct { uint32_t at, bytes; } places[] = {
		{ VGA_APERTURE, VGA_APERTURE_SIZE }, { LFB, BYTES }, { REGISTERS, STDVGA_REGISTERS_SIZE },
		{ ROM, STDVGA_ROM_MAX } };
	uint32_t r = pc_random(seed), which = r % 4;
	uint64_t at = places[which].at + pc_random(seed) % (places[which].bytes + 8);
	unsigned size = 1u << (r >> 8) % 4;

	if (r & 1u << 28)
		mmio_read(&pc->mmio, at, size);
	else
		mmio_write(&pc->mmio, at, size, (uint64_t)pc_random(seed) << 32 | pc_random(seed));
}

/* In a buffer of the line's own size, so that one dot more is seen. */
static void picture(uint64_t *seed)
{
	uint8_t bytes[VGA_STATE_BYTES];
	struct vga_picture p;
	uint32_t *line;

	vga_picture(&card.vga, &p);
	assert_in_range(p.width, 1, VGA_WIDTH_MAX);
	assert_in_range(p.height, 1, VGA_HEIGHT_MAX);
	line = malloc(p.width * sizeof(*line));
	for (unsigned n = 0; n < 4; n++)
		vga_picture_line(&card.vga, &p, n == 0 ? p.height - 1 : pc_random(seed) % p.height, line);
	free(line);
	vga_state_save(&card.vga, bytes);
}

static void anything(void **state)
{
	static const uint8_t rom[700] = { 0x55, 0xaa };
	struct stdvga_config config = { .memory = malloc(BYTES), .bytes = BYTES, .rom = rom, .rom_bytes = sizeof(rom),
					.plain_changed = plain_changed };
	uint64_t seed = 7;

	(void)state;
	memset(config.memory, 0, BYTES);
	assert_true(stdvga_init(&card, &pc->pci, PCI_DEVFN(2, 0), &pc->timers, &config));
	config_write(PCI_DEVFN(2, 0), PCI_BAR, LFB);
	config_write(PCI_DEVFN(2, 0), PCI_BAR + 8, REGISTERS);
	config_write(PCI_DEVFN(2, 0), PCI_ROM_BASE, ROM | PCI_ROM_ENABLE);
	config_write(PCI_DEVFN(2, 0), PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	for (unsigned n = 0; n < STEPS; n++) {
		uint32_t r = pc_random(&seed);

		if (r % 1024 == 0)
			outb(pc, VGA_MISC_WRITE, VGA_MISC_COLOUR | VGA_MISC_MEMORY);
		else if (r % 64 == 0)
			picture(&seed);
		else if (r % 4 == 0)
			random_port(&seed);
		else if (r % 4 == 1)
			random_register(&seed);
		else
			random_access(&seed);
		pc->now += r % 1000;
	}
	assert_true(changes > 10);
	free(config.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = { PC_TEST(anything, setup) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
