/* vellum - boots virtual machines on the hypervisor, and makes its boot images. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/lab.h"
#include "tool/compare/compare.h"
#include "tool/ctl/ctl.h"
#include "tool/emulator/iso.h"
#include "tool/base/options.h"
#include "tool/base/output.h"
#include "tool/base/temporary.h"
#include "tool/run/run.h"
#include "tool/ctl/top.h"
#include "tool/base/util.h"
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
