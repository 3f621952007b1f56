#include "tool/options/machines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tool/base/pack.h"
#include "tool/options/firmware.h"
#include "tool/options/guest_check.h"
#include "tool/options/restore.h"
#include "tool/options/workload.h"

/* The second word skips the self-tests of the kernel's ciphers: 0.9 G instructions, almost half of Debian's boot. On
 * the emulated machine there is no speculation for page-table isolation to guard against, only two loads of CR3 at each
 * entry to the kernel. */
static const char default_append[] = "console=ttyS0 cryptomgr.notests=1", console_append[] = "console=ttyS0",
		  emulated_append[] = " nopti";

static const char snapshot_kind[] = "snapshot";

/* Puts the file on the image, once however often it is used; returns its name there. */
static const char *module_for(struct machines *machines, const char *vm, const char *kind, const char *path)
{
	struct stat info;

	for (size_t i = 0; i < machines->module_count; i++)
		if (strcmp(machines->modules[i].path, path) == 0)
			return machines->modules[i].name;
	if (stat(path, &info) != 0)
		die(STATUS_USAGE, "%s, the %s of %s: %s", path, kind, vm, strerror(errno));
	if (!S_ISREG(info.st_mode))
		die(STATUS_USAGE, "%s, the %s of %s, is not a file", path, kind, vm);
	if (!file_exists(path))
		die(STATUS_USAGE, "%s, the %s of %s, cannot be read", path, kind, vm);
	if (info.st_size == 0)
		die(STATUS_USAGE, "%s, the %s of %s, is empty", path, kind, vm);
	machines->modules = grow(machines->modules, (machines->module_count + 1) * sizeof *machines->modules);
	machines->modules[machines->module_count] = (struct module){ text("%s.%s", vm, kind), text("%s", path),
		(uint64_t)info.st_size, kind == snapshot_kind };
	return machines->modules[machines->module_count++].name;
}

/* The same; NULL: the machine has no such file. */
static const char *file_for(struct machines *machines, const char *vm, const char *kind, const char *path)
{
	return path[0] != 0 ? module_for(machines, vm, kind, path) : NULL;
}

static void copy_name(char *target, const char *path)
{
	if (strlen(path) > CONFIG_FILE_MAX)
		die(STATUS_USAGE, "%s: the name is too long", path);
	strcpy(target, path);
}

/* The modules, named as on the image, each with the string that its kernel gets: the file's own name comes first, as
 * other loaders have it. */
static void place_modules(struct machines *machines, struct vm_config *vm)
{
	for (unsigned i = 0; i < vm->modules; i++) {
		struct config_module *m = &vm->module[i];
		const char *slash = strrchr(m->name, '/'), *name = slash != NULL ? slash + 1 : m->name;
		char *kind = text("module%u", i), *string = text("%s%s%s", name, m->text[0] != 0 ? " " : "", m->text);

		if (strlen(string) > CONFIG_MODULE_TEXT_MAX)
			die(STATUS_USAGE, "%s, a module of %s: its text is too long, at most %zu characters are "
			    "possible", m->name, vm->name, CONFIG_MODULE_TEXT_MAX - strlen(name) - 1);
		strcpy(m->text, string);
		copy_name(m->name, module_for(machines, vm->name, kind, m->name));
		free(kind);
		free(string);
	}
}

/* A file of a guest that `make` has prepared, which must be there. target: what makes it. */
static void prepared(char *target_name, const char *name, const char *what, const char *target)
{
	char *path = text("%s/guest/%s", program_directory(), name);

	if (!file_exists(path))
		die(STATUS_FAILED, "%s, %s, is missing: run make %s", what, path, target);
	if (strlen(path) > CONFIG_FILE_MAX)
		die(STATUS_USAGE, "%s: the name is too long", path);
	strcpy(target_name, path);
	free(path);
}

