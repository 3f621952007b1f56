/* vm/tpr/patch.c - the TPR by patching: an instruction of the guest's that has accessed it by an exit is replaced by
 * one that accesses a byte in memory. docs/interrupts.md has the whole of it.
 *
 * PX1 Nothing is written to the guest's RAM but the option ROM of vm/tpr/patch_page.c. A patched instruction is in an
 *     overlay of its page (mmu/overlay.c), which goes with any write to the page.
 * PX2 The byte is the TPR (L2 in dev/irq/lapic.h) as long as this is the method: what the guest writes to it, wherever
 *     it got the address, is a TPR. Its neighbour is the class that the TPR must fall below for what waits to come
 *     (TP3 in vm/tpr/tpr.c), and nobody but stubs looks at it.
 * PX3 Only in a virtual machine of one CPU: a byte at one address cannot be the register of two.
 * PX4 Only what vm/tpr/patch_insn.h lists, of the kernel's 32-bit code with flat segments; at an address that led to
 *     the TPR just now; where the stubs are mapped. Everything else is left to the trap, and counted by reason.
 * PX5 All are undone when the APIC's page moves or goes, when paging or PAE is turned on or off (OV3), and when the
 *     method changes. Where a page fault shows that the stubs are not mapped, those of the page are undone, and the
 *     guest does not see the fault (vm/tpr/patch_fault.c).
 * PX6 A page whose patches the guest itself undoes again and again is let alone.
 * PX9 Somebody may stand in a stub, or have an address in one to return to, whatever the method is by then, in a
 *     snapshot, or in another container. So the stubs stay as they are, and what is known of them goes along.
 * PX8 A place that was found unfit is remembered with its decoded instruction (struct insn_cache), as long as its bytes
 *     and its mode are the same, and looked at again after 256 accesses: where things are mapped, or segments, may be
 *     others one day. All is forgotten when patches are undone, for whatever made a place unfit may have gone with
 *     that. */
#include "vm/exit/emulation.h"

#include "host/device/console.h"
#include "host/memory/frames.h"
#include "lib/apic.h"
#include "lib/mutants/mutate.h"

#define WORN_MAX 3

const char *const patch_left_names[PATCH_LEFTS] = {
#define L(name, words) #name,
	PATCH_LEFT(L)
#undef L
};

static const char *const left_words[PATCH_LEFTS] = {
#define L(name, words) words,
	PATCH_LEFT(L)
#undef L
};

/* ---- what may be patched ---- */

struct attempt {
	struct vcpu *v;
	uint32_t rip;
	gpa_t at;
	bool user; /* programs can reach it */
	uint8_t bytes[16];
	struct patch_insn insn;
	uint32_t linear;
};

static bool is_flat(const struct vcpu *v, enum segment n)
{
	struct segment_state s = hvm_segment(&v->hvm, n);

	return !(s.access & SEGMENT_UNUSABLE) && !s.base && s.limit == 0xffffffff;
}

/* PX4. SDM, "Basic Flat Model": base 0, limit 4 GBytes. CPL 0 and 32-bit code ("Code- and Data-Segment Descriptor
 * Types": D of CS); not IA-32e mode, nor virtual-8086 mode, where linear addresses are made otherwise. DS: data that
 * can be written, and does not grow down. */
static bool is_flat_kernel(const struct vcpu *v)
{
	uint32_t cs = hvm_cs_access(&v->hvm), ds = hvm_segment(&v->hvm, SEG_DS).access;

	return (v->mmu.regs.cr0 & CR0_PE) && !(v->mmu.regs.efer & EFER_LMA) && !(hvm_rflags(&v->hvm) & RFLAGS_VM) &&
	       (cs & SEGMENT_DB) && VM_LEFT_OUT_OR(PATCH_CPL, v->mmu.regs.cpl == 0) && is_flat(v, SEG_CS) &&
	       VM_LEFT_OUT_OR(PATCH_FLAT, is_flat(v, SEG_DS)) && is_flat(v, SEG_SS) &&
	       (ds & SEGMENT_TYPE & ~(uint32_t)TYPE_ACCESSED) == TYPE_READ_WRITE;
}

/* PX3, PX4. -1, or why not. Of what the guest could see of another instruction in this place: its single steps and
 * breakpoints ("Debug Exceptions"), and the shadow of STI and of loads of SS ("Masking Maskable Hardware Interrupts",
 * "Masking Exceptions and Interrupts When Switching Stacks"). */
