/* mmu/shadow/root.c - the roots that vCPUs run on, and what the guest's register loads and INVLPGs do to them.
 *
 * A root in use (spage.roots) is neither evicted nor unshadowed. Roots that are not in use stay, found again by their
 * role when CR3 names them once more. */
#include "mmu/mutate.h"
#include "mmu/shadow/shadow.h"

static struct shadow_vcpu *priv(const struct mmu_vcpu *vcpu) { return vcpu->priv; }

/* S1: what rights go by (SDM, "Determination of Access Rights"). SMEP and SMAP are the CPU's own to judge (HW1), but
 * where CR0.WP is clear (S8). */
uint32_t shadow_modes(const struct walk_regs *r)
{
	enum paging_mode mode = walk_mode(r);
	uint32_t modes = ROLE_WP;

	if (mode == PAGING_NONE)
		return modes;
	if (mode == PAGING_32BIT)
		modes |= ROLE_NARROW | (r->cr4 & CR4_PSE ? ROLE_PSE : 0);
	else if (r->efer & EFER_NXE)
		modes |= ROLE_NXE;
	if (mode >= PAGING_4LEVEL)
		modes |= ROLE_LONG;
	if (!(r->cr0 & CR0_WP)) {
		modes &= ~ROLE_WP;
		modes |= r->cr4 & CR4_SMEP ? ROLE_SMEP_NOWP : 0;
		modes |= r->cr4 & CR4_SMAP ? ROLE_SMAP_NOWP : 0;
	}
	return modes;
}

void shadow_drop_root(struct mmu_vcpu *vcpu)
{
	for (unsigned i = 0, n = priv(vcpu)->pae_format ? 4 : 1; i < n; i++) {
		if (priv(vcpu)->root[i])
			priv(vcpu)->root[i]->roots--;
		priv(vcpu)->root[i] = NULL;
	}
}

/* A page to run on; *out NULL where the guest's table is no memory. false: out of host memory. */
static bool get_root(struct mmu_vcpu *vcpu, gfn_t gfn, uint32_t role, struct spage **out)
{
	struct shadow *s = shadow_of(vcpu->vm);

	*out = NULL;
	if (!(role & ROLE_DIRECT) && mmu_peek(vcpu->vm, gfn).kind == MMU_DEVICE)
		return true;
	*out = spage_get(s, vcpu, gfn, role);
	return *out || s->interrupted;
}

static bool load_pae(struct mmu_vcpu *vcpu, struct spage *root[4])
{
	const struct walk_regs *r = &vcpu->regs;
	enum paging_mode mode = walk_mode(r);
	uint32_t role = shadow_modes(r) | 2 | ACC_ALL << ROLE_ACC_SHIFT;

	for (unsigned i = 0; i < 4; i++) {
		uint32_t own = role;
		gfn_t gfn;

		if (mode == PAGING_PAE) {
			if (!(r->pdpte[i] & PTE_P))
				continue;
			gfn = gpa_gfn(GPA(r->pdpte[i] & PTE_ADDRESS));
		} else if (mode == PAGING_32BIT) {
			gfn = gpa_gfn(GPA(r->cr3 & PTE_ADDRESS_32BIT));
			own |= i << ROLE_QUADRANT_SHIFT;
		} else {
			gfn = GFN((uint64_t)i << 18);
			own |= ROLE_DIRECT;
		}
		if (!get_root(vcpu, gfn, own, &root[i]))
			return false;
		if (root[i])
			root[i]->roots++; /* so that the next one does not evict it */
	}
	return true;
}

/* A root that has just been made names at once what of its kernel's half has been made for other roots: all processes
 * have it in common. In the lower half there is nothing to be found. What is reached so is brought up to date with all
 * that the root reaches. */
static void adopt(struct shadow *s, struct spage *root)
{
	const uint64_t *page = mmu_guest_ptr_locked(s->vm, gfn_gpa(root->gfn));
	uint64_t reserved =
		(s->maxphyaddr < 52 ? MASK(51, s->maxphyaddr) : 0) | (root->role & ROLE_NXE ? 0 : PTE_NX) | PTE_PS;

	for (unsigned i = 0; page && i < 4; i++)
		for (uint64_t left = s->kernel_used[i]; left; left &= left - 1) {
			unsigned index = 256 + i * 64 + __builtin_ctzll(left);
			uint64_t guest = __atomic_load_n(&page[index], __ATOMIC_ACQUIRE);
			struct spage *child;

			/* As a walk would use it: without a fault, and without a flag to set. */
			if (!MUTANT_OR(ADOPT_CHECK, (guest & (PTE_P | PTE_A | reserved)) == (PTE_P | PTE_A)))
				continue;
			child = spage_find(s, gpa_gfn(GPA(guest & PTE_ADDRESS)), role_child(root->role, index, guest));
			if (child)
				spage_name(s, root, index, guest, child);
		}
}

