/* vm/exit/emulation_ops.c - what the instruction emulator asks for: guest memory and devices by linear address, segment
 * and descriptor-table registers, ports, and the CPU itself for FPU and vector instructions.
 *
 * Absent memory reads as all ones, and what is written to it is lost; instructions fetched from where no memory is are
 * ones too, which are no instruction: #UD. */
#include "vm/exit/emulation.h"

#include "vm/device/console.h"
#include "host/cpu/insn_slot.h"
#include "lib/mutants/mutate.h"

static struct vcpu *vcpu_of(struct emulate *e) { return e->opaque; }

static enum emulate_access page_fault(struct emulate *e, uint64_t linear, uint32_t error)
{
	e->exception =
		(struct emulate_exception){ .vector = VECTOR_PF, .has_error = true, .error = error, .cr2 = linear };
	return EMULATE_ACCESS_FAULT;
}

bool vcpu_translate(struct vcpu *v, gva_t gva, struct access access, gpa_t *gpa, uint32_t *error)
{
	return mmu_translate(&v->mmu, gva, access, 0, gpa, error);
}

bool emulation_translate(struct emulate *e, uint64_t linear, unsigned how, bool fetch, gpa_t *gpa, uint32_t *error)
{
	struct vcpu *v = vcpu_of(e);
	bool system = how & EMULATE_HOW_SYSTEM, write = how & EMULATE_HOW_WRITE;
	struct access access = {
		.write = write,
		.fetch = fetch,
		.user = VM_KEPT(USER_ACCESS, e->cpl == 3 && !system),
		.implicit = system,
	};

	if (system)
		v->fault_known = false;
	if (v->fault_known && !fetch && VM_LEFT_OUT_OR(EMULATE_RIGHTS, v->fault_write || !write) &&
	    VM_LEFT_OUT_OR(KNOWN_PAGE, linear >> PAGE_SHIFT == v->fault_page.v >> PAGE_SHIFT)) {
		*gpa = GPA(v->fault_gpa.v | (linear & (PAGE_SIZE - 1)));
		return true;
	}
	return vcpu_translate(v, GVA(linear), access, gpa, error);
}

static enum emulate_access fetch(struct emulate *e, uint64_t linear, void *buf, unsigned n)
{
	struct vm *vm = vcpu_of(e)->vm;
	uint32_t error;
	gpa_t gpa;

	if (!emulation_translate(e, linear, 0, true, &gpa, &error))
		return page_fault(e, linear, error);
	if (mmu_guest_read(&vm->mmu, gpa, buf, n) == n)
		return EMULATE_ACCESS_OK;
	if (emulation_is_memory(vm, gpa, false))
		return EMULATE_ACCESS_UNHANDLEABLE;
	memset(buf, 0xff, n);
	return EMULATE_ACCESS_OK;
}

/* ---- memory and devices ---- */

bool emulation_is_memory(struct vm *vm, gpa_t gpa, bool write)
{
	const struct slot *s = slots_find(&vm->mmu.slots, gpa_gfn(gpa));

	return s && (s->kind == SLOT_RAM || (s->kind == SLOT_ROM && !write));
}

/* A device takes 1, 2, 4 or 8 bytes at a time; other sizes go in pieces. */
static unsigned device_piece(uint64_t gpa, unsigned left)
{
	unsigned size = 8;

	while (size > left || VM_KEPT(DEVICE_ALIGNED, (gpa & (size - 1))))
		size /= 2;
	return size;
}

static void device_read(struct vcpu *v, uint64_t gpa, void *buf, unsigned size)
{
	if (likely(size == 4 && !(gpa & 3))) {
		uint32_t value = (uint32_t)platform_mmio_read(v, gpa, 4);

		memcpy(buf, &value, 4);
		return;
	}
	for (unsigned done = 0, n; done < size; done += n) {
		uint64_t value;

		n = device_piece(gpa + done, size - done);
		value = platform_mmio_read(v, gpa + done, n);
		memcpy((uint8_t *)buf + done, &value, n);
	}
}

static void device_write(struct vcpu *v, uint64_t gpa, const void *buf, unsigned size)
{
	if (likely(size == 4 && !(gpa & 3))) {
		uint32_t value;

		memcpy(&value, buf, 4);
		platform_mmio_write(v, gpa, 4, value);
		return;
	}
	for (unsigned done = 0, n; done < size; done += n) {
		uint64_t value = 0;

		n = device_piece(gpa + done, size - done);
		memcpy(&value, (const uint8_t *)buf + done, n);
		platform_mmio_write(v, gpa + done, n, value);
	}
}

