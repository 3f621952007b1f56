#include "host/device/console.h"

#include "host/cpu/spinlock.h"
#include "host/device/ioapic.h"
#include "host/device/lapic.h"
#include "host/device/power.h"
#include "host/trap/interrupt.h"
#include "lib/fmt.h"
#include "lib/uart.h"

#define INTERRUPT_ROUNDS 16

#define TX_SIZE 262144
#define TX_GUESTS 65536    /* CO1: as many bytes may wait when a guest adds to them */
#define TX_ACCOUNTS 196608 /* ... and when the account of one is added */
#define RX_SIZE 1024
#define LINE_SIZE 512
#define PARTING_TICKS 40000000ull
#define DRAIN_TICKS 10000000ull /* console_drain() looks itself, if an interrupt should not come */

struct port {
	struct spinlock lock;
	uint16_t base;
	uint8_t isa_irq;
	bool present;
	bool sending;   /* a transmit interrupt will come */
	bool interrupts;
	uint32_t tx_head, tx_tail; /* count up for ever */
	uint32_t rx_head, rx_tail;
	uint8_t tx[TX_SIZE];
	uint8_t rx[RX_SIZE];
};

static struct port ports[CONSOLE_PORTS] = {
	{ .base = COM1_PORT, .isa_irq = COM1_IRQ },
	{ .base = COM2_PORT, .isa_irq = COM2_IRQ },
};
static struct spinlock line_lock;
void (*console_event)(unsigned port);
void (*console_last_words)(void);

