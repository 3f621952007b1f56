/* 64 bits: instructions on devices' and absent memory, which the hypervisor emulates, behave as on RAM, which it does
 * not: single-stepping, data breakpoints, read-only pages, tables where no memory is, code where no memory is, what the
 * FPU remembers. */
#include "guest/test/base/apic.h"
#include "guest/test/base/pages.h"
#include "guest/test/base/pc.h"

const char test_name[] = "emulated";

#define ABSENT 0xfd000000ul
#define APIC ((word)LAPIC_DEFAULT_BASE)
#define WINDOW (2ul << 39) /* entry 2 of the PML4, ours */
#define TABLE __attribute__((aligned(4096)))

extern uint64_t boot_pml4[PAGE_TABLE_ENTRIES], boot_pdpt[PAGE_TABLE_ENTRIES], boot_pd[16][PAGE_TABLE_ENTRIES];
static uint64_t pdpt[PAGE_TABLE_ENTRIES] TABLE, pd[PAGE_TABLE_ENTRIES] TABLE, pt[PAGE_TABLE_ENTRIES] TABLE;
static uint8_t ram[4096] TABLE;

/* ---- #DB, counted ---- */

#define TEXT(value) TEXT_OF(value)
#define TEXT_OF(text) #text

volatile word db_count, db_dr6, db_ip;
void db_entry(void);
__asm__(".text\n"
	"db_entry:\n"
	"	pushq %rax\n"
	"	incq db_count\n"
	"	movq %dr6, %rax\n"
	"	movq %rax, db_dr6\n"
	"	movl $" TEXT(DR6_RESET) ", %eax\n"
	"	movq %rax, %dr6\n"
	"	movq 8(%rsp), %rax\n"
	"	movq %rax, db_ip\n"
	"	popq %rax\n"
	"	iretq\n");

static void catch_db(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr;
	word entry = (word)db_entry;
	uint64_t *gate;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	gate = (uint64_t *)idtr.base + 2;
	gate[0] = (gate[0] & 0x0000ffffffff0000) | gate_pack(entry, 0, 0);
	gate[1] = entry >> 32;
}

#define STEP_BEGIN "pushfq; orq %[tf], (%%rsp); popfq\n"
#define STEP_END "pushfq; andq %[not_tf], (%%rsp); popfq\n"
#define STEP_FLAG [tf] "i"(RFLAGS_TF), [not_tf] "i"(~RFLAGS_TF)

/* So many traps that a repeated instruction and the three that end it take. */
static word steps_of_rep_stos(word at, word n)
{
	db_count = 0;
	__asm__ volatile(STEP_BEGIN "rep stosb\n" STEP_END : "+D"(at), "+c"(n) : "a"(0), STEP_FLAG : "memory", "cc");
	return db_count;
}

/* A string that goes out through a port is emulated wherever it lies. */
static word steps_of_rep_outs(word from, word n)
{
	db_count = 0;
	__asm__ volatile(STEP_BEGIN "rep outsb\n" STEP_END
			 : "+S"(from), "+c"(n) : "d"(PORT_POST), STEP_FLAG : "memory", "cc");
	return db_count;
}

static word steps_of_moves(word at)
{
	word v;

	db_count = 0;
	__asm__ volatile(STEP_BEGIN "movl %k0, (%1); movl (%1), %k0; movups %%xmm0, (%1)\n" STEP_END
			 : "=&r"(v) : "r"(at), STEP_FLAG : "memory", "cc");
	return db_count;
}

static void check_steps(word at)
{
	word rep = steps_of_rep_stos((word)ram, 7), moves = steps_of_moves((word)ram);

	CHECK(rep == 10 && moves == 6, "on RAM %lu and %lu traps", rep, moves);
	CHECK(steps_of_rep_stos(at, 7) == rep, "rep stosb at 0x%lx: %lu traps, on RAM %lu", at, db_count, rep);
	CHECK(steps_of_rep_outs(at, 7) == rep, "rep outsb from 0x%lx: %lu traps", at, db_count);
	CHECK(steps_of_rep_outs((word)ram, 7) == rep, "rep outsb from RAM: %lu traps", db_count);
	CHECK(steps_of_moves(at) == moves, "moves at 0x%lx: %lu traps, on RAM %lu", at, db_count, moves);
	CHECK(db_dr6 & DR6_BS, "DR6 0x%lx after a single step", db_dr6);
}

/* ---- data breakpoints ---- */

#define DR7_WRITES 0xd0401ul  /* breakpoint 0, global as well as local: writes of 4 bytes */
#define DR7_ACCESSES 0xf0401ul

static void set_breakpoint(word at, word dr7)
{
	__asm__ volatile("movq %0, %%dr0; movq %1, %%dr7" : : "r"(at), "r"(dr7));
}

