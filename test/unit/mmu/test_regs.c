/* Loads of CR0, CR3, CR4 and EFER: every #GP rule, PDPTE loads, what reaches the mechanism; guest memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mmu/mechanisms.h"
#include "test/unit/mmu/fake_below.h"

static struct fake *f;
static struct mmu_caps caps;
static struct mmu_vm vm;
static struct mmu_vcpu vcpu;
static struct backing_extents backing;
static const struct extent extents[] = { { 0, 16, HFN(0x100) } };

static void start_with(uint64_t cr0, uint64_t cr4, uint64_t efer, bool unrestricted, gpa_t identity_map)
{
	struct mmu_config config = { .page_limit = PAGE_LIMIT_1G, .identity_map = identity_map };
	struct walk_regs regs = { .cr0 = cr0, .cr4 = cr4, .efer = efer, .maxphyaddr = 36 };
	struct slot slot = {
		.base = GFN(0), .pages = 16, .kind = SLOT_RAM, .type = MEMTYPE_WB, .backing = &backing.backing
	};
	struct slot rom = {
		.base = GFN(16), .pages = 1, .kind = SLOT_ROM, .type = MEMTYPE_WB, .backing = &backing.backing
	};

	f = fake_new();
	fake_ram(f, 0x100, 16);
	caps = fake_caps();
	caps.unrestricted_guest = unrestricted;
	backing_extents_init(&backing, GFN(0), extents, 1);
	assert_true(mmu_vm_init(&vm, &mmu_ept, &f->below, &caps, &config, NULL));
	assert_true(mmu_slot_add(&vm, &slot));
	assert_true(mmu_slot_add(&vm, &rom));
	assert_true(mmu_vcpu_init(&vcpu, &vm, &regs));
}

static void start(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	start_with(cr0, cr4, efer, true, GPA(0));
}

static void stop(void)
{
	mmu_vcpu_destroy(&vcpu);
	mmu_vm_destroy(&vm);
	assert_int_equal(f->in_use, 16);
	fake_delete(f);
}

static void fixed(struct mmu_result r) { assert_int_equal(r.outcome, MMU_FIXED); }

static void gp(struct mmu_result r)
{
	assert_int_equal(r.outcome, MMU_INJECT);
	assert_int_equal(r.exception.vector, 13);
	assert_int_equal(r.exception.error, 0);
}

static void test_cr0(void **state)
{
	(void)state;
	start(CR0_ET, 0, 0);
	gp(mmu_set_cr0(&vcpu, CR0_PG));
	gp(mmu_set_cr0(&vcpu, CR0_NW));
	gp(mmu_set_cr0(&vcpu, BIT(32)));
	assert_int_equal(vcpu.regs.cr0, CR0_ET);
	fixed(mmu_set_cr0(&vcpu, CR0_PE | BIT(7) | BIT(20))); /* reserved bits are ignored, ET stays */
	assert_int_equal(vcpu.regs.cr0, CR0_PE | CR0_ET);
	/* Into long mode: PAE must be on, CS.L off. */
	fixed(mmu_set_efer(&vcpu, EFER_LME | EFER_LMA));
	assert_int_equal(vcpu.regs.efer, EFER_LME);
	gp(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG));
	fixed(mmu_set_cr4(&vcpu, CR4_PAE));
	vcpu.regs.cs_l = true;
	gp(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG));
	vcpu.regs.cs_l = false;
	fixed(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG));
	assert_int_equal(vcpu.regs.efer, EFER_LME | EFER_LMA);
	gp(mmu_set_efer(&vcpu, 0)); /* LME while paging */
	gp(mmu_set_cr4(&vcpu, 0));  /* PAE off in long mode */
	gp(mmu_set_cr4(&vcpu, CR4_PAE | CR4_LA57));
	/* Out of it: not from 64-bit code, not with PCIDE. */
	vcpu.regs.cs_l = true;
	gp(mmu_set_cr0(&vcpu, CR0_PE));
	vcpu.regs.cs_l = false;
	fixed(mmu_set_cr4(&vcpu, CR4_PAE | CR4_PCIDE));
	gp(mmu_set_cr0(&vcpu, CR0_PE));
	fixed(mmu_set_cr4(&vcpu, CR4_PAE));
	fixed(mmu_set_cr0(&vcpu, CR0_PE));
	assert_int_equal(vcpu.regs.efer, EFER_LME);
	gp(mmu_set_cr4(&vcpu, CR4_PAE | CR4_PCIDE)); /* PCIDE outside of long mode */
	stop();
	start(CR0_ET | CR0_PE | CR0_WP, CR4_CET, 0);
	gp(mmu_set_cr0(&vcpu, CR0_PE));
	fixed(mmu_set_cr4(&vcpu, 0));
	fixed(mmu_set_cr0(&vcpu, CR0_PE));
	gp(mmu_set_cr4(&vcpu, CR4_CET));
	stop();
}

