/* lab/engine/vm.c - the machine in and out of its guests: entries and exits, faults, and what lies below mmu/. */
#include <stdlib.h>

#include "lab/machine/machine.h"
#include "model/arch.h"

#define TRIES_MAX 64

/* ---- below mmu/ ---- */

static hfn_t below_alloc(void *ctx)
{
	return lab_frames_alloc(&((struct lab_machine *)ctx)->frames);
}

static void below_free(void *ctx, hfn_t frame)
{
	lab_frames_free(&((struct lab_machine *)ctx)->frames, frame);
}

static void *below_ptr(void *ctx, hfn_t frame)
{
	struct lab_machine *m = ctx;

	if (frame.v >> LAB_VM_HFN_SHIFT == 0)
		return lab_frames_ptr(&m->frames, frame.v);
	return lab_ram_ptr(&m->vm[(frame.v >> LAB_VM_HFN_SHIFT) - 1].ram, frame.v);
}

/* While the hypervisor works no virtual CPU of its guest runs: the others are halted (lab/engine/processors.c). */
static void below_kick(void *ctx, struct mmu_vcpu *vcpu)
{
	(void)ctx;
	(void)vcpu;
}

static bool below_flush_tag(void *ctx, enum tag_flush type, uint16_t vpid, gva_t gva)
{
	struct lab_machine *m = ctx;
	struct lab_cover cover = { .linear = true, .vpid = (uint8_t)vpid, .all_pcids = true, .psc_all = true };

	cover.all_vpids = type == TAG_FLUSH_ALL;
	cover.globals = type != TAG_FLUSH_NONGLOBAL;
	cover.one_address = type == TAG_FLUSH_ADDRESS;
	cover.psc_all = type != TAG_FLUSH_ADDRESS;
	cover.pieces = true;
	cover.gva = gva.v;
	m->counts->invvpids++;
	lab_invalidate(m, &cover, LAB_FLUSH_invvpid);
	return true;
}

static bool below_flush_nested(void *ctx, enum nested_flush type, uint64_t eptp)
{
	struct lab_machine *m = ctx;
	struct lab_cover cover = { .linear = true,
				   .all_vpids = true,
				   .all_pcids = true,
				   .globals = true,
				   .psc_all = true,
				   .guest_physical = true,
				   .all_vms = true };

	for (unsigned i = 0; type == NESTED_FLUSH_SINGLE && i < m->config->hv.vms; i++) {
		const struct lab_cpu *cpu = &m->vm[i];

		if (!cpu->vcpu_ready || cpu->vcpu->root.nested != eptp)
			continue;
		cover.all_vpids = cover.all_vms = false;
		cover.vpid = (uint8_t)cpu->vcpu->root.vpid;
		cover.vm = (uint8_t)i;
	}
	m->counts->invepts++;
	lab_invalidate(m, &cover, LAB_FLUSH_invept);
	return true;
}

/* ---- invalidation ---- */

/* A page fault or EPT violation drops what might have led to it (SDM, "Operations that Invalidate TLBs and
 * Paging-Structure Caches" and "Operations that Invalidate Cached Mappings"), so that a right that was added is seen
 * without a flush. */
static void drop_faulting(struct lab_machine *m, uint64_t gva, const struct lab_translation *t)
{
	struct lab_cover cover = { .linear = true,
				   .vpid = m->now.vpid,
				   .pcid = m->now.pcid,
				   .globals = true,
				   .one_address = true,
				   .gva = gva,
				   .guest_physical = t->how == LAB_VIOLATION,
				   .vm = m->now.vm,
				   .one_gpa = true,
				   .gpa = t->gpa };

	m->hardware->invalidate(m, &cover, LAB_FLUSH_BY_FAULT);
}

void lab_invalidate(struct lab_machine *m, const struct lab_cover *cover, enum lab_flush cause)
{
	m->counts->r.flushes[cause]++;
	m->counts->r.flushed_entries[cause] += m->hardware->invalidate(m, cover, cause);
}

/* ---- entries and exits ---- */

static struct lab_context context_of(const struct lab_cpu *cpu)
{
	struct lab_context c;
	bool own = cpu->native || cpu->vcpu->root.nested;

