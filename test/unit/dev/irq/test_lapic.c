/* The local APIC: priority, delivery, registers, modes, interprocessor interrupts. */
#include "test/unit/dev/pc.h"

static struct pc *pc;
static struct lapic *l;

static int setup(void **state)
{
	(void)state;
	pc = pc_new(10000000);
	l = &pc->lapic[0];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pc_delete(pc);
	return 0;
}

static uint32_t rd(unsigned offset) { return (uint32_t)lapic_mmio_read(l, offset, 4); }
static void wr(unsigned offset, uint32_t v) { lapic_mmio_write(l, offset, 4, v); }

static uint64_t rdmsr(uint32_t msr)
{
	uint64_t v = 0;
	assert_true(lapic_msr_read(l, msr, &v));
	return v;
}

static bool rdmsr_fails(uint32_t msr)
{
	uint64_t v;
	return !lapic_msr_read(l, msr, &v);
}

static void wrmsr(uint32_t msr, uint64_t v) { assert_true(lapic_msr_write(l, msr, v)); }
static bool wrmsr_fails(uint32_t msr, uint64_t v) { return !lapic_msr_write(l, msr, v); }

static void enable_all(void)
{
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_mmio_write(&pc->lapic[n], 0xf0, 4, 0x1ff);
}

static void x2apic_all(void)
{
	enable_all();
	for (unsigned n = 0; n < PC_CPUS; n++)
		assert_true(lapic_msr_write(&pc->lapic[n], MSR_APIC_BASE, 0xfee00c00 | (n ? 0 : 0x100)));
}

static bool deliver(uint8_t vector, bool level)
{
	struct apic_message m = { .vector = vector, .level = level, .assert = true };
	return lapic_deliver(l, &m);
}

/* ---- priority, against a plain model ---- */

struct model {
	bool irr[256], isr[256], level[256];
	uint8_t tpr;
};

static int highest(const bool *set)
{
	for (int v = 255; v >= 0; v--)
		if (set[v])
			return v;
	return -1;
}

static unsigned model_ppr(const struct model *m)
{
	int isr = highest(m->isr);
	unsigned class = isr < 0 ? 0 : (unsigned)isr & 0xf0;
	return (m->tpr & 0xf0u) >= class ? m->tpr : class;
}

static int model_pending(const struct model *m)
{
	int irr = highest(m->irr);
	return irr >= 0 && (irr & 0xf0) > (int)(model_ppr(m) & 0xf0) ? irr : -1;
}

static void compare(const struct model *m)
{
	int expected = model_pending(m);
	if (expected >= 0)
		assert_true(l->irq_maybe); /* L3 */
	assert_int_equal(lapic_pending(l), expected);
	assert_int_equal(l->irq_maybe, expected >= 0);
	assert_int_equal(l->irr_max, highest(m->irr)); /* L1 */
	assert_int_equal(l->isr_max, highest(m->isr));
	assert_int_equal(rd(0xa0), model_ppr(m)); /* L2 */
	assert_int_equal(rd(0x80), m->tpr);
	for (unsigned i = 0; i < 8; i++) {
		uint32_t irr = 0, isr = 0, tmr = 0;
		for (unsigned b = 0; b < 32; b++) {
			irr |= (uint32_t)m->irr[i * 32 + b] << b;
			isr |= (uint32_t)m->isr[i * 32 + b] << b;
			tmr |= (uint32_t)m->level[i * 32 + b] << b;
		}
		assert_int_equal(rd(0x100 + i * 16), isr);
		assert_int_equal(rd(0x180 + i * 16), tmr);
		assert_int_equal(rd(0x200 + i * 16), irr);
	}
	int irr = highest(m->irr);
	assert_int_equal(lapic_tpr_threshold(l), irr >= 0 && m->tpr >> 4 >= irr >> 4 ? irr >> 4 : 0);
}

