/* How a run is told to have ended (tool/run/conclude.c), and what Linux says of its panic (tool/run/panic.c). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tool/run/session.h"

static struct {
	struct options options;
	struct vm_config vms[2];
	struct machines machines;
	struct session session;
} the;

static void tell(const char *format, ...)
{
	char line[200];
	struct record record;
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof line, format, list);
	va_end(list);
	assert_true(record_parse(line, &record));
	result_apply(&the.session.result, &record);
}

static void begin(size_t vms, bool expects_result)
{
	memset(&the, 0, sizeof the);
	the.machines = (struct machines){ .vms = the.vms, .count = vms, .expects_result = expects_result };
	the.session.options = &the.options;
	the.session.machines = &the.machines;
	the.session.emulator.name = "Bochs";
	the.session.control.active = -1;
	the.session.work = text("/nonexistent");
	for (size_t i = 0; i < vms; i++)
		tell("vm %zu start %c", i, (int)('a' + i));
}

static void console(unsigned vm, const char *line)
{
	result_console_line(&the.session.result, vm, line);
	look_for_panic(&the.session, vm);
}

/* The run ends; its status and, if there is one, its error. */
static void expect(enum ending ending, int status, const char *word, const char *error)
{
	the.session.ending = ending;
	assert_int_equal(conclude(&the.session), status);
	assert_string_equal(the.session.result.ending, word);
	if (error == NULL)
		assert_null(the.session.result.error);
	else
		assert_string_equal(the.session.result.error, error);
	free(the.session.work);
	free(the.session.control.own);
	free(the.session.last_log);
	result_free(&the.session.result);
}

static void good_ends(void **state)
{
	(void)state;
	begin(1, false);
	tell("vm 0 end 0 powered off");
	tell("end 0");
	expect(ENDED, 0, "ended", NULL);
	begin(1, true);
	console(0, "VELLUM-RESULT ok checksum=1");
	tell("vm 0 end 0 powered off");
	tell("end 0");
	expect(ENDED, 0, "ended", NULL);
	begin(1, true);
	expect(QUIT, 0, "quit", NULL);
}

static void a_result_is_missing(void **state)
{
	(void)state;
	begin(1, true);
	tell("vm 0 end 0 reset (port 0xcf9)");
	tell("end 0");
	expect(ENDED, 69, "ended",
	       "a ended without the result that its workload should have told: reset (port 0xcf9)");
	/* A status of its own says more. */
	begin(1, true);
	tell("vm 0 end 65 stopped: triple fault");
	tell("end 65");
	expect(ENDED, 65, "ended", "a: status 65, stopped: triple fault");
}

/* Where many CPUs take their turns, the first word may come late. */
static void silence(void **state)
{
	(void)state;
	begin(1, false);
	the.session.emulator.cpus = 1;
	assert_int_equal(session_silence_ms(&the.session), 180000);
	expect(SILENT, 70, "silent", "the hypervisor said nothing for 180 seconds");
	begin(1, false);
	the.session.emulator.cpus = 32;
	expect(SILENT, 70, "silent", "the hypervisor said nothing for 540 seconds");
}

static void bad_ends(void **state)
{
	(void)state;
	begin(2, false);
	tell("vm 0 end 0 powered off");
	tell("vm 1 end 66 stopped: it did what cannot be");
	tell("end 66");
	expect(ENDED, 66, "ended", "b: status 66, stopped: it did what cannot be");
	/* No virtual machine was made: the hypervisor's last words say why. */
	begin(0, false);
	the.session.last_log = text("this CPU has no VT-x");
	tell("end 67");
	expect(ENDED, 67, "ended", "this CPU has no VT-x");
	begin(1, false);
	tell("panic broken promise");
	expect(PANICKED, 70, "panic", "the hypervisor stopped: broken promise");
	begin(1, false);
	the.options.timeout = 1;
	expect(TIMED_OUT, 124, "timeout", "timeout: no end after 1 second, the machine was stopped");
	begin(1, false);
	the.session.signal = SIGTERM;
	expect(INTERRUPTED, 143, "interrupted", "interrupted, the machine was stopped");
	begin(1, false);
	the.session.result.spoke = true;
	expect(MACHINE_GONE, 70, "emulator", "Bochs ended before the hypervisor said how its virtual machines did");
}

