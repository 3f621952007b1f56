#include "tool/options/drives.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/base/util.h"

enum { CD_SECTOR = 2048, FLASH_GRAIN = 4096, FLASH_MOST = 8 << 20 };

#define SATA(port) { CONFIG_IDE_CHANNELS + (port), 0 }

/* The places of the machine's controller that are not the boot image's: Bochs has that at the first channel's first,
 * QEMU at the third port. */
static const unsigned bochs_places[MOST_DRIVES][2] = { { 0, 1 }, { 1, 0 }, { 1, 1 } },
		      qemu_places[MOST_DRIVES][2] = { SATA(0), SATA(1), SATA(3) },
/* The same beside a swap area, which has the other channel: its own place is the first. */
		      bochs_with_swap[][2] = { { 1, 0 }, { 0, 1 } }, qemu_with_swap[][2] = { SATA(0), SATA(1) };

static unsigned most_drives(const struct drives *drives)
{
	return drives->swap != NULL ? ARRAY_SIZE(bochs_with_swap) : MOST_DRIVES;
}

/* The place of the next one; there is one left. */
static const unsigned *next_place(const struct drives *drives, bool qemu)
{
	if (drives->swap != NULL)
		return (qemu ? qemu_with_swap : bochs_with_swap)[drives->count];
	return (qemu ? qemu_places : bochs_places)[drives->count];
}

char *drives_place_name(const struct drive *d)
{
	if (d->channel < CONFIG_IDE_CHANNELS)
		return text("ide%u.%u", d->channel, d->unit);
	return text("sata%u", d->channel - CONFIG_IDE_CHANNELS);
}

static const char *option(const struct config_disk *disk) { return disk->cd ? "--cdrom" : "--disk"; }

/* What the file holds must be the disk's sectors and nothing else. */
static void check_content(int file, const struct config_disk *disk)
{
	const char *path = disk->name;
	unsigned sector = disk->cd ? CD_SECTOR : SECTOR_SIZE;
	static const char qcow2[] = { 'Q', 'F', 'I', '\xfb' };
	char magic[sizeof qcow2] = { 0 };
	struct stat info;

	if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode))
		die(STATUS_USAGE, "%s %s: is not a file", option(disk), path);
	if (pread(file, magic, sizeof magic, 0) == (ssize_t)sizeof magic && memcmp(magic, qcow2, sizeof qcow2) == 0)
		die(STATUS_USAGE, "%s %s: is a qcow2 image, and %s are raw files; this makes one of it: "
		    "qemu-img convert -O raw %s %s.raw", option(disk), path, disk->cd ? "CDs" : "disks", path, path);
	if (info.st_size == 0 || info.st_size % sector != 0)
		die(STATUS_USAGE, "%s %s: a %s has whole sectors of %u bytes, and this file %lld bytes", option(disk),
		    path, disk->cd ? "CD" : "disk", sector, (long long)info.st_size);
	if (disk->flash && (info.st_size % FLASH_GRAIN != 0 || info.st_size > FLASH_MOST))
		die(STATUS_USAGE, "--disk %s,if=pflash: flash memory has whole blocks of %d bytes, and at most 8 MB",
		    path, FLASH_GRAIN);
}

