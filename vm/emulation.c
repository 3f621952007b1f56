/* vm/emulation.c - between the virtual CPU and the instruction emulator: registers in and out, memory and ports for it. */
#include "vm/vm.h"

#define RFLAGS_VM BIT(17)
#define RFLAGS_RF BIT(16)
#define REP_LIMIT_TABLE 4
#define UNPROTECTED_MAX 10000

static struct vcpu *vcpu_of(struct emulate *e) { return e->opaque; }

static enum emulate_access page_fault(struct emulate *e, uint64_t linear, uint32_t error)
{
	e->exception = (struct emulate_exception){ .vector = 14, .has_error = true, .error = error, .cr2 = linear };
	return EMULATE_ACCESS_FAULT;
}

/* The exit itself told what the faulting page translates to; anything else is walked. */
static bool translate(struct emulate *e, uint64_t linear, unsigned how, bool fetch, gpa_t *gpa, uint32_t *error)
{
	struct vcpu *v = vcpu_of(e);
	bool system = how & EMULATE_HOW_SYSTEM;
	struct access access = {
		.write = how & EMULATE_HOW_WRITE,
		.fetch = fetch,
		.user = e->cpl == 3 && !system,
		.implicit = system,
	};

	if (v->fault_known && !fetch && linear >> PAGE_SHIFT == v->fault_page.v >> PAGE_SHIFT) {
		*gpa = GPA(v->fault_gpa.v | (linear & (PAGE_SIZE - 1)));
		return true;
	}
	return vcpu_translate(v, GVA(linear), access, gpa, error);
}

static enum emulate_access fetch(struct emulate *e, uint64_t linear, void *buf, unsigned n)
{
	uint32_t error;
	gpa_t gpa;

	if (!translate(e, linear, 0, true, &gpa, &error))
		return page_fault(e, linear, error);
	return mmu_guest_read(&vcpu_of(e)->vm->mmu, gpa, buf, n) == n ? EMULATE_ACCESS_OK : EMULATE_ACCESS_UNHANDLEABLE;
}

static bool is_memory(struct vm *vm, gpa_t gpa, bool write)
{
	const struct slot *s = slots_find(&vm->mmu.slots, gpa_gfn(gpa));

	return s && (s->kind == SLOT_RAM || (s->kind == SLOT_ROM && !write));
}

/* A device takes 1, 2, 4 or 8 bytes at a time; other sizes go in pieces. */
static unsigned device_piece(uint64_t gpa, unsigned left)
{
	unsigned size = 8;

	while (size > left || (gpa & (size - 1)))
		size /= 2;
	return size;
}

static void device_read(struct vcpu *v, uint64_t gpa, void *buf, unsigned size)
{
	for (unsigned done = 0, n; done < size; done += n) {
		uint64_t value;

		n = device_piece(gpa + done, size - done);
		value = platform_mmio_read(v, gpa + done, n);
		memcpy((uint8_t *)buf + done, &value, n);
	}
}

static void device_write(struct vcpu *v, uint64_t gpa, const void *buf, unsigned size)
{
	for (unsigned done = 0, n; done < size; done += n) {
		uint64_t value = 0;

		n = device_piece(gpa + done, size - done);
		memcpy(&value, (const uint8_t *)buf + done, n);
		platform_mmio_write(v, gpa + done, n, value);
	}
}

static enum emulate_access read_memory(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how)
{
	struct vcpu *v = vcpu_of(e);
	uint32_t error;
	gpa_t gpa;

