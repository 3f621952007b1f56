/* PCI configuration space (dev/bus/pci.c), and what else its ports are. */
#include "test/unit/dev/fixture.h"
#include "lib/ports.h"
#include "lib/uart.h"

static uint32_t config(uint32_t address)
{
	outl(pc, PCI_ADDRESS, address);
	return inl(pc, PCI_DATA);
}

static void test_pci(void **state)
{
	(void)state;
	outl(pc, PCI_ADDRESS, 0x80000000); /* as Linux probes the mechanism */
	assert_int_equal(inl(pc, PCI_ADDRESS), 0x80000000);
	outl(pc, PCI_ADDRESS, 0xffffffff);
	assert_int_equal(inl(pc, PCI_ADDRESS), 0x80fffffc);
	assert_int_equal(config(0x80000000), 0x12378086);
	assert_int_equal(config(0x80000004), 0x02000006);
	assert_int_equal(config(0x80000008), 0x06000002);
	assert_int_equal(config(0x8000000c), 0);
	outl(pc, PCI_ADDRESS, 0x80000008);
	assert_int_equal(inw(pc, PCI_DATA + 2), 0x0600);
	assert_int_equal(inb(pc, PCI_DATA), 0x02);
	assert_int_equal(config(0x00000000), 0xffffffff); /* not enabled */
	for (uint32_t slot = 1; slot < 32; slot++)
		assert_int_equal(config(0x80000000 | slot << 11), 0xffffffff);
	for (uint32_t function = 1; function < 8; function++)
		assert_int_equal(config(0x80000000 | function << 8), 0xffffffff);
	assert_int_equal(config(0x80010000), 0xffffffff);
	outl(pc, PCI_DATA, 0);
	outl(pc, PCI_ADDRESS, 0x80000000);
	outl(pc, PCI_DATA, 0);
	assert_int_equal(inl(pc, PCI_DATA), 0x12378086); /* read-only */
	outl(pc, PCI_ADDRESS, 0x80000004);
	outl(pc, PCI_DATA, 0xffffffff);
	assert_int_equal(inl(pc, PCI_DATA), 0x02000146);
	outl(pc, PCI_ADDRESS, 0x80000058);
	outb(pc, PCI_DATA + 1, 0x30); /* PAM0 */
	assert_int_equal(inl(pc, PCI_DATA), 0x00003000);
	outb(pc, PCI_ADDRESS, 0x12); /* bytes are not the address register */
	assert_int_equal(inl(pc, PCI_ADDRESS), 0x80000058);
	assert_int_equal(inb(pc, PCI_ADDRESS), 0xff);
	assert_int_equal(inw(pc, PCI_DATA - 1), 0x00ff);
	pci_reset(&pc->pci);
	assert_int_equal(config(0x80000004), 0x02000006);
}

#define PORTS 0xc000 /* where the device's ports are */
#define MOVED 0xd000
#define LAST 0xffc0

/* ---- a device with two BARs and a pin ---- */

struct card {
	struct pci_device pci;
	uint16_t port;
	uint64_t offset;
	uint32_t value;
	unsigned written;
};

static uint32_t card_in(void *dev, uint16_t port, unsigned size)
{
	struct card *c = dev;

	(void)size;
	c->port = port;
	return c->value;
}

static void card_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	card_in(dev, port, size);
	((struct card *)dev)->value = value;
}

static uint64_t card_read(void *dev, uint64_t offset, unsigned size)
{
	struct card *c = dev;

	(void)size;
	c->offset = offset;
	return c->value;
}

static void card_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	card_read(dev, offset, size);
	((struct card *)dev)->value = (uint32_t)value;
}

static void card_written(struct pci_device *d, unsigned reg, unsigned size)
{
	(void)reg;
	container_of(d, struct card, pci)->written += size;
}

static void card_init(struct card *c, unsigned slot, uint8_t pin)
{
	static const struct pio_ops io = { card_in, card_out };
	static const struct mmio_ops mmio = { card_read, card_write };

	*c = (struct card){ .value = 0x12345678 };
	pci_identify(&c->pci, 0x1af4, 0x1001, 0x010000, 0);
	c->pci.bar[0] = (struct pci_bar){ .size = 64, .io = &io, .dev = c };
	c->pci.bar[1] = (struct pci_bar){ .size = 4096, .mmio = &mmio, .dev = c };
	c->pci.reset[PCI_INTERRUPT_PIN] = pin;
	c->pci.written = card_written;
	assert_true(pci_add(&pc->pci, &c->pci, PCI_DEVFN(slot, 0)));
}

static void set_config(uint32_t address, uint32_t value)
{
	outl(pc, PCI_ADDRESS, address);
	outl(pc, PCI_DATA, value);
}

