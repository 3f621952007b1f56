/* What a CPU says of its VT-x (vmx/caps.c), the bitmaps (vmx/bitmaps.c) and the MSR areas (vmx/msrs.c). SDM, "VMX
 * Capability Reporting Facility", "MSR-Bitmap Address", "VM-Exit Controls for MSRs". */
#include "test/unit/vm/fixture.h"

#include "vmx/bitmaps.h"
#include "vmx/msrs.h"

#define MAY(bits) ((uint64_t)(bits) << 32)

/* One MSR with some bits cleared, one CPUID register with some bits cleared. */
static uint32_t spoiled_msr, spoiled_leaf;
static uint64_t msr_without, msr_with;
static struct cpuid without;

static uint64_t spoil_msr(uint32_t msr, uint64_t value)
{
	return msr == spoiled_msr ? (value & ~msr_without) | msr_with : value;
}

static struct cpuid spoil_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid c)
{
	if (leaf == spoiled_leaf && !subleaf)
		return (struct cpuid){ c.eax & ~without.eax, c.ebx & ~without.ebx, c.ecx & ~without.ecx,
				       c.edx & ~without.edx };
	return c;
}

static struct vmx_caps caps;

static const char *read_caps(void)
{
	const char *why;

	soft.msr = spoil_msr;
	soft.cpuid = spoil_cpuid;
	why = vmx_caps_read(&caps);
	soft.msr = NULL;
	soft.cpuid = NULL;
	spoiled_msr = 0;
	spoiled_leaf = UINT32_MAX;
	msr_with = 0;
	return why;
}

static const char *msr_lacks(uint32_t msr, uint64_t bits)
{
	spoiled_msr = msr;
	msr_without = bits;
	return read_caps();
}

static const char *cpuid_bits_lack(uint32_t leaf, struct cpuid bits)
{
	spoiled_leaf = leaf;
	without = bits;
	return read_caps();
}

static void a_whole_cpu(void **state)
{
	(void)state;
	start();
	spoiled_leaf = UINT32_MAX;
	assert_null(read_caps());
	assert_true(caps.hvm.mmu.ept && caps.hvm.mmu.vpid && caps.hvm.mmu.unrestricted_guest && caps.hvm.rdtscp &&
		    caps.switches_msrs);
	assert_int_equal(caps.hvm.mmu.maxphyaddr, 40);
	assert_true(caps.hvm.mmu.smep);
	finish();
	start_as(BENCH_PENRYN, "shadow");
	assert_null(read_caps());
	assert_false(caps.hvm.mmu.ept || caps.hvm.mmu.vpid || caps.hvm.mmu.unrestricted_guest || caps.switches_msrs);
	finish();
}

/* Each is refused with a sentence. */
static void what_vellum_cannot_do_without(void **state)
{
	static const struct { uint32_t msr; uint64_t bits;
	} needed[] = {
		{ MSR_VMX_TRUE_PINBASED_CTLS, MAY(PIN_EXTERNAL_INTERRUPT) },
		{ MSR_VMX_TRUE_PINBASED_CTLS, MAY(PIN_NMI) },
		{ MSR_VMX_TRUE_PINBASED_CTLS, MAY(PIN_VIRTUAL_NMI) },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, MAY(PROC_NMI_WINDOW) },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, MAY(PROC_HLT) },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, MAY(PROC_TSC_OFFSETTING) },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, MAY(PROC_IO_BITMAPS) },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, MAY(PROC_MSR_BITMAPS) },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, MAY(PROC_INVLPG) },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, MAY(PROC_CR8_LOAD) },
		{ MSR_VMX_TRUE_EXIT_CTLS, MAY(EXIT_HOST_64) },
		{ MSR_VMX_TRUE_EXIT_CTLS, MAY(EXIT_ACK_INTERRUPT) },
		{ MSR_VMX_TRUE_ENTRY_CTLS, MAY(ENTRY_IA32E) },
	};

	(void)state;
	start();
	for (unsigned n = 0; n < ARRAY_SIZE(needed); n++)
		assert_non_null(msr_lacks(needed[n].msr, needed[n].bits));
	assert_non_null(cpuid_bits_lack(CPUID_LEAF_VERSION, (struct cpuid){ .ecx = CPUID_1_ECX_VMX }));
	/* Locked without VT-x; not locked is no matter, it is switched on then. */
	assert_non_null(strstr(msr_lacks(MSR_FEATURE_CONTROL, FEATURE_CONTROL_VMX), "firmware"));
	assert_null(msr_lacks(MSR_FEATURE_CONTROL, FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX));
	/* A VMCS in uncached memory. */
	assert_non_null(msr_lacks(MSR_VMX_BASIC, 15ull << 50));
	assert_null(read_caps());
	finish();
}

