/* 32 bits: what only old kernels do. Task switches, with and without paging, and the double fault through a task gate;
 * virtual-8086 mode; SYSENTER; segments with a base and a limit, also on accesses that the hypervisor carries out. */
#include "guest/test/base/pages.h"
#include "lib/apic.h"

const char test_name[] = "legacy32";

#define TASK_B SELECTOR_OTHERS   /* selectors in the GDT of boot32.S */
#define TASK_F 0x50u
#define SMALL 0x58u
#define DOWN 0x60u
#define MAIN SELECTOR_TSS

struct task_state {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt, trap;
};
_Static_assert(sizeof(struct task_state) == 104, "as the CPU has it");

extern uint64_t gdt[];
extern uint32_t tss[26];
static struct task_state b, f;
static uint32_t stack_b[1024] __attribute__((aligned(16))), stack_f[1024] __attribute__((aligned(16)));
static uint32_t pd[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(32))), pae_pd[4][PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));

static volatile uint32_t seen, seen_flags, seen_cr0, seen_cr3, seen_link, seen_error, seen_value;

static uint32_t flags(void) { word v; __asm__ volatile("pushfl; popl %0" : "=r"(v)); return v; }
static void clear_ts(void) { __asm__ volatile("clts"); }

static void describe(unsigned selector, const void *base, uint32_t limit, unsigned access)
{
	gdt[selector / 8] = descriptor_pack((word)base, limit, access);
}

static void set_task(struct task_state *t, unsigned selector, void (*entry)(void), uint32_t *stack, unsigned words)
{
	*t = (struct task_state){ .cr3 = read_cr3(),
				  .eip = (uint32_t)entry,
				  .eflags = RFLAGS_FIXED,
				  .esp = (uint32_t)(stack + words),
				  .es = SELECTOR_USER_DATA,
				  .cs = SELECTOR_CODE32,
				  .ss = SELECTOR_DATA,
				  .ds = SELECTOR_USER_DATA,
				  .fs = 0,
				  .gs = SELECTOR_USER_DATA,
				  .ebx = 0xb0b0b0b0,
				  .edi = 0xd0d0d0d0 };
	describe(selector, t, sizeof(*t) - 1, SEGMENT_TSS);
}

/* ---- task switches ---- */

static void look_around(void)
{
	seen++;
	seen_flags = flags();
	seen_cr0 = read_cr0();
	seen_cr3 = read_cr3();
	seen_link = *(volatile uint32_t *)&b.link;
	clear_ts();
}

/* The task B: round and round, back by IRET if it was called, else by a jump. */
static void task_b(void)
{
	for (;;) {
		uint32_t ebx, edi;

		__asm__ volatile("" : "=b"(ebx), "=D"(edi));
		seen_value = ebx ^ edi;
		look_around();
		if (flags() & RFLAGS_NT)
			__asm__ volatile("iret" : : : "memory");
		else
			__asm__ volatile("ljmp %0, $0" : : "i"(MAIN) : "memory");
	}
}

static bool is_busy(unsigned selector) { return *(volatile uint64_t *)&gdt[selector / 8] & DESCRIPTOR_BUSY; }

static void expect_switch(const char *what, uint32_t cr3, bool nested)
{
	CHECK(seen == 1, "%s: the task ran %u times", what, seen);
	CHECK(seen_cr0 & CR0_TS, "%s: CR0.TS is clear: 0x%x", what, seen_cr0);
	CHECK(seen_cr3 == cr3, "%s: CR3 is 0x%x, not 0x%x", what, seen_cr3, cr3);
	CHECK(!(seen_flags & RFLAGS_NT) == !nested, "%s: EFLAGS are 0x%x", what, seen_flags);
	CHECK(!nested || seen_link == MAIN, "%s: the link is 0x%x", what, seen_link);
	CHECK(is_busy(MAIN) && !is_busy(TASK_B), "%s: busy are 0x%llx 0x%llx", what, gdt[MAIN / 8], gdt[TASK_B / 8]);
	CHECK(read_cr0() & CR0_TS, "%s: back in the first task CR0.TS is clear", what);
	CHECK(!(flags() & RFLAGS_NT), "%s: back in the first task EFLAGS are 0x%x", what, flags());
	clear_ts();
	seen = 0;
}