static void test_priority_randomly(void **state)
{
	struct model m = { .tpr = 0 };
	uint64_t seed = 42;
	unsigned eois = 0, broadcasts = 0;
	(void)state;
	enable_all();
	for (unsigned step = 0; step < 30000; step++) {
		unsigned r = pc_random(&seed);
		switch (r % 6) {
		case 0:
		case 1: {
			uint8_t v = (uint8_t)(16 + (r >> 8) % 240);
			bool level = r >> 20 & 1;
			assert_true(deliver(v, level));
			m.irr[v] = true;
			m.level[v] = level;
			break;
		}
		case 2:
			m.tpr = (uint8_t)(r >> 8 & (r & 0x40000 ? 0xff : 0x3f));
			if (r & 0x80000)
				wr(0x80, m.tpr);
			else
				lapic_set_tpr(l, m.tpr);
			break;
		case 3: {
			int isr = highest(m.isr);
			if (isr >= 0) {
				m.isr[isr] = false;
				eois++;
				broadcasts += m.level[isr];
			}
			wr(0xb0, 0);
			break;
		}
		default: {
			int v = lapic_pending(l);
			if (v < 0)
				break;
			lapic_ack(l, (uint8_t)v);
			m.irr[v] = false;
			m.isr[v] = true;
		}
		}
		compare(&m);
	}
	unsigned sum = 0;
	for (unsigned v = 0; v < 256; v++)
		sum += pc->eois[v];
	assert_int_equal(sum, broadcasts);
	assert_true(eois > 1000);
}

static void test_kick_once(void **state)
{
	(void)state;
	enable_all();
	assert_false(l->irq_maybe);
	deliver(0x40, false);
	deliver(0x50, false);
	assert_int_equal(pc->kicks[0], 1);
	lapic_set_tpr(l, 0xf0);
	assert_int_equal(lapic_pending(l), -1);
	assert_false(l->irq_maybe);
	deliver(0x60, false);
	assert_int_equal(pc->kicks[0], 2);
	assert_int_equal(lapic_pending(l), -1);
	lapic_set_tpr(l, 0x20);
	assert_int_equal(pc->kicks[0], 3);
	assert_int_equal(lapic_pending(l), 0x60);
}

/* ---- reset values and the xAPIC's registers ---- */

static void test_reset_values(void **state)
{
	(void)state;
	l = &pc->lapic[2];
	assert_int_equal(rd(0x20), 2u << 24);
	assert_int_equal(rd(0x30), 0x01060014); /* 7 entries, EOI broadcasts can be suppressed */
	assert_int_equal(rd(0x80), 0);
	assert_int_equal(rd(0xd0), 0);
	assert_int_equal(rd(0xe0), 0xffffffff);
	assert_int_equal(rd(0xf0), 0xff);
	for (unsigned r = 0x320; r <= 0x370; r += 16)
		assert_int_equal(rd(r), 0x10000);
	assert_int_equal(rd(0x2f0), 0x10000);
	assert_int_equal(rd(0x380), 0);
	assert_int_equal(rd(0x390), 0);
	assert_int_equal(rd(0x3e0), 0);
	assert_int_equal(rdmsr(MSR_APIC_BASE), 0xfee00800);
	l = &pc->lapic[0];
	assert_int_equal(rdmsr(MSR_APIC_BASE), 0xfee00900);
	lapic_init(l, &pc->timers, 0, true, 0, 36, pc->lapic[1].host, pc);
	assert_int_equal(rd(0x30), 0x00050014);
	assert_true(rdmsr_fails(MSR_TSC_DEADLINE));
	assert_true(wrmsr_fails(MSR_TSC_DEADLINE, 5));
	assert_true(wrmsr_fails(MSR_APIC_BASE, 0xfee00d00)); /* no x2APIC */
	wr(0xf0, 0x11ff);
	assert_int_equal(rd(0xf0), 0x1ff); /* nor suppression */
	wr(0x320, 0xffffffff);
	assert_int_equal(rd(0x320), 0x300ff); /* nor TSC-deadline mode */
}

static void test_access_sizes(void **state)
{
	(void)state;
	enable_all();
	wr(0xd0, 0xab000000);
	assert_int_equal(lapic_mmio_read(l, 0xd3, 1), 0xab);
	assert_int_equal(lapic_mmio_read(l, 0xd2, 2), 0xab00);
	assert_int_equal(lapic_mmio_read(l, 0xd0, 8), 0xab000000);
	assert_int_equal(lapic_mmio_read(l, 0xd4, 4), 0);
	assert_int_equal(lapic_mmio_read(l, 0xd2, 4), 0);
	lapic_mmio_write(l, 0xd0, 1, 0);
	lapic_mmio_write(l, 0xd4, 4, 0);
	lapic_mmio_write(l, 0xd1, 4, 0);
	assert_int_equal(rd(0xd0), 0xab000000);
	lapic_mmio_write(l, 0xd0, 8, 0xffffffff01000000);
	assert_int_equal(rd(0xd0), 0x01000000);
	wr(0x20, 0x0f000000);
	assert_int_equal(rd(0x20), 0x0f000000);
	wr(0x30, 0);
	assert_int_equal(rd(0x30), 0x01060014);
	assert_int_equal(rd(0x280), 0);
	wr(0x40, 1); /* no such register */
	assert_int_equal(rd(0xff0), 0);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0x80);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0);
}

