/* 64 bits: writes and reads back all RAM that the map names, every page; the first bytes beyond it are not there. With
 * "host", and the test device: the host drops the mapping of each page, or takes the right to write from it, between
 * the two, and it is written once more. */
#include "guest/test/base/pc.h"

const char test_name[] = "memory";

/* boot64.S maps this much. */
#define MAPPED (16ull << 30)

static uint64_t value(uint64_t address) { return (address ^ address >> 12) * 0x9e3779b97f4a7c15; }

static uint64_t sum, pages;
static bool host;

static void change_below(uint64_t page)
{
	outl(page & 4096 ? TESTDEV_DROP : TESTDEV_PROTECT, (uint32_t)page);
}

static void walk(uint64_t base, uint64_t end, bool write)
{
	/* One word in each page, at an offset that moves. */
	for (uint64_t page = (base + 4095) & ~4095ull; page + 4096 <= end; page += 4096) {
		volatile uint64_t *p = (volatile uint64_t *)(page + (page >> 12 & 511) * 8);

		if (write) {
			*p = value((uint64_t)p);
			pages++;
		} else {
			if (host)
				change_below(page);
			CHECK(*p == value((uint64_t)p), "at 0x%lx memory reads 0x%lx", (word)p, (word)*p);
			sum = sum * 31 + *p;
			*p = ~value((uint64_t)p);
			CHECK(*p == ~value((uint64_t)p), "at 0x%lx memory is not written again", (word)p);
		}
	}
}

static void walk_all(bool write)
{
	uint64_t at = info()->mmap_addr, end = at + info()->mmap_length;

	while (at < end) {
		const struct multiboot_mmap *m = (const void *)at;
		uint64_t base = m->base, top = m->base + m->length;

		if (m->type == 1 && base >= 0x100000) {
			if (base < (uint64_t)image_end)
				base = (uint64_t)image_end;
			if (top > MAPPED)
				top = MAPPED;
			if (top > base)
				walk(base, top, write);
		}
		at += m->size + 4;
	}
}

void test_main(void)
{
	host = parameter("host");
	walk_all(true);
	walk_all(false);
	print("memory: %lu pages, sum %lx\n", (word)pages, (word)sum);
}
