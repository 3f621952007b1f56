/* bench/machine.c - the machine: host frames, the CPU in and out of the guest, the guest's tables. */
#include "bench/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/mechanisms.h"
#include "test/caps.h"
#include "test/on_model.h"

static void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

/* ---- below ---- */

static hfn_t machine_below_alloc(void *ctx)
{
	struct machine *m = ctx;
	uint64_t hfn = m->spares ? m->spare[--m->spares] : m->next_hfn++;

	if (hfn >= MACHINE_RAM_HFN)
		return HFN_NONE;
	phys_add(&m->phys, hfn, 1);
	return HFN(hfn);
}

static void machine_below_free(void *ctx, hfn_t frame)
{
	struct machine *m = ctx;

	phys_remove(&m->phys, frame.v);
	if (m->spares == m->spare_room) {
		m->spare_room = m->spare_room ? 2 * m->spare_room : 256;
		m->spare = realloc(m->spare, m->spare_room * sizeof(m->spare[0]));
		if (!m->spare)
			die("no memory");
	}
	m->spare[m->spares++] = frame.v;
}

static void *machine_below_ptr(void *ctx, hfn_t frame)
{
	return phys_ptr(&((struct machine *)ctx)->phys, frame.v);
}

/* There is one vCPU, and it is never in the guest while the hypervisor works. */
static void machine_below_kick(void *ctx, struct mmu_vcpu *vcpu)
{
	(void)ctx;
	(void)vcpu;
}

static bool machine_below_flush_tag(void *ctx, enum tag_flush type, uint16_t vpid, gva_t gva)
{
	return m_invvpid(&((struct machine *)ctx)->cpu, type, vpid, gva.v);
}

static bool machine_below_flush_nested(void *ctx, enum nested_flush type, uint64_t eptp)
{
	return m_invept(&((struct machine *)ctx)->cpu, type, eptp);
}

/* ---- life ---- */

struct machine *machine_new(const struct mmu_ops *ops, uint64_t pages, enum page_limit limit)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct mmu_config config = { .page_limit = limit, .vpid = true, .table_frames = 1u << 19 };
	struct slot slot = { .base = GFN(0), .pages = pages, .kind = SLOT_RAM, .type = MEMTYPE_WB };

	if (!m || !phys_init(&m->phys))
		die("no memory");
	m->caps = caps_all();
	m->caps.page_1g = m->caps.pku = m->caps.pcid = m->caps.la57 = m->caps.ept_1g = m->caps.ept_5level = false;
	if (ops == &mmu_npt)
		caps_be_amds(&m->caps);
	m->pages = pages;
	m->next_hfn = MACHINE_TABLE_HFN;
	m->next_gfn = 1;
	m->below = (struct mmu_below){
		.frame_alloc = machine_below_alloc, .frame_free = machine_below_free, .frame_ptr = machine_below_ptr,
		.kick = machine_below_kick, .flush_tag = machine_below_flush_tag,
		.flush_nested = machine_below_flush_nested,
		.ctx = m,
	};
	phys_add(&m->phys, MACHINE_RAM_HFN, pages);
	m->extent = (struct extent){ 0, pages, HFN(MACHINE_RAM_HFN) };
	backing_extents_init(&m->backing, GFN(0), &m->extent, 1);
	slot.backing = &m->backing.backing;
	vpid_pool_init(&m->vpids, 16);
	if (!m_cpu_init(&m->cpu, &m->phys, &m->caps, &m_geometry_plain))
		die("no memory");
	if (!mmu_vm_init(&m->vm, ops, &m->below, &m->caps, &config, &m->vpids) || !mmu_slot_add(&m->vm, &slot))
		die("the VM cannot be made");
	return m;
}

void machine_delete(struct machine *m)
{
	if (m->vcpu.vm)
		mmu_vcpu_destroy(&m->vcpu);
	mmu_vm_destroy(&m->vm);
	m_cpu_fini(&m->cpu);
	phys_fini(&m->phys);
	free(m->spare);
	free(m);
}

/* ---- the guest's tables ---- */

uint64_t machine_page(struct machine *m)
{
	if (m->next_gfn == m->pages)
		die("the guest has too little memory");
	return m->next_gfn++;
}

uint64_t machine_root(struct machine *m)
{
	m->guest_tables++;
	return machine_page(m) << 12;
}

uint64_t machine_peek(struct machine *m, uint64_t gpa)
{
	return phys_read(&m->phys, (MACHINE_RAM_HFN << 12) + gpa, 8);
}

void machine_poke(struct machine *m, uint64_t gpa, uint64_t value)
{
	if (mmu_guest_write(&m->vm, GPA(gpa), &value, 8) != 8)
		die("guest memory cannot be written");
}

static uint64_t entry_at(struct machine *m, uint64_t root, uint64_t va, unsigned level, bool make, uint64_t flags)
{
	uint64_t table = root, at;

	for (unsigned l = 4;; l--) {
		at = table + (va >> (12 + 9 * (l - 1)) & 511) * 8;
		if (l == level)
			return at;
		if (!(machine_peek(m, at) & PTE_P)) {
			if (!make)
				die("no table there");
			machine_poke(m, at, machine_root(m) | (flags & (PTE_U | PTE_W)) | PTE_P | PTE_A);
		}
		table = machine_peek(m, at) & PTE_ADDRESS;
	}
}

