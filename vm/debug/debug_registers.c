/* vm/debug/debug_registers.c - a debugger changes a register. Whatever it asks for, what is left passes the checks of
 * VM entry, or is left as it was, with a clause that says why. */
#include "vm/debug/debug.h"

#include "lib/canonical.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/vm.h"

#define RFLAGS_WRITABLE ((uint64_t)RFLAGS_KNOWN & ~(RFLAGS_FIXED | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP))

static const char *const general[GPR_COUNT] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
						"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
static const char *const segments[] = { "es", "cs", "ss", "ds", "fs", "gs" };

static const char wrong_length[] = "a value of that length does not fit the register";

static bool is_canonical(const struct vcpu *v, uint64_t address)
{
	return is_canonical_in(address, linear_bits(v->mmu.regs.cr4));
}

/* SDM, "Checks on Guest RIP, RFLAGS, and SSP". An exception that waits was the old instruction's; blocking by STI or
 * MOV SS, and traps, too. */
static const char *set_rip(struct vcpu *v, uint64_t value)
{
	uint32_t type = (uint32_t)(v->event.info & EVENT_TYPE);

	if (VM_KEPT(DEBUG_RIP_CHECK, hvm_in_64bit_code(&v->hvm) ? !is_canonical(v, value) : value >> 32))
		return "there is no such address for code";
	if (type != EVENT_TYPE_EXTERNAL && type != EVENT_TYPE_NMI)
		v->event.info = 0;
	hvm_set_blocking(&v->hvm, hvm_blocking(&v->hvm) & ~(BLOCKING_STI | BLOCKING_MOV_SS));
	hvm_set_pending_debug(&v->hvm, 0);
	hvm_set_rip(&v->hvm, value);
	if (!vcpu_waits(v))
		__atomic_store_n(&v->halted, false, __ATOMIC_RELEASE);
	return NULL;
}

/* SDM, "Checks on Guest RIP, RFLAGS, and SSP" and "Checks on Guest Non-Register State". */
static const char *set_rflags(struct vcpu *v, uint64_t value)
{
	uint64_t now = hvm_rflags(&v->hvm), blocking = hvm_blocking(&v->hvm), pending = hvm_pending_debug(&v->hvm);
	bool external = (v->event.info & EVENT_VALID) && (v->event.info & EVENT_TYPE) == EVENT_TYPE_EXTERNAL;

	value = (value & RFLAGS_WRITABLE) | (now & ~RFLAGS_WRITABLE) | RFLAGS_FIXED;
	if (VM_KEPT(DEBUG_FLAGS_EXTERNAL, external))
		value |= RFLAGS_IF;
	if (VM_KEPT(DEBUG_FLAGS_STI, !(value & RFLAGS_IF)))
		blocking &= ~BLOCKING_STI;
	pending &= ~PENDING_DEBUG_BS;
	if ((value & RFLAGS_TF) && (blocking & (BLOCKING_STI | BLOCKING_MOV_SS)))
		pending |= PENDING_DEBUG_BS;
	hvm_set_blocking(&v->hvm, blocking);
	hvm_set_pending_debug(&v->hvm, pending);
	hvm_set_rflags(&v->hvm, value);
	return NULL;
}

/* As a load does in real mode; in protected mode it would be a descriptor's, with all that a CPU checks of it. */
static const char *set_selector(struct vcpu *v, enum segment n, uint64_t value)
{
	struct segment_state s = hvm_segment(&v->hvm, n);

	if ((value & 0xffff) == s.selector)
		return NULL;
	if (v->mmu.regs.cr0 & CR0_PE)
		return "a segment register can be changed in real mode only";
	s.selector = (uint16_t)value;
	s.base = (value & 0xffff) << 4;
	hvm_set_segment(&v->hvm, n, &s);
	return NULL;
}

/* SDM, "Checks on Guest Segment Registers": bases of FS and GS. */
static const char *set_base(struct vcpu *v, enum segment n, uint64_t value)
{
	struct segment_state s = hvm_segment(&v->hvm, n);

	if (!(v->mmu.regs.efer & EFER_LMA) || !is_canonical(v, value))
		return "the base can be changed in IA-32e mode only, and is canonical";
	s.base = value;
	hvm_set_segment(&v->hvm, n, &s);
	return NULL;
}

/* The guest's own write was tried: what is refused to it is refused here. Its exception is taken back; before is the
 * event that waited. */
static const char *written(struct vcpu *v, bool ok, struct event before)
{
	v->event = before;
	vcpu_bring_up_to_date(v);
	emulated_decide(v);
	return ok ? NULL : "a guest that writes this value gets an exception";
}

static const char *set_control(struct vcpu *v, unsigned n, uint64_t value)
{
	struct event before = v->event;

	return written(v, cr_write(v, n, value), before);
}

