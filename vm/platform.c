/* vm/platform.c - the guest's PC: which devices there are, and which wire goes where. */
#include "vm/vm.h"

#include "host/device/console.h"
#include "host/memory/frames.h"
#include "vm/device/console.h"
#include "vm/device/disk.h"
#include "vm/load/image.h"
#include "vm/device/net.h"
#include "vm/device/virtio.h"
#include "lib/mutants/mutate.h"

#define KEYBOARD_IRQ 1
#define RTC_IRQ 8
#define AUX_IRQ 12
#define PCI_IRQ_AB 10
#define PCI_IRQ_CD 11
#define PCI_PORTS 0xc000 /* where those of PCI devices go that no firmware places */

/* ---- the ends of the wires ---- */

static uint64_t now_own(void *ctx) { return clock_now(ctx); }

/* A clock that follows the host's stands still only while its VM is paused, when no device of it is asked. */
static uint64_t now_host(void *ctx) { return rdtsc() - ((const struct vm_clock *)ctx)->behind; }

static void pic_output_changed(void *ctx, bool level)
{
	struct vm *vm = ctx;

	VM_MUTANT(PIC_WIRE, lapic_set_lint(&vm_boot_vcpu(vm)->lapic, 0, level));
}

static bool ioapic_send(void *ctx, const struct apic_message *m)
{
	struct vm *vm = ctx;

	return !VM_LEFT_OUT_OR(IOAPIC_WIRE, false) && apic_bus_send(&vm->apic_bus, m, NULL);
}

/* A message as a write to the local APICs' addresses (SDM, "Message Address Register Format", "Message Data Register
 * Format"); what is written elsewhere is lost. */
void platform_message(void *ctx, uint64_t address, uint32_t data)
{
	struct vm *vm = ctx;
	struct apic_message m = {
		.dest = (address & MESSAGE_DESTINATION) >> 12,
		.vector = (uint8_t)data,
		.delivery = apic_delivery_of(data),
		.shorthand = APIC_DEST,
		.logical = address & MESSAGE_LOGICAL,
		.level = data & ICR_LEVEL,
		.assert = true,
	};

	if (VM_LEFT_OUT_OR(MESSAGE_ADDRESS, address >> 20 == LAPIC_DEFAULT_BASE >> 20))
		VM_MUTANT(MESSAGE_SENT, apic_bus_send(&vm->apic_bus, &m, NULL));
}

static void lapic_ipi(void *ctx, struct lapic *from, const struct apic_message *m)
{
	struct vcpu *v = ctx;

	VM_MUTANT(IPI, apic_bus_send(&v->vm->apic_bus, m, from));
}

static void lapic_eoi_broadcast(void *ctx, struct lapic *from, uint8_t vector)
{
	struct vcpu *v = ctx;

	(void)from;
	VM_MUTANT(EOI_BROADCAST, ioapic_eoi(&v->vm->ioapic, vector));
}

static void lapic_kick(void *ctx, struct lapic *l)
{
	(void)l;
	VM_MUTANT(LAPIC_KICK, vcpu_request(ctx, REQUEST_EVENT));
}

static void lapic_signal(void *ctx, struct lapic *l, enum apic_delivery what, uint8_t vector)
{
	struct vcpu *v = ctx;

	(void)l;
	if (what == APIC_NMI) {
		vcpu_signal_nmi(v);
	} else if (what == APIC_INIT) {
		vcpu_signal_init(v);
	} else if (what == APIC_SIPI) {
		vcpu_signal_sipi(v, vector);
	}
	/* SMI: there is no system-management mode to enter. */
}

static const struct lapic_host lapic_host = { lapic_ipi, lapic_eoi_broadcast, lapic_kick, lapic_signal };

