/* Real mode run by the CPU in virtual-8086 mode (vmx/v86.c, vm/cpu/emulated.c, vcpu_v86_fits of vm/cpu/enterable.c):
 * what is entered with, what the guest finds of it, and what is left to the emulator. */
#include "test/unit/vm/fixture.h"

#include "lib/ports.h"
#include "vmx/v86.h"

#define CODE_AT 0x10000u /* CS 0x1000 */
#define HANDLER 0x20000u
#define STACK_SP 0x800u

static const struct {
	enum bench_cpu cpu;
	const char *mmu;
} cpus[] = { { BENCH_LYNNFIELD, "ept" }, { BENCH_LYNNFIELD, "shadow" }, { BENCH_PENRYN, "shadow" },
	     { BENCH_PENRYN, "vtlb" },   { BENCH_HASWELL, "brute" } };

static void start_v86(unsigned n, const char *tpr)
{
	bench_new(&(struct bench_config){ .cpu = cpus[n].cpu, .mmu = cpus[n].mmu, .tpr = tpr, .firmware = true,
					  .vm86 = true });
	/* The first jump is emulated: CS is not as virtual-8086 mode has it. */
	while (bench.at == BENCH_EMULATED)
		bench_emulate();
	check_entry(__LINE__);
	assert_int_equal(bench.at, BENCH_ENTRY);
}

/* As the guest's far jump and loads, which need no exit. */
static void put_segment(enum segment n, uint16_t selector)
{
	vmcs_put(VMCS_GUEST_ES_SELECTOR + 2 * n, selector);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * n, (uint64_t)selector << 4);
}

/* The guest is at the code, with the stack at 0x800. */
static void at_code(const void *code, size_t n)
{
	bench_poke(CODE_AT, code, n);
	put_segment(SEG_CS, CODE_AT >> 4);
	put_segment(SEG_SS, 0);
	vmcs_put(VMCS_GUEST_RIP, 0);
	vmcs_put(VMCS_GUEST_RSP, STACK_SP);
}

static void gp(uint32_t error)
{
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_GP), .error = error);
}

static bool in_v86(void)
{
	uint64_t rflags = vmcs_get(VMCS_GUEST_RFLAGS);

	return (rflags & RFLAGS_VM) && !(rflags & RFLAGS_IOPL);
}

static void what_is_entered_with(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(cpus); n++) {
		start_v86(n, NULL);
		assert_true(in_v86());
		assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0);
		assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0xf0000);
		for (enum segment s = SEG_ES; s <= SEG_GS; s++)
			assert_int_equal(vmcs_get(VMCS_GUEST_ES_ACCESS + 2 * s), SEGMENT_V86);
		assert_int_equal(vmcs_get(VMCS_EXCEPTION_BITMAP), 0xffffffff);
		assert_int_equal(vmcs_get(VMCS_GUEST_IDTR_LIMIT), 0xffff); /* for SIDT */
		assert_int_equal(bench.v->mmu.regs.cr0 & (CR0_PE | CR0_PG), 0);
		assert_int_equal(vmcs_get(VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
		STEP(bench_exit_simple(EXIT_CPUID, 2));
		assert_true(in_v86());
		assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 2);
		finish();
	}
}

