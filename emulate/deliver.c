/* emulate/deliver.c - the delivery of an event by hand: gate, code segment, stack, frame. It is for events whose way
 * the CPU cannot go, because a table or the stack lies in a device's memory, where there is no memory, or in a page
 * table that is kept write-protected. SDM: "Exception- or Interrupt-Handler Procedures", "Stack Switching in IA-32e
 * Mode", and "Interrupt and Exception Handling" in the chapter on 8086 emulation.
 *
 * First everything is looked up and checked and the frame's memory tried; then it is written, and the registers change
 * (EM2, EM3). */
#include "emulate/descriptor.h"

#define FRAME_MAX 10u /* values: GS, FS, DS, ES, SS, SP, FLAGS, CS, IP, error */

struct delivery {
	const struct emulate_event *event;
	uint32_t ext;          /* ERROR_EXT or 0 */
	struct descriptor gate;
	unsigned type;         /* of the gate */
	unsigned size;         /* bytes of a pushed value */
	unsigned cpl;          /* of the handler */
	bool new_stack;
	struct descriptor code;
	struct emulate_segment cs, ss;
	uint64_t entry;        /* offset in cs */
	uint64_t sp, frame_sp; /* where the frame ends, and where it begins */
	uint64_t linear;       /* of frame_sp */
	uint64_t value[FRAME_MAX];
	unsigned count;
};

/* INT n, INT3, INTO; not INT1, for which a gate's DPL does not count, and whose errors have EXT set (SDM, "Error
 * Code"). */
static bool by_software(const struct emulate_event *v)
{
	return v->kind == EMULATE_SOFTWARE_INTERRUPT || v->kind == EMULATE_SOFTWARE_EXCEPTION;
}

/* What goes wrong while an event is delivered says so by EXT (SDM, "Error Code"). */
static enum emulate_result fail(struct emulate *e, const struct delivery *d, unsigned vector, uint32_t error)
{
	return raise_error(e, vector, error | d->ext);
}

static enum emulate_result fail_idt(struct emulate *e, const struct delivery *d, unsigned vector)
{
	return fail(e, d, vector, (uint32_t)d->event->vector << ERROR_INDEX_SHIFT | ERROR_IDT);
}

/* The return address: behind the instruction for those that software asks for. */
static uint64_t return_ip(const struct emulate *e, const struct emulate_event *v)
{
	uint64_t ip = e->rip + v->length;

	return is_long64(e) ? ip : (uint32_t)ip;
}

/* ---- the gate ---- */

/* A gate that lies beyond the limit of the IDT is #GP of its vector (SDM, "Interrupt Descriptor Table (IDT)"). */
static enum emulate_result read_gate(struct emulate *e, struct delivery *d)
{
	unsigned bytes = is_ia32e(e) ? 16 : 8;
	struct emulate_segment idt = { 0 };
	uint64_t at;

	TRY_OPTIONAL(e, read_dtr, e, EMULATE_IDTR, &idt);
	if (d->event->vector * bytes + bytes - 1 > idt.limit)
		return fail_idt(e, d, VECTOR_GP);
	at = idt.base + d->event->vector * bytes;
	if (!is_ia32e(e))
		at = (uint32_t)at;
	TRY(read_value(e, at, 8, EMULATE_HOW_SYSTEM, &d->gate.low));
	if (is_ia32e(e))
		TRY(read_value(e, at + 8, 8, EMULATE_HOW_SYSTEM, &d->gate.high));
	d->gate.access = (d->gate.low >> DESCRIPTOR_ACCESS_SHIFT) & 0xff;
	d->type = d->gate.access & (SEGMENT_S | SEGMENT_TYPE);
	return EMULATE_OK;
}

/* SDM, "IDT Descriptors", "64-Bit Mode IDT": an interrupt or trap gate, in IA-32e mode of 64 bits; or outside of it a
 * task gate. #GP where it is none; #NP where it is not present ("Interrupt 11 - Segment Not Present (#NP)"). */
static enum emulate_result check_gate(struct emulate *e, struct delivery *d)
{
	bool wide = d->type == TYPE_INTERRUPT_GATE32 || d->type == TYPE_TRAP_GATE32;
	bool narrow = d->type == TYPE_INTERRUPT_GATE16 || d->type == TYPE_TRAP_GATE16;

