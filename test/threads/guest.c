/* A vCPU's thread: enters the guest, reads, writes, edits tables with shootdowns, loads CR3. */
#include "test/threads/threads.h"

#include <sched.h>
#include <string.h>

#include "test/on_model.h"

#define ATTEMPTS_MAX 20000u

/* ---- in and out ---- */

void guest_leave(struct vcpu *v)
{
	if (v->inside)
		m_exit(&v->cpu);
	v->inside = false;
	__atomic_store_n(&v->in_guest, false, __ATOMIC_RELEASE);
}

/* The CPU has left by itself. */
static void left(struct vcpu *v)
{
	v->inside = false;
	__atomic_store_n(&v->in_guest, false, __ATOMIC_RELEASE);
	if (v->vmcs.ept)
		mmu_sync_regs(&v->mmu, v->mmu.regs.cr0, v->vmcs.guest.cr3, v->mmu.regs.cr4, NULL);
}

static void load_controls(struct vcpu *v)
{
	if (__atomic_load_n(&v->mmu.intercepts_changed, __ATOMIC_ACQUIRE)) {
		mmu_take_intercepts(&v->mmu);
		on_model_intercept(&v->vmcs, &v->mmu.intercepts, mmu_log_index(v->mmu.vm));
	}
	if (v->mmu.root_changed) {
		v->vmcs.eptp = v->mmu.root.nested;
		v->vmcs.vpid = v->mmu.root.vpid;
		v->vmcs.guest.cr3 = v->mmu.root.cr3;
		v->mmu.root_changed = false;
	}
}

static bool out_of_date(struct vcpu *v)
{
	return __atomic_load_n(&v->mmu.intercepts_changed, __ATOMIC_ACQUIRE) || v->mmu.root_changed ||
	       tag_work_pending(&v->mmu, v->id);
}

/* RL2 of vm/run.c. */
static void enter(struct vcpu *v)
{
	const char *why;

	if (v->inside && __atomic_load_n(&v->kicked, __ATOMIC_ACQUIRE))
		guest_leave(v);
	if (v->inside)
		return;
	for (;;) {
		__atomic_store_n(&v->kicked, false, __ATOMIC_RELEASE);
		__atomic_store_n(&v->in_guest, true, __ATOMIC_SEQ_CST);
		if (!out_of_date(v))
			break;
		__atomic_store_n(&v->in_guest, false, __ATOMIC_RELEASE);
		mmu_enter(&v->mmu, v->id);
		load_controls(v);
	}
	on_model_registers(&v->vmcs, &v->mmu.intercepts, v->mmu.regs.cr0, v->mmu.regs.cr4, v->mmu.regs.efer);
	why = m_entry(&v->cpu, &v->vmcs);
	if (why)
		machine_fail(machine_of(v), why, 0, 0);
	v->inside = !why;
}

/* ---- instructions ---- */

static void invlpg(struct vcpu *v, uint64_t va)
{
	enter(v);
	if (v->inside && m_invlpg(&v->cpu, va).event == M_EXIT) {
		left(v);
		mmu_invlpg(&v->mmu, GVA(va));
	}
}

void guest_reload(struct vcpu *v)
{
	uint64_t cr3 = (ROOT_GFN + next_random(&v->random) % ROOTS) * 4096;

	enter(v);
	if (v->inside && m_mov_cr3(&v->cpu, cr3).event == M_EXIT) {
		left(v);
		mmu_set_cr3(&v->mmu, cr3);
	}
}

static bool emulated(struct vcpu *v, gpa_t gpa, bool write, uint64_t value)
{
	struct mmu_vm *vm = v->mmu.vm;
	size_t done = write ? mmu_guest_write(vm, gpa, &value, 8) : mmu_guest_read(vm, gpa, &value, 8);

	if (done != 8)
		machine_fail(machine_of(v), "guest memory that cannot be reached", gpa.v, write);
	return false;
}

/* Another's edit must not be seen any more. */
static void answer(struct vcpu *v)
{
	struct machine *m = machine_of(v);
	uint32_t now = __atomic_load_n(&m->shootdown, __ATOMIC_ACQUIRE);

	if (now == v->asked)
		return;
	v->asked = now;
	invlpg(v, __atomic_load_n(&m->shot, __ATOMIC_RELAXED));
	__atomic_add_fetch(&m->answered, 1, __ATOMIC_ACQ_REL);
}

static bool fail(struct machine *m, const char *what, uint64_t va, bool write)
{
	machine_fail(m, what, va, write);
	return false;
}

