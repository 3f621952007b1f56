/* vm/seam.h - where other CPUs may come between two steps whose order is a rule: nothing is to be done there. The bench
 * has another file of this name (test/vm/shadow/), and lets them come. */
#ifndef VELLUM_VM_SEAM_H
#define VELLUM_VM_SEAM_H

static inline void vm_seam(void) {}

#endif
