/* host/paging.h - the hypervisor's own address space: all of physical memory, at the same virtual addresses. */
#ifndef VELLUM_HOST_PAGING_H
#define VELLUM_HOST_PAGING_H

#include "lib/base.h"

/* Extends the map that boot.S made (4 GiB) to end, bytes. false: no memory for the tables. */
bool paging_map_to(uint64_t end);

#endif
