/* test/fuzz/exits_reasons.c - exits as a CPU makes them.
 *
 * What the manual allows (SDM, "VM Exits" and "VMX Non-Root Operation"), and what is generated:
 *   - instructions that exit always or by a control that is set: instruction length 1 to 15; CPL 0 where the
 *     instruction is for the kernel (its #GP comes before the exit), and 64-bit operands in 64-bit code only;
 *   - MOV to CR0 and CR4 where a bit owned by the host differs from the shadow; MOV to and from CR3 and CR8 by their
 *     controls;
 *   - I/O of 1, 2 or 4 bytes; for string instructions an instruction of the kind stands at RIP;
 *   - page faults where the exception bitmap and the error-code mask want them, with an error code that such an access
 *     can have; #DB, #AC and machine checks; NMIs and interrupts of the host;
 *   - EPT violations and misconfigurations where EPT is on, within the physical-address width;
 *   - a TPR below its threshold, and accesses to the local APIC's page, where these controls are on;
 *   - windows where they are asked for and open;
 *   - task switches outside IA-32e mode; by a gate with the event that came through it;
 *   - IDT-vectoring information only with those that can happen during delivery: exceptions, EPT violations and
 *     misconfigurations, task switches; of a type and vector that exist, and error codes with those exceptions that
 *     have one, outside real mode. */
#include "test/fuzz/exits.h"


