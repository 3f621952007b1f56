/* test/fuzz/exits_guest.c - what the guest does without an exit. Every state that it leaves is put through the checks
 * at VM entry, but for events: what a CPU would not enter it cannot be in either, and the change is taken back. */
#include "test/fuzz/exits.h"

/* What means something somewhere: addresses, registers' values, numbers of MSRs. */
static const uint64_t values[] = {
	0, 1, 0xff, 0xfff, 0x7fff, 0xffff, BENCH_CODE, BENCH_STACK, BENCH_GDT, BENCH_TSS, BENCH_DATA,
	BENCH_TABLES, BENCH_TABLES + 0x1ffc, BENCH_RAM - 2, BENCH_RAM, 0xa0000, 0xe0000, IOAPIC_BASE,
	LAPIC_DEFAULT_BASE, LAPIC_DEFAULT_BASE + APIC_TPR, LAPIC_DEFAULT_BASE + APIC_EOI,
	LAPIC_DEFAULT_BASE + APIC_ICR, TESTDEV_MMIO_BASE, 0x7fffffff, 0x80000000, 0xfffffffe,
	0xffffffff, 0x100000000, 0x7ffffffffffe, 0x7fffffffffff, 0x800000000000, 0xffff7fffffffffff,
	0xffff800000000000, 0xffffffff80180000, 0xfffffffffffffffe, 0x8000000000000000, MSR_EFER, MSR_GS_BASE,
	MSR_SYSENTER_CS, MSR_APIC_BASE, MSR_PAT, MSR_MTRR_DEF_TYPE, MSR_TSC_DEADLINE, MSR_X2APIC_FIRST, MSR_X2APIC_ICR,
	MSR_X2APIC_SELF_IPI, MSR_TSC, MSR_TSC_ADJUST,
	CR0_PG | CR0_ET | CR0_PE, CR0_PG | CR0_CD | CR0_NW | CR0_NE | CR0_ET | CR0_PE, CR0_PG | CR0_PE,
	CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE,
	CR4_PAE, CR4_PGE | CR4_PAE, CR4_OSXSAVE | CR4_OSXMMEXCPT | CR4_OSFXSR | CR4_PGE | CR4_MCE | CR4_PAE | CR4_PSE,
	CR4_SMEP | CR4_OSXSAVE | CR4_PCIDE | CR4_FSGSBASE | CR4_VMXE | CR4_MCE | CR4_PAE,
	EFER_NXE | EFER_LMA | EFER_LME | EFER_SCE, EFER_NXE | EFER_LME,
};

uint64_t fuzz_value(struct input *in)
{
	uint8_t n = in8(in);

	if (n < ARRAY_SIZE(values))
		return values[n];
	if (n < 0x80)
		return BENCH_TABLES + in16(in);
	if (n < 0xa0)
		return in8(in);
	if (n < 0xc0)
		return values[in_below(in, ARRAY_SIZE(values))] + (uint64_t)(int8_t)in8(in);
	return n < 0xe0 ? in32(in) : in_bytes(in, 8);
}

/* ---- states that can be ---- */

static uint64_t read_field(void *ctx, uint32_t field)
{
	(void)ctx;
	return vmcs_get(field);
}

static const void *read_memory(void *ctx, uint64_t hpa, unsigned n)
{
	(void)ctx;
	return host_memory(hpa, n);
}

static bool possible(void)
{
	struct vmentry e = { .caps = cpu_vmentry_caps(), .read = read_field, .memory = read_memory };

	return !vmentry_check(&e);
}

/* Writes the fields; takes them back where no CPU can be so. */
static void change(const uint32_t *field, const uint64_t *value, unsigned n)
{
	uint64_t before[8];

	for (unsigned i = 0; i < n; i++) {
		before[i] = vmcs_get(field[i]);
		vmcs_put(field[i], value[i]);
	}
	if (!possible())
		for (unsigned i = 0; i < n; i++)
			vmcs_put(field[i], before[i]);
}

static void change_flags(struct input *in)
{
	static const uint32_t field[] = { VMCS_GUEST_RFLAGS, VMCS_GUEST_INTERRUPTIBILITY, VMCS_GUEST_PENDING_DEBUG };
	static const uint64_t blocking[] = { 0, BLOCKING_STI, BLOCKING_MOV_SS, BLOCKING_NMI };
	uint64_t kept = vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_VM;
	uint64_t value[3] = { kept | RFLAGS_FIXED | (in32(in) & 0x257fd5), blocking[in8(in) & 3], 0 };

	/* The trap that MOV SS holds back was saved by the CPU; STI holds none back. */
	if ((value[0] & RFLAGS_TF) && value[1] == BLOCKING_MOV_SS)
		value[2] = PENDING_DEBUG_BS;
	change(field, value, 3);
}

