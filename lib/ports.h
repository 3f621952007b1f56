/* lib/ports.h - where this PC has its other ports: PCI, ACPI, resets, and those of emulators and test devices; for who
 * drives them (host/), who plays them (dev/) and the guests' tests. The 8259s, the 8254, the clock and the UARTs have
 * headers of their own. What is not used has no name. */
#ifndef VELLUM_LIB_PORTS_H
#define VELLUM_LIB_PORTS_H

/* PCI Local Bus Specification, "Configuration Mechanism #1". */
#define PCI_ADDRESS 0xcf8
#define PCI_DATA 0xcfc
#define PCI_ADDRESS_ENABLE 0x80000000u

/* The reset control register of the PIIX3, within PCI_ADDRESS. A write that sets RESET_CPU resets, and RESET_SYSTEM
 * says how thoroughly. */
#define PORT_RESET_CONTROL 0xcf9
#define RESET_SYSTEM 0x02
#define RESET_CPU 0x04

/* The keyboard controller's, and port 0x92 of the PS/2. */
#define PORT_KBC_DATA 0x60
#define PORT_KBC_COMMAND 0x64
#define PORT_FAST_A20 0x92
#define A20_ENABLED 0x02
#define A20_FAST_RESET 0x01
#define PORT_POST 0x80 /* and to 0x8f the DMA's page registers */

/* ACPI's fixed hardware: the FADT says that it is here. */
#define ACPI_PM_BASE 0x600
#define ACPI_PM1A_EVT (ACPI_PM_BASE + 0)    /* 4 bytes: status, enable */
#define ACPI_PM1A_CNT (ACPI_PM_BASE + 4)    /* 2 bytes */
#define ACPI_PM_TMR (ACPI_PM_BASE + 8)      /* 4 bytes; all 32 bits count, as the FADT says */
#define ACPI_GPE0 (ACPI_PM_BASE + 0x20)     /* 4 bytes: 2 of status, 2 of enable */
#define ACPI_SCI_IRQ 9u                     /* its interrupt: the IRQ, and so the I/O APIC's pin */
/* ACPI Specification, "PM1 Status Registers", "PM1 Control Registers". */
#define PM1_TMR 0x0001
#define PM1_PWRBTN 0x0100
#define PM1_SLP_TYP_SHIFT 10
#define PM1_SLP_EN 0x2000

/* Emulators' and test devices'. */
#define PORT_DEBUG_EXIT 0xf4   /* QEMU's isa-debug-exit: status (value << 1) | 1 */
#define PORT_SHUTDOWN 0x8900   /* Bochs: "Shutdown", byte by byte */
#define MARK_PORT 0x8904       /* Vellum: phases of the guest's work (docs/protocol.md) */
#define FW_CFG_SELECT 0x510    /* QEMU's fw_cfg */
#define FW_CFG_DATA 0x511
#define FW_CFG_DMA 0x514       /* 8 bytes */
#define DEBUGCON_PORT 0x402   /* QEMU's and Bochs': where firmwares write their log */
#define PVPANIC_PORT 0x505     /* QEMU's pvpanic */
#define TESTDEV_LATCH 0xe0     /* 4 bytes, read and written */
#define TESTDEV_DROP 0xe4      /* drops the mapping of the guest page whose address is written */
#define TESTDEV_PROTECT 0xe8   /* takes the right to write from that mapping */
#define TESTDEV_LINE 0x2000    /* + n: lowers or raises interrupt line n */
#define TESTDEV_MMIO_BASE 0xff000000u
#define TESTDEV_MMIO_SIZE 0x10000u

#endif
