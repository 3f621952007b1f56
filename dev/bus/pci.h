/* dev/bus/pci.h - PCI configuration mechanism #1 (0xcf8, 0xcfc), the devices of bus 0, their base address registers and
 * their interrupt pins. PCI Local Bus Specification, "Configuration Space", "Base Addresses", "Interrupt Pin".
 *
 * A device is a struct pci_device that its owner embeds and fills in: what its configuration space holds after a reset,
 * which bits of it a guest may change, what its BARs decode. The bus keeps the BARs: it maps a device's ports and MMIO
 * where the guest has put them, while the command register decodes them.
 *
 *   PB1  A BAR decodes its range, or nothing: where other ports, or another device's memory, are already, it does not,
 *        until they have moved. Who was there first stays.
 *   PB2  An interrupt line is asserted while any of the devices that are routed to it asserts its pin. */
#ifndef VELLUM_DEV_PCI_H
#define VELLUM_DEV_PCI_H

#include "dev/dev.h"
#include "dev/bus/ports.h"
#include "lib/pci.h"
#include "lib/ports.h"

#define PCI_DEVFN(slot, function) ((slot) << 3 | (function))
#define PCI_BARS 6
#define PCI_ROM PCI_BARS /* the index of the expansion ROM's, which has an enable bit of its own */
#define PCI_PIRQS 4
#define PCI_PIRQ_OFF 0x80u
#define PCI_DEVICES_MAX 16

struct pci_bar {
	uint32_t size;                /* bytes, a power of two, at least 4 (ports) or 16 (memory); 0: there is none */
	const struct pio_ops *io;     /* a port BAR (at most 256 ports); the ops get absolute ports ... */
	const struct mmio_ops *mmio;  /* ... or one of memory below 4 GiB, whose ops get offsets */
	void *dev;                    /* what the ops are called with */
	bool mapped;                  /* the bus's: it decodes at .at */
	uint32_t at;
};

struct pci_device {
	uint8_t config[256];
	uint8_t reset[256];           /* what pci_reset() puts there */
	uint8_t writable[256];        /* which bits a guest may change; those of BARs and the command are the bus's */
	struct pci_bar bar[PCI_BARS + 1];
	/* NULL, or: the guest has written size bytes of the configuration space from register reg on, or a reset
	 * all of it. */
	void (*written)(struct pci_device *d, unsigned reg, unsigned size);
	/* NULL, or: the guest is about to read them (a device may bring .config up to date). */
	void (*reading)(struct pci_device *d, unsigned reg, unsigned size);
	struct pci *bus;              /* the bus's, as what follows */
	uint8_t devfn;
	bool asserted;                /* its interrupt pin */
};

struct pci {
	uint32_t address;
	struct ports *ports;          /* byte accesses to 0xcf9 */
	struct pio_space *pio;
	struct mmio_space *mmio;
	struct irq_line line;         /* for its .set and .ctx */
	struct pci_device *device[PCI_DEVICES_MAX];
	unsigned count;
	uint8_t pirq[PCI_PIRQS];      /* the IRQ that PIRQA-PIRQD are routed to, or PCI_PIRQ_OFF */
	uint16_t irq_levels;          /* IRQs that the bus asserts */
};

/* An empty bus. ports: what byte accesses to 0xcf9 are for; line: any line of the interrupt hub. PIRQA and B go to
 * IRQ 10, C and D to 11, as every firmware has it. false: the port range is taken. */
bool pci_init(struct pci *p, struct pio_space *pio, struct mmio_space *mmio, struct ports *ports, struct irq_line line);
/* Puts a device on the bus, with .reset as its state; .config's pin decides whether it has an interrupt. false: there
 * are too many. */
bool pci_add(struct pci *p, struct pci_device *d, unsigned devfn);
FOR_TESTS void pci_reset(struct pci *p);
/* dev/bus/bus_state.c: the bus, and the configuration spaces of all that is on it, whose BARs then decode; the devices'
 * own functions are told of nothing. */
void pci_state(struct fields *s, struct pci *p);
/* After the configuration spaces were changed from outside: what each decodes. */
void pci_map_anew(struct pci *p);
/* Gives every BAR an address ([io, ...) and [memory, memory_end)), every device with a pin its interrupt line, and lets
 * it decode: what a firmware does, for guests that start without one. false: there is no room. */
bool pci_assign(struct pci *p, uint32_t io, uint32_t memory, uint32_t memory_end);
/* The level of the device's INTx pin. Pin n of slot s is PIRQ (s + n) mod 4, n from 0 for INTA, as on QEMU's PC. */
void pci_set_intx(struct pci_device *d, bool level);
/* Routes PIRQ n to an IRQ of the 8259s, or nowhere (PCI_PIRQ_OFF). */
void pci_route(struct pci *p, unsigned pirq, uint8_t irq);
/* May the device read and write memory itself? */
static inline bool pci_is_master(const struct pci_device *d) { return d->config[PCI_COMMAND] & PCI_COMMAND_MASTER; }

/* For who fills in .reset and .writable: little-endian. */
static inline void pci_put16(uint8_t *space, unsigned reg, uint16_t value)
{
	space[reg] = (uint8_t)value;
	space[reg + 1] = (uint8_t)(value >> 8);
}
static inline void pci_put32(uint8_t *space, unsigned reg, uint32_t value)
{
	pci_put16(space, reg, (uint16_t)value);
	pci_put16(space, reg + 2, (uint16_t)(value >> 16));
}
static inline uint32_t pci_get32(const uint8_t *space, unsigned reg)
{
	return space[reg] | (uint32_t)space[reg + 1] << 8 | (uint32_t)space[reg + 2] << 16 |
	       (uint32_t)space[reg + 3] << 24;
}
/* Vendor and device, class (as 0xCCSSPP: class, sub-class, programming interface), revision. */
void pci_identify(struct pci_device *d, uint16_t vendor, uint16_t device, uint32_t class, uint8_t revision);

#endif