/* Is gpa memory for the instruction that is emulated? Of the page of its fault the heart may have told. */
static inline bool is_memory(struct vcpu *v, gpa_t gpa, bool write)
{
	if (v->emulated_mmio && (gpa.v ^ v->fault_gpa.v) < PAGE_SIZE)
		return false;
	/* A local APIC that lies over memory is in front of it, for its own CPU. */
	if (unlikely(v->vm->tpr.over_memory) && VM_KEPT(OVER_MEMORY, platform_is_lapic(v, gpa.v)))
		return false;
	return emulation_is_memory(v->vm, gpa, write);
}

static enum emulate_access read_memory(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how)
{
	struct vcpu *v = vcpu_of(e);
	uint32_t error;
	gpa_t gpa;

	if (!emulation_translate(e, linear, how, false, &gpa, &error))
		return page_fault(e, linear, error);
	if (unlikely(v->breakpoints) && breakpoints_on_data(v, linear, size, false))
		e->interrupted = true;
	if (is_memory(v, gpa, false))
		return mmu_guest_read(&v->vm->mmu, gpa, buf, size) == size ? EMULATE_ACCESS_OK
									   : EMULATE_ACCESS_UNHANDLEABLE;
	device_read(v, gpa.v, buf, size);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access write_memory(struct emulate *e, uint64_t linear, const void *buf, unsigned size,
					unsigned how)
{
	struct vcpu *v = vcpu_of(e);
	uint32_t error;
	gpa_t gpa;

	if (!emulation_translate(e, linear, how | EMULATE_HOW_WRITE, false, &gpa, &error))
		return page_fault(e, linear, error);
	if (unlikely(v->breakpoints) && breakpoints_on_data(v, linear, size, true))
		e->interrupted = true;
	if (is_memory(v, gpa, true))
		return mmu_guest_write(&v->vm->mmu, gpa, buf, size) == size ? EMULATE_ACCESS_OK
									    : EMULATE_ACCESS_UNHANDLEABLE;
	device_write(v, gpa.v, buf, size);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access probe(struct emulate *e, uint64_t linear, unsigned size, unsigned how)
{
	uint32_t error;
	gpa_t gpa;

	(void)size;
	if (!emulation_translate(e, linear, how, false, &gpa, &error))
		return page_fault(e, linear, error);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access cmpxchg(struct emulate *e, uint64_t linear, void *expected, const void *desired,
				   unsigned size, bool *done)
{
	struct vcpu *v = vcpu_of(e);
	uint32_t error;
	gpa_t gpa;

	if (!emulation_translate(e, linear, EMULATE_HOW_WRITE, false, &gpa, &error))
		return page_fault(e, linear, error);
	if (unlikely(v->breakpoints) && breakpoints_on_data(v, linear, size, true))
		e->interrupted = true;
	if (!is_memory(v, gpa, true)) {
		/* A device is not asked again: what it was read as need not be what it would say now. */
		device_write(v, gpa.v, desired, size);
		*done = true;
		return EMULATE_ACCESS_OK;
	}
	if (!mmu_guest_exchange(&v->vm->mmu, gpa, expected, desired, size, done))
		return EMULATE_ACCESS_UNHANDLEABLE;
	return EMULATE_ACCESS_OK;
}

static void load_segment(struct emulate *e, enum emulate_seg n)
{
	struct segment_state s = hvm_segment(&vcpu_of(e)->hvm, (enum segment)n);

	e->seg[n] = (struct emulate_segment){ s.base, s.limit, s.access, s.selector };
	e->seg_valid |= (uint8_t)(1u << n);
}

static enum emulate_access io_in(struct emulate *e, uint16_t port, unsigned size, uint32_t *value)
{
	struct vcpu *v = vcpu_of(e);

	spin_lock(&v->vm->device_lock);
	*value = pio_in(&v->vm->pio, port, size);
	spin_unlock(&v->vm->device_lock);
	if (unlikely(v->vm->input_waiting))
		platform_feed_uart(v->vm);
	if (unlikely(v->breakpoints) && breakpoints_on_port(v, port, size))
		e->interrupted = true;
	return EMULATE_ACCESS_OK;
}

static enum emulate_access io_out(struct emulate *e, uint16_t port, unsigned size, uint32_t value)
{
	struct vcpu *v = vcpu_of(e);

	spin_lock(&v->vm->device_lock);
	pio_out(&v->vm->pio, port, size, value);
	spin_unlock(&v->vm->device_lock);
	if (unlikely(v->breakpoints) && breakpoints_on_port(v, port, size))
		e->interrupted = true;
	return EMULATE_ACCESS_OK;
}

/* Between memory and a device that has elements ready, by a buffer. */
static enum emulate_access io_string(struct emulate *e, uint16_t port, unsigned size, uint64_t linear, uint32_t count,
				     bool in, uint32_t *done)
{
	struct vcpu *v = vcpu_of(e);
	uint8_t buffer[SECTOR_SIZE];
	uint32_t error;
	gpa_t gpa;

	*done = 0;
	if (!emulation_translate(e, linear, in ? EMULATE_HOW_WRITE : 0, false, &gpa, &error))
		return page_fault(e, linear, error);
	if (v->breakpoints || VM_KEPT(STRING_DEVICE, !is_memory(v, gpa, in)))
		return EMULATE_ACCESS_OK;
	count = (uint32_t)min_u64(count, sizeof(buffer) / size);
	if (!in && mmu_guest_read(&v->vm->mmu, gpa, buffer, count * size) != count * size)
		return EMULATE_ACCESS_OK;
	spin_lock(&v->vm->device_lock);
	*done = in ? pio_in_string(&v->vm->pio, port, size, buffer, count)
		   : pio_out_string(&v->vm->pio, port, size, buffer, count);
	spin_unlock(&v->vm->device_lock);
	if (in && *done)
		mmu_guest_write(&v->vm->mmu, gpa, buffer, *done * size);
	return EMULATE_ACCESS_OK;
}

/* ---- registers ---- */

static enum emulate_access read_dtr(struct emulate *e, enum emulate_dtr which, struct emulate_segment *s)
{
	const struct hvm_vcpu *v = &vcpu_of(e)->hvm;
	struct segment_state r;

	if (which == EMULATE_GDTR || which == EMULATE_IDTR) {
		struct table_register t = which == EMULATE_GDTR ? hvm_gdtr(v) : hvm_idtr(v);

		*s = (struct emulate_segment){ .base = t.base, .limit = t.limit };
		return EMULATE_ACCESS_OK;
	}
	r = hvm_segment(v, which == EMULATE_LDTR ? SEG_LDTR : SEG_TR);
	*s = (struct emulate_segment){ r.base, r.limit, r.access, r.selector };
	return EMULATE_ACCESS_OK;
}

static enum emulate_access write_dtr(struct emulate *e, enum emulate_dtr which, const struct emulate_segment *s)
{
	struct segment_state r = { s->selector, s->limit, s->access, s->base };
	struct hvm_vcpu *v = &vcpu_of(e)->hvm;

	switch (which) {
	case EMULATE_GDTR:
		hvm_set_gdtr(v, (struct table_register){ s->base, s->limit });
		break;
	case EMULATE_IDTR:
		hvm_set_idtr(v, (struct table_register){ s->base, s->limit });
		break;
	default:
		hvm_set_segment(v, which == EMULATE_LDTR ? SEG_LDTR : SEG_TR, &r);
		break;
	}
	return EMULATE_ACCESS_OK;
}

/* The guest's FPU and vector registers are in the CPU. */
static enum emulate_access native(struct emulate *e, struct emulate_native *n)
{
	struct insn_registers s = {
		.rax = n->rax,
		.rcx = n->rcx,
		.rdx = n->rdx,
		.rbx = n->rbx,
		.rflags = n->rflags,
		.rdi = (uintptr_t)n->operand,
	};
	unsigned vector = insn_run(n->code, n->length, &s);

	if (vector) {
		e->exception = (struct emulate_exception){ .vector = (uint8_t)vector };
		return EMULATE_ACCESS_FAULT;
	}
	n->rax = s.rax;
	n->rcx = s.rcx;
	n->rdx = s.rdx;
	n->rbx = s.rbx;
	n->rflags = s.rflags;
	n->rip = s.rip;
	return EMULATE_ACCESS_OK;
}

/* All that is not an access to data. */
#define OPS_BESIDE_DATA \
	.fetch = fetch, \
	.probe = probe, \
	.fill = emulation_fill, \
	.copy = emulation_copy, \
	.load_segment = load_segment, \
	.io_in = io_in, \
	.io_out = io_out, \
	.io_string = io_string, \
	.native = native, \
	.read_cr = emulation_read_cr, \
	.write_cr = emulation_write_cr, \
	.read_dr = emulation_read_dr, \
	.write_dr = emulation_write_dr, \
	.read_msr = emulation_read_msr, \
	.write_msr = emulation_write_msr, \
	.invlpg = emulation_invlpg, \
	.cpuid = emulation_cpuid, \
	.rdtsc = emulation_rdtsc, \
	.read_dtr = read_dtr, \
	.write_dtr = write_dtr

const struct emulate_ops emulation_ops = {
	.read = read_memory,
	.write = write_memory,
	.cmpxchg = cmpxchg,
	OPS_BESIDE_DATA,
};

const struct emulate_ops emulation_known_ops = {
	.read = known_read,
	.write = known_write,
	.cmpxchg = known_cmpxchg,
	OPS_BESIDE_DATA,
};
