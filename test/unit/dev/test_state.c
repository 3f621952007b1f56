/* What a snapshot holds of the devices: after any use, another machine goes on with it as the first one does, at
 * whatever time of its clock; and nothing that is read is believed. */
#include "test/unit/dev/fixture.h"
#include "lib/pic.h"
#include "lib/pit.h"

#include <string.h>

#define ROOM 0x20000u
#define LATER 987654321987ull /* of the second machine's clock */
#define USES 4000u
#define STEPS 3000u

static uint8_t bytes[ROOM], again[ROOM];

static void all(struct fields *s, struct pc *p)
{
	pic_state(s, &p->pic);
	ioapic_state(s, &p->ioapic);
	irqhub_state(s, &p->hub);
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_state(s, &p->lapic[n]);
	pit_state(s, &p->pit);
	rtc_state(s, &p->rtc);
	uart_state(s, &p->uart);
	acpi_pm_state(s, &p->pm);
	ports_state(s, &p->ports);
	pci_state(s, &p->pci);
	fw_cfg_state(s, &p->fw_cfg);
	testdev_state(s, &p->testdev);
	if (p->memory.read) {
		dma8237_state(s, &p->dma8237);
		i8042_state(s, &p->i8042);
	}
	if (s->load)
		state_done(s);
}

static size_t save(struct pc *of, uint8_t *to)
{
	struct fields s;

	state_save(&s, to, ROOM);
	all(&s, of);
	assert_false(s.bad);
	return s.at;
}

static bool load(struct pc *into, size_t size, uint64_t shift, struct fields *s)
{
	state_load(s, bytes, size, shift);
	all(s, into);
	assert_true(!s->bad || s->why);
	return !s->bad;
}

/* ---- use ---- */

static const uint16_t ports[] = {
	0x20,  0x21,  0xa0,  0xa1,  0x40,  0x41, 0x42, 0x43, 0x61, 0x70, 0x71, 0x72, 0x73, 0x80, 0x92, 0xe0, 0xe1,
	0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x4d0, 0x4d1, 0x510, 0x511, 0x600, 0x602, 0x604, 0x608,
	0x620, 0x622, 0xcf8, 0xcfc, 0x2000,
	0x2005, 0x200c, 0x60, 0x64, 0x00, 0x01, 0x0a, 0x0b, 0xd0, 0xd4, 0x514, 0x518,
};

static uint64_t port_step(struct pc *p, uint64_t *seed)
{
	unsigned r = pc_random(seed);
	uint16_t port = ports[r % ARRAY_SIZE(ports)];
	unsigned size = port == PCI_ADDRESS || port >= 0x514 ? 4 : 1u << (r >> 24) % 3;
	uint32_t value = r & 1u << 29 ? pc_random(seed) : pc_random(seed) & 0x13;

	if (port == PCI_ADDRESS)
		value = 0x80000000u | (value & 0xfc) | (value >> 8 & 1) << 11 | (value >> 9 & 3) << 8;
	if (port >= 0x514)
		value = __builtin_bswap32(value & 0x3fff); /* a descriptor within the RAM */
	if (r & 1u << 28)
		return pio_in(&p->pio, port, size);
	pio_out(&p->pio, port, size, value);
	return 0;
}

static uint64_t lapic_step(struct pc *p, uint64_t *seed)
{
	unsigned r = pc_random(seed), reg = (r >> 8) % 0x40;
	struct lapic *l = &p->lapic[r % PC_CPUS];
	uint64_t value = pc_random(seed), read = 0;

	if (l->x2apic || !(r & 7)) {
		uint32_t msr = r >> 24 & 1 ? MSR_TSC_DEADLINE : r >> 25 & 3 ? 0x800 + reg : MSR_APIC_BASE;

		if (msr == MSR_TSC_DEADLINE)
			value = p->now + l->tsc_offset + value % 100000;
		else if (msr == MSR_APIC_BASE)
			value = LAPIC_DEFAULT_BASE | (value & 0xd00);
		if (r & 1u << 28)
			return lapic_msr_read(l, msr, &read) ? read : ~0ull;
		return lapic_msr_write(l, msr, value);
	}
	if (r & 1u << 28)
		return lapic_mmio_read(l, reg * 16, 4);
	lapic_mmio_write(l, reg * 16, 4, reg == 0x0f ? value | 0x100 : value);
	return 0;
}