bool platform_sends_nmi(struct vm *vm)
{
	struct vcpu *v;
	bool possible;

	spin_lock(&vm->device_lock);
	possible = VM_KEPT(IOAPIC_NMI, ioapic_unmaskable(&vm->ioapic));
	for_each_vcpu(v, vm)
		possible |= VM_KEPT(LINT_NMI, lapic_lint_unmaskable(&v->lapic));
	spin_unlock(&vm->device_lock);
	return possible;
}

void platform_power_button(struct vm *vm)
{
	spin_lock(&vm->device_lock);
	acpi_pm_power_button(&vm->acpi_pm);
	spin_unlock(&vm->device_lock);
}

/* What a guest says of its end (dev/firmware/pvpanic.h) is passed on once, however often it says it. */
static void say_once(struct vm *vm, enum machine_event kind, const char *what)
{
	if (VM_LEFT_OUT_OR(PANIC_ONCE, !(vm->panics_said & BIT(kind))))
		console_log("%s: %s", vm->config->name, what);
	vm->panics_said |= (uint32_t)BIT(kind);
}

static void panicked(struct vm *vm)
{
	struct vcpu *v = this_cpu()->loaded;

	/* Whose access it is. */
	if (v && v->vm == vm && !(vm->panics_said & BIT(MACHINE_PANICKED)))
		VM_MUTANT(PANIC_TELLS, vm_tell_state(v));
	switch (vm->config->on_panic) {
	case CONFIG_PANIC_STOP:
		vm_end(vm, VM_STATUS_PANICKED, "the guest panicked");
		return;
	case CONFIG_PANIC_PAUSE:
		say_once(vm, MACHINE_PANICKED, "the guest panicked; it is paused");
		VM_MUTANT(PANIC_PAUSES, vm_pause(vm, true));
		return;
	default:
		say_once(vm, MACHINE_PANICKED, "the guest panicked; it goes on");
	}
}

static void machine_event(void *ctx, enum machine_event kind, uint32_t value)
{
	struct vm *vm = ctx;

	switch (kind) {
	case MACHINE_POWER_OFF:
		vm_end(vm, VM_STATUS_OK, "powered off");
		break;
	case MACHINE_RESET:
		vm_reset(vm, false, "reset (port 0x%x)", value);
		break;
	case MACHINE_DEBUG_EXIT:
		vm_end(vm, VM_LEFT_OUT_OR(DEBUG_STATUS, false) ? (int)(value << 1 | 1) : (uint8_t)(value << 1 | 1),
		       "debug exit with value %u", value);
		break;
	case MACHINE_PANICKED:
		panicked(vm);
		break;
	case MACHINE_CRASH_LOADED:
		say_once(vm, kind, "the guest crashed; its crash kernel takes over");
		break;
	}
}

/* ---- MMIO ---- */

bool platform_is_lapic(const struct vcpu *v, uint64_t gpa)
{
	return VM_LEFT_OUT_OR(LAPIC_ACTIVE, lapic_mmio_active(&v->lapic)) &&
	       VM_LEFT_OUT_OR(LAPIC_BASE, align_down(gpa, PAGE_SIZE) == lapic_base_gpa(&v->lapic));
}

uint64_t platform_mmio_read(struct vcpu *v, uint64_t gpa, unsigned size)
{
	uint64_t value;

	if (platform_is_lapic(v, gpa))
		return lapic_mmio_read(&v->lapic, gpa & (PAGE_SIZE - 1), size);
	spin_lock(&v->vm->device_lock);
	value = mmio_read(&v->vm->mmio, gpa, size);
	spin_unlock(&v->vm->device_lock);
	return value;
}

void platform_mmio_write(struct vcpu *v, uint64_t gpa, unsigned size, uint64_t value)
{
	bool own = platform_is_lapic(v, gpa);

	if (own && lapic_mmio_write_unlocked(&v->lapic, gpa & (PAGE_SIZE - 1), size, value))
		return;
	spin_lock(&v->vm->device_lock);
	if (own)
		lapic_mmio_write(&v->lapic, gpa & (PAGE_SIZE - 1), size, value);
	else
		mmio_write(&v->vm->mmio, gpa, size, value);
	spin_unlock(&v->vm->device_lock);
}

