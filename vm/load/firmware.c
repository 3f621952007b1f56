/* vm/load/firmware.c - what a firmware starts from, and what it loads. The places are those of QEMU's -kernel; the
 * header's fields are of "The Linux/x86 Boot Protocol", "Details of Header Fields". */
#include "vm/load/firmware.h"
#include "vm/load/linux.h"
#include "vm/load/load.h"

#include "lib/hex.h"
#include "lib/mutants/mutate.h"

#define ROM_GRAIN PAGE_SIZE
#define ROM_MAX (8u << 20) /* of what lies below 4 GiB, and is nobody else's */

#define SETUP_AT 0x10000u
#define CMDLINE_AT 0x20000u
#define KERNEL_AT 0x100000u
#define HEAP_END (CMDLINE_AT - SETUP_AT - 0x200u)
/* What a firmware takes of the end of RAM for itself. */
#define FIRMWARE_RAM 0x40000u

#define LOADER_QEMU 0xb0u
#define LOADFLAG_HEAP 0x80u

bool load_firmware_fits(size_t bytes, char *error, size_t error_size)
{
	struct loader l = { .error = error, .error_size = error_size };

	if (VM_LEFT_OUT_OR(FIRMWARE_SIZE, bytes && bytes % ROM_GRAIN == 0 && bytes <= ROM_MAX))
		return true;
	return load_fail(&l, "the firmware has %zu bytes: a PC's ROM has a multiple of 4 KB, and at most %u MB", bytes,
			 ROM_MAX >> 20);
}

/* "The Real-Mode Kernel Header". A firmware loads the code to KERNEL_AT (LOADED_HIGH), and the initrd below
 * initrd_addr_max, which 2.03 brought. */
static bool check_header(struct loader *l, struct firmware_kernel *k)
{
	unsigned version;

	if (VM_KEPT(FIRMWARE_KERNEL, !bzimage_is(l)))
		return load_fail(l, "a firmware loads a Linux bzImage, and the kernel is none");
	if (!load_in_file(l, 0, ZP_HEADER_MAX, "setup header"))
		return false;
	version = load_u16(l, ZP_VERSION);
	if (VM_KEPT(FIRMWARE_OLD,
		    version < LINUX_VERSION_INITRD_MAX || !(load_u8(l, ZP_LOADFLAGS) & LOADFLAG_LOADED_HIGH)))
		return load_fail(l, "the kernel is too old: its boot protocol is %u.%02u, at least 2.03 is needed",
				 version >> 8, version & 255);
	k->setup_size = linux_setup_size(load_u8(l, ZP_SETUP_SECTS));
	if (VM_KEPT(FIRMWARE_SETUP, k->setup_size > LOAD_SETUP_MAX))
		return load_fail(l, "the kernel image is damaged: its setup code has %u bytes, at most %u fit",
				 k->setup_size, LOAD_SETUP_MAX);
	return load_in_file(l, k->setup_size, 1, "code");
}

/* "Details of Header Fields", cmdline_size: without the zero at its end; before it was there, 255. */
static bool check_cmdline(struct loader *l)
{
	size_t length = strlen(l->files->cmdline);
	uint32_t most = load_u16(l, ZP_VERSION) >= LINUX_VERSION_CMDLINE_SIZE
				? load_u32(l, ZP_CMDLINE_SIZE) : LINUX_CMDLINE_OLD_MAX;

	return VM_LEFT_OUT_OR(FIRMWARE_CMDLINE, length <= most) ||
	       load_fail(l, "the command line has %zu characters, this kernel takes %u", length, most);
}

/* Where the kernel needs no RAM any more: behind what is loaded, and behind where it unpacks itself to, if it says. */
static uint64_t kernel_end(const struct loader *l, const struct firmware_kernel *k)
{
	uint64_t loaded = KERNEL_AT + l->files->kernel_size - k->setup_size;

	if (load_u16(l, ZP_VERSION) < LINUX_VERSION_INIT_SIZE)
		return loaded;
	return max_u64(loaded, min_u64(load_u64(l, ZP_PREF_ADDRESS), LOADER_LOW_MAX) + load_u32(l, ZP_INIT_SIZE));
}

