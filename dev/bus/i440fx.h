/* dev/bus/i440fx.h - the host bridge 00:00.0, as an Intel 440FX (8086:1237). */
#ifndef VELLUM_DEV_I440FX_H
#define VELLUM_DEV_I440FX_H

#include "dev/bus/pci.h"

struct i440fx {
	struct pci_device pci;
};

/* false: the bus is full. */
bool i440fx_init(struct i440fx *b, struct pci *bus);

#endif
