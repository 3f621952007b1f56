/* Bochs: how to find one, what configuration it gets, and how to read its log. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/emulator/emulator.h"
#include "tool/base/util.h"

static const char default_cpu[] = "corei7_haswell_4770";
static const char bios[] = "/usr/share/bochs/BIOS-bochs-latest", vga_bios[] = "/usr/share/vgabios/vgabios.bin";
static const char debian_bochs[] = "/usr/bin/bochs";

/* Bochs keeps at most 2 GB of an emulated machine's memory in its own, and pages the rest to a file. Above 3 GB begins
 * the hole of the PC's devices, whose RAM Bochs does not move elsewhere. */
enum { MEGABYTE = 1 << 20, BOCHS_MOST_MB = 3072, BOCHS_RESIDENT_MB = 2048 };
/* More CPUs than this need the BIOS that script/get-bochs.sh has made beside the Bochs. */
enum { BIOS_CPUS = 128 };

uint64_t emulator_memory(const struct options *options, uint64_t needed, unsigned most, const char *name)
{
	const uint64_t step = 64u * MEGABYTE, least = 512u * MEGABYTE, own = 128u * MEGABYTE;
	uint64_t memory = options->host_mem != 0 ? options->host_mem : needed + own;

	if (options->host_mem != 0 && memory % MEGABYTE != 0)
		die(STATUS_USAGE, "--host-mem: must be a multiple of 1M");
	if (options->host_mem == 0)
		memory = memory < least ? least : (memory + step - 1) / step * step;
	if (memory > (uint64_t)most * MEGABYTE)
		die(STATUS_USAGE, "the machine would need %llu MB of RAM%s, and %s can give it at most %u MB",
		    (unsigned long long)(memory / MEGABYTE), options->host_mem == 0 ? " for its virtual machines" : "",
		    name, most);
	if (memory < needed)
		die(STATUS_USAGE, "--host-mem: %llu MB are too few for virtual machines and files of %llu MB",
		    (unsigned long long)(memory / MEGABYTE), (unsigned long long)(needed / MEGABYTE));
	return memory;
}

/* Runs "bochs --help [TOPIC]"; its text is in `said`. Its exit status means nothing. */
static void ask(const char *program, const char *topic, struct bytes *said)
{
	static char help[] = "--help";
	char *path = text("%s", program), *about = topic != NULL ? text("%s", topic) : NULL;
	char *argv[] = { path, help, about, NULL };

	run_program(argv, said);
	free(path);
	free(about);
}

static char *built_path(void)
{
	return text("%s/bochs", program_directory());
}

/* The Bochs that was asked for; the one the build made unless told otherwise. */
static char *choose(const char *which)
{
	char *built = built_path();

	if (strcmp(which, "debian") != 0) {
		if (access(built, X_OK) == 0)
			return built;
		if (strcmp(which, "built") == 0)
			die(STATUS_FAILED, "there is no Bochs at %s: run make bochs", built);
	}
	free(built);
	if (access(debian_bochs, X_OK) != 0)
		die(STATUS_FAILED, "there is no Bochs: run make bochs%s",
		    strcmp(which, "debian") == 0 ? ", or script/deps.sh bochs-debian for the package" : "");
	return text("%s", debian_bochs);
}

bool bochs_can_have(bool mended, bool room, unsigned cpus, char *error, size_t error_size)
{
	if (cpus == 1 || (mended && (room || cpus <= BIOS_CPUS)))
		return true;
	if (mended) {
		snprintf(error, error_size,
			 "--host-cpus %u: the BIOS of Debian's package bochsbios has room for tables of %d CPUs, and "
			 "there is no other beside this Bochs; script/deps.sh, then make bochs, makes both",
			 cpus, BIOS_CPUS);
		return false;
	}
	snprintf(error, error_size,
		 "--host-cpus %u: with several CPUs, Debian's package of Bochs forgets where an exception's handler "
		 "begins; only the Bochs that the build makes (make bochs) is mended",
		 cpus);
	return false;
}

static char *version_of(const char *program, const struct bytes *said)
{
	static const char title[] = "Bochs x86 Emulator ";
	const char *start = said->data != NULL ? strstr(said->data, title) : NULL;

	if (start == NULL)
		die(STATUS_FAILED, "%s does not run, or is no Bochs", program);
	start += strlen(title);
	return text("%.*s", (int)strcspn(start, " \n"), start);
}

/* The model's full name: of the names that Bochs lists, the one that is `wanted`, or the only one that contains it.
 * What it said is taken apart. */
