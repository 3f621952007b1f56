#include "tool/image/image.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/base.h"
#include "tool/base/output.h"
#include "tool/base/size.h"
#include "tool/base/temporary.h"
#include "tool/base/util.h"

#define SIZE_DEFAULT (2ull << 30)
#define SIZE_LEAST (256ull << 20)
#define SIZE_MOST (2ull << 40) /* that a partition table of sectors of 32 bits can tell of */

static const char usage[] =
	"usage: vellum image debian FILE [OPTION]...\n"
	"\n"
	"Makes a disk with an installed Debian: GRUB, its own kernel, systemd, and a login on the serial port (root,\n"
	"with no password). vellum run --bios seabios --disk FILE -i boots it, and so does --bios ovmf. docs/disks.md\n"
	"has more.\n"
	"\n"
	"  --size SIZE      of the disk, a sparse file   (default: 2G)\n"
	"  --small          a cloud kernel, busybox in place of systemd, no apt: an eighth of the instructions\n"
	"  --suite NAME     which Debian   (default: this computer's)\n"
	"  --mirror SOURCE  where it comes from: a URL, or a file as /etc/apt/sources.list   (default: this "
	"computer's)\n"
	"  --include NAMES  packages besides, with commas between them\n"
	"  --append TEXT    more for the kernel's command line\n"
	"  --quiet          says only what goes wrong\n";

/* ---- running Debian's programs ---- */

static char **with_fakeroot(char *owners, char *const argv[])
{
	char *before[] = { "fakeroot", "-i", owners, "-s", owners, "--" }, **all;
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	all = allocate(sizeof before + (n + 1) * sizeof *all);
	memcpy(all, before, sizeof before);
	memcpy(all + ARRAY_SIZE(before), argv, (n + 1) * sizeof *all);
	return all;
}

void image_run(const struct image *i, char *const argv[], const char *what, const char *package)
{
	char *owners = text("%s/owners", i->work), **all = with_fakeroot(owners, argv);
	bool rights = geteuid() == 0 || strcmp(argv[0], "mmdebstrap") == 0; /* that makes its own */
	struct bytes said = { 0 };
	int status;

	if (!rights && !file_exists(owners))
		file_write(owners, "", 0);
	status = run_program(rights ? argv : all, &said);
	if (status == 127)
		die(STATUS_FAILED, "image: %s is missing: run script/deps.sh image (package %s%s)",
		    rights ? argv[0] : "fakeroot, or what it runs,", package, rights ? "" : ", and fakeroot");
	if (status != 0)
		die(STATUS_FAILED, "image: cannot %s: %s", what, complaint(&said));
	bytes_free(&said);
	free(all);
	free(owners);
}

/* ---- the command ---- */

/* RFC 9562, "UUID Version 4". */
static void name_it(struct image *i)
{
	uint8_t b[16];
	char *at = i->uuid;

	if (getrandom(b, sizeof b, 0) != sizeof b)
		die(STATUS_FAILED, "image: no random numbers: %s", strerror(errno));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (unsigned n = 0; n < sizeof b; n++)
		at += sprintf(at, n == 4 || n == 6 || n == 8 || n == 10 ? "-%02x" : "%02x", b[n]);
}

/* What goes to apt and to a kernel's command line as it is. */
static void check_words(const char *option, const char *value, const char *besides)
{
	for (const char *at = value; *at != '\0'; at++)
		if (!isalnum((unsigned char)*at) && strchr(besides, *at) == NULL)
			die(STATUS_USAGE, "image: %s %s: '%c' cannot be in it", option, value, *at);
	if (*value == '\0' || *value == '-')
		die(STATUS_USAGE, "image: %s needs a name", option);
}

static void take_size(struct image *i, const char *value)
{
	if (!parse_size(value, &i->bytes) || i->bytes < SIZE_LEAST || i->bytes > SIZE_MOST || i->bytes % (1 << 20))
		die(STATUS_USAGE, "image: --size %s: a disk has from 256M to 2048G, in whole megabytes", value);
}

