#include "tool/emulator/iso.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/base/pack.h"
#include "tool/base/temporary.h"
#include "tool/emulator/slim.h"

/* GRUB goes through a directory's entries for each file that it opens: of a thousand in one it would not come to an
 * end. */
enum { FILES_IN_DIRECTORY = 32 };

/* Where a file of the virtual machines is on the image. The caller frees. */
static char *place_of(const struct machines *machines, size_t i)
{
	return text("vm/%zu/%s", i / FILES_IN_DIRECTORY, machines->modules[i].name);
}

static void stage(const char *root, const char *name, const char *path, bool pack)
{
	struct bytes content = { 0 }, small = { 0 }, packed = { 0 };
	const struct bytes *staged = &content;
	char *target = text("%s/%s", root, name);

	if (!file_read(path, &content))
		die(STATUS_FAILED, "cannot read %s: %s", path, strerror(errno));
	temporary_check();
	if (slim_elf(&content, &small))
		staged = &small;
	if (pack && pack_file(path, staged, &packed))
		staged = &packed;
	file_write(target, staged->data, staged->length);
	bytes_free(&packed);
	bytes_free(&small);
	bytes_free(&content);
	free(target);
}

static void stage_grub(const char *root, const struct machines *machines)
{
	struct bytes script = { 0 };
	char *path = text("%s/boot/grub/grub.cfg", root);

	bytes_print(&script, "set timeout=0\nmultiboot2 /vellum.elf%s", machines->native ? " native" : "");
	if (machines->stay)
		bytes_print(&script, " stay");
	if (machines->provoke != NULL)
		bytes_print(&script, " provoke=%s", machines->provoke);
	if (machines->hide != NULL)
		bytes_print(&script, " hide=%s", machines->hide);
	if (machines->exchange != NULL)
		bytes_print(&script, " exchange=%s", machines->exchange);
	if (machines->vpids != 0)
		bytes_print(&script, " vpids=%u", machines->vpids);
	bytes_print(&script, "\nmodule2 /vm/config config\n");
	for (size_t i = 0; i < machines->module_count; i++) {
		char *place = place_of(machines, i);

		bytes_print(&script, "module2 /%s %s\n", place, machines->modules[i].name);
		free(place);
	}
	bytes_print(&script, "boot\n");
	file_write(path, script.data, script.length);
	bytes_free(&script);
	free(path);
}

/* Is there a Multiboot2 header (the specification's section "OS image format"): 8-byte aligned, in the first 32 KB? */
void iso_check_hypervisor(const char *path)
{
	static const unsigned char magic[] = { 0xd6, 0x50, 0x52, 0xe8 };
	unsigned char start[32768];
	FILE *file = fopen(path, "rbe");
	size_t length = 0;
	bool found = false;

	if (file != NULL)
		length = fread(start, 1, sizeof start, file);
	if (file == NULL || ferror(file))
		die(STATUS_FAILED, "the hypervisor %s: %s%s", path, strerror(errno),
		    errno == ENOENT ? " (run make)" : "");
	fclose(file);
	for (size_t i = 0; i + sizeof magic <= length && !found; i += 8)
		found = memcmp(start + i, magic, sizeof magic) == 0;
	if (!found)
		die(STATUS_USAGE, "the hypervisor %s is no Multiboot2 image", path);
}

/* What grub-mkrescue leaves in its own temporary directory, if it is ended, goes with work. */
static void rescue(const char *output, const char *work, const char *root, bool everywhere)
{
	static char env[] = "env", program[] = "grub-mkrescue", o[] = "-o", d[] = "-d", pc[] = "/usr/lib/grub/i386-pc";
	/* What reads a CD through the BIOS and starts a Multiboot2 kernel; everything else only costs time. */
	static char modules[] = "--install-modules=multiboot2 normal iso9660 biosdisk", locales[] = "--locales=",
		    fonts[] = "--fonts=", themes[] = "--themes=";
	char *image = text("%s", output), *directory = text("%s", root), *temporary = text("TMPDIR=%s", work);
	char *small[] = { env, temporary, program, d, pc, o, image, directory, modules, locales, fonts, themes, NULL };
	char *full[] = { env, temporary, program, o, image, directory, NULL };
	struct bytes said = { 0 };
	int status;

	if (!file_exists("/usr/lib/grub/i386-pc/multiboot2.mod"))
		die(STATUS_FAILED, "GRUB's BIOS modules are missing: run script/deps.sh (package grub-pc-bin)");
	status = run_program(everywhere ? full : small, &said);
	if (status == 127)
		die(STATUS_FAILED, "grub-mkrescue is missing: run script/deps.sh (packages grub-common and xorriso)");
	if (status != 0)
		die(STATUS_FAILED, "grub-mkrescue could not make %s: %s", output, complaint(&said));
	bytes_free(&said);
	free(image);
	free(directory);
	free(temporary);
}

void iso_make(const char *output, const char *work, const char *hypervisor, const struct machines *machines,
	      bool everywhere)
{
	static const char *const directories[] = { "", "/boot", "/boot/grub", "/vm" };
	char *root = text("%s/image", work), *path;

	iso_check_hypervisor(hypervisor);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		path = text("%s%s", root, directories[i]);
		make_directory(path);
		free(path);
	}
	stage(root, "vellum.elf", hypervisor, false); /* the boot loader itself loads it */
	for (size_t i = 0; i < machines->module_count; i++) {
		if (i % FILES_IN_DIRECTORY == 0) {
			path = text("%s/vm/%zu", root, i / FILES_IN_DIRECTORY);
			make_directory(path);
			free(path);
		}
		path = place_of(machines, i);
		stage(root, path, machines->modules[i].path, !machines->modules[i].packed);
		free(path);
	}
	path = text("%s/vm/config", root);
	file_write(path, machines->config.data, machines->config.length);
	free(path);
	stage_grub(root, machines);
	rescue(output, work, root, everywhere);
	free(root);
}
