/* vm/device/console.h - the consoles of guests: the first one's is COM1 of the machine, the others' are lines on
 * COM2. */
#ifndef VELLUM_VM_CONSOLE_H
#define VELLUM_VM_CONSOLE_H

#include "lib/base.h"

struct vm;

/* What takes a byte of a guest's console, and says whether there is room for one; the context is the VM. */
struct vm_console_ends {
	void (*out)(void *vm, uint8_t byte);
	bool (*room)(void *vm);
};
struct vm_console_ends console_ends(const struct vm *vm);
/* Bytes for COM1 have arrived, or room for output: called on the first CPU, without the device lock. */
void platform_console_event(unsigned port);
/* Moves what has arrived for COM1 to VM 0, as far as it has room: to its virtio console, if that has a driver, else to
 * its UART; takes the device lock. */
void platform_feed_uart(struct vm *vm);
/* What is left of the console's output of a VM that has ended: a line that no newline ended, or that waits for room.
 * false: there is still no room. */
bool platform_console_rest(struct vm *vm);

#endif
