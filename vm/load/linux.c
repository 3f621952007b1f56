/* vm/load/linux.c - Linux by its 64-bit or its 32-bit boot protocol, whichever the kernel is ("The Linux/x86 Boot
 * Protocol", sections "The Real-Mode Kernel Header", "32-bit Boot Protocol", "64-bit Boot Protocol", and "Zero
 * Page"). */
#include "vm/load/load.h"

#include "lib/mutants/mutate.h"
#include "lib/x86.h"

/* Where the loader's own tables lie: RAM that the kernel has read before it uses it for anything else. */
#define GDT_AT 0x6000ull       /* and a stack below the page's end, which no kernel needs */
#define ZERO_PAGE_AT 0x7000ull
#define CMDLINE_OFFSET 0x1000ull /* from the zero page */
#define PAGE_TABLES_AT 0x9000ull /* the PML4, the PDPT, one page directory per GiB */
#define TABLES_END 0xf000ull
#define MAPPED_GIB 4u
/* Before 2.02 a kernel finds its zero page, and in it the command line, at a fixed place. */
#define OLD_ZERO_PAGE_AT 0x90000ull
#define OLD_TABLES_END 0x92000ull
#define OLD_CMDLINE_MAGIC 0xa33fu
/* Of a zImage, which is not loaded high. */
#define ZIMAGE_AT 0x10000ull

#define BOOT_CS 0x10
#define BOOT_DS 0x18

/* The kernel's own limit where its header gives none (COMMAND_LINE_SIZE - 1). */
#define CMDLINE_MAX 2047u
/* The initrd's end where there is no header to say so; of a 32-bit kernel, what it maps at its start. */
#define INITRD_MAX_64 0x80000000ull
#define INITRD_MAX_32 0x38000000ull

#define BOOT_FLAG 0xaa55u
#define HEADER_MAGIC 0x53726448u /* "HdrS" */
#define VERSION_FILLED_IN 0x20fu /* what we know of, for a vmlinux, which has no header */
#define XLF_KERNEL_64 0x01u
#define ENTRY_64 0x200ull
#define LOADER_UNDEFINED 0xffu
#define VID_MODE_NORMAL 0xffffu

/* What the two formats hand to the part they share. */
struct linux_kernel {
	bool is64;             /* entered in long mode; else in protected mode without paging */
	uint64_t entry;
	uint64_t initrd_max;   /* the initrd lies below this */
	uint64_t cmdline_max;
	uint64_t zero_page;    /* where it lies */
	size_t header_end;     /* of the setup header in the image; 0: the image has none */
};

static bool claim_tables(struct loader *l, const struct linux_kernel *k)
{
	return load_claim(l, "loader's tables", GDT_AT, TABLES_END - GDT_AT) &&
	       (k->zero_page == ZERO_PAGE_AT ||
		VM_LEFT_OUT_OR(LINUX_OLD_TABLES, load_claim(l, "loader's tables", OLD_ZERO_PAGE_AT,
							    OLD_TABLES_END - OLD_ZERO_PAGE_AT)));
}

static bool write_gdt(struct loader *l, bool is64)
{
	const uint64_t gdt[] = { 0, 0, is64 ? DESCRIPTOR_FLAT_CODE64 : DESCRIPTOR_FLAT_CODE32, DESCRIPTOR_FLAT_DATA };

	return load_write(l, GDT_AT, gdt, sizeof(gdt));
}

/* Maps [first, first + 2M * 512) to itself with one page directory. */
static bool write_page_directory(struct loader *l, uint64_t at, uint64_t first)
{
	uint64_t pde[64];

	for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i += ARRAY_SIZE(pde)) {
		for (unsigned j = 0; j < ARRAY_SIZE(pde); j++)
			pde[j] = (first + ((uint64_t)(i + j) << 21)) | PTE_PS | PTE_W | PTE_P;
		if (!load_write(l, at + i * 8, pde, sizeof(pde)))
			return false;
	}
	return true;
}

