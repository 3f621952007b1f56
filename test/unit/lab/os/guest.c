/* The guest OS of test/unit/lab/os/guest.h. */
#include "test/unit/lab/os/guest.h"
#include "lib/xorshift.h"

uint64_t random_state;
struct lab_cpu *cpu;
struct lab_os *os;
struct lab_error error;
bool alive[PROCESSES];
int64_t holds[PROCESSES][PAGES];
uint64_t accesses;
static struct lab_config config;
static uint64_t next_tag;

uint64_t rnd(void)
{
	return xorshift(&random_state) * 0x2545f4914f6cdd1dull;
}

void start(unsigned levels, bool pcid, bool pti, unsigned pages, double fragmentation, bool implicit)
{
	start_on(1, levels, pcid, pti, pages, fragmentation, implicit);
}

void start_on(unsigned cpus, unsigned levels, bool pcid, bool pti, unsigned pages, double fragmentation, bool implicit)
{
	if (!cpu)
		cpu = calloc(1, sizeof(*cpu));
	assert_non_null(cpu);
	cpu_reset(cpu, levels, pcid, 256ull << 20);
	cpu->features.cpus = cpus;
	memset(&config, 0, sizeof(config));
	strcpy(config.guest.idle, "halt");
	config.guest.pages = (uint8_t)pages;
	config.guest.pcid = pcid;
	config.guest.pti = pti;
	config.guest.global = true;
	config.guest.fragmentation = fragmentation;
	config.guest.flush_ceiling = 33;
	config.guest.khugepaged = 3;
	config.seed = rnd();
	error.text[0] = 0;
	os = lab_os_new(cpu, &config, implicit, &error);
	if (!os)
		fail_msg("%s", error.text);
	memset(alive, 0, sizeof(alive));
	memset(holds, 0, sizeof(holds));
	alive[0] = true;
}

void audit(void)
{
	char why[256] = "";

	if (!os_audit(os, why, sizeof(why)))
		fail_msg("%s (seed %lu)", why, (unsigned long)config.seed);
}

void call(struct lab_call c)
{
	if (!lab_os_call(os, &c, &error))
		fail_msg("call %u: %s", c.kind, error.text);
	cpu_check(cpu);
}

uint64_t frame_of(uint64_t va, bool write)
{
	uint64_t frame = 0;
	uint32_t code;

	for (unsigned tries = 0; !cpu_access(cpu, va, write, &frame, &code); tries++) {
		assert_true(tries < 3);
		if (!lab_os_page_fault(os, va, code, &error))
			fail_msg("fault at %#lx: %s", (unsigned long)va, error.text);
	}
	accesses++;
	return frame;
}

void read_page(unsigned page)
{
	int64_t want = holds[os->current][page];
	uint64_t frame = frame_of(ARENA + 4096ull * page + 8, false);

	if (want != UNKNOWN)
		assert_int_equal(cpu->tag[frame], want);
}

void write_page(unsigned page)
{
	uint64_t frame = frame_of(ARENA + 4096ull * page + 16, true);

	if (holds[os->current][page] == UNKNOWN)
		return;
	cpu->tag[frame] = ++next_tag;
	holds[os->current][page] = (int64_t)next_tag;
}

void set_range(unsigned first, unsigned count, int64_t value)
{
	for (unsigned i = first; i < first + count; i++)
		holds[os->current][i] = value;
}

int teardown(void **state)
{
	(void)state;
	if (cpu)
		cpu_reset(cpu, 4, true, 0);
	free(cpu);
	return 0;
}
