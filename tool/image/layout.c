/* tool/image/layout.c - from a tree of files to a disk that boots by a BIOS and by UEFI: a master boot record, GRUB
 * behind it, a partition with GRUB for UEFI, and one with an ext4 file system. */
#include "tool/image/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "tool/base/temporary.h"
#include "tool/base/util.h"

enum { CODE = 440, TABLE = 446, SIGNATURE = 510, BLOCK = 1 << 20 };

static void put32(uint8_t *at, uint32_t value)
{
	for (unsigned n = 0; n < 4; n++)
		at[n] = (uint8_t)(value >> 8 * n);
}

/* What lies beyond what cylinders can say is told of by sectors alone. */
static void put_partition(uint8_t *entry, uint8_t active, uint8_t type, uint64_t from, uint64_t to)
{
	const uint8_t head[8] = { active, 0xfe, 0xff, 0xff, type, 0xfe, 0xff, 0xff };

	memcpy(entry, head, sizeof head);
	put32(entry + 8, (uint32_t)from);
	put32(entry + 12, (uint32_t)(to - from));
}

/* UEFI specification, "OS Types". */
void image_first_sector(uint8_t *sector, const uint8_t *loader, uint64_t sectors)
{
	enum { LINUX = 0x83, ESP = 0xef, ENTRY = 16 };

	memset(sector, 0, IMAGE_SECTOR);
	memcpy(sector, loader, CODE);
	put_partition(sector + TABLE, 0x80, LINUX, IMAGE_FIRST / IMAGE_SECTOR, sectors);
	put_partition(sector + TABLE + ENTRY, 0, ESP, IMAGE_ESP / IMAGE_SECTOR, IMAGE_FIRST / IMAGE_SECTOR);
	sector[SIGNATURE] = 0x55;
	sector[SIGNATURE + 1] = 0xaa;
}

/* ---- the loader ---- */

/* GRUB's core finds the file system by its UUID, and its menu there. disk: the module of the firmware's disks, NULL:
 * those are the core's own. */
static void make_core(const struct image *i, char *kind, char *disk, char *target)
{
	char *early = text("%s/early.cfg", i->work), *script;
	char *argv[] = { "grub-mkimage", "-O", kind, "-c", early, "-p", "/boot/grub", "-o", target,
			 "part_msdos", "ext2", "search", "search_fs_uuid", "serial", "terminal", "normal",
			 "configfile", "linux", "minicmd", "echo", "ls", "test", "halt", "reboot", disk, NULL };

	script = text("search.fs_uuid %s root\nset prefix=($root)/boot/grub\nnormal\n", i->uuid);
	file_write(early, script, strlen(script));
	image_run(i, argv, "make GRUB's image", "grub-common, grub-pc-bin and grub-efi-amd64-bin");
	free(script);
	free(early);
}

static void write_at(int file, const void *data, size_t bytes, uint64_t at)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pwrite(file, (const char *)data + done, bytes - done, (off_t)(at + done));

		if (n < 0 && errno != EINTR)
			die(STATUS_FAILED, "cannot write the disk: %s", strerror(errno));
		done += n > 0 ? (size_t)n : 0;
	}
}

static void install_loader(const struct image *i, int file)
{
	char *core = text("%s/core.img", i->work);
	struct bytes loader = { 0 }, rest = { 0 };
	uint8_t first[IMAGE_SECTOR];

	make_core(i, "i386-pc", "biosdisk", core);
	if (!file_read(IMAGE_GRUB "/boot.img", &loader) || loader.length < CODE || !file_read(core, &rest))
		die(STATUS_FAILED, "GRUB's images cannot be read: %s", strerror(errno));
	if (rest.length > IMAGE_ESP - IMAGE_SECTOR)
		die(STATUS_FAILED, "GRUB's image is too large for the room before the partitions");
	image_first_sector(first, (const uint8_t *)loader.data, i->bytes / IMAGE_SECTOR);
	write_at(file, first, sizeof first, 0);
	write_at(file, rest.data, rest.length, IMAGE_SECTOR);
	bytes_free(&loader);
	bytes_free(&rest);
	free(core);
}

