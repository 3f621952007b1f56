/* The local APIC: which interrupt is next, against a plain model, and when its CPU is told. */
#include "test/unit/dev/irq/highest.h"
#include "test/unit/dev/irq/lapic_fixture.h"

struct model {
	bool irr[256], isr[256], level[256];
	uint8_t tpr;
	unsigned eois, broadcasts; /* how many there were; broadcasts: of a level */
};

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
	assert_int_equal(rd(APIC_PPR), model_ppr(m)); /* L2 */
	assert_int_equal(rd(APIC_TPR), m->tpr);
	for (unsigned i = 0; i < 8; i++) {
		uint32_t irr = 0, isr = 0, tmr = 0;
		for (unsigned b = 0; b < 32; b++) {
			irr |= (uint32_t)m->irr[i * 32 + b] << b;
			isr |= (uint32_t)m->isr[i * 32 + b] << b;
			tmr |= (uint32_t)m->level[i * 32 + b] << b;
		}
		assert_int_equal(rd(APIC_ISR + i * 16), isr);
		assert_int_equal(rd(APIC_TMR + i * 16), tmr);
		assert_int_equal(rd(APIC_IRR + i * 16), irr);
	}
	int irr = highest(m->irr);
	int isr = highest(m->isr);
	bool held = irr >= 0 && m->tpr >> 4 >= irr >> 4 && (isr < 0 || irr >> 4 > isr >> 4);
	assert_int_equal(lapic_tpr_threshold(l), held ? irr >> 4 : 0);
}

static void random_delivery(struct model *m, unsigned r)
{
	uint8_t v = (uint8_t)(16 + (r >> 8) % 240);
	bool level = r >> 20 & 1;
	assert_true(deliver(v, level));
	m->irr[v] = true;
	m->level[v] = level;
}

static void random_tpr(struct model *m, unsigned r)
{
	m->tpr = (uint8_t)(r >> 8 & (r & 0x40000 ? 0xff : 0x3f));
	if (r & 0x80000)
		wr(APIC_TPR, m->tpr);
	else
		lapic_set_tpr(l, m->tpr);
}

static void end_interrupt(struct model *m)
{
	int isr = highest(m->isr);
	if (isr >= 0) {
		m->isr[isr] = false;
		m->eois++;
		m->broadcasts += m->level[isr];
	}
	wr(APIC_EOI, 0);
}

static void take_interrupt(struct model *m)
{
	int v = lapic_pending(l);
	if (v < 0)
		return;
	lapic_ack(l, (uint8_t)v);
	m->irr[v] = false;
	m->isr[v] = true;
}

static void random_step(struct model *m, unsigned r)
{
	switch (r % 6) {
	case 0:
	case 1:
		random_delivery(m, r);
		break;
	case 2:
		random_tpr(m, r);
		break;
	case 3:
		end_interrupt(m);
		break;
	default:
		take_interrupt(m);
	}
}

static void test_priority_randomly(void **state)
{
	struct model m = { .tpr = 0 };
	uint64_t seed = 42;
	unsigned sum = 0;
	(void)state;
	enable_lapics();
	for (unsigned step = 0; step < 30000; step++) {
		random_step(&m, pc_random(&seed));
		compare(&m);
	}
	for (unsigned v = 0; v < 256; v++)
		sum += pc->eois[v];
	assert_int_equal(sum, m.broadcasts);
	assert_true(m.eois > 1000);
}

static void test_kick_once(void **state)
{
	(void)state;
	enable_lapics();
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

#define T(f) PC_TEST(f, setup_lapic)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_priority_randomly), T(test_kick_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