/* ---- putting it together ---- */

static void drop_mapping(void *ctx, uint64_t gpa)
{
	struct vm *vm = ctx;

	VM_MUTANT(DROP_MAPPING, mmu_unmap(&vm->mmu, gpa_gfn(GPA(gpa)), 1));
}

static void protect_mapping(void *ctx, uint64_t gpa)
{
	struct vm *vm = ctx;

	VM_MUTANT(PROTECT_MAPPING, mmu_write_protect(&vm->mmu, gpa_gfn(GPA(gpa)), 1));
}

static bool add_testdev(struct vm *vm)
{
	hfn_t f = frames_alloc_run(pages_for(sizeof(struct testdev)), 1);
	struct testdev_host host = { drop_mapping, protect_mapping, vm };
	struct irq_line lines[TESTDEV_LINES];

	if (hfn_is_none(f))
		return false;
	vm->testdev = frames_ptr(f);
	for (unsigned n = 0; n < TESTDEV_LINES; n++)
		lines[n] = irqhub_line(&vm->irqhub, n);
	return testdev_init(vm->testdev, &vm->pio, &vm->mmio, lines, &host);
}

static bool add_interrupt_controllers(struct vm *vm)
{
	struct vcpu *v;
	bool ok = pic_init(&vm->pic, &vm->pio, pic_output_changed, vm) &&
		  ioapic_init(&vm->ioapic, &vm->mmio, IOAPIC_BASE, 1, ioapic_send, vm);

	if (ok && !firmware_given(vm))
		VM_MUTANT(AFTER_BIOS, pic_after_bios(&vm->pic));
	irqhub_init(&vm->irqhub, &vm->pic, &vm->ioapic);
	for_each_vcpu(v, vm) {
		vm->apic_bus.cpu[vm->apic_bus.count++] = &v->lapic;
		lapic_init(&v->lapic, &v->timers, v->id, v->id == 0, vm->cpuid.lapic_features, vm->cpuid.maxphyaddr,
			   &lapic_host, v);
		v->lapic.bus = &vm->apic_bus;
		VM_MUTANT(LAPIC_TSC, lapic_set_tsc_offset(&v->lapic, v->tsc_offset));
	}
	VM_MUTANT(VIRTUAL_WIRE, lapic_virtual_wire(&vm_boot_vcpu(vm)->lapic));
	return ok;
}

static bool add_clocks(struct vm *vm)
{
	struct rtc_config rtc = { machine.wall_clock, vm->low_ram, vm->high_ram,
				  firmware_given(vm) ? vm->vcpu_count : 0,
				  vm->config->boot[0] ? vm->config->boot : NULL };
	struct machine_sink sink = { machine_event, vm };
	struct timers *timers = vm_device_timers(vm);

	return pit_init(&vm->pit, &vm->pio, timers, irqhub_line(&vm->irqhub, 0)) &&
	       rtc_init(&vm->rtc, &vm->pio, timers, irqhub_line(&vm->irqhub, RTC_IRQ), &rtc) &&
	       acpi_pm_init(&vm->acpi_pm, &vm->pio, timers, irqhub_line(&vm->irqhub, ACPI_SCI_IRQ), sink);
}

static bool add_uart(struct vm *vm)
{
	struct vm_console_ends ends = console_ends(vm);

	return uart_init(&vm->uart, &vm->pio, COM1_PORT, irqhub_line(&vm->irqhub, COM1_IRQ), ends.out, ends.room, vm);
}