static void test_software_disable(void **state)
{
	(void)state;
	wr(0x350, 0x700); /* cannot unmask while disabled */
	assert_int_equal(rd(0x350), 0x10700);
	assert_false(deliver(0x40, false));
	enable_all();
	wr(0x350, 0x700);
	wr(0x320, 0x2fe);
	wr(0x370, 0xfd);
	assert_int_equal(rd(0x350), 0x700);
	assert_true(deliver(0x40, false));
	wr(0xf0, 0xff);
	assert_int_equal(rd(0x350), 0x10700);
	assert_int_equal(rd(0x320), 0x100fe);
	assert_int_equal(rd(0x370), 0x100fd);
	assert_false(deliver(0x41, false));
	assert_int_equal(lapic_pending(l), 0x40); /* what was accepted stays */
	struct apic_message nmi = { .delivery = APIC_NMI };
	assert_true(lapic_deliver(l, &nmi)); /* NMI, INIT, SIPI and SMI are accepted all the same */
	assert_int_equal(pc->signals[0][APIC_NMI], 1);
}

static void test_errors(void **state)
{
	(void)state;
	enable_all();
	wr(0x370, 0x44);
	assert_true(deliver(5, false)); /* accepted from the bus, and bad */
	assert_int_equal(lapic_pending(l), 0x44);
	lapic_ack(l, 0x44);
	wr(0xb0, 0);
	assert_true(deliver(6, false)); /* the same error again: told once until ESR is written */
	assert_int_equal(lapic_pending(l), -1);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0x40);
	wr(0x300, 0x00005); /* vector 5 */
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0x20);
	wr(0x370, 0x03); /* a bad vector in the error entry itself */
	assert_true(deliver(5, false));
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0x40);
}

/* ---- EOI broadcasts ---- */

static void test_directed_eoi(void **state)
{
	(void)state;
	enable_all();
	deliver(0x70, true);
	lapic_ack(l, 0x70);
	wr(0xb0, 0);
	assert_int_equal(pc->eois[0x70], 1);
	wr(0xf0, 0x11ff);
	deliver(0x70, true);
	lapic_ack(l, 0x70);
	wr(0xb0, 0);
	assert_int_equal(pc->eois[0x70], 1);
	deliver(0x71, false);
	lapic_ack(l, 0x71);
	wr(0xb0, 0);
	wr(0xb0, 0); /* nothing in service */
	assert_int_equal(pc->eois[0x71], 0);
}

/* ---- LINT pins and ExtINT ---- */

static void test_extint(void **state)
{
	(void)state;
	assert_false(lapic_accepts_extint(l));
	lapic_set_lint(l, 0, true);
	assert_false(lapic_extint(l));
	lapic_virtual_wire(l); /* as a BIOS leaves it */
	assert_true(lapic_extint(l));
	assert_true(l->irq_maybe);
	assert_int_equal(lapic_pending(l), -1);
	assert_true(l->irq_maybe); /* stays while the PIC asks */
	lapic_set_lint(l, 0, false);
	assert_int_equal(lapic_pending(l), -1);
	assert_false(l->irq_maybe);
	unsigned kicks = pc->kicks[0];
	lapic_set_lint(l, 0, true); /* while it is let through: the vCPU is told */
	assert_int_equal(pc->kicks[0], kicks + 1);
	assert_true(lapic_extint(l));
	lapic_set_lint(l, 0, false);
	lapic_pending(l);
	wr(0x350, 0x10700);
	lapic_set_lint(l, 0, true);
	assert_false(lapic_extint(l));
	wr(0x350, 0x700);
	assert_true(lapic_extint(l));
	assert_true(l->irq_maybe);
	lapic_set_lint(l, 0, false);
	wrmsr(MSR_APIC_BASE, 0xfee00100); /* disabled: LINT0 is INTR, LINT1 is NMI */
	lapic_pending(l);
	assert_true(lapic_accepts_extint(l));
	lapic_set_lint(l, 0, true);
	assert_true(l->irq_maybe && lapic_extint(l));
	lapic_set_lint(l, 1, true);
	assert_int_equal(pc->signals[0][APIC_NMI], 1);
}