/* The display's BIOS, likewise. */
static void choose_display(struct vm_config *vm)
{
	static const char stdvga[] = "/usr/share/seabios/vgabios-stdvga.bin";

	if (strcmp(vm->vga, "std") != 0)
		return;
	if (!file_exists(stdvga))
		die(STATUS_FAILED, "SeaBIOS' VGA BIOS, %s, is missing: run script/deps.sh (package seabios)", stdvga);
	strcpy(vm->vga, stdvga);
}

/* The firmware that a word stands for, of Debian's package. */
static void choose_firmware(struct vm_config *vm)
{
	static const char loader[] = "/usr/share/qemu/linuxboot_dma.bin";

	firmware_find(vm);
	choose_display(vm);
	if (vm->bios[0] == 0 || vm->kernel[0] == 0 || vm->option_rom[0] != 0)
		return;
	if (!file_exists(loader))
		die(STATUS_FAILED, "%s, which has a firmware load a kernel, is missing: run script/deps.sh "
		    "(package qemu-system-data)", loader);
	strcpy(vm->option_rom, loader);
}

/* One of Debian's kernels: the default, or what --guest says. */
static void choose_guest(struct vm_config *vm, const char *guest)
{
	char *name, *what;

	if (strcmp(guest, "amd64") == 0) {
		prepared(vm->kernel, "vmlinux", "the default guest's kernel", "guest");
		return;
	}
	name = text("%s/vmlinux", guest);
	what = text("the kernel of the guest %s", guest);
	prepared(vm->kernel, name, what, "guests");
	free(name);
	free(what);
}

/* The same as a firmware loads it. */
static void choose_bzimage(struct vm_config *vm, const char *guest)
{
	bool amd64 = strcmp(guest, "amd64") == 0;
	char *name = amd64 ? text("bzImage") : text("%s/bzImage", guest);

	prepared(vm->kernel, name, "the guest's kernel, with its setup code", amd64 ? "guest" : "guests");
	free(name);
}

/* What was not given. false: the machine has none, but boots from what its firmware finds. */
static bool choose_kernel(struct vm_config *vm, const struct options *options)
{
	if ((vm->given & BIT(CONFIG_BIOS)) == 0)
		choose_guest(vm, options->guest);
	else if (options->guest_given)
		choose_bzimage(vm, options->guest);
	else if (options->workload != NULL)
		die(STATUS_USAGE, "--workload is for a kernel with the default initramfs: give --guest, too");
	return vm->kernel[0] != 0;
}

/* What a workload, and a run without the hypervisor, add to the command line. Natively, Linux meets what Bochs gets
 * wrong and the hypervisor hides (docs/bochs.md), and random numbers that would make two runs differ; it finds fast
 * strings switched off, and would forget them by itself. */
static char *command_line(char *append, const struct options *options, bool linux_kernel)
{
	struct bytes line = { 0 };

	bytes_print(&line, "%s", append);
	if (options->native && linux_kernel)
		bytes_print(&line, "%sclearcpuid=fsrm,rdrand,rdseed,erms,rep_good tsc_early_khz=%llu",
			    line.length != 0 ? " " : "", (unsigned long long)options->ips / 1000);
	if (options->workload != NULL)
		bytes_print(&line, "%svellum.workload=%s", line.length != 0 ? " " : "", options->workload);
	free(append);
	return line.data;
}

/* Does the default initramfs run a workload, which tells a result? It does, unless the command line has other plans. */
static bool tells_result(const char *append)
{
	return strstr(append, "vellum.shell") == NULL && strstr(append, "init=") == NULL;
}

/* What it will run, by --workload or by the words of the command line that the option stands for. The caller frees. */
static char *workload_of(const struct vm_config *vm, const struct options *options)
{
	static const char name_word[] = "vellum.workload=", size_word[] = "vellum.size=";
	const char *name = strstr(vm->append, name_word), *size = strstr(vm->append, size_word);
	char *given, *whole;

	if (options->workload != NULL || name == NULL)
		return workload_whole(options->workload);
	name += strlen(name_word);
	given = text("%.*s", (int)strcspn(name, " "), name);
	if (size != NULL) {
		size += strlen(size_word);
		whole = text("%s:%.*s", given, (int)strcspn(size, " "), size);
	} else {
		whole = workload_whole(given);
	}
	free(given);
	return whole;
}