static unsigned cpl(void) { return vmcs_get(VMCS_GUEST_SS_ACCESS) >> 5 & 3; }
static bool long64(void)
{
	return (vmcs_get(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E) && (vmcs_get(VMCS_GUEST_CS_ACCESS) & SEGMENT_L);
}
static bool real(void) { return !(vmcs_get(VMCS_GUEST_CR0) & CR0_PE); }
static bool proc(uint64_t bit) { return vmcs_get(VMCS_PROC_CONTROLS) & bit; }
static bool proc2(uint64_t bit) { return proc(PROC_SECONDARY) && (vmcs_get(VMCS_PROC_CONTROLS2) & bit); }
static uint64_t address(struct input *in) { return long64() ? fuzz_value(in) : (uint32_t)fuzz_value(in); }
static uint64_t physical(struct input *in) { return fuzz_value(in) & MASK(39, 0); }

/* ---- events on the way ---- */

static bool has_error(unsigned vector)
{
	return vector == VECTOR_DF || (vector >= VECTOR_TS && vector <= VECTOR_PF) || vector == VECTOR_AC;
}

static void delivering_exception(struct input *in, struct bench_exit *x, unsigned vector)
{
	x->vectoring = (uint32_t)(EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | vector);
	if (has_error(vector) && !real())
		x->vectoring |= (uint32_t)EVENT_HAS_ERROR;
	x->vectoring_error = vector == VECTOR_DF || vector == VECTOR_AC ? 0 :
			     vector == VECTOR_PF ? in8(in) & 31 : in16(in);
}

static void delivering(struct input *in, struct bench_exit *x)
{
	static const uint8_t exceptions[] = { 0, 1, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 19 };
	unsigned vector = exceptions[in_below(in, sizeof(exceptions))];

	switch (in8(in) % 8) {
	case 0:
		if (vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_IF)
			x->vectoring = (uint32_t)(EVENT_VALID | EVENT_TYPE_EXTERNAL | in8(in));
		break;
	case 1:
		x->vectoring = (uint32_t)(EVENT_VALID | EVENT_TYPE_NMI | 2);
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
		break;
	case 2:
		x->vectoring = (uint32_t)(EVENT_VALID | EVENT_TYPE_SOFTWARE_INTERRUPT | in8(in));
		x->length = 2;
		break;
	case 3:
		x->vectoring = (uint32_t)(EVENT_VALID | EVENT_TYPE_SOFTWARE_EXCEPTION | (in_bool(in) ? 3 : 4));
		x->length = 1;
		break;
	case 4:
		x->vectoring = (uint32_t)(EVENT_VALID | EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION | 1);
		x->length = 1;
		break;
	case 5:
	case 6:
		delivering_exception(in, x, vector);
		break;
	default:
		return;
	}
	/* Delivery ends what held events back. */
	if (x->vectoring)
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, vmcs_get(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_NMI);
	if (x->vectoring)
		vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	if (in_bool(in))
		x->vectoring |= x->vectoring ? (uint32_t)BIT(12) : 0;
}

/* ---- kinds of exits ---- */

/* Reasons that only need their length. Those of the second half are the kernel's. */
static bool instruction(struct input *in, struct bench_exit *x)
{
	static const uint8_t anybody[] = { EXIT_CPUID,	EXIT_VMCALL, EXIT_GETSEC, EXIT_VMLAUNCH, EXIT_VMREAD,
					   EXIT_VMXOFF, EXIT_INVEPT, EXIT_VMFUNC, EXIT_RDPMC };
	static const uint8_t kernel[] = { EXIT_HLT,   EXIT_INVD,   EXIT_WBINVD,	 EXIT_RDMSR,
					  EXIT_WRMSR, EXIT_XSETBV, EXIT_MONITOR, EXIT_MWAIT };

	if (in_bool(in) || cpl())
		x->reason = anybody[in_below(in, sizeof(anybody))];
	else
		x->reason = kernel[in_below(in, sizeof(kernel))];
	if (x->reason == EXIT_XSETBV && !(vmcs_get(VMCS_GUEST_CR4) & CR4_OSXSAVE))
		x->reason = EXIT_CPUID;
	x->length = 1 + in8(in) % 15;
	return true;
}

static bool cr_access(struct input *in, struct bench_exit *x)
{
	static const uint8_t which[] = { 0, 3, 4, 8 };
	unsigned n = which[in8(in) & 3], gpr = in8(in) & 15;
	uint64_t value = gpr == GPR_RSP ? vmcs_get(VMCS_GUEST_RSP) : *bench_gpr((enum gpr)gpr);
	bool to = in_bool(in);

	if (cpl() || (gpr > 7 && !long64()) || (n == 8 && !long64()))
		return false;
	if (!long64())
		value = (uint32_t)value;
	if (!to && !((n == 3 && proc(PROC_CR3_STORE)) || (n == 8 && proc(PROC_CR8_STORE))))
		return false;
	if (to && n == 3 && !proc(PROC_CR3_LOAD))
		return false;
	if (to && n == 0 && !((value ^ vmcs_get(VMCS_CR0_SHADOW)) & vmcs_get(VMCS_CR0_MASK)))
		return false;
	if (to && n == 4 && !((value ^ vmcs_get(VMCS_CR4_SHADOW)) & vmcs_get(VMCS_CR4_MASK)))
		return false;
	*x = (struct bench_exit){ .reason = EXIT_CR_ACCESS, .length = 3,
				  .qualification = n | (to ? 0 : BIT(4)) | gpr << 8 };
	return true;
}

static bool clts_or_lmsw(struct input *in, struct bench_exit *x)
{
	uint64_t mask = vmcs_get(VMCS_CR0_MASK), shadow = vmcs_get(VMCS_CR0_SHADOW);
	uint16_t value = in16(in);

	if (cpl())
		return false;
	*x = (struct bench_exit){ .reason = EXIT_CR_ACCESS, .length = 3 };
	if (in_bool(in)) {
		x->qualification = 2 << 4;
		return mask & shadow & CR0_TS;
	}
	x->qualification = 3 << 4 | (uint64_t)value << 16;
	return (mask & (value ^ shadow) & 0xe) || (mask & value & ~shadow & 1);
}

static bool io(struct input *in, struct bench_exit *x)
{
	static const uint16_t ports[] = { 0x3f8, 0x3fd, 0x20, 0x21,   0x40,  0x43,  0x61, 0x70,	 0x71,	0x64,  0xcf8,
					  0xcfc, 0xe0,	0xe4, 0x2000, 0x510, 0x511, 0x80, 0x600, 0x604, 0xfffe };
	static const uint8_t string[] = { 0x6e, 0x6f, 0x6c, 0x6d };
	uint8_t size = (uint8_t[]){ 1, 2, 4 }[in_below(in, 3)], flags = in8(in);
	uint16_t port = flags & 0x80 ? in16(in) : ports[in_below(in, ARRAY_SIZE(ports))];
	bool is_in = flags & 1, is_string = flags & 2, rep = (flags & 4) && is_string;
	uint8_t bytes[2] = { 0xf3, string[is_in * 2 + (size > 1)] };

	*x = (struct bench_exit){ .reason = EXIT_IO_INSTRUCTION,
				  .length = 1u + rep,
				  .qualification = (uint64_t)port << 16 | (size - 1u) | (uint64_t)is_in << 3 |
						   (uint64_t)is_string << 4 | (uint64_t)rep << 5 };
	if (is_string) {
		*bench_gpr(GPR_RDX) = (*bench_gpr(GPR_RDX) & ~0xffffull) | port;
		vmcs_put(VMCS_GUEST_RIP, vmcs_get(VMCS_GUEST_RIP) & 0xffff ? BENCH_CODE & (real() ? 0xffff : ~0u) : 0);
		bench_poke(BENCH_CODE, bytes + !rep, 1u + rep);
	}
	return true;
}

static bool page_fault(struct input *in, struct bench_exit *x)
{
	static const uint8_t errors[] = { 0, 2, 4, 6, 1, 3, 5, 7, 16, 20, 17, 21, 9, 11, 13, 15 };
	uint32_t error = errors[in8(in) & 15];
	uint64_t match = vmcs_get(VMCS_PF_ERROR_MATCH), mask = vmcs_get(VMCS_PF_ERROR_MASK);

	/* A user's access is one of CPL 3. */
	error = (error & ~4u) | (cpl() == 3 && !(error & 8) ? 4u : 0);
	if (!(vmcs_get(VMCS_EXCEPTION_BITMAP) & BIT(VECTOR_PF)) || (error & mask) != match ||
	    !(vmcs_get(VMCS_GUEST_CR0) & CR0_PG))
		return false;
	*x = (struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI,
				  .error = error,
				  .qualification = address(in),
				  .info = (uint32_t)(EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | EVENT_HAS_ERROR |
						     14) };
	delivering(in, x);
	return true;
}

static bool other_exception(struct input *in, struct bench_exit *x)
{
	unsigned vector = (uint8_t[]){ 1, 17, 18 }[in_below(in, 3)];

	if (!(vmcs_get(VMCS_EXCEPTION_BITMAP) & BIT(vector)) || (vector == VECTOR_AC && real()))
		return false;
	*x = (struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI,
				  .info = (uint32_t)(EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION |
						     (vector == VECTOR_AC ? EVENT_HAS_ERROR : 0) | vector) };
	if (vector == VECTOR_DB)
		x->qualification = in16(in) & 0x600f;
	bench.machine_check_fatal = vector == VECTOR_MC && in8(in) == 1;
	if (vector != VECTOR_DB)
		delivering(in, x);
	/* The exit takes pending traps away. */
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	return vector != VECTOR_DB || !x->vectoring;
}

static bool ept(struct input *in, struct bench_exit *x)
{
	uint64_t gva = address(in);
	uint8_t how = in8(in);

	if (!proc2(PROC2_EPT))
		return false;
	*x = (struct bench_exit){ .reason = how & 0x40 ? EXIT_EPT_MISCONFIG : EXIT_EPT_VIOLATION, .gva = gva,
				  .gpa = physical(in) };
	if (x->reason == EXIT_EPT_VIOLATION) {
		x->qualification = (uint64_t[]){ 1, 2, 4, 3 }[how & 3] | (uint64_t)(in8(in) & 7) << 3;
		x->qualification |= how & 4 ? 0 : 0x80 | (how & 8 ? 0 : 0x100);
		x->qualification |= how & 16 ? VIOLATION_NMI_UNBLOCKED : 0;
	}
	if (how & 32)
		delivering(in, x);
	return true;
}

static bool task_switch(struct input *in, struct bench_exit *x)
{
	unsigned source = in8(in) & 3;
	uint16_t selector = in_bool(in) ? BENCH_TSS2 : in16(in);

	if ((vmcs_get(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E) || real() ||
	    (source != 3 && (vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_VM)))
		return false;
	*x = (struct bench_exit){ .reason = EXIT_TASK_SWITCH, .length = 2 + in8(in) % 6,
				  .qualification = (uint64_t)source << 30 | selector };
	if (source == 3) {
		delivering(in, x);
		return x->vectoring;
	}
	return true;
}

static bool window(struct input *in, struct bench_exit *x)
{
	uint64_t blocking = vmcs_get(VMCS_GUEST_INTERRUPTIBILITY);

	(void)in;
	if (proc(PROC_NMI_WINDOW) && !(blocking & BLOCKING_NMI)) {
		vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, 0);
		vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
		x->reason = EXIT_NMI_WINDOW;
		return true;
	}
	if (!proc(PROC_INTERRUPT_WINDOW) || !(vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_IF))
		return false;
	vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, blocking & BLOCKING_NMI);
	vmcs_put(VMCS_GUEST_PENDING_DEBUG, 0);
	x->reason = EXIT_INTERRUPT_WINDOW;
	return true;
}