	memset(&c, 0, sizeof(c));
	c.levels = cpu->cr4 & X_CR4_LA57 ? 5 : 4;
	c.global = cpu->cr4 & X_CR4_PGE;
	c.vm = (uint8_t)cpu->number;
	c.root = (own ? cpu->cr3 : cpu->vcpu->root.cr3) & X_ADDRESS_MASK;
	c.pcid = own && cpu->cr4 & X_CR4_PCIDE ? cpu->cr3 & 0xfff : 0;
	c.ghost_root = cpu->cr4 & X_CR4_PCIDE ? cpu->number : (cpu->cr3 & X_ADDRESS_MASK) | cpu->number;
	c.ram = own ? &cpu->ram : NULL;
	c.tagged = true;
	if (!cpu->native) {
		c.nested = cpu->vcpu->root.nested != 0;
		c.eptp = cpu->vcpu->root.nested & X_ADDRESS_MASK;
		c.ept_levels = c.nested ? (uint8_t)((cpu->vcpu->root.nested >> X_EPTP_LENGTH_SHIFT & 7) + 1) : 0;
		c.vpid = (uint8_t)cpu->vcpu->root.vpid;
		c.tagged = c.vpid != 0;
	}
	c.asid = (uint64_t)c.vpid << 12 | c.pcid;
	c.global_asid = (uint64_t)c.vpid << 12 | TAG_GLOBAL;
	return c;
}

void lab_enter(struct lab_cpu *cpu)
{
	struct lab_machine *m = cpu->m;
	struct lab_context c;

	m->running = cpu;
	if (!cpu->native) {
		mmu_enter(cpu->vcpu, cpu->on);
		cpu->vcpu->root_changed = cpu->vcpu->intercepts_changed = false;
	}
	c = context_of(cpu);
	if (memcmp(&c, &m->now, sizeof(c))) {
		m->now = c;
		m->hardware->context(m);
	}
}

void lab_exited(struct lab_cpu *cpu, enum lab_exit kind, uint64_t instructions)
{
	static const struct lab_cover untagged = {
		.linear = true, .all_pcids = true, .globals = true, .psc_all = true
	};
	struct lab_machine *m = cpu->m;

	m->counts->r.exits[kind]++;
	m->counts->exit_instructions[kind] += m->config->hv.path_exit + instructions + lab_work_since(cpu);
	/* The entry that follows drops them again, but by then there are none. */
	if (!m->now.tagged)
		lab_invalidate(m, &untagged, LAB_FLUSH_transition);
	if (m->now.nested)
		mmu_sync_regs(cpu->vcpu, cpu->vcpu->regs.cr0, cpu->cr3, cpu->cr4, NULL);
}

void lab_exits(struct lab_cpu *cpu, enum lab_exit kind, uint64_t n, uint64_t instructions)
{
	for (; n && !cpu->native; n--) {
		lab_exited(cpu, kind, instructions);
		lab_enter(cpu);
	}
}

/* ---- faults ---- */

static enum lab_ended broken(struct lab_cpu *cpu, const char *what, uint64_t gva)
{
	lab_fail(cpu->m->error, "%s, at address 0x%llx", what, (unsigned long long)gva);
	return LAB_BROKEN;
}

/* The guest's own fault goes to its kernel. */
static bool deliver(struct lab_cpu *cpu, uint64_t gva, uint32_t error)
{
	cpu->m->counts->delivered_faults++;
	return lab_os_page_fault(cpu->os, gva, error, cpu->m->error) && !cpu->m->error->text[0];
}

static enum lab_ended violation(struct lab_cpu *cpu, uint64_t gva, enum lab_kind kind, const struct lab_translation *t)
{
	const struct lab_hypervisor_config *hv = &cpu->m->config->hv;
	struct mmu_fault f = {
		.kind = MMU_FAULT_EPT_VIOLATION, .gva = GVA(gva), .gpa = GPA(t->gpa), .access = MMU_LINEAR
	};
	struct mmu_result r;