static bool load_long(struct mmu_vcpu *vcpu, struct spage *root[4])
{
	const struct walk_regs *r = &vcpu->regs;
	uint32_t role = shadow_modes(r) | hw_format(r)->root_level | ACC_ALL << ROLE_ACC_SHIFT;

	if (!get_root(vcpu, gpa_gfn(GPA(r->cr3 & PTE_ADDRESS)), role, &root[0]))
		return false;
	if (root[0])
		root[0]->roots++;
	return true;
}

/* Tells the CPU's side where the root is. */
static void publish(struct mmu_vcpu *vcpu)
{
	struct shadow_vcpu *v = priv(vcpu);
	uint64_t cr3;

	if (v->pae_format) {
		for (unsigned i = 0; i < 4; i++)
			pt_set(&v->pae[i], v->root[i] ? hfn_hpa(v->root[i]->frame).v | PTE_P : 0);
		cr3 = hfn_hpa(v->pae_frame).v;
	} else {
		cr3 = hfn_hpa(v->root[0] ? v->root[0]->frame : shadow_of(vcpu->vm)->empty).v;
	}
	/* VM entry loads PDPTEs from memory (SDM, "Loading Page-Directory-Pointer-Table Entries"), so that their change
	 * needs nothing but that. */
	if (vcpu->root.cr3 != cr3) {
		vcpu->root.cr3 = cr3;
		vcpu->root_changed = true;
	}
}

/* ---- known roots ---- */

static struct shadow_known_root *known_place(struct mmu_vcpu *vcpu)
{
	return &priv(vcpu)->known[(vcpu->regs.cr3 >> PAGE_SHIFT ^ vcpu->regs.cr3 >> 15) % SHADOW_KNOWN_ROOTS];
}

static struct shadow_known_root *known_root(struct mmu_vcpu *vcpu)
{
	struct shadow_known_root *k = known_place(vcpu);

	if (!k->page || k->cr3 != vcpu->regs.cr3 || k->generation != vcpu->vm->slots.generation)
		return NULL;
	return k;
}

void shadow_forget_root(struct shadow *s, const struct spage *sp)
{
	for (struct mmu_vcpu *v = s->vm->vcpus; v; v = v->next)
		for (unsigned i = 0; i < SHADOW_KNOWN_ROOTS; i++)
			if (priv(v)->known[i].page == sp->id)
				priv(v)->known[i].page = 0;
}

static void remember_root(struct mmu_vcpu *vcpu, struct spage *sp)
{
	struct shadow_known_root *k = known_place(vcpu);

	*k = (struct shadow_known_root){
		.cr3 = vcpu->regs.cr3, .generation = vcpu->vm->slots.generation, .page = sp->id, .sp = sp,
	};
	priv(vcpu)->now = k;
}

/* How often the load of a known root counts as its use: one in so many. */
#define USED_EVERY 16

/* For a load of CR3 that changes nothing else. false: it must be looked for. */
static bool load_known_root(struct mmu_vcpu *vcpu)
{
	struct shadow_vcpu *v = priv(vcpu);
	struct shadow_known_root *k = v->pae_format ? NULL : known_root(vcpu);
	struct spage *sp;

	if (!k)
		return false;
	v->now = k;
	sp = k->sp;
	sp->writes = 0;
	if (vcpu->vm->counters.root_hits++ % USED_EVERY == 0)
		spage_used(shadow_of(vcpu->vm), sp);
	if (v->root[0] == sp)
		return true;
	sp->roots++;
	if (v->root[0])
		v->root[0]->roots--;
	v->root[0] = sp;
	vcpu->root.cr3 = hfn_hpa(sp->frame).v;
	vcpu->root_changed = true;
	return true;
}

