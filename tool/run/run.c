#include "tool/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/options/drives.h"
#include "tool/base/output.h"
#include "tool/base/runtime.h"
#include "tool/base/temporary.h"
#include "tool/base/tty.h"
#include "tool/emulator/bochs_cpus.h"
#include "tool/gdb/gdb.h"
#include "tool/view/view.h"
#include "tool/emulator/iso.h"
#include "tool/run/json.h"
#include "tool/run/report.h"
#include "tool/run/session.h"
#include "tool/run/trace.h"

static void describe(struct session *session)
{
	const struct emulator *e = &session->emulator;
	struct machine_facts *facts = &session->result.machine;

	*facts = (struct machine_facts){ .machine = session->options->machine, .cpu = e->cpu, .emulator = e->name,
		.emulator_version = e->version, .cpus = e->cpus, .memory = e->memory, .ips = e->ips };
	if (session->options->quiet)
		return;
	say("%s %s (%s): %s, %u CPU%s, %llu MB", e->name, e->version, e->build, e->cpu, e->cpus,
	    e->cpus == 1 ? "" : "s", (unsigned long long)(e->memory >> 20));
	if (session->options->interactive && isatty(0))
		say("the keyboard goes to the guest; Ctrl-] quits");
}

static char *hypervisor_of(const struct options *options)
{
	return options->hypervisor != NULL ? text("%s", options->hypervisor)
					   : text("%s/vellum.elf", program_directory());
}

static void start_machine(struct session *session, const struct machines *machines)
{
	const struct options *options = session->options;
	bool qemu = strcmp(options->machine, "qemu") == 0;
	char *hypervisor = hypervisor_of(options);
	char *iso = text("%s/vellum.iso", session->work), *path = text("%s/emulator.txt", session->work);
	struct wires wires;
	int output;

	iso_make(iso, session->work, hypervisor, machines, false);
	watch_signals(session);
	display_open(session);
	temporary_check(); /* those before it */
	connect_wires(session, &wires);
	wires.drives = &machines->drives;
	wires.card = machines->uplink;
	output = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (output < 0)
		die(STATUS_FAILED, "cannot write %s: %s", path, strerror(errno));
	describe(session);
	session->start = clock_seconds();
	session->pid = (qemu ? qemu_start : bochs_start)(&session->emulator, iso, session->work, &wires, output);
	if (session->pid < 0)
		die(STATUS_FAILED, "cannot start %s: %s", session->emulator.program, strerror(errno));
	guard_machine(session);
	close(output);
	free(hypervisor);
	free(iso);
	free(path);
}

/* What was run, beside what came of it. */
static void describe_guests(struct session *session)
{
	const struct machines *machines = session->machines;

	session->result.command = session->options->typed;
	session->result.description = machines->config.data;
	for (unsigned i = 0; i < machines->count; i++) {
		const struct vm_config *vm = &machines->vms[i];

		result_vm(&session->result, i)->made_of = (struct guest_facts){
			.kernel = vm->kernel, .initrd = vm->initrd[0] != 0 ? vm->initrd : NULL,
			.debian = i == 0 ? machines->debian : NULL, .command_line = vm->append,
			.workload = i == 0 ? machines->workload : NULL };
	}
}

static void write_json(struct session *session, int status)
{
	char *json;

	describe_guests(session);
	json = json_text(&session->result, status);
	if (strcmp(session->options->json, "-") != 0)
		file_write(session->options->json, json, strlen(json));
	else
		display_text(session, json, strlen(json));
	free(json);
}

/* Said before the run, not when its results are lost. */
static void check_json(const char *path)
{
	if (path != NULL && strcmp(path, "-") != 0 && !output_possible(path))
		die(STATUS_USAGE, "--json %s: cannot be written: %s", path, strerror(errno));
}

static void check_keep(const char *path)
{
	struct stat is;
	char *above;

	if (path == NULL)
		return;
	if (stat(path, &is) == 0) {
		if (!S_ISDIR(is.st_mode))
			die(STATUS_USAGE, "--keep %s: is no directory", path);
		if (access(path, W_OK | X_OK) != 0)
			die(STATUS_USAGE, "--keep %s: cannot be written: %s", path, strerror(errno));
		return;
	}
	above = text("%s", path);
	if (access(dirname(above), W_OK | X_OK) != 0)
		die(STATUS_USAGE, "--keep %s: cannot be made: %s", path, strerror(errno));
	free(above);
}

/* What the CPU model would be refused for, where we know it. Debian's Bochs is another version. */
static void check_cpu(const struct emulator *emulator, const struct machines *machines)
{
	const struct bochs_cpu *cpu = strcmp(emulator->name, "Bochs") == 0 && strncmp(emulator->version, "3.0", 3) == 0
					      ? bochs_cpu_find(emulator->cpu) : NULL;
	char error[300];

	if (cpu != NULL && !bochs_cpu_can(cpu, machines, error, sizeof error))
		die(STATUS_USAGE, "%s", error);
}

