/* vm/device/console.h - the consoles of guests: one's is COM1 of the machine, the others' are lines on COM2. */
#ifndef VELLUM_VM_CONSOLE_H
#define VELLUM_VM_CONSOLE_H

#include "lib/base.h"

struct vm;

#define CONSOLE_KEPT 4096
/* Under vm.device_lock. */
struct vm_console {
	unsigned used;    /* of text: a line that has not been written yet */
	bool complete;    /* it is whole, but the port had no room */
	char text[120];
	uint64_t dropped; /* bytes that the guest wrote although its transmitter was busy */
	/* What it has said last, for who comes to it later (vm/control/console.c): count bytes in all, of which byte n
	 * is bytes[n % CONSOLE_KEPT]. */
	uint64_t count;
	uint8_t bytes[CONSOLE_KEPT];
};

/* What takes a byte of a guest's console, and says whether there is room for one; the context is the VM. */
struct vm_console_ends {
	void (*out)(void *vm, uint8_t byte);
	bool (*room)(void *vm);
};
struct vm_console_ends console_ends(const struct vm *vm);
/* Bytes for COM1 have arrived, or room for output: called on the first CPU, without the device lock. */
void platform_console_event(unsigned port);
/* Is its console the machine's COM1 (machine.console)? */
bool console_is_first(const struct vm *vm);
/* Copies at most size bytes of what its console has said from byte *from on, which becomes the oldest one that is kept
 * where that is later, or where *from has not been said. Returns how many. The device lock is held. */
unsigned console_said(const struct vm *vm, uint64_t *from, uint8_t *bytes, unsigned size);
/* Types at its console; returns how many of the bytes found room, the first ones. Takes the device lock. */
unsigned console_type(struct vm *vm, const uint8_t *bytes, unsigned count);
/* Moves what has arrived for COM1 to the VM whose console it is, as far as it has room: to its virtio console, if that
 * has a driver, else to its UART; takes the device lock. */
void platform_feed_uart(struct vm *vm);
/* What is left of the console's output of a VM that has ended: a line that no newline ended, or that waits for room.
 * false: there is still no room. */
bool platform_console_rest(struct vm *vm);

#endif