static char *cpu_model(const char *program, const struct bytes *said, const char *wanted)
{
	struct bytes all = { 0 }, several = { 0 };
	char *found = NULL, *line, *state;
	unsigned matches = 0;

	line = strstr(said->data, "Supported CPU models:");
	if (line == NULL)
		die(STATUS_FAILED, "%s does not list its CPU models", program);
	line = strchr(line, '\n');
	for (line = line != NULL ? strtok_r(line, "\n", &state) : NULL; line != NULL;
	     line = strtok_r(NULL, "\n", &state)) {
		/* The list ends at the first line that is no model's name. */
		if (strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(line))
			break;
		bytes_print(&all, " %s", line);
		if (strcmp(line, wanted) == 0) {
			free(found);
			found = text("%s", line);
			matches = 1;
			break;
		}
		if (strstr(line, wanted) == NULL)
			continue;
		bytes_print(&several, " %s", line);
		if (matches++ == 0)
			found = text("%s", line);
	}
	if (matches == 0)
		die(STATUS_USAGE, "--cpu %s: Bochs has no such model; it has%s", wanted,
		    all.data != NULL ? all.data : " none");
	if (matches > 1)
		die(STATUS_USAGE, "--cpu %s: could be any of%s", wanted, several.data);
	bytes_free(&all);
	bytes_free(&several);
	return found;
}

