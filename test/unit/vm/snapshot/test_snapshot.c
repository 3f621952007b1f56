/* Snapshots (vm/snapshot/): what is taken of a virtual machine that stands, and one that goes on with it, of whatever
 * mechanism and CPU; and what is refused. */
#include "test/unit/vm/snapshot/taken.h"
#include "test/unit/vm/snapshot/same.h"

#include <stdio.h>

#include "lib/x86_msr.h"
#include "vm/device/virtio.h"

/* The clock stood meanwhile; a guest's own does not see the hypervisor's work either. */
static void is_as_it_was(void)
{
	is_the_same();
	assert_in_range(guest_tsc() - tsc, 0, 1000000);
}

static void restore_under(const char *mmu)
{
	take();
	finish();
	restore_as((struct bench_config){ .mmu = mmu, .guest_clock = true });
	is_as_it_was();
}

static void works_on(void) { EXIT(.reason = EXIT_CPUID, .length = 2); }

static void under_every_mechanism(void **state)
{
	(void)state;
	from_each_to_each(restore_under, works_on);
}

/* Whatever mode it was in. */
static void in_every_mode(void **state)
{
	(void)state;
	of_each_mode(restore_under);
}

/* An interrupt that waits in the local APIC; one that was about to be injected; a sleeping CPU with its timer. */
static void what_waits_comes(void **state)
{
	(void)state;
	begin_under("ept", BENCH_LONG64);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	lapic_mmio_write(&bench.v->lapic, APIC_SVR, 4, SVR_ENABLED | 0xff);
	lapic_deliver(&bench.v->lapic,
		      &(struct apic_message){ .vector = 0x61, .delivery = APIC_FIXED, .assert = true });
	take();
	finish();
	restore_as((struct bench_config){ .mmu = "shadow", .guest_clock = true });
	assert_int_equal(bench.entry.event, INFO(EVENT_TYPE_EXTERNAL, 0x61));
	finish();
	begin_under("ept", BENCH_LONG64);
	bench.v->event = (struct event){ .info = EXCEPTION_ERROR(VECTOR_PF), .error = 2 };
	take();
	finish();
	restore_as((struct bench_config){ .mmu = "ept", .guest_clock = true });
	assert_int_equal(bench.entry.event, EXCEPTION_ERROR(VECTOR_PF));
	assert_int_equal(bench.entry.error, 2);
	finish();
	begin_under("ept", BENCH_LONG64);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	lapic_mmio_write(&bench.v->lapic, APIC_SVR, 4, SVR_ENABLED | 0xff);
	lapic_mmio_write(&bench.v->lapic, APIC_LVT_TIMER, 4, 0x71);
	lapic_mmio_write(&bench.v->lapic, APIC_TIMER_INITIAL, 4, 5000000);
	assert_int_equal(bench_exit_simple(EXIT_HLT, 1), BENCH_IDLE);
	take();
	finish();
	restore_as((struct bench_config){ .mmu = "ept", .guest_clock = true });
	assert_int_equal(bench.at, BENCH_IDLE);
	STEP(bench_timer());
	assert_int_equal(bench.entry.event, INFO(EVENT_TYPE_EXTERNAL, 0x71));
	finish();
}

/* Several CPUs: one runs, the others wait for a start-up IPI, or have got one. */
static void several_cpus(void **state)
{
	struct bench_config config = { .mmu = "ept", .description = "vcpus 3\n" };

	(void)state;
	bench_new(&config);
	assert_true(bench_mode(BENCH_LONG64, 0));
	vcpu_signal_sipi(bench.vm[0]->vcpu[2], 0x9a);
	remember();
	take();
	assert_int_equal(taken.cpus, 3);
	finish();
	restore_as(config);
	assert_int_equal(bench.vm[0]->vcpu[0]->mmu.regs.cr3, cr3);
	assert_memory_equal(bench.vm[0]->vcpu[0]->hvm.gpr, gpr, sizeof(gpr));
	assert_int_equal(vcpu_signals(bench.vm[0]->vcpu[1]), SIGNAL_WAITS);
	/* That has begun by now where its start-up IPI says. */
	assert_int_equal(vcpu_signals(bench.vm[0]->vcpu[2]), 0);
	assert_false(bench.vm[0]->vcpu[2]->halted);
	assert_int_equal(bench.vm[0]->vcpu[2]->id, 2);
	finish();
}

/* ---- by what is not believed ---- */

/* Of a CPU with more than this one has: the sentence names something of that. */
static void features_that_lack(void **state)
{
	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_MODERN, .mmu = "shadow" });
	take();
	finish();
	expect("its guest was shown a CPU with rdseed, which this one has not",
	       (struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "shadow" });
	/* One with less goes on, and keeps what it was shown. */
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "shadow" });
	take();
	finish();
	restore_as((struct bench_config){ .cpu = BENCH_MODERN, .mmu = "shadow" });
	assert_int_equal(bench.at, BENCH_ENTRY);
	assert_false(bench.vm[0]->cpuid.cr4_offered & CR4_SMAP);
	finish();
}

