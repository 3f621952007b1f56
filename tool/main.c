/* vellum - boots virtual machines on the hypervisor, and makes its boot images. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/lab.h"
#include "tool/compare/compare.h"
#include "tool/ctl/ctl.h"
#include "tool/emulator/iso.h"
#include "tool/base/options.h"
#include "tool/run/run.h"
#include "tool/ctl/top.h"
#include "tool/base/util.h"

#ifndef VELLUM_VERSION
#define VELLUM_VERSION "0.1"
#endif

static int make_image(const struct options *options)
{
	char *hypervisor = options->hypervisor != NULL ? text("%s", options->hypervisor) : text("%s/vellum.elf", program_directory());
	struct machines machines;

	machines_prepare(&machines, options);
	iso_make(options->output, temporary_directory(), hypervisor, &machines, true);
	say("%s boots from a CD, or a USB stick that it is copied to; BIOS%s", options->output,
	    file_exists("/usr/lib/grub/x86_64-efi/multiboot2.mod") ? " and UEFI" :
	    " only (GRUB's EFI modules are not installed: package grub-efi-amd64-bin)");
	free(hypervisor);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options;

	if (argc > 1 && !strcmp(argv[1], "lab"))
		return lab_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "ctl"))
		return ctl_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "top"))
		return top_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "compare"))
		return compare_main(argc - 1, argv + 1);
	options_parse(&options, argc, argv);
	switch (options.command) {
	case COMMAND_RUN: return run(&options);
	case COMMAND_ISO: return make_image(&options);
	case COMMAND_HELP: fputs(help_text, stdout); return 0;
	case COMMAND_VERSION: puts("vellum " VELLUM_VERSION); return 0;
	}
	return STATUS_USAGE;
}
