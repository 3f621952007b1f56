#include "host/memory/paging.h"

#include "host/boot/multiboot.h"
#include "host/cpu/random.h"
#include "host/cpu/x86.h"
#include "host/memory/page_table.h"

#define SLOT_GIB 512ull /* what an entry of the PML4 maps */
#define TABLE_ENTRY (PTE_P | PTE_W) /* leaves say what is allowed */
#define WINDOW_MAX (16u << 20)

uint64_t host_pml4[PAGE_TABLE_ENTRIES] __attribute__((aligned(PAGE_SIZE)));
extern uint64_t boot_pml4[PAGE_TABLE_ENTRIES];
extern uint32_t boot_cr3;

static unsigned largest_level = 2;
static uint64_t window_next; /* the next virtual address of the window area */

static uint64_t leaf_flags(enum paging_access access)
{
	switch (access) {
	case PAGING_WRITE: return PTE_P | PTE_W | PTE_NX;
	case PAGING_EXECUTE: return PTE_P;
	/* Uncached, whatever the MTRRs say: PAT entry 3, which is UC after a reset (SDM, "IA32_PAT MSR"). */
	case PAGING_DEVICE: return PTE_P | PTE_W | PTE_NX | PTE_PCD | PTE_PWT;
	default: return PTE_P | PTE_NX;
	}
}

/* The largest leaf that begins at va and pa and does not reach beyond n bytes. */
static unsigned leaf_level(uint64_t va, uint64_t pa, uint64_t n)
{
	unsigned level = largest_level;

	while (level > 1 && (((va | pa) & MASK(PAGING_SHIFT(level) - 1, 0)) || n < BIT(PAGING_SHIFT(level))))
		level--;
	return level;
}

/* The entry for va at level, with the tables above it; a larger leaf that is there already is returned in its place.
 * NULL: no memory. */
static uint64_t *make_entry(uint64_t va, unsigned level)
{
	uint64_t *entry = entry_of(host_pml4, TOP_LEVEL, va);

	for (unsigned at = TOP_LEVEL; at > level; at--) {
		if (!*entry) {
			hfn_t f = frames_alloc();

			if (hfn_is_none(f))
				return NULL;
			*entry = hfn_hpa(f).v | TABLE_ENTRY;
		}
		if (*entry & PTE_PS)
			return entry;
		entry = entry_of(table_below(*entry), at - 1, va);
	}
	return entry;
}

/* Maps n bytes, whole pages. What is mapped already stays as it is: ranges of a memory map may overlap. */
static bool map(uint64_t va, uint64_t pa, uint64_t n, enum paging_access access)
{
	while (n) {
		unsigned level = leaf_level(va, pa, n);
		uint64_t *entry = make_entry(va, level), size;

		/* A table of smaller pages is there: they are looked at one by one. */
		while (entry && level > 1 && *entry && !(*entry & PTE_PS))
			entry = make_entry(va, --level);
		if (!entry)
			return false;
		if (!*entry)
			*entry = pa | leaf_flags(access) | (level > 1 ? PTE_PS : 0);
		size = BIT(PAGING_SHIFT(level));
		va += size;
		pa += size;
		n -= size;
	}
	return true;
}

static bool map_image_part(const char *from, const char *to, enum paging_access access)
{
	uint64_t start = (uintptr_t)from;

	return map(start, start, align_up((uintptr_t)to, PAGE_SIZE) - start, access);
}

static bool map_image(void)
{
	return map_image_part(image_start, code_end, PAGING_EXECUTE) &&
	       map_image_part(rodata_start, rodata_end, PAGING_READ) &&
	       map_image_part(sealed_start, sealed_end, PAGING_WRITE) &&
	       map_image_part(sealed_end, boot_stack_guard, PAGING_WRITE) &&
	       map_image_part(boot_stack_guard + PAGE_SIZE, image_end, PAGING_WRITE);
}

/* The direct map of [from, to), less the image, which has a mapping of its own. */
static bool map_ram(uint64_t base, uint64_t from, uint64_t to)
{
	uint64_t start = (uintptr_t)image_start, end = (uintptr_t)image_end;

	if (from < start && to > start)
		return map_ram(base, from, start) && map_ram(base, start, to);
	if (from >= start && from < end)
		from = min_u64(end, to);
	return from >= to || map(base + from, from, to - from, PAGING_WRITE);
}

static bool map_all_ram(uint64_t base)
{
	struct boot_range ram;

	for (unsigned i = 0; boot_ram(i, &ram); i++) {
		uint64_t end = min_u64(align_down(ram.end, PAGE_SIZE), FRAMES_BYTES_MAX);

		if (!map_ram(base, align_up(ram.base, PAGE_SIZE), end))
			return false;
	}
	return true;
}

/* The first address of entry n of the PML4. */
static uint64_t slot_address(uint64_t n) { return n << 39 | (n & 256 ? MASK(63, 48) : 0); }

