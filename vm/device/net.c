#include "vm/device/net.h"

#include "host/device/nic.h"
#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/device/virtio.h"
#include "vm/vm.h"

#define FIRST_SLOT 7 /* on the bus */

/* The networks that descriptions name, each in memory of its own. */
static struct network {
	const char *name;
	struct net net;
	struct network *next;
} *networks;

/* ---- what a port tells of its backlog ---- */

/* VN4. */
static void notice(void *ctx)
{
	struct vm_port *p = ctx;

	spin_lock(&p->lock);
	if (VM_LEFT_OUT_OR(NET_THERE, p->vm))
		VM_MUTANT(NET_REQUEST, vcpu_request(vm_boot_vcpu(p->vm), REQUEST_DEVICES));
	spin_unlock(&p->lock);
}

/* Who sends leaves the CPU, if that is what its reader waits for. */
static void crowded(void *ctx)
{
	struct percpu *cpu = this_cpu();
	struct vm_port *p = ctx;
	struct vcpu *reader;

	spin_lock(&p->lock);
	reader = p->vm ? vm_boot_vcpu(p->vm) : NULL;
	if (reader)
		__atomic_store_n(&reader->favoured, true, __ATOMIC_RELAXED);
	if (reader && __atomic_load_n(&reader->cpu, __ATOMIC_RELAXED) == cpu && cpu->run_queue &&
	    cpu->run_queue->running)
		VM_MUTANT(NET_YIELDS, vcpu_note(cpu->run_queue, REQUEST_SWITCH));
	spin_unlock(&p->lock);
}

/* ---- all descriptions ---- */

static const char no_memory[] = "there is no memory for the networks of its descriptions";

/* The one with a way out; NULL: none of them has a card there. */
static struct network *outer;

static void came(const uint8_t *frame, uint32_t bytes)
{
	if (outer)
		net_from_outside(&outer->net, frame, bytes);
}

static bool leads_out(const char *name) { return strcmp(name, CONFIG_NET_USER) == 0; }

static bool wants_out(const struct vm_config *config)
{
	for (unsigned n = 0; n < config->nets; n++)
		if (leads_out(config->net[n].name))
			return true;
	return false;
}

const char *nets_find_way_out(void)
{
	nic_frame = came;
	for (unsigned id = 0; id < machine.vm_count; id++)
		if (wants_out(machine.place[id].config))
			return nic_host_init();
	return NULL;
}

/* NULL: there is no memory for it. */
static struct network *network(const char *name)
{
	struct network *n;

	for (n = networks; n; n = n->next)
		if (strcmp(n->name, name) == 0)
			return n;
	n = frames_take(sizeof(*n));
	if (n) {
		n->name = name;
		if (leads_out(name)) {
			VM_MUTANT(NET_WAY_OUT, n->net.uplink = nic_host_send);
			outer = n;
		}
		n->next = networks;
		networks = n;
	}
	return n;
}

/* IEEE 802.3, "Address fields": the second bit says that the address is locally administered, which nobody has been
 * given. The rest is the numbers of the machine and its card; QEMU's begin alike. */
static void choose_address(uint8_t *address, const struct config_net *config, unsigned id, unsigned n)
{
	const uint8_t own[NET_ADDRESS] = { 0x52, 0x54, 0, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(n + 1) };

	memcpy(address, config->address_given ? config->address : own, NET_ADDRESS);
}

static const char *make_ports(unsigned id)
{
	static char text[300];
	struct vm_place *place = &machine.place[id];
	const struct vm_config *config = place->config;
	uint8_t address[NET_ADDRESS];

	place->ports = frames_take(config->nets * sizeof(struct vm_port));
	if (!place->ports)
		return no_memory;
	for (unsigned n = 0; n < config->nets; n++) {
		struct vm_port *p = &place->ports[n];
		struct network *on = network(config->net[n].name);

		p->port.notice = notice;
		p->port.crowded = crowded;
		p->port.ctx = p;
		choose_address(address, &config->net[n], id, n);
		if (!on)
			return no_memory;
		if (net_join(&on->net, &p->port, address))
			continue;
		fmt(text, sizeof(text), "%s cannot be on network %s: that has %s", config->name, on->name,
		    on->net.ports == NET_PORTS_MAX ? "64 cards, and no more are possible" :
						     "another card with the same address (mac)");
		return text;
	}
	return NULL;
}

const char *nets_begin(void)
{
	const char *why = NULL;

	for (unsigned id = 0; id < machine.vm_count && !why; id++)
		if (machine.place[id].config->nets && !machine.place[id].ports)
			why = make_ports(id);
	return why;
}

void nets_end(void)
{
	for (unsigned id = 0; id < machine.vm_count; id++) {
		struct vm_place *place = &machine.place[id];

		if (place->ports)
			VM_MUTANT(NET_PORTS_FREED,
				  frames_give(place->ports, place->config->nets * sizeof(struct vm_port)));
		place->ports = NULL;
	}
	outer = NULL;
	while (networks) {
		struct network *n = networks;

		networks = n->next;
		frames_give(n, sizeof(*n));
	}
}

/* ---- one virtual machine ---- */

static void attach(struct vm_port *p, struct vm *vm)
{
	if (vm)
		net_open(&p->port);
	else
		net_close(&p->port);
	spin_lock(&p->lock);
	p->vm = vm;
	spin_unlock(&p->lock);
}

static bool make_net(struct vm *vm, unsigned n)
{
	struct vm_net *d = &vm->nets[n];

	d->port = &machine.place[vm->id].ports[n];
	virtio_net_init(&d->net, &d->port->port, &vm->memory, virtio_ask, vm);
	virtio_pci_init(&d->pci, &d->net.device, PCI_CLASS(PCI_CLASS_NETWORK, 0), platform_message, vm);
	if (!pci_add(&vm->pci, &d->pci.pci, PCI_DEVFN(FIRST_SLOT + n, 0)))
		return false;
	if (VM_LEFT_OUT_OR(SECOND_NETLESS, !vm->live.second))
		attach(d->port, vm);
	return true;
}

bool nets_add(struct vm *vm)
{
	if (!vm->config->nets)
		return true;
	vm->nets = frames_take(vm->config->nets * sizeof(struct vm_net));
	for (unsigned n = 0; n < vm->config->nets; n++)
		if (!vm->nets || !make_net(vm, n)) {
			vm_end(vm, VM_STATUS_BAD_IMAGE, "cannot give it a network card: there is no room");
			return false;
		}
	return true;
}

void nets_release(struct vm *vm)
{
	if (!vm->nets)
		return;
	for (unsigned n = 0; n < vm->config->nets; n++)
		if (vm->nets[n].port && VM_LEFT_OUT_OR(NET_ITS_OWN, vm->nets[n].port->vm == vm))
			VM_MUTANT(NET_DETACHED, attach(vm->nets[n].port, NULL));
	VM_MUTANT(NET_FREED, frames_give(vm->nets, vm->config->nets * sizeof(struct vm_net)));
	vm->nets = NULL;
}

/* VN4. Their backlogs stay as they are. */
void nets_hand(struct vm *to)
{
	for (unsigned n = 0; to->nets && n < to->config->nets; n++) {
		struct vm_port *p = to->nets[n].port;

		spin_lock(&p->lock);
		p->vm = to;
		spin_unlock(&p->lock);
	}
}

void nets_serve(struct vm *vm)
{
	for (unsigned n = 0; vm->nets && n < vm->config->nets; n++)
		virtio_net_serve(&vm->nets[n].net, pci_is_master(&vm->nets[n].pci.pci));
}
