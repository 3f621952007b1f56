/* vellum - boots virtual machines on the hypervisor, and makes its boot images. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/lab.h"
#include "lib/base.h"
#include "tool/compare/compare.h"
#include "tool/ctl/ctl.h"
#include "tool/ctl/migrate.h"
#include "tool/gdb/gdb.h"
#include "tool/emulator/iso.h"
#include "tool/image/image.h"
#include "tool/options/options.h"
#include "tool/base/output.h"
#include "tool/base/temporary.h"
#include "tool/run/run.h"
#include "tool/ctl/top.h"
#include "tool/base/util.h"
#include "tool/view/view.h"
#include "tool/base/version.h"

static int make_image(const struct options *options)
{
	char *hypervisor = options->hypervisor != NULL ? text("%s", options->hypervisor)
						       : text("%s/vellum.elf", program_directory());
	char *work, *made;
	struct machines machines;
	struct bytes image = { 0 };

	if (!output_possible(options->output))
		die(STATUS_USAGE, "%s cannot be written: %s", options->output, strerror(errno));
	machines_prepare(&machines, options);
	work = temporary_directory();
	made = text("%s/vellum.iso", work);
	iso_make(made, work, hypervisor, &machines, true);
	temporary_check();
	if (!file_read(made, &image))
		die(STATUS_FAILED, "cannot read %s: %s", made, strerror(errno));
	file_write(options->output, image.data, image.length);
	bytes_free(&image);
	free(made);
	say("%s boots from a CD, or a USB stick that it is copied to; BIOS%s", options->output,
	    file_exists("/usr/lib/grub/x86_64-efi/multiboot2.mod") ? " and UEFI" :
	    " only (GRUB's EFI modules are not installed: package grub-efi-amd64-bin)");
	free(hypervisor);
	return 0;
}

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{ "lab", lab_main }, { "ctl", ctl_main }, { "migrate", migrate_main }, { "top", top_main },
	{ "gdb", gdb_main }, { "view", view_main },
	{ "compare", compare_main }, { "image", image_main },
};

/* The commands that have options of their own, by name. */
static int (*command_of(const char *name))(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].main;
	return NULL;
}

/* Why the standard output could not be written, where only that write has told. */
static int write_error;

static int print_help(void)
{
	errno = 0;
	if (fputs(help_text, stdout) >= 0)
		return 0;
	write_error = errno;
	return STATUS_FAILED;
}

/* vellum help COMMAND is vellum COMMAND --help. */
static int help_about(char *name)
{
	static char option[] = "--help";
	char *argv[] = { name, option, NULL };

	if (command_of(name) != NULL)
		return command_of(name)(2, argv);
	if (strcmp(name, "run") != 0 && strcmp(name, "iso") != 0 && strcmp(name, "help") != 0)
		die(STATUS_USAGE, "there is no command %s (vellum help lists them)", name);
	return print_help();
}

static int carry_out(int argc, char **argv)
{
	struct options options;

	if (argc > 1 && command_of(argv[1]) != NULL)
		return command_of(argv[1])(argc - 1, argv + 1);
	if (argc == 3 && strcmp(argv[1], "help") == 0 && argv[2][0] != '-')
		return help_about(argv[2]);
	options_parse(&options, argc, argv);
	switch (options.command) {
	case COMMAND_RUN: return run(&options);
	case COMMAND_ISO: return make_image(&options);
	case COMMAND_HELP: return print_help();
	case COMMAND_VERSION: return puts("vellum " VELLUM_VERSION) < 0;
	}
	return STATUS_USAGE;
}

/* What could not be written is no success, whatever way the program ends. Of a pipe that nobody reads any more, nothing
 * is said. */
static void check_output(int status, void *nothing)
{
	struct pollfd output = { .fd = 1 };
	bool failed;

	(void)nothing;
	errno = write_error;
	failed = fflush(stdout) != 0 || ferror(stdout);
	if (!failed)
		return;
	if (errno == EPIPE || (poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0))
		_exit(status != 0 ? status : 128 + SIGPIPE);
	say("the standard output cannot be written%s%s", errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
	_exit(status != 0 ? status : STATUS_FAILED);
}

/* A file that may not grow further is the error of a write, which is told as any other. The signal is caught rather
 * than ignored: programs that are started have its default again. */
static void on_limit(int signal) { (void)signal; }

/* Where one of the first three is closed, the next file that is opened would get its number, and what is meant for the
 * terminal would be written into it. So each is open in the end, and what cannot be done by it fails. */
static void open_first_three(void)
{
	int file;

	do
		file = open("/dev/null", O_RDONLY);
	while (file >= 0 && file <= STDERR_FILENO);
	if (file >= 0)
		close(file);
}

int main(int argc, char **argv)
{
	const struct sigaction limit = { .sa_handler = on_limit, .sa_flags = SA_RESTART };

	open_first_three();
	sigaction(SIGXFSZ, &limit, NULL);
	on_exit(check_output, NULL);    /* the first: it comes last */
	return carry_out(argc, argv);
}
