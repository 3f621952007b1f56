/* The closed set of instructions that patching knows (vm/tpr/patch_insn.c), as compilers and kernels write them: MOV by
 * an absolute address and by others, of a register and of an immediate, PUSH, CMP, AND and OR; with prefixes, and with
 * 16-bit code. */
#include "guest/test/base/apic.h"
#include "guest/test/tpr/tprcost.h"

#define TIMES 20u
#define WARM 4u /* the first are to be decoded, and found again */
/* For the assembler, too. */
#define TPR_PLACE 0xfee00080
#define EOI_PLACE 0xfee000b0
_Static_assert(TPR_PLACE == LAPIC_DEFAULT_BASE + APIC_TPR && EOI_PLACE == LAPIC_DEFAULT_BASE + APIC_EOI, "");
#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)
#define SELECTOR_CODE16 SELECTOR_OTHERS
#define DESCRIPTOR_D BIT(54)

/* XAX: the register's address less 0x40; XCX: 0x10; EDX: 0x20. */
#define BY_REGISTERS(X) \
	X(based, "movl %%edx, 0x40(%[base])") X(based_wide, "movl %%edx, -0x12300(%[far])") \
	X(scaled, "movl 0(%[base],%[index],4), %%edx") X(scaled_imm, "movl $0x20, (%[base],%[index],4)") \
	X(scaled_push, "push" W " (%[base],%[index],4)\n\tpop" W " %[edx]") \
	X(scaled_cmp, "cmpl $0x20, (%[base],%[index],4)") X(scaled_and, "andl $0xf0, (%[base],%[index],4)") \
	X(scaled_or, "orl %%edx, (%[base],%[index],4)") X(ds, ".byte 0x3e\n\tmovl %%edx, 0x40(%[base])") \
	X(cs, ".byte 0x2e\n\tmovl 0x40(%[base]), %%edx") X(es, ".byte 0x26\n\tmovl %%edx, 0x40(%[base])") \
	X(ss, ".byte 0x36\n\tmovl %%edx, 0x40(%[base])") X(fs, ".byte 0x64\n\tmovl %%edx, 0x40(%[base])") \
	X(gs_load, ".byte 0x65\n\tmovl 0x40(%[base]), %%edx") X(rep, ".byte 0xf3\n\tmovl %%edx, 0x40(%[base])") \
	X(locked_and, "lock andl $0xf0, 0x40(%[base])") X(locked_or, "lock orl $0x20, 0x40(%[base])") \
	X(ds_and, ".byte 0x3e\n\tandl $0xf0, 0x40(%[base])") X(fs_push, ".byte 0x64\n\tpush" W \
		" 0x40(%[base])\n\tpop" W " %[edx]") \
	X(word_or, "orw $0x20, 0x40(%[base])") X(word_cmp, "cmpw $0x20, 0x40(%[base])") \
	X(load_wide_zero, "movzwl 0x40(%[base]), %%edx") X(and_from, "andl 0x40(%[base]), %%edx") \
	X(or_from, "orl 0x40(%[base]), %%edx") X(cmp_from, "cmpl 0x40(%[base]), %%edx") \
	X(cmp_low, "cmpb $0x20, 0x40(%[base])") X(and_byte, "andb $0xf0, 0x40(%[base])") \
	X(or_byte, "orb %%dl, 0x40(%[base])") X(high_byte, "movb %%ch, 0x40(%[base])")

#ifdef __i386__
#define W "l"
#define ABSOLUTE(X) \
	X(moffs_load, "movl place, %%eax") X(moffs_store, "movl %%eax, place") \
	X(moffs_load_byte, "movb place, %%al") X(moffs_store_byte, "movb %%al, place") \
	X(moffs_load_word, "movw place, %%ax") X(load, "movl place, %%edx") X(store, "movl %%edx, place") \
	X(imm, "movl $0x20, place") X(push, "pushl place\n\tpopl %%edx") X(cmp_imm, "cmpl $0x20, place") \
	X(cmp_imm_wide, "cmpl $0x12345678, place") X(cmp, "cmpl %%edx, place") X(cmp_load, "cmpl place, %%edx") \
	X(and_imm, "andl $0x7f, place") X(and_imm_wide, "andl $0xfff0, place") X(and, "andl %%edx, place") \
	X(or_imm, "orl $0x20, place") X(or_imm_wide, "orl $0x12300, place") X(or, "orl %%edx, place") \
	X(moffs_ds, ".byte 0x3e\n\tmovl place, %%eax") X(moffs_fs, ".byte 0x64\n\tmovl %%eax, place")
