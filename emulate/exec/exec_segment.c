/* emulate/exec/exec_segment.c - segment registers: reading them, and loading them from a selector.
 *
 * Real and virtual-8086 mode completely. In protected mode data segments, and code segments without change of
 * privilege; gates and task switches are EMULATE_UNKNOWN. SDM: "Segment Descriptors", "Privilege Level Checking When
 * Accessing Data Segments", and the sections after it. */
#include "emulate/descriptor.h"

/* Limits and rights stay in real mode; virtual-8086 mode has its own. */
static void load_real(struct emulate *e, unsigned n, uint16_t selector, struct emulate_segment *out)
{
	*out = *segment(e, n);
	out->selector = selector;
	out->base = (uint32_t)selector << 4;
	if (e->mode == EMULATE_V86) {
		out->limit = 0xffff;
		out->access = SEGMENT_V86;
	}
}

void unpack_descriptor(const struct emulate *e, const struct descriptor *d, uint16_t selector,
		       struct emulate_segment *out)
{
	out->selector = selector;
	out->base = descriptor_base(d->low);
	if (access_system_type(d->access) && is_ia32e(e))
		out->base |= d->high << 32;
	out->access = d->access;
	out->limit = descriptor_limit(d->low);
}

/* Descriptors of the system have 16 bytes in IA-32e mode, and all of them must lie within the table (SDM, "Segment
 * Descriptor Tables in IA-32e Mode"). */
static enum emulate_result read_upper_half(struct emulate *e, uint16_t selector, uint32_t limit, struct descriptor *d,
					   bool *found)
{
	if (!is_ia32e(e) || (d->access & SEGMENT_S) || !access_system_type(d->access))
		return EMULATE_OK;
	if ((selector | 7u) + 8 > limit) {
		if (!found)
			return raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL);
		*found = false;
		return EMULATE_OK;
	}
	return read_value(e, d->address + 8, 8, EMULATE_HOW_SYSTEM, &d->high);
}

/* All 8 bytes lie within the table's limit, and there is an LDT where the selector says so, else #GP(selector) (SDM,
 * "Segment Selectors", "Limit Checking"). Where found is given, it is told instead. */
enum emulate_result read_descriptor(struct emulate *e, uint16_t selector, struct descriptor *d, bool *found)
{
	struct emulate_segment table = { 0 };
	bool there;

	*d = (struct descriptor){ 0 };
	TRY_OPTIONAL(e, read_dtr, e, (selector & SELECTOR_TI) ? EMULATE_LDTR : EMULATE_GDTR, &table);
	there = (selector | 7u) <= table.limit && !((selector & SELECTOR_TI) && (table.access & SEGMENT_UNUSABLE));
	if (found)
		*found = there;
	if (!there)
		return found ? EMULATE_OK : raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL);
	d->address = table.base + (selector & SELECTOR_INDEX);
	if (!is_ia32e(e))
		d->address = (uint32_t)d->address;
	TRY(read_value(e, d->address, 8, EMULATE_HOW_SYSTEM, &d->low));
	d->access = descriptor_access(d->low);
	return read_upper_half(e, selector, table.limit, d, found);
}

enum emulate_result set_accessed(struct emulate *e, uint64_t address, struct emulate_segment *s)
{
	uint8_t byte = s->access | TYPE_ACCESSED; /* bits 47:40 of the descriptor */

	if (s->access & TYPE_ACCESSED)
		return EMULATE_OK;
	s->access |= TYPE_ACCESSED;
	return mem_write(e, address + 5, &byte, 1, EMULATE_HOW_SYSTEM);
}

/* SS takes a null selector in 64-bit mode only, not at CPL 3, and with the CPL as its RPL (SDM, "MOV - Move", "64-Bit
 * Mode Exceptions"; CVE-2017-2583). It keeps the CPL as its DPL, which VM entry checks. */
static enum emulate_result load_null(struct emulate *e, unsigned n, uint16_t selector, struct emulate_segment *out)
{
	unsigned rpl = selector & SELECTOR_RPL;