void machine_map(struct machine *m, uint64_t root, uint64_t va, uint64_t gfn, uint64_t flags)
{
	machine_poke(m, entry_at(m, root, va, flags & PTE_PS ? 2 : 1, true, flags), gfn << 12 | flags);
}

uint64_t machine_pte(struct machine *m, uint64_t root, uint64_t va)
{
	return entry_at(m, root, va, 1, false, 0);
}

void machine_map_direct(struct machine *m, uint64_t root)
{
	for (uint64_t gfn = 0; gfn < m->pages; gfn += 512)
		machine_map(m, root, MACHINE_DIRECT + (gfn << 12), gfn, MACHINE_RW | PTE_PS | PTE_G);
}

/* ---- in and out of the guest ---- */

static void load_controls(struct machine *m)
{
	const struct mmu_intercepts *i = &m->vcpu.intercepts;
	const struct mmu_root *r = &m->vcpu.root;
	struct m_vmcs *v = &m->vmcs;

	on_model_intercept(v, i, mmu_log_index(m->vcpu.vm));
	v->eptp = r->nested;
	v->vpid = r->vpid;
	if (m->vcpu.root_changed)
		v->guest.cr3 = r->cr3;
	m->vcpu.root_changed = m->vcpu.intercepts_changed = false;
	on_model_registers(v, i, m->regs.cr0, m->regs.cr4, m->regs.efer);
}

static void enter(struct machine *m)
{
	const char *why;

	if (m->cpu.vmcs)
		return;
	mmu_enter(&m->vcpu, 0);
	load_controls(m);
	why = m_entry(&m->cpu, &m->vmcs);
	if (why)
		die(why);
}

/* Counts the exit, and tells mmu/ what the guest loaded without one. */
static void exited(struct machine *m)
{
	m->exits++;
	if (m->vmcs.cr3_load_exiting)
		return;
	m->regs.cr3 = m->vmcs.guest.cr3;
	mmu_sync_regs(&m->vcpu, m->regs.cr0, m->regs.cr3, m->regs.cr4, NULL);
}

void machine_start(struct machine *m, uint64_t root)
{
	struct walk_regs regs = { .cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG, .cr3 = root, .cr4 = CR4_PAE | CR4_PGE,
				  .efer = EFER_LME | EFER_LMA | EFER_NXE, .maxphyaddr = m->caps.maxphyaddr };

	m->regs = (struct x_regs){
		.cr0 = regs.cr0, .cr3 = root, .cr4 = regs.cr4, .efer = regs.efer, .maxphyaddr = regs.maxphyaddr
	};
	m->vmcs.guest = m->regs;
	if (!mmu_vcpu_init(&m->vcpu, &m->vm, &regs))
		die("the vCPU cannot be made");
}

static struct mmu_result give(struct machine *m, const struct m_result *r, bool user)
{
	struct mmu_fault f = on_model_fault(r, m->regs.efer);

	exited(m);
	m->vcpu.regs.cpl = user ? 3 : 0;
	return mmu_fault(&m->vcpu, &f);
}

struct machine_access machine_touch(struct machine *m, uint64_t va, bool write, bool user)
{
	struct x_access a = { .write = write, .user = user };

	for (unsigned tries = 0; tries < 64; tries++) {
		struct m_result r;
		struct mmu_result f;

		enter(m);
		r = m_access(&m->cpu, va, a);
		if (r.event == M_OK)
			return (struct machine_access){ .how = MACHINE_DIRECTLY, .hpa = r.hpa };
		if (r.event != M_EXIT)
			return (struct machine_access){ .how = MACHINE_FAULT };
		f = give(m, &r, user);
		if (f.outcome == MMU_STOP)
			die(f.why);
		if (f.outcome == MMU_INJECT)
			return (struct machine_access){ .how = MACHINE_FAULT };
		if (f.outcome == MMU_EMULATE) {
			m->emulated++;
			return (struct machine_access){ .how = MACHINE_EMULATED, .gpa = f.gpa.v };
		}
	}
	die("an access does not end");
	return (struct machine_access){ .how = MACHINE_FAULT };
}

void machine_store(struct machine *m, uint64_t va, uint64_t value)
{
	struct machine_access a = machine_touch(m, va, true, false);

	if (a.how == MACHINE_DIRECTLY)
		phys_write(&m->phys, a.hpa, 8, value);
	else if (a.how == MACHINE_EMULATED)
		machine_poke(m, a.gpa, value);
	else
		die("a store of the guest's kernel faults");
}

void machine_cr3(struct machine *m, uint64_t root)
{
	struct m_result r;

	enter(m);
	r = m_mov_cr3(&m->cpu, root);
	if (r.event == M_OK)
		return;
	exited(m);
	if (mmu_set_cr3(&m->vcpu, root).outcome != MMU_FIXED)
		die("CR3 cannot be loaded");
	m->regs.cr3 = root;
}

void machine_invlpg(struct machine *m, uint64_t va)
{
	struct m_result r;

	enter(m);
	r = m_invlpg(&m->cpu, va);
	if (r.event == M_OK)
		return;
	exited(m);
	mmu_invlpg(&m->vcpu, GVA(va));
}
