/* lab/engine/processors.c - several CPUs: what each of the host's has of its own, and a guest's virtual CPUs on them.
 *
 * Virtual CPU n of the guest runs on CPU n of the host, and nowhere else. One runs at a time, as its programs wait for
 * each other; the others are halted, or poll.
 *
 * Y5: what belongs to a CPU (TLBs, caches, ghosts, the context that is loaded) is seen only while it is the one that
 *     runs. What mmu/ wants flushed on another waits in its virtual CPU's requests until that is entered. */
#include <math.h>
#include <stdlib.h>

#include "lab/machine/machine.h"

/* ---- the host's CPUs ---- */

static uint64_t tlb_entries(const struct lab_machine_config *c)
{
	return (uint64_t)c->l1d_4k.entries + c->l1d_2m.entries + c->l1d_1g.entries + c->l1i_4k.entries +
	       c->l1i_2m.entries + c->l2.entries + c->l2_1g.entries;
}

bool lab_cores_init(struct lab_machine *m)
{
	const struct lab_config *c = m->config;

	for (m->cores = 0; m->cores < c->guest.cpus; m->cores++) {
		struct lab_core *core = &m->core[m->cores];

		core->hw = m->hardware->make(c);
		if (!core->hw || !lab_ghosts_init(&core->ghosts, tlb_entries(&c->machine))) {
			m->cores++;
			return false;
		}
	}
	m->hw = m->core[0].hw;
	m->ghosts = m->core[0].ghosts;
	return true;
}

void lab_cores_fini(struct lab_machine *m)
{
	m->core[m->core_now] = (struct lab_core){ m->hw ? m->hw : m->core[m->core_now].hw, m->now, m->ghosts };
	for (unsigned i = 0; i < m->cores; i++) {
		if (m->core[i].hw)
			m->hardware->destroy(m->core[i].hw);
		lab_ghosts_fini(&m->core[i].ghosts);
	}
}

static void core_go(struct lab_machine *m, unsigned to)
{
	m->core[m->core_now] = (struct lab_core){ m->hw, m->now, m->ghosts };
	m->core_now = to;
	m->hw = m->core[to].hw;
	m->now = m->core[to].now;
	m->ghosts = m->core[to].ghosts;
}

/* ---- the guest's CPUs ---- */

bool lab_vcpus_init(struct lab_cpu *cpu, const struct walk_regs *regs)
{
	for (unsigned i = 0; i < cpu->m->config->guest.cpus; i++) {
		cpu->vcpus[i].cr3 = regs->cr3;
		cpu->vcpus[i].cr4 = regs->cr4;
		if (!cpu->native && !mmu_vcpu_init(&cpu->vcpus[i].mmu, &cpu->vm, regs))
			return false;
		cpu->vcpus_ready = i + 1;
	}
	return true;
}

void lab_vcpus_fini(struct lab_cpu *cpu)
{
	for (unsigned i = 0; !cpu->native && i < cpu->vcpus_ready; i++)
		mmu_vcpu_destroy(&cpu->vcpus[i].mmu);
	cpu->vcpus_ready = 0;
}

void lab_cpu_send_ipi(struct lab_cpu *cpu)
{
	const struct lab_hypervisor_config *hv = &cpu->m->config->hv;

	if (strcmp(hv->interrupts, "ipiv"))
		lab_exits(cpu, LAB_EXIT_ipi, 1, hv->path_ipi);
}

void lab_cpu_end_interrupt(struct lab_cpu *cpu)
{
	const struct lab_hypervisor_config *hv = &cpu->m->config->hv;

	if (!strcmp(hv->interrupts, "trap"))
		lab_exits(cpu, LAB_EXIT_eoi, 1, hv->path_eoi);
}

void lab_cpu_arm_timer(struct lab_cpu *cpu)
{
	lab_exits(cpu, LAB_EXIT_deadline, 1, cpu->m->config->hv.path_deadline);
}

void lab_cpu_run_on(struct lab_cpu *cpu, unsigned to, bool halts)
{
	const struct lab_hypervisor_config *hv = &cpu->m->config->hv;

	if (halts && !cpu->native)
		lab_exited(cpu, LAB_EXIT_hlt, hv->path_hlt + (hv->halt_poll ? 0 : hv->path_wake));
	cpu->m->counts->r.wakeups++;
	cpu->vcpus[cpu->on].cr3 = cpu->cr3;
	cpu->vcpus[cpu->on].cr4 = cpu->cr4;
	cpu->on = to;
	cpu->vcpu = &cpu->vcpus[to].mmu;
	cpu->cr3 = cpu->vcpus[to].cr3;
	cpu->cr4 = cpu->vcpus[to].cr4;
	core_go(cpu->m, to);
	lab_enter(cpu);
}

/* ---- what a wake-up takes ---- */

/* With the exits that come with it, which have the same price each time: on the way of the CPU that goes to sleep, and
 * of the one that wakes. The two go on side by side. */
void lab_price_wakeups(const struct lab_config *c, struct lab_result *r)
{
	bool native = !strcmp(c->hv.mechanism, "native"), polls = !strcmp(c->guest.idle, "poll");
	bool sleeps = native || !c->hv.halt_poll;
	double exit = native ? 0 : c->machine.exit_cycles + (double)c->hv.path_exit * c->hv.path_cpi;
	double cpi = native ? 0 : c->hv.path_cpi, deadline = exit + (double)c->hv.path_deadline * cpi;
	double hardware = c->machine.ipi_cycles + (sleeps ? c->machine.wake_cycles : 0);
	double sleep = (double)c->guest.path_idle * c->machine.cpi + deadline;
	double wake = hardware + (double)(c->guest.path_irq + c->guest.path_switch) * c->machine.cpi + deadline;

	if (!strcmp(c->hv.interrupts, "trap"))
		wake += exit + (double)c->hv.path_eoi * cpi;
	if (polls) {
		hardware = 0;
		sleep = (double)c->guest.path_idle * c->machine.cpi;
		wake = (double)c->guest.path_switch * c->machine.cpi;
	}
	r->cycles_wakeups = (double)r->wakeups * hardware;
	r->cycles_beside = (double)r->wakeups * fmin(sleep, wake);
}
