#include "host/device/ahci.h"

#include "lib/mutants/mutate.h"

#define SPINS 1000 /* looks at what is to change at once */
#define HOST_TO_DEVICE_DWORDS 5

static uint32_t in(const struct ahci_port *p, unsigned reg)
{
	return p->hba->read(AHCI_PORT + p->n * AHCI_PORT_BYTES + reg);
}

static void out(const struct ahci_port *p, unsigned reg, uint32_t value)
{
	p->hba->write(AHCI_PORT + p->n * AHCI_PORT_BYTES + reg, value);
}

/* ---- the controller ---- */

/* Waits until bits of a register are clear, as long as a command has; boot only. */
static bool wait_clear(const struct ahci *h, unsigned reg, uint32_t bits)
{
	uint64_t end = h->now() + h->patience;

	do {
		if (!(h->read(reg) & bits))
			return true;
	} while (h->now() < end);
	return false;
}

/* "BIOS/OS Handoff", "HBA Reset". */
bool ahci_begin(const struct ahci *h)
{
	if (VM_KEPT(AHCI_HANDOFF, h->read(AHCI_CAP2) & AHCI_CAP2_HANDOFF)) {
		h->write(AHCI_BOHC, h->read(AHCI_BOHC) | AHCI_BOHC_OS);
		if (!wait_clear(h, AHCI_BOHC, AHCI_BOHC_BIOS))
			return false;
	}
	h->write(AHCI_GHC, AHCI_GHC_ENABLE);
	h->write(AHCI_GHC, AHCI_GHC_ENABLE | AHCI_GHC_RESET);
	if (!wait_clear(h, AHCI_GHC, AHCI_GHC_RESET))
		return false;
	h->write(AHCI_GHC, AHCI_GHC_ENABLE);
	return true;
}

bool ahci_has_port(const struct ahci *h, unsigned n) { return h->read(AHCI_PI) & (1u << n); }

void ahci_interrupts(const struct ahci *h)
{
	h->write(AHCI_IS, UINT32_MAX);
	h->write(AHCI_GHC, AHCI_GHC_ENABLE | AHCI_GHC_INTERRUPTS);
}

/* ---- a port ---- */

static bool is_linked(const struct ahci_port *p) { return (in(p, AHCI_SSTS) & AHCI_DETECTED) == AHCI_LINKED; }
static bool is_idle(const struct ahci_port *p) { return !(in(p, AHCI_TFD) & (ATA_BSY | ATA_DRQ)); }

/* "System Software Specific Initialization" and "Start (PxCMD.ST)": what it has received before is not looked at. */
static void start_port(struct ahci_port *p)
{
	out(p, AHCI_SERR, UINT32_MAX);
	out(p, AHCI_PORT_IS, UINT32_MAX);
	out(p, AHCI_CMD, in(p, AHCI_CMD) | AHCI_CMD_START);
	p->state = AHCI_IDLE;
}

/* AHCI 1.3.1, "Non-Queued Error Recovery": the list is not looked at any more, and then begins anew. */
static void stop_port(struct ahci_port *p, uint64_t now)
{
	out(p, AHCI_CMD, in(p, AHCI_CMD) & ~AHCI_CMD_START);
	p->state = AHCI_STOPPING;
	p->deadline = now + p->hba->patience;
}

/* "Port Reset": COMRESET for at least a millisecond. */
static void reset_link(struct ahci_port *p, uint64_t now)
{
	out(p, AHCI_SCTL, AHCI_SCTL_RESET);
	p->held = now + p->hba->patience / 1000;
	p->state = AHCI_RESETTING;
}

/* A step on the way back to a port that takes commands. */
static void recover(struct ahci_port *p, uint64_t now)
{
	bool late = VM_KEPT(AHCI_GIVEN_UP, now >= p->deadline);

	if (p->state == AHCI_STOPPING && !(in(p, AHCI_CMD) & AHCI_CMD_RUNNING)) {
		if (VM_LEFT_OUT_OR(AHCI_LINK, is_idle(p)))
			start_port(p);
		else
			reset_link(p, now);
	} else if (p->state == AHCI_RESETTING && now >= p->held) {
		out(p, AHCI_SCTL, 0);
		p->state = AHCI_LINKING;
	} else if (p->state == AHCI_LINKING && is_linked(p) && is_idle(p)) {
		start_port(p);
	} else if (late) {
		p->state = AHCI_DEAD;
	}
}

/* Mostly it takes no time. */
static void fail(struct ahci_port *p, uint64_t now)
{
	stop_port(p, now);
	for (unsigned i = 0; p->state == AHCI_STOPPING && i < SPINS; i++)
		recover(p, now);
}

/* ---- commands ---- */

static void prepare_fis(struct ahci_port *p, uint8_t command, uint64_t sector, unsigned count)
{
	struct ahci_fis *f = &p->memory->fis;
	bool wide = p->disk.lba48;

	*f = (struct ahci_fis){ .type = AHCI_FIS_HOST, .flags = AHCI_FIS_COMMAND, .command = command,
				.device = ATA_DEVICE_LBA, .count = (uint8_t)count };
	for (unsigned i = 0; i < 3; i++)
		f->lba[i] = (uint8_t)(sector >> 8 * i);
	if (wide) {
		for (unsigned i = 0; i < 3; i++)
			f->lba_upper[i] = (uint8_t)(sector >> (24 + 8 * i));
		f->count_upper = (uint8_t)(count >> 8);
	} else {
		f->device |= (uint8_t)(sector >> 24 & ATA_DEVICE_LOW);
	}
}

