/* Sequences of exits under libFuzzer, on the bench (test/vm/bench.h). The input chooses CPU model, mechanism, mode and
 * privilege level, then what the guest does and how it is left, step by step.
 *
 * Exits are of two kinds. Those of the first are as a CPU delivers them (test/fuzz/exits_reasons.c says what the manual
 * allows): after each, the entry passes the manual's checks, or the virtual machine has ended. Those of the second have
 * any reason, qualification and information: nothing may crash; from then on the state is nobody's, and entries are not
 * judged.
 *
 * After every step: no broken promise (BUG_ON), no report of a sanitizer, and no more than so many VMREADs and
 * VMWRITEs, invalidations and entries: the work for one exit is bounded. In the end every virtual machine can be
 * ended. */
#include "test/fuzz/exits.h"

#include <stdio.h>
#include <stdlib.h>

#include "host/trap/interrupt.h"

#define STEPS_MAX 128
#define ACCESSES_MAX 2000u
#define INSTRUCTION_ACCESSES 200u /* of one that the emulator carries out, with what is delivered behind it */

static const char *const mechanisms[] = { "ept", "shadow", "vtlb", "brute" };
static bool judged;
static struct bench_exit last;

/* What the step was, for who reads the report. */
static void report(void)
{
	fprintf(stderr, "cpu %u, %s, cr0 0x%lx, cr4 0x%lx, efer 0x%lx, rip 0x%lx, rflags 0x%lx, cs 0x%lx\n", soft.model,
		bench.vm[0]->mmu.ops->name, bench.v->mmu.regs.cr0, bench.v->mmu.regs.cr4, bench.v->mmu.regs.efer,
		vmcs_get(VMCS_GUEST_RIP), vmcs_get(VMCS_GUEST_RFLAGS), vmcs_get(VMCS_GUEST_CS_ACCESS));
	fprintf(stderr,
		"last exit: reason %u, qualification 0x%lx, length %u, info 0x%x error 0x%x, vectoring 0x%x error "
		"0x%x, gva 0x%lx, gpa 0x%lx\n",
		last.reason, last.qualification, last.length, last.info, last.error, last.vectoring,
		last.vectoring_error, last.gva, last.gpa);
	fprintf(stderr, "entry: event 0x%x, rip 0x%lx, rflags 0x%lx, interruptibility 0x%lx, pending debug 0x%lx\n",
		bench.entry.event, bench.entry.rip, bench.entry.rflags, bench.entry.interruptibility,
		bench.entry.pending_debug);
	abort();
}

/* A second task that can be gone to, until the input spoils it. SDM, "32-Bit Task-State Segment (TSS)". */
static void write_task(void)
{
	uint32_t tss[26] = { [7] = (uint32_t)bench.v->mmu.regs.cr3, [8] = BENCH_CODE, [9] = RFLAGS_FIXED | RFLAGS_IF,
			     [14] = BENCH_STACK, [18] = BENCH_DATA0,
			     [19] = BENCH_CODE0, [20] = BENCH_DATA0, [21] = BENCH_DATA0 };

	bench_poke(BENCH_TSS + 0x100, tss, sizeof(tss));
}

static void start(struct input *in)
{
	static const char *const descriptions[] = { "testdev on\n", "testdev on\nunrestricted off\n",
						    "pages 4k\nvpid off\n", "switch-every 32exits\n" };
	struct bench_config c = { .cpu = (enum bench_cpu)in_below(in, BENCH_CPUS) };
	unsigned which = in8(in), m = in_below(in, ARRAY_SIZE(mechanisms)), mode;
	char description[80];

	c.tpr = m & 1 || in_bool(in) ? "auto" : in_bool(in) ? "patch" : "trap";
	c.mmu = mechanisms[c.cpu == BENCH_PENRYN && m == 0 ? 1 : m];
	/* Where they can be started, three virtual CPUs now and then. */
	snprintf(description, sizeof(description), "%s%s", descriptions[which & 3],
		 (which & 12) == 12 && m == 0 && (c.cpu == BENCH_HASWELL || c.cpu == BENCH_MODERN) ? "vcpus 3\n" : "");
	c.description = description;
	bench_new(&c);
	mode = in8(in);
	bench_mode((enum bench_mode)(mode % BENCH_MODES), mode & 0x80 && mode % BENCH_MODES != BENCH_REAL ? 3 : 0);
	write_task();
}

