/* What lies below mmu/ (mmu/below.h): the driver's frames, the model's instructions. */
#include <string.h>

#include "test/oracle/weave.h"

static hfn_t below_alloc(void *ctx)
{
	struct world *w = ctx;

	if (w->made && w->c.starved)
		return HFN_NONE;
	w->tables++;
	return HFN(host_frame(w));
}

static hfn_t below_alloc_low(void *ctx)
{
	struct world *w = ctx;

	w->tables++;
	return HFN(host_take(w, &w->low));
}

static void below_idle(void *ctx, hfn_t frame)
{
	struct world *w = ctx;
	uint8_t *p = phys_ptr(&w->phys, frame.v);
	uint64_t nowhere = 0xffff00ull << PAGE_SHIFT | X_P | X_W | X_U | X_A | X_D;

	if (weave_beside_now(w) && !w->vm[0].mmu.ops->own_tables)
		fail(w, "mmu/ frees frame %llx while a fault is served beside (BE1)", (unsigned long long)frame.v);
	for (unsigned i = 0; i < CPUS; i++)
		if (m_reaches(&w->cpu[i], frame.v))
			fail(w, "mmu/ frees frame %llx, which a CPU in the guest still reaches (S11)",
			     (unsigned long long)frame.v);
	for (unsigned i = 0; p && i < PAGE_SIZE; i += 8)
		memcpy(p + i, &nowhere, 8);
}

static void below_free(void *ctx, hfn_t frame)
{
	struct world *w = ctx;

	w->tables--;
	if (!phys_exists(&w->phys, frame.v))
		fail(w, "mmu/ frees frame %llx, which does not exist", (unsigned long long)frame.v);
	else
		host_release(w, frame.v);
}

static void *below_ptr(void *ctx, hfn_t frame)
{
	struct world *w = ctx;
	static uint8_t nothing[PAGE_SIZE];
	void *p = phys_ptr(&w->phys, frame.v);

	if (p)
		return p;
	fail(w, "mmu/ asks for frame %llx, which does not exist (S11)", (unsigned long long)frame.v);
	return nothing;
}

static void below_kick(void *ctx, struct mmu_vcpu *vcpu)
{
	struct world *w = ctx;
	struct vcpu *v = container_of(vcpu, struct vcpu, mmu);

	if (v->in)
		cover(w, COVER_KICKED);
	if (w->weave) {
		weave_kick(w, v);
		return;
	}
	if (w->last_store && v->in && v != w->stepping)
		step_last_store(v);
	leave(v);
}

static struct m_cpu *caller_cpu(struct world *w)
{
	if (w->weave && weave_cpu(w))
		return weave_cpu(w);
	for (unsigned i = 0; i < VMS * VCPUS; i++) {
		struct vcpu *v = &w->vm[i / VCPUS].vcpu[i % VCPUS];

		if (v->entering)
			return &w->cpu[v->cpu];
	}
	return NULL;
}

/* Some CPUs refuse now and then for no reason at all, as long as there is a wider type. */
static bool refuses(struct world *w, bool widest)
{
	if (widest || !w->c.refusing || (w->refusals++ & 7))
		return false;
	cover(w, COVER_REFUSED);
	return true;
}

