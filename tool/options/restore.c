#include "tool/options/restore.h"

#include <errno.h>
#include <string.h>

#include "tool/base/util.h"
#include "vm/load/snapshot_file.h"

/* What may be another than it was: how it is virtualized, and what becomes of it. */
#define MAY_CHANGE \
	(BIT(CONFIG_MMU) | BIT(CONFIG_PAGES) | BIT(CONFIG_EPT_LEVELS) | BIT(CONFIG_VPID) | BIT(CONFIG_TPR) | \
	 BIT(CONFIG_RUN_UNRESTRICTED) | BIT(CONFIG_VM86) | BIT(CONFIG_SWITCH_EVERY) | BIT(CONFIG_SWITCH_AMONG) | \
	 BIT(CONFIG_MITIGATIONS) | BIT(CONFIG_ON_PANIC) | BIT(CONFIG_ON_RESET) | BIT(CONFIG_WEIGHT) | \
	 BIT(CONFIG_MIGRATE_EVERY) | BIT(CONFIG_PAUSED) | BIT(CONFIG_DIRTY) | \
	 BIT(CONFIG_PREALLOC) | BIT(CONFIG_DISK) | BIT(CONFIG_CDROM))
/* What only one that began at a firmware needs again. */
#define FIRMWARE_FILES (BIT(CONFIG_BIOS) | BIT(CONFIG_VGA) | BIT(CONFIG_KERNEL) | BIT(CONFIG_INITRD))

static void open_or_die(const char *path, struct bytes *content, struct snapshot_file *file)
{
	char error[300];

	if (!file_read(path, content))
		die(STATUS_USAGE, "--restore %s: %s", path, strerror(errno));
	if (!snapshot_open(file, (const uint8_t *)content->data, content->length, error, sizeof error))
		die(STATUS_USAGE, "--restore %s: %s", path, error);
}

static void take_changes(struct vm_config *vm, const struct vm_config *o)
{
	if (o->given & BIT(CONFIG_MMU))
		memcpy(vm->mmu, o->mmu, sizeof vm->mmu);
	if (o->given & BIT(CONFIG_PAGES))
		vm->page_bits = o->page_bits;
	if (o->given & BIT(CONFIG_EPT_LEVELS))
		vm->ept_levels = o->ept_levels;
	if (o->given & BIT(CONFIG_VPID))
		vm->vpid = o->vpid;
	if (o->given & BIT(CONFIG_TPR))
		vm->tpr = o->tpr;
	if (o->given & BIT(CONFIG_DIRTY))
		vm->dirty = o->dirty;
	if (o->given & BIT(CONFIG_PREALLOC))
		vm->prealloc = o->prealloc;
	if (o->given & BIT(CONFIG_RUN_UNRESTRICTED))
		vm->unrestricted = o->unrestricted;
	if (o->given & BIT(CONFIG_VM86))
		vm->vm86 = o->vm86;
	if (o->given & (BIT(CONFIG_SWITCH_EVERY) | BIT(CONFIG_SWITCH_AMONG))) {
		vm->switch_every = o->switch_every;
		vm->switch_exits = o->switch_exits;
		memcpy(vm->switch_among, o->switch_among, sizeof vm->switch_among);
	}
	if (o->given & BIT(CONFIG_MITIGATIONS)) {
		vm->mitigations_chosen = o->mitigations_chosen;
		vm->mitigations = o->mitigations;
	}
	if (o->given & BIT(CONFIG_ON_PANIC))
		vm->on_panic = o->on_panic;
	if (o->given & BIT(CONFIG_ON_RESET))
		vm->on_reset = o->on_reset;
	if (o->given & BIT(CONFIG_WEIGHT))
		vm->weight = o->weight;
	if (o->given & BIT(CONFIG_MIGRATE_EVERY))
		vm->migrate_every = o->migrate_every;
	if (o->given & BIT(CONFIG_PAUSED))
		vm->paused = o->paused;
}

