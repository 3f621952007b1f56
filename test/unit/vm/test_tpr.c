/* The TPR by trap and by flexpriority (vm/tpr.c, vm/exit/apic.c): who serves which access, when an interrupt comes, and
 * what becomes of it when the local APIC moves or the method changes. Each entry is held against P3 by the bench. */
#include "test/unit/vm/fixture.h"

#include <stdlib.h>

#include "host/console.h"
#include "host/frames.h"
#include "host/interrupt.h"

#define LAPIC 0xfee00000u
#define TRUE_PROC 0x48e /* IA32_VMX_TRUE_PROCBASED_CTLS */
#define ELSEWHERE 0xfed00000u
#define APIC_ON (APIC_BASE_EN | APIC_BASE_BSP)

enum { ID = 0x20, TPR = 0x80, PPR = 0xa0, EOI = 0xb0, SVR = 0xf0, ICR = 0x300 };

static const char *const mechanisms[] = { "ept", "shadow", "vtlb", "brute" };

static void at(const char *mmu, const char *tpr, enum bench_mode mode)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .tpr = tpr });
	check_entry(0);
	assert_true(bench_mode(mode, 0));
	*bench_gpr(GPR_RBX) = LAPIC;
}

static enum bench_at apic_access(unsigned type, unsigned offset)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_APIC_ACCESS, .qualification = type << 12 | offset });
}

static void code(const void *bytes, size_t n)
{
	bench_poke(BENCH_CODE, bytes, n);
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
}
#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

static void mov_store(unsigned offset, uint32_t value)
{
	uint8_t bytes[] = { 0x89, 0x83, (uint8_t)offset, (uint8_t)(offset >> 8), 0, 0 }; /* mov [ebx + offset], eax */

	code(bytes, sizeof(bytes));
	*bench_gpr(GPR_RAX) = value;
}

static void mov_load(unsigned offset)
{
	uint8_t bytes[] = { 0x8b, 0x8b, (uint8_t)offset, (uint8_t)(offset >> 8), 0, 0 }; /* mov ecx, [ebx + offset] */

	code(bytes, sizeof(bytes));
	*bench_gpr(GPR_RCX) = 0xaaaaaaaaaaaaaaaa;
}

static bool flex(void) { return bench.vm[0]->tpr.method == CONFIG_TPR_FLEXPRIORITY; }

/* The guest's write to a register in the page, however it is virtualized. */
static enum bench_at apic_write(unsigned offset, uint32_t value)
{
	if (flex() && offset == TPR)
		return bench_write_tpr((uint8_t)value);
	mov_store(offset, value);
	if (flex())
		return apic_access(1, offset);
	return bench_exit(&(struct bench_exit){
		.reason = EXIT_EPT_VIOLATION, .qualification = 0x182, .gpa = LAPIC + offset, .gva = LAPIC + offset });
}

static void self_ipi(uint8_t vector) { STEP(apic_write(ICR, 1u << 18 | 1u << 14 | vector)); }

static void interrupts_on(void)
{
	STEP(apic_write(SVR, 0x1ff));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
}

#define EXTERNAL(vector) INFO(EVENT_TYPE_EXTERNAL, vector)

/* ---- which, and with what ---- */

static void controls(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_LONG64);
	assert_false(vmcs_get(VMCS_PROC_CONTROLS) & PROC_TPR_SHADOW);
	assert_true(vmcs_get(VMCS_PROC_CONTROLS) & PROC_CR8_LOAD);
	assert_true(vmcs_get(VMCS_PROC_CONTROLS) & PROC_CR8_STORE);
	assert_false(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_APIC_ACCESS);
	finish();
	for (unsigned n = 0; n < 2; n++) {
		at("ept", n ? "flexpriority" : "auto", BENCH_LONG64);
		assert_int_equal(vmcs_get(VMCS_PROC_CONTROLS) & (PROC_TPR_SHADOW | PROC_CR8_LOAD | PROC_CR8_STORE),
				 PROC_TPR_SHADOW);
		assert_true(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_APIC_ACCESS);
		assert_ptr_equal(host_memory(vmcs_get(VMCS_VIRTUAL_APIC_ADDRESS), PAGE_SIZE), bench.v->apic_registers);
		assert_int_equal(vmcs_get(VMCS_APIC_ACCESS_ADDRESS), hfn_hpa(bench.vm[0]->tpr.frame.hfn).v);
		assert_non_null(strstr(bench_log(), n ? "test0: tpr flexpriority, as asked for" :
						       "test0: tpr flexpriority, the best there is"));
		finish();
	}
}