/* Above the kernel, below what the kernel and the firmware have for themselves. */
static bool place_initrd(struct loader *l, uint64_t low_ram_end, struct firmware_kernel *k)
{
	uint64_t least = kernel_end(l, k), size = l->files->initrd_size;
	uint64_t end = min_u64((uint64_t)load_u32(l, ZP_INITRD_ADDR_MAX) + 1, low_ram_end - FIRMWARE_RAM);

	bool fits = least <= low_ram_end - FIRMWARE_RAM &&
		    (!size || (size <= end && align_down(end - size, PAGE_SIZE) >= least));

	k->initrd_at = size ? (uint32_t)align_down(end - size, PAGE_SIZE) : 0;
	if (VM_LEFT_OUT_OR(FIRMWARE_ROOM, fits))
		return true;
	return load_fail(l, "the kernel%s and the firmware need more than the %lu MB of RAM that the machine has",
			 size ? " with its initrd" : "", low_ram_end >> 20);
}

/* A number in C's notation, of at most 16 bits; -1: it is none. */
static int c_number(const char *p)
{
	unsigned base = 10, n = 0;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		base = 16, p += 2;
	else if (p[0] == '0' && p[1])
		base = 8, p++;
	if (!*p)
		return -1;
	for (; *p; p++) {
		int digit = hex_value(*p);

		if (digit < 0 || (unsigned)digit >= base || (n = n * base + (unsigned)digit) > UINT16_MAX)
			return -1;
	}
	return (int)n;
}

static int video_mode(const char *word)
{
	static const struct { const char *name; int mode; } named[] = {
		{ "normal", 0xffff }, { "ext", 0xfffe }, { "ask", 0xfffd },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(named); i++)
		if (strcmp(word, named[i].name) == 0)
			return named[i].mode;
	return c_number(word);
}

/* vga=MODE is the loader's, for a kernel that has not read its command line yet: the mode in which its setup code asks
 * the BIOS to show the screen ("Special Command Line Options"). The last one counts. */
static bool choose_screen(struct loader *l, uint8_t *setup)
{
	for (const char *p = l->files->cmdline; *p; p++) {
		char word[24] = "";
		size_t n = 0;
		int mode;

		for (; *p && *p != ' '; p++)
			if (n < sizeof(word) - 1)
				word[n++] = *p;
		word[n] = '\0';
		if (memcmp(word, "vga=", 4) == 0) {
			mode = video_mode(word + 4);
			if (mode < 0)
				return load_fail(l, "%s on the command line names no video mode: a number of at most "
						 "0xffff, normal, ext or ask does", word);
			setup[ZP_VID_MODE] = (uint8_t)mode;
			setup[ZP_VID_MODE + 1] = (uint8_t)(mode >> 8);
		}
		if (!*p)
			break;
	}
	return true;
}

static void put32(uint8_t *at, uint32_t value) { memcpy(at, &value, sizeof(value)); }

bool load_firmware_kernel(const struct image_files *files, uint64_t low_ram_end, struct firmware_kernel *out,
			  uint8_t setup[LOAD_SETUP_MAX], char *error, size_t error_size)
{
	struct loader l = { .files = files, .error = error, .error_size = error_size };
	const uint16_t heap_end = HEAP_END;

	*out = (struct firmware_kernel){ .setup_at = SETUP_AT, .cmdline_at = CMDLINE_AT, .kernel_at = KERNEL_AT };
	if (!check_header(&l, out) || !check_cmdline(&l) || !place_initrd(&l, low_ram_end, out))
		return false;
	memcpy(setup, files->kernel, out->setup_size);
	setup[ZP_TYPE_OF_LOADER] = LOADER_QEMU;
	setup[ZP_LOADFLAGS] |= LOADFLAG_HEAP;
	memcpy(setup + ZP_HEAP_END, &heap_end, sizeof(heap_end));
	put32(setup + ZP_CMD_LINE_PTR, CMDLINE_AT);
	put32(setup + ZP_RAMDISK_IMAGE, out->initrd_at);
	put32(setup + ZP_RAMDISK_SIZE, (uint32_t)files->initrd_size);
	return choose_screen(&l, setup);
}