static bool below_flush_tag(void *ctx, enum tag_flush type, uint16_t vpid, gva_t gva)
{
	struct world *w = ctx;
	struct m_cpu *cpu = caller_cpu(w);
	const struct mmu_caps *k = &w->c.caps;
	bool ok;

	weave_point(w, POINT_FLUSH);
	ok = k->vpid && k->invvpid &&
		  (type == TAG_FLUSH_ADDRESS  ? k->invvpid_address
		   : type == TAG_FLUSH_SINGLE ? k->invvpid_single
		   : type == TAG_FLUSH_ALL    ? k->invvpid_all
					    : k->invvpid_single_retaining_globals);

	if (type == TAG_FLUSH_ADDRESS && !x_canonical(X_5LEVEL, gva.v))
		fail(w, "INVVPID of %llx, which is no address", (unsigned long long)gva.v);
	if (!cpu || !ok || (!vpid && type != TAG_FLUSH_ALL)) {
		fail(w, "INVVPID type %d, VPID %u: %s", (int)type, vpid,
		     cpu ? "not offered by the CPU" : "outside mmu_enter");
		return true;
	}
	if (refuses(w, type == TAG_FLUSH_ALL || (type != TAG_FLUSH_ADDRESS && !k->invvpid_all)))
		return false;
	ok = m_invvpid(cpu, type, vpid, gva.v);
	if (!ok)
		cover(w, COVER_REFUSED);
	return ok;
}

static bool below_flush_nested(void *ctx, enum nested_flush type, uint64_t eptp)
{
	struct world *w = ctx;
	struct m_cpu *cpu = caller_cpu(w);
	const struct mmu_caps *k = &w->c.caps;

	weave_point(w, POINT_FLUSH);
	if (!cpu || !k->invept || !(type == NESTED_FLUSH_SINGLE ? k->invept_single : k->invept_all)) {
		fail(w, "INVEPT type %d: %s", (int)type, cpu ? "not offered by the CPU" : "outside mmu_enter");
		return true;
	}
	return !refuses(w, type == NESTED_FLUSH_ALL || !k->invept_all) && m_invept(cpu, type, eptp);
}

/* S16: what the guest makes mmu/ do in one hold of the lock is bounded. The host may ask for as much as it likes, also
 *      for a page that the
 * guest waits for. */
static void check_work(struct world *w, struct vm *vm)
{
	const struct mmu_counters *now = &vm->mmu.counters, *then = &vm->before;
	uint64_t steps = now->steps - then->steps, rmap = now->rmap_steps - then->rmap_steps;
	uint64_t most = 16ull * (w->c.mmu.work ? w->c.mmu.work : MMU_WORK) + 512;

	if (w->by_host || now->populated != then->populated)
		return;
	w->account.steps_most = max_u64(w->account.steps_most, steps);
	if (steps > MMU_STEPS_MAX)
		fail(w, "one call took %llu steps (S16)", (unsigned long long)steps);
	if (rmap > most)
		fail(w, "one call looked at %llu entries of lists, and may look at %llu (S16)",
		     (unsigned long long)rmap, (unsigned long long)most);
}

static void below_lock(void *ctx, struct mmu_vm *mmu)
{
	struct world *w = ctx;
	struct vm *vm = container_of(mmu, struct vm, mmu);

	if (w->weave)
		weave_lock(w, vm);
	else if (vm->locked)
		fail(w, "the VM's lock is taken twice");
	if (w->race)
		step_race(w);
	vm->locked = 1;
	vm->before = mmu->counters;
}

static void below_unlock(void *ctx, struct mmu_vm *mmu)
{
	struct vm *vm = container_of(mmu, struct vm, mmu);
	struct world *w = ctx;

	if (!vm->locked)
		fail(w, "the VM's lock is released without having been taken");
	vm->locked = 0;
	check_work(w, vm);
	if (w->weave)
		weave_unlock(w, vm);
}

static void below_wait(void *ctx, const bool *flag) { weave_wait_while(ctx, flag); }

void below_init(struct world *w)
{
	w->below = (struct mmu_below){
		.frame_alloc = below_alloc,
		.frame_free = below_free,
		.frame_ptr = below_ptr,
		.kick = below_kick,
		.flush_tag = below_flush_tag,
		.frame_idle = below_idle,
		.flush_nested = below_flush_nested,
		.lock = below_lock,
		.unlock = below_unlock,
		.wait = below_wait,
		.frame_alloc_low = w->c.low_frames ? NULL : below_alloc_low,
		.ctx = w,
	};
}
