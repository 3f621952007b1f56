/* 32 bits: real mode, again and again. What is done there is in realmode-entry.S: interrupts through the vector table,
 * exceptions, single steps, "big" segments, sleep, the system's instructions; and the way in and out, with segments of
 * several kinds. */
#include "guest/test/base/pc.h"
#include "guest/test/base/rt.h"

#include "guest/test/realmode.h"

const char test_name[] = "realmode";

#define ROUNDS 1000u

extern uint64_t gdt[];
extern char low[], low_end[];
extern char real_stubs[], real_irq0[], real_paging[], real_nothing[], real_int[], real_faults[], real_steps[],
	real_big[], real_sleeps[],
	real_spins[], real_system[], real_mixture[];
extern uint16_t real_vector, real_ip, real_flags, real_inside, real_count, real_resume, real_ticks;
extern uint32_t real_results[16], real_count32;
void real_call(unsigned service, unsigned data, unsigned stack);
void real_call32(void);

/* Of the copy that runs. */
static volatile void *copy_of(const void *at) { return (volatile void *)(LOW_SEGMENT * 16 + ((word)at - (word)low)); }
#define WORD(name) (*(volatile uint16_t *)copy_of(&(name)))
static uint32_t result(unsigned n) { return ((volatile uint32_t *)copy_of(real_results))[n]; }
static uint16_t result16(unsigned n) { return ((volatile uint16_t *)copy_of(real_results))[n]; }

static unsigned offset(const char *service) { return (unsigned)(service - low); }
static void call(const char *service) { real_call(offset(service), REAL_DATA16, LOW_SEGMENT); }

static void set_vector(unsigned n, const char *to)
{
	*(volatile uint32_t *)(4 * n) = LOW_SEGMENT << 16 | offset(to);
}

static void prepare(void)
{
	volatile char *to = copy_of(low);

	for (const char *p = low; p < low_end; p++)
		*to++ = *p;
	for (unsigned n = 0; n < 32; n++)
		set_vector(n, real_stubs + 5 * n);
	gdt[REAL_CODE16 / 8] = descriptor_pack(LOW_SEGMENT * 16, 0xffff, SEGMENT_CODE16);
	gdt[REAL_DATA16 / 8] = descriptor_pack(0, 0xffff, SEGMENT_DATA16);
	gdt[REAL_FLAT16 / 8] = descriptor_pack(0, 0xffffffff, SEGMENT_G | SEGMENT_DATA16);
}

/* ---- in and out ---- */

static void test_rounds(void)
{
	WORD(real_count) = 0;
	for (unsigned n = 0; n < ROUNDS; n++)
		call(real_nothing);
	CHECK(WORD(real_count) == ROUNDS, "of %u rounds %u were made", ROUNDS, WORD(real_count));
	/* Segments that VM entry takes for protected mode's or does not, while they are still those of real mode. */
	WORD(real_count) = 0;
	for (unsigned n = 0; n < 64; n++)
		real_call(offset(real_nothing), n & 4 ? REAL_FLAT16 : REAL_DATA16, LOW_SEGMENT + (n & 3));
	CHECK(WORD(real_count) == 64, "with other stacks %u rounds", WORD(real_count));
	real_count32 = 0;
	for (unsigned n = 0; n < 64; n++)
		real_call32();
	CHECK(real_count32 == 64, "with 32-bit code %u rounds", real_count32);
}

/* ---- interrupts and exceptions ---- */

#define FLAGS_KEPT (RFLAGS_STATUS | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF)

static void test_int(void)
{
	call(real_int);
	CHECK(WORD(real_vector) == 0x1e && (WORD(real_flags) & FLAGS_KEPT) == (0x7ad6 & FLAGS_KEPT),
	      "INT: vector 0x%x, flags 0x%x",
	      WORD(real_vector), WORD(real_flags));
	CHECK((WORD(real_inside) & (RFLAGS_IF | RFLAGS_TF)) == 0, "INT: in the handler flags are 0x%x",
	      WORD(real_inside));
	CHECK(result16(0) == WORD(real_flags), "IRET: flags are 0x%x, were 0x%x", result16(0), WORD(real_flags));
}

