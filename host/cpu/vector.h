/* host/cpu/vector.h - a library's code in the hypervisor: it is compiled with vector registers, and with a stack
 * protector that looks for its canary behind FS. Both are the guest's, or nobody's, here.
 *
 * VX1  Between the two functions XMM0 to XMM15 are the library's; before and after they are whoever's they were. It has
 *      no code with other vector registers, x87 or MMX, and none that faults. Interrupts are off, for there may be a
 *      red zone. */
#ifndef VELLUM_HOST_VECTOR_H
#define VELLUM_HOST_VECTOR_H

#include "lib/base.h"

#define VECTOR_REGISTERS 16

struct vector_saved {
	uint8_t xmm[VECTOR_REGISTERS][16];
	uint64_t fs_base;
};

/* Around the library's code, on one CPU, with interrupts off and the same *s. */
void vector_begin(struct vector_saved *s);
void vector_end(const struct vector_saved *s);

/* What such code is linked to in place of a heap, which nothing that is called asks for. */
_Noreturn void library_alloc(void);
_Noreturn void library_free(void);

#endif