static uint64_t ioapic_step(struct pc *p, uint64_t *seed)
{
	unsigned r = pc_random(seed);
	uint64_t gpa = IOAPIC_BASE + (r & 1) * 0x10, value = pc_random(seed);

	if (r & 2)
		return mmio_read(&p->mmio, gpa, 4);
	mmio_write(&p->mmio, gpa, 4, gpa == IOAPIC_BASE ? value & 0x3f : value);
	return 0;
}

static uint64_t outside_step(struct pc *p, uint64_t *seed)
{
	unsigned r = pc_random(seed);

	switch (r % 6) {
	case 0: return uart_receive(&p->uart, (uint8_t)(r >> 8));
	case 1: lapic_set_tpr(&p->lapic[r >> 8 & 3], (uint8_t)(r >> 16)); return 0;
	case 2: acpi_pm_power_button(&p->pm); return 0;
	case 3: return p->memory.read && i8042_key(&p->i8042, r >> 8 & 3, (uint8_t)(r >> 16));
	case 4: return p->memory.read && i8042_mouse(&p->i8042, r >> 8 & 7, (int)(r >> 12 & 63) - 30, 3, 0);
	default: p->now += r >> 8 & 0x3fff; timers_run(&p->timers, p->now); return 0;
	}
}

/* What the run loop does before it enters the guest. */
static uint64_t interrupt_step(struct pc *p, unsigned n)
{
	struct lapic *l = &p->lapic[n % PC_CPUS];
	int v = lapic_pending(l);

	if (lapic_extint(l))
		return 0x100u | pic_ack(&p->pic);
	if (v >= 0)
		lapic_ack(l, (uint8_t)v);
	return (uint64_t)v;
}

static uint64_t step(struct pc *p, uint64_t *seed)
{
	unsigned r = pc_random(seed);

	switch (r % 16) {
	case 0: case 1: return ioapic_step(p, seed);
	case 2: case 3: case 4: return lapic_step(p, seed);
	case 5: case 6: return outside_step(p, seed);
	case 7: return interrupt_step(p, r >> 8);
	default: return port_step(p, seed);
	}
}

static void together(struct pc *a, struct pc *b, uint64_t seed, unsigned steps)
{
	for (unsigned n = 0; n < steps; n++) {
		uint64_t of_b = seed;

		assert_int_equal(step(a, &seed), step(b, &of_b));
		assert_int_equal(seed, of_b);
		assert_int_equal(a->pic.out, b->pic.out);
		assert_int_equal(a->sent_count % sizeof(a->sent), b->sent_count % sizeof(b->sent));
	}
}

static struct pc *other(bool firmware)
{
	struct pc *b = pc_new(PC_HZ);

	if (firmware)
		pc_add_firmware(b);
	b->now = pc->now + LATER;
	return b;
}

static void go_on(bool firmware)
{
	struct fields s;

	for (uint64_t seed = 1; seed <= 12; seed++) {
		uint64_t use = seed * 77;
		struct pc *b;
		size_t size;

		setup(NULL);
		if (firmware)
			pc_add_firmware(pc);
		pc_program_pics(pc);
		for (unsigned n = 0; n < USES; n++)
			step(pc, &use);
		b = other(firmware);
		size = save(pc, bytes);
		assert_true(load(b, size, LATER, &s));
		b->sent_count = pc->sent_count;
		memcpy(b->ram, pc->ram, sizeof(b->ram));
		together(pc, b, seed, STEPS);
		/* And what they hold in the end is the same, but for their clocks. */
		size = save(pc, bytes);
		assert_true(load(b, size, LATER, &s));
		assert_int_equal(save(b, again), size);
		pc_delete(b);
		teardown(NULL);
	}
	setup(NULL);
}