static void check_breakpoints(word at)
{
	word v = 0, di = at, n = 8;

	set_breakpoint(at + 4, DR7_WRITES);
	db_count = 0;
	__asm__ volatile("movl (%1), %k0; movl 4(%1), %k0" : "=&r"(v) : "r"(at) : "memory");
	CHECK(db_count == 0, "reads at 0x%lx: %lu traps by a breakpoint on writes", at, db_count);
	__asm__ volatile("movb %b0, 3(%1); movb %b0, 8(%1)" : : "r"(v), "r"(at) : "memory");
	CHECK(db_count == 0, "writes beside 0x%lx: %lu traps", at + 4, db_count);
	__asm__ volatile("movb %b0, 7(%1); 1: leaq 1b(%%rip), %0" : "+r"(v) : "r"(at) : "memory");
	CHECK(db_count == 1 && (db_dr6 & DR6_BREAKPOINTS) == 1 && db_ip == v,
	      "a write at 0x%lx: %lu traps, DR6 0x%lx, at 0x%lx", at + 7, db_count, db_dr6, db_ip);
	db_count = 0;
	__asm__ volatile("rep stosb" : "+D"(di), "+c"(n) : "a"(0) : "memory");
	CHECK(db_count == 4 && n == 0, "rep stosb over a breakpoint at 0x%lx: %lu traps", at + 4, db_count);
	set_breakpoint(at + 4, DR7_ACCESSES);
	db_count = 0;
	__asm__ volatile("movq (%1), %0; lock incl 4(%1)" : "=&r"(v) : "r"(at) : "memory", "cc");
	CHECK(db_count == 2, "accesses to 0x%lx: %lu traps", at + 4, db_count);
	set_breakpoint(0, DR7_RESET);
}

/* ---- breakpoints on ports ---- */

#define DR7_PORTS 0x60401ul /* breakpoint 0: ports, two of them */

/* The DMA controller's page registers, which nothing else here uses. */
static void check_port_breakpoints(void)
{
	word cr4 = read_cr4();

	write_cr4(cr4 | CR4_DE);
	set_breakpoint(PORT_POST, DR7_PORTS);
	db_count = 0;
	outb(PORT_POST + 2, 0);
	inb(PORT_POST + 2);
	CHECK(db_count == 0, "ports beside: %lu traps", db_count);
	outb(PORT_POST, 0);
	inb(PORT_POST + 1);
	CHECK(db_count == 2 && (db_dr6 & DR6_BREAKPOINTS) == 1, "ports: %lu traps, DR6 0x%lx", db_count, db_dr6);
	set_breakpoint(0, DR7_RESET);
	write_cr4(cr4);
}

/* ---- what pages allow ---- */

static void do_movs(void *p)
{
	void *from = (char *)p + 0x30, *to = (char *)p + 0x80;

	__asm__ volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
}

static void do_fldt(void *p) { __asm__ volatile("fldt (%0); fstp %%st" : : "r"(p)); }

static void map(word frame, uint64_t rights)
{
	pt[0] = frame | rights;
	pd[0] = (word)pt | PTE_P | PTE_W | PTE_U;
	pdpt[0] = (word)pd | PTE_P | PTE_W | PTE_U;
	boot_pml4[2] = (word)pdpt | PTE_P | PTE_W | PTE_U;
	write_cr3(read_cr3());
}

static void check_rights(void)
{
	map(APIC, PTE_P | PTE_U);
	CHECK(trap_call_user(do_movs, (void *)WINDOW) == TRAP(PF) && trap.error == (PFERR_P | PFERR_W | PFERR_U),
	      "movs in a read-only device's page: trap %u, error 0x%x", trap.vector, trap.error);
	CHECK(trap.cr2 == WINDOW + 0x80 && apic_read(APIC_TPR) == 0, "movs faulted at 0x%lx, the TPR is 0x%x", trap.cr2,
	      apic_read(APIC_TPR));
}

/* What comes from a device, so that the emulator stores it, goes to a page whose key is not to be written, and to one
 * whose key is not to be accessed: for a supervisor too, as CR0.WP is set (SDM, "Protection Keys"). */
#define KEY 5ul
static void do_load_store(void *p)
{
	void *from = (void *)ABSENT;

	__asm__ volatile("movsl" : "+S"(from), "+D"(p) : : "memory");
}

static void do_store_load(void *p)
{
	void *to = (void *)ABSENT;

	__asm__ volatile("movsl" : "+S"(p), "+D"(to) : : "memory");
}

static void wrpkru(uint32_t pkru) { __asm__ volatile("wrpkru" : : "a"(pkru), "c"(0), "d"(0)); }

