/* vm/tpr/patch_fault.c - page faults that a patch has brought upon the guest (PX5 in vm/tpr/patch.c): in an address
 * space that does not map the stubs, or where a stub cannot push. The write is begun anew by its original instruction.
 *
 * PX7 After it everything is as in front of the original: ESP, EAX, the flags and RIP. What is known of the stack is
 *     what the guest has there: only a return address that is right behind a patched write counts, and of the flags
 *     only those of arithmetic are taken. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

static bool find_gpa(struct vcpu *v, uint32_t linear, bool fetch, gpa_t *gpa)
{
	struct access access = { .fetch = fetch };
	struct walk_result w = patch_walk(v, linear, access);

	*gpa = w.gpa;
	return w.ok;
}

/* Word n of the stack. */
static bool stack_word(struct vcpu *v, unsigned n, uint32_t *word)
{
	uint32_t at = (uint32_t)hvm_rsp(&v->hvm) + 4 * n;
	gpa_t gpa;

	return (at & (PAGE_SIZE - 1)) <= PAGE_SIZE - 4 && find_gpa(v, at, false, &gpa) &&
	       mmu_guest_read(&v->vm->mmu, gpa, word, 4) == 4;
}

/* The patched write whose first, or last, byte is at linear. Those that were undone count, too. */
static const struct patch_site *site_at(struct vcpu *v, uint32_t linear, bool last)
{
	gpa_t gpa;

	if (!find_gpa(v, linear, true, &gpa))
		return NULL;
	for (unsigned n = 0; n < PATCH_SITES; n++) {
		const struct patch_site *s = &v->vm->patch.site[n];
		unsigned at = s->offset + (last ? s->length - 1u : 0);

		if (s->length && s->gfn.v == gpa_gfn(gpa).v && at == (gpa.v & (PAGE_SIZE - 1)) && (s->live || last))
			return s;
	}
	return NULL;
}

static void drop_page(struct vcpu *v, const struct patch_site *s) { mmu_overlay_drop(&v->vm->mmu, s->gfn, 1); }

/* PX7. stack: what the stub has pushed in front of where it is. */
static bool begin_anew(struct vcpu *v, const struct patch_stack *stack)
{
	uint32_t word[3] = { 0 };
	const struct patch_site *s;

	for (unsigned n = 0; n <= stack->words; n++)
		if (!stack_word(v, n, &word[n]))
			return false;
	s = site_at(v, word[stack->words] - 1, true);
	if (!s || !s->write)
		return false;
	if (stack->eax_at >= 0)
		v->hvm.gpr[GPR_RAX] = word[stack->eax_at];
	if (stack->flags_at >= 0)
		VM_MUTANT(PATCH_FLAGS, hvm_set_rflags(&v->hvm, (hvm_rflags(&v->hvm) & ~RFLAGS_STATUS) |
								       (word[stack->flags_at] & RFLAGS_STATUS)));
	hvm_set_rsp(&v->hvm, (uint32_t)hvm_rsp(&v->hvm) + 4 * (stack->words + 1u));
	hvm_set_rip(&v->hvm, word[stack->words] - s->length);
	drop_page(v, s);
	return true;
}

/* The stub, if any, that rip is in: what it has pushed there. */
static bool in_stub(const struct vm_patch *p, uint32_t rip, struct patch_stack *stack)
{
	for (unsigned n = 0; n < p->stubs; n++) {
		uint32_t at = p->stub[n].linear + PATCH_STUBS_AT + n * PATCH_STUB_ROOM + 4;

		if (rip - at < PATCH_STUB_MAX)
			return patch_stack_at(p->stub[n].key, rip - at, stack);
	}
	return false;
}

bool patch_fault(struct vcpu *v, uint64_t cr2)
{
	struct patch_stack stack = { 0, -1, -1 };
	uint32_t rip = (uint32_t)hvm_rip(&v->hvm);
	const struct patch_site *s;

	if (!v->vm->patch.data || (v->event.info & EVENT_VALID))
		return false;
	hvm_sync_paging(&v->hvm, &v->mmu);
	if (v->mmu.regs.cpl || (v->mmu.regs.efer & EFER_LMA))
		return false;
	if (in_stub(&v->vm->patch, rip, &stack))
		return begin_anew(v, &stack);
	/* It has called where another map of memory would have the stubs. */
	if (rip == (uint32_t)cr2 && begin_anew(v, &stack))
		return true;
	s = site_at(v, rip, false);
	if (s && mmu_overlaid(&v->vm->mmu, s->gfn)) {
		drop_page(v, s);
		return true;
	}
	return false;
}