void console_init(void)
{
	for (unsigned i = 0; i < CONSOLE_PORTS; i++) {
		uint16_t b = ports[i].base;

		outb(b + UART_IER, 0);
		outb(b + UART_LCR, LCR_DLAB);
		outb(b + UART_DATA, 1); /* divisor 1: 115200 baud */
		outb(b + UART_IER, 0);
		outb(b + UART_LCR, LCR_8N1);
		outb(b + UART_FCR, FCR_ENABLE | FCR_CLEAR_RX | FCR_CLEAR_TX);
		outb(b + UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
		ports[i].present = inb(b + UART_LSR) != 0xff;
	}
}

void console_route_interrupts(void)
{
	for (unsigned i = 0; i < CONSOLE_PORTS; i++) {
		if (!ports[i].present || !ioapic_host_route(ports[i].isa_irq, VECTOR_UART_FIRST + i))
			continue;
		ports[i].interrupts = true;
		outb(ports[i].base + UART_IER, IER_RX);
	}
}

/* Fills the FIFO if the transmitter is empty; asks for an interrupt if more remains. The lock is held. */
static void send_some(struct port *p)
{
	bool empty = inb(p->base + UART_LSR) & LSR_THRE, more;

	for (unsigned i = 0; empty && i < UART_FIFO && p->tx_tail != p->tx_head; i++)
		outb(p->base + UART_DATA, p->tx[p->tx_tail++ % TX_SIZE]);
	more = p->tx_tail != p->tx_head;
	if (p->interrupts && more != p->sending) {
		p->sending = more;
		outb(p->base + UART_IER, IER_RX | (more ? IER_THRE : 0));
	}
}

static void receive(struct port *p)
{
	while (inb(p->base + UART_LSR) & LSR_DR) {
		uint8_t byte = inb(p->base + UART_DATA);

		if (p->rx_head - p->rx_tail < RX_SIZE)
			p->rx[p->rx_head++ % RX_SIZE] = byte;
	}
}

void console_interrupt(unsigned port)
{
	struct port *p = &ports[port];

	spin_lock(&p->lock);
	/* The interrupt is an edge: there is no other while one of the port's reasons remains, also one that has come
	 * up since. */
	for (unsigned n = 0; n < INTERRUPT_ROUNDS && !(inb(p->base + UART_IIR) & IIR_NONE); n++) {
		receive(p);
		send_some(p);
	}
	spin_unlock(&p->lock);
	if (console_event)
		console_event(port);
}

static uint32_t waiting(const struct port *p) { return p->tx_head - p->tx_tail; }

bool console_room(unsigned port) { return waiting(&ports[port]) < TX_GUESTS; }

/* false: limit bytes wait already. */
static bool put_byte(struct port *p, uint8_t byte, uint32_t limit)
{
	bool room;

	if (!p->present)
		return true;
	spin_lock(&p->lock);
	room = waiting(p) < limit;
	if (room) {
		p->tx[p->tx_head++ % TX_SIZE] = byte;
		if (!p->sending)
			send_some(p);
	}
	spin_unlock(&p->lock);
	return room;
}

bool console_put(unsigned port, uint8_t byte) { return put_byte(&ports[port], byte, TX_GUESTS); }

int console_get(unsigned port)
{
	struct port *p = &ports[port];
	int byte = -1;

	spin_lock(&p->lock);
	if (p->rx_tail != p->rx_head)
		byte = p->rx[p->rx_tail++ % RX_SIZE];
	spin_unlock(&p->lock);
	return byte;
}

bool console_waiting(unsigned port) { return ports[port].rx_tail != ports[port].rx_head; }

static void flush_port(struct port *p)
{
	while (p->present && p->tx_tail != p->tx_head) {
		spin_lock(&p->lock);
		send_some(p);
		spin_unlock(&p->lock);
	}
	while (p->present && !(inb(p->base + UART_LSR) & LSR_TEMT))
		cpu_relax();
}

void console_drain(void)
{
	for (unsigned i = 0; i < CONSOLE_PORTS; i++) {
		struct port *p = &ports[i];

		while (p->sending) {
			lapic_host_timer(rdtsc() + DRAIN_TICKS);
			irq_wait();
			spin_lock(&p->lock);
			send_some(p);
			spin_unlock(&p->lock);
		}
	}
}

void console_flush(void)
{
	for (unsigned i = 0; i < CONSOLE_PORTS; i++)
		flush_port(&ports[i]);
}

/* An emulator that ends while a request waits in its connection resets that, and what is still in it is lost. So the
 * reader is waited for, which sends nothing behind its answer. Where nobody answers, not for long. */
void console_part(void)
{
	static const char answer[] = "\nbye\n";
	struct port *p = &ports[CONSOLE_STATS];
	uint64_t start = rdtsc();
	unsigned found = 0;

	while (p->present && answer[found] && rdtsc() - start < PARTING_TICKS) {
		int byte;

		spin_lock(&p->lock);
		receive(p);
		spin_unlock(&p->lock);
		while (answer[found] && (byte = console_get(CONSOLE_STATS)) >= 0)
			found = byte == answer[found] ? found + 1 : byte == answer[0];
		cpu_relax();
	}
}

static void put_line(const char *prefix, const char *format, va_list ap)
{
	char line[LINE_SIZE];
	size_t n = fmt(line, sizeof(line), "%s", prefix);

	fmt_v(line + n, sizeof(line) - n - 1, format, ap);
	n = strlen(line);
	line[n++] = '\n';
	spin_lock(&line_lock);
	for (size_t i = 0; i < n; i++)
		while (!put_byte(&ports[CONSOLE_STATS], (uint8_t)line[i], TX_SIZE)) {
			spin_lock(&ports[CONSOLE_STATS].lock);
			send_some(&ports[CONSOLE_STATS]);
			spin_unlock(&ports[CONSOLE_STATS].lock);
		}
	spin_unlock(&line_lock);
}

void console_line(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_line("", format, ap);
	va_end(ap);
}

/* Room does not shrink while line_lock is held: every writer to this port holds it. A port that is not there takes
 * everything. */
static bool try_line(const char *line, uint32_t limit)
{
	struct port *p = &ports[CONSOLE_STATS];
	size_t n = strlen(line);
	bool room;

	spin_lock(&line_lock);
	room = waiting(p) + n + 1 <= limit;
	for (size_t i = 0; room && i < n; i++)
		put_byte(p, (uint8_t)line[i], TX_SIZE);
	if (room)
		put_byte(p, '\n', TX_SIZE);
	spin_unlock(&line_lock);
	return room;
}

bool console_guest_line(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list ap;

	va_start(ap, format);
	fmt_v(line, sizeof(line), format, ap);
	va_end(ap);
	return try_line(line, TX_GUESTS);
}

bool console_account_line(const char *line) { return try_line(line, TX_ACCOUNTS); }

bool console_guest_room(void) { return waiting(&ports[CONSOLE_STATS]) + LINE_SIZE <= TX_GUESTS; }

bool console_has_told(void) { return waiting(&ports[CONSOLE_STATS]) <= TX_GUESTS / 4; }

bool console_log_at_once(const char *format, ...)
{
	struct port *p = &ports[CONSOLE_STATS];
	char line[LINE_SIZE];
	size_t n = fmt(line, sizeof(line), "log ");
	va_list ap;
	bool free;

	if (!spin_trylock(&line_lock))
		return false;
	free = spin_trylock(&p->lock);
	if (free)
		spin_unlock(&p->lock);
	va_start(ap, format);
	fmt_v(line + n, sizeof(line) - n - 1, format, ap);
	va_end(ap);
	n = strlen(line);
	line[n++] = '\n';
	free = free && waiting(p) + n <= TX_SIZE;
	for (size_t i = 0; free && i < n; i++)
		put_byte(p, (uint8_t)line[i], TX_SIZE);
	spin_unlock(&line_lock);
	return free;
}

void console_log(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_line("log ", format, ap);
	va_end(ap);
}

void console_break_locks(void)
{
	irq_disable();
	for (unsigned i = 0; i < CONSOLE_PORTS; i++)
		ports[i].lock = (struct spinlock){ false };
	line_lock = (struct spinlock){ false };
}

/* Where the last words lead to another panic, the first one's reason is the one to tell. */
_Noreturn void console_panic(const char *format, ...)
{
	static char why[LINE_SIZE - 16];
	static bool telling;
	va_list ap;

	console_break_locks();
	if (!telling) {
		telling = true;
		va_start(ap, format);
		fmt_v(why, sizeof(why), format, ap);
		va_end(ap);
		if (console_last_words)
			console_last_words();
	}
	console_line("panic %s", why);
	console_flush();
	console_part();
	power_off();
}

_Noreturn void bug(const char *file, int line, const char *what)
{
	console_panic("broken promise at %s:%d: %s", file, line, what);
}
