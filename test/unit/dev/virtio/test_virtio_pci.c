/* A virtio device on the PCI bus: capabilities, registers of both layouts, interrupts (Virtual I/O Device specification
 * 1.2, "Virtio Over PCI Bus"). */
#include "test/unit/dev/virtio/driver.h"

#define ALL (rig->blk.device.offered)

/* "PCI Device Discovery", "Virtio Structure PCI Capabilities". */
static void test_capabilities(void **state)
{
	unsigned at = config_in(PCI_CAPABILITIES, 1), seen = 0;

	(void)state;
	assert_int_equal(config_in(0, 4), 0x10011af4);
	assert_int_equal(config_in(PCI_SUBSYSTEM, 4), 0x00021af4);
	assert_int_equal(config_in(PCI_REVISION, 4), 0x01000000);
	assert_true(config_in(PCI_STATUS, 2) & 0x10);
	for (; at; at = config_in(at + 1, 1)) {
		unsigned type = config_in(at + 3, 1), bar = config_in(at + 4, 1);

		if (config_in(at, 1) == MSIX_CAPABILITY) {
			assert_int_equal(config_in(at + 2, 2), 1); /* two vectors */
			continue;
		}
		assert_int_equal(config_in(at, 1), 9);
		seen |= 1u << type;
		if (type == VIRTIO_TYPE_WINDOW)
			continue;
		assert_true(rig->pci.pci.bar[bar].size >= config_in(at + 8, 4) + config_in(at + 12, 4));
		assert_true(config_in(at + 12, 4) > 0);
	}
	assert_int_equal(seen, 0x3e);
}

/* "Device Status Field", feature negotiation. */
static void test_status(void **state)
{
	(void)state;
	bar_out(VIRTIO_COMMON_DEVICE_HALF, 4, 1);
	assert_int_equal(bar_in(VIRTIO_COMMON_DEVICE_FEATURES, 4), ALL >> 32);
	bar_out(VIRTIO_COMMON_DEVICE_HALF, 4, 2);
	assert_int_equal(bar_in(VIRTIO_COMMON_DEVICE_FEATURES, 4), 0);
	bar_out(VIRTIO_COMMON_STATUS, 1, STATUS_KNOWN);
	bar_out(VIRTIO_COMMON_DRIVER_HALF, 4, 1);
	bar_out(VIRTIO_COMMON_DRIVER_HALF, 4, 77); /* there is no such half */
	bar_out(VIRTIO_COMMON_DRIVER_FEATURES, 4, 0xffffffff);
	bar_out(VIRTIO_COMMON_DRIVER_HALF, 4, 1);
	assert_int_equal(bar_in(VIRTIO_COMMON_DRIVER_FEATURES, 4), 0);
	bar_out(VIRTIO_COMMON_DRIVER_FEATURES, 4, 0x80000001); /* one that was not offered */
	bar_out(VIRTIO_COMMON_STATUS, 1, STATUS_AGREED);
	assert_int_equal(bar_in(VIRTIO_COMMON_STATUS, 1), STATUS_KNOWN);
	bar_out(VIRTIO_COMMON_DRIVER_FEATURES, 4, 1);
	bar_out(VIRTIO_COMMON_STATUS, 1, STATUS_AGREED);
	assert_int_equal(bar_in(VIRTIO_COMMON_STATUS, 1), STATUS_AGREED);
	bar_out(VIRTIO_COMMON_DRIVER_FEATURES, 4, 0); /* too late */
	assert_int_equal(bar_in(VIRTIO_COMMON_DRIVER_FEATURES, 4), 1);
	bar_out(VIRTIO_COMMON_STATUS, 1, VIRTIO_FEATURES_OK); /* nothing is taken back */
	assert_int_equal(bar_in(VIRTIO_COMMON_STATUS, 1), STATUS_AGREED);
	bar_out(VIRTIO_COMMON_STATUS, 1, 0);
	assert_int_equal(bar_in(VIRTIO_COMMON_STATUS, 1), 0);
	assert_int_equal(bar_in(VIRTIO_COMMON_DRIVER_FEATURES, 4), 0);
	assert_int_equal(bar_in(VIRTIO_COMMON_NUM_QUEUES, 2), 1);
}

