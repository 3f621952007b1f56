#include "host/trap/interrupt.h"

#include "host/cpu/asm.h"
#include "host/cpu/insn_slot.h"
#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "host/device/console.h"
#include "host/device/disk.h"
#include "host/device/lapic.h"
#include "host/device/nic.h"
#include "host/memory/paging.h"
#include "host/trap/fault.h"
#include "host/trap/mca.h"

struct idt_gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "SDM, 64-Bit IDT Gate Descriptors");

static struct idt_gate idt[256] READ_MOSTLY;
extern const char interrupt_stubs[], interrupt_kick[];
void interrupt_dispatch(struct interrupt_frame *f);

#define STUB_SIZE 16

void interrupt_init(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t entry = v == VECTOR_KICK ? (uintptr_t)interrupt_kick
						  : (uintptr_t)interrupt_stubs + v * STUB_SIZE;

		/* Interrupt gates, so that IF is 0 in every handler. */
		idt[v] = (struct idt_gate){
			.offset_low = (uint16_t)entry,
			.offset_mid = (uint16_t)(entry >> 16),
			.offset_high = (uint32_t)(entry >> 32),
			.selector = SEL_CODE64,
			.ist = v == VECTOR_NMI ? STACK_NMI : v == VECTOR_DF ? STACK_DF : v == VECTOR_MC ? STACK_MC : 0,
			.type = SEGMENT_P | TYPE_INTERRUPT_GATE32,
		};
	}
}

void interrupt_install(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr = { sizeof(idt) - 1, (uintptr_t)idt };

	__asm__ volatile("lidt %0" : : "m"(idtr));
}

/* The instructions that may fault, and where to go on; filled by rdmsr_safe and wrmsr_safe. */
extern const char rdmsr_safe_insn[], rdmsr_safe_fixup[], wrmsr_safe_insn[], wrmsr_safe_fixup[];

__attribute__((noinline)) bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t lo = 0, hi = 0, failed = 0;

	__asm__ volatile("rdmsr_safe_insn: rdmsr\n\t"
			 "jmp 1f\n"
			 "rdmsr_safe_fixup: movl $1, %2\n"
			 "1:"
			 : "+a"(lo), "+d"(hi), "+r"(failed) : "c"(msr));
	*value = failed ? 0 : (uint64_t)hi << 32 | lo;
	return !failed;
}

__attribute__((noinline)) bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	uint32_t failed = 0;

	__asm__ volatile("wrmsr_safe_insn: wrmsr\n\t"
			 "jmp 1f\n"
			 "wrmsr_safe_fixup: movl $1, %0\n"
			 "1:"
			 : "+r"(failed) : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
	return !failed;
}

static bool fixed_up(struct interrupt_frame *f)
{
	if (f->vector != VECTOR_GP)
		return false;
	if (f->rip == (uintptr_t)rdmsr_safe_insn)
		f->rip = (uintptr_t)rdmsr_safe_fixup;
	else if (f->rip == (uintptr_t)wrmsr_safe_insn)
		f->rip = (uintptr_t)wrmsr_safe_fixup;
	else
		return false;
	return true;
}

void interrupt_dispatch(struct interrupt_frame *f)
{
	if (f->vector >= VECTOR_FIRST_INTERRUPT) {
		interrupt_handle((uint8_t)f->vector);
		return;
	}
	if (fixed_up(f) || insn_faulted(f))
		return;
	if (f->vector == VECTOR_NMI)
		return; /* nobody sends one on purpose; a stray one is not worth stopping for */
	if (f->vector == VECTOR_MC) {
		if (!host_machine_check())
			console_panic(
				"machine check: the hypervisor used what the hardware has lost, at rip 0x%lx on CPU %u",
				f->rip, this_cpu()->id);
		return;
	}
	fault_report(f);
}

void interrupt_handle(uint8_t vector)
{
	if (vector == VECTOR_SPURIOUS)
		return;
	if (vector == VECTOR_TIMER) {
		this_cpu()->timer_fired = true;
		this_cpu()->timer_armed = UINT64_MAX;
	} else if (vector >= VECTOR_UART_FIRST && vector < VECTOR_UART_FIRST + CONSOLE_PORTS) {
		console_interrupt(vector - VECTOR_UART_FIRST);
	} else if (vector >= VECTOR_DISK_FIRST && vector < VECTOR_DISK_FIRST + DISK_CHANNELS) {
		disk_host_interrupt(vector - VECTOR_DISK_FIRST);
	} else if (vector == VECTOR_NIC) {
		nic_host_interrupt();
	}
	/* VECTOR_KICK has done its work by arriving. */
	lapic_host_eoi();
}