static void call_b(void *p)
{
	(void)p;
	__asm__ volatile("lcall %0, $0" : : "i"(TASK_B) : "memory");
}

static void jump_b(void *p)
{
	(void)p;
	__asm__ volatile("ljmp %0, $0" : : "i"(TASK_B) : "memory");
}

static void switches(uint32_t cr3)
{
	uint32_t kept = 0x12345678;

	tss[7] = cr3; /* the first task comes back to the tables that it left, or to others of the same content */
	set_task(&b, TASK_B, task_b, stack_b, 1024);
	b.cr3 = cr3;
	__asm__ volatile("" : "+S"(kept));
	call_b(NULL);
	__asm__ volatile("" : "+S"(kept));
	CHECK(kept == 0x12345678, "a register came back as 0x%x", kept);
	CHECK(seen_value == (0xb0b0b0b0 ^ 0xd0d0d0d0), "the new task's registers: 0x%x", seen_value);
	expect_switch("a call", cr3, true);
	call_b(NULL);
	expect_switch("a second call", cr3, true);
	jump_b(NULL);
	expect_switch("a jump", cr3, false);
	CHECK(trap_call(call_b, NULL) == NO_TRAP, "a call inside of trap_call: vector %u", trap.vector);
	expect_switch("a third call", cr3, true);
	/* What must not be switched to. */
	gdt[TASK_B / 8] |= DESCRIPTOR_BUSY;
	CHECK(trap_call(jump_b, NULL) == TRAP(GP) && trap.error == TASK_B,
	      "a jump to a busy task: vector %u, error 0x%x", trap.vector, trap.error);
	gdt[TASK_B / 8] &= ~(DESCRIPTOR_BUSY | DESCRIPTOR_P);
	CHECK(trap_call(call_b, NULL) == TRAP(NP) && trap.error == TASK_B,
	      "a call of an absent task: vector %u, error 0x%x", trap.vector, trap.error);
	describe(TASK_B, &b, 40, SEGMENT_TSS);
	CHECK(trap_call(call_b, NULL) == TRAP(TS) && trap.error == TASK_B,
	      "a call of a short task: vector %u, error 0x%x", trap.vector, trap.error);
	CHECK(seen == 0 && is_busy(MAIN), "a switch that faulted left something behind");
}

/* A task with a TSS of 16 bits, as 80286 systems have them: 16-bit code, half registers, no CR3. */
struct task_state16 {
	uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
};
_Static_assert(sizeof(struct task_state16) == 44, "as the CPU has it");

extern char task16[], task16_end[];
__asm__("	.code16\n"
	"task16:	movl $seen, %esi\n"
	"	addr32 incl (%esi)\n"
	"	movl $seen_value, %esi\n"
	"	addr32 movl %ebx, (%esi)\n"
	"	clts\n"
	"	iretw\n"
	"	jmp task16\n"
	"task16_end:\n"
	"	.code32\n");

static void switches16(void)
{
	static struct task_state16 b16;
	uint32_t kept = 0x87654321;

	b16 = (struct task_state16){ .flags = RFLAGS_FIXED, .bx = 0xbeef, .sp = 0x1000, .es = SELECTOR_USER_DATA,
				     .cs = SMALL, .ss = DOWN, .ds = SELECTOR_USER_DATA };
	describe(TASK_B, &b16, sizeof(b16) - 1, SEGMENT_P | TYPE_TSS16);
	describe(SMALL, task16, 0xffff, SEGMENT_CODE16);
	describe(DOWN, stack_b, 0xffff, SEGMENT_DATA16);
	for (unsigned i = 0; i < 2; i++) {
		__asm__ volatile("" : "+S"(kept));
		call_b(NULL);
		__asm__ volatile("" : "+S"(kept));
		CHECK(kept == 0x87654321 && seen == i + 1, "16 bits: %u times, a register is 0x%x", seen, kept);
		CHECK((seen_value & 0xffff) == 0xbeef, "16 bits: BX is 0x%x", seen_value);
		CHECK(b16.link == MAIN && !is_busy(TASK_B) && is_busy(MAIN), "16 bits: link 0x%x", b16.link);
		CHECK(b16.ip == (uint16_t)(task16_end - task16 - 2) && b16.bx == 0xbeef, "16 bits: saved IP 0x%x",
		      b16.ip);
		clear_ts();
	}
	describe(TASK_B, &b16, 42, SEGMENT_P | TYPE_TSS16);
	CHECK(trap_call(call_b, NULL) == TRAP(TS) && trap.error == TASK_B,
	      "a short task of 16 bits: vector %u, error 0x%x", trap.vector, trap.error);
	seen = 0;
}