static char *working_directory(const struct options *options)
{
	char *path;

	if (options->keep == NULL)
		return temporary_directory();
	make_directory(options->keep);
	path = realpath(options->keep, NULL);
	if (path == NULL)
		die(STATUS_FAILED, "%s: %s", options->keep, strerror(errno));
	if (strpbrk(path, "\",\n") != NULL)
		die(STATUS_USAGE, "--keep %s: the name may hold no quotation mark and no comma", path);
	return path;
}

/* As the hypervisor says it of a virtual machine (vm/platform.c). false: it did not end so. */
static bool debug_exit(const struct session *session, struct record *end)
{
	unsigned value;

	if (!bochs_debug_exit(session->emulator.log, &value))
		return false;
	*end = (struct record){ .kind = RECORD_VM_END,
				.value = (uint8_t)(value << 1 | 1),
				.text = text("debug exit with value %u", value) };
	return true;
}

/* Without a hypervisor nobody says how the guest ended: it has powered the machine off, or has not. */
static void end_natively(struct session *session)
{
	struct vm_result *vm = result_vm(&session->result, 0);
	struct record end = { .kind = RECORD_VM_END, .text = "powered off" };
	bool exited = debug_exit(session, &end), off = exited || bochs_powered_off(session->emulator.log);

	result_native(vm, session->options->ips);
	for (unsigned i = 0; i < TAIL && i < session->console_tail.count; i++)
		off |= strstr(session->console_tail.lines[i], "reboot: Power down") != NULL;
	/* The guest's own words at its workload's end; there are no others. */
	vm->counters = vm->clock_ticks != 0 ? COUNTERS_END : COUNTERS_NONE;
	if (session->ending == MACHINE_GONE && !off && bochs_triple_fault(session->emulator.log)) {
		/* Linux that panics and is to reboot does it so, where nothing else resets the machine. */
		end = (struct record){ .kind = RECORD_VM_END,
				       .value = vm->panic != NULL ? 0 : 65,
				       .text = vm->panic != NULL ? "reset" : "stopped: triple fault" };
		off = true;
	}
	if (session->ending != MACHINE_GONE || !off)
		return;
	/* As the debug-exit port would have ended a virtual machine whose workload failed. */
	if (!exited && vm->result != NULL && strncmp(vm->result, "FAIL", 4) == 0)
		end = (struct record){ .kind = RECORD_VM_END,
				       .value = 3,
				       .text = "the workload failed, then powered off" };
	result_apply(&session->result, &end);
	session->result.status = vm->status;
	session->ending = ENDED;
}

static char *name_of(const struct options *options)
{
	return options->name != NULL ? text("%s", options->name) : text("%d", (int)getpid());
}

/* A run that was given no name has its process's number. It goes on without the channel where it cannot have one. */
static void open_control(struct session *session)
{
	char error[300], *name;
	uint64_t port;

	session->control = (struct control){ .listener = -1, .active = -1, .heard = counters_heard,
		.context = session };
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		session->control.client[i].file = -1;
	if (session->options->native)
		return;                 /* nobody would answer */
	name = name_of(session->options);
	if (session->options->incoming) {
		session->control.listener = session->incoming.listener;
		fcntl(session->incoming.listener, F_SETFL, O_NONBLOCK);
		incoming_start(&session->incoming, name);
	} else if (!control_open(&session->control, name, error, sizeof error)) {
		if (session->options->name != NULL)
			die(STATUS_USAGE, "--name %s: %s", name, error);
		say("vellum ctl will not find this run: %s", error);
	}
	if (session->options->gdb != NULL)
		session->gdb = gdb_start(session->options->gdb, session->options->gdb_arch, name);
	if (session->options->display != NULL && view_display(session->options->display, &port) && port != 0)
		session->view = view_start(port, name);
	free(name);
}

/* Besides what is to be hidden. */
static void hide_faults(const struct emulator *emulator, struct machines *machines)
{
	if (emulator->hides != NULL)
		machines->hide = machines->hide != NULL ? text("%s,%s", machines->hide, emulator->hides)
							: emulator->hides;
}

static void check_display(const struct options *options)
{
	uint64_t port;

	if (options->display == NULL)
		return;
	if (!view_display(options->display, &port))
		die(STATUS_USAGE, "--display must be none, vnc or vnc:PORT, not %s", options->display);
	if (port != 0 && options->vm_file == NULL && (options->vm.given & BIT(CONFIG_VGA)) == 0)
		die(STATUS_USAGE, "--display vnc shows a display, which --vga std gives a guest");
}

