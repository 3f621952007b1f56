/* mmu/tag.c - VPIDs and due flushes.
 *
 * T1a  A VPID has one owner. Its new owner flushes it on each CPU before it first runs there, because last_cpu differs.
 * T1b  While a vCPU was on another CPU nobody flushed for it here: it flushes on every migration.
 * T1c  mmu_vm.ept_flushed_on loses all bits when a right is lost or the root is new, and gains a CPU's bit *before* the
 *      INVEPT there, so that a request made meanwhile is never forgotten. */
#include "mmu/inside.h"
#include "mmu/mutate.h"

/* ---- the allocator ---- */

static void pool_lock(struct vpid_pool *pool)
{
	while (__atomic_test_and_set(&pool->lock, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}

static void pool_unlock(struct vpid_pool *pool)
{
	__atomic_clear(&pool->lock, __ATOMIC_RELEASE);
}

void vpid_pool_init(struct vpid_pool *pool, uint32_t limit)
{
	memset(pool, 0, sizeof(*pool));
	pool->used[0] = 1; /* VPID 0 is the host's */
	pool->hint = 1;
	pool->limit = limit < VPID_COUNT ? limit : VPID_COUNT;
}

uint16_t vpid_alloc(struct vpid_pool *pool)
{
	uint32_t vpid = 0;

	pool_lock(pool);
	for (uint32_t word = pool->hint / 64; word * 64 < pool->limit; word++) {
		uint64_t vacant = ~pool->used[word];

		if (!vacant)
			continue;
		vpid = word * 64 + __builtin_ctzll(vacant);
		if (vpid >= pool->limit) {
			vpid = 0;
			break;
		}
		pool->used[word] |= BIT(vpid % 64);
		pool->hint = vpid + 1;
		pool->in_use++;
		break;
	}
	if (vpid == 0)
		pool->hint = pool->limit; /* until one is freed there is no use in looking */
	pool_unlock(pool);
	return vpid;
}

void vpid_free(struct vpid_pool *pool, uint16_t vpid)
{
	if (vpid == 0)
		return;
	pool_lock(pool);
	BUG_ON(!(pool->used[vpid / 64] & BIT(vpid % 64)));
	pool->used[vpid / 64] &= ~BIT(vpid % 64);
	pool->in_use--;
	if (vpid < pool->hint)
		pool->hint = vpid;
	pool_unlock(pool);
}

bool tag_usable(const struct mmu_caps *caps)
{
	return caps->vpid && caps->invvpid && (caps->invvpid_single || caps->invvpid_all);
}

/* ---- requests ---- */

/* T2: who kicks looks next whether the vCPU is in its guest. A CPU that has this store in its buffer still would look
 * too early (SDM, "Loads May Be Reordered with Earlier Stores to Different Locations"): the store is a full barrier. */
static void request(struct mmu_vcpu *vcpu)
{
	vcpu->count->flush_requests++;
	__atomic_store_n(&vcpu->tag_pending, true, __ATOMIC_SEQ_CST);
}

static void all_for(struct tag_state *t, enum tag_reason why)
{
	if (!t->flush_vpid)
		t->why = why;
	t->flush_vpid = true;
}

void tag_request_address(struct mmu_vcpu *vcpu, gva_t gva, enum tag_reason why)
{
	struct tag_state *t = &vcpu->tag;

	request(vcpu);
	if (t->flush_vpid)
		return;
	gva = GVA(align_down(gva.v, PAGE_SIZE)); /* a translation is of a whole page: more of one are one request */
	for (unsigned i = 0; i < t->address_count; i++)
		if (t->address[i].v == gva.v)
			return;
	if (t->address_count == TAG_ADDRESSES_MAX) {
		all_for(t, why);
		return;
	}
	t->address_why[t->address_count] = why;
	t->address[t->address_count++] = gva;
}

void tag_request_nonglobal(struct mmu_vcpu *vcpu)
{
	request(vcpu);
	vcpu->tag.flush_nonglobal = true;
}

void tag_request_all(struct mmu_vcpu *vcpu, enum tag_reason why)
{
	request(vcpu);
	all_for(&vcpu->tag, why);
}

void tag_request_look(struct mmu_vcpu *vcpu) { request(vcpu); }

void tag_request_ept(struct mmu_vm *vm)
{
	tag_cpus_clear(&vm->ept_flushed_on);
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next)
		request(v);
}

void tag_synchronize(struct mmu_vm *vm, struct mmu_vcpu *self)
{
	for (struct mmu_vcpu *v = vm->vcpus; v; v = v->next) {
		if (v == self || !v->tag_pending)
			continue;
		vm->counters.kicks++;
		MUTANT(TAG_SYNCHRONIZE, vm->below->kick(vm->below->ctx, v));
	}
}

/* ---- consumption ---- */

/* A flush that the CPU refuses is followed by the next wider one. SDM, INVVPID: an address that is not canonical for
 * the host is an invalid operand, and no guest may stop the machine with one (CVE-2016-1571). Of the widest there is
 * nothing to refuse. */
static bool refused(struct mmu_vm *vm, bool done)
{
	vm->counters.flushes_refused += !done;
	return !MUTANT_OR(FLUSH_WIDEN, done);
}

static void flush_ept(struct mmu_vm *vm, uint64_t eptp, uint64_t *reason)
{
	if (vm->caps->invept_single) {
		vm->counters.invept_single++;
		++*reason;
		if (!refused(vm, vm->below->flush_nested(vm->below->ctx, NESTED_FLUSH_SINGLE, eptp)))
			return;
	}
	vm->counters.invept_all++;
	++*reason;
	BUG_ON(!vm->caps->invept_all || !vm->below->flush_nested(vm->below->ctx, NESTED_FLUSH_ALL, 0));
}

/* Where the CPU has run this root before, a right was lost since. */
static uint64_t *ept_reason(struct mmu_vm *vm, unsigned last_cpu, unsigned cpu)
{
	bool known = cpu >= TAG_CPUS_MAX || tag_cpus_have(&vm->ept_ran_on, cpu);

	tag_cpus_add(&vm->ept_ran_on, cpu);
	if (known)
		return &vm->counters.invept_for_tables;
	return last_cpu == TAG_NO_CPU ? &vm->counters.invept_for_creation : &vm->counters.invept_for_migration;
}

/* true: an INVEPT was issued, which drops the combined mappings of every VPID as well. */
static bool consume_ept(struct mmu_vcpu *vcpu, unsigned cpu, unsigned last_cpu)
{
	struct mmu_vm *vm = vcpu->vm;

	/* A CPU without a bit of its own flushes whenever it is asked. */
	if (!vcpu->root.nested || tag_cpus_have(&vm->ept_flushed_on, cpu))
		return false;
	tag_cpus_add(&vm->ept_flushed_on, cpu);
	MUTANT(TAG_EPT, flush_ept(vm, vcpu->root.nested, ept_reason(vm, last_cpu, cpu)));
	return true;
}

static uint64_t *reason_counter(struct mmu_counters *c, enum tag_reason why)
{
	switch (why) {
	case TAG_CREATION:
		return &c->invvpid_for_creation;
	case TAG_MIGRATION:
		return &c->invvpid_for_migration;
	case TAG_TABLES:
		return &c->invvpid_for_tables;
	case TAG_REGISTER:
		return &c->invvpid_for_register;
	default:
		return &c->invvpid_for_address;
	}
}

static bool flush_tagged(struct mmu_vm *vm, enum tag_flush type, uint16_t vpid, gva_t gva, enum tag_reason why)
{
	++*reason_counter(&vm->counters, why);
	return !refused(vm, vm->below->flush_tag(vm->below->ctx, type, vpid, gva));
}

static void flush_context(struct mmu_vm *vm, uint16_t vpid, enum tag_reason why)
{
	if (vm->caps->invvpid_single) {
		vm->counters.invvpid_single++;
		if (flush_tagged(vm, TAG_FLUSH_SINGLE, vpid, GVA(0), why))
			return;
	}
	vm->counters.invvpid_all++;
	++*reason_counter(&vm->counters, why);
	BUG_ON(!vm->caps->invvpid_all || !vm->below->flush_tag(vm->below->ctx, TAG_FLUSH_ALL, 0, GVA(0)));
}

static void flush_nonglobal(struct mmu_vm *vm, uint16_t vpid)
{
	if (vm->caps->invvpid_single_retaining_globals) {
		vm->counters.invvpid_nonglobal++;
		if (flush_tagged(vm, TAG_FLUSH_NONGLOBAL, vpid, GVA(0), TAG_REGISTER))
			return;
	}
	flush_context(vm, vpid, TAG_REGISTER);
}

static void flush_addresses(struct mmu_vm *vm, const struct tag_state *t)
{
	for (unsigned i = 0; vm->caps->invvpid_address && i < t->address_count; i++) {
		vm->counters.invvpid_address++;
		if (!flush_tagged(vm, TAG_FLUSH_ADDRESS, t->vpid, t->address[i], t->address_why[i])) {
			flush_context(vm, t->vpid, t->address_why[i]);
			return;
		}
	}
	if (!vm->caps->invvpid_address)
		flush_context(vm, t->vpid, t->address_why[0]);
}

/* T1b. */
static void flush_new_here(struct mmu_vm *vm, const struct tag_state *t, unsigned last_cpu)
{
	MUTANT(TAG_FIRST_RUN, flush_context(vm, t->vpid, last_cpu == TAG_NO_CPU ? TAG_CREATION : TAG_MIGRATION));
}

static void consume_vpid(struct mmu_vm *vm, struct tag_state *t)
{
	if (t->flush_vpid) {
		MUTANT(TAG_ALL, flush_context(vm, t->vpid, t->why));
		return;
	}
	if (t->flush_nonglobal)
		MUTANT(TAG_NONGLOBAL, flush_nonglobal(vm, t->vpid));
	/* Of the addresses, those with global translations survived the above. */
	if (t->address_count)
		MUTANT(TAG_ADDRESS, flush_addresses(vm, t));
}

void tag_consume(struct mmu_vcpu *vcpu, unsigned cpu)
{
	struct tag_state *t = &vcpu->tag;
	struct mmu_vm *vm = vcpu->vm;
	unsigned last_cpu;

	MUTANT(TAG_LOCKED, mmu_lock(vm));
	last_cpu = t->last_cpu;
	MUTANT(TAG_CLEAR_FIRST, __atomic_store_n(&vcpu->tag_pending, false, __ATOMIC_RELAXED));
	if (last_cpu != cpu && last_cpu != TAG_NO_CPU)
		vm->counters.migrations++;
	t->last_cpu = cpu;
	/* Under EPT only combined mappings are used, and INVEPT has dropped those. */
	if (!consume_ept(vcpu, cpu, last_cpu) && t->vpid) {
		if (last_cpu != cpu)
			flush_new_here(vm, t, last_cpu);
		else
			consume_vpid(vm, t);
	}
	t->flush_vpid = t->flush_nonglobal = false;
	t->address_count = 0;
	MUTANT(TAG_LOCKED, mmu_unlock(vm));
	MUTANT_INSTEAD(TAG_CLEAR_FIRST, __atomic_store_n(&vcpu->tag_pending, false, __ATOMIC_RELAXED));
}
