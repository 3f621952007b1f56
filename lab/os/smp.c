/* lab/os/smp.c - several CPUs, as Linux has them: a process stays on that of its number, so what TLBs hold of it is on
 * that one alone, and no flush concerns another. The stream is a sequence: when it goes on with a process of another
 * CPU, the one that ran has woken that (a pipe was written to) and sleeps itself. */
#include "lab/os/inside.h"

unsigned os_cpu_of(const struct lab_os *os, uint32_t process)
{
	return process % os->features.cpus;
}

/* What the kernel has for each CPU. */
static void change(struct lab_os *os, unsigned to)
{
	os->other[os->at] = os->own;
	os->own = os->other[to];
	os->at = to;
}

/* try_to_wake_up() there, schedule() to the idle task here, and what the interrupt does. A CPU that polls sees by
 * itself that it has work. The idle task borrows the tables that are loaded, so they stay. */
void os_go_to(struct lab_os *os, unsigned to)
{
	const struct lab_guest_config *c = os->config;
	bool halts = c->idle[0] == 'h';

	lab_cpu_work(os->cpu, WORK_WAKE, c->path_wake);
	if (halts)
		lab_cpu_send_ipi(os->cpu);
	lab_cpu_work(os->cpu, WORK_IDLE, c->path_idle);
	if (halts)
		lab_cpu_arm_timer(os->cpu);
	change(os, to);
	lab_cpu_run_on(os->cpu, to, halts);
	if (!halts)
		return;
	lab_cpu_work(os->cpu, WORK_IRQ, c->path_irq);
	lab_cpu_end_interrupt(os->cpu);
	lab_cpu_arm_timer(os->cpu);
}