static uint64_t without_shadow(uint32_t msr, uint64_t value)
{
	bool proc = msr == MSR_VMX_PROCBASED_CTLS || msr == TRUE_PROC;

	return proc ? value & ~((uint64_t)PROC_TPR_SHADOW << 32) : value;
}

static uint64_t without_access(uint32_t msr, uint64_t value)
{
	return msr == MSR_VMX_PROCBASED_CTLS2 ? value & ~((uint64_t)PROC2_APIC_ACCESS << 32) : value;
}

/* Of a CPU that lacks what it takes, the sentence says what. */
static void lacking(uint64_t (*msr)(uint32_t, uint64_t), const char *lacks)
{
	struct bench_config config = { .cpu = BENCH_HASWELL, .mmu = "", .tpr = "auto", .msr = msr };
	char text[200] = "test0: tpr trap, because ";
	struct vm *vm;

	bench_new(&config);
	check_entry(0);
	assert_int_equal(bench.vm[0]->tpr.method, CONFIG_TPR_TRAP);
	assert_non_null(strstr(bench_log(), strcat(text, lacks)));
	assert_string_equal(tpr_change(bench.vm[0], CONFIG_TPR_FLEXPRIORITY), lacks);
	assert_int_equal(bench.vm[0]->tpr.method, CONFIG_TPR_TRAP);
	config.tpr = "flexpriority";
	vm = bench_create(&config);
	assert_true(vm->ended);
	assert_int_equal(vm->status, VM_STATUS_UNSUPPORTED);
	assert_non_null(strstr(vm->end_text, "tpr flexpriority cannot be had"));
	assert_non_null(strstr(vm->end_text, lacks));
	finish();
}

static void cpus_without(void **state)
{
	(void)state;
	lacking(without_shadow, "the CPU has no TPR shadow");
	lacking(without_access, "the CPU has a TPR shadow, but does not virtualize APIC accesses");
}

/* ---- when an interrupt comes ---- */

/* The TPR holds one back: the threshold is its class, and only a write below it exits. */
static void the_threshold(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "flexpriority", BENCH_PAE);
		interrupts_on();
		STEP(bench_write_tpr(0x80));
		self_ipi(0x51);
		EXPECT_NOTHING();
		assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 5);
		assert_false(bench.entry.proc & PROC_INTERRUPT_WINDOW);
		bench.entries = 0;
		STEP(bench_write_tpr(0xf0));
		STEP(bench_write_tpr(0x50));
		STEP(bench_write_tpr(0x5f));
		assert_int_equal(bench.entries, 0);
		STEP(bench_write_tpr(0x4f));
		assert_int_equal(bench.entries, 1);
		EXPECT_EVENT(EXTERNAL(0x51), 0);
		assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 0);
		finish();
	}
}

/* What is in service holds back, not the TPR: no threshold, and the EOI brings it. */
static void in_service(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	interrupts_on();
	self_ipi(0x61);
	EXPECT_EVENT(EXTERNAL(0x61), 0);
	STEP(bench_write_tpr(0x70));
	self_ipi(0x55);
	EXPECT_NOTHING();
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 0);
	self_ipi(0x75);
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 7);
	STEP(apic_write(EOI, 0));
	EXPECT_NOTHING();
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 7);
	STEP(bench_write_tpr(0));
	EXPECT_EVENT(EXTERNAL(0x75), 0);
	STEP(apic_write(EOI, 0));
	EXPECT_EVENT(EXTERNAL(0x55), 0);
	finish();
}

/* Behind STI it is the lowering itself that ends the blocking. */
static void lowered_behind_sti(void **state)
{
	static const uint64_t blocking[] = { BLOCKING_STI, BLOCKING_MOV_SS };

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(blocking); n++) {
		at("ept", "flexpriority", BENCH_LONG64);
		interrupts_on();
		STEP(bench_write_tpr(0x80));
		self_ipi(0x51);
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, blocking[n]);
		STEP(bench_mov_to_cr(8, 4));
		EXPECT_EVENT(EXTERNAL(0x51), 0);
		finish();
	}
}

