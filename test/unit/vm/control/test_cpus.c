/* Virtual CPUs that are told where to go: by their machine's description (vm/sched/move.c), or on the control channel
 * (vm/control/cpus.c). Each CPU of the bench has a run loop of its own. */
#include "test/unit/vm/sched/cpus.h"

#include <stdio.h>

#include "vm/control/control.h"

static void wandering(void **state)
{
	struct vcpu *v;

	(void)state;
	bench_new(&(struct bench_config){
		.cpu = BENCH_HASWELL, .mmu = "ept", .host_cpus = 2, .description = "migrate-every 1\n" });
	v = vcpu_of(0);
	for (unsigned n = 1; n < 6; n++) {
		for (unsigned alarms = 0; v->moves < n && alarms < 10; alarms++)
			bench_timer();
		assert_int_equal(v->moves, n);
		assert_int_equal(bench.at, BENCH_IDLE);
		assert_false(v->requests & REQUEST_SWITCH); /* or its first turn there would end at once */
		STEP(kicked(n & 1));
	}
	/* In its sleep, too. */
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	for (unsigned alarms = 0; v->moves < 6 && alarms < 10; alarms++)
		bench_timer();
	assert_int_equal(v->moves, 6);
	assert_int_equal(kicked(0), BENCH_IDLE);
	assert_true(v->halted);
	vcpu_pin(v, cpu(0));
	for (unsigned n = 0; n < 5; n++)
		bench_timer();
	assert_int_equal(v->moves, 6);
	finish();
}

/* With one CPU, to where it is, by the same steps: so that they can be counted one after the other. */
static void wandering_at_home(void **state)
{
	struct vcpu *v;

	(void)state;
	bench_new(&(struct bench_config){
		.cpu = BENCH_HASWELL, .mmu = "ept", .host_cpus = 1, .description = "migrate-every 1\n" });
	v = vcpu_of(0);
	for (unsigned n = 1; n < 4; n++) {
		unsigned flushes = bench.invvpids + bench.invepts;

		for (unsigned alarms = 0; v->moves < n && alarms < 10; alarms++)
			bench_timer();
		assert_int_equal(v->moves, n);
		assert_int_equal(bench.at, BENCH_ENTRY);
		assert_ptr_equal(v->cpu, cpu(0));
		assert_false(v->requests & REQUEST_SWITCH);
		assert_true(bench.invvpids + bench.invepts > flushes);
	}
	finish();
}

/* ---- asked for on the control channel ---- */

static char last_said[100];

/* A request arrives, and each CPU takes the kicks that it is sent until it is answered. */
static bool asked(const char *request, const char *answer)
{
	static unsigned tag;
	char line[100], done[64];
	const char *from;

	snprintf(line, sizeof(line), "%u %s\n", ++tag, request);
	snprintf(done, sizeof(done), "done %u ", tag);
	bench_on(0);
	bench_type(CONSOLE_STATS, line, strlen(line));
	for (unsigned n = 0; n < 20 && !strstr(bench_log(), done); n++) {
		bench_on(n % soft.cpus);
		bench_interrupt(VECTOR_KICK);
	}
	from = strstr(bench_log(), done);
	assert_non_null(from);
	snprintf(last_said, sizeof(last_said), "%.90s", from);
	snprintf(done, sizeof(done), "reply %u ", tag);
	from = strstr(bench_log(), done);
	return strstr(answer[0] == '{' ? from : last_said, answer);
}

