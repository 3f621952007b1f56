/* vm/load/elf.c - ELF executables, 32 and 64 bits (Tool Interface Standard, "Executable and Linking Format"; AMD64
 * supplement). */
#include "vm/load/load.h"

#include "lib/mutants/mutate.h"

/* "ELF Header" and "ELF Identification"; "Program Header". */
#define EI_CLASS 4
#define EI_DATA 5
#define ELFDATA2LSB 1
#define ET_EXEC 2
#define EM_386 3
#define EM_X86_64 62
#define PT_LOAD 1

bool elf_is_class(const struct loader *l, unsigned class)
{
	const uint8_t *p = l->files->kernel;

	return l->files->kernel_size >= 5 && memcmp(p, "\177ELF", 4) == 0 && p[EI_CLASS] == class;
}

/* The file header. e_phoff, e_phentsize and e_phnum are where the class has them. */
static bool read_header(struct loader *l, struct elf *elf)
{
	const uint8_t *p = l->files->kernel;
	unsigned phentsize, bits = p[EI_CLASS] == ELFCLASS64 ? 64 : 32;

	*elf = (struct elf){ .is64 = p[EI_CLASS] == ELFCLASS64 };
	if (!load_in_file(l, 0, elf->is64 ? 64 : 52, "ELF header"))
		return false;
	if (VM_KEPT(ELF_KIND, p[EI_DATA] != ELFDATA2LSB || load_u16(l, 16) != ET_EXEC ||
				      load_u16(l, 18) != (elf->is64 ? EM_X86_64 : EM_386)))
		return load_fail(l, "the kernel image is an ELF file, but not a %u-bit executable for x86", bits);
	elf->entry = elf->is64 ? load_u64(l, 24) : load_u32(l, 24);
	elf->phoff = elf->is64 ? load_u64(l, 32) : load_u32(l, 28);
	phentsize = load_u16(l, elf->is64 ? 54 : 42);
	elf->phnum = load_u16(l, elf->is64 ? 56 : 44);
	if (VM_KEPT(ELF_HEADERS, elf->phnum == 0 || phentsize != (elf->is64 ? 56 : 32)))
		return load_fail(l, "the kernel image is an ELF file without usable program headers (%u of %u bytes)",
				 elf->phnum, phentsize);
	return load_in_file(l, elf->phoff, (uint64_t)elf->phnum * phentsize, "table of program headers");
}

/* "Program Header": the offsets of its members in files of 32 and of 64 bits. Others than PT_LOAD are not loaded. */
bool elf_segment(const struct loader *l, const struct elf *elf, unsigned i, struct elf_segment *out)
{
	size_t at = elf->phoff + (size_t)i * (elf->is64 ? 56 : 32);

	if (VM_KEPT(ELF_LOAD, load_u32(l, at) != PT_LOAD))
		return false;
	if (elf->is64)
		*out = (struct elf_segment){ .offset = load_u64(l, at + 8), .vaddr = load_u64(l, at + 16),
					     .paddr = load_u64(l, at + 24),
					     .file_size = load_u64(l, at + 32), .mem_size = load_u64(l, at + 40) };
	else
		*out = (struct elf_segment){ .offset = load_u32(l, at + 4), .vaddr = load_u32(l, at + 8),
					     .paddr = load_u32(l, at + 12),
					     .file_size = load_u32(l, at + 16), .mem_size = load_u32(l, at + 20) };
	return out->mem_size > 0;
}

/* "Program Header", PT_LOAD: the file has at most what memory has. */
static bool claim_segment(struct loader *l, const struct elf_segment *s)
{
	if (VM_KEPT(ELF_SIZES, s->file_size > s->mem_size))
		return load_fail(l,
				 "the kernel image is damaged: a segment has %lu bytes in the file but %lu in memory",
				 s->file_size, s->mem_size);
	return load_in_file(l, s->offset, s->file_size, "segment") && load_claim(l, "kernel", s->paddr, s->mem_size);
}

/* e_entry is a virtual address; kernels whose code runs at physical addresses first may have put one of those there. */
static bool find_entry(const struct loader *l, const struct elf *elf, uint64_t *gpa)
{
	struct elf_segment s;
	bool found = false;

	for (unsigned i = 0; i < elf->phnum; i++) {
		if (!elf_segment(l, elf, i, &s))
			continue;
		if (elf->entry - s.paddr < s.mem_size) {
			*gpa = elf->entry;
			return true;
		}
		if (elf->entry - s.vaddr < s.mem_size) {
			*gpa = elf->entry - s.vaddr + s.paddr;
			found = true;
		}
	}
	return found;
}

/* Where the highest segment ends. One that wraps, which is refused for itself, does not count. */
static uint64_t highest_end(const struct loader *l, const struct elf *elf)
{
	struct elf_segment s;
	uint64_t end = 0;

	for (unsigned i = 0; i < elf->phnum; i++)
		if (elf_segment(l, elf, i, &s) && s.mem_size <= UINT64_MAX - s.paddr)
			end = max_u64(end, s.paddr + s.mem_size);
	return end;
}

bool elf_claim(struct loader *l, struct elf *elf)
{
	struct elf_segment s;
	unsigned loaded = 0;

	/* The RAM for all of it at once, so that who gives it more need not ask again. */
	if (!read_header(l, elf) || !load_reaches(l, "kernel", highest_end(l, elf)))
		return false;
	for (unsigned i = 0; i < elf->phnum; i++) {
		if (!elf_segment(l, elf, i, &s))
			continue;
		if (!claim_segment(l, &s))
			return false;
		loaded++;
	}
	if (VM_KEPT(ELF_NOTHING, loaded == 0))
		return load_fail(l, "the kernel image is an ELF file in which there is nothing to load");
	if (VM_KEPT(ELF_ENTRY, !find_entry(l, elf, &elf->entry)))
		return load_fail(l, "the kernel image is damaged: its entry 0x%lx is in none of its segments",
				 elf->entry);
	return true;
}

bool elf_write(struct loader *l, const struct elf *elf)
{
	struct elf_segment s;

	for (unsigned i = 0; i < elf->phnum; i++) {
		if (!elf_segment(l, elf, i, &s))
			continue;
		if (!load_write(l, s.paddr, (const uint8_t *)l->files->kernel + s.offset, s.file_size) ||
		    !load_zero(l, s.paddr + s.file_size, s.mem_size - s.file_size))
			return false;
	}
	return true;
}
