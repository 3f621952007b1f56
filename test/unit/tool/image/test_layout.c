/* The first sector of an installed disk (tool/image/layout.c), and the files that are put into its system
 * (tool/image/files.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tool/base/temporary.h"
#include "tool/base/util.h"
#include "tool/image/image.h"

/* The other half of the command, which runs programs. */
void image_run(const struct image *i, char *const argv[], const char *what, const char *package)
{
	(void)i;
	(void)argv;
	(void)what;
	(void)package;
}

static uint32_t word(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The code is GRUB's, up to where the disk's signature and the table are. The first partition is active, of Linux, and
 * goes to the last sector; the second one is UEFI's, from the first megabyte to there, and not active. */
static void first_sector(void **state)
{
	static const uint64_t sizes[] = { 524288, 4194304, 4294967296ull };
	uint8_t loader[IMAGE_SECTOR], sector[IMAGE_SECTOR];

	(void)state;
	memset(loader, 0x5a, sizeof loader);
	for (unsigned n = 0; n < 3; n++) {
		memset(sector, 0xff, sizeof sector);
		image_first_sector(sector, loader, sizes[n]);
		for (unsigned at = 0; at < 446; at++)
			assert_int_equal(sector[at], at < 440 ? 0x5a : 0);
		assert_int_equal(sector[446], 0x80);
		assert_int_equal(sector[450], 0x83);
		assert_int_equal(word(sector + 454), 131072);
		assert_true((uint64_t)word(sector + 458) + 131072 == sizes[n]);
		assert_int_equal(sector[462], 0);
		assert_int_equal(sector[466], 0xef);
		assert_int_equal(word(sector + 470), 2048);
		assert_int_equal(word(sector + 474), 131072 - 2048);
		for (unsigned at = 478; at < 510; at++)
			assert_int_equal(sector[at], 0);
		assert_int_equal(sector[510], 0x55);
		assert_int_equal(sector[511], 0xaa);
	}
}

static struct bytes content(const char *root, const char *name)
{
	char *path = text("%s/%s", root, name);
	struct bytes all = { 0 };

	assert_true(file_read(path, &all));
	free(path);
	return all;
}

static bool is_there(const char *root, const char *name)
{
	char *path = text("%s/%s", root, name);
	bool there = file_exists(path);

	free(path);
	return there;
}

static void files(const char *directory, bool small)
{
	struct image i = { .uuid = "11111111-2222-4333-8444-555555555555", .append = "one two", .small = small };
	char *root = text("%s/%s", directory, small ? "small" : "full"), *link = text("%s/usr/sbin/init", root);
	struct bytes config, mounts;
	char target[100] = "";

	image_files(&i, root);
	config = content(root, IMAGE_MENU);
	mounts = content(root, "etc/fstab");
	assert_non_null(strstr(config.data, "root=UUID=11111111-2222-4333-8444-555555555555 "));
	assert_non_null(strstr(config.data, " one two\n"));
	assert_true(strncmp(mounts.data, "UUID=11111111-2222-4333-8444-555555555555 / ext4 ", 49) == 0);
	assert_int_equal(is_there(root, "etc/inittab"), small);
	assert_int_equal(is_there(root, "etc/network/interfaces"), !small);
	assert_int_equal(readlink(link, target, sizeof target - 1) > 0, small);
	if (small)
		assert_string_equal(target, "../bin/busybox");
	bytes_free(&config);
	bytes_free(&mounts);
	free(link);
	free(root);
}

static void files_of_both(void **state)
{
	const char *directory = temporary_directory();

	(void)state;
	files(directory, false);
	files(directory, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(first_sector), cmocka_unit_test(files_of_both) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
