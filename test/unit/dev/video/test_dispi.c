/* The Bochs display interface (dev/video/dispi.c), and the PCI device with it (dev/video/stdvga.c). */
#include "dev/video/stdvga.h"
#include "test/unit/dev/video/fixture.h"
#include "test/unit/dev/video/places.h"

static struct stdvga card;
static const uint8_t rom[512] = { 0x55, 0xaa, 1 };

static void set(uint16_t reg, uint16_t value)
{
	outw(pc, DISPI_INDEX, reg);
	outw(pc, DISPI_DATA, value);
}

static uint16_t get(uint16_t reg)
{
	outw(pc, DISPI_INDEX, reg);
	return inw(pc, DISPI_DATA);
}

static void mode(uint16_t x, uint16_t y, uint16_t bpp, uint16_t flags)
{
	set(DISPI_ENABLE, 0);
	set(DISPI_XRES, x);
	set(DISPI_YRES, y);
	set(DISPI_BPP, bpp);
	set(DISPI_ENABLE, DISPI_ENABLED | flags);
}

static void identity(void **state)
{
	(void)state;
	assert_int_equal(get(DISPI_ID), 0xb0c5);
	for (uint16_t id = 0xb0c0; id <= 0xb0c5; id++) {
		set(DISPI_ID, id);
		assert_int_equal(get(DISPI_ID), id);
	}
	set(DISPI_ID, 0xb0c6);
	assert_int_equal(get(DISPI_ID), 0xb0c5);
	assert_int_equal(get(DISPI_MEMORY_64K), BYTES / 0x10000);
	assert_int_equal(get(DISPI_COUNT), 0);
	assert_int_equal(inw(pc, DISPI_INDEX), DISPI_COUNT);
	outw(pc, DISPI_INDEX, DISPI_ID);
	assert_int_equal(inw(pc, DISPI_DATA2), 0xb0c5);
	assert_int_equal(inb(pc, DISPI_DATA), 0xff); /* whole registers only */
	set(DISPI_ENABLE, DISPI_GET_CAPABILITIES);
	assert_int_equal(get(DISPI_XRES), VGA_WIDTH_MAX);
	assert_int_equal(get(DISPI_YRES), VGA_HEIGHT_MAX);
	assert_int_equal(get(DISPI_BPP), 32);
}

static void modes(void **state)
{
	(void)state;
	mode(640, 400, 32, DISPI_LFB);
	assert_int_equal(get(DISPI_VIRT_WIDTH), 640);
	assert_int_equal(get(DISPI_VIRT_HEIGHT), BYTES / (640 * 4));
	assert_int_equal(get(DISPI_YRES), 400);
	assert_int_equal(vga.plain, VGA_PLAIN_LFB);
	set(DISPI_XRES, 320); /* not now */
	assert_int_equal(get(DISPI_XRES), 640);
	mode(1024, 768, 32, 0); /* more than there is memory for */
	assert_int_equal(get(DISPI_XRES), 1024);
	assert_int_equal(get(DISPI_YRES), BYTES / 4096);
	mode(800, 600, 4, 0);
	assert_int_equal(get(DISPI_VIRT_HEIGHT), BYTES / 400);
	mode(801, 600, 7, 0); /* there is no such depth: the one before is kept */
	assert_int_equal(get(DISPI_BPP), 4);
	assert_int_equal(get(DISPI_XRES), 800);
	mode(640, 480, 8, 0);
	set(DISPI_VIRT_WIDTH, 1024);
	set(DISPI_X_OFFSET, 2000);
	set(DISPI_Y_OFFSET, 60000);
	assert_int_equal(get(DISPI_X_OFFSET), 1024 - 640);
	assert_int_equal(get(DISPI_Y_OFFSET), BYTES / 1024 - 480);
	set(DISPI_BANK, 15);
	assert_int_equal(get(DISPI_BANK), 15);
	set(DISPI_BANK, 16);
	assert_int_equal(get(DISPI_BANK), 15);
}

static void clearing(void **state)
{
	(void)state;
	memset(memory, 0x55, sizeof(memory));
	mode(320, 200, 8, DISPI_NO_CLEAR);
	assert_int_equal(memory[0], 0x55555555);
	memset(vga.touched, 0, sizeof(vga.touched));
	mode(320, 200, 8, 0);
	assert_int_equal(memory[0], 0);
	assert_int_equal(memory[320 * 200 / 4 - 1], 0);
	assert_int_equal(memory[320 * 200 / 4], 0x55555555);
	assert_true(vga.touched[0] && vga.touched[15] && !vga.touched[16]);
}

