/* vellum image: a disk with an installed Debian, which boots from a firmware by its own loader and kernel
 * (docs/disks.md). */
#ifndef VELLUM_TOOL_IMAGE_H
#define VELLUM_TOOL_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/for_tests.h"

/* Where Debian has GRUB for BIOSes, and for UEFI. */
#define IMAGE_GRUB "/usr/lib/grub/i386-pc"
#define IMAGE_GRUB_EFI "/usr/lib/grub/x86_64-efi"

/* Where its partitions begin: the one that a UEFI firmware boots from, and the system's. */
enum { IMAGE_SECTOR = 512, IMAGE_ESP = 1 << 20, IMAGE_FIRST = 64 << 20 };

struct image {
	const char *path, *suite, *include, *append;
	const char *mirror; /* NULL: this computer's sources, if they are of that suite; else Debian's */
	uint64_t bytes;
	bool small, quiet;
	char uuid[37];      /* of its file system, which its kernel finds it by */
	char *work;         /* a temporary directory */
	FILE *output;
};

int image_main(int argc, char **argv);

/* tool/image/debian.c: has Debian's tools install the system, below work/root. Ends the program where they fail. */
void image_install(const struct image *i);
/* What is this computer's release of Debian? NULL: it is none. A new allocated name. */
char *image_host_suite(void);

/* tool/image/files.c: what the system has that no package brings, below root. The menu of GRUB has this name until all
 * packages are installed. */
#define IMAGE_MENU "boot/grub/first.cfg"
void image_files(const struct image *i, const char *root);

/* tool/image/layout.c: work/root becomes the disk, and goes. */
void image_layout(const struct image *i);
/* The first sector of a disk of so many sectors: GRUB's code, an EFI system partition from IMAGE_ESP on, and the
 * system's, active, from IMAGE_FIRST to the end. loader: boot.img of GRUB, a sector. */
FOR_TESTS void image_first_sector(uint8_t *sector, const uint8_t *loader, uint64_t sectors);

/* Runs one of Debian's programs as root, or as what fakeroot shows of that (what it remembers is in work/owners). Ends
 * the program if it fails, with what it said; `what` completes "cannot". package: where the program comes from. */
void image_run(const struct image *i, char *const argv[], const char *what, const char *package);

#endif
