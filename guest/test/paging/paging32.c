/* 32 bits: paging off, 32-bit paging, PAE, off again; every fault with its error code. */
#include "guest/test/base/apic.h"
#include "guest/test/base/pages.h"

const char test_name[] = "paging32";

#define ALIAS 0x80000000u  /* the low memory, for level 3 */
#define WINDOW 0x40000000u /* where pages are mapped one by one */
#define GIB 0x40000000u

static uint32_t pd[1024] __attribute__((aligned(4096)));
static uint32_t pt[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(4096)));
static uint64_t pae_pd[4][PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint64_t pae_pt[PAGE_TABLE_ENTRIES] __attribute__((aligned(4096)));
static uint8_t data[4][4096] __attribute__((aligned(4096)));

static volatile uint32_t *window(unsigned page) { return (volatile uint32_t *)(WINDOW + page * 4096); }
static uint32_t frame(unsigned i) { return (uint32_t)data[i]; }

static void fill(void)
{
	for (unsigned i = 0; i < 4; i++) {
		*(volatile uint32_t *)data[i] = 0xdad00000 + i;
		data[i][64] = 0xc3;
	}
}

static void set_pte(unsigned page, uint32_t value)
{
	((volatile uint32_t *)pt)[page] = value;
	invlpg((void *)window(page));
}

static void build_32bit(void)
{
	for (uint32_t i = 0; i < 1024; i++)
		pd[i] = i << 22 | PTE_PS | PTE_W | PTE_P;
	for (uint32_t i = 0; i < 4; i++)
		pd[ALIAS / 0x400000 + i] = i << 22 | PTE_PS | PTE_U | PTE_W | PTE_P;
	pd[WINDOW / 0x400000] = (uint32_t)pt | PTE_U | PTE_W | PTE_P;
}

static void test_32bit(void)
{
	set_pte(0, frame(0) | PTE_U | PTE_W | PTE_P);
	set_pte(1, frame(1) | PTE_W | PTE_P);
	set_pte(2, frame(2) | PTE_U | PTE_P);
	set_pte(3, 0);
	CHECK(*window(0) == 0xdad00000 && *window(1) == 0xdad00001, "mapped pages read 0x%x 0x%x", *window(0),
	      *window(1));
	expect_good("32-bit: user read", do_read, WINDOW, true);
	expect_good("32-bit: user write", do_write, WINDOW + 8, true);
	expect_fault("32-bit: user read of a supervisor page", do_read, WINDOW + 0x1004, true, PFERR_U | PFERR_P);
	expect_fault("32-bit: user write to a supervisor page", do_write, WINDOW + 0x1004, true,
		     PFERR_U | PFERR_W | PFERR_P);
	expect_fault("32-bit: user write to a read-only page", do_write, WINDOW + 0x2004, true,
		     PFERR_U | PFERR_W | PFERR_P);
	expect_good("32-bit: supervisor write to a read-only page, WP=0", do_write, WINDOW + 0x2008, false);
	write_cr0(read_cr0() | CR0_WP);
	expect_fault("32-bit: supervisor write to a read-only page, WP=1", do_write, WINDOW + 0x2ffc, false,
		     PFERR_W | PFERR_P);
	write_cr0(read_cr0() & ~(word)CR0_WP);
	expect_good("32-bit: supervisor write to a read-only page, WP=0 again", do_write, WINDOW + 0x2008, false);
	expect_fault("32-bit: read of an absent page", do_read, WINDOW + 0x3abc, false, 0);
	expect_fault("32-bit: write to an absent page", do_write, WINDOW + 0x3abc, false, PFERR_W);
	expect_fault("32-bit: user fetch from an absent page", do_execute, WINDOW + 0x3abc, true, PFERR_U);
	expect_good("32-bit: execute", do_execute, WINDOW + 64, true);
}

static void test_accessed_dirty(void)
{
	volatile uint32_t *e = &((volatile uint32_t *)pt)[0];

	set_pte(0, frame(0) | PTE_U | PTE_W | PTE_P);
	do_read((void *)window(0));
	CHECK((*e & (PTE_A | PTE_D)) == PTE_A, "after a read the entry is 0x%x", *e);
	do_write((void *)(window(0) + 2));
	CHECK((*e & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "after a write the entry is 0x%x", *e);
	/* Another frame behind the same address. */
	set_pte(0, frame(1) | PTE_U | PTE_W | PTE_P);
	CHECK(*window(0) == 0xdad00001, "after INVLPG the page reads 0x%x", *window(0));
	((volatile uint32_t *)pt)[0] = frame(2) | PTE_U | PTE_W | PTE_P;
	write_cr3(read_cr3());
	CHECK(*window(0) == 0xdad00002, "after a load of CR3 the page reads 0x%x", *window(0));
	((volatile uint32_t *)pt)[0] = frame(3) | PTE_U | PTE_W | PTE_P;
	write_cr4(read_cr4() ^ CR4_PGE);
	CHECK(*window(0) == 0xdad00003, "after a change of CR4.PGE the page reads 0x%x", *window(0));
	write_cr4(read_cr4() ^ CR4_PGE);
}

/* Beyond RAM there is nothing, mapped or not. */
static void test_beyond_ram(void)
{
	set_pte(4, (0x100000 + info()->mem_upper * 1024) | PTE_W | PTE_P);
	CHECK(*window(4) == 0xffffffff, "a page beyond RAM reads 0x%x", *window(4));
	*window(4) = 0;
	CHECK(*window(4) == 0xffffffff, "a page beyond RAM kept a write: 0x%x", *window(4));
}

/* By way of no paging: no table serves with and without CR4.PSE. */
static void change_paging(word cr3, word cr4)
{
	write_cr0(read_cr0() & ~(word)CR0_PG);
	write_cr4(cr4);
	write_cr3(cr3);
	write_cr0(read_cr0() | CR0_PG);
}

/* Without CR4.PSE bit 7 of a directory's entry means nothing; with it, bits 13 to 20 are address bits and 21 is
 * reserved. */
static void test_large(void)
{
	static uint32_t plain_pd[1024] __attribute__((aligned(4096))), low[4][1024] __attribute__((aligned(4096)));
	const unsigned at = WINDOW / 0x400000;
	volatile uint32_t *big = (volatile uint32_t *)(2 * GIB + 0x10000000u);
	word cr3 = read_cr3();

	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < 1024; j++)
			low[i][j] = (i << 22 | j << 12) | PTE_W | PTE_P;
	for (unsigned i = 0; i < 4; i++)
		plain_pd[i] = (uint32_t)low[i] | PTE_PS | PTE_W | PTE_P;
	plain_pd[at] = (uint32_t)pt | PTE_PS | PTE_W | PTE_P;
	set_pte(0, frame(1) | PTE_W | PTE_P);
	change_paging((word)plain_pd, 0);
	CHECK(*window(0) == 0xdad00001, "PSE=0: bit 7 of a directory's entry counts: 0x%x", *window(0));
	expect_fault("PSE=0: an absent page", do_read, WINDOW + 0x3000, false, 0);
	change_paging(cr3, CR4_PSE);
	pd[(word)big >> 22] = ((uint32_t)data & 0xffc00000) | PTE_PS | PTE_W | PTE_P;
	invlpg((void *)(word)big);
	CHECK(*(volatile uint32_t *)((word)big + ((word)data & 0x3fffff)) == 0xdad00000, "a page of 4M reads 0x%x",
	      *(volatile uint32_t *)((word)big + ((word)data & 0x3fffff)));
	pd[(word)big >> 22] |= 1u << 21;
	invlpg((void *)(word)big);
	expect_fault("a reserved bit of a page of 4M", do_read, (word)big, false, PFERR_RSVD | PFERR_P);
	if (cpuid_version().edx & CPUID_1_EDX_PSE36) {
		pd[(word)big >> 22] = 1u << 13 | PTE_PS | PTE_W | PTE_P; /* 4 GiB: no RAM there */
		invlpg((void *)(word)big);
		CHECK(*big == 0xffffffff, "PSE-36: a page of 4M beyond RAM reads 0x%x", *big);
		*big = 0;
		CHECK(*big == 0xffffffff, "PSE-36: a page of 4M beyond RAM kept 0x%x", *big);
	}
	pd[(word)big >> 22] = 0;
	invlpg((void *)(word)big);
	expect_fault("a page of 4M that is gone", do_write, (word)big, false, PFERR_W);
}

static void set_pae(unsigned page, uint64_t value)
{
	((volatile uint64_t *)pae_pt)[page] = value;
	invlpg((void *)window(page));
}

static void build_pae(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		pdpt[i] = (uint32_t)pae_pd[i] | PTE_P;
		for (uint32_t j = 0; j < PAGE_TABLE_ENTRIES; j++)
			pae_pd[i][j] = (uint64_t)(i * GIB + (j << 21)) | PTE_PS | PTE_W | PTE_P;
	}
	for (uint32_t j = 0; j < 8; j++)
		pae_pd[ALIAS / GIB][j] = (uint64_t)(j << 21) | PTE_PS | PTE_U | PTE_W | PTE_P;
	pae_pd[WINDOW / GIB][0] = (uint32_t)pae_pt | PTE_U | PTE_W | PTE_P;
}

