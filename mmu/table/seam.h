/* mmu/table/seam.h - where other CPUs may come between two stores to what they look at as well: nothing is to be done
 * there. Tests that let them come have another file of this name (test/oracle/seam/). */
#ifndef VELLUM_MMU_TABLE_SEAM_H
#define VELLUM_MMU_TABLE_SEAM_H

#include "lib/base.h"

/* Nobody looks. */
#define SEAM_WOVEN false
/* An entry of a table was just stored. */
static inline void seam_stored(void) {}
/* The hypervisor just wrote to guest memory for the guest. */
static inline void seam_written(void) {}
/* Between two steps of faults that are served beside each other, and of who wants to be alone. */
static inline void seam_beside(void) {}

#endif
