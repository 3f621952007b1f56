/* test/vm/guest.c - the guest of the bench: its memory, descriptor tables and page tables, and the modes that it can be
 * in. */
#include "lib/descriptor.h"
#include "test/vm/cpu.h"

#include <stdio.h>
#include <stdlib.h>

#define PD32 (BENCH_TABLES + 0x0000)
#define PT32 (BENCH_TABLES + 0x1000)
#define PDPT_PAE (BENCH_TABLES + 0x2000)
#define PD_LOW (BENCH_TABLES + 0x3000)
#define PD_HIGH (BENCH_TABLES + 0x4000)
#define PML4 (BENCH_TABLES + 0x5000)
#define PDPT_LONG (BENCH_TABLES + 0x6000)

#define LEAF 0x67ull /* present, writable, user, accessed, dirty */
#define LARGE 0xe7ull
#define TABLE 0x27ull

#define CODE64 0x48
#define CODE64_3 0x53
#define CODE16 0x58
#define DATA16 0x60

void bench_poke(uint64_t gpa, const void *bytes, size_t n)
{
	if (mmu_guest_write(&bench.v->vm->mmu, GPA(gpa), bytes, n) != n)
		abort();
}

void bench_peek(uint64_t gpa, void *bytes, size_t n)
{
	if (mmu_guest_read(&bench.v->vm->mmu, GPA(gpa), bytes, n) != n)
		abort();
}

static void poke64(uint64_t gpa, uint64_t v) { bench_poke(gpa, &v, sizeof(v)); }
static void poke32(uint64_t gpa, uint32_t v) { bench_poke(gpa, &v, sizeof(v)); }

/* ---- tables ---- */

/* The first 4 MiB where they are, and the page of the local APIC and that of the I/O APIC. */
static void write_page_tables(void)
{
	uint32_t pt[1024];

	poke32(PD32, PT32 | TABLE);
	poke32(PD32 + 4 * 1019, IOAPIC_BASE | LARGE);
	for (uint32_t n = 0; n < 1024; n++)
		pt[n] = n << 12 | (uint32_t)LEAF;
	bench_poke(PT32, pt, sizeof(pt));
	poke64(PDPT_PAE, PD_LOW | 1);
	poke64(PDPT_PAE + 24, PD_HIGH | 1);
	for (uint64_t n = 0; n < 2; n++)
		poke64(PD_LOW + 8 * n, n << 21 | LARGE);
	poke64(PD_HIGH + 8 * 502, IOAPIC_BASE | LARGE);
	poke64(PD_HIGH + 8 * 503, LAPIC_DEFAULT_BASE | LARGE);
	poke64(PML4, PDPT_LONG | TABLE);
	poke64(PML4 + 8 * 511, PDPT_LONG | TABLE);
	poke64(PDPT_LONG, PD_LOW | TABLE);
	poke64(PDPT_LONG + 24, PD_HIGH | TABLE);
	poke64(PDPT_LONG + 8 * 510, PD_LOW | TABLE);
}

static void write_gdt(void)
{
	poke64(BENCH_GDT + 0x00, 0);
	poke64(BENCH_GDT + 0x08, DESCRIPTOR_FLAT_CODE32);
	poke64(BENCH_GDT + 0x10, DESCRIPTOR_FLAT_DATA);
	poke64(BENCH_GDT + 0x18, DESCRIPTOR_FLAT_CODE32 | DESCRIPTOR_DPL3);
	poke64(BENCH_GDT + 0x20, DESCRIPTOR_FLAT_DATA | DESCRIPTOR_DPL3);
	poke64(BENCH_GDT + 0x28, descriptor_pack(BENCH_TSS, TSS_LIMIT_LEAST, SEGMENT_TSS_BUSY)); /* in use */
	poke64(BENCH_GDT + 0x30, 0);
	poke64(BENCH_GDT + 0x38, descriptor_pack(BENCH_TSS + 0x100, TSS_LIMIT_LEAST, SEGMENT_TSS));
	poke64(BENCH_GDT + 0x40, 0);
	poke64(BENCH_GDT + CODE64, DESCRIPTOR_FLAT_CODE64);
	poke64(BENCH_GDT + (CODE64_3 & ~7), DESCRIPTOR_FLAT_CODE64 | DESCRIPTOR_DPL3);
	poke64(BENCH_GDT + CODE16, descriptor_pack(0, 0xffff, SEGMENT_CODE16));
	poke64(BENCH_GDT + DATA16, descriptor_pack(0, 0xffff, SEGMENT_DATA16));
	vmcs_put(VMCS_GUEST_GDTR_BASE, BENCH_GDT);
	vmcs_put(VMCS_GUEST_GDTR_LIMIT, 0x67);
}

