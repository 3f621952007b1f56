/* vm/create.c - a virtual machine from its description: memory, mechanism, devices, image. */
#include "vm/vm.h"

#include "dev/firmware/acpi_tables.h"
#include "dev/firmware/mp_table.h"
#include "host/memory/frames.h"
#include "host/device/lapic.h"
#include "host/boot/multiboot.h"
#include "lib/fmt.h"
#include "vm/load/image.h"
#include "vm/memory/reclaim.h"
#include "vm/memory/memory.h"
#include "lib/mutants/mutate.h"
#include "vm/live/live.h"

#define LOW_RAM_MAX LOADER_LOW_MAX
_Static_assert(ACPI_TABLES_SIZE(VCPUS_MAX) <= ACPI_BYTES, "acpi_tables_build() has room");
#define MP_TABLE_AT 0xf0000
/* In the legacy hole, which no guest takes for RAM: where the heart keeps the page table of a guest without paging, on
 * CPUs that cannot run such a guest directly. */
#define IDENTITY_MAP 0xd0000
/* The same where a firmware may have that hole for its own: between the local APIC and the ROM. */
#define IDENTITY_MAP_FIRMWARE 0xfeffc000

/* ---- what the heart needs from below ---- */

static hfn_t below_alloc(void *ctx)
{
	(void)ctx;
	return frames_alloc();
}

/* For what CR3 names under PAE paging, which has 32 bits (SDM, "PAE Paging"). Single frames come from the bottom of
 * memory: one above 4 GiB means that there is none below. */
static hfn_t below_alloc_low(void *ctx)
{
	hfn_t f = below_alloc(ctx);

	if (hfn_is_none(f) || hfn_hpa(f).v < 4 * GIB)
		return f;
	frames_free(f, 1);
	return HFN_NONE;
}

static void below_free(void *ctx, hfn_t frame)
{
	(void)ctx;
	frames_free(frame, 1);
}

static void *below_ptr(void *ctx, hfn_t frame)
{
	(void)ctx;
	return frames_ptr(frame);
}

/* RL2 in vm/run.c. The IPI is an exit of the guest's; who has seen in_guest false sees the request before it enters, on
 * whatever CPU: it serves it under the VM's lock, which is held here. So one that leaves meanwhile, and moves, does not
 * come to be in its guest again before this has seen that it left. */
