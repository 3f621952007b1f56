/* test/unit/emulate/cpu.h - ops->native for hosted tests: the FPU and vector registers that an emulated CPU has, as an
 * XSAVE area, and running one instruction on the host's CPU with them loaded. */
#ifndef VELLUM_TEST_EMULATE_CPU_H
#define VELLUM_TEST_EMULATE_CPU_H

#include "emulate/emulate.h"

#define CPU_AREA 4096
#define CPU_FX_BYTES 512 /* the legacy region: as FXSAVE64 has it */

/* x87, SSE and AVX state: XSAVE's standard format, aligned to 64. */
struct cpu_area {
	uint8_t bytes[CPU_AREA] __attribute__((aligned(64)));
};

/* The handler of SIGILL, SIGFPE and SIGSEGV, which goes on to the one that was there before; the page for the
 * instruction. Each call puts the handler in front again. */
void cpu_setup(void);
bool cpu_has_avx(void);
/* As after FNINIT, with MXCSR as after reset. */
void cpu_reset(struct cpu_area *a);
uint8_t *cpu_xmm(struct cpu_area *a, unsigned n);
/* The upper half of YMM n. */
uint8_t *cpu_ymm_high(struct cpu_area *a, unsigned n);
/* What ops->native does. The area is loaded and saved in the form of e->mode. */
enum emulate_access cpu_native(struct emulate *e, struct cpu_area *a, struct emulate_native *n);
/* Was it an instruction of cpu_native() that raised the signal? Then *context now leads out of it. For other
 * handlers. */
bool cpu_caught(int number, void *context);

#endif
