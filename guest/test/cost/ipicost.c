/* 64 bits: what an interrupt to another processor costs, in TSC ticks, and what it costs to be moved to another CPU.
 * One line for each: BENCH NAME MIN MEDIAN; of moves the least and the mean; of the sum the EOI and the mean.
 *
 * With two processors: the sender's RDTSC around the write of the ICR; of the receiver, while it runs, the time from
 * its last RDTSC to the handler's first; and the time from the sender's first RDTSC to the handler's. With one: the
 * gaps between its own RDTSC, longer than gap=N (moved from CPU to CPU by --migrate-every, or, where the machine has
 * one, to the same one, by the same steps), and those that are shorter, but no shorter than an exit for the CPU's
 * timer. With busy=N all only work, until the TSC is N million: two, or as many as processors=N says. */
#include "guest/test/base/apic.h"
#include "guest/test/base/bench.h"
#include "guest/test/cost/ipicost.h"

const char test_name[] = "ipicost";

#define TIMES 200
#define VECTOR 0x50u
#define PAUSE 100u
#define EXIT_AT_LEAST 200u
#define IN_VAIN 100000000ull

extern const char ap_begin[], ap_end[], ap_handler[];

static uint32_t sender[TIMES], receiver[TIMES], both[TIMES];

static volatile uint32_t *share(unsigned at) { return (volatile uint32_t *)(word)(AP_SHARE + at); }

static void icr_to(uint32_t id, uint32_t command)
{
	__asm__ volatile("wrmsr" : : "c"(MSR_X2APIC_FIRST + APIC_ICR / 16), "a"(command), "d"(id) : "memory");
}

static void icr(uint32_t command) { icr_to(1, command); }

/* false: it did not become so in good time. */
static bool wait_for(unsigned at, uint32_t value)
{
	for (uint64_t end = rdtsc() + IN_VAIN; *share(at) != value;)
		if (rdtsc() > end)
			return false;
	return true;
}

static void pass(uint64_t ticks)
{
	for (uint64_t end = rdtsc() + ticks; rdtsc() < end;)
		;
}

/* One after the other. */
static bool start_others(unsigned others)
{
	uint32_t handler = (uint32_t)(AP_AT + (ap_handler - ap_begin));
	volatile uint32_t *gate = (volatile uint32_t *)(word)(AP_IDT + VECTOR * 8);

	for (unsigned i = 0; ap_begin + i < ap_end; i++)
		((volatile char *)(word)AP_AT)[i] = ap_begin[i];
	gate[0] = 0x08u << 16 | (handler & 0xffff);
	gate[1] = (handler & 0xffff0000) | GATE_INTERRUPT << 8;
	for (unsigned at = 0; at <= SHARE_ROUNDS; at += 4)
		*share(at) = 0;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD);
	wrmsr(MSR_X2APIC_FIRST + APIC_SVR / 16, SVR_ENABLED | 0xff);
	for (unsigned id = 1; id <= others; id++) {
		icr_to(id, ICR_ASSERT | ICR_DELIVERY(APIC_INIT));
		pass(10000);
		icr_to(id, ICR_ASSERT | ICR_DELIVERY(APIC_SIPI) | AP_AT >> 12);
		if (!wait_for(SHARE_READY, id))
			return false;
	}
	return true;
}

static void measure(bool asleep, const char *of_sender, const char *of_both)
{
	*share(SHARE_SLEEP) = asleep;
	for (unsigned i = 0; i < TIMES; i++) {
		uint32_t count = *share(SHARE_COUNT);
		uint64_t start, end;

		pass(20000 + i * 37);
		start = rdtsc();
		icr(ICR_ASSERT | ICR_DELIVERY(APIC_FIXED) | VECTOR);
		end = rdtsc();
		CHECK(wait_for(SHARE_COUNT, count + 1), "interrupt %u did not arrive", i);
		sender[i] = (uint32_t)(end - start);
		receiver[i] = *share(SHARE_GOT) - *share(SHARE_BEFORE);
		both[i] = *share(SHARE_GOT) - (uint32_t)start;
	}
	bench_line(of_sender, sender, TIMES, 0);
	if (!asleep)
		bench_line("ipi_receive", receiver, TIMES, 0);
	bench_line(of_both, both, TIMES, 0);
}