/* What would be used wrongly is not used. */
static void what_it_does_without(void **state)
{
	(void)state;
	start();
	assert_null(msr_lacks(MSR_VMX_EPT_VPID_CAP, CAP_WALK_4));
	assert_false(caps.hvm.mmu.ept || caps.hvm.mmu.unrestricted_guest);
	assert_null(msr_lacks(MSR_VMX_EPT_VPID_CAP, CAP_INVEPT));
	assert_false(caps.hvm.mmu.ept);
	assert_true(caps.hvm.mmu.vpid);
	assert_null(msr_lacks(MSR_VMX_EPT_VPID_CAP, CAP_INVEPT_SINGLE | CAP_INVEPT_ALL));
	assert_false(caps.hvm.mmu.ept);
	assert_null(msr_lacks(MSR_VMX_EPT_VPID_CAP, CAP_INVEPT_SINGLE));
	assert_true(caps.hvm.mmu.ept);
	assert_null(msr_lacks(MSR_VMX_PROCBASED_CTLS2, MAY(PROC2_EPT)));
	assert_false(caps.hvm.mmu.ept || caps.hvm.mmu.unrestricted_guest);
	assert_null(msr_lacks(MSR_VMX_PROCBASED_CTLS2, MAY(PROC2_VPID)));
	assert_false(caps.hvm.mmu.vpid);
	assert_null(msr_lacks(MSR_VMX_EPT_VPID_CAP, CAP_INVVPID));
	assert_false(caps.hvm.mmu.vpid);
	assert_null(msr_lacks(MSR_VMX_EPT_VPID_CAP, CAP_INVVPID_SINGLE | CAP_INVVPID_ALL));
	assert_false(caps.hvm.mmu.vpid);
	assert_null(msr_lacks(MSR_VMX_PROCBASED_CTLS2, MAY(PROC2_RDTSCP)));
	assert_false(caps.hvm.rdtscp);
	assert_null(cpuid_bits_lack(CPUID_LEAF_EXTENDED_FEATURES, (struct cpuid){ .edx = CPUID_80000001_EDX_RDTSCP }));
	assert_false(caps.hvm.rdtscp);
	assert_null(msr_lacks(MSR_VMX_TRUE_EXIT_CTLS, MAY(EXIT_LOAD_PAT)));
	assert_false(caps.switches_msrs);
	assert_null(msr_lacks(MSR_VMX_TRUE_ENTRY_CTLS, MAY(ENTRY_LOAD_EFER)));
	assert_false(caps.switches_msrs);
	finish();
}

/* Page-modification logging: nothing is logged without dirty flags. */
static void what_it_logs(void **state)
{
	struct hvm_caps c;

	(void)state;
	bench_new(&(struct bench_config){ .cpu = BENCH_MODERN, .mmu = "ept" });
	assert_null(read_caps());
	c = caps.hvm;
	assert_true(c.mmu.pml && c.mmu.ept_ad);
	assert_null(caps_hide(&c, "pml"));
	assert_true(!c.mmu.pml && c.mmu.ept_ad);
	c = caps.hvm;
	assert_null(caps_hide(&c, "ept-ad"));
	assert_true(!c.mmu.pml && !c.mmu.ept_ad && c.mmu.ept);
	assert_null(msr_lacks(MSR_VMX_PROCBASED_CTLS2, MAY(PROC2_PML)));
	assert_true(!caps.hvm.mmu.pml && caps.hvm.mmu.ept_ad);
	assert_null(msr_lacks(MSR_VMX_EPT_VPID_CAP, CAP_EPT_AD));
	assert_false(caps.hvm.mmu.pml);
	finish();
}

/* MSRs and leaves that are there only where another says so. */
static void where_it_looks(void **state)
{
	(void)state;
	start();
	/* Without the true controls: CR3 exits must be on (SDM, "Reserved Controls and Default Settings"). */
	assert_null(msr_lacks(MSR_VMX_BASIC, BASIC_TRUE_CONTROLS));
	assert_int_equal(caps.proc.must & PROC_CR3_LOAD, PROC_CR3_LOAD);
	assert_null(read_caps());
	assert_int_equal(caps.proc.must & PROC_CR3_LOAD, 0);
	assert_null(msr_lacks(MSR_VMX_TRUE_PROCBASED_CTLS, MAY(PROC_SECONDARY)));
	assert_int_equal(caps.proc2.may, 0);
	assert_false(caps.hvm.mmu.ept);
	assert_null(cpuid_bits_lack(CPUID_LEAF_BASIC, (struct cpuid){ .eax = 8 }));
	assert_false(caps.hvm.mmu.smep);
	assert_null(cpuid_bits_lack(CPUID_LEAF_EXTENDED, (struct cpuid){ .eax = 8 }));
	assert_int_equal(caps.hvm.mmu.maxphyaddr, 36);
	finish();
}