bool guest_access(struct vcpu *v, uint64_t va, bool write, uint64_t value, uint64_t *hpa)
{
	struct machine *m = machine_of(v);
	struct x_access a = { .write = write };

	v->accesses++;
	for (unsigned attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
		struct m_result r;
		struct mmu_fault f;
		struct mmu_result what;

		enter(v);
		if (!v->inside)
			return false;
		r = m_access(&v->cpu, va, a);
		*hpa = r.hpa;
		if (r.event == M_OK && write)
			phys_write(&m->phys, r.hpa, 8, value);
		if (r.event == M_OK)
			return true;
		if (r.event != M_EXIT)
			return fail(m, "an access is a fault of the guest's", va, write);
		left(v);
		if (r.exit == M_EXIT_LOG_FULL) {
			if (mmu_log_full(&v->mmu))
				v->vmcs.pml_index = mmu_log_index(&m->vm);
			continue;
		}
		f = on_model_fault(&r, v->mmu.regs.efer);
		what = mmu_fault(&v->mmu, &f);
		if (what.outcome == MMU_EMULATE)
			return emulated(v, what.gpa, write, value);
		if (what.outcome == MMU_INJECT)
			return fail(m, "a fault is injected", va, write);
		if (what.outcome == MMU_STOP)
			return fail(m, what.why, va, write);
		/* It may be somebody who has lost his CPU in the middle of a change that is waited for. */
		if (attempts % 16 == 15)
			sched_yield();
	}
	return fail(m, "an access does not end", va, write);
}

/* ---- what it does ---- */

/* TH1, TH2: the look at the frame is part of the instruction. */
static void look(struct vcpu *v, unsigned page)
{
	struct machine *m = machine_of(v);
	uint32_t before = __atomic_load_n(&m->shows[page], __ATOMIC_ACQUIRE), after;
	uint64_t hpa, is;

	if (!guest_access(v, page * 4096ull, false, 0, &hpa))
		return;
	is = phys_read(&m->phys, hpa, 8);
	after = __atomic_load_n(&m->shows[page], __ATOMIC_ACQUIRE);
	if (is != stamp_of(before >> 16) && is != stamp_of(before & 0xffff) && is != stamp_of(after >> 16) &&
	    is != stamp_of(after & 0xffff))
		machine_fail(m, "a page shows what it must not", page, is);
}

/* An entry is written, and nobody sees what it named before when all have answered. */
static void edit(struct vcpu *v, unsigned page, uint64_t to)
{
	struct machine *m = machine_of(v);
	uint32_t now = m->shows[page] & 0xffff;
	uint64_t hpa;

	__atomic_store_n(&m->shows[page], now << 16 | (uint32_t)to, __ATOMIC_RELEASE);
	guest_access(v, direct_l1() + page * 8, true, to * 4096 | X_P | X_W | X_U | (to & 1 ? X_A | X_D : 0), &hpa);
	invlpg(v, page * 4096ull);
	__atomic_store_n(&m->shot, page * 4096ull, __ATOMIC_RELAXED);
	__atomic_store_n(&m->answered, 0, __ATOMIC_RELEASE);
	v->asked = __atomic_add_fetch(&m->shootdown, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&m->answered, __ATOMIC_ACQUIRE) + 1 < VCPUS &&
	       !__atomic_load_n(&m->failed, __ATOMIC_RELAXED)) {
		/* Meanwhile it may be kicked. */
		if (__atomic_load_n(&v->kicked, __ATOMIC_ACQUIRE))
			guest_leave(v);
		sched_yield();
	}
	__atomic_store_n(&m->shows[page], (uint32_t)(to << 16 | to), __ATOMIC_RELEASE);
}

static void step(struct vcpu *v)
{
	struct machine *m = machine_of(v);
	uint64_t r = next_random(&v->random), hpa;
	unsigned page = r % PAGES;

	answer(v);
	if (r >> 8 & m->edit_mask) {
		if (r >> 14 & 1)
			look(v, page);
		else
			guest_access(v, page * 4096ull + 8 + (r >> 16 & 31) * 8, true, r, &hpa);
	} else if (r >> 14 & 3) {
		if (pthread_mutex_trylock(&m->editing) == 0) {
			edit(v, page, DATA_FIRST + (r >> 18) % DATA_PAGES);
			pthread_mutex_unlock(&m->editing);
		}
	} else {
		guest_reload(v);
	}
}

void machine_own_cpu(struct m_cpu *cpu);

/* To the end all answer each other. */
void *guest_run(void *vcpu)
{
	struct vcpu *v = vcpu;
	struct machine *m = machine_of(v);
	bool done = false;

	machine_own_cpu(&v->cpu);
	while (!__atomic_load_n(&m->failed, __ATOMIC_RELAXED) && __atomic_load_n(&m->running, __ATOMIC_ACQUIRE)) {
		if (!done && v->accesses < m->accesses) {
			step(v);
			continue;
		}
		if (!done)
			__atomic_sub_fetch(&m->running, 1, __ATOMIC_ACQ_REL);
		done = true;
		answer(v);
		guest_leave(v);
		sched_yield();
	}
	guest_leave(v);
	return NULL;
}
