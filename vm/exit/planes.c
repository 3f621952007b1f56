/* vm/exit/planes.c - accesses to the display's planes, each of which exits: one that an instruction makes by itself,
 * and those of repeated strings, many at once. */
#include "vm/exit/decoded.h"

#include "lib/mutants/mutate.h"

/* Bytes that are filled, or copied, at once. */
#define PIECE 512u

/* Does a CPU's local APIC lie over one of the bytes? It is in front of them then. */
static inline bool meets_lapic(const struct vcpu *v, gpa_t gpa, unsigned size)
{
	return gpa.v + size - 1 - lapic_base_gpa(&v->lapic) < PAGE_SIZE + size - 1;
}

/* Is it the planes', all of size bytes, and not memory of the guest's own? size: not 0. */
static inline bool is_planes(const struct vcpu *v, gpa_t gpa, unsigned size)
{
	const struct vm_video *video = v->vm->video;

	return video && gpa.v - VGA_APERTURE <= VGA_APERTURE_SIZE - size &&
	       video->place.plain != VGA_PLAIN_APERTURE && !VM_KEPT(PLANES_APIC, meets_lapic(v, gpa, size));
}

static uint32_t in_aperture(gpa_t gpa) { return (uint32_t)(gpa.v - VGA_APERTURE); }

/* What is no MOV of one byte. */
static __attribute__((noinline)) bool serve(struct vcpu *v, const struct insn_cache *c, gpa_t gpa)
{
	struct vga *vga = &v->vm->video->stdvga.vga;
	unsigned size = c->size;
	uint64_t value = 0;

	if (!is_planes(v, gpa, size) || VM_KEPT(PLANES_PUSH, decoded_on_stack(c)))
		return false;
	spin_lock(&v->vm->device_lock);
	if (c->plain < INSN_PLAIN_STORE || c->plain == INSN_PLAIN_CHANGE)
		value = vga_aperture.read(vga, in_aperture(gpa), size);
	value = decoded_on_value(v, c, value);
	if (decoded_writes(c))
		vga_aperture.write(vga, in_aperture(gpa), size, value);
	spin_unlock(&v->vm->device_lock);
	return true;
}

static ALWAYS_INLINE void move_byte(struct vcpu *v, const struct insn_cache *c, gpa_t gpa)
{
	struct vga *vga = &v->vm->video->stdvga.vga;
	uint8_t *reg = (uint8_t *)v->hvm.gpr + c->byte;

	spin_lock(&v->vm->device_lock);
	if (c->plain == INSN_PLAIN_READ)
		*reg = vga_memory_read(vga, in_aperture(gpa));
	else
		vga_memory_write(vga, in_aperture(gpa), *reg);
	spin_unlock(&v->vm->device_lock);
	exit_skip_access_to(v, v->emulate.rip + c->insn.length, v->emulate.rflags);
}

static ALWAYS_INLINE bool served(struct vcpu *v, const struct insn_cache *c, gpa_t gpa)
{
	if (unlikely(c->byte == INSN_NONE))
		return serve(v, c, gpa);
	move_byte(v, c, gpa);
	return true;
}

/* The operand leads there, and has passed all of the guest's own checks. */
static ALWAYS_INLINE bool access_served(struct vcpu *v, gpa_t gpa)
{
	struct insn_cache *c = is_planes(v, gpa, 1) ? decoded_quick(v) : NULL;
	uint64_t operand = likely(c) ? decoded_operand_again(v, c, decoded_linear(v, c)) : MEMO_NONE;

	return likely(operand != MEMO_NONE && !VM_KEPT(PLANES_OPERAND, operand != gpa.v)) && served(v, c, gpa);
}

void exit_planes(struct vcpu *v, gpa_t gpa)
{
	if (likely(access_served(v, gpa)))
		mmu_count_known_mmio(&v->mmu, MMU_FAULT_EPT_MISCONFIG);
	else
		exit_other_misconfig(v, gpa);
}