static void test_cr3(void **state)
{
	(void)state;
	start(CR0_ET | CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA);
	gp(mmu_set_cr3(&vcpu, BIT(36)));
	gp(mmu_set_cr3(&vcpu, BIT(63)));
	fixed(mmu_set_cr3(&vcpu, BIT(35) | 0x18));
	assert_int_equal(vcpu.root.cr3, BIT(35) | 0x18);
	gp(mmu_set_cr4(&vcpu, CR4_PAE | CR4_PCIDE)); /* CR3[11:0] is not 0 */
	fixed(mmu_set_cr3(&vcpu, 0x3000));
	fixed(mmu_set_cr4(&vcpu, CR4_PAE | CR4_PCIDE));
	fixed(mmu_set_cr3(&vcpu, BIT(63) | 0x4005));
	assert_int_equal(vcpu.regs.cr3, 0x4005);
	stop();
}

static void test_efer(void **state)
{
	(void)state;
	start(CR0_ET, 0, 0);
	gp(mmu_set_efer(&vcpu, BIT(1)));
	gp(mmu_set_efer(&vcpu, EFER_SVME));
	vcpu.regs.efer_reserved = EFER_NXE;
	gp(mmu_set_efer(&vcpu, EFER_NXE));
	vcpu.regs.efer_reserved = 0;
	fixed(mmu_set_efer(&vcpu, EFER_NXE | EFER_SCE));
	assert_int_equal(vcpu.regs.efer, EFER_NXE | EFER_SCE);
	vcpu.regs.cr4_reserved = CR4_SMAP;
	gp(mmu_set_cr4(&vcpu, CR4_SMAP));
	gp(mmu_set_cr4(&vcpu, BIT(32)));
	fixed(mmu_set_cr4(&vcpu, CR4_SMEP));
	stop();
}

static void test_pdptes(void **state)
{
	uint64_t good[4] = { 0x2000 | PTE_P, PTE_NX | PTE_W, 0x3000 | PTE_P | PTE_PWT, 0 }, bad;

	(void)state;
	start(CR0_ET | CR0_PE, CR4_PAE, 0);
	assert_int_equal(mmu_guest_write(&vm, GPA(0x1020), good, sizeof(good)), sizeof(good));
	fixed(mmu_set_cr3(&vcpu, 0x1020));
	assert_int_equal(vcpu.regs.pdpte[0], 0); /* no paging: nothing is loaded */
	fixed(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG));
	assert_memory_equal(vcpu.regs.pdpte, good, sizeof(good));
	assert_true(vcpu.root.load_pdptes);
	assert_memory_equal(vcpu.root.pdpte, good, sizeof(good));
	/* They are registers: memory may change. */
	for (unsigned bit = 0; bit < 64; bit++) {
		bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 36;
		struct mmu_result r;

		bad = 0x2000 | PTE_P | BIT(bit);
		mmu_guest_write(&vm, GPA(0x1028), &bad, 8);
		r = mmu_set_cr3(&vcpu, 0x1020);
		if (reserved) {
			gp(r);
			assert_int_equal(vcpu.regs.pdpte[1], good[1]);
			gp(mmu_set_cr4(&vcpu, CR4_PAE | CR4_PGE));
			gp(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG | CR0_CD));
			/* Writes that touch none of the named bits reload nothing. */
			fixed(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG | CR0_WP));
			assert_int_equal(vcpu.regs.pdpte[1], good[1]);
		} else {
			fixed(r);
			assert_int_equal(vcpu.regs.pdpte[1], bad);
		}
		mmu_guest_write(&vm, GPA(0x1028), &good[1], 8);
		fixed(mmu_set_cr3(&vcpu, 0x1020));
	}
	/* What is no memory reads as ones: reserved bits. */
	gp(mmu_set_cr3(&vcpu, 0x7000000));
	stop();
}

