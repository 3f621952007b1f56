/* ACPI's fixed hardware, reset, exit and panic ports, PCI configuration space, fw_cfg, the test device. */
#include "test/unit/dev/fixture.h"

static bool sci(void) { return pc->hub.levels >> 9 & 1; }

static void test_power_off(void **state)
{
	(void)state;
	assert_int_equal(inw(pc, ACPI_PM1A_CNT), 1); /* ACPI mode */
	outw(pc, ACPI_PM1A_CNT, 0);
	assert_int_equal(inw(pc, ACPI_PM1A_CNT), 1);
	outw(pc, ACPI_PM1A_CNT, 3 << 10 | 1 << 13); /* another sleep state: nothing */
	outw(pc, ACPI_PM1A_CNT, 5 << 10);
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 0);
	outw(pc, ACPI_PM1A_CNT, 5 << 10 | 1 << 13);
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 1);
	assert_int_equal(inw(pc, ACPI_PM1A_CNT), 5 << 10 | 1); /* SLP_EN reads as 0 */
	outb(pc, ACPI_PM1A_CNT + 1, 5 << 2 | 1 << 5); /* by bytes */
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 2);
}

static void test_events(void **state)
{
	(void)state;
	acpi_pm_power_button(&pc->pm);
	assert_false(sci());
	assert_int_equal(inw(pc, ACPI_PM1A_EVT), 0x100);
	outw(pc, ACPI_PM1A_EVT + 2, 0x100);
	assert_true(sci());
	outw(pc, ACPI_PM1A_EVT, 0x001); /* another bit: stays */
	assert_true(sci());
	outl(pc, ACPI_PM1A_EVT, 0x01000100); /* status cleared by ones, enable kept */
	assert_false(sci());
	assert_int_equal(inl(pc, ACPI_PM1A_EVT), 0x01000000);
	acpi_pm_power_button(&pc->pm);
	assert_true(sci());
	outb(pc, ACPI_PM1A_EVT + 1, 0x01);
	assert_false(sci());
	outl(pc, ACPI_GPE0, 0xffff0000);
	assert_int_equal(inl(pc, ACPI_GPE0), 0xffff0000);
	outb(pc, ACPI_GPE0 + 2, 0);
	assert_int_equal(inw(pc, ACPI_GPE0 + 2), 0xff00);
	assert_false(sci());
	acpi_pm_reset(&pc->pm);
	assert_int_equal(inl(pc, ACPI_PM1A_EVT), 0);
}

static void test_pm_timer(void **state)
{
	(void)state;
	uint32_t start = inl(pc, ACPI_PM_TMR);
	pc_advance_us(pc, 1000000);
	assert_int_equal(inl(pc, ACPI_PM_TMR) - start, ACPI_PM_TMR_HZ);
	assert_int_equal(inw(pc, ACPI_PM_TMR), (uint16_t)(start + ACPI_PM_TMR_HZ));
	assert_int_equal(inb(pc, ACPI_PM_TMR + 2), (start + ACPI_PM_TMR_HZ) >> 16 & 0xff);
	outl(pc, ACPI_PM_TMR, 0);
	assert_int_equal(inl(pc, ACPI_PM_TMR) - start, ACPI_PM_TMR_HZ);
	outw(pc, ACPI_PM1A_EVT + 2, 1); /* the top bit changes every 599.9 seconds */
	pc_advance_us(pc, 598000000);
	assert_false(sci());
	pc_advance_us(pc, 2000000);
	assert_true(sci());
	assert_int_equal(inw(pc, ACPI_PM1A_EVT), 1);
	outw(pc, ACPI_PM1A_EVT, 1);
	assert_false(sci());
	pc_advance_us(pc, 590000000);
	assert_false(sci());
	pc_advance_us(pc, 20000000);
	assert_true(sci());
	outw(pc, ACPI_PM1A_EVT + 2, 0);
	assert_false(sci());
	outw(pc, ACPI_PM1A_EVT, 1);
	pc_advance_us(pc, 1200000000); /* nobody is told, but the status shows it */
	assert_int_equal(inw(pc, ACPI_PM1A_EVT), 1);
}

static unsigned resets(void) { return pc->events[MACHINE_RESET]; }

