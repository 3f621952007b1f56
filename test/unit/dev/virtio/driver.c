#include "test/unit/dev/virtio/driver.h"

#include <string.h>

#include "test/unit/dev/config_space.h"

#define SLOT 3u

struct rig *rig;

static void set_line(void *ctx, unsigned gsi, bool level) { ((struct rig *)ctx)->line[gsi] = level; }

static void message(void *ctx, uint64_t address, uint32_t data)
{
	struct rig *r = ctx;

	r->messages++;
	r->message_address = address;
	r->message_data = data;
}

void rig_make(bool read_only)
{
	static struct rig the_rig;
	struct machine_sink none = { NULL, NULL };

	rig = memset(&the_rig, 0, sizeof(the_rig));
	medium_make(&rig->medium);
	guest_make(&rig->guest, &rig->medium, 0);
	rig->guest.disk.read_only = read_only;
	virtio_blk_init(&rig->blk, &rig->guest.disk, "a disk");
	virtio_pci_init(&rig->pci, &rig->blk.device, PCI_CLASS(PCI_CLASS_STORAGE, 0), message, rig);
	assert_true(ports_init(&rig->ports, &rig->pio, none, false));
	assert_true(pci_init(&rig->bus, &rig->pio, &rig->mmio, &rig->ports,
			     (struct irq_line){ set_line, rig, 0 }));
	assert_true(pci_add(&rig->bus, &rig->pci.pci, PCI_DEVFN(SLOT, 0)));
	assert_true(pci_assign(&rig->bus, PORTS_AT, MSIX_AT, 0xfec00000));
	rig->guest.inside = true; /* the device lock is held in every access */
}

void rig_forget(void) { rig = NULL; }

static uint16_t port_of(unsigned reg) { return config_port(&rig->pio, PCI_DEVFN(SLOT, 0), reg); }

uint32_t config_in(unsigned reg, unsigned size) { return pio_in(&rig->pio, port_of(reg), size); }

void config_out(unsigned reg, unsigned size, uint32_t value) { pio_out(&rig->pio, port_of(reg), size, value); }

/* ---- memory ---- */

void put(uint64_t gpa, const void *p, size_t n) { memcpy(rig->guest.ram + gpa, p, n); }
void put16(uint64_t gpa, uint16_t v) { put(gpa, &v, sizeof(v)); }
void put64(uint64_t gpa, uint64_t v) { put(gpa, &v, sizeof(v)); }

uint16_t get16(uint64_t gpa)
{
	uint16_t v;

	memcpy(&v, rig->guest.ram + gpa, sizeof(v));
	return v;
}

void descriptor(uint64_t table, unsigned n, uint64_t gpa, uint32_t bytes, unsigned flags, unsigned next)
{
	put64(table + 16 * n, gpa);
	put(table + 16 * n + 8, &bytes, sizeof(bytes));
	put16(table + 16 * n + 12, (uint16_t)flags);
	put16(table + 16 * n + 14, (uint16_t)next);
}

/* ---- the queue ---- */

void driver_programs(uint64_t features)
{
	step_agree(bar_out, features);
	step_place(bar_out, RING_SIZE, DESC, AVAIL, USED);
	bar_out(VIRTIO_COMMON_ENABLE, 2, 1);
	memset(rig->guest.ram + DESC, 0, 0x4000);
	rig->avail = rig->seen = 0;
	bar_out(VIRTIO_COMMON_STATUS, 1, STATUS_READY);
}

void driver_begin(uint64_t features)
{
	bar_out(VIRTIO_COMMON_STATUS, 1, 0);
	assert_int_equal(bar_in(VIRTIO_COMMON_STATUS, 1), 0);
	bar_out(VIRTIO_COMMON_SELECT, 2, 0);
	assert_int_equal(bar_in(VIRTIO_COMMON_SIZE, 2), VIRTIO_BLK_QUEUE);
	driver_programs(features);
	assert_int_equal(bar_in(VIRTIO_COMMON_STATUS, 1) & STATUS_READY, STATUS_READY);
}

void offer_quietly(uint16_t head)
{
	put16(AVAIL + 4 + 2 * (rig->avail++ % RING_SIZE), head);
	put16(AVAIL + 2, rig->avail);
}

void kick(void)
{
	port_out(VIRTIO_PORT_MODERN_NOTIFY, 2, 0);
	rig->guest.inside = false;
	medium_finish(&rig->medium);
	rig->guest.inside = true;
}

void offer(uint16_t head)
{
	offer_quietly(head);
	kick();
}

void request(unsigned n, uint32_t type, uint64_t sector, uint64_t gpa, uint32_t bytes)
{
	uint64_t header = HEADERS + 32 * n;
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;

	put(header, &(uint32_t[]){ type, 0 }, 8);
	put64(header + 8, sector);
	rig->guest.ram[header + 16] = 0xff;
	descriptor(DESC, n, header, 16, VIRTQ_DESC_F_NEXT, bytes ? n + 1 : n + 2);
	descriptor(DESC, n + 1, gpa, bytes, VIRTQ_DESC_F_NEXT | (in ? VIRTQ_DESC_F_WRITE : 0), n + 2);
	descriptor(DESC, n + 2, header + 16, 1, VIRTQ_DESC_F_WRITE, 0);
	offer((uint16_t)n);
}

uint8_t status_of(unsigned n) { return rig->guest.ram[HEADERS + 32 * n + 16]; }

bool none_used(void) { return get16(USED + 2) == rig->seen; }

uint32_t used(uint16_t head)
{
	uint32_t element[2];

	assert_int_equal(get16(USED + 2), (uint16_t)(rig->seen + 1));
	memcpy(element, rig->guest.ram + USED + 4 + 8 * (rig->seen++ % RING_SIZE), sizeof(element));
	assert_int_equal(element[0], head);
	return element[1];
}

bool needs_reset(void) { return bar_in(VIRTIO_COMMON_STATUS, 1) & VIRTIO_NEEDS_RESET; }
