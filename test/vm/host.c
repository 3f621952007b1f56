/* test/vm/host.c - host/ for the bench: frames out of an area of the process that has physical addresses of its own,
 * one CPU, interrupts that the test raises, serial ports that keep what is written, boot modules. What is freed is
 * poisoned. */
#include "test/vm/cpu.h"
#include "test/vm/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <sanitizer/asan_interface.h>

#include "host/boot/multiboot.h"
#include "host/cpu/percpu.h"
#include "host/cpu/random.h"
#include "host/device/acpi.h"
#include "host/device/ioapic.h"
#include "host/device/lapic.h"
#include "host/device/power.h"
#include "host/memory/frames.h"
#include "host/trap/interrupt.h"
#include "host/trap/mca.h"
#include "lib/multiboot.h"

/* ---- frames ---- */

/* Where the frames are in the process, and what physical addresses they have: others, so that neither is taken for the
 * other. */
#define AREA ((uint8_t *)0x60000000) /* above where brk() may begin, below the shadow of the sanitizer */
#define AREA_HPA 0x1000000u
#define AREA_FRAMES 8192u

uint64_t frames_base = (uintptr_t)AREA - AREA_HPA;

bool host_blocks_are_clear;
static bool used[AREA_FRAMES];
static unsigned in_use, hint;

static void map_area(void)
{
	static bool mapped;
	void *p;

	if (mapped)
		return;
	p = mmap(AREA, (size_t)AREA_FRAMES * PAGE_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p != AREA) {
		perror("mmap of the bench's frames");
		abort();
	}
	mapped = true;
}

static void free_all(void)
{
	memset(used, 0, sizeof(used));
	in_use = hint = 0;
	ASAN_POISON_MEMORY_REGION(AREA, (size_t)AREA_FRAMES * PAGE_SIZE);
}

static hfn_t take(unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		used[i] = true;
	in_use += count;
	ASAN_UNPOISON_MEMORY_REGION(AREA + (size_t)first * PAGE_SIZE, (size_t)count * PAGE_SIZE);
	return frames_of_ptr(AREA + (size_t)first * PAGE_SIZE);
}

hfn_t frames_alloc(void)
{
	hfn_t f;

	while (hint < AREA_FRAMES && used[hint])
		hint++;
	if (hint == AREA_FRAMES)
		return HFN_NONE;
	f = take(hint, 1);
	memset(frames_ptr(f), 0, PAGE_SIZE);
	return f;
}

hfn_t frames_alloc_run(uint64_t count, uint64_t align)
{
	uint64_t base = frames_of_ptr(AREA).v;

	for (uint64_t first = align_down(base + AREA_FRAMES - count, align); count <= AREA_FRAMES && first >= base;
	     first -= align) {
		unsigned at = (unsigned)(first - base), n = 0;

		while (n < count && !used[at + n])
			n++;
		if (n == count)
			return take(at, (unsigned)count);
	}
	return HFN_NONE;
}

hfn_t frames_alloc_block(void)
{
	hfn_t f = frames_alloc_run(FRAMES_BLOCK, FRAMES_BLOCK);

	if (!hfn_is_none(f))
		memset(frames_ptr(f), 0, FRAMES_BLOCK << PAGE_SHIFT);
	return f;
}

hfn_t frames_alloc_clear_block(void) { return host_blocks_are_clear ? frames_alloc_block() : HFN_NONE; }

void frames_clear_ahead(uint64_t blocks) { (void)blocks; }

uint64_t frames_end(void) { return AREA_HPA + ((uint64_t)AREA_FRAMES << PAGE_SHIFT); }

hfn_t frames_alloc_run_low(uint64_t count, uint64_t align) { return frames_alloc_run(count, align); }

void frames_free(hfn_t first, uint64_t count)
{
	unsigned at = (unsigned)(first.v - frames_of_ptr(AREA).v);

	for (uint64_t i = at; i < at + count; i++) {
		BUG_ON(i >= AREA_FRAMES || !used[i]);
		used[i] = false;
	}
	in_use -= (unsigned)count;
	hint = (unsigned)min_u64(hint, at);
	ASAN_POISON_MEMORY_REGION(AREA + (size_t)at * PAGE_SIZE, count * PAGE_SIZE);
}

uint64_t frames_total(void) { return AREA_FRAMES; }
uint64_t frames_available(void) { return AREA_FRAMES - in_use; }

const void *host_memory(uint64_t hpa, unsigned n)
{
	uint64_t offset = hpa - AREA_HPA;

	return hpa >= AREA_HPA && offset + n <= (uint64_t)AREA_FRAMES * PAGE_SIZE && used[offset / PAGE_SIZE]
		       ? AREA + offset
		       : NULL;
}