static void test_memory(void **state)
{
	char buf[3 * 4096], back[3 * 4096];

	(void)state;
	start(CR0_ET, 0, 0);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7 + i / 256);
	assert_int_equal(mmu_guest_write(&vm, GPA(0x1803), buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(mmu_guest_read(&vm, GPA(0x1803), back, sizeof(back)), sizeof(back));
	assert_memory_equal(buf, back, sizeof(buf));
	assert_memory_equal((char *)f->frame[0x101] + 0x803, buf, 0x7fd);
	/* Up to the first page that is no such memory. */
	assert_int_equal(mmu_guest_write(&vm, GPA(0xf800), buf, sizeof(buf)), 0x800); /* then ROM */
	assert_int_equal(mmu_guest_read(&vm, GPA(0xf800), buf, sizeof(buf)), 0x1800); /* then nothing */
	assert_int_equal(mmu_guest_read(&vm, GPA(0x20000), buf, 1), 0);
	assert_ptr_equal(mmu_guest_ptr(&vm, GPA(0x2ff8), 8, true), (char *)f->frame[0x102] + 0xff8);
	assert_null(mmu_guest_ptr(&vm, GPA(0x2ff9), 8, true));
	assert_null(mmu_guest_ptr(&vm, GPA(0x10000), 8, true));
	assert_non_null(mmu_guest_ptr(&vm, GPA(0x10000), 8, false));
	stop();
}

static void test_exchange(void **state)
{
	uint64_t is[2] = { 0 }, with[2] = { 0x1122334455667788, 9 }, wrong = 5;
	bool done = false;

	(void)state;
	start(CR0_ET, 0, 0);
	for (unsigned n = 1; n <= 16; n *= 2) {
		memset(is, 0, sizeof(is));
		memset((char *)f->frame[0x102] + 0x40, 0, 16);
		assert_true(mmu_guest_exchange(&vm, GPA(0x2040), is, with, n, &done) && done);
		assert_memory_equal((char *)f->frame[0x102] + 0x40, with, n);
		assert_int_equal(((char *)f->frame[0x102])[0x40 + n], 0);
	}
	assert_true(mmu_guest_exchange(&vm, GPA(0x2040), &wrong, with, 8, &done) && !done);
	assert_int_equal(wrong, with[0]);
	assert_false(mmu_guest_exchange(&vm, GPA(0x2048), is, with, 16, &done));
	assert_false(mmu_guest_exchange(&vm, GPA(0x2ffc), is, with, 8, &done));
	assert_false(mmu_guest_exchange(&vm, GPA(0x10000), is, with, 8, &done)); /* ROM */
	stop();
}

static void test_forced_paging(void **state)
{
	struct mmu_fault walk_fault = { .kind = MMU_FAULT_EPT_VIOLATION, .access = MMU_READ, .gpa = GPA(0xe000) };
	uint64_t frame;

	(void)state;
	start_with(CR0_ET | CR0_PE, 0, 0, false, GPA(0xe000));
	fixed(mmu_set_cr3(&vcpu, 0x5000));
	assert_int_equal(vcpu.root.cr3, 0xe000);
	assert_true(vcpu.intercepts.cr3_load && vcpu.intercepts.cr3_store);
	assert_int_equal(vcpu.intercepts.cr0_force_value, CR0_PE | CR0_PG);
	/* The CPU's walk finds the map there, not the guest's own page. */
	fixed(mmu_fault(&vcpu, &walk_fault));
	frame = vcpu.root.nested >> 12;
	for (unsigned level = 4; level >= 1; level--)
		frame = ((uint64_t *)f->frame[frame])[level == 1 ? 0xe : 0] >> 12 & MASK(39, 0);
	assert_int_equal(((uint32_t *)f->frame[frame])[1023], 0xffc000e7u);
	assert_int_equal(((uint32_t *)f->frame[frame])[1], 0x4000e7u);
	/* A large leaf would hide it. */
	walk_fault.gpa = GPA(0xf000);
	fixed(mmu_fault(&vcpu, &walk_fault));
	assert_int_equal(vm.counters.mapped_2m, 0);
	fixed(mmu_set_cr4(&vcpu, CR4_PAE));
	assert_int_equal(vcpu.intercepts.cr4_force_mask & CR4_PAE, CR4_PAE);
	assert_int_equal(vcpu.intercepts.cr4_force_value, CR4_PSE);
	fixed(mmu_set_efer(&vcpu, EFER_LME));
	assert_int_equal(vcpu.intercepts.efer_force_mask, EFER_LME | EFER_LMA);
	fixed(mmu_set_cr0(&vcpu, CR0_PE | CR0_PG));
	assert_int_equal(vcpu.root.cr3, 0x5000);
	assert_false(vcpu.intercepts.cr3_load);
	assert_int_equal(vcpu.intercepts.cr4_force_mask, 0);
	assert_int_equal(vcpu.intercepts.efer_force_mask, 0);
	/* The CPU changed registers by itself. */
	mmu_sync_regs(&vcpu, CR0_ET | CR0_PE | CR0_PG, 0x6000, CR4_PAE | CR4_PGE, NULL);
	assert_int_equal(vcpu.regs.cr3, 0x6000);
	assert_int_equal(vcpu.regs.efer, EFER_LME | EFER_LMA);
	stop();
}

static void test_no_identity_map(void **state)
{
	(void)state;
	start_with(CR0_ET | CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, false, GPA(0));
	assert_int_equal(mmu_set_cr0(&vcpu, CR0_PE).outcome, MMU_STOP);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cr0),
		cmocka_unit_test(test_cr3),
		cmocka_unit_test(test_efer),
		cmocka_unit_test(test_pdptes),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_forced_paging),
		cmocka_unit_test(test_no_identity_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
