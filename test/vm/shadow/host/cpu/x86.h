/* test/vm/shadow/host/cpu/x86.h - host/cpu/x86.h for the bench: the same constants, but the instructions that an
 * ordinary process may not execute, or that would not answer alike everywhere, are functions of the software CPU
 * (test/vm/cpu.c). Found before the real header because of the order of the include paths. */
#ifndef VELLUM_TEST_VM_X86_H
#define VELLUM_TEST_VM_X86_H

#define rdmsr insn_rdmsr
#define wrmsr insn_wrmsr
#define rdtsc insn_rdtsc
#define cpuid(...) insn_cpuid(__VA_ARGS__)
#define xsetbv insn_xsetbv
#define rdpkru insn_rdpkru
#define read_cr0 insn_read_cr0
#define read_cr2 insn_read_cr2
#define read_cr3 insn_read_cr3
#define read_cr4 insn_read_cr4
#define write_cr0 insn_write_cr0
#define write_cr2 insn_write_cr2
#define write_cr3 insn_write_cr3
#define write_cr4 insn_write_cr4
#define read_dr6 insn_read_dr6
#define write_dr6 insn_write_dr6
#define outb insn_outb
#define outw insn_outw
#define outl insn_outl
#define inb insn_inb
#define inw insn_inw
#define inl insn_inl
#define irq_disable insn_irq_disable
#define irq_window insn_irq_window
#define irq_wait insn_irq_wait
#include_next "host/cpu/x86.h"
#undef rdmsr
#undef wrmsr
#undef rdtsc
#undef cpuid
#undef xsetbv
#undef rdpkru
#undef read_cr0
#undef read_cr2
#undef read_cr3
#undef read_cr4
#undef write_cr0
#undef write_cr2
#undef write_cr3
#undef write_cr4
#undef read_dr6
#undef write_dr6
#undef outb
#undef outw
#undef outl
#undef inb
#undef inw
#undef inl
#undef irq_disable
#undef irq_window
#undef irq_wait

uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t v);
uint64_t rdtsc(void);
struct cpuid cpuid(uint32_t leaf, uint32_t subleaf);
void xsetbv(uint32_t index, uint64_t v);
uint32_t rdpkru(void);
uint64_t read_cr0(void);
uint64_t read_cr2(void);
uint64_t read_cr3(void);
uint64_t read_cr4(void);
void write_cr0(uint64_t v);
void write_cr2(uint64_t v);
void write_cr3(uint64_t v);
void write_cr4(uint64_t v);
uint64_t read_dr6(void);
void write_dr6(uint64_t v);
void outb(uint16_t port, uint8_t v);
void outw(uint16_t port, uint16_t v);
void outl(uint16_t port, uint32_t v);
uint8_t inb(uint16_t port);
uint16_t inw(uint16_t port);
uint32_t inl(uint16_t port);
void irq_disable(void);
void irq_window(void);
void irq_wait(void);

#endif