static void requests(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){
		.cpu = BENCH_HASWELL, .mmu = "ept", .host_cpus = 2, .description = "vcpus 2\n" });
	assert_true(asked("migrate 0.0 1", "{\"vm\":\"test0\",\"vcpu\":0,\"cpu\":1}"));
	assert_ptr_equal(vcpu_of(0)->cpu, cpu(1));
	assert_int_equal(vcpu_of(0)->moves, 1);
	assert_true(asked("dump 0", "{\"vm\":\"test0\""));
	assert_true(asked("dump 0.1", "{\"vm\":\"test0\""));
	assert_true(asked("dump 0.2", "error test0 has no virtual CPU 2"));
	assert_true(asked("migrate 0.0 2", "error there is no CPU 2"));
	assert_true(asked("pin 0 0", "{\"vm\":\"test0\",\"cpu\":0}"));
	for (unsigned n = 0; n < 2; n++) {
		assert_ptr_equal(bench.vm[0]->vcpu[n]->pin, cpu(0));
		assert_ptr_equal(bench.vm[0]->vcpu[n]->cpu, cpu(0));
	}
	assert_true(asked("migrate 0.1 1", "error virtual CPU 1 of test0 is pinned to CPU 0"));
	assert_true(asked("pin 0.1 any", "{\"vm\":\"test0\",\"vcpu\":1,\"cpu\":null}"));
	assert_null(bench.vm[0]->vcpu[1]->pin);
	assert_non_null(vcpu_of(0)->pin);
	assert_true(asked("migrate 0.1 1", "ok"));
	assert_true(asked("weight 0 250", "{\"vm\":\"test0\",\"weight\":250}"));
	assert_int_equal(bench.vm[0]->weight, 250);
	assert_true(asked("weight 0 0", "error a weight is from 1"));
	assert_true(asked("weight 0 10001", "error a weight is from 1"));
	assert_int_equal(bench.vm[0]->weight, 250);
	assert_true(asked("stats 0.1", "error there is no virtual machine 0.1"));
	assert_true(asked("migrate 0 1", "error it is: migrate VM.VCPU CPU"));
	assert_true(asked("pin 0.x 1", "error x is not the number"));
	assert_true(asked("pin 0 x", "error x is not a CPU"));
	finish();
}

static bool left;

/* The other CPU does as it is told: it is not there to do so by itself. */
static void leaves(uint32_t apic_id)
{
	struct vcpu *v = bench.vm[0]->vcpu[1];

	if (apic_id == 1 && bench.vm[0]->frozen_by && v->running) {
		left = true;
		v->running = false;
	}
}

/* CT1: it has moved before its CPU has looked. */
static void a_request_follows(void **state)
{
	struct vcpu *v;

	(void)state;
	begin(3, 1);
	v = vcpu_of(0);
	deadline_in(1000000000);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	vcpu_move(v, cpu(1));
	assert_int_equal(kicked(1), BENCH_IDLE);
	bench_on(0);
	bench_type(CONSOLE_STATS, "x dump 0\n", 9);
	bench_interrupt(VECTOR_KICK);
	bench_on(1);
	vcpu_move(v, cpu(2));
	kicked(1);
	assert_null(strstr(bench_log(), "done x"));
	kicked(2);
	bench_on(0);
	bench_interrupt(VECTOR_KICK);
	assert_non_null(strstr(bench_log(), "done x ok"));
	assert_non_null(strstr(bench_log(), "\"cpu\":2"));
	finish();
}

/* A virtual CPU on another CPU stops for it. */
static void stops_all(const char *request, const char *answer)
{
	struct vcpu *other;

	bench_new(&(struct bench_config){
		.cpu = BENCH_HASWELL, .mmu = "ept", .host_cpus = 2, .description = "vcpus 2\n" });
	other = bench.vm[0]->vcpu[1];
	STEP(bench_wrmsr(MSR_APIC_BASE, 0xfee00000 | APIC_BASE_EN | APIC_BASE_EXTD | APIC_BASE_BSP));
	STEP(bench_wrmsr(MSR_X2APIC_FIRST + 0x30, 1ull << 32 | 0x4610)); /* it starts */
	STEP(kicked(1));
	assert_ptr_equal(bench.v, other);
	assert_false(other->requests & REQUEST_SWITCH);
	left = false;
	host_kicked = leaves;
	assert_true(asked(request, answer));
	host_kicked = NULL;
	assert_true(left);
	finish();
}

static void an_audit_stops_all(void **state)
{
	(void)state;
	stops_all("audit 0", "{\"vm\":\"test0\",\"audit\":\"ok\"}");
}

static void a_snapshot_stops_all(void **state)
{
	(void)state;
	stops_all("save 0 end", "{\"vm\":\"test0\",\"state\":\"running\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wandering),
		cmocka_unit_test(wandering_at_home),
		cmocka_unit_test(requests),
		cmocka_unit_test(a_request_follows),
		cmocka_unit_test(an_audit_stops_all),
		cmocka_unit_test(a_snapshot_stops_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
