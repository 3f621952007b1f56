/* L6 in dev/irq/lapic.h: a vCPU that looks for interrupts while another CPU sends it one. Whichever comes in the middle
 * of the other, and at which step: it is taken once, by that look or by the one that the sender has asked for. */
#include "test/unit/vm/sched/cpus.h"

#include "dev/irq/ioapic.h"
#include "vm/seam.h"

#define VECTOR 0x51
#define EARLIER 0x41 /* in the same word */
#define STEPS 30u

static struct lapic l;
static struct timers timers;
static struct mmio_space mmio;
static uint32_t page[1024];
static unsigned step, at_step, taken, earlier, kicks;
static bool requested, delivered; /* REQUEST_EVENT; the CPU delivers by itself */

static void kick(void *ctx, struct lapic *of)
{
	(void)ctx;
	(void)of;
	kicks++;
	requested = true;
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct lapic_host host = { .kick = kick };

static void begin_anew(void)
{
	memset(page, 0, sizeof(page));
	timers = (struct timers){ .tsc_hz = 1000000000, .now = now };
	lapic_init(&l, &timers, 0, true, LAPIC_X2APIC, 40, &host, NULL);
	lapic_msr_write(&l, MSR_APIC_BASE, l.base | APIC_BASE_EXTD);
	lapic_msr_write(&l, MSR_X2APIC(APIC_SVR), SVR_ENABLED | 0xff);
	lapic_virtualize(&l, delivered ? page : NULL);
	if (delivered)
		lapic_hand(&l);
	else
		lapic_pending(&l);
	requested = false;
	taken = earlier = step = 0;
}

/* What the run loop does before an entry. */
static void look(void)
{
	int vector;

	if (!requested)
		return;
	requested = false;
	if (delivered) {
		uint8_t handed = lapic_hand(&l).requested;

		taken += handed == VECTOR;
		earlier += handed == EARLIER;
		return;
	}
	while ((vector = lapic_pending(&l)) >= 0) {
		lapic_ack(&l, (uint8_t)vector);
		taken += vector == VECTOR;
		earlier += vector == EARLIER;
		assert_true(lapic_msr_write_unlocked(&l, MSR_X2APIC_EOI, 0));
	}
}

static void send_vector(uint8_t vector)
{
	struct apic_message m = { .vector = vector, .delivery = APIC_FIXED, .assert = true };

	assert_true(lapic_deliver(&l, &m));
}

static void send(void) { send_vector(VECTOR); }

static void (*other)(void);

static void comes_between(void)
{
	if (step++ != at_step)
		return;
	bench_seam = NULL;
	other();
}

static void in_the_middle(void (*first)(void), void (*second)(void), bool another)
{
	for (at_step = 0; at_step < STEPS; at_step++) {
		begin_anew();
		if (another)
			send_vector(EARLIER);
		other = second;
		bench_seam = comes_between;
		first();
		if (bench_seam) {
			bench_seam = NULL;
			second();
		}
		for (unsigned n = 0; n < 3; n++)
			look();
		if (taken != 1)
			fail_msg("step %u: taken %u times", at_step, taken);
		/* Two at once may be handed by the higher one. */
		assert_true(earlier == another || (delivered && another && !earlier));
		assert_false(requested);
	}
}

static void one_in_the_others_middle(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		delivered = n & 1;
		in_the_middle(look, send, n & 2);
		in_the_middle(send, look, n & 2);
	}
}

/* Two that send to one at once kick it once, and a second time only for what comes behind a look. */
static void kicked_once(void **state)
{
	(void)state;
	delivered = false;
	begin_anew();
	kicks = 0;
	send();
	send();
	assert_int_equal(kicks, 1);
	look();
	assert_int_equal(taken, 1);
	send();
	assert_int_equal(kicks, 2);
}

/* What was posted before it was disabled stays, what comes while it is, or before an INIT that has not been taken, does
 * not (SDM, "Local APIC State After It Has Been Software Disabled", "Local APIC State After an INIT Reset"). */
