#include "host/device/lapic.h"

#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "host/device/acpi.h"
#include "host/memory/paging.h"
#include "host/trap/interrupt.h"
#include "lib/apic.h"

static bool x2apic;
static bool tsc_deadline;
static volatile uint32_t *base;
/* Timer ticks per TSC tick, in 2^-32. */
static uint64_t timer_per_tsc;

static uint32_t reg_read(unsigned reg)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC(reg)) : base[reg / 4];
}

static void reg_write(unsigned reg, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC(reg), v);
	else
		base[reg / 4] = v;
}

/* Is there a CPU that 8 bits do not name? Then all are addressed by 32 (SDM, "x2APIC Mode": of 8 bits, 255 is all). */
static bool ids_are_wide(void)
{
	const struct acpi_info *acpi = acpi_host_info();

	for (unsigned i = 0; i < acpi->cpu_count; i++)
		if (acpi->cpu_apic_id[i] >= 255)
			return true;
	return false;
}

void lapic_host_init(void)
{
	uint64_t apic_base = rdmsr(MSR_APIC_BASE);

	if (!(apic_base & APIC_BASE_EN))
		wrmsr(MSR_APIC_BASE, apic_base |= APIC_BASE_EN);
	if (!(apic_base & APIC_BASE_EXTD) && ids_are_wide() && cpuid(CPUID_LEAF_VERSION, 0).ecx & CPUID_1_ECX_X2APIC)
		wrmsr(MSR_APIC_BASE, apic_base |= APIC_BASE_EXTD);
	x2apic = apic_base & APIC_BASE_EXTD;
	/* Every CPU sees its own at the same address. */
	if (!base && !x2apic)
		base = paging_window(apic_base & APIC_BASE_ADDRESS, PAGE_SIZE, PAGING_DEVICE);
	BUG_ON(!base && !x2apic);
	tsc_deadline = cpuid(CPUID_LEAF_VERSION, 0).ecx & CPUID_1_ECX_TSC_DEADLINE;
	reg_write(APIC_SVR, SVR_ENABLED | VECTOR_SPURIOUS);
	reg_write(APIC_LVT_LINT0, LVT_MASKED);
	reg_write(APIC_LVT_LINT1, LVT_MASKED);
	reg_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	reg_write(APIC_LVT_TIMER, VECTOR_TIMER | (tsc_deadline ? LVT_TIMER_DEADLINE : 0));
	/* The MFENCE orders the xAPIC write before the first WRMSR of the deadline (SDM, "TSC-Deadline Mode"). */
	__asm__ volatile("mfence" : : : "memory");
}

uint32_t lapic_host_id(void)
{
	return x2apic ? reg_read(APIC_ID) : reg_read(APIC_ID) >> 24;
}

void lapic_host_eoi(void) { reg_write(APIC_EOI, 0); }

/* The same for host/trap/interrupt_entry.S: every register is as it was. */
void lapic_host_kicked(void) __attribute__((no_caller_saved_registers));
void lapic_host_kicked(void) { reg_write(APIC_EOI, 0); }

static void timer_one_shot(uint64_t deadline)
{
	uint64_t now = rdtsc(), ticks;

	if (deadline == UINT64_MAX) {
		reg_write(APIC_TIMER_INITIAL, 0);
		return;
	}
	/* A span that the 32-bit counter cannot hold fires early, and the timer is armed again. */
	ticks = deadline > now ? (uint64_t)(((unsigned __int128)(deadline - now) * timer_per_tsc) >> 32) + 1 : 1;
	reg_write(APIC_TIMER_INITIAL, (uint32_t)min_u64(ticks, UINT32_MAX));
}

void lapic_host_timer(uint64_t deadline)
{
	struct percpu *cpu = this_cpu();

	if (cpu->timer_armed == deadline)
		return;
	cpu->timer_armed = deadline;
	if (tsc_deadline)
		/* 0 disarms; a deadline that is past fires at once. */
		wrmsr(MSR_TSC_DEADLINE, deadline == UINT64_MAX ? 0 : max_u64(deadline, 1));
	else
		timer_one_shot(deadline);
}

static void send_ipi(uint32_t apic_id, uint32_t command)
{
	if (x2apic) {
		/* Here WRMSR does not serialize: what the other CPU is to see must be stored before (SDM, "MSR Access
		 * in x2APIC Mode"). */
		__asm__ volatile("mfence; lfence" : : : "memory");
		wrmsr(MSR_X2APIC(APIC_ICR), (uint64_t)apic_id << 32 | command);
		return;
	}
	while (reg_read(APIC_ICR) & ICR_DELIVERY_STATUS)
		cpu_relax();
	/* The write of the low half sends. */
	reg_write(APIC_ICR_HIGH, apic_id << 24);
	reg_write(APIC_ICR, command);
}

void lapic_host_send(uint32_t apic_id, uint8_t vector)
{
	send_ipi(apic_id, ICR_ASSERT | ICR_DELIVERY(APIC_FIXED) | vector);
}

void lapic_host_kick(uint32_t apic_id) { lapic_host_send(apic_id, VECTOR_KICK); }
void lapic_host_init_ipi(uint32_t apic_id) { send_ipi(apic_id, ICR_ASSERT | ICR_DELIVERY(APIC_INIT)); }
void lapic_host_startup_ipi(uint32_t apic_id, uint8_t page)
{
	send_ipi(apic_id, ICR_ASSERT | ICR_DELIVERY(APIC_SIPI) | page);
}

void lapic_host_calibrate(uint64_t tsc_hz)
{
	uint64_t start, span = tsc_hz / 100;
	uint32_t counted;

	if (tsc_deadline)
		return;
	reg_write(APIC_LVT_TIMER, VECTOR_TIMER | LVT_MASKED);
	reg_write(APIC_TIMER_INITIAL, UINT32_MAX);
	start = rdtsc();
	while (rdtsc() - start < span)
		cpu_relax();
	counted = UINT32_MAX - reg_read(APIC_TIMER_CURRENT);
	reg_write(APIC_TIMER_INITIAL, 0);
	reg_write(APIC_LVT_TIMER, VECTOR_TIMER);
	timer_per_tsc = ((uint64_t)counted << 32) / span;
	if (!timer_per_tsc)
		timer_per_tsc = 1;
}
