/* 64 bits: CPUID, control registers, MSRs and XCR0 agree with each other; what is not offered raises #GP or #UD. */
#include "guest/test/base/apic.h"

const char test_name[] = "msr-cpuid";


struct msr { uint32_t index; uint64_t value; };

static void do_rdmsr(void *p) { ((struct msr *)p)->value = rdmsr(((struct msr *)p)->index); }
static void do_wrmsr(void *p) { wrmsr(((struct msr *)p)->index, ((struct msr *)p)->value); }
static void do_cr4(void *p) { write_cr4((word)p); }

static bool readable(uint32_t index)
{
	struct msr m = { index, 0 };

	return trap_call(do_rdmsr, &m) == NO_TRAP;
}

static bool writable(uint32_t index, uint64_t value)
{
	struct msr m = { index, value };

	return trap_call(do_wrmsr, &m) == NO_TRAP;
}

static void check_write_gp(uint32_t index, uint64_t value)
{
	CHECK(!writable(index, value) && trap.vector == VECTOR_GP && trap.error == 0 && (trap.flags & RFLAGS_RF),
	      "MSR 0x%x took 0x%lx", index, (word)value);
}

/* ---- CPUID ---- */

static void test_leaves(void)
{
	struct cpuid c = cpuid(CPUID_LEAF_BASIC, 0), e = cpuid(CPUID_LEAF_EXTENDED, 0);

	CHECK(c.eax >= 1 && c.eax < 0x100, "the highest basic leaf is 0x%x", c.eax);
	CHECK(e.eax >= 0x80000008 && e.eax < 0x80000100, "the highest extended leaf is 0x%x", e.eax);
	for (uint32_t leaf = 0; leaf <= c.eax; leaf++) {
		struct cpuid x = cpuid(leaf, 0), y = cpuid(leaf, 0);

		CHECK(x.eax == y.eax && x.ebx == y.ebx && x.ecx == y.ecx && x.edx == y.edx,
		      "leaf 0x%x differs from itself", leaf);
	}
	CHECK((cpuid(CPUID_LEAF_ADDRESS_SIZES, 0).eax & 0xff) >= 36, "physical addresses of %u bits",
	      cpuid(CPUID_LEAF_ADDRESS_SIZES, 0).eax & 0xff);
	CHECK(cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0).edx & CPUID_80000001_EDX_LM, "long mode runs and is not offered");
	CHECK(!(cpuid_version().ecx & CPUID_1_ECX_VMX), "VMX is offered");
	CHECK(cpuid_version().ebx >> 24 == 0, "the first APIC's id is %u", cpuid_version().ebx >> 24);
}

/* A bit of CR4 can be set if and only if CPUID offers what it turns on. */
static void test_cr4(void)
{
	struct cpuid one = cpuid_version(), seven = cpuid_features();
	const struct { const char *name; word bit; bool offered; } bits[] = {
		{ "VME", CR4_VME, one.edx & CPUID_1_EDX_VME },
		{ "DE", CR4_DE, one.edx & CPUID_1_EDX_DE },
		{ "MCE", CR4_MCE, one.edx & CPUID_1_EDX_MCE },
		{ "PGE", CR4_PGE, one.edx & CPUID_1_EDX_PGE },
		{ "UMIP", CR4_UMIP, seven.ecx & CPUID_7_ECX_UMIP },
		{ "VMXE", CR4_VMXE, one.ecx & CPUID_1_ECX_VMX },
		{ "SMXE", CR4_SMXE, one.ecx & CPUID_1_ECX_SMX },
		{ "FSGSBASE", CR4_FSGSBASE, seven.ebx & CPUID_7_EBX_FSGSBASE },
		{ "PCIDE", CR4_PCIDE, one.ecx & CPUID_1_ECX_PCID },
		{ "OSXSAVE", CR4_OSXSAVE, one.ecx & CPUID_1_ECX_XSAVE },
		{ "KL", CR4_KL, seven.ecx & CPUID_7_ECX_KL },
		{ "SMEP", CR4_SMEP, seven.ebx & CPUID_7_EBX_SMEP },
		{ "SMAP", CR4_SMAP, seven.ebx & CPUID_7_EBX_SMAP },
		{ "PKE", CR4_PKE, seven.ecx & CPUID_7_ECX_PKU },
		{ "CET", CR4_CET, seven.ecx & CPUID_7_ECX_CET_SS || seven.edx & CPUID_7_EDX_CET_IBT },
		{ "PKS", CR4_PKS, seven.ecx & CPUID_7_ECX_PKS },
		{ "bit 30", BIT(30), false },
		{ "bit 40", BIT(40), false },
	};
	word cr4 = read_cr4();

	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		bool taken;

		if (bits[i].bit == CR4_CET)
			continue; /* needs CR0.WP besides */
		taken = trap_call(do_cr4, (void *)(cr4 | bits[i].bit)) == NO_TRAP;
		CHECK(taken == bits[i].offered, "CR4.%s: %s, and CPUID %s it", bits[i].name,
		      taken ? "taken" : "refused", bits[i].offered ? "offers" : "does not offer");
		if (taken)
			CHECK(read_cr4() == (cr4 | bits[i].bit), "CR4 reads 0x%lx", read_cr4());
		write_cr4(cr4);
	}
}

