/* The bridges of a PC: host bridge (dev/bus/i440fx.c) and south bridge (dev/bus/piix.c). */
#include "test/unit/dev/fixture.h"
#include "dev/bus/piix.h"

static uint32_t config(uint32_t address)
{
	outl(pc, PCI_ADDRESS, 0x80000000 | address);
	return inl(pc, PCI_DATA);
}

static void set_config(uint32_t address, uint32_t value)
{
	outl(pc, PCI_ADDRESS, 0x80000000 | address);
	outl(pc, PCI_DATA, value);
}

static void changed(void *ctx) { ++*(unsigned *)ctx; }

/* A bridge of its own, on a bus of its own. */
static void test_areas(void **state)
{
	struct i440fx b;
	unsigned count = 0;

	(void)state;
	pc->pci.count = 0;
	assert_true(i440fx_init(&b, &pc->pci, 0x11001af4, changed, &count));
	assert_int_equal(config(0x2c), 0x11001af4);
	for (unsigned n = 0; n < PAM_AREAS; n++)
		assert_int_equal(i440fx_area(&b, n), 0);
	set_config(0x58, 0x31023000); /* PAM0: 0x30, PAM1: 0x02, PAM2: 0x31 */
	assert_int_equal(count, 1);
	assert_int_equal(i440fx_area(&b, PAM_AREAS - 1), PAM_READ | PAM_WRITE);
	assert_int_equal(i440fx_area(&b, 0), PAM_WRITE);
	assert_int_equal(i440fx_area(&b, 1), 0);
	assert_int_equal(i440fx_area(&b, 2), PAM_READ);
	assert_int_equal(i440fx_area(&b, 3), PAM_READ | PAM_WRITE);
	set_config(0x5c, 0x32000000); /* PAM6 */
	assert_int_equal(i440fx_area(&b, 10), PAM_WRITE);
	assert_int_equal(i440fx_area(&b, 11), PAM_READ | PAM_WRITE);
	set_config(0x70, 0xffffffff); /* SMRAM, and what there is not */
	assert_int_equal(config(0x70), 0x00ff0000);
	assert_int_equal(count, 2);
	assert_int_equal(pam_area(0xc0000), 0);
	assert_int_equal(pam_area(0xc3fff), 0);
	assert_int_equal(pam_area(0xeffff), 11);
	assert_int_equal(pam_area(0xf0000), 12);
	assert_int_equal(pam_area(0xfffff), 12);
	assert_int_equal(pam_base(12), 0xf0000);
	assert_int_equal(pam_bytes(12), 0x10000);
	assert_int_equal(pam_bytes(11), 0x4000);
}

static void test_south_bridge(void **state)
{
	struct piix p;

	(void)state;
	assert_true(piix_init(&p, &pc->pci, 0x11001af4, true));
	assert_int_equal(config(0x0800), 0x70008086);
	assert_int_equal(config(0x0808) >> 16, 0x0601);
	assert_int_equal(config(0x080c) >> 16 & 0xff, PCI_MULTIFUNCTION);
	assert_int_equal(config(0x0b00), 0x71138086);
	assert_int_equal(config(0x0b40), ACPI_PM_BASE | 1);
	assert_int_equal(config(0x0b58), 0x02000000); /* as SeaBIOS looks whether SMM is to be set up */
	assert_int_equal(config(0x0b3c), 0x0109);
	set_config(0x0b40, 0xb001);
	assert_int_equal(config(0x0b40), ACPI_PM_BASE | 1);
	assert_int_equal(config(0x0860), 0x80808080);
	p.isa.asserted = false;
	set_config(0x0860, 0x0b0a8005);
	assert_int_equal(pc->pci.pirq[0], 5);
	assert_int_equal(pc->pci.pirq[1], PCI_PIRQ_OFF);
	assert_int_equal(pc->pci.pirq[2], 10);
	assert_int_equal(pc->pci.pirq[3], 11);
	outl(pc, PCI_ADDRESS, 0x80000860);
	outb(pc, PCI_DATA + 3, 0xff);
	assert_int_equal(config(0x0860), 0x8f0a8005);
	assert_int_equal(pc->pci.pirq[3], PCI_PIRQ_OFF);
	pci_reset(&pc->pci);
	assert_int_equal(pc->pci.pirq[0], PCI_PIRQ_OFF);
}

/* Without a firmware there is only the ISA bridge, and interrupts go where the bus has them. */
static void test_no_firmware(void **state)
{
	struct piix p;

	(void)state;
	assert_true(piix_init(&p, &pc->pci, 0, false));
	assert_int_equal(config(0x0800), 0x70008086);
	assert_int_equal(config(0x0b00), 0xffffffff);
	assert_int_equal(config(0x0860), 0x0b0b0a0a);
	pci_reset(&pc->pci);
	assert_int_equal(pc->pci.pirq[0], 10);
	assert_int_equal(pc->pci.pirq[3], 11);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_areas), T(test_south_bridge), T(test_no_firmware) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