/* "Basic Steps when Building a Command". What is in memory is there before the controller is told. */
static void issue(struct ahci_port *p, uint32_t bytes, bool write)
{
	struct ahci_memory *m = p->memory;
	uint32_t flags = HOST_TO_DEVICE_DWORDS | (write ? AHCI_WRITE : 0);

	if (bytes) {
		m->piece[0] = (struct ahci_piece){ .address = p->buffer_address, .bytes = bytes - 1 };
		flags |= 1u << AHCI_PIECES_SHIFT;
	}
	m->header[0] = (struct ahci_header){
		.flags = flags,
		.table = p->memory_address + (uint32_t)offsetof(struct ahci_memory, fis),
	};
	p->bytes = bytes;
	p->state = AHCI_BUSY;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	out(p, AHCI_CI, 1);
}

bool ahci_start(struct ahci_port *p, enum ata_op op, uint64_t sector, unsigned sectors, uint64_t now)
{
	const struct ata_disk *d = &p->disk;
	bool write = op == ATA_OP_WRITE;

	if (VM_KEPT(AHCI_ONE, p->state != AHCI_IDLE))
		return false;
	ASSERT(op == ATA_OP_FLUSH || (sectors && sectors <= ata_most(d) && sector + sectors <= d->sectors));
	p->deadline = now + p->hba->patience;
	if (op == ATA_OP_FLUSH) {
		prepare_fis(p, d->flush_ext ? ATA_FLUSH_EXT : ATA_FLUSH, 0, 0);
		issue(p, 0, false);
		return true;
	}
	if (d->lba48)
		prepare_fis(p, write ? ATA_WRITE_DMA_EXT : ATA_READ_DMA_EXT, sector, sectors);
	else
		prepare_fis(p, write ? ATA_WRITE_DMA : ATA_READ_DMA, sector, sectors);
	issue(p, sectors * SECTOR_SIZE, write);
	return true;
}

/* AH4. */
static bool has_succeeded(const struct ahci_port *p)
{
	uint32_t moved = __atomic_load_n(&p->memory->header[0].bytes, __ATOMIC_ACQUIRE);

	return !(in(p, AHCI_TFD) & (ATA_ERR | ATA_DF)) && !VM_KEPT(AHCI_SHORT, moved != p->bytes);
}

static enum ata_result advance_command(struct ahci_port *p, uint64_t now)
{
	uint32_t status = in(p, AHCI_PORT_IS);

	out(p, AHCI_PORT_IS, status);
	p->hba->write(AHCI_IS, (1u << p->n));
	if (VM_KEPT(AHCI_ERRORS, status & (uint32_t)AHCI_IS_FAILED)) {
		fail(p, now);
		return ATA_FAILED;
	}
	if (!(in(p, AHCI_CI) & 1)) {
		p->state = AHCI_IDLE;
		return has_succeeded(p) ? ATA_DONE : ATA_FAILED;
	}
	if (VM_LEFT_OUT_OR(AHCI_PATIENCE, now < p->deadline))
		return ATA_BUSY;
	fail(p, now);
	return ATA_FAILED;
}

enum ata_result ahci_advance(struct ahci_port *p, uint64_t now)
{
	if (p->state == AHCI_BUSY)
		return advance_command(p, now);
	if (p->state == AHCI_DEAD)
		return ATA_GONE;
	if (p->state != AHCI_IDLE && p->state != AHCI_EMPTY)
		recover(p, now);
	return ATA_BUSY;
}

/* ---- which disk there is ---- */

/* A device says that it is there in 10 ms (Serial ATA, "COMINIT"); then it may have to spin up. */
static bool wait_for_device(const struct ahci_port *p)
{
	uint64_t now = p->hba->now(), soon = now + p->hba->patience / 500, end = now + p->hba->patience;

	while (!(in(p, AHCI_SSTS) & AHCI_DETECTED))
		if (p->hba->now() >= soon)
			return false;
	while (!is_linked(p) || !is_idle(p))
		if (p->hba->now() >= end)
			return false;
	return true;
}

/* ATA/ATAPI-6, "IDENTIFY DEVICE". Who has no DMA is no disk for an AHCI controller. */
static bool identify(struct ahci_port *p)
{
	enum ata_result r = ATA_BUSY;

	p->deadline = p->hba->now() + p->hba->patience;
	prepare_fis(p, ATA_IDENTIFY, 0, 0);
	issue(p, SECTOR_SIZE, false);
	while (r == ATA_BUSY)
		r = advance_command(p, p->hba->now());
	if (r != ATA_DONE)
		return false;
	ata_read_identity(&p->disk, (const uint16_t *)(const void *)p->buffer, true);
	return p->disk.present && VM_LEFT_OUT_OR(AHCI_DMA, p->disk.dma);
}

void ahci_find(struct ahci_port *p)
{
	uint32_t cmd = AHCI_CMD_RECEIVE | AHCI_CMD_POWER_ON | AHCI_CMD_SPIN_UP;

	p->state = AHCI_EMPTY;
	out(p, AHCI_CLB, p->memory_address);
	out(p, AHCI_CLBU, 0);
	out(p, AHCI_FB, p->memory_address + (uint32_t)offsetof(struct ahci_memory, received));
	out(p, AHCI_FBU, 0);
	out(p, AHCI_SERR, UINT32_MAX);
	out(p, AHCI_CMD, cmd);
	if (!wait_for_device(p) || VM_KEPT(AHCI_NO_DISK, in(p, AHCI_SIG) != AHCI_SIGNATURE_DISK)) {
		out(p, AHCI_CMD, 0);
		return;
	}
	start_port(p);
	if (!identify(p)) {
		p->disk.present = false;
		p->state = AHCI_EMPTY;
		return;
	}
	out(p, AHCI_PORT_IE, (uint32_t)(AHCI_IS_REGISTERS | AHCI_IS_PIO | AHCI_IS_FAILED));
}