/* The default guest's initramfs: with modules for the drives that there are. */
static const char *initramfs_for(const struct vm_config *vm, bool own_kernel)
{
	const char *name = vm->disks != 0 ? "disks.cpio" : "initramfs.cpio";

	for (unsigned n = 0; n < vm->disks; n++)
		if (vm->disk[n].ide)
			name = "ide.cpio";
	if (vm->nets != 0 || vm->rng == CONFIG_ON || vm->hvc == CONFIG_ON || vm->balloon != CONFIG_BALLOON_OFF)
		name = "devices.cpio";
	return own_kernel ? "initramfs.cpio" : name;
}

/* The one virtual machine of the options: fills in what was not given. Returns whether it is to tell a result. */
static bool complete_default(struct vm_config *vm, const struct options *options)
{
	bool own_kernel = (vm->given & BIT(CONFIG_KERNEL)) != 0, own_initrd = (vm->given & BIT(CONFIG_INITRD)) != 0;
	enum guest_kind linux_kernel;
	/* An image that is made for its own sake may be meant for a real PC. */
	bool emulated_machine = options->output == NULL && strcmp(options->machine, "bochs") == 0;
	const char *emulated = emulated_machine ? emulated_append : "";
	char *path, *append, error[100];

	/* There a tick is an instruction, and what the hypervisor costs is counted, not felt. */
	if (emulated_machine && !options->native && (vm->given & BIT(CONFIG_CLOCK)) == 0 && vm->vcpus == 1)
		config_set(vm, "clock", "guest", error, sizeof error);
	if (!own_kernel && !choose_kernel(vm, options))
		return false;
	linux_kernel = guest_kind(vm->kernel);
	if (!own_initrd && !options->no_initrd && linux_kernel == GUEST_LINUX_64)
		prepared(vm->initrd, initramfs_for(vm, own_kernel), "the default guest's initramfs", "guest");
	if (!own_initrd && !options->no_initrd && linux_kernel == GUEST_LINUX_32)
		prepared(vm->initrd, "i386/initramfs.cpio", "the initramfs of the 32-bit guests", "guests");
	/* A kernel of the user's gets the command line that was given, to the letter; otherwise it needs a console. */
	if ((vm->given & BIT(CONFIG_APPEND)) == 0)
		append = text("%s%s",
			      !own_kernel    ? default_append
			      : linux_kernel ? console_append
					     : "",
			      own_kernel ? "" : emulated);
	else
		append = text("%s%s%s%s", own_kernel ? "" : default_append, own_kernel ? "" : emulated,
			      own_kernel || vm->append[0] == 0 ? "" : " ", vm->append);
	append = command_line(append, options, linux_kernel != GUEST_OTHER);
	if (options->interactive && !own_initrd && !options->no_initrd && linux_kernel &&
	    strstr(append, "vellum.") == NULL) {
		path = append;
		append = text("%s%svellum.shell", path, *path != 0 ? " " : "");
		free(path);
	}
	if (strlen(append) > CONFIG_APPEND_MAX)
		die(STATUS_USAGE, "the command line is too long: at most %d characters", CONFIG_APPEND_MAX);
	strcpy(vm->append, append);
	free(append);
	return !own_initrd && vm->initrd[0] != 0 && tells_result(vm->append);
}

/* File names in a description are relative to where it lies. */
static void resolve(char *name, const char *description)
{
	const char *slash = strrchr(description, '/');
	char *path;

	if (name[0] == 0 || name[0] == '/' || slash == NULL)
		return;
	path = text("%.*s/%s", (int)(slash - description), description, name);
	copy_name(name, path);
	free(path);
}

