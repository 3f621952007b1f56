#include "test/unit/dev/pc.h"
#include "lib/pic.h"
#include "lib/ports.h"

#include <stdlib.h>

static uint64_t pc_now(void *ctx)
{
	return ((struct pc *)ctx)->now;
}

static void intr(void *ctx, bool level)
{
	struct pc *pc = ctx;
	lapic_set_lint(&pc->lapic[0], 0, level);
}

static bool send(void *ctx, const struct apic_message *m)
{
	return apic_bus_send(&((struct pc *)ctx)->bus, m, NULL);
}

static void tx(void *ctx, uint8_t byte)
{
	struct pc *pc = ctx;
	pc->sent[pc->sent_count++ % sizeof(pc->sent)] = byte;
	if (pc->sent_room)
		pc->sent_room--;
}

static bool tx_room(void *ctx)
{
	return ((struct pc *)ctx)->sent_room;
}

static void event(void *ctx, enum machine_event kind, uint32_t value)
{
	struct pc *pc = ctx;
	pc->events[kind]++;
	pc->event_value[kind] = value;
}

static void drop(void *ctx, uint64_t gpa)
{
	struct pc *pc = ctx;
	pc->drops++;
	pc->dropped = gpa;
}

static void protect(void *ctx, uint64_t gpa)
{
	struct pc *pc = ctx;
	pc->protections++;
	pc->protected = gpa;
}

static void ipi(void *ctx, struct lapic *from, const struct apic_message *m)
{
	apic_bus_send(&((struct pc *)ctx)->bus, m, from);
}

static void eoi(void *ctx, struct lapic *from, uint8_t vector)
{
	struct pc *pc = ctx;
	(void)from;
	pc->eois[vector]++;
	ioapic_eoi(&pc->ioapic, vector);
}

static void kick(void *ctx, struct lapic *l)
{
	struct pc *pc = ctx;
	pc->kicks[l - pc->lapic]++;
}

static void signal_cpu(void *ctx, struct lapic *l, enum apic_delivery what, uint8_t vector)
{
	struct pc *pc = ctx;
	pc->signals[l - pc->lapic][what]++;
	pc->signal_vector[l - pc->lapic] = vector;
}

static const struct lapic_host host = { ipi, eoi, kick, signal_cpu };

static void add_devices(struct pc *pc)
{
	struct machine_sink sink = { event, pc };
	struct rtc_config rtc = { PC_EPOCH, 256u << 20, 0, 0, NULL };
	struct testdev_host below = { drop, protect, pc };
	struct irq_line lines[TESTDEV_LINES];
	assert_true(pit_init(&pc->pit, &pc->pio, &pc->timers, irqhub_line(&pc->hub, 0)));
	assert_true(rtc_init(&pc->rtc, &pc->pio, &pc->timers, irqhub_line(&pc->hub, 8), &rtc));
	assert_true(uart_init(&pc->uart, &pc->pio, 0x3f8, irqhub_line(&pc->hub, 4), tx, tx_room, pc));
	assert_true(acpi_pm_init(&pc->pm, &pc->pio, &pc->timers, irqhub_line(&pc->hub, 9), sink));
	assert_true(ports_init(&pc->ports, &pc->pio, sink, false));
	assert_true(pci_init(&pc->pci, &pc->pio, &pc->mmio, &pc->ports, irqhub_line(&pc->hub, 0)));
	assert_true(i440fx_init(&pc->i440fx, &pc->pci, 0, NULL, NULL));
	assert_true(fw_cfg_init(&pc->fw_cfg, &pc->pio, PC_CPUS, 256u << 20, NULL, &pc->timers));
	assert_true(pvpanic_init(&pc->pvpanic, &pc->pio, sink));
	for (unsigned n = 0; n < TESTDEV_LINES; n++)
		lines[n] = irqhub_line(&pc->hub, n);
	assert_true(testdev_init(&pc->testdev, &pc->pio, &pc->mmio, lines, &below));
}