static void wide_palette(void **state)
{
	(void)state;
	outb(pc, VGA_DAC_WRITE, 1);
	for (unsigned n = 0; n < 3; n++)
		outb(pc, VGA_DAC_DATA, 0x3f);
	mode(320, 200, 8, DISPI_8BIT_DAC);
	outb(pc, VGA_DAC_READ, 1);
	assert_int_equal(inb(pc, VGA_DAC_DATA), 0xfc);
	set(DISPI_ENABLE, 0);
	outb(pc, VGA_DAC_READ, 1);
	assert_int_equal(inb(pc, VGA_DAC_DATA), 0x3f);
}

/* ---- on the bus ---- */

static int setup_card(void **state)
{
	struct stdvga_config config = { .memory = memory, .bytes = BYTES, .rom = rom, .rom_bytes = sizeof(rom),
					.subsystem = 0x11001af4, .plain_changed = plain_changed };

	setup(state);
	memset(memory, 0, sizeof(memory));
	plain_changes = 0;
	assert_true(stdvga_init(&card, &pc->pci, PCI_DEVFN(2, 0), &pc->timers, &config));
	return 0;
}

static uint32_t config_read(unsigned reg)
{
	outl(pc, PCI_ADDRESS, PCI_ADDRESS_ENABLE | 2 << 11 | reg);
	return inl(pc, PCI_DATA);
}

