/* test/unit/vm/fixture.h - what the unit tests of vm/ share: a bench for each test, and steps that fail where the
 * manual's checks at VM entry find a rule broken. */
#ifndef VELLUM_TEST_VM_FIXTURE_H
#define VELLUM_TEST_VM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/device/console.h"
#include "host/trap/interrupt.h"
#include "lib/apic.h"
#include "test/vm/bench.h"
#include "test/vm/cpu.h"
#include "vmx/guest.h"

/* All that an Intel CPU can have. */
static const char *const mechanisms[] = { "ept", "shadow", "vtlb", "brute" };

/* Exit qualification for EPT violations: the linear address is known, and the access is to what it means. */
#define GVA_KNOWN (VIOLATION_LINEAR_VALID | VIOLATION_TRANSLATED)
/* Pending debug exceptions: breakpoint n, which is enabled. */
#define HIT(n) (PENDING_DEBUG_ENABLED | BIT(n))

static inline void check_entry(int line)
{
	if (bench.at == BENCH_ENTRY && bench.broken)
		fail_msg("line %d: the entry breaks a rule: %s", line, bench.broken);
}

/* Goes on to the next entry; it is one, and no rule is broken. */
static inline void step_to_entry(enum bench_at at, int line)
{
	if (at != BENCH_ENTRY)
		fail_msg("line %d: no entry, but %s: %s", line, at == BENCH_IDLE ? "idle" : "the end",
			 bench.vm[0]->end_text);
	check_entry(line);
}
#define STEP(call) step_to_entry(call, __LINE__)
/* The exit, by designated initializers of struct bench_exit. */
#define EXIT(...) STEP(bench_exit(&(struct bench_exit){ __VA_ARGS__ }))

static inline uint64_t guest_tsc(void) { return soft.tsc + vmcs_get(VMCS_TSC_OFFSET); }
/* Of two virtual machines, the other one's first. */
static inline struct vcpu *other_than(const struct vcpu *v) { return bench.vm[!v->vm->id]->vcpu[0]; }

static inline void start_as(enum bench_cpu cpu, const char *mmu)
{
	bench_new(&(struct bench_config){ .cpu = cpu, .mmu = mmu });
	check_entry(0);
	assert_int_equal(bench.at, BENCH_ENTRY);
}
static inline void start(void) { start_as(BENCH_HASWELL, ""); }
/* In a mode that the guest can have under the mechanism, at a privilege level. */
static inline void at_mode_on(enum bench_cpu cpu, const char *mmu, enum bench_mode mode, unsigned cpl)
{
	start_as(cpu, mmu);
	assert_true(bench_mode(mode, cpl));
}
static inline void at_mode(const char *mmu, enum bench_mode mode, unsigned cpl)
{
	at_mode_on(BENCH_HASWELL, mmu, mode, cpl);
}
/* Two virtual machines, one of which has not run yet: that one. */
static inline struct vm *start_one_of_two(void)
{
	struct vm *other;

	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = 2 });
	other = bench.vm[!bench.v->vm->id];
	assert_false(other->vcpu[0]->started);
	return other;
}
static inline void finish(void) { bench_delete(); }

#define INFO(type, vector) ((uint32_t)(EVENT_VALID | (type) | (vector)))
#define EXCEPTION(vector) INFO(EVENT_TYPE_HARDWARE_EXCEPTION, vector)
#define EXCEPTION_ERROR(vector) (EXCEPTION(vector) | (uint32_t)EVENT_HAS_ERROR)

/* Exit qualifications of EPT violations: data read, or written, at what the linear address means. */
#define READ_KNOWN (MMU_READ | VIOLATION_LINEAR_VALID | VIOLATION_TRANSLATED)
#define WRITE_KNOWN (MMU_WRITE | VIOLATION_LINEAR_VALID | VIOLATION_TRANSLATED)

static inline enum bench_at violation(uint64_t qualification, uint64_t gpa)
{
	return bench_exit(&(struct bench_exit){
		.reason = EXIT_EPT_VIOLATION, .qualification = qualification, .gpa = gpa, .gva = gpa });
}
static inline enum bench_at misconfig(uint64_t gpa)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_MISCONFIG, .gpa = gpa });
}

/* The exit of a page fault that was intercepted. */
#define PAGE_FAULT_EXIT .reason = EXIT_EXCEPTION_OR_NMI, .info = EXCEPTION_ERROR(VECTOR_PF)
static inline enum bench_at page_fault(uint32_t error, uint64_t gva)
{
	return bench_exit(&(struct bench_exit){ PAGE_FAULT_EXIT, .error = error, .qualification = gva });
}

/* The next instructions. */
static inline void code(const void *bytes, size_t n)
{
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	bench_poke(BENCH_CODE, bytes, n);
}

/* OUT, of 2 bytes length; a phase's mark is one, too (vm/account/account.h). */
static inline void out_sized(uint16_t port, unsigned size, uint32_t value)
{
	*bench_gpr(GPR_RAX) = value;
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)port << 16 | (size - 1), .length = 2);
}
static inline void out(uint16_t port, uint8_t value) { out_sized(port, 1, value); }
static inline void mark(uint8_t phase) { out(MARK_PORT, phase); }

