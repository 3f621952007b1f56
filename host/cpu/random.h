/* host/cpu/random.h - numbers that a guest cannot guess, for places of memory and for the stack protector. */
#ifndef VELLUM_HOST_RANDOM_H
#define VELLUM_HOST_RANDOM_H

#include "lib/base.h"

/* From RDRAND where the CPU has it; else mixed from the TSC and the clock of the machine, which is as good as the
 * firmware's timing varies (not at all on an emulator). Slow: for boot. */
uint64_t random_u64(void);

/* Does the CPU have RDRAND? */
bool random_from_cpu(void);
/* 64 bits of its, for who must not be given others. false: it has none now, or never. From any CPU. */
bool random_strong(uint64_t *value);

#endif
