/* Virtual CPUs that are started and reset by the others (vm/cpu/vcpu.c), and what the guest is told of how many there
 * are. */
#include "test/unit/vm/fixture.h"

#define X2APIC_SVR (MSR_X2APIC(APIC_SVR))
#define ICR_NMI 0x400u
#define ICR_INIT 0x4500u
#define ICR_STARTUP 0x4600u
#define TO_SECOND (1ull << 32)
#define ALL_BUT_SELF 0xc0000u

static struct bench_config config = { .cpu = BENCH_HASWELL, .mmu = "ept" };
static struct vm *vm;
static struct vcpu *boot, *second;

static void start_with(unsigned vcpus)
{
	char description[40];

	snprintf(description, sizeof(description), "vcpus %u\n", vcpus);
	config.description = description;
	bench_new(&config);
	check_entry(0);
	vm = bench.vm[0];
	boot = vm_boot_vcpu(vm);
	second = vm->vcpu[1];
	assert_int_equal(vm->vcpu_count, vcpus);
	assert_ptr_equal(bench.v, boot);
	STEP(bench_wrmsr(MSR_APIC_BASE, X2APIC_ON | APIC_BASE_BSP));
}

static void send(uint64_t icr) { STEP(bench_wrmsr(MSR_X2APIC_ICR, icr)); }

static void slices_until(const struct vcpu *v)
{
	for (unsigned n = 0; bench.v != v; n++) {
		assert_true(n < 50);
		STEP(bench_slice());
	}
}

static void start_second(uint8_t vector)
{
	slices_until(boot);
	send(TO_SECOND | ICR_INIT);
	send(TO_SECOND | ICR_STARTUP | vector);
	slices_until(second);
}

static void stays_with_boot(void)
{
	for (unsigned n = 0; n < 10; n++) {
		STEP(bench_slice());
		assert_ptr_equal(bench.v, boot);
	}
}

static void others_wait(void **state)
{
	(void)state;
	start_with(3);
	for (unsigned n = 1; n < 3; n++)
		assert_true(vcpu_waits(vm->vcpu[n]) && vm->vcpu[n]->halted);
	stays_with_boot();
	/* Nothing but a start-up IPI wakes one. */
	send(TO_SECOND | 0x31);
	send(TO_SECOND | ICR_NMI);
	stays_with_boot();
	assert_false(vcpu_nmi_pending(second));
	finish();
}

/* Where the start-up IPI says; SDM, "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
static void a_start_up_ipi(void **state)
{
	(void)state;
	start_with(2);
	send(TO_SECOND | ICR_STARTUP | 0x9a);
	slices_until(second);
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_SELECTOR + 2 * SEG_CS), 0x9a00);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x9a000);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_LIMIT + 2 * SEG_CS), 0xffff);
	assert_int_equal(vmcs_get(VMCS_GUEST_RFLAGS), RFLAGS_FIXED);
	assert_int_equal(vmcs_get(VMCS_GUEST_IDTR_LIMIT), 0xffff);
	assert_int_equal(vmcs_get(VMCS_CR0_SHADOW), CR0_ET | CR0_CD | CR0_NW);
	assert_int_equal(*bench_gpr(GPR_RDX), vm->cpuid.basic[1].eax);
	assert_false(vcpu_waits(second) || second->halted);
	assert_int_equal(second->tsc_offset, boot->tsc_offset);
	slices_until(boot);
	slices_until(second);
	finish();
}

/* The first of two counts, and one to a CPU that runs not at all. */
static void start_up_ipis_that_count(void **state)
{
	(void)state;
	start_with(2);
	send(TO_SECOND | ICR_STARTUP | 0x10);
	send(TO_SECOND | ICR_STARTUP | 0x11);
	slices_until(second);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x10000);
	vmcs_put(VMCS_GUEST_RIP, 0x100);
	slices_until(boot);
	send(TO_SECOND | ICR_STARTUP | 0x12);
	slices_until(second);
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0x100);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x10000);
	/* An INIT takes the place of one that came before and that was not taken. */
	slices_until(boot);
	send(TO_SECOND | ICR_INIT);
	send(TO_SECOND | ICR_STARTUP | 0x20);
	send(TO_SECOND | ICR_INIT);
	stays_with_boot();
	assert_true(vcpu_waits(second) && !(second->signals & SIGNAL_SIPI));
	finish();
}