static bool asynchronous(struct input *in, struct bench_exit *x)
{
	switch (in8(in) & 3) {
	case 0:
		*x = (struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI,
					  .info = (uint32_t)(EVENT_VALID | EVENT_TYPE_NMI | 2) };
		return true;
	case 1:
		x->reason = EXIT_PREEMPTION_TIMER;
		return vmcs_get(VMCS_PIN_CONTROLS) & PIN_PREEMPTION_TIMER;
	case 2:
		x->reason = EXIT_TRIPLE_FAULT;
		return in8(in) == 0x33;
	default:
		*x = (struct bench_exit){ .reason = EXIT_EXTERNAL_INTERRUPT, .info = (uint32_t)(EVENT_VALID | 0xf1) };
		return true;
	}
}

static bool msr(struct input *in, struct bench_exit *x)
{
	static const uint32_t msrs[] = {
		MSR_TSC, MSR_APIC_BASE, MSR_TSC_ADJUST, MSR_SPEC_CTRL, MSR_PRED_CMD, MSR_BIOS_UPDT_TRIG,
		MSR_BIOS_SIGN_ID, MSR_MTRRCAP, MSR_ARCH_CAPABILITIES, MSR_FLUSH_CMD, 0x122 /* TSX_CTRL */,
		MSR_SYSENTER_CS, MSR_SYSENTER_EIP, MSR_MCG_STATUS, MSR_MISC_ENABLE, MSR_DEBUGCTL, MSR_MTRR_PHYSBASE0,
		MSR_MTRR_PHYSBASE0 + 1, MSR_MTRR_PHYSBASE0 + 15, MSR_MTRR_FIX64K_00000, MSR_MTRR_FIX16K_80000,
		MSR_MTRR_FIX4K_F8000, MSR_PAT, MSR_MTRR_DEF_TYPE, MSR_TSC_DEADLINE, MSR_X2APIC_APICID,
		MSR_X2APIC_TPR, MSR_X2APIC_EOI, MSR_X2APIC_LDR, MSR_X2APIC_SIVR, MSR_X2APIC(APIC_ISR),
		MSR_X2APIC(APIC_LVT_CMCI), MSR_X2APIC_ICR, MSR_X2APIC_LVT_TIMER, MSR_X2APIC(APIC_LVT_LINT0),
		MSR_X2APIC(APIC_LVT_ERROR), MSR_X2APIC_INIT_COUNT, MSR_X2APIC(APIC_TIMER_CURRENT), MSR_X2APIC_DIV_CONF,
		MSR_X2APIC_SELF_IPI, MSR_EFER, MSR_STAR, MSR_FS_BASE, MSR_TSC_AUX,
	};
	uint8_t how = in8(in);
	uint64_t value = how & 0x20 ? fuzz_value(in) : in16(in);

	if (cpl())
		return false;
	*bench_gpr(GPR_RCX) = msrs[in_below(in, ARRAY_SIZE(msrs))];
	*bench_gpr(GPR_RAX) = (uint32_t)value;
	*bench_gpr(GPR_RDX) = value >> 32;
	*x = (struct bench_exit){ .reason = how & 0x40 ? EXIT_RDMSR : EXIT_WRMSR, .length = 2 };
	return true;
}

