#include "tool/emulator/slim.h"

#include <elf.h>
#include <string.h>

#include "lib/multiboot.h"

enum {
	SMALLEST_HOLE = 256 << 10,      /* a shorter run of zeros is copied: every hole costs a program header */
	MOST_HEADERS = 64,
	ALIGNMENT = 16,
};

struct headers {
	Elf64_Phdr list[MOST_HEADERS];
	unsigned count;
};

static bool sound(const struct bytes *image, Elf64_Ehdr *header)
{
	if (image->length < sizeof *header)
		return false;
	memcpy(header, image->data, sizeof *header);
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB && header->e_machine == EM_X86_64 &&
	       header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum > 0 && header->e_phnum < MOST_HEADERS &&
	       header->e_phoff <= image->length &&
	       header->e_phnum * sizeof(Elf64_Phdr) <= image->length - header->e_phoff;
}

static bool segment_sound(const struct bytes *image, const Elf64_Phdr *segment)
{
	return segment->p_offset <= image->length && segment->p_filesz <= image->length - segment->p_offset &&
	       segment->p_filesz <= segment->p_memsz && segment->p_paddr + segment->p_memsz >= segment->p_paddr;
}

static size_t zeros_at(const char *data, size_t length)
{
	size_t n = 0;

	while (n < length && data[n] == 0)
		n++;
	return n;
}

/* Length of what comes before the first hole of [data, data + length). */
static size_t until_hole(const char *data, size_t length)
{
	/* One that is long enough has the last byte of a block of that length, counted from the beginning. */
	for (size_t at = SMALLEST_HOLE - 1; at < length; at += SMALLEST_HOLE) {
		size_t start = at + 1;

		while (start > 0 && data[start - 1] == 0)
			start--;
		if (start <= at && zeros_at(data + start, length - start) >= SMALLEST_HOLE)
			return start;
	}
	while (length > 0 && data[length - 1] == 0)
		length--;
	return length;
}

/* Adds the part [at, end) of a segment, of which `kept` bytes are copied and the rest is zero. */
static bool add_part(struct headers *headers, const Elf64_Phdr *segment, size_t at, size_t end, size_t kept)
{
	Elf64_Phdr part = *segment;

	if (headers->count == MOST_HEADERS)
		return false;
	part.p_offset = segment->p_offset + at;
	part.p_vaddr += at;
	part.p_paddr += at;
	part.p_filesz = kept;
	part.p_memsz = end - at;
	headers->list[headers->count++] = part;
	return true;
}

/* Cuts a loadable segment at its holes: each part is followed by the zeros that come after it. */
static bool split(const struct bytes *image, const Elf64_Phdr *segment, struct headers *headers)
{
	const char *data = image->data + segment->p_offset;
	size_t length = segment->p_filesz, at = 0;

	do {
		size_t kept = until_hole(data + at, length - at), end = at + kept;

		end += zeros_at(data + end, length - end);
		if (!add_part(headers, segment, at, end == length ? segment->p_memsz : end, kept))
			return false;
		at = end;
	} while (at < length);
	return true;
}

/* Where a note lies in the new file: inside the part that holds its address. Zero when it is in none. */
static Elf64_Off moved(const struct headers *headers, const Elf64_Phdr *note, const Elf64_Off *offsets)
{
	for (unsigned i = 0; i < headers->count; i++) {
		const Elf64_Phdr *part = &headers->list[i];

		if (part->p_type == PT_LOAD && note->p_offset >= part->p_offset &&
		    note->p_offset - part->p_offset + note->p_filesz <= part->p_filesz)
			return offsets[i] + (note->p_offset - part->p_offset);
	}
	return 0;
}

static void emit(const struct bytes *image, Elf64_Ehdr header, struct headers *headers, struct bytes *out)
{
	static const char padding[ALIGNMENT];
	Elf64_Off offsets[MOST_HEADERS] = { 0 };
	size_t at = sizeof header + headers->count * sizeof(Elf64_Phdr);

	for (unsigned i = 0; i < headers->count; i++)
		if (headers->list[i].p_type == PT_LOAD) {
			at = (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
			offsets[i] = at;
			at += headers->list[i].p_filesz;
		}
	for (unsigned i = 0; i < headers->count; i++)
		if (headers->list[i].p_type != PT_LOAD)
			offsets[i] = moved(headers, &headers->list[i], offsets);
	header.e_phoff = sizeof header;
	header.e_phnum = (Elf64_Half)headers->count;
	header.e_shoff = 0;
	header.e_shnum = header.e_shstrndx = 0;
	bytes_add(out, &header, sizeof header);
	for (unsigned i = 0; i < headers->count; i++) {
		Elf64_Phdr part = headers->list[i];

		part.p_offset = offsets[i];
		part.p_align = 1;
		bytes_add(out, &part, sizeof part);
	}
	for (unsigned i = 0; i < headers->count; i++)
		if (headers->list[i].p_type == PT_LOAD) {
			bytes_add(out, padding, offsets[i] - out->length);
			bytes_add(out, image->data + headers->list[i].p_offset, headers->list[i].p_filesz);
		}
}

/* A Multiboot 1 header with address fields says where in the file the kernel lies, whatever the ELF headers say
 * (Multiboot Specification, "The address fields of Multiboot header"): such a file must stay as it is. */
static bool has_file_offsets(const struct bytes *image)
{
	enum { SEARCH = 8192 };

	for (size_t at = 0; at + 12 <= image->length && at + 12 <= SEARCH; at += 4) {
		uint32_t word[3];

		memcpy(word, image->data + at, sizeof word);
		if (word[0] == MULTIBOOT_HEADER_MAGIC && word[0] + word[1] + word[2] == 0)
			return (word[1] & MULTIBOOT_ADDRESSES) != 0;
	}
	return false;
}

bool slim_elf(const struct bytes *image, struct bytes *out)
{
	struct headers headers = { .count = 0 };
	Elf64_Ehdr header;

	if (!sound(image, &header) || has_file_offsets(image))
		return false;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, image->data + header.e_phoff + i * sizeof segment, sizeof segment);
		if (segment.p_type != PT_LOAD && segment.p_type != PT_NOTE)
			continue;
		if (!segment_sound(image, &segment))
			return false;
		if (segment.p_type == PT_NOTE ? !add_part(&headers, &segment, 0, segment.p_memsz, segment.p_filesz)
					      : !split(image, &segment, &headers))
			return false;
	}
	emit(image, header, &headers, out);
	return out->length < image->length;
}