static void test_lint_fixed_and_nmi(void **state)
{
	(void)state;
	enable_all();
	wr(0x350, 0x45);
	lapic_set_lint(l, 0, true);
	assert_int_equal(lapic_pending(l), 0x45);
	lapic_ack(l, 0x45);
	wr(0xb0, 0);
	assert_int_equal(lapic_pending(l), -1); /* an edge */
	lapic_set_lint(l, 0, true);
	assert_int_equal(lapic_pending(l), -1);
	lapic_set_lint(l, 0, false);
	wr(0x350, 0x8046); /* level */
	lapic_set_lint(l, 0, true);
	assert_int_equal(rd(0x350), 0xc046);
	assert_int_equal(lapic_pending(l), 0x46);
	lapic_ack(l, 0x46);
	wr(0xb0, 0);
	assert_int_equal(lapic_pending(l), 0x46); /* still asserted */
	lapic_ack(l, 0x46);
	lapic_set_lint(l, 0, false);
	wr(0xb0, 0);
	assert_int_equal(lapic_pending(l), -1);
	assert_int_equal(rd(0x350), 0x8046);
	wr(0x360, 0x400);
	lapic_set_lint(l, 1, true);
	assert_int_equal(pc->signals[0][APIC_NMI], 1);
	wr(0x340, 0x400); /* as a performance-monitoring NMI */
	lapic_local_event(l, LVT_PERF);
	assert_int_equal(pc->signals[0][APIC_NMI], 2);
	wr(0x330, 0x55);
	lapic_local_event(l, LVT_THERMAL);
	assert_int_equal(lapic_pending(l), 0x55);
	wr(0x350, 0x8003); /* a level with a bad vector is an error, not a storm */
	lapic_set_lint(l, 0, true);
	wr(0x280, 0);
	assert_int_equal(rd(0x280) & 0x40, 0x40);
}

/* ---- interprocessor interrupts ---- */

static unsigned arrived(uint8_t vector)
{
	unsigned mask = 0;
	for (unsigned n = 0; n < PC_CPUS; n++) {
		struct lapic *c = &pc->lapic[n];
		if (c->irr[vector / 32] >> (vector % 32) & 1) {
			mask |= 1u << n;
			c->irr[vector / 32] &= ~(1u << vector % 32);
		}
		c->irr_max = -1;
	}
	return mask;
}

static unsigned ipi(uint32_t high, uint32_t low)
{
	wr(0x310, high);
	wr(0x300, low);
	assert_int_equal(rd(0x310), high & 0xff000000);
	return arrived((uint8_t)low);
}

static void test_xapic_destinations(void **state)
{
	(void)state;
	enable_all();
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_mmio_write(&pc->lapic[n], 0xd0, 4, 0x10000000u << n); /* flat: bits 4..7 */
	assert_int_equal(ipi(2u << 24, 0x40), 0x4);
	assert_int_equal(ipi(9u << 24, 0x40), 0);
	assert_int_equal(ipi(0xffu << 24, 0x40), 0xf);
	assert_int_equal(ipi(0x50u << 24, 0x840), 0x5);
	assert_int_equal(ipi(0xffu << 24, 0x840), 0xf);
	assert_int_equal(ipi(0, 0x40840), 0x1); /* shorthands: self, all, others */
	assert_int_equal(ipi(0, 0x80840), 0xf);
	assert_int_equal(ipi(0, 0xc0840), 0xe);
	for (unsigned n = 0; n < PC_CPUS; n++) {
		lapic_mmio_write(&pc->lapic[n], 0xe0, 4, 0x0fffffff); /* clusters 0 and 1, two each */
		lapic_mmio_write(&pc->lapic[n], 0xd0, 4, (n / 2) << 28 | 1u << (24 + n % 2));
	}
	assert_int_equal(ipi(0x13u << 24, 0x840), 0xc);
	assert_int_equal(ipi(0x01u << 24, 0x840), 0x1);
	assert_int_equal(ipi(0x23u << 24, 0x840), 0x0);
	assert_int_equal(ipi(0xffu << 24, 0x840), 0xf);
}