	if (t->of_table)
		f.access |= cpu->m->caps.ept_ad ? MMU_READ | MMU_WRITE : MMU_READ;
	else
		f.access |= kind == LAB_WRITE ? MMU_WRITE : kind == LAB_FETCH ? MMU_FETCH : MMU_READ;
	r = mmu_fault(cpu->vcpu, &f);
	lab_exited(cpu, LAB_EXIT_ept_violation, hv->path_violation);
	if (r.outcome == MMU_STOP)
		return broken(cpu, r.why, gva);
	if (r.outcome == MMU_EMULATE)
		return broken(cpu, "the guest touches guest-physical memory that it does not have", gva);
	lab_enter(cpu);
	return LAB_DONE;
}

/* A page fault while the mechanism intercepts them. */
static enum lab_ended intercepted(struct lab_cpu *cpu, uint64_t gva, bool user, struct lab_translation *t)
{
	const struct lab_hypervisor_config *hv = &cpu->m->config->hv;
	struct mmu_fault f = { .kind = MMU_FAULT_PAGE, .gva = GVA(gva), .error = t->error };
	struct mmu_result r;

	cpu->vcpu->regs.cpl = user ? 3 : 0;
	r = mmu_fault(cpu->vcpu, &f);
	switch (r.outcome) {
	case MMU_FIXED:
	case MMU_RETRY:
	case MMU_SPURIOUS:
		lab_exited(cpu, LAB_EXIT_page_fault_fixed, hv->path_fault);
		lab_enter(cpu);
		return LAB_DONE;
	case MMU_INJECT:
		lab_exited(cpu, LAB_EXIT_page_fault_guest, hv->path_inject);
		lab_enter(cpu);
		return deliver(cpu, r.exception.cr2, r.exception.error) ? LAB_DONE : LAB_BROKEN;
	case MMU_EMULATE:
		lab_exited(cpu, LAB_EXIT_page_fault_emulated, hv->path_emulate);
		t->gpa = r.gpa.v;
		return LAB_EMULATED;
	case MMU_STOP:
		break;
	}
	return broken(cpu, r.why, gva);
}

enum lab_ended lab_resolve(struct lab_cpu *cpu, uint64_t gva, enum lab_kind kind, bool user, struct lab_translation *t)
{
	struct lab_machine *m = cpu->m;

	for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
		const struct mmu_intercepts *in = &cpu->vcpu->intercepts;
		enum lab_ended ended = LAB_DONE;

		drop_faulting(m, gva, t);
		if (t->how == LAB_VIOLATION)
			ended = violation(cpu, gva, kind, t);
		else if (!cpu->native && in->page_fault && (t->error & in->pf_mask) == in->pf_match)
			ended = intercepted(cpu, gva, user, t);
		else if (!deliver(cpu, gva, t->error))
			ended = LAB_BROKEN;
		if (ended != LAB_DONE)
			return ended;
		m->counts->r.retries++;
		*t = m->hardware->translate(m, gva, kind, user);
		if (t->how == LAB_TRANSLATED)
			return LAB_DONE;
	}
	return broken(cpu, "an access faults again and again", gva);
}

enum lab_ended lab_access(struct lab_cpu *cpu, uint64_t gva, enum lab_kind kind, bool user, struct lab_translation *t)
{
	*t = cpu->m->hardware->translate(cpu->m, gva, kind, user);
	return t->how == LAB_TRANSLATED ? LAB_DONE : lab_resolve(cpu, gva, kind, user, t);
}

/* ---- life ---- */

static struct mmu_caps caps_of(const struct lab_machine_config *c)
{
	return (struct mmu_caps){
		.maxphyaddr = 46,
		.nx = true,
		.page_1g = true,
		.smep = true,
		.smap = true,
		.pcid = c->pcid,
		.la57 = c->la57,
		.ept = c->ept,
		.ept_execute_only = true,
		.ept_wb = true,
		.ept_2m = c->ept_pages >= 21,
		.ept_1g = c->ept_pages >= 30,
		.ept_ad = c->ept_ad,
		.ept_5level = c->ept_5level,
		.invept = c->ept,
		.invept_single = c->ept,
		.invept_all = c->ept,
		.vpid = c->vpid,
		.invvpid = c->vpid,
		.invvpid_address = c->vpid,
		.invvpid_single = c->vpid,
		.invvpid_all = c->vpid,
		.invvpid_single_retaining_globals = c->vpid,
		.unrestricted_guest = true,
	};
}