/* The BIOS with more room that is in the folder of a Bochs, or NULL. */
static const char *bios_beside(const char *program)
{
	char *path = text("%.*s/bios.bin", (int)(strrchr(program, '/') - program), program);

	if (access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

void bochs_find(struct emulator *emulator, const struct options *options, uint64_t needed)
{
	struct bytes said = { 0 }, models = { 0 };
	char error[300], *real;
	const char *roomy;
	bool package;

	emulator->program = choose(options->bochs);
	if (access(bios, R_OK) != 0 || access(vga_bios, R_OK) != 0)
		die(STATUS_FAILED,
		    "the BIOS for Bochs is missing: run script/deps.sh (packages bochsbios and vgabios)");
	emulator->name = "Bochs";
	ask(emulator->program, "cpu", &models);
	emulator->version = version_of(emulator->program, &models);
	/* Debian's is built with the debugger, which wants a file of commands, and has no display that needs no
	 * screen. */
	ask(emulator->program, NULL, &said);
	emulator->needs_screen = said.data != NULL && strstr(said.data, "-rc ") != NULL;
	bytes_free(&said);
	real = realpath(emulator->program, NULL);
	package = real != NULL && strcmp(real, debian_bochs) == 0;
	/* It delivers virtual interrupts to guests that have interrupts off (docs/bochs.md). */
	emulator->hides = package ? "virtual-interrupt-delivery" : NULL;
	emulator->build = package ? "Debian's binary package" : "optimised, built from source";
	roomy = real != NULL ? bios_beside(real) : NULL;
	free(real);
	if (!bochs_can_have(!package, roomy != NULL, options->host_cpus, error, sizeof error))
		die(STATUS_USAGE, "%s", error);
	emulator->bios = options->host_cpus > BIOS_CPUS ? roomy : bios;
	emulator->cpu = cpu_model(emulator->program, &models, options->cpu != NULL ? options->cpu : default_cpu);
	bytes_free(&models);
	emulator->cpus = options->host_cpus;
	emulator->memory = emulator_memory(options, needed, BOCHS_MOST_MB, "Bochs");
	emulator->ips = options->ips;
	emulator->paced = options->interactive && isatty(0);
}

/* Bochs leaves a file beside each disk that says that it is in use, also when it is killed: by a link, it does so in
 * the run's own directory. */
static void link_drives(const struct drives *drives, const char *work)
{
	for (unsigned i = 0; i < drives->count; i++) {
		char *path = text("%s/drive%u", work, i), *locked = text("%s.lock", path);

		unlink(path);
		unlink(locked);
		if (symlink(drives->drive[i].path, path) != 0)
			die(STATUS_FAILED, "cannot make %s: %s", path, strerror(errno));
		free(path);
		free(locked);
	}
}

static void write_configuration(const struct emulator *emulator, const char *path, const char *iso, const char *work,
				const struct wires *wires)
{
	struct bytes c = { 0 };
	unsigned long long megabytes = emulator->memory / MEGABYTE;

	bytes_print(&c, "config_interface: textconfig\n");
	bytes_print(&c, "display_library: %s\n", emulator->needs_screen ? "term" : "nogui");
	bytes_print(&c, "romimage: file=%s, options=fastboot\n", emulator->bios);
	bytes_print(&c, "vgaromimage: file=%s\n", vga_bios);
	if (emulator->needs_screen)
		bytes_print(&c, "vga: extension=vbe, update_freq=1, realtime=0\n");
	/* ignore_bad_msrs: Linux on bare Bochs reads some. A triple fault ends the emulator instead of starting
	 * again. */
	bytes_print(&c, "cpu: model=%s, count=%u, ips=%llu, reset_on_triple_fault=0, ignore_bad_msrs=1\n",
		    emulator->cpu, emulator->cpus, (unsigned long long)emulator->ips);
	bytes_print(&c, "memory: guest=%llu, host=%llu\n", megabytes,
		    megabytes < BOCHS_RESIDENT_MB ? megabytes : BOCHS_RESIDENT_MB);
	bytes_print(&c, "pci: enabled=1, chipset=i440fx%s\n", wires->card ? ", slot1=e1000" : "");
	/* Slirp: addresses by DHCP, connections to the outside as this user's own, and 10.0.2.2 for this host. */
	if (wires->card)
		bytes_print(&c, "e1000: enabled=1, mac=52:54:00:ff:00:01, ethmod=slirp, script=\"\"\n");
	/* The emulated clock runs with the instructions, from a fixed date: two runs are alike to the tick. With
	 * somebody at the keyboard, or at the other end of a network, it starts at today's date, for what comes over a
	 * network may be signed for some days only. It does not run ahead of ours then, and a machine that is idle
	 * sleeps. */
	bytes_print(&c, "clock: %s\n", emulator->paced || wires->card ? "sync=slowdown, time0=utc" :
									 "sync=none, time0=1700000000");
	bytes_print(&c, "ata0-master: type=cdrom, path=\"%s\", status=inserted\n", iso);
	for (unsigned i = 0; i < wires->drives->count; i++) {
		const struct drive *d = &wires->drives->drive[i];

		bytes_print(&c, "ata%u-%s: type=disk, path=\"%s/drive%u\", mode=flat\n", d->channel,
			    d->unit ? "slave" : "master", work, i);
	}
	bytes_print(&c, "boot: cdrom\n");
	bytes_print(&c, "com1: enabled=1, mode=%s, dev=\"%s\"\n", wires->console_is_terminal ? "term" : "file",
		    wires->console);
	bytes_print(&c, "com2: enabled=1, mode=socket-client, dev=\"127.0.0.1:%u\"\n", wires->statistics);
	bytes_print(&c, "panic: action=fatal\nerror: action=ignore\ninfo: action=ignore\ndebug: action=ignore\n");
	bytes_print(&c, "log: bochs.log\n");
	file_write(path, c.data, c.length);
	bytes_free(&c);
}

pid_t bochs_start(struct emulator *emulator, const char *iso, const char *work, const struct wires *wires, int output)
{
	static char quick[] = "-q", f[] = "-f", name[] = "bochsrc", rc[] = "-rc", commands[] = "commands";
	char *argv[] = { emulator->program, quick, f, name, NULL, NULL, NULL };
	char *path = text("%s/bochsrc", work);

	link_drives(wires->drives, work);
	write_configuration(emulator, path, iso, work, wires);
	free(path);
	if (emulator->needs_screen) {
		path = text("%s/commands", work);
		file_write(path, "c\n", 2);
		free(path);
		argv[4] = rc;
		argv[5] = commands;
		setenv("TERM", "vt100", 1);
		output = wires->screen;
	}
	/* Bochs takes the fixed date for one of this computer's time zone. */
	setenv("TZ", "UTC0", 1);
	emulator->log = text("%s/bochs.log", work);
	return spawn(argv, work, output);
}

void bochs_explain(FILE *out, const char *log)
{
	struct bytes content = { 0 };
	char *line, *state, *panics[4] = { NULL };
	unsigned count = 0;

	if (log == NULL || !file_read(log, &content))
		return;
	/* "00012345678p[CPU0  ] >>PANIC<< ..." */
	for (line = strtok_r(content.data, "\n", &state); line != NULL; line = strtok_r(NULL, "\n", &state))
		if (strstr(line, ">>PANIC<<") != NULL)
			panics[count++ % ARRAY_SIZE(panics)] = line;
	for (unsigned i = 0; i < count && i < ARRAY_SIZE(panics); i++)
		fprintf(out, "  Bochs: %s\n", strstr(panics[i], ">>PANIC<<") + strlen(">>PANIC<<") + 1);
	bytes_free(&content);
}

/* What stands behind it in the log, up to the line's end; NULL: it is not there. The caller frees. */
static char *log_says(const char *log, const char *what)
{
	struct bytes content = { 0 };
	char *found, *rest = NULL;

	if (log == NULL || !file_read(log, &content))
		return NULL;
	found = strstr(content.data, what);
	if (found != NULL)
		rest = text("%.*s", (int)strcspn(found + strlen(what), "\n"), found + strlen(what));
	bytes_free(&content);
	return rest;
}

static bool log_has(const char *log, const char *what)
{
	char *rest = log_says(log, what);

	free(rest);
	return rest != NULL;
}

bool bochs_powered_off(const char *log)
{
	return log_has(log, ">>PANIC<< Shutdown port: shutdown requested");
}

bool bochs_debug_exit(const char *log, unsigned *value)
{
	char *rest = log_says(log, ">>PANIC<< Exit port: ");
	bool said = rest != NULL && sscanf(rest, "%u", value) == 1;

	free(rest);
	return said;
}

bool bochs_triple_fault(const char *log)
{
	return log_has(log, "exception with no resolution");
}