static void test_x2apic_destinations(void **state)
{
	(void)state;
	x2apic_all();
	assert_int_equal(rdmsr(0x80d), 0x00000001);
	wrmsr(0x830, 0x0000000200000040);
	assert_int_equal(arrived(0x40), 0x4);
	wrmsr(0x830, 0x0000000a00000840); /* logical: cluster 0, members 1 and 3 */
	assert_int_equal(arrived(0x40), 0xa);
	wrmsr(0x830, 0x0001000100000840); /* cluster 1: nobody */
	assert_int_equal(arrived(0x40), 0);
	wrmsr(0x830, 0xffffffff00000040);
	assert_int_equal(arrived(0x40), 0xf);
	wrmsr(0x830, 0x000000ff00000040); /* 0xff is not a broadcast here */
	assert_int_equal(arrived(0x40), 0);
	assert_true(rdmsr(0x830) == 0x000000ff00000040);
	wrmsr(0x83f, 0x50);
	assert_int_equal(arrived(0x50), 0x1);
	struct apic_message from_ioapic = { .dest = 0xff, .vector = 0x60 }; /* but it is in the I/O APIC's eight bits */
	assert_true(apic_bus_send(&pc->bus, &from_ioapic, NULL));
	assert_int_equal(arrived(0x60), 0xf);
	from_ioapic.dest = 3;
	apic_bus_send(&pc->bus, &from_ioapic, NULL);
	assert_int_equal(arrived(0x60), 0x8);
	from_ioapic.logical = true;
	apic_bus_send(&pc->bus, &from_ioapic, NULL);
	assert_int_equal(arrived(0x60), 0x3);
}

static void test_logical_ids(void **state)
{
	struct lapic big;
	uint64_t v;
	(void)state;
	lapic_init(&big, &pc->timers, 0x1234, false, LAPIC_X2APIC, 40, l->host, pc);
	assert_true(lapic_msr_write(&big, MSR_APIC_BASE, 0xfee00c00));
	assert_true(lapic_msr_read(&big, 0x802, &v) && v == 0x1234);
	assert_true(lapic_msr_read(&big, 0x80d, &v) && v == (0x123u << 16 | 1u << 4));
	struct apic_message m = { .dest = 0x1230010, .logical = true, .wide = true };
	assert_true(apic_message_matches(&m, &big, NULL));
	m.dest = 0x1240010;
	assert_false(apic_message_matches(&m, &big, NULL));
	m = (struct apic_message){ .dest = 0x34 };
	assert_false(apic_message_matches(&m, &big, NULL)); /* eight bits do not reach it */
}

static void test_lowest_priority(void **state)
{
	(void)state;
	enable_all();
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_mmio_write(&pc->lapic[n], 0xd0, 4, 0x01000000u << n);
	struct apic_message m = { .dest = 0xf, .vector = 0x70, .delivery = APIC_LOWEST, .logical = true };
	unsigned seen = 0;
	for (unsigned i = 0; i < PC_CPUS; i++) {
		assert_true(apic_bus_send(&pc->bus, &m, NULL));
		unsigned who = arrived(0x70);
		assert_int_equal(who & (who - 1), 0); /* exactly one */
		seen |= who;
	}
	assert_int_equal(seen, 0xf); /* and in turn */
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_set_tpr(&pc->lapic[n], n == 2 ? 0x20 : 0x50);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(apic_bus_send(&pc->bus, &m, NULL));
		assert_int_equal(arrived(0x70), 0x4);
	}
	m.dest = 0x3;
	apic_bus_send(&pc->bus, &m, NULL);
	unsigned who = arrived(0x70);
	assert_true(who == 1 || who == 2);
	for (unsigned n = 0; n < PC_CPUS; n++)
		lapic_mmio_write(&pc->lapic[n], 0xf0, 4, 0xff);
	assert_false(apic_bus_send(&pc->bus, &m, NULL));
	struct apic_bus empty = { .count = 0 };
	assert_false(apic_bus_send(&empty, &m, NULL));
	m.delivery = APIC_FIXED;
	assert_false(apic_bus_send(&empty, &m, NULL));
}