static void do_invpcid(void *p)
{
	uint64_t descriptor[2] = { 0, 0 };

	__asm__ volatile("invpcid %0, %1" : : "m"(descriptor), "r"((word)p) : "memory");
}

static void do_rdpkru(void *p)
{
	(void)p;
	__asm__ volatile("rdpkru" : : "c"(0) : "eax", "edx");
}

static void do_rdtscp(void *p)
{
	(void)p;
	__asm__ volatile("rdtscp" : : : "eax", "ecx", "edx");
}

/* What depends on how memory is virtualized is offered where it works, and works where it is offered. */
static void test_paging_features(void)
{
	struct cpuid one = cpuid_version(), seven = cpuid_features();
	bool pcid = one.ecx & CPUID_1_ECX_PCID, invpcid = seven.ebx & CPUID_7_EBX_INVPCID;
	bool pku = seven.ecx & CPUID_7_ECX_PKU;
	bool rdtscp = has_rdtscp();
	word cr4 = read_cr4();

	print("msr-cpuid: paging:%s%s%s%s%s%s\n", pcid ? " PCID" : "", invpcid ? " INVPCID" : "",
	      seven.ebx & CPUID_7_EBX_SMEP ? " SMEP" : "", seven.ebx & CPUID_7_EBX_SMAP ? " SMAP" : "",
	      pku ? " PKU" : "", seven.ecx & CPUID_7_ECX_LA57 ? " LA57" : "");
	CHECK(!invpcid || pcid, "INVPCID is offered, PCID is not");
	for (word type = 0; type < 4; type++)
		CHECK(trap_call(do_invpcid, (void *)type) == (invpcid ? NO_TRAP : TRAP(UD)),
		      "INVPCID of type %lu: vector %u", type, trap.vector);
	if (invpcid)
		CHECK(trap_call(do_invpcid, (void *)4ul) == TRAP(GP), "INVPCID took type 4");
	CHECK(trap_call(do_rdtscp, NULL) == (rdtscp ? NO_TRAP : TRAP(UD)), "RDTSCP, which CPUID %s",
	      rdtscp ? "offers" : "does not offer");
	CHECK(trap_call(do_rdpkru, NULL) == TRAP(UD), "RDPKRU without CR4.PKE");
	if (!pku)
		return;
	write_cr4(cr4 | CR4_PKE);
	CHECK(cpuid(CPUID_LEAF_FEATURES, 0).ecx & CPUID_7_ECX_OSPKE, "OSPKE does not show");
	CHECK(trap_call(do_rdpkru, NULL) == NO_TRAP, "RDPKRU with CR4.PKE: vector %u", trap.vector);
	write_cr4(cr4);
}

