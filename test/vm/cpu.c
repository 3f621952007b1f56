/* test/vm/cpu.c - the software CPU of the bench but for its VMCS: control registers, MSRs, CPUID, the TSC. Models as
 * Bochs has them. */
#include "test/vm/cpu.h"

#include "vmx/entry.h"
#include "vmx/vmcs.h"

#define STEPS_MAX 100000    /* for one exit */
#define STEPS_EMULATED 1000 /* while the emulator runs the guest: one or two for each instruction */

struct soft_cpu soft;

/* What the models' VT-x may set beyond what every model may. */
static const struct {
	uint32_t proc2, entry, exit;
	uint64_t ept_vpid;
	bool secondary, timer;
} models[BENCH_CPUS] = {
	[BENCH_HASWELL] = { 0x000fffff & ~(uint32_t)BIT(17), 0xffff, 0x7fffff, 0xf0106334141, true, true },
	[BENCH_MODERN] = { 0x000fffff, 0xffff, 0x7fffff, 0xf0106734141, true, true },
	[BENCH_LYNNFIELD] = { 0x7f, 0xffff, 0x7fffff, 0xf0106114141, true, true },
	[BENCH_PENRYN] = { 0x41, 0x1fff, 0x03ffff, 0, true, false },
};

void bench_cpu_reset(const struct bench_config *config)
{
	enum bench_cpu model = config->cpu;

	soft = (struct soft_cpu){
		.model = model,
		.tsc = 1000000,
		.ticks = 10,
		.cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE,
		.cr3 = 0x1000,
		.cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_VMXE |
		       (config->cpu == BENCH_MODERN ? CR4_PKE : 0) |
		       (model == BENCH_PENRYN || model == BENCH_LYNNFIELD ? 0 : CR4_OSXSAVE),
		.dr6 = DR6_RESET,
		.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
		.pat = PAT_AFTER_RESET,
		.misc_enable = MISC_ENABLE_FAST_STRING | MISC_ENABLE_THERMAL_CONTROL | MISC_ENABLE_BTS_UNAVAILABLE |
			       MISC_ENABLE_PEBS_UNAVAILABLE | MISC_ENABLE_MONITOR,
		.apic_base = LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_BSP,
		.msr = config->msr,
		.cpuid = config->cpuid,
	};
	soft.cpus = config->host_cpus ? config->host_cpus : 1;
	for (unsigned n = 0; n < soft.cpus; n++)
		*soft_percpu(n) = (struct percpu){
			.self = soft_percpu(n), .id = n, .apic_id = n, .timer_armed = UINT64_MAX };
}

struct percpu *soft_percpu(unsigned cpu) { return cpu ? &soft.more[cpu - 1] : &soft.percpu; }

bool cpu_has_proc2(uint32_t bit) { return models[soft.model].proc2 & bit; }

static bool emulates(void)
{
	const struct vcpu *v = soft_percpu(soft.at)->loaded;

	return v && v->running && v->emulated;
}

/* A guest that the emulator runs may go on for ever: its slice is over then, and the host has its turn. */
void soft_step(void)
{
	soft.steps++;
	if (soft_emulated_enough()) {
		soft.tsc += schedule_slice();
	} else if (soft.steps > STEPS_MAX) {
		/* Who panics waits for a reader, who does not answer here: that time passes. */
		soft.tsc += 1ull << 40;
		if (!soft.stuck) {
			soft.stuck = true;
			BUG_ON(soft.stuck);
		}
	}
}

bool soft_emulated_enough(void) { return soft.steps > STEPS_EMULATED && emulates(); }

uint64_t rdtsc(void)
{
	soft_step();
	return soft.tsc += soft.ticks;
}

uint64_t read_cr0(void) { return soft.cr0; }
uint64_t read_cr2(void) { return soft.cr2; }
uint64_t read_cr3(void) { return soft.cr3; }
uint64_t read_cr4(void) { return soft.cr4; }
void write_cr0(uint64_t v) { soft.cr0 = v; }
void write_cr2(uint64_t v) { soft.cr2 = v; }
void write_cr3(uint64_t v) { soft.cr3 = v; }
void write_cr4(uint64_t v) { soft.cr4 = v; }
uint64_t read_dr6(void) { return soft.dr6; }
void write_dr6(uint64_t v) { soft.dr6 = v; }