/* Both areas begin at a multiple of 1 GiB in entries of the PML4 of their own, neither of them the first (H3): some 17
 * bits that a guest must guess. The tables are as many, wherever that is. The direct map has as many entries as the RAM
 * asks for, one up to 511 GiB, in one half of the address space. */
static uint64_t choose_places(void)
{
	uint64_t r = random_u64(), gib = align_up(frames_end(), GIB) / GIB;
	uint64_t offset = (r >> 32 & 0xffff) % (gib < SLOT_GIB ? SLOT_GIB - gib : SLOT_GIB);
	uint64_t slots = align_up(offset + gib, SLOT_GIB) / SLOT_GIB;
	uint64_t map_slot = 1 + (r & 0xffff) % (513 - 2 * slots), window_slot = 1 + (r >> 16 & 0xffff) % (511 - slots);

	/* Not across the middle, where no address is. */
	if (map_slot + slots > 256)
		map_slot += slots - 1;
	if (window_slot >= map_slot)
		window_slot += slots;
	window_next = slot_address(window_slot) + (r >> 48 & 255) * GIB + PAGE_SIZE;
	return slot_address(map_slot) + offset * GIB;
}

const char *paging_init(void)
{
	struct cpuid e1 = cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0);
	uint64_t base = choose_places();

	if (!(e1.edx & CPUID_80000001_EDX_NX))
		return "this CPU cannot forbid execution by page; enable \"execute disable\" (XD, NX) in the "
		       "firmware's setup";
	if (e1.edx & CPUID_80000001_EDX_PAGE1GB)
		largest_level = 3;
	if (!map_image() || !map_all_ram(base))
		return "there is no memory for the hypervisor's page tables";
	boot_cr3 = (uint32_t)(uintptr_t)host_pml4;
	write_cr3((uintptr_t)host_pml4);
	frames_base = base;
	memset(boot_pml4, 0, sizeof(boot_pml4));
	paging_protect_cpu();
	return NULL;
}

void paging_protect_cpu(void)
{
	uint64_t cr4 = read_cr4();

	write_cr0(read_cr0() | CR0_WP);
	if (cpuid(CPUID_LEAF_BASIC, 0).eax >= CPUID_LEAF_FEATURES) {
		struct cpuid l7 = cpuid(CPUID_LEAF_FEATURES, 0);

		cr4 |= (l7.ebx & CPUID_7_EBX_SMEP ? CR4_SMEP : 0) | (l7.ebx & CPUID_7_EBX_SMAP ? CR4_SMAP : 0) |
		       (l7.ecx & CPUID_7_ECX_UMIP ? CR4_UMIP : 0);
		write_cr4(cr4);
	}
}

/* The leaf that maps va, or the entry on its way that is not present. */
static uint64_t *leaf_at(uint64_t va)
{
	uint64_t *entry = entry_of(host_pml4, TOP_LEVEL, va);

	for (unsigned level = TOP_LEVEL; level > 1 && (*entry & PTE_P) && !(*entry & PTE_PS); level--)
		entry = entry_of(table_below(*entry), level - 1, va);
	return entry;
}

bool paging_maps(const void *p) { return *leaf_at((uintptr_t)p) & PTE_P; }

/* The linker script puts this part on pages of its own; map_image() has mapped it alone. */
void paging_seal(void)
{
	for (const char *p = sealed_start; p < sealed_end; p += PAGE_SIZE)
		*leaf_at((uintptr_t)p) &= ~PTE_W;
	/* No entry is global, and no other CPU runs yet: this is all that can be out of date. */
	write_cr3(read_cr3());
}

/* Room for so many pages in the window area, between two that are never mapped. */
static uint64_t reserve_window(uint64_t pages)
{
	uint64_t at = window_next;

	window_next += (pages + 1) * PAGE_SIZE;
	return at;
}

void *paging_window(uint64_t address, size_t n, enum paging_access access)
{
	uint64_t offset = address & (PAGE_SIZE - 1), bytes = align_up(offset + n, PAGE_SIZE), at;

	if (n == 0 || n > WINDOW_MAX)
		return NULL;
	at = reserve_window(bytes >> PAGE_SHIFT);
	return map(at, address - offset, bytes, access) ? (void *)(uintptr_t)(at + offset) : NULL;
}

void *paging_stack(unsigned pages)
{
	uint64_t at = reserve_window(pages);

	for (unsigned i = 0; i < pages; i++) {
		hfn_t f = frames_alloc();

		if (hfn_is_none(f) || !map(at + i * PAGE_SIZE, hfn_hpa(f).v, PAGE_SIZE, PAGING_WRITE))
			return NULL;
	}
	return (void *)(uintptr_t)(at + pages * PAGE_SIZE);
}

const char *paging_break_promise(uint64_t va, uint64_t pa, uint64_t set, uint64_t clear)
{
	uint64_t *leaf;

	if (!va)
		va = reserve_window(1);
	if (!map(va, pa, PAGE_SIZE, PAGING_WRITE))
		return NULL;
	leaf = leaf_at(va);
	*leaf = (*leaf | set) & ~clear;
	return paging_audit();
}