static unsigned pmu_version(void)
{
	return cpuid(CPUID_LEAF_BASIC, 0).eax < CPUID_LEAF_PERFMON ? 0 :
		       cpuid(CPUID_LEAF_PERFMON, 0).eax & CPUID_A_EAX_VERSION;
}

/* What CPUID offers has its MSRs; what it does not, has not. */
static void test_offered_msrs(void)
{
	struct cpuid one = cpuid_version(), seven = cpuid_features();
	const struct { const char *name; uint32_t msr; bool offered, strict; } msrs[] = {
		{ "TSC", MSR_TSC, true, true },
		{ "APIC_BASE", MSR_APIC_BASE, true, true },
		{ "MTRRCAP", MSR_MTRRCAP, one.edx & CPUID_1_EDX_MTRR, true },
		{ "PAT", MSR_PAT, one.edx & CPUID_1_EDX_PAT, true },
		{ "SYSENTER_CS", MSR_SYSENTER_CS, one.edx & CPUID_1_EDX_SEP, true },
		{ "MCG_CAP", MSR_MCG_CAP, one.edx & CPUID_1_EDX_MCA, false },
		{ "EFER", MSR_EFER, true, true },
		{ "TSC_ADJUST", MSR_TSC_ADJUST, seven.ebx & CPUID_7_EBX_TSC_ADJUST, true },
		{ "TSC_DEADLINE", MSR_TSC_DEADLINE, one.ecx & CPUID_1_ECX_TSC_DEADLINE, true },
		{ "TSC_AUX", MSR_TSC_AUX, has_rdtscp(), true },
		{ "SPEC_CTRL", MSR_SPEC_CTRL, seven.edx & (CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP), true },
		{ "ARCH_CAPABILITIES", MSR_ARCH_CAPABILITIES, seven.edx & CPUID_7_EDX_ARCH_CAPABILITIES, true },
		{ "VMX_BASIC", MSR_VMX_BASIC, one.ecx & CPUID_1_ECX_VMX, true },
		{ "PERF_GLOBAL_CTRL", MSR_PERF_GLOBAL_CTRL, pmu_version() >= 2, false },
		{ "PERF_CAPABILITIES", MSR_PERF_CAPABILITIES, one.ecx & CPUID_1_ECX_PDCM, false },
	};

	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		bool can = readable(msrs[i].msr);

		if (msrs[i].offered || msrs[i].strict)
			CHECK(can == msrs[i].offered, "MSR %s (0x%x) is %s, and CPUID %s it", msrs[i].name, msrs[i].msr,
			      can ? "there" : "not there", msrs[i].offered ? "offers" : "does not offer");
	}
	CHECK(!(one.ecx & CPUID_1_ECX_PDCM) || pmu_version(), "PDCM is offered without a PMU");
}