static void change_segment(struct input *in)
{
	static const uint32_t accesses[] = {
		SEGMENT_FLAT_DATA,
		SEGMENT_FLAT_DATA | SEGMENT_DPL,
		SEGMENT_DATA16,
		SEGMENT_V86,
		SEGMENT_FLAT_CODE32,
		SEGMENT_FLAT_CODE32 | SEGMENT_DPL,
		SEGMENT_CODE16,
		SEGMENT_FLAT_CODE64,
		SEGMENT_FLAT_CODE64 | SEGMENT_DPL,
		SEGMENT_FLAT_DATA | TYPE_EXPAND_DOWN,
		SEGMENT_FLAT_DATA & ~TYPE_READ_WRITE,
		SEGMENT_FLAT_CODE32 | TYPE_CONFORMING,
		SEGMENT_UNUSABLE,
		SEGMENT_DATA16,
	};
	uint32_t n = 2 * in_below(in, 6);
	uint32_t field[4] = { VMCS_GUEST_ES_SELECTOR + n, VMCS_GUEST_ES_BASE + n, VMCS_GUEST_ES_LIMIT + n,
			      VMCS_GUEST_ES_ACCESS + n };
	uint64_t value[4] = { in16(in), fuzz_value(in), in_bool(in) ? 0xffffffff : in16(in), accesses[in_below(in,
		ARRAY_SIZE(accesses))] };

	if (value[3] & BIT(15))
		value[2] |= 0xfff;
	else
		value[2] &= 0xfffff;
	change(field, value, 4);
}

static void change_rip(struct input *in)
{
	static const uint32_t field[] = { VMCS_GUEST_RIP };
	uint64_t value = fuzz_value(in);

	change(field, &value, 1);
}

static void change_tables(struct input *in)
{
	static const uint32_t field[] = { VMCS_GUEST_GDTR_BASE, VMCS_GUEST_GDTR_LIMIT, VMCS_GUEST_IDTR_BASE,
					  VMCS_GUEST_IDTR_LIMIT, VMCS_GUEST_DR7 };
	uint64_t value[] = { fuzz_value(in), in16(in), fuzz_value(in), in16(in), 0x400 | in8(in) };

	change(field, value, 5);
}

/* ---- memory ---- */

static void write_memory(struct input *in)
{
	static const uint32_t places[] = { BENCH_CODE, BENCH_CODE, BENCH_DATA,	    BENCH_TABLES,
					   BENCH_GDT,  BENCH_TSS,  BENCH_STACK - 64 };
	uint64_t gpa = places[in_below(in, ARRAY_SIZE(places))];
	uint8_t bytes[16];
	unsigned n = 1 + in_below(in, sizeof(bytes));

	gpa += gpa == BENCH_TABLES ? in16(in) % 0x7000 : gpa == BENCH_CODE ? in8(in) & 15 : in8(in);
	for (unsigned i = 0; i < n; i++)
		bytes[i] = in8(in);
	bench_poke(gpa, bytes, n);
}

static void write_entry(struct input *in)
{
	uint64_t value = (fuzz_value(in) & ~0xfffull) | (in16(in) & 0xfff) | (in_bool(in) ? 0x27 : 0) |
			 (uint64_t)(in8(in) & 1) << 63;
	unsigned n = in_below(in, 0x7000 / 8);

	bench_poke(BENCH_TABLES + 8 * n, &value, 8);
}

void fuzz_guest(struct input *in)
{
	switch (in8(in) % 12) {
	case 0:
	case 1:
	case 2:
		write_memory(in);
		break;
	case 3:
		write_entry(in);
		break;
	case 4:
	case 5:
	case 6:
		*bench_gpr((enum gpr)in_below(in, GPR_COUNT)) = fuzz_value(in);
		break;
	case 7:
		change_flags(in);
		break;
	case 8:
		change_segment(in);
		break;
	case 9:
		change_rip(in);
		break;
	case 10:
		change_tables(in);
		break;
	case 11:
		vmcs_put(VMCS_GUEST_RSP, fuzz_value(in));
		break;
	}
}
