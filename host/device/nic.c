#include "host/device/nic.h"

#include "host/cpu/spinlock.h"
#include "host/device/console.h"
#include "host/device/e1000.h"
#include "host/device/ioapic.h"
#include "host/device/pci.h"
#include "host/memory/frames.h"
#include "host/memory/paging.h"
#include "host/trap/interrupt.h"
#include "lib/pci.h"

#define ISA_IRQS 16

/* "Vendor ID and Device ID" of those that differ in nothing that is used here. */
static const uint16_t models[] = { 0x100e /* 82540EM */, 0x100f /* 82545EM */, 0x1004 /* 82543GC */ };

static struct {
	struct spinlock lock;
	volatile uint32_t *registers;
	struct e1000 card;
	bool there;
} nic;
void (*nic_frame)(const uint8_t *frame, uint32_t bytes);

static uint32_t read(unsigned reg) { return nic.registers[reg / 4]; }
static void write(unsigned reg, uint32_t value) { nic.registers[reg / 4] = value; }

static bool is_known(uint32_t function)
{
	uint32_t id = pci_host_read(function, PCI_VENDOR);

	for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
		if (id == (PCI_VENDOR_INTEL | (uint32_t)models[i] << 16))
			return true;
	return false;
}

/* PCI Local Bus Specification, "Base Addresses": the first is one of memory, of 32 bits or of 64. 0: it is not, or
 * nobody has given it an address. */
static uint64_t register_address(uint32_t function)
{
	uint32_t low = pci_host_read(function, PCI_BAR);
	bool wide = (low & PCI_BAR_TYPE) == PCI_BAR_64;

	if (low & PCI_BAR_IO)
		return 0;
	return (low & ~PCI_BAR_MEMORY_FLAGS) | (wide ? (uint64_t)pci_host_read(function, PCI_BAR + 4) << 32 : 0);
}

static bool begin_card(void)
{
	hfn_t memory = frames_alloc_run(pages_for(E1000_MEMORY), 1);

	if (hfn_is_none(memory))
		return false;
	memset(frames_ptr(memory), 0, E1000_MEMORY);
	nic.card.read = read;
	nic.card.write = write;
	return e1000_begin(&nic.card, frames_ptr(memory), hfn_hpa(memory).v);
}

const char *nic_host_init(void)
{
	uint32_t function = pci_host_find(PCI_CLASS_NETWORK, is_known);
	uint64_t at;
	uint8_t irq;

	if (!function)
		return "the machine has no network card that the hypervisor can drive (Intel's 82540EM or one like it)";
	irq = (uint8_t)pci_host_read(function, PCI_INTERRUPT_LINE);
	at = register_address(function);
	if (at)
		nic.registers = paging_window(at, E1000_BYTES, PAGING_DEVICE);
	if (!nic.registers)
		return "the registers of the machine's network card cannot be seen";
	pci_host_enable(function, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	if (!begin_card())
		return "the machine's network card does not answer, or there is no memory for it";
	if (irq == 0 || irq >= ISA_IRQS || !ioapic_host_route(irq, VECTOR_NIC))
		return "the interrupt of the machine's network card cannot be had";
	nic.there = true;
	console_log("network card: Intel 8254x at 0x%lx, interrupt %u", at, (unsigned)irq);
	return NULL;
}

bool nic_host_send(const uint8_t *frame, uint32_t bytes)
{
	bool sent;

	if (!nic.there)
		return false;
	spin_lock(&nic.lock);
	sent = e1000_send(&nic.card, frame, bytes);
	spin_unlock(&nic.lock);
	return sent;
}

void nic_host_interrupt(void)
{
	if (nic.there && e1000_heed(&nic.card))
		e1000_receive(&nic.card, nic_frame);
}