static void test_resets(void **state)
{
	(void)state;
	outb(pc, 0xcf9, 0x02);
	assert_int_equal(resets(), 0);
	assert_int_equal(inb(pc, 0xcf9), 0x02);
	outb(pc, 0xcf9, 0x06);
	assert_int_equal(resets(), 1);
	assert_int_equal(pc->event_value[MACHINE_RESET], 0xcf9);
	outb(pc, 0xcf9, 0x0e); /* still set: not again */
	assert_int_equal(resets(), 1);
	assert_int_equal(inb(pc, 0x64), 0xff);
	assert_int_equal(inb(pc, 0x60), 0xff);
	outb(pc, 0x64, 0xd1);
	outb(pc, 0x64, 0xff); /* pulses nothing */
	assert_int_equal(resets(), 1);
	outb(pc, 0x64, 0xfe);
	assert_int_equal(resets(), 2);
	outb(pc, 0x60, 0xfe);
	assert_int_equal(resets(), 2);
	assert_int_equal(inb(pc, 0x92), 2); /* A20 is open */
	outb(pc, 0x92, 0);
	assert_int_equal(inb(pc, 0x92), 2);
	outb(pc, 0x92, 3);
	assert_int_equal(resets(), 3);
	outb(pc, 0x92, 3);
	assert_int_equal(resets(), 3);
	ports_reset(&pc->ports);
	outb(pc, 0xcf9, 0x06);
	assert_int_equal(resets(), 4);
}

static void say(const char *s)
{
	while (*s)
		outb(pc, 0x8900, (uint8_t)*s++);
}

static void test_exits(void **state)
{
	(void)state;
	outl(pc, 0xf4, 0x11223344);
	assert_int_equal(pc->events[MACHINE_DEBUG_EXIT], 1);
	assert_int_equal(pc->event_value[MACHINE_DEBUG_EXIT], 0x11223344);
	outb(pc, 0xf4, 0x21);
	assert_int_equal(pc->event_value[MACHINE_DEBUG_EXIT], 0x21);
	assert_int_equal(inl(pc, 0xf4), 0xffffffff);
	say("Shut");
	say("down");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 1);
	say("ShutdowShutdow");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 1);
	say("n");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 2);
	say("SShutdown");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 3);
	say("shutdown");
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 3);
	outb(pc, 0x80, 0x55);
	outb(pc, 0x84, 0x66);
	assert_int_equal(inb(pc, 0x80), 0x55);
	assert_int_equal(inl(pc, 0x84) & 0xff, 0x66);
	assert_int_equal(inb(pc, 0x8900), 0xff);
}

static void test_pvpanic(void **state)
{
	(void)state;
	assert_int_equal(inb(pc, 0x505), 3);
	assert_int_equal(inw(pc, 0x505), 0xff03);
	assert_int_equal(inb(pc, 0x504), 0xff);
	outb(pc, 0x505, 0);
	outb(pc, 0x505, 0xfc);
	assert_int_equal(pc->events[MACHINE_PANICKED] + pc->events[MACHINE_CRASH_LOADED], 0);
	outb(pc, 0x505, 1);
	assert_int_equal(pc->events[MACHINE_PANICKED], 1);
	assert_int_equal(pc->event_value[MACHINE_PANICKED], 0x505);
	outb(pc, 0x505, 2);
	assert_int_equal(pc->events[MACHINE_PANICKED], 1);
	assert_int_equal(pc->events[MACHINE_CRASH_LOADED], 1);
	outl(pc, 0x505, 0xffffff03); /* both: it is over */
	assert_int_equal(pc->events[MACHINE_PANICKED], 2);
	assert_int_equal(pc->events[MACHINE_CRASH_LOADED], 1);
}

static uint32_t config(uint32_t address)
{
	outl(pc, 0xcf8, address);
	return inl(pc, 0xcfc);
}

static void test_pci(void **state)
{
	(void)state;
	outl(pc, 0xcf8, 0x80000000); /* as Linux probes the mechanism */
	assert_int_equal(inl(pc, 0xcf8), 0x80000000);
	outl(pc, 0xcf8, 0xffffffff);
	assert_int_equal(inl(pc, 0xcf8), 0x80fffffc);
	assert_int_equal(config(0x80000000), 0x12378086);
	assert_int_equal(config(0x80000004), 0x02000006);
	assert_int_equal(config(0x80000008), 0x06000002);
	assert_int_equal(config(0x8000000c), 0);
	outl(pc, 0xcf8, 0x80000008);
	assert_int_equal(inw(pc, 0xcfe), 0x0600);
	assert_int_equal(inb(pc, 0xcfc), 0x02);
	assert_int_equal(config(0x00000000), 0xffffffff); /* not enabled */
	for (uint32_t slot = 1; slot < 32; slot++)
		assert_int_equal(config(0x80000000 | slot << 11), 0xffffffff);
	for (uint32_t function = 1; function < 8; function++)
		assert_int_equal(config(0x80000000 | function << 8), 0xffffffff);
	assert_int_equal(config(0x80010000), 0xffffffff);
	outl(pc, 0xcfc, 0);
	outl(pc, 0xcf8, 0x80000000);
	outl(pc, 0xcfc, 0);
	assert_int_equal(inl(pc, 0xcfc), 0x12378086); /* read-only */
	outl(pc, 0xcf8, 0x80000004);
	outl(pc, 0xcfc, 0xffffffff);
	assert_int_equal(inl(pc, 0xcfc), 0x02000146);
	outl(pc, 0xcf8, 0x80000058);
	outb(pc, 0xcfd, 0x30); /* PAM0 */
	assert_int_equal(inl(pc, 0xcfc), 0x00003000);
	outb(pc, 0xcf8, 0x12); /* bytes are not the address register */
	assert_int_equal(inl(pc, 0xcf8), 0x80000058);
	assert_int_equal(inb(pc, 0xcf8), 0xff);
	assert_int_equal(inw(pc, 0xcfb), 0x00ff);
	pci_reset(&pc->pci);
	assert_int_equal(config(0x80000004), 0x02000006);
}