/* Locked for as long as this program runs: it is not closed. */
static void lock_file(const struct config_disk *disk, bool write)
{
	int file = open(disk->name, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	if (file < 0)
		die(STATUS_USAGE, "%s %s: %s%s", option(disk), disk->name, strerror(errno),
		    write && (errno == EACCES || errno == EROFS) ? " (with ,ro or ,snapshot nobody writes it)" : "");
	check_content(file, disk);
	if (flock(file, (write ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0)
		die(STATUS_USAGE, "%s %s: another run has it%s", option(disk), disk->name,
		    write ? " (several may have one that all of them have ro or snapshot)" : " and writes it");
}

static struct drive *find(struct drives *drives, const char *path)
{
	for (unsigned i = 0; i < drives->count; i++)
		if (drives->drive[i].path != NULL && strcmp(drives->drive[i].path, path) == 0)
			return &drives->drive[i];
	return NULL;
}

static int room_beside(const struct drives *drives)
{
	return (int)most_drives(drives) - (drives->trace != NULL) - (drives->swap != NULL);
}

/* One that several have is one drive, if nobody writes it. */
static struct drive *drive_for(struct drives *drives, const struct config_disk *disk, bool qemu)
{
	bool write = !disk->read_only && !disk->snapshot;
	char *path = realpath(disk->name, NULL);
	struct drive *d;

	if (path == NULL)
		die(STATUS_USAGE, "%s %s: %s", option(disk), disk->name, strerror(errno));
	d = find(drives, path);
	if (d != NULL) {
		if (write || d->written)
			die(STATUS_USAGE, "%s %s: is given twice; several may have one that all of them have ro or "
			    "snapshot", option(disk), disk->name);
		free(path);
		return d;
	}
	if (drives->count == most_drives(drives))
		die(STATUS_USAGE, "%s %s: the machine's controller has room for %d disk%s beside the boot image%s%s",
		    option(disk), disk->name, room_beside(drives), room_beside(drives) == 1 ? "" : "s",
		    drives->swap != NULL ? ", the swap area" : "", drives->trace != NULL ? " and the trace" : "");
	if (strpbrk(path, "\",\n") != NULL)
		die(STATUS_USAGE, "%s %s: the file's name may hold no quotation mark and no comma", option(disk), path);
	lock_file(disk, write);
	d = &drives->drive[drives->count];
	*d = (struct drive){ .path = path, .written = write };
	d->channel = next_place(drives, qemu)[0];
	d->unit = next_place(drives, qemu)[1];
	drives->count++;
	return d;
}

void drives_place_trace(struct drives *drives, const struct options *options)
{
	const unsigned *place = next_place(drives, strcmp(options->machine, "qemu") == 0);
	struct drive *d = &drives->drive[drives->count++];

	*d = (struct drive){ .written = true, .channel = place[0], .unit = place[1] };
	drives->trace = d;
}

void drives_place_swap(struct drives *drives, const struct options *options)
{
	const unsigned *place = (strcmp(options->machine, "qemu") == 0 ? qemu_with_swap : bochs_with_swap)[0];
	struct drive *d = &drives->drive[drives->count++];

	*d = (struct drive){ .written = true, .channel = place[0], .unit = place[1] };
	drives->swap = d;
}

void drives_place(struct drives *drives, struct vm_config *vm, const struct options *options)
{
	for (unsigned i = 0; i < vm->disks; i++) {
		struct config_disk *disk = &vm->disk[i];
		const struct drive *d;
		unsigned channel, unit;
		char *place;

		if (options->snapshot && !disk->read_only)
			disk->snapshot = true;
		if (options->command == COMMAND_ISO) {
			if (!config_disk_place(disk->name, &channel, &unit))
				die(STATUS_USAGE, "%s %s: on a PC a disk is named by its place: ide0.0, ide0.1, "
				    "ide1.0, ide1.1, or sata0 to sata7", option(disk), disk->name);
			continue;
		}
		d = drive_for(drives, disk, strcmp(options->machine, "qemu") == 0);
		place = drives_place_name(d);
		snprintf(disk->name, sizeof disk->name, "%s", place);
		free(place);
	}
}

const char *drives_own(struct drives *drives, const char *path, uint64_t bytes, bool qemu)
{
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct drive *d = &drives->drive[drives->count % MOST_DRIVES];

	if (file < 0 || ftruncate(file, (off_t)bytes) != 0)
		die(STATUS_FAILED, "cannot make %s, for --exchange: %s", path, strerror(errno));
	close(file);
	*d = (struct drive){ .path = text("%s", path), .written = true };
	if (drives->count == most_drives(drives))
		die(STATUS_USAGE, "--exchange %s: the machine's controller has no room left for its disk%s", path,
		    drives->swap != NULL ? " beside the swap area" : "");
	d->channel = next_place(drives, qemu)[0];
	d->unit = next_place(drives, qemu)[1];
	drives->count++;
	return drives_place_name(d);
}
