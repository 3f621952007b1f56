/* lab/show/figures_switches.c - the rows of the figure of context switches. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lab/show/figures.h"
#include "lib/base.h"

#define IS(v) ((struct lab_range){ v, v })

/* The cell of so many processes on a machine that SWITCH_KEYS describe. */
static const char *cell(unsigned processes, const char *machine, char text[512])
{
	char keys[] = SWITCH_KEYS, values[128], *k, *v, *ks, *vs;
	size_t n = (size_t)snprintf(text, 512, "workload=ring:processes=%u,pages=0,switches=20000", processes);

	snprintf(values, sizeof(values), "%s", machine);
	for (k = strtok_r(keys, ",", &ks), v = strtok_r(values, ",", &vs); k && v;
	     k = strtok_r(NULL, ",", &ks), v = strtok_r(NULL, ",", &vs))
		n += (size_t)snprintf(text + n, 512 - n, " %s=%s", k, v);
	return text;
}

static double of(struct lab_figure_table *t, const char *column, const char *label)
{
	return lab_figure_value(t, column, "%s", label).low;
}

/* Each turn is a change of CR3 on the same CPU, or a wake-up of another. */
static struct lab_range microseconds(struct lab_figure_table *t, unsigned processes, const char *machine)
{
	char label[512];
	struct lab_range r = lab_figure_value(t, "seconds", "%s", cell(processes, machine, label));
	double turns = of(t, strstr(label, "guest.cpus=1") ? "os_switches" : "wakeups", label);

	return (struct lab_range){ r.low * 1e6 / turns, r.high * 1e6 / turns };
}

/* There and back: two wake-ups. */
static double wrmsrs(struct lab_figure_table *t, const char *machine)
{
	char label[512];
	double wakeups = of(t, "wakeups", cell(2, machine, label));
	double exits = of(t, "exits.ipi", label) + of(t, "exits.eoi", label) + of(t, "exits.deadline", label);

	return wakeups > 0 ? 2 * exits / wakeups : exits;
}

/* What two wake-ups take more than without a hypervisor, where none sleeps. */
static struct lab_range wakeups_cost(struct lab_figure_table *t, const char *machine)
{
	struct lab_range a = microseconds(t, 2, machine), b = microseconds(t, 2, NATIVE_POLL);

	return (struct lab_range){ 2 * (a.low - b.low), 2 * (a.high - b.high) };
}

void lab_rows_switches(struct lab_figure_table *t)
{
	/* 2 to 8 processes; between 11 and 3 roots that are kept. */
	static const struct lab_range published[] = { { 4.654, 4.857 }, { 5.518, 6.802 }, { 6.292, 7.518 },
						      { 6.516, 7.836 }, { 6.512, 7.770 }, { 7.135, 7.287 },
						      { 7.270, 7.271 } };
	static const struct { const char *machine, *name; struct lab_range published; } two[] = {
		{ TWO_CPUS, "2 CPUs, the host polls", { 2.296, 2.690 } },
		{ TWO_POLL, "2 CPUs, the guest polls", { 1.159, 1.486 } },
		{ TWO_SLEEP, "2 CPUs, the host's CPU sleeps", { NAN, NAN } },
		{ TWO_NATIVE, "2 CPUs, no hypervisor", { NAN, NAN } },
		{ NATIVE_POLL, "2 CPUs, no hypervisor, polling", { NAN, NAN } },
		{ ONE_CPU, "the same two on 1 CPU", { NAN, NAN } },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(published); i++)
		lab_figure_row(t, published[i], microseconds(t, i + 2, ONE_CPU_SHADOW),
			       "%u processes, 1 CPU, shadow tables, PTI", i + 2);
	for (unsigned i = 0; i < ARRAY_SIZE(two); i++)
		lab_figure_row(t, two[i].published, microseconds(t, 2, two[i].machine), "%s", two[i].name);
	lab_figure_row(t, IS(33.40 - 31.33), wakeups_cost(t, TWO_CPUS), "there and back over native, the host polls");
	lab_figure_row(t, IS(32.73 - 31.33), wakeups_cost(t, TWO_POLL), "there and back over native, the guest polls");
	lab_figure_row(t, IS(9.58), IS(wrmsrs(t, TWO_CPUS)), "WRMSR exits there and back, 2 CPUs");
	lab_figure_row(t, IS(0.0), IS(wrmsrs(t, ONE_CPU)), "WRMSR exits there and back, 1 CPU");
}