	if (!translate(e, linear, how, false, &gpa, &error))
		return page_fault(e, linear, error);
	if (is_memory(v->vm, gpa, false))
		return mmu_guest_read(&v->vm->mmu, gpa, buf, size) == size ? EMULATE_ACCESS_OK : EMULATE_ACCESS_UNHANDLEABLE;
	device_read(v, gpa.v, buf, size);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access write_memory(struct emulate *e, uint64_t linear, const void *buf, unsigned size, unsigned how)
{
	struct vcpu *v = vcpu_of(e);
	uint32_t error;
	gpa_t gpa;

	if (!translate(e, linear, how | EMULATE_HOW_WRITE, false, &gpa, &error))
		return page_fault(e, linear, error);
	if (is_memory(v->vm, gpa, true))
		return mmu_guest_write(&v->vm->mmu, gpa, buf, size) == size ? EMULATE_ACCESS_OK : EMULATE_ACCESS_UNHANDLEABLE;
	device_write(v, gpa.v, buf, size);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access probe(struct emulate *e, uint64_t linear, unsigned size, unsigned how)
{
	uint32_t error;
	gpa_t gpa;

	(void)size;
	return translate(e, linear, how, false, &gpa, &error) ? EMULATE_ACCESS_OK : page_fault(e, linear, error);
}

/* Compares and exchanges *p as the CPU would, atomically. */
static bool exchange(void *p, void *expected, const void *desired, unsigned size)
{
	switch (size) {
	case 1:
		return __atomic_compare_exchange((uint8_t *)p, (uint8_t *)expected, (uint8_t *)desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	case 2:
		return __atomic_compare_exchange((uint16_t *)p, (uint16_t *)expected, (uint16_t *)desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	case 4:
		return __atomic_compare_exchange((uint32_t *)p, (uint32_t *)expected, (uint32_t *)desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	default:
		return __atomic_compare_exchange((uint64_t *)p, (uint64_t *)expected, (uint64_t *)desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
}

static bool exchange16(void *p, void *expected, const void *desired)
{
	uint64_t *want = expected;
	const uint64_t *with = desired;
	bool done;

	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz"(done), "+m"(*(unsigned __int128 *)p), "+a"(want[0]), "+d"(want[1])
			 : "b"(with[0]), "c"(with[1]) : "memory");
	return done;
}

/* A locked access to a device is a read and a write, with nothing in between that could be locked out. */
static enum emulate_access device_exchange(struct vcpu *v, uint64_t gpa, void *expected, const void *desired, unsigned size, bool *done)
{
	uint8_t now[16];

	device_read(v, gpa, now, size);
	*done = !memcmp(now, expected, size);
	if (*done)
		device_write(v, gpa, desired, size);
	else
		memcpy(expected, now, size);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access cmpxchg(struct emulate *e, uint64_t linear, void *expected, const void *desired, unsigned size, bool *done)
{
	struct vcpu *v = vcpu_of(e);
	uint32_t error;
	gpa_t gpa;
	void *p;

	if (!translate(e, linear, EMULATE_HOW_WRITE, false, &gpa, &error))
		return page_fault(e, linear, error);
	if (!is_memory(v->vm, gpa, true))
		return device_exchange(v, gpa.v, expected, desired, size, done);
	p = mmu_guest_ptr(&v->vm->mmu, gpa, size, true);
	if (!p || (size == 16 && (gpa.v & 15)))
		return EMULATE_ACCESS_UNHANDLEABLE;
	*done = size == 16 ? exchange16(p, expected, desired) : exchange(p, expected, desired, size);
	mmu_guest_written(&v->vm->mmu, gpa, size);
	return EMULATE_ACCESS_OK;
}

static void load_segment(struct emulate *e, enum emulate_seg n)
{
	struct segment_state s = vmx_get_segment((enum segment)n);

	e->seg[n] = (struct emulate_segment){ s.base, s.limit, s.access, s.selector };
	e->seg_valid |= (uint8_t)(1u << n);
}

static enum emulate_access io_in(struct emulate *e, uint16_t port, unsigned size, uint32_t *value)
{
	struct vm *vm = vcpu_of(e)->vm;

	spin_lock(&vm->device_lock);
	*value = pio_in(&vm->pio, port, size);
	spin_unlock(&vm->device_lock);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access io_out(struct emulate *e, uint16_t port, unsigned size, uint32_t value)
{
	struct vm *vm = vcpu_of(e)->vm;

	spin_lock(&vm->device_lock);
	pio_out(&vm->pio, port, size, value);
	spin_unlock(&vm->device_lock);
	return EMULATE_ACCESS_OK;
}

/* The I/O permission bitmap was found to allow the port by the CPU itself, before the exit. */
static enum emulate_access io_allowed(struct emulate *e, uint16_t port, unsigned size, bool *allowed)
{
	(void)e;
	(void)port;
	(void)size;
	*allowed = true;
	return EMULATE_ACCESS_OK;
}

#define VECTOR_CASES(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

static enum emulate_access get_vector(struct emulate *e, unsigned n, void *buf, unsigned size)
{
	bool wide = size == 32;

	(void)e;
	switch (n) {
#define X(i) \
	case i: \
		if (wide) \
			__asm__ volatile("vmovdqu %%ymm" #i ", (%0)" : : "r"(buf) : "memory"); \
		else \
			__asm__ volatile("movdqu %%xmm" #i ", (%0)" : : "r"(buf) : "memory"); \
		return EMULATE_ACCESS_OK;
	VECTOR_CASES(X)
#undef X
	default:
		return EMULATE_ACCESS_UNHANDLEABLE;
	}
}

static enum emulate_access set_vector(struct emulate *e, unsigned n, const void *buf, unsigned size, bool clear_upper)
{
	bool wide = size == 32;

	(void)e;
	switch (n) {
#define X(i) \
	case i: \
		if (wide) \
			__asm__ volatile("vmovdqu (%0), %%ymm" #i : : "r"(buf) : "memory"); \
		else if (clear_upper) \
			__asm__ volatile("vmovdqu (%0), %%xmm" #i : : "r"(buf) : "memory"); \
		else \
			__asm__ volatile("movdqu (%0), %%xmm" #i : : "r"(buf) : "memory"); \
		return EMULATE_ACCESS_OK;
	VECTOR_CASES(X)
#undef X
	default:
		return EMULATE_ACCESS_UNHANDLEABLE;
	}
}

static const struct emulate_ops ops = {
	.fetch = fetch,
	.read = read_memory,
	.write = write_memory,
	.probe = probe,
	.cmpxchg = cmpxchg,
	.load_segment = load_segment,
	.io_in = io_in,
	.io_out = io_out,
	.io_allowed = io_allowed,
	.get_vector = get_vector,
	.set_vector = set_vector,
};

static enum emulate_mode mode_of(const struct vcpu *v, uint64_t rflags)
{
	uint32_t cs = (uint32_t)vmread(VMCS_GUEST_CS_ACCESS);

	if (!(v->mmu.regs.cr0 & CR0_PE))
		return EMULATE_REAL;
	if (rflags & RFLAGS_VM)
		return EMULATE_V86;
	if ((v->mmu.regs.efer & EFER_LMA) && (cs & EMULATE_SEG_L))
		return EMULATE_LONG64;
	return cs & EMULATE_SEG_DB ? EMULATE_PROT32 : EMULATE_PROT16;
}

static void fill(struct vcpu *v)
{
	struct emulate *e = &v->emulate;

	vmx_sync_paging(&v->vmx, &v->mmu);
	v->vmx.gpr[GPR_RSP] = vmread(VMCS_GUEST_RSP);
	e->ops = &ops;
	e->opaque = v;
	e->gpr = v->vmx.gpr;
	e->rip = vmread(VMCS_GUEST_RIP);
	e->rflags = vmread(VMCS_GUEST_RFLAGS);
	e->cr0 = v->mmu.regs.cr0;
	e->cr4 = v->mmu.regs.cr4;
	e->efer = v->mmu.regs.efer;
	e->xcr0 = v->xcr0;
	e->features = v->vm->cpuid.emulate_features;
	e->mode = (uint8_t)mode_of(v, e->rflags);
	e->cpl = v->mmu.regs.cpl;
	e->seg_valid = 0;
	e->seg_dirty = 0;
}

/* The registers, after an instruction or a part of a repeated one. */
static void take_over(struct vcpu *v)
{
	struct emulate *e = &v->emulate;

	vmwrite(VMCS_GUEST_RSP, v->vmx.gpr[GPR_RSP]);
	vmwrite(VMCS_GUEST_RIP, e->rip);
	vmwrite(VMCS_GUEST_RFLAGS, e->rflags & ~RFLAGS_RF);
	for (unsigned n = 0; e->seg_dirty && n < EMULATE_SEGS; n++) {
		struct segment_state s = { e->seg[n].selector, e->seg[n].limit, e->seg[n].access, e->seg[n].base };

		if (e->seg_dirty & 1u << n)
			vmx_set_segment((enum segment)n, &s);
	}
}

static void finish(struct vcpu *v)
{
	uint64_t blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(BLOCKING_STI | BLOCKING_MOV_SS);

	take_over(v);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking | v->emulate.shadow);
	if (v->emulate.single_step)
		vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | BIT(14));
}

static void deliver(struct vcpu *v, const struct emulate_exception *x)
{
	static const uint32_t types[] = {
		[EMULATE_HARDWARE_EXCEPTION] = INFO_TYPE_HARDWARE_EXCEPTION,
		[EMULATE_SOFTWARE_INTERRUPT] = INFO_TYPE_SOFTWARE_INTERRUPT,
		[EMULATE_SOFTWARE_EXCEPTION] = INFO_TYPE_SOFTWARE_EXCEPTION,
		[EMULATE_PRIVILEGED_SOFTWARE_EXCEPTION] = INFO_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION,
	};

	if (x->kind == EMULATE_HARDWARE_EXCEPTION) {
		if (x->vector == 14)
			event_page_fault(v, x->error, x->cr2);
		else
			event_exception(v, x->vector, x->has_error, x->error);
		return;
	}
	v->event = (struct event){ (uint32_t)(INFO_VALID | types[x->kind] | x->vector), 0, x->length };
	v->requests |= REQUEST_EVENT;
}

/* The same instruction with the same registers, so often in a row? It is translated through the table that it accesses: each time, the table
 * is protected again before the instruction has run. */
static bool without_end(struct vcpu *v)
{
	uint64_t state = v->emulate.rip;

	for (unsigned n = 0; n < EMULATE_GPRS; n++)
		state = (state << 7 | state >> 57) ^ v->vmx.gpr[n];
	v->unprotected_count = state == v->unprotected_state ? v->unprotected_count + 1 : 0;
	v->unprotected_state = state;
	return v->unprotected_count > UNPROTECTED_MAX;
}

/* An instruction that cannot be emulated on a guest's page table runs on the CPU, once the table is no longer protected. */
static bool run_unprotected(struct vcpu *v)
{
	return v->emulated_fault && !without_end(v) && mmu_unshadow(&v->vm->mmu, v->emulated_gpa);
}

static void give_up(struct vcpu *v, const char *what)
{
	const struct emulate *e = &v->emulate;
	char bytes[3 * 15 + 1] = "";

	for (unsigned i = 0; i < e->length && i < 15; i++) {
		static const char digit[] = "0123456789abcdef";

		bytes[3 * i] = ' ';
		bytes[3 * i + 1] = digit[e->bytes[i] >> 4];
		bytes[3 * i + 2] = digit[e->bytes[i] & 15];
		bytes[3 * i + 3] = '\0';
	}
	vm_end(v->vm, VM_STATUS_STOPPED, "stopped: %s at rip 0x%lx:%s", what, e->rip, bytes);
}

static void conclude(struct vcpu *v, enum emulate_result result)
{
	switch (result) {
	case EMULATE_OK:
		finish(v);
		break;
	case EMULATE_RESTART:
		take_over(v);
		break;
	case EMULATE_HALT:
		finish(v);
		v->halted = true;
		v->requests |= REQUEST_EVENT;
		break;
	case EMULATE_EXCEPTION:
		take_over(v);
		deliver(v, &v->emulate.exception);
		break;
	case EMULATE_UNKNOWN:
		if (!run_unprotected(v))
			give_up(v, "an instruction that Vellum does not emulate");
		break;
	case EMULATE_UNHANDLEABLE:
		if (run_unprotected(v))
			break;
		give_up(v, v->emulate.length ? "an access that Vellum cannot carry out" :
			   "the guest executes from memory that is not there");
		break;
	}
}

/* The instruction's bytes as they are now: true if they and the mode are those of the cached one. */
static bool still_there(struct vcpu *v, const struct insn_cache *c)
{
	struct emulate *e = &v->emulate;
	uint64_t linear;

	if (c->rip != e->rip || c->mode != e->mode || !c->insn.length)
		return false;
	if (e->mode != EMULATE_LONG64)
		load_segment(e, EMULATE_CS);
	linear = e->mode == EMULATE_LONG64 ? e->rip : (uint32_t)(e->rip + e->seg[EMULATE_CS].base);
	if ((linear & (PAGE_SIZE - 1)) + c->insn.length > PAGE_SIZE)
		return false;
	return fetch(e, linear, e->bytes, c->insn.length) == EMULATE_ACCESS_OK && !memcmp(e->bytes, c->bytes, c->insn.length);
}

static void remember(struct vcpu *v, struct insn_cache *c, uint64_t rip)
{
	const struct emulate *e = &v->emulate;

	c->rip = rip;
	c->mode = e->mode;
	memcpy(c->bytes, e->bytes, sizeof(c->bytes));
	if (emulate_decode(e->bytes, e->length, (enum emulate_mode)e->mode, &c->insn) != INSN_OK)
		c->insn.length = 0;
}

/* A repeated instruction that writes a guest's page table wipes it: a few writes tell the heart that it is a table no longer, and the CPU
 * does the rest by itself. */
static uint32_t rep_limit(const struct vcpu *v)
{
	return v->emulated_fault && v->vm->mmu.ops->unshadow && is_memory(v->vm, v->emulated_gpa, true) ? REP_LIMIT_TABLE : 0;
}

void emulation_step(struct vcpu *v)
{
	struct emulate *e = &v->emulate;
	struct insn_cache *c;
	enum emulate_result result;
	uint64_t rip;

	fill(v);
	e->rep_limit = rep_limit(v);
	e->length = 0;
	rip = e->rip;
	c = &v->insn_cache[(rip ^ rip >> 4) % INSN_CACHE_SIZE];
	if (likely(still_there(v, c))) {
		e->length = c->insn.length;
		result = emulate_execute(e, &c->insn);
	} else {
		result = emulate_step(e);
		if (result == EMULATE_OK)
			remember(v, c, rip);
	}
	conclude(v, result);
}
