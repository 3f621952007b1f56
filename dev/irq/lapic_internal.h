/* dev/irq/lapic_internal.h - what the files of the local APIC share. */
#ifndef VELLUM_DEV_LAPIC_INTERNAL_H
#define VELLUM_DEV_LAPIC_INTERNAL_H

#include "dev/irq/lapic.h"

static inline unsigned lvt_delivery(uint32_t lvt) { return lvt >> 8 & 7; }

/* lapic.c */
void lapic_notice(struct lapic *l); /* something may have become deliverable */
void lapic_eoi(struct lapic *l);
void lapic_error(struct lapic *l, uint32_t esr_bits);
void lapic_lint_changed(struct lapic *l); /* a LINT entry was written: levels are looked at again */
void lapic_set_base(struct lapic *l, uint64_t base); /* a legal value: performs the transition */

/* lapic_timer.c */
void lapic_timer_reset(struct lapic *l);
void lapic_timer_fire(void *dev, uint64_t now);
void lapic_timer_write_lvt(struct lapic *l, uint32_t lvt);
void lapic_timer_write_initial(struct lapic *l, uint32_t count);
void lapic_timer_write_divide(struct lapic *l, uint32_t divide);
uint64_t lapic_timer_deadline(struct lapic *l, uint64_t now); /* what IA32_TSC_DEADLINE reads as */
uint32_t lapic_timer_current(const struct lapic *l);

#endif
