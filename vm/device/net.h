/* vm/device/net.h - the network cards of virtual machines, and the networks that join them (dev/net/switch.h).
 *
 * VN4  Of another virtual machine, who sends touches the port's backlog and its boot processor's requests; that it is
 *      there is held by the port's lock, a leaf. No copy is made with that held. */
#ifndef VELLUM_VM_NET_H
#define VELLUM_VM_NET_H

#include "dev/virtio/net.h"
#include "dev/virtio/pci.h"
#include "host/cpu/spinlock.h"
#include "vm/config/config.h"

struct vm;

/* Of a place in the description: it is there as long as the machine is. */
struct vm_port {
	struct net_port port;
	struct spinlock lock;
	struct vm *vm; /* that is there now; NULL: none */
};

/* Of a virtual machine. */
struct vm_net {
	struct virtio_net net;
	struct virtio_pci pci;
	struct vm_port *port;
};

/* Finds the machine's own card, if a description has one on the network that leads outside (CONFIG_NET_USER). NULL, or
 * one sentence. Once, before the networks; what it takes stays. */
const char *nets_find_way_out(void);
/* Makes the networks of all descriptions, or of those that were added since, before any VM of them is made. NULL, or
 * one sentence. */
const char *nets_begin(void);
/* Gives back what they take. */
void nets_end(void);
/* Puts the network cards of the description on the bus of a new VM. false: it has ended, with a sentence. */
bool nets_add(struct vm *vm);
void nets_release(struct vm *vm);
/* A second container of a VM has its ports from now on. */
void nets_hand(struct vm *to);
/* With the device lock held. */
void nets_serve(struct vm *vm);

#endif
