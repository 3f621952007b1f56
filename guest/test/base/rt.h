/* guest/test/base/rt.h - what the test kernels stand on: a console, a way out, traps that a test can catch. Built for
 * 32 and 64 bits; what is included lies where it does from here, so that a guest elsewhere needs no path but this
 * one. */
#ifndef VELLUM_GUEST_TEST_RT_H
#define VELLUM_GUEST_TEST_RT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/test/base/selectors.h"
#include "lib/descriptor.h"
#include "lib/port_io.h"
#include "lib/x86.h"
#include "lib/x86_cpuid.h"
#include "lib/x86_insn.h"
#include "lib/x86_msr.h"

/* By the registers' names, or by their letters. */
struct cpuid {
	union { uint32_t eax, a; };
	union { uint32_t ebx, b; };
	union { uint32_t ecx, c; };
	union { uint32_t edx, d; };
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	cpuid_insn(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
	return r;
}

static inline struct cpuid cpuid_version(void) { return cpuid(CPUID_LEAF_VERSION, 0); }
/* Where there is no such leaf, none. */
static inline struct cpuid cpuid_features(void)
{
	struct cpuid none = { .eax = 0 };

	return cpuid(CPUID_LEAF_BASIC, 0).eax >= CPUID_LEAF_FEATURES ? cpuid(CPUID_LEAF_FEATURES, 0) : none;
}
static inline bool has_rdtscp(void)
{
	return cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0).edx & CPUID_80000001_EDX_RDTSCP;
}

/* As wide as a register. */
typedef unsigned long word;

/* ---- the test ---- */

extern const char test_name[];
void test_main(void);

/* %s %c %u %x %lu %lx %llu %llx (64-bit division is not needed: llu is printed as hexadecimal). */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Counts a check; when it does not hold, says so and goes on. */
void check_that(bool ok, const char *file, int line, const char *format, ...) __attribute__((format(printf, 4, 5)));
#define CHECK(ok, ...) check_that(ok, __FILE__, __LINE__, __VA_ARGS__)
/* The last words: "NAME: ok, N checks", and power-off; or "NAME: FAILED, …", and debug-exit 1. */
_Noreturn void finish(void);
_Noreturn void power_off(void);
_Noreturn void debug_exit(uint32_t value);

/* ---- the machine as the loader left it ---- */

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length,
		mmap_addr;
};
struct multiboot_mmap {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

extern word boot_magic, boot_info, boot_cr0;
/* The loader's IDTR. */
extern const struct __attribute__((packed)) { uint16_t limit; uint32_t base; } boot_idt;
extern char image_end[];
static inline const struct multiboot_info *info(void) { return (const void *)boot_info; }
/* Is word one of the words of the command line after the first? */
bool parameter(const char *word);
/* The number behind NAME= on the command line, or otherwise. */
unsigned parameter_number(const char *name, unsigned otherwise);
/* Is there no NAME= on the command line, or is it VALUE? */
bool parameter_text(const char *name, const char *value);

/* ---- traps ---- */

struct trap_frame {
#ifdef __x86_64__
	word r15, r14, r13, r12, r11, r10, r9, r8, di, si, bp, bx, dx, cx, ax;
#else
	word di, si, bp, sp_unused, bx, dx, cx, ax;
#endif
	word vector, error, ip, cs, flags;
};

/* The exception that ended the last trap_call. */
struct trap {
	unsigned vector;
	uint32_t error;
	word cr2, ip, flags;
	word cx, si, di; /* at the exception */
};
extern struct trap trap;
extern word user_alias;

/* Calls fn(arg); 0, or 1 + the vector of the exception that ended it. The second at privilege level 3. */
unsigned trap_call(void (*fn)(void *), void *arg);
unsigned trap_call_user(void (*fn)(void *), void *arg);

/* To be called so: goes on at p. */
static inline void do_jump(void *p) { __asm__ volatile("call *%0" : : "r"(p)); }

#define NO_TRAP 0u
/* Of an exception by its mnemonic, without the number sign. */
#define TRAP(mnemonic) (VECTOR_##mnemonic + 1u)

/* Interrupts: how often each vector came, and what to do on it (the hook gives the EOI). */
extern volatile unsigned irq_count[256];
extern void (*irq_hook[256])(void);
extern volatile unsigned irq_vector; /* the last one that came */

/* ---- instructions ---- */

static inline word read_cr0(void) { word v; __asm__ volatile("mov %%cr0, %0" : "=r"(v)); return v; }
static inline word read_cr3(void) { word v; __asm__ volatile("mov %%cr3, %0" : "=r"(v)); return v; }
static inline word read_cr4(void) { word v; __asm__ volatile("mov %%cr4, %0" : "=r"(v)); return v; }
static inline void write_cr0(word v) { __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory"); }
static inline void write_cr3(word v) { __asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory"); }
static inline void write_cr4(word v) { __asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory"); }
/* Interrupts off, on; and on for one: where the CPU sleeps until it comes, or behind the instruction after STI (SDM,
 * STI). */
static inline void cli(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void sti(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void sti_hlt_cli(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }
static inline void sti_nop_cli(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }
static inline void cli_hlt(void) { __asm__ volatile("cli; hlt" : : : "memory"); }
static inline void invlpg(const void *p) { __asm__ volatile("invlpg (%0)" : : "r"(p) : "memory"); }

#endif