static bool add_pci(struct vm *vm)
{
	bool firmware = firmware_given(vm);
	uint32_t subsystem = firmware ? QEMU_SUBSYSTEM : 0;

	return pci_init(&vm->pci, &vm->pio, &vm->mmio, &vm->ports, irqhub_line(&vm->irqhub, 0)) &&
	       i440fx_init(&vm->i440fx, &vm->pci, subsystem, firmware ? firmware_areas_changed : NULL, vm) &&
	       (!firmware || piix_init(&vm->piix, &vm->pci, subsystem, true));
}

/* ---- guest memory, as devices reach it ---- */

static bool memory_read(void *ctx, uint64_t gpa, void *to, size_t n)
{
	return mmu_guest_read(&((struct vm *)ctx)->mmu, GPA(gpa), to, n) == n;
}

static bool memory_write(void *ctx, uint64_t gpa, const void *from, size_t n)
{
	return mmu_guest_write(&((struct vm *)ctx)->mmu, GPA(gpa), from, n) == n;
}

static bool add_fw_cfg(struct vm *vm)
{
	vm->memory = (struct guest_memory){ memory_read, memory_write, vm };
	return fw_cfg_init(&vm->fw_cfg, &vm->pio, (uint16_t)vm->vcpu_count, vm->low_ram + vm->high_ram,
			   firmware_given(vm) ? &vm->memory : NULL, vm_device_timers(vm));
}

/* What a firmware looks for, and a kernel by itself does not need. */
static bool add_for_firmware(struct vm *vm, struct machine_sink sink)
{
	return !firmware_given(vm) ||
	       (dma8237_init(&vm->dma8237, &vm->pio) &&
		i8042_init(&vm->i8042, &vm->pio, irqhub_line(&vm->irqhub, KEYBOARD_IRQ),
			   irqhub_line(&vm->irqhub, AUX_IRQ), sink) &&
		debugcon_init(&vm->debugcon, &vm->pio, firmware_says, vm));
}

/* An alarm of a device has been armed, which the boot processor's CPU must cover (RL1 in vm/run.c). */
static void alarm_noticed(struct timers *t)
{
	struct vcpu *v = vm_boot_vcpu(container_of(t, struct vm, device_timers));

	__atomic_store_n(&v->timers.earlier, true, __ATOMIC_SEQ_CST);
	if (v->cpu != this_cpu() || v->asleep)
		VM_MUTANT(ALARM_KICK, vcpu_request(v, 0));
}

static void add_timers(struct vm *vm)
{
	struct timers t = { .tsc_hz = machine.tsc_hz,
			    .now = VM_KEPT(TIMERS_OWN, vm->clock.guest_only) ? now_own : now_host,
			    .ctx = &vm->clock };
	struct vcpu *v;

	for_each_vcpu(v, vm)
		v->timers = t;
	vm->device_timers = t;
	vm->device_timers.notice = alarm_noticed;
}

/* What a firmware would do, where there is none. */
static bool finish_pci(struct vm *vm)
{
	if (firmware_given(vm) || vm->pci.count == 1)
		return true;
	pic_set_level_triggered(&vm->pic, PCI_IRQ_AB);
	pic_set_level_triggered(&vm->pic, PCI_IRQ_CD);
	return pci_assign(&vm->pci, PCI_PORTS, LOADER_LOW_MAX, IOAPIC_BASE);
}

bool platform_init(struct vm *vm)
{
	struct machine_sink sink = { machine_event, vm };

	add_timers(vm);
	return add_interrupt_controllers(vm) && add_clocks(vm) && add_uart(vm) &&
	       ports_init(&vm->ports, &vm->pio, sink, firmware_given(vm)) && add_pci(vm) && add_fw_cfg(vm) &&
	       add_for_firmware(vm, sink) && video_add(vm) &&
	       phases_init(vm) && disks_add(vm) && nets_add(vm) && virtio_add(vm) && finish_pci(vm) &&
	       pvpanic_init(&vm->pvpanic, &vm->pio, sink) &&
	       (!vm->config->testdev || add_testdev(vm));
}
