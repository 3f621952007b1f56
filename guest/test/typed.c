/* 64 bits: says back, line by line, what is typed at its serial port, behind the number that as=N gives it; "end" ends
 * it. For what is attached to consoles from outside. */
#include "guest/test/base/pc.h"
#include "lib/uart.h"

const char test_name[] = "typed";

#define LINE_MAX 100

/* Waits for a byte. */
static char typed(void)
{
	while (!(inb(COM1_PORT + UART_LSR) & LSR_DR))
		__asm__ volatile("pause");
	return (char)inb(COM1_PORT + UART_DATA);
}

static void read_line(char *line)
{
	unsigned n = 0;
	char c;

	while ((c = typed()) != '\r' && c != '\n')
		if (n < LINE_MAX)
			line[n++] = c;
	line[n] = '\0';
}

void test_main(void)
{
	static char line[LINE_MAX + 1];
	unsigned number = parameter_number("as", 0);

	print("typed: %u is ready\n", number);
	do {
		read_line(line);
		print("typed: %u heard %s\n", number, line);
	} while (line[0] != 'e' || line[1] != 'n' || line[2] != 'd' || line[3]);
	finish();
}