static void goes_on(void **state)
{
	(void)state;
	pc_delete(pc);
	go_on(false);
}

static void goes_on_with_a_firmware(void **state)
{
	(void)state;
	pc_delete(pc);
	go_on(true);
}

/* ---- particular things ---- */

/* An interrupt that was posted, or waits, comes behind the restore; and somebody is told to look. */
static void interrupts_come(void **state)
{
	struct pc *b = other(false);
	struct fields s;

	(void)state;
	enable_lapics();
	lapic_deliver(&pc->lapic[1], &(struct apic_message){ .vector = 0x51, .delivery = APIC_FIXED, .assert = true });
	assert_true(load(b, save(pc, bytes), LATER, &s));
	assert_true(b->lapic[1].irq_maybe);
	assert_int_equal(lapic_pending(&b->lapic[1]), 0x51);
	pc_delete(b);
}

/* The guest's TSC, and a deadline of it, go on from where they were. */
static void tsc_goes_on(void **state)
{
	struct pc *b = other(false);
	struct fields s;
	uint64_t deadline;

	(void)state;
	enable_lapics();
	lapic_mmio_write(&pc->lapic[0], APIC_LVT_TIMER, 4, LVT_TIMER_DEADLINE | 0x61);
	assert_true(lapic_msr_write(&pc->lapic[0], MSR_TSC_DEADLINE, pc->now + 500));
	assert_true(load(b, save(pc, bytes), LATER, &s));
	assert_int_equal(b->lapic[0].tsc_offset + b->now, pc->lapic[0].tsc_offset + pc->now);
	assert_true(lapic_msr_read(&b->lapic[0], MSR_TSC_DEADLINE, &deadline));
	assert_int_equal(deadline, pc->now + 500);
	pc_advance(b, 499);
	assert_int_equal(lapic_pending(&b->lapic[0]), -1);
	pc_advance(b, 1);
	assert_int_equal(lapic_pending(&b->lapic[0]), 0x61);
	pc_delete(b);
}

/* ---- what is not believed ---- */

static void pic_lowest(void) { pc->pic.chip[1].lowest = 8; }
static void pic_icw(void) { pc->pic.chip[0].icw_state = 1; }
static void ioapic_reserved(void) { pc->ioapic.redirection[3] |= BIT(20); }
static void hub_lines(void) { pc->hub.levels = 1u << 24; }
static void low_vector(void) { pc->lapic[2].irr[0] = 1; }
static void divisor(void) { pc->lapic[2].timer_shift = 8; }
static void base_reserved(void) { pc->lapic[3].base |= BIT(50); }
static void x2apic_alone(void) { pc->lapic[3].base = APIC_BASE_EXTD; }
static void without_count(void) { pc->pit.ch[1].running = true, pc->pit.ch[1].count = 0; }
static void count_too_high(void) { pc->pit.ch[1].next = 0x10001; }
static void mode_6(void) { pc->pit.ch[1].mode = 6; }
static void no_register(void) { pc->rtc.index = 0x80; }
static void no_time(void) { pc->rtc.base_seconds = INT64_MAX; }
static void no_clock(void) { pc->rtc.base_clock = ~0ull; }
static void fifo_place(void) { pc->uart.rx_first = UART_FIFO; }
static void fifo_full(void) { pc->uart.rx_count = UART_FIFO + 1; }
static void word_at_end(void) { pc->ports.shutdown = 8; }
static void route(void) { pc->pci.pirq[2] = 16; }
static void pm_timer(void) { pc->pm.tmr_seen = BIT(32); }
static void dma_without(void) { pc->fw_cfg.dma.busy = true; }
static void test_line(void) { pc->testdev.levels = 1u << 24; }

