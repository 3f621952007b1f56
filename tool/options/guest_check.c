#include "tool/options/guest_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/base/util.h"
#include "vm/load/firmware.h"
#include "vm/load/image.h"
#include "vm/load/linux.h"

/* Linux' own tables, caches and processes, beside its image and initial RAM disk: Debian's kernel with the default
 * initramfs came to its end with 9 MB, and with 1 MB it did not. */
#define LINUX_BESIDE (8ull << 20)

static bool forget_write(void *ctx, gpa_t gpa, const void *data, size_t n)
{
	(void)ctx;
	(void)gpa;
	(void)data;
	(void)n;
	return true;
}

static bool forget_zero(void *ctx, gpa_t gpa, size_t n)
{
	(void)ctx;
	(void)gpa;
	(void)n;
	return true;
}

static struct image_files with_names(const struct vm_config *vm, const struct image_files *files)
{
	struct image_files image = *files;

	image.cmdline = vm->append;
	image.kernel_name = "kernel";
	image.initrd_name = "initrd";
	return image;
}

/* Can it be loaded with so many bytes of RAM? As vm_create() and native_start() have it done. */
static bool loads(const struct vm_config *vm, const struct image_files *files, uint64_t mem, bool native,
		  struct cpu_start *start, char *error, size_t error_size)
{
	uint64_t low = native ? mem : min_u64(mem, LOADER_LOW_MAX);
	struct loader_memory memory = { forget_write, forget_zero, NULL, low, mem - low, LOADER_FIRMWARE };
	struct image_files image = with_names(vm, files);

	return load_image(&memory, &image, start, error, error_size);
}

/* The least RAM with which it can be loaded, in whole MB; it can with `most`. */
static uint64_t least_ram(const struct vm_config *vm, const struct image_files *files, bool native, uint64_t most)
{
	uint64_t low = 1, high = most >> 20;
	struct cpu_start start;
	char error[300];

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (loads(vm, files, middle << 20, native, &start, error, sizeof error))
			high = middle;
		else
			low = middle + 1;
	}
	return high << 20;
}

/* RSI holds the zero page of Linux' boot protocol; Multiboot says nothing of it. */
static bool starts_linux(const struct cpu_start *start)
{
	return start->rsi != 0;
}

static const char *with_what(const struct image_files *files, bool is_linux)
{
	unsigned modules = files->modules + (files->initrd != NULL);

	if (modules == 0)
		return "";
	return is_linux ? " with its initrd" : modules == 1 ? " with its module" : " with its modules";
}

bool guest_check(const struct vm_config *vm, const struct image_files *files, bool native, struct guest_needs *needs,
		 char *error, size_t error_size)
{
	struct cpu_start start;
	bool is_linux;

	*needs = (struct guest_needs){ 0 };
	if (!loads(vm, files, LOADER_LOW_MAX, native, &start, error, error_size))
		return false;
	is_linux = starts_linux(&start);
	needs->load = needs->run = least_ram(vm, files, native, LOADER_LOW_MAX);
	if (is_linux)
		needs->run += files->initrd_size + LINUX_BESIDE;
	if (loads(vm, files, vm->mem, native, &start, error, error_size))
		return true;
	if (vm->mem < needs->load)
		snprintf(error, error_size, "the kernel%s needs %s%llu MB of RAM, and %s has %llu MB (mem)",
			 with_what(files, is_linux),
			 is_linux ? "about " : "", (unsigned long long)((needs->run + (1u << 20) - 1) >> 20), vm->name,
			 (unsigned long long)(vm->mem >> 20));
	return false;
}

/* A file's bytes, which are read only where they are looked at; NULL: errno says why. */
static const void *map_file(const char *path, size_t *size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC), error;
	struct stat info;
	void *bytes = MAP_FAILED;

	if (file < 0)
		return NULL;
	if (fstat(file, &info) == 0) {
		bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
		*size = (size_t)info.st_size;
	}
	error = errno;
	close(file);
	errno = error;
	return bytes != MAP_FAILED ? bytes : NULL;
}