static void test_queue_registers(void **state)
{
	(void)state;
	assert_int_equal(bar_in(VIRTIO_COMMON_SIZE, 2), VIRTIO_BLK_QUEUE);
	for (unsigned i = 0; i < 3; i++)
		bar_out(VIRTIO_COMMON_SIZE, 2, (unsigned[]){ 0, 100, 2 * VIRTIO_BLK_QUEUE }[i]);
	assert_int_equal(bar_in(VIRTIO_COMMON_SIZE, 2), VIRTIO_BLK_QUEUE);
	bar_out(VIRTIO_COMMON_DESC, 4, 0x12345670);
	bar_out(VIRTIO_COMMON_DESC + 4, 4, 0x9abc);
	assert_int_equal(mmio_read(&rig->mmio, BAR_AT + VIRTIO_COMMON_DESC, 8), 0x9abc12345670);
	assert_int_equal(bar_in(VIRTIO_COMMON_DESC + 1, 1), 0x56);
	bar_out(VIRTIO_COMMON_DESC + 2, 2, 0xffff); /* not by its width */
	assert_int_equal(bar_in(VIRTIO_COMMON_DESC, 4), 0x12345670);
	bar_out(VIRTIO_COMMON_SELECT, 2, 5);
	assert_int_equal(bar_in(VIRTIO_COMMON_SIZE, 2), 0); /* there is none */
	bar_out(VIRTIO_COMMON_SIZE, 2, 8);
	bar_out(VIRTIO_COMMON_ENABLE, 2, 1);
	bar_out(VIRTIO_COMMON_SELECT, 2, 0);
	driver_begin(ALL);
	bar_out(VIRTIO_COMMON_DESC, 8, 0); /* it is enabled */
	assert_int_equal(bar_in(VIRTIO_COMMON_DESC, 4), DESC);
	bar_out(VIRTIO_COMMON_VECTOR, 2, 1);
	assert_int_equal(bar_in(VIRTIO_COMMON_VECTOR, 2), 1);
	bar_out(VIRTIO_COMMON_VECTOR, 2, 2); /* there are two vectors */
	assert_int_equal(bar_in(VIRTIO_COMMON_VECTOR, 2), VIRTIO_NO_VECTOR);
}

/* VP1. Slot 3, pin A: PIRQ D, IRQ 11. */
static void test_intx(void **state)
{
	(void)state;
	driver_begin(ALL & ~BIT(VIRTIO_F_EVENT_IDX));
	assert_false(rig->line[11]);
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_true(rig->line[11]);
	assert_int_equal(bar_in(VIRTIO_ISR, 1), VIRTIO_ISR_QUEUE);
	assert_false(rig->line[11]);
	assert_int_equal(bar_in(VIRTIO_ISR, 1), 0);
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_true(rig->line[11]);
	config_out(VIRTIO_CAP_MSIX + 2, 2, MSIX_ENABLE);
	assert_false(rig->line[11]);
	config_out(VIRTIO_CAP_MSIX + 2, 2, 0);
	assert_true(rig->line[11]);
	bar_out(VIRTIO_COMMON_STATUS, 1, 0);
	assert_false(rig->line[11]);
}

static void entry(unsigned n, uint32_t address, uint32_t data, uint32_t control)
{
	mmio_write(&rig->mmio, MSIX_AT + 16 * n, 4, address);
	mmio_write(&rig->mmio, MSIX_AT + 16 * n + 8, 4, data);
	mmio_write(&rig->mmio, MSIX_AT + 16 * n + 12, 4, control);
}

/* MX1. */
static void test_msix(void **state)
{
	(void)state;
	assert_int_equal(mmio_read(&rig->mmio, MSIX_AT + 12, 4), MSIX_MASKED);
	entry(1, 0xfee01000, 0x4071, 0);
	config_out(VIRTIO_CAP_MSIX + 2, 2, MSIX_ENABLE);
	driver_begin(ALL & ~BIT(VIRTIO_F_EVENT_IDX));
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_int_equal(rig->messages, 0); /* no vector yet */
	bar_out(VIRTIO_COMMON_VECTOR, 2, 1);
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_int_equal(rig->messages, 1);
	assert_int_equal(rig->message_address, 0xfee01000);
	assert_int_equal(rig->message_data, 0x4071);
	for (unsigned way = 0; way < 2; way++) {
		rig->messages = 0;
		if (way)
			config_out(VIRTIO_CAP_MSIX + 2, 2, MSIX_ENABLE | MSIX_MASK_ALL);
		else
			mmio_write(&rig->mmio, MSIX_AT + 28, 4, MSIX_MASKED);
		request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
		assert_int_equal(rig->messages, 0);
		assert_int_equal(mmio_read(&rig->mmio, MSIX_AT + MSIX_PBA, 8), 2);
		if (way)
			config_out(VIRTIO_CAP_MSIX + 2, 2, MSIX_ENABLE);
		else
			mmio_write(&rig->mmio, MSIX_AT + 28, 4, 0);
		assert_int_equal(rig->messages, 1);
		assert_int_equal(mmio_read(&rig->mmio, MSIX_AT + MSIX_PBA, 8), 0);
	}
	assert_int_equal(bar_in(VIRTIO_ISR, 1), 0);
	/* A broken queue is told as a change of the configuration. */
	entry(0, 0xfee02000, 0x55, 0);
	bar_out(VIRTIO_COMMON_CONFIG_VECTOR, 2, 0);
	offer(RING_SIZE);
	assert_int_equal(rig->message_data, 0x55);
	assert_true(needs_reset());
}

