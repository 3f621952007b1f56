/* vm/config/firmware.c - the keys of a machine that starts at a firmware, as a PC does, and not at its kernel. */
#include "vm/config/config.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

/* Without a kernel nobody asks for what belongs to one. */
static const char *without_kernel(const struct vm_config *vm)
{
	return vm->initrd[0] ? "an initrd" : vm->append[0] ? "a command line" : vm->modules ? "a module" : NULL;
}

/* A firmware has one flash memory. */
static bool check_flash(const struct vm_config *vm, char *error, size_t error_size)
{
	unsigned count = 0;

	for (unsigned n = 0; n < vm->disks; n++)
		count += vm->disk[n].flash;
	if (VM_KEPT(CONFIG_FLASH_ALONE, count && !vm->bios[0])) {
		fmt(error, error_size, "machine %s has a disk with if=pflash, and no bios that would keep anything "
		    "there", vm->name);
		return false;
	}
	if (VM_KEPT(CONFIG_FLASH_TWICE, count > 1)) {
		fmt(error, error_size, "machine %s has %u disks with if=pflash: one can be", vm->name, count);
		return false;
	}
	return true;
}

bool config_check_firmware(const struct vm_config *vm, char *error, size_t error_size)
{
	const char *left = without_kernel(vm);

	if (VM_KEPT(CONFIG_ROM_ALONE, !vm->bios[0] && vm->option_rom[0])) {
		fmt(error, error_size, "machine %s has an option-rom, and no bios that would run it", vm->name);
		return false;
	}
	if (VM_KEPT(CONFIG_VGA_ALONE, !vm->bios[0] && vm->vga[0])) {
		fmt(error, error_size,
		    "machine %s has vga, and no bios that would set it up: give it bios seabios, too", vm->name);
		return false;
	}
	if (VM_KEPT(CONFIG_KERNEL_LESS, !vm->kernel[0] && left)) {
		fmt(error, error_size, "machine %s has %s, and no kernel for it", vm->name, left);
		return false;
	}
	if (VM_KEPT(CONFIG_BIOS_MODULES, vm->bios[0] && vm->modules)) {
		fmt(error, error_size, "machine %s has modules, and bios: a firmware loads none", vm->name);
		return false;
	}
	if (VM_KEPT(CONFIG_BOOT_ALONE, !vm->bios[0] && vm->boot[0])) {
		fmt(error, error_size, "machine %s has boot, and no bios that would look for what to boot", vm->name);
		return false;
	}
	if (VM_KEPT(CONFIG_BIOS_MEM, vm->bios[0] && vm->mem < CONFIG_MEM_MIN_BIOS)) {
		fmt(error, error_size, "machine %s has bios, and %luK of RAM: a firmware needs at least %lluM",
		    vm->name, vm->mem >> 10, CONFIG_MEM_MIN_BIOS >> 20);
		return false;
	}
	if (VM_KEPT(CONFIG_BIOS_PATCH, vm->bios[0] && vm->tpr == CONFIG_TPR_PATCH)) {
		fmt(error, error_size,
		    "machine %s has bios, and tpr patch, whose stubs lie where a firmware has option ROMs: "
		    "use another method", vm->name);
		return false;
	}
	return check_flash(vm, error, error_size);
}
