/* test/unit/dev/irq/plain_apic.h - a local APIC as the SDM describes it, in the plainest way: an array of bool for each
 * of its sets of vectors, everything that follows from them found by looking through all of them. It is what dev/irq/
 * is held against, and shares nothing with it.
 *
 * Its clock stands still: a count that was written is what the current count reads as, and no timer expires. Whom an
 * interprocessor interrupt is for is for the test to say. SDM, chapter "Advanced Programmable Interrupt Controller". */
#ifndef VELLUM_TEST_DEV_IRQ_PLAIN_APIC_H
#define VELLUM_TEST_DEV_IRQ_PLAIN_APIC_H

#include <stdbool.h>
#include <stdint.h>

enum plain_mode { PLAIN_OFF, PLAIN_XAPIC, PLAIN_X2APIC };
/* In the order of their registers, from 0x320 on; CMCI's is at 0x2f0. */
enum plain_lvt {
	PLAIN_TIMER, PLAIN_THERMAL, PLAIN_PERF, PLAIN_LINT0, PLAIN_LINT1, PLAIN_ERROR, PLAIN_CMCI, PLAIN_LVTS
};
/* Delivery modes. */
enum { PLAIN_FIXED, PLAIN_LOWEST, PLAIN_SMI, PLAIN_NMI = 4, PLAIN_INIT, PLAIN_STARTUP, PLAIN_EXTINT };

struct plain_apic {
	enum plain_mode mode;
	uint64_t base; /* IA32_APIC_BASE */
	uint32_t id;
	bool irr[256], isr[256], tmr[256];
	uint8_t tpr;
	uint8_t xapic_id, logical_id, format; /* DFR's bits 31:28 */
	uint32_t spurious; /* SVR */
	uint32_t errors, new_errors; /* ESR as it reads, and what has come since it was written */
	uint64_t command; /* ICR */
	uint32_t lvt[PLAIN_LVTS];
	uint32_t initial, divide, count;
	uint64_t part; /* ticks since the count last went down */
	uint64_t deadline, now;
	unsigned expired; /* how often the timer has */
	bool pin[2], remote_irr[2];
	/* What has come out, how often: by delivery mode; EOIs told to I/O APICs, by vector; commands. */
	unsigned signals[8], broadcasts[256], commands;
};

void plain_init(struct plain_apic *p, uint32_t id, bool bsp);
void plain_power_up(struct plain_apic *p); /* as after power-up or RESET */
void plain_init_ipi(struct plain_apic *p); /* as after INIT */

/* The register at offset, 0 to 0xff0 by 16, in the mode that it is in. false: there is none, or it cannot be read. */
bool plain_read(const struct plain_apic *p, unsigned offset, uint64_t *value);
/* By MMIO: what does not exist is an error in the ESR. */
void plain_mmio_write(struct plain_apic *p, unsigned offset, uint32_t value);
uint32_t plain_mmio_read(struct plain_apic *p, unsigned offset);
/* false: #GP, and nothing has changed. */
bool plain_msr_write(struct plain_apic *p, uint32_t msr, uint64_t value);
/* CR8, as the TPR that it stands for. */
void plain_set_tpr(struct plain_apic *p, uint8_t tpr);

/* A message, from an I/O APIC or another CPU, that is for this one. false: not accepted. */
bool plain_message(struct plain_apic *p, unsigned delivery, uint8_t vector, bool level);
void plain_set_pin(struct plain_apic *p, unsigned pin, bool level);

/* It is now, by the clock that its timer counts and that the TSC is. */
void plain_time(struct plain_apic *p, uint64_t now);

unsigned plain_ppr(const struct plain_apic *p);
/* What an INTA cycle would give, if the TPR were this one: a vector, or -1. */
int plain_pending_at(const struct plain_apic *p, uint8_t tpr);
static inline int plain_pending(const struct plain_apic *p) { return plain_pending_at(p, p->tpr); }
void plain_acknowledge(struct plain_apic *p, uint8_t vector);
/* Does the 8259's output go through to the CPU? */
bool plain_extint(const struct plain_apic *p);

#endif