/* ---- registers ---- */

static bool owned_changes(uint32_t mask_field, uint32_t shadow_field, uint64_t value)
{
	return (vmcs_get(shadow_field) ^ value) & vmcs_get(mask_field);
}

static void set_unowned(uint32_t field, uint32_t mask_field, uint64_t value)
{
	uint64_t mask = vmcs_get(mask_field);

	vmcs_put(field, (vmcs_get(field) & mask) | (value & ~mask));
}

/* MOV to CR3 without an exit: under EPT the CPU loads the PDPTEs itself. */
static void load_cr3(uint64_t value)
{
	bool pae = (vmcs_get(VMCS_GUEST_CR0) & CR0_PG) && (vmcs_get(VMCS_GUEST_CR4) & CR4_PAE) &&
		   !(vmcs_get(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E);

	vmcs_put(VMCS_GUEST_CR3, value);
	for (unsigned n = 0; pae && n < 4; n++) {
		uint64_t pdpte;

		bench_peek((value & CR3_PDPT) + 8 * n, &pdpte, sizeof(pdpte));
		vmcs_put(VMCS_GUEST_PDPTE0 + 2 * n, pdpte);
	}
}

static bool mov_exits(unsigned n, uint64_t value)
{
	switch (n) {
	case 0:
		return owned_changes(VMCS_CR0_MASK, VMCS_CR0_SHADOW, value);
	case 3:
		return vmcs_get(VMCS_PROC_CONTROLS) & PROC_CR3_LOAD;
	case 4:
		return owned_changes(VMCS_CR4_MASK, VMCS_CR4_SHADOW, value);
	default:
		return true;
	}
}

enum bench_at bench_mov_to_cr(unsigned n, uint64_t value)
{
	if (n == 8 && !(vmcs_get(VMCS_PROC_CONTROLS) & PROC_CR8_LOAD) && value < 16)
		return bench_write_tpr((uint8_t)(value << 4));
	if (mov_exits(n, value)) {
		*bench_gpr(GPR_RAX) = value;
		return bench_exit(&(struct bench_exit){ .reason = EXIT_CR_ACCESS, .length = 3, .qualification = n });
	}
	if (n == 0)
		set_unowned(VMCS_GUEST_CR0, VMCS_CR0_MASK, value);
	else if (n == 3)
		load_cr3(value);
	else
		set_unowned(VMCS_GUEST_CR4, VMCS_CR4_MASK, value);
	return BENCH_ENTRY;
}

enum bench_at bench_wrmsr(uint32_t msr, uint64_t value)
{
	enum bench_at at;

	*bench_gpr(GPR_RCX) = msr;
	*bench_gpr(GPR_RAX) = (uint32_t)value;
	*bench_gpr(GPR_RDX) = value >> 32;
	if (bench_apic_wrmsr(msr, value, &at))
		return at;
	return bench_exit_simple(EXIT_WRMSR, 2);
}

enum bench_at bench_rdmsr(uint32_t msr)
{
	uint64_t value;

	*bench_gpr(GPR_RCX) = msr;
	if (bench_apic_rdmsr(msr, &value)) {
		*bench_gpr(GPR_RAX) = (uint32_t)value;
		*bench_gpr(GPR_RDX) = value >> 32;
		return bench.at;
	}
	return bench_exit_simple(EXIT_RDMSR, 2);
}

static void put_segment(unsigned n, uint64_t selector, uint64_t base, uint64_t limit, uint64_t access)
{
	vmcs_put(VMCS_GUEST_ES_SELECTOR + 2 * n, selector);
	vmcs_put(VMCS_GUEST_ES_BASE + 2 * n, base);
	vmcs_put(VMCS_GUEST_ES_LIMIT + 2 * n, limit);
	vmcs_put(VMCS_GUEST_ES_ACCESS + 2 * n, access);
}

static void put_flat(uint64_t cs, uint64_t cs_access, uint64_t ds, uint64_t limit, uint64_t ds_access)
{
	for (unsigned n = SEG_ES; n <= SEG_GS; n++)
		put_segment(n, n == SEG_CS ? cs : ds, 0, limit, n == SEG_CS ? cs_access : ds_access);
}

static void put_real(uint64_t access)
{
	for (unsigned n = SEG_ES; n <= SEG_GS; n++)
		put_segment(n, 0, 0, 0xffff, access);
}

static void put_segments(enum bench_mode mode, unsigned cpl)
{
	uint64_t dpl = cpl << SEGMENT_DPL_SHIFT;

	switch (mode) {
	case BENCH_REAL:
		put_real(SEGMENT_DATA16);
		break;
	case BENCH_V86:
		put_real(SEGMENT_V86);
		break;
	case BENCH_PROT16:
		put_flat(CODE16 | cpl, SEGMENT_CODE16 | dpl, DATA16 | cpl, 0xffff, SEGMENT_DATA16 | dpl);
		break;
	case BENCH_LONG64:
		put_flat(cpl ? CODE64_3 : CODE64, SEGMENT_FLAT_CODE64 | dpl, cpl ? BENCH_DATA3 : BENCH_DATA0,
			 0xffffffff, SEGMENT_FLAT_DATA | dpl);
		break;
	default:
		put_flat(cpl ? BENCH_CODE3 : BENCH_CODE0, SEGMENT_FLAT_CODE32 | dpl,
			 cpl ? BENCH_DATA3 : BENCH_DATA0, 0xffffffff, SEGMENT_FLAT_DATA | dpl);
	}
	put_segment(SEG_TR, BENCH_TSS1, BENCH_TSS, TSS_LIMIT_LEAST, SEGMENT_TSS_BUSY);
}

static bool step(enum bench_at at) { return at == BENCH_ENTRY && !bench.broken && !bench.entry.event; }

static bool turn_on_paging(enum bench_mode mode)
{
	bool is_long = mode == BENCH_COMPAT || mode == BENCH_LONG64;
	uint64_t cr3 = is_long ? PML4 : mode == BENCH_PAE ? PDPT_PAE : PD32;

	return step(bench_mov_to_cr(4, is_long || mode == BENCH_PAE ? CR4_PAE : CR4_PSE)) &&
	       step(bench_mov_to_cr(3, cr3)) && (!is_long || step(bench_wrmsr(MSR_EFER, EFER_LME | EFER_SCE))) &&
	       step(bench_mov_to_cr(0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE));
}

bool bench_mode(enum bench_mode mode, unsigned cpl)
{
	bool small = mode == BENCH_REAL || mode == BENCH_V86 || mode == BENCH_PROT16;

	if (mode == BENCH_REAL && !mechanism_runs_real_mode(bench.v->vm, bench.v->vm->mmu.ops))
		return false;
	write_page_tables();
	write_gdt();
	if (mode == BENCH_REAL && !step(bench_mov_to_cr(0, CR0_NE | CR0_ET)))
		return false;
	if (mode != BENCH_REAL && mode != BENCH_PROT32 && mode != BENCH_PROT16 && !turn_on_paging(mode))
		return false;
	put_segments(mode, cpl);
	vmcs_put(VMCS_GUEST_RIP, small ? 0x8000 : BENCH_CODE);
	vmcs_put(VMCS_GUEST_RSP, small ? 0x7ff0 : BENCH_STACK);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | (mode == BENCH_V86 ? RFLAGS_VM : 0));
	return true;
}
