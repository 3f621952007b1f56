/* guest/test/flood/flood.h - ways to keep a hypervisor busy. */
#ifndef VELLUM_GUEST_TEST_FLOOD_H
#define VELLUM_GUEST_TEST_FLOOD_H

#include "guest/test/base/apic.h"

/* run does not come back, or calls flood_round() now and then. */
struct flood { const char *name; void (*run)(void); };
extern const struct flood floods[];

/* Counts; powers the machine off when its time is over. */
void flood_round(void);
_Noreturn void flood_end(void);
/* Called at each NMI, if not NULL. */
extern void (*flood_on_nmi)(void);

uint64_t *idt_entry(unsigned vector);
/* A gate of level 3 to handler, on the stack number ist of the TSS (0: none of its own). */
void set_gate(unsigned vector, const char *handler, unsigned ist);
void set_ist(unsigned ist, uint64_t at);

/* flood-tables.c */
void flood_cr3(void);
void flood_edits(void);
void flood_reverse_map(void);
void flood_faults(void);
void flood_badstack(void);

#endif