bool shadow_load_root(struct mmu_vcpu *vcpu)
{
	struct shadow *s = shadow_of(vcpu->vm);
	struct shadow_vcpu *v = priv(vcpu);
	struct spage *root[4] = { NULL };
	uint64_t created = vcpu->vm->counters.shadow_created;
	bool pae = hw_format(&vcpu->regs) == &hw_format_pae, ok;

	s->interrupted = false;
	ok = pae ? load_pae(vcpu, root) : load_long(vcpu, root);
	shadow_drop_root(vcpu);
	for (unsigned i = 0; i < 4; i++) {
		if (!ok && root[i]) {
			root[i]->roots--;
			root[i] = NULL;
		}
		v->root[i] = root[i];
	}
	v->pae_format = pae;
	v->now = NULL;
	if (ok && created == vcpu->vm->counters.shadow_created)
		vcpu->vm->counters.root_hits++;
	if (ok && !pae && root[0])
		remember_root(vcpu, root[0]);
	publish(vcpu);
	return ok;
}

static bool same_intercepts(const struct mmu_intercepts *a, const struct mmu_intercepts *b)
{
	return a->invlpg == b->invlpg && a->cr0_force_mask == b->cr0_force_mask &&
	       a->cr4_force_mask == b->cr4_force_mask && a->cr4_force_value == b->cr4_force_value &&
	       a->efer_force_mask == b->efer_force_mask && a->efer_force_value == b->efer_force_value;
}

static void update_intercepts(struct mmu_vcpu *vcpu)
{
	struct mmu_intercepts in = hw_intercepts(vcpu);

	in.invlpg = vcpu->intercepts.invlpg;
	if (same_intercepts(&in, &vcpu->intercepts))
		return;
	vcpu->intercepts = in;
	vcpu->intercepts_changed = true;
}

void shadow_regs_changed(struct mmu_vcpu *vcpu, const struct walk_regs *old, bool cr3_write, bool keep_tlb)
{
	struct shadow *s = shadow_of(vcpu->vm);
	bool all = !cr3_write && hw_regs_flush_all(old, &vcpu->regs);
	uint64_t created;

	(void)keep_tlb; /* there is no PCID under this mechanism */
	s->interrupted = false;
	shadow_tighten(s, vcpu);
	priv(vcpu)->spurious.gva = HW_NOT_SPURIOUS;
	if (cr3_write)
		vcpu->vm->counters.cr3_loads++;
	if (!cr3_write) {
		/* What roots mean may be another thing now. */
		MUTANT(ROOT_MODES, memset(priv(vcpu)->known, 0, sizeof(priv(vcpu)->known)));
		priv(vcpu)->now = NULL;
		update_intercepts(vcpu);
	}
	/* PDPTEs may have been loaded anew by other writes than those that flush (SDM, "PDPTE Registers"). */
	if (!cr3_write && !all && memcmp(old->pdpte, vcpu->regs.pdpte, sizeof(old->pdpte)) == 0)
		return;
	created = vcpu->vm->counters.shadow_created;
	if (!(cr3_write && load_known_root(vcpu)) && !shadow_load_root(vcpu))
		vcpu->stuck = "there is no host memory for a shadow root";
	if (created != vcpu->vm->counters.shadow_created && priv(vcpu)->now)
		adopt(s, priv(vcpu)->root[0]);
	/* Also where nothing is flushed: what the new root reaches may never have been this vCPU's to be out of
	 * date. */
	shadow_sync_root(vcpu);
	if (all)
		MUTANT(SHADOW_REGS_FLUSH, tag_request_all(vcpu, hw_regs_why(old, &vcpu->regs)));
	else if (cr3_write)
		MUTANT(SHADOW_CR3_FLUSH, tag_request_nonglobal(vcpu));
	if (all)
		priv(vcpu)->upper_seen = s->upper_drops;
	shadow_finish(s, vcpu);
}

/* ---- paths ---- */

static struct shadow_path *path_place(struct mmu_vcpu *vcpu, gva_t gva)
{
	return &priv(vcpu)->path[(gva.v >> 21 ^ gva.v >> 30) % SHADOW_PATHS];
}

struct spage *shadow_path(struct mmu_vcpu *vcpu, const struct spage *root, gva_t gva)
{
	const struct shadow_path *p = path_place(vcpu, gva);
	const struct shadow *s = shadow_of(vcpu->vm);