/* A request arrives on the control channel, and the guest is left for it. */
static inline enum bench_at ask(const char *request)
{
	bench_type(CONSOLE_STATS, request, strlen(request));
	return bench_interrupt(VECTOR_KICK);
}
/* Has the hypervisor written that to COM2? */
static inline bool said(const char *text) { return strstr(bench_log(), text); }
/* And in an answer, however it was cut into lines (docs/protocol.md)? `tag` is that of the request. */
static inline bool answered(const char *tag, const char *text)
{
	static char whole[1u << 16];
	char line[32];
	size_t used = 0;

	snprintf(line, sizeof(line), "reply %s ", tag);
	for (const char *p = bench_log(); (p = strstr(p, line)); ) {
		size_t n = strcspn(p += strlen(line), "\n");

		assert_true(used + n < sizeof(whole));
		memcpy(whole + used, p, n);
		used += n;
	}
	whole[used] = 0;
	return strstr(whole, text);
}
static inline unsigned occurrences(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* A byte as the guest sees it, and writes it: memory, or what is there where none is. */
static inline uint8_t peek(uint64_t gpa)
{
	uint8_t byte;

	return mmu_guest_read(&bench.v->vm->mmu, GPA(gpa), &byte, 1) == 1 ?
		       byte :
		       (uint8_t)platform_mmio_read(bench.v, gpa, 1);
}
static inline void poke(uint64_t gpa, uint8_t byte)
{
	if (mmu_guest_write(&bench.v->vm->mmu, GPA(gpa), &byte, 1) != 1)
		platform_mmio_write(bench.v, gpa, 1, byte);
}

/* An exit that changes nothing, and the entry behind it. */
static inline void again(void) { STEP(bench_exit_simple(EXIT_CPUID, 2)); }
/* The host's turn, which comes once a slice. */
static inline void next_slice(void)
{
	bench_wait(schedule_slice());
	again();
}
/* Until v is about to enter. */
static inline void until(const struct vcpu *v)
{
	for (unsigned n = 0; bench.v != v; n++) {
		assert_true(n < 50);
		STEP(bench_timer());
	}
}
/* Do all promises of the heart hold? */
static inline bool audits(void)
{
	char why[120];

	return mmu_audit(&bench.vm[0]->mmu, why, sizeof(why));
}

#define NO_SUCH_MSR 0x12345678
#define X2APIC_ON (LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_EXTD) /* IA32_APIC_BASE in x2APIC mode */
static inline void x2apic_on(void)
{
	STEP(bench_wrmsr(MSR_APIC_BASE, X2APIC_ON | APIC_BASE_BSP));
	STEP(bench_wrmsr(MSR_X2APIC(APIC_SVR), SVR_ENABLED | 0xff));
}

#define DEADLINE_VECTOR 0x31
/* Interrupts on, and one of the local APIC's timer when the guest's TSC is tsc, or in so many ticks of the host's. */
static inline void deadline_mode(void)
{
	x2apic_on();
	STEP(bench_wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TIMER_DEADLINE | DEADLINE_VECTOR));
}
static inline void deadline_at(uint64_t tsc)
{
	deadline_mode();
	STEP(bench_wrmsr(MSR_TSC_DEADLINE, tsc));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
}
static inline void deadline_in(uint64_t ticks)
{
	deadline_mode();
	STEP(bench_wrmsr(MSR_TSC_DEADLINE, vmcs_get(VMCS_TSC_OFFSET) + soft.tsc + ticks));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
}

/* What the entry injects. */
static inline void expect_event(uint32_t info, uint32_t error, int line)
{
	if (bench.entry.event != info || ((info & EVENT_HAS_ERROR) && bench.entry.error != error))
		fail_msg("line %d: injected 0x%x, error code 0x%x; expected 0x%x, 0x%x", line, bench.entry.event,
			 bench.entry.error, info, error);
}
#define EXPECT_EVENT(info, error) expect_event(info, error, __LINE__)
#define EXPECT_NOTHING() EXPECT_EVENT(0, 0)
#define EXPECT_GP() EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_GP), 0)
#define EXPECT_UD() EXPECT_EVENT(EXCEPTION(VECTOR_UD), 0)

static inline void lapic_on(void)
{
	x2apic_on();
	EXPECT_NOTHING();
}

/* The virtual machine is over, and the sentence holds the text. */
static inline void expect_end(enum bench_at at, const char *text, int line)
{
	if (at != BENCH_OVER || !strstr(bench.vm[0]->end_text, text))
		fail_msg("line %d: expected the end with \"%s\"; it is at %u, \"%s\"", line, text, at,
			 bench.vm[0]->end_text);
}
#define EXPECT_END(call, text) expect_end(call, text, __LINE__)

/* All pieces of the answer to the tag, put together. */
static inline const char *answer_to(const char *tag)
{
	static char text[40000];
	char prefix[20];
	size_t used = 0;

	snprintf(prefix, sizeof(prefix), "\nreply %s ", tag);
	for (const char *p = bench_log(); (p = strstr(p, prefix)); p++) {
		size_t n = strcspn(p + strlen(prefix), "\n");

		assert_in_range(n, 1, 200);
		memcpy(text + used, p + strlen(prefix), n);
		used += n;
	}
	text[used] = '\0';
	return text;
}

/* A request to a virtual machine that does not run, and words of what is answered. */
static inline void ask_and_hear(const char *request, const char *words)
{
	bench_type(CONSOLE_STATS, request, strlen(request));
	bench_interrupt(VECTOR_KICK);
	if (!said(words))
		fail_msg("no \"%s\" after %s", words, request);
}

/* A CPU without a preemption timer: bench_config.msr. */
static inline uint64_t no_timer(uint32_t msr, uint64_t value)
{
	bool pin = msr == MSR_VMX_PINBASED_CTLS || msr == MSR_VMX_TRUE_PINBASED_CTLS;

	return pin ? value & ~((uint64_t)PIN_PREEMPTION_TIMER << 32) : value;
}

#endif
