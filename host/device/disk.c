#include "host/device/disk.h"

#include "host/device/disk_ahci.h"

#include "host/cpu/percpu.h"
#include "host/cpu/spinlock.h"
#include "host/cpu/x86.h"
#include "host/device/console.h"
#include "host/device/ioapic.h"
#include "host/device/lapic.h"
#include "host/device/pci.h"
#include "host/memory/frames.h"
#include "host/trap/interrupt.h"
#include "lib/fmt.h"
#include "lib/pci.h"
#include "lib/ports.h"

#define BAR(n) (PCI_BAR + 4 * (n))
#define BAR_PORT 0xfffcu /* of a BAR of ports: the first */

#define PATIENCE_SECONDS 10    /* AT2; a disk may have to spin up */
#define LOOKS_PER_SECOND 1000  /* where no interrupt comes */

static struct channel {
	struct spinlock lock;
	struct ata_channel ata;   /* of the first two; */
	struct ahci_port *port;   /* of the others; NULL: there is no disk */
	bool interrupts;
	bool later; /* changed by atomic operations */
	uint64_t due; /* UINT64_MAX: it has no command */
} channels[DISK_CHANNELS];
static unsigned used; /* of them, the first: 0 before disk_host_init() */
static uint64_t look_ticks;
static const char no_memory[] = "there is no memory for the buffers of its disks";
void (*disk_event)(unsigned channel, bool good), (*disk_later)(unsigned channel);

/* ---- the machine's ports ---- */

static uint8_t port_in8(uint16_t port) { return inb(port); }
static uint32_t port_in32(uint16_t port) { return inl(port); }
static void port_out8(uint16_t port, uint8_t value) { outb(port, value); }
static void port_out32(uint16_t port, uint32_t value) { outl(port, value); }

static void port_in_words(uint16_t port, void *to, unsigned words)
{
	uint64_t count = words;

	__asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}