static int may_be_patched(struct vcpu *v)
{
	if (v->emulated || !is_flat_kernel(v))
		return PATCH_LEFT_mode;
	/* In the shadow of STI or a load of SS it is with the instruction before it that no interrupt comes between. */
	if (VM_KEPT(PATCH_DEBUG, (hvm_rflags(&v->hvm) & RFLAGS_TF) || (hvm_dr7(&v->hvm) & DR7_ENABLED) ||
					 (hvm_blocking(&v->hvm) & (BLOCKING_STI | BLOCKING_MOV_SS))))
		return PATCH_LEFT_debug;
	return -1;
}

struct walk_result patch_walk(struct vcpu *v, uint32_t linear, struct access access)
{
	return mmu_walk(&v->vm->mmu, &v->mmu.regs, GVA(linear), access, false);
}

static bool is_tpr(struct vcpu *v, uint32_t linear)
{
	struct walk_result w = patch_walk(v, linear, (struct access){ .write = false });

	return w.ok && w.gpa.v == v->patch_watched;
}

/* Decoded, all of it in one page, and what it accesses is the TPR. */
static bool is_in_set(struct attempt *a)
{
	struct vcpu *v = a->v;
	uint64_t room = PAGE_SIZE - (a->rip & (PAGE_SIZE - 1));
	size_t n = min_u64(room, sizeof(a->bytes));
	struct walk_result w = patch_walk(v, a->rip, (struct access){ .fetch = true });

	a->at = w.gpa;
	a->user = w.user;
	return w.ok && mmu_guest_read(&v->vm->mmu, a->at, a->bytes, n) == n &&
	       patch_decode(a->bytes, (unsigned)n, &a->insn) &&
	       VM_LEFT_OUT_OR(PATCH_ADDRESS, is_tpr(v, a->insn.address));
}

/* It runs behind what is in front of it in memory, whether that was executed this time or not. */
static bool may_be_shadowed(const struct attempt *a)
{
	unsigned offset = (unsigned)(a->at.v & (PAGE_SIZE - 1)), here = (unsigned)min_u64(offset, PATCH_BEFORE);
	struct mmu_vm *mmu = &a->v->vm->mmu;
	uint8_t before[PATCH_BEFORE] = { 0 };

	mmu_guest_read(mmu, GPA(a->at.v - here), before + PATCH_BEFORE - here, here);
	if (here < PATCH_BEFORE) {
		struct access fetch = { .fetch = true };
		struct walk_result w = patch_walk(a->v, a->rip - PATCH_BEFORE, fetch);

		if (w.ok)
			mmu_guest_read(mmu, w.gpa, before, PATCH_BEFORE - here);
	}
	return patch_shadowed(before);
}

static struct patch_worn *worn(struct vm_patch *p, gfn_t gfn)
{
	for (unsigned n = 0; n < PATCH_WORN; n++)
		if (p->worn[n].times && p->worn[n].gfn.v == gfn.v)
			return &p->worn[n];
	return NULL;
}

/* Another patch that has bytes of this place: somebody jumps into the middle of one. */
static bool overlaps(const struct vm_patch *p, const struct attempt *a)
{
	unsigned first = (unsigned)(a->at.v & (PAGE_SIZE - 1));

	for (unsigned n = 0; n < PATCH_SITES; n++) {
		const struct patch_site *s = &p->site[n];

		if (s->live && s->gfn.v == gpa_gfn(a->at).v && first < (unsigned)s->offset + s->length &&
		    s->offset < first + a->insn.length)
			return true;
	}
	return false;
}

static bool is_usable_page(struct vm *vm, const struct attempt *a)
{
	uint64_t page = align_down(a->at.v, PAGE_SIZE);
	const struct patch_worn *w = worn(&vm->patch, gpa_gfn(a->at));

	return page != PATCH_CODE_GPA && page != PATCH_DATA_GPA &&
	       VM_LEFT_OUT_OR(PATCH_WORN_OUT, !w || w->times < WORN_MAX) && !overlaps(&vm->patch, a);
}

/* ---- pages ---- */

static void note_worn(struct vm_patch *p, gfn_t gfn)
{
	struct patch_worn *w = worn(p, gfn);

	if (!w) {
		w = &p->worn[p->worn_next++ % PATCH_WORN];
		*w = (struct patch_worn){ .gfn = gfn };
	}
	w->times = (uint8_t)min_u64(w->times + 1u, WORN_MAX);
}