	if (!wide && (is_ia32e(e) || (!narrow && d->type != TYPE_TASK_GATE)))
		return fail_idt(e, d, VECTOR_GP);
	/* The DPL keeps programs from the handlers of events that are none of theirs (CVE-2014-7156). */
	if (by_software(d->event) && access_dpl(d->gate.access) < e->cpl)
		return fail_idt(e, d, VECTOR_GP);
	if (!(d->gate.access & SEGMENT_P))
		return fail_idt(e, d, VECTOR_NP);
	if (d->type == TYPE_TASK_GATE)
		return EMULATE_UNKNOWN;
	d->size = is_ia32e(e) ? 8 : wide ? 4 : 2;
	d->entry = (d->gate.low & 0xffff) | (wide ? (d->gate.low >> 32) & 0xffff0000 : 0) | d->gate.high << 32;
	return EMULATE_OK;
}

/* ---- the handler's code segment ---- */

/* The handler's code segment, by the selector in the gate. SDM, "Protection of Exception- and Interrupt-Handler
 * Procedures", "64-Bit Mode IDT": #GP unless it is a code segment within its table, not null, of no lower privilege
 * than the CPL, and in IA-32e mode of 64 bits; #NP where it is not present. */
static enum emulate_result find_code(struct emulate *e, struct delivery *d)
{
	uint16_t selector = d->gate.low >> 16;
	uint32_t error = selector & ~SELECTOR_RPL, want = SEGMENT_S | TYPE_CODE;
	bool found;

	if (!error)
		return fail(e, d, VECTOR_GP, 0);
	TRY(read_descriptor(e, selector, &d->code, &found));
	if (!found || (d->code.access & want) != want || access_dpl(d->code.access) > e->cpl)
		return fail(e, d, VECTOR_GP, error);
	if (is_ia32e(e) && (d->code.access & (SEGMENT_L | SEGMENT_DB)) != SEGMENT_L)
		return fail(e, d, VECTOR_GP, error);
	if (!(d->code.access & SEGMENT_P))
		return fail(e, d, VECTOR_NP, error);
	d->cpl = access_conforming_code(d->code.access) ? e->cpl : access_dpl(d->code.access);
	/* SDM, "Class 1 - Hardware Interrupt and Exception Handling in Virtual-8086 Mode": of level 0 only. */
	if (e->mode == EMULATE_V86 && d->cpl != 0)
		return fail(e, d, VECTOR_GP, error);
	unpack_descriptor(e, &d->code, (uint16_t)(error | d->cpl), &d->cs);
	return EMULATE_OK;
}

/* ---- the stack ---- */

/* Bytes of the TSS; error: #TS of its selector, where its limit is smaller (SDM, "Invalid TSS Conditions"). */
static enum emulate_result read_tss(struct emulate *e, const struct delivery *d, unsigned at, unsigned bytes,
				    uint64_t *value, struct emulate_segment *tr)
{
	uint64_t linear;

	TRY_OPTIONAL(e, read_dtr, e, EMULATE_TR, tr);
	if (at + bytes - 1 > tr->limit)
		return fail(e, d, VECTOR_TS, tr->selector & ~SELECTOR_RPL);
	linear = tr->base + at;
	return read_value(e, is_ia32e(e) ? linear : (uint32_t)linear, bytes, EMULATE_HOW_SYSTEM, value);
}

/* IA-32e mode: from the TSS by the gate's IST (IST1 at 0x24), or for an inner level (RSP0 at 4); else the one in use.
 * Aligned to 16 bytes. For an inner level SS becomes null, with the level as its RPL. SDM, "Stack Switching in IA-32e
 * Mode", "Task Management in 64-bit Mode". */
static enum emulate_result stack_64(struct emulate *e, struct delivery *d)
{
	unsigned ist = (d->gate.low >> 32) & 7;
	struct emulate_segment tr = { 0 };

	d->ss = *segment(e, EMULATE_SS);
	d->sp = e->gpr[EMULATE_RSP];
	d->new_stack = ist || d->cpl != e->cpl;
	if (d->new_stack)
		TRY(read_tss(e, d, ist ? 0x24 + 8 * (ist - 1) : 4 + 8 * d->cpl, 8, &d->sp, &tr));
	if (d->cpl != e->cpl)
		d->ss = (struct emulate_segment){ .selector = (uint16_t)d->cpl,
						  .access = SEGMENT_UNUSABLE | d->cpl << SEGMENT_DPL_SHIFT };
	d->sp &= ~15ull;
	return EMULATE_OK;
}

/* The stack that the TSS names. SDM, "Invalid TSS Conditions", "Stack Fault Exception (#SS)": #TS unless it is a
 * writable data segment within its table, of the handler's level by DPL and RPL; #SS where it is not present. */