static void port_out_words(uint16_t port, const void *from, unsigned words)
{
	uint64_t count = words;

	__asm__ volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

static const struct ata_ports machine_ports = {
	port_in8, port_in32, port_out8, port_out32, port_in_words, port_out_words,
};

/* ---- the controller ---- */

/* PCI IDE Controller Specification, "Native-PCI Mode": a channel in it has its ports by base addresses; its interrupt
 * is shared and not routed here. */
static void set_ports(struct channel *c, unsigned n, uint32_t function)
{
	bool native = function && (pci_host_read(function, PCI_REVISION) >> 8 & BIT(2 * n));
	uint32_t master = function ? pci_host_read(function, BAR(4)) : 0;

	c->ata.ports = &machine_ports;
	c->ata.command = n ? ATA_COMMAND_2 : ATA_COMMAND_1;
	c->ata.control = n ? ATA_CONTROL_2 : ATA_CONTROL_1;
	if (native) {
		c->ata.command = (uint16_t)(pci_host_read(function, BAR(2 * n)) & BAR_PORT);
		c->ata.control = (uint16_t)((pci_host_read(function, BAR(2 * n + 1)) & BAR_PORT) + 2);
	}
	if ((master & PCI_BAR_IO) && (master & BAR_PORT))
		c->ata.bus_master = (uint16_t)((master & BAR_PORT) + n * BM_CHANNEL);
	if (!native)
		c->interrupts = ioapic_host_route(n ? ATA_IRQ_2 : ATA_IRQ_1, (uint8_t)(VECTOR_DISK_FIRST + n));
}

/* Programming Interface for Bus Master IDE Controller, "Physical Region Descriptor Table": below 4 GiB, and neither the
 * table nor a piece crosses 64 KiB. */
static bool get_memory(struct channel *c)
{
	hfn_t buffer = frames_alloc_run_low(ATA_BUFFER >> PAGE_SHIFT, BM_PIECE >> PAGE_SHIFT);
	hfn_t table = frames_alloc_run_low(1, 1);

	if (hfn_is_none(buffer) || hfn_is_none(table))
		return false;
	c->ata.buffer = frames_ptr(buffer);
	c->ata.buffer_address = (uint32_t)hfn_hpa(buffer).v;
	c->ata.table = frames_ptr(table);
	c->ata.table_address = (uint32_t)hfn_hpa(table).v;
	return true;
}

static uint64_t ticks(void) { return rdtsc(); }

static void tell_disk(const char *place, const struct ata_disk *d)
{
	uint64_t kb = d->sectors / 2;
	bool small = kb < 1024;

	console_log("disk %s: %s, serial number %s, %lu %s", place, d->model, d->serial, small ? kb : kb / 1024,
		    small ? "KB" : "MB");
}

/* By the names that a description has for them. */
static void tell(unsigned channel)
{
	char place[16];

	for (unsigned n = 0; n < 2; n++) {
		if (!disk_host(channel, n))
			continue;
		if (channel < DISK_IDE)
			fmt(place, sizeof(place), "ide%u.%u", channel, n);
		else
			fmt(place, sizeof(place), "sata%u", channel - DISK_IDE);
		tell_disk(place, disk_host(channel, n));
	}
}

static const char *find_ide(uint64_t tsc_hz)
{
	uint32_t function = pci_host_find(PCI_CLASS_IDE, NULL);

	if (function)
		pci_host_enable(function, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	for (unsigned n = 0; n < DISK_IDE; n++) {
		struct channel *c = &channels[n];

		if (!get_memory(c))
			return no_memory;
		set_ports(c, n, function);
		c->ata.patience = PATIENCE_SECONDS * tsc_hz;
		ata_find(&c->ata, ticks);
		tell(n);
	}
	return NULL;
}

static const char *find_ahci(uint64_t tsc_hz)
{
	bool interrupts = false;

	if (!ahci_host_begin(PATIENCE_SECONDS * tsc_hz, VECTOR_DISK_FIRST + DISK_IDE, &interrupts))
		return NULL;
	used = DISK_CHANNELS;
	for (unsigned n = 0; n < AHCI_PORTS; n++) {
		struct channel *c = &channels[DISK_IDE + n];

		if (!ahci_host_find(n, &c->port))
			return no_memory;
		c->interrupts = interrupts;
		tell(DISK_IDE + n);
	}
	ahci_host_interrupts();
	return NULL;
}

const char *disk_host_init(uint64_t tsc_hz)
{
	const char *why;

	look_ticks = tsc_hz / LOOKS_PER_SECOND;
	for (unsigned n = 0; n < DISK_CHANNELS; n++)
		channels[n].due = UINT64_MAX;
	used = DISK_IDE;
	why = find_ide(tsc_hz);
	return why ? why : find_ahci(tsc_hz);
}

const struct ata_disk *disk_host(unsigned channel, unsigned n)
{
	const struct channel *c = &channels[channel];
	const struct ata_disk *d = &c->ata.disk[n];

	if (channel >= DISK_IDE)
		return c->port && n == 0 ? &c->port->disk : NULL;
	return d->present ? d : NULL;
}

uint8_t *disk_host_buffer(unsigned channel)
{
	const struct channel *c = &channels[channel];

	return channel < DISK_IDE ? c->ata.buffer : c->port ? c->port->buffer : NULL;
}

/* ---- commands ---- */

/* Of a command that has failed: no other is taken until that is over. */
static bool is_resetting(const struct channel *c)
{
	const struct ahci_port *p = c->port;

	return p ? p->state == AHCI_STOPPING || p->state == AHCI_RESETTING || p->state == AHCI_LINKING
		 : c->ata.state == ATA_RESETTING;
}

static enum ata_result advance(struct channel *c, uint64_t now)
{
	return c->port ? ahci_advance(c->port, now) : ata_advance(&c->ata, now);
}

/* The next look: at the deadline, or, where no interrupt comes, soon. The lock is held. */
static void set_due(struct channel *c, uint64_t now)
{
	bool idle = c->port ? c->port->state == AHCI_IDLE || c->port->state == AHCI_DEAD
			    : c->ata.state == ATA_IDLE || c->ata.state == ATA_DEAD;
	uint64_t due = c->port ? c->port->deadline : c->ata.deadline;

	if (idle)
		due = UINT64_MAX;
	else if (!c->interrupts || is_resetting(c))
		due = now + look_ticks;
	__atomic_store_n(&c->due, due, __ATOMIC_RELAXED);
}

/* The lock is held. */
static bool start(struct channel *c, unsigned n, enum ata_op op, uint64_t sector, unsigned sectors)
{
	uint64_t now = rdtsc();
	bool begun = c->port ? ahci_start(c->port, op, sector, sectors, now)
			     : ata_start(&c->ata, n, op, sector, sectors, now);

	set_due(c, now);
	return begun;
}

bool disk_host_start(unsigned channel, unsigned n, enum ata_op op, uint64_t sector, unsigned sectors)
{
	struct channel *c = &channels[channel];
	bool begun;

	spin_lock(&c->lock);
	begun = start(c, n, op, sector, sectors);
	spin_unlock(&c->lock);
	return begun;
}

/* A channel that is being reset takes no command until that is over, or is given up. */
bool disk_host_begin(unsigned channel, unsigned n, enum ata_op op, uint64_t sector, unsigned sectors)
{
	struct channel *c = &channels[channel];
	bool begun;

	spin_lock(&c->lock);
	while (is_resetting(c))
		advance(c, rdtsc());
	begun = start(c, n, op, sector, sectors);
	spin_unlock(&c->lock);
	return begun;
}

enum ata_result disk_host_poll(unsigned channel)
{
	struct channel *c = &channels[channel];
	uint64_t now = rdtsc();
	enum ata_result result;

	spin_lock(&c->lock);
	result = advance(c, now);
	set_due(c, now);
	spin_unlock(&c->lock);
	return result;
}

static void serve(unsigned channel)
{
	enum ata_result result = disk_host_poll(channel);

	if (result != ATA_BUSY && result != ATA_GONE)
		disk_event(channel, result == ATA_DONE);
	if (__atomic_exchange_n(&channels[channel].later, false, __ATOMIC_ACQUIRE))
		disk_later(channel);
}

/* AHCI's one message is of all its ports, and comes again only where none of them has told of anything (AHCI 1.3.1,
 * "Message Based Interrupt Mode"). Bounded: each round takes what a command has told. */
void disk_host_interrupt(unsigned channel)
{
	serve(channel);
	if (channel < DISK_IDE)
		return;
	for (unsigned round = 0; round < AHCI_PORTS && ahci_host_waiting(); round++)
		for (unsigned n = DISK_IDE; n < DISK_CHANNELS; n++)
			if (channels[n].port)
				serve(n);
}

/* The interrupt comes by way of the CPU's own local APIC. */
void disk_host_later(unsigned channel)
{
	__atomic_store_n(&channels[channel].later, true, __ATOMIC_RELEASE);
	lapic_host_send(percpu_of(0)->apic_id, (uint8_t)(VECTOR_DISK_FIRST + channel));
}

uint64_t disk_host_due(void)
{
	uint64_t due = UINT64_MAX;

	for (unsigned n = 0; n < used; n++)
		due = min_u64(due, __atomic_load_n(&channels[n].due, __ATOMIC_RELAXED));
	return due;
}

void disk_host_look(void)
{
	for (unsigned n = 0; n < used; n++)
		if (rdtsc() >= __atomic_load_n(&channels[n].due, __ATOMIC_RELAXED))
			disk_host_interrupt(n);
}