static void on_the_bus(void **state)
{
	uint32_t at;

	(void)state;
	assert_int_equal(config_read(0), 0x11111234);
	assert_int_equal(config_read(8) >> 8, 0x030000);
	assert_int_equal(config_read(PCI_SUBSYSTEM), 0x11001af4);
	config_write(PCI_DEVFN(2, 0), PCI_BAR, ~0u);
	assert_int_equal(config_read(PCI_BAR), ~(BYTES - 1));
	config_write(PCI_DEVFN(2, 0), PCI_ROM_BASE, ~0u);
	assert_int_equal(config_read(PCI_ROM_BASE), (uint32_t)~(STDVGA_ROM_MAX - 1) | PCI_ROM_ENABLE);
	config_write(PCI_DEVFN(2, 0), PCI_ROM_BASE, 0);
	config_write(PCI_DEVFN(2, 0), PCI_BAR, LFB);
	config_write(PCI_DEVFN(2, 0), PCI_BAR + 8, REGISTERS);
	assert_false(stdvga_linear_at(&card, &at));
	config_write(PCI_DEVFN(2, 0), PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	assert_int_equal(config_read(PCI_COMMAND) & 3, 3);
	assert_true(stdvga_linear_at(&card, &at));
	assert_int_equal(at, LFB);
	assert_true(plain_changes > 0);
	mmio_write(&pc->mmio, LFB + BYTES - 4, 4, 0x12345678);
	assert_int_equal(memory[BYTES / 4 - 1], 0x12345678);
	assert_int_equal(mmio_read(&pc->mmio, LFB + BYTES - 4, 4), 0x12345678);
}

/* The ROM is decoded when its own bit says so, too. */
static void its_rom(void **state)
{
	(void)state;
	config_write(PCI_DEVFN(2, 0), PCI_ROM_BASE, ROM);
	config_write(PCI_DEVFN(2, 0), PCI_COMMAND, PCI_COMMAND_MEMORY);
	assert_int_equal(mmio_read(&pc->mmio, ROM, 2), 0xffff);
	config_write(PCI_DEVFN(2, 0), PCI_ROM_BASE, ROM | PCI_ROM_ENABLE);
	assert_int_equal(mmio_read(&pc->mmio, ROM, 4), 0x0001aa55);
	assert_int_equal(mmio_read(&pc->mmio, ROM + sizeof(rom) - 2, 4), 0xffff0000);
	assert_int_equal(mmio_read(&pc->mmio, ROM + STDVGA_ROM_MAX - 4, 4), 0xffffffff);
	mmio_write(&pc->mmio, ROM, 4, 0);
	assert_int_equal(mmio_read(&pc->mmio, ROM, 4), 0x0001aa55);
	config_write(PCI_DEVFN(2, 0), PCI_COMMAND, 0);
	assert_int_equal(mmio_read(&pc->mmio, ROM, 2), 0xffff);
}

static void registers_in_memory(void **state)
{
	(void)state;
	config_write(PCI_DEVFN(2, 0), PCI_BAR + 8, REGISTERS);
	config_write(PCI_DEVFN(2, 0), PCI_COMMAND, PCI_COMMAND_MEMORY);
	mmio_write(&pc->mmio, REGISTERS + STDVGA_PORTS + VGA_MISC_WRITE - VGA_ATTRIBUTE, 1, 0x67);
	assert_int_equal(mmio_read(&pc->mmio, REGISTERS + STDVGA_PORTS + VGA_MISC_READ - VGA_ATTRIBUTE, 1), 0x67);
	mmio_write(&pc->mmio, REGISTERS + STDVGA_PORTS + VGA_GRAPHICS - VGA_ATTRIBUTE, 2, 0x5a08);
	assert_int_equal(card.vga.graphics[VGA_GC_BIT_MASK], 0x5a);
	mmio_write(&pc->mmio, REGISTERS + STDVGA_DISPI + 2 * DISPI_XRES, 2, 400);
	assert_int_equal(mmio_read(&pc->mmio, REGISTERS + STDVGA_DISPI + 2 * DISPI_XRES, 2), 400);
	assert_int_equal(mmio_read(&pc->mmio, REGISTERS + STDVGA_DISPI, 2), 0xb0c5);
	assert_int_equal(mmio_read(&pc->mmio, REGISTERS, 4), 0xffffffff); /* no EDID */
	assert_int_equal(mmio_read(&pc->mmio, REGISTERS + 0xff8, 8), ~0ull);
}

/* ---- snapshots ---- */

static void use(uint64_t *seed, unsigned steps)
{
	while (steps--) {
		unsigned r = pc_random(seed), value = pc_random(seed) >> 3;

		if (r & 1) {
			outb(pc, (uint16_t)(VGA_PORTS + (r >> 8) % (VGA_PORTS_END - VGA_PORTS)), (uint8_t)value);
			continue;
		}
		outw(pc, DISPI_INDEX, (uint16_t)((r >> 8) % (DISPI_COUNT + 1)));
		outw(pc, DISPI_DATA, (uint16_t)(r & 2 ? value % 700 : r & 4 ? value % 0x100 : 8 * (1 + value % 4)));
	}
}

static size_t saved(uint8_t *bytes, size_t size)
{
	struct fields s;

	state_save(&s, bytes, size);
	vga_state(&s, &vga);
	assert_false(s.bad);
	return s.at;
}

static bool loaded(const uint8_t *bytes, size_t n)
{
	struct fields s;

	state_load(&s, bytes, n, 0);
	vga_state(&s, &vga);
	return !s.bad;
}

/* All registers come back, and what follows from them; the memory is told elsewhere, and is not cleared. */
static void snapshots(void **state)
{
	static uint8_t before[4096], after[4096];
	uint64_t seed = 11;
	unsigned enabled = 0;

	(void)state;
	for (unsigned n = 0; n < 200; n++) {
		struct vga was;
		size_t size;

		use(&seed, 300);
		enabled += dispi_enabled(&vga);
		was = vga;
		size = saved(before, sizeof(before));
		use(&seed, 300);
		memset(memory, 0x5a, BYTES);
		assert_true(loaded(before, size));
		assert_int_equal(saved(after, sizeof(after)), size);
		assert_memory_equal(before, after, size);
		assert_int_equal(vga.plain, was.plain);
		assert_int_equal(vga.plain_offset, was.plain_offset);
		assert_int_equal(vga.planes_offset, was.planes_offset);
		assert_int_equal(vga.map_mask, was.map_mask);
		assert_int_equal(vga.window_size, was.window_size);
		assert_int_equal(*(uint8_t *)memory, 0x5a);
	}
	assert_in_range(enabled, 20, 180);
}

/* A mode that would be refused is. */
static void bad_snapshots(void **state)
{
	static const struct { unsigned reg; uint16_t value; } bad[] = {
		{ DISPI_ID, 0xb0cf }, { DISPI_XRES, VGA_WIDTH_MAX + 8 }, { DISPI_YRES, VGA_HEIGHT_MAX + 1 },
		{ DISPI_BPP, 17 }, { DISPI_BANK, BYTES / VGA_BANK }, { DISPI_MEMORY_64K, 1 },
		/* Of one that is enabled. */
		{ DISPI_XRES, 644 }, { DISPI_VIRT_WIDTH, 632 }, { DISPI_VIRT_HEIGHT, 5 }, { DISPI_X_OFFSET, 1 },
		{ DISPI_Y_OFFSET, 2000 }, { DISPI_YRES, 0 },
	};
	static uint8_t bytes[4096];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		uint16_t kept;

		mode(640, 480, 8, 0);
		if (i < 6)
			set(DISPI_ENABLE, 0);
		kept = vga.dispi[bad[i].reg];
		vga.dispi[bad[i].reg] = bad[i].value;
		n = saved(bytes, sizeof(bytes));
		vga.dispi[bad[i].reg] = kept;
		if (loaded(bytes, n))
			fail_msg("register %u is taken as 0x%x", bad[i].reg, bad[i].value);
		assert_int_equal(vga.dispi[bad[i].reg], kept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VGA_TEST(identity), VGA_TEST(modes), VGA_TEST(clearing), VGA_TEST(wide_palette),
		VGA_TEST(snapshots), VGA_TEST(bad_snapshots),
		PC_TEST(on_the_bus, setup_card), PC_TEST(its_rom, setup_card), PC_TEST(registers_in_memory, setup_card),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
