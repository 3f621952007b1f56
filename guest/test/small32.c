/* 32 bits: what small kernels take for given on a PC. The BIOS data area; the MP table, found as the MultiProcessor
 * Specification says; real mode's interrupt vectors, and IDTR at them; a console of its own on the text screen, which
 * knows its place by the CRTC's cursor alone; the serial port's interrupts, though OUT2 has never been set. input:
 * three characters come, each by an interrupt. */
#include "guest/test/base/apic.h"
#include "guest/test/base/firmware.h"
#include "guest/test/base/pc.h"

#include "lib/vga.h"

const char test_name[] = "small32";

#define COLUMNS 80u
#define ROWS 25u
#define CELLS (COLUMNS * ROWS)
#define BLANK 0x0720u
#define PIN_VECTOR 0x44
#define PIC_VECTOR 0x30
#define SPURIOUS 0xff

/* ---- the BIOS data area ---- */

static word base_memory(void) { return word_at(0x413) * KB; }

static void data_area(void)
{
	CHECK(word_at(0x400) == COM1_PORT, "its first serial port is at %x", word_at(0x400));
	CHECK(ebda() >= 512 * KB && ebda() < 640 * KB, "the extended data area is at %lx", ebda());
	CHECK(base_memory() == ebda(), "there are %lx bytes of memory below 1 MB", base_memory());
	CHECK(base_memory() == info()->mem_lower * KB, "which are not the loader's");
	CHECK((word_at(0x410) >> 4 & 3) == 2, "its equipment is %x", word_at(0x410));
	CHECK(*byte_at(0x449) == 3 && word_at(0x44a) == COLUMNS && *byte_at(0x484) == ROWS - 1,
	      "the screen is in mode %u, of %u columns and %u rows", *byte_at(0x449), word_at(0x44a),
	      *byte_at(0x484) + 1);
	CHECK(word_at(0x463) == VGA_CRTC, "its CRTC is at %x", word_at(0x463));
}

/* With IDTR as it is a kernel may go back to real mode, and call the BIOS. */
static void real_mode_vectors(void)
{
	CHECK(boot_idt.base == 0 && boot_idt.limit >= 0x3ff, "IDTR: base %x, limit %x", boot_idt.base, boot_idt.limit);
	for (unsigned v = 0; v < 256; v++) {
		word at = (word)word_at(v * 4 + 2) * 16 + word_at(v * 4);

		CHECK(*byte_at(at) == 0xcf, "vector %x leads to %lx, where is no IRET", v, at);
	}
}

/* ---- the MP table ---- */

#define POINTER 0x5f504d5fu /* _MP_ */

/* "MP Floating Pointer Structure": the extended data area's first KByte, the last of base memory, the BIOS' ROM. */
static word pointer(void)
{
	word at = signed_in(ebda(), KB, POINTER, 16);

	if (!at)
		at = signed_in(base_memory() - KB, KB, POINTER, 16);
	return at ? at : signed_in(0xf0000, 64 * KB, POINTER, 16);
}

enum { PROCESSOR, BUS, IOAPIC, INTERRUPT, LOCAL_INTERRUPT, KINDS };

/* Pin of the I/O APIC that IRQ 4 is on; ~0: it is not told. */
static unsigned read_entries(word at, unsigned count, unsigned found[KINDS])
{
	unsigned pin = ~0u;

	for (; count--; at += *byte_at(at) == PROCESSOR ? 20 : 8) {
		unsigned kind = *byte_at(at);

		CHECK(kind < KINDS, "an entry is of kind %u", kind);
		if (kind >= KINDS)
			return pin;
		found[kind]++;
		if (kind == IOAPIC) {
			CHECK(long_at(at + 4) == IOAPIC_BASE, "an I/O APIC is at %x", long_at(at + 4));
			CHECK(*byte_at(at + 1) == ioapic_read(IOAPIC_INDEX_ID) >> 24, "its number is %u",
			      *byte_at(at + 1));
		}
		if (kind == INTERRUPT && *byte_at(at + 5) == COM1_IRQ)
			pin = *byte_at(at + 7);
	}
	return pin;
}

