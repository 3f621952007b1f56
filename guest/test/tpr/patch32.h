/* guest/test/tpr/patch32.h - code that accesses the TPR, run where a test says. */
#ifndef VELLUM_GUEST_PATCH32_H
#define VELLUM_GUEST_PATCH32_H

#include "guest/test/base/apic.h"

typedef void code_fn(void);
extern uint8_t patch_code[], code_end[];
extern code_fn code_read, code_read_ecx, code_push, code_write_eax, code_write_ecx, code_write_imm, code_and, code_or,
	code_sti, code_behind_sti, code_relative, code_push_odd, code_push_odd_relative, code_push_across;

#define CODE_PAGES 7u
#define ALONE 0xc0000000u /* with paging, the pages of code alone */

extern uint32_t pt_alone[1024]; /* what is there */
extern uint8_t original[4096];  /* a page of code as it was */
extern word page;               /* bytes: which of them is run */

/* The function, where its page is mapped beside its own place; no exception may come. */
uint32_t run(code_fn *fn, uint32_t value, word beside);
/* All of them, at that place. */
void all(const char *where, word beside);
uint32_t tpr(void);
void paging_on(void);
void paging_off(void);

/* patch32-hostile.c */
void test_hostile(void);

#endif
