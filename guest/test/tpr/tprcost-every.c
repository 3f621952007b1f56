/* All other instructions with general registers that read or write memory, with a register of the local APIC there:
 * strings, divisions, what has ESP as its register or pushes to the APIC's page, stores of segment and control
 * registers, calls and jumps. With 32 bits, all forms in 16-bit code as well (the parameter `code16`). */
#include "guest/test/base/apic.h"
#include "guest/test/tpr/tprcost.h"
#include "lib/descriptor.h"

#define TIMES 12u
#define WARM 3u
#define VALUE 0x20u
/* For the assembler, too. */
#define SELECTOR_CODE16 0x48
#define SELECTOR_STACK16 0x50
#define SELECTOR_STATE 0x58
#define SMALL_AT 0x400
_Static_assert(SELECTOR_CODE16 == SELECTOR_OTHERS, "");

extern uint64_t gdt[];

/* XBX, XSI and XDI: the register's address; XDX: that of memory; XCX: 1; XAX: 0x20. All of them are lost. */
#define WRITES(X) \
	X(stosb, "stosb %%al, (%[di])") X(stosw, "stosw %%ax, (%[di])") X(stosl, "stosl %%eax, (%[di])") \
	X(rep_stosb, "rep stosb %%al, (%[di])") X(rep_stosl, "rep stosl %%eax, (%[di])") \
	X(movsb_to, "mov %[dx], %[si]\n\tmovsb (%[si]), (%[di])") \
	X(movsl_to, "mov %[dx], %[si]\n\tmovsl (%[si]), (%[di])") \
	X(rep_movsl_to, "mov %[dx], %[si]\n\trep movsl (%[si]), (%[di])") X(movsl_both, "movsl (%[si]), (%[di])") \
	X(movbe_store, "movbe %%eax, (%[bx])") X(movbe_store_word, "movbe %%ax, (%[bx])") \
	X(store_sp, "movl %%esp, (%[bx])") X(store_sp_word, "movw %%sp, (%[bx])") X(or_sp, "orl %%esp, (%[bx])") \
	X(adc_sp, "stc\n\tadcl %%esp, (%[bx])") \
	X(xchg_sp, "mov " SP ", %[dx]\n\txchgl %%esp, (%[bx])\n\tmov %[dx], " SP) \
	X(xadd_sp, "mov " SP ", %[dx]\n\txaddl %%esp, (%[bx])\n\tmov %[dx], " SP) \
	X(cmpxchg_sp, "cmpxchgl %%esp, (%[bx])") \
	X(bts_sp, "mov " SP ", %[dx]\n\tmovl $5, %%esp\n\tbtsl %%esp, (%[bx])\n\t" \
		"mov %[dx], " SP) X(shld_sp, "shldl $3, %%esp, (%[bx])") X(movnti_sp, "movnti %%esp, (%[bx])") \
	X(store_by_sp, "mov " SP ", %[dx]\n\tmov %[bx], " SP "\n\tmovl %%eax, (" SP ")\n\tmov %[dx], " SP) \
	X(pop_by_sp, "sub " SP ", %[bx]\n\tpush" W " %[ax]\n\tpop" W " (" SP ",%[bx])") \
	X(store_segment, "movw %%ds, (%[bx])") X(smsw, "smsw (%[bx])") X(sldt, "sldt (%[bx])") X(str, "str (%[bx])") \
	X(push_to, TO_PLACE "push" W " %[ax]\n\t" BACK) X(push_imm_to, TO_PLACE "push" W " $0x20\n\t" BACK) \
	X(push_memory_to, "mov %[dx], %[si]\n\t" TO_PLACE "push" W " (%[si])\n\t" BACK) \
	X(pushf_to, TO_PLACE "pushf" W "\n\t" BACK) X(call_to, TO_PLACE "call" W " 1f\n1:\t" BACK) \
	X(pop, "push" W " %[ax]\n\tpop" W " (%[bx])") X(cmpxchg8b, "mov %[bx], %[si]\n\tcmpxchg8b (%[si])")
