#include "test/unit/host/device/hba.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

struct hba hba;

#define MEMORY 0x100000u /* the addresses of hba.memory and hba.buffer */
#define BUFFER 0x200000u
#define PATIENCE 1000000

static struct hba_port *the_port(void) { return &hba.port[HBA_DISK]; }

/* Each look takes some time, and a disk that is asked by one that waits goes on. */
static uint64_t now(void)
{
	hba.now += 10;
	hba_step();
	return hba.now;
}

/* ---- commands ---- */

static bool is_write(uint8_t c) { return c == ATA_WRITE_DMA || c == ATA_WRITE_DMA_EXT; }
static bool is_ext(uint8_t c) { return c == ATA_WRITE_DMA_EXT || c == ATA_READ_DMA_EXT; }

static void end(uint32_t status, uint32_t cause)
{
	struct hba_port *p = the_port();

	p->tfd = status;
	p->is |= cause;
	if (!(status & ATA_ERR))
		p->ci = 0; /* else it stays, and the port stands */
	hba.is |= p->is & p->ie ? 1u << HBA_DISK : 0;
}

static void read_address(const struct ahci_fis *f)
{
	assert_true(f->device & ATA_DEVICE_LBA);
	hba.sector = f->lba[0] | (uint64_t)f->lba[1] << 8 | (uint64_t)f->lba[2] << 16;
	hba.count = f->count;
	if (is_ext(hba.command)) {
		assert_true(hba.lba48);
		hba.sector |= (uint64_t)f->lba_upper[0] << 24 | (uint64_t)f->lba_upper[1] << 32 |
			      (uint64_t)f->lba_upper[2] << 40;
		hba.count |= (unsigned)f->count_upper << 8;
		hba.count = hba.count ? hba.count : 65536;
	} else {
		hba.sector |= (uint64_t)(f->device & 15) << 24;
		hba.count = hba.count ? hba.count : 256;
	}
	assert_true(hba.sector + hba.count <= hba.sectors);
}

/* The one piece must be of exactly so many bytes. */
static void check_piece(uint32_t bytes)
{
	const struct ahci_memory *m = &hba.memory;

	assert_int_equal(m->header[0].flags >> AHCI_PIECES_SHIFT, 1);
	assert_int_equal(m->piece[0].address, BUFFER);
	assert_int_equal(m->piece[0].bytes + 1, bytes);
	assert_true(bytes <= ATA_BUFFER);
	assert_int_equal(!!(m->header[0].flags & AHCI_WRITE), is_write(hba.command));
}

static void identity(uint16_t *id)
{
	memset(id, 0, SECTOR_SIZE);
	id[ATA_ID_MODEL] = 'A' << 8 | 'B';
	id[ATA_ID_CAPABILITIES] = ATA_ID_LBA | (hba.no_dma ? 0 : ATA_ID_DMA);
	id[ATA_ID_SECTORS] = (uint16_t)hba.sectors;
	id[ATA_ID_SECTORS + 1] = (uint16_t)(hba.sectors >> 16);
	id[ATA_ID_SETS] = (uint16_t)(0x4000 | ATA_SET_FLUSH | (hba.lba48 ? ATA_SET_LBA48 | ATA_SET_FLUSH_EXT : 0));
	for (unsigned i = 0; hba.lba48 && i < 4; i++)
		id[ATA_ID_SECTORS_EXT + i] = (uint16_t)(hba.sectors >> (16 * i));
}

static void transfer(const struct ahci_fis *f)
{
	read_address(f);
	check_piece(hba.count * SECTOR_SIZE);
	for (unsigned i = 0; i < hba.count; i++) {
		uint8_t *disk = hba.data[(hba.sector + i) % HBA_SECTORS], *memory = hba.buffer + i * SECTOR_SIZE;

		memcpy(is_write(hba.command) ? disk : memory, is_write(hba.command) ? memory : disk, SECTOR_SIZE);
	}
	hba.written += is_write(hba.command) ? hba.count : 0;
	hba.memory.header[0].bytes = hba.count * SECTOR_SIZE / (hba.half ? 2 : 1);
	end(ATA_DRDY, (uint32_t)AHCI_IS_REGISTERS);
}

