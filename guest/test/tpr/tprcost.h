/* guest/test/tpr/tprcost.h - what one access to a register of the local APIC costs, by each form of instruction. */
#ifndef VELLUM_GUEST_TEST_TPRCOST_H
#define VELLUM_GUEST_TEST_TPRCOST_H

#include "guest/test/base/bench.h"

#define NOBODY 0x0f000000u /* in ICR's high half: no local APIC has this ID, nor this logical one */

struct tprcost {
	const char *name;
	uint32_t offset, value;
};

/* The TPR and EOI: whatever the method, a kernel accesses them all the time. */
#define TPRCOST_TRAPPED 2u

/* How often a count is written that has passed when the access is over, with the parameter `expires`. */
#define TPRCOST_EXPIRES 2000u

/* Lines BENCH REGISTER_FORM MIN MEDIAN, in TSC ticks, less what two RDTSC cost alone: of the TPR and of EOI, and with
 * the parameter `all` of all registers, also of a timer that runs; and BENCH with_… of EOI and of the TPR where there
 * are interrupts. With `expires` one, of a count that has passed when the access is over, and what follows. */
void measure_registers(void);

/* The same of the closed set that patching knows, by more kinds of operands and with prefixes (closed). */
void measure_closed_set(void);

/* The same of all others with general registers (every); of 32 bits, in 16-bit code too (code16). */
void measure_every_form(void);

/* The same of a MOV to both from 8 places on 8 pages, next to each other and 4 apart (far), and of EOI behind a write
 * to the I/O APIC; the CALL, the RET and an RDTSC are in it. */
void measure_places(void);

#endif