/* The guest's own IOPL, and the other flags, are what its instructions say. */
static void flags(void **state)
{
	static const uint8_t code[] = { 0x9d, 0x9c, 0x58, 0xfa, 0xfb }; /* popf; pushf; pop %ax; cli; sti */
	static const uint16_t wanted = 0x7ad7;
	uint16_t pushed;

	(void)state;
	start_v86(0, NULL);
	at_code(code, sizeof(code));
	bench_poke(STACK_SP, &wanted, sizeof(wanted));
	gp(0);
	assert_true(in_v86());
	gp(0);
	assert_true(in_v86());
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 2);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), STACK_SP);
	bench_peek(STACK_SP, &pushed, sizeof(pushed));
	assert_int_equal(pushed, wanted);
	vmcs_put(VMCS_GUEST_RIP, 3);
	gp(0);
	assert_false(vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
	gp(0);
	assert_true(vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
	assert_true(bench.entry.interruptibility & BLOCKING_STI);
	finish();
}

/* A single step begins in virtual-8086 mode, by an IRET or POPF of the guest's, and its traps are real mode's. */
static void single_steps(void **state)
{
	static const uint16_t vector[2] = { 0x9a, HANDLER >> 4 };
	static const uint16_t trap = RFLAGS_FIXED | RFLAGS_TF;
	uint16_t frame[3];

	(void)state;
	start_v86(0, NULL);
	bench_poke(VECTOR_DB * 4, vector, sizeof(vector));
	at_code("\x9d\x90\x90", 3); /* popf; nop; nop */
	bench_poke(STACK_SP, &trap, sizeof(trap));
	gp(0);
	assert_true(in_v86()); /* in the handler */
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0x9a);
	bench_peek(STACK_SP + 2 - 6, frame, sizeof(frame));
	assert_int_equal(frame[0], 2); /* behind the first NOP */
	assert_true(frame[2] & RFLAGS_TF);
	finish();
}

/* INT n goes through the vector table, with the flags that real mode has: IOPL is the guest's own. */
static void interrupts_of_software(void **state)
{
	static const uint16_t vector[2] = { 0x34, HANDLER >> 4 };
	uint16_t frame[3];

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(cpus); n++) {
		start_v86(n, NULL);
		bench_poke(0x21 * 4, vector, sizeof(vector));
		at_code("\xcd\x21", 2);
		gp(0);
		assert_true(in_v86());
		assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0x34);
		assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_CS), HANDLER >> 4);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), STACK_SP - 6);
		bench_peek(STACK_SP - 6, frame, sizeof(frame));
		assert_int_equal(frame[0], 2);
		assert_int_equal(frame[1], CODE_AT >> 4);
		assert_int_equal(frame[2] & RFLAGS_IOPL, 0);
		finish();
	}
}

/* Privileged instructions fault there, and do not in real mode. */
static void privileged(void **state)
{
	static const uint8_t lgdt[] = { 0x0f, 0x01, 0x16, 0x00, 0x05, 0x0f, 0x06, 0xf4 }; /* lgdt 0x500; clts; hlt */
	static const uint8_t table[] = { 0x27, 0x00, 0x78, 0x56, 0x34, 0x12 };

	(void)state;
	start_v86(0, NULL);
	bench_poke(0x500, table, sizeof(table));
	at_code(lgdt, sizeof(lgdt));
	gp(0);
	assert_true(in_v86());
	assert_int_equal(vmcs_get(VMCS_GUEST_GDTR_BASE), 0x345678);
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 5);
	gp(0);
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 7);
	EXPECT_END(bench_exit(&(struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI,
						    .info = EXCEPTION_ERROR(VECTOR_GP) }), "halted for good");
	finish();
}

/* An exception of the guest's own is delivered as real mode does it, without an error code. */
static void exceptions(void **state)
{
	static const uint16_t vector[2] = { 0x56, HANDLER >> 4 };
	uint16_t frame[3];

	(void)state;
	start_v86(0, NULL);
	bench_poke(VECTOR_DE * 4, vector, sizeof(vector));
	bench_poke(VECTOR_GP * 4, vector, sizeof(vector));
	at_code("\xf6\xf1", 2); /* div %cl */
	*bench_gpr(GPR_RCX) = 0;
	EXIT(.reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION(VECTOR_DE));
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0x56);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), STACK_SP - 6);
	bench_peek(STACK_SP - 6, frame, sizeof(frame));
	assert_int_equal(frame[0], 0);
	at_code("\xa1\xff\xff", 3); /* a word at the segment's end */
	gp(0);
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0x56);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), STACK_SP - 6);
	finish();
}