static void test_bars(void **state)
{
	struct card c;

	(void)state;
	card_init(&c, 3, 1);
	assert_int_equal(config(0x80001800), 0x10011af4);
	set_config(0x80001810, 0xffffffff); /* sizes */
	assert_int_equal(config(0x80001810), 0xffffffc1);
	set_config(0x80001814, 0xffffffff);
	assert_int_equal(config(0x80001814), 0xfffff000);
	set_config(0x80001818, 0xffffffff);
	assert_int_equal(config(0x80001818), 0);
	set_config(0x80001810, 0xc000);
	set_config(0x80001814, 0xc0000000);
	assert_int_equal(inl(pc, PORTS + 4), 0xffffffff); /* nothing decodes yet */
	set_config(0x80001804, PCI_COMMAND_IO);
	assert_int_equal(inl(pc, PORTS + 4), 0x12345678);
	assert_int_equal(c.port, 0xc004);
	assert_int_equal(mmio_read(&pc->mmio, 0xc0000010, 4), 0xffffffff);
	set_config(0x80001804, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	assert_int_equal(mmio_read(&pc->mmio, 0xc0000010, 4), 0x12345678);
	assert_int_equal(c.offset, 0x10);
	set_config(0x80001810, 0xd000); /* moved */
	assert_int_equal(inl(pc, PORTS + 4), 0xffffffff);
	assert_int_equal(inl(pc, MOVED), 0x12345678);
	assert_int_equal(c.written, 8 * 4);
	set_config(0x80001804, 0);
	assert_int_equal(inl(pc, MOVED), 0xffffffff);
	assert_int_equal(mmio_read(&pc->mmio, 0xc0000010, 4), 0xffffffff);
}

/* PB1. */
static void test_bars_in_the_way(void **state)
{
	struct card a, b;

	(void)state;
	card_init(&a, 3, 0);
	card_init(&b, 4, 0);
	b.value = 0x55;
	for (unsigned slot = 3; slot <= 4; slot++) {
		set_config(0x80000010 | slot << 11, 0xc000);
		set_config(0x80000004 | slot << 11, PCI_COMMAND_IO);
	}
	assert_int_equal(inl(pc, PORTS), 0x12345678);
	set_config(0x80001810, 0xc040); /* out of the other's way */
	assert_int_equal(inl(pc, PORTS), 0x55);
	assert_int_equal(inl(pc, PORTS + 64), 0x12345678);
	set_config(0x80001810, 0x3c0); /* of the UART: 0x3c0 to 0x3ff */
	assert_int_equal(inl(pc, PORTS + 64), 0xffffffff);
	assert_int_equal(inb(pc, COM1_PORT + UART_LSR), 0x60);
	set_config(0x80001810, 0xffc0);
	assert_int_equal(inl(pc, LAST + 60), 0x12345678);
	pci_reset(&pc->pci);
	assert_int_equal(inl(pc, LAST + 60), 0xffffffff);
	assert_int_equal(inl(pc, PORTS), 0xffffffff);
}

/* PB2. */
static void test_pins(void **state)
{
	struct card a, b;

	(void)state;
	card_init(&a, 1, 1); /* PIRQB: IRQ 10 */
	card_init(&b, 5, 1);
	pci_set_intx(&a.pci, true);
	pci_set_intx(&b.pci, true);
	assert_true(pc->hub.levels & 1u << 10);
	pci_set_intx(&a.pci, false);
	assert_true(pc->hub.levels & 1u << 10);
	pci_set_intx(&a.pci, true);
	pci_set_intx(&b.pci, false);
	assert_true(pc->hub.levels & 1u << 10);
	pci_set_intx(&b.pci, true);
	pci_set_intx(&a.pci, false);
	pci_route(&pc->pci, 1, 5);
	assert_false(pc->hub.levels & 1u << 10);
	assert_true(pc->hub.levels & 1u << 5);
	pci_route(&pc->pci, 1, PCI_PIRQ_OFF);
	assert_false(pc->hub.levels & 1u << 5);
	pci_route(&pc->pci, 1, 11);
	assert_true(pc->hub.levels & 1u << 11);
	pci_set_intx(&b.pci, false);
	assert_false(pc->hub.levels & 1u << 11);
}

static void test_assign(void **state)
{
	struct card a, b;

	(void)state;
	card_init(&a, 1, 1);
	card_init(&b, 2, 1);
	assert_true(pci_assign(&pc->pci, 0xc000, 0xc0000000, 0xfec00000));
	assert_int_equal(config(0x80001010), 0xc041);
	assert_int_equal(config(0x80001014), 0xc0001000);
	assert_int_equal(config(0x8000103c), 0x010b); /* PIRQC */
	assert_int_equal(inl(pc, PORTS + 64), 0x12345678);
	assert_int_equal(mmio_read(&pc->mmio, 0xc0001000, 4), 0x12345678);
	assert_false(pci_assign(&pc->pci, 0xffc1, 0xc0000000, 0xfec00000));
	assert_false(pci_assign(&pc->pci, 0xc000, 0xfebff000, 0xfec00000));
}

static void test_full(void **state)
{
	static struct pci_device all[PCI_DEVICES_MAX], more;
	unsigned n = PCI_DEVICES_MAX - pc->pci.count;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		pci_identify(&all[i], 0x1af4, 0x1001, 0x010000, 0);
		assert_true(pci_add(&pc->pci, &all[i], PCI_DEVFN(8 + i, 0)));
	}
	assert_int_equal(pc->pci.count, PCI_DEVICES_MAX);
	assert_false(pci_add(&pc->pci, &more, PCI_DEVFN(31, 0)));
	assert_int_equal(config(0x80000000 | (7 + n) << 11), 0x10011af4);
	assert_int_equal(config(0x8000f800), 0xffffffff);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_pci), T(test_bars), T(test_bars_in_the_way), T(test_pins),
					    T(test_assign), T(test_full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
