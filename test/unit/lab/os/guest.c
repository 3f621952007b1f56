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
static uint64_t next_tag, most_mapped;

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
	most_mapped = 0;
	memset(alive, 0, sizeof(alive));
	memset(holds, 0, sizeof(holds));
	alive[0] = true;
}

/* Memory goes away in calls only, so it is most before one, or now. Of more than 4096 leaves 1/64 may lack. */
static void look_at_most(void)
{
	struct lab_os_counters c = lab_os_counters(os);
	uint64_t now = (c.os_pages_4k << 12) + (c.os_pages_2m << 21) + (c.os_pages_1g << 30);
	uint64_t held = (c.os_held_4k << 12) + (c.os_held_2m << 21) + (c.os_held_1g << 30);

	most_mapped = now > most_mapped ? now : most_mapped;
	assert_in_range(held, most_mapped - (most_mapped > 4096ull << 12 ? most_mapped / 64 : 0), most_mapped);
	assert_int_equal(c.os_small_file + c.os_small_stack + c.os_small_advice + c.os_small_off + c.os_small_edge +
				 c.os_small_shared + c.os_small_refused + c.os_small_waiting,
			 c.os_held_4k);
}

void audit(void)
{
	char why[256] = "";

	if (!os_audit(os, why, sizeof(why)))
		fail_msg("%s (seed %lu)", why, (unsigned long)config.seed);
}

void call(struct lab_call c)
{
	look_at_most();
	if (!lab_os_call(os, &c, &error))
		fail_msg("call %u: %s", c.kind, error.text);
	look_at_most();
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