/* To protected mode: from there on the emulator has it, until its segments are those of protected mode. */
static void out_of_it(void **state)
{
	static const uint8_t code[] = { 0x0f, 0x22, 0xc0, 0xeb, 0xfe }; /* mov %eax,%cr0; jmp . */

	(void)state;
	start_v86(0, NULL);
	at_code(code, sizeof(code));
	put_segment(SEG_DS, 0x1233); /* which would be a selector with RPL 3 */
	*bench_gpr(GPR_RAX) = CR0_PE | CR0_ET;
	bench_exit(&(struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_GP) });
	assert_int_equal(bench.at, BENCH_EMULATED);
	assert_false(vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_VM);
	assert_int_equal(bench.v->mmu.regs.cr0 & CR0_PE, CR0_PE);
	finish();
}

/* Ports exit by themselves, by the TSS of who has a firmware. */
static void ports(void **state)
{
	uint8_t map[2];

	(void)state;
	start_v86(0, NULL);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_LIMIT + 2 * SEG_TR), 0x68 + 0x2000);
	bench_peek(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_TR) + 102, map, sizeof(map));
	assert_int_equal(map[0] | map[1] << 8, 0x68);
	at_code("\xee", 1);
	bench_gpr(GPR_RAX)[0] = 0x5a;
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)PORT_POST << 16, .length = 1);
	assert_true(in_v86());
	assert_int_equal(bench.v->vm->ports.post[0], 0x5a);
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 1);
	finish();
}

/* An interrupt of the guest's comes through its vector table, when its IF lets it. */
static void interrupts_of_hardware(void **state)
{
	static const uint16_t vector[2] = { 0x78, HANDLER >> 4 };
	static const char *const methods[] = { "trap", "flexpriority" };

	(void)state;
	for (unsigned m = 0; m < 2; m++) {
		start_v86(0, methods[m]);
		bench_poke(0x31 * 4, vector, sizeof(vector));
		at_code("\x90\x90\x90", 3);
		spin_lock(&bench.v->vm->device_lock);
		lapic_mmio_write(&bench.v->lapic, APIC_SVR, 4, SVR_ENABLED | 0xff);
		lapic_mmio_write(&bench.v->lapic, APIC_ICR, 4, 0x00040031); /* to itself */
		spin_unlock(&bench.v->vm->device_lock);
		STEP(bench_interrupt(VECTOR_KICK));
		assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0);
		assert_true(vmcs_get(VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
		vmcs_put(VMCS_GUEST_RFLAGS, vmcs_get(VMCS_GUEST_RFLAGS) | RFLAGS_IF); /* STI */
		STEP(bench_exit_simple(EXIT_INTERRUPT_WINDOW, 0));
		assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0x78);
		assert_false(vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
		assert_false(vmcs_get(VMCS_PROC_CONTROLS) & PROC_INTERRUPT_WINDOW);
		EXPECT_NOTHING(); /* the CPU delivers none */
		finish();
	}
}

/* ---- begin and end ---- */

static const enum vmcs_field kept[] = { VMCS_GUEST_RFLAGS, VMCS_GUEST_SYSENTER_CS,
					VMCS_EXCEPTION_BITMAP, VMCS_PF_ERROR_MASK, VMCS_PF_ERROR_MATCH,
					VMCS_GUEST_INTERRUPT_STATUS, VMCS_GUEST_ES_ACCESS,
					VMCS_GUEST_ES_ACCESS + 2 * SEG_CS, VMCS_GUEST_ES_ACCESS + 2 * SEG_GS,
					VMCS_GUEST_ES_ACCESS + 2 * SEG_TR, VMCS_GUEST_ES_LIMIT + 2 * SEG_TR,
					VMCS_GUEST_ES_BASE + 2 * SEG_TR, VMCS_GUEST_ES_SELECTOR + 2 * SEG_TR };

static void all_is_as_it_was(void **state)
{
	uint64_t before[ARRAY_SIZE(kept)];
	struct hvm_tss none = { 0, 0 };
	struct hvm_v86 was;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .tpr = "apicv" });
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_ZF | 1 << RFLAGS_IOPL_SHIFT);
	vmcs_put(VMCS_GUEST_SYSENTER_CS, 0x10);
	vmcs_put(VMCS_GUEST_INTERRUPT_STATUS, 0x4061);
	for (unsigned n = 0; n < ARRAY_SIZE(kept); n++)
		before[n] = vmcs_get(kept[n]);
	hvm_v86_begin(&bench.v->hvm, &none, &was);
	assert_int_equal(vmcs_get(VMCS_GUEST_SYSENTER_CS), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_INTERRUPT_STATUS), 0x4000);
	assert_int_equal(vmcs_get(VMCS_EXCEPTION_BITMAP), 0xffffffff);
	hvm_v86_end(&bench.v->hvm, &was);
	for (unsigned n = 0; n < ARRAY_SIZE(kept); n++)
		assert_int_equal(vmcs_get(kept[n]), before[n]);
	finish();
}

