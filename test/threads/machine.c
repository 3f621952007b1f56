/* The machine that the threads share: frames, what lies below mmu/, the guest's memory and its first tables. */
#include "test/threads/threads.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/mechanisms.h"
#include "test/caps.h"

#define FRAMES_FIRST 0x100u
#define FRAMES 8192u

void machine_fail(struct machine *m, const char *what, uint64_t a, uint64_t b)
{
	if (!__atomic_exchange_n(&m->failed, true, __ATOMIC_SEQ_CST))
		printf("FAILED: %s: %s (%llx, %llx)\n", m->vm.ops->name, what, (unsigned long long)a,
		       (unsigned long long)b);
}

uint64_t frame_take(struct machine *m)
{
	uint64_t hfn;

	pthread_mutex_lock(&m->frames);
	BUG_ON(!m->spares);
	hfn = m->spare[--m->spares];
	pthread_mutex_unlock(&m->frames);
	return hfn;
}

/* Whoever still reads or writes it races with this. */
void frame_give(struct machine *m, uint64_t hfn)
{
	memset(phys_ptr(&m->phys, hfn), 0xff, PAGE_SIZE);
	pthread_mutex_lock(&m->frames);
	m->spare[m->spares++] = hfn;
	pthread_mutex_unlock(&m->frames);
}

/* ---- below ---- */

static hfn_t below_alloc(void *ctx)
{
	struct machine *m = ctx;
	hfn_t frame = HFN(frame_take(m));

	memset(phys_ptr(&m->phys, frame.v), 0, PAGE_SIZE);
	return frame;
}

static void below_free(void *ctx, hfn_t frame) { frame_give(ctx, frame.v); }

static void *below_ptr(void *ctx, hfn_t frame)
{
	struct machine *m = ctx;

	return phys_ptr(&m->phys, frame.v);
}

/* As the hypervisor's. */
static void below_kick(void *ctx, struct mmu_vcpu *mmu)
{
	struct vcpu *v = container_of(mmu, struct vcpu, mmu);

	(void)ctx;
	if (!__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST))
		return;
	__atomic_store_n(&v->kicked, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&v->in_guest, __ATOMIC_ACQUIRE))
		sched_yield();
}

/* Each vCPU has a CPU of its own, and flushes there only. */
static __thread struct m_cpu *own_cpu;
void machine_own_cpu(struct m_cpu *cpu);
void machine_own_cpu(struct m_cpu *cpu) { own_cpu = cpu; }

static bool below_flush_tag(void *ctx, enum tag_flush type, uint16_t vpid, gva_t gva)
{
	(void)ctx;
	return m_invvpid(own_cpu, type, vpid, gva.v);
}

static bool below_flush_nested(void *ctx, enum nested_flush type, uint64_t eptp)
{
	(void)ctx;
	return m_invept(own_cpu, type, eptp);
}

static void below_lock(void *ctx, struct mmu_vm *vm)
{
	(void)vm;
	pthread_mutex_lock(&((struct machine *)ctx)->lock);
}

