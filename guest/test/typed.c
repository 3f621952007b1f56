/* 64 bits: says back, line by line, what is typed at its serial port, behind the number that as=N gives it; "end" ends
 * it. With late=N it takes nothing of a line before so many TSC ticks have passed since it began. For what is attached
 * to consoles from outside. */
#include "guest/test/base/pc.h"
#include "lib/uart.h"

const char test_name[] = "typed";

#define LINE_MAX 100

static void wait_for_byte(void)
{
	while (!(inb(COM1_PORT + UART_LSR) & LSR_DR))
		__asm__ volatile("pause");
}

static char typed(void)
{
	wait_for_byte();
	return (char)inb(COM1_PORT + UART_DATA);
}

static void read_line(char *line, uint64_t late)
{
	uint64_t began;
	unsigned n = 0;
	char c;

	wait_for_byte();
	for (began = rdtsc(); rdtsc() - began < late;)
		__asm__ volatile("pause");
	while ((c = typed()) != '\r' && c != '\n')
		if (n < LINE_MAX)
			line[n++] = c;
	line[n] = '\0';
}

void test_main(void)
{
	static char line[LINE_MAX + 1];
	uint64_t late = parameter_number("late", 0);
	unsigned number = (unsigned)parameter_number("as", 0);

	print("typed: %u is ready\n", number);
	do {
		read_line(line, late);
		print("typed: %u heard %s\n", number, line);
	} while (line[0] != 'e' || line[1] != 'n' || line[2] != 'd' || line[3]);
	finish();
}