static void make_a_mess(void)
{
	assert_true(bench_mode(BENCH_LONG64, 0));
	*bench_gpr(GPR_RBX) = 5;
	vmcs_put(VMCS_GUEST_SYSENTER_EIP, 0x1234);
	vmcs_put(VMCS_GUEST_DR7, 0x401);
	vmcs_put(VMCS_GUEST_GDTR_BASE, 0x1000);
	vmcs_put(VMCS_GUEST_CR4, vmcs_get(VMCS_GUEST_CR4) | CR4_PGE);
	second->saved_dr[0] = 0x7000;
	second->saved_cr2 = 0x8000;
	second->xcr0 = 3;
	STEP(bench_wrmsr(X2APIC_SVR, SVR_ENABLED | 0xff));
}

/* INIT alone leaves it waiting; a start-up IPI that had come before, while it ran, does not count. */
static void init_alone(void **state)
{
	(void)state;
	start_with(2);
	start_second(0x10);
	slices_until(boot);
	send(TO_SECOND | ICR_STARTUP | 0x20);
	assert_false(second->signals & SIGNAL_SIPI);
	send(TO_SECOND | ICR_INIT);
	stays_with_boot();
	assert_true(vcpu_waits(second) && second->halted && second->deaf);
	finish();
}

/* What INIT changes, and what it leaves. */
static void init_resets(void **state)
{
	unsigned flushes;

	(void)state;
	start_with(2);
	start_second(0x10);
	STEP(bench_wrmsr(MSR_APIC_BASE, X2APIC_ON));
	make_a_mess();
	assert_true(second->lapic.sw_enabled);
	second->event.info = (uint32_t)EVENT_VALID | EVENT_TYPE_EXTERNAL | 0x55;
	second->signals |= SIGNAL_NMI;
	slices_until(boot);
	flushes = bench.invvpids + bench.invepts;
	start_second(0x11);
	assert_true(bench.invvpids + bench.invepts > flushes);
	assert_int_equal(bench.entry.event, 0);
	assert_int_equal(*bench_gpr(GPR_RBX), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_RIP), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x11000);
	assert_int_equal(vmcs_get(VMCS_GUEST_GDTR_BASE), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_DR7), 0x400);
	assert_int_equal(vmcs_get(VMCS_GUEST_CR3), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_CR4) & (CR4_PAE | CR4_PGE), 0);
	assert_int_equal(vmcs_get(VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), 0);
	assert_int_equal(vmcs_get(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E, 0);
	assert_int_equal(second->mmu.regs.efer, 0);
	assert_int_equal(second->saved_dr[0], 0);
	assert_int_equal(second->saved_cr2, 0);
	assert_false(second->lapic.sw_enabled);
	/* unchanged */
	assert_true(second->lapic.x2apic);
	assert_int_equal(second->xcr0, 3);
	assert_int_equal(vmcs_get(VMCS_GUEST_SYSENTER_EIP), 0x1234);
	finish();
}

/* It is for the code that starts, however fast it comes; one between INIT and start-up IPI is lost. */
static void an_nmi_behind_a_start(void **state)
{
	(void)state;
	start_with(2);
	for (unsigned n = 0; n < 2; n++, slices_until(boot)) {
		send(TO_SECOND | ICR_INIT);
		send(TO_SECOND | (n ? ICR_STARTUP | 0x10 : ICR_NMI));
		send(TO_SECOND | (n ? ICR_NMI : ICR_STARTUP | 0x10));
		assert_false(vcpu_nmi_pending(second));
		slices_until(second);
		assert_int_equal(bench.entry.event, n == 1 ? (uint32_t)EVENT_VALID | EVENT_TYPE_NMI | VECTOR_NMI : 0);
	}
	finish();
}

/* CR0.CD and NW stay as the guest has them. */
static void init_leaves_caching(void **state)
{
	(void)state;
	start_with(2);
	start_second(0x10);
	assert_int_equal(vmcs_get(VMCS_CR0_SHADOW), CR0_ET | CR0_CD | CR0_NW);
	STEP(bench_mov_to_cr(0, CR0_ET));
	start_second(0x10);
	assert_int_equal(vmcs_get(VMCS_CR0_SHADOW), CR0_ET);
	finish();
}

static void init_to_all_others(void **state)
{
	(void)state;
	start_with(4);
	send(ALL_BUT_SELF | ICR_INIT);
	send(ALL_BUT_SELF | ICR_STARTUP | 0x30);
	for (unsigned n = 1; n < 4; n++) {
		slices_until(vm->vcpu[n]);
		assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x30000);
	}
	finish();
}