/* CR8 is the same register; a program that halts with a TPR that holds back does not wake. */
static void cr8_and_halt(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_LONG64);
	interrupts_on();
	bench.entries = 0;
	STEP(bench_mov_to_cr(8, 9));
	assert_int_equal(bench.entries, 0);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x90);
	self_ipi(0x91);
	EXPECT_NOTHING();
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	finish();
}

/* ---- a plain model of what comes when ---- */

struct model {
	bool irr[256], isr[256];
	uint8_t tpr;
};

static int highest(const bool *set)
{
	for (int v = 255; v >= 0; v--)
		if (set[v])
			return v;
	return -1;
}

/* The vector that must come now, or -1. */
static int model_takes(struct model *m)
{
	int irr = highest(m->irr), isr = highest(m->isr);
	int class = m->tpr >> 4 > isr >> 4 ? m->tpr >> 4 : isr >> 4;

	if (irr < 0 || irr >> 4 <= class)
		return -1;
	m->irr[irr] = false;
	m->isr[irr] = true;
	return irr;
}

static void model_step(struct model *m)
{
	unsigned what = (unsigned)rand() % 4;
	uint8_t value = (uint8_t)rand();
	int expected, isr = highest(m->isr);

	bench.entry.event = 0;
	if (what < 2) {
		m->tpr = what ? value : value & 0x3f;
		STEP(apic_write(TPR, m->tpr));
	} else if (what == 2) {
		value |= 0x10;
		m->irr[value] = true;
		self_ipi(value);
	} else {
		if (isr >= 0)
			m->isr[isr] = false;
		STEP(apic_write(EOI, 0));
	}
	expected = model_takes(m);
	EXPECT_EVENT(expected < 0 ? 0 : EXTERNAL((unsigned)expected), 0);
}

static void against_a_plain_model(void **state)
{
	static const char *const methods[] = { "trap", "flexpriority" };

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(methods); n++) {
		struct model m = { .tpr = 0 };

		srand(1);
		at("ept", methods[n], BENCH_PAE);
		interrupts_on();
		for (unsigned i = 0; i < 20000; i++)
			model_step(&m);
		finish();
	}
}

/* ---- other registers ---- */

static void behind_6_bytes(void)
{
	assert_int_equal(bench.entry.rip, BENCH_CODE + 6);
	assert_int_equal(bench.entry.rflags, RFLAGS_FIXED);
}

static void loads_and_stores(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "flexpriority", BENCH_PAE);
		/* The first is decoded, the others are known. */
		for (unsigned n = 0; n < 3; n++) {
			mov_load(PPR);
			*(uint32_t *)(void *)(bench.v->apic_registers + TPR) = 0x37 + n;
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
			STEP(apic_access(0, PPR));
			EXPECT_NOTHING();
			assert_int_equal(*bench_gpr(GPR_RCX), 0x37 + n);
			behind_6_bytes();
		}
		for (unsigned n = 0; n < 3; n++) {
			mov_store(SVR, 0x1f0 + n);
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
			STEP(apic_access(1, SVR));
			assert_int_equal(bench.v->lapic.svr, 0x1f0 + n);
			behind_6_bytes();
		}
		finish();
	}
}

static uint32_t stacked(unsigned below)
{
	uint32_t value;

	bench_peek(BENCH_STACK - below, &value, 4);
	return value;
}

/* What is no MOV of four bytes, however often it comes. */
static void other_instructions(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	STEP(apic_write(SVR, 0x1ab));
	for (unsigned n = 0; n < 2; n++) {
		vmcs_put(VMCS_GUEST_RSP, BENCH_STACK);
		CODE("\xff\xb3\xf0\0\0\0"); /* push [ebx + 0xf0] */
		STEP(apic_access(0, SVR));
		assert_int_equal(stacked(4), 0x1ab);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 4);
		CODE("\x0f\xb6\x8b\xf0\0\0\0"); /* movzx ecx, byte [ebx + 0xf0] */
		STEP(apic_access(0, SVR));
		assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), 0xab);
		CODE("\x8b\xa3\xf0\0\0\0"); /* mov esp, [ebx + 0xf0] */
		STEP(apic_access(0, SVR));
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), 0x1ab);
		CODE("\xc7\x83\xf0\0\0\0\xab\x01\0\0"); /* mov dword [ebx + 0xf0], 0x1ab */
		STEP(apic_access(1, SVR));
		assert_int_equal(bench.v->lapic.svr, 0x1ab);
		CODE("\x83\x8b\xf0\0\0\0\x03"); /* or dword [ebx + 0xf0], 3: an access to read and write */
		STEP(apic_access(n, SVR));
		assert_int_equal(bench.v->lapic.svr, 0x1ab);
		assert_int_equal(bench.entry.rip, BENCH_CODE + 7);
	}
	finish();
}