static bool write_page_tables(struct loader *l)
{
	uint64_t pdpt = PAGE_TABLES_AT + PAGE_SIZE, pd = pdpt + PAGE_SIZE;

	if (!load_zero(l, PAGE_TABLES_AT, 2 * PAGE_SIZE) || !load_write_u64(l, PAGE_TABLES_AT, pdpt | PTE_W | PTE_P))
		return false;
	for (unsigned i = 0; i < MAPPED_GIB; i++, pd += PAGE_SIZE)
		if (!load_write_u64(l, pdpt + i * 8, pd | PTE_W | PTE_P) ||
		    !write_page_directory(l, pd, (uint64_t)i << 30))
			return false;
	return true;
}

static bool write_e820(struct loader *l, uint64_t zero_page)
{
	struct e820_entry map[LOAD_MAP_MAX];
	unsigned n = load_map(l, map);
	uint8_t count = (uint8_t)n;

	return load_write(l, zero_page + ZP_E820_TABLE, map, n * sizeof(map[0])) &&
	       load_write(l, zero_page + ZP_E820_ENTRIES, &count, 1);
}

/* What came before that map: how much there is above 1 MByte, in KBytes. */
static bool write_memory(struct loader *l, uint64_t zero_page)
{
	uint32_t kb = (uint32_t)((l->mem->low_ram_end - LOADER_MB) >> 10);

	return load_write_u16(l, zero_page + ZP_EXT_MEM_K, (uint16_t)min_u64(kb, UINT16_MAX)) &&
	       load_write_u32(l, zero_page + ZP_ALT_MEM_K, kb) && write_e820(l, zero_page);
}

/* The command line, and where it is: by both ways, of which a kernel knows one. */
static bool write_cmdline(struct loader *l, const struct linux_kernel *k)
{
	uint64_t at = k->zero_page + CMDLINE_OFFSET;

	if (k->zero_page != ZERO_PAGE_AT &&
	    !(load_write_u16(l, k->zero_page + ZP_OLD_CMDLINE_MAGIC, OLD_CMDLINE_MAGIC) &&
	      load_write_u16(l, k->zero_page + ZP_OLD_CMDLINE_OFFSET, CMDLINE_OFFSET)))
		return false;
	return load_write_u32(l, k->zero_page + ZP_CMD_LINE_PTR, (uint32_t)at) &&
	       load_write(l, at, l->files->cmdline, strlen(l->files->cmdline) + 1);
}

/* The setup header as the kernel's build made it, or what one for a vmlinux would say. */
static bool write_header(struct loader *l, const struct linux_kernel *k)
{
	const uint8_t loadflags = LOADFLAG_LOADED_HIGH;

	if (k->header_end)
		return load_write(l, k->zero_page + ZP_SETUP_SECTS, (const uint8_t *)l->files->kernel + ZP_SETUP_SECTS,
				  k->header_end - ZP_SETUP_SECTS);
	return load_write_u16(l, k->zero_page + ZP_BOOT_FLAG, BOOT_FLAG) &&
	       load_write_u32(l, k->zero_page + ZP_HEADER, HEADER_MAGIC) &&
	       load_write_u16(l, k->zero_page + ZP_VERSION, VERSION_FILLED_IN) &&
	       load_write(l, k->zero_page + ZP_LOADFLAGS, &loadflags, 1) &&
	       load_write_u32(l, k->zero_page + ZP_INITRD_ADDR_MAX, (uint32_t)(k->initrd_max - 1)) &&
	       load_write_u32(l, k->zero_page + ZP_KERNEL_ALIGNMENT, 2u << 20) &&
	       load_write_u16(l, k->zero_page + ZP_XLOADFLAGS, k->is64 ? XLF_KERNEL_64 : 0) &&
	       load_write_u32(l, k->zero_page + ZP_CMDLINE_SIZE, CMDLINE_MAX);
}

static bool write_zero_page(struct loader *l, const struct linux_kernel *k, uint64_t initrd)
{
	const uint8_t loader = LOADER_UNDEFINED;

	return load_zero(l, k->zero_page, PAGE_SIZE) && write_header(l, k) &&
	       load_write(l, k->zero_page + ZP_TYPE_OF_LOADER, &loader, 1) &&
	       load_write_u16(l, k->zero_page + ZP_VID_MODE, VID_MODE_NORMAL) &&
	       load_write_u32(l, k->zero_page + ZP_RAMDISK_IMAGE, (uint32_t)initrd) &&
	       load_write_u32(l, k->zero_page + ZP_RAMDISK_SIZE, (uint32_t)l->files->initrd_size) &&
	       load_write_u64(l, k->zero_page + ZP_ACPI_RSDP, l->mem->acpi_rsdp) && write_memory(l, k->zero_page) &&
	       write_cmdline(l, k);
}

