/* 64 bits: every fault of 4-level paging with its error code; NX, WP, SMEP, SMAP, PCID, large pages, canonical
 * addresses. */
#include "guest/test/base/pages.h"

const char test_name[] = "paging64";

#define GIB (1ul << 30)
#define ALIAS (1ul << 39)        /* the low memory, for level 3: entry 1 of the PML4 */
#define WINDOW (2ul << 39)       /* where pages are mapped one by one: entry 2 */
#define BAD (3ul << 39)          /* entry 3: what is wrong in upper tables */

extern uint64_t boot_pml4[PAGE_TABLE_ENTRIES], boot_pdpt[PAGE_TABLE_ENTRIES];
static uint64_t alias_pdpt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t alias_pd[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t win_pdpt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t win_pd[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t win_pt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint8_t data[4][4096] __attribute__((aligned(4096)));

static volatile uint32_t *window(unsigned page) { return (volatile uint32_t *)(WINDOW + page * 4096ul); }
static uint64_t frame(unsigned i) { return (uint64_t)data[i]; }

static void set(uint64_t *e, uint64_t value) { *(volatile uint64_t *)e = value; }
static void set_pte(unsigned page, uint64_t value)
{
	set(&win_pt[page], value);
	invlpg((void *)window(page));
}

static void build(void)
{
	for (unsigned i = 0; i < 4; i++) {
		*(volatile uint32_t *)data[i] = 0xdad00000 + i;
		data[i][64] = 0xc3;
	}
	for (unsigned i = 0; i < 8; i++)
		alias_pd[i] = (uint64_t)i << 21 | PTE_PS | PTE_U | PTE_W | PTE_P;
	alias_pdpt[0] = (uint64_t)alias_pd | PTE_U | PTE_W | PTE_P;
	boot_pml4[1] = (uint64_t)alias_pdpt | PTE_U | PTE_W | PTE_P;
	win_pd[0] = (uint64_t)win_pt | PTE_U | PTE_W | PTE_P;
	win_pdpt[0] = (uint64_t)win_pd | PTE_U | PTE_W | PTE_P;
	boot_pml4[2] = (uint64_t)win_pdpt | PTE_U | PTE_W | PTE_P;
	user_alias = ALIAS;
	write_cr3(read_cr3());
}

static void test_rights(void)
{
	set_pte(0, frame(0) | PTE_U | PTE_W | PTE_P);
	set_pte(1, frame(1) | PTE_W | PTE_P);
	set_pte(2, frame(2) | PTE_U | PTE_P);
	set_pte(3, 0);
	CHECK(*window(0) == 0xdad00000 && *window(1) == 0xdad00001, "mapped pages read 0x%x 0x%x", *window(0),
	      *window(1));
	expect_good("user read", do_read, WINDOW, true);
	expect_good("user write", do_write, WINDOW + 8, true);
	expect_good("user execution", do_execute, WINDOW + 64, true);
	expect_fault("user read of a supervisor page", do_read, WINDOW + 0x1004, true, PFERR_U | PFERR_P);
	expect_fault("user write to a supervisor page", do_write, WINDOW + 0x1004, true, PFERR_U | PFERR_W | PFERR_P);
	expect_fault("user write to a read-only page", do_write, WINDOW + 0x2004, true, PFERR_U | PFERR_W | PFERR_P);
	expect_good("supervisor write to a read-only page, WP=0", do_write, WINDOW + 0x2008, false);
	write_cr0(read_cr0() | CR0_WP);
	expect_fault("supervisor write to a read-only page, WP=1", do_write, WINDOW + 0x2ffc, false, PFERR_W | PFERR_P);
	write_cr0(read_cr0() & ~(word)CR0_WP);
	expect_fault("read of an absent page", do_read, WINDOW + 0x3abc, false, 0);
	expect_fault("write to an absent page", do_write, WINDOW + 0x3abc, false, PFERR_W);
	expect_fault("an absent page table", do_read, WINDOW + 0x200000, false, 0);
	expect_fault("an absent page directory", do_read, WINDOW + GIB, true, PFERR_U);
	expect_fault("an absent PDPT", do_write, BAD, false, PFERR_W);
}

/* A right that an upper table withholds. */
static void test_upper_rights(void)
{
	set(&win_pd[0], (uint64_t)win_pt | PTE_W | PTE_P);
	write_cr3(read_cr3());
	expect_fault("user read below a supervisor PDE", do_read, WINDOW, true, PFERR_U | PFERR_P);
	set(&win_pd[0], (uint64_t)win_pt | PTE_U | PTE_P);
	write_cr3(read_cr3());
	expect_fault("user write below a read-only PDE", do_write, WINDOW, true, PFERR_U | PFERR_W | PFERR_P);
	set(&win_pd[0], (uint64_t)win_pt | PTE_U | PTE_W | PTE_P);
	set(&boot_pml4[2], (uint64_t)win_pdpt | PTE_W | PTE_P);
	write_cr3(read_cr3());
	expect_fault("user read below a supervisor PML4E", do_read, WINDOW, true, PFERR_U | PFERR_P);
	set(&boot_pml4[2], (uint64_t)win_pdpt | PTE_U | PTE_W | PTE_P);
	write_cr3(read_cr3());
	expect_good("user read below restored tables", do_read, WINDOW, true);
}

static void test_reserved(void)
{
	bool giant = cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0).edx & CPUID_80000001_EDX_PAGE1GB;
	unsigned width = cpuid(CPUID_LEAF_ADDRESS_SIZES, 0).eax & 0xff;

	set(&boot_pml4[3], (uint64_t)win_pdpt | PTE_PS | PTE_U | PTE_W | PTE_P);
	expect_fault("PS in a PML4E", do_read, BAD, false, PFERR_RSVD | PFERR_P);
	if (width < 52) {
		set_pte(5, frame(0) | 1ull << 51 | PTE_W | PTE_P);
		expect_fault("an address beyond MAXPHYADDR", do_write, WINDOW + 0x5000, false,
			     PFERR_RSVD | PFERR_W | PFERR_P);
		set_pte(5, 0);
	}
	set(&win_pd[4], 0x200000 | 1u << 13 | PTE_PS | PTE_W | PTE_P);
	expect_fault("a misaligned 2M page", do_read, WINDOW + (4ul << 21), false, PFERR_RSVD | PFERR_P);
	set(&win_pdpt[5], (giant ? 1u << 13 : 0) | PTE_PS | PTE_W | PTE_P);
	expect_fault(giant ? "a misaligned 1G page" : "a 1G page, which this CPU does not have", do_read,
		     WINDOW + 5 * GIB, false, PFERR_RSVD | PFERR_P);
	set(&win_pd[4], 0);
	set(&win_pdpt[5], 0);
	if (giant) {
		set(&win_pdpt[6], PTE_PS | PTE_W | PTE_P);
		CHECK(*(volatile uint32_t *)(WINDOW + 6 * GIB + frame(1)) == 0xdad00001,
		      "through a 1G page memory reads otherwise");
		set(&win_pdpt[6], 0);
	}
	write_cr3(read_cr3());
}

static void test_nx(void)
{
	set_pte(0, frame(0) | PTE_NX | PTE_U | PTE_W | PTE_P);
	expect_fault("bit 63 with NXE=0", do_read, WINDOW, false, PFERR_RSVD | PFERR_P);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	invlpg((void *)window(0));
	expect_good("read of an NX page", do_read, WINDOW, false);
	expect_fault("execution of an NX page", do_execute, WINDOW + 64, false, PFERR_I | PFERR_P);
	expect_fault("user execution of an NX page", do_execute, WINDOW + 64, true, PFERR_I | PFERR_U | PFERR_P);
	set_pte(0, frame(0) | PTE_U | PTE_W | PTE_P);
	set(&win_pd[0], (uint64_t)win_pt | PTE_NX | PTE_U | PTE_W | PTE_P);
	write_cr3(read_cr3());
	expect_fault("execution below an NX PDE", do_execute, WINDOW + 64, true, PFERR_I | PFERR_U | PFERR_P);
	set(&win_pd[0], (uint64_t)win_pt | PTE_U | PTE_W | PTE_P);
	write_cr3(read_cr3());
	expect_fault("execution of an absent page", do_execute, WINDOW + 0x3000, false, PFERR_I);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_NXE);
}

