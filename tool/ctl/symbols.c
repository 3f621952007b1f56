/* The symbols of an ELF file: functions and objects, by address. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool/ctl/guest.h"

struct symbol {
	uint64_t address, bytes;
	const char *name;       /* in .file */
};

struct symbols {
	struct bytes file;
	struct symbol *symbol;
	size_t count;
};

/* Is [offset, offset + bytes) in the file? */
static bool within(const struct bytes *file, uint64_t offset, uint64_t bytes)
{
	return offset <= file->length && bytes <= file->length - offset;
}

static void add(struct symbols *s, uint64_t address, uint64_t bytes, unsigned type, const char *name, const char *end)
{
	if (address == 0 || (type != STT_FUNC && type != STT_OBJECT && type != STT_NOTYPE) || name >= end ||
	    *name == 0 || memchr(name, 0, (size_t)(end - name)) == NULL)
		return;
	s->symbol = grow(s->symbol, (s->count + 1) * sizeof *s->symbol);
	s->symbol[s->count++] = (struct symbol){ address, bytes, name };
}

static void read_table64(struct symbols *s, const Elf64_Shdr *table, const Elf64_Shdr *names)
{
	const char *base = s->file.data + names->sh_offset, *end = base + names->sh_size;

	for (uint64_t n = 0; n < table->sh_size / sizeof(Elf64_Sym); n++) {
		Elf64_Sym symbol;

		memcpy(&symbol, s->file.data + table->sh_offset + n * sizeof symbol, sizeof symbol);
		if (symbol.st_name < names->sh_size)
			add(s, symbol.st_value, symbol.st_size, ELF64_ST_TYPE(symbol.st_info), base + symbol.st_name,
			    end);
	}
}

static void read_table32(struct symbols *s, const Elf64_Shdr *table, const Elf64_Shdr *names)
{
	const char *base = s->file.data + names->sh_offset, *end = base + names->sh_size;

	for (uint64_t n = 0; n < table->sh_size / sizeof(Elf32_Sym); n++) {
		Elf32_Sym symbol;

		memcpy(&symbol, s->file.data + table->sh_offset + n * sizeof symbol, sizeof symbol);
		if (symbol.st_name < names->sh_size)
			add(s, symbol.st_value, symbol.st_size, ELF32_ST_TYPE(symbol.st_info), base + symbol.st_name,
			    end);
	}
}

/* The n-th section's header, in 64 bits whatever the file has; false: it is not in the file. */
static bool section(const struct symbols *s, uint64_t n, Elf64_Shdr *header)
{
	bool wide = s->file.data[EI_CLASS] == ELFCLASS64;
	Elf64_Ehdr e64;
	Elf32_Ehdr e32;
	Elf32_Shdr h32;

	memcpy(&e64, s->file.data, sizeof e64);
	memcpy(&e32, s->file.data, sizeof e32);
	if (n >= (wide ? e64.e_shnum : e32.e_shnum))
		return false;
	if (wide) {
		if (!within(&s->file, e64.e_shoff, (n + 1) * sizeof *header))
			return false;
		memcpy(header, s->file.data + e64.e_shoff + n * sizeof *header, sizeof *header);
	} else {
		if (!within(&s->file, e32.e_shoff, (n + 1) * sizeof h32))
			return false;
		memcpy(&h32, s->file.data + e32.e_shoff + n * sizeof h32, sizeof h32);
		*header = (Elf64_Shdr){ .sh_type = h32.sh_type, .sh_offset = h32.sh_offset, .sh_size = h32.sh_size,
			.sh_link = h32.sh_link };
	}
	return header->sh_type == SHT_NOBITS || within(&s->file, header->sh_offset, header->sh_size);
}

static int earlier(const void *a, const void *b)
{
	const struct symbol *one = a, *other = b;

	return one->address < other->address ? -1 : one->address > other->address;
}

struct symbols *symbols_read(const char *path)
{
	struct symbols *s = allocate(sizeof *s);
	Elf64_Shdr table, names;

	*s = (struct symbols){ .count = 0 };
	if (!file_read(path, &s->file))
		die(STATUS_USAGE, "--symbols %s: %s", path, strerror(errno));
	if (s->file.length < sizeof(Elf64_Ehdr) || memcmp(s->file.data, ELFMAG, SELFMAG) != 0)
		die(STATUS_USAGE, "--symbols %s: is no ELF file (of a Linux kernel it is vmlinux, not bzImage)", path);
	for (uint64_t n = 0; section(s, n, &table); n++)
		if (table.sh_type == SHT_SYMTAB && section(s, table.sh_link, &names))
			(s->file.data[EI_CLASS] == ELFCLASS64 ? read_table64 : read_table32)(s, &table, &names);
	if (s->count == 0)
		die(STATUS_USAGE, "--symbols %s: has no symbols", path);
	qsort(s->symbol, s->count, sizeof *s->symbol, earlier);
	return s;
}

void symbols_free(struct symbols *s)
{
	if (s == NULL)
		return;
	bytes_free(&s->file);
	free(s->symbol);
	free(s);
}

void symbols_name(const struct symbols *s, uint64_t address, char *buf, size_t size)
{
	size_t low = 0, high = s != NULL ? s->count : 0;
	const struct symbol *found;

	*buf = 0;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->symbol[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return;
	found = &s->symbol[low - 1];
	/* One without a size goes up to the next. */
	if (found->bytes != 0 && address - found->address >= found->bytes)
		return;
	if (address == found->address)
		snprintf(buf, size, "%s", found->name);
	else
		snprintf(buf, size, "%s+0x%llx", found->name, (unsigned long long)(address - found->address));
}

bool symbols_find(const struct symbols *s, const char *name, uint64_t *address)
{
	for (size_t n = 0; s != NULL && n < s->count; n++)
		if (strcmp(s->symbol[n].name, name) == 0) {
			*address = s->symbol[n].address;
			return true;
		}
	return false;
}
