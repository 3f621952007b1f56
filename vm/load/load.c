/* vm/load/load.c - loading a guest: what is common to the formats (vm/load/image.h has the rules LI1 to LI4). */
#include "vm/load/load.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

bool load_fail(struct loader *l, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fmt_v(l->error, l->error_size, format, ap);
	va_end(ap);
	return false;
}

uint8_t load_u8(const struct loader *l, size_t offset) { return ((const uint8_t *)l->files->kernel)[offset]; }

uint16_t load_u16(const struct loader *l, size_t offset)
{
	uint16_t v;

	memcpy(&v, (const uint8_t *)l->files->kernel + offset, sizeof(v));
	return v;
}

uint32_t load_u32(const struct loader *l, size_t offset)
{
	uint32_t v;

	memcpy(&v, (const uint8_t *)l->files->kernel + offset, sizeof(v));
	return v;
}

uint64_t load_u64(const struct loader *l, size_t offset)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)l->files->kernel + offset, sizeof(v));
	return v;
}

bool load_in_file(struct loader *l, uint64_t offset, uint64_t n, const char *what)
{
	size_t size = l->files->kernel_size;

	if (VM_LEFT_OUT_OR(LOAD_FILE, offset <= size && n <= size - offset))
		return true;
	if (n > UINT64_MAX - offset)
		return load_fail(l, "the kernel image is damaged: its %s would begin at byte %lu and be %lu long", what,
				 offset, n);
	return load_fail(l, "the kernel image is cut short: it has %zu bytes, its %s should end at byte %lu", size,
			 what, offset + n);
}

/* ---- RAM ---- */

static uint64_t megabytes(uint64_t bytes) { return (bytes + LOADER_MB - 1) >> 20; }

static bool too_little_ram(struct loader *l, const char *what, uint64_t needed)
{
	if (needed > LOADER_LOW_MAX)
		return load_fail(l,
				 "the %s cannot be loaded: it reaches to %lu MB, a machine has RAM to load into only "
				 "up to %llu MB",
				 what, megabytes(needed), LOADER_LOW_MAX >> 20);
	return load_fail(l, "the %s needs %lu MB of RAM, the machine has %lu MB", what, megabytes(needed),
			 (l->mem->low_ram_end + l->mem->high_ram) >> 20);
}

bool load_reaches(struct loader *l, const char *what, uint64_t end)
{
	return VM_LEFT_OUT_OR(LOAD_RAM, end <= l->mem->low_ram_end) || too_little_ram(l, what, end);
}

static const struct load_claim *overlap(const struct loader *l, uint64_t base, uint64_t end)
{
	for (unsigned i = 0; i < l->claims; i++)
		if (base < l->claim[i].end && l->claim[i].base < end)
			return &l->claim[i];
	return NULL;
}

static bool add_claim(struct loader *l, const char *what, uint64_t base, uint64_t end)
{
	if (VM_KEPT(LOAD_CLAIMS, l->claims == LOAD_CLAIMS_MAX))
		return load_fail(l, "the kernel image has too many segments");
	l->claim[l->claims++] = (struct load_claim){ what, base, end };
	return true;
}

bool load_claim(struct loader *l, const char *what, uint64_t base, uint64_t size)
{
	const struct load_claim *other;
	uint64_t end = base + size;

	if (size == 0)
		return true;
	if (VM_KEPT(LOAD_WRAP, end < base))
		return load_fail(l, "the %s cannot be loaded: it would begin at 0x%lx and be %lu bytes long", what,
				 base, size);
	if (!load_reaches(l, what, end))
		return false;
	if (VM_KEPT(LOAD_HOLE, base < LOADER_MB && end > LOADER_EBDA))
		return load_fail(l, "the %s cannot be loaded at 0x%lx to 0x%lx: there is no RAM from 0x%llx to 0x%llx",
				 what, base, end, LOADER_EBDA, LOADER_MB);
	other = overlap(l, base, end);
	if (VM_KEPT(LOAD_OVERLAP, other))
		return load_fail(l, "the %s cannot be loaded at 0x%lx to 0x%lx: the %s is there", what, base, end,
				 other->what);
	return add_claim(l, what, base, end);
}

