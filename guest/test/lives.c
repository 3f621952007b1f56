/* 32 bits, below 1 MByte: one life of a virtual machine, of many that come and go. Its RAM must be empty, whoever had
 * it before; it fills it, works on it as long as work= says, tells a sum that follows from n= and work= (lives.py knows
 * it), and ends as how= says: off, reset, triple; or it stays. */
#include "guest/test/base/rt.h"
#include "lib/ports.h"

const char test_name[] = "lives";

#define RESET_HARD 6 /* 82371SB (PIIX3) datasheet, "Reset Control Register" */
#define WORDS 16384u
#define LOW_FROM 0x50000u /* above the image and what the loader has put behind it */
#define LOW_TO 0x80000u
#define HIGH_FROM 0x100000u
#define FILL 0xb5b5b5b5u

static volatile uint32_t *const words = (volatile uint32_t *)LOW_FROM;

/* The first word between from and to that is not zero; to: there is none. */
static uint32_t first_used(uint32_t from, uint32_t to)
{
	for (; from < to; from += 4)
		if (*(volatile uint32_t *)from)
			return from;
	return to;
}

static void fill(uint32_t from, uint32_t to)
{
	for (; from < to; from += 4)
		*(volatile uint32_t *)from = FILL;
}

static void check_empty(void)
{
	uint32_t high = HIGH_FROM + (info()->mem_upper << 10), at = first_used(LOW_FROM, LOW_TO);

	CHECK(at == LOW_TO, "somebody was here before: 0x%x holds 0x%x", at, *(volatile uint32_t *)at);
	at = first_used(HIGH_FROM, high);
	CHECK(at == high, "somebody was here before: 0x%x holds 0x%x", at, *(volatile uint32_t *)at);
	fill(LOW_FROM, LOW_TO);
	fill(HIGH_FROM, high);
}

static uint32_t work(uint32_t n, unsigned rounds)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = n * 2654435761u + i * 40503u;
	while (rounds--)
		for (uint32_t i = 0; i < WORDS; i++)
			words[i] = words[i] * 3 + 1;
	for (uint32_t i = 0; i < WORDS; i++)
		sum += words[i];
	return sum;
}

static void no_handlers(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

void test_main(void)
{
	unsigned n = parameter_number("n", 0), rounds = parameter_number("work", 1);

	check_empty();
	print("lives: n %u sum 0x%x\n", n, work(n, rounds));
	if (parameter("how=reset"))
		outb(PORT_RESET_CONTROL, RESET_HARD);
	if (parameter("how=triple"))
		no_handlers();
	while (parameter("how=stay"))
		__asm__ volatile("sti; hlt");
}