/* One after the other, without a pause. On Bochs, time goes on by the mean of what all CPUs carry out, so that of two
 * which work it is twice the time; without what both guests did, and the EOI, it is what the hypervisor did for one
 * interrupt. */
static void measure_sum(const char *name)
{
	uint32_t rounds, pause, spins = 0, eoi;
	uint64_t start, instructions;

	*share(SHARE_SLEEP) = false;
	pass(20000);
	start = rdtsc();
	wrmsr(MSR_X2APIC_FIRST + APIC_EOI / 16, 0);
	eoi = (uint32_t)(rdtsc() - start);
	rounds = *share(SHARE_ROUNDS);
	start = rdtsc();
	for (unsigned i = 0; i < TIMES; i++) {
		uint32_t count = *share(SHARE_COUNT);

		/* Until its handler has returned, so that no interrupt has to wait for a window. */
		__asm__ volatile("1: dec %0\n\tjnz 1b" : "=r"(pause) : "0"(PAUSE));
		icr(ICR_ASSERT | ICR_DELIVERY(APIC_FIXED) | VECTOR);
		__asm__ volatile("1: inc %0\n\tcmp %1, %2\n\tje 1b"
				 : "+r"(spins) : "r"(count), "m"(*share(SHARE_COUNT)));
	}
	instructions = 2 * (rdtsc() - start) - 3 * spins - ROUND * (*share(SHARE_ROUNDS) - rounds) - HANDLER * TIMES -
		       (2 * PAUSE + 9) * TIMES;
	print("BENCH %s %u %u\n", name, eoi, (uint32_t)instructions / TIMES);
}

/* The same of one that is asleep, each by itself: from the write of the ICR to the end of the EOI. Time goes on by some
 * instructions more for a CPU that is halted, in each turn of the sender's until it wakes up: so it is this or less. */
static void measure_asleep(const char *name)
{
	uint32_t spins = 0;
	uint64_t ticks = 0;

	*share(SHARE_SLEEP) = true;
	for (unsigned i = 0; i < TIMES; i++) {
		uint32_t count = *share(SHARE_COUNT);
		uint64_t start;

		pass(20000 + i * 37);
		start = rdtsc();
		icr(ICR_ASSERT | ICR_DELIVERY(APIC_FIXED) | VECTOR);
		__asm__ volatile("1: inc %0\n\tcmp %1, %2\n\tje 1b"
				 : "+r"(spins) : "r"(count), "m"(*share(SHARE_COUNT)));
		ticks += rdtsc() - start;
	}
	print("BENCH %s %u %u\n", name, 0, (uint32_t)(2 * ticks - 3 * spins) / TIMES - HANDLED);
}

static void measure_moves(uint32_t gap)
{
	uint64_t last = rdtsc(), sum = 0;
	uint32_t least = ~0u, exit = gap;

	for (unsigned i = 0; i < TIMES;) {
		uint64_t now = rdtsc();

		if (now - last > gap) {
			i++;
			sum += now - last;
			if (now - last < least)
				least = (uint32_t)(now - last);
		} else if (now - last > EXIT_AT_LEAST && now - last < exit) {
			exit = (uint32_t)(now - last);
		}
		last = now;
	}
	/* The timer that asks for a move may come too early, and so twice, with no instruction in between. */
	print("BENCH move %u %u\n", least, (uint32_t)sum / TIMES);
	print("BENCH timer_exit %u %u\n", exit, exit);
}

void test_main(void)
{
	uint32_t gap = parameter_number("gap", 0), busy = parameter_number("busy", 0), others;

	if (gap) {
		measure_moves(gap);
		return;
	}
	others = parameter_number("processors", 2) - 1;
	CHECK(start_others(others), "another processor does not start");
	if (*share(SHARE_READY) != others)
		return;
	if (busy) {
		while (rdtsc() < busy * 1000000ull)
			;
		return;
	}
	measure(false, "ipi_send", "ipi_latency");
	measure(true, "ipi_send_to_halted", "ipi_latency_to_halted");
	measure_sum("ipi_sum");
	measure_asleep("ipi_sum_to_halted");
}
