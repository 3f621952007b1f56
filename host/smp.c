#include "host/smp.h"

#include "host/acpi.h"
#include "host/console.h"
#include "host/frames.h"
#include "host/interrupt.h"
#include "host/lapic.h"
#include "host/percpu.h"
#include "host/x86.h"

/* Below 1 MiB, never handed out by host/frames.h, and not used by any firmware once the boot loader is done. */
#define TRAMPOLINE_PAGE 0x8000u
#define AP_TIMEOUT_SPINS 20000000u

extern char trampoline_start[], trampoline_end[], trampoline_stack[], trampoline_arg[];
extern char boot_stack_end[];
void ap_main(struct percpu *p);

static struct percpu boot_cpu;
static void (*ap_entry)(void);
static volatile bool ap_alive;
static uint64_t tsc_per_ms;

static void install(struct percpu *p)
{
	percpu_install(p);
	interrupt_install();
	lapic_host_init();
	p->apic_id = lapic_host_id();
}

void smp_init_boot_cpu(void)
{
	interrupt_init();
	boot_cpu.stack_top = boot_stack_end;
	percpu_register(&boot_cpu);
	install(&boot_cpu);
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

static void *trampoline_slot(const char *symbol) { return (void *)(uintptr_t)(TRAMPOLINE_PAGE + (symbol - trampoline_start)); }

static struct percpu *new_percpu(unsigned id)
{
	hfn_t stack = frames_alloc_run(CPU_STACK_SIZE / PAGE_SIZE, 1);
	hfn_t cpu = frames_alloc();
	struct percpu *p;

	_Static_assert(sizeof(struct percpu) <= PAGE_SIZE, "one frame");
	BUG_ON(hfn_is_none(stack) || hfn_is_none(cpu));
	p = frames_ptr(cpu);
	p->id = id;
	p->stack_top = (char *)frames_ptr(stack) + CPU_STACK_SIZE;
	return p;
}

static bool wait_alive(unsigned ms)
{
	while (ms--) {
		if (__atomic_load_n(&ap_alive, __ATOMIC_ACQUIRE))
			return true;
		delay_ms(1);
	}
	return __atomic_load_n(&ap_alive, __ATOMIC_ACQUIRE);
}

static bool start_one(uint32_t apic_id, struct percpu *p)
{
	uint64_t stack = (uintptr_t)p->stack_top, arg = (uintptr_t)p;

	memcpy(trampoline_slot(trampoline_start), trampoline_start, (size_t)(trampoline_end - trampoline_start));
	memcpy(trampoline_slot(trampoline_stack), &stack, 8);
	memcpy(trampoline_slot(trampoline_arg), &arg, 8);
	ap_alive = false;
	lapic_host_init_ipi(apic_id);
	delay_ms(10);
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

	ap_entry = entry;
	tsc_per_ms = tsc_hz / 1000;
	for (unsigned i = 0; i < acpi->cpu_count; i++) {
		struct percpu *p;

		if (acpi->cpu_apic_id[i] == this_cpu()->apic_id)
			continue;
		if (cpus_count() == CPUS_MAX)
			break;
		p = new_percpu(cpus_count());
		if (start_one(acpi->cpu_apic_id[i], p))
			percpu_register(p);
		else
			console_log("CPU with APIC ID %u did not start; going on without it", acpi->cpu_apic_id[i]);
	}
}
