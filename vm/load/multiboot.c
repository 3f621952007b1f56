/* vm/load/multiboot.c - Multiboot 1 kernels ("Multiboot Specification", version 0.6.96: "The layout of Multiboot
 * header", "Machine state", "Boot information format", and those below). */
#include "vm/load/load.h"

#include "lib/multiboot.h"
#include "lib/mutants/mutate.h"
#include "lib/x86.h"

#define HEADER_SEARCH 8192u
#define HEADER2_SEARCH 32768u /* Multiboot 2: not ours */
#define HEADER_FLAG_VIDEO 0x00000004u
#define HEADER_FLAGS_KNOWN 0x00010007u /* align modules, memory information, video mode, address fields */
#define HEADER_FLAGS_REQUIRED 0x0000ffffu
#define HEADER_SIZE 12u
#define HEADER_SIZE_ADDRESSES 32u

#define CS 0x08
#define DS 0x10

/* The loader's block in guest memory. Physical page 0 and 0x8000-0xe000, where guests put the code that starts further
 * CPUs, stay free, and so does all below 0x10000. */
#define BLOCK_LOW 0x10000ull
#define BLOCK_SIZE 0x2000u
#define NAME_MAX 255u

/* The block: everything that EBX leads to. */
#define AT_GDT 0x000u
#define AT_INFO 0x020u
#define AT_LOADER_NAME 0x0a0u
#define AT_MMAP 0x0b0u
#define AT_MODULES 0x140u
#define AT_CMDLINE 0x200u
#define CMDLINE_SIZE (BLOCK_SIZE - AT_CMDLINE)
#define AT_STRINGS BLOCK_SIZE /* the modules', one behind the other */

#define MMAP_ENTRY_SIZE 24u
#define MODULE_ENTRY_SIZE 16u
#define MODULES_MAX (IMAGE_MODULES_MAX + 1) /* the initrd, too */

_Static_assert(AT_MMAP + LOAD_MAP_MAX * MMAP_ENTRY_SIZE <= AT_MODULES, "the map ends before the modules");
_Static_assert(AT_MODULES + MODULES_MAX * MODULE_ENTRY_SIZE <= AT_CMDLINE, "and they before the command line");

/* Where what is not the kernel goes. */
struct rest {
	uint64_t block;
	uint64_t module[MODULES_MAX]; /* gpa */
};

static const char loader_name[] = "vellum";

/* ---- the header ---- */

/* Within the first 8192 bytes, at a multiple of 4 ("OS image format"); magic, flags and checksum add up to 0 ("The
 * magic fields of Multiboot header"). */
size_t multiboot_header(const struct loader *l)
{
	size_t end = (size_t)min_u64(l->files->kernel_size, HEADER_SEARCH);

	for (size_t at = 0; at + HEADER_SIZE <= end; at += 4)
		if (load_u32(l, at) == MULTIBOOT_HEADER_MAGIC &&
		    VM_LEFT_OUT_OR(MB_CHECKSUM, load_u32(l, at) + load_u32(l, at + 4) + load_u32(l, at + 8) == 0))
			return at;
	return SIZE_MAX;
}

/* Magic numbers alone, for those who wonder why they are refused. */
static bool has_magic(const struct loader *l, uint32_t magic, size_t search, size_t step)
{
	for (size_t at = 0; at + 4 <= min_u64(l->files->kernel_size, search); at += step)
		if (load_u32(l, at) == magic)
			return true;
	return false;
}

const char *multiboot_almost(const struct loader *l)
{
	if (has_magic(l, MULTIBOOT_HEADER_MAGIC, HEADER_SEARCH, 4))
		return "there is a Multiboot header in it, but its checksum is wrong";
	if (has_magic(l, MULTIBOOT2_HEADER_MAGIC, HEADER2_SEARCH, 8))
		return "it is a Multiboot 2 kernel, of which there is no loader here";
	return NULL;
}

/* An image that says itself where it goes, instead of by ELF. */
struct addresses {
	uint64_t offset, file_size; /* in the file */
	uint64_t base, mem_size;
	uint64_t entry;
};