static void carry_out(const struct ahci_fis *f)
{
	if (hba.command == ATA_IDENTIFY) {
		check_piece(SECTOR_SIZE);
		identity((uint16_t *)(void *)hba.buffer);
		hba.memory.header[0].bytes = SECTOR_SIZE;
		end(ATA_DRDY, (uint32_t)AHCI_IS_PIO);
	} else if (hba.command == ATA_FLUSH || hba.command == ATA_FLUSH_EXT) {
		assert_int_equal(hba.memory.header[0].flags >> AHCI_PIECES_SHIFT, 0);
		hba.flushed++;
		end(ATA_DRDY, (uint32_t)AHCI_IS_REGISTERS);
	} else {
		assert_true(is_write(hba.command) || hba.command == ATA_READ_DMA || hba.command == ATA_READ_DMA_EXT);
		transfer(f);
	}
}

void hba_step(void)
{
	const struct ahci_fis *f = &hba.memory.fis;
	struct hba_port *p = the_port();

	if (!p->ci || (p->tfd & ATA_ERR) || hba.hang)
		return;
	hba.command = f->command;
	if (hba.fail)
		end(ATA_DRDY | ATA_ERR | ATA_UNC << 8, 1u << 30);
	else if (hba.fault)
		end(ATA_DRDY | ATA_DF, (uint32_t)AHCI_IS_REGISTERS);
	else
		carry_out(f);
}

/* ---- registers ---- */

static void give(struct hba_port *p, uint32_t value)
{
	const struct ahci_memory *m = &hba.memory;

	assert_int_equal(value, 1);
	assert_int_equal(p->ci, 0);
	assert_true(p == the_port() && (p->cmd & AHCI_CMD_START) && (p->cmd & AHCI_CMD_RECEIVE));
	assert_int_equal(p->clb, MEMORY);
	assert_int_equal(p->fb, MEMORY + offsetof(struct ahci_memory, received));
	assert_false(p->tfd & (ATA_BSY | ATA_DRQ));
	assert_int_equal(m->header[0].flags & 31, 5);
	assert_int_equal(m->header[0].bytes, 0);
	assert_int_equal(m->header[0].table, MEMORY + offsetof(struct ahci_memory, fis));
	assert_int_equal(m->fis.type, AHCI_FIS_HOST);
	assert_int_equal(m->fis.flags, AHCI_FIS_COMMAND);
	p->ci = 1;
	p->tfd = hba.hang ? ATA_BSY : ATA_DRDY;
}

static void command_and_status(struct hba_port *p, uint32_t value)
{
	bool linked = (p->ssts & AHCI_DETECTED) == AHCI_LINKED;

	/* "Start (PxCMD.ST)". */
	if (value & AHCI_CMD_START & ~p->cmd)
		assert_true(linked && !(p->tfd & (ATA_BSY | ATA_DRQ)) && !(p->cmd & AHCI_CMD_RUNNING) && !p->serr);
	p->cmd = value & ~(AHCI_CMD_RUNNING | AHCI_CMD_RECEIVING);
	p->cmd |= value & AHCI_CMD_RECEIVE ? AHCI_CMD_RECEIVING : 0;
	p->cmd |= (value & AHCI_CMD_START) || hba.runs_on ? AHCI_CMD_RUNNING : 0;
	if (!(value & AHCI_CMD_START)) {
		p->ci = 0;
		p->tfd &= ~(uint32_t)ATA_ERR;
	}
}

static void link_control(struct hba_port *p, uint32_t value)
{
	assert_false(p->cmd & AHCI_CMD_START);
	if (value & 1)
		p->ssts = 0;
	if (p->sctl & ~value & 1) {
		hba.link_resets++;
		p->ssts = hba.dead ? 0 : AHCI_LINKED;
		p->tfd = hba.dead ? ATA_BSY : ATA_DRDY;
		p->serr = 1;
		hba.hang = false;
	}
	p->sctl = value;
}