/* What they hold is in files of their own, which are not in the snapshot. */
static void take_disks(struct vm_config *vm, const struct vm_config *o, const char *path)
{
	if (o->disks != vm->disks)
		die(STATUS_USAGE, "--restore %s: its machine has %u disk%s: give --disk or --cdrom for each, as when "
		    "it began", path, vm->disks, vm->disks == 1 ? "" : "s");
	for (unsigned n = 0; n < vm->disks; n++) {
		if (vm->disk[n].ide != o->disk[n].ide || vm->disk[n].cd != o->disk[n].cd ||
		    vm->disk[n].flash != o->disk[n].flash ||
		    vm->disk[n].read_only != o->disk[n].read_only || o->disk[n].snapshot)
			die(STATUS_USAGE, "--restore %s: disk %u was of another kind (if=ide, if=pflash, ro, a CD); "
			    "give it as it was", path, n + 1);
		vm->disk[n] = o->disk[n];
	}
}

/* of: what it had, "": none. usual: where none is given; NULL: one must be. */
static void take_file(char *of, const char *given, const char *usual, const char *option, const char *path)
{
	if (of[0] == 0 && given[0] == 0)
		return;
	if (of[0] == 0)
		die(STATUS_USAGE, "--restore %s: its machine began without %s: leave it out", path, option);
	if (given[0] == 0 && usual == NULL)
		die(STATUS_USAGE, "--restore %s: its firmware may yet read a file: give %s, as when it began", path,
		    option);
	strcpy(of, given[0] != 0 ? given : usual);
}

/* What a firmware reads, and its own ROM, are not in the snapshot either; which they must be, the hypervisor knows. */
static void take_firmware(struct vm_config *vm, const struct vm_config *o, const char *path)
{
	if (vm->bios[0] == 0)
		return;
	vm->option_rom[0] = 0; /* it follows from the kernel */
	take_file(vm->bios, o->bios, "seabios", "--bios", path);
	take_file(vm->vga, o->vga, "std", "--vga", path);
	take_file(vm->kernel, o->kernel, NULL, "--kernel", path);
	take_file(vm->initrd, o->initrd, NULL, "--initrd", path);
}

void restore_prepare(struct vm_config *vm, const struct options *options)
{
	const char *path = options->restore;
	struct bytes content = { 0 };
	struct snapshot_chunk c;
	struct snapshot_file file;
	char error[300];

	open_or_die(path, &content, &file);
	if (options->command == COMMAND_RUN && strcmp(options->machine, "bochs") == 0 && file.tsc_hz != options->ips)
		die(STATUS_USAGE, "--restore %s: its clock runs at %llu Hz: give --ips %llu", path,
		    (unsigned long long)file.tsc_hz, (unsigned long long)file.tsc_hz);
	if (!snapshot_find(&file, SNAPSHOT_DESCRIPTION, 0, &c) ||
	    config_parse((const char *)c.data, c.bytes, vm, 1, error, sizeof error) != 1 ||
	    strlen(path) > CONFIG_FILE_MAX)
		die(STATUS_USAGE, "--restore %s: its description makes no sense", path);
	if (options->vm.given & ~(MAY_CHANGE | (vm->bios[0] != 0 ? FIRMWARE_FILES : 0)))
		die(STATUS_USAGE, "--restore %s: an option would make it another machine than it was; --mmu, --pages, "
		    "--tpr and what becomes of it may be chosen", path);
	strcpy(vm->restore, path);
	take_changes(vm, &options->vm);
	take_disks(vm, &options->vm, path);
	take_firmware(vm, &options->vm, path);
	if (!config_complete(vm, error, sizeof error))
		die(STATUS_USAGE, "--restore %s: %s", path, error);
	bytes_free(&content);
}

void restore_check(const struct vm_config *vm)
{
	struct bytes content = { 0 };
	struct snapshot_file file;

	open_or_die(vm->restore, &content, &file);
	bytes_free(&content);
}