/* ---- what is not run so (EN2) ---- */

static struct vcpu *fitting(void)
{
	static const struct segment_state data = { 0x1234, 0xffff, SEGMENT_DATA16, 0x12340 },
					  code = { 0x1000, 0xffff, SEGMENT_CODE16, 0x10000 };
	struct vcpu *v;

	bench_new(&(struct bench_config){ .cpu = BENCH_LYNNFIELD, .mmu = "ept", .firmware = true });
	v = bench.v ? bench.v : vm_boot_vcpu(bench.vm[0]);
	((struct vm_config *)(uintptr_t)v->vm->config)->vm86 = CONFIG_ON;
	for (enum segment n = SEG_ES; n <= SEG_GS; n++)
		hvm_set_segment(&v->hvm, n, n == SEG_CS ? &code : &data);
	hvm_set_rip(&v->hvm, 0);
	hvm_set_rflags(&v->hvm, RFLAGS_FIXED);
	hvm_set_dr7(&v->hvm, DR7_RESET);
	hvm_set_pending_debug(&v->hvm, 0);
	v->mmu.regs.cr0 = CR0_ET;
	v->mmu.regs.cr4 = 0;
	v->event.info = 0;
	assert_true(vcpu_v86_fits(v));
	return v;
}

static void not_with_segment(enum segment n, struct segment_state s)
{
	struct vcpu *v = fitting();
	struct segment_state was = hvm_segment(&v->hvm, n);

	hvm_set_segment(&v->hvm, n, &s);
	assert_false(vcpu_v86_fits(v));
	hvm_set_segment(&v->hvm, n, &was);
	assert_true(vcpu_v86_fits(v));
	finish();
}

static void check_segment(struct vcpu *v, enum segment n, const struct segment_state *wanted)
{
	struct segment_state s = hvm_segment(&v->hvm, n);

	assert_int_equal(s.selector, wanted->selector);
	assert_int_equal(s.limit, wanted->limit);
	assert_int_equal(s.access, wanted->access);
	assert_int_equal(s.base, wanted->base);
}