static unsigned mp_table(void)
{
	word at = pointer(), table = at ? long_at(at + 4) : 0;
	unsigned found[KINDS] = { 0 }, pin;

	CHECK(at, "there is no MP table");
	if (!at)
		return ~0u;
	CHECK(long_at(table) == 0x504d4350 /* PCMP */, "its table begins with %x", long_at(table));
	CHECK(sums_to_0(table, word_at(table + 4)), "its sum is wrong");
	CHECK(long_at(table + 36) == LAPIC_DEFAULT_BASE, "the local APICs are at %x", long_at(table + 36));
	pin = read_entries(table + 44, word_at(table + 34), found);
	CHECK(found[PROCESSOR] == parameter_number("cpus", 1), "it has %u processors", found[PROCESSOR]);
	CHECK(found[IOAPIC] == 1, "it has %u I/O APICs", found[IOAPIC]);
	CHECK(found[LOCAL_INTERRUPT] == 2, "it has %u local interrupts", found[LOCAL_INTERRUPT]);
	return pin;
}

/* ---- the screen ---- */

static volatile uint16_t *const screen = (volatile uint16_t *)VGA_TEXT_APERTURE;

static uint8_t crtc(uint8_t index)
{
	outb(VGA_CRTC, index);
	return inb(VGA_CRTC + 1);
}

static void set_crtc(uint8_t index, uint8_t value)
{
	outb(VGA_CRTC, index);
	outb(VGA_CRTC + 1, value);
}

static unsigned cursor(void) { return crtc(VGA_CRTC_CURSOR_HIGH) << 8 | crtc(VGA_CRTC_CURSOR_LOW); }

static void set_cursor(unsigned at)
{
	set_crtc(VGA_CRTC_CURSOR_HIGH, (uint8_t)(at >> 8));
	set_crtc(VGA_CRTC_CURSOR_LOW, (uint8_t)at);
}

static void scroll(void)
{
	for (unsigned n = 0; n < CELLS - COLUMNS; n++)
		screen[n] = screen[n + COLUMNS];
	for (unsigned n = CELLS - COLUMNS; n < CELLS; n++)
		screen[n] = BLANK;
}

static void show(char c)
{
	unsigned at = cursor();

	if (c == '\n')
		at += COLUMNS - at % COLUMNS;
	else
		screen[at++] = (uint16_t)(0x0700 | (uint8_t)c);
	if (at == CELLS) {
		scroll();
		at -= COLUMNS;
	}
	set_cursor(at);
}

#define LINES 100u

/* Lines of growing length; the last of them stand there. */
static void console(void)
{
	for (unsigned line = 0; line < LINES; line++) {
		for (unsigned n = 0; n < line % 50; n++)
			show((char)('!' + line % 90));
		show('\n');
	}
	CHECK(cursor() == CELLS - COLUMNS, "the cursor is at %u", cursor());
	for (unsigned row = 0; row < ROWS - 1; row++) {
		unsigned line = LINES - (ROWS - 1) + row, wrong = 0;

		for (unsigned n = 0; n < COLUMNS; n++)
			wrong += screen[row * COLUMNS + n] !=
				 (n < line % 50 ? 0x0700u + '!' + line % 90 : BLANK);
		CHECK(!wrong, "line %u has %u wrong cells", line, wrong);
	}
}

static void text_screen(void)
{
	volatile uint8_t *bytes = (volatile uint8_t *)VGA_TEXT_APERTURE;
	unsigned wrong = 0;

	for (unsigned n = 0; n < CELLS; n++)
		wrong += screen[n] != BLANK;
	CHECK(!wrong, "%u cells are not empty", wrong);
	CHECK(cursor() == 0, "the cursor is at %u", cursor());
	for (unsigned at = 1; at < 0x10000; at = at * 3 + 1) {
		set_cursor(at);
		CHECK(cursor() == at, "the cursor is at %u instead of %u", cursor(), at);
	}
	CHECK(inb(VGA_CRTC) == VGA_CRTC_CURSOR_LOW, "the index is %x", inb(VGA_CRTC));
	for (unsigned n = 0; n < 32 * KB; n++)
		bytes[n] = (uint8_t)(n * 7 + n / 256);
	for (unsigned n = 0; n < 32 * KB; n++)
		wrong += bytes[n] != (uint8_t)(n * 7 + n / 256);
	CHECK(!wrong, "%u bytes of its memory are not what was written", wrong);
	for (unsigned n = 0; n < CELLS; n++)
		screen[n] = BLANK;
	set_cursor(0);
	console();
}

