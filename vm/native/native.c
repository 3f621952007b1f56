/* vm/native/native.c - loads a guest's kernel for the bare machine.
 *
 * The kernel's place is from address 0 on, where the hypervisor, the modules and the firmware's data are now. So the
 * guest's whole RAM is made above the end of that RAM first, by the same loaders that make it for a virtual machine;
 * then code that also lies above (vm/native/entry.S) moves it down, over everything, and jumps. The firmware's own
 * area, from 640 KiB to 1 MiB, stays as it is: the kernel finds the machine's ACPI tables there. */
#include "vm/native/native.h"

#include "host/boot/multiboot.h"
#include "host/cpu/asm.h"
#include "host/cpu/x86.h"
#include "host/device/console.h"
#include "host/memory/frames.h"
#include "vm/load/image.h"
#include "vm/native/entry.h"

#define MAPPED_GIB 4u
#define TABLE_ENTRY (PTE_P | PTE_W)
#define LARGE_ENTRY (PTE_P | PTE_W | PTE_PS)

/* Of real mode's 256 vectors, at address 0: what a protected-mode kernel finds in a virtual machine too. */
#define REAL_MODE_IDT_LIMIT (256u * 4 - 1)

/* What lies above, page by page. */
enum { PAGE_CODE, PAGE_PLAN, PAGE_STACK, PAGE_PML4, PAGE_PDPT, PAGE_PD, PAGES = PAGE_PD + MAPPED_GIB };

static char error_text[200];

static bool staged_write(void *ctx, gpa_t gpa, const void *data, size_t n)
{
	memcpy((uint8_t *)ctx + gpa.v, data, n);
	return true;
}

static bool staged_zero(void *ctx, gpa_t gpa, size_t n)
{
	memset((uint8_t *)ctx + gpa.v, 0, n);
	return true;
}

static void map_all(uint8_t *pages)
{
	uint64_t *pml4 = (uint64_t *)(pages + PAGE_PML4 * PAGE_SIZE),
		 *pdpt = (uint64_t *)(pages + PAGE_PDPT * PAGE_SIZE), *pd = (uint64_t *)(pages + PAGE_PD * PAGE_SIZE);

	pml4[0] = (uintptr_t)pdpt | TABLE_ENTRY;
	for (unsigned i = 0; i < MAPPED_GIB; i++)
		pdpt[i] = (uintptr_t)(pd + PAGE_TABLE_ENTRIES * i) | TABLE_ENTRY;
	for (uint64_t i = 0; i < PAGE_TABLE_ENTRIES * MAPPED_GIB; i++)
		pd[i] = i << 21 | LARGE_ENTRY;
}

static _Noreturn void leave(uint8_t *pages, const uint8_t *staged, uint64_t mem, const struct cpu_start *start)
{
	struct native_plan *plan = (struct native_plan *)(pages + PAGE_PLAN * PAGE_SIZE);

	memset(pages, 0, PAGES * PAGE_SIZE);
	memcpy(pages, native_code, (size_t)(native_code_end - native_code));
	map_all(pages);
	*plan = (struct native_plan){
		.cr3 = (uintptr_t)pages + PAGE_PML4 * PAGE_SIZE,
		.stack = (uintptr_t)pages + (PAGE_STACK + 1) * PAGE_SIZE - 16,
		.low_from = (uintptr_t)staged + PAGE_SIZE,
		.low_to = PAGE_SIZE,
		.low_words = (LOADER_EBDA - PAGE_SIZE) / 8,
		.high_from = (uintptr_t)staged + LOADER_MB,
		.high_to = LOADER_MB,
		.high_words = (mem - LOADER_MB) / 8,
		.code32 = (uintptr_t)pages + (size_t)(native_code32 - native_code),
		.long_mode = start->mode == START_LONG64,
		.start_cr3 = start->cr3,
		.rip = start->rip,
		.rsp = start->rsp,
		.rax = start->rax,
		.rbx = start->rbx,
		.rsi = start->rsi,
		.cs = start->cs,
		.ds = start->ds,
		.gdt = {
			[SEL_CODE64 / 8] = DESCRIPTOR_FLAT_CODE64,
			[SEL_DATA / 8] = DESCRIPTOR_FLAT_DATA,
			[SEL_CODE32 / 8] = DESCRIPTOR_FLAT_CODE32,
		},
	};
	native_pointer(plan->own_gdt, sizeof(plan->gdt) - 1, (uintptr_t)plan->gdt);
	native_pointer(plan->start_gdt, (uint16_t)start->gdt_limit, start->gdt_base);
	if (!plan->long_mode)
		native_pointer(plan->idt, REAL_MODE_IDT_LIMIT, 0);
	console_line("stat 0 native.start_ticks %lu", rdtsc());
	console_flush();
	((native_code_fn *)pages)(plan);
	__builtin_unreachable();
}

static const char missing[] = "a file that the description names is not on the boot image";

/* NULL: all are there. */
static const char *find_files(const struct vm_config *c, struct image_files *files)
{
	const struct boot_module *kernel = boot_module_find(c->kernel), *initrd = boot_module_find(c->initrd), *m;

	*files = (struct image_files){ .cmdline = c->append, .kernel_name = c->kernel, .initrd_name = c->initrd };
	if (!kernel || (c->initrd[0] && !initrd))
		return missing;
	files->kernel = kernel->data;
	files->kernel_size = kernel->size;
	files->initrd = initrd ? initrd->data : NULL;
	files->initrd_size = initrd ? initrd->size : 0;
	for (; files->modules < c->modules; files->modules++) {
		m = boot_module_find(c->module[files->modules].name);
		if (!m)
			return missing;
		files->module[files->modules] = (struct image_module){ m->data, m->size,
								       c->module[files->modules].text };
	}
	return NULL;
}

const char *native_start(const struct vm_config *config)
{
	struct image_files files;
	const char *why = find_files(config, &files);
	struct loader_memory memory = { staged_write, staged_zero, NULL, config->mem, 0, 0 };
	struct cpu_start start;
	hfn_t pages = frames_alloc_run(PAGES, 1), staged;

	if (why)
		return why;
	staged = frames_alloc_run(config->mem >> PAGE_SHIFT, 1);
	if (hfn_is_none(pages) || hfn_is_none(staged) || hfn_hpa(pages).v < config->mem ||
	    hfn_hpa(pages).v >= 4ull << 30)
		return "to run a guest natively, the machine needs more than twice its RAM, below 4 GiB";
	memory.ctx = frames_ptr(staged);
	memset(memory.ctx, 0, config->mem);
	if (!load_image(&memory, &files, &start, error_text, sizeof(error_text)))
		return error_text;
	console_line("vm 0 start %s", config->name);
	console_line("vm 0 set mmu native");
	console_line("vm 0 set mem_bytes %lu", config->mem);
	leave(frames_ptr(pages), memory.ctx, config->mem, &start);
}
