/* The boot image: GRUB, the hypervisor, the description of the virtual machines and their files. */
#ifndef VELLUM_TOOL_ISO_H
#define VELLUM_TOOL_ISO_H

#include "tool/options/machines.h"

/* Ends the program with one sentence if this is no hypervisor that GRUB loads. */
void iso_check_hypervisor(const char *path);

/* Makes `output`, staging it under `work`. Without `everywhere` the image is small and boots from a BIOS's CD drive
 * only, which is what an emulator needs; with it, it has all of GRUB that is installed here. */
void iso_make(const char *output, const char *work, const char *hypervisor, const struct machines *machines,
	      bool everywhere);

#endif
