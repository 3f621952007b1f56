/* A local APIC that the guest has put over its own memory (TP5 in vm/tpr/tpr.c): its accesses are to the registers, the
 * memory is what it was, and another CPU's accesses are to that. */
#include "test/unit/vm/tpr/lapic.h"
#include "mmu/inside.h"

#define OVER 0x150000u /* memory, in the middle of a large page */
#define PATTERN 0x5a5aa5a5u

static const char *const methods[] = { "trap", "patch", "flexpriority", "apicv" };

static void put_pattern(uint32_t value)
{
	for (unsigned n = 0; n < PAGE_SIZE; n += 4) {
		uint32_t word = value + n;

		bench_poke(OVER + n, &word, 4);
	}
}

static void expect_pattern(uint32_t value)
{
	for (unsigned n = 0; n < PAGE_SIZE; n += 4) {
		uint32_t word;

		bench_peek(OVER + n, &word, 4);
		assert_int_equal(word, value + n);
	}
}

/* The exit that an access of that page makes: it is not mapped. */
static enum bench_at access_over(unsigned offset, bool write)
{
	if (bench.v->mmu.intercepts.ept)
		return bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION,
							.qualification = write ? WRITE_KNOWN : READ_KNOWN,
							.gpa = OVER + offset, .gva = OVER + offset });
	return bench_exit(&(struct bench_exit){ PAGE_FAULT_EXIT, .error = write ? PFERR_W : 0,
						.qualification = OVER + offset });
}

static void store(unsigned offset, uint32_t value)
{
	mov_store(offset, value);
	STEP(access_over(offset, true));
	assert_int_equal(bench.entry.rip, BENCH_CODE + 6);
}

static uint32_t load(unsigned offset)
{
	mov_load(offset);
	STEP(access_over(offset, false));
	assert_int_equal(bench.entry.rip, BENCH_CODE + 6);
	return (uint32_t)*bench_gpr(GPR_RCX);
}

static void start_over(const char *mmu, const char *tpr)
{
	at(mmu, tpr, BENCH_PAE);
	put_pattern(PATTERN);
	*bench_gpr(GPR_RBX) = OVER;
	STEP(bench_wrmsr(MSR_APIC_BASE, OVER | APIC_ON));
}

static void audit(void)
{
	char why[200];

	if (!mmu_audit(&bench.vm[0]->mmu, why, sizeof(why)))
		fail_msg("%s", why);
}

static void registers_in_front_of_memory(void **state)
{
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms) * ARRAY_SIZE(methods); m++) {
		start_over(mechanisms[m % ARRAY_SIZE(mechanisms)],
			   methods[m / ARRAY_SIZE(mechanisms)]);
		for (unsigned n = 0; n < 3; n++) {
			store(TPR, 0x30 + n);
			assert_int_equal(lapic_tpr(&bench.v->lapic), 0x30 + n);
			assert_int_equal(load(TPR), 0x30 + n);
			assert_int_equal(load(SVR), bench.v->lapic.svr);
		}
		expect_pattern(PATTERN);
		assert_true(overlay_covers(&bench.vm[0]->mmu, gpa_gfn(GPA(OVER))));
		audit();
		/* What a device, or the hypervisor, stores there is memory's. */
		put_pattern(~PATTERN);
		assert_int_equal(load(TPR), 0x32);
		STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC | APIC_ON));
		expect_pattern(~PATTERN);
		assert_false(overlay_covers(&bench.vm[0]->mmu, gpa_gfn(GPA(OVER))));
		/* It is mapped again, and the instruction is the CPU's. */
		mov_load(TPR);
		STEP(access_over(TPR, false));
		assert_int_equal(bench.entry.rip, BENCH_CODE);
		audit();
		finish();
	}
}

/* Disabled, or in x2APIC mode, it is nowhere. */
static void none_in_front(void **state)
{
	static const uint64_t bases[] = { OVER | APIC_BASE_BSP, OVER | APIC_ON | APIC_BASE_EXTD };

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(bases); n++) {
		start_over("ept", "trap");
		assert_true(overlay_covers(&bench.vm[0]->mmu, gpa_gfn(GPA(OVER))));
		STEP(bench_wrmsr(MSR_APIC_BASE, bases[n]));
		assert_false(overlay_covers(&bench.vm[0]->mmu, gpa_gfn(GPA(OVER))));
		expect_pattern(PATTERN);
		finish();
	}
}

/* Another CPU's local APIC is there: this one's accesses are to the memory, one after the other. */
static void another_cpus(void **state)
{
	struct vcpu *second;
	uint32_t word;

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mechanisms[m],
						  .tpr = "flexpriority", .description = "vcpus 2\n" });
		check_entry(0);
		assert_true(bench_mode(BENCH_PAE, 0));
		*bench_gpr(GPR_RBX) = OVER;
		put_pattern(PATTERN);
		second = bench.vm[0]->vcpu[1];
		assert_true(lapic_msr_write(&second->lapic, MSR_APIC_BASE, OVER | APIC_BASE_EN));
		STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC | APIC_ON));
		assert_true(overlay_covers(&bench.vm[0]->mmu, gpa_gfn(GPA(OVER))));
		assert_false(tpr_page_mapped(bench.vm[0])); /* they are not at one place */
		for (unsigned n = 0; n < 3; n++) {
			assert_int_equal(load(TPR), n ? 0x70 + n - 1 : PATTERN + TPR);
			store(TPR, 0x70 + n);
		}
		bench_peek(OVER + TPR, &word, 4);
		assert_int_equal(word, 0x72);
		assert_int_equal(lapic_tpr(&second->lapic), 0);
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_in_front_of_memory),
		cmocka_unit_test(none_in_front),
		cmocka_unit_test(another_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
