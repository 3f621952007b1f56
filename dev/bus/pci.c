/* dev/bus/pci.c - PCI Local Bus Specification, "Configuration Mechanism #1"; the host bridge looks like an Intel
 * 440FX. */
#include "dev/bus/pci.h"
#include "dev/bus/bytes.h"
#include "dev/bus/ports.h"


#define ADDRESS_WRITABLE 0x80fffffcu

/* The bridge's register that the byte at port refers to, or -1: an empty slot. */
static int bridge_register(const struct pci *p, uint16_t port)
{
	if ((p->address & ~0xffu) != PCI_ADDRESS_ENABLE) /* bus, device, function 0 */
		return -1;
	return (int)((p->address & 0xfc) | (port & 3));
}

static uint8_t data_read(void *dev, uint16_t port)
{
	struct pci *p = dev;
	int r = bridge_register(p, port);
	return r < 0 ? 0xff : p->bridge[r];
}

static void data_write(void *dev, uint16_t port, uint8_t value)
{
	struct pci *p = dev;
	int r = bridge_register(p, port);
	if (r >= 0)
		p->bridge[r] = (uint8_t)((p->bridge[r] & ~p->bridge_writable[r]) | (value & p->bridge_writable[r]));
}

/* Only doublewords at 0xcf8 are the address; the rest are other devices' ports: 0xcf9 is the reset control. */
static uint8_t address_read(void *dev, uint16_t port)
{
	const struct pci *p = dev;
	return port == PORT_RESET_CONTROL ? ports_reset_control_read(p->ports) : 0xff;
}

static void address_write(void *dev, uint16_t port, uint8_t value)
{
	struct pci *p = dev;
	if (port == PORT_RESET_CONTROL)
		ports_reset_control_write(p->ports, value);
}

static uint32_t address_in(void *dev, uint16_t port, unsigned size)
{
	const struct pci *p = dev;
	return size == 4 ? p->address : bytes_in(dev, port, size, address_read);
}

static void address_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct pci *p = dev;
	if (size == 4)
		p->address = value & ADDRESS_WRITABLE;
	else
		bytes_out(dev, port, size, value, address_write);
}

BYTE_PORTS(data)

void pci_reset(struct pci *p)
{
	static const uint8_t header[16] = {
		0x86, 0x80, 0x37, 0x12, /* vendor, device */
		0x06, 0x00, 0x00, 0x02, /* command: memory, bus master; status: medium DEVSEL */
		0x02, 0x00, 0x00, 0x06, /* revision; class: host bridge */
	};
	p->address = 0;
	memset(p->bridge, 0, sizeof(p->bridge));
	memcpy(p->bridge, header, sizeof(header));
}

bool pci_init(struct pci *p, struct pio_space *pio, struct ports *ports)
{
	static const struct pio_ops address = { address_in, address_out }, data = { data_in, data_out };
	*p = (struct pci){ .ports = ports };
	/* Command: parity errors and SERR#; memory and bus master are always on. */
	p->bridge_writable[0x04] = 0x40;
	p->bridge_writable[0x05] = 0x01;
	memset(&p->bridge_writable[0x59], 0xff, 7); /* PAM0-PAM6: kept, without effect: that memory is always RAM */
	p->bridge_writable[0x72] = 0xff;            /* SMRAM control: kept, without effect: there is no SMM */
	pci_reset(p);
	return pio_add(pio, PCI_ADDRESS, 4, &address, p) && pio_add(pio, PCI_DATA, 4, &data, p);
}