static bool claim_initrd(struct loader *l, const struct linux_kernel *k, uint64_t *initrd)
{
	*initrd = 0;
	return l->files->initrd_size == 0 || load_place(l, "kernel with its initrd", l->files->initrd_size, LOADER_MB,
							k->initrd_max, initrd);
}

/* The kernel's own memory is claimed; the rest is, then all but the kernel itself is written. */
static bool load_rest(struct loader *l, const struct linux_kernel *k, struct cpu_start *out)
{
	size_t length = strlen(l->files->cmdline);
	uint64_t initrd;

	if (VM_KEPT(LINUX_CMDLINE, length > min_u64(k->cmdline_max, PAGE_SIZE - 1)))
		return load_fail(l, "the command line has %zu characters, this kernel takes %lu", length,
				 min_u64(k->cmdline_max, PAGE_SIZE - 1));
	if (!claim_initrd(l, k, &initrd))
		return false;
	if (!load_write(l, initrd, l->files->initrd, l->files->initrd_size) || !write_zero_page(l, k, initrd) ||
	    !write_gdt(l, k->is64) || (k->is64 && !write_page_tables(l)))
		return false;
	*out = (struct cpu_start){
		.mode = k->is64 ? START_LONG64 : START_PROT32,
		.rip = k->entry,
		.rsp = GDT_AT + PAGE_SIZE - 16,
		.rsi = k->zero_page,
		.cr3 = k->is64 ? PAGE_TABLES_AT : 0,
		.gdt_base = GDT_AT,
		.gdt_limit = BOOT_DS + 7,
		.cs = BOOT_CS,
		.ds = BOOT_DS,
	};
	return true;
}

/* ---- bzImage ---- */

/* "The Real-Mode Kernel Header": boot_flag, and header from protocol 2.00 on. */
bool bzimage_is(const struct loader *l)
{
	return l->files->kernel_size >= ZP_VERSION && load_u16(l, ZP_BOOT_FLAG) == BOOT_FLAG &&
	       VM_LEFT_OUT_OR(LINUX_MAGIC, load_u32(l, ZP_HEADER) == HEADER_MAGIC);
}

/* What each version has added ("Details of Header Fields"); what it lacks is as the first had it. *at: where the kernel
 * is loaded to, *room: bytes that it needs there, if it says. */
static void read_header(const struct loader *l, struct linux_kernel *k, uint64_t *at, uint64_t *room)
{
	unsigned version = load_u16(l, ZP_VERSION);
	bool high = load_u8(l, ZP_LOADFLAGS) & LOADFLAG_LOADED_HIGH;

	k->is64 = version >= LINUX_VERSION_XLOADFLAGS && (load_u16(l, ZP_XLOADFLAGS) & XLF_KERNEL_64);
	k->zero_page = version >= LINUX_VERSION_CMD_LINE_PTR ? ZERO_PAGE_AT : OLD_ZERO_PAGE_AT;
	k->initrd_max = version >= LINUX_VERSION_INITRD_MAX ? (uint64_t)load_u32(l, ZP_INITRD_ADDR_MAX) + 1
							      : INITRD_MAX_32;
	k->cmdline_max = version >= LINUX_VERSION_CMDLINE_SIZE ? load_u32(l, ZP_CMDLINE_SIZE) : LINUX_CMDLINE_OLD_MAX;
	*at = version >= LINUX_VERSION_INIT_SIZE ? load_u64(l, ZP_PREF_ADDRESS) : high ? LOADER_MB : ZIMAGE_AT;
	*room = version >= LINUX_VERSION_INIT_SIZE ? load_u32(l, ZP_INIT_SIZE) : 0;
	k->header_end = ZP_HEADER + load_u8(l, ZP_HEADER_LENGTH);
	if (version >= LINUX_VERSION_INIT_SIZE)
		k->header_end = max_u64(k->header_end, ZP_INIT_SIZE + 4);
	k->header_end = min_u64(k->header_end, ZP_HEADER_MAX);
}

