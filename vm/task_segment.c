/* vm/task_segment.c - the descriptors behind the selectors of a task that is switched to: looked up, and checked as the SDM demands ("Task
 * Switching", the table of checks). Nothing is changed here. */
#include "vm/task.h"

#include "vmx/mutate.h"

#define TYPE_LDT 2u
#define TYPE_CODE 8u
#define TYPE_CONFORMING 4u
#define TYPE_READ_WRITE 2u
#define ACCESS_NULL EMULATE_SEG_UNUSABLE
#define ACCESS_V86 0xf3u

/* ---- memory ---- */

/* false: a page fault has been queued. */
bool task_find(struct vcpu *v, uint32_t linear, unsigned n, bool write, struct span *s)
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
	/* An event that software did not ask for makes it external. */
	bool external = VM_KEPT(TASK_EXTERNAL, t->source == SOURCE_GATE) && !t->v->event.length;

	event_exception(t->v, vector, true, (selector & ~3u) | external);
	return false;
}

/* write: it will be changed. */
bool task_descriptor(struct task *t, uint16_t selector, const struct segment_state *ldt, bool write, uint64_t *raw, struct span *where)
{
	uint32_t base = (uint32_t)vmread(VMCS_GUEST_GDTR_BASE), limit = (uint32_t)vmread(VMCS_GUEST_GDTR_LIMIT), at = selector & ~7u;

	if (selector & SELECTOR_TI) { /* the limit of one that is not there is 0 */
		base = (uint32_t)ldt->base;
		limit = ldt->limit;
	}
	if (VM_KEPT(TASK_TABLE_LIMIT, at + 7 > limit))
		return task_refuse(t, VECTOR_TS, selector);
	if (!task_find(t->v, base + at, 8, write, where))
		return false;
	task_copy_in(t->v, where, raw);
	/* Only one that was never used will be marked. */
	return write || !(*raw & DESCRIPTOR_S) || (*raw & DESCRIPTOR_ACCESSED) ||
	       VM_LEFT_OUT_OR(TASK_MARKED, task_find(t->v, base + at, 8, true, where));
}

struct segment_state task_unpack(uint16_t selector, uint64_t raw)
{
	struct segment_state s = {
		.selector = selector,
		.limit = (uint32_t)((raw & 0xffff) | (raw >> 32 & 0xf0000)),
		.access = (uint32_t)(raw >> 40 & 0xf0ff),
		.base = (raw >> 16 & 0xffffff) | (raw >> 32 & 0xff000000),
	};

	if (VM_KEPT(TASK_GRANULAR, s.access & EMULATE_SEG_G))
		s.limit = s.limit << 12 | 0xfff;
	return s;
}

static unsigned dpl_of(const struct segment_state *s) { return s->access >> EMULATE_SEG_DPL_SHIFT & 3; }

/* May segment register n of a task of this CPL hold it? SDM, "Task Switching", the table of checks. */
static bool segment_allowed(const struct segment_state *s, enum segment n, unsigned cpl)
{
	unsigned type = s->access & EMULATE_SEG_TYPE, rpl = s->selector & 3, dpl = dpl_of(s);
	bool code = type & TYPE_CODE;

	if (VM_KEPT(SEGMENT_SYSTEM, !(s->access & EMULATE_SEG_S)))
		return false;
	if (n == SEG_CS)
		return code && (VM_LEFT_OUT_OR(SEGMENT_CS_LEVEL, (type & TYPE_CONFORMING) ? dpl <= rpl : dpl == rpl));
	if (n == SEG_SS)
		return !code && (type & TYPE_READ_WRITE) && VM_LEFT_OUT_OR(SEGMENT_SS_LEVEL, dpl == cpl && rpl == cpl);
	if (VM_KEPT(SEGMENT_READABLE, code && !(type & TYPE_READ_WRITE)))
		return false;
	return (code && (type & TYPE_CONFORMING)) || (VM_LEFT_OUT_OR(SEGMENT_LEVEL, dpl >= cpl && dpl >= rpl));
}

static bool prepare_segment(struct task *t, enum segment n, uint16_t selector, unsigned cpl)
{
	struct new_segment *s = &t->segment[n];

	*s = (struct new_segment){ .state = { .selector = selector, .access = ACCESS_NULL } };
	if (!(selector & ~3u))
		return (VM_LEFT_OUT_OR(SEGMENT_NULL, n != SEG_CS && n != SEG_SS)) || task_refuse(t, VECTOR_TS, selector);
	if (!task_descriptor(t, selector, &t->segment[SEG_LDTR].state, false, &s->raw, &s->descriptor))
		return false;
	s->state = task_unpack(selector, s->raw);
	if (VM_KEPT(TASK_CHECK_SEGMENT, !segment_allowed(&s->state, n, cpl)))
		return task_refuse(t, VECTOR_TS, selector);
	if (VM_KEPT(SEGMENT_PRESENT, !(s->state.access & EMULATE_SEG_P)))
		return task_refuse(t, n == SEG_SS ? VECTOR_SS : VECTOR_NP, selector);
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
	if (VM_KEPT(TASK_LDT_GLOBAL, selector & SELECTOR_TI))
		return task_refuse(t, VECTOR_TS, selector);
	if (!task_descriptor(t, selector, NULL, false, &s->raw, &where))
		return false;
	s->state = task_unpack(selector, s->raw);
	if (VM_KEPT(TASK_LDT_TYPE, (s->state.access & (EMULATE_SEG_TYPE | EMULATE_SEG_S)) != TYPE_LDT ||
				   !(s->state.access & EMULATE_SEG_P)))
		return task_refuse(t, VECTOR_TS, selector);
	return true;
}

bool task_segments(struct task *t)
{
	const struct tss_format *f = t->new_format;
	bool v86 = task_get(f, t->new_tss, f->flags) & FLAG_VM;
	unsigned cpl = t->new_tss[f->selector + f->width * SEG_CS] & 3;

	if (!prepare_ldt(t, (uint16_t)task_get(f, t->new_tss, f->selector + f->width * f->segments)))
		return false;
	for (enum segment n = SEG_ES; n <= SEG_GS; n++) {
		uint16_t selector = n < f->segments ? (uint16_t)task_get(f, t->new_tss, f->selector + f->width * n) : 0;

		if (VM_KEPT(TASK_V86, v86))
			t->segment[n].state = (struct segment_state){ selector, 0xffff, ACCESS_V86, (uint64_t)selector << 4 };
		else if (!prepare_segment(t, n, selector, cpl))
			return false;
	}
	return true;
}
