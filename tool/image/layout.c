/* tool/image/layout.c - from a tree of files to a disk: a master boot record, GRUB behind it, and one partition with an
 * ext4 file system. */
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

void image_first_sector(uint8_t *sector, const uint8_t *loader, uint64_t sectors)
{
	/* Active; of Linux; where it lies by cylinders, as far as those can say. */
	static const uint8_t entry[8] = { 0x80, 0x20, 0x21, 0x00, 0x83, 0xfe, 0xff, 0xff };
	uint32_t first = IMAGE_FIRST / IMAGE_SECTOR;

	memset(sector, 0, IMAGE_SECTOR);
	memcpy(sector, loader, CODE);
	memcpy(sector + TABLE, entry, sizeof entry);
	put32(sector + TABLE + 8, first);
	put32(sector + TABLE + 12, (uint32_t)(sectors - first));
	sector[SIGNATURE] = 0x55;
	sector[SIGNATURE + 1] = 0xaa;
}

/* ---- the loader ---- */

/* GRUB's core, as it lies behind the first sector: it finds the file system by its UUID, and its menu there. */
static void make_core(const struct image *i, const char *core)
{
	char *early = text("%s/early.cfg", i->work), *target = text("%s", core), *script;
	char *argv[] = { "grub-mkimage", "-O", "i386-pc", "-c", early, "-p", "/boot/grub", "-o", target,
			 "biosdisk", "part_msdos", "ext2", "search", "search_fs_uuid", "serial", "terminal", "normal",
			 "configfile", "linux", "minicmd", "echo", "ls", "test", "halt", "reboot", NULL };

	script = text("search.fs_uuid %s root\nset prefix=($root)/boot/grub\nnormal\n", i->uuid);
	file_write(early, script, strlen(script));
	image_run(i, argv, "make GRUB's image", "grub-common and grub-pc-bin");
	free(script);
	free(early);
	free(target);
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

	make_core(i, core);
	if (!file_read(IMAGE_GRUB "/boot.img", &loader) || loader.length < CODE || !file_read(core, &rest))
		die(STATUS_FAILED, "GRUB's images cannot be read: %s", strerror(errno));
	if (rest.length > IMAGE_FIRST - IMAGE_SECTOR)
		die(STATUS_FAILED, "GRUB's image is too large for the room before the partition");
	image_first_sector(first, (const uint8_t *)loader.data, i->bytes / IMAGE_SECTOR);
	write_at(file, first, sizeof first, 0);
	write_at(file, rest.data, rest.length, IMAGE_SECTOR);
	bytes_free(&loader);
	bytes_free(&rest);
	free(core);
}

/* ---- the partition ---- */

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
static void copy_parts(int from, int to)
{
	static char block[BLOCK];
	off_t at = 0;

	while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
		ssize_t n = pread(from, block, sizeof block, at);

		if (n <= 0)
			die(STATUS_FAILED, "cannot read the file system: %s",
			    n < 0 ? strerror(errno) : "it is cut short");
		write_at(to, block, (size_t)n, IMAGE_FIRST + (uint64_t)at);
		at += n;
		temporary_check();
	}
}

void image_layout(const struct image *i)
{
	char *partition = text("%s/partition", i->work);
	int to = fileno(i->output);
	FILE *from;

	make_file_system(i, partition);
	if (ftruncate(to, (off_t)i->bytes) != 0)
		die(STATUS_FAILED, "cannot write the disk: %s", strerror(errno));
	install_loader(i, to);
	from = fopen(partition, "re");
	if (from == NULL)
		die(STATUS_FAILED, "cannot read %s: %s", partition, strerror(errno));
	copy_parts(fileno(from), to);
	fclose(from);
	free(partition);
}
