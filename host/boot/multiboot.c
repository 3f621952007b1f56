#include "host/boot/multiboot.h"

#include "host/memory/frames.h"
#include "lib/multiboot.h"

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

/* The information itself lies in memory that becomes free: a copy is kept. */
static uint8_t copy[16384] __attribute__((aligned(8)));
static struct boot_info boot;
extern char image_start[], image_end[];

static struct tag *first_tag(void) { return (struct tag *)(copy + 8); }

static struct tag *next_tag(struct tag *t)
{
	uint8_t *next = (uint8_t *)t + align_up(t->size, 8);

	if (t->type == TAG_END || t->size < 8 || next + sizeof(struct tag) > copy + sizeof(copy))
		return NULL;
	return (struct tag *)next;
}

static void read_mmap(const struct mmap_tag *m)
{
	for (uint32_t off = sizeof(*m); off + sizeof(struct mmap_entry) <= m->tag.size; off += m->entry_size) {
		const struct mmap_entry *e = (const void *)((const uint8_t *)m + off);

		if (e->type != MMAP_RAM || boot.ram_count == BOOT_RAM_MAX)
			continue;
		boot.ram[boot.ram_count].base = e->base;
		boot.ram[boot.ram_count++].end = e->base + e->length;
	}
}

static void read_module(struct module_tag *m)
{
	struct boot_module *b = &boot.module[boot.module_count];
	char *name_end = m->string;

	if (boot.module_count == BOOT_MODULES_MAX)
		return;
	while (*name_end && *name_end != ' ')
		name_end++;
	*name_end = '\0';
	*b = (struct boot_module){ m->string, m->start, NULL, m->end - m->start };
	boot.module_count++;
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

/* ---- where the map of the frames lies ---- */

struct range {
	uint64_t base, end;
};

/* What must stay as it is: everything below 1 MiB, the image, and module i - 2. false: there is no such range. */
static bool taken(unsigned i, struct range *r)
{
	if (i == 0)
		*r = (struct range){ 0, 1 << 20 };
	else if (i == 1)
		*r = (struct range){ (uintptr_t)image_start, (uintptr_t)image_end };
	else if (i - 2 < boot.module_count)
		*r = (struct range){ boot.module[i - 2].start, boot.module[i - 2].start + boot.module[i - 2].size };
	else
		return false;
	return true;
}

/* The end of what is in the way of [base, base + bytes); 0: nothing. */
static uint64_t in_the_way(uint64_t base, uint64_t bytes)
{
	struct range r;

	for (unsigned i = 0; taken(i, &r); i++)
		if (r.base < base + bytes && r.end > base)
			return align_up(r.end, PAGE_SIZE);
	return 0;
}

/* Below 4 GiB, which the first tables map. 0: no room. */
static uint64_t place_map(uint64_t bytes)
{
	for (unsigned i = 0; i < boot.ram_count; i++) {
		uint64_t base = align_up(boot.ram[i].base, PAGE_SIZE), end = min_u64(boot.ram[i].end, FOUR_GIB), next;

		while ((next = in_the_way(base, bytes)))
			base = next;
		if (base < end && end - base >= bytes)
			return base;
	}
	return 0;
}

static const char *give_frames(void)
{
	uint64_t end = 0, map;
	struct range r;

	for (unsigned i = 0; i < boot.ram_count; i++)
		end = max_u64(end, boot.ram[i].end);
	map = place_map(frames_map_bytes(end));
	if (!map)
		return "there is no room in RAM below 4 GiB for the map of its frames";
	frames_init(map, end);
	for (unsigned i = 0; i < boot.ram_count; i++)
		frames_add(boot.ram[i].base, boot.ram[i].end);
	frames_reserve(map, map + frames_map_bytes(end));
	for (unsigned i = 0; taken(i, &r); i++)
		frames_reserve(r.base, r.end);
	return NULL;
}

const char *boot_info_read(uint32_t magic, const void *information)
{
	uint32_t total = *(const uint32_t *)information;

	if (magic != MULTIBOOT2_BOOT_MAGIC)
		return "the boot loader is no Multiboot2 loader; boot vellum.elf with GRUB's multiboot2 command";
	if (total > sizeof(copy))
		return "the boot loader's information is larger than 16 KiB; load fewer modules";
	memcpy(copy, information, total);
	for (struct tag *t = first_tag(); t; t = next_tag(t)) {
		if (t->type == TAG_MMAP)
			read_mmap((struct mmap_tag *)t);
		else if (t->type == TAG_MODULE)
			read_module((struct module_tag *)t);
		else if (t->type == TAG_COMMAND_LINE)
			read_command_line((char *)(t + 1));
		else if (t->type == TAG_RSDP_NEW || (t->type == TAG_RSDP_OLD && !boot.rsdp))
			boot.rsdp = t + 1;
	}
	return boot.ram_count ? give_frames() : "the boot loader gave no memory map";
}

const struct boot_info *boot_info(void) { return &boot; }

const struct boot_module *boot_module_find(const char *name)
{
	for (unsigned i = 0; i < boot.module_count; i++)
		if (!strcmp(boot.module[i].name, name)) {
			boot.module[i].data = frames_at(HPA(boot.module[i].start));
			return &boot.module[i];
		}
	return NULL;
}
