/* tool/image/debian.c - Debian's own tools install the system: mmdebstrap, which needs no root, makes an archive of it;
 * it is unpacked as root, or as what fakeroot takes for that. */
#include "tool/image/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"
#include "tool/base/util.h"

#define DEBIAN "http://deb.debian.org/debian"

/* What boots it, and what one looks for after a login. */
static const char full[] =
	"linux-image-amd64,initramfs-tools,zstd,e2fsprogs,grub-pc-bin,grub-efi-amd64-bin,grub2-common,"
	"systemd-sysv,udev,login,passwd,kmod,procps,iproute2,iputils-ping,ifupdown,isc-dhcp-client,ca-certificates";
static const char small[] =
	"linux-image-cloud-amd64,tiny-initramfs,kmod,e2fsprogs,busybox-static,login,passwd";

/* What nobody reads on the small one. */
static const char *const left_out[] = { "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*" };

/* GRUB's modules, which the menus that a full system makes ask for, by the kind of firmware. */
static const char *const loaders[] = { "i386-pc", "x86_64-efi" };

/* Of a line NAME=VALUE of /etc/os-release; a new allocated string. */
static char *release_says(const char *name)
{
	struct bytes all = { 0 };
	char *found = NULL, *state, *line;

	if (!file_read("/etc/os-release", &all))
		return NULL;
	for (line = strtok_r(all.data, "\n", &state); line != NULL; line = strtok_r(NULL, "\n", &state))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == '=')
			found = text("%s", line + strlen(name) + 1);
	bytes_free(&all);
	return found;
}

char *image_host_suite(void)
{
	char *id = release_says("ID"), *suite = NULL;

	if (id != NULL && strcmp(id, "debian") == 0)
		suite = release_says("VERSION_CODENAME");
	free(id);
	return suite;
}

/* Where the packages come from: what mmdebstrap takes for that. */
static const char *source(const struct image *i)
{
	static const char *const lists[] = { "/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list" };
	char *suite = image_host_suite();
	bool same = suite != NULL && strcmp(suite, i->suite) == 0;

	free(suite);
	if (i->mirror != NULL)
		return i->mirror;
	for (size_t n = 0; same && n < ARRAY_SIZE(lists); n++)
		if (file_exists(lists[n]))
			return lists[n];
	return DEBIAN;
}

/* The files as an archive of root's, as mmdebstrap takes it in. */
static void pack_files(const struct image *i, const char *archive)
{
	char *files = text("%s/files", i->work), *target = text("%s", archive);
	char *argv[] = { "tar", "--owner=root:0", "--group=root:0", "--mode=u=rwX,go=rX", "-C", files, "-cf",
			 target, ".", NULL };

	image_files(i, files);
	image_run(i, argv, "put the files of the system together", "tar");
	free(files);
	free(target);
}

/* What mmdebstrap is told, NULL at its end. The files are there before the packages, which look at some of them. */
static void arguments(const struct image *i, const char *files, const char *archive, char **argv)
{
	size_t n = 0;

	argv[n++] = text("mmdebstrap");
	argv[n++] = text("--format=tar");
	argv[n++] = text("--variant=%s", i->small ? "essential" : "minbase");
	argv[n++] = text("--include=%s%s%s", i->small ? small : full, i->include != NULL ? "," : "",
			 i->include != NULL ? i->include : "");
	for (size_t k = 0; i->small && k < ARRAY_SIZE(left_out); k++)
		argv[n++] = text("--dpkgopt=path-exclude=%s", left_out[k]);
	argv[n++] = text("--setup-hook=tar-in %s /", files);
	argv[n++] = text("--customize-hook=sed -i 's/^root:[^:]*:/root::/' \"$1/etc/shadow\"");
	argv[n++] = text("--customize-hook=mv \"$1/" IMAGE_MENU "\" \"$1/boot/grub/grub.cfg\"");
	for (size_t k = 0; !i->small && k < ARRAY_SIZE(loaders); k++)
		argv[n++] = text("--customize-hook=mkdir \"$1/boot/grub/%s\" && cp /usr/lib/grub/%s/*.mod "
				 "/usr/lib/grub/%s/*.lst \"$1/boot/grub/%s\"", loaders[k], loaders[k], loaders[k],
				 loaders[k]);
	if (i->small)
		argv[n++] = text("--customize-hook=chroot \"$1\" busybox --install -s /usr/local/bin");
	argv[n++] = text("%s", i->suite);
	argv[n++] = text("%s", archive);
	argv[n++] = text("%s", source(i));
	argv[n] = NULL;
}

static void bootstrap(const struct image *i, const char *archive)
{
	char *argv[16 + ARRAY_SIZE(left_out) + ARRAY_SIZE(loaders)], *files = text("%s/files.tar", i->work);

	pack_files(i, files);
	arguments(i, files, archive, argv);
	image_run(i, argv, "install Debian", "mmdebstrap");
	for (size_t n = 0; argv[n] != NULL; n++)
		free(argv[n]);
	free(files);
}

void image_install(const struct image *i)
{
	char *archive = text("%s/system.tar", i->work), *root = text("%s/root", i->work);
	char *argv[] = { "tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", root, "-xpf", archive,
			 NULL };

	if (!i->quiet)
		say("Debian's tools install %s from %s, which takes some minutes", i->suite, source(i));
	bootstrap(i, archive);
	make_directory(root);
	image_run(i, argv, "unpack the system", "tar");
	unlink(archive);
	free(archive);
	free(root);
}
