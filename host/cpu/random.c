#include "host/cpu/random.h"

#include "host/cpu/x86.h"
#include "lib/cmos.h"
#include "lib/mix.h"

/* SDM, "Random Number Generator Instructions": a CPU that gives nothing ten times in a row is broken. */
#define RDRAND_TRIES 10

static bool rdrand(uint64_t *v)
{
	bool ok = false;

	for (unsigned n = 0; !ok && n < RDRAND_TRIES; n++)
		__asm__ volatile("rdrand %0" : "=r"(*v), "=@ccc"(ok));
	return ok;
}

static uint64_t seconds(void)
{
	outb(CMOS_INDEX, RTC_SECONDS);
	return inb(CMOS_DATA);
}

bool random_from_cpu(void) { return cpuid(CPUID_LEAF_VERSION, 0).ecx & CPUID_1_ECX_RDRAND; }

bool random_strong(uint64_t *value) { return random_from_cpu() && rdrand(value); }

uint64_t random_u64(void)
{
	static uint64_t state;
	uint64_t v;

	if (random_strong(&v))
		return v;
	state = mix(state + rdtsc()) + seconds();
	state = mix(state + rdtsc());
	return state;
}