/* AMD's CPUs look at a PDPTE when they use it, under nested paging (APM, "Legacy PAE Mode" of "Nested Paging"), and not
 * when CR3 is loaded. */
static bool loads_pdptes(void) { return cpuid(CPUID_LEAF_BASIC, 0).ebx != 0x68747541; /* "Auth" */ }

static void load_cr3(void *p) { write_cr3((word)p); }

static void test_pae(void)
{
	static uint64_t bad_pdpt[4] __attribute__((aligned(32)));

	set_pae(0, frame(0) | PTE_U | PTE_W | PTE_P);
	set_pae(1, frame(1) | PTE_W | PTE_P);
	set_pae(2, frame(2) | PTE_U | PTE_P);
	set_pae(3, 0);
	CHECK(*window(1) == 0xdad00001, "PAE: a mapped page reads 0x%x", *window(1));
	expect_good("PAE: user write", do_write, WINDOW + 8, true);
	expect_fault("PAE: user read of a supervisor page", do_read, WINDOW + 0x1004, true, PFERR_U | PFERR_P);
	expect_fault("PAE: user write to a read-only page", do_write, WINDOW + 0x2004, true,
		     PFERR_U | PFERR_W | PFERR_P);
	write_cr0(read_cr0() | CR0_WP);
	expect_fault("PAE: supervisor write to a read-only page, WP=1", do_write, WINDOW + 0x2004, false,
		     PFERR_W | PFERR_P);
	write_cr0(read_cr0() & ~(word)CR0_WP);
	expect_fault("PAE: read of an absent page", do_read, WINDOW + 0x3000, false, 0);
	set_pae(5, frame(0) | 1ull << 55 | PTE_W | PTE_P);
	expect_fault("PAE: a reserved bit", do_read, WINDOW + 0x5000, false, PFERR_RSVD | PFERR_P);
	/* The register PDPTEs are checked when they are loaded. */
	for (unsigned i = 0; i < 4; i++)
		bad_pdpt[i] = pdpt[i];
	bad_pdpt[2] |= PTE_W; /* reserved here */
	if (loads_pdptes()) {
		/* Where the local APIC's registers are, there are none that fit. */
		CHECK(trap_call(load_cr3, (void *)apic_at(APIC_TPR)) == TRAP(GP), "the local APIC's PDPTEs were taken");
		CHECK(trap_call(load_cr3, bad_pdpt) == TRAP(GP), "a PDPTE with a reserved bit was taken");
		CHECK(read_cr3() == (word)pdpt, "CR3 is 0x%lx after a load that faulted", read_cr3());
	}
	bad_pdpt[2] = 0;
	load_cr3(bad_pdpt);
	expect_fault("PAE: an absent PDPTE", do_read, 2 * GIB + 0x5000, false, 0);
	/* Registers, not memory: the entry in memory counts at the next load. */
	((volatile uint64_t *)bad_pdpt)[2] = pdpt[2];
	load_cr3(bad_pdpt);
	expect_good("PAE: a PDPTE that came", do_read, 2 * GIB + 0x5000, false);
	load_cr3(pdpt);
}

