/* The phases of a workload: told to the hypervisor by a byte to a port, and timed by the TSC. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

/*
 * The port of vm/account/account.h. It is written through /dev/port and not by an OUT of our own: leave to use ports
 * (ioperm) would be carried from process to process and make every context switch dearer.
 */
enum { MARK_PORT = 0x8904, PHASES_MAX = 40, NAME_MAX_LENGTH = 24 };

static struct {
	char name[NAME_MAX_LENGTH];
	uint64_t ticks;
	uint32_t steps;
} phases[PHASES_MAX];           /* number 0 is unused */
static unsigned count = 1, open_phase;
static uint64_t opened;
static int port = -1;

uint64_t ticks_now(void)
{
	return __rdtsc();
}

static void mark(unsigned number)
{
	unsigned char byte = (unsigned char)number;

	if (port >= 0 && pwrite(port, &byte, 1, MARK_PORT) != 1)
		fail("cannot write to port 0x%x: %s", MARK_PORT, strerror(errno));
}

void phases_open(void)
{
	port = open("/dev/port", O_RDWR | O_CLOEXEC);
	if (port < 0)
		say("workload: this kernel has no /dev/port: the hypervisor cannot tell the phases apart\n");
}

static void close_open(void)
{
	if (open_phase != 0)
		phases[open_phase].ticks += ticks_now() - opened;
}

void phase(const char *name)
{
	unsigned n = 1;

	close_open();
	while (n < count && strcmp(phases[n].name, name) != 0)
		n++;
	if (n == PHASES_MAX)
		fail("more than %d phases", PHASES_MAX - 1);
	if (n == count)
		snprintf(phases[count++].name, NAME_MAX_LENGTH, "%s", name);
	open_phase = n;
	mark(n);
	opened = ticks_now();
}

void phase_steps(uint32_t steps)
{
	phases[open_phase].steps += steps;
}

void phases_end(void)
{
	close_open();
	mark(0);
	open_phase = 0;
}

void phases_say(void)
{
	char line[120];

	for (unsigned n = 1; n < count; n++) {
		snprintf(line, sizeof line, "VELLUM-PHASE %u %s ticks=%llu steps=%u\n", n, phases[n].name,
			 (unsigned long long)phases[n].ticks, phases[n].steps);
		say(line);
	}
}

void clock_say(void)
{
	unsigned long long up, up_cs, idle = 0, idle_cs = 0;
	FILE *file = fopen("/proc/uptime", "re");
	char line[100];

	if (file == NULL || fscanf(file, "%llu.%llu %llu.%llu", &up, &up_cs, &idle, &idle_cs) != 4)
		fail("cannot read /proc/uptime");
	fclose(file);
	snprintf(line, sizeof line, "VELLUM-CLOCK ticks=%llu idle_ms=%llu\n", (unsigned long long)ticks_now(),
		 idle * 1000 + idle_cs * 10);
	say(line);
}