#define READS(X) \
	X(lodsb, "lodsb (%[si]), %%al") X(lodsw, "lodsw (%[si]), %%ax") X(lodsl, "lodsl (%[si]), %%eax") \
	X(rep_lodsl, "rep lodsl (%[si]), %%eax") X(scasb, "scasb (%[di]), %%al") \
	X(scasl, "scasl (%[di]), %%eax") X(repe_scasl, "repe scasl (%[di]), %%eax") \
	X(repne_scasl, "repne scasl (%[di]), %%eax") X(cmpsl_both, "cmpsl (%[di]), (%[si])") \
	X(cmpsb_from, "mov %[dx], %[si]\n\tcmpsb (%[di]), (%[si])") \
	X(cmpsl_from, "mov %[dx], %[si]\n\tcmpsl (%[di]), (%[si])") \
	X(cmpsl_to, "mov %[dx], %[di]\n\tcmpsl (%[di]), (%[si])") \
	X(repe_cmpsl, "mov %[dx], %[di]\n\trepe cmpsl (%[di]), (%[si])") \
	X(movsl_from, "mov %[dx], %[di]\n\tmovsl (%[si]), (%[di])") \
	X(rep_movsl_from, "mov %[dx], %[di]\n\trep movsl (%[si]), (%[di])") \
	X(xlat, "sub $0x20, %[bx]\n\txlatb (%[bx])") X(movbe_load, "movbe (%[bx]), %%eax") \
	X(movbe_load_word, "movbe (%[bx]), %%ax") X(popcnt, "popcntl (%[bx]), %%eax") \
	X(tzcnt, "tzcntl (%[bx]), %%eax") X(lzcnt, "lzcntl (%[bx]), %%eax") X(crc32, "crc32l (%[bx]), %%eax") \
	X(crc32_byte, "crc32b (%[bx]), %%eax") X(andn, "andn (%[bx]), %%ecx, %%eax") \
	X(bextr, "bextr %%ecx, (%[bx]), %%eax") X(bzhi, "bzhi %%ecx, (%[bx]), %%eax") \
	X(blsr, "blsr (%[bx]), %%eax") X(rorx, "rorx $3, (%[bx]), %%eax") X(shlx, "shlx %%ecx, (%[bx]), %%eax") \
	X(mulx, "mulx (%[bx]), %%eax, %%ecx") X(pdep, "pdep (%[bx]), %%ecx, %%eax") \
	X(load_sp, "mov " SP ", %[dx]\n\tmovl (%[bx]), %%esp\n\tmov %[dx], " SP) X(cmp_sp, "cmpl %%esp, (%[bx])") \
	X(add_sp, "mov " SP ", %[dx]\n\taddl (%[bx]), %%esp\n\tmov %[dx], " SP) X(test_sp, "testl %%esp, (%[bx])") \
	X(movzx_sp, "mov " SP ", %[dx]\n\tmovzbl (%[bx]), %%esp\n\tmov %[dx], " SP) \
	X(cmov_sp, "mov " SP ", %[dx]\n\tcmovel (%[bx]), %%esp\n\tmov %[dx], " SP) \
	X(imul_sp, "mov " SP ", %[dx]\n\timull (%[bx]), %%esp\n\tmov %[dx], " SP) \
	X(push_by_sp, "sub " SP ", %[bx]\n\tpush" W " (" SP ",%[bx])\n\tpop" W " %[ax]") \
	X(push, "push" W " (%[bx])\n\tpop" W " %[ax]") \
	X(verr, "verr (%[bx])") X(verw, "verw (%[bx])") \
	X(lar, "larw (%[bx]), %%ax") X(lsl, "lslw (%[bx]), %%ax") X(lmsw, "lmsw (%[bx])") \
	X(pop_from, FROM_PLACE "pop" W " %[ax]\n\t" BACK) \
	X(leave_from, "mov %[bx], %[ax]\n\txchg " BP ", %[ax]\n\t" FROM_PLACE "leave" W "\n\t" BACK "mov %[ax], " BP) \
	X(nop, "nopl (%[bx])")
/* Where the register leads somewhere: 0, or TPR's value. */
#define LEADS(X) \
	X(load_segment, "movw (%[bx]), %%fs") X(call_by, "call" W " *(%[bx])") \
	X(jump_by, "push" W " $1f\n\tjmp" W " *(%[bx])\n1:")
/* Not of EOI, which is 0. */
#define DIVISIONS(X) \
	X(div, "xorl %%edx, %%edx\n\tdivl (%[bx])") X(idiv, "xorl %%edx, %%edx\n\tidivl (%[bx])") \
	X(div_byte, "divb (%[bx])") X(div_word, "xorl %%edx, %%edx\n\tdivw (%[bx])")

