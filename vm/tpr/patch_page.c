/* vm/tpr/patch_page.c - the pages of the TPR by patching: stubs and data in an option ROM, where they are in the
 * guest's linear addresses, and the port that stubs write to. */
#include "vm/vm.h"

#include "host/memory/frames.h"
#include "lib/apic.h"
#include "lib/mutants/mutate.h"

#define HEADER_CHECKSUM 6
#define SEARCHES_MAX 3
#define BLOCKS_OF_512 (PAGE_SIZE / 512)
#define RETF 0xcb

/* ---- the ROM ---- */

static bool write_code(struct vm *vm, unsigned at, const void *data, size_t n)
{
	return mmu_guest_write(&vm->mmu, GPA(PATCH_CODE_GPA + at), data, n) == n;
}

/* Plug and Play BIOS Specification, "Option ROM Header": 55 AA, the length in blocks of 512 bytes, and behind it what a
 * firmware that looks for one calls. All its bytes have the sum 0. */
static void write_checksum(struct vm *vm)
{
	uint8_t bytes[PAGE_SIZE / 8], sum = 0;

	for (unsigned at = 0; at < PAGE_SIZE; at += sizeof(bytes)) {
		mmu_guest_read(&vm->mmu, GPA(PATCH_CODE_GPA + at), bytes, sizeof(bytes));
		for (unsigned n = 0; n < sizeof(bytes); n++)
			if (at + n != HEADER_CHECKSUM)
				sum = (uint8_t)(sum + bytes[n]);
	}
	sum = (uint8_t)-sum;
	write_code(vm, HEADER_CHECKSUM, &sum, 1);
}

static bool write_rom(struct vm *vm)
{
	static const uint8_t zeroes[PAGE_SIZE / 8];
	static const uint8_t header[] = { 0x55, 0xaa, BLOCKS_OF_512, RETF, 0, 0, 0, 0, 'V', 'e', 'l', 'l', 'u', 'm' };

	for (unsigned at = 0; at < 2 * PAGE_SIZE; at += sizeof(zeroes))
		if (!write_code(vm, at, zeroes, sizeof(zeroes)))
			return false;
	if (!write_code(vm, 0, header, sizeof(header)))
		return false;
	write_checksum(vm);
	return true;
}

/* ---- what stubs tell ---- */

/* Is v at the instruction of a stub that tells? In whatever map of memory it has found the stub, and at whatever level:
 * programs call them where the code that was patched is theirs, too. */
static bool is_at_tell(struct vcpu *v)
{
	const struct vm_patch *p = &v->vm->patch;
	uint32_t linear = (uint32_t)(hvm_segment_base(&v->hvm, SEG_CS) + hvm_rip(&v->hvm));
	uint64_t at;
	unsigned n;
	struct walk_result w;

	hvm_sync_paging(&v->hvm, &v->mmu);
	if (v->mmu.regs.efer & EFER_LMA)
		return false;
	w = patch_walk(v, linear, (struct access){ .fetch = true, .user = v->mmu.regs.cpl == 3 });
	at = w.gpa.v - (PATCH_CODE_GPA + PATCH_STUBS_AT);
	n = (unsigned)min_u64(at / PATCH_STUB_ROOM, PATCH_STUBS);
	return w.ok && n < p->stubs && at % PATCH_STUB_ROOM == 4u + p->stub[n].tell_at;
}

bool patch_told(struct vcpu *v)
{
	struct vm *vm = v->vm;

	if (likely(!vm->patch.stubs) || VM_KEPT(PATCH_TOLD, !is_at_tell(v)))
		return false;
	spin_lock(&vm->device_lock);
	VM_MUTANT(PATCH_LOWERED, lapic_tpr_lowered(&v->lapic));
	spin_unlock(&vm->device_lock);
	vm->patch.told++;
	exit_skip_access(v, HVM_TELL_LENGTH);
	return true;
}

/* ---- the method comes and goes ---- */

/* Where stubs find the TPR: in their data, or where the guest itself does. One that was interrupted and goes on when
 * the method is another so writes the register all the same, and not a byte that nobody looks at. */
static void aim_stubs(struct vm *vm, bool at_apic)
{
	for (unsigned n = 0; n < vm->patch.stubs; n++) {
		const struct patch_slot *s = &vm->patch.stub[n];
		uint32_t tpr = at_apic ? s->apic : (uint32_t)(s->linear + PAGE_SIZE + PATCH_DATA_TPR);

		for (unsigned i = 0; i < s->tprs; i++)
			write_code(vm, PATCH_STUBS_AT + n * PATCH_STUB_ROOM + 4 + s->tpr_at[i], &tpr, sizeof(tpr));
	}
	write_checksum(vm);
}