/* Without CR4.PKE it is #UD, in the hypervisor. */
uint32_t rdpkru(void)
{
	BUG_ON(!(soft.cr4 & CR4_PKE));
	return soft.pkru;
}

/* XSETBV of a value that XCR0 does not take is #GP, in the hypervisor. */
void xsetbv(uint32_t index, uint64_t v) { BUG_ON(index != 0 || !(v & 1) || (v & ~7ull) || ((v & 4) && !(v & 2))); }

/* ---- MSRs ---- */

static uint64_t pair(uint32_t must, uint32_t may) { return (uint64_t)may << 32 | must; }

static uint64_t vmx_msr(uint32_t msr)
{
	bool timer = models[soft.model].timer;

	switch (msr - MSR_VMX_BASIC) {
	case 0: /* BASIC: write-back, true controls */
		return 0x2b | (uint64_t)PAGE_SIZE << 32 | 6ull << 50 | BIT(54) | BIT(55);
	case 1:
	case 0xd:
		return pair(0x16, timer ? 0x7f : 0x3f);
	case 2:
		return pair(0x0401e172, 0x7ff9fffe | (models[soft.model].secondary ? BIT(31) : 0));
	case 0xe:
		return pair(0x04006172, 0x7ff9fffe | (models[soft.model].secondary ? BIT(31) : 0));
	case 3:
		return pair(0x36dff, models[soft.model].exit);
	case 0xf:
		return pair(0x36dfb, models[soft.model].exit);
	case 4:
		return pair(0x11ff, models[soft.model].entry);
	case 0x10:
		return pair(0x11fb, models[soft.model].entry);
	case 5: /* MISC: timer's rate is the TSC's, EFER.LMA stored, HLT, shutdown and wait-for-SIPI, 4 targets */
		return BIT(5) | 7 << 6 | 4 << 16;
	case 6:
		return CR0_PG | CR0_NE | CR0_PE;
	case 7:
		return 0xffffffff;
	case 8:
		return CR4_VMXE;
	case 9:
		return soft.model == BENCH_MODERN ? 0x7727ff : soft.model == BENCH_HASWELL ? 0x1727ff : 0x67ff;
	case 0xb:
		return pair(0, models[soft.model].proc2);
	case 0xc:
		return models[soft.model].ept_vpid;
	}
	bug(__FILE__, __LINE__, "RDMSR of a VMX capability that is not there");
}

/* Those that are a guest's while it is resident (vm/cpu/resident.c). NULL: it is none of them. */
static uint64_t *resident_msr(uint32_t msr)
{
	static const uint32_t msrs[] = { MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_TSC_AUX };

	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++)
		if (msrs[n] == msr)
			return &soft.resident_msr[n];
	return NULL;
}

static uint64_t model_msr(uint32_t msr)
{
	if (resident_msr(msr))
		return *resident_msr(msr);
	switch (msr) {
	case MSR_EFER:
		return soft.efer;
	case MSR_PAT:
		return soft.pat;
	case MSR_MISC_ENABLE:
		return soft.misc_enable;
	case MSR_APIC_BASE:
		return soft.apic_base;
	case MSR_FEATURE_CONTROL:
		return 5;
	case MSR_SPEC_CTRL:
		return soft.spec_ctrl;
	}
	if (msr >= MSR_VMX_BASIC && msr <= MSR_VMX_BASIC + 0x11)
		return vmx_msr(msr);
	bug(__FILE__, __LINE__, "RDMSR of a register that is not there");
}

/* What a CPU answers with #GP, in the hypervisor. */
static void write_resident_msr(uint32_t msr, uint64_t v)
{
	bool narrow = msr == MSR_FMASK || msr == MSR_TSC_AUX, any = msr == MSR_STAR;

	BUG_ON(narrow ? v >> 32 : !any && (uint64_t)((int64_t)(v << 16) >> 16) != v);
	*resident_msr(msr) = v;
}