static void shown_and_had(void **state)
{
	struct cpuid_policy can, shown;

	(void)state;
	bench_new(&plainly);
	can = shown = bench.vm[0]->cpuid;
	assert_null(cpuid_lacks(&shown, &can));
	shown.basic[1].ecx |= BIT(20);
	can.basic[1].ecx &= (uint32_t)~BIT(20);
	assert_string_equal(cpuid_lacks(&shown, &can), "sse4_2");
	shown = can;
	shown.basic[7].edx |= BIT(31);
	assert_string_equal(cpuid_lacks(&shown, &can), "one that has no name here");
	shown = can;
	shown.xcr0_offered |= BIT(2);
	can.xcr0_offered |= BIT(2);
	shown.xsave[2].ebx = 1000;
	assert_non_null(cpuid_lacks(&shown, &can));
	shown = can;
	shown.maxphyaddr++;
	assert_non_null(cpuid_lacks(&shown, &can));
	shown = can;
	shown.cr4_offered |= BIT(25);
	assert_non_null(cpuid_lacks(&shown, &can));
	finish();
}

static size_t find_run(void)
{
	for (size_t at = SNAPSHOT_HEADER_BYTES;; at += SNAPSHOT_CHUNK_BYTES +
						       (snapshot_u64(bench_snapshot.data + at + 8) + 7) / 8 * 8)
		if (snapshot_u32(bench_snapshot.data + at) == SNAPSHOT_MEMORY)
			return at;
}

/* A run of memory is changed, and its checksum. */
static void bad_run(unsigned at, uint32_t value, const char *what)
{
	struct bench_config config = plainly;
	uint8_t *chunk;

	take_one();
	finish();
	bench_new(&plainly);
	make_file();
	chunk = (uint8_t *)(uintptr_t)bench_snapshot.data + find_run();
	snapshot_put32(chunk + SNAPSHOT_CHUNK_BYTES + at, value);
	snapshot_chunk_head(chunk, SNAPSHOT_MEMORY, chunk + SNAPSHOT_CHUNK_BYTES, snapshot_u64(chunk + 8));
	config.restore = true;
	assert_true(bench_create(&config)->ended);
	assert_non_null(strstr(bench.vm[1]->end_text, what));
	finish();
}

static void memory_that_cannot_be(void **state)
{
	(void)state;
	bad_run(0, BENCH_RAM / PAGE_SIZE, "memory where it has no RAM");
	bad_run(4, 1, "memory where it has no RAM");
	bad_run(8, 0, "memory where it has no RAM");
	bad_run(8, 16, "memory where it has no RAM");
	bad_run(8, 2, "memory that does not unpack");
	bad_run(12, 0x10000, "memory that does not unpack");
	bad_run(12, 100, "memory that does not unpack");
}

static void of_another_machine(void **state)
{
	(void)state;
	take_one();
	finish();
	expect("it has another number of CPUs", (struct bench_config){ .mmu = "ept", .description = "vcpus 2\n" });
	bench_snapshot.data = NULL;
	bench_new(&plainly);
	assert_true(bench_create(&(struct bench_config){ .mmu = "ept", .restore = true })->ended);
	assert_non_null(strstr(bench.vm[1]->end_text, "its snapshot, snapshot, is not on the boot image"));
	finish();
	take_one();
	finish();
	taken.machine[0] = 'x';
	expect("stands something else", plainly);
	bench_new(&plainly);
	make_file();
	((uint8_t *)(uintptr_t)bench_snapshot.data)[100] ^= 1;
	assert_true(bench_create(&(struct bench_config){ .mmu = "ept", .restore = true })->ended);
	assert_non_null(strstr(bench.vm[1]->end_text, "it is damaged"));
	finish();
}

/* What a balloon was to be given is taken when it goes on. */
static void a_balloon(void **state)
{
	const struct bench_config config = { .mmu = "ept", .guest_clock = true, .description = "balloon on\n" };
	struct vm_virtio *d;

	(void)state;
	bench_new(&config);
	assert_true(bench_mode(BENCH_LONG64, 0));
	d = bench.vm[0]->virtio;
	virtio_balloon_set(&d->balloon, 77);
	pci_put16(d->balloon_pci.pci.config, PCI_COMMAND, PCI_COMMAND_MASTER);
	d->balloon.wants = true;
	take();
	finish();
	restore_as(config);
	d = bench.vm[0]->virtio;
	assert_int_equal(virtio_balloon_wanted(&d->balloon), 77);
	assert_false(d->balloon.wants); /* it has been served */
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(under_every_mechanism),
		cmocka_unit_test(in_every_mode), cmocka_unit_test(what_waits_comes),
		cmocka_unit_test(several_cpus),
		cmocka_unit_test(features_that_lack), cmocka_unit_test(shown_and_had),
		cmocka_unit_test(memory_that_cannot_be), cmocka_unit_test(of_another_machine),
		cmocka_unit_test(a_balloon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
