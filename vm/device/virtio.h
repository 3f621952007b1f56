/* vm/device/virtio.h - what the virtio devices of a virtual machine have in common, and those that need nothing of the
 * machine's: the source of random numbers, the console, the balloon. */
#ifndef VELLUM_VM_VIRTIO_H
#define VELLUM_VM_VIRTIO_H

#include "dev/virtio/balloon.h"
#include "dev/virtio/console.h"
#include "dev/virtio/pci.h"
#include "dev/virtio/rng.h"

struct vm;

struct vm_virtio {
	struct virtio_rng rng;
	struct virtio_pci rng_pci;
	struct virtio_console console;
	struct virtio_pci console_pci;
	struct virtio_balloon balloon;
	struct virtio_pci balloon_pci;
};

/* A device has more to do than it may at once: from any CPU. */
void virtio_ask(void *vm);
/* Puts what the description asks for, beside disks and network cards, on the bus of a new VM. false: it has ended, with
 * a sentence. */
bool virtio_add(struct vm *vm);
void virtio_release(struct vm *vm);
/* Serves REQUEST_DEVICES, on the boot processor. Returns what else is to be served: where there is more to do, that it
 * leaves the CPU before. */
uint64_t virtio_serve(struct vm *vm);
/* The virtio console; NULL: there is none. */
struct virtio_console *virtio_console_of(struct vm *vm);
/* The same where its driver takes input. */
struct virtio_console *virtio_console_listening(struct vm *vm);
/* The balloon; NULL: there is none. */
struct virtio_balloon *virtio_balloon_of(struct vm *vm);
/* So many bytes of its RAM are to be the guest's from now on. NULL, or one clause that says why not. Takes the device
 * lock. */
const char *virtio_balloon_to(struct vm *vm, uint64_t bytes);

#endif
