/* vm/exit/access.c - guest-virtual addresses for the hypervisor's own use (fetching an instruction, emulating one). */
#include "vm/vm.h"

static bool read_entry(void *ctx, gpa_t gpa, unsigned size, uint64_t *value)
{
	struct vm *vm = ctx;
	const void *p = mmu_guest_ptr(&vm->mmu, gpa, size, false);

	if (!p)
		return false;
	*value = size == 8 ? *(const uint64_t *)p : *(const uint32_t *)p;
	return true;
}

static bool update_entry(void *ctx, gpa_t gpa, unsigned size, uint64_t old, uint64_t new, bool *lost)
{
	struct vm *vm = ctx;
	void *p = mmu_guest_ptr(&vm->mmu, gpa, size, true);
	uint32_t old32 = (uint32_t)old;
	bool done;

	*lost = false;
	if (!p)
		return false;
	if (size == 8)
		done = __atomic_compare_exchange_n((uint64_t *)p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	else
		done = __atomic_compare_exchange_n((uint32_t *)p, &old32, (uint32_t) new, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	*lost = !done;
	if (done)
		mmu_guest_written(&vm->mmu, gpa, size);
	return done;
}

bool vcpu_translate(struct vcpu *v, gva_t gva, struct access access, gpa_t *gpa, uint32_t *error)
{
	struct walk_memory memory = { .read = read_entry, .update = update_entry, .ctx = v->vm };
	struct walk_result r;

	mmu_walk_linear(&v->vm->mmu, &memory);
	r = walk(&v->mmu.regs, &memory, gva, access, true);
	*gpa = r.gpa;
	*error = r.error;
	return r.ok;
}
