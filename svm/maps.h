/* svm/maps.h - the I/O and MSR permission maps, alike for all virtual CPUs: every port exits; of the MSRs only those
 * that the CPU or the vCPU switch keeps apart do not. APM, "IOIO Intercepts" and "MSR Intercepts". */
#ifndef VELLUM_SVM_MAPS_H
#define VELLUM_SVM_MAPS_H

#include "svm/caps.h"

extern uint8_t svm_io_map[3 * PAGE_SIZE];
extern uint8_t svm_msr_map[2 * PAGE_SIZE];

/* Fills them; once, before the first entry. */
void svm_maps_init(const struct svm_caps *caps);

#endif