static void test_faults(void)
{
	static const uint16_t expected[] = {
		VECTOR_DE, VECTOR_UD, VECTOR_BP, VECTOR_OF, VECTOR_BR, VECTOR_GP, VECTOR_SS, VECTOR_GP, VECTOR_UD,
		VECTOR_UD, VECTOR_UD, VECTOR_UD, VECTOR_UD, VECTOR_UD, VECTOR_GP, VECTOR_GP, VECTOR_SS,
	};

	call(real_faults);
	for (unsigned n = 0; n < sizeof(expected) / sizeof(expected[0]); n++)
		CHECK(result16(n) == expected[n], "instruction %u: vector 0x%x, not 0x%x", n, result16(n), expected[n]);
}

static void test_steps(void)
{
	call(real_steps);
	/* NOP; MOV from SS; MOV to SS and the NOP behind it, one; CLD; INT, which is one by itself but has cleared TF;
	 * and POPF. */
	CHECK(result16(0) == 6, "%u traps", result16(0));
}

/* The first 8259 as a BIOS has it: IRQ 0 is vector 8. */
static void test_irqs(void)
{
	pics_init(8);
	pics_mask(PIC_ALL & ~1, PIC_ALL);
	set_vector(8, real_irq0);
	pit_start(0, PIT_RATE, PIT_HZ / 1000);
	call(real_sleeps);
	CHECK(WORD(real_ticks) >= 5, "asleep: %u ticks", WORD(real_ticks));
	pit_start(0, PIT_RATE, PIT_HZ / 2000);
	call(real_spins);
	CHECK(WORD(real_ticks) >= 2, "awake: %u ticks", WORD(real_ticks));
	pics_mask(PIC_ALL, PIC_ALL);
	set_vector(8, real_stubs + 5 * 8);
}

/* ---- big segments ---- */

static void test_big(void)
{
	volatile uint8_t *from = (volatile uint8_t *)REAL_FROM, *to = (volatile uint8_t *)REAL_TO;
	unsigned wrong = 0;

	for (unsigned n = 0; n < REAL_BYTES; n++)
		from[n] = (uint8_t)(n * 7 + (n >> 8));
	from[REAL_BYTES - 2] = from[REAL_BYTES - 1] = 0xff;
	real_call(offset(real_big), REAL_FLAT16, LOW_SEGMENT);
	for (unsigned n = 0; n < REAL_BYTES; n++)
		wrong += to[n] != from[n];
	CHECK(WORD(real_vector) == 0xffff && !wrong, "a copy: vector 0x%x, %u bytes are wrong", WORD(real_vector),
	      wrong);
	CHECK(result(0) <= REAL_TO + REAL_BYTES && result(1) == (REAL_TO + REAL_BYTES - result(0)) / 2,
	      "a search ended at 0x%x, with 0x%x left", result(0), result(1));
	CHECK(to[REAL_BYTES] == from[1], "a byte is 0x%x", to[REAL_BYTES]);
	/* With the limit of 64 KiB the same is an exception, and nothing is done. */
	to[0] = 0;
	real_call(offset(real_big), REAL_DATA16, LOW_SEGMENT);
	CHECK(WORD(real_vector) == VECTOR_GP && result(0) == REAL_TO && result(1) == REAL_BYTES / 4 && !to[0],
	      "a copy beyond the limit: vector 0x%x, EDI 0x%x, ECX 0x%x", WORD(real_vector), result(0), result(1));
}

/* ---- paging ---- */

static uint32_t pd[1024] __attribute__((aligned(4096)));