static const void *must_map(const char *path, size_t *size)
{
	const void *bytes;
	struct stat info;

	if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
		die(STATUS_USAGE, "%s is not a file", path);
	bytes = map_file(path, size);
	if (bytes == NULL)
		die(STATUS_USAGE, "%s cannot be read: %s", path, strerror(errno));
	return bytes;
}

static void check_bios(const struct vm_config *vm)
{
	char error[300];
	size_t size;
	const void *bytes = must_map(vm->bios, &size);

	if (!load_firmware_fits(size, error, sizeof error))
		die(STATUS_USAGE, "%s, the bios of %s: %s", vm->bios, vm->name, error);
	munmap((void *)bytes, size);
}

/* As the firmware will load it. */
static void check_firmware_kernel(const struct vm_config *vm, const struct image_files *files)
{
	static uint8_t setup[LOAD_SETUP_MAX];
	struct image_files image = with_names(vm, files);
	struct firmware_kernel kernel;
	char error[300];

	if (!load_firmware_kernel(&image, min_u64(vm->mem, LOADER_LOW_MAX), &kernel, setup, error, sizeof error))
		die(STATUS_USAGE, "%s, the kernel of %s: %s", vm->kernel, vm->name, error);
}

/* Has it a header of a boot protocol before 2.12? Others than Linux have those to be loaded by (iPXE, GRUB), and take a
 * command line and an initial RAM disk for something else. Linux has 2.12 since 3.8. */
static bool has_old_header(const struct image_files *files)
{
	const uint8_t *k = files->kernel;

	return files->kernel_size > ZP_HEADER_MAX && memcmp(k + ZP_HEADER, "HdrS", 4) == 0 &&
	       (k[ZP_VERSION] | (unsigned)k[ZP_VERSION + 1] << 8) < LINUX_VERSION_XLOADFLAGS;
}

enum guest_kind guest_kind(const char *path)
{
	static const struct vm_config nothing;
	struct image_files files = { .initrd = NULL };
	struct cpu_start start;
	char error[300];
	bool good;

	files.kernel = map_file(path, &files.kernel_size);
	if (files.kernel == NULL)
		return GUEST_OTHER;
	good = loads(&nothing, &files, LOADER_LOW_MAX, false, &start, error, sizeof error) && !has_old_header(&files);
	munmap((void *)files.kernel, files.kernel_size);
	if (!good || !starts_linux(&start))
		return GUEST_OTHER;
	return start.mode == START_LONG64 ? GUEST_LINUX_64 : GUEST_LINUX_32;
}

static void map_files(const struct vm_config *vm, struct image_files *files)
{
	*files = (struct image_files){ .kernel = NULL };
	files->kernel = must_map(vm->kernel, &files->kernel_size);
	if (vm->initrd[0] != 0)
		files->initrd = must_map(vm->initrd, &files->initrd_size);
	for (; files->modules < vm->modules; files->modules++) {
		struct image_module *m = &files->module[files->modules];

		m->data = must_map(vm->module[files->modules].name, &m->size);
		m->string = vm->module[files->modules].text;
	}
}

static void unmap_files(struct image_files *files)
{
	munmap((void *)files->kernel, files->kernel_size);
	if (files->initrd != NULL)
		munmap((void *)files->initrd, files->initrd_size);
	while (files->modules != 0) {
		struct image_module *m = &files->module[--files->modules];

		munmap((void *)m->data, m->size);
	}
}

void guest_check_files(const struct vm_config *vm, bool native)
{
	struct image_files files;
	struct guest_needs needs;
	char error[300];

	if (vm->bios[0] != 0)
		check_bios(vm);
	if (vm->kernel[0] == 0)
		return;
	map_files(vm, &files);
	if (vm->bios[0] != 0)
		check_firmware_kernel(vm, &files);
	else if (!guest_check(vm, &files, native, &needs, error, sizeof error))
		die(STATUS_USAGE, "%s, the kernel of %s: %s", vm->kernel, vm->name, error);
	else if (vm->mem < needs.run)
		say("%s has %llu MB of RAM: Linux will hardly get far with less than %llu MB", vm->name,
		    (unsigned long long)(vm->mem >> 20),
		    (unsigned long long)((needs.run + (1u << 20) - 1) >> 20));
	unmap_files(&files);
}
