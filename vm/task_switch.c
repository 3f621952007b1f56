/* vm/task_switch.c - hardware task switches, all of which exit. 32-bit kernels still have one: the double fault, whose gate leads
 * to a task with a stack of its own. SDM, "Task Switching" and, for what the CPU has checked before the exit, "Treatment of Task
 * Switches".
 *
 * First everything is looked up and checked, then it is done, which cannot fail. That is one deviation from the SDM: descriptors
 * that the new task's segments do not allow raise their exception in the old task, and they are looked up in its address space. */
#include "vm/vm.h"

#define TSS_BYTES 104u
#define TSS_LINK 0
#define TSS_CR3 0x1c
#define TSS_EIP 0x20
#define TSS_EFLAGS 0x24
#define TSS_GPR 0x28
#define TSS_SELECTOR 0x48 /* ES, CS, SS, DS, FS, GS, LDT: the order of enum segment */
#define TSS_TRAP 0x64

#define SOURCE_CALL 0u
#define SOURCE_IRET 1u
#define SOURCE_JMP 2u
#define SOURCE_GATE 3u

#define VECTOR_DB 1
#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define FLAG_NT BIT(14)
#define FLAG_VM BIT(17)
#define DR6_BT BIT(15)
#define DR7_LOCAL 0x155ull /* L0 to L3, LE */

#define DESCRIPTOR_ACCESSED BIT(40)
#define DESCRIPTOR_BUSY BIT(41)
#define DESCRIPTOR_S BIT(44)
#define TYPE_LDT 2u
#define TYPE_TSS32 9u
#define TYPE_CODE 8u
#define TYPE_CONFORMING 4u
#define TYPE_READ_WRITE 2u
#define ACCESS_NULL EMULATE_SEG_UNUSABLE
#define ACCESS_V86 0xf3u
#define SELECTOR_TI 4u

/* Guest memory that is about to be used: at most two pages. */
struct span {
	gpa_t gpa[2];
	unsigned n[2];
};

struct new_segment {
	struct segment_state state;
	struct span descriptor; /* n[0] = 0: nothing to mark as accessed */
	uint64_t raw;
};

struct task {
	struct vcpu *v;
	unsigned source;
	uint16_t selector;
	bool has_error; /* of the event that came through a gate */
	uint32_t error;
	uint32_t resume; /* EIP of the old task */
	uint8_t old_tss[TSS_BYTES], new_tss[TSS_BYTES];
	struct span old, new, old_descriptor, new_descriptor;
	uint64_t old_raw, new_raw;
	struct segment_state tr;
	struct new_segment segment[7]; /* ES to GS, LDTR */
};

static uint32_t get32(const uint8_t *tss, unsigned offset)
{
	uint32_t v;

	memcpy(&v, tss + offset, sizeof(v));
	return v;
}

static void put32(uint8_t *tss, unsigned offset, uint32_t v) { memcpy(tss + offset, &v, sizeof(v)); }

/* ---- memory ---- */

