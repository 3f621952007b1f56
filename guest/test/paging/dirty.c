/* 64 bits: writes to so many pages (pages=N on the command line), over and over, and to no other memory: for what
 * counts the pages that a running guest dirties. It ends only from outside.
 *
 * tables=N: it writes nothing, and reads pages through N tables of its own, whose entries the CPU sets accessed flags
 * in, one entry of each after the other, and then those of the second, ... */
#include "guest/test/base/rt.h"

const char test_name[] = "dirty";

#define FIRST 0x1000000ul /* 16 MBytes */
#define STRIDE 0x5000ul   /* some in each of several large pages, none beside another */

/* Registers only, no interrupt: a stack would be a page more. */
static _Noreturn void write_for_ever(word pages)
{
	__asm__ volatile("1: mov %[first], %%rdi\n"
			 "   mov %[pages], %%rcx\n"
			 "   test %%rcx, %%rcx\n"
			 "   jz 1b\n"
			 "2: incq (%%rdi)\n"
			 "   add %[stride], %%rdi\n"
			 "   dec %%rcx\n"
			 "   jnz 2b\n"
			 "   jmp 1b"
			 :
			 : [first] "r"(FIRST), [pages] "r"(pages), [stride] "r"(STRIDE)
			 : "rdi", "rcx", "memory", "cc");
	__builtin_unreachable();
}

#define READ_FROM (64ul << 20)
#define LARGE (2ul << 20)
#define TABLES_MAX 64
#define BETWEEN 50000 /* turns of an empty loop */

static uint64_t table[TABLES_MAX][PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));

static uint64_t *below(const uint64_t *entry) { return (uint64_t *)(*entry & ~0xffful); }

/* The large pages from READ_FROM on become tables of small ones, all of the same page, which nobody has accessed. */
static void map_small(word tables)
{
	uint64_t cr3, *directory;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	directory = below(below((const uint64_t *)cr3));
	for (word t = 0; t < tables; t++) {
		for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
			table[t][i] = READ_FROM | PTE_P;
		directory[READ_FROM / LARGE + t] = (word)table[t] | PTE_P | PTE_W | PTE_A;
	}
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

/* Registers only. */
static _Noreturn void read_for_ever(word tables)
{
	__asm__ volatile("1: mov %[first], %%rdi\n"
			 "   mov $512, %%rdx\n"
			 "2: mov %%rdi, %%rsi\n"
			 "   mov %[tables], %%rcx\n"
			 "3: mov (%%rsi), %%rax\n"
			 "   add %[large], %%rsi\n"
			 "   mov %[between], %%rax\n"
			 "4: dec %%rax\n"
			 "   jnz 4b\n"
			 "   dec %%rcx\n"
			 "   jnz 3b\n"
			 "   add $0x1000, %%rdi\n"
			 "   dec %%rdx\n"
			 "   jnz 2b\n"
			 "   jmp 1b"
			 :
			 : [first] "r"(READ_FROM), [tables] "r"(tables), [large] "r"(LARGE), [between] "i"(BETWEEN)
			 : "rax", "rcx", "rdx", "rdi", "rsi", "memory", "cc");
	__builtin_unreachable();
}

void test_main(void)
{
	word tables = parameter_number("tables", 0);

	word pages = parameter_number("pages", 100);

	if (tables > TABLES_MAX)
		tables = TABLES_MAX;
	if (tables)
		map_small(tables);
	print("dirty: ready\n");
	cli();
	if (tables)
		read_for_ever(tables);
	write_for_ever(pages);
}