/* "Unreal" mode: the CPU has segments of 64 KiB; a load there changes the base alone. */
static void large_segments(void **state)
{
	static const struct segment_state es = { 0x1234, 0xffffffff, SEGMENT_FLAT_DATA, 0x12340 },
					  ss = { 0x2000, 0x7fffff, SEGMENT_DATA16 | SEGMENT_G, 0x20000 },
					  loaded = { 0x4321, 0xffffffff, SEGMENT_FLAT_DATA, 0x43210 };
	struct hvm_tss none = { 0, 0 };
	struct hvm_v86 was;
	struct vcpu *v;

	(void)state;
	v = fitting();
	hvm_set_segment(&v->hvm, SEG_ES, &es);
	hvm_set_segment(&v->hvm, SEG_SS, &ss);
	assert_true(vcpu_v86_fits(v));
	hvm_v86_begin(&v->hvm, &none, &was);
	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		assert_int_equal(hvm_segment(&v->hvm, n).limit, 0xffff);
		assert_int_equal(hvm_segment(&v->hvm, n).access, SEGMENT_V86);
	}
	put_segment(SEG_ES, 0x4321);
	hvm_v86_end(&v->hvm, &was);
	check_segment(v, SEG_ES, &loaded);
	check_segment(v, SEG_SS, &ss);
	finish();
}

static void what_does_not_fit(void **state)
{
	struct vcpu *v;

	(void)state;
	not_with_segment(SEG_CS, (struct segment_state){ 0xf000, 0xffff, SEGMENT_CODE16, 0xffff0000 });
	not_with_segment(SEG_DS, (struct segment_state){ 0x1234, 0xffff, SEGMENT_DATA16, 0x12350 });
	not_with_segment(SEG_ES, (struct segment_state){ 0x1234, 0xfffff, SEGMENT_DATA16, 0x12340 });
	not_with_segment(SEG_ES, (struct segment_state){ 0x1234, 0x0fff, SEGMENT_DATA16 | SEGMENT_G, 0x12340 });
	not_with_segment(SEG_CS, (struct segment_state){ 0x1000, 0xffff, SEGMENT_CODE16 | SEGMENT_DB, 0x10000 });
	not_with_segment(SEG_GS, (struct segment_state){ 8, 0xffffffff, SEGMENT_FLAT_DATA, 0 });
	not_with_segment(SEG_SS, (struct segment_state){ 0x1234, 0x0fff, SEGMENT_DATA16, 0x12340 });
	not_with_segment(SEG_SS, (struct segment_state){ 0x1234, 0xffff, SEGMENT_DATA16 | SEGMENT_DB, 0x12340 });
	not_with_segment(SEG_FS, (struct segment_state){ 0x1234, 0xffff, SEGMENT_DATA16 & ~TYPE_READ_WRITE, 0x12340 });
	v = fitting();
	hvm_set_rflags(&v->hvm, RFLAGS_FIXED | RFLAGS_TF);
	assert_false(vcpu_v86_fits(v));
	hvm_set_rflags(&v->hvm, RFLAGS_FIXED);
	hvm_set_dr7(&v->hvm, DR7_RESET | 1);
	assert_false(vcpu_v86_fits(v));
	hvm_set_dr7(&v->hvm, DR7_RESET);
	v->mmu.regs.cr0 |= CR0_AM;
	assert_false(vcpu_v86_fits(v));
	v->mmu.regs.cr0 = CR0_ET;
	v->mmu.regs.cr4 = CR4_VME;
	assert_false(vcpu_v86_fits(v));
	v->mmu.regs.cr4 = 0;
	hvm_set_rip(&v->hvm, 0x10000);
	assert_false(vcpu_v86_fits(v));
	hvm_set_rip(&v->hvm, 0);
	v->mmu.regs.cr0 |= CR0_PE;
	assert_false(vcpu_v86_fits(v));
	v->mmu.regs.cr0 = CR0_ET;
	assert_true(vcpu_v86_fits(v));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_entered_with),	  cmocka_unit_test(flags),
		cmocka_unit_test(single_steps),		  cmocka_unit_test(interrupts_of_software),
		cmocka_unit_test(privileged),		  cmocka_unit_test(exceptions),
		cmocka_unit_test(out_of_it),		  cmocka_unit_test(ports),
		cmocka_unit_test(interrupts_of_hardware), cmocka_unit_test(all_is_as_it_was),
		cmocka_unit_test(large_segments),	  cmocka_unit_test(what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
