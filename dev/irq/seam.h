/* dev/irq/seam.h - where other CPUs may come between two steps whose order is a rule (L6 in dev/irq/lapic.h): nothing
 * is to be done there. The bench has another file of this name (test/vm/shadow/), and lets them come. */
#ifndef VELLUM_DEV_SEAM_H
#define VELLUM_DEV_SEAM_H

static inline void lapic_seam(void) {}

#endif
