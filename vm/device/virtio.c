#include "vm/device/virtio.h"

#include "host/cpu/random.h"
#include "host/device/console.h"
#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"
#include "vm/device/console.h"
#include "vm/device/net.h"
#include "vm/memory/reclaim.h"
#include "vm/vm.h"

#define RNG_SLOT 11 /* on the bus */
#define CONSOLE_SLOT 12
#define BALLOON_SLOT 13

/* ---- what they have in common ---- */

void virtio_ask(void *vm) { VM_MUTANT(DEVICES_ASK, vcpu_request(vm_boot_vcpu(vm), REQUEST_DEVICES)); }

/* RA2, RC3; looked at without the lock first, as nearly always nothing is wanted. */
static void balloon_serve(struct vm *vm)
{
	struct virtio_balloon *b = virtio_balloon_of(vm);

	if (!b || !__atomic_load_n(&b->wants, __ATOMIC_RELAXED))
		return;
	VM_MUTANT(BALLOON_HOLDS, reclaim_hold());
	VM_MUTANT(BALLOON_FREEZES, vm_freeze(vm));
	spin_lock(&vm->device_lock);
	if (VM_LEFT_OUT_OR(BALLOON_MASTER, pci_is_master(&vm->virtio->balloon_pci.pci)))
		virtio_balloon_serve(b);
	spin_unlock(&vm->device_lock);
	VM_MUTANT(BALLOON_FREEZES, vm_thaw(vm));
	VM_MUTANT(BALLOON_HOLDS, reclaim_let_go());
}

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
	balloon_serve(vm);
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

/* ---- the balloon ---- */

struct virtio_balloon *virtio_balloon_of(struct vm *vm)
{
	return vm->virtio && vm->config->balloon ? &vm->virtio->balloon : NULL;
}

const char *virtio_balloon_to(struct vm *vm, uint64_t bytes)
{
	struct virtio_balloon *b = virtio_balloon_of(vm);
	const char *why = NULL;

	spin_lock(&vm->device_lock);
	if (!b)
		why = "it has no balloon: begin it with balloon on (--balloon)";
	else if (VM_KEPT(BALLOON_DRIVEN, !virtio_balloon_driven(b)))
		why = "its guest has no driver for its balloon, or not yet (Linux: virtio_balloon)";
	else if (VM_KEPT(BALLOON_SIZE, !bytes || bytes > vm->config->mem || bytes % PAGE_SIZE))
		why = "it must have some of its RAM, in pages of 4K, and can have all of it, but no more";
	else
		virtio_balloon_set(b, (uint32_t)((vm->config->mem - bytes) >> PAGE_SHIFT));
	spin_unlock(&vm->device_lock);
	return why;
}

/* Where nothing is taken as it is touched, ROM and devices among it, nothing is free. */
static uint64_t give(void *ctx, uint64_t gfn, unsigned pages) { return ram_give(ctx, GFN(gfn), pages); }

static bool add_balloon(struct vm *vm)
{
	struct virtio_balloon_host host = { give, virtio_ask, vm };
	struct vm_virtio *d = vm->virtio;

	virtio_balloon_init(&d->balloon, &host, &vm->memory, vm->config->balloon == CONFIG_BALLOON_OOM);
	virtio_pci_init(&d->balloon_pci, &d->balloon.device, PCI_CLASS(PCI_CLASS_OTHER, 0), platform_message, vm);
	return pci_add(&vm->pci, &d->balloon_pci.pci, PCI_DEVFN(BALLOON_SLOT, 0));
}

/* ---- making them ---- */

bool virtio_add(struct vm *vm)
{
	bool rng = vm->config->rng == CONFIG_ON, console = vm->config->hvc == CONFIG_ON, balloon = vm->config->balloon;

	if (!rng && !console && !balloon)
		return true;
	vm->virtio = frames_take(sizeof(*vm->virtio));
	if (vm->virtio && (!rng || add_rng(vm)) && (!console || add_console(vm)) && (!balloon || add_balloon(vm)))
		return true;
	if (!vm->ended)
		vm_end(vm, VM_STATUS_BAD_IMAGE, "cannot give it a virtio device: there is no room");
	return false;
}

void virtio_release(struct vm *vm)
{
	if (vm->virtio)
		VM_MUTANT(VIRTIO_FREED, frames_give(vm->virtio, sizeof(*vm->virtio)));
	vm->virtio = NULL;
}
