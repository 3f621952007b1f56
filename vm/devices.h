/* vm/devices.h - all that the PC of a virtual machine is made of, but for its disks (vm/device/disk.h), network
 * cards (vm/device/net.h) and what is in vm/device/virtio.h. */
#ifndef VELLUM_VM_DEVICES_H
#define VELLUM_VM_DEVICES_H

#include "dev/bus/dma8237.h"
#include "dev/bus/i440fx.h"
#include "dev/bus/piix.h"
#include "dev/bus/ports.h"
#include "dev/firmware/acpi_pm.h"
#include "dev/firmware/debugcon.h"
#include "dev/firmware/fw_cfg.h"
#include "dev/firmware/pvpanic.h"
#include "dev/input/i8042.h"
#include "dev/irq/ioapic.h"
#include "dev/irq/irqhub.h"
#include "dev/irq/lapic.h"
#include "dev/irq/pic.h"
#include "dev/serial/uart.h"
#include "dev/test/testdev.h"
#include "dev/time/pit.h"
#include "dev/time/rtc.h"
#include "vm/device/video.h"

/* A message of a device (MSI-X), for struct msix; vm: a struct vm (vm/platform.c). */
void platform_message(void *vm, uint64_t address, uint32_t data);

#endif