static void a_panic(void **state)
{
	(void)state;
	begin(1, true);
	console(0, "[    1.0] Kernel panic - not syncing: VFS: no root");
	console(0, "[    1.1] CPU: 0 PID: 1 Comm: swapper");
	assert_int_equal(the.session.ending, RUNNING);
	console(0, "[    1.2] ---[ end Kernel panic - not syncing: VFS: no root ]---");
	assert_int_equal(the.session.ending, GUEST_PANICKED);
	expect(GUEST_PANICKED, 68, "guest-panic", "a panicked: VFS: no root; the machine was stopped");
	/* It was told to reboot. */
	begin(1, true);
	console(0, "Kernel panic - not syncing: first");
	console(0, "Kernel panic - not syncing: second");
	tell("vm 0 end 0 reset (port 0xcf9)");
	tell("end 0");
	expect(ENDED, 68, "ended", "a panicked: first");
	/* The end of a panic that has no beginning is somebody's text. */
	begin(1, false);
	console(0, "---[ end Kernel panic - not syncing: x ]---");
	assert_int_equal(the.session.ending, RUNNING);
	expect(QUIT, 0, "quit", NULL);
}

static void panic_for_good(unsigned vm)
{
	console(vm, "Kernel panic - not syncing: x");
	console(vm, "---[ end Kernel panic - not syncing: x ]---");
}

static void a_panic_of_no_account(void **state)
{
	(void)state;
	begin(1, false);
	the.vms[0].on_panic = CONFIG_PANIC_NONE;
	panic_for_good(0);
	assert_int_equal(the.session.ending, RUNNING);
	assert_string_equal(the.session.control.own, "tell 0"); /* and nothing else is done */
	tell("vm 0 end 0 powered off");
	tell("end 0");
	expect(ENDED, 0, "ended", NULL);
}

static void a_panic_that_pauses(void **state)
{
	(void)state;
	begin(1, false);
	the.vms[0].on_panic = CONFIG_PANIC_PAUSE;
	panic_for_good(0);
	assert_int_equal(the.session.ending, RUNNING);
	assert_string_equal(the.session.control.own, "tell 0 pause");
	expect(QUIT, 0, "quit", NULL);
}

/* The last one that is left ends the run. */
static void one_of_two_panics(void **state)
{
	(void)state;
	begin(2, false);
	panic_for_good(1);
	assert_int_equal(the.session.ending, RUNNING);
	panic_for_good(0);
	assert_int_equal(the.session.ending, GUEST_PANICKED);
	expect(GUEST_PANICKED, 68, "guest-panic", "a panicked: x; the machine was stopped");
}

static void the_other_ends(void **state)
{
	(void)state;
	begin(2, false);
	panic_for_good(0);
	tell("vm 1 end 0 powered off");
	assert_int_equal(the.session.ending, RUNNING);
	panics_alone(&the.session);
	assert_int_equal(the.session.ending, GUEST_PANICKED);
	expect(GUEST_PANICKED, 68, "guest-panic", "a panicked: x; the machine was stopped");
	/* Both have ended: the hypervisor says the rest. */
	begin(2, false);
	panic_for_good(0);
	tell("vm 0 end 68 the guest panicked");
	tell("vm 1 end 0 powered off");
	panics_alone(&the.session);
	assert_int_equal(the.session.ending, RUNNING);
	tell("end 68");
	expect(ENDED, 68, "ended", "a: status 68, the guest panicked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ends),	     cmocka_unit_test(a_result_is_missing),
		cmocka_unit_test(silence), cmocka_unit_test(bad_ends),	     cmocka_unit_test(a_panic),
		cmocka_unit_test(a_panic_of_no_account), cmocka_unit_test(a_panic_that_pauses),
		cmocka_unit_test(one_of_two_panics),	 cmocka_unit_test(the_other_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