extern char resume_here[];

/* The double fault has a task of its own, for the stack of the task that faulted is of no use. It mends that task's
 * stack and place. */
static uint32_t spare[256];
static void task_f(void)
{
	for (;;) {
		tss[14] = (uint32_t)(spare + 256); /* ESP */
		tss[8] = (uint32_t)resume_here;    /* EIP */
		seen_error = *(volatile uint32_t *)(stack_f + 1023);
		seen = 0xdf;
		seen_flags = flags();
		clear_ts();
		__asm__ volatile("iret" : : : "memory");
	}
}


static void lose_stack(void *p)
{
	(void)p;
	/* A push to nowhere is a page fault, and so is its delivery. */
	__asm__ volatile("movl $0x40001000, %%esp; pushl $0; .globl resume_here; resume_here: int $0x80"
			 :
			 :
			 : "memory");
}

static volatile uint64_t *gate_of(unsigned vector)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) idtr;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	return (volatile uint64_t *)idtr.base + vector;
}

static void double_fault(void)
{
	volatile uint64_t *gate = gate_of(VECTOR_DF);
	uint64_t old_gate = *gate;
	unsigned got;

	*gate = gate_pack(0, TASK_F, GATE_TASK);
	set_task(&f, TASK_F, task_f, stack_f, 1024);
	seen = seen_error = 0;
	got = trap_call(lose_stack, NULL);
	CHECK(got == NO_TRAP, "after a double fault: trap %u at 0x%lx", got, trap.ip);
	CHECK(seen == 0xdf, "the double fault's task did not run");
	CHECK(seen_error == 0, "the double fault's error code is 0x%x", seen_error);
	CHECK(seen_flags & RFLAGS_NT, "in the double fault's task EFLAGS are 0x%x", seen_flags);
	CHECK(f.link == MAIN && !is_busy(TASK_F) && is_busy(MAIN), "link 0x%x", f.link);
	*gate = old_gate;
	seen = 0;
}

/* The task that invalid TSSs are mended by. */
static volatile uint32_t ts_error, ts_eip, ts_link;
static void task_ts(void)
{
	for (;;) {
		ts_error = *(volatile uint32_t *)(stack_f + 1023);
		ts_eip = *(volatile uint32_t *)&b.eip;
		ts_link = *(volatile uint32_t *)&f.link;
		*(volatile uint32_t *)&b.ss = SELECTOR_DATA;
		clear_ts();
		__asm__ volatile("iret" : : : "memory");
	}
}

/* A new task whose stack segment is none: the exception is the new task's, before its first instruction, which runs
 * when that is mended. */
static void bad_segment(void)
{
	volatile uint64_t *gate = gate_of(VECTOR_TS);
	uint64_t old_gate = *gate;

	*gate = gate_pack(0, TASK_F, GATE_TASK);
	set_task(&f, TASK_F, task_ts, stack_f, 1024);
	set_task(&b, TASK_B, task_b, stack_b, 1024);
	b.ss = SELECTOR_USER_DATA;
	seen = 0;
	call_b(NULL);
	CHECK(ts_error == 0x20 && ts_eip == (uint32_t)task_b, "a bad stack segment: error 0x%x, EIP 0x%x", ts_error,
	      ts_eip);
	CHECK(ts_link == TASK_B, "a bad stack segment: the exception is of task 0x%x", ts_link);
	CHECK(seen == 1 && seen_link == MAIN && is_busy(MAIN) && !is_busy(TASK_B) && !is_busy(TASK_F),
	      "a bad stack segment: the task ran %u times", seen);
	clear_ts();
	seen = 0;
	*gate = old_gate;
}

static void paging(uint32_t cr3, uint32_t cr4)
{
	write_cr4(cr4);
	write_cr3(cr3);
	write_cr0(read_cr0() | CR0_PG);
}

static void paging_off(void) { write_cr0(read_cr0() & ~(word)CR0_PG); }

