/* threads: real threads, one for each vCPU and one for the host, over mmu/ and the model, for the thread sanitizer. */
#include "test/threads/threads.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define ACCESSES 40000u

/* A page goes: first its backing says so, then mmu/ is told, then its frame is somebody else's. */
static void take_away(struct machine *m, uint64_t gfn)
{
	uint64_t old, new = frame_take(m);

	pthread_mutex_lock(&m->busy);
	old = __atomic_and_fetch(&m->backs[backed(gfn)], ~1ull, __ATOMIC_RELAXED) >> 1;
	mmu_unmap(&m->vm, GFN(gfn), 1);
	memcpy(phys_ptr(&m->phys, new), phys_ptr(&m->phys, old), PAGE_SIZE);
	__atomic_store_n(&m->backs[backed(gfn)], new << 1 | 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&m->busy);
	frame_give(m, old);
}

static void host_step(struct machine *m, uint64_t r)
{
	uint64_t gfn = r >> 8 & 3 ? DATA_FIRST + (r >> 10) % DATA_PAGES : L1_GFN;

	switch (r & 7) {
	case 0:
		mmu_write_protect(&m->vm, GFN(gfn), 1);
		break;
	case 1:
		mmu_unmap(&m->vm, GFN(0), 512);
		break;
	case 2:
		mmu_log_start(&m->vm, GFN(0), m->log);
		break;
	case 3:
		mmu_log_collect(&m->vm, GFN(0), m->log_out);
		break;
	case 4:
		mmu_log_stop(&m->vm, GFN(0));
		break;
	default:
		take_away(m, gfn);
	}
}

static uint64_t host_run(struct machine *m)
{
	uint64_t random = 5, steps = 0;

	while (__atomic_load_n(&m->running, __ATOMIC_ACQUIRE) && !__atomic_load_n(&m->failed, __ATOMIC_RELAXED)) {
		host_step(m, next_random(&random));
		steps++;
		for (unsigned i = 0; i < 20; i++)
			sched_yield();
	}
	return steps;
}

/* often: one step in four is an edit, else one in 64. */
static bool run(const struct mmu_ops *ops, bool vpid, bool often)
{
	static struct machine m;
	pthread_t thread[VCPUS];
	uint64_t steps, accesses = 0;
	char why[200];

	BUG_ON(!machine_make(&m, ops, vpid));
	m.running = VCPUS;
	m.edit_mask = often ? 3 : 63;
	m.accesses = often ? ACCESSES / 4 : ACCESSES;
	for (unsigned i = 0; i < VCPUS; i++)
		BUG_ON(pthread_create(&thread[i], NULL, guest_run, &m.vcpu[i]));
	steps = host_run(&m);
	for (unsigned i = 0; i < VCPUS; i++) {
		pthread_join(thread[i], NULL);
		accesses += m.vcpu[i].accesses;
	}
	if (!m.failed && !mmu_audit(&m.vm, why, sizeof(why))) {
		printf("FAILED: %s: %s\n", ops->name, why);
		m.failed = true;
	}
	printf("%-7s %8llu accesses by %d threads, %u shootdowns, %llu steps of the host, %llu kicks%s%s\n", ops->name,
	       (unsigned long long)accesses, VCPUS, m.shootdown, (unsigned long long)steps,
	       (unsigned long long)m.vm.counters.kicks, vpid ? "" : ", without VPID", often ? ", many edits" : "");
	if (!m.failed)
		machine_free(&m);
	return !m.failed;
}

int main(int argc, char **argv)
{
	bool ok = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned i = 0; mmu_mechanisms[i] && ok; i++)
		for (unsigned way = 0; way < 4 && ok; way++)
			if (argc < 2 || strcmp(argv[1], mmu_mechanisms[i]->name) == 0)
				ok = run(mmu_mechanisms[i], way & 1, way & 2);
	return ok ? 0 : 1;
}