/* The bytes at the address are others than those that were decoded, or do the other thing: nothing is believed. */
static void other_bytes(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	CODE("\x8b\x93\xf0\0\0\0"); /* mov edx, [ebx + 0xf0] */
	*bench_gpr(GPR_RDX) = *bench_gpr(GPR_RCX) = 0;
	STEP(apic_access(0, SVR));
	assert_int_equal(*bench_gpr(GPR_RDX), 0xff | bench.v->lapic.svr);
	assert_int_equal(*bench_gpr(GPR_RCX), 0);
	finish();
}

static void a_breakpoint_on_the_page(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	vmcs_put(VMCS_GUEST_DR7, 0x400 | 1 | 0xf << 16); /* DR0: 4 bytes, read or written */
	bench.v->saved_dr[0] = LAPIC + SVR;
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	assert_true(bench.entry.pending_debug & 1);
	finish();
}

/* An event's delivery reached the page: it is delivered by the emulator, and not lost. */
static void the_delivery_of_an_event(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	mov_load(SVR);
	EXIT(.reason = EXIT_APIC_ACCESS, .qualification = 3u << 12 | SVR, .vectoring = EXTERNAL(0x51));
	/* There is no IDT: what the emulator finds is a fault of the guest's. */
	assert_true(bench.entry.event & EVENT_VALID);
	mov_load(SVR);
	EXIT(.reason = EXIT_APIC_ACCESS, .qualification = SVR, .vectoring = EXTERNAL(0x51));
	assert_true(bench.entry.event & EVENT_VALID);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

/* ---- where it is ---- */

static enum slot_kind kind_at(uint64_t gpa)
{
	const struct slot *s = slots_find(&bench.vm[0]->mmu.slots, gpa_gfn(GPA(gpa)));

	return s ? s->kind : SLOT_RAM;
}

static void apic_base(uint64_t value) { STEP(bench_wrmsr(MSR_APIC_BASE, value)); }

/* The guest has used the page, so that there is something to take away. */
static void use(const char *mmu, uint64_t gpa)
{
	if (!strcmp(mmu, "ept"))
		EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = 0x182, .gpa = gpa, .gva = gpa);
	else
		EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(14), .error = 2, .qualification = gpa);
}

static bool audits(void)
{
	char why[120];

	return mmu_audit(&bench.vm[0]->mmu, why, sizeof(why));
}

static void moved(const char *mmu)
{
	unsigned flushes;

	at(mmu, "flexpriority", BENCH_PAE);
	use(mmu, LAPIC + ID);
	assert_int_equal(kind_at(LAPIC), SLOT_APIC);
	flushes = bench.invepts + bench.invvpids;
	apic_base(ELSEWHERE | APIC_ON);
	assert_true(bench.invepts + bench.invvpids > flushes); /* P1 */
	assert_int_equal(kind_at(LAPIC), SLOT_MMIO);
	assert_int_equal(kind_at(ELSEWHERE), SLOT_APIC);
	assert_true(audits());
	*bench_gpr(GPR_RBX) = ELSEWHERE;
	mov_load(SVR);
	STEP(apic_access(0, SVR));
	assert_int_equal(*bench_gpr(GPR_RCX), bench.v->lapic.svr);
	/* In the middle of RAM it is not seen, as without. */
	apic_base(BENCH_DATA | APIC_ON);
	assert_int_equal(kind_at(BENCH_DATA), SLOT_RAM);
	assert_int_equal(kind_at(ELSEWHERE), SLOT_RAM);
	apic_base(LAPIC | APIC_ON);
	assert_int_equal(kind_at(LAPIC), SLOT_APIC);
	/* Disabled, and in x2APIC mode, no page answers. */
	apic_base(LAPIC | APIC_BASE_BSP);
	assert_int_equal(kind_at(LAPIC), SLOT_MMIO);
	apic_base(LAPIC | APIC_ON);
	assert_int_equal(kind_at(LAPIC), SLOT_APIC);
	apic_base(LAPIC | APIC_ON | APIC_BASE_EXTD);
	assert_int_equal(kind_at(LAPIC), SLOT_MMIO);
	assert_true(audits());
	finish();
}

