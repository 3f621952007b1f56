#include "test/unit/dev/ide/rig.h"

#include <string.h>

#include "test/unit/dev/config_space.h"

struct rig *rig;

static void set_line(void *ctx, unsigned gsi, bool level)
{
	struct rig *r = ctx;

	r->rises[gsi] += level && !r->line[gsi];
	r->line[gsi] = level;
}

static void inside(bool is) { rig->guest.inside = rig->cd.inside = is; }

void rig_make(bool read_only)
{
	static struct rig the_rig;
	struct machine_sink none = { NULL, NULL };
	struct irq_line irq[IDE_CHANNELS] = { { set_line, &the_rig, 14 }, { set_line, &the_rig, 15 } };
	struct guest_memory memory;

	rig = memset(&the_rig, 0, sizeof(the_rig));
	medium_make(&rig->medium);
	guest_make(&rig->guest, &rig->medium, 0);
	guest_make(&rig->cd, &rig->medium, 1);
	rig->guest.disk.read_only = read_only;
	rig->cd.disk.read_only = true;
	memory = rig->guest.disk.memory;
	assert_true(ports_init(&rig->ports, &rig->pio, none, false));
	assert_true(pci_init(&rig->bus, &rig->pio, &rig->mmio, &rig->ports, (struct irq_line){ set_line, rig, 0 }));
	assert_true(ide_init(&rig->ide, &rig->bus, irq, memory, 0x11001af4));
	assert_true(ide_attach(&rig->ide, &rig->pio, 0, 0, &rig->guest.disk, false, "a serial"));
	assert_true(ide_attach(&rig->ide, &rig->pio, 1, 0, &rig->cd.disk, true, "a cd"));
	assert_true(pci_assign(&rig->bus, MASTER_AT, 0xc0000000, 0xfec00000));
	inside(true); /* the device lock is held in every access */
}

void rig_forget(void) { rig = NULL; }

static uint16_t command_port(unsigned channel, unsigned reg)
{
	return (uint16_t)((channel ? ATA_COMMAND_2 : ATA_COMMAND_1) + reg);
}

void reg_out(unsigned channel, unsigned reg, uint8_t value)
{
	pio_out(&rig->pio, command_port(channel, reg), 1, value);
}

uint8_t reg_in(unsigned channel, unsigned reg) { return (uint8_t)pio_in(&rig->pio, command_port(channel, reg), 1); }

void control_out(unsigned channel, uint8_t value)
{
	pio_out(&rig->pio, channel ? ATA_CONTROL_2 : ATA_CONTROL_1, 1, value);
}

uint8_t alternate(unsigned channel) { return (uint8_t)pio_in(&rig->pio, channel ? ATA_CONTROL_2 : ATA_CONTROL_1, 1); }

void master_out(unsigned channel, unsigned reg, unsigned size, uint32_t value)
{
	pio_out(&rig->pio, (uint16_t)(MASTER_AT + BM_CHANNEL * channel + reg), size, value);
}

uint32_t master_in(unsigned channel, unsigned reg, unsigned size)
{
	return pio_in(&rig->pio, (uint16_t)(MASTER_AT + BM_CHANNEL * channel + reg), size);
}

static uint16_t port_of(unsigned reg) { return config_port(&rig->pio, PCI_DEVFN(1, 1), reg); }

uint32_t config_in(unsigned reg) { return pio_in(&rig->pio, port_of(reg), 4); }

void config_out(unsigned reg, unsigned size, uint32_t value) { pio_out(&rig->pio, port_of(reg), size, value); }

void settle(void)
{
	inside(false);
	medium_finish(&rig->medium);
	inside(true);
}

void command(unsigned channel, uint8_t code, uint32_t lba, uint8_t count)
{
	reg_out(channel, ATA_DEVICE, (uint8_t)(ATA_DEVICE_LBA | (lba >> 24 & ATA_DEVICE_LOW)));
	reg_out(channel, ATA_COUNT, count);
	reg_out(channel, ATA_LBA_LOW, (uint8_t)lba);
	reg_out(channel, ATA_LBA_MID, (uint8_t)(lba >> 8));
	reg_out(channel, ATA_LBA_HIGH, (uint8_t)(lba >> 16));
	reg_out(channel, ATA_COMMAND, code);
	settle();
}

void command48(uint8_t code, uint64_t lba, uint16_t count)
{
	reg_out(0, ATA_COUNT, (uint8_t)(count >> 8));
	reg_out(0, ATA_LBA_LOW, (uint8_t)(lba >> 24));
	reg_out(0, ATA_LBA_MID, (uint8_t)(lba >> 32));
	reg_out(0, ATA_LBA_HIGH, (uint8_t)(lba >> 40));
	command(0, code, (uint32_t)lba & 0xffffff, (uint8_t)count);
}

void data_in(unsigned channel, void *to, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i += 2) {
		uint16_t word = (uint16_t)pio_in(&rig->pio, command_port(channel, ATA_DATA), 2);

		memcpy((uint8_t *)to + i, &word, 2);
	}
	settle();
}

void data_out(unsigned channel, const void *from, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i += 2) {
		uint16_t word;

		memcpy(&word, (const uint8_t *)from + i, 2);
		pio_out(&rig->pio, command_port(channel, ATA_DATA), 2, word);
	}
	settle();
}

void region(unsigned n, uint32_t gpa, uint32_t bytes, bool last)
{
	uint32_t e[2] = { gpa, (bytes & 0xffff) | (last ? BM_TABLE_END : 0) };

	memcpy(rig->guest.ram + TABLE + 8 * n, e, sizeof(e));
}

void master_start(unsigned channel, bool to_memory)
{
	uint8_t direction = to_memory ? BM_TO_MEMORY : 0;

	master_out(channel, BM_COMMAND, 1, direction);
	master_out(channel, BM_STATUS, 1, BM_FAILED | BM_INTERRUPT);
	master_out(channel, BM_TABLE, 4, TABLE);
	master_out(channel, BM_COMMAND, 1, direction | BM_START);
	settle();
}

void packet(const uint8_t *p, unsigned bytes, unsigned features, unsigned limit)
{
	uint8_t whole[12] = { 0 };

	memcpy(whole, p, bytes);
	reg_out(1, ATA_DEVICE, 0);
	reg_out(1, ATA_FEATURES, (uint8_t)features);
	reg_out(1, ATA_LBA_MID, (uint8_t)limit);
	reg_out(1, ATA_LBA_HIGH, (uint8_t)(limit >> 8));
	reg_out(1, ATA_COMMAND, ATA_PACKET);
	assert_int_equal(alternate(1), ATA_DRDY | ATA_DRQ);
	assert_int_equal(reg_in(1, ATA_COUNT), 1); /* a command, from the host */
	assert_false(rig->line[15]);
	data_out(1, whole, sizeof(whole));
}