static void judge(void)
{
	uint64_t instructions = bench_emulated() - bench.emulated_before;

	if (bench.accesses > ACCESSES_MAX + instructions * INSTRUCTION_ACCESSES) {
		fprintf(stderr, "an exit took %lu accesses to the VMCS, with %lu instructions emulated\n",
			bench.accesses, instructions);
		report();
	}
	if (judged && bench.at == BENCH_ENTRY && bench.broken) {
		fprintf(stderr, "the entry breaks a rule: %s\n", bench.broken);
		report();
	}
}

/* Time goes by, and the host's world has its say. */
static void host_event(struct input *in)
{
	static const char *const requests[] = { "1 list\n",
						"2 stats 0\n",
						"3 translate 0 0x180000\n",
						"4 dump 0\n",
						"5 dump 0 gva 0x180000 64\n",
						"6 mmu 0 next\n",
						"b tpr 0 trap\n",
						"c tpr 0 flexpriority\n",
						"d tpr 0 patch\n",
						"7 pause 0\n8 resume 0\n",
						"9 dump 0 gpa 0 4096\n",
						"a audit 0\n" };
	const char *request;

	bench_wait(in16(in));
	switch (in8(in) % 6) {
	case 0:
		bench_interrupt(VECTOR_KICK);
		break;
	case 1:
	case 2:
		if (soft.percpu.timer_armed != UINT64_MAX)
			bench_timer();
		break;
	case 3:
		vcpu_signal_nmi(bench.v);
		break;
	case 4:
		request = requests[in_below(in, ARRAY_SIZE(requests))];
		bench_type(CONSOLE_STATS, request, strlen(request));
		bench_interrupt(VECTOR_KICK);
		break;
	case 5:
		bench_type(CONSOLE_GUEST, "typed", 5);
		break;
	}
}

/* A guest that the emulator runs goes on for a while, and has had its time if it does not come to where it can be
 * entered. */
static bool emulate(void)
{
	for (unsigned n = 0; n < 3 && bench.at == BENCH_EMULATED; n++) {
		bench_emulate();
		judge();
	}
	return bench.at == BENCH_ENTRY;
}

/* A guest that sleeps gets what wakes it; one that nothing wakes has had its time. */
static bool wake(void)
{
	if (bench.at == BENCH_EMULATED && !emulate())
		return false;
	for (unsigned n = 0; bench.at == BENCH_IDLE; n++) {
		if (n == 4 || soft.percpu.timer_armed == UINT64_MAX)
			return false;
		bench_timer();
		judge();
		if (bench.at == BENCH_EMULATED && !emulate())
			return false;
	}
	return bench.at == BENCH_ENTRY;
}

static void step(struct input *in)
{
	struct bench_exit x = { 0 };
	uint8_t op = in8(in);

	if (op < 0x60) {
		fuzz_guest(in);
		return;
	}
	if (op < 0x70) {
		host_event(in);
		return;
	}
	if (op >= 0xf8) {
		judged = false;
		fuzz_any_exit(in, &x);
	} else if (!fuzz_consistent_exit(in, &x)) {
		return;
	}
	last = x;
	bench_exit(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	judged = true;
	start(&in);
	judge();
	for (unsigned n = 0; n < STEPS_MAX && in.left && wake(); n++) {
		step(&in);
		judge();
	}
	bench_delete();
	return 0;
}
