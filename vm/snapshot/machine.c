/* vm/snapshot/machine.c - what a snapshot holds of a virtual machine, but for its memory and its CPUs' registers: what
 * its guest was told that its CPU is, the clock, every device. */
#include "vm/snapshot/firmware.h"

#include "dev/virtio/pci.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/device/disk.h"
#include "vm/device/ide.h"
#include "vm/device/net.h"
#include "vm/device/virtio.h"
#include "vm/vm.h"

/* Of what clock the times are: reading, they become those of the present (struct fields, .shift). The clock of a VM
 * that has one of its own stands until it first runs. */
static void clock_state(struct fields *s, struct vm *vm)
{
	uint64_t now;

	if (s->load && vm->clock.guest_only)
		clock_stop(&vm->clock, rdtsc());
	now = clock_now(&vm->clock);
	state_u64(s, &now);
	if (s->load && !s->bad)
		s->shift = clock_now(&vm->clock) - now;
}

static void stub_state(struct fields *s, struct patch_slot *stub)
{
	state_u8(s, &stub->key.op);
	state_bool(s, &stub->key.immediate);
	state_u8(s, &stub->key.reg);
	state_u32(s, &stub->key.imm);
	state_u32(s, &stub->linear);
	state_u32(s, &stub->apic);
	state_bytes(s, stub->tpr_at, sizeof(stub->tpr_at));
	state_u8(s, &stub->tprs);
	state_u8(s, &stub->tell_at);
	state_check(s, stub->tprs <= ARRAY_SIZE(stub->tpr_at) && stub->tell_at < PATCH_STUB_MAX,
		    "a stub has no such places");
	for (unsigned i = 0; i < ARRAY_SIZE(stub->tpr_at); i++)
		state_check(s, i >= stub->tprs || stub->tpr_at[i] <= PATCH_STUB_MAX - 4u, "a stub has no such place");
}

/* PX9 in vm/tpr/patch.c. */
void patch_state(struct fields *s, struct vm_patch *p)
{
	unsigned stubs = p->stubs;

	state_bool(s, &p->rom);
	state_u32(s, &p->linear);
	state_unsigned(s, &stubs);
	if (!state_check(s, stubs <= PATCH_STUBS && (p->rom || !stubs), "there are not so many stubs"))
		return;
	for (unsigned n = 0; n < stubs; n++)
		stub_state(s, &p->stub[n]);
	p->stubs = s->bad ? p->stubs : stubs;
}

static void basis_state(struct fields *s, struct vm *vm)
{
	struct mtrrs *m = &vm->mtrrs;

	state_begin(s, "machine", 2);
	state_same(s, machine.tsc_hz, "its clock runs at another rate than this machine's: use the same --ips, or CPU");
	state_same(s, vm->low_ram, "it has another amount of RAM");
	state_same(s, vm->high_ram, "it has another amount of RAM");
	state_same(s, vm->vcpu_count, "it has another number of CPUs");
	clock_state(s, vm);
	state_u64(s, &m->def_type);
	for (unsigned n = 0; n < ARRAY_SIZE(m->fixed); n++)
		state_u64(s, &m->fixed[n]);
	for (unsigned n = 0; n < ARRAY_SIZE(m->variable); n++)
		state_u64(s, &m->variable[n]);
	state_u32(s, &vm->panics_said);
	if (s->version > 1)
		VM_MUTANT(PATCH_IN_SNAPSHOT, patch_state(s, &vm->patch));
	state_end(s);
}

static void virtio_state(struct fields *s, struct vm *vm)
{
	for (unsigned n = 0; n < vm->config->disks; n++)
		if (!vm->config->disk[n].ide && !vm->config->disk[n].flash)
			virtio_blk_state(s, &vm->disks[n].blk, &vm->disks[n].pci);
	for (unsigned n = 0; n < vm->config->nets; n++)
		virtio_net_state(s, &vm->nets[n].net, &vm->nets[n].pci);
	if (vm->config->rng == CONFIG_ON)
		virtio_rng_state(s, &vm->virtio->rng, &vm->virtio->rng_pci);
	if (vm->config->hvc == CONFIG_ON)
		virtio_console_state(s, &vm->virtio->console, &vm->virtio->console_pci);
	if (virtio_balloon_of(vm)) {
		virtio_balloon_state(s, &vm->virtio->balloon, &vm->virtio->balloon_pci);
		if (s->load && vm->virtio->balloon.wants)
			VM_MUTANT(RESTORE_BALLOON, virtio_ask(vm));
	}
}

void machine_state(struct fields *s, struct vm *vm)
{
	struct vcpu *v;

	basis_state(s, vm);
	pic_state(s, &vm->pic);
	ioapic_state(s, &vm->ioapic);
	irqhub_state(s, &vm->irqhub);
	for_each_vcpu(v, vm)
		lapic_state(s, &v->lapic);
	pit_state(s, &vm->pit);
	rtc_state(s, &vm->rtc);
	uart_state(s, &vm->uart);
	acpi_pm_state(s, &vm->acpi_pm);
	ports_state(s, &vm->ports);
	pci_state(s, &vm->pci);
	fw_cfg_state(s, &vm->fw_cfg);
	if (firmware_given(vm))
		firmware_state(s, vm);
	else
		vga_text_state(s, &vm->text);
	if (vm->testdev)
		testdev_state(s, vm->testdev);
	if (vm->ide)
		ide_state(s, vm->ide);
	virtio_state(s, vm);
}
