#include "host/cpu/smp.h"

#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "host/device/acpi.h"
#include "host/device/console.h"
#include "host/device/lapic.h"
#include "host/memory/frames.h"
#include "host/memory/paging.h"
#include "host/trap/interrupt.h"
#include "host/trap/mca.h"

/* Below 1 MiB, never handed out by host/memory/frames.h, and not used by any firmware once the boot loader is done. */
#define TRAMPOLINE_PAGE 0x8000u

extern char trampoline_start[], trampoline_end[];
extern char boot_stack_guard[], boot_stack_end[];
/* What trampoline.S hands to the CPU that starts. */
extern uint64_t ap_stack, ap_percpu;
void ap_main(struct percpu *p);

static struct percpu boot_cpu;
static void (*ap_entry)(void);
static volatile bool ap_alive;
static uint64_t tsc_per_ms;

static void install(struct percpu *p)
{
	paging_protect_cpu();
	percpu_install(p);
	interrupt_install();
	mca_init_cpu();
	lapic_host_init();
	p->apic_id = lapic_host_id();
}

bool smp_init_boot_cpu(void)
{
	interrupt_init();
	boot_cpu.stack[STACK_MAIN] = (struct stack){ boot_stack_guard, boot_stack_end };
	if (!percpu_make_stacks(&boot_cpu))
		return false;
	percpu_register(&boot_cpu);
	install(&boot_cpu);
	return true;
}

void ap_main(struct percpu *p)
{
	install(p);
	__atomic_store_n(&ap_alive, true, __ATOMIC_RELEASE);
	ap_entry();
}

static void delay_ms(unsigned ms)
{
	uint64_t end = rdtsc() + ms * tsc_per_ms;

	while (rdtsc() < end)
		cpu_relax();
}

/* NULL: no memory. */
static struct percpu *new_percpu(unsigned id)
{
	char *top = paging_stack(CPU_STACK_PAGES);
	hfn_t cpu = frames_alloc();
	struct percpu *p;

	_Static_assert(sizeof(struct percpu) <= PAGE_SIZE, "one frame");
	if (!top || hfn_is_none(cpu))
		return NULL;
	p = frames_ptr(cpu);
	p->id = id;
	p->stack[STACK_MAIN] = (struct stack){ top - (CPU_STACK_PAGES + 1) * PAGE_SIZE, top };
	return percpu_make_stacks(p) ? p : NULL;
}

static bool wait_alive(unsigned ms)
{
	uint64_t end = rdtsc() + ms * tsc_per_ms;
	bool alive;

	while (!(alive = __atomic_load_n(&ap_alive, __ATOMIC_ACQUIRE)) && rdtsc() < end)
		cpu_relax();
	return alive;
}

static void init_others(const struct acpi_info *acpi)
{
	for (unsigned i = 0; i < acpi->cpu_count; i++)
		if (acpi->cpu_apic_id[i] != this_cpu()->apic_id)
			lapic_host_init_ipi(acpi->cpu_apic_id[i]);
	delay_ms(10);
}

/* A start-up IPI, and another where nobody came of the first. Before that, once for all: INIT, and 10 ms (SDM, "Typical
 * BSP Initialization Sequence"). */
static bool start_one(uint32_t apic_id, struct percpu *p)
{
	ap_stack = (uintptr_t)p->stack[STACK_MAIN].top;
	ap_percpu = (uintptr_t)p;
	ap_alive = false;
	for (int attempt = 0; attempt < 2; attempt++) {
		lapic_host_startup_ipi(apic_id, TRAMPOLINE_PAGE >> PAGE_SHIFT);
		if (wait_alive(attempt ? 100 : 2))
			return true;
	}
	return false;
}

void smp_start_others(void (*entry)(void), uint64_t tsc_hz)
{
	const struct acpi_info *acpi = acpi_host_info();
	size_t size = (size_t)(trampoline_end - trampoline_start);
	void *trampoline = paging_window(TRAMPOLINE_PAGE, size, PAGING_WRITE);

	ap_entry = entry;
	tsc_per_ms = tsc_hz / 1000;
	if (trampoline)
		memcpy(trampoline, trampoline_start, size);
	if (acpi->cpu_count > 1)
		init_others(acpi);
	for (unsigned i = 0; i < acpi->cpu_count; i++) {
		struct percpu *p;

		if (acpi->cpu_apic_id[i] == this_cpu()->apic_id)
			continue;
		if (cpus_count() == CPUS_MAX)
			break;
		p = trampoline ? new_percpu(cpus_count()) : NULL;
		if (!p)
			console_log("no memory for CPU with APIC ID %u; going on without it", acpi->cpu_apic_id[i]);
		else if (start_one(acpi->cpu_apic_id[i], p))
			percpu_register(p);
		else
			console_log("CPU with APIC ID %u did not start; going on without it", acpi->cpu_apic_id[i]);
	}
}