bool load_place(struct loader *l, const char *what, uint64_t size, uint64_t low, uint64_t high, uint64_t *base)
{
	const struct load_claim *other;
	uint64_t at, top = min_u64(high, l->mem->low_ram_end), needed = low;

	for (unsigned i = 0; i < l->claims; i++)
		needed = max_u64(needed, l->claim[i].end);
	/* Each round goes below one more claim, or ends. */
	while (top >= size && (at = align_down(top - size, PAGE_SIZE)) >= low) {
		other = overlap(l, at, at + size);
		if (!other) {
			*base = at;
			return load_claim(l, what, at, size);
		}
		top = other->base;
	}
	if (size > LOADER_LOW_MAX)
		return too_little_ram(l, what, size);
	needed = align_up(needed, PAGE_SIZE) + size;
	if (needed <= high && needed > l->mem->low_ram_end)
		return too_little_ram(l, what, needed);
	return load_fail(l, "there is no room for the %s (%lu KB) between 0x%lx and 0x%lx", what, (size + 1023) >> 10,
			 low, high);
}

static bool cannot_write(struct loader *l, uint64_t gpa)
{
	return load_fail(l, "the host has too little memory: the guest's RAM at 0x%lx cannot be written", gpa);
}

bool load_write(struct loader *l, uint64_t gpa, const void *data, size_t n)
{
	return n == 0 || l->mem->write(l->mem->ctx, GPA(gpa), data, n) || cannot_write(l, gpa);
}

bool load_write_u16(struct loader *l, uint64_t gpa, uint16_t value)
{
	return load_write(l, gpa, &value, sizeof(value));
}
bool load_write_u32(struct loader *l, uint64_t gpa, uint32_t value)
{
	return load_write(l, gpa, &value, sizeof(value));
}
bool load_write_u64(struct loader *l, uint64_t gpa, uint64_t value)
{
	return load_write(l, gpa, &value, sizeof(value));
}

bool load_zero(struct loader *l, uint64_t gpa, uint64_t n)
{
	return n == 0 || l->mem->zero(l->mem->ctx, GPA(gpa), n) || cannot_write(l, gpa);
}

unsigned load_map(const struct loader *l, struct e820_entry map[LOAD_MAP_MAX])
{
	unsigned n = 0;

	map[n++] = (struct e820_entry){ 0, LOADER_EBDA, E820_RAM };
	map[n++] = (struct e820_entry){ LOADER_EBDA, LOADER_LOW_HOLE - LOADER_EBDA, E820_RESERVED };
	map[n++] = (struct e820_entry){ LOADER_FIRMWARE, LOADER_MB - LOADER_FIRMWARE, E820_RESERVED };
	if (l->mem->low_ram_end > LOADER_MB)
		map[n++] = (struct e820_entry){ LOADER_MB, l->mem->low_ram_end - LOADER_MB, E820_RAM };
	if (l->mem->high_ram)
		map[n++] = (struct e820_entry){ 4ull << 30, l->mem->high_ram, E820_RAM };
	return n;
}

/* ---- which format ---- */

static bool load_linux(struct loader *l, struct cpu_start *out)
{
	if (VM_KEPT(LOAD_MODULES, l->files->modules))
		return load_fail(l, "a Linux kernel takes no modules: give it one file as its initrd");
	return bzimage_is(l) ? load_bzimage(l, out) : load_vmlinux(l, out);
}

bool load_image(const struct loader_memory *mem, const struct image_files *files, struct cpu_start *out, char *error,
		size_t error_size)
{
	struct loader l = { .mem = mem, .files = files, .error = error, .error_size = error_size };
	const char *almost;
	size_t header;

	memset(out, 0, sizeof(*out));
	if (VM_KEPT(LOAD_LOW,
		    mem->low_ram_end < LOADER_MB || mem->low_ram_end > LOADER_LOW_MAX || mem->low_ram_end % PAGE_SIZE))
		return load_fail(&l, "a machine cannot have %lu bytes of RAM below 4 GiB", mem->low_ram_end);
	if (VM_KEPT(LOAD_EMPTY, files->kernel_size == 0))
		return load_fail(&l, "the kernel image is empty");
	if (bzimage_is(&l))
		return load_linux(&l, out);
	header = multiboot_header(&l);
	if (header != SIZE_MAX)
		return load_multiboot(&l, header, out);
	if (elf_is_class(&l, ELFCLASS32) || elf_is_class(&l, ELFCLASS64))
		return load_linux(&l, out);
	almost = multiboot_almost(&l);
	if (almost)
		return load_fail(&l, "the kernel image cannot be loaded: %s", almost);
	return load_fail(&l,
			 "the kernel image (%zu bytes) is neither a Linux bzImage or vmlinux nor a Multiboot 1 kernel",
			 files->kernel_size);
}
