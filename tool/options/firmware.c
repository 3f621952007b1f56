#include "tool/options/firmware.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "tool/base/util.h"

static const struct known {
	const char *word, *path, *what, *package;
} known[] = {
	{ "seabios", "/usr/share/seabios/bios-256k.bin", "SeaBIOS", "seabios" },
	{ "ovmf", "/usr/share/ovmf/OVMF.fd", "OVMF", "ovmf" },
};

/* OVMF without its variables, which are in flash memory of so many bytes: as many as a new one of the package has. */
static const struct {
	long long bytes;
	const char *path, *fresh;
} with_flash[] = {
	{ 540672, "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
	{ 131072, "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd" },
};

static const struct known *find(const char *bios)
{
	for (size_t n = 0; n < ARRAY_SIZE(known); n++)
		if (strcmp(bios, known[n].word) == 0)
			return &known[n];
	return NULL;
}

bool firmware_is_word(const char *bios) { return find(bios) != NULL; }

static const char *flash_of(const struct vm_config *vm)
{
	for (unsigned n = 0; n < vm->disks; n++)
		if (vm->disk[n].flash)
			return vm->disk[n].name;
	return NULL;
}

static const char *code_for(const char *flash)
{
	struct stat info;
	unsigned channel, unit;

	if (config_disk_place(flash, &channel, &unit))
		return with_flash[0].path; /* on a PC, whose disks are not here */
	if (stat(flash, &info) != 0)
		die(STATUS_USAGE, "--disk %s,if=pflash: %s; this makes a new one for OVMF: cp %s %s", flash,
		    strerror(errno), with_flash[0].fresh, flash);
	for (size_t n = 0; n < ARRAY_SIZE(with_flash); n++)
		if (with_flash[n].bytes == (long long)info.st_size)
			return with_flash[n].path;
	die(STATUS_USAGE, "--disk %s,if=pflash: OVMF's flash memory has %lld or %lld bytes, this file %lld; copy %s",
	    flash, with_flash[0].bytes, with_flash[1].bytes, (long long)info.st_size, with_flash[0].fresh);
}

void firmware_find(struct vm_config *vm)
{
	const struct known *k = find(vm->bios);
	const char *path, *flash = flash_of(vm);

	if (k == NULL)
		return;
	path = flash != NULL && strcmp(k->word, "ovmf") == 0 ? code_for(flash) : k->path;
	if (!file_exists(path))
		die(STATUS_FAILED, "%s, %s, is missing: run script/deps.sh (package %s)", k->what, path, k->package);
	strcpy(vm->bios, path);
}