static void init_to_the_boot_processor(void **state)
{
	(void)state;
	start_with(2);
	start_second(0x10);
	STEP(bench_wrmsr(MSR_APIC_BASE, X2APIC_ON));
	EXPECT_END(bench_wrmsr(MSR_X2APIC_ICR, ICR_INIT), "reset by an INIT");
	bench_delete();
}

/* Linux takes a CPU off by HLT with interrupts disabled, and brings it back by INIT. */
static void offline_and_back(void **state)
{
	(void)state;
	start_with(2);
	start_second(0x10);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	assert_ptr_equal(bench.v, boot);
	assert_false(vm->ended);
	start_second(0x12);
	assert_int_equal(vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x12000);
	finish();
}

/* Nobody is left who could wake another: also where the last to halt had sent something before. */
static void halted_for_good(void **state)
{
	(void)state;
	start_with(2);
	EXPECT_END(bench_exit_simple(EXIT_HLT, 1), "halted for good");
	bench_delete();
	start_with(2);
	start_second(0x10);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	assert_ptr_equal(bench.v, boot);
	send(TO_SECOND | ICR_NMI);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	assert_ptr_equal(bench.v, second);
	assert_int_equal(bench.entry.event & EVENT_TYPE, EVENT_TYPE_NMI);
	EXPECT_END(bench_exit_simple(EXIT_HLT, 1), "halted for good");
	bench_delete();
}

/* A fixed interrupt reaches the other's local APIC, and wakes it. */
static void an_interrupt_to_another(void **state)
{
	(void)state;
	start_with(2);
	start_second(0x10);
	STEP(bench_wrmsr(MSR_APIC_BASE, X2APIC_ON));
	STEP(bench_wrmsr(X2APIC_SVR, SVR_ENABLED | 0xff));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	assert_ptr_equal(bench.v, boot);
	send(TO_SECOND | 0x44);
	slices_until(second);
	assert_int_equal(bench.entry.event & EVENT_VECTOR, 0x44);
	finish();
}

static struct cpuid answer(uint32_t leaf, uint32_t subleaf)
{
	*bench_gpr(GPR_RAX) = leaf;
	*bench_gpr(GPR_RCX) = subleaf;
	again();
	return (struct cpuid){ (uint32_t)*bench_gpr(GPR_RAX), (uint32_t)*bench_gpr(GPR_RBX),
			       (uint32_t)*bench_gpr(GPR_RCX), (uint32_t)*bench_gpr(GPR_RDX) };
}

/* A first-level cache of one core, a third-level one of all eight. */
static struct cpuid caches(uint32_t leaf, uint32_t subleaf, struct cpuid c)
{
	if (leaf == CPUID_LEAF_BASIC && c.eax < CPUID_LEAF_CACHE)
		c.eax = CPUID_LEAF_CACHE;
	if (leaf == CPUID_LEAF_CACHE)
		c = (struct cpuid){ subleaf == 0 ? 0x1c004121 : subleaf == 1 ? 0x1c03c163 : 0, 0, 0, 0 };
	return c;
}

static void what_cpuid_says(void **state)
{
	(void)state;
	config.cpuid = caches;
	start_with(3);
	config.cpuid = NULL;
	assert_int_equal(answer(1, 0).ebx >> 16, 3);
	assert_true(answer(1, 0).edx & CPUID_1_EDX_HTT);
	assert_int_equal(answer(0xb, 0).ebx, 1);
	assert_int_equal(answer(0xb, 0).eax, 0);
	assert_int_equal(answer(0xb, 1).ebx, 3);
	assert_int_equal(answer(0xb, 1).eax, 2);
	assert_int_equal(answer(0xb, 1).ecx, 0x201);
	assert_int_equal(answer(4, 0).eax >> 26, 3);       /* cores, less 1 */
	assert_int_equal(answer(4, 0).eax >> 14 & 0xfff, 0); /* L1: of one */
	assert_int_equal(answer(4, 1).eax >> 14 & 0xfff, 3); /* L3: of all */
	assert_int_equal(answer(4, 2).eax, 0);               /* no more */
	start_second(0x10);
	assert_int_equal(answer(1, 0).ebx >> 16, 1 << 8 | 3);
	assert_int_equal(answer(0xb, 0).edx, 1);
	finish();
	start_with(1 + 1);
	assert_int_equal(answer(0xb, 1).eax, 1);
	finish();
}

