/* 32 bits: the console, what the loader promises, power-off. */
#include "guest/test/base/rt.h"
#include "lib/multiboot.h"

const char test_name[] = "hello";

static void check_state(void)
{
	const uint32_t promised = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MMAP;

	CHECK(boot_magic == MULTIBOOT_BOOT_MAGIC, "EAX is 0x%lx", boot_magic);
	CHECK((boot_cr0 & (CR0_PG | CR0_PE)) == CR0_PE, "CR0 is 0x%lx: paging must be off, protection on", boot_cr0);
	CHECK((info()->flags & promised) == promised, "the information's flags are 0x%x", info()->flags);
	CHECK(info()->mem_lower >= 512 && info()->mem_lower <= 640, "mem_lower is %u", info()->mem_lower);
}

static void check_map(void)
{
	uint32_t at = info()->mmap_addr, end = at + info()->mmap_length, upper = 0;

	while (at < end) {
		const struct multiboot_mmap *m = (const void *)at;

		if (m->type == 1 && m->base == 0x100000)
			upper = (uint32_t)(m->length >> 10);
		at += m->size + 4;
	}
	CHECK(upper == info()->mem_upper, "mem_upper is %u KB, the map says %u KB", info()->mem_upper, upper);
}

/* Physical page 0 and the pages that start further CPUs are ours to write: nothing that we still need is there. */
static void check_low_memory(void)
{
	CHECK((uint32_t)info() >= 0xe000 && info()->cmdline >= 0xe000 && info()->mmap_addr >= 0xe000,
	      "loader data lies below 0xe000: 0x%lx 0x%x 0x%x", boot_info, info()->cmdline, info()->mmap_addr);
	for (uint32_t a = 0x8000; a < 0xe000; a += 4)
		*(volatile uint32_t *)a = 0xffffffff;
}

static void print_module(void)
{
	const uint32_t *m = (const void *)info()->mods_addr;

	if (!(info()->flags & MULTIBOOT_INFO_MODULES) || info()->mods_count == 0)
		return;
	CHECK(info()->mods_count == 1, "there are %u modules", info()->mods_count);
	print("module of %u bytes: ", m[1] - m[0]);
	for (const char *p = (const char *)m[0]; p < (const char *)m[1] && *p != '\n'; p++)
		print("%c", *p);
	print("\n");
}

void test_main(void)
{
	static uint32_t zero[1024];

	for (unsigned i = 0; i < 1024; i++)
		CHECK(((volatile uint32_t *)zero)[i] == 0, "BSS is not zero");
	check_state();
	check_map();
	if (!parameter("keep-low"))
		check_low_memory();
	print("hello from a virtual machine with %u KB above 1 MB, command line \"%s\"\n", info()->mem_upper,
	      (const char *)info()->cmdline);
	print_module();
}
