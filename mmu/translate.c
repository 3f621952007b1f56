/* mmu/translate.c - linear addresses for the hypervisor's own use (the instruction emulator's), of which the same few
 * come again and again: a walk is remembered with what it read.
 *
 * S18 A remembered walk answers only where a new one would say the same: the same registers, the same kind of access,
 *     the same slots, and in memory the very entries that the walk read or left, flags and all. So nobody has to tell
 *     when the guest changes its tables. Who numbers the states of the registers, and never gives a number to two,
 *     spares the look at each of them.
 * S19 It is remembered only where its entries lie in memory that stays where it is (slot.linear), or does so until the
 *     slots' generation is raised (slot.block). */
#include "mmu/inside.h"
#include "mmu/mutate.h"
#include "mmu/recall.h"

void mmu_forget(struct mmu_vcpu *vcpu)
{
	for (unsigned n = 0; n < ARRAY_SIZE(vcpu->memo); n++) {
		vcpu->memo[n].page = MEMO_NONE;
		vcpu->memo[n].noted = ++vcpu->noted;
	}
}

/* What the walk and the rights of the access depend on, beside PDPTEs. */
static inline bool same_registers(const struct walk_memo *m, const struct walk_regs *r)
{
	return m->cr3 == r->cr3 && m->cr0 == r->cr0 && m->cr4 == r->cr4 && m->efer == r->efer && m->pkru == r->pkru &&
	       m->ac == r->ac && m->cpl == r->cpl;
}

static void note(struct mmu_vcpu *vcpu, struct walk_memo *m, gva_t gva, struct access a, const struct walk_result *w)
{
	const struct walk_regs *r = &vcpu->regs;

	*m = (struct walk_memo){ .page = MEMO_NONE, .noted = ++vcpu->noted,
				 .cr0 = r->cr0, .cr3 = r->cr3, .cr4 = r->cr4, .efer = r->efer,
				 .pkru = r->pkru, .ac = r->ac, .cpl = r->cpl, .access = a,
				 .entry_size = walk_mode(r) == PAGING_32BIT ? 4 : 8,
				 .generation = vcpu->vm->slots.generation, .gpa = align_down(w->gpa.v, PAGE_SIZE) };
	for (unsigned i = 0, n = 0; i < w->count; i++) {
		const struct walk_entry *e = &w->entry[i];
		const void *p;

		if (e->gpa.v == ~0ull) {
			m->pdpte = e->value;
			continue;
		}
		slots_find(&vcpu->vm->slots, gpa_gfn(e->gpa));
		p = slots_linear(&vcpu->vm->slots, e->gpa, false);
		if (!p)
			return; /* S19 */
		m->entry[n++] = (struct walk_memo_entry){ p, e->value };
	}
	m->page = gva.v >> PAGE_SHIFT;
}

static __attribute__((noinline)) bool walk_anew(struct mmu_vcpu *vcpu, struct walk_memo *m, gva_t gva,
						struct access access, gpa_t *gpa, uint32_t *error)
{
	struct walk_result w = mmu_walk(vcpu->vm, &vcpu->regs, gva, access, true);

	*gpa = w.gpa;
	*error = w.error;
	if (w.ok)
		note(vcpu, m, gva, access, &w);
	return w.ok;
}

bool mmu_translate(struct mmu_vcpu *vcpu, gva_t gva, struct access access, uint64_t number, gpa_t *gpa,
		   uint32_t *error)
{
	uint64_t page = gva.v >> PAGE_SHIFT;
	struct walk_memo *m = access.fetch ? memo_of_fetch(vcpu, page) : memo_of_data(vcpu, page, access.write);
	bool ok;

	__asm__("" : "+r"(m)); /* the compiler would compute it twice */
	ok = memo_is(m, page, access) && MUTANT_OR(MEMO_REGISTERS, same_registers(m, &vcpu->regs)) &&
	     memo_stands(vcpu, m);
	if (likely(ok))
		*gpa = GPA(m->gpa | (gva.v & (PAGE_SIZE - 1)));
	else
		ok = walk_anew(vcpu, m, gva, access, gpa, error);
	if (MUTANT_OR(MEMO_NUMBERED, ok))
		m->number = number;
	return ok;
}