/* Controls of speculation: those that are offered take the values that their bits of CPUID name, and no other. */
static void test_speculation(void)
{
	uint32_t d = cpuid(CPUID_LEAF_BASIC, 0).eax >= CPUID_LEAF_FEATURES ? cpuid(CPUID_LEAF_FEATURES, 0).edx : 0;
	bool ibrs = d & CPUID_7_EDX_SPEC_CTRL, stibp = d & CPUID_7_EDX_STIBP, ssbd = d & CPUID_7_EDX_SSBD;
	bool capabilities = d & CPUID_7_EDX_ARCH_CAPABILITIES;
	uint64_t all = (ibrs ? SPEC_CTRL_IBRS : 0) | (stibp ? SPEC_CTRL_STIBP : 0) | (ssbd ? SPEC_CTRL_SSBD : 0);

	print("msr-cpuid: speculation:%s%s%s%s%s%s\n", ibrs ? " IBRS" : "", stibp ? " STIBP" : "", ssbd ? " SSBD" : "",
	      d & CPUID_7_EDX_MD_CLEAR ? " MD_CLEAR" : "", d & CPUID_7_EDX_L1D_FLUSH ? " L1D_FLUSH" : "",
	      capabilities ? " ARCH_CAPABILITIES" : "");
	CHECK(writable(MSR_PRED_CMD, PRED_CMD_IBPB) == ibrs, "IBPB is %s, and CPUID %s it",
	      ibrs ? "refused" : "taken", ibrs ? "offers" : "does not offer");
	CHECK(!readable(MSR_PRED_CMD), "PRED_CMD can be read");
	check_write_gp(MSR_PRED_CMD, 2);
	check_write_gp(MSR_ARCH_CAPABILITIES, 0);
	CHECK(writable(MSR_FLUSH_CMD, FLUSH_CMD_L1D) == !!(d & CPUID_7_EDX_L1D_FLUSH),
	      "L1D_FLUSH, and CPUID says otherwise");
	if (!all)
		return;
	CHECK(rdmsr(MSR_SPEC_CTRL) == 0, "SPEC_CTRL begins as 0x%lx", (word)rdmsr(MSR_SPEC_CTRL));
	for (uint64_t value = 0; value < 8; value++)
		if (value & ~all)
			check_write_gp(MSR_SPEC_CTRL, value);
		else
			CHECK(writable(MSR_SPEC_CTRL, value) && rdmsr(MSR_SPEC_CTRL) == value,
			      "SPEC_CTRL reads 0x%lx, not 0x%lx", (word)rdmsr(MSR_SPEC_CTRL), (word)value);
	check_write_gp(MSR_SPEC_CTRL, 1ull << 40);
	wrmsr(MSR_SPEC_CTRL, 0);
}

/* ---- MSRs ---- */

static void test_unknown(void)
{
	const uint32_t unknown[] = { 0x12345678, 0x40000fff, 0xc0001234, 0x1fff, 0xffffffff, 0xbad };

	for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		CHECK(!readable(unknown[i]) && trap.vector == VECTOR_GP && trap.error == 0, "MSR 0x%x can be read",
		      unknown[i]);
		check_write_gp(unknown[i], 0);
	}
}

static void test_addresses(void)
{
	const uint32_t bases[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_LSTAR, MSR_CSTAR, MSR_SYSENTER_ESP,
				   MSR_SYSENTER_EIP };

	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		uint64_t old = rdmsr(bases[i]);

		CHECK(writable(bases[i], 0xffff800000001234) && rdmsr(bases[i]) == 0xffff800000001234,
		      "MSR 0x%x reads 0x%lx", bases[i], (word)rdmsr(bases[i]));
		check_write_gp(bases[i], 0x800000000000);
		wrmsr(bases[i], old);
	}
}

static void test_efer(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	CHECK((efer & (EFER_LMA | EFER_LME)) == (EFER_LMA | EFER_LME), "EFER is 0x%lx in long mode", (word)efer);
	CHECK(writable(MSR_EFER, efer | EFER_SCE) && rdmsr(MSR_EFER) == (efer | EFER_SCE), "EFER.SCE cannot be set");
	CHECK(writable(MSR_EFER, efer | EFER_NXE) && rdmsr(MSR_EFER) == (efer | EFER_NXE), "EFER.NXE cannot be set");
	wrmsr(MSR_EFER, efer);
	check_write_gp(MSR_EFER, efer & ~EFER_LME); /* with paging on */
	check_write_gp(MSR_EFER, efer | 1ull << 1);
	check_write_gp(MSR_EFER, efer | 1ull << 40);
	CHECK(rdmsr(MSR_EFER) == efer, "EFER is 0x%lx after all", (word)rdmsr(MSR_EFER));
}