static bool cpu_init(struct lab_cpu *cpu, unsigned number, struct lab_error *error)
{
	struct lab_machine *m = cpu->m;
	const struct lab_config *c = m->config;
	struct mmu_config config = { .page_limit = (enum page_limit)c->hv.pages, .vpid = c->hv.vpid,
				     .ept_levels = (uint8_t)c->hv.ept_levels,
				     .in_sync = c->hv.in_sync,
				     .table_frames = (uint32_t)c->hv.table_frames };
	const struct mmu_ops *ops = mmu_mechanism_by_name(c->hv.mechanism);
	const char *why;
	struct slot slot = { .base = GFN(0), .kind = SLOT_RAM, .type = MEMTYPE_WB, .backing = &cpu->ram.backing };

	cpu->number = number;
	cpu->vcpu = &cpu->vcpus[0].mmu;
	cpu->native = !strcmp(c->hv.mechanism, "native");
	cpu->batch = malloc(sizeof(*cpu->batch));
	if (!cpu->batch)
		return lab_fail(error, "out of memory");
	cpu->batch->events = 0;
	if (!lab_ram_init(&cpu->ram, number, c, error))
		return false;
	if (cpu->native)
		return true;
	if (!ops)
		return lab_fail(error, "there is no mechanism '%s'; there are native, ept, shadow, vtlb and brute",
				c->hv.mechanism);
	config.ram_pages = cpu->ram.pages;
	why = mmu_unsupported(ops, &m->caps, &config);
	if (why)
		return lab_fail(error, "%s cannot run on this machine: %s", ops->name, why);
	slot.pages = cpu->ram.pages;
	slot.linear = cpu->ram.bytes;
	if (!mmu_vm_init(&cpu->vm, ops, &m->below, &m->caps, &config, m->vpids))
		return lab_fail(error, "out of memory for tables");
	cpu->vm_ready = true;
	return mmu_slot_add(&cpu->vm, &slot) || lab_fail(error, "guest.memory cannot be %llu bytes",
							   (unsigned long long)c->guest.memory);
}

bool lab_machine_init(struct lab_machine *m, const struct lab_config *config, struct lab_counts *counts,
		      struct lab_error *error)
{
	*m = (struct lab_machine){ .config = config, .counts = counts, .error = error,
				   .sample = lab_sample_of(&config->machine), .caps = caps_of(&config->machine) };
	m->hardware = config->plain ? &lab_plain : &lab_fast;
	m->below = (struct mmu_below){ .frame_alloc = below_alloc,
				       .frame_free = below_free,
				       .frame_ptr = below_ptr,
				       .kick = below_kick,
				       .flush_tag = below_flush_tag,
				       .flush_nested = below_flush_nested,
				       .ctx = m };
	m->vpids = malloc(sizeof(*m->vpids));
	m->vm = calloc(config->hv.vms, sizeof(*m->vm));
	if (!m->vpids || !m->vm || !lab_cores_init(m))
		return lab_fail(error, "out of memory");
	vpid_pool_init(m->vpids, LAB_VMS_MAX + 1);
	if (!lab_frames_init(&m->frames, error))
		return false;
	for (unsigned i = 0; i < config->hv.vms; i++) {
		m->vm[i].m = m;
		if (!cpu_init(&m->vm[i], i, error))
			return false;
	}
	return true;
}

void lab_machine_fini(struct lab_machine *m)
{
	for (unsigned i = 0; m->vm && i < m->config->hv.vms; i++) {
		struct lab_cpu *cpu = &m->vm[i];

		if (cpu->os)
			lab_os_delete(cpu->os);
		lab_vcpus_fini(cpu);
		if (cpu->vm_ready)
			mmu_vm_destroy(&cpu->vm);
		lab_ram_fini(&cpu->ram);
		free(cpu->batch);
	}
	free(m->vm);
	free(m->vpids);
	lab_cores_fini(m);
	lab_frames_fini(&m->frames);
}