/* false: a page fault has been queued. */
static bool find(struct vcpu *v, uint32_t linear, unsigned n, bool write, struct span *s)
{
	struct access access = { .write = write, .implicit = true };
	unsigned first = (unsigned)min_u64(n, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
	uint32_t error;

	*s = (struct span){ .n = { first, n - first } };
	for (unsigned i = 0, done = 0; i < 2 && s->n[i]; done += s->n[i++])
		if (!vcpu_translate(v, GVA((uint32_t)(linear + done)), access, &s->gpa[i], &error)) {
			event_page_fault(v, error, (uint32_t)(linear + done));
			return false;
		}
	return true;
}

static void copy_in(struct vcpu *v, const struct span *s, void *to)
{
	memset(to, 0xff, s->n[0] + s->n[1]); /* as what is not memory reads */
	mmu_guest_read(&v->vm->mmu, s->gpa[0], to, s->n[0]);
	if (s->n[1])
		mmu_guest_read(&v->vm->mmu, s->gpa[1], (uint8_t *)to + s->n[0], s->n[1]);
}

static void copy_out(struct vcpu *v, const struct span *s, const void *from)
{
	mmu_guest_write(&v->vm->mmu, s->gpa[0], from, s->n[0]);
	if (s->n[1])
		mmu_guest_write(&v->vm->mmu, s->gpa[1], (const uint8_t *)from + s->n[0], s->n[1]);
}

/* ---- descriptors ---- */

static bool refuse(struct task *t, uint8_t vector, uint16_t selector)
{
	/* An event that software did not ask for makes it external. */
	bool external = t->source == SOURCE_GATE && !t->v->event.length;

	event_exception(t->v, vector, true, (selector & ~3u) | external);
	return false;
}

/* write: it will be changed. */
static bool read_descriptor(struct task *t, uint16_t selector, const struct segment_state *ldt, bool write, uint64_t *raw,
			    struct span *where)
{
	uint32_t base = (uint32_t)vmread(VMCS_GUEST_GDTR_BASE), limit = (uint32_t)vmread(VMCS_GUEST_GDTR_LIMIT), at = selector & ~7u;

	if (selector & SELECTOR_TI) {
		if (ldt->access & EMULATE_SEG_UNUSABLE)
			return refuse(t, VECTOR_TS, selector);
		base = (uint32_t)ldt->base;
		limit = ldt->limit;
	}
	if (at + 7 > limit)
		return refuse(t, VECTOR_TS, selector);
	if (!find(t->v, base + at, 8, write, where))
		return false;
	copy_in(t->v, where, raw);
	/* Only one that was never used will be marked. */
	return write || !(*raw & DESCRIPTOR_S) || (*raw & DESCRIPTOR_ACCESSED) || find(t->v, base + at, 8, true, where);
}

static struct segment_state unpack(uint16_t selector, uint64_t raw)
{
	struct segment_state s = {
		.selector = selector,
		.limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000)),
		.access = (uint32_t)(raw >> 40 & 0xf0ff),
		.base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000),
	};

	if (s.access & EMULATE_SEG_G)
		s.limit = s.limit << 12 | 0xfff;
	return s;
}

static unsigned dpl_of(const struct segment_state *s) { return s->access >> EMULATE_SEG_DPL_SHIFT & 3; }

/* May segment register n of a task of this CPL hold it? SDM, "Task Switching", the table of checks. */
static bool segment_allowed(const struct segment_state *s, enum segment n, unsigned cpl)
{
	unsigned type = s->access & EMULATE_SEG_TYPE, rpl = s->selector & 3, dpl = dpl_of(s);
	bool code = type & TYPE_CODE;

	if (!(s->access & EMULATE_SEG_S))
		return false;
	if (n == SEG_CS)
		return code && ((type & TYPE_CONFORMING) ? dpl <= rpl : dpl == rpl);
	if (n == SEG_SS)
		return !code && (type & TYPE_READ_WRITE) && dpl == cpl && rpl == cpl;
	if (code && !(type & TYPE_READ_WRITE))
		return false;
	return (code && (type & TYPE_CONFORMING)) || (dpl >= cpl && dpl >= rpl);
}

static bool prepare_segment(struct task *t, enum segment n, uint16_t selector, unsigned cpl)
{
	struct new_segment *s = &t->segment[n];

	*s = (struct new_segment){ .state = { .selector = selector, .access = ACCESS_NULL } };
	if (!(selector & ~3u))
		return (n != SEG_CS && n != SEG_SS) || refuse(t, VECTOR_TS, selector);
	if (!read_descriptor(t, selector, &t->segment[SEG_LDTR].state, false, &s->raw, &s->descriptor))
		return false;
	s->state = unpack(selector, s->raw);
	if (!segment_allowed(&s->state, n, cpl))
		return refuse(t, VECTOR_TS, selector);
	if (!(s->state.access & EMULATE_SEG_P))
		return refuse(t, n == SEG_SS ? VECTOR_SS : VECTOR_NP, selector);
	s->state.access |= 1; /* accessed */
	return true;
}

static bool prepare_ldt(struct task *t, uint16_t selector)
{
	struct new_segment *s = &t->segment[SEG_LDTR];
	struct span where;

	*s = (struct new_segment){ .state = { .selector = selector, .access = ACCESS_NULL } };
	if (!(selector & ~3u))
		return true;
	if (selector & SELECTOR_TI)
		return refuse(t, VECTOR_TS, selector);
	if (!read_descriptor(t, selector, NULL, false, &s->raw, &where))
		return false;
	s->state = unpack(selector, s->raw);
	if ((s->state.access & (EMULATE_SEG_TYPE | EMULATE_SEG_S)) != TYPE_LDT || !(s->state.access & EMULATE_SEG_P))
		return refuse(t, VECTOR_TS, selector);
	return true;
}

