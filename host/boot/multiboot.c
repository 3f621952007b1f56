#include "host/boot/multiboot.h"

#include "host/memory/frames.h"
#include "lib/multiboot.h"
#include "lib/mutants/mutate.h"

#define TAG_END 0
#define TAG_COMMAND_LINE 1
#define TAG_MODULE 3
#define TAG_MMAP 6
#define TAG_RSDP_OLD 14
#define TAG_RSDP_NEW 15
#define MMAP_RAM 1
#define PROVOKE "provoke="
#define HIDE "hide="
#define EXCHANGE "exchange="
#define VPIDS "vpids="

struct tag {
	uint32_t type;
	uint32_t size;
};

struct mmap_tag {
	struct tag tag;
	uint32_t entry_size;
	uint32_t entry_version;
};

struct mmap_entry {
	uint64_t base, length;
	uint32_t type, reserved;
};

struct module_tag {
	struct tag tag;
	uint32_t start, end;
	char string[];
};

/* What the loader says lies in memory that becomes free. It is copied to RAM that nobody else has, however long it is,
 * and the modules that were asked for are kept behind it. Up to then it is read where the loader left it. */
static const uint8_t *left;
static struct boot_range kept;
static uint32_t total;
static char line[4096]; /* the hypervisor's command line */
static uint8_t rsdp[36]; /* ACPI, "Root System Description Pointer (RSDP)" */
static struct boot_info boot;
extern char image_start[], image_end[];

static const uint8_t *information(void) { return kept.base ? frames_at(HPA(kept.base)) : left; }
static struct boot_module *modules(void) { return frames_at(HPA(kept.base + align_up(total, 8))); }

static const struct tag *first_tag(void) { return (const struct tag *)(information() + 8); }

static const struct tag *next_tag(const struct tag *t)
{
	const uint8_t *next = (const uint8_t *)t + align_up(t->size, 8);

	if (t->type == TAG_END || t->size < 8 || next + sizeof(struct tag) > information() + total)
		return NULL;
	return (const struct tag *)next;
}

bool boot_ram(unsigned i, struct boot_range *ram)
{
	for (const struct tag *t = first_tag(); t; t = next_tag(t)) {
		const struct mmap_tag *m = (const void *)t;

		if (t->type != TAG_MMAP)
			continue;
		for (uint32_t off = sizeof(*m); off + sizeof(struct mmap_entry) <= t->size; off += m->entry_size) {
			const struct mmap_entry *e = (const void *)((const uint8_t *)m + off);

			if (e->type != MMAP_RAM || i--)
				continue;
			*ram = (struct boot_range){ e->base, e->base + e->length };
			return true;
		}
	}
	return false;
}

/* What is no number, or larger than a VPID can be, is 0. */
static uint32_t read_decimal(const char *digits)
{
	uint32_t n = 0;

	for (; *digits >= '0' && *digits <= '9' && n <= UINT16_MAX; digits++)
		n = n * 10 + (uint32_t)(*digits - '0');
	return *digits || n > UINT16_MAX ? 0 : n;
}

/* Words with single blanks between them; what is no word of ours is a boot loader's. */
static void read_command_line(char *word)
{
	while (word) {
		char *next = word;

		while (*next && *next != ' ')
			next++;
		if (*next)
			*next++ = '\0';
		else
			next = NULL;
		if (!strcmp(word, "native"))
			boot.native = true;
		else if (!strcmp(word, "stay"))
			boot.stay = true;
		else if (!strncmp(word, PROVOKE, strlen(PROVOKE)))
			boot.provoke = word + strlen(PROVOKE);
		else if (!strncmp(word, HIDE, strlen(HIDE)))
			boot.hide = word + strlen(HIDE);
		else if (!strncmp(word, EXCHANGE, strlen(EXCHANGE)))
			boot.exchange = word + strlen(EXCHANGE);
		else if (!strncmp(word, VPIDS, strlen(VPIDS)))
			boot.vpids = read_decimal(word + strlen(VPIDS));
		word = next;
	}
}

/* ---- where the copy and the map of the frames lie ---- */

/* What must stay as it is: everything below 1 MiB, the image, what the loader said, and the modules. */
struct taken {
	unsigned count;         /* of ranges, so far */
	const struct tag *next; /* where a module may be */
};

static bool next_module(struct taken *at, struct boot_range *r)
{
	for (const struct tag *t = at->next; t; t = next_tag(t)) {
		const struct module_tag *m = (const void *)t;

		if (t->type != TAG_MODULE)
			continue;
		*r = (struct boot_range){ m->start, m->end };
		at->next = next_tag(t);
		return true;
	}
	at->next = NULL;
	return false;
}

