/* guest/test/hostile/hostile32.h - what the parts of the 32-bit world share. */
#ifndef VELLUM_GUEST_TEST_HOSTILE32_H
#define VELLUM_GUEST_TEST_HOSTILE32_H

#include "guest/test/base/pages.h"
#include "guest/test/hostile/hostile.h"

/* What the large page leads to: nothing else does. */
#define LARGE_MEMORY 0x800000u

/* Selectors. */
#define CODE SELECTOR_CODE32
#define DATA SELECTOR_DATA
#define TASK_MAIN 0x38u
#define TASK_FAULT 0xa8u
#define TASK_NMI 0xb0u
#define TASKS_FIRST 24u  /* entries of the GDT that belong to the kind `tasks` */
#define TASKS 16u

/* ---- hostile32-tables.c: with and without paging ---- */
enum paging { PAGING_NONE, PAGING_LEGACY, PAGING_PAE };
extern enum paging paging;
void tables_init(void);
void tables_make(const struct kind *k);
void tables_flush(void);
/* The large page's memory as it was. */
void tables_clear_large(void);

/* ---- hostile32-tasks.c: descriptors and hardware tasks ---- */
void descriptors_init(void);
void descriptors_make(struct experiment *x);
/* The task register, and the tasks that exceptions have, as they were. */
void tasks_restore(void);
/* Is it another task that runs? */
bool tasks_moved(void);

/* ---- hostile32-real.c: real mode ---- */
void real_init(void);
void real_aim(word ip, word sp, word flags);
/* What real mode left, into frame. */
void real_fetch(void);

/* ---- hostile32-entry.S ---- */
extern struct hostile_frame hostile_frame;
extern char hostile_double_fault[], hostile_nmi[];
extern uint8_t hostile_is_real;
struct stack_pointer { uint32_t offset, selector; };
extern struct stack_pointer hostile_stack;

#endif