static void below_kick(void *ctx, struct mmu_vcpu *mmu)
{
	struct vcpu *v = container_of(mmu, struct vcpu, mmu);

	(void)ctx;
	if (v->cpu == this_cpu() || !__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST))
		return;
	lapic_host_kick(__atomic_load_n(&v->cpu, __ATOMIC_SEQ_CST)->apic_id);
	while (__atomic_load_n(&v->in_guest, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static bool below_flush_tag(void *ctx, enum tag_flush type, uint16_t tag, gva_t gva)
{
	(void)ctx;
	return hvm_flush_tag(type, tag, gva);
}

static bool below_flush_nested(void *ctx, enum nested_flush type, uint64_t root)
{
	(void)ctx;
	return hvm_flush_nested(type, root);
}

static void below_lock(void *ctx, struct mmu_vm *mmu)
{
	(void)mmu;
	fair_lock(&((struct vm *)ctx)->mmu_lock);
}

static void below_unlock(void *ctx, struct mmu_vm *mmu)
{
	(void)mmu;
	fair_unlock(&((struct vm *)ctx)->mmu_lock);
}

static void below_wait(void *ctx, const bool *flag)
{
	(void)ctx;
	flag_wait(flag);
}

static const struct mmu_below below_template = {
	.frame_alloc = below_alloc,
	.frame_alloc_low = below_alloc_low,
	.frame_free = below_free,
	.frame_ptr = below_ptr,
	.kick = below_kick,
	.flush_tag = below_flush_tag,
	.flush_nested = below_flush_nested,
	.lock = below_lock,
	.unlock = below_unlock,
	.wait = below_wait,
};

/* ---- memory-mapped devices ---- */

static bool add_mmio(struct vm *vm)
{
	for (unsigned i = 0; i < vm->mmio.count; i++) {
		const struct mmio_region *r = &vm->mmio.region[i];
		struct slot slot = { .base = gpa_gfn(GPA(r->base)),
				     .pages = pages_for(r->size),
				     .kind = SLOT_MMIO,
				     .type = MEMTYPE_UC };

		if (!slots_add(&vm->mmu.slots, &slot))
			return false;
	}
	return slots_add(&vm->mmu.slots, &(struct slot){ .base = gpa_gfn(GPA(LAPIC_DEFAULT_BASE)),
							 .pages = 1,
							 .kind = SLOT_MMIO,
							 .type = MEMTYPE_UC });
}

/* ---- the mechanism ---- */

_Static_assert((int)MMU_LOG_AUTO == CONFIG_DIRTY_AUTO && (int)MMU_LOG_PROTECT == CONFIG_DIRTY_WP &&
	       (int)MMU_LOG_FLAGS == CONFIG_DIRTY_AD && (int)MMU_LOG_PML == CONFIG_DIRTY_PML, "taken over");

/* ops: of a second container; NULL: as its description says. */
static bool create_mmu(struct vm *vm, const struct mmu_ops *ops)
{
	struct mmu_config config = {
		.page_limit = vm->config->page_bits ? (enum page_limit)vm->config->page_bits : PAGE_LIMIT_1G,
		.log = (enum mmu_log_method)vm->config->dirty,
		.vpid = vm->config->vpid != CONFIG_OFF,
		.restricted = vm->config->unrestricted == CONFIG_OFF,
		.ept_levels = (uint8_t)vm->config->ept_levels,
		.ram_pages = (vm->config->mem >> PAGE_SHIFT) + (vm->config->vga[0] ? VIDEO_PAGES : 0),
		.identity_map = GPA(firmware_given(vm) ? IDENTITY_MAP_FIRMWARE : IDENTITY_MAP),
	};

	ops = ops ? ops : mechanism_choose(vm, &config);
	if (!ops)
		return false;
	/* By its RAM, but no more than an eighth of the machine's. */
	config.table_frames = (uint32_t)max_u64(mmu_table_least(ops, config.ram_pages),
						min_u64(mmu_table_limit(config.ram_pages), frames_total() / 8));
	vm->below = below_template;
	vm->below.ctx = vm;
	if (!mmu_vm_init(&vm->mmu, ops, &vm->below, &machine.caps.mmu, &config, &machine.vpids)) {
		vm_end(vm, VM_STATUS_BAD_IMAGE, "there is no memory for its tables");
		return false;
	}
	vm->has_mmu = true;
	return true;
}

/* ---- the image ---- */

#define WRITE_PIECE (128u << 10)

/* Much may be written: others give memory back in between. */
static bool ram_write(void *ctx, gpa_t gpa, const void *data, size_t n)
{
	struct vm *vm = ctx;

	for (size_t piece; n; n -= piece, data = (const char *)data + piece, gpa = gpa_add(gpa, piece)) {
		piece = min_u64(n, WRITE_PIECE);
		reclaim_look();
		if (mmu_guest_write(&vm->mmu, gpa, data, piece) != piece)
			return false;
	}
	return true;
}

static bool ram_zero(void *ctx, gpa_t gpa, size_t n)
{
	static const uint8_t zeroes[256];

	for (size_t piece; n; n -= piece, gpa = gpa_add(gpa, piece)) {
		piece = min_u64(n, sizeof(zeroes));
		if (!ram_write(ctx, gpa, zeroes, piece))
			return false;
	}
	return true;
}

/* For operating systems that do not look for ACPI. */
static bool load_mp_table(struct vm *vm)
{
	const struct cpuid *leaf1 = &vm->cpuid.basic[1];
	struct mp_config config = { .cpus = vm->vcpu_count, .cpu_signature = leaf1->eax, .cpu_features = leaf1->edx };
	uint8_t table[MP_TABLE_SIZE(VCPUS_MAX)];
	size_t n = mp_table_build(table, sizeof(table), MP_TABLE_AT, &config);

	return n && ram_write(vm, GPA(MP_TABLE_AT), table, n);
}

static bool load_acpi(struct vm *vm)
{
	struct acpi_config config = { .cpus = vm->vcpu_count, .pci_mem_base = LOADER_LOW_MAX,
				      .pci_mem_end = IOAPIC_BASE, .ps2 = false,
				      .pci_irqs = vm->pci.count > 1 };
	hfn_t f = frames_alloc_run(ACPI_BYTES >> PAGE_SHIFT, 1);
	bool ok;
	size_t n;

	if (hfn_is_none(f))
		return false;
	n = acpi_tables_build(frames_ptr(f), ACPI_BYTES, LOADER_FIRMWARE, &config);
	ok = n && ram_write(vm, GPA(LOADER_FIRMWARE), frames_ptr(f), n);
	frames_free(f, ACPI_BYTES >> PAGE_SHIFT);
	return ok;
}

const struct boot_module *vm_find_module(struct vm *vm, const char *name, const char *what)
{
	const struct boot_module *m = boot_module_find(name);

	if (!m)
		vm_end(vm, VM_STATUS_BAD_IMAGE, "its %s, %s, is not on the boot image", what, name);
	return m;
}

_Static_assert(CONFIG_MODULES_MAX == IMAGE_MODULES_MAX, "as many as the description may name");

static bool find_modules(struct vm *vm, struct image_files *files)
{
	for (; files->modules < vm->config->modules; files->modules++) {
		const struct config_module *c = &vm->config->module[files->modules];
		const struct boot_module *m = vm_find_module(vm, c->name, "module");

		if (!m)
			return false;
		files->module[files->modules] = (struct image_module){ m->data, m->size, c->text };
	}
	return true;
}

static bool find_files(struct vm *vm, struct image_files *files)
{
	const struct vm_config *c = vm->config;
	const struct boot_module *kernel = vm_find_module(vm, c->kernel, "kernel"), *initrd = NULL;

	if (!kernel || (VM_KEPT(LOAD_INITRD, c->initrd[0]) && !(initrd = vm_find_module(vm, c->initrd, "initrd"))))
		return false;
	files->kernel = kernel->data;
	files->kernel_size = kernel->size;
	if (initrd) {
		files->initrd = initrd->data;
		files->initrd_size = initrd->size;
		files->initrd_name = c->initrd;
	}
	return find_modules(vm, files);
}

static bool load_guest(struct vm *vm, struct cpu_start *start)
{
	const struct vm_config *c = vm->config;
	struct loader_memory mem = { ram_write, ram_zero, vm, vm->low_ram, vm->high_ram, LOADER_FIRMWARE };
	struct image_files files = { .cmdline = c->append, .kernel_name = c->kernel };
	char why[sizeof(vm->end_text)];

	if (!find_files(vm, &files))
		return false;
	if (!load_acpi(vm) || !load_mp_table(vm) || !bios_data_write(vm)) {
		vm_end(vm, VM_STATUS_BAD_IMAGE, "there is no memory for its firmware's tables");
		return false;
	}
	if (load_image(&mem, &files, start, why, sizeof(why)))
		return true;
	vm_end(vm, VM_STATUS_BAD_IMAGE, "%s", why);
	return false;
}

/* ---- all of it ---- */

static bool create_platform(struct vm *vm)
{
	if (platform_init(vm) && add_mmio(vm))
		return true;
	vm_end(vm, VM_STATUS_BAD_IMAGE, "there is no memory for its devices");
	return false;
}

static struct vm *alloc_vm(unsigned id, const struct vm_config *config)
{
	struct vm *vm = frames_take(sizeof(struct vm));

	if (!vm)
		return NULL;
	vm->id = id;
	vm->config = config;
	vm->weight = config->weight;
	vm->clock.guest_only = config->guest_clock;
	vm->low_ram = min_u64(config->mem, LOW_RAM_MAX);
	vm->high_ram = config->mem - vm->low_ram;
	return vm;
}

/* With what the vCPUs begin. */
static bool create_guest(struct vm *vm)
{
	struct cpu_start start;

	if (restore_given(vm->config))
		return restore_vcpus(vm);
	return (firmware_given(vm) ? firmware_load(vm, &start) : load_guest(vm, &start)) && vcpus_start(vm, &start);
}

struct vm *vm_create(unsigned id, const struct vm_config *config, struct percpu *cpu)
{
	struct vm *vm = alloc_vm(id, config);

	if (!vm)
		return NULL;
	if (!create_mmu(vm, NULL))
		return vm;
	cpuid_policy_init(&vm->cpuid, &machine.caps, machine.tsc_hz, config->vcpus,
			  !(switch_hidden_cr4(vm) & CR4_PCIDE), config->rdrand != CONFIG_OFF);
	if (restore_given(config) && !restore_begin(vm))
		return vm;
	msr_reset(vm);
	if (vcpus_create(vm, cpu) && create_platform(vm) && memory_create(vm) &&
	    (!restore_given(config) || restore_machine(vm)) && tpr_init(vm) && create_guest(vm) && switch_init(vm) &&
	    trace_init(vm) && merge_init(vm))
		vm->status = VM_STATUS_OK;
	if (!vm->ended)
		wander_init(vm);
	return vm;
}

struct vm *vm_create_second(const struct vm *of, const struct mmu_ops *ops)
{
	struct vm *vm = alloc_vm(of->id, of->config);
	struct cpu_start start; /* which it is past */

	if (!vm)
		return NULL;
	vm->live.second = true;
	vm->paused = true;
	if (!create_mmu(vm, ops))
		return vm;
	vm->cpuid = of->cpuid;
	msr_reset(vm);
	if (vcpus_create(vm, vm_boot_vcpu(of)->cpu) && create_platform(vm) && memory_create(vm) &&
	    (!firmware_given(vm) || firmware_load(vm, &start)))
		vm->status = VM_STATUS_OK;
	return vm;
}