/* ---- the partitions ---- */

static void make_sparse(const char *path, uint64_t bytes)
{
	FILE *f = fopen(path, "we");

	if (f == NULL || ftruncate(fileno(f), (off_t)bytes) != 0 || fclose(f) != 0)
		die(STATUS_FAILED, "cannot write %s: %s", path, strerror(errno));
}

/* FAT32, and in it GRUB where any UEFI firmware looks that knows nothing of the disk (UEFI specification, "Removable
 * Media Boot Behavior"). */
static void make_esp(const struct image *i, const char *partition)
{
	char *target = text("%s", partition), *core = text("%s/BOOTX64.EFI", i->work);
	char *sectors = text("%u", (IMAGE_FIRST - IMAGE_ESP) / IMAGE_SECTOR);
	char *before = text("%u", IMAGE_ESP / IMAGE_SECTOR);
	char *format[] = { "mformat", "-i", target, "-F", "-T", sectors, "-h", "255", "-s", "63", "-H", before, "-v",
			   "EFI", "::", NULL };
	char *folders[] = { "mmd", "-i", target, "::/EFI", "::/EFI/BOOT", NULL };
	char *copy[] = { "mcopy", "-i", target, core, "::/EFI/BOOT/BOOTX64.EFI", NULL };

	make_sparse(partition, IMAGE_FIRST - IMAGE_ESP);
	make_core(i, "x86_64-efi", NULL, core);
	image_run(i, format, "make a FAT file system", "mtools");
	image_run(i, folders, "make a folder for UEFI", "mtools");
	image_run(i, copy, "copy GRUB for UEFI", "mtools");
	free(target);
	free(core);
	free(sectors);
	free(before);
}

static void make_file_system(const struct image *i, const char *partition)
{
	char *root = text("%s/root", i->work), *blocks = text("%luK", (unsigned long)((i->bytes - IMAGE_FIRST) >> 10));
	char *uuid = text("%s", i->uuid), *target = text("%s", partition);
	char *argv[] = { "mke2fs", "-q", "-F", "-t", "ext4", "-U", uuid, "-d", root, target, blocks, NULL };

	image_run(i, argv, "make a file system of that size (--size)", "e2fsprogs");
	free(root);
	free(blocks);
	free(uuid);
	free(target);
}

/* The parts of a sparse file that are there, each a block at most; what is not there stays a hole. */
static void copy_parts(int from, int to, uint64_t offset)
{
	static char block[BLOCK];
	off_t at = 0;

	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		ssize_t n = pread(from, block, sizeof block, at);

		if (n <= 0)
			die(STATUS_FAILED, "cannot read the file system: %s",
			    n < 0 ? strerror(errno) : "it is cut short");
		write_at(to, block, (size_t)n, offset + (uint64_t)at);
		at += n;
		temporary_check();
	}
}

static void put_in(const char *partition, int to, uint64_t offset)
{
	FILE *from = fopen(partition, "re");

	if (from == NULL)
		die(STATUS_FAILED, "cannot read %s: %s", partition, strerror(errno));
	copy_parts(fileno(from), to, offset);
	fclose(from);
}

void image_layout(const struct image *i)
{
	char *esp = text("%s/esp", i->work), *partition = text("%s/partition", i->work);
	int to = fileno(i->output);

	make_esp(i, esp);
	make_file_system(i, partition);
	if (ftruncate(to, (off_t)i->bytes) != 0)
		die(STATUS_FAILED, "cannot write the disk: %s", strerror(errno));
	install_loader(i, to);
	put_in(esp, to, IMAGE_ESP);
	put_in(partition, to, IMAGE_FIRST);
	free(esp);
	free(partition);
}
