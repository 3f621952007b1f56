#include "host/device/disk_ahci.h"

#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "host/device/console.h"
#include "host/device/pci.h"
#include "host/memory/frames.h"
#include "host/memory/paging.h"
#include "lib/pci.h"

#define BAR_REGISTERS (PCI_BAR + 4 * 5) /* AHCI 1.3.1, "AHCI Base Address" */
#define BAR_ADDRESS 0xfffffff0u

static volatile uint32_t *registers;
static struct ahci_port ports[AHCI_PORTS];
static struct ahci hba;

static uint32_t read(unsigned reg) { return registers[reg / 4]; }
static void write(unsigned reg, uint32_t value) { registers[reg / 4] = value; }
static uint64_t now(void) { return rdtsc(); }

bool ahci_host_begin(uint64_t patience, uint8_t vector, bool *interrupts)
{
	uint32_t function = pci_host_find(PCI_CLASS_SATA, NULL), at;

	if (!function)
		return false;
	at = pci_host_read(function, BAR_REGISTERS) & BAR_ADDRESS;
	registers = at ? paging_window(at, AHCI_BYTES, PAGING_DEVICE) : NULL;
	if (!registers) {
		console_log("the registers of the machine's AHCI controller cannot be seen; its disks are left alone");
		return false;
	}
	pci_host_enable(function, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	hba = (struct ahci){ .read = read, .write = write, .now = now, .patience = patience };
	if (!ahci_begin(&hba)) {
		console_log("the machine's AHCI controller does not answer; its disks are left alone");
		return false;
	}
	*interrupts = pci_host_message(function, percpu_of(0)->apic_id, vector);
	return true;
}

/* All of it below 4 GiB, which each controller can address. */
bool ahci_host_find(unsigned n, struct ahci_port **port)
{
	struct ahci_port *p = &ports[n];
	hfn_t buffer, memory;

	*port = NULL;
	if (!ahci_has_port(&hba, n))
		return true;
	buffer = frames_alloc_run_low(ATA_BUFFER >> PAGE_SHIFT, 1);
	memory = frames_alloc_run_low(1, 1);
	if (hfn_is_none(buffer) || hfn_is_none(memory))
		return false;
	*p = (struct ahci_port){
		.hba = &hba, .n = n, .memory = frames_ptr(memory), .memory_address = (uint32_t)hfn_hpa(memory).v,
		.buffer = frames_ptr(buffer), .buffer_address = (uint32_t)hfn_hpa(buffer).v,
	};
	memset(frames_ptr(memory), 0, PAGE_SIZE);
	ahci_find(p);
	if (p->disk.present) {
		*port = p;
		return true;
	}
	frames_free(buffer, ATA_BUFFER >> PAGE_SHIFT);
	frames_free(memory, 1);
	return true;
}

void ahci_host_interrupts(void) { ahci_interrupts(&hba); }
bool ahci_host_waiting(void) { return hba.read(AHCI_IS); }