/* All memory is mapped to itself but for 0x40000000 and what lies above, up to the devices. */
static void build_tables(void)
{
	for (uint32_t i = 0; i < 1024; i++)
		pd[i] = i < 256 || i >= 768 ? i << 22 | PTE_PS | PTE_U | PTE_W | PTE_P : 0;
	for (uint32_t i = 0; i < 4; i++) {
		pdpt[i] = (uint32_t)pae_pd[i] | PTE_P;
		for (uint32_t j = 0; j < PAGE_TABLE_ENTRIES; j++)
			pae_pd[i][j] =
				i == 0 || i == 3 ? (uint64_t)(i << 30 | j << 21) | PTE_PS | PTE_U | PTE_W | PTE_P : 0;
	}
}

static void test_tasks(void)
{
	static uint32_t other_pd[1024] __attribute__((aligned(4096)));
	static uint64_t other_pdpt[4] __attribute__((aligned(32)));

	switches(0);
	switches16();
	build_tables();
	for (unsigned i = 0; i < 1024; i++)
		other_pd[i] = pd[i];
	for (unsigned i = 0; i < 4; i++)
		other_pdpt[i] = pdpt[i];
	paging((uint32_t)pd, CR4_PSE);
	switches((uint32_t)other_pd);
	tss[7] = (uint32_t)pd;
	double_fault();
	bad_segment();
	switches16();
	paging_off();
	paging((uint32_t)pdpt, CR4_PAE);
	switches((uint32_t)other_pdpt);
	tss[7] = (uint32_t)pdpt;
	double_fault();
	bad_segment();
	paging_off();
}

/* ---- virtual-8086 mode ---- */

static void enter_v86(void *p)
{
	uint32_t *words = p;

	/* GS FS DS ES SS ESP EFLAGS CS EIP. */
	__asm__ volatile("movl %%esp, tss + 4\n"
			 "pushl $0; pushl $0; pushl %1; pushl %1; pushl %1; pushl $0xff0; pushl $0x20002; pushl %1; "
			 "pushl %0; iret"
			 :
			 : "r"(words[0]), "r"(words[1])
			 : "memory");
}

static void test_v86(void)
{
	/* mov ax, ds; mov [0x80], ax; add word [0x80], 1; int 0x21 */
	static const uint8_t code[] = { 0x8c, 0xd8, 0xa3, 0x80, 0x00, 0x83, 0x06, 0x80, 0x00, 0x01, 0xcd, 0x21 };
	volatile uint8_t *low = (volatile uint8_t *)0x3000;
	uint32_t start[2] = { 0, 0x300 };

	/* With paging as well: then its memory is the user's. */
	for (unsigned round = 0; round < 2; round++) {
		if (round)
			paging((uint32_t)pd, CR4_PSE);
		for (unsigned i = 0; i < sizeof(code); i++)
			low[i] = code[i];
		CHECK(trap_call(enter_v86, start) == TRAP(GP) && trap.error == 0,
		      "INT in virtual-8086 mode: vector %u, error 0x%x", trap.vector, trap.error);
		CHECK(trap.ip == 10 && (trap.flags & RFLAGS_VM), "it stopped at 0x%lx with flags 0x%lx", trap.ip,
		      trap.flags);
		CHECK(*(volatile uint16_t *)(low + 0x80) == 0x301, "it wrote 0x%x",
		      (unsigned)*(volatile uint16_t *)(low + 0x80));
	}
	paging_off();
}

/* ---- SYSENTER ---- */

extern char sysenter_entry[];
__asm__(".globl sysenter_entry\nsysenter_entry: movl %esp, %eax; addl $1, sysenter_count; sysexit");
uint32_t sysenter_count;

static void user_sysenter(void *p)
{
	(void)p;
	__asm__ volatile("movl %%esp, %%ecx; movl $1f, %%edx; sysenter; 1:" : : : "eax", "ecx", "edx", "memory");
}