/* ---- CPUs and interrupts ---- */

static uint8_t pending[64];
static unsigned pending_count;

_Thread_local struct percpu *host_other_cpu;

struct percpu *this_cpu(void) { return host_other_cpu ? host_other_cpu : soft_percpu(soft.at); }
struct percpu *percpu_of(unsigned id) { return id < soft.cpus ? soft_percpu(id) : NULL; }
unsigned cpus_count(void) { return soft.cpus; }

void lapic_host_timer(uint64_t deadline) { this_cpu()->timer_armed = deadline; }
void (*host_kicked)(uint32_t apic_id);

void lapic_host_kick(uint32_t apic_id)
{
	if (apic_id < BENCH_HOST_CPUS)
		bench.kicks[apic_id]++;
	if (host_kicked)
		host_kicked(apic_id);
}

void lapic_host_send(uint32_t apic_id, uint8_t vector)
{
	(void)vector;
	lapic_host_kick(apic_id);
}

void lapic_host_eoi(void) {}
uint32_t lapic_host_id(void) { return 0; }

void interrupt_handle(uint8_t vector)
{
	if (vector == VECTOR_TIMER)
		this_cpu()->timer_fired = true;
	else if (vector >= VECTOR_UART_FIRST && vector < VECTOR_UART_FIRST + CONSOLE_PORTS)
		console_interrupt(vector - VECTOR_UART_FIRST);
}

void host_interrupt_pending(uint8_t vector)
{
	BUG_ON(pending_count == sizeof(pending));
	pending[pending_count++] = vector;
}

/* Interrupts are let in for a moment. */
void irq_window(void)
{
	soft_step();
	bench_disk_interrupt();
	if (soft_emulated_enough())
		bench_pause_emulation();
	for (unsigned i = 0; i < pending_count; i++)
		interrupt_handle(pending[i]);
	pending_count = 0;
}

void irq_disable(void) {}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	bool known = msr == MSR_MISC_ENABLE || msr == MSR_FEATURE_CONTROL;

	*value = known ? rdmsr(msr) : 0;
	return known;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	(void)msr;
	(void)value;
	return false;
}

bool ioapic_host_route(uint8_t irq, uint8_t vector)
{
	(void)irq;
	(void)vector;
	return true;
}

static const char *sent(unsigned port);

/* After a panic: nothing else in vm/ ends the machine. */
_Noreturn void power_off(void)
{
	fprintf(stderr, "%s\n", sent(CONSOLE_STATS));
	abort();
}

/* ---- the serial ports ---- */

#define OUTPUT_MAX (1u << 20)

static struct {
	char sent[OUTPUT_MAX + 1];
	unsigned sent_count;
	bool divisor; /* LCR.DLAB: registers 0 and 1 are the divisor's */
	uint8_t ier;
	const uint8_t *typed;
	size_t typed_count;
} uart[CONSOLE_PORTS];

static unsigned port_of(uint16_t port) { return port >> 3 == 0x3f8 >> 3 ? CONSOLE_GUEST : CONSOLE_STATS; }

/* Where it does not fit the older half is gone: no test looks at so much. */
static void keep(unsigned p, char c)
{
	if (uart[p].sent_count == OUTPUT_MAX) {
		uart[p].sent_count /= 2;
		memcpy(uart[p].sent, uart[p].sent + OUTPUT_MAX / 2, OUTPUT_MAX / 2);
	}
	uart[p].sent[uart[p].sent_count++] = c;
}

void outb(uint16_t port, uint8_t v)
{
	unsigned p = port_of(port);

	if ((port & 7) == 3)
		uart[p].divisor = v & 0x80;
	if ((port & 7) == 1 && !uart[p].divisor)
		uart[p].ier = v;
	if ((port & 7) == 0 && !uart[p].divisor)
		keep(p, (char)v);
}

uint8_t inb(uint16_t port)
{
	unsigned p = port_of(port);
	bool data = uart[p].typed_count;

	switch (port & 7) {
	case 0:
		if (!data)
			return 0;
		uart[p].typed_count--;
		return *uart[p].typed++;
	case 2:
		return data ? 4 : (uart[p].ier & 2) && !bench.stalled ? 2 : 1;
	case 5:
		return (uint8_t)((bench.stalled ? 0 : 0x60) | data);
	default:
		return 0;
	}
}

void outw(uint16_t port, uint16_t v)
{
	(void)port;
	(void)v;
}

void outl(uint16_t port, uint32_t v)
{
	(void)port;
	(void)v;
}

uint16_t inw(uint16_t port)
{
	(void)port;
	return 0xffff;
}

uint32_t inl(uint16_t port)
{
	(void)port;
	return 0xffffffff;
}