	if (n == EMULATE_SS && (!is_long64(e) || e->cpl == 3 || rpl != e->cpl))
		return raise_error(e, VECTOR_GP, 0);
	*out = *segment(e, n);
	out->selector = selector;
	out->access = SEGMENT_UNUSABLE | (n == EMULATE_SS ? (uint32_t)e->cpl << SEGMENT_DPL_SHIFT : 0);
	out->base = 0;
	return EMULATE_OK;
}

/* SDM: "Privilege Level Checking When Loading the SS Register". */
static bool stack_allowed(const struct emulate *e, uint16_t selector, uint32_t access)
{
	return (access & (TYPE_CODE | TYPE_READ_WRITE)) == TYPE_READ_WRITE && (selector & SELECTOR_RPL) == e->cpl &&
	       access_dpl(access) == e->cpl;
}

/* SDM: "Privilege Level Checking When Accessing Data Segments". A conforming code segment may be read at any level. */
static bool data_allowed(const struct emulate *e, uint16_t selector, uint32_t access)
{
	unsigned rpl = selector & SELECTOR_RPL;

	if ((access & (TYPE_CODE | TYPE_READ_WRITE)) == TYPE_CODE)
		return false; /* not readable */
	if ((access & (TYPE_CODE | TYPE_CONFORMING)) == (TYPE_CODE | TYPE_CONFORMING))
		return true;
	return access_dpl(access) >= max_u64(rpl, e->cpl);
}

/* SDM, MOV: "Protected Mode Exceptions": what is no data segment (for SS no writable one of CPL), or lies above the
 * levels that may use it, is #GP(selector); what is not present #NP(selector), for SS #SS(selector). */
enum emulate_result prepare_segment(struct emulate *e, unsigned n, uint16_t selector, struct emulate_segment *out)
{
	struct descriptor d;
	bool allowed;

	if (is_real_like(e)) {
		load_real(e, n, selector, out);
		return EMULATE_OK;
	}
	if (!(selector & ~SELECTOR_RPL))
		return load_null(e, n, selector, out);
	TRY(read_descriptor(e, selector, &d, NULL));
	unpack_descriptor(e, &d, selector, out);
	allowed = n == EMULATE_SS ? stack_allowed(e, selector, out->access) : data_allowed(e, selector, out->access);
	if (!(out->access & SEGMENT_S) || !allowed)
		return raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL);
	if (!(out->access & SEGMENT_P))
		return raise_error(e, n == EMULATE_SS ? VECTOR_SS : VECTOR_NP, selector & ~SELECTOR_RPL);
	return set_accessed(e, d.address, out);
}

/* SDM: "Direct Calls or Jumps to Code Segments" (CVE-2014-8595). A return's RPL is the CPL: prepare_code_segment. */
static bool code_allowed(const struct emulate *e, uint16_t selector, uint32_t access, bool is_return)
{
	unsigned rpl = selector & SELECTOR_RPL;

	if (access & TYPE_CONFORMING)
		return access_dpl(access) <= e->cpl;
	return access_dpl(access) == e->cpl && (is_return || rpl <= e->cpl);
}

/* SDM, "Privilege Level Checking When Transferring Program Control Between Code Segments". */
enum emulate_result prepare_code(struct emulate *e, uint16_t selector, const struct descriptor *d, bool is_return,
				 struct emulate_segment *out)
{
	unpack_descriptor(e, d, selector, out);
	if (!(out->access & SEGMENT_S) || !(out->access & TYPE_CODE) ||
	    !code_allowed(e, selector, out->access, is_return))
		return raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL);
	/* D is reserved with L (SDM, "Segment Descriptors"). */
	if (is_ia32e(e) && (out->access & SEGMENT_L) && (out->access & SEGMENT_DB))
		return raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL);
	if (!(out->access & SEGMENT_P))
		return raise_error(e, VECTOR_NP, selector & ~SELECTOR_RPL);
	out->selector = (selector & ~SELECTOR_RPL) | e->cpl;
	return set_accessed(e, d->address, out);
}

/* For a return to the same privilege, or a transfer in real mode. A null selector is #GP(0), a level further in
 * #GP(selector) (SDM, RET, IRET: "Protected Mode Exceptions"). */
