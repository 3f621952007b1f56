/* 64 bits: writes to 2 MBytes over and over, each pass what follows from the one before, and looks whether that is
 * there still; a byte at its serial port ends it. For what moves a guest while it works. */
#include "guest/test/base/pc.h"
#include "lib/uart.h"

const char test_name[] = "moved";

#define WORDS (0x200000u / 8)
#define MIX 0x9e3779b97f4a7c15ul

static volatile uint64_t table[WORDS];
static volatile uint64_t zero[1024]; /* never written to */

static uint64_t value(uint64_t pass, uint64_t i) { return (pass * MIX) ^ (i * 0x2545f4914f6cdd1dul); }

static bool pass_is_right(uint64_t pass)
{
	bool right = true;

	for (uint64_t i = 0; i < WORDS; i++) {
		right &= table[i] == (pass ? value(pass - 1, i) : 0);
		table[i] = value(pass, i);
	}
	for (unsigned i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		right &= !zero[i];
	return right;
}

void test_main(void)
{
	uint64_t passes = 0;

	print("moved: ready\n");
	while (!(inb(COM1_PORT + UART_LSR) & LSR_DR)) {
		if (!pass_is_right(passes)) {
			CHECK(false, "in pass %lx", passes);
			break;
		}
		passes++;
		sti_nop_cli();
	}
	print("moved: %lx passes\n", passes);
	finish();
}
