/* test/vm/shadow/vm/seam.h - in place of vm/seam.h: what a test lets another CPU do there. */
#ifndef VELLUM_VM_SEAM_H
#define VELLUM_VM_SEAM_H

extern void (*bench_seam)(void); /* NULL: nothing */

static inline void vm_seam(void)
{
	if (bench_seam)
		bench_seam();
}

#endif