enum emulate_result prepare_code_segment(struct emulate *e, uint16_t selector, bool is_return,
					 struct emulate_segment *out)
{
	struct descriptor d;

	if (is_real_like(e)) {
		load_real(e, EMULATE_CS, selector, out);
		return EMULATE_OK;
	}
	if (!(selector & ~SELECTOR_RPL))
		return raise_error(e, VECTOR_GP, 0);
	/* No return leads to an inner level; one to an outer is not done here. */
	if (is_return && (selector & SELECTOR_RPL) != e->cpl)
		return (selector & SELECTOR_RPL) < e->cpl ? raise_error(e, VECTOR_GP, selector & ~SELECTOR_RPL)
							  : EMULATE_UNKNOWN;
	TRY(read_descriptor(e, selector, &d, NULL));
	return prepare_code(e, selector, &d, is_return, out);
}

/* A new code segment decides the mode. */
static void set_mode(struct emulate *e, const struct emulate_segment *cs)
{
	if (is_real_like(e))
		return;
	if ((e->efer & EFER_LMA) && (cs->access & SEGMENT_L))
		e->mode = EMULATE_LONG64;
	else
		e->mode = (cs->access & SEGMENT_DB) ? EMULATE_PROT32 : EMULATE_PROT16;
}

void commit_segment(struct emulate *e, unsigned n, const struct emulate_segment *s)
{
	e->seg[n] = *s;
	e->seg_valid |= 1u << n;
	e->seg_dirty |= 1u << n;
	if (n == EMULATE_CS)
		set_mode(e, s);
}

void commit_v86_segment(struct emulate *e, unsigned n, uint16_t selector)
{
	struct emulate_segment s = {
		.selector = selector, .limit = 0xffff, .access = SEGMENT_V86, .base = (uint32_t)selector << 4,
	};

	commit_segment(e, n, &s);
}

/* To memory always 16 bits, to a register the operand's size, zero-extended. REX.R does not count here. There are six
 * segment registers, else #UD (SDM, MOV: "Protected Mode Exceptions"). */
enum emulate_result exec_mov_from_seg(struct emulate *e, const struct insn *i)
{
	unsigned n = i->reg & 7;

	if (n >= EMULATE_SEGS)
		return raise(e, VECTOR_UD);
	TRY(rm_write(e, i, is_memory(i) ? 2 : i->opsize, segment(e, n)->selector));
	return finish(e, i);
}

enum emulate_result exec_mov_to_seg(struct emulate *e, const struct insn *i)
{
	unsigned n = i->reg & 7;
	struct emulate_segment s;
	uint64_t linear, selector;

	/* SDM, "MOV - Move": there are six, and CS is loaded by jumps alone. */
	if (n >= EMULATE_SEGS || n == EMULATE_CS)
		return raise(e, VECTOR_UD);
	TRY(rm_read(e, i, 2, 0, &linear, &selector));
	TRY(prepare_segment(e, n, selector, &s));
	commit_segment(e, n, &s);
	finish(e, i);
	/* SDM: "Masking Exceptions and Interrupts When Switching Stacks". */
	if (n == EMULATE_SS)
		e->shadow = SHADOW_MOV_SS;
	return EMULATE_OK;
}

/* LES, LDS, LSS, LFS, LGS. LSS holds nothing back: it loads the stack pointer as well. */
enum emulate_result exec_load_far_pointer(struct emulate *e, const struct insn *i)
{
	uint8_t pointer[10];
	uint64_t linear, offset = 0;
	uint16_t selector;
	struct emulate_segment s;

	TRY(rm_linear(e, i, i->opsize + 2, 0, &linear));
	TRY(mem_read(e, linear, pointer, i->opsize + 2, 0));
	memcpy(&offset, pointer, i->opsize);
	memcpy(&selector, pointer + i->opsize, 2);
	TRY(prepare_segment(e, i->sub, selector, &s));
	commit_segment(e, i->sub, &s);
	write_gpr(e, i->reg, i->opsize, offset);
	return finish(e, i);
}