static void test_nx(void)
{
	if (!(cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0).edx & CPUID_80000001_EDX_NX)) {
		print("paging32: no NX here\n");
		return;
	}
	set_pae(0, frame(0) | PTE_NX | PTE_U | PTE_W | PTE_P);
	expect_fault("PAE: bit 63 with NXE=0", do_read, WINDOW, false, PFERR_RSVD | PFERR_P);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	invlpg((void *)window(0));
	expect_good("PAE: read of an NX page", do_read, WINDOW, false);
	expect_fault("PAE: execution of an NX page", do_execute, WINDOW + 64, false, PFERR_I | PFERR_P);
	expect_fault("PAE: user execution of an NX page", do_execute, WINDOW + 64, true, PFERR_I | PFERR_U | PFERR_P);
	expect_fault("PAE: execution of an absent page", do_execute, WINDOW + 0x3000, false, PFERR_I);
	set_pae(0, frame(0) | PTE_U | PTE_W | PTE_P);
	expect_good("PAE: execution without NX", do_execute, WINDOW + 64, true);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_NXE);
}

static void paging_off(void)
{
	write_cr0(read_cr0() & ~(word)CR0_PG);
	user_alias = 0;
	CHECK(*(volatile uint32_t *)data[3] == 0xdad00003, "paging off: memory reads 0x%x",
	      *(volatile uint32_t *)data[3]);
}

void test_main(void)
{
	fill();
	build_32bit();
	build_pae();
	for (unsigned round = 0; round < 3; round++) {
		fill();
		write_cr4(CR4_PSE);
		write_cr3((word)pd);
		write_cr0(read_cr0() | CR0_PG);
		user_alias = ALIAS;
		test_32bit();
		test_accessed_dirty();
		test_beyond_ram();
		test_large();
		paging_off();
		write_cr4(CR4_PAE);
		write_cr3((word)pdpt);
		write_cr0(read_cr0() | CR0_PG);
		user_alias = ALIAS;
		test_pae();
		test_nx();
		paging_off();
	}
}
