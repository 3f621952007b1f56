/* host/trap/interrupt.h - the host's IDT: its own faults (which stop it with a report), and interrupts.
 *
 * The hypervisor runs with interrupts off. Interrupts are taken while a guest runs (as VM exits, which call
 * interrupt_handle() with the vector) and in the idle loop (through the IDT). */
#ifndef VELLUM_HOST_INTERRUPT_H
#define VELLUM_HOST_INTERRUPT_H

#include "lib/base.h"

/* Vectors that the host uses. */
#define VECTOR_UART_FIRST 0x30 /* + number of the port */
#define VECTOR_DISK_FIRST 0x38 /* + number of the channel */
#define VECTOR_NIC 0x48
#define VECTOR_TIMER 0xf0
#define VECTOR_KICK 0xf1
#define VECTOR_SPURIOUS 0xff

struct interrupt_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Builds the IDT (once). */
void interrupt_init(void);
/* Loads it on the calling CPU. */
void interrupt_install(void);
/* What an interrupt with this vector (32 .. 255) asks for, including the end-of-interrupt. */
void interrupt_handle(uint8_t vector);

/* RDMSR and WRMSR that survive a #GP: false, and *value 0, where the CPU has no such register. */
bool rdmsr_safe(uint32_t msr, uint64_t *value);
bool wrmsr_safe(uint32_t msr, uint64_t value);

#endif
