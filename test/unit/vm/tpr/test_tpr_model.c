/* The local APIC with each method (vm/tpr/tpr.c), at random, against a plain model of what comes when, interrupt by
 * interrupt. Each entry is held against TP3 and TP4 by the bench. */
#include "test/unit/vm/tpr/lapic.h"

#include <stdlib.h>

#include "host/trap/interrupt.h"
#include "test/unit/dev/irq/highest.h"

static const char *const methods[] = { "trap", "patch", "flexpriority", "apicv" };

struct model {
	bool irr[256], isr[256];
	uint8_t tpr;
};

/* The vector that must come now, or -1. */
static int model_takes(struct model *m)
{
	int irr = highest(m->irr), isr = highest(m->isr);
	int class = m->tpr >> 4 > isr >> 4 ? m->tpr >> 4 : isr >> 4;

	if (irr < 0 || irr >> 4 <= class)
		return -1;
	m->irr[irr] = false;
	m->isr[irr] = true;
	return irr;
}

static void model_step(struct model *m)
{
	unsigned what = (unsigned)rand() % 4;
	uint8_t value = (uint8_t)rand();
	int expected, isr = highest(m->isr);

	bench.entry.event = 0;
	if (what < 2) {
		m->tpr = what ? value : value & 0x3f;
		STEP(apic_write(TPR, m->tpr));
	} else if (what == 2) {
		value |= 0x10;
		m->irr[value] = true;
		self_ipi(value);
	} else {
		if (isr >= 0)
			m->isr[isr] = false;
		STEP(apic_write(EOI, 0));
	}
	expected = model_takes(m);
	EXPECT_EVENT(expected < 0 ? 0 : EXTERNAL((unsigned)expected), 0);
}

static void against_a_plain_model(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(methods); n++) {
		struct model m = { .tpr = 0 };

		srand(1);
		at("ept", methods[n], BENCH_PAE);
		interrupts_on();
		for (unsigned i = 0; i < 20000; i++)
			model_step(&m);
		finish();
	}
}

/* The same with interrupts on and off, with such as come from elsewhere, and with one of the 8259 through LINT0: it
 * comes before the local APIC's, whatever the TPR and what is in service, and those come behind it. */
struct beside {
	struct model m;
	bool open, extint;
};

static int beside_takes(struct beside *b)
{
	if (!b->open)
		return -1;
	if (!b->extint)
		return model_takes(&b->m);
	b->extint = false;
	lapic_set_lint(&bench.v->lapic, 0, false);
	return 0x0f; /* nobody asks the 8259 any more: its spurious one */
}

/* The guest has interrupts on, and is where one may come. */
static void boundary(void)
{
	bench.entry.event = 0;
	if (bench.entry.proc & PROC_INTERRUPT_WINDOW)
		STEP(bench_exit_simple(EXIT_INTERRUPT_WINDOW, 0));
	else
		STEP(bench_interrupt(VECTOR_KICK));
}

/* What another CPU or a device sends. */
static void arrives(struct beside *b, uint8_t vector)
{
	struct apic_message m = { .delivery = APIC_FIXED, .assert = true, .vector = vector };

	b->m.irr[vector] = true;
	assert_true(lapic_deliver(&bench.v->lapic, &m));
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	STEP(bench_exit_simple(EXIT_CPUID, 2)); /* whatever exits: nobody asks for a look but who sent it */
	*bench_gpr(GPR_RBX) = LAPIC;
}

static void beside_change(struct beside *b)
{
	if (rand() % 2) {
		b->extint = true;
		lapic_set_lint(&bench.v->lapic, 0, true);
		STEP(bench_interrupt(VECTOR_KICK));
		return;
	}
	b->open = !b->open;
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | (b->open ? RFLAGS_IF : 0));
	if (b->open)
		boundary();
}

static void beside_step(struct beside *b)
{
	int expected, isr = highest(b->m.isr);
	uint8_t value = (uint8_t)rand();

	bench.entry.event = 0;
	switch (rand() % 6) {
	case 0:
		b->m.tpr = rand() % 2 ? value : value & 0x3f;
		STEP(apic_write(TPR, b->m.tpr));
		break;
	case 1:
		value |= 0x10;
		b->m.irr[value] = true;
		self_ipi(value);
		break;
	case 2:
		if (isr >= 0)
			b->m.isr[isr] = false;
		STEP(apic_write(EOI, 0));
		break;
	case 3:
		arrives(b, value | 0x10);
		break;
	default:
		beside_change(b);
	}
	expected = beside_takes(b);
	EXPECT_EVENT(expected < 0 ? 0 : EXTERNAL((unsigned)expected), 0);
	while (expected >= 0) {
		boundary();
		expected = beside_takes(b);
		EXPECT_EVENT(expected < 0 ? 0 : EXTERNAL((unsigned)expected), 0);
	}
}

static void beside_the_8259(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(methods); n++) {
		struct beside b = { .open = true };

		srand(2);
		at("ept", methods[n], BENCH_PAE);
		interrupts_on();
		STEP(apic_write(APIC_LVT_LINT0, APIC_EXTINT << 8));
		for (unsigned i = 0; i < 20000; i++)
			beside_step(&b);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_a_plain_model),
		cmocka_unit_test(beside_the_8259),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