/* INIT, INIT de-assert, SIPI: as Linux wakes a CPU. */
static void test_wake_up(void **state)
{
	(void)state;
	enable_all();
	wr(0x310, 1u << 24);
	wr(0x300, 0xc500);
	assert_int_equal(pc->signals[1][APIC_INIT], 1);
	wr(0x300, 0x8500);
	assert_int_equal(pc->signals[1][APIC_INIT], 1);
	lapic_init_reset(&pc->lapic[1]);
	assert_int_equal(pc->lapic[1].svr, 0xff);
	assert_int_equal(lapic_base_gpa(&pc->lapic[1]), 0xfee00000);
	wr(0x300, 0x69a);
	assert_int_equal(pc->signals[1][APIC_SIPI], 1);
	assert_int_equal(pc->signal_vector[1], 0x9a);
	wr(0x300, 0xc0400); /* NMI to all others */
	assert_int_equal(pc->signals[0][APIC_NMI], 0);
	assert_int_equal(pc->signals[3][APIC_NMI], 1);
	wr(0x300, 0x80200);
	assert_int_equal(pc->signals[0][APIC_SMI], 1);
	wr(0x300, 0x80700); /* ExtINT and the reserved mode go nowhere */
	wr(0x300, 0x80300);
	for (unsigned n = 0; n < PC_CPUS; n++)
		assert_int_equal(pc->signals[n][APIC_EXTINT] + pc->signals[n][3], 0);
}

/* ---- IA32_APIC_BASE ---- */

static void test_base_transitions(void **state)
{
	enum { OFF = 0x000, ODD = 0x400, XAPIC = 0x800, X2APIC = 0xc00 };
	static const uint64_t all[] = { OFF, ODD, XAPIC, X2APIC };
	(void)state;
	for (unsigned from = 0; from < 4; from++) {
		for (unsigned to = 0; to < 4; to++) {
			if (all[from] == ODD)
				continue;
			lapic_reset(l);
			if (all[from] == X2APIC)
				wrmsr(MSR_APIC_BASE, 0xfee00d00);
			else if (all[from] == OFF)
				wrmsr(MSR_APIC_BASE, 0xfee00100);
			bool legal = all[to] != ODD && !(all[from] == OFF && all[to] == X2APIC) &&
				!(all[from] == X2APIC && all[to] == XAPIC);
			assert_int_equal(lapic_msr_write(l, MSR_APIC_BASE, 0xfee00100 | all[to]), legal);
			uint64_t now = legal ? all[to] : all[from];
			assert_true(rdmsr(MSR_APIC_BASE) == (0xfee00100 | now));
			assert_int_equal(lapic_mmio_active(l), now == XAPIC);
			assert_int_equal(l->x2apic, now == X2APIC);
		}
	}
	lapic_reset(l);
	assert_true(wrmsr_fails(MSR_APIC_BASE, 0xfee00901)); /* reserved bits */
	assert_true(wrmsr_fails(MSR_APIC_BASE, 0xfee00a00));
	assert_true(wrmsr_fails(MSR_APIC_BASE, BIT(40) | 0xfee00900));
	wrmsr(MSR_APIC_BASE, 0x8000000900);
	assert_true(lapic_base_gpa(l) == 0x8000000000);
}

/* EN toggled 1, 0, 1, as conformance guests do at their start. */
static void test_disable_and_enable(void **state)
{
	(void)state;
	lapic_virtual_wire(l);
	wr(0x20, 0x05000000);
	deliver(0x40, false);
	wr(0x320, 0x20050);
	wr(0x380, 1000);
	wrmsr(MSR_APIC_BASE, 0xfee00100);
	assert_int_equal(lapic_pending(l), -1);
	assert_false(deliver(0x41, false));
	assert_true(timers_next(&pc->timers) == UINT64_MAX);
	assert_true(lapic_accepts_extint(l));
	wrmsr(MSR_APIC_BASE, 0xfee00900);
	assert_int_equal(rd(0x20), 0); /* as after power-up */
	assert_int_equal(rd(0xf0), 0xff);
	assert_int_equal(rd(0x350), 0x10000);
	assert_int_equal(lapic_pending(l), -1);
	assert_false(lapic_accepts_extint(l));
	wr(0xf0, 0x1ff);
	assert_true(deliver(0x41, false));
	assert_int_equal(lapic_pending(l), 0x41);
	wrmsr(MSR_APIC_BASE, 0xfee00d00); /* to x2APIC: the state stays */
	assert_int_equal(lapic_pending(l), 0x41);
	assert_int_equal(rdmsr(0x80f), 0x1ff);
	lapic_init_reset(l); /* INIT: the mode stays */
	assert_true(l->x2apic);
	assert_int_equal(rdmsr(0x80f), 0xff);
}

