/* host/trap/fault.h - what a fault of the hypervisor itself is said to be. */
#ifndef VELLUM_HOST_FAULT_H
#define VELLUM_HOST_FAULT_H

#include "host/trap/interrupt.h"

/* One sentence to the statistics port, the registers, and the end of the machine. */
_Noreturn void fault_report(const struct interrupt_frame *f);

#endif
