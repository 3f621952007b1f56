/* The guest's PC for tests: every device, wired as in the hypervisor, under a clock that the test moves. */
#ifndef VELLUM_TEST_DEV_PC_H
#define VELLUM_TEST_DEV_PC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/firmware/acpi_pm.h"
#include "dev/firmware/fw_cfg.h"
#include "dev/firmware/pvpanic.h"
#include "dev/irq/irqhub.h"
#include "dev/irq/lapic.h"
#include "dev/bus/dma8237.h"
#include "dev/bus/i440fx.h"
#include "dev/bus/piix.h"
#include "dev/firmware/debugcon.h"
#include "dev/input/i8042.h"
#include "dev/time/pit.h"
#include "dev/bus/ports.h"
#include "dev/time/rtc.h"
#include "dev/test/testdev.h"
#include "dev/serial/uart.h"

#define PC_CPUS 4
#define PC_EPOCH 1700000000u /* 2023-11-14 22:13:20 UTC, a Tuesday */

struct pc {
	uint64_t now;
	struct timers timers;
	struct pio_space pio;
	struct mmio_space mmio;
	struct irqhub hub;
	struct pic pic;
	struct ioapic ioapic;
	struct lapic lapic[PC_CPUS];
	struct apic_bus bus;
	struct pit pit;
	struct rtc rtc;
	struct uart uart;
	struct acpi_pm pm;
	struct ports ports;
	struct pci pci;
	struct i440fx i440fx;
	struct fw_cfg fw_cfg;
	struct pvpanic pvpanic;
	struct testdev testdev;
	/* where there is a firmware (pc_add_firmware) */
	struct piix piix;
	struct dma8237 dma8237;
	struct i8042 i8042;
	struct debugcon debugcon;
	struct guest_memory memory;
	uint8_t ram[0x4000]; /* from 0 on: all that there is */

	/* what came out */
	uint8_t sent[256];
	unsigned sent_count, sent_room; /* room: how many more bytes the sink takes */
	unsigned events[5];
	uint32_t event_value[5];
	unsigned kicks[PC_CPUS], signals[PC_CPUS][8];
	uint8_t signal_vector[PC_CPUS];
	unsigned eois[256];
	unsigned drops;
	uint64_t dropped;
	unsigned protections;
	uint64_t protected;
};

struct pc *pc_new(uint64_t tsc_hz);
/* What a machine has that starts at a firmware, in place of what one without has. */
void pc_add_firmware(struct pc *pc);
void pc_delete(struct pc *pc);
/* Lets time pass: every alarm fires at its deadline. Returns how many did. */
unsigned pc_advance(struct pc *pc, uint64_t ticks);
static inline unsigned pc_advance_us(struct pc *pc, uint64_t us)
{
	return pc_advance(pc, us * pc->timers.tsc_hz / 1000000);
}

static inline uint8_t inb(struct pc *pc, uint16_t port) { return (uint8_t)pio_in(&pc->pio, port, 1); }
static inline uint16_t inw(struct pc *pc, uint16_t port) { return (uint16_t)pio_in(&pc->pio, port, 2); }
static inline uint32_t inl(struct pc *pc, uint16_t port) { return pio_in(&pc->pio, port, 4); }
static inline void outb(struct pc *pc, uint16_t port, uint8_t v) { pio_out(&pc->pio, port, 1, v); }
static inline void outw(struct pc *pc, uint16_t port, uint16_t v) { pio_out(&pc->pio, port, 2, v); }
static inline void outl(struct pc *pc, uint16_t port, uint32_t v) { pio_out(&pc->pio, port, 4, v); }

/* Both PICs as Linux programs them: vectors 0x30 and 0x38, all pins masked but the cascade. */
void pc_program_pics(struct pc *pc);

/* Small random numbers: the same on every run. */
static inline uint32_t pc_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33);
}

#endif
