/* vm/cpu/resident.c - the registers that neither an entry or exit nor the hypervisor touches: FPU and vector state,
 * XCR0, CR2, debug registers, the MSRs of SYSCALL. They stay in the CPU from exit to entry, and change hands only when
 * another vCPU runs on the CPU. */
#include "vm/vm.h"

#include "host/memory/frames.h"

static const uint32_t msrs[SAVED_MSRS] = {
	[SAVED_STAR] = MSR_STAR, [SAVED_LSTAR] = MSR_LSTAR, [SAVED_CSTAR] = MSR_CSTAR, [SAVED_FMASK] = MSR_FMASK,
	[SAVED_KERNEL_GS_BASE] = MSR_KERNEL_GS_BASE, [SAVED_TSC_AUX] = MSR_TSC_AUX,
};

/* XSAVE area: legacy region 512 bytes, header 64, then what XCR0 enables, which is less than three frames; the last
 * frame is the emulator's. */
#define FPU_FRAMES 4

/* The first that neither entries nor exits switch. */
static unsigned msr_first(void) { return hvm_switches_syscall() ? SAVED_TSC_AUX : 0; }

/* IA32_TSC_AUX, the last, exists only with RDTSCP. */
static unsigned msr_count(const struct vcpu *v)
{
	return v->vm->cpuid.has_rdtscp ? SAVED_MSRS : SAVED_TSC_AUX;
}

bool resident_init(struct vcpu *v)
{
	uint16_t fcw = FCW_INITIAL;
	uint32_t mxcsr = MXCSR_INITIAL;

	v->fpu = frames_take(FPU_FRAMES * PAGE_SIZE);
	if (!v->fpu)
		return false;
	memcpy(v->fpu, &fcw, sizeof(fcw));
	memcpy((char *)v->fpu + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	if (v->vm->cpuid.has_xsave)
		v->xsave_scratch = (uint8_t *)v->fpu + (FPU_FRAMES - 1) * PAGE_SIZE;
	v->xcr0 = XCR0_X87;
	v->saved_dr[SAVED_DR6] = DR6_RESET;
	return true;
}

void resident_free(struct vcpu *v)
{
	frames_give(v->fpu, FPU_FRAMES * PAGE_SIZE);
	v->fpu = NULL;
}

/* The rest is as it was. */
void resident_init_reset(struct vcpu *v)
{
	resident_release(v);
	memset(v->saved_dr, 0, sizeof(v->saved_dr));
	v->saved_dr[SAVED_DR6] = DR6_RESET;
	v->saved_cr2 = 0;
	resident_switch(v);
}

/* Where the last x87 instruction and its operand lay is saved in one of two forms: as addresses of 64 bits, or of 32
 * bits with the selectors FCS and FDS, which the other form loses (SDM, "x87 State", and FXSAVE). The shorter one is
 * right where it loses nothing. */
static bool fits_the_short_form(const struct vcpu *v)
{
	const uint64_t *image = v->fpu;

	return !(image[1] >> 32) && !(image[2] >> 32);
}

static void save_fpu(struct vcpu *v)
{
	if (!v->vm->cpuid.has_xsave) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(v->fpu) : "memory");
		v->fpu_short = fits_the_short_form(v);
		if (v->fpu_short)
			__asm__ volatile("fxsave (%0)" : : "r"(v->fpu) : "memory");
		return;
	}
	/* XSAVE and XRSTOR take only what XCR0 enables; the guest may have filled the rest before it disabled it. */
	xsetbv(0, v->vm->cpuid.xcr0_offered);
	__asm__ volatile("xsave64 (%0)" : : "r"(v->fpu), "a"(-1), "d"(-1) : "memory");
	v->fpu_short = fits_the_short_form(v);
	if (v->fpu_short)
		__asm__ volatile("xsave (%0)" : : "r"(v->fpu), "a"(XCR0_X87), "d"(0) : "memory");
}

static void load_fpu(struct vcpu *v)
{
	if (!v->vm->cpuid.has_xsave) {
		if (v->fpu_short)
			__asm__ volatile("fxrstor (%0)" : : "r"(v->fpu) : "memory");
		else
			__asm__ volatile("fxrstor64 (%0)" : : "r"(v->fpu) : "memory");
		return;
	}
	xsetbv(0, v->vm->cpuid.xcr0_offered);
	if (v->fpu_short)
		__asm__ volatile("xrstor (%0)" : : "r"(v->fpu), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("xrstor64 (%0)" : : "r"(v->fpu), "a"(-1), "d"(-1) : "memory");
	xsetbv(0, v->xcr0);
}

#define DR_READ(n, to) __asm__ volatile("mov %%dr" #n ", %0" : "=r"(to))
#define DR_WRITE(n, from) __asm__ volatile("mov %0, %%dr" #n : : "r"(from))

static void save(struct vcpu *v)
{
	for (unsigned i = msr_first(); i < msr_count(v); i++)
		v->saved_msr[i] = rdmsr(msrs[i]);
	DR_READ(0, v->saved_dr[0]);
	DR_READ(1, v->saved_dr[1]);
	DR_READ(2, v->saved_dr[2]);
	DR_READ(3, v->saved_dr[3]);
	DR_READ(6, v->saved_dr[SAVED_DR6]);
	v->saved_cr2 = read_cr2();
	save_fpu(v);
}

static void load(struct vcpu *v)
{
	for (unsigned i = msr_first(); i < msr_count(v); i++)
		wrmsr(msrs[i], v->saved_msr[i]);
	DR_WRITE(0, v->saved_dr[0]);
	DR_WRITE(1, v->saved_dr[1]);
	DR_WRITE(2, v->saved_dr[2]);
	DR_WRITE(3, v->saved_dr[3]);
	DR_WRITE(6, v->saved_dr[SAVED_DR6]);
	write_cr2(v->saved_cr2);
	load_fpu(v);
}

void resident_switch(struct vcpu *v)
{
	struct percpu *cpu = this_cpu();

	if (cpu->resident == v)
		return;
	if (cpu->resident)
		save(cpu->resident);
	load(v);
	cpu->resident = v;
}

void resident_release(struct vcpu *v)
{
	struct percpu *cpu = this_cpu();

	if (cpu->resident != v)
		return;
	save(v);
	cpu->resident = NULL;
}

uint64_t resident_breakpoint(unsigned n)
{
	uint64_t address;

	switch (n) {
	case 0: DR_READ(0, address); break;
	case 1: DR_READ(1, address); break;
	case 2: DR_READ(2, address); break;
	default: DR_READ(3, address); break;
	}
	return address;
}

void resident_set_breakpoint(unsigned n, uint64_t address)
{
	switch (n) {
	case 0: DR_WRITE(0, address); break;
	case 1: DR_WRITE(1, address); break;
	case 2: DR_WRITE(2, address); break;
	default: DR_WRITE(3, address); break;
	}
}