/* Is the header one that we can follow? Its fields up to init_size are in the image afterwards. */
static bool check_bzimage(struct loader *l, struct linux_kernel *k, uint64_t *at, uint64_t *room)
{
	unsigned version;

	if (!load_in_file(l, 0, ZP_INIT_SIZE + 4, "setup header"))
		return false;
	version = load_u16(l, ZP_VERSION);
	if (VM_KEPT(LINUX_OLD, version < LINUX_VERSION_OLDEST))
		return load_fail(l, "the kernel is too old: its boot protocol is %u.%02u, at least 2.00 is needed",
				 version >> 8, version & 255);
	read_header(l, k, at, room);
	return load_in_file(l, 0, k->header_end, "setup header");
}

/* Bytes of the kernel's code, which begins at start in the image; up to 15 more than there are, since it is told in
 * paragraphs. Before 2.04 the field has 16 bits, which is too few, and so is not to be relied on. */
static uint64_t code_size(const struct loader *l, uint64_t start)
{
	if (load_u16(l, ZP_VERSION) < LINUX_VERSION_SYSSIZE)
		return l->files->kernel_size > start ? l->files->kernel_size - start : 0;
	return (uint64_t)load_u32(l, ZP_SYSSIZE) * 16;
}

static bool says_place(const struct loader *l) { return load_u16(l, ZP_VERSION) >= LINUX_VERSION_INIT_SIZE; }

/* "Loading The Rest of The Kernel": the protected-mode code lies behind the setup sectors. */
bool load_bzimage(struct loader *l, struct cpu_start *out)
{
	struct linux_kernel k = { 0 };
	uint64_t at = 0, room = 0, start, size;

	if (!check_bzimage(l, &k, &at, &room))
		return false;
	start = linux_setup_size(load_u8(l, ZP_SETUP_SECTS));
	size = code_size(l, start);
	if (VM_KEPT(LINUX_SIZE, size <= (k.is64 ? ENTRY_64 : 0) + 16))
		return load_fail(l, "the kernel image is damaged: its header says that it holds %lu bytes of code",
				 size);
	if (VM_KEPT(LINUX_CODE, !load_in_file(l, start, size - 15, "code")))
		return false;
	size = min_u64(size, l->files->kernel_size - start);
	if (VM_KEPT(LINUX_PLACE, at % PAGE_SIZE || (at < LOADER_MB && says_place(l))))
		return load_fail(l, "the kernel image is damaged: it wants to be loaded at 0x%lx", at);
	if (!load_claim(l, "kernel", at, max_u64(room, size)) || !claim_tables(l, &k))
		return false;
	k.entry = at + (k.is64 ? ENTRY_64 : 0);
	return load_write(l, at, (const uint8_t *)l->files->kernel + start, size) && load_rest(l, &k, out);
}

/* ---- vmlinux ---- */

/* The kernel's code is linked for the upper part of the address space (32 bits: from 1 GiB on, depending on how it was
 * configured) but loaded low, which no ordinary program's is. */
static bool has_kernel_addresses(const struct loader *l, const struct elf *elf)
{
	struct elf_segment s;

	for (unsigned i = 0; i < elf->phnum; i++)
		if (elf_segment(l, elf, i, &s) &&
		    (elf->is64 ? s.vaddr >> 47 == 0x1ffff : s.vaddr >> 30 != 0 && s.vaddr != s.paddr))
			return true;
	return false;
}

bool load_vmlinux(struct loader *l, struct cpu_start *out)
{
	/* Without a header: what every such kernel's header says. */
	struct linux_kernel k = { .cmdline_max = CMDLINE_MAX, .zero_page = ZERO_PAGE_AT };
	struct elf elf;
	const char *almost = multiboot_almost(l);

	if (!claim_tables(l, &k) || !elf_claim(l, &elf))
		return false;
	if (VM_KEPT(LINUX_ADDRESSES, !has_kernel_addresses(l, &elf)))
		return load_fail(l, "the kernel image is a %u-bit ELF program, but not a Linux kernel%s%s",
				 elf.is64 ? 64 : 32, almost ? ": " : ", nor has it a Multiboot header",
				 almost ? almost : "");
	k.is64 = elf.is64;
	k.initrd_max = elf.is64 ? INITRD_MAX_64 : INITRD_MAX_32;
	k.entry = elf.entry;
	return elf_write(l, &elf) && load_rest(l, &k, out);
}