static void test_paging(void)
{
	for (uint32_t n = 0; n < 1024; n++)
		pd[n] = (n == REAL_MAPPED >> 22 ? 0 : n << 22) | PTE_PS | PTE_U | PTE_W | PTE_P;
	for (unsigned n = 0; n < 16; n++) {
		write_cr4(read_cr4() | CR4_PSE);
		write_cr3((word)pd);
		real_call(offset(real_paging), REAL_FLAT16, LOW_SEGMENT);
		CHECK(read_cr0() & CR0_PG, "CR0 is 0x%lx", read_cr0());
		write_cr0(read_cr0() & ~(word)CR0_PG);
		CHECK(result(0) == *(volatile uint32_t *)(REAL_MAPPED & 0x3fffff) && result(1) == (word)pd,
		      "with paging 0x%x is read, CR3 is 0x%x", result(0), result(1));
	}
	write_cr3(0);
}

/* ---- the system ---- */

static void test_system(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) gdtr;
	word cr0 = read_cr0();

	__asm__ volatile("sgdt %0" : "=m"(gdtr));
	call(real_system);
	CHECK((uint16_t)result(0) == (uint16_t)(cr0 & ~CR0_PE), "SMSW gives 0x%x", result(0));
	CHECK(result(1) == (cr0 & ~CR0_PE), "CR0 is 0x%x", result(1));
	CHECK(result(2) == 0x1234567, "CR2 is 0x%x", result(2));
	CHECK(result(3) == read_cr3() && result(4) == read_cr4(), "CR3 is 0x%x, CR4 0x%x", result(3), result(4));
	CHECK(result(5) == cpuid(CPUID_LEAF_BASIC, 0).b, "CPUID: EBX is 0x%x", result(5));
	CHECK(result(6) == (uint32_t)rdmsr(MSR_APIC_BASE), "IA32_APIC_BASE is 0x%x", result(6));
	CHECK(result(7) == 0x7654321 && rdmsr(MSR_SYSENTER_EIP) == 0x7654321, "IA32_SYSENTER_EIP is 0x%x", result(7));
	CHECK(result16(16) == 0x3ff && result(10) << 16 == (uint32_t)gdtr.limit << 16 &&
	      (result(10) >> 16 | result(11) << 16) == gdtr.base, "IDTR's limit is 0x%x, GDTR 0x%x 0x%x", result16(16),
	      result(10), result(11));
	CHECK(result(12) > 0 && result(12) < 1000000, "the TSC went on by 0x%x", result(12));
	CHECK(result16(26) & 8, "after LMSW the machine status word is 0x%x", result16(26));
	CHECK(result16(27) == VECTOR_NM, "the FPU with CR0.TS: vector 0x%x", result16(27));
	CHECK(result(14) == 2 * 0x1234567, "the FPU's sum is 0x%x", result(14));
	CHECK(result(15) == 0xabcdef, "DR1 is 0x%x", result(15));
	CHECK(read_cr0() == (cr0 & ~(word)TS), "back, CR0 is 0x%lx", read_cr0());
	wrmsr(MSR_SYSENTER_EIP, 0);
}

static void test_mixture(void)
{
	WORD(real_count) = 0;
	call(real_mixture);
	CHECK(result(0) == 0x33443344 && result16(2) == 0x1122, "pushed and popped: 0x%x 0x%x", result(0), result16(2));
	CHECK(WORD(real_count) == 1, "a far call came %u times", WORD(real_count));
	CHECK(!(result(2) & (RFLAGS_IF | RFLAGS_VM)), "PUSHFD gives 0x%x", result(2));
	CHECK(result16(7) == offset((const char *)real_results) + 14, "OUTS leaves SI at 0x%x", result16(7));
}

void test_main(void)
{
	prepare();
	test_rounds();
	test_int();
	test_faults();
	test_steps();
	test_irqs();
	test_big();
	test_paging();
	test_system();
	test_mixture();
	test_rounds();
}