/* ---- x2APIC MSRs: what exists, what is writable, which bits are reserved ---- */

static void test_x2apic_msrs(void **state)
{
	static const uint16_t read_only[] = { 0x802, 0x803, 0x80a, 0x80d, 0x839 };
	static const uint16_t read_write[] = { 0x808, 0x80f, 0x82f, 0x830, 0x832, 0x833, 0x834, 0x835, 0x836, 0x837, 0x838, 0x83e };
	bool readable[256] = { false }, writable[256] = { false };
	(void)state;
	assert_true(rdmsr_fails(0x802)); /* not in xAPIC mode */
	assert_true(wrmsr_fails(0x808, 0));
	x2apic_all();
	for (unsigned i = 0; i < ARRAY_SIZE(read_only); i++)
		readable[read_only[i] - 0x800] = true;
	for (unsigned i = 0; i < ARRAY_SIZE(read_write); i++)
		readable[read_write[i] - 0x800] = writable[read_write[i] - 0x800] = true;
	for (unsigned i = 0x10; i < 0x28; i++)
		readable[i] = true;
	readable[0x28] = writable[0x28] = true;
	writable[0x0b] = true;
	for (unsigned r = 0; r < 256; r++) {
		uint64_t v;
		assert_int_equal(lapic_msr_read(l, 0x800 + r, &v), readable[r]);
		if (r != 0x3f) /* vector 0 of a self IPI is an error, not a fault */
			assert_int_equal(lapic_msr_write(l, 0x800 + r, 0), writable[r]);
		if (r != 0x30)
			assert_true(wrmsr_fails(0x800 + r, BIT(32)));
	}
	assert_true(rdmsr_fails(0x83f));
	assert_true(wrmsr_fails(0x83f, 0x100));
	assert_true(wrmsr_fails(0x808, 0x100));
	assert_true(wrmsr_fails(0x80b, 1));
	assert_true(wrmsr_fails(0x828, 1));
	assert_true(wrmsr_fails(0x80f, 0x2000));
	assert_true(wrmsr_fails(0x832, 0x80000));
	assert_true(wrmsr_fails(0x832, 0x700));
	assert_true(wrmsr_fails(0x837, 0x700));
	assert_true(wrmsr_fails(0x83e, 4));
	assert_true(wrmsr_fails(0x830, 0x2000));
	assert_true(wrmsr_fails(0x830, 0x10000));
	assert_true(wrmsr_fails(0x830, 0x100000));
	assert_true(wrmsr_fails(0x7ff, 0));
	assert_true(wrmsr_fails(0x900, 0));
	assert_true(rdmsr_fails(0x900));
	wrmsr(0x80f, 0x1ff);
	wrmsr(0x832, 0x400ef);
	assert_int_equal(rdmsr(0x832), 0x400ef);
	wrmsr(0x808, 0x35);
	assert_int_equal(rdmsr(0x808), 0x35);
	assert_int_equal(rdmsr(0x80a), 0x35);
	assert_int_equal(lapic_tpr(l), 0x35);
	deliver(0x91, true);
	assert_int_equal(rdmsr(0x824), 1u << 17);
	assert_int_equal(rdmsr(0x81c), 1u << 17);
	lapic_ack(l, (uint8_t)lapic_pending(l));
	assert_int_equal(rdmsr(0x814), 1u << 17);
	wrmsr(0x80b, 0);
	assert_int_equal(rdmsr(0x814), 0);
	assert_int_equal(pc->eois[0x91], 1);
	wrmsr(0x83f, 5);
	wrmsr(0x828, 0);
	assert_int_equal(rdmsr(0x828), 0x20);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_priority_randomly),  T(test_kick_once),           T(test_reset_values),       T(test_access_sizes),
		T(test_software_disable),   T(test_errors),              T(test_directed_eoi),       T(test_extint),
		T(test_lint_fixed_and_nmi), T(test_xapic_destinations),  T(test_x2apic_destinations), T(test_logical_ids),
		T(test_lowest_priority),    T(test_wake_up),             T(test_base_transitions),   T(test_disable_and_enable),
		T(test_x2apic_msrs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