uint64_t rdmsr(uint32_t msr)
{
	uint64_t value = msr == MSR_FS_BASE ? soft.fs_base : model_msr(msr);

	return soft.msr ? soft.msr(msr, value) : value;
}

void wrmsr(uint32_t msr, uint64_t v)
{
	if (msr == MSR_SPEC_CTRL && !(v & ~7ull))
		soft.spec_ctrl = v;
	else if (msr == MSR_PRED_CMD && v == 1)
		soft.barriers++;
	else if (msr == MSR_FS_BASE)
		soft.fs_base = v;
	else if (resident_msr(msr))
		write_resident_msr(msr, v);
	else
		bug(__FILE__, __LINE__,
		    "WRMSR: nothing here writes another MSR of the host than those that control speculation");
}

static uint64_t read_capability(void *ctx, uint32_t msr)
{
	(void)ctx;
	return model_msr(msr);
}

const struct vmentry_caps *cpu_vmentry_caps(void)
{
	static struct vmentry_caps caps[BENCH_CPUS];
	struct vmentry_caps *c = &caps[soft.model];

	if (!c->physical_bits) {
		vmentry_caps_read(c, read_capability, NULL);
		c->physical_bits = 40;
		c->linear_bits = 48;
	}
	return c;
}

/* ---- CPUID ---- */

static struct cpuid leaf7(void)
{
	if (soft.model == BENCH_MODERN)
		return (struct cpuid){ 0, 0x21c27ab, 0x8, 0 };
	if (soft.model == BENCH_HASWELL)
		return (struct cpuid){ 0, 0x000027ab, 0, 0 };
	return (struct cpuid){ 0 };
}

static struct cpuid leaf_d(uint32_t subleaf)
{
	uint32_t pkru = soft.model == BENCH_MODERN ? 0x200 : 0;

	if (soft.model == BENCH_PENRYN || soft.model == BENCH_LYNNFIELD)
		return (struct cpuid){ 0 };
	switch (subleaf) {
	case 0:
		return (struct cpuid){ 7 | pkru, 832, pkru ? 840 : 832, 0 };
	case 1:
		return (struct cpuid){ 1, 832, 0, 0 };
	case 2:
		return (struct cpuid){ 256, 576, 0, 0 };
	case 9:
		return pkru ? (struct cpuid){ 8, 832, 0, 0 } : (struct cpuid){ 0 };
	default:
		return (struct cpuid){ 0 };
	}
}

static struct cpuid model_cpuid(uint32_t leaf, uint32_t subleaf)
{
	bool old = soft.model == BENCH_PENRYN || soft.model == BENCH_LYNNFIELD;

	switch (leaf) {
	case CPUID_LEAF_BASIC:
		return (struct cpuid){ 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 };
	case CPUID_LEAF_VERSION:
		return (struct cpuid){ 0x306c3, 0x10800, old ? 0x0098e3fd : 0x7ffafbff, 0xbfebfbff };
	case CPUID_LEAF_TLB:
		return (struct cpuid){ 0x76036301, 0xf0b5ff, 0, 0xc10000 };
	case CPUID_LEAF_CACHE:
		return subleaf < 3 ? (struct cpuid){ 0x1c004121 + (subleaf << 5), 0x1c0003f, 0x3f, 0 }
				   : (struct cpuid){ 0 };
	case CPUID_LEAF_FEATURES:
		return subleaf ? (struct cpuid){ 0 } : leaf7();
	case CPUID_LEAF_XSTATE:
		return leaf_d(subleaf);
	case CPUID_LEAF_EXTENDED:
		return (struct cpuid){ 0x80000008, 0, 0, 0 };
	case CPUID_LEAF_EXTENDED_FEATURES:
		return (struct cpuid){ 0, 0, 0x21, old ? 0x20100800 : 0x2c100800 };
	case CPUID_LEAF_POWER:
		return (struct cpuid){ 0, 0, 0, 0x100 };
	case CPUID_LEAF_ADDRESS_SIZES:
		return (struct cpuid){ 0x3028, 0, 0, 0 };
	default:
		return (struct cpuid){ 0 };
	}
}

struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid c = model_cpuid(leaf, subleaf);

	return soft.cpuid ? soft.cpuid(leaf, subleaf, c) : c;
}