static const char *set_efer(struct vcpu *v, uint64_t value)
{
	struct event before = v->event;

	return written(v, msr_write(v, MSR_EFER, value), before);
}

static const char *set_number(struct vcpu *v, const char *name, uint64_t value)
{
	for (unsigned n = 0; n < GPR_COUNT; n++)
		if (strcmp(name, general[n]) == 0) {
			if (n == GPR_RSP)
				hvm_set_rsp(&v->hvm, value);
			v->hvm.gpr[n] = value;
			return NULL;
		}
	for (unsigned n = 0; n < ARRAY_SIZE(segments); n++)
		if (strcmp(name, segments[n]) == 0)
			return set_selector(v, (enum segment)n, value);
	if (strcmp(name, "rip") == 0)
		return set_rip(v, value);
	if (strcmp(name, "eflags") == 0)
		return set_rflags(v, value);
	if (strcmp(name, "fs_base") == 0)
		return set_base(v, SEG_FS, value);
	if (strcmp(name, "gs_base") == 0)
		return set_base(v, SEG_GS, value);
	if (strcmp(name, "cr2") == 0) {
		v->saved_cr2 = value;
		return NULL;
	}
	if (name[0] == 'c' && name[1] == 'r' && (name[2] == '0' || name[2] == '3' || name[2] == '4') && !name[3])
		return set_control(v, (unsigned)(name[2] - '0'), value);
	if (strcmp(name, "efer") == 0)
		return set_efer(v, value);
	return "there is no such register, or it cannot be changed";
}

/* fxN: bytes of the image of FXSAVE from N on (SDM, "FXSAVE Area"): control words, MXCSR, ST0 to ST7, XMM0 to XMM15.
 * XRSTOR and FXRSTOR fault where a reserved bit of MXCSR is set. */
static const char *set_image(struct vcpu *v, const char *digits, const uint8_t *bytes, size_t n)
{
	uint8_t *image = v->fpu;
	unsigned at = 0;
	uint32_t mxcsr;

	for (; *digits >= '0' && *digits <= '9' && at < FXSAVE_REGISTERS; digits++)
		at = at * 10 + (unsigned)(*digits - '0');
	if (*digits || VM_KEPT(DEBUG_FX_CHECK, at + n > FXSAVE_REGISTERS || (at + n > 8 && at < FXSAVE_MXCSR) ||
						       (at < FXSAVE_ST && at >= FXSAVE_MXCSR &&
							at + n > FXSAVE_MXCSR + sizeof(mxcsr))))
		return "that is no part of the registers of x87 and SSE";
	memcpy(image + at, bytes, n);
	memcpy(&mxcsr, image + FXSAVE_MXCSR, sizeof(mxcsr));
	VM_MUTANT(DEBUG_MXCSR, mxcsr &= ~MXCSR_RESERVED);
	memcpy(image + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	if (v->vm->cpuid.has_xsave)
		image[XSAVE_XSTATE_BV] |= XCR0_X87 | XCR0_SSE;
	return NULL;
}

/* yN: bytes of the upper halves of YMM0 to YMM15 from N on (SDM, "AVX State"). The others are zero where the guest has
 * used none yet. */
static const char *set_ymm(struct vcpu *v, const char *digits, const uint8_t *bytes, size_t n)
{
	uint8_t *area = v->fpu, *ymm;
	unsigned at = 0;

	for (; *digits >= '0' && *digits <= '9' && at < XSAVE_YMM_BYTES; digits++)
		at = at * 10 + (unsigned)(*digits - '0');
	if (!(v->vm->cpuid.xcr0_offered & XCR0_AVX) || *digits || VM_KEPT(DEBUG_YMM_CHECK, at + n > XSAVE_YMM_BYTES))
		return "that is no part of the registers of AVX";
	ymm = area + v->vm->cpuid.xsave[2].ebx;
	if (!(area[XSAVE_XSTATE_BV] & XCR0_AVX))
		VM_MUTANT(DEBUG_YMM_REST, memset(ymm, 0, XSAVE_YMM_BYTES));
	memcpy(ymm + at, bytes, n);
	VM_MUTANT(DEBUG_YMM_USED, area[XSAVE_XSTATE_BV] |= XCR0_AVX);
	return NULL;
}

const char *debug_set_register(struct vcpu *v, const char *name, const uint8_t *bytes, size_t n)
{
	uint64_t value = 0;

	resident_release(v);
	if (name[0] == 'f' && name[1] == 'x')
		return set_image(v, name + 2, bytes, n);
	if (name[0] == 'y')
		return set_ymm(v, name + 1, bytes, n);
	if (n > sizeof(value))
		return wrong_length;
	memcpy(&value, bytes, n);
	return set_number(v, name, value);
}
