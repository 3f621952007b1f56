#include "test/unit/svm/soft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "host/memory/frames.h"
#include "host/trap/interrupt.h"
#include "svm/ops.h"

struct soft_svm soft_svm;
struct svm_caps svm_test_caps;
struct svm_vcpu svm_test;
struct mmu_vcpu svm_test_mmu;

/* ---- the CPU ---- */

struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	const struct cpuid_leaf *l;

	(void)subleaf;
	switch (leaf) {
	case CPUID_LEAF_BASIC: l = &soft_svm.basic; break;
	case CPUID_LEAF_VERSION: l = &soft_svm.version; break;
	case CPUID_LEAF_FEATURES: l = &soft_svm.features; break;
	case CPUID_LEAF_EXTENDED: l = &soft_svm.extended; break;
	case CPUID_LEAF_EXTENDED_FEATURES: l = &soft_svm.extended_features; break;
	case CPUID_LEAF_ADDRESS_SIZES: l = &soft_svm.sizes; break;
	case CPUID_LEAF_SVM: l = &soft_svm.svm; break;
	default: abort();
	}
	return (struct cpuid){ l->eax, l->ebx, l->ecx, l->edx };
}

static uint64_t *msr_of(uint32_t msr)
{
	switch (msr) {
	case MSR_EFER: return &soft_svm.efer;
	case MSR_VM_CR: return &soft_svm.vm_cr;
	case MSR_VM_HSAVE_PA: return &soft_svm.hsave;
	case MSR_PAT: return &soft_svm.pat;
	case MSR_SPEC_CTRL: return &soft_svm.spec_ctrl;
	default: abort();
	}
}

uint64_t rdmsr(uint32_t msr) { return *msr_of(msr); }
void wrmsr(uint32_t msr, uint64_t v) { *msr_of(msr) = v; }

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	*value = *msr_of(msr);
	return true;
}

uint64_t read_cr2(void) { return soft_svm.cr2; }
void write_cr2(uint64_t v) { soft_svm.cr2 = v; }
uint32_t rdpkru(void) { return soft_svm.pkru; }
uint64_t read_cr4(void) { return soft_svm.cr4; }
void write_cr4(uint64_t v) { soft_svm.cr4 = v; }
uint64_t read_dr6(void) { return soft_svm.dr6; }
void write_dr6(uint64_t v) { soft_svm.dr6 = v; }

void vmsave(hpa_t vmcb) { memset((void *)vmcb.v, 0x5a, 16); }

void invlpga(uint64_t gva, uint32_t asid)
{
	soft_svm.invlpga_gva = gva;
	soft_svm.invlpga_asid = asid;
	soft_svm.invlpgas++;
}

void svm_run(struct svm_vcpu *v)
{
	struct vmcb *c = v->vmcb;

	soft_svm.runs++;
	soft_svm.entered = *c;
	soft_svm.pat_inside = soft_svm.pat;
	c->exit_code = EXITCODE_HLT;
	c->exit_interrupt = 0;
	if (soft_svm.run)
		soft_svm.run(c);
	soft_svm.dr6 = c->dr6;
}

/* ---- what the host has ---- */

struct percpu *this_cpu(void)
{
	static struct percpu cpus[4];

	cpus[soft_svm.cpu].id = soft_svm.cpu;
	return &cpus[soft_svm.cpu];
}

uint64_t frames_base;

#define FRAMES 8
static uint8_t pages[FRAMES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

hfn_t frames_alloc(void)
{
	void *page;

	if (!soft_svm.frames)
		return HFN_NONE;
	soft_svm.frames--;
	page = pages[soft_svm.frames];
	memset(page, 0xcc, PAGE_SIZE);
	return HFN((uintptr_t)page >> PAGE_SHIFT);
}

void frames_free(hfn_t f, uint64_t count)
{
	(void)count;
	assert_ptr_equal(frames_ptr(f), pages[soft_svm.frames]); /* the last that was given */
	soft_svm.frames++;
}

/* ---- what the heart has ---- */

size_t mmu_guest_read(struct mmu_vm *vm, gpa_t gpa, void *buf, size_t n)
{
	(void)vm;
	soft_svm.pdptes_at = gpa.v;
	memcpy(buf, soft_svm.pdptes, n);
	return n;
}

/* ---- a virtual CPU ---- */

void soft_svm_new(void)
{
	soft_svm = (struct soft_svm){
		.basic = { .eax = 0xd },
		.version = { .ecx = CPUID_1_ECX_XSAVE },
		.features = { .ebx = CPUID_7_EBX_SMEP | CPUID_7_EBX_SMAP | CPUID_7_EBX_FSGSBASE },
		.extended = { .eax = CPUID_LEAF_SVM },
		.extended_features = { .ecx = CPUID_80000001_ECX_SVM,
				       .edx = CPUID_80000001_EDX_NX | CPUID_80000001_EDX_PAGE1GB |
					      CPUID_80000001_EDX_RDTSCP },
		.sizes = { .eax = 0x3030 },
		.svm = { .ebx = 16, .edx = CPUID_8000000A_EDX_NP | CPUID_8000000A_EDX_NRIPS |
					   CPUID_8000000A_EDX_FLUSH_BY_ASID },
		.cr4 = CR4_PAE | CR4_MCE,
		.dr6 = DR6_RESET,
		.pat = PAT_AFTER_RESET,
		.frames = FRAMES,
	};
	assert_null(svm_caps_read(&svm_test_caps));
}

void soft_svm_start(const struct mmu_intercepts *intercepts)
{
	struct hvm_start start = { .rip = 0x1000, .rsp = 0x2000, .cs = 0x10, .ds = 0x18, .long_mode = true,
				   .rdtscp = true, .cr4_offered = ~0ull };

	soft_svm_new();
	assert_null(svm_cpu_enable(&svm_test_caps));
	assert_true(svm_vcpu_init(&svm_test, &svm_test_caps));
	svm_test_mmu = (struct mmu_vcpu){
		.intercepts = *intercepts,
		.regs = { .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = 0x5000, .cr4 = CR4_PAE | CR4_MCE,
			  .efer = EFER_LME | EFER_LMA | EFER_NXE },
		.root = { .cr3 = 0x5000, .nested = intercepts->ept ? 0x7000 : 0, .vpid = 3 },
	};
	svm_vcpu_start(&svm_test, &start, &svm_test_mmu);
	svm_load(&svm_test);
}