static void below_wait(void *ctx, const bool *flag)
{
	(void)ctx;
	while (__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void below_unlock(void *ctx, struct mmu_vm *vm)
{
	(void)vm;
	pthread_mutex_unlock(&((struct machine *)ctx)->lock);
}

/* ---- the guest's memory ---- */

static bool backing_page(struct backing *b, uint64_t index, struct backing_page *out)
{
	const struct part *part = container_of(b, struct part, backing);
	uint64_t backs = __atomic_load_n(&part->machine->backs[part->first + index], __ATOMIC_ACQUIRE);

	*out = (struct backing_page){ .hfn = HFN(backs >> 1), .writable = true };
	return backs & 1;
}

/* The host has brought it back when it is not busy. */
static enum populated backing_populate(struct backing *b, uint64_t index, bool write)
{
	struct machine *m = container_of(b, struct part, backing)->machine;

	(void)index;
	(void)write;
	pthread_mutex_lock(&m->busy);
	pthread_mutex_unlock(&m->busy);
	return POPULATE_DONE;
}

static uint64_t *words(struct machine *m, uint64_t gfn)
{
	return (uint64_t *)(void *)phys_ptr(&m->phys, m->backs[backed(gfn)] >> 1);
}

#define FLAGS (X_P | X_W | X_U | X_A | X_D)

/* Two roots, which name the same: page i at address i, and all of memory from direct(0) on. */
static void lay_out(struct machine *m)
{
	for (unsigned i = 0; i < ROOTS; i++) {
		words(m, ROOT_GFN + i)[0] = 5 * 4096 | FLAGS;
		words(m, ROOT_GFN + i)[3] = 10 * 4096 | FLAGS;
	}
	words(m, 5)[0] = 6 * 4096 | FLAGS;
	words(m, 6)[0] = L1_GFN * 4096 | FLAGS;
	words(m, 10)[0] = 11 * 4096 | FLAGS;
	words(m, 11)[0] = 12 * 4096 | FLAGS;
	for (unsigned i = 0; i < DIRECT_PAGES; i++)
		words(m, 12)[i] = i * 4096ull | FLAGS;
	words(m, 12)[DIRECT_PAGES - 1] = L1_GFN * 4096ull | FLAGS;
	for (unsigned i = 0; i < DATA_PAGES; i++)
		words(m, DATA_FIRST + i)[0] = stamp_of(DATA_FIRST + i);
	for (unsigned i = 0; i < PAGES; i++) {
		words(m, L1_GFN)[i] = (DATA_FIRST + i) * 4096ull | FLAGS;
		m->shows[i] = (DATA_FIRST + i) << 16 | (DATA_FIRST + i);
	}
}

static bool make_memory(struct machine *m)
{
	struct slot slot = { .base = GFN(0), .pages = RAM_PAGES, .kind = SLOT_RAM, .type = MEMTYPE_WB,
			     .backing = &m->part[0].backing };
	struct slot far = { .base = GFN(FAR_GFN), .pages = FAR_PAGES, .kind = SLOT_RAM, .type = MEMTYPE_WB,
			    .backing = &m->part[1].backing };

	for (unsigned i = 0; i < ARRAY_SIZE(m->part); i++)
		m->part[i] = (struct part){ { .page = backing_page, .populate = backing_populate }, m, i * RAM_PAGES };
	for (unsigned i = 0; i < FRAMES_BACKED; i++) {
		uint64_t hfn = frame_take(m);

		memset(phys_ptr(&m->phys, hfn), 0, PAGE_SIZE);
		m->backs[i] = hfn << 1 | 1;
	}
	lay_out(m);
	return mmu_slot_add(&m->vm, &slot) && mmu_slot_add(&m->vm, &far);
}

static bool make_vcpu(struct machine *m, unsigned i)
{
	struct vcpu *v = &m->vcpu[i];
	struct walk_regs r = { .cr0 = X_CR0_PG | X_CR0_PE | X_CR0_ET | X_CR0_WP, .cr3 = ROOT_GFN * 4096,
			       .cr4 = X_CR4_PAE | X_CR4_PGE, .efer = X_EFER_LME | X_EFER_LMA | X_EFER_NXE,
			       .maxphyaddr = m->caps.maxphyaddr, .has_1g = true };

	v->id = i;
	v->random = 77 + i;
	v->vmcs.guest.cr3 = r.cr3;
	return m_cpu_init(&v->cpu, &m->phys, &m->caps, &m_geometry_adversarial) && mmu_vcpu_init(&v->mmu, &m->vm, &r);
}

bool machine_make(struct machine *m, const struct mmu_ops *ops, bool vpid)
{
	struct mmu_config config = { .page_limit = PAGE_LIMIT_2M, .vpid = vpid, .ram_pages = RAM_PAGES };

	memset(m, 0, sizeof(*m));
	m->caps = caps_all();
	m->caps.pcid = m->caps.pku = m->caps.la57 = false;
	m->caps.pml = vpid; /* else a log is by dirty flags */
	if (ops == &mmu_npt)
		caps_be_amds(&m->caps);
	m->below = (struct mmu_below){ .frame_alloc = below_alloc, .frame_free = below_free, .frame_ptr = below_ptr,
				       .kick = below_kick, .flush_tag = below_flush_tag,
				       .flush_nested = below_flush_nested,
				       .lock = below_lock, .unlock = below_unlock, .wait = below_wait, .ctx = m };
	pthread_mutex_init(&m->lock, NULL);
	pthread_mutex_init(&m->frames, NULL);
	pthread_mutex_init(&m->busy, NULL);
	pthread_mutex_init(&m->editing, NULL);
	m->spare = calloc(FRAMES, sizeof(*m->spare));
	if (!m->spare || !phys_init(&m->phys))
		return false;
	phys_add_block(&m->phys, FRAMES_FIRST, FRAMES);
	while (m->spares < FRAMES) {
		m->spare[m->spares] = FRAMES_FIRST + m->spares;
		m->spares++;
	}
	vpid_pool_init(&m->vpids, 16);
	if (!mmu_vm_init(&m->vm, ops, &m->below, &m->caps, &config, &m->vpids) || !make_memory(m))
		return false;
	for (unsigned i = 0; i < VCPUS; i++)
		if (!make_vcpu(m, i))
			return false;
	return true;
}

void machine_free(struct machine *m)
{
	for (unsigned i = 0; i < VCPUS; i++) {
		mmu_vcpu_destroy(&m->vcpu[i].mmu);
		m_cpu_fini(&m->vcpu[i].cpu);
	}
	mmu_vm_destroy(&m->vm);
	phys_fini(&m->phys);
	free(m->spare);
}
