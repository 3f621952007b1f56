#include "guest/test/base/rt.h"
#include "lib/ports.h"
#include "lib/uart.h"

#include <stdarg.h>

struct trap trap;
volatile unsigned irq_count[256];
void (*irq_hook[256])(void);
volatile unsigned irq_vector;
static unsigned checks, failures;

extern char trap_stubs[];
extern uint64_t gdt[];
extern word trap_sp;
void gdt_load_tr(void);
_Noreturn void trap_unwind(unsigned result);
void rt_trap(struct trap_frame *f);
void rt_start(void);
uint32_t tss[26]; /* 32 bits: SP0 and SS0 at 4 and 8; 64 bits: RSP0 at 4 */

/* ---- the console ---- */

static void put(char c)
{
	while (!(inb(COM1_PORT + UART_LSR) & LSR_THRE))
		;
	outb(COM1_PORT + UART_DATA, (uint8_t)c);
}

static void put_text(const char *s)
{
	for (; *s; s++)
		put(*s);
}

static void put_hex(uint64_t v)
{
	int shift = 60;

	while (shift > 0 && !(v >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put("0123456789abcdef"[v >> shift & 15]);
}

static void put_decimal(word v)
{
	char digits[24];
	int n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		put(digits[--n]);
}

static void print_v(const char *p, va_list ap)
{
	for (; *p; p++) {
		int longs = 0;

		if (*p != '%') {
			put(*p);
			continue;
		}
		for (p++; *p == 'l'; p++)
			longs++;
		if (*p == 's')
			put_text(va_arg(ap, const char *));
		else if (*p == 'c')
			put((char)va_arg(ap, int));
		else if (longs == 2)
			put_hex(va_arg(ap, unsigned long long));
		else if (*p == 'x')
			put_hex(longs ? va_arg(ap, unsigned long) : va_arg(ap, unsigned));
		else
			put_decimal(longs ? va_arg(ap, unsigned long) : va_arg(ap, unsigned));
	}
}

void print(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print_v(format, ap);
	va_end(ap);
}

static void console_init(void)
{
	outb(COM1_PORT + UART_IER, 0);
	outb(COM1_PORT + UART_LCR, LCR_DLAB | LCR_8N1);
	outb(COM1_PORT + UART_DATA, 1);
	outb(COM1_PORT + UART_IER, 0);
	outb(COM1_PORT + UART_LCR, LCR_8N1);
	outb(COM1_PORT + UART_FCR, FCR_ENABLE);
}

/* ---- the end ---- */

static void drain(void)
{
	while (!(inb(COM1_PORT + UART_LSR) & LSR_TEMT))
		;
}

void debug_exit(uint32_t value)
{
	drain();
	outl(PORT_DEBUG_EXIT, value);
	print("the machine did not end at the debug-exit port\n");
	for (;;)
		cli_hlt();
}

void power_off(void)
{
	drain();
	for (const char *p = "Shutdown"; *p; p++)
		outb(PORT_SHUTDOWN, (uint8_t)*p);
	/* The place of the ACPI register on QEMU's default PC, where these kernels are tried too. */
	outw(ACPI_PM1A_CNT, PM1_SLP_EN);
	for (;;)
		cli_hlt();
}

void check_that(bool ok, const char *file, int line, const char *format, ...)
{
	va_list ap;

	checks++;
	if (ok)
		return;
	failures++;
	print("%s:%u: FAIL: ", file, (unsigned)line);
	va_start(ap, format);
	print_v(format, ap);
	va_end(ap);
	print("\n");
}

void finish(void)
{
	if (failures == 0) {
		print("%s: ok, %u checks\n", test_name, checks);
		power_off();
	}
	print("%s: FAILED, %u of %u checks\n", test_name, failures, checks);
	debug_exit(1);
}

/* ---- parameters ---- */

static const char *find_parameter(const char *name)
{
	const char *p = (const char *)(word)info()->cmdline;

	while (*p) {
		size_t n = 0;

		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
		while (name[n] && p[n] == name[n])
			n++;
		if (!name[n])
			return p + n;
	}
	return NULL;
}

bool parameter(const char *name)
{
	const char *p = find_parameter(name);

	return p && (!*p || *p == ' ');
}

unsigned parameter_number(const char *name, unsigned otherwise)
{
	const char *p = find_parameter(name);
	unsigned v = 0;

	if (!p || *p != '=')
		return otherwise;
	for (p++; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (unsigned)(*p - '0');
	return v;
}

bool parameter_text(const char *name, const char *value)
{
	const char *p = find_parameter(name);

	if (!p || *p++ != '=')
		return true;
	while (*value && *p == *value) {
		p++;
		value++;
	}
	return !*value && (!*p || *p == ' ');
}

/* ---- traps ---- */

static word read_cr2(void)
{
	word v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

void rt_trap(struct trap_frame *f)
{
	if (f->vector == VECTOR_BACK && trap_sp)
		trap_unwind(0);
	if (f->vector >= 32) {
		irq_count[f->vector]++;
		irq_vector = (unsigned)f->vector;
		if (irq_hook[f->vector])
			irq_hook[f->vector]();
		return;
	}
	trap = (struct trap){
		(unsigned)f->vector, (uint32_t)f->error, read_cr2(), f->ip, f->flags, f->cx, f->si, f->di
	};
	if (trap_sp)
		trap_unwind(trap.vector + 1);
	print("%s: unexpected exception %u, error 0x%lx, at 0x%lx, cr2 0x%lx\n", test_name, trap.vector, f->error,
	      f->ip, trap.cr2);
	debug_exit(0x7f);
}

static void set_idt(void)
{
	static uint64_t idt[256 * GATE_WORDS];
	struct { uint16_t limit; word base; } __attribute__((packed)) idtr = { sizeof(idt) - 1, (word)idt };

	for (unsigned v = 0; v < 256; v++) {
		word at = (word)trap_stubs + v * 16u;

		idt[v * GATE_WORDS] =
			gate_pack(at, CODE_SELECTOR, v == VECTOR_BACK ? GATE_INTERRUPT | SEGMENT_DPL : GATE_INTERRUPT);
	}
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

static void set_tss(void)
{
	uint64_t base = (word)tss;

	gdt[SELECTOR_TSS / 8] = descriptor_pack(base, sizeof(tss) - 1, SEGMENT_TSS);
	gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
#ifndef __x86_64__
	tss[2] = SELECTOR_DATA;
#endif
	tss[25] = sizeof(tss) << 16; /* no I/O permission bitmap */
	gdt_load_tr();
}

void rt_start(void)
{
	console_init();
	set_idt();
	set_tss();
	test_main();
	finish();
}

/* The compiler may call these. */
void *memset(void *p, int c, size_t n);
void *memset(void *p, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile char *)p)[i] = (char)c;
	return p;
}

void *memcpy(void *restrict d, const void *restrict s, size_t n);
void *memcpy(void *restrict d, const void *restrict s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile char *)d)[i] = ((const char *)s)[i];
	return d;
}