static enum emulate_result check_new_stack(struct emulate *e, struct delivery *d, uint16_t selector)
{
	uint32_t error = selector & ~SELECTOR_RPL;
	struct descriptor s;
	bool found;

	if (!error)
		return fail(e, d, VECTOR_TS, 0);
	TRY(read_descriptor(e, selector, &s, &found));
	if (!found || (selector & SELECTOR_RPL) != d->cpl || access_dpl(s.access) != d->cpl ||
	    !(s.access & SEGMENT_S) || (s.access & (TYPE_CODE | TYPE_READ_WRITE)) != TYPE_READ_WRITE)
		return fail(e, d, VECTOR_TS, error);
	if (!(s.access & SEGMENT_P))
		return fail(e, d, VECTOR_SS, error);
	unpack_descriptor(e, &s, selector, &d->ss);
	return set_accessed(e, s.address, &d->ss);
}

/* Protected mode: the inner level's stack is in the TSS: ESP0 and SS0 at 4 where it has 32 bits, SP0 and SS0 at 2. */
static enum emulate_result stack_32(struct emulate *e, struct delivery *d)
{
	struct emulate_segment tr = { 0 };
	uint64_t selector = 0;
	bool wide;

	d->ss = *segment(e, EMULATE_SS);
	d->sp = e->gpr[EMULATE_RSP];
	d->new_stack = d->cpl != e->cpl;
	if (!d->new_stack)
		return EMULATE_OK;
	TRY_OPTIONAL(e, read_dtr, e, EMULATE_TR, &tr);
	wide = (tr.access & SEGMENT_TYPE & ~TYPE_BUSY) == TYPE_TSS32;
	TRY(read_tss(e, d, wide ? 4 + 8 * d->cpl : 2 + 4 * d->cpl, wide ? 6 : 4, &d->sp, &tr));
	selector = wide ? d->sp >> 32 : d->sp >> 16;
	d->sp &= wide ? 0xffffffff : 0xffff;
	return check_new_stack(e, d, (uint16_t)selector);
}

/* ---- the frame ---- */

static void push(struct delivery *d, uint64_t value) { d->value[d->count++] = value; }

static void make_frame(struct emulate *e, struct delivery *d)
{
	static const uint8_t order[] = { EMULATE_GS, EMULATE_FS, EMULATE_DS, EMULATE_ES };

	for (unsigned i = 0; e->mode == EMULATE_V86 && i < ARRAY_SIZE(order); i++)
		push(d, segment(e, order[i])->selector);
	if (d->new_stack || d->size == 8) {
		push(d, segment(e, EMULATE_SS)->selector);
		push(d, e->gpr[EMULATE_RSP]);
	}
	push(d, e->rflags);
	push(d, segment(e, EMULATE_CS)->selector);
	push(d, return_ip(e, d->event));
	if (d->event->has_error)
		push(d, d->event->error);
}

/* Bytes of the stack pointer that count. */
static unsigned sp_size(const struct delivery *d) { return d->size == 8 ? 8 : (d->ss.access & SEGMENT_DB) ? 4 : 2; }

static bool in_stack(const struct delivery *d, uint64_t offset, unsigned bytes)
{
	uint64_t last = offset + bytes - 1;

	if (d->ss.access & SEGMENT_UNUSABLE)
		return false;
	if ((d->ss.access & TYPE_CONFORMING) && !(d->ss.access & TYPE_CODE)) /* expands down */
		return offset > d->ss.limit && last <= ((d->ss.access & SEGMENT_DB) ? 0xffffffff : 0xffff);
	return last <= d->ss.limit;
}

/* Where the frame goes: within the limit, in 64-bit mode canonical, else #SS (SDM, "Stack Fault Exception (#SS)"). It
 * must lie in one piece: a stack pointer that wraps within it is a fault, as on CPUs with a limit of 4 GiB less one. */
static enum emulate_result place_frame(struct emulate *e, struct delivery *d)
{
	unsigned bytes = d->count * d->size, size = sp_size(d);
	uint32_t error = d->new_stack && d->size != 8 ? d->ss.selector & ~SELECTOR_RPL : 0;

	d->frame_sp = (d->sp - bytes) & size_mask(size);
	if (d->size == 8) {
		d->linear = d->frame_sp;
		return are_canonical(e, d->linear, bytes) ? EMULATE_OK : fail(e, d, VECTOR_SS, 0);
	}
	if (!in_stack(d, d->frame_sp, bytes))
		return fail(e, d, VECTOR_SS, error);
	d->linear = (uint32_t)(d->ss.base + d->frame_sp);
	return EMULATE_OK;
}