static void select_item(uint16_t key) { outw(pc, 0x510, key); }

static void test_fw_cfg(void **state)
{
	static const uint8_t signature[] = { 'Q', 'E', 'M', 'U', 0, 0, 0, 0, 0, 0 };
	(void)state;
	select_item(0);
	for (unsigned i = 0; i < sizeof(signature); i++)
		assert_int_equal(inb(pc, 0x511), signature[i]);
	select_item(1);
	assert_int_equal(inb(pc, 0x511), 1); /* no DMA */
	select_item(5);
	assert_int_equal(inb(pc, 0x511), PC_CPUS);
	assert_int_equal(inb(pc, 0x511), 0);
	assert_int_equal(inb(pc, 0x511), 0);
	select_item(5); /* selecting rewinds */
	assert_int_equal(inb(pc, 0x511), PC_CPUS);
	select_item(3);
	uint64_t ram = 0;
	for (unsigned i = 0; i < 8; i++)
		ram |= (uint64_t)inb(pc, 0x511) << 8 * i;
	assert_int_equal(ram, 256u << 20);
	select_item(0x19);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(inb(pc, 0x511), 0);
	select_item(0xffff);
	assert_int_equal(inb(pc, 0x511), 0);
	assert_int_equal(inb(pc, 0x510), 0xff);
	select_item(0);
	outb(pc, 0x511, 'x');
	outb(pc, 0x510, 5);
	assert_int_equal(inb(pc, 0x511), 'Q');
}

static void test_testdev(void **state)
{
	(void)state;
	outl(pc, 0xe0, 0x12345678);
	assert_int_equal(inl(pc, 0xe0), 0x12345678);
	assert_int_equal(inw(pc, 0xe1), 0x3456);
	outb(pc, 0xe2, 0xaa);
	assert_int_equal(inl(pc, 0xe0), 0x12aa5678);
	outl(pc, 0xe4, 0xfedc1000);
	assert_int_equal(pc->drops, 1);
	assert_true(pc->dropped == 0xfedc1000);
	outb(pc, 0xe4, 1);
	outw(pc, 0xe6, 1);
	assert_int_equal(pc->drops, 1);
	assert_int_equal(inl(pc, 0xe4), 0xffffffff);
	for (unsigned n = 0; n < TESTDEV_LINES; n++) {
		outl(pc, (uint16_t)(0x2000 + n), 1);
		assert_true(pc->hub.levels == 1u << n);
		outl(pc, (uint16_t)(0x2000 + n), 0);
		assert_int_equal(pc->hub.levels, 0);
	}
	outb(pc, 0x2018, 1);
	outb(pc, 0x200e, 1);
	assert_int_equal(pc->hub.levels, 1 << 14);
	mmio_write(&pc->mmio, 0xff000010, 8, 0x1122334455667788);
	assert_true(mmio_read(&pc->mmio, 0xff000010, 8) == 0x1122334455667788);
	assert_int_equal(mmio_read(&pc->mmio, 0xff000013, 2), 0x4455);
	mmio_write(&pc->mmio, 0xff00ffff, 1, 0x99);
	assert_int_equal(mmio_read(&pc->mmio, 0xff00ffff, 1), 0x99);
	assert_int_equal(mmio_read(&pc->mmio, 0xff00ffff, 2), 0xffff);
	testdev_reset(&pc->testdev);
	assert_int_equal(pc->hub.levels, 0);
	assert_int_equal(inl(pc, 0xe0), 0);
	assert_true(mmio_read(&pc->mmio, 0xff000010, 8) == 0);
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_power_off), T(test_events), T(test_pm_timer), T(test_resets), T(test_exits),   T(test_pvpanic),
		T(test_pci),       T(test_fw_cfg), T(test_testdev),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
