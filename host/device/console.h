/* host/device/console.h - the two serial ports (docs/protocol.md): COM1 is the console of the first virtual machine,
 * COM2 the statistics port, to which the hypervisor itself also speaks.
 *
 * Output goes through a ring a port and leaves by interrupt, so that nobody waits 87 microseconds for a byte.
 *
 * CO1  What guests cause to be written fills a part of the ring only; the rest is the hypervisor's, which therefore
 *      does not wait for the line while a guest floods it. */
#ifndef VELLUM_HOST_CONSOLE_H
#define VELLUM_HOST_CONSOLE_H

#include "lib/base.h"

#define CONSOLE_PORTS 2
#define CONSOLE_GUEST 0 /* COM1 */
#define CONSOLE_STATS 1 /* COM2 */

/* Sets both ports up for 115200 baud, 8N1, without interrupts. One that is not there swallows what is written to it. */
void console_init(void);
/* Routes the ports' interrupts to the calling CPU; until then output leaves only through console_flush(). */
void console_route_interrupts(void);
void console_interrupt(unsigned port);

/* Queues one byte of a guest's; false: the guests' part of the ring is full. */
bool console_put(unsigned port, uint8_t byte);
bool console_room(unsigned port);
/* The oldest byte that arrived, or -1. */
int console_get(unsigned port);
bool console_waiting(unsigned port);
/* Waits, halted, until no more is queued than the FIFOs take: on the CPU that has the ports' interrupts, and nothing
 * else to do. Returns at once where no CPU has them. */
void console_drain(void);
/* Waits until everything queued on both ports has left. */
void console_flush(void);

/* Waits, not for ever, until the reader of the statistics port says that the last line has arrived. */
void console_part(void);

/* One line of the protocol, for what the hypervisor has to say; the newline is added. The ring holds several times what
 * it says while virtual machines run (CO1); where it is full all the same, this waits. */
void console_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for what a guest or a request asked for: where the guests' part of the ring has no room for all of the line,
 * nothing is written: false. Never waits for the port. */
bool console_guest_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line of an account, as it is, without its newline: false, and nothing written, if the hypervisor's part of the ring
 * is nearly full, too. Never waits for the port. */
bool console_account_line(const char *line);
/* Is there room for any such line? May be too late when it is asked. */
bool console_guest_room(void);
/* Has so much of what was written left that an answer is not long behind it? */
bool console_has_told(void);
/* "log TEXT". */
void console_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for an exception that may have come at any instruction: where a lock is held, perhaps by the CPU itself, or
 * there is no room, nothing is written: false. */
bool console_log_at_once(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The last words, then "panic TEXT", then powers the machine off. For faults of the hypervisor itself. */
_Noreturn void console_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Every lock may be held, perhaps by this CPU: what is written from here on takes them as they are. Before the last
 * words only. */
void console_break_locks(void);

/* What a panic says before its reason; may be NULL. Called once, with every lock broken: it takes none, and writes by
 * console_line(). It may fault. */
extern void (*console_last_words)(void);

/* The interrupt handler calls this after bytes arrived on a port or left it. May be NULL. */
extern void (*console_event)(unsigned port);

#endif
