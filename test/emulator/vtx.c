/* 64 bits, on the bare machine: what its VT-x does with the APIC-access page and with virtual interrupts, and its local
 * APIC with its MSRs, where Bochs is mended (script/get-bochs.sh, docs/bochs.md). Each check runs a guest that shares
 * memory, tables and descriptors with this program, to its first exit; who waits for ever exits by the timer. */
#include "guest/test/base/pc.h"
#include "lib/apic.h"
#include "vmx/vmcs.h"

const char test_name[] = "vtx";

#define PAGE 4096
#define ALIGNED __attribute__((aligned(PAGE)))
#define LARGE_PAGE BIT(21)
#define WINDOW (BIT(39)) /* linear: what the second entry of the highest table maps */
#define PATIENCE 200000 /* ticks of the preemption timer */
#define VECTOR_LOW 0x50
#define VECTOR_HIGH 0x90
#define VECTOR_HOST 0x60
#define ACCESS_OTHER_LINEAR 2 /* a fetch */
#define ACCESS_PHYSICAL_DELIVERY 10
#define ACCESS_PHYSICAL 15

extern uint64_t boot_pml4[PAGE_TABLE_ENTRIES], gdt[];
extern uint32_t tss[];

static uint8_t vmxon_region[PAGE] ALIGNED, vmcs[PAGE] ALIGNED, virtual_apic[PAGE] ALIGNED;
/* The second is the APIC-access page. */
static uint8_t pages[2][PAGE] ALIGNED;
static uint64_t ept[3][PAGE_TABLE_ENTRIES] ALIGNED;
static uint8_t guest_stack[PAGE] ALIGNED;

/* SDM, "Guest Register State": access rights, of segments that have been used. */
#define CODE64_ACCESS 0xa09b
#define DATA_ACCESS 0xc093
#define TSS_ACCESS 0x8b
#define UNUSABLE_ACCESS BIT(16)

/* What a guest is made of besides; and how it ended. */
struct run {
	uint32_t proc2, activity;
	uint16_t interrupt_status;
	uint64_t rip, rflags, idt;
	uint8_t threshold;
};
struct end {
	bool entered;
	uint32_t reason, blocking, activity, vectoring;
	uint64_t qualification, rip;
};

static uint64_t get(enum vmcs_field field)
{
	uint64_t v;

	__asm__ volatile("vmread %1, %0" : "=r"(v) : "r"((uint64_t)field) : "cc");
	return v;
}

static void set(enum vmcs_field field, uint64_t v)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"((uint64_t)field), "r"(v) : "cc");
}

/* What is wanted, and what the CPU insists on (SDM, "VMX Capability Reporting Facility"). */
static void set_controls(enum vmcs_field field, uint32_t msr, uint32_t want)
{
	uint64_t caps = rdmsr(msr);

	set(field, (want | (uint32_t)caps) & caps >> 32);
}

static uint64_t idt_base(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	return idtr.base;
}

