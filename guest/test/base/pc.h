/* guest/test/base/pc.h - the 8259s and the 8254 as the test kernels set them up. */
#ifndef VELLUM_GUEST_TEST_PC_H
#define VELLUM_GUEST_TEST_PC_H

#include "guest/test/base/rt.h"
#include "lib/pic.h"
#include "lib/pit.h"
#include "lib/ports.h"
#include "lib/uart.h"

/* Does an access of up to 4 bytes at port reach one of first to last? */
static inline bool port_reaches(unsigned port, unsigned first, unsigned last)
{
	return port + 3 >= first && port <= last;
}
/* One that ends the run: power-off, reset, debug exit, a panic. */
static inline bool port_ends_the_run(unsigned port)
{
	return port_reaches(port, PORT_DEBUG_EXIT, PORT_DEBUG_EXIT + 3) ||
	       port_reaches(port, PORT_SHUTDOWN, PORT_SHUTDOWN) || port_reaches(port, ACPI_PM1A_EVT, ACPI_PM_TMR - 1) ||
	       port_reaches(port, PORT_RESET_CONTROL, PORT_RESET_CONTROL) ||
	       port_reaches(port, PORT_KBC_COMMAND, PORT_KBC_COMMAND) ||
	       port_reaches(port, PORT_FAST_A20, PORT_FAST_A20) || port_reaches(port, PVPANIC_PORT, PVPANIC_PORT);
}

static inline void pics_mask(uint8_t first, uint8_t second)
{
	outb(PIC1_DATA, first);
	outb(PIC2_DATA, second);
}
/* Their pins 0 become vector and vector + 8; all pins are masked. */
static inline void pics_init(uint8_t vector)
{
	outb(PIC1_COMMAND, ICW1 | ICW1_NEED_ICW4);
	outb(PIC1_DATA, vector);
	outb(PIC1_DATA, 1 << PIC_CASCADE_PIN);
	outb(PIC1_DATA, ICW4_8086);
	outb(PIC2_COMMAND, ICW1 | ICW1_NEED_ICW4);
	outb(PIC2_DATA, (uint8_t)(vector + 8));
	outb(PIC2_DATA, PIC_CASCADE_PIN);
	outb(PIC2_DATA, ICW4_8086);
	pics_mask(PIC_ALL, PIC_ALL);
}
static inline void pic_eoi(void) { outb(PIC1_COMMAND, OCW2_EOI); }
/* The counter begins anew in a mode, PIT_RATE or another, with so many clocks. */
static inline void pit_start(unsigned counter, uint8_t mode, uint16_t clocks)
{
	outb(PIT_CONTROL, (uint8_t)(PIT_SELECT(counter) | PIT_LOW_HIGH | mode));
	outb((uint16_t)PIT_COUNTER(counter), clocks & 0xff);
	outb((uint16_t)PIT_COUNTER(counter), (uint8_t)(clocks >> 8));
}

#endif