static bool prepare_segments(struct task *t)
{
	bool v86 = get32(t->new_tss, TSS_EFLAGS) & FLAG_VM;
	unsigned cpl = t->new_tss[TSS_SELECTOR + 4 * SEG_CS] & 3;

	if (!prepare_ldt(t, (uint16_t)get32(t->new_tss, TSS_SELECTOR + 4 * SEG_LDTR)))
		return false;
	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		uint16_t selector = (uint16_t)get32(t->new_tss, TSS_SELECTOR + 4 * n);

		if (v86)
			t->segment[n].state = (struct segment_state){ selector, 0xffff, ACCESS_V86, (uint64_t)selector << 4 };
		else if (!prepare_segment(t, n, selector, cpl))
			return false;
	}
	return true;
}

/* ---- both tasks ---- */

static bool unsupported(struct task *t, const char *what)
{
	vm_end(t->v->vm, VM_STATUS_STOPPED, "stopped: hardware task switch %s at rip 0x%lx, which Vellum does not carry out", what,
	       vmread(VMCS_GUEST_RIP));
	return false;
}

static bool prepare_old(struct task *t)
{
	struct segment_state tr = vmx_get_segment(SEG_TR);

	if ((tr.access & EMULATE_SEG_TYPE & ~2u) != TYPE_TSS32)
		return unsupported(t, "from a 16-bit TSS");
	if (!read_descriptor(t, tr.selector, NULL, true, &t->old_raw, &t->old_descriptor))
		return false;
	if (!find(t->v, (uint32_t)tr.base, TSS_BYTES, true, &t->old))
		return false;
	copy_in(t->v, &t->old, t->old_tss);
	return true;
}

static bool prepare_new(struct task *t)
{
	bool busy;

	if ((t->selector & SELECTOR_TI) || !(t->selector & ~7u))
		return refuse(t, VECTOR_TS, t->selector);
	if (!read_descriptor(t, t->selector, NULL, true, &t->new_raw, &t->new_descriptor))
		return false;
	t->tr = unpack(t->selector, t->new_raw);
	if ((t->tr.access & (EMULATE_SEG_S | EMULATE_SEG_TYPE) & ~2u) != TYPE_TSS32)
		return unsupported(t, "to what is no 32-bit TSS");
	busy = t->tr.access & 2;
	if (busy != (t->source == SOURCE_IRET))
		return refuse(t, t->source == SOURCE_IRET ? VECTOR_TS : 13, t->selector);
	if (!(t->tr.access & EMULATE_SEG_P))
		return refuse(t, VECTOR_NP, t->selector);
	if (t->tr.limit < TSS_BYTES - 1)
		return refuse(t, VECTOR_TS, t->selector);
	if (!find(t->v, (uint32_t)t->tr.base, TSS_BYTES, true, &t->new))
		return false;
	copy_in(t->v, &t->new, t->new_tss);
	t->tr.access |= 2;
	return prepare_segments(t);
}

/* ---- doing it ---- */

static void save_old(struct task *t)
{
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS);

	if (t->source == SOURCE_IRET)
		rflags &= ~FLAG_NT;
	put32(t->old_tss, TSS_EIP, t->resume);
	put32(t->old_tss, TSS_EFLAGS, (uint32_t)rflags);
	t->v->vmx.gpr[GPR_RSP] = vmread(VMCS_GUEST_RSP);
	for (unsigned n = 0; n < 8; n++)
		put32(t->old_tss, TSS_GPR + 4 * n, (uint32_t)t->v->vmx.gpr[n]);
	for (enum segment n = SEG_ES; n <= SEG_GS; n++)
		put32(t->old_tss, TSS_SELECTOR + 4 * n, vmx_get_segment(n).selector);
	copy_out(t->v, &t->old, t->old_tss);
	if (t->source == SOURCE_JMP || t->source == SOURCE_IRET) {
		t->old_raw &= ~DESCRIPTOR_BUSY;
		copy_out(t->v, &t->old_descriptor, &t->old_raw);
	}
}