/* What can be said without a machine: ends the program where something cannot be. */
static void prepare(struct session *session, struct machines *machines)
{
	const struct options *options = session->options;
	char *hypervisor = hypervisor_of(options);
	uint64_t needed;

	machines_prepare(machines, options);
	session->machines = machines;
	if (options->exchange && machines->drives.count == MOST_DRIVES)
		die(STATUS_USAGE, "--exchange: the machine's controller has room for %d disks beside the boot image, "
		    "and the virtual machines have all", MOST_DRIVES);
	needed = machines_memory(machines, options->host_mem != 0);
	(strcmp(options->machine, "qemu") == 0 ? qemu_find : bochs_find)(&session->emulator, options, needed);
	hide_faults(&session->emulator, machines);
	check_cpu(&session->emulator, machines);
	check_json(options->json);
	check_keep(options->keep);
	trace_check(options);
	gdb_check(options);
	check_display(options);
	iso_check_hypervisor(hypervisor);
	free(hypervisor);
}

static void write_report(struct session *session)
{
	char *report = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&report, &length);

	if (out == NULL)
		abort();
	report_print(out, &session->result);
	fclose(out);
	display_text(session, report, length);
	free(report);
}

/* The status of a run whose output was to be read and could not be. */
static int unread(const struct session *session)
{
	if (session->unheard)
		return 128 + session->signal;
	if (session->output.error == 0)
		return 0;
	if (session->output.error == EPIPE)
		return 128 + SIGPIPE;
	if (session->ending != OUTPUT_GONE)
		say("the standard output cannot be written: %s", strerror(session->output.error));
	return STATUS_FAILED;
}

/* The report, and whatever else is left of the run. Returns the command's status. */
static int tell_and_free(struct session *session)
{
	const struct options *options = session->options;
	int status = conclude(session);

	if (!options->quiet && session->result.spoke && session->ending != OUTPUT_GONE)
		write_report(session);
	display_end(session);
	report_bad_ends(stderr, &session->result);
	if (options->json != NULL)
		write_json(session, status);
	if (options->trace != NULL && session->result.spoke)
		trace_write(options, &session->machines->drives, &session->result);
	display_end(session);
	if (status == 0)
		status = unread(session);
	tail_free(&session->console_tail);
	tail_free(&session->statistics_tail);
	bytes_free(&session->output.waiting);
	bytes_free(&session->errors.waiting);
	free(session->last_log);
	result_free(&session->result);
	return status;
}

/* The machine's own disk: for the memory of the largest virtual machine, and no less than an emulator takes. */
static void make_exchange(struct session *session, struct machines *machines)
{
	const struct options *options = session->options;
	const uint64_t grain = 16 << 20; /* a cylinder of any emulator's */
	uint64_t bytes = grain;
	char *path;

	if (!options->exchange)
		return;
	for (size_t i = 0; i < machines->count; i++) {
		const struct vm_config *vm = &machines->vms[i];
		uint64_t memory = vm->mem + (vm->vga[0] != 0 ? CONFIG_VGA_MEMORY : 0);

		bytes = memory > bytes ? memory : bytes;
	}
	path = text("%s/exchange", session->work);
	machines->exchange = drives_own(&machines->drives, path, (bytes + grain - 1) / grain * grain,
					strcmp(options->machine, "qemu") == 0);
	runtime_link(path);
	free(path);
}

/* What has come is a snapshot, and begins to stand (ME2). */
static const struct options *wait_for_it(struct session *session, const struct options *options)
{
	static struct options with;
	char *name = name_of(options);

	with = *options;
	session->work = working_directory(options);
	incoming_listen(&session->incoming, name, session->work);
	/* Who reads this may come at once. */
	if (!options->quiet)
		say("the run %s waits for a virtual machine: vellum migrate RUN [VM] %s", name, name);
	incoming_wait(&session->incoming);
	free(name);
	with.restore = session->incoming.path;
	with.vm.paused = CONFIG_ON;
	with.vm.given |= BIT(CONFIG_PAUSED);
	return &with;
}

static void sum_up(struct session *session)
{
	if (session->options->native)
		end_natively(session);
	for (size_t i = 0; i < session->result.vm_count; i++)
		result_sum_phases(&session->result.vms[i]);
}

int run(const struct options *options)
{
	static struct session session;
	struct machines machines;

	session = (struct session){ .options = options, .console = -1, .statistics = -1, .screen = -1, .keyboard = -1,
		.console_other = -1, .screen_other = -1, .statistics_listener = -1 };
	if (options->incoming && options->check)
		return 0;
	if (options->incoming)
		session.options = options = wait_for_it(&session, options);
	prepare(&session, &machines);
	if (options->check)
		return 0;
	if (session.work == NULL)
		session.work = working_directory(options);
	trace_make_disk(&machines.drives, session.work);
	swap_make_disk(&machines.drives, session.work, options->swap);
	open_control(&session);
	make_exchange(&session, &machines);
	start_machine(&session, &machines);
	if (options->interactive) {
		console_raw();
		session.keyboard = 0;
	}
	relay(&session);
	display_end(&session);
	sum_up(&session);
	console_restore();
	control_close(&session.control);
	if (session.gdb > 0)
		gdb_wait(session.gdb);
	if (session.view > 0)
		gdb_wait(session.view);
	disconnect_wires(&session);
	return incoming_status(&session.incoming, tell_and_free(&session));
}
