/* test/unit/vm/tpr/lapic.h - the guest's accesses to its local APIC's page, for tests of how they are virtualized. */
#ifndef VELLUM_TEST_VM_LAPIC_H
#define VELLUM_TEST_VM_LAPIC_H

#include "lib/ports.h"
#include "test/unit/vm/fixture.h"

#define LAPIC LAPIC_DEFAULT_BASE
#define TRUE_PROC MSR_VMX_TRUE_PROCBASED_CTLS
#define ELSEWHERE 0xfed00000u
#define APIC_ON (APIC_BASE_EN | APIC_BASE_BSP)

enum { ID = APIC_ID, TPR = APIC_TPR, PPR = APIC_PPR, EOI = APIC_EOI, SVR = APIC_SVR, ICR = APIC_ICR };

static inline void at(const char *mmu, const char *tpr, enum bench_mode mode)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = mmu, .tpr = tpr });
	check_entry(0);
	assert_true(bench_mode(mode, 0));
	*bench_gpr(GPR_RBX) = LAPIC;
}

static inline enum bench_at apic_access(unsigned type, unsigned offset)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_APIC_ACCESS, .qualification = type << 12 | offset });
}

#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

static inline void mov_store(unsigned offset, uint32_t value)
{
	uint8_t bytes[] = { 0x89, 0x83, (uint8_t)offset, (uint8_t)(offset >> 8), 0, 0 }; /* mov [ebx + offset], eax */

	code(bytes, sizeof(bytes));
	*bench_gpr(GPR_RAX) = value;
}

static inline void mov_load(unsigned offset)
{
	uint8_t bytes[] = { 0x8b, 0x8b, (uint8_t)offset, (uint8_t)(offset >> 8), 0, 0 }; /* mov ecx, [ebx + offset] */

	code(bytes, sizeof(bytes));
	*bench_gpr(GPR_RCX) = 0xaaaaaaaaaaaaaaaa;
}

static inline bool flex(void) { return bench.vm[0]->tpr.method == CONFIG_TPR_FLEXPRIORITY; }
static inline bool apicv(void) { return bench.vm[0]->tpr.method == CONFIG_TPR_APICV; }

/* What a stub does, by patching (vm/tpr/patch_stub.c): it tells of a TPR that is low enough, by VMRESUME. */
static inline enum bench_at stub_tells(void)
{
	const struct patch_insn insn = { .op = PATCH_MOV, .length = 5, .address = LAPIC + TPR };
	int n = patch_stub_for(bench.vm[0], &insn, PATCH_CODE_GPA);

	assert_true(n >= 0);
	vmcs_put(VMCS_GUEST_RIP, PATCH_CODE_GPA + PATCH_STUBS_AT + (unsigned)n * PATCH_STUB_ROOM + 4 +
					 bench.vm[0]->patch.stub[n].tell_at);
	return bench_exit(&(struct bench_exit){ .reason = EXIT_VMRESUME, .length = HVM_TELL_LENGTH });
}

static inline enum bench_at stub_write(uint8_t value)
{
	uint8_t *data = bench.vm[0]->patch.data;

	data[PATCH_DATA_TPR] = value;
	return value < data[PATCH_DATA_THRESHOLD] ? stub_tells() : bench.at;
}

/* The guest's write to a register in the page, however it is virtualized. */
static inline enum bench_at apic_write(unsigned offset, uint32_t value)
{
	if (flex() && offset == TPR)
		return bench_write_tpr((uint8_t)value);
	if (bench.vm[0]->tpr.method == CONFIG_TPR_PATCH && offset == TPR)
		return stub_write((uint8_t)value);
	if (apicv())
		return bench_apic_write(offset, 4, value);
	mov_store(offset, value);
	if (flex())
		return apic_access(1, offset);
	return bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN,
						.gpa = LAPIC + offset, .gva = LAPIC + offset });
}

static inline void self_ipi(uint8_t vector) { STEP(apic_write(ICR, 1u << 18 | 1u << 14 | vector)); }

static inline void interrupts_on(void)
{
	STEP(apic_write(SVR, SVR_ENABLED | 0xff));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
}

#define EXTERNAL(vector) INFO(EVENT_TYPE_EXTERNAL, vector)

static inline void behind_6_bytes(void)
{
	assert_int_equal(bench.entry.rip, BENCH_CODE + 6);
	assert_int_equal(bench.entry.rflags, RFLAGS_FIXED);
}

static inline uint32_t stacked(unsigned below)
{
	uint32_t value;

	bench_peek(BENCH_STACK - below, &value, 4);
	return value;
}

#endif
