/* vm/firmware/firmware_files.c - what a firmware reads of fw_cfg: the memory map, the tables of ACPI and SMBIOS, what
 * to boot, and a kernel that it is to load. QEMU, "QEMU Firmware Configuration (fw_cfg) Device"; SeaBIOS, "Runtime
 * config", "fw_cfg files". */
#include "vm/vm.h"

#include "dev/firmware/acpi_tables.h"
#include "dev/firmware/smbios.h"
#include "dev/firmware/table_loader.h"
#include "host/boot/multiboot.h"
#include "host/memory/frames.h"
#include "vm/load/firmware.h"
#include "vm/load/linux.h"

#define ROM_FILE "genroms/option.rom"

/* What the items point to that is no module's. */
struct files {
	uint8_t acpi[ACPI_BYTES];
	struct table_loader_entry script[TABLE_LOADER_MAX];
	struct e820_entry map[2];
	uint8_t smbios[SMBIOS_TABLES_MAX], smbios_anchor[SMBIOS_ENTRY_POINT];
	char order[400];
	uint8_t setup[LOAD_SETUP_MAX];
};

static struct files *take_files(struct vm *vm)
{
	uint64_t pages = pages_for(sizeof(struct files));
	hfn_t frames = frames_alloc_run(pages, 1);

	if (hfn_is_none(frames))
		return NULL;
	vm->extent[VM_EXTENTS_FILES][0] = (struct extent){ 0, pages, frames };
	memset(frames_ptr(frames), 0, pages << PAGE_SHIFT);
	return frames_ptr(frames);
}

/* RAM; what is reserved of it the firmware decides. */
static bool add_map(struct vm *vm, struct files *files)
{
	files->map[0] = (struct e820_entry){ 0, vm->low_ram, E820_RAM };
	files->map[1] = (struct e820_entry){ 4 * GIB, vm->high_ram, E820_RAM };
	return fw_cfg_add_file(&vm->fw_cfg, "etc/e820", files->map,
			       (vm->high_ram ? 2 : 1) * (uint32_t)sizeof(files->map[0]));
}

static bool add_acpi(struct vm *vm, struct files *files)
{
	struct acpi_config config = { .cpus = vm->vcpu_count, .pci_mem_base = LOADER_LOW_MAX,
				      .pci_mem_end = IOAPIC_BASE, .ps2 = true, .pci_irqs = true };
	size_t n = acpi_tables_build(files->acpi, ACPI_BYTES, 0, &config);
	unsigned commands = n ? table_loader_build(files->acpi, n, files->script) : 0;

	return commands && fw_cfg_add_file(&vm->fw_cfg, TABLE_LOADER_RSDP, files->acpi, ACPI_RSDP_SIZE) &&
	       fw_cfg_add_file(&vm->fw_cfg, TABLE_LOADER_TABLES, files->acpi, (uint32_t)n) &&
	       fw_cfg_add_file(&vm->fw_cfg, "etc/table-loader", files->script, commands * TABLE_LOADER_ENTRY);
}

static bool add_smbios(struct vm *vm, struct files *files)
{
	const struct cpuid *leaf1 = &vm->cpuid.basic[1];
	struct smbios_config config = { .cpus = vm->vcpu_count, .low_ram = vm->low_ram, .high_ram = vm->high_ram,
					.cpu_signature = leaf1->eax, .cpu_features = leaf1->edx };
	size_t n = smbios_build(files->smbios, sizeof(files->smbios), files->smbios_anchor, &config);

	return n && fw_cfg_add_file(&vm->fw_cfg, SMBIOS_TABLES_FILE, files->smbios, (uint32_t)n) &&
	       fw_cfg_add_file(&vm->fw_cfg, SMBIOS_ANCHOR_FILE, files->smbios_anchor, SMBIOS_ENTRY_POINT);
}

/* Without a screen the serial port is one. */
static bool add_console(struct vm *vm)
{
	return fw_cfg_add_number(&vm->fw_cfg, FW_CFG_NOGRAPHIC, !vm->config->vga[0], 2);
}

static bool add_rom(struct vm *vm)
{
	const struct boot_module *m;

	if (!vm->config->option_rom[0])
		return true;
	m = vm_find_module(vm, vm->config->option_rom, "option ROM");
	return m && fw_cfg_add_file(&vm->fw_cfg, ROM_FILE, m->data, (uint32_t)m->size);
}

/* A kernel's ROM comes first. */
static bool add_order(struct vm *vm, struct files *files)
{
	const char *rom = vm->config->kernel[0] && vm->config->option_rom[0] ? "/rom@" ROM_FILE : NULL;
	size_t n = firmware_boot_order(vm, rom, files->order, sizeof(files->order));

	return !n || fw_cfg_add_file(&vm->fw_cfg, "bootorder", files->order, (uint32_t)n + 1);
}

/* ---- a kernel ---- */

static bool add_part(struct fw_cfg *f, uint16_t key_size, uint16_t key_data, const void *data, size_t n)
{
	return fw_cfg_add_number(f, key_size, n, 4) && fw_cfg_add(f, key_data, data, (uint32_t)n);
}

static bool add_parts(struct vm *vm, const struct image_files *files, const struct firmware_kernel *k, void *setup)
{
	struct fw_cfg *f = &vm->fw_cfg;

	return fw_cfg_add_number(f, FW_CFG_KERNEL_ADDR, k->kernel_at, 4) &&
	       fw_cfg_add_number(f, FW_CFG_CMDLINE_ADDR, k->cmdline_at, 4) &&
	       fw_cfg_add_number(f, FW_CFG_SETUP_ADDR, k->setup_at, 4) &&
	       fw_cfg_add_number(f, FW_CFG_INITRD_ADDR, k->initrd_at, 4) &&
	       add_part(f, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, (const uint8_t *)files->kernel + k->setup_size,
			files->kernel_size - k->setup_size) &&
	       add_part(f, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA, setup, k->setup_size) &&
	       add_part(f, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA, files->cmdline, strlen(files->cmdline) + 1) &&
	       add_part(f, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, files->initrd, files->initrd_size);
}

static bool find_files(struct vm *vm, struct image_files *files)
{
	const struct vm_config *c = vm->config;
	const struct boot_module *kernel = vm_find_module(vm, c->kernel, "kernel"), *initrd = NULL;

	if (!kernel)
		return false;
	*files = (struct image_files){ .kernel = kernel->data, .kernel_size = kernel->size, .cmdline = c->append };
	if (!c->initrd[0])
		return true;
	initrd = vm_find_module(vm, c->initrd, "initrd");
	if (!initrd)
		return false;
	files->initrd = initrd->data;
	files->initrd_size = initrd->size;
	return true;
}

static bool add_kernel(struct vm *vm, struct files *own)
{
	struct image_files files;
	struct firmware_kernel k;
	char why[sizeof(vm->end_text)];

	if (!vm->config->kernel[0])
		return true;
	if (!find_files(vm, &files))
		return false;
	if (load_firmware_kernel(&files, vm->low_ram, &k, own->setup, why, sizeof(why)))
		return add_parts(vm, &files, &k, own->setup);
	vm_end(vm, VM_STATUS_BAD_IMAGE, "%s", why);
	return false;
}

bool firmware_add_files(struct vm *vm)
{
	struct files *files = take_files(vm);

	if (files && add_map(vm, files) && add_acpi(vm, files) && add_smbios(vm, files) && add_console(vm) &&
	    add_rom(vm) && add_order(vm, files) && add_kernel(vm, files))
		return true;
	vm_end(vm, VM_STATUS_BAD_IMAGE, "there is no memory for what its firmware reads");
	return false;
}