/* "The address fields of Multiboot header". */
static bool read_addresses(struct loader *l, size_t header, struct addresses *a)
{
	uint64_t header_addr, load_end, bss_end;

	if (!load_in_file(l, header, HEADER_SIZE_ADDRESSES, "Multiboot header"))
		return false;
	header_addr = load_u32(l, header + 12);
	a->base = load_u32(l, header + 16);
	load_end = load_u32(l, header + 20);
	bss_end = load_u32(l, header + 24);
	a->entry = load_u32(l, header + 28);
	if (VM_KEPT(MB_BEGIN, header_addr < a->base || header_addr - a->base > header))
		return load_fail(
			l, "the kernel image is damaged: its Multiboot header says that it begins before the file");
	a->offset = header - (header_addr - a->base);
	if (load_end == 0)
		load_end = a->base + (l->files->kernel_size - a->offset);
	if (bss_end == 0)
		bss_end = load_end;
	if (VM_KEPT(MB_ADDRESSES,
		    load_end < a->base || bss_end < load_end || a->entry < a->base || a->entry >= bss_end))
		return load_fail(
			l, "the kernel image is damaged: the addresses in its Multiboot header contradict each other");
	a->file_size = load_end - a->base;
	a->mem_size = bss_end - a->base;
	return load_in_file(l, a->offset, a->file_size, "code");
}

/* "The magic fields of Multiboot header": of bits 0 to 15, what is not known or cannot be had is refused. */
static bool check_flags(struct loader *l, uint32_t flags)
{
	uint32_t unknown = flags & HEADER_FLAGS_REQUIRED & ~HEADER_FLAGS_KNOWN;

	if (VM_KEPT(MB_UNKNOWN, unknown))
		return load_fail(l, "the Multiboot kernel demands what no loader knows (header flags 0x%x)", unknown);
	if (VM_KEPT(MB_VIDEO, flags & HEADER_FLAG_VIDEO))
		return load_fail(l, "the Multiboot kernel demands a video mode, and the machine has no screen");
	return true;
}

/* ---- what EBX leads to ---- */

/* The last component of a path, without blanks, as the first word of a command line. Returns its length. */
static size_t base_name(const char *path, char *buf)
{
	const char *p = path;
	size_t n = 0;

	for (; *path; path++)
		if (*path == '/')
			p = path + 1;
	for (; p[n] && p[n] != ' ' && p[n] != '\t' && VM_LEFT_OUT_OR(MB_NAME, n < NAME_MAX); n++)
		buf[n] = p[n];
	buf[n] = 0;
	return n;
}

static bool write_string(struct loader *l, uint64_t at, const char *s) { return load_write(l, at, s, strlen(s) + 1); }

static bool write_cmdline(struct loader *l, uint64_t block)
{
	const char *cmdline = l->files->cmdline, *path = l->files->kernel_name;
	char name[NAME_MAX + 1];
	size_t n = base_name(path && *path ? path : "kernel", name);

	if (!write_string(l, block + AT_CMDLINE, name) || !*cmdline)
		return *cmdline == 0;
	return load_write(l, block + AT_CMDLINE + n, " ", 1) && write_string(l, block + AT_CMDLINE + n + 1, cmdline);
}

static bool write_mmap(struct loader *l, uint64_t at, unsigned *length)
{
	struct e820_entry map[LOAD_MAP_MAX];
	unsigned n = load_map(l, map);

	*length = n * MMAP_ENTRY_SIZE;
	for (unsigned i = 0; i < n; i++, at += MMAP_ENTRY_SIZE)
		if (!load_write_u32(l, at, MMAP_ENTRY_SIZE - 4) || !load_write_u64(l, at + 4, map[i].base) ||
		    !load_write_u64(l, at + 12, map[i].bytes) || !load_write_u32(l, at + 20, map[i].type))
			return false;
	return true;
}

/* ---- the modules ---- */

static unsigned module_count(const struct loader *l) { return (l->files->initrd != NULL) + l->files->modules; }

/* i < module_count(l); the initrd comes first. */
static struct image_module module_at(const struct loader *l, unsigned i)
{
	const struct image_files *f = l->files;

	if (f->initrd && i == 0)
		return (struct image_module){ f->initrd, f->initrd_size, f->initrd_name ? f->initrd_name : "" };
	return f->module[i - (f->initrd != NULL)];
}

static size_t string_size(struct image_module m) { return strlen(m.string) + 1; }

static bool write_module(struct loader *l, uint64_t block, unsigned i, uint64_t at, uint64_t string)
{
	struct image_module m = module_at(l, i);
	uint32_t entry[MODULE_ENTRY_SIZE / 4] = { (uint32_t)at, (uint32_t)(at + m.size), (uint32_t)string, 0 };

	return load_write(l, at, m.data, m.size) && write_string(l, string, m.string) &&
	       load_write(l, block + AT_MODULES + i * MODULE_ENTRY_SIZE, entry, sizeof(entry));
}

static bool write_modules(struct loader *l, const struct rest *r)
{
	uint64_t string = r->block + AT_STRINGS;

	for (unsigned i = 0; i < module_count(l); string += string_size(module_at(l, i)), i++)
		if (!write_module(l, r->block, i, r->module[i], string))
			return false;
	return true;
}

/* ---- all of it ---- */

