#include "tool/options/firmware.h"

#include <stddef.h>
#include <string.h>

#include "lib/base.h"
#include "tool/base/util.h"

static const struct known {
	const char *word, *path, *what, *package;
} known[] = {
	{ "seabios", "/usr/share/seabios/bios-256k.bin", "SeaBIOS", "seabios" },
	{ "ovmf", "/usr/share/ovmf/OVMF.fd", "OVMF", "ovmf" },
};

static const struct known *find(const char *bios)
{
	for (size_t n = 0; n < ARRAY_SIZE(known); n++)
		if (strcmp(bios, known[n].word) == 0)
			return &known[n];
	return NULL;
}

bool firmware_is_word(const char *bios) { return find(bios) != NULL; }

void firmware_find(char *bios)
{
	const struct known *k = find(bios);

	if (k == NULL)
		return;
	if (!file_exists(k->path))
		die(STATUS_FAILED, "%s, %s, is missing: run script/deps.sh (package %s)", k->what, k->path, k->package);
	strcpy(bios, k->path);
}