/* An older CPU is played: what needs what is hidden goes with it (vm/cpu/hide.c). */
static void hidden(void **state)
{
	struct hvm_caps c;

	(void)state;
	start();
	assert_null(read_caps());
	c = caps.hvm;
	assert_null(caps_hide(&c, NULL));
	assert_memory_equal(&c, &caps.hvm, sizeof(c));
	assert_null(caps_hide(&c, "vpid"));
	assert_true(c.mmu.ept && c.mmu.unrestricted_guest && c.tpr_shadow && c.apic_access && !c.mmu.vpid);
	assert_null(caps_hide(&c, "apic-access,unrestricted-guest"));
	assert_true(c.mmu.ept && !c.mmu.unrestricted_guest && c.tpr_shadow && !c.apic_access);
	c = caps.hvm;
	assert_null(caps_hide(&c, "ept"));
	assert_true(!c.mmu.ept && !c.mmu.unrestricted_guest && c.mmu.vpid);
	assert_null(caps_hide(&c, "tpr-shadow"));
	assert_true(!c.tpr_shadow && !c.apic_access && !c.apic_registers && !c.virtual_interrupts);
	c = caps.hvm;
	assert_null(caps_hide(&c, "apic-register-virt"));
	assert_true(c.tpr_shadow && !c.apic_registers && c.virtual_interrupts);
	assert_null(caps_hide(&c, "virtual-interrupt-delivery"));
	assert_true(c.tpr_shadow && c.apic_access && !c.virtual_interrupts);
	assert_string_equal(caps_hide(&c, "ept,nx"), "there is no feature \"nx\"; to be hidden there are ept, vpid, "
						      "unrestricted-guest, tpr-shadow, apic-access, "
						      "apic-register-virt, virtual-interrupt-delivery, ept-ad and pml");
	finish();
}

static void controls(void **state)
{
	struct vmx_control_caps c = { .must = 0x16, .may = 0x7f };

	(void)state;
	assert_int_equal(vmx_control(c, 0), 0x16);
	assert_int_equal(vmx_control(c, 0x181), 0x17);
}

/* ---- bitmaps ---- */

/* The other bitmap differs in the TPR's MSR alone, to be read and written. */
static void the_bitmap_of_x2apic_mode(void **state)
{
	const unsigned at = MSR_X2APIC_TPR / 8;

	(void)state;
	start();
	assert_null(read_caps());
	vmx_bitmaps_init(&caps);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(vmx_msr_bitmap[i] ^ vmx_msr_bitmap_x2apic[i],
				 i == at || i == 2048 + at ? 1 << MSR_X2APIC_TPR % 8 : 0);
	finish();
}

static bool exits(uint32_t msr, bool write)
{
	unsigned part = (msr >> 31) * 1024 + write * 2048, bit = msr & 0x1fff;

	return vmx_msr_bitmap[part + bit / 8] >> bit % 8 & 1;
}

/* Those that are in the VMCS, or switched with the vCPU. */
static bool own(uint32_t msr, bool write)
{
	static const uint32_t msrs[] = { 0x174,	     0x175,	 0x176,	     0xc0000100, 0xc0000101,
					 0xc0000102, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084 };

	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++)
		if (msr == msrs[n])
			return true;
	return (msr == MSR_TSC && !write) || (msr == MSR_TSC_AUX && caps.hvm.rdtscp);
}

static void bitmaps(void **state)
{
	(void)state;
	start();
	for (unsigned rdtscp = 0; rdtscp < 2; rdtscp++) {
		caps = machine.caps_room.vmx;
		caps.hvm.rdtscp = rdtscp;
		memset(vmx_io_bitmaps, 0, 2 * PAGE_SIZE);
		memset(vmx_msr_bitmap, 0, PAGE_SIZE);
		vmx_bitmaps_init(&caps);
		for (uint32_t n = 0; n < 4 * 0x2000; n++) {
			uint32_t msr = (n & 0x1fff) | (n & 0x2000 ? 0xc0000000 : 0);

			assert_int_equal(exits(msr, n & 0x4000), !own(msr, n & 0x4000));
		}
		for (unsigned n = 0; n < 2 * PAGE_SIZE; n++)
			assert_int_equal(vmx_io_bitmaps[n], 0xff);
	}
	vmx_bitmaps_init(&machine.caps_room.vmx);
	finish();
}