static void read_description(struct machines *machines, const char *path)
{
	struct bytes content = { 0 };
	char error[400];
	unsigned most;
	int count;

	if (!file_read(path, &content))
		die(STATUS_USAGE, "%s: %s", path, strerror(errno));
	most = config_count(content.data, content.length);
	machines->vms = allocate((most + 1) * sizeof *machines->vms);
	count = config_parse(content.data, content.length, machines->vms, most, error, sizeof error);
	if (count < 0)
		die(STATUS_USAGE, "%s: %s", path, error);
	machines->count = (size_t)count;
	for (size_t i = 0; i < machines->count; i++) {
		resolve(machines->vms[i].kernel, path);
		resolve(machines->vms[i].initrd, path);
		if (!firmware_is_word(machines->vms[i].bios))
			resolve(machines->vms[i].bios, path);
		resolve(machines->vms[i].option_rom, path);
		resolve(machines->vms[i].restore, path);
		for (unsigned n = 0; n < machines->vms[i].modules; n++)
			resolve(machines->vms[i].module[n].name, path);
		if (strcmp(machines->vms[i].vga, "std") != 0)
			resolve(machines->vms[i].vga, path);
		for (unsigned n = 0; n < machines->vms[i].disks; n++)
			resolve(machines->vms[i].disk[n].name, path);
	}
	bytes_free(&content);
}

/* Whose console is the run's own; name: of --console, or NULL. */
static void choose_console(struct machines *machines, const char *name)
{
	size_t i;

	for (i = 0; i < machines->count; i++)
		if (name != NULL ? strcmp(machines->vms[i].name, name) == 0 : machines->vms[i].console == CONFIG_ON)
			break;
	if (i == machines->count && name != NULL)
		die(STATUS_USAGE, "--console %s: there is no virtual machine of that name", name);
	machines->console = i < machines->count ? i : 0;
	for (i = 0; i < machines->count && name != NULL; i++)
		machines->vms[i].console = i == machines->console ? CONFIG_ON : CONFIG_DEFAULT;
}

static void name_place(char *to, size_t size, const struct drive *drive)
{
	char *name = drives_place_name(drive);

	snprintf(to, size, "%s", name);
	free(name);
}

/* Where its exits are written to: one disk for those of all, before the first of theirs. */
static void place_trace(struct machines *machines, struct vm_config *vm, const struct options *options)
{
	if (vm->trace[0] != 0 && options->command != COMMAND_ISO)
		die(STATUS_USAGE, "%s: trace names a PC's disk, for vellum iso: here it is --trace FILE", vm->name);
	if (options->trace == NULL)
		return;
	if (machines->drives.trace == NULL)
		drives_place_trace(&machines->drives, options);
	name_place(vm->trace, sizeof vm->trace, machines->drives.trace);
}

/* Where its pages go when memory is short: one disk for those of all, before any other. */
static void place_swap(struct machines *machines, struct vm_config *vm, const struct options *options)
{
	if (vm->swap[0] != 0 && options->command != COMMAND_ISO)
		die(STATUS_USAGE, "%s: swap names a PC's disk, for vellum iso: here it is --swap SIZE", vm->name);
	if (vm->zpool != 0 && options->swap == 0 && vm->swap[0] == 0)
		die(STATUS_USAGE, "%s: zpool is for pages on their way to a swap area, and there is none: %s", vm->name,
		    options->command == COMMAND_ISO ? "swap ide0.1 in its description names one" :
						      "--swap SIZE makes one");
	if (options->swap == 0)
		return;
	if (machines->drives.swap == NULL)
		drives_place_swap(&machines->drives, options);
	if (vm->prealloc == CONFIG_ON)
		return;
	name_place(vm->swap, sizeof vm->swap, machines->drives.swap);
}

