/* vm/firmware/boot_order.c - what a firmware boots from, as it reads it of fw_cfg: a line for each, by its place in the
 * tree of devices (SeaBIOS, "Runtime config", bootorder; QEMU's names). */
#include "vm/vm.h"

#include "lib/fmt.h"
#include "vm/device/disk.h"
#include "vm/device/ide.h"
#include "lib/mutants/mutate.h"

#define PCI_ROOT "/pci@i0cf8"

struct writer {
	char *at;
	size_t left;
};

static void add_line(struct writer *w, const char *line)
{
	size_t n = fmt(w->at, w->left, "%s\n", line);

	n = min_u64(n, w->left - 1);
	w->at += n;
	w->left -= n;
}

static void put_disk(struct writer *w, const struct vm *vm, unsigned n)
{
	char line[60];
	struct ide_place p;

	if (vm->config->disk[n].ide) {
		p = vm_ide_place(vm->config, n);
		fmt(line, sizeof(line), PCI_ROOT "/ide@1,1/drive@%x/disk@%x", p.channel, p.unit);
	} else {
		fmt(line, sizeof(line), PCI_ROOT "/scsi@%x/disk@0,0", disk_slot(n));
	}
	add_line(w, line);
}

/* Nobody boots from flash memory. */
static char kind_of(const struct config_disk *d) { return d->flash ? '\0' : d->cd ? 'd' : 'c'; }

/* Without an order disks come before CD drives. Those of a kind come as they are described. */
size_t firmware_boot_order(struct vm *vm, const char *rom, char *text, size_t size)
{
	struct writer w = { text, size };
	const char *order = vm->config->boot[0] ? vm->config->boot : "cd";

	text[0] = '\0';
	if (rom)
		add_line(&w, rom);
	for (; *order; order++)
		for (unsigned n = 0; n < vm->config->disks; n++)
			if (VM_LEFT_OUT_OR(BOOT_KIND, *order == kind_of(&vm->config->disk[n])))
				put_disk(&w, vm, n);
	return (size_t)(w.at - text);
}