/* Instructions that read or write at RBX, RSI, RDI or RSP. */
static const struct {
	uint8_t n, bytes[7];
	bool write;
} accesses[] = {
	{ 2, { 0x89, 0x03 }, true }, { 2, { 0x8b, 0x03 }, false }, { 2, { 0x88, 0x03 }, true },
	{ 2, { 0x8a, 0x03 }, false }, { 2, { 0x01, 0x03 }, true }, { 2, { 0x0b, 0x03 }, false },
	{ 3, { 0xf6, 0x03, 0x01 }, false }, { 2, { 0x87, 0x03 }, true }, { 6, { 0xc7, 0x03, 0x30, 0, 0, 0 }, true },
	{ 2, { 0xff, 0x33 }, false }, { 2, { 0x8f, 0x03 }, true }, { 2, { 0xff, 0x03 }, true },
	{ 2, { 0x8e, 0x13 }, false }, { 2, { 0x8e, 0x1b }, false }, { 2, { 0x8c, 0x13 }, true },
	{ 4, { 0xf0, 0x0f, 0xb1, 0x03 }, true }, { 4, { 0xf0, 0x0f, 0xba, 0x2b }, true },
	{ 3, { 0x0f, 0xb6, 0x03 }, false }, { 3, { 0x0f, 0xbf, 0x03 }, false }, { 3, { 0x0f, 0xc7, 0x0b }, true },
	{ 2, { 0xf3, 0xa4 }, true }, { 2, { 0xf3, 0xab }, true }, { 1, { 0xa5 }, true }, { 1, { 0xae }, false },
	{ 3, { 0x0f, 0x01, 0x13 }, false }, { 3, { 0x0f, 0x01, 0x33 }, false }, { 3, { 0x0f, 0x00, 0x1b }, false },
	{ 3, { 0x0f, 0x00, 0x13 }, false }, { 2, { 0xd9, 0x03 }, false }, { 3, { 0x0f, 0x6f, 0x03 }, false },
	{ 3, { 0x0f, 0x11, 0x03 }, true }, { 3, { 0x0f, 0xae, 0x03 }, true }, { 3, { 0x0f, 0xae, 0x3b }, false },
	{ 2, { 0xff, 0x23 }, false }, { 2, { 0xff, 0x2b }, false }, { 2, { 0xff, 0x13 }, false },
	{ 2, { 0xc5, 0x03 }, false }, { 1, { 0xcf }, false }, { 1, { 0x9d }, false }, { 1, { 0xf4 }, false },
	{ 1, { 0xfb }, false }, { 3, { 0x0f, 0x22, 0xd8 }, false }, { 3, { 0x0f, 0x20, 0xc0 }, false },
	{ 2, { 0x0f, 0x30 }, false }, { 2, { 0x62, 0x03 }, false }, { 2, { 0xcd, 0x21 }, false },
	{ 3, { 0x0f, 0x01, 0x3b }, false }, { 2, { 0xd7, 0x90 }, false },
};