#define TO_PLACE "mov " SP ", %[dx]\n\tlea " WORD_BYTES "(%[bx]), " SP "\n\t"
#define FROM_PLACE "mov " SP ", %[dx]\n\tmov %[bx], " SP "\n\t"
#define BACK "mov %[dx], " SP "\n\t"
#ifdef __i386__
#define W "l"
#define SP "%%esp"
#define BP "%%ebp"
#define WORD_BYTES "4"
/* Those that there are not in 64-bit code; and of 16-bit code a stack of 16 bits. */
#define MORE_WRITES(X) \
	X(arpl, "arpl %%ax, (%[bx])") X(push_segment_to, TO_PLACE "pushl %%ds\n\t" BACK) \
	X(pop_word, "pushw %%ax\n\tpopw (%[bx])")
#define MORE_READS(X) \
	X(push_word, "pushw (%[bx])\n\tpopw %%ax")
#define SMALL_STACK(X) \
	X(pop_small, "pushl %%eax\n\tpopl (%[bx])") X(pop_word_small, "pushw %%ax\n\tpopw (%[bx])") \
	X(push_small, "pushl (%[bx])\n\tpopl %%eax") X(push_word_small, "pushw (%[bx])\n\tpopw %%ax")
#else
#define W "q"
#define SP "%%rsp"
#define BP "%%rbp"
#define WORD_BYTES "8"
#define MORE_WRITES(X) \
	X(stosq, "stosq") X(movsq_to, "mov %[dx], %[si]\n\tmovsq") X(movbe_store_wide, "movbe %%rax, (%[bx])") \
	X(store_sp_wide, "movq %%rsp, (%[bx])") X(cmpxchg16b, "mov %[bx], %[si]\n\tcmpxchg16b (%[si])") \
	X(or_sp_wide, "orq %%rsp, (%[bx])") X(pop_word, "pushw %%ax\n\tpopw (%[bx])")
#define MORE_READS(X) \
	X(lodsq, "lodsq") X(scasq, "scasq") X(popcnt_wide, "popcntq (%[bx]), %%rax") \
	X(crc32_wide, "crc32q (%[bx]), %%rax") X(movbe_load_wide, "movbe (%[bx]), %%rax") \
	X(push_word, "pushw (%[bx])\n\tpopw %%ax")
#endif
#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)

#define FORMS(X) WRITES(X) MORE_WRITES(X) READS(X) MORE_READS(X)

static uint32_t memory[16], sample[TIMES], empty;
static word at;

#define BODY(insn) \
	{ \
		word ax = 0x20, bx = at, cx = 1, dx = (word)memory, si = at, di = at; \
		__asm__ volatile(insn \
				 : [ax] "+a"(ax), [bx] "+b"(bx), [cx] "+c"(cx), [dx] "+d"(dx), [si] "+S"(si), \
				   [di] "+D"(di) \
				 : \
				 : "cc", "memory"); \
	}
#define INLINE static inline __attribute__((always_inline)) void
#define FORM(name, insn) INLINE form_##name(void) BODY(insn)
FORMS(FORM)
LEADS(FORM)
DIVISIONS(FORM)

static void tell(const char *of, const char *name)
{
	bench_sort(sample, TIMES);
	if (!empty)
		empty = sample[0];
	print("BENCH every_%s_%s %u %u\n", of, name, sample[0] - empty, sample[TIMES / 2] - empty);
}

/* The register is as before in front of each. */
INLINE measure(const char *of, const char *name, void (*fn)(void))
{
	for (unsigned i = 0; i < TIMES + WARM; i++) {
		uint64_t start;

		*(volatile uint32_t *)at = VALUE;
		memory[0] = VALUE;
		start = rdtsc();
		fn();
		sample[i < WARM ? 0 : i - WARM] = (uint32_t)(rdtsc() - start);
	}
	tell(of, name);
}

/* A register's value is where calls and jumps by it lead: RET, of 32 bits in 16-bit code as well. */
static void set_returns(uint16_t code)
{
	volatile uint16_t *zero = NULL;

	__asm__("" : "+r"(zero));
	zero[0] = zero[VALUE / 2] = code;
}

/* In 16-bit code three times, of which the last is measured: in another state of the vCPU's what is known is found
 * anew. The registers are in memory that GS leads to. */
#ifdef __i386__
static struct {
	uint32_t ax, bx, cx, dx, si, di, start, cost, sp;
} state;
#define AX "%%gs:0"
#define BX "%%gs:4"
#define CX "%%gs:8"
#define DX "%%gs:12"
#define SI "%%gs:16"
#define DI "%%gs:20"
#define START "%%gs:24"
#define COST "%%gs:28"
#define SP_KEPT "%%gs:32"
_Static_assert(offsetof(__typeof__(state), sp) == 32, "");