static void test_memory_types(void)
{
	uint64_t pat = rdmsr(MSR_PAT);

	CHECK(writable(MSR_PAT, PAT_AFTER_RESET) && rdmsr(MSR_PAT) == PAT_AFTER_RESET,
	      "PAT reads 0x%lx", (word)rdmsr(MSR_PAT));
	check_write_gp(MSR_PAT, 0x0007040600070402); /* type 2 is none */
	check_write_gp(MSR_PAT, 0x0807040600070406);
	wrmsr(MSR_PAT, pat);
	if (!(cpuid_version().edx & CPUID_1_EDX_MTRR))
		return;
	for (unsigned i = 0; i < (rdmsr(MSR_MTRRCAP) & MTRRCAP_VCNT); i++)
		CHECK(readable(MSR_MTRR_PHYSBASE0 + 2 * i) && readable(MSR_MTRR_PHYSBASE0 + 1 + 2 * i),
		      "variable MTRR %u of %lu is not there", i, (word)(rdmsr(MSR_MTRRCAP) & MTRRCAP_VCNT));
	CHECK(readable(MSR_MTRR_DEF_TYPE), "MTRR_DEF_TYPE is not there");
	check_write_gp(MSR_MTRR_DEF_TYPE, 2);
}

static void test_apic_base(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	bool x2 = cpuid_version().ecx & CPUID_1_ECX_X2APIC;

	CHECK((base & ~0x7ffull) == (LAPIC_DEFAULT_BASE | APIC_BASE_EN), "APIC_BASE is 0x%lx", (word)base);
	CHECK(base & APIC_BASE_BSP, "the first CPU is not the boot processor: APIC_BASE is 0x%lx", (word)base);
	CHECK(cpuid_version().edx & CPUID_1_EDX_APIC, "the local APIC is on and CPUID denies it");
	CHECK((apic_read(APIC_VERSION) & 0xf0) == 0x10, "the local APIC's version is 0x%x", apic_read(APIC_VERSION));
	wrmsr(MSR_APIC_BASE, base & ~(uint64_t)APIC_BASE_EN);
	CHECK(!(cpuid_version().edx & CPUID_1_EDX_APIC), "the local APIC is off and CPUID offers it");
	CHECK(rdmsr(MSR_APIC_BASE) == (base & ~(uint64_t)APIC_BASE_EN), "APIC_BASE reads 0x%lx",
	      (word)rdmsr(MSR_APIC_BASE));
	wrmsr(MSR_APIC_BASE, base);
	CHECK(cpuid_version().edx & CPUID_1_EDX_APIC, "the local APIC is on again and CPUID denies it");
	CHECK((apic_read(APIC_VERSION) & 0xf0) == 0x10, "the local APIC's version is 0x%x after it was off",
	      apic_read(APIC_VERSION));
	check_write_gp(MSR_APIC_BASE, base | 1);
	check_write_gp(MSR_APIC_BASE, base | 1ull << 60);
	check_write_gp(MSR_APIC_BASE, (base | APIC_BASE_EXTD) & ~(uint64_t)APIC_BASE_EN);
	if (!x2) {
		check_write_gp(MSR_APIC_BASE, base | APIC_BASE_EXTD);
		CHECK(!readable(MSR_X2APIC_APICID), "x2APIC registers are there, x2APIC is not offered");
		return;
	}
	CHECK(!readable(MSR_X2APIC_APICID), "x2APIC registers are there in xAPIC mode");
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_EXTD);
	CHECK(readable(MSR_X2APIC_APICID) && rdmsr(MSR_X2APIC_APICID) == 0, "the x2APIC id is not there, or not 0");
	CHECK((rdmsr(MSR_X2APIC_VERSION) & 0xf0) == 0x10, "the x2APIC's version is 0x%lx",
	      (word)rdmsr(MSR_X2APIC_VERSION));
	CHECK(!readable(MSR_X2APIC_FIRST + 0xe) && !readable(MSR_X2APIC_ICR + 1),
	      "x2APIC registers are there that should not be");
	check_write_gp(MSR_X2APIC_APICID, 0);
	check_write_gp(MSR_X2APIC_EOI, 1); /* EOI takes 0 only */
	check_write_gp(MSR_APIC_BASE, base); /* back only through off */
	wrmsr(MSR_APIC_BASE, base & ~(uint64_t)(APIC_BASE_EN | APIC_BASE_EXTD));
	wrmsr(MSR_APIC_BASE, base);
	CHECK((apic_read(APIC_VERSION) & 0xf0) == 0x10, "the local APIC's version is 0x%x after x2APIC mode",
	      apic_read(APIC_VERSION));
}