static void read_with_ac(void *p)
{
	__asm__ volatile("stac; movb (%0), %%al; clac" : : "r"(p) : "eax", "cc");
}

static void test_smep_smap(void)
{
	struct cpuid c = cpuid(CPUID_LEAF_FEATURES, 0);

	if (cpuid(CPUID_LEAF_BASIC, 0).eax < 7)
		return;
	print("paging64:%s SMEP,%s SMAP\n", c.ebx & CPUID_7_EBX_SMEP ? "" : " no",
	      c.ebx & CPUID_7_EBX_SMAP ? "" : " no");
	if (c.ebx & CPUID_7_EBX_SMEP) {
		expect_good("supervisor execution of a user page, SMEP=0", do_execute, WINDOW + 64, false);
		write_cr4(read_cr4() | CR4_SMEP);
		expect_fault("supervisor execution of a user page, SMEP=1", do_execute, WINDOW + 64, false,
			     PFERR_I | PFERR_P);
		expect_good("user execution of a user page, SMEP=1", do_execute, WINDOW + 64, true);
		write_cr4(read_cr4() & ~(word)CR4_SMEP);
	}
	if (c.ebx & CPUID_7_EBX_SMAP) {
		write_cr4(read_cr4() | CR4_SMAP);
		expect_fault("supervisor read of a user page, SMAP=1", do_read, WINDOW, false, PFERR_P);
		expect_fault("supervisor write to a user page, SMAP=1", do_write, WINDOW, false, PFERR_W | PFERR_P);
		expect_good("supervisor read of a user page, SMAP=1, AC=1", read_with_ac, WINDOW, false);
		write_cr4(read_cr4() & ~(word)CR4_SMAP);
	}
	expect_good("supervisor read of a user page", do_read, WINDOW, false);
}