static void posted_and_disabled(void **state)
{
	(void)state;
	delivered = false;
	begin_anew();
	send();
	lapic_msr_write(&l, MSR_X2APIC(APIC_SVR), 0xff);
	look();
	assert_int_equal(taken, 1);
	begin_anew();
	send();
	lapic_init_reset(&l);
	lapic_msr_write(&l, MSR_X2APIC(APIC_SVR), SVR_ENABLED | 0xff);
	requested = true;
	look();
	assert_int_equal(taken, 0);
}

static void reset(void) { lapic_init_reset(&l); }

/* One that was on its way when the INIT was taken comes too late. */
static void posted_behind_a_reset(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		delivered = n & 1;
		begin_anew();
		at_step = n / 2;
		other = reset;
		bench_seam = comes_between;
		send();
		look();
		lapic_msr_write(&l, MSR_X2APIC(APIC_SVR), SVR_ENABLED | 0xff);
		requested = true;
		look();
		assert_int_equal(taken, 0);
	}
}

/* ---- IO3 in dev/irq/ioapic.h ---- */

#define PIN 5u
#define LEVEL_ENTRY (VECTOR | REDIRECTION_LEVEL)
#define NOBODY 9u

static struct ioapic io;
static unsigned sent;

static bool sends(void *ctx, const struct apic_message *m)
{
	(void)ctx;
	assert_int_equal(m->vector, VECTOR);
	if (m->dest == NOBODY)
		return false;
	sent++;
	return true;
}

static void high(void) { ioapic_set_pin(&io, PIN, true); }
static void low(void) { ioapic_set_pin(&io, PIN, false); }
static void down_and_up(void) { low(), high(); }
static void eoi(void) { ioapic_eoi(&io, VECTOR); }

static void write_register(uint8_t index, uint32_t value)
{
	mmio_write(&mmio, 0xfec00000, 4, index);
	mmio_write(&mmio, 0xfec00010, 4, value);
}

static void write_entry(void) { write_register(0x10 + 2 * PIN, LEVEL_ENTRY); }

/* One was sent, and waits for its EOI. The pin is up again before the end, or stays so; of the two that come in each
 * other's middle one sends, once. */
static void eoi_and(void (*other_one)(void), bool eoi_first, bool up_meanwhile)
{
	for (at_step = 0; at_step < STEPS; at_step++) {
		mmio = (struct mmio_space){ 0 };
		assert_true(ioapic_init(&io, &mmio, 0xfec00000, 1, sends, NULL));
		write_entry();
		high();
		if (!up_meanwhile)
			low();
		sent = step = 0;
		other = eoi_first ? other_one : eoi;
		bench_seam = comes_between;
		(eoi_first ? eoi : other_one)();
		if (bench_seam) {
			bench_seam = NULL;
			other();
		}
		high();
		if (sent != 1 || !(io.redirection[PIN] & REDIRECTION_REMOTE_IRR))
			fail_msg("step %u: %u sent, entry %lx", at_step, sent, io.redirection[PIN]);
	}
}

static void an_eoi_in_the_middle(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		eoi_and(high, n & 1, n & 2);
		eoi_and(down_and_up, n & 1, n & 2);
		eoi_and(write_entry, n & 1, n & 2);
	}
}

static void to(uint32_t dest) { write_register(0x11 + 2 * PIN, dest << 24); }
static void to_somebody(void) { to(0); }

/* An EOI sends to a CPU that is not there, and the guest writes another one's number just then. */
static void one_that_found_nobody(void **state)
{
	(void)state;
	for (at_step = 0; at_step < STEPS; at_step++) {
		mmio = (struct mmio_space){ 0 };
		assert_true(ioapic_init(&io, &mmio, 0xfec00000, 1, sends, NULL));
		write_entry();
		high();
		to(NOBODY);
		sent = step = 0;
		other = to_somebody;
		bench_seam = comes_between;
		eoi();
		if (bench_seam) {
			bench_seam = NULL;
			other();
		}
		if (sent != 1 || !(io.redirection[PIN] & REDIRECTION_REMOTE_IRR))
			fail_msg("step %u: %u sent, entry %lx", at_step, sent, io.redirection[PIN]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_in_the_others_middle), cmocka_unit_test(an_eoi_in_the_middle),
		cmocka_unit_test(one_that_found_nobody),
		cmocka_unit_test(kicked_once),
		cmocka_unit_test(posted_and_disabled),
		cmocka_unit_test(posted_behind_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