/* As the handler's level, whose stack it is. e->cpl is given back where that fails. */
static enum emulate_result write_frame(struct emulate *e, const struct delivery *d)
{
	unsigned before = e->cpl, bytes = d->count * d->size;
	enum emulate_result r;

	e->cpl = (uint8_t)d->cpl;
	r = mem_probe(e, d->linear, bytes, EMULATE_HOW_WRITE);
	for (unsigned i = d->count; r == EMULATE_OK && i-- > 0;) {
		uint64_t at = d->linear + (d->count - 1 - i) * d->size;

		r = write_value(e, d->size == 8 ? at : (uint32_t)at, d->size, d->value[i]);
	}
	if (r != EMULATE_OK)
		e->cpl = (uint8_t)before;
	return r;
}

/* ---- arriving ---- */

static void clear_data_segments(struct emulate *e)
{
	static const uint8_t data[] = { EMULATE_ES, EMULATE_DS, EMULATE_FS, EMULATE_GS };
	const struct emulate_segment null = { .access = SEGMENT_UNUSABLE };

	for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
		commit_segment(e, data[i], &null);
}

static void enter_handler(struct emulate *e, const struct delivery *d)
{
	uint64_t clear = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM;
	bool was_v86 = e->mode == EMULATE_V86;

	if (!(d->type & 1)) /* an interrupt gate, not a trap gate */
		clear |= RFLAGS_IF;
	e->rflags &= ~clear;
	if (was_v86) {
		e->mode = EMULATE_PROT32; /* commit_segment() makes it what the code segment says */
		clear_data_segments(e);
	}
	commit_segment(e, EMULATE_CS, &d->cs);
	if (d->new_stack)
		commit_segment(e, EMULATE_SS, &d->ss);
	write_gpr(e, EMULATE_RSP, sp_size(d), d->frame_sp);
	e->rip = d->entry;
}

static enum emulate_result deliver_protected(struct emulate *e, struct delivery *d)
{
	TRY(read_gate(e, d));
	TRY(check_gate(e, d));
	TRY(find_code(e, d));
	TRY(is_ia32e(e) ? stack_64(e, d) : stack_32(e, d));
	make_frame(e, d);
	TRY(place_frame(e, d));
	/* SDM, INT n/INTO/INT3/INT1: "Protected Mode Exceptions", "64-Bit Mode Exceptions". */
	if (is_ia32e(e) ? !is_canonical(e, d->entry) : d->entry > d->cs.limit)
		return fail(e, d, VECTOR_GP, 0);
	TRY(set_accessed(e, d->code.address, &d->cs));
	TRY(write_frame(e, d));
	enter_handler(e, d);
	return EMULATE_OK;
}

/* Real mode: four bytes of the vector table, beyond whose limit #GP is raised; FLAGS, CS and IP on the stack (SDM,
 * "Interrupt and Exception Handling"). */
static enum emulate_result deliver_real(struct emulate *e, struct delivery *d)
{
	struct emulate_segment idt = { 0 };
	uint64_t vector;

	TRY_OPTIONAL(e, read_dtr, e, EMULATE_IDTR, &idt);
	if (d->event->vector * 4u + 3 > idt.limit)
		return fail(e, d, VECTOR_GP, 0);
	TRY(read_value(e, (uint32_t)(idt.base + d->event->vector * 4u), 4, EMULATE_HOW_SYSTEM, &vector));
	d->size = 2;
	d->ss = *segment(e, EMULATE_SS);
	d->sp = e->gpr[EMULATE_RSP];
	push(d, e->rflags);
	push(d, segment(e, EMULATE_CS)->selector);
	push(d, return_ip(e, d->event));
	TRY(place_frame(e, d));
	TRY(write_frame(e, d));
	TRY(prepare_segment(e, EMULATE_CS, (uint16_t)(vector >> 16), &d->cs));
	commit_segment(e, EMULATE_CS, &d->cs);
	write_gpr(e, EMULATE_RSP, sp_size(d), d->frame_sp);
	e->rflags &= ~(uint64_t)(RFLAGS_IF | RFLAGS_TF | RFLAGS_RF | RFLAGS_AC);
	e->rip = vector & 0xffff;
	return EMULATE_OK;
}

enum emulate_result emulate_deliver(struct emulate *e, const struct emulate_event *event)
{
	struct delivery d = { .event = event, .ext = by_software(event) ? 0 : ERROR_EXT, .cpl = e->cpl };

	return is_real(e) ? deliver_real(e, &d) : deliver_protected(e, &d);
}
