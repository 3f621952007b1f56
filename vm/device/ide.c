/* vm/device/ide.c - the IDE controller of a virtual machine: where its drives are, and its memory. */
#include "vm/device/ide.h"

#include "host/memory/frames.h"
#include "vm/vm.h"
#include "lib/mutants/mutate.h"

static uint64_t pages(void) { return pages_for(sizeof(struct ide)); }

/* IP1: the drives before it have theirs. */
struct ide_place vm_ide_place(const struct vm_config *c, unsigned n)
{
	static const struct ide_place disks[] = { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 } },
				      cds[] = { { 1, 0 }, { 1, 1 }, { 0, 0 }, { 0, 1 } };
	bool taken[IDE_CHANNELS][2] = { { false } };
	struct ide_place place = disks[0];

	for (unsigned i = 0; i <= n; i++) {
		const struct ide_place *order = VM_KEPT(IDE_CD_PLACE, c->disk[i].cd) ? cds : disks;

		if (!c->disk[i].ide)
			continue;
		for (unsigned k = 0; k < ARRAY_SIZE(disks); k++) {
			place = order[k];
			if (!VM_KEPT(IDE_TAKEN, taken[place.channel][place.unit]))
				break;
		}
		taken[place.channel][place.unit] = true;
	}
	return place;
}

/* The controller is a function of the south bridge, which is there with a firmware anyway. */
static bool add_controller(struct vm *vm)
{
	struct irq_line lines[IDE_CHANNELS] = { irqhub_line(&vm->irqhub, ATA_IRQ_1),
						irqhub_line(&vm->irqhub, ATA_IRQ_2) };
	uint32_t subsystem = pci_get32(vm->i440fx.pci.reset, PCI_SUBSYSTEM);
	bool firmware = firmware_given(vm);

	return (firmware || piix_init(&vm->piix, &vm->pci, subsystem, false)) &&
	       ide_init(vm->ide, &vm->pci, lines, vm->memory, subsystem);
}

bool vm_ide_add(struct vm *vm)
{
	bool some = false;
	hfn_t f;

	for (unsigned n = 0; n < vm->config->disks; n++)
		some |= vm->config->disk[n].ide;
	if (!some)
		return true;
	f = frames_alloc_run(pages(), 1);
	if (hfn_is_none(f))
		return false;
	vm->ide = frames_ptr(f);
	return add_controller(vm);
}

bool vm_ide_attach(struct vm *vm, unsigned n, struct block_disk *disk)
{
	const struct config_disk *c = &vm->config->disk[n];
	struct ide_place p = vm_ide_place(vm->config, n);

	return ide_attach(vm->ide, &vm->pio, p.channel, p.unit, disk, c->cd, c->name);
}

void vm_ide_release(struct vm *vm)
{
	if (vm->ide)
		VM_MUTANT(IDE_FREED, frames_free(frames_of_ptr(vm->ide), pages()));
	vm->ide = NULL;
}
