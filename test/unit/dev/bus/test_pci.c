/* PCI configuration space (dev/bus/pci.c), and what else its ports are. */
#include "test/unit/dev/fixture.h"
#include "lib/ports.h"

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

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_pci) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
