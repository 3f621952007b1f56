/* dev/firmware/acpi_pm.c - the fixed hardware's registers: status bits are cleared by writing ones, events go to the
 * SCI. ACPI, "PM1 Event Grouping", "PM1 Control Registers", "Power Management Timer". */
#include "dev/firmware/acpi_pm.h"
#include "dev/bus/bytes.h"

#define PM1_STATUS 0x8731u /* TMR, BM, GBL, PWRBTN, SLPBTN, RTC, WAK */
#define PM1_ENABLE 0x0721u
#define PM1_EVENTS 0x0721u
#define CNT_SCI_EN 0x0001u
#define CNT_KEPT 0x1c03u /* SCI_EN, BM_RLD, SLP_TYP */

static uint64_t pm_clock(const struct acpi_pm *pm)
{
	return ratio_apply(pm->to_clocks, timers_now(pm->timers) - pm->epoch);
}

/* TMR_STS is set whenever the timer's top bit changes. */
static void tmr_sync(struct acpi_pm *pm)
{
	uint64_t changes = pm_clock(pm) >> 31;
	if (changes != pm->tmr_seen) {
		pm->tmr_seen = changes;
		pm->pm1_sts |= PM1_TMR;
	}
}

/* ACPI, "SCI Interrupt": as long as the status and the enable bit of an event are set. */
static void sci_update(struct acpi_pm *pm)
{
	irq_set(&pm->sci, (pm->pm1_sts & pm->pm1_en & PM1_EVENTS) || (pm->gpe_sts & pm->gpe_en));
	if ((pm->pm1_en & PM1_TMR) && !(pm->pm1_sts & PM1_TMR))
		timer_arm(pm->timers, &pm->overflow,
			  pm->epoch + ratio_apply(pm->to_ticks, (pm->tmr_seen + 1) << 31) + 1);
	else
		timer_cancel(pm->timers, &pm->overflow);
}

static void overflow_fire(void *dev, uint64_t now)
{
	struct acpi_pm *pm = dev;
	(void)now;
	tmr_sync(pm);
	sci_update(pm);
}

void acpi_pm_power_button(struct acpi_pm *pm)
{
	pm->pm1_sts |= PM1_PWRBTN;
	sci_update(pm);
}

/* SCI_EN stays set: there is no other mode. SLP_EN is write-only and reads as 0 (ACPI, "PM1 Control Registers"). */
static void cnt_write(struct acpi_pm *pm, uint16_t value)
{
	pm->pm1_cnt = (value & CNT_KEPT) | CNT_SCI_EN;
	if ((value & PM1_SLP_EN) && (value >> PM1_SLP_TYP_SHIFT & 7) == ACPI_SLP_TYP_S5)
		machine_report(&pm->machine, MACHINE_POWER_OFF, ACPI_PM1A_CNT);
}

/* The 16-bit register that the byte at port belongs to: its present value. */
static uint16_t reg_value(struct acpi_pm *pm, uint16_t port)
{
	switch (port & ~1u) {
	case ACPI_PM1A_EVT:
		tmr_sync(pm);
		return pm->pm1_sts;
	case ACPI_PM1A_EVT + 2:
		return pm->pm1_en;
	case ACPI_PM1A_CNT:
		return pm->pm1_cnt;
	case ACPI_GPE0:
		return pm->gpe_sts;
	case ACPI_GPE0 + 2:
		return pm->gpe_en;
	default:
		return 0;
	}
}

static uint8_t pm_read(void *dev, uint16_t port)
{
	return (uint8_t)(reg_value(dev, port) >> (port & 1 ? 8 : 0));
}

/* value: the bits of the register that are written, in place; mask says which those are. */
static void reg_write(struct acpi_pm *pm, uint16_t port, uint16_t value, uint16_t mask)
{
	switch (port & ~1u) {
	case ACPI_PM1A_EVT:
		tmr_sync(pm);
		pm->pm1_sts &= (uint16_t)~(value & mask & PM1_STATUS);
		break;
	case ACPI_PM1A_EVT + 2:
		tmr_sync(pm);
		pm->pm1_en = (uint16_t)(((pm->pm1_en & ~mask) | (value & mask)) & PM1_ENABLE);
		break;
	case ACPI_PM1A_CNT:
		cnt_write(pm, (uint16_t)((pm->pm1_cnt & ~mask) | (value & mask)));
		return;
	case ACPI_GPE0:
		pm->gpe_sts &= (uint16_t)~(value & mask);
		break;
	case ACPI_GPE0 + 2:
		pm->gpe_en = (uint16_t)((pm->gpe_en & ~mask) | (value & mask));
		break;
	default:
		return;
	}
	sci_update(pm);
}

static void pm_write(void *dev, uint16_t port, uint8_t value)
{
	if (port & 1)
		reg_write(dev, port, (uint16_t)(value << 8), 0xff00);
	else
		reg_write(dev, port, value, 0x00ff);
}

static uint32_t pm_in(void *dev, uint16_t port, unsigned size)
{
	struct acpi_pm *pm = dev;
	/* The timer is read as a whole or not at all: its bytes would not belong together. */
	if (port >= ACPI_PM_TMR && port < ACPI_PM_TMR + 4)
		return (uint32_t)pm_clock(pm) >> 8 * (port & 3) & (uint32_t)MASK(8 * size - 1, 0);
	return bytes_in(dev, port, size, pm_read);
}

static void pm_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	if (size >= 2 && !(port & 1)) { /* whole registers: SLP_TYP and SLP_EN in one go */
		reg_write(dev, port, (uint16_t)value, 0xffff);
		if (size == 4)
			reg_write(dev, (uint16_t)(port + 2), (uint16_t)(value >> 16), 0xffff);
		return;
	}
	bytes_out(dev, port, size, value, pm_write);
}

void acpi_pm_reset(struct acpi_pm *pm)
{
	pm->epoch = timers_now(pm->timers);
	pm->tmr_seen = 0;
	pm->pm1_sts = 0;
	pm->pm1_en = 0;
	pm->pm1_cnt = CNT_SCI_EN;
	pm->gpe_sts = 0;
	pm->gpe_en = 0;
	sci_update(pm);
}

bool acpi_pm_init(struct acpi_pm *pm, struct pio_space *pio, struct timers *timers, struct irq_line sci,
	struct machine_sink machine)
{
	static const struct pio_ops ops = { pm_in, pm_out };
	*pm = (struct acpi_pm){ .timers = timers, .sci = sci, .machine = machine };
	pm->overflow = (struct timer){ .fire = overflow_fire, .dev = pm };
	pm->to_clocks = ratio_init(timers->tsc_hz, ACPI_PM_TMR_HZ);
	pm->to_ticks = ratio_init(ACPI_PM_TMR_HZ, timers->tsc_hz);
	acpi_pm_reset(pm);
	return pio_add(pio, ACPI_PM1A_EVT, 4, &ops, pm) && pio_add(pio, ACPI_PM1A_CNT, 2, &ops, pm) &&
		pio_add(pio, ACPI_PM_TMR, 4, &ops, pm) && pio_add(pio, ACPI_GPE0, 4, &ops, pm);
}
