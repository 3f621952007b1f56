#include "vm/device/virtio.h"

#include "host/cpu/random.h"
#include "host/device/console.h"
#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/device/console.h"
#include "vm/device/net.h"
#include "vm/vm.h"

#define RNG_SLOT 11 /* on the bus */
#define CONSOLE_SLOT 12

/* ---- what they have in common ---- */

void virtio_ask(void *vm) { VM_MUTANT(DEVICES_ASK, vcpu_request(vm_boot_vcpu(vm), REQUEST_DEVICES)); }

uint64_t virtio_serve(struct vm *vm)
{
	struct virtio_console *console;
	bool more;

	spin_lock(&vm->device_lock);
	VM_MUTANT(DEVICES_SERVED, nets_serve(vm));
	console = virtio_console_of(vm);
	if (console && pci_is_master(&vm->virtio->console_pci.pci))
		virtio_console_serve(console);
	spin_unlock(&vm->device_lock);
	if (console && console_is_first(vm))
		VM_MUTANT(CONSOLE_HUNGRY, platform_feed_uart(vm));
	more = __atomic_load_n(&vm_boot_vcpu(vm)->requests, __ATOMIC_RELAXED) & REQUEST_DEVICES;
	return VM_KEPT(DEVICES_TURN, more) ? REQUEST_SWITCH : 0;
}

/* ---- the console ---- */

struct virtio_console *virtio_console_of(struct vm *vm)
{
	return vm->virtio && vm->config->hvc == CONFIG_ON ? &vm->virtio->console : NULL;
}

struct virtio_console *virtio_console_listening(struct vm *vm)
{
	struct virtio_console *c = virtio_console_of(vm);

	return c && pci_is_master(&vm->virtio->console_pci.pci) && virtio_console_listens(c) ? c : NULL;
}

static bool add_console(struct vm *vm)
{
	struct vm_console_ends ends = console_ends(vm);
	struct virtio_console_host host = { ends.room, ends.out, virtio_ask, virtio_ask, vm };
	struct vm_virtio *d = vm->virtio;

	virtio_console_init(&d->console, &host, &vm->memory);
	virtio_pci_init(&d->console_pci, &d->console.device, PCI_CLASS(PCI_CLASS_COMMUNICATION, 0), platform_message,
			vm);
	return pci_add(&vm->pci, &d->console_pci.pci, PCI_DEVFN(CONSOLE_SLOT, 0));
}

/* ---- the source of random numbers ---- */

static bool add_rng(struct vm *vm)
{
	struct vm_virtio *d = vm->virtio;

	if (VM_KEPT(RNG_SOURCE, !random_from_cpu())) {
		vm_end(vm, VM_STATUS_UNSUPPORTED, "cannot give it random numbers (rng): they come from RDRAND, which "
						  "this machine's CPU does not have");
		return false;
	}
	virtio_rng_init(&d->rng, random_strong, &vm->memory);
	virtio_pci_init(&d->rng_pci, &d->rng.device, PCI_CLASS(PCI_CLASS_OTHER, 0), platform_message, vm);
	return pci_add(&vm->pci, &d->rng_pci.pci, PCI_DEVFN(RNG_SLOT, 0));
}

/* ---- making them ---- */

#define PAGES (align_up(sizeof(struct vm_virtio), PAGE_SIZE) >> PAGE_SHIFT)

bool virtio_add(struct vm *vm)
{
	bool rng = vm->config->rng == CONFIG_ON, console = vm->config->hvc == CONFIG_ON;
	hfn_t f;

	if (!rng && !console)
		return true;
	f = frames_alloc_run(PAGES, 1);
	if (!hfn_is_none(f)) {
		vm->virtio = frames_ptr(f);
		memset(vm->virtio, 0, sizeof(*vm->virtio));
		if ((!rng || add_rng(vm)) && (!console || add_console(vm)))
			return true;
	}
	if (!vm->ended)
		vm_end(vm, VM_STATUS_BAD_IMAGE, "cannot give it a virtio device: there is no room");
	return false;
}

void virtio_release(struct vm *vm)
{
	if (vm->virtio)
		VM_MUTANT(VIRTIO_FREED, frames_free(frames_of_ptr(vm->virtio), PAGES));
	vm->virtio = NULL;
}