/* A vector that there is not, whatever its place would hold. */
static void test_no_vector(void **state)
{
	(void)state;
	config_out(VIRTIO_CAP_MSIX + 2, 2, MSIX_ENABLE);
	rig->pci.msix.entry[2][0] = 0xfee01000;
	rig->pci.msix.entry[2][2] = 0x72;
	msix_raise(&rig->pci.msix, 2);
	msix_raise(&rig->pci.msix, VIRTIO_NO_VECTOR);
	assert_int_equal(rig->messages, 0);
}

/* "PCI configuration access capability". */
static void test_window(void **state)
{
	(void)state;
	config_out(VIRTIO_CAP_WINDOW + 4, 1, VIRTIO_BAR);
	config_out(VIRTIO_CAP_WINDOW + 8, 4, VIRTIO_COMMON_STATUS);
	config_out(VIRTIO_CAP_WINDOW + 12, 4, 1);
	config_out(VIRTIO_CAP_WINDOW + 16, 1, STATUS_KNOWN);
	assert_int_equal(bar_in(VIRTIO_COMMON_STATUS, 1), STATUS_KNOWN);
	assert_int_equal(config_in(VIRTIO_CAP_WINDOW + 16, 1), STATUS_KNOWN);
	config_out(VIRTIO_CAP_WINDOW + 4, 1, 0);
	config_out(VIRTIO_CAP_WINDOW + 8, 4, VIRTIO_PORT_QUEUE_SIZE);
	config_out(VIRTIO_CAP_WINDOW + 12, 4, 2);
	assert_int_equal(config_in(VIRTIO_CAP_WINDOW + 16, 2), VIRTIO_BLK_QUEUE);
	/* Beyond the BARs, and widths that there are not. */
	config_out(VIRTIO_CAP_WINDOW + 8, 4, VIRTIO_PORTS - 1);
	config_in(VIRTIO_CAP_WINDOW + 16, 2);
	config_out(VIRTIO_CAP_WINDOW + 8, 4, 0xffffffff);
	config_in(VIRTIO_CAP_WINDOW + 16, 4);
	config_out(VIRTIO_CAP_WINDOW + 4, 1, 200);
	config_in(VIRTIO_CAP_WINDOW + 16, 4);
	config_out(VIRTIO_CAP_WINDOW + 4, 1, 0);
	config_out(VIRTIO_CAP_WINDOW + 12, 4, 3);
	config_in(VIRTIO_CAP_WINDOW + 16, 4);
}

/* "Legacy Interfaces: A Note on PCI Device Layout": a driver of before the specification. */
static void test_legacy(void **state)
{
	const uint64_t base = 0x50000, avail = base + 16 * VIRTIO_BLK_QUEUE, ring = base + 0x1000;

	(void)state;
	port_out(VIRTIO_PORT_STATUS, 1, 0);
	port_out(VIRTIO_PORT_STATUS, 1, STATUS_KNOWN);
	assert_true(port_in(VIRTIO_PORT_FEATURES, 4) & BIT(VIRTIO_BLK_F_FLUSH));
	port_out(VIRTIO_PORT_DRIVER_FEATURES, 4, 0xffffffff);
	assert_int_equal(port_in(VIRTIO_PORT_DRIVER_FEATURES, 4), (uint32_t)ALL);
	port_out(VIRTIO_PORT_DRIVER_FEATURES, 4, 0);
	assert_int_equal(port_in(VIRTIO_PORT_CONFIG, 4), MEDIUM_SECTORS);
	port_out(VIRTIO_PORT_QUEUE_SELECT, 2, 0);
	assert_int_equal(port_in(VIRTIO_PORT_QUEUE_SIZE, 2), VIRTIO_BLK_QUEUE);
	port_out(VIRTIO_PORT_QUEUE_PFN, 4, (uint32_t)(base >> 12));
	assert_int_equal(port_in(VIRTIO_PORT_QUEUE_PFN, 4), base >> 12);
	put(HEADERS, &(uint32_t[]){ VIRTIO_BLK_T_IN, 0, 5, 0 }, 16);
	descriptor(base, 0, HEADERS, 16, VIRTQ_DESC_F_NEXT, 1);
	descriptor(base, 1, 0x20000, 512, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 2);
	descriptor(base, 2, HEADERS + 16, 1, VIRTQ_DESC_F_WRITE, 0);
	put16(avail + 2, 1);
	port_out(VIRTIO_PORT_NOTIFY, 2, 0);
	rig->guest.inside = false;
	medium_finish(&rig->medium);
	rig->guest.inside = true;
	assert_int_equal(get16(ring + 2), 1);
	assert_int_equal(rig->guest.ram[0x20000], 5 * 3 + 1);
	assert_true(rig->line[11]);
	assert_int_equal(port_in(VIRTIO_PORT_ISR, 1), VIRTIO_ISR_QUEUE);
	assert_false(rig->line[11]);
	/* With MSI-X two registers come between. */
	config_out(VIRTIO_CAP_MSIX + 2, 2, MSIX_ENABLE);
	port_out(VIRTIO_PORT_QUEUE_VECTOR, 2, 1);
	assert_int_equal(port_in(VIRTIO_PORT_QUEUE_VECTOR, 2), 1);
	assert_int_equal(port_in(VIRTIO_PORT_CONFIG_VECTOR, 2), VIRTIO_NO_VECTOR);
	assert_int_equal(port_in(VIRTIO_PORT_CONFIG + 4, 4), MEDIUM_SECTORS);
	port_out(VIRTIO_PORT_QUEUE_PFN, 4, 0);
	assert_int_equal(port_in(VIRTIO_PORT_QUEUE_PFN, 4), 0);
}