static const char *sent(unsigned port)
{
	bool stalled = bench.stalled;

	bench.stalled = false;
	console_flush();
	bench.stalled = stalled;
	uart[port].sent[uart[port].sent_count] = '\0';
	return uart[port].sent;
}

const char *bench_log(void) { return sent(CONSOLE_STATS); }
const char *bench_console(void) { return sent(CONSOLE_GUEST); }

void bench_type(unsigned port, const void *bytes, size_t n)
{
	uart[port].typed = bytes;
	uart[port].typed_count = n;
	interrupt_handle((uint8_t)(VECTOR_UART_FIRST + port));
}

enum bench_at bench_sent(unsigned port) { return bench_interrupt((uint8_t)(VECTOR_UART_FIRST + port)); }

bool host_machine_check(void) { return !bench.machine_check_fatal; }

_Noreturn void vmx_access_failed(enum vmcs_field field, bool write)
{
	fprintf(stderr, "%s of VMCS field 0x%x fails on this CPU\n", write ? "VMWRITE" : "VMREAD", field);
	abort();
}

/* ---- boot modules ---- */

/* ELF32, loaded at 1 MiB: a Multiboot header, and nothing that would be executed here. */
static uint8_t kernel[0x200];

/* A firmware's ROM, and a kernel that it can load. */
static uint8_t firmware[0x40000], bzimage[5 * 512 + 4096];

static void put32(unsigned at, uint32_t v) { memcpy(kernel + at, &v, 4); }

static void make_firmware(void)
{
	const uint32_t header = 0x53726448, most = 2047, initrd_max = 0x37ffffff, init_size = 0x1000;
	const uint64_t place = 0x100000;

	for (unsigned n = 0; n < sizeof(firmware); n++)
		firmware[n] = (uint8_t)(n >> 12);
	memcpy(firmware + sizeof(firmware) - 16, "\xea\x00\x00\x00\xf0", 5); /* ljmp $0xf000,$0 */
	memset(bzimage, 0x5a, sizeof(bzimage));
	bzimage[0x1f1] = 4;
	memcpy(bzimage + 0x1fe, "\x55\xaa", 2);
	memcpy(bzimage + 0x202, &header, 4);
	memcpy(bzimage + 0x206, "\x0f\x02", 2);
	bzimage[0x211] = 1;
	memcpy(bzimage + 0x22c, &initrd_max, 4);
	memcpy(bzimage + 0x238, &most, 4);
	memcpy(bzimage + 0x258, &place, 8);
	memcpy(bzimage + 0x260, &init_size, 4);
}

static void make_kernel(void)
{
	memset(kernel, 0x90, sizeof(kernel));
	memset(kernel, 0, 0x54);
	memcpy(kernel, "\177ELF\1\1\1", 7);
	put32(16, 3 << 16 | 2);
	put32(20, 1);
	put32(24, 0x100010);
	put32(28, 52);
	put32(40, 52);
	put32(42, 32);
	put32(44, 1);
	put32(52, 1);
	put32(56, 0x100);
	put32(60, 0x100000);
	put32(64, 0x100000);
	put32(68, 0x100);
	put32(72, 0x100);
	put32(0x100, MULTIBOOT_HEADER_MAGIC);
	put32(0x104, 3);
	put32(0x108, 0u - MULTIBOOT_HEADER_MAGIC - 3);
}

struct boot_module bench_snapshot;

const struct boot_module *boot_module_find(const char *name)
{
	static const struct {
		const char *name;
		struct boot_module module;
	} modules[] = {
		{ "kernel", { kernel, sizeof(kernel) } },
		{ "firmware", { firmware, sizeof(firmware) } },
		{ "short-firmware", { firmware, sizeof(firmware) - 1 } },
		{ "vgabios", { firmware, 0x8000 } },
		{ "bzimage", { bzimage, sizeof(bzimage) } },
	};

	if (strcmp(name, "snapshot") == 0)
		return bench_snapshot.data ? &bench_snapshot : NULL;
	for (unsigned n = 0; n < ARRAY_SIZE(modules); n++)
		if (strcmp(name, modules[n].name) == 0)
			return &modules[n].module;
	return NULL;
}

void host_reset(void)
{
	map_area();
	free_all();
	host_blocks_are_clear = true;
	make_kernel();
	make_firmware();
	for (unsigned p = 0; p < CONSOLE_PORTS; p++) {
		uart[p].sent_count = 0;
		uart[p].typed_count = 0;
	}
	pending_count = 0;
	console_init();
	console_route_interrupts();
}

/* ---- random numbers ---- */

bool host_no_random;

bool random_from_cpu(void) { return !host_no_random; }

/* As good as any for a test. */
bool random_strong(uint64_t *value)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	*value = state *= 0x5851f42d4c957f2d;
	return !host_no_random;
}
