/* test/vm/shadow/dev/irq/seam.h - in place of dev/irq/seam.h: what a test lets another CPU do there. */
#ifndef VELLUM_DEV_SEAM_H
#define VELLUM_DEV_SEAM_H

#include "test/vm/shadow/vm/seam.h"

static inline void lapic_seam(void) { vm_seam(); }

#endif
