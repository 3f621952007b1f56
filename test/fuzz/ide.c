/* An IDE controller with a disk and a CD drive under libFuzzer: registers, the data port, packets, the bus master and
 * its table, the configuration space, resets, what the media do, at any time. Nothing may crash, an access does a
 * bounded amount of work, and what is under way ends, or can be ended by a reset. */
#include "test/fuzz/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/dev/ide/rig.h"

#define STEPS_MAX 300
#define MEDIUM_STEPS_MAX 3000 /* of what one command may ask for */

static const uint8_t commands[] = {
	ATA_READ, ATA_READ_EXT, ATA_READ_DMA, ATA_READ_DMA_EXT, ATA_READ_MULTIPLE, ATA_WRITE, ATA_WRITE_EXT,
	ATA_WRITE_DMA, ATA_WRITE_MULTIPLE, ATA_SET_MULTIPLE, ATA_IDENTIFY, ATA_IDENTIFY_PACKET, ATA_PACKET, ATA_FLUSH,
	ATA_VERIFY_EXT, ATA_SET_FEATURES, ATA_INIT_PARAMETERS, ATA_DIAGNOSTIC, ATA_DEVICE_RESET, ATA_NATIVE_MAX,
};

static unsigned channel(struct input *in) { return in8(in) & 1; }

static void register_access(struct input *in)
{
	unsigned how = in8(in), reg = how & 7, c = how >> 3 & 1;

	if (how & 0x10)
		reg_in(c, reg);
	else
		reg_out(c, reg, in8(in));
}

static void control(struct input *in)
{
	unsigned how = in8(in);

	if (how & 1)
		alternate(how >> 1 & 1);
	else
		control_out(how >> 1 & 1, in8(in));
}

/* A command as a driver gives it; what is asked for mostly lies on the medium. */
static void whole_command(struct input *in)
{
	unsigned c = channel(in), how = in8(in);

	reg_out(c, ATA_DEVICE, how & 1 ? ATA_DEVICE_LBA : (uint8_t)(how & (ATA_DEVICE_LBA | ATA_DEVICE_SECOND | 15)));
	reg_out(c, ATA_FEATURES, in8(in) & 3);
	for (unsigned reg = ATA_COUNT; reg <= ATA_LBA_HIGH; reg++) {
		reg_out(c, reg, how & 0x80 ? in8(in) : 0);
		reg_out(c, reg, reg == ATA_LBA_HIGH && !(how & 0x20) ? in8(in) & 1 : in8(in));
	}
	reg_out(c, ATA_COMMAND, how & 8 ? in8(in) : commands[in8(in) % sizeof(commands)]);
}

static void data(struct input *in)
{
	static uint8_t bytes[0x400];
	uint16_t port = channel(in) ? ATA_COMMAND_2 : ATA_COMMAND_1;
	unsigned how = in8(in), size = how & 1 ? 4 : 2, n = 1 + in8(in);

	for (unsigned i = 0; i < 4 && how & 0x10; i++)
		bytes[i] = in8(in);
	if (how & 2)
		pio_in_string(&rig->pio, port, size, bytes, n);
	else if (how & 4)
		pio_out_string(&rig->pio, port, size, bytes, n);
	else if (how & 8)
		pio_in(&rig->pio, port, size);
	else
		pio_out(&rig->pio, port, size, in16(in));
}

static void packet_given(struct input *in)
{
	static const uint8_t codes[] = { 0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x43, 0x46, 0x4a, 0x51,
					 0x5a, 0xa8, 0xbd };
	uint8_t p[12];
	unsigned how = in8(in);

	reg_out(1, ATA_DEVICE, 0);
	reg_out(1, ATA_FEATURES, how & 1);
	reg_out(1, ATA_LBA_MID, in8(in));
	reg_out(1, ATA_LBA_HIGH, in8(in));
	reg_out(1, ATA_COMMAND, ATA_PACKET);
	for (unsigned i = 0; i < sizeof(p); i++)
		p[i] = how & 2 && i > 1 && i < 5 ? 0 : in8(in);
	if (!(how & 0x80))
		p[0] = codes[p[0] % sizeof(codes)];
	for (unsigned i = 0; i < sizeof(p); i += 2)
		pio_out(&rig->pio, ATA_COMMAND_2, 2, p[i] | (unsigned)p[i + 1] << 8);
}

