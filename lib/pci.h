/* lib/pci.h - the header of a PCI function's configuration space (PCI Local Bus Specification, "Configuration Space
 * Organization"); for who drives the machine's devices (host/), who plays them (dev/) and the tests. How it is reached
 * is in lib/ports.h. What is not used has no name. */
#ifndef VELLUM_LIB_PCI_H
#define VELLUM_LIB_PCI_H

#define PCI_VENDOR 0x00
#define PCI_COMMAND 0x04
#define PCI_STATUS 0x06
#define PCI_REVISION 0x08     /* and above it the class: programming interface, sub-class, base class */
#define PCI_HEADER_TYPE 0x0e
#define PCI_BAR 0x10          /* and every 4 bytes up to 0x24 */
#define PCI_SUBSYSTEM 0x2c    /* vendor, device */
#define PCI_ROM_BASE 0x30     /* of the expansion ROM */
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d

#define PCI_COMMAND_IO 0x01u
#define PCI_COMMAND_MEMORY 0x02u
#define PCI_COMMAND_MASTER 0x04u
#define PCI_COMMAND_PARITY 0x40u
#define PCI_COMMAND_SERR 0x100u
#define PCI_CAPABILITY_MSI 0x05u
#define PCI_STATUS_CAPABILITIES 0x10u
#define PCI_STATUS_FAST 0x80u    /* back-to-back transactions */
#define PCI_STATUS_MEDIUM 0x200u /* timing of DEVSEL# */
#define PCI_MULTIFUNCTION 0x80u /* of the header type */
#define PCI_BAR_IO 0x1u         /* of a base address register: it is one of ports */
#define PCI_BAR_TYPE 0x7u       /* of one of memory: how wide it is, and */
#define PCI_BAR_64 0x4u         /* that the next one has the upper half of the address */
#define PCI_BAR_MEMORY_FLAGS 0xfu
#define PCI_ROM_ENABLE 0x1u     /* of PCI_ROM_BASE: it is decoded */
#define PCI_VENDOR_INTEL 0x8086u
/* Base class and sub-class (Appendix "Class Codes"). */
#define PCI_CLASS_STORAGE 0x0100u
#define PCI_CLASS_IDE 0x0101u
#define PCI_CLASS_SATA 0x0106u
#define PCI_CLASS_NETWORK 0x0200u
#define PCI_CLASS_HOST_BRIDGE 0x0600u
#define PCI_CLASS_ISA_BRIDGE 0x0601u
#define PCI_CLASS_OTHER_BRIDGE 0x0680u
#define PCI_CLASS_COMMUNICATION 0x0780u /* other than those that have a sub-class */
#define PCI_CLASS_OTHER 0xff00u
#define PCI_CLASS(class, interface) ((uint32_t)(class) << 8 | (interface)) /* as pci_identify() has it */

#endif