static uint32_t *plain(struct hba_port *p, unsigned reg)
{
	switch (reg) {
	case AHCI_CLB: return &p->clb;
	case AHCI_FB: return &p->fb;
	case AHCI_PORT_IS: return &p->is;
	case AHCI_PORT_IE: return &p->ie;
	case AHCI_CMD: return &p->cmd;
	case AHCI_TFD: return &p->tfd;
	case AHCI_SIG: return &p->sig;
	case AHCI_SSTS: return &p->ssts;
	case AHCI_SCTL: return &p->sctl;
	case AHCI_SERR: return &p->serr;
	case AHCI_CI: return &p->ci;
	default: fail_msg("register 0x%x of a port", reg); return NULL;
	}
}

static void write_port(struct hba_port *p, unsigned reg, uint32_t value)
{
	if (reg == AHCI_CLBU || reg == AHCI_FBU)
		assert_int_equal(value, 0);
	else if (reg == AHCI_PORT_IS || reg == AHCI_SERR)
		*plain(p, reg) &= ~value;
	else if (reg == AHCI_CMD)
		command_and_status(p, value);
	else if (reg == AHCI_SCTL)
		link_control(p, value);
	else if (reg == AHCI_CI)
		give(p, value);
	else
		*plain(p, reg) = value;
}

static uint32_t read(unsigned reg)
{
	if (reg >= AHCI_PORT)
		return *plain(&hba.port[(reg - AHCI_PORT) / AHCI_PORT_BYTES], (reg - AHCI_PORT) % AHCI_PORT_BYTES);
	switch (reg) {
	case AHCI_GHC: return hba.ghc;
	case AHCI_IS: return hba.is;
	case AHCI_PI: return 1u << HBA_DISK | 1u << HBA_CD | 1;
	case AHCI_CAP2: return hba.handoff ? AHCI_CAP2_HANDOFF : 0;
	case AHCI_BOHC: return hba.bohc;
	default: fail_msg("register 0x%x", reg); return 0;
	}
}

static void reset(void)
{
	assert_false(hba.bohc & AHCI_BOHC_BIOS);
	hba.resets++;
	memset(hba.port, 0, sizeof(hba.port));
	hba.ghc = hba.stuck ? AHCI_GHC_RESET : 0;
	hba.port[HBA_DISK] = (struct hba_port){ .sig = AHCI_SIGNATURE_DISK, .ssts = AHCI_LINKED, .tfd = ATA_DRDY,
						.serr = 1 };
	hba.port[HBA_CD] = (struct hba_port){ .sig = 0xeb140101, .ssts = AHCI_LINKED, .tfd = ATA_DRDY };
}

static void write(unsigned reg, uint32_t value)
{
	if (reg >= AHCI_PORT)
		write_port(&hba.port[(reg - AHCI_PORT) / AHCI_PORT_BYTES], (reg - AHCI_PORT) % AHCI_PORT_BYTES, value);
	else if (reg == AHCI_BOHC)
		hba.bohc = value & AHCI_BOHC_OS ? AHCI_BOHC_OS : value; /* the firmware lets go */
	else if (reg == AHCI_IS)
		hba.is &= ~value;
	else if (reg == AHCI_GHC && (value & AHCI_GHC_RESET))
		reset();
	else if (reg == AHCI_GHC)
		hba.ghc = value;
	else
		fail_msg("register 0x%x is written", reg);
}

const struct ahci hba_face = { read, write, now, PATIENCE };

void hba_port(struct ahci_port *p, unsigned n)
{
	memset(&hba.memory, 0, sizeof(hba.memory));
	*p = (struct ahci_port){
		.hba = &hba_face, .n = n, .memory = &hba.memory, .memory_address = MEMORY,
		.buffer = hba.buffer, .buffer_address = BUFFER,
	};
	ahci_find(p);
}