#else
#define W "q"
#define ABSOLUTE(X) \
	X(moffs_load, "movabsl place, %%eax") X(moffs_store, "movabsl %%eax, place") \
	X(moffs_load_byte, "movabsb place, %%al") X(moffs_store_byte, "movabsb %%al, place") \
	X(moffs_load_short, ".byte 0x67, 0xa1\n\t.long place") X(moffs_store_short, ".byte 0x67, 0xa3\n\t.long place") \
	X(moffs_wide, "movabsq %%rax, place") X(addr32, "movl %%edx, 0x40(%k[base])") \
	X(addr32_push, "pushq 0x40(%k[base])\n\tpopq %%rdx") X(rex, ".byte 0x40\n\tmovl %%edx, 0x40(%[base])") \
	X(rex_cmp, ".byte 0x40\n\tcmpl $0x20, 0x40(%[base])")
#endif

/* Not of that set, and rarely met: what the instruction does is done beside the access (emulate/plain.c). */
#define RARE(X) \
	X(shl, "shll $1, 0x40(%[base])") X(shr_cl, "shrl %%cl, 0x40(%[base])") X(rol, "roll $4, 0x40(%[base])") \
	X(rcl_byte, "rclb $1, 0x40(%[base])") X(sar_word, "sarw %%cl, 0x40(%[base])") \
	X(shld, "shldl $3, %%edx, 0x40(%[base])") X(sete, "sete 0x40(%[base])") \
	X(cmove, "cmovel 0x40(%[base]), %%edx") X(cmovne, "cmovnel 0x40(%[base]), %%edx") \
	X(imul, "imull 0x40(%[base]), %%edx") X(imul_imm, "imull $3, 0x40(%[base]), %%edx") \
	X(mul, "mull -0x12300(%[far])") \
	X(bsf, "bsfl 0x40(%[base]), %%edx") X(bsr, "bsrl 0x40(%[base]), %%edx") \
	X(movnti, "movnti %%edx, 0x40(%[base])")

#define ON(reg, name, insn) \
	static inline __attribute__((always_inline)) void reg##_##name(void) \
	{ \
		word a = reg##_PLACE - 0x40, far = reg##_PLACE + 0x12300, dx = 0x20; \
		__asm__ volatile(".set place, " TEXT_OF(reg##_PLACE) "\n\t" insn \
				 : [base] "+a"(a), [edx] "+d"(dx) \
				 : [index] "c"(0x10ul), [far] "S"(far) \
				 : "cc", "memory"); \
	}
#define FORM(name, insn) ON(TPR, name, insn) ON(EOI, name, insn)
ABSOLUTE(FORM)
BY_REGISTERS(FORM)
RARE(FORM)

static uint32_t sample[TIMES], empty;


static inline __attribute__((always_inline)) void measure(const char *name, void (*fn)(void))
{
	for (unsigned i = 0; i < TIMES + WARM; i++) {
		uint64_t start;

		apic_write(APIC_TPR, 0x20);
		start = rdtsc();
		fn();
		sample[i < WARM ? 0 : i - WARM] = (uint32_t)(rdtsc() - start);
	}
	bench_line(name, sample, TIMES, empty);
}

void measure_closed_set(void)
{
	measure("closed_nothing", do_nothing);
	empty = sample[0];
#define MEASURE(name, insn) measure("closed_tpr_" #name, TPR_##name);
	ABSOLUTE(MEASURE)
	BY_REGISTERS(MEASURE)
	RARE(MEASURE)
#undef MEASURE
#define MEASURE(name, insn) measure("closed_eoi_" #name, EOI_##name);
	ABSOLUTE(MEASURE)
	BY_REGISTERS(MEASURE)
	RARE(MEASURE)
	apic_write(APIC_TPR, 0);
}