/* A machine whose network card leads outside needs one itself. */
static void place_cards(struct machines *machines, const struct vm_config *vm)
{
	for (unsigned n = 0; n < vm->nets; n++)
		if (strcmp(vm->net[n].name, CONFIG_NET_USER) == 0)
			machines->uplink = true;
}

static void place_files(struct machines *machines, struct vm_config *vm, const struct options *options)
{
	place_swap(machines, vm, options);
	place_trace(machines, vm, options);
	place_modules(machines, vm);
	drives_place(&machines->drives, vm, options);
	place_cards(machines, vm);
}

/* The one that the options describe. */
static void one_machine(struct machines *machines, const struct options *options)
{
	char error[200];
	struct vm_config *vm = machines->vms = allocate(sizeof *machines->vms);

	machines->count = 1;
	if (options->restore != NULL) {
		restore_prepare(vm, options);
		machines->expects_result = options->from;
		machines->workload = options->from ? workload_whole(options->workload) : NULL;
		return;
	}
	*vm = options->vm;
	machines->expects_result = complete_default(vm, options);
	if (vm->kernel[0] != 0 && (options->vm.given & BIT(CONFIG_KERNEL)) == 0)
		machines->debian = options->guest;
	machines->workload = machines->expects_result ? workload_of(vm, options) : NULL;
	if (!config_complete(vm, error, sizeof error))
		die(STATUS_USAGE, "%s", error);
}

void machines_prepare(struct machines *machines, const struct options *options)
{
	static struct vm_config place;  /* the same, with its disks named by where the machine has them */
	static char printed[CONFIG_FILE_MAX * (4 + CONFIG_DISKS_MAX) + CONFIG_APPEND_MAX +
			    CONFIG_MODULES_MAX * (CONFIG_FILE_MAX + CONFIG_MODULE_TEXT_MAX) + 1000];

	*machines = (struct machines){ .native = options->native, .provoke = options->provoke,
					 .hide = options->hide, .vpids = options->vpids, .stay = options->stay };
	if (options->vm_file != NULL)
		read_description(machines, options->vm_file);
	else
		one_machine(machines, options);
	choose_console(machines, options->console);
	for (size_t i = 0; i < machines->count; i++) {
		struct vm_config *vm = &machines->vms[i];
		struct config_files names;

		choose_firmware(vm);
		names = (struct config_files){
			.kernel = file_for(machines, vm->name, "kernel", vm->kernel),
			.initrd = file_for(machines, vm->name, "initrd", vm->initrd),
			.bios = file_for(machines, vm->name, "bios", vm->bios),
			.option_rom = file_for(machines, vm->name, "option-rom", vm->option_rom),
			.vga = file_for(machines, vm->name, "vga", vm->vga),
			.restore = file_for(machines, vm->name, snapshot_kind, vm->restore),
		};
		if (vm->restore[0] == 0)
			guest_check_files(vm, machines->native);
		else
			restore_check(vm);
		place = *vm;
		place_files(machines, &place, options);
		if (config_print(&place, &names, printed, sizeof printed) >= sizeof printed)
			die(STATUS_USAGE, "the description of %s is too long", vm->name);
		bytes_print(&machines->config, "%s", printed);
	}
}

uint64_t machines_memory(const struct machines *machines, bool at_once)
{
	uint64_t guests = 0, files = 0, packed = 0;

	for (size_t i = 0; i < machines->count; i++) {
		const struct vm_config *vm = &machines->vms[i];

		if (machines->native || !at_once || vm->prealloc == CONFIG_ON)
			guests += vm->mem * (machines->native ? 2 : 1);
		guests += vm->vga[0] != 0 ? CONFIG_VGA_MEMORY : 0;
	}
	for (size_t i = 0; i < machines->module_count; i++) {
		files += machines->modules[i].bytes;
		packed += machines->modules[i].packed ? 0 : pack_most(machines->modules[i].bytes);
	}
	return files + (guests > packed ? guests : packed);
}