/* ---- the host's MSRs ---- */

struct area_entry {
	uint32_t msr, reserved;
	uint64_t value;
};

static const struct area_entry *find(uint32_t address_field, uint32_t count, uint32_t msr)
{
	const struct area_entry *e = host_memory(vmcs_get(address_field), count * (unsigned)sizeof(*e));

	assert_non_null(e);
	for (; count--; e++)
		if (e->msr == msr)
			return e;
	fail_msg("MSR 0x%x is not in the area", msr);
	return NULL;
}

static void msrs_by_areas(void **state)
{
	uint32_t loads;

	(void)state;
	start_as(BENCH_PENRYN, "shadow");
	assert_true(bench_mode(BENCH_LONG64, 0));
	STEP(bench_wrmsr(MSR_PAT, 0x0606060606060606));
	assert_int_equal(vmcs_get(VMCS_EXIT_MSR_STORE_COUNT), 0);
	loads = (uint32_t)vmcs_get(VMCS_EXIT_MSR_LOAD_COUNT);
	assert_int_equal(find(VMCS_EXIT_MSR_LOAD_ADDRESS, loads, MSR_EFER)->value, soft.efer);
	assert_int_equal(find(VMCS_EXIT_MSR_LOAD_ADDRESS, loads, MSR_PAT)->value, soft.pat);
	loads = (uint32_t)vmcs_get(VMCS_ENTRY_MSR_LOAD_COUNT);
	assert_true(find(VMCS_ENTRY_MSR_LOAD_ADDRESS, loads, MSR_EFER)->value & EFER_LMA);
	assert_int_equal(find(VMCS_ENTRY_MSR_LOAD_ADDRESS, loads, MSR_PAT)->value, 0x0606060606060606);
	finish();
}

static void msrs_by_controls(void **state)
{
	(void)state;
	start();
	assert_int_equal(vmcs_get(VMCS_HOST_EFER), soft.efer);
	assert_int_equal(vmcs_get(VMCS_HOST_PAT), soft.pat);
	assert_int_equal(vmcs_get(VMCS_EXIT_MSR_STORE_COUNT), 0);
	assert_int_equal(vmcs_get(VMCS_EXIT_MSR_LOAD_COUNT), 0);
	assert_int_equal(vmcs_get(VMCS_ENTRY_MSR_LOAD_COUNT), 0);
	finish();
}

static uint32_t lacking_msr;
static uint64_t lacking;

static uint64_t lack(uint32_t msr, uint64_t value) { return msr == lacking_msr ? value & ~lacking : value; }

/* A CPU that has some of the controls, but not all that are needed: no entry asks for those that it has, for their
 * fields say nothing. */
static void msrs_by_some_controls(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t control;
	} one[] = {
		{ MSR_VMX_TRUE_EXIT_CTLS, EXIT_SAVE_EFER },
		{ MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_EFER },
		{ MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_PAT },
		{ MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_EFER },
		{ MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_PAT },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(one); i++) {
		lacking_msr = one[i].msr;
		lacking = MAY(one[i].control);
		bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .msr = lack });
		check_entry(__LINE__);
		assert_int_equal(vmcs_get(VMCS_ENTRY_MSR_LOAD_COUNT), 2);
		assert_int_equal(vmcs_get(VMCS_EXIT_MSR_LOAD_COUNT), 2);
		assert_true(bench_mode(BENCH_LONG64, 0));
		STEP(bench_exit_simple(EXIT_CPUID, 2));
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controls),
		cmocka_unit_test(hidden),
		cmocka_unit_test(a_whole_cpu),
		cmocka_unit_test(what_vellum_cannot_do_without),
		cmocka_unit_test(what_it_does_without),
		cmocka_unit_test(what_it_logs),
		cmocka_unit_test(where_it_looks),
		cmocka_unit_test(bitmaps),
		cmocka_unit_test(the_bitmap_of_x2apic_mode),
		cmocka_unit_test(msrs_by_areas),
		cmocka_unit_test(msrs_by_controls),
		cmocka_unit_test(msrs_by_some_controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