bool planes_fault_served(struct vcpu *v, gva_t gva)
{
	struct insn_cache *c = decoded_quick(v);
	uint64_t gpa, linear;

	if (!c)
		return false;
	linear = decoded_linear(v, c);
	gpa = VM_KEPT(PLANES_FAULT, linear != gva.v) ? MEMO_NONE : decoded_operand_again(v, c, linear);
	if (gpa == MEMO_NONE || !is_planes(v, GPA(gpa), 1) || !served(v, c, GPA(gpa)))
		return false;
	mmu_count_known_mmio(&v->mmu, MMU_FAULT_PAGE);
	return true;
}

/* ---- strings ---- */

/* No breakpoint is to be seen, and an access as the instruction makes it leads to gpa. */
static bool leads_to(struct emulate *e, uint64_t linear, unsigned how, gpa_t *gpa)
{
	const struct vcpu *v = e->opaque;
	uint32_t error;

	return v->vm->video && !VM_KEPT(PLANES_BREAKPOINT, v->breakpoints) &&
	       emulation_translate(e, linear, how, false, gpa, &error);
}

unsigned emulation_fill(struct emulate *e, uint64_t to, uint64_t value, unsigned size, unsigned count)
{
	struct vm *vm = ((struct vcpu *)e->opaque)->vm;
	gpa_t gpa;

	count = (unsigned)min_u64(count, PIECE / size);
	if (!leads_to(e, to, EMULATE_HOW_WRITE, &gpa) || !is_planes(e->opaque, gpa, size * count))
		return 0;
	spin_lock(&vm->device_lock);
	vga_fill(&vm->video->stdvga.vga, in_aperture(gpa), value, size, count);
	spin_unlock(&vm->device_lock);
	return count;
}

static unsigned from_memory(struct vm *vm, gpa_t to, gpa_t from, unsigned bytes)
{
	uint8_t piece[PIECE];

	if (mmu_guest_read(&vm->mmu, from, piece, bytes) != bytes)
		return 0;
	spin_lock(&vm->device_lock);
	for (unsigned n = 0; n < bytes; n++)
		vga_memory_write(&vm->video->stdvga.vga, in_aperture(to) + n, piece[n]);
	spin_unlock(&vm->device_lock);
	return bytes;
}

static unsigned to_memory(struct vm *vm, gpa_t to, gpa_t from, unsigned bytes)
{
	uint8_t piece[PIECE];

	if (VM_KEPT(PLANES_TO_ROM, !emulation_is_memory(vm, to, true)))
		return 0;
	spin_lock(&vm->device_lock);
	for (unsigned n = 0; n < bytes; n++)
		piece[n] = vga_memory_read(&vm->video->stdvga.vga, in_aperture(from) + n);
	spin_unlock(&vm->device_lock);
	return (unsigned)mmu_guest_write(&vm->mmu, to, piece, bytes);
}

static unsigned within(struct vm *vm, gpa_t to, gpa_t from, unsigned size, unsigned count)
{
	struct vga *vga = &vm->video->stdvga.vga;

	spin_lock(&vm->device_lock);
	for (unsigned n = 0; n < size * count; n += size)
		vga_aperture.write(vga, in_aperture(to) + n, size,
				   vga_aperture.read(vga, in_aperture(from) + n, size));
	spin_unlock(&vm->device_lock);
	return size * count;
}

unsigned emulation_copy(struct emulate *e, uint64_t to, uint64_t from, unsigned size, unsigned count)
{
	struct vm *vm = ((struct vcpu *)e->opaque)->vm;
	bool to_planes, from_planes;
	gpa_t target, source;

	count = (unsigned)min_u64(count, PIECE / size);
	if (!leads_to(e, from, 0, &source) || !leads_to(e, to, EMULATE_HOW_WRITE, &target))
		return 0;
	to_planes = is_planes(e->opaque, target, size * count);
	from_planes = is_planes(e->opaque, source, size * count);
	if (to_planes && from_planes)
		return within(vm, target, source, size, count) / size;
	if (to_planes)
		return from_memory(vm, target, source, size * count) / size;
	return from_planes ? to_memory(vm, target, source, size * count) / size : 0;
}
