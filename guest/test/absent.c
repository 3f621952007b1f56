/* 32 bits: memory and ports that are not there read as all ones and swallow writes, whatever the instruction. With
 * "exec" it jumps there too: all ones are no instruction. */
#include "guest/test/base/rt.h"

const char test_name[] = "absent";

static void check_loads(uint32_t at)
{
	uint32_t v, flags;

	CHECK(*(volatile uint8_t *)at == 0xff, "a byte at 0x%x is not 0xff", at);
	CHECK(*(volatile uint16_t *)at == 0xffff, "a word at 0x%x is not 0xffff", at);
	CHECK(*(volatile uint32_t *)at == 0xffffffff, "a doubleword at 0x%x is not 0xffffffff", at);
	CHECK(*(volatile uint32_t *)(at + 1) == 0xffffffff, "an unaligned doubleword at 0x%x is not 0xffffffff",
	      at + 1);
	__asm__ volatile("movzbl (%1), %0" : "=r"(v) : "r"(at));
	CHECK(v == 0xff, "movzx from 0x%x gives 0x%x", at, v);
	__asm__ volatile("movswl (%1), %0" : "=r"(v) : "r"(at));
	CHECK(v == 0xffffffff, "movsx from 0x%x gives 0x%x", at, v);
	__asm__ volatile("testl $0x80000000, (%1); pushfl; popl %0" : "=r"(flags) : "r"(at) : "cc");
	CHECK((flags & RFLAGS_SF) && !(flags & RFLAGS_ZF), "test with 0x%x: flags 0x%x", at, flags);
	__asm__ volatile("cmpl $-1, (%1); pushfl; popl %0" : "=r"(flags) : "r"(at) : "cc");
	CHECK(flags & RFLAGS_ZF, "cmp with 0x%x: flags 0x%x", at, flags);
	v = 5;
	__asm__ volatile("addl (%1), %0" : "+r"(v) : "r"(at) : "cc");
	CHECK(v == 4, "5 + what is at 0x%x is 0x%x", at, v);
}

static void check_stores(uint32_t at)
{
	uint32_t v = 0x12345678, flags;

	*(volatile uint8_t *)at = 1;
	*(volatile uint16_t *)(at + 2) = 2;
	*(volatile uint32_t *)(at + 4) = 3;
	__asm__ volatile("movl $0x55, (%0)" : : "r"(at) : "memory");
	__asm__ volatile("andl $0, (%0)" : : "r"(at) : "memory", "cc");
	__asm__ volatile("orl %1, (%0)" : : "r"(at), "r"(v) : "memory", "cc");
	__asm__ volatile("incl (%1); pushfl; popl %0" : "=r"(flags) : "r"(at) : "memory", "cc");
	CHECK(flags & RFLAGS_ZF, "inc of all ones gives zero: flags 0x%x", flags);
	__asm__ volatile("xchgl %0, (%1)" : "+r"(v) : "r"(at) : "memory");
	CHECK(v == 0xffffffff, "xchg with 0x%x gives 0x%x", at, v);
	__asm__ volatile("lock btsl $3, (%1); pushfl; popl %0" : "=r"(flags) : "r"(at) : "memory", "cc");
	CHECK(flags & RFLAGS_CF, "bts at 0x%x: flags 0x%x", at, flags);
	CHECK(*(volatile uint32_t *)at == 0xffffffff, "a write to 0x%x was kept", at);
}

static void check_strings(uint32_t at)
{
	static uint8_t ram[64];
	uint32_t si = at, di = (uint32_t)ram, n = 16;

	__asm__ volatile("rep movsb" : "+S"(si), "+D"(di), "+c"(n) : : "memory");
	CHECK(n == 0 && ram[0] == 0xff && ram[15] == 0xff && ram[16] == 0,
	      "rep movsb from 0x%x: %u left, 0x%x 0x%x 0x%x", at, n, ram[0], ram[15], ram[16]);
	si = (uint32_t)ram, di = at, n = 8;
	__asm__ volatile("rep movsl" : "+S"(si), "+D"(di), "+c"(n) : : "memory");
	CHECK(n == 0 && di == at + 32, "rep movsl to 0x%x: %u left", at, n);
	di = at, n = 8;
	__asm__ volatile("rep stosl" : "+D"(di), "+c"(n) : "a"(0) : "memory");
	CHECK(n == 0 && di == at + 32 && *(volatile uint32_t *)at == 0xffffffff, "rep stosl to 0x%x: %u left", at, n);
}

static void check_ports(uint16_t port)
{
	static uint8_t ram[16];
	uint32_t di = (uint32_t)ram, n = 4;

	CHECK(inb(port) == 0xff && inw(port) == 0xffff && inl(port) == 0xffffffff, "port 0x%x reads 0x%x",
	      (unsigned)port, inl(port));
	outb(port, 0);
	outw(port, 0);
	outl(port, 0);
	CHECK(inl(port) == 0xffffffff, "port 0x%x kept a write", (unsigned)port);
	__asm__ volatile("rep insb" : "+D"(di), "+c"(n) : "d"(port) : "memory");
	CHECK(n == 0 && di == (uint32_t)ram + 4 && ram[0] == 0xff && ram[3] == 0xff && ram[4] == 0,
	      "rep insb from port 0x%x: %u left", (unsigned)port, n);
	di = (uint32_t)ram, n = 4;
	__asm__ volatile("rep outsw" : "+S"(di), "+c"(n) : "d"(port) : "memory");
	CHECK(n == 0 && di == (uint32_t)ram + 8, "rep outsw to port 0x%x: %u left", (unsigned)port, n);
}

/* An access that begins in RAM and ends beyond it. */
static void check_edge(uint32_t end)
{
	volatile uint32_t *p = (volatile uint32_t *)(end - 2);

	*(volatile uint16_t *)(end - 2) = 0x4321;
	CHECK(*p == 0xffff4321, "a doubleword across the end of RAM at 0x%x reads 0x%x", end, *p);
	*p = 0x00000567;
	CHECK(*(volatile uint16_t *)(end - 2) == 0x567, "a write across the end of RAM at 0x%x left 0x%x", end,
	      *(volatile uint16_t *)(end - 2));
}

void test_main(void)
{
	const uint32_t ram_end = 0x100000 + info()->mem_upper * 1024;
	const uint32_t where[] = { ram_end, ram_end + 0x123450, 0xd0000000, 0xa0000, 0xfd000ff8 };

	if (parameter("exec"))
		CHECK(trap_call(do_jump, (void *)ram_end) == TRAP(UD) && trap.ip == ram_end,
		      "code at 0x%x ended in trap %u at 0x%lx", ram_end, trap.vector, trap.ip);
	for (unsigned i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		if (where[i] == 0xa0000 && !parameter("hole"))
			continue; /* the map promises nothing there: a screen, RAM or nothing are all right */
		check_loads(where[i]);
		check_stores(where[i]);
		check_strings(where[i]);
	}
	if (!parameter("noedge"))
		check_edge(ram_end);
	check_ports(0x5f0);
	check_ports(0xc380);
}