bool patch_begin(struct vm *vm)
{
	struct vm_patch *p = &vm->patch;

	if (!p->data) {
		if (firmware_given(vm) || (!VM_KEPT(PATCH_ROM_STAYS, p->rom) && !write_rom(vm)))
			return false;
		VM_MUTANT(PATCH_HELD, ram_hold(vm, gpa_gfn(GPA(PATCH_DATA_GPA)), 1));
		p->data = mmu_guest_ptr(&vm->mmu, GPA(PATCH_DATA_GPA), PAGE_SIZE, true);
		if (!p->data)
			return false;
		p->rom = true;
	}
	aim_stubs(vm, false);
	return true;
}

void patch_end(struct vm *vm)
{
	patch_undo(vm);
	VM_MUTANT(PATCH_AIM, aim_stubs(vm, true));
	vm->patch.data[PATCH_DATA_THRESHOLD] = 0;
	mmu_watch(&vm->mmu, false);
}

void patch_free(struct vm *vm)
{
	for (unsigned n = 0; n < MMU_OVERLAYS_MAX; n++)
		if (VM_KEPT(RELEASE_OVERLAYS, vm->patch.page[n].frame.v))
			frames_free(vm->patch.page[n].frame, 1);
}

/* ---- where the guest maps it ---- */

struct view {
	struct vcpu *v;
	bool user; /* a page that programs can reach will do: that of the code is one, too */
};

static bool maps(const struct view *p, uint32_t linear, uint64_t gpa, struct access access)
{
	struct walk_result w = patch_walk(p->v, linear, access);

	return w.ok && w.gpa.v == gpa && (!w.user || p->user);
}

/* The kernel's only, its code executable and its data writable: as v's tables are now. */
static bool is_mapped(const struct view *p, uint32_t linear)
{
	return linear < 0xffffe000u && maps(p, linear, PATCH_CODE_GPA, (struct access){ .fetch = true }) &&
	       maps(p, (uint32_t)(linear + PAGE_SIZE), PATCH_DATA_GPA, (struct access){ .write = true });
}

#define KERNEL_HALF 0x80000000u

/* Wherever a map of memory as it lies would have it that begins at a large page's boundary; the kernel's half first. A
 * few thousand walks at most. */
static uint32_t search(const struct view *p)
{
	if (p->v->vm->patch.searches++ >= SEARCHES_MAX)
		return 0;
	for (uint32_t at = KERNEL_HALF;;) {
		if (is_mapped(p, (uint32_t)(at + PATCH_CODE_GPA)))
			return (uint32_t)(at + PATCH_CODE_GPA);
		at += 1u << PAGING_SHIFT(2);
		if (at == KERNEL_HALF)
			return 0;
	}
}

/* Code that lies in a map of all low memory finds the stubs at the same distance in any other such map. */
uint32_t patch_linear(struct vcpu *v, uint32_t rip, gpa_t gpa, bool user)
{
	struct view p = { v, user };
	uint32_t known = v->vm->patch.linear, beside = (uint32_t)(rip - gpa.v + PATCH_CODE_GPA);

	if (known && VM_LEFT_OUT_OR(PATCH_MAPPED, is_mapped(&p, known)))
		return known;
	if (is_mapped(&p, beside))
		return beside;
	if (is_mapped(&p, (uint32_t)PATCH_CODE_GPA))
		return (uint32_t)PATCH_CODE_GPA;
	return search(&p);
}

/* ---- stubs ---- */

static bool write_stub(struct vm *vm, unsigned n, const struct patch_stub *stub, uint32_t linear)
{
	unsigned at = PATCH_STUBS_AT + n * PATCH_STUB_ROOM;
	uint32_t pointer = linear + at + 4;

	if (!write_code(vm, at, &pointer, 4) || !write_code(vm, at + 4, stub->code, stub->length))
		return false;
	write_checksum(vm);
	return true;
}

/* A stub stays what it is for good: somebody may have been interrupted in it. */
int patch_stub_for(struct vm *vm, const struct patch_insn *insn, uint32_t linear)
{
	struct vm_patch *p = &vm->patch;
	struct patch_key key = patch_key_of(insn);
	uint32_t data = (uint32_t)(linear + PAGE_SIZE);
	struct patch_stub stub;

	for (unsigned n = 0; n < p->stubs; n++)
		if (patch_key_same(p->stub[n].key, key) && p->stub[n].linear == linear)
			return (int)n;
	if (p->stubs == PATCH_STUBS)
		return -1;
	patch_stub(&stub, key, data + PATCH_DATA_TPR, data + PATCH_DATA_THRESHOLD);
	if (!write_stub(vm, p->stubs, &stub, linear))
		return -1;
	p->stub[p->stubs] = (struct patch_slot){ key, linear, insn->address, { stub.tpr_at[0], stub.tpr_at[1] },
						 stub.tprs, stub.tell_at };
	return (int)p->stubs++;
}
