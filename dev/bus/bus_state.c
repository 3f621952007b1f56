/* dev/bus/bus_state.c - what a snapshot holds of the buses and the odd ports. */
#include "dev/bus/dma8237.h"
#include "dev/bus/msix.h"
#include "dev/bus/pci.h"
#include "lib/mutants/mutate.h"

#define SHUTDOWN_MAX 7 /* characters of the word, before the last */

void ports_state(struct fields *s, struct ports *p)
{
	state_begin(s, "ports", 1);
	state_u8(s, &p->reset_control);
	state_u8(s, &p->fast_a20);
	state_bytes(s, p->post, sizeof(p->post));
	state_u8(s, &p->shutdown);
	state_check(s, VM_LEFT_OUT_OR(STATE_SHUTDOWN, p->shutdown <= SHUTDOWN_MAX), "a register holds what it cannot");
	state_end(s);
}

/* A guest cannot have changed more than it may: what else is read is the device's. */
static void config_state(struct fields *s, struct pci_device *d)
{
	uint8_t config[sizeof(d->config)];

	memcpy(config, d->config, sizeof(config));
	state_same(s, d->devfn, "another device is in a slot");
	state_same(s, pci_get32(d->reset, PCI_VENDOR), "another device is in a slot");
	state_bytes(s, config, sizeof(config));
	state_bool(s, &d->asserted);
	for (unsigned n = 0; s->load && !s->bad && n < sizeof(config); n++) {
		uint8_t may = VM_LEFT_OUT_OR(STATE_PCI_MAY, false) ? 0xff : d->writable[n];

		d->config[n] = (uint8_t)((d->config[n] & ~may) | (config[n] & may));
	}
}

void pci_state(struct fields *s, struct pci *p)
{
	state_begin(s, "pci", 1);
	state_u32(s, &p->address);
	state_same(s, p->count, "there are more devices, or fewer");
	for (unsigned n = 0; n < PCI_PIRQS; n++) {
		state_u8(s, &p->pirq[n]);
		state_check(s, VM_LEFT_OUT_OR(STATE_PIRQ, p->pirq[n] < 16 || p->pirq[n] == PCI_PIRQ_OFF),
			    "an interrupt is routed to nowhere");
	}
	state_u16(s, &p->irq_levels);
	for (unsigned n = 0; n < p->count; n++)
		config_state(s, p->device[n]);
	state_end(s);
	if (s->load && !s->bad)
		VM_MUTANT(STATE_PCI_MAPS, pci_map_anew(p));
}

void msix_state(struct fields *s, struct msix *m)
{
	state_same(s, m->vectors, "there are more vectors, or fewer");
	for (unsigned n = 0; n < m->vectors; n++) {
		for (unsigned i = 0; i < 4; i++)
			state_u32(s, &m->entry[n][i]);
		state_check(s, !(m->entry[n][3] & ~MSIX_MASKED), "a vector's control has reserved bits");
	}
	state_bool(s, &m->enabled);
	state_bool(s, &m->masked);
	state_u32(s, &m->pending);
	state_check(s, VM_LEFT_OUT_OR(STATE_MSIX, !(m->pending >> m->vectors)), "a vector waits that there is not");
}

static void chip_state(struct fields *s, struct dma8237_chip *c)
{
	for (unsigned n = 0; n < ARRAY_SIZE(c->base); n++) {
		state_u16(s, &c->base[n]);
		state_u16(s, &c->current[n]);
	}
	state_u8(s, &c->command);
	state_bytes(s, c->mode, sizeof(c->mode));
	state_u8(s, &c->mask);
	state_u8(s, &c->request);
	state_bool(s, &c->high);
}

void dma8237_state(struct fields *s, struct dma8237 *d)
{
	state_begin(s, "dma8237", 1);
	for (unsigned n = 0; n < ARRAY_SIZE(d->chip); n++)
		chip_state(s, &d->chip[n]);
	state_end(s);
}
