/* A guest's driver at an IDE controller with a disk (0.0) and a CD drive (1.0), and all that is below: media, bus,
 * ports. */
#ifndef VELLUM_TEST_IDE_RIG_H
#define VELLUM_TEST_IDE_RIG_H

#include "dev/ide/ide.h"
#include "test/unit/dev/block/medium.h"
#include "test/unit/dev/block/rig.h"

#define MASTER_AT 0xc000u
#define TABLE 0x1000u /* where the driver puts what is for the bus master */
#define DATA 0x10000u
#define CD_SECTORS (MEDIUM_SECTORS / 4)

struct rig {
	struct medium medium; /* unit 0 is the disk's, 1 the CD's */
	struct guest guest, cd;
	struct ide ide;
	struct pio_space pio;
	struct mmio_space mmio;
	struct ports ports;
	struct pci bus;
	bool line[16];
	unsigned rises[16];
};

extern struct rig *rig;

void reg_out(unsigned channel, unsigned reg, uint8_t value);
uint8_t reg_in(unsigned channel, unsigned reg);
void control_out(unsigned channel, uint8_t value);
uint8_t alternate(unsigned channel);
void master_out(unsigned channel, unsigned reg, unsigned size, uint32_t value);
uint32_t master_in(unsigned channel, unsigned reg, unsigned size);
uint32_t config_in(unsigned reg);
void config_out(unsigned reg, unsigned size, uint32_t value);
/* What is under way ends. */
void settle(void);
/* The address and count of a command in 28 bits, for drive 0; and the command, until the medium has nothing to do. */
void command(unsigned channel, uint8_t code, uint32_t lba, uint8_t count);
void command48(uint8_t code, uint64_t lba, uint16_t count);
void data_in(unsigned channel, void *to, unsigned bytes);
void data_out(unsigned channel, const void *from, unsigned bytes);
/* An entry of the bus master's table. */
void region(unsigned n, uint32_t gpa, uint32_t bytes, bool last);
/* The table, direction and start. */
void master_start(unsigned channel, bool to_memory);
/* A packet, with the limit of bytes; until the medium has nothing to do. */
void packet(const uint8_t *p, unsigned bytes, unsigned features, unsigned limit);
#define PACKET(features, limit, ...) \
	packet((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), features, limit)

/* The status, which is noticed thereby; fails if it is another. */
#define STATUS(channel, wanted) assert_int_equal(reg_in(channel, ATA_STATUS), wanted)
#define GOOD (ATA_DRDY | ATA_DSC)

#endif