	if (!p->page || p->block != gva.v >> 21 || p->root != root->id ||
	    !MUTANT_OR(PATH_DROPS, p->drops == s->upper_drops))
		return NULL;
	return spage_at(s, p->page);
}

void shadow_remember_path(struct mmu_vcpu *vcpu, const struct spage *root, gva_t gva, const struct spage *sp)
{
	*path_place(vcpu, gva) = (struct shadow_path){ gva.v >> 21, shadow_of(vcpu->vm)->upper_drops, root->id,
						       sp->id };
}

struct spage *shadow_lookup(struct mmu_vcpu *vcpu, gva_t gva, unsigned *index)
{
	struct spage *root = shadow_root_of(vcpu, gva), *sp = root ? shadow_path(vcpu, root, gva) : NULL;
	struct shadow *s = shadow_of(vcpu->vm);
	uint64_t value;

	if (sp) {
		*index = gva.v >> PAGE_SHIFT & 511;
		return sp;
	}
	sp = root;
	while (sp) {
		unsigned level = role_level(sp->role);

		*index = gva.v >> pt_shift(level) & 511;
		if (level == 1)
			shadow_remember_path(vcpu, root, gva, sp);
		value = pt_get(&sp->table[*index]);
		if (!pt_present(&hw_format_4level, value) || pt_is_leaf(&hw_format_4level, value, level))
			return sp;
		sp = mmu_is_beside(vcpu) ? spage_child_beside(s, sp, *index) : spage_child(s, sp, *index);
	}
	return NULL;
}

/* A large guest page may be in TLBs in parts (SDM, "Details of TLB Use"). INVLPG or a fault of any address in it drops
 * all of it, and all paging-structure caches ("Operations that Invalidate TLBs and Paging-Structure Caches"); INVVPID
 * of an address drops less. */
static bool flush_after_upper_drops(struct mmu_vcpu *vcpu)
{
	struct shadow *s = shadow_of(vcpu->vm);
	struct shadow_vcpu *v = priv(vcpu);

	if (v->upper_seen == s->upper_drops)
		return false;
	MUTANT(INVLPG_FLUSH_UPPER, tag_request_all(vcpu, TAG_ADDRESS));
	v->upper_seen = s->upper_drops;
	shadow_update_invlpg(s, vcpu);
	return true;
}

/* Without the lock: where nothing is out of date but what the CPU keeps. */
static void page_fault_beside(struct mmu_vcpu *vcpu, gva_t gva)
{
	unsigned index;
	const struct spage *sp = shadow_lookup(vcpu, gva, &index);

	if ((sp && sp->unsync) || priv(vcpu)->upper_seen != shadow_of(vcpu->vm)->upper_drops)
		mmu_not_beside(vcpu);
	else
		MUTANT(INJECT_FLUSH, tag_request_address(vcpu, gva, TAG_ADDRESS));
}

void shadow_page_fault(struct mmu_vcpu *vcpu, gva_t gva)
{
	if (mmu_is_beside(vcpu)) {
		page_fault_beside(vcpu, gva);
		return;
	}
	shadow_tighten(shadow_of(vcpu->vm), vcpu);
	MUTANT(INJECT_SYNC, shadow_sync_address(vcpu, gva));
	if (flush_after_upper_drops(vcpu))
		return;
	/* A page fault drops what is cached for its address ("Operations that Invalidate TLBs and Paging-Structure
	 * Caches"); whether one that exits does, the manual leaves open. There may be a global translation, left from
	 * other tables, even where those in force have none. */
	MUTANT(INJECT_FLUSH, tag_request_address(vcpu, gva, TAG_ADDRESS));
}

void shadow_invlpg(struct mmu_vcpu *vcpu, gva_t gva)
{
	struct shadow_vcpu *v = priv(vcpu);

	v->spurious.gva = HW_NOT_SPURIOUS;
	shadow_tighten(shadow_of(vcpu->vm), vcpu);
	MUTANT(INVLPG_SYNC, shadow_sync_address(vcpu, gva));
	shadow_thin_out(vcpu, gva);
	if (!flush_after_upper_drops(vcpu))
		MUTANT(INVLPG_FLUSH, tag_request_address(vcpu, gva, TAG_ADDRESS));
	shadow_finish(shadow_of(vcpu->vm), vcpu);
}
