/* test/unit/emulate/cpu.c - see cpu.h. */
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "test/unit/emulate/cpu.h"
#include "lib/x86_cpuid.h"

#define XMM_AT 160
#define HEADER_AT 512

struct registers {
	uint64_t rax, rcx, rdx, rbx, rflags, rdi;
};

extern const char cpu_faulted[];
unsigned cpu_enter(struct registers *r, const void *slot, void *area, uint64_t wide);

/* RDI: registers; RSI: slot; RDX: area; RCX: 64-bit form. What is left behind is a clean FPU, as C expects it. FNINIT
 * before XRSTOR clears the FPU's last addresses, which CPUs of AMD's make do not load unless an exception is
 * flagged. */
__asm__(".pushsection .text\n"
	"cpu_enter:\n"
	"	pushq %rbx\n	pushq %rbp\n	pushq %r12\n	pushq %r13\n	pushq %r14\n"
	"	movq %rdi, %rbp\n	movq %rsi, %r12\n	movq %rdx, %r13\n	movq %rcx, %r14\n"
	"	fninit\n	movl $7, %eax\n	xorl %edx, %edx\n"
	"	testq %r14, %r14\n	jz 1f\n	xrstor64 (%r13)\n	jmp 2f\n1:	xrstor (%r13)\n2:\n"
	"	pushfq\n	popq %rax\n	andq $~0x8d5, %rax\n	movq 32(%rbp), %rcx\n	andq $0x8d5, "
	"%rcx\n	orq %rcx, %rax\n	pushq %rax\n"
	"	movq 0(%rbp), %rax\n	movq 8(%rbp), %rcx\n	movq 16(%rbp), %rdx\n	movq 24(%rbp), %rbx\n	movq "
	"40(%rbp), %rdi\n"
	"	popfq\n	call *%r12\n"
	"	movq %rax, 0(%rbp)\n	movq %rcx, 8(%rbp)\n	movq %rdx, 16(%rbp)\n	movq %rbx, 24(%rbp)\n"
	"	pushfq\n	popq 32(%rbp)\n	xorl %ebx, %ebx\n"
	"3:	movl $7, %eax\n	xorl %edx, %edx\n"
	"	testq %r14, %r14\n	jz 4f\n	xsave64 (%r13)\n	jmp 5f\n4:	xsave (%r13)\n5:\n"
	"	fninit\n	pushq $0x1f80\n	ldmxcsr (%rsp)\n	popq %rax\n	movl %ebx, %eax\n"
	"	popq %r14\n	popq %r13\n	popq %r12\n	popq %rbp\n	popq %rbx\n	ret\n"
	"cpu_faulted:\n"
	"	addq $8, %rsp\n	movl %eax, %ebx\n	jmp 3b\n"
	".popsection\n");

static uint8_t *slot;
static struct sigaction before[NSIG];
static const int numbers[] = { SIGSEGV, SIGFPE, SIGILL };

__attribute__((no_sanitize("address", "undefined"))) bool cpu_caught(int number, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)number;
	if (!slot || g[REG_RIP] != (greg_t)(uintptr_t)slot)
		return false;
	g[REG_RAX] = g[REG_TRAPNO];
	g[REG_RIP] = (greg_t)(uintptr_t)cpu_faulted;
	return true;
}

__attribute__((no_sanitize("address", "undefined"))) static void on_signal(int number, siginfo_t *info, void *context)
{
	if (cpu_caught(number, context))
		return;
	if (before[number].sa_flags & SA_SIGINFO)
		before[number].sa_sigaction(number, info, context);
	else
		signal(number, SIG_DFL); /* and again */
}

void cpu_setup(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK }, old;

	if (!slot)
		slot = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slot == MAP_FAILED) {
		perror("mmap of a page for one instruction");
		exit(1);
	}
	for (unsigned n = 0; n < ARRAY_SIZE(numbers); n++) {
		sigaction(numbers[n], &action, &old);
		if (old.sa_sigaction != on_signal)
			before[numbers[n]] = old;
	}
}

static bool ask_avx(void)
{
	unsigned a, b, c, d, xcr0, high;

	__cpuid(CPUID_LEAF_VERSION, a, b, c, d);
	if (!(c & bit_OSXSAVE) || !(c & bit_AVX))
		return false;
	__asm__("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
	return (xcr0 & 6) == 6;
}

/* Asked once: in a virtual machine CPUID is an exit, and takes longer than all the rest of a case. */
bool cpu_has_avx(void)
{
	static enum { UNKNOWN, NO, YES } has;

	if (has == UNKNOWN)
		has = ask_avx() ? YES : NO;
	return has == YES;
}

void cpu_reset(struct cpu_area *a)
{
	static const uint16_t fcw = 0x37f;
	static const uint32_t mxcsr = 0x1f80;
	uint64_t state = cpu_has_avx() ? 7 : 3;

	memset(a->bytes, 0, sizeof(a->bytes));
	memcpy(a->bytes, &fcw, 2);
	memcpy(a->bytes + 24, &mxcsr, 4);
	memcpy(a->bytes + HEADER_AT, &state, 8);
}

uint8_t *cpu_xmm(struct cpu_area *a, unsigned n)
{
	return a->bytes + XMM_AT + 16 * n;
}

uint8_t *cpu_ymm_high(struct cpu_area *a, unsigned n)
{
	return a->bytes + 576 + 16 * n;
}

__attribute__((no_sanitize("address", "undefined"))) enum emulate_access cpu_native(struct emulate *e,
										    struct cpu_area *a,
										    struct emulate_native *n)
{
	struct registers r = { n->rax, n->rcx, n->rdx, n->rbx, n->rflags, (uintptr_t)n->operand };
	unsigned vector;

	memcpy(slot, n->code, n->length);
	slot[n->length] = 0xc3;
	vector = cpu_enter(&r, slot, a, e->mode == EMULATE_LONG64);
	if (vector) {
		e->exception = (struct emulate_exception){ .vector = vector };
		return EMULATE_ACCESS_FAULT;
	}
	n->rax = r.rax;
	n->rcx = r.rcx;
	n->rdx = r.rdx;
	n->rbx = r.rbx;
	n->rflags = r.rflags;
	n->rip = (uintptr_t)slot;
	return EMULATE_ACCESS_OK;
}