static void test_stale(void)
{
	volatile uint64_t *e = win_pt;

	set_pte(0, frame(0) | PTE_U | PTE_W | PTE_P);
	do_read((void *)window(0));
	CHECK((e[0] & (PTE_A | PTE_D)) == PTE_A, "after a read the entry is 0x%lx", e[0]);
	do_write((void *)(window(0) + 2));
	CHECK((e[0] & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "after a write the entry is 0x%lx", e[0]);
	set_pte(0, frame(1) | PTE_U | PTE_W | PTE_P);
	CHECK(*window(0) == 0xdad00001, "after INVLPG the page reads 0x%x", *window(0));
	e[0] = frame(2) | PTE_U | PTE_W | PTE_P;
	write_cr3(read_cr3());
	CHECK(*window(0) == 0xdad00002, "after a load of CR3 the page reads 0x%x", *window(0));
	/* More than once round: the same address, a new frame each time. */
	for (unsigned i = 0; i < 100; i++) {
		set_pte(0, frame(i % 4) | PTE_U | PTE_W | PTE_P);
		CHECK(*window(0) == 0xdad00000 + i % 4, "round %u: the page reads 0x%x", i, *window(0));
	}
}

static void read_noncanonical(void *p) { __asm__ volatile("movb (%0), %%al" : : "r"(p) : "eax"); }
static void load_cr3(void *p) { write_cr3((word)p); }
static void load_cr4(void *p) { write_cr4((word)p); }
static void load_cr0(void *p) { write_cr0((word)p); }

static void test_registers(void)
{
	word cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
	bool pcid = cpuid_version().ecx & CPUID_1_ECX_PCID;

	CHECK(trap_call(read_noncanonical, (void *)0x800000000000) == TRAP(GP), "a read of a non-canonical address");
	CHECK(trap_call(load_cr3, (void *)(cr3 | 1ul << 52)) == TRAP(GP), "CR3 with a reserved bit");
	CHECK(trap_call(load_cr4, (void *)(cr4 | 1ul << 31)) == TRAP(GP), "CR4 with a reserved bit");
	CHECK(trap_call(load_cr4, (void *)(cr4 & ~(word)CR4_PAE)) == TRAP(GP), "CR4.PAE off in long mode");
	CHECK(trap_call(load_cr4, (void *)(cr4 | CR4_VMXE)) == TRAP(GP), "CR4.VMXE, which is not offered");
	CHECK(trap_call(load_cr0, (void *)(cr0 & ~CR0_PE)) == TRAP(GP), "CR0.PE off with paging on");
	CHECK(trap_call(load_cr0, (void *)((cr0 | CR0_NW) & ~CR0_CD)) == TRAP(GP), "CR0.NW without CD");
	CHECK(trap_call(load_cr0, (void *)(cr0 | 1ul << 32)) == TRAP(GP), "CR0 with a reserved bit");
	CHECK(read_cr0() == cr0 && read_cr3() == cr3 && read_cr4() == cr4, "the registers are 0x%lx 0x%lx 0x%lx",
	      read_cr0(), read_cr3(), read_cr4());
	if (!pcid) {
		CHECK(trap_call(load_cr4, (void *)(cr4 | CR4_PCIDE)) == TRAP(GP), "CR4.PCIDE, which is not offered");
		return;
	}
	write_cr4(cr4 | CR4_PCIDE);
	write_cr3(cr3 | 5);
	set_pte(0, frame(0) | PTE_W | PTE_P);
	CHECK(*window(0) == 0xdad00000, "with a PCID the page reads 0x%x", *window(0));
	CHECK(read_cr3() == (cr3 | 5), "CR3 is 0x%lx", read_cr3());
	write_cr3(cr3 | 5 | CR3_NO_FLUSH);
	CHECK(read_cr3() == (cr3 | 5), "CR3 with bit 63 written reads 0x%lx", read_cr3());
	write_cr3(cr3);
	write_cr4(cr4);
}

void test_main(void)
{
	build();
	test_rights();
	test_upper_rights();
	test_reserved();
	test_nx();
	test_smep_smap();
	test_stale();
	if (!parameter("qemu")) /* its software CPU hangs on a CR4 with reserved bits */
		test_registers();
}