static void test_sysenter(void)
{
	static uint32_t stack[64];

	if (!(cpuid_version().edx & CPUID_1_EDX_SEP))
		return;
	wrmsr(MSR_SYSENTER_CS, SELECTOR_CODE32);
	wrmsr(MSR_SYSENTER_ESP, (word)(stack + 64));
	wrmsr(MSR_SYSENTER_EIP, (word)sysenter_entry);
	CHECK(rdmsr(MSR_SYSENTER_CS) == 8 && rdmsr(MSR_SYSENTER_ESP) == (word)(stack + 64) &&
	      rdmsr(MSR_SYSENTER_EIP) == (word)sysenter_entry, "the MSRs of SYSENTER");
	sysenter_count = 0;
	for (unsigned i = 0; i < 3; i++)
		CHECK(trap_call_user(user_sysenter, NULL) == NO_TRAP, "SYSENTER: vector %u, error 0x%x, at 0x%lx",
		      trap.vector, trap.error, trap.ip);
	CHECK(sysenter_count == 3, "SYSENTER came %u times", sysenter_count);
	wrmsr(MSR_SYSENTER_CS, 0);
	CHECK(trap_call_user(user_sysenter, NULL) == TRAP(GP), "SYSENTER with SYSENTER_CS = 0");
}

/* ---- segments ---- */

static void load_fs(unsigned selector) { __asm__ volatile("movw %w0, %%fs" : : "r"(selector)); }
static void fs_read(void *p) { __asm__ volatile("movl %%fs:(%0), %0" : "+r"(p)); }
static void fs_write(void *p) { __asm__ volatile("movl %0, %%fs:(%0)" : : "r"(p) : "memory"); }
static uint32_t fs_get(uint32_t at)
{
	uint32_t v;
	__asm__ volatile("movl %%fs:(%1), %0" : "=r"(v) : "r"(at));
	return v;
}
static uint32_t fs_get16(uint16_t at)
{
	uint32_t v;
	__asm__ volatile("addr16 movl %%fs:(%%bx), %0" : "=r"(v) : "b"(at));
	return v;
}

/* The local APIC's page: each access is the hypervisor's doing. */
static void test_device_segment(void)
{
	uint32_t version = *(volatile uint32_t *)(LAPIC_DEFAULT_BASE + APIC_VERSION);
	volatile uint32_t *tpr = (volatile uint32_t *)(LAPIC_DEFAULT_BASE + APIC_TPR);

	describe(SMALL, (void *)LAPIC_DEFAULT_BASE, 0xfff, SEGMENT_DB | SEGMENT_DATA16);
	load_fs(SMALL);
	CHECK(fs_get(APIC_VERSION) == version && fs_get16(APIC_VERSION) == version,
	      "through a segment the APIC's version is 0x%x 0x%x, not 0x%x", fs_get(APIC_VERSION),
	      fs_get16(APIC_VERSION), version);
	__asm__ volatile("movl %0, %%fs:%c1" : : "r"(0x20), "i"(APIC_TPR) : "memory");
	CHECK(*tpr == 0x20, "TPR is 0x%x", *tpr);
	__asm__ volatile("movl $0, %%fs:%c0" : : "i"(APIC_TPR) : "memory");
	CHECK(trap_call(fs_read, (void *)0xffd) == TRAP(GP) && trap.error == 0, "a read beyond the limit: vector %u",
	      trap.vector);
	CHECK(trap_call(fs_read, (void *)0x1000) == TRAP(GP), "a read behind the limit: vector %u", trap.vector);
	describe(SMALL, (void *)LAPIC_DEFAULT_BASE, 0xfff, SEGMENT_DB | (SEGMENT_DATA16 & ~TYPE_READ_WRITE));
	load_fs(SMALL);
	CHECK(trap_call(fs_write, (void *)APIC_TPR) == TRAP(GP), "a write to a read-only segment: vector %u",
	      trap.vector);
	/* Expand-down: what lies above the limit. */
	describe(DOWN, (void *)(LAPIC_DEFAULT_BASE - 0x10000), 0xffff, SEGMENT_DB | SEGMENT_DATA16 | TYPE_EXPAND_DOWN);
	load_fs(DOWN);
	CHECK(fs_get(0x10000 + APIC_VERSION) == version, "through an expand-down segment the APIC's version is 0x%x",
	      fs_get(0x10000 + APIC_VERSION));
	CHECK(trap_call(fs_read, (void *)0xfffc) == TRAP(GP), "a read below an expand-down segment's limit: vector %u",
	      trap.vector);
	load_fs(0);
	CHECK(trap_call(fs_read, (void *)0x30) == TRAP(GP), "a read through a null selector: vector %u", trap.vector);
}

void test_main(void)
{
	test_tasks();
	test_v86();
	test_sysenter();
	test_device_segment();
	build_tables();
	paging((uint32_t)pd, CR4_PSE);
	test_sysenter();
	test_device_segment();
	paging_off();
}