static void test_tsc(void)
{
	uint64_t t;

	wrmsr(MSR_TSC, 1000);
	t = rdtsc();
	CHECK(t >= 1000 && t < 1000 + (1ull << 32), "the TSC is 0x%lx right after 1000 was written", (word)t);
	wrmsr(MSR_TSC, 1ull << 40);
	CHECK(rdtsc() >= 1ull << 40, "the TSC is 0x%lx after a step forward", (word)rdtsc());
	CHECK(rdmsr(MSR_TSC) >= 1ull << 40, "the MSR TSC differs from RDTSC");
	if (!readable(MSR_TSC_ADJUST))
		return;
	t = rdtsc();
	wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + (1ull << 41));
	CHECK(rdtsc() - t >= 1ull << 41, "TSC_ADJUST does not move the TSC: 0x%lx", (word)(rdtsc() - t));
}

/* ---- XCR0 ---- */

static void do_xsetbv(void *p)
{
	word v = (word)p;

	__asm__ volatile("xsetbv"
			 :
			 : "c"(v & 0x80000000 ? 1 : 0), "a"((uint32_t)v & 0x7fffffff), "d"((uint32_t)(v >> 32)));
}

static uint32_t xgetbv(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo;
}

static unsigned xsave_bytes(void) { return cpuid(CPUID_LEAF_XSTATE, 0).ebx; }

static void test_xcr0(void)
{
	uint32_t offered;

	if (!(cpuid_version().ecx & CPUID_1_ECX_XSAVE)) {
		print("msr-cpuid: no XSAVE here\n");
		return;
	}
	CHECK(!(cpuid_version().ecx & CPUID_1_ECX_OSXSAVE), "OSXSAVE shows before CR4.OSXSAVE is set");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	CHECK(cpuid_version().ecx & CPUID_1_ECX_OSXSAVE, "OSXSAVE does not show");
	offered = cpuid(CPUID_LEAF_XSTATE, 0).eax;
	CHECK(offered & XCR0_X87, "XCR0 bits offered: 0x%x", offered);
	CHECK(trap_call(do_xsetbv, (void *)1ul) == NO_TRAP && xgetbv() == 1, "XCR0 = 1");
	CHECK(xsave_bytes() == 576, "with XCR0 = 1 the save area has %u bytes", xsave_bytes());
	CHECK(trap_call(do_xsetbv, (void *)3ul) == NO_TRAP && xgetbv() == 3, "XCR0 = 3");
	CHECK(trap_call(do_xsetbv, (void *)0ul) == TRAP(GP), "XCR0 = 0 was taken");
	CHECK(trap_call(do_xsetbv, (void *)5ul) == TRAP(GP), "XCR0 = 5, AVX without SSE, was taken");
	CHECK(trap_call(do_xsetbv, (void *)(3 | 1ul << 62)) == TRAP(GP), "XCR0 with bit 62 was taken");
	CHECK(trap_call(do_xsetbv, (void *)(3 | 0x80000000ul)) == TRAP(GP), "XCR1 was taken");
	CHECK((trap_call(do_xsetbv, (void *)7ul) == NO_TRAP) == ((offered & XCR0_AVX) != 0),
	      "XCR0 = 7 and what CPUID offers (0x%x) differ", offered);
	if (offered & 4)
		CHECK(xgetbv() == 7 && xsave_bytes() >= 832, "XCR0 is 0x%x, the save area has %u bytes", xgetbv(),
		      xsave_bytes());
	for (unsigned bit = 3; bit < 20; bit++)
		if (!(offered >> bit & 1))
			CHECK(trap_call(do_xsetbv, (void *)(7ul | 1ul << bit)) == TRAP(GP),
			      "XCR0 bit %u was taken and is not offered", bit);
	do_xsetbv((void *)1ul);
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	CHECK(trap_call(do_xsetbv, (void *)1ul) == TRAP(UD), "XSETBV without CR4.OSXSAVE");
}