/* VO1, and a device that is no bus master. */
static void test_not_ready(void **state)
{
	(void)state;
	driver_begin(ALL);
	config_out(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_true(none_used());
	config_out(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	kick();
	assert_int_equal(used(0), 1);
	port_out(VIRTIO_PORT_MODERN_NOTIFY, 2, 7); /* no such queue */

	step_agree(bar_out, BIT(VIRTIO_F_VERSION_1));
	step_place(bar_out, RING_SIZE, DESC, AVAIL, USED);
	bar_out(VIRTIO_COMMON_ENABLE, 2, 1);
	put16(USED + 2, 0);
	rig->avail = rig->seen = 0;
	request(0, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	assert_true(none_used());
	bar_out(VIRTIO_COMMON_STATUS, 1, STATUS_READY);
	kick();
	assert_int_equal(used(0), 1);
}

#define RIG(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

static uint64_t written_at[16];
static uint8_t written_bytes[16];
static unsigned writes;

static void configured(struct virtio_device *d, uint64_t offset, uint8_t value)
{
	(void)d;
	written_at[writes % 16] = offset;
	written_bytes[writes++ % 16] = value;
}

/* What a driver writes to the device's own configuration, by either layout. */
static void test_config_written(void **state)
{
	struct virtio_ops ops = *rig->blk.device.ops;

	(void)state;
	bar_out(VIRTIO_CONFIG, 4, 0x11223344); /* who has nothing to write takes nothing */
	ops.configure = configured;
	rig->blk.device.ops = &ops;
	writes = 0;
	bar_out(VIRTIO_CONFIG + 4, 4, 0x11223344);
	bar_out(VIRTIO_CONFIG - 1, 2, 0xffff);
	bar_out(VIRTIO_CONFIG + VIRTIO_CONFIG_BYTES - 1, 2, 0xffff);
	assert_int_equal(writes, 4);
	assert_int_equal(written_at[3], 7);
	assert_int_equal(written_bytes[3], 0x11);
	port_out(VIRTIO_PORT_CONFIG + 5, 1, 0x77);
	port_out(VIRTIO_PORT_MODERN_NOTIFY + 4, 4, 0x77);
	assert_int_equal(writes, 5);
	assert_int_equal(written_at[4], 5);
	assert_int_equal(written_bytes[4], 0x77);
	config_out(VIRTIO_CAP_MSIX + 2, 2, MSIX_ENABLE);
	port_out(VIRTIO_PORT_CONFIG_VECTOR, 2, 0);
	port_out(VIRTIO_PORT_QUEUE_VECTOR, 2, 0);
	assert_int_equal(writes, 5);
	port_out(VIRTIO_PORT_CONFIG + 4, 2, 0x8899);
	assert_int_equal(writes, 7);
	assert_int_equal(written_at[6], 1);
	assert_int_equal(written_bytes[6], 0x88);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(test_capabilities), RIG(test_status), RIG(test_queue_registers), RIG(test_intx), RIG(test_msix),
		RIG(test_no_vector), RIG(test_window), RIG(test_legacy), RIG(test_not_ready),
		RIG(test_config_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