#define IN16(name, before, insn, after) \
	INLINE form16_##name(void) \
	{ \
		word ax = SELECTOR_STATE, bx = 0, cx = 0, dx = 0, si = 0, di = 0; \
		__asm__ volatile("movw %w[ax], %%gs\n\tljmp $" TEXT_OF(SELECTOR_CODE16) ", $771f\n\t.code16\n771:\t" \
				 before ".rept 3\n\tmovl " BX ", %%ebx\n\tmovl $0x20, (%%ebx)\n\trdtsc\n\t" \
				 "movl %%eax, " START \
				 "\n\tmovl " AX ", %%eax\n\tmovl " CX ", %%ecx\n\tmovl " DX ", %%edx\n\tmovl " SI \
				 ", %%esi\n\tmovl " DI ", %%edi\n\t" insn "\n\trdtsc\n\tsubl " START \
				 ", %%eax\n\tmovl %%eax, " COST "\n\t.endr\n\t" after \
				 "ljmpl $" TEXT_OF(SELECTOR_CODE32) \
				 ", $772f\n\t.code32\n772:" \
				 : [ax] "+a"(ax), [bx] "+b"(bx), [cx] "+c"(cx), [dx] "+d"(dx), [si] "+S"(si), \
				   [di] "+D"(di) \
				 : \
				 : "cc", "memory"); \
	}
#define FORM16(name, insn) IN16(name, "", insn, "")
/* On a stack of 16 bits. */
#define FORM_SMALL(name, insn) \
	IN16(name, "movl %%esp, " SP_KEPT "\n\tmovw $" TEXT_OF(SELECTOR_STACK16) ", %%cx\n\tmovw %%cx, %%ss\n\tmovl $" \
	     TEXT_OF(SMALL_AT) ", %%esp\n\t", insn, "movw $" TEXT_OF(SELECTOR_DATA) \
	     ", %%cx\n\tmovw %%cx, %%ss\n\tmovl " SP_KEPT ", %%esp\n\t")
FORM16(nothing, "")
SMALL_STACK(FORM_SMALL)
FORMS(FORM16)
LEADS(FORM16)
DIVISIONS(FORM16)

INLINE measure_in16(const char *of, const char *name, void (*fn)(void))
{
	for (unsigned i = 0; i < TIMES; i++) {
		memory[0] = VALUE;
		state = (__typeof__(state)){ VALUE, at, 1, (word)memory, at, at, 0, 0, 0 };
		fn();
		sample[i] = state.cost;
	}
	tell(of, name);
}

static void prepare16(void)
{
	static uint8_t small_stack[2 * SMALL_AT] __attribute__((aligned(16)));

	gdt[SELECTOR_CODE16 / 8] = descriptor_pack(0, 0xffffffff, SEGMENT_G | SEGMENT_CODE16);
	gdt[SELECTOR_STACK16 / 8] = descriptor_pack((word)small_stack, sizeof(small_stack) - 1, SEGMENT_DATA16);
	gdt[SELECTOR_STATE / 8] = descriptor_pack((word)&state, sizeof(state) - 1, SEGMENT_DATA16);
}

static void measure16(const char *of, bool leads, bool divides)
{
	set_returns(0xc366);
	empty = 0;
	measure_in16(of, "nothing", form16_nothing);
#define MEASURE(name, insn) measure_in16(of, #name, form16_##name);
	FORMS(MEASURE)
	SMALL_STACK(MEASURE)
	if (leads) {
		LEADS(MEASURE)
	}
	if (divides) {
		DIVISIONS(MEASURE)
	}
#undef MEASURE
}
#else
static void prepare16(void) {}
static void measure16(const char *of, bool leads, bool divides)
{
	(void)of;
	(void)leads;
	(void)divides;
}
#endif

static void measure_register(const char *of, uint32_t offset, bool leads, bool divides)
{
	at = LAPIC_DEFAULT_BASE + offset;
	if (parameter("code16")) {
		measure16(of, leads, divides);
		return;
	}
	set_returns(0xc3c3);
	empty = 0;
	measure(of, "nothing", do_nothing);
#define MEASURE(name, insn) measure(of, #name, form_##name);
	FORMS(MEASURE)
	if (leads) {
		LEADS(MEASURE)
	}
	if (divides) {
		DIVISIONS(MEASURE)
	}
#undef MEASURE
}

void measure_every_form(void)
{
	prepare16();
	measure_register("tpr", APIC_TPR, true, true);
	measure_register("eoi", APIC_EOI, true, false);
	if (parameter("all")) {
		measure_register("version", APIC_VERSION, false, true);
		apic_write(APIC_TPR, VALUE);
		measure_register("ppr", APIC_PPR, true, true);
	}
	apic_write(APIC_TPR, 0);
}