static uint8_t cfg(uint16_t key)
{
	*bench_gpr(GPR_RAX) = key;
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = 0x510 << 16 | 1, .length = 1);
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)FW_CFG_DATA << 16 | IO_IN, .length = 1);
	return (uint8_t)*bench_gpr(GPR_RAX);
}

static void what_the_firmware_says(void **state)
{
	uint8_t table[0x200];
	unsigned cpus = 0;

	(void)state;
	start_with(5);
	assert_int_equal(cfg(FW_CFG_NB_CPUS), 5);
	assert_int_equal(cfg(FW_CFG_MAX_CPUS), 5);
	bench_peek(0xf0000, table, sizeof(table));
	for (unsigned at = 16 + 44; table[at] == 0; at += 20) /* processor entries come first */
		cpus++;
	assert_int_equal(cpus, 5);
	finish();
}

/* Where the CPU cannot run it in real mode the emulator does; a jump there for ever, in its turns. */
static void under_shadow_tables(void **state)
{
	(void)state;
	config.mmu = "shadow";
	start_with(2);
	config.mmu = "ept";
	bench_poke(0x9a000, "\xeb\xfe", 2);
	send(TO_SECOND | ICR_STARTUP | 0x9a);
	for (unsigned n = 0; n < 50 && bench.at == BENCH_ENTRY; n++)
		bench_slice();
	assert_int_equal(bench.at, BENCH_EMULATED);
	assert_ptr_equal(bench.v, second);
	assert_true(second->emulated);
	finish();
}

/* One that ran by itself, and is started anew where it cannot. */
static void anew_under_shadow_tables(void **state)
{
	(void)state;
	start_with(2);
	start_second(0x9a);
	assert_true(bench_mode(BENCH_LONG64, 0));
	slices_until(boot);
	assert_null(vm_switch(vm, mmu_mechanism_by_name("shadow")));
	again();
	assert_false(second->emulated);
	bench_poke(0x9a000, "\xeb\xfe", 2);
	send(TO_SECOND | ICR_INIT);
	send(TO_SECOND | ICR_STARTUP | 0x9a);
	for (unsigned n = 0; n < 50 && bench.at == BENCH_ENTRY; n++)
		bench_slice();
	assert_int_equal(bench.at, BENCH_EMULATED);
	assert_true(second->emulated);
	finish();
}

/* Alarms of devices are the boot processor's, and covered by its CPU whoever arms them. */
static unsigned kicks;

static void count_kicks(uint32_t apic_id)
{
	(void)apic_id;
	kicks++;
}

static unsigned fired;

static void fires(void *dev, uint64_t now)
{
	(void)dev;
	(void)now;
	fired++;
}

static void an_alarm_armed_elsewhere(void **state)
{
	static struct percpu elsewhere;
	struct timer timer = { .fire = fires };

	(void)state;
	start_with(2);
	host_kicked = count_kicks;
	kicks = 0;
	timer_arm(&vm->device_timers, &timer, 1);
	assert_int_equal(kicks, 0);
	timer_cancel(&vm->device_timers, &timer);
	boot->cpu = &elsewhere;
	timer_arm(&vm->device_timers, &timer, 1);
	boot->cpu = &soft.percpu;
	assert_int_equal(kicks, 1);
	timer_cancel(&vm->device_timers, &timer);
	host_kicked = NULL;
	/* Its CPU looks at it when it is due. */
	fired = 0;
	timer_arm(&vm->device_timers, &timer, timers_now(&vm->device_timers) + 10000);
	again();
	assert_in_range(soft.percpu.timer_armed, 0, soft.tsc + 10000);
	STEP(bench_timer());
	assert_int_equal(fired, 1);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_wait), cmocka_unit_test(a_start_up_ipi),
		cmocka_unit_test(start_up_ipis_that_count), cmocka_unit_test(init_alone),
		cmocka_unit_test(init_resets), cmocka_unit_test(an_nmi_behind_a_start),
		cmocka_unit_test(init_leaves_caching), cmocka_unit_test(init_to_all_others),
		cmocka_unit_test(init_to_the_boot_processor), cmocka_unit_test(offline_and_back),
		cmocka_unit_test(halted_for_good), cmocka_unit_test(an_interrupt_to_another),
		cmocka_unit_test(what_cpuid_says), cmocka_unit_test(what_the_firmware_says),
		cmocka_unit_test(under_shadow_tables), cmocka_unit_test(anew_under_shadow_tables),
		cmocka_unit_test(an_alarm_armed_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