static void enter_new(struct task *t)
{
	bool nests = t->source == SOURCE_CALL || t->source == SOURCE_GATE;
	uint64_t rflags = (get32(t->new_tss, TSS_EFLAGS) & 0x3f7fd7) | 2;

	if (nests) {
		put32(t->new_tss, TSS_LINK, vmx_get_segment(SEG_TR).selector);
		copy_out(t->v, &t->new, t->new_tss);
		rflags |= FLAG_NT;
	}
	t->new_raw |= DESCRIPTOR_BUSY;
	copy_out(t->v, &t->new_descriptor, &t->new_raw);
	for (unsigned n = 0; n < 8; n++)
		t->v->vmx.gpr[n] = get32(t->new_tss, TSS_GPR + 4 * n);
	vmwrite(VMCS_GUEST_RSP, t->v->vmx.gpr[GPR_RSP]);
	vmwrite(VMCS_GUEST_RIP, get32(t->new_tss, TSS_EIP));
	vmwrite(VMCS_GUEST_RFLAGS, rflags);
	for (enum segment n = SEG_ES; n <= SEG_LDTR; n++) {
		struct new_segment *s = &t->segment[n];

		if (s->descriptor.n[0] && !(s->raw & DESCRIPTOR_ACCESSED)) {
			s->raw |= DESCRIPTOR_ACCESSED;
			copy_out(t->v, &s->descriptor, &s->raw);
		}
		vmx_set_segment(n, &s->state);
	}
	vmx_set_segment(SEG_TR, &t->tr);
	vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_LOCAL);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(BLOCKING_STI | BLOCKING_MOV_SS));
}

/* The error code of the exception that the gate was for goes onto the new task's stack; a fault there is the new task's. */
static void push_error(struct task *t)
{
	const struct segment_state *ss = &t->segment[SEG_SS].state;
	bool wide = ss->access & EMULATE_SEG_DB;
	uint32_t esp = (uint32_t)vmread(VMCS_GUEST_RSP), to = wide ? esp - 4 : (esp & 0xffff0000) | ((esp - 4) & 0xffff);
	struct span s;

	vmx_sync_paging(&t->v->vmx, &t->v->mmu);
	if (!find(t->v, (uint32_t)(ss->base + (wide ? to : to & 0xffff)), 4, true, &s))
		return;
	copy_out(t->v, &s, &t->error);
	vmwrite(VMCS_GUEST_RSP, to);
}

/* What the exit tells of the switch; takes the event that caused it. */
static void describe(struct task *t, struct vcpu *v)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION), info = vmread(VMCS_IDT_VECTORING_INFO);
	bool software;

	t->v = v;
	t->selector = (uint16_t)q;
	t->source = q >> 30 & 3;
	exit_requeue_event(v);
	software = t->source != SOURCE_GATE || v->event.length;
	t->resume = (uint32_t)(vmread(VMCS_GUEST_RIP) + (software ? vmread(VMCS_EXIT_INSTRUCTION_LENGTH) : 0));
	t->has_error = t->source == SOURCE_GATE && (info & INFO_VALID) && (info & INFO_HAS_ERROR);
	t->error = v->event.error;
}

/* The new task wants a #DB before its first instruction. The guest's DR6 is in the CPU (vm/fpu.c). */
static void trap_into(struct vcpu *v)
{
	write_dr6(read_dr6() | DR6_BT);
	event_exception(v, VECTOR_DB, false, 0);
}

void exit_task_switch(struct vcpu *v)
{
	struct task t = { 0 };
	bool nmi;

	describe(&t, v);
	vmx_sync_paging(&v->vmx, &v->mmu);
	if (!prepare_old(&t) || !prepare_new(&t))
		return;
	nmi = t.source == SOURCE_GATE && (v->event.info & INFO_TYPE) == INFO_TYPE_NMI && (v->event.info & INFO_VALID);
	if ((v->mmu.regs.cr0 & CR0_PG) && !cr_write(v, 3, get32(t.new_tss, TSS_CR3)))
		return;
	if (t.source == SOURCE_GATE)
		v->event.info = 0; /* delivered */
	save_old(&t);
	enter_new(&t);
	cr_write(v, 0, v->mmu.regs.cr0 | BIT(3)); /* TS */
	if (nmi)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
	if (t.has_error)
		push_error(&t);
	if (t.new_tss[TSS_TRAP] & 1)
		trap_into(v);
}