static bool write_info(struct loader *l, uint64_t block)
{
	uint64_t info = block + AT_INFO;
	uint32_t flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MODULES |
			 MULTIBOOT_INFO_MMAP | MULTIBOOT_INFO_LOADER_NAME;
	unsigned mmap_length;

	return load_zero(l, info, AT_LOADER_NAME - AT_INFO) && write_mmap(l, block + AT_MMAP, &mmap_length) &&
	       load_write_u32(l, info, flags) && load_write_u32(l, info + 4, (uint32_t)(LOADER_EBDA >> 10)) &&
	       load_write_u32(l, info + 8, (uint32_t)((l->mem->low_ram_end - LOADER_MB) >> 10)) &&
	       load_write_u32(l, info + 16, (uint32_t)(block + AT_CMDLINE)) &&
	       load_write_u32(l, info + 20, module_count(l)) &&
	       load_write_u32(l, info + 24, (uint32_t)(block + AT_MODULES)) &&
	       load_write_u32(l, info + 44, mmap_length) && load_write_u32(l, info + 48, (uint32_t)(block + AT_MMAP)) &&
	       load_write_u32(l, info + 64, (uint32_t)(block + AT_LOADER_NAME)) &&
	       load_write(l, block + AT_LOADER_NAME, loader_name, sizeof(loader_name));
}

static bool write_gdt(struct loader *l, uint64_t block)
{
	const uint64_t gdt[] = { 0, DESCRIPTOR_FLAT_CODE32, DESCRIPTOR_FLAT_DATA };

	return load_write(l, block + AT_GDT, gdt, sizeof(gdt));
}

/* The block goes below 1 MiB if the kernel leaves room there, else to the top of RAM. */
static bool place_block(struct loader *l, uint64_t *block)
{
	uint64_t size = BLOCK_SIZE;

	for (unsigned i = 0; i < module_count(l); i++)
		size += string_size(module_at(l, i));
	return load_place(l, "loader's tables", size, BLOCK_LOW, LOADER_EBDA, block) ||
	       load_place(l, "loader's tables", size, LOADER_MB, LOADER_LOW_MAX, block);
}

/* The kernel is claimed and written; the rest follows. */
static bool load_rest(struct loader *l, uint64_t entry, const struct rest *r, struct cpu_start *out)
{
	uint64_t block = r->block;

	if (!write_gdt(l, block) || !write_cmdline(l, block) || !write_info(l, block) || !write_modules(l, r))
		return false;
	*out = (struct cpu_start){
		.mode = START_PROT32,
		.rip = entry,
		.rax = MULTIBOOT_BOOT_MAGIC,
		.rbx = block + AT_INFO,
		.gdt_base = block + AT_GDT,
		.gdt_limit = DS + 7,
		.cs = CS,
		.ds = DS,
	};
	return true;
}

static bool claim_rest(struct loader *l, struct rest *r)
{
	size_t length = strlen(l->files->cmdline);

	if (VM_KEPT(MB_CMDLINE, length + NAME_MAX + 2 > CMDLINE_SIZE))
		return load_fail(l, "the command line has %zu characters, at most %u are possible", length,
				 CMDLINE_SIZE - NAME_MAX - 2);
	if (!place_block(l, &r->block))
		return false;
	for (unsigned i = 0; i < module_count(l); i++)
		if (!load_place(l, module_count(l) == 1 ? "kernel with its module" : "kernel with its modules",
				module_at(l, i).size, LOADER_MB, LOADER_LOW_MAX, &r->module[i]))
			return false;
	return true;
}

bool load_multiboot(struct loader *l, size_t header, struct cpu_start *out)
{
	uint32_t flags = load_u32(l, header + 4);
	struct rest rest = { 0 };
	struct addresses a = { 0 };
	struct elf elf;

	if (!check_flags(l, flags))
		return false;
	if (flags & MULTIBOOT_ADDRESSES)
		return read_addresses(l, header, &a) && load_claim(l, "kernel", a.base, a.mem_size) &&
		       claim_rest(l, &rest) &&
		       load_write(l, a.base, (const uint8_t *)l->files->kernel + a.offset, a.file_size) &&
		       load_zero(l, a.base + a.file_size, a.mem_size - a.file_size) &&
		       load_rest(l, a.entry, &rest, out);
	/* The specification has ELF32 files only; GRUB takes ELF64 too, by its program headers, and so do we. */
	if (VM_KEPT(MB_CLASS, !elf_is_class(l, ELFCLASS32) && !elf_is_class(l, ELFCLASS64)))
		return load_fail(l, "the Multiboot kernel is no ELF file, and its header does not say where it is "
				    "loaded");
	return elf_claim(l, &elf) && claim_rest(l, &rest) && elf_write(l, &elf) &&
	       load_rest(l, elf.entry, &rest, out);
}