/* ---- other registers ---- */

static void do_cr8(void *p) { __asm__ volatile("mov %0, %%cr8" : : "r"((word)p)); }
static word read_cr8(void) { word v; __asm__ volatile("mov %%cr8, %0" : "=r"(v)); return v; }
static void do_dr7(void *p) { __asm__ volatile("mov %0, %%dr7" : : "r"((word)p)); }

static void test_task_priority(void)
{
	do_cr8((void *)9ul);
	CHECK(read_cr8() == 9 && apic_read(APIC_TPR) == 0x90, "CR8 is %lu, TPR is 0x%x",
	      read_cr8(), apic_read(APIC_TPR));
	apic_write(APIC_TPR, 0x35);
	CHECK(read_cr8() == 3 && apic_read(APIC_TPR) == 0x35, "TPR is 0x%x, CR8 is %lu",
	      apic_read(APIC_TPR), read_cr8());
	CHECK(trap_call(do_cr8, (void *)16ul) == TRAP(GP), "CR8 took 16");
	do_cr8(0);
}

#define LMSW_SEES (CR0_PE | CR0_MP | CR0_EM | CR0_TS)
#define LMSW_TAKES (LMSW_SEES & ~CR0_EM)

static void test_cr0(void)
{
	word cr0 = read_cr0(), v;

	write_cr0(cr0 | CR0_TS);
	CHECK(read_cr0() == (cr0 | CR0_TS), "CR0.TS cannot be set: 0x%lx", read_cr0());
	__asm__ volatile("clts");
	CHECK(!(read_cr0() & CR0_TS), "CLTS leaves CR0 0x%lx", read_cr0());
	__asm__ volatile("lmsw %w0" : : "r"((uint64_t)LMSW_TAKES));
	__asm__ volatile("smsw %0" : "=r"(v));
	CHECK((v & LMSW_SEES) == LMSW_TAKES && (read_cr0() & LMSW_SEES) == LMSW_TAKES,
	      "after LMSW 0xb: SMSW 0x%lx, CR0 0x%lx", v, read_cr0());
	__asm__ volatile("lmsw %w0" : : "r"(0ul));
	CHECK((read_cr0() & LMSW_SEES) == CR0_PE, "LMSW 0 leaves CR0 0x%lx: it cannot clear PE", read_cr0());
	write_cr0(cr0 | CR0_CD | CR0_NW);
	CHECK((read_cr0() & (CR0_CD | CR0_NW)) == (CR0_CD | CR0_NW), "CR0.CD and NW: 0x%lx", read_cr0());
	write_cr0(cr0);
	CHECK(read_cr0() == cr0, "CR0 is 0x%lx, not 0x%lx", read_cr0(), cr0);
	CHECK(trap_call(do_dr7, (void *)(1ul << 32)) == TRAP(GP), "DR7 took bit 32");
}

/* Single-stepping stops after an instruction that the hypervisor carries out as it does after any other. */
static void step_one(void *p)
{
	word *after = p;

	__asm__ volatile("leaq 1f(%%rip), %%rax; movq %%rax, (%0); xorl %%eax, %%eax\n"
			 "pushfq; orq %1, (%%rsp); popfq\n"
			 "cpuid\n"
			 "1: nop; nop; nop" : : "r"(after), "i"(RFLAGS_TF) : "rax", "rbx", "rcx", "rdx", "memory");
}

static void test_single_step(void)
{
	word after = 0;
	unsigned got = trap_call(step_one, &after);

	CHECK(got == TRAP(DB), "single step over CPUID: trap %u", got);
	CHECK(trap.ip == after, "the step over CPUID ended at 0x%lx, not 0x%lx", trap.ip, after);
}

void test_main(void)
{
	test_leaves();
	test_cr4();
	test_paging_features();
	test_offered_msrs();
	test_speculation();
	test_unknown();
	test_addresses();
	test_efer();
	test_memory_types();
	test_apic_base();
	test_xcr0();
	test_task_priority();
	test_cr0();
	test_single_step();
	test_tsc();
}