struct pc *pc_new(uint64_t tsc_hz)
{
	struct pc *pc = calloc(1, sizeof(*pc));
	pc->now = 123456789;
	pc->sent_room = ~0u;
	pc->timers = (struct timers){ .tsc_hz = tsc_hz, .now = pc_now, .ctx = pc };
	assert_true(pic_init(&pc->pic, &pc->pio, intr, pc));
	assert_true(ioapic_init(&pc->ioapic, &pc->mmio, IOAPIC_BASE, IOAPIC_ID, send, pc));
	irqhub_init(&pc->hub, &pc->pic, &pc->ioapic);
	for (unsigned n = 0; n < PC_CPUS; n++) {
		lapic_init(&pc->lapic[n], &pc->timers, n, n == 0,
			   LAPIC_X2APIC | LAPIC_TSC_DEADLINE | LAPIC_CMCI | LAPIC_DIRECTED_EOI, 40, &host, pc);
		pc->bus.cpu[pc->bus.count++] = &pc->lapic[n];
	}
	add_devices(pc);
	return pc;
}

/* ---- with a firmware ---- */

static bool ram_read(void *ctx, uint64_t gpa, void *to, size_t n)
{
	struct pc *pc = ctx;

	if (gpa > sizeof(pc->ram) || n > sizeof(pc->ram) - gpa)
		return false;
	memcpy(to, pc->ram + gpa, n);
	return true;
}

static bool ram_write(void *ctx, uint64_t gpa, const void *from, size_t n)
{
	struct pc *pc = ctx;

	if (gpa > sizeof(pc->ram) || n > sizeof(pc->ram) - gpa)
		return false;
	memcpy(pc->ram + gpa, from, n);
	return true;
}

void pc_add_firmware(struct pc *pc)
{
	static const uint16_t taken[] = { PORT_KBC_DATA, PORT_KBC_COMMAND, FW_CFG_SELECT };

	for (unsigned n = 0; n < ARRAY_SIZE(taken); n++)
		pio_remove(&pc->pio, taken[n]);
	pc->memory = (struct guest_memory){ ram_read, ram_write, pc };
	assert_true(piix_init(&pc->piix, &pc->pci, 0x11001af4, true));
	assert_true(dma8237_init(&pc->dma8237, &pc->pio));
	assert_true(i8042_init(&pc->i8042, &pc->pio, irqhub_line(&pc->hub, 1), irqhub_line(&pc->hub, 12),
			       (struct machine_sink){ event, pc }));
	assert_true(debugcon_init(&pc->debugcon, &pc->pio, tx, pc));
	assert_true(fw_cfg_init(&pc->fw_cfg, &pc->pio, PC_CPUS, 256u << 20, &pc->memory, &pc->timers));
	assert_true(fw_cfg_add_file(&pc->fw_cfg, "etc/e820", "twenty bytes of text", 20));
	assert_true(fw_cfg_add_file(&pc->fw_cfg, "etc/number", "\x78\x56\x34\x12", 4));
}

void pc_delete(struct pc *pc)
{
	free(pc);
}

unsigned pc_advance(struct pc *pc, uint64_t ticks)
{
	uint64_t end = pc->now + ticks;
	unsigned fired = 0, at_once = 0;
	while (timers_next(&pc->timers) <= end) {
		at_once = timers_next(&pc->timers) > pc->now ? 0 : at_once + 1;
		assert_true(at_once < 1000); /* time goes on */
		pc->now = max_u64(pc->now, timers_next(&pc->timers));
		timers_run(&pc->timers, pc->now);
		fired++;
	}
	pc->now = end;
	return fired;
}

void pc_program_pics(struct pc *pc)
{
	outb(pc, PIC1_DATA, PIC_ALL);
	outb(pc, PIC1_COMMAND, ICW1 | ICW1_NEED_ICW4);
	outb(pc, PIC1_DATA, 0x30);
	outb(pc, PIC1_DATA, 0x04);
	outb(pc, PIC1_DATA, 0x01);
	outb(pc, PIC2_COMMAND, ICW1 | ICW1_NEED_ICW4);
	outb(pc, PIC2_DATA, 0x38);
	outb(pc, PIC2_DATA, 0x02);
	outb(pc, PIC2_DATA, 0x01);
	outb(pc, PIC1_DATA, 0xfb);
	outb(pc, PIC2_DATA, PIC_ALL);
}
