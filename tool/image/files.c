/* tool/image/files.c - what an installed system has besides its packages: its name, what it mounts, how it boots and
 * who may log in where. */
#include "tool/image/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"
#include "tool/base/util.h"

#define COMMAND_LINE "net.ifnames=0 console=tty0 console=ttyS0"

enum { ALWAYS, FULL, SMALL };

struct file {
	const char *path, *content;
	int when;
	bool link; /* content: where to */
};

/* The initial RAM disk has drivers of what Vellum's machines and others' have, and not of all that there is. That of
 * the small one loads them in this order, and mounts; there is no udev. */
static const struct file files[] = {
	{ "etc/hostname", "vellum\n", ALWAYS, false },
	{ "etc/hosts", "127.0.0.1 localhost\n127.0.1.1 vellum\n", ALWAYS, false },
	{ "etc/initramfs-tools/conf.d/vellum", "MODULES=list\n", FULL, false },
	{ "usr/share/initramfs-tools/modules.d/vellum", "virtio_pci\nvirtio_blk\nata_piix\nahci\nsd_mod\next4\n", FULL,
	  false },
	{ "etc/tiny-initramfs/tiny-initramfs.conf",
	  "AUTO_MODULES=no\nMICROCODE=no\n"
	  "INCLUDE_MODULES=virtio_pci,virtio_blk,ata_piix,sd_mod\n", SMALL, false },
	{ "etc/network/interfaces", "auto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet dhcp\n",
	  FULL, false },
	/* Consoles that nobody looks at. */
	{ "etc/systemd/system/getty-static.service", "/dev/null", FULL, true },
	{ "etc/inittab",
	  "::sysinit:/usr/bin/busybox mount -t proc proc /proc\n"
	  "::sysinit:/usr/bin/busybox mount -t sysfs sys /sys\n"
	  "::sysinit:/usr/bin/busybox mount -o remount,rw /\n"
	  "::sysinit:/usr/bin/busybox hostname -F /etc/hostname\n"
	  "ttyS0::respawn:/usr/bin/busybox getty -L 115200 ttyS0 vt102\n"
	  "::ctrlaltdel:/usr/bin/busybox reboot\n"
	  "::shutdown:/usr/bin/busybox umount -a -r\n", SMALL, false },
	{ "usr/sbin/init", "../bin/busybox", SMALL, true },
	{ "usr/sbin/poweroff", "../bin/busybox", SMALL, true },
	{ "usr/sbin/reboot", "../bin/busybox", SMALL, true },
};

/* The directories on the way to a file. */
static void make_way(const char *path, size_t root)
{
	char *way = text("%s", path);

	for (char *slash = strchr(way + root + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		make_directory(way);
		*slash = '/';
	}
	free(way);
}

static void put(const char *root, const char *name, const char *content, bool link)
{
	char *path = text("%s/%s", root, name);

	make_way(path, strlen(root));
	if (!link)
		file_write(path, content, strlen(content));
	else if (symlink(content, path) != 0)
		die(STATUS_FAILED, "cannot make %s: %s", path, strerror(errno));
	free(path);
}

/* /vmlinuz and /initrd.img lead to the newest kernel. A full system makes its own menu of what it has when another
 * kernel is installed; the first is not where that would find it while packages are installed, since it cannot be made
 * anew there. */
static void put_loader(const struct image *i, const char *root)
{
	const char *more = i->append != NULL ? i->append : "";
	char *settings = text("GRUB_TIMEOUT=1\n"
			      "GRUB_TERMINAL=\"serial console\"\n"
			      "GRUB_SERIAL_COMMAND=\"serial --unit=0 --speed=115200\"\n"
			      "GRUB_CMDLINE_LINUX=\"" COMMAND_LINE " %s\"\n", more);
	char *config = text("serial --unit=0 --speed=115200\n"
			    "terminal_input serial console\n"
			    "terminal_output serial console\n"
			    "set timeout=%u\n"
			    "menuentry 'Debian' {\n"
			    "\tlinux /vmlinuz root=UUID=%s ro " COMMAND_LINE "%s %s\n"
			    "\tinitrd /initrd.img\n"
			    "}\n", i->small ? 0 : 1, i->uuid, i->small ? " cryptomgr.notests=1 nopti" : "", more);

	put(root, IMAGE_MENU, config, false);
	if (!i->small)
		put(root, "etc/default/grub", settings, false);
	free(settings);
	free(config);
}

void image_files(const struct image *i, const char *root)
{
	char *mounts = text("UUID=%s / ext4 errors=remount-ro 0 1\n", i->uuid);

	make_directory(root);
	for (size_t n = 0; n < ARRAY_SIZE(files); n++)
		if (files[n].when == ALWAYS || files[n].when == (i->small ? SMALL : FULL))
			put(root, files[n].path, files[n].content, files[n].link);
	put(root, "etc/fstab", mounts, false);
	put_loader(i, root);
	free(mounts);
}