/* Who waits for the retrace, and for its end, goes on. */
static void retrace(void)
{
	while (!(inb(VGA_STATUS) & VGA_STATUS_RETRACE))
		;
	while (inb(VGA_STATUS) & VGA_STATUS_RETRACE)
		;
}

/* ---- the serial port's interrupts ---- */

static volatile unsigned received;
static volatile char text[4];

static void take(void)
{
	while (inb(COM1_PORT + UART_LSR) & LSR_DR) {
		char c = (char)inb(COM1_PORT + UART_DATA);

		if (received < 3)
			text[received] = c;
		received++;
	}
	inb(COM1_PORT + UART_IIR);
}

static void on_pin(void)
{
	take();
	apic_write(APIC_EOI, 0);
}

static void on_pic(void)
{
	take();
	pic_eoi();
}

/* Some time in which an interrupt that is there comes. */
static void listen(void)
{
	for (unsigned n = 0; n < 100; n++)
		__asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

/* The transmitter is empty: enabling its interrupt raises one. */
static unsigned raised(unsigned vector)
{
	unsigned before = irq_count[vector];

	outb(COM1_PORT + UART_IER, IER_THRE);
	listen();
	outb(COM1_PORT + UART_IER, 0);
	listen();
	return irq_count[vector] - before;
}

static void input(unsigned vector)
{
	unsigned before = irq_count[vector];

	outb(COM1_PORT + UART_FCR, 0); /* each character by itself */
	outb(COM1_PORT + UART_IER, IER_RX);
	print("small32: type\n");
	while (received < 3)
		sti_hlt_cli();
	outb(COM1_PORT + UART_IER, 0);
	CHECK(received == 3 && text[0] == 'a' && text[1] == 'b' && text[2] == 'c', "%u came, %c%c%c", received, text[0],
	      text[1], text[2]);
	CHECK(irq_count[vector] - before == 3, "by %u interrupts", irq_count[vector] - before);
}

static void serial(unsigned pin)
{
	irq_hook[PIC_VECTOR + COM1_IRQ] = on_pic;
	irq_hook[PIN_VECTOR] = on_pin;
	outb(COM1_PORT + UART_MCR, 0);
	pics_init(PIC_VECTOR);
	apic_write(APIC_LVT_LINT0, ICR_DELIVERY(APIC_EXTINT));
	apic_write(APIC_SVR, SVR_ENABLED | SPURIOUS);
	pics_mask((uint8_t)~(1 << COM1_IRQ), PIC_ALL);
	CHECK(raised(PIC_VECTOR + COM1_IRQ) == 1, "no interrupt through the 8259");
	pics_mask(PIC_ALL, PIC_ALL);
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * pin + 1, apic_read(APIC_ID) & ICR_HIGH_DESTINATION);
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * pin, PIN_VECTOR);
	CHECK(raised(PIN_VECTOR) == 1, "no interrupt through the I/O APIC");
	if (parameter("input"))
		input(PIN_VECTOR);
	/* Who sets it has a PC's gate. */
	outb(COM1_PORT + UART_MCR, MCR_OUT2);
	CHECK(raised(PIN_VECTOR) == 1, "no interrupt with OUT2");
	outb(COM1_PORT + UART_MCR, MCR_DTR | MCR_RTS);
	CHECK(raised(PIN_VECTOR) == 0, "an interrupt without OUT2");
}

void test_main(void)
{
	unsigned pin;

	data_area();
	real_mode_vectors();
	text_screen();
	retrace();
	pin = mp_table();
	CHECK(pin < 24, "IRQ 4 is on pin %u", pin);
	if (pin < 24)
		serial(pin);
}