static void set_host(void)
{
	set(VMCS_HOST_CR0, read_cr0());
	set(VMCS_HOST_CR3, read_cr3());
	set(VMCS_HOST_CR4, read_cr4());
	for (unsigned i = 0; i < 6; i++)
		set(VMCS_HOST_ES_SELECTOR + 2 * i, SELECTOR_DATA);
	set(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE64);
	set(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
	set(VMCS_HOST_FS_BASE, 0);
	set(VMCS_HOST_GS_BASE, 0);
	set(VMCS_HOST_TR_BASE, (word)tss);
	set(VMCS_HOST_GDTR_BASE, (word)gdt);
	set(VMCS_HOST_IDTR_BASE, idt_base());
	set(VMCS_HOST_SYSENTER_CS, 0);
	set(VMCS_HOST_SYSENTER_ESP, 0);
	set(VMCS_HOST_SYSENTER_EIP, 0);
}

static void set_segments(void)
{
	for (unsigned i = 0; i < 8; i++) { /* ES, CS, SS, DS, FS, GS, LDTR, TR */
		set(VMCS_GUEST_ES_SELECTOR + 2 * i, SELECTOR_DATA);
		set(VMCS_GUEST_ES_LIMIT + 2 * i, 0xffffffff);
		set(VMCS_GUEST_ES_ACCESS + 2 * i, DATA_ACCESS);
		set(VMCS_GUEST_ES_BASE + 2 * i, 0);
	}
	set(VMCS_GUEST_ES_SELECTOR + 2, SELECTOR_CODE64);
	set(VMCS_GUEST_CS_ACCESS, CODE64_ACCESS);
	set(VMCS_GUEST_LDTR_SELECTOR, 0);
	set(VMCS_GUEST_LDTR_ACCESS, UNUSABLE_ACCESS);
	set(VMCS_GUEST_TR_SELECTOR, SELECTOR_TSS);
	set(VMCS_GUEST_TR_ACCESS, TSS_ACCESS);
	set(VMCS_GUEST_TR_LIMIT, 26 * sizeof(uint32_t) - 1);
	set(VMCS_GUEST_TR_BASE, (word)tss);
	set(VMCS_GUEST_GDTR_BASE, (word)gdt);
	set(VMCS_GUEST_GDTR_LIMIT, SELECTOR_TSS + 15);
	set(VMCS_GUEST_IDTR_LIMIT, PAGE - 1);
}

static void set_guest(const struct run *run)
{
	set(VMCS_GUEST_CR0, read_cr0());
	set(VMCS_GUEST_CR3, read_cr3());
	set(VMCS_GUEST_CR4, read_cr4());
	set(VMCS_CR0_MASK, 0);
	set(VMCS_CR4_MASK, 0);
	set(VMCS_GUEST_DR7, 0x400);
	set(VMCS_GUEST_RSP, (word)(guest_stack + PAGE));
	set(VMCS_GUEST_RIP, run->rip);
	set(VMCS_GUEST_RFLAGS, run->rflags | RFLAGS_FIXED);
	set(VMCS_GUEST_IDTR_BASE, run->idt ? run->idt : idt_base());
	set(VMCS_GUEST_ACTIVITY, run->activity);
	set(VMCS_GUEST_INTERRUPTIBILITY, 0);
	set(VMCS_GUEST_PENDING_DEBUG, 0);
	set(VMCS_GUEST_DEBUGCTL, 0);
	set(VMCS_GUEST_INTERRUPT_STATUS, run->interrupt_status);
	set(VMCS_GUEST_SYSENTER_CS, 0);
	set(VMCS_GUEST_SYSENTER_ESP, 0);
	set(VMCS_GUEST_SYSENTER_EIP, 0);
	set(VMCS_PREEMPTION_TIMER, PATIENCE);
	set(VMCS_LINK_POINTER, ~0ul);
}

static void set_execution(const struct run *run)
{
	set_controls(VMCS_PIN_CONTROLS, MSR_VMX_PINBASED_CTLS, PIN_EXTERNAL_INTERRUPT | PIN_PREEMPTION_TIMER);
	set_controls(VMCS_PROC_CONTROLS, MSR_VMX_PROCBASED_CTLS, PROC_TPR_SHADOW | PROC_SECONDARY);
	set_controls(VMCS_PROC_CONTROLS2, MSR_VMX_PROCBASED_CTLS2, run->proc2);
	set_controls(VMCS_EXIT_CONTROLS, MSR_VMX_EXIT_CTLS, EXIT_HOST_64);
	set_controls(VMCS_ENTRY_CONTROLS, MSR_VMX_ENTRY_CTLS, ENTRY_IA32E);
	set(VMCS_EXCEPTION_BITMAP, 0);
	set(VMCS_CR3_TARGET_COUNT, 0);
	set(VMCS_EXIT_MSR_STORE_COUNT, 0);
	set(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	set(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	set(VMCS_ENTRY_INTERRUPTION_INFO, 0);
	set(VMCS_VIRTUAL_APIC_ADDRESS, (word)virtual_apic);
	set(VMCS_APIC_ACCESS_ADDRESS, (word)pages[1]);
	set(VMCS_TPR_THRESHOLD, run->threshold);
	set(VMCS_EPTP, (word)ept[0] | 3 << EPTP_WALK_SHIFT | 6);
	for (unsigned i = 0; i < 4; i++)
		set(VMCS_EOI_EXIT_BITMAP0 + 2 * i, 0);
}

static struct end run_guest(const struct run *run)
{
	uint64_t region = (word)vmcs, refused, sp = VMCS_HOST_RSP, ip = VMCS_HOST_RIP;

	*(uint32_t *)vmcs = (uint32_t)rdmsr(MSR_VMX_BASIC);
	__asm__ volatile("vmclear %0; vmptrld %0" : : "m"(region) : "memory", "cc");
	set_host();
	set_segments();
	set_guest(run);
	set_execution(run);
	__asm__ volatile("pushq %%rbp; vmwrite %%rsp, %1; leaq 1f(%%rip), %%rax; vmwrite %%rax, %2\n\t"
			 "vmlaunch\n\t"
			 "movl $1, %%eax; jmp 2f\n"
			 "1: xorl %%eax, %%eax\n"
			 "2: popq %%rbp"
			 : "=&a"(refused), "+c"(sp), "+d"(ip)
			 :
			 : "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	if (refused)
		return (struct end){ .reason = (uint32_t)get(VMCS_INSTRUCTION_ERROR) };
	return (struct end){ true, (uint32_t)get(VMCS_EXIT_REASON), (uint32_t)get(VMCS_GUEST_INTERRUPTIBILITY),
			     (uint32_t)get(VMCS_GUEST_ACTIVITY), (uint32_t)get(VMCS_IDT_VECTORING_INFO),
			     get(VMCS_EXIT_QUALIFICATION), get(VMCS_GUEST_RIP) };
}

/* ---- the guests ---- */

extern const uint8_t guest_call[], guest_touch[], guest_interrupt[], guest_sleep[], guest_spin[], guest_lower[],
	guest_lowered[];

__asm__(".text\n"
	"guest_call: vmcall\n"
	"guest_touch: movabs $0x8000000000, %rax; movl (%rax), %eax; vmcall\n"
	"guest_interrupt: int $0x81; vmcall\n"
	"guest_sleep: sti; hlt; vmcall\n"
	"guest_spin: jmp guest_spin\n"
	"guest_lower: movl $4, %eax; sti; movq %rax, %cr8\n"
	"guest_lowered: vmcall\n");

static void check_end(const char *what, const struct end *e, uint32_t reason, uint64_t qualification, uint64_t rip)
{
	CHECK(e->entered && e->reason == reason && e->qualification == qualification && e->rip == rip,
	      "%s: entered %u, reason %u, qualification 0x%lx, at 0x%lx, not %u, 0x%lx, 0x%lx", what, e->entered,
	      e->reason, e->qualification, e->rip, reason, qualification, rip);
}

/* SDM, "Virtualizing Reads from the APIC-Access Page": a fetch exits, with its offset. */
static void fetches(void)
{
	struct run run = { .proc2 = PROC2_APIC_ACCESS, .rip = (word)pages[1] + 0x123 };
	struct end e = run_guest(&run);

	check_end("a fetch", &e, EXIT_APIC_ACCESS, ACCESS_OTHER_LINEAR << 12 | 0x123, run.rip);
	/* Of 5 bytes, two of which are in the page before. */
	pages[0][PAGE - 2] = 0xb8;
	run.rip = (word)pages[1] - 2;
	e = run_guest(&run);
	check_end("a fetch that begins before", &e, EXIT_APIC_ACCESS, ACCESS_OTHER_LINEAR << 12, run.rip);
}

/* SDM, "Guest-Physical Accesses to the APIC-Access Page": the offset is not told. */
static void walks(void)
{
	struct run run = { .proc2 = PROC2_APIC_ACCESS | PROC2_EPT, .rip = (word)guest_touch };
	struct end e;

	boot_pml4[1] = (word)pages[1] | PTE_P | PTE_W;
	e = run_guest(&run);
	CHECK(e.entered && e.reason == EXIT_APIC_ACCESS && e.qualification >> 12 == ACCESS_PHYSICAL &&
		      e.rip == (word)guest_touch + 10,
	      "a walk: reason %u, qualification 0x%lx, at 0x%lx", e.reason, e.qualification, e.rip);
	run.idt = WINDOW;
	run.rip = (word)guest_interrupt;
	e = run_guest(&run);
	CHECK(e.entered && e.reason == EXIT_APIC_ACCESS && e.qualification >> 12 == ACCESS_PHYSICAL_DELIVERY &&
		      e.vectoring == (BIT(31) | 4 << 8 | 0x81),
	      "a walk by INT n: reason %u, qualification 0x%lx, vectoring 0x%x", e.reason, e.qualification,
	      e.vectoring);
	boot_pml4[1] = 0;
}

static void wait_for(unsigned vector)
{
	for (unsigned i = 0; i < PAGE; i++)
		virtual_apic[i] = 0;
	*(uint32_t *)(virtual_apic + APIC_IRR + vector / 32 * 16) = 1u << vector % 32;
	irq_count[vector] = 0;
}

/* SDM, "Virtual-Interrupt Delivery": it wakes a CPU that is in HLT. */
static void sleeps(void)
{
	struct run run = {
		.proc2 = PROC2_VIRTUAL_INTERRUPTS, .activity = 1, .interrupt_status = VECTOR_HIGH,
		.rip = (word)guest_call, .rflags = RFLAGS_IF
	};
	struct end e;

	wait_for(VECTOR_HIGH);
	e = run_guest(&run);
	check_end("an entry into HLT", &e, EXIT_VMCALL, 0, run.rip);
	CHECK(irq_count[VECTOR_HIGH] == 1, "an entry into HLT: %u interrupts", irq_count[VECTOR_HIGH]);
	wait_for(VECTOR_LOW);
	run.activity = run.rflags = 0;
	run.interrupt_status = VECTOR_LOW;
	run.rip = (word)guest_sleep;
	e = run_guest(&run);
	check_end("STI and HLT", &e, EXIT_VMCALL, 0, run.rip + 2);
	CHECK(irq_count[VECTOR_LOW] == 1, "STI and HLT: %u interrupts", irq_count[VECTOR_LOW]);
	/* What is not above the priority does not. */
	wait_for(VECTOR_LOW);
	virtual_apic[APIC_TPR] = VECTOR_LOW;
	e = run_guest(&run);
	check_end("HLT below the TPR", &e, EXIT_PREEMPTION_TIMER, 0, run.rip + 2);
	CHECK(irq_count[VECTOR_LOW] == 0 && e.activity == 1, "HLT below the TPR: %u interrupts, activity %u",
	      irq_count[VECTOR_LOW], e.activity);
}

/* SDM, "Virtual-Interrupt Delivery": not with interrupts off; one of the host's exits. */
static void masks(void)
{
	struct run run = {
		.proc2 = PROC2_VIRTUAL_INTERRUPTS, .interrupt_status = VECTOR_HIGH, .rip = (word)guest_spin
	};
	struct end e;

	wait_for(VECTOR_HIGH);
	pics_init(VECTOR_HOST);
	pit_start(0, PIT_RATE, 50);
	pics_mask(PIC_ALL & ~1, PIC_ALL);
	e = run_guest(&run);
	pics_mask(PIC_ALL, PIC_ALL);
	check_end("interrupts off", &e, EXIT_EXTERNAL_INTERRUPT, 0, run.rip);
	CHECK(irq_count[VECTOR_HIGH] == 0, "interrupts off: %u virtual ones", irq_count[VECTOR_HIGH]);
}

/* SDM, "TPR Virtualization": the exit is trap-like. The instruction behind STI is done, and so is the blocking. */
static void lowers(void)
{
	struct run run = { .rip = (word)guest_lower, .threshold = 5 };
	struct end e;

	virtual_apic[APIC_TPR] = 0x60;
	e = run_guest(&run);
	check_end("CR8 lowered", &e, EXIT_TPR_BELOW_THRESHOLD, 0, (word)guest_lowered);
	CHECK(e.blocking == 0, "CR8 lowered: blocking 0x%x", e.blocking);
}

/* ---- the local APIC itself ---- */

static void do_write(void *p) { wrmsr((uint32_t)((uint64_t *)p)[0], ((uint64_t *)p)[1]); }
static void do_rdmsr(void *p) { rdmsr((uint32_t)*(uint64_t *)p); }

static void write_msr(uint64_t msr, uint64_t value, unsigned expected)
{
	uint64_t a[2] = { msr, value };
	unsigned seen = trap_call(do_write, a);

	CHECK(seen == expected, "WRMSR 0x%lx of 0x%lx: trap %u, not %u", msr, value, seen, expected);
}

/* SDM, "Enabling or Disabling the Local APIC", "x2APIC State Transitions". */
static void modes(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) & ~(uint64_t)(APIC_BASE_EN | APIC_BASE_EXTD);
	uint64_t cmci = MSR_X2APIC(APIC_LVT_CMCI);
	volatile uint32_t *tpr = (volatile uint32_t *)(word)(LAPIC_DEFAULT_BASE + APIC_TPR);

	write_msr(MSR_APIC_BASE, base, NO_TRAP);
	write_msr(MSR_APIC_BASE, base | APIC_BASE_EXTD, TRAP(GP));
	write_msr(MSR_APIC_BASE, base | APIC_BASE_EN | APIC_BASE_EXTD, TRAP(GP));
	CHECK(rdmsr(MSR_APIC_BASE) == base, "IA32_APIC_BASE is 0x%lx", rdmsr(MSR_APIC_BASE));
	write_msr(MSR_APIC_BASE, base | APIC_BASE_EN, NO_TRAP);
	*tpr = 0x70;
	CHECK(*tpr == 0x70, "the TPR is 0x%x", *tpr);
	*tpr = 0;
	write_msr(MSR_APIC_BASE, base | APIC_BASE_EN | APIC_BASE_EXTD, NO_TRAP);
	write_msr(MSR_APIC_BASE, base | APIC_BASE_EN, TRAP(GP));
	if (!(rdmsr(MSR_APIC_BASE) & APIC_BASE_EXTD))
		return;
	write_msr(MSR_X2APIC(APIC_LVT_ERROR), LVT_MASKED, NO_TRAP);
	CHECK((rdmsr(MSR_X2APIC_VERSION) >> APIC_VERSION_LVT_SHIFT & 0xff) == 5, "version 0x%lx",
	      rdmsr(MSR_X2APIC_VERSION));
	write_msr(cmci, LVT_MASKED, TRAP(GP));
	CHECK(trap_call(do_rdmsr, &cmci) == TRAP(GP), "RDMSR 0x%lx: no #GP", cmci);
}

static void map_all(void)
{
	ept[0][0] = (word)ept[1] | EPT_R | EPT_W | EPT_X;
	ept[1][0] = (word)ept[2] | EPT_R | EPT_W | EPT_X;
	for (unsigned i = 0; i < PAGE_TABLE_ENTRIES; i++)
		ept[2][i] = i * LARGE_PAGE | EPT_LARGE | 6 << EPT_TYPE_SHIFT | EPT_R | EPT_W | EPT_X;
}

void test_main(void)
{
	uint64_t region = (word)vmxon_region;

	pics_mask(PIC_ALL, PIC_ALL);
	map_all();
	*(uint32_t *)vmxon_region = (uint32_t)rdmsr(MSR_VMX_BASIC);
	write_cr0(read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0));
	write_cr4(read_cr4() | CR4_VMXE);
	__asm__ volatile("vmxon %0" : : "m"(region) : "memory", "cc");
	fetches();
	walks();
	sleeps();
	masks();
	lowers();
	__asm__ volatile("vmxoff" : : : "cc", "memory");
	modes();
}