static void take_value(struct image *i, const char *option, const char *value)
{
	if (strcmp(option, "--size") == 0) {
		take_size(i, value);
	} else if (strcmp(option, "--suite") == 0) {
		check_words(option, value, "-.");
		i->suite = value;
	} else if (strcmp(option, "--include") == 0) {
		check_words(option, value, "+-.,:");
		i->include = value;
	} else if (strcmp(option, "--append") == 0) {
		if (strpbrk(value, "\n\"'\\$;{}") != NULL)
			die(STATUS_USAGE, "image: --append: quotes, $, ;, braces and ends of lines cannot be in it");
		i->append = value;
	} else if (*value == '-' || *value == '\0') {
		die(STATUS_USAGE, "image: --mirror needs a URL, or a file");
	} else {
		i->mirror = value;
	}
}

static bool has_value(const char *option)
{
	static const char *const names[] = { "--size", "--suite", "--mirror", "--include", "--append" };

	for (size_t n = 0; n < ARRAY_SIZE(names); n++)
		if (strcmp(option, names[n]) == 0)
			return true;
	return false;
}

static void take_options(struct image *i, int argc, char **argv)
{
	int names = 0;

	for (int at = 1; at < argc; at++) {
		if (strcmp(argv[at], "--small") == 0)
			i->small = true;
		else if (strcmp(argv[at], "--quiet") == 0)
			i->quiet = true;
		else if (has_value(argv[at]) && at + 1 < argc)
			take_value(i, argv[at], argv[at + 1]), at++;
		else if (has_value(argv[at]))
			die(STATUS_USAGE, "image: %s needs a value", argv[at]);
		else if (argv[at][0] == '-')
			die(STATUS_USAGE, "image: there is no option %s (vellum image --help)", argv[at]);
		else if (names++ == 0 && strcmp(argv[at], "debian") != 0)
			die(STATUS_USAGE, "image: there is no system %s, but debian", argv[at]);
		else if (names == 2)
			i->path = argv[at];
		else if (names > 2)
			die(STATUS_USAGE, "image: %s is one name too many (vellum image --help)", argv[at]);
	}
	if (i->path == NULL)
		die(STATUS_USAGE, "image: the name of the disk's file is missing: vellum image debian FILE");
}

/* What could only be said after minutes is said at once. */
static void check_possible(const struct image *i)
{
	if (!output_possible(i->path))
		die(STATUS_USAGE, "image: %s cannot be written: %s", i->path, strerror(errno));
	if (!file_exists(IMAGE_GRUB "/boot.img") || !file_exists(IMAGE_GRUB_EFI "/modinfo.sh"))
		die(STATUS_FAILED, "image: GRUB's modules for a BIOS and for UEFI are missing: run script/deps.sh "
		    "image");
	if (i->mirror != NULL && strstr(i->mirror, "://") == NULL && !file_exists(i->mirror))
		die(STATUS_USAGE, "image: --mirror %s is no URL, and no file that can be read", i->mirror);
}

int image_main(int argc, char **argv)
{
	struct image i = { .bytes = SIZE_DEFAULT };
	char *suite;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(usage, stdout) < 0;
	take_options(&i, argc, argv);
	check_possible(&i);
	suite = image_host_suite();
	if (i.suite == NULL)
		i.suite = suite != NULL ? suite : "stable";
	name_it(&i);
	i.work = temporary_directory();
	temporary_ends_gently(); /* mmdebstrap has a directory of its own */
	i.output = output_begin(i.path);
	if (i.output == NULL)
		die(STATUS_FAILED, "image: %s cannot be written: %s", i.path, strerror(errno));
	image_install(&i);
	image_layout(&i);
	if (!output_end(i.output))
		die(STATUS_FAILED, "image: %s cannot be written: %s", i.path, strerror(errno));
	if (!i.quiet)
		say("%s is made: vellum run --bios seabios --disk %s -i boots it; the login is root, with no password",
		    i.path, i.path);
	free(suite);
	return 0;
}