/* From { 0 } on. false: there is no further range. */
static bool next_taken(struct taken *at, struct boot_range *r)
{
	switch (at->count++) {
	case 0:
		*r = (struct boot_range){ 0, 1 << 20 };
		return true;
	case 1:
		*r = (struct boot_range){ (uintptr_t)image_start, (uintptr_t)image_end };
		return true;
	case 2:
		at->next = first_tag();
		*r = (struct boot_range){ 0, 0 };
		if (kept.base)
			VM_MUTANT(BOOT_KEPT, *r = kept);
		else
			VM_MUTANT(BOOT_BESIDE, *r = (struct boot_range){ (uintptr_t)left, (uintptr_t)left + total });
		return true;
	default:
		return next_module(at, r);
	}
}

/* The end of what is in the way of [base, base + bytes); 0: nothing. */
static uint64_t in_the_way(uint64_t base, uint64_t bytes)
{
	struct taken at = { 0 };
	struct boot_range r;

	while (next_taken(&at, &r))
		if (r.base < base + bytes && r.end > base)
			return align_up(r.end, PAGE_SIZE);
	return 0;
}

/* Of whole pages, below 4 GiB, which the first tables map. Empty: no room. */
static struct boot_range place(uint64_t bytes)
{
	struct boot_range ram;

	bytes = align_up(bytes, PAGE_SIZE);
	for (unsigned i = 0; boot_ram(i, &ram); i++) {
		uint64_t base = align_up(ram.base, PAGE_SIZE), end = min_u64(ram.end, FOUR_GIB), next;

		while ((next = in_the_way(base, bytes)))
			base = next;
		if (base < end && end - base >= bytes)
			return (struct boot_range){ base, base + bytes };
	}
	return (struct boot_range){ 0, 0 };
}

static const char *keep_information(void)
{
	struct taken at = { 0, first_tag() };
	struct boot_range r;
	uint64_t bytes = align_up(total, 8);

	while (next_module(&at, &r))
		bytes += sizeof(struct boot_module);
	r = place(bytes);
	if (!r.base)
		return "there is no room in RAM below 4 GiB for what the boot loader says";
	memcpy(frames_at(HPA(r.base)), left, total);
	kept = r;
	return NULL;
}

static const char *give_frames(void)
{
	uint64_t end = 0;
	struct taken at = { 0 };
	struct boot_range r, map;

	for (unsigned i = 0; boot_ram(i, &r); i++)
		end = max_u64(end, r.end);
	map = place(frames_map_bytes(end));
	if (!map.base)
		return "there is no room in RAM below 4 GiB for the map of its frames";
	frames_init(map.base, end);
	for (unsigned i = 0; boot_ram(i, &r); i++)
		frames_add(r.base, r.end);
	frames_reserve(map.base, map.end);
	while (next_taken(&at, &r))
		frames_reserve(r.base, r.end);
	return NULL;
}

/* Their words, which are read before the rest is copied: they go on being seen where they are here. */
static const char *read_words(void)
{
	for (const struct tag *t = first_tag(); t; t = next_tag(t)) {
		uint64_t bytes = t->size - sizeof(*t);

		if (t->type == TAG_COMMAND_LINE) {
			if (bytes > sizeof(line))
				return "the hypervisor's command line is longer than 4095 characters";
			memcpy(line, t + 1, bytes);
			read_command_line(line);
		} else if (t->type == TAG_RSDP_NEW || (t->type == TAG_RSDP_OLD && !boot.rsdp)) {
			memcpy(rsdp, t + 1, min_u64(bytes, sizeof(rsdp)));
			boot.rsdp = rsdp;
		}
	}
	return NULL;
}

const char *boot_info_read(uint32_t magic, const void *loaders)
{
	const char *why;
	struct boot_range ram;

	if (magic != MULTIBOOT2_BOOT_MAGIC)
		return "the boot loader is no Multiboot2 loader; boot vellum.elf with GRUB's multiboot2 command";
	left = loaders;
	total = *(const uint32_t *)loaders;
	if (!boot_ram(0, &ram))
		return "the boot loader gave no memory map";
	why = read_words();
	if (!why)
		why = keep_information();
	return why ? why : give_frames();
}

const struct boot_info *boot_info(void) { return &boot; }

/* Is it the first word of the module's string? */
static bool has_name(const struct module_tag *m, const char *name)
{
	const char *word = m->string;

	for (; *name && *name != ' ' && *word == *name; name++)
		word++;
	return *name == '\0' && (*word == '\0' || *word == ' ');
}

const struct boot_module *boot_module_find(const char *name)
{
	struct boot_module *found = modules();

	for (const struct tag *t = first_tag(); t; t = next_tag(t)) {
		const struct module_tag *m = (const void *)t;

		if (t->type != TAG_MODULE)
			continue;
		if (has_name(m, name)) {
			*found = (struct boot_module){ frames_at(HPA(m->start)), m->end - m->start };
			return found;
		}
		found++;
	}
	return NULL;
}