/* An instruction at RIP that reads or writes a device, memory that is not there, or a page table, by RBX. */
static bool access_by_instruction(struct input *in, struct bench_exit *x)
{

	static const uint32_t places[] = {
		LAPIC_DEFAULT_BASE + APIC_TPR, LAPIC_DEFAULT_BASE + APIC_EOI, LAPIC_DEFAULT_BASE + APIC_ICR,
		LAPIC_DEFAULT_BASE + 0xffe, IOAPIC_BASE, IOAPIC_BASE + IOAPIC_WINDOW, TESTDEV_MMIO_BASE, 0xa0000,
		BENCH_RAM, BENCH_RAM - 2, BENCH_TABLES, BENCH_TABLES + 0x1ffc, BENCH_TABLES + 0x3000
	};
	unsigned n = in_below(in, ARRAY_SIZE(accesses)), how = in8(in);
	uint64_t at = places[in_below(in, ARRAY_SIZE(places))] + (how & 0x10 ? in8(in) : 0);
	uint64_t rip = real() || (vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_VM) ? 0x8000 : BENCH_CODE;

	if (vmcs_get(VMCS_GUEST_ES_BASE + 2 * SEG_CS))
		return false;
	bench_poke(rip, accesses[n].bytes, accesses[n].n);
	vmcs_put(VMCS_GUEST_RIP, rip);
	*bench_gpr(GPR_RBX) = *bench_gpr(GPR_RDI) = at;
	if (how & 0x20)
		*bench_gpr(GPR_RSI) = at;
	if (how & 0x40)
		vmcs_put(VMCS_GUEST_RSP, at);
	if (proc2(PROC2_EPT)) {
		*x = (struct bench_exit){ .reason = EXIT_EPT_VIOLATION, .gva = at, .gpa = at,
					  .qualification = accesses[n].write ? 0x182 : 0x181 };
		return true;
	}
	*x = (struct bench_exit){ .reason = EXIT_EXCEPTION_OR_NMI,
				  .qualification = at,
				  .error = (accesses[n].write ? 2u : 0) | (cpl() == 3 ? 4u : 0) | (how & 0x80 ? 1u : 0),
				  .info = (uint32_t)(EVENT_VALID | EVENT_TYPE_HARDWARE_EXCEPTION | EVENT_HAS_ERROR |
						     14) };
	return (vmcs_get(VMCS_EXCEPTION_BITMAP) & BIT(VECTOR_PF)) && (vmcs_get(VMCS_GUEST_CR0) & CR0_PG) &&
	       (x->error & vmcs_get(VMCS_PF_ERROR_MASK)) == vmcs_get(VMCS_PF_ERROR_MATCH);
}

