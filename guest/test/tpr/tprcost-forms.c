/* Each form of instruction that reads the TPR, writes it, or both, between two RDTSC. */
#include "guest/test/base/apic.h"
#include "guest/test/tpr/tprcost.h"

#define TIMES 200


/* The address is in a register, as compilers have it. Flags and EDX are anybody's. */
#define FORM(name, insn) \
	static inline __attribute__((always_inline)) void do_##name(void) \
	{ \
		uint32_t value = 0x20; \
		__asm__ volatile(insn : "+d"(value) : "a"(apic_at(APIC_TPR)) : "cc", "memory"); \
	}
#define FORMS(X) \
	X(mov_load, "movl (%1), %0") X(mov_store, "movl %0, (%1)") X(mov_immediate, "movl $0x20, (%1)") \
	X(mov_byte, "movb (%1), %%dl") X(movzx, "movzbl (%1), %0") X(mov_store_byte, "movb $0x20, (%1)") \
	X(cmp, "cmpl %0, (%1)") X(cmp_immediate, "cmpl $0x20, (%1)") X(test, "testl %0, (%1)") \
	X(add_to_register, "addl (%1), %0") X(xchg, "xchgl %0, (%1)") X(and, "andl $0xf0, (%1)") \
	X(or, "orl %0, (%1)") X(add, "addl $0, (%1)") X(sub, "subl $0, (%1)") X(xor, "xorl $0, (%1)") \
	X(locked_or, "lock orl $0x20, (%1)") X(xadd, "xaddl %0, (%1)") X(cmpxchg, "cmpxchgl %0, (%1)") \
	X(inc, "incl (%1)") X(dec, "decl (%1)") X(not, "notl (%1)") X(neg, "negl (%1)")
FORMS(FORM)

#ifdef __i386__
static inline __attribute__((always_inline)) void do_push(void)
{
	uint32_t value;

	__asm__ volatile("pushl (%1)\n\tpopl %0" : "=d"(value) : "a"(apic_at(APIC_TPR)) : "memory");
}
#endif

static uint32_t sample[TIMES];
static uint32_t empty;

static inline __attribute__((always_inline)) void measure(const char *name, void (*fn)(void))
{
	for (unsigned i = 0; i < TIMES; i++) {
		uint64_t start = rdtsc();

		fn();
		sample[i] = (uint32_t)(rdtsc() - start);
	}
	bench_sort(sample, TIMES);
	if (!empty)
		empty = sample[0];
	bench_line(name, sample, TIMES, empty);
}

void measure_forms(void)
{
	uint32_t before = apic_read(APIC_TPR);

	measure("empty", do_nothing);
#define MEASURE(name, insn) measure("tpr_" #name, do_##name);
	FORMS(MEASURE)
#ifdef __i386__
	measure("tpr_push", do_push);
#endif
	apic_write(APIC_TPR, before);
}
