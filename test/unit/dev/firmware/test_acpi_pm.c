/* ACPI's fixed hardware (dev/firmware/acpi_pm.c): power off, the button, the timer. */
#include "test/unit/dev/fixture.h"

static bool sci(void) { return pc->hub.levels >> 9 & 1; }

static void test_power_off(void **state)
{
	(void)state;
	assert_int_equal(inw(pc, ACPI_PM1A_CNT), 1); /* ACPI mode */
	outw(pc, ACPI_PM1A_CNT, 0);
	assert_int_equal(inw(pc, ACPI_PM1A_CNT), 1);
	outw(pc, ACPI_PM1A_CNT, 3 << PM1_SLP_TYP_SHIFT | PM1_SLP_EN); /* another sleep state: nothing */
	outw(pc, ACPI_PM1A_CNT, 5 << PM1_SLP_TYP_SHIFT);
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 0);
	outw(pc, ACPI_PM1A_CNT, 5 << PM1_SLP_TYP_SHIFT | PM1_SLP_EN);
	assert_int_equal(pc->events[MACHINE_POWER_OFF], 1);
	assert_int_equal(inw(pc, ACPI_PM1A_CNT), 5 << PM1_SLP_TYP_SHIFT | 1); /* SLP_EN reads as 0 */
	outb(pc, ACPI_PM1A_CNT + 1, (5 << PM1_SLP_TYP_SHIFT | PM1_SLP_EN) >> 8); /* by bytes */
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

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_power_off), T(test_events), T(test_pm_timer) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