static void the_local_apic_moves(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++)
		moved(mechanisms[m]);
}

/* Disabled with an interrupt waiting: neither that nor its threshold is left. */
static void disabled_while_one_waits(void **state)
{
	(void)state;
	at("ept", "flexpriority", BENCH_PAE);
	interrupts_on();
	STEP(bench_write_tpr(0x80));
	self_ipi(0x51);
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 5);
	apic_base(LAPIC | APIC_BASE_BSP);
	assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 0);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0);
	finish();
}

/* The frame is the guest's to read and write through the CPU, never to execute. */
static void a_fetch_from_the_page(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "flexpriority", BENCH_PAE);
		use(mechanisms[m], LAPIC + ID);
		assert_true(audits());
		vmcs_put(VMCS_GUEST_RIP, LAPIC + ID);
		if (m)
			EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(14), .error = 0x11,
			     .qualification = LAPIC + ID);
		else
			EXIT(.reason = EXIT_EPT_VIOLATION, .qualification = 0x184, .gpa = LAPIC + ID, .gva = LAPIC + ID);
		EXPECT_UD();
		finish();
	}
}

/* ---- another method ---- */

static enum bench_at ask(const char *request)
{
	bench_type(CONSOLE_STATS, request, strlen(request));
	return bench_interrupt(VECTOR_KICK);
}

static void changed_while_it_runs(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		at(mechanisms[m], "flexpriority", BENCH_PAE);
		interrupts_on();
		STEP(bench_write_tpr(0x80));
		self_ipi(0x51);
		use(mechanisms[m], LAPIC + ID);
		STEP(ask("t1 tpr 0 trap\n"));
		assert_non_null(strstr(bench_log(), "done t1 ok\n"));
		assert_int_equal(kind_at(LAPIC), SLOT_MMIO);
		assert_false(vmcs_get(VMCS_PROC_CONTROLS) & PROC_TPR_SHADOW);
		assert_false(vmcs_get(VMCS_PROC_CONTROLS2) & PROC2_APIC_ACCESS);
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x80);
		assert_true(audits());
		STEP(ask("t2 tpr 0 auto\n"));
		assert_int_equal(kind_at(LAPIC), SLOT_APIC);
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x80);
		assert_int_equal(vmcs_get(VMCS_TPR_THRESHOLD), 5);
		STEP(bench_write_tpr(0x40));
		EXPECT_EVENT(EXTERNAL(0x51), 0);
		STEP(ask("t3 tpr 0 patch-it\n"));
		assert_non_null(strstr(bench_log(), "done t3 error tpr must be trap, flexpriority or auto"));
		finish();
	}
}

/* The accesses that the hypervisor made. */
static void counted(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_LONG64);
	STEP(apic_write(TPR, 0x10));
	STEP(bench_mov_to_cr(8, 3));
	assert_int_equal(stats_tpr(bench.vm[0]).writes, 2);
	mov_load(TPR);
	EXIT(.reason = EXIT_EPT_MISCONFIG, .gpa = LAPIC + TPR);
	assert_int_equal(stats_tpr(bench.vm[0]).reads, 1);
	STEP(ask("s stats 0\n"));
	assert_non_null(strstr(bench_log(), "\"tpr\":{\"method\":\"trap\",\"reads\":1,\"writes\":2}"));
	finish();
	at("ept", "flexpriority", BENCH_LONG64);
	STEP(bench_write_tpr(0x10));
	STEP(bench_mov_to_cr(8, 3));
	assert_int_equal(stats_tpr(bench.vm[0]).writes, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controls),
		cmocka_unit_test(cpus_without),
		cmocka_unit_test(the_threshold),
		cmocka_unit_test(in_service),
		cmocka_unit_test(lowered_behind_sti),
		cmocka_unit_test(cr8_and_halt),
		cmocka_unit_test(against_a_plain_model),
		cmocka_unit_test(loads_and_stores),
		cmocka_unit_test(other_instructions),
		cmocka_unit_test(other_bytes),
		cmocka_unit_test(a_breakpoint_on_the_page),
		cmocka_unit_test(the_delivery_of_an_event),
		cmocka_unit_test(the_local_apic_moves),
		cmocka_unit_test(disabled_while_one_waits),
		cmocka_unit_test(a_fetch_from_the_page),
		cmocka_unit_test(changed_while_it_runs),
		cmocka_unit_test(counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