static void forget_sites(struct vm_patch *p, gfn_t gfn)
{
	for (unsigned n = 0; n < PATCH_SITES; n++)
		if (p->site[n].gfn.v == gfn.v)
			p->site[n].live = false;
}

/* Overlays that are gone, by whatever the guest did. */
static void take_note(struct vm *vm)
{
	struct vm_patch *p = &vm->patch;

	for (unsigned n = 0; n < MMU_OVERLAYS_MAX; n++) {
		struct patch_page *page = &p->page[n];

		if (!page->used || mmu_overlaid(&vm->mmu, page->gfn))
			continue;
		page->used = false;
		forget_sites(p, page->gfn);
		note_worn(p, page->gfn);
	}
}

static struct patch_page *page_of(struct vm *vm, gfn_t gfn)
{
	struct vm_patch *p = &vm->patch;
	struct patch_page *free = NULL;

	for (unsigned n = 0; n < MMU_OVERLAYS_MAX; n++) {
		if (p->page[n].used && p->page[n].gfn.v == gfn.v)
			return &p->page[n];
		if (!p->page[n].used && !free)
			free = &p->page[n];
	}
	if (!free)
		return NULL;
	if (!free->frame.v) {
		hfn_t frame = frames_alloc();

		if (hfn_is_none(frame))
			return NULL;
		free->frame = frame;
	}
	free->gfn = gfn;
	free->used = mmu_overlay_set(&vm->mmu, gfn, free->frame);
	return free->used ? free : NULL;
}

static struct patch_site *free_site(struct vm_patch *p)
{
	for (unsigned n = 0; n < PATCH_SITES; n++)
		if (!p->site[n].live)
			return &p->site[n];
	return NULL;
}

/* ---- patching ---- */

/* The bytes that replace the instruction. false: there is no room for a stub. */
static bool replacement(struct vm *vm, const struct attempt *a, uint8_t *out)
{
	int n;

	if (a->insn.op == PATCH_READ) {
		patch_read(out, a->bytes, &a->insn, (uint32_t)(a->linear + PAGE_SIZE + PATCH_DATA_TPR));
		return true;
	}
	n = patch_stub_for(vm, &a->insn, a->linear);
	if (n >= 0) {
		uint32_t pointer = a->linear + PATCH_STUBS_AT + (unsigned)n * PATCH_STUB_ROOM;

		patch_call(out, &a->insn, a->rip, pointer + 4, pointer);
	}
	return n >= 0;
}

/* The VM is frozen. -1, or why not. */
static int patch_frozen(struct vm *vm, struct attempt *a)
{
	unsigned offset = (unsigned)(a->at.v & (PAGE_SIZE - 1));
	struct patch_site *site = free_site(&vm->patch);
	struct patch_page *page;
	uint8_t bytes[16];
	uint8_t *frame;

	if (!site || !replacement(vm, a, bytes))
		return PATCH_LEFT_room;
	page = page_of(vm, gpa_gfn(a->at));
	if (!page)
		return PATCH_LEFT_room;
	frame = frames_ptr(page->frame);
	if (memcmp(frame + offset, a->bytes, a->insn.length) != 0)
		return PATCH_LEFT_page;
	memcpy(frame + offset, bytes, a->insn.length);
	*site = (struct patch_site){ gpa_gfn(a->at), (uint16_t)offset, a->insn.length, true,
				     a->insn.op != PATCH_READ };
	vm->patch.linear = a->linear;
	if (!vm->mmu.watched)
		mmu_watch(&vm->mmu, true);
	vm->patch.made++;
	return -1;
}

/* -1, or why not. */
static int patch(struct vcpu *v, uint32_t rip)
{
	struct attempt a = { .v = v, .rip = rip };
	struct vm *vm = v->vm;
	int left;

	if (!is_in_set(&a))
		return PATCH_LEFT_form;
	if (VM_KEPT(PATCH_SHADOW, may_be_shadowed(&a)))
		return PATCH_LEFT_debug;
	take_note(vm);
	if (!is_usable_page(vm, &a))
		return PATCH_LEFT_page;
	a.linear = patch_linear(v, rip, a.at, a.user);
	if (!a.linear)
		return PATCH_LEFT_mapping;
	vm_freeze(vm);
	/* Whoever froze it before has perhaps chosen another method. */
	left = v->patch_watched == ~0ull ? PATCH_LEFT_mode : patch_frozen(vm, &a);
	vm_thaw(vm);
	return left;
}