static void master(struct input *in)
{
	unsigned how = in8(in), reg = how & 7, size = 1u << (how >> 3) % 3, c = how >> 5 & 1;

	if (how & 0x40)
		master_in(c, reg, size);
	else
		master_out(c, reg, size, how & 0x80 ? in32(in) : TABLE);
}

static void master_given(struct input *in)
{
	unsigned how = in8(in), c = how & 1;

	master_out(c, BM_TABLE, 4, how & 2 ? in32(in) : TABLE);
	master_out(c, BM_COMMAND, 1, how >> 2 & (BM_START | BM_TO_MEMORY));
}

static void write_table(struct input *in)
{
	static const uint32_t odd[] = { 0, GUEST_ROM - 300, GUEST_ROM, GUEST_RAM - 18, GUEST_RAM, 0xfee00000,
					0xfffffff0, TABLE };
	unsigned how = in8(in);

	uint32_t gpa = how & 8 ? odd[in8(in) % ARRAY_SIZE(odd)] : DATA + 0x100u * in8(in);

	region(how & 7, gpa, how & 0x10 ? in16(in) : 0x200, how & 0x20);
}

static void space_access(struct input *in)
{
	unsigned how = in8(in), reg = how & 1 ? PCI_COMMAND : in8(in) & 0xfc;

	if (how & 2)
		config_in(reg);
	else
		config_out(reg, how & 4 ? 4 : 2, how & 8 ? in32(in) : in8(in));
}

static void medium_works(struct input *in)
{
	unsigned how = in8(in);

	rig->medium.fail = how & 1;
	rig->medium.refuse = how & 2;
	rig->guest.inside = rig->cd.inside = false;
	medium_end(&rig->medium);
	rig->guest.inside = rig->cd.inside = true;
}

static void check(void)
{
	for (unsigned c = 0; c < IDE_CHANNELS; c++) {
		const struct ide_channel *ch = &rig->ide.channel[c];
		const struct ide_drive *d = &ch->drive[0];
		bool ready = d->phase == IDE_IN || d->phase == IDE_OUT || d->phase == IDE_PACKET;

		if (d->at > d->end || d->end > d->filled || d->filled > IDE_BUFFER)
			fail_with("the data port is outside of the buffer");
		if (ready && (d->at == d->end || !(d->status & ATA_DRQ)))
			fail_with("data are ready, and there are none");
		if ((d->phase == IDE_MEDIUM) != (d->disk->first != NULL))
			fail_with("a drive does not know what the medium has of it");
		if ((d->phase == IDE_MEDIUM || d->phase == IDE_RESET) != !!(d->status & ATA_BSY))
			fail_with("busy, or not");
		if (rig->line[14 + c] != ch->level)
			fail_with("the line is not what the channel says");
	}
}

/* All that is under way ends; a reset makes both drives ready. */
static void drain(void)
{
	unsigned n = 0;

	rig->medium.refuse = false;
	rig->guest.inside = rig->cd.inside = false;
	while (medium_end(&rig->medium))
		if (++n > MEDIUM_STEPS_MAX)
			fail_with("the medium works without end");
	rig->guest.inside = rig->cd.inside = true;
	check();
	config_out(0x40, 4, 0x80008000);
	config_out(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	for (unsigned c = 0; c < IDE_CHANNELS; c++) {
		control_out(c, ATA_SRST);
		control_out(c, 0);
		if (alternate(c) != (c ? 0 : GOOD) || rig->line[14 + c])
			fail_with("a reset does not bring it back");
	}
	if (rig->medium.queue.state != BLOCK_IDLE)
		fail_with("a request is neither answered nor under way");
}

int LLVMFuzzerTestOneInput(const uint8_t *data_given, size_t size)
{
	static void (*const what[])(struct input *) = {
		register_access, control, whole_command, whole_command, data, data, packet_given, master, master_given,
		write_table, space_access, medium_works, medium_works,
	};

	rig_fuzz(&(struct rig_steps){ what, ARRAY_SIZE(what), STEPS_MAX, check, drain }, data_given, size);
	return 0;
}
