/* vm/native/native.h - a guest without a hypervisor under it: the comparison's other side. */
#ifndef VELLUM_VM_NATIVE_H
#define VELLUM_VM_NATIVE_H

#include "vm/config/config.h"

/* Loads the kernel of the description into the machine's own RAM, as it would be loaded into a virtual machine's, with
 * the same memory map, and gives it the machine. Returns only when that cannot be: what is wrong. Called before
 * anything of the machine is touched but the serial ports. */
const char *native_start(const struct vm_config *config);

#endif
