/* Files on the first disk, which must have an ext4 (or ext2) file system: what the run before has left is read and
 * checked; then as much is written, flushed, read back past the kernel's memory, and checked. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, WORDS = CHUNK / 8, PER_MB = (1 << 20) / CHUNK, SEED = 31000 };

/* A virtio disk, or one at an IDE controller. */
static const char *const devices[] = { "/dev/vda", "/dev/sda" };
static const char where[] = "/disk", work[] = "/disk/vellum.work";

/* The first sector tells how many chunks were written, and in which run. */
struct label {
	uint64_t magic, run, chunks;
};
static const uint64_t magic = 0x6b7369646d756c56;

static uint64_t *buffer(void)
{
	void *p;

	if (posix_memalign(&p, PAGE, CHUNK) != 0)
		fail("no memory");
	return p;
}

static uint64_t seed_of(const struct label *label, uint64_t n) { return SEED + label->run * 1000003 + n; }

static int open_work(int flags)
{
	int file = open(work, flags, 0644);

	if (file < 0 && (errno != ENOENT || (flags & O_CREAT)))
		fail("%s: %s", work, strerror(errno));
	return file;
}

static void move(int file, uint64_t *words, uint64_t n, bool write)
{
	off_t at = (off_t)(n * CHUNK);
	ssize_t did = write ? pwrite(file, words, CHUNK, at) : pread(file, words, CHUNK, at);

	if (did != CHUNK)
		fail("%s of chunk %llu: %s", write ? "write" : "read", (unsigned long long)n,
		     did < 0 ? strerror(errno) : "not all of it");
}

static uint64_t read_back(int file, const struct label *label, const char *what)
{
	uint64_t *words = buffer(), sum = 0;

	for (uint64_t n = 1; n <= label->chunks; n++) {
		move(file, words, n, false);
		sum = fold(sum, check_words(words, WORDS, seed_of(label, n), what));
		phase_steps(1);
	}
	free(words);
	return sum;
}

/* One request after the other, and nothing else. */
static void read_only(int file, const struct label *label)
{
	uint64_t *words = buffer();

	for (uint64_t n = 1; n <= label->chunks; n++)
		move(file, words, n, false);
	phase_steps((uint32_t)label->chunks);
	free(words);
}

/* What the run before has left; all zeroes: nothing. */
static struct label look_back(void)
{
	struct label label = { 0, 0, 0 };
	uint64_t *words = buffer();
	int file = open_work(O_RDONLY | O_DIRECT);
	char line[100];

	if (file >= 0) {
		move(file, words, 0, false);
		memcpy(&label, words, sizeof label);
		if (label.magic != magic)
			fail("%s is not of this workload", work);
		read_back(file, &label, "what the run before has written");
		close(file);
		snprintf(line, sizeof line, "disk: run %llu has left %llu MB, all of it right\n",
			 (unsigned long long)label.run, (unsigned long long)label.chunks / PER_MB);
		say(line);
	}
	free(words);
	return label;
}

static void write_all(const struct label *label)
{
	uint64_t *words = buffer();
	int file = open_work(O_RDWR | O_CREAT | O_TRUNC);

	for (uint64_t n = 1; n <= label->chunks; n++) {
		fill_words(words, WORDS, seed_of(label, n));
		move(file, words, n, true);
		phase_steps(1);
	}
	if (fsync(file) != 0)
		fail("fsync: %s", strerror(errno));
	/* The label comes last: it says that all the rest is there. */
	memset(words, 0, CHUNK);
	memcpy(words, label, sizeof *label);
	move(file, words, 0, true);
	if (fsync(file) != 0)
		fail("fsync: %s", strerror(errno));
	close(file);
	free(words);
}

/* Drivers look for their disks beside what else goes on; the first that there is, or would be. */
static const char *first_disk(void)
{
	for (unsigned tries = 0; tries < 1000; tries++) {
		for (unsigned i = 0; i < sizeof devices / sizeof devices[0]; i++)
			if (access(devices[i], F_OK) == 0)
				return devices[i];
		usleep(10000);
	}
	return devices[0];
}

/* The sum depends on the size only. */
static uint64_t sum_of(uint64_t chunks)
{
	uint64_t sum = 0;

	for (uint64_t n = 1; n <= chunks; n++)
		sum = fold(sum, sum_of_words(WORDS, SEED + n));
	return sum;
}

uint64_t disk_workload(uint32_t size)
{
	const char *device = first_disk();
	struct label label;
	int file;

	mkdir(where, 0755);
	if (mount(device, where, "ext4", 0, NULL) != 0)
		fail("%s cannot be mounted: %s (--disk FILE, and mke2fs -t ext4 FILE before)", device, strerror(errno));
	phase("before");
	label = look_back();
	label = (struct label){ magic, label.run + 1, (uint64_t)size * PER_MB };
	phase("write");
	write_all(&label);
	say("disk: written and flushed\n");
	file = open_work(O_RDONLY | O_DIRECT);
	phase("read");
	read_only(file, &label);
	phase("check");
	read_back(file, &label, "what was written");
	close(file);
	phase("unmount");
	if (umount(where) != 0)
		fail("umount: %s", strerror(errno));
	return sum_of((uint64_t)size * PER_MB);
}
