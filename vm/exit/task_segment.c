/* vm/exit/task_segment.c - the segment registers of a task that has been switched to: the descriptors behind its
 * selectors are looked up, checked and loaded. SDM, "Task Switching", the table of checks: what is wrong here is an
 * exception of the new task, in its address space, which finds the registers that come after it not loaded. */
#include "vm/exit/task.h"

#include "lib/descriptor.h"
#include "lib/mutants/mutate.h"

/* ---- memory ---- */

/* false: a page fault has been queued. */
bool task_find(struct vcpu *v, uint32_t linear, unsigned n, struct access access, struct span *s)
{
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

void task_copy_in(struct vcpu *v, const struct span *s, void *to)
{
	memset(to, 0xff, s->n[0] + s->n[1]); /* as what is not memory reads */
	mmu_guest_read(&v->vm->mmu, s->gpa[0], to, s->n[0]);
	if (s->n[1])
		mmu_guest_read(&v->vm->mmu, s->gpa[1], (uint8_t *)to + s->n[0], s->n[1]);
}

void task_copy_out(struct vcpu *v, const struct span *s, const void *from)
{
	mmu_guest_write(&v->vm->mmu, s->gpa[0], from, s->n[0]);
	if (s->n[1])
		mmu_guest_write(&v->vm->mmu, s->gpa[1], (const uint8_t *)from + s->n[0], s->n[1]);
}

/* ---- descriptors ---- */

bool task_refuse(struct task *t, uint8_t vector, uint16_t selector)
{
	/* An event that software did not ask for makes it external (SDM, "Error Code"). */
	bool external = VM_KEPT(TASK_EXTERNAL, t->source == HVM_TASK_GATE) && !t->v->event.length;

	event_exception(t->v, vector, true, (selector & ~SELECTOR_RPL) | (external ? ERROR_EXT : 0));
	return false;
}

bool task_descriptor(struct task *t, uint16_t selector, bool write, uint64_t *raw, struct span *where)
{
	struct table_register gdt = hvm_gdtr(&t->v->hvm);
	uint32_t base = (uint32_t)gdt.base, limit = gdt.limit, at = selector & SELECTOR_INDEX;

	if (selector & SELECTOR_TI) { /* the limit of one that is not there is 0 */
		struct segment_state ldt = hvm_segment(&t->v->hvm, SEG_LDTR);

		base = (uint32_t)ldt.base;
		limit = ldt.limit;
	}
	/* SDM, "Invalid TSS Conditions": a selector beyond its table. */
	if (VM_KEPT(TASK_TABLE_LIMIT, at + 7 > limit))
		return task_refuse(t, VECTOR_TS, selector);
	if (!task_find(t->v, base + at, 8, write ? TASK_WRITES : TASK_READS, where))
		return false;
	task_copy_in(t->v, where, raw);
	/* Only one that was never used will be marked. */
	return write || !(*raw & DESCRIPTOR_S) || (*raw & DESCRIPTOR_ACCESSED) ||
	       VM_LEFT_OUT_OR(TASK_MARKED, task_find(t->v, base + at, 8, TASK_WRITES, where));
}

struct segment_state task_unpack(uint16_t selector, uint64_t raw)
{
	return (struct segment_state){ selector, descriptor_limit(raw), descriptor_access(raw), descriptor_base(raw) };
}

/* May segment register n of a task of this CPL hold it? SDM, "Task Switching", table "Exception Conditions Checked
 * During a Task Switch". */
static bool segment_allowed(const struct segment_state *s, enum segment n, unsigned cpl)
{
	unsigned type = s->access & SEGMENT_TYPE, rpl = s->selector & SELECTOR_RPL, dpl = access_dpl(s->access);
	bool code = type & TYPE_CODE;

	if (VM_KEPT(SEGMENT_SYSTEM, !(s->access & SEGMENT_S)))
		return false;
	if (n == SEG_CS)
		return code && (VM_LEFT_OUT_OR(SEGMENT_CS_LEVEL, (type & TYPE_CONFORMING) ? dpl <= rpl : dpl == rpl));
	if (n == SEG_SS)
		return !code && (type & TYPE_READ_WRITE) && VM_LEFT_OUT_OR(SEGMENT_SS_LEVEL, dpl == cpl && rpl == cpl);
	if (VM_KEPT(SEGMENT_READABLE, code && !(type & TYPE_READ_WRITE)))
		return false;
	return (code && (type & TYPE_CONFORMING)) || (VM_LEFT_OUT_OR(SEGMENT_LEVEL, dpl >= cpl && dpl >= rpl));
}

static uint16_t selector_of(const struct task *t, enum segment n)
{
	const struct tss_format *f = t->new_format;

	if (n == SEG_LDTR)
		n = f->segments;
	else if (n >= f->segments)
		return 0; /* a TSS of 16 bits has no FS and GS */
	return (uint16_t)task_get(f, t->new_tss, f->selector + f->width * n);
}

/* ---- loading ---- */

/* Selectors without descriptors: what an exception finds while they are loaded. CS and SS have the new level, for VM
 * entry asks for that, and of a CPU without unrestricted guest SS the RPL too (SDM, "Checks on Guest Segment
 * Registers"). */
static void unload(struct task *t, unsigned cpl)
{
	bool exact = mechanism_runs_real_mode(t->v->vm, t->v->vm->mmu.ops);

	for (enum segment n = SEG_ES; n <= SEG_LDTR; n++) {
		struct segment_state s = { .selector = selector_of(t, n), .access = SEGMENT_UNUSABLE };

		if (n == SEG_CS)
			s = (struct segment_state){ s.selector, 0xffffffff,
						    SEGMENT_FLAT_CODE32 | cpl << SEGMENT_DPL_SHIFT, 0 };
		if (n == SEG_SS)
			VM_MUTANT(TASK_SS_LEVEL, s.access |= cpl << SEGMENT_DPL_SHIFT);
		if (n == SEG_SS && VM_KEPT(TASK_SS_RPL, !exact))
			s.selector = (uint16_t)((s.selector & ~SELECTOR_RPL) | cpl);
		hvm_set_segment(&t->v->hvm, n, &s);
	}
}

/* SDM, table "Exception Conditions Checked During a Task Switch": null selectors, segments of the wrong kind or level,
 * absent ones; each with its vector. */
static bool load_segment(struct task *t, enum segment n, unsigned cpl)
{
	uint16_t selector = selector_of(t, n);
	struct segment_state s;
	struct span where;
	uint64_t raw;

	if (!(selector & ~SELECTOR_RPL))
		return (VM_LEFT_OUT_OR(SEGMENT_NULL, n != SEG_CS && n != SEG_SS)) ||
		       task_refuse(t, VECTOR_TS, selector);
	if (!task_descriptor(t, selector, false, &raw, &where))
		return false;
	s = task_unpack(selector, raw);
	if (VM_KEPT(TASK_CHECK_SEGMENT, !segment_allowed(&s, n, cpl)))
		return task_refuse(t, VECTOR_TS, selector);
	if (VM_KEPT(SEGMENT_PRESENT, !(s.access & SEGMENT_P)))
		return task_refuse(t, n == SEG_SS ? VECTOR_SS : VECTOR_NP, selector);
	if (!(raw & DESCRIPTOR_ACCESSED)) {
		raw |= DESCRIPTOR_ACCESSED;
		VM_MUTANT(TASK_ACCESSED, task_copy_out(t->v, &where, &raw));
	}
	s.access |= TYPE_ACCESSED;
	hvm_set_segment(&t->v->hvm, n, &s);
	return true;
}

/* SDM, "Invalid TSS Conditions": the selector of an LDT names a present LDT in the GDT, or nothing. */
static bool load_ldt(struct task *t)
{
	uint16_t selector = selector_of(t, SEG_LDTR);
	struct segment_state s;
	struct span where;
	uint64_t raw;

	if (!(selector & ~SELECTOR_RPL))
		return true;
	if (!task_descriptor(t, selector, false, &raw, &where))
		return false; /* in an LDT there is nothing, while none is loaded */
	s = task_unpack(selector, raw);
	if (VM_KEPT(TASK_LDT_TYPE, (s.access & (SEGMENT_TYPE | SEGMENT_S)) != TYPE_LDT || !(s.access & SEGMENT_P)))
		return task_refuse(t, VECTOR_TS, selector);
	hvm_set_segment(&t->v->hvm, SEG_LDTR, &s);
	return true;
}

static void load_v86(struct task *t)
{
	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		uint16_t selector = selector_of(t, n);

		hvm_set_segment(&t->v->hvm, n,
				&(struct segment_state){ selector, 0xffff, SEGMENT_V86, (uint64_t)selector << 4 });
	}
}

/* In the order of that table; what has been loaded before a fault stays (SDM, "Task Switching"). */
bool task_segments(struct task *t)
{
	static const enum segment order[] = { SEG_SS, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS };
	bool v86 = task_get(t->new_format, t->new_tss, t->new_format->flags) & RFLAGS_VM;
	unsigned cpl = selector_of(t, SEG_CS) & SELECTOR_RPL;

	unload(t, cpl);
	v86 = VM_KEPT(TASK_V86, v86);
	if (v86)
		load_v86(t);
	if (!load_ldt(t))
		return false;
	for (unsigned n = 0; n < ARRAY_SIZE(order) && !v86; n++)
		if (!load_segment(t, order[n], cpl))
			return false;
	return true;
}