static void say_once(struct vm *vm, int left)
{
	if (vm->patch.said)
		return;
	vm->patch.said = true;
	if (left < 0)
		console_log("%s: tpr patch: the stubs are at 0x%x", vm->config->name, vm->patch.linear);
	else
		console_log("%s: tpr patch: an access is left to the trap: %s", vm->config->name, left_words[left]);
}

/* PX8. */
static int patch_unless_left(struct vcpu *v, uint64_t rip)
{
	struct insn_cache *c = emulation_current(v);
	int left;

	if (c && c->left && c->left != 1 + PATCH_LEFT_mode && (++c->since || VM_LEFT_OUT_OR(PATCH_LEFT_AGAIN, false)))
		return c->left - 1;
	left = patch(v, (uint32_t)rip);
	v->vm->patch.unfit = (uint8_t)(1 + left);
	return left;
}

bool patch_try(struct vcpu *v)
{
	struct vm_patch *p = &v->vm->patch;
	int left;

	hvm_sync_paging(&v->hvm, &v->mmu);
	left = may_be_patched(v);
	p->unfit = left == PATCH_LEFT_mode ? 1 + PATCH_LEFT_mode : 0;
	if (left < 0)
		left = patch_unless_left(v, hvm_rip(&v->hvm));
	if (left != PATCH_LEFT_form)
		say_once(v->vm, left);
	if (left >= 0)
		p->left[left]++;
	return left < 0;
}

void patch_remember(struct vcpu *v, uint64_t rip)
{
	struct insn_cache *c = v->vm->patch.unfit ? emulation_decoded(v, rip) : NULL;

	if (!c)
		return;
	c->left = v->vm->patch.unfit;
	c->since = 0;
}

bool patch_left(struct vcpu *v, const struct insn_cache *c)
{
	struct insn_cache *mine = (struct insn_cache *)(uintptr_t)c;

	/* The kernel's own, with other segments, may be fit the next time; that is seen at once. */
	if (!c->left || VM_KEPT(PATCH_LEFT_AGAIN, c->since == UINT8_MAX) ||
	    VM_KEPT(PATCH_LEFT_MODE, c->left == 1 + PATCH_LEFT_mode && v->emulate.mode == EMULATE_PROT32 &&
					     !v->emulate.cpl))
		return false;
	mine->since++;
	v->vm->patch.left[c->left - 1]++;
	return true;
}

/* ---- undoing ---- */

/* PX8. */
static void forget_left(struct vm *vm)
{
	struct vcpu *v;

	for_each_vcpu(v, vm)
		for (unsigned n = 0; n < INSN_CACHE_SETS * INSN_CACHE_WAYS; n++)
			v->insn_cache[n / INSN_CACHE_WAYS][n % INSN_CACHE_WAYS].left = 0;
}

void patch_undo(struct vm *vm)
{
	struct vm_patch *p = &vm->patch;

	take_note(vm);
	VM_MUTANT(PATCH_UNDO, mmu_overlay_drop(&vm->mmu, GFN(0), ~0ull));
	for (unsigned n = 0; n < MMU_OVERLAYS_MAX; n++) {
		if (p->page[n].used)
			forget_sites(p, p->page[n].gfn);
		p->page[n].used = false;
	}
	VM_MUTANT(PATCH_LEFT_UNDONE, forget_left(vm));
}

void patch_aim_anew(struct vm *vm)
{
	struct vcpu *v;

	if (vm->patch.data)
		patch_undo(vm);
	for_each_vcpu(v, vm) {
		/* PX3: where nothing can be patched nothing is watched. */
		bool may_be = vm->tpr.method == CONFIG_TPR_PATCH && VM_LEFT_OUT_OR(PATCH_CPUS, vm->vcpu_count == 1) &&
			      lapic_mmio_active(&v->lapic);

		v->patch_watched = may_be ? lapic_base_gpa(&v->lapic) + APIC_TPR : ~0ull;
	}
}

uint64_t patch_live(const struct vm *vm)
{
	uint64_t live = 0;

	for (unsigned n = 0; n < PATCH_SITES; n++)
		for (unsigned i = 0; vm->patch.site[n].live && i < MMU_OVERLAYS_MAX && i < vm->mmu.overlays; i++)
			live += vm->mmu.overlay[i].gfn.v == vm->patch.site[n].gfn.v;
	return live;
}