static void refused(void **state)
{
	static void (*const bad[])(void) = {
		pic_lowest, pic_icw, ioapic_reserved, hub_lines, low_vector, divisor, base_reserved, x2apic_alone,
		without_count, count_too_high, mode_6, no_register, no_time, no_clock, fifo_place, fifo_full,
		word_at_end, route, pm_timer, dma_without, test_line,
	};
	struct fields s;

	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++) {
		struct pc *b;

		teardown(state);
		setup(state);
		bad[n]();
		b = other(false);
		if (load(b, save(pc, bytes), 0, &s))
			fail_msg("number %u was believed", n);
		assert_non_null(s.where);
		pc_delete(b);
	}
}

static void mouse_place(void) { pc->i8042.mouse.first = MOUSE_QUEUE; }
static void mouse_full(void) { pc->i8042.mouse.count = MOUSE_QUEUE + 1; }
static void mouse_far(void) { pc->i8042.mouse.x = 40000; }
static void keys_place(void) { pc->i8042.first = I8042_QUEUE; }
static void keys_full(void) { pc->i8042.count = I8042_QUEUE + 1; }
static void no_key(void) { pc->i8042.front = I8042_KEYBOARD; }
static void no_movement(void) { pc->i8042.front = I8042_MOUSE; }

static void refused_of_input(void **state)
{
	static void (*const bad[])(void) = {
		mouse_place, mouse_full, mouse_far, keys_place, keys_full, no_key, no_movement,
	};
	struct fields s;

	for (unsigned n = 0; n < ARRAY_SIZE(bad); n++) {
		struct pc *b;

		teardown(state);
		setup(state);
		pc_add_firmware(pc);
		b = other(true);
		bad[n]();
		if (load(b, save(pc, bytes), 0, &s))
			fail_msg("number %u was believed", n);
		pc_delete(b);
	}
}

/* A guest has changed of a configuration space what it may; and where its BARs are is decoded. */
static void configuration(void **state)
{
	struct pc *b = other(false);
	struct fields s;

	(void)state;
	pc->i440fx.pci.config[PCI_VENDOR] = 0x55;
	pc->i440fx.pci.config[0x59] = 0x33;
	assert_true(load(b, save(pc, bytes), 0, &s));
	assert_int_equal(b->i440fx.pci.config[PCI_VENDOR], 0x86);
	assert_int_equal(b->i440fx.pci.config[0x59], 0x33);
	pc_delete(b);
}

/* Another machine: of other devices, or with one in another's place. */
static void of_another_machine(void **state)
{
	struct pc *b = other(true);
	struct fields s;

	(void)state;
	assert_false(load(b, save(pc, bytes), 0, &s));
	assert_string_equal(s.where, "pci");
	pc_delete(b);
	b = other(false);
	b->lapic[1].id = 7;
	assert_false(load(b, save(pc, bytes), 0, &s));
	assert_string_equal(s.where, "lapic");
	pc_delete(b);
}

/* Of every length but the right one, and with any byte changed, it is refused, or makes a machine that works on. */
static void any_bytes(void **state)
{
	size_t size;
	uint64_t seed = 5;
	struct fields s;
	struct pc *b;

	(void)state;
	pc_add_firmware(pc);
	for (unsigned n = 0; n < USES; n++)
		step(pc, &seed);
	size = save(pc, bytes);
	for (size_t n = 0; n < size; n += 1 + n / 64) {
		b = other(true);
		assert_false(load(b, n, LATER, &s));
		pc_delete(b);
	}
	memcpy(again, bytes, size);
	for (unsigned n = 0; n < 3000; n++) {
		memcpy(bytes, again, size);
		for (unsigned changes = 1 + n % 5; changes--;)
			bytes[pc_random(&seed) % size] = (uint8_t)(pc_random(&seed) >> 3);
		b = other(true);
		if (load(b, size, LATER, &s))
			for (unsigned i = 0; i < 200; i++)
				step(b, &seed);
		pc_delete(b);
	}
}

#define PC_TESTS(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PC_TESTS(goes_on), PC_TESTS(goes_on_with_a_firmware), PC_TESTS(interrupts_come), PC_TESTS(tsc_goes_on),
		PC_TESTS(refused), PC_TESTS(refused_of_input), PC_TESTS(configuration), PC_TESTS(of_another_machine),
		PC_TESTS(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
