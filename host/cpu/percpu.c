#include "host/cpu/percpu.h"

#include "host/cpu/asm.h"
#include "host/cpu/x86.h"
#include "host/memory/paging.h"
#include "lib/descriptor.h"

static struct percpu *cpus[CPUS_MAX];
static unsigned count;

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

void percpu_register(struct percpu *p) { cpus[count++] = p; }
struct percpu *percpu_of(unsigned id) { return id < count ? cpus[id] : NULL; }
unsigned cpus_count(void) { return count; }

const char *stack_name(unsigned n)
{
	static const char *const names[STACKS] = { "stack", "stack for NMIs", "stack for double faults",
						   "stack for machine checks" };

	return names[n];
}

bool percpu_make_stacks(struct percpu *p)
{
	for (unsigned i = STACK_NMI; i < STACKS; i++) {
		char *top = paging_stack(1);

		if (!top)
			return false;
		p->stack[i] = (struct stack){ top - 2 * PAGE_SIZE, top };
	}
	return true;
}

static void fill_gdt(struct percpu *p)
{
	uint64_t base = (uintptr_t)&p->tss;

	p->gdt[0] = 0;
	p->gdt[SEL_CODE64 / 8] = DESCRIPTOR_FLAT_CODE64;
	p->gdt[SEL_DATA / 8] = DESCRIPTOR_FLAT_DATA;
	p->gdt[SEL_CODE32 / 8] = DESCRIPTOR_FLAT_CODE32;
	p->gdt[SEL_TSS / 8] = descriptor_pack(base, sizeof(struct tss) - 1, SEGMENT_TSS);
	p->gdt[SEL_TSS / 8 + 1] = base >> 32;
}

void percpu_install(struct percpu *p)
{
	struct table_pointer gdtr = { sizeof(p->gdt) - 1, (uintptr_t)p->gdt };

	p->self = p;
	p->timer_armed = UINT64_MAX;
	p->tss.io_map_base = sizeof(struct tss); /* beyond its limit: there is no I/O permission bitmap */
	p->tss.rsp[0] = (uintptr_t)p->stack[STACK_MAIN].top;
	for (unsigned i = STACK_NMI; i < STACKS; i++)
		p->tss.ist[i - 1] = (uintptr_t)p->stack[i].top;
	fill_gdt(p);
	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	wrmsr(MSR_GS_BASE, (uintptr_t)p);
}