/* What the CPU does for the guest's local APIC: the TPR is written, with an exit where that is below the threshold;
 * another register is accessed, by an instruction or by the delivery of an event. */
static bool apic(struct input *in, struct bench_exit *x)
{
	uint8_t how = in8(in), value = in8(in);
	unsigned type = how & 3;

	if (!proc(PROC_TPR_SHADOW))
		return false;
	if (how & 0x80) {
		bench.v->apic_registers[0x80] = value;
		x->reason = EXIT_TPR_BELOW_THRESHOLD;
		if ((how & 0x40) && value >> 4 < vmcs_get(VMCS_TPR_THRESHOLD) &&
		    (vmcs_get(VMCS_GUEST_RFLAGS) & RFLAGS_IF))
			vmcs_put(VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
		return value >> 4 < vmcs_get(VMCS_TPR_THRESHOLD);
	}
	if (!proc2(PROC2_APIC_ACCESS) || !tpr_page_mapped(bench.vm[0]) || type == 2)
		return false;
	access_by_instruction(in, x);
	*x = (struct bench_exit){ .reason = EXIT_APIC_ACCESS,
				  .qualification = (how & 4 ? value * 16u : value) | type << 12 };
	if (type == 3)
		delivering(in, x);
	return type != 3 || x->vectoring;
}

static bool invlpg(struct input *in, struct bench_exit *x)
{
	*x = (struct bench_exit){ .reason = EXIT_INVLPG, .length = 3, .qualification = address(in) };
	return !cpl() && proc(PROC_INVLPG);
}

bool fuzz_consistent_exit(struct input *in, struct bench_exit *x)
{
	static bool (*const kinds[])(struct input *, struct bench_exit *) = {
		instruction,
		cr_access,
		clts_or_lmsw,
		io,
		page_fault,
		other_exception,
		ept,
		task_switch,
		window,
		asynchronous,
		invlpg,
		instruction,
		page_fault,
		ept,
		cr_access,
		io,
		msr,
		access_by_instruction,
		access_by_instruction,
		task_switch,
		apic,
		apic,
	};

	*x = (struct bench_exit){ 0 };
	return kinds[in8(in) % ARRAY_SIZE(kinds)](in, x);
}

void fuzz_any_exit(struct input *in, struct bench_exit *x)
{
	*x = (struct bench_exit){
		.reason = in_below(in, 80) | (in8(in) == 1 ? (uint32_t)EXIT_REASON_ENTRY_FAILED : 0),
		.qualification = fuzz_value(in),
		.length = in8(in) & 15,
		.info = in32(in),
		.error = in16(in),
		.vectoring = in_bool(in) ? in32(in) : 0,
		.vectoring_error = in16(in),
		.gva = fuzz_value(in),
		.gpa = physical(in),
		.instruction_info = in32(in),
	};
	/* Without EPT there is not even the field for its exits. */
	if (!cpu_has_proc2(PROC2_EPT) && (uint16_t)x->reason >= EXIT_EPT_VIOLATION &&
	    (uint16_t)x->reason <= EXIT_EPT_MISCONFIG)
		x->reason = EXIT_CPUID;
}