static void check_keys(void)
{
	word cr4 = read_cr4();

	if (cpuid(CPUID_LEAF_BASIC, 0).eax < 7 || !(cpuid(CPUID_LEAF_FEATURES, 0).ecx & CPUID_7_ECX_PKU))
		return;
	print("emulated: with protection keys\n");
	map((word)ram, PTE_P | PTE_W | PTE_U | KEY << PTE_KEY_SHIFT);
	write_cr0(read_cr0() | CR0_WP);
	write_cr4(cr4 | CR4_PKE);
	for (unsigned round = 0; round < 3; round++) {
		wrpkru(0);
		expect_good("a store that its key allows", do_load_store, WINDOW, false);
		wrpkru(PKRU_WD << (2 * KEY));
		expect_fault("a store that its key forbids", do_load_store, WINDOW, false,
			     PFERR_P | PFERR_W | PFERR_PK);
		expect_good("a load that its key allows", do_store_load, WINDOW, false);
		wrpkru(PKRU_AD << (2 * KEY));
		expect_fault("a load that its key forbids", do_store_load, WINDOW, false, PFERR_P | PFERR_PK);
	}
	wrpkru(0);
	write_cr4(cr4);
}

/* A table where no memory is reads as ones: a reserved bit is set. */
static void check_absent_tables(void)
{
	map((word)ram, PTE_P | PTE_W | PTE_U);
	pd[0] = ABSENT | PTE_P | PTE_W | PTE_U;
	write_cr3(read_cr3());
	expect_fault("a read through a page table that is not there", do_read, WINDOW, false, PFERR_P | PFERR_RSVD);
	expect_fault("a write through a page table that is not there", do_write, WINDOW, false,
		     PFERR_P | PFERR_RSVD | PFERR_W);
	expect_fault("an FPU load through a page table that is not there", do_fldt, WINDOW, true,
		     PFERR_P | PFERR_RSVD | PFERR_U);
	pdpt[0] = ABSENT | PTE_P | PTE_W | PTE_U;
	write_cr3(read_cr3());
	expect_fault("a read through a directory that is not there", do_read, WINDOW + 0x5000, true,
		     PFERR_P | PFERR_RSVD | PFERR_U);
}

static void check_code(void)
{
	CHECK(trap_call(do_jump, (void *)ABSENT) == TRAP(UD), "code where no memory is ended in trap %u", trap.vector);
	CHECK(trap.ip == ABSENT, "#UD at 0x%lx", trap.ip);
}

/* ---- the FPU ---- */

static struct { uint32_t fcw, fsw, ftw, fip, fcs_fop, fdp, fds; } environment;

/* FIP and FDP are the guest's own; newer CPUs remember FDP only with an unmasked exception. */
static void check_fpu(word at)
{
	static const uint16_t unmask_stack = 0x37e;
	word insn;

	__asm__ volatile("fninit; leaq 1f(%%rip), %0; 1: fldt (%1); fnstenv %2"
			 : "=&r"(insn)
			 : "r"(at), "m"(environment)
			 : "memory");
	CHECK(environment.fip == (uint32_t)insn && (environment.fdp == (uint32_t)at || environment.fdp == 0),
	      "FIP 0x%x, FDP 0x%x, of a load at 0x%lx from 0x%lx", environment.fip, environment.fdp, insn, at);
	/* A store from an empty register, with the exception unmasked: nothing is stored, nothing is popped. */
	*(volatile uint64_t *)ram = 0x1234;
	__asm__ volatile("fninit; fldcw %0; fstpl (%1); fnstsw %2; fnclex; fninit"
			 :
			 : "m"(unmask_stack), "r"(at), "m"(environment.fsw)
			 : "memory");
	CHECK((environment.fsw & 0xb8c1) == 0x80c1, "FSW 0x%x after a store from an empty register", environment.fsw);
}

/* A program's instruction that is not emulated (AVX-512) is #UD to it. */
static void do_avx512(void *p) { __asm__ volatile("vmovups %%zmm0, (%0)" : : "r"(p) : "memory"); }

static void check_program(void)
{
	if (cpuid(CPUID_LEAF_BASIC, 0).eax < 7 || !(cpuid(CPUID_LEAF_FEATURES, 0).ebx & CPUID_7_EBX_AVX512F))
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512), "d"(0));
	map(ABSENT, PTE_P | PTE_W | PTE_U);
	CHECK(trap_call_user(do_avx512, (void *)WINDOW) == TRAP(UD), "AVX-512 on what is not there ended in trap %u",
	      trap.vector);
}

void test_main(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	catch_db();
	check_steps(ABSENT);
	check_steps(APIC + APIC_TPR);
	check_breakpoints((word)ram);
	check_breakpoints(ABSENT);
	check_port_breakpoints();
	boot_pml4[0] |= PTE_U, boot_pdpt[0] |= PTE_U, boot_pd[0][0] |= PTE_U;
	check_rights();
	check_keys();
	check_absent_tables();
	check_code();
	check_fpu(ABSENT);
	check_program();
}
