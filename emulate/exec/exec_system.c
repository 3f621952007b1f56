/* emulate/exec/exec_system.c - ports, control and debug registers, MSRs, descriptor-table registers, CPUID.
 *
 * The core checks privilege; what the state is and which values are legal is the callbacks' business. */
#include "emulate/internal.h"
#include "lib/x86_msr.h"

/* SDM, "Privileged Instructions". The CPU has not checked it: what is emulated may never have begun on it
 * (CVE-2014-7155). */
enum emulate_result check_cpl0(struct emulate *e)
{
	return e->cpl ? raise_error(e, VECTOR_GP, 0) : EMULATE_OK;
}

/* The two bytes of the TSS's bitmap in which the ports' bits are; beyond the limit nothing is allowed. A 16-bit TSS has
 * no bitmap. */
static enum emulate_result read_io_bitmap(struct emulate *e, uint16_t port, bool *there, uint64_t *bits)
{
	struct emulate_segment tss = { 0 };
	uint64_t map;

	*there = false;
	TRY_OPTIONAL(e, read_dtr, e, EMULATE_TR, &tss);
	if ((tss.access & SEGMENT_UNUSABLE) || (tss.access & SEGMENT_TYPE) != TYPE_TSS32_BUSY ||
	    tss.limit < TSS_IO_MAP + 1)
		return EMULATE_OK;
	TRY(read_value(e, tss.base + TSS_IO_MAP, 2, EMULATE_HOW_SYSTEM, &map));
	if (map + port / 8 + 1 > tss.limit)
		return EMULATE_OK;
	*there = true;
	return read_value(e, tss.base + map + port / 8, 2, EMULATE_HOW_SYSTEM, bits);
}

/* SDM: "I/O Privilege Level", "I/O Permission Bit Map". */
enum emulate_result check_port(struct emulate *e, uint16_t port, unsigned size)
{
	uint64_t bits = 0;
	bool there;

	if (is_real(e))
		return EMULATE_OK;
	if (e->mode != EMULATE_V86 && e->cpl <= (e->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT)
		return EMULATE_OK;
	TRY(read_io_bitmap(e, port, &there, &bits));
	if (there && !((bits >> (port & 7)) & (BIT(size) - 1)))
		return EMULATE_OK;
	return raise_error(e, VECTOR_GP, 0);
}

static enum emulate_result in(struct emulate *e, const struct insn *i, uint16_t port)
{
	unsigned size = i->opsize == 8 ? 4 : i->opsize;
	uint32_t v = 0;

	TRY(check_port(e, port, size));
	TRY_OPTIONAL(e, io_in, e, port, size, &v);
	write_gpr(e, EMULATE_RAX, size, v);
	return finish(e, i);
}

static enum emulate_result out(struct emulate *e, const struct insn *i, uint16_t port)
{
	unsigned size = i->opsize == 8 ? 4 : i->opsize;

	TRY(check_port(e, port, size));
	TRY_OPTIONAL(e, io_out, e, port, size, e->gpr[EMULATE_RAX] & size_mask(size));
	return finish(e, i);
}

enum emulate_result exec_in_imm(struct emulate *e, const struct insn *i)
{
	return in(e, i, i->imm);
}

enum emulate_result exec_in_dx(struct emulate *e, const struct insn *i)
{
	return in(e, i, e->gpr[EMULATE_RDX]);
}

enum emulate_result exec_out_imm(struct emulate *e, const struct insn *i)
{
	return out(e, i, i->imm);
}

enum emulate_result exec_out_dx(struct emulate *e, const struct insn *i)
{
	return out(e, i, e->gpr[EMULATE_RDX]);
}

/* sub: 0 CLI, 1 STI. SDM, "CLI" and "STI": STI holds interrupts back for one more instruction, but only where IF was 0.
 * Above IOPL the virtual interrupt flag is changed where CR4.VME or CR4.PVI says so; it is not known here. */
enum emulate_result exec_cli_sti(struct emulate *e, const struct insn *i)
{
	bool was_set = e->rflags & RFLAGS_IF;

	if (!is_real(e) && e->cpl > (e->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT) {
		bool is_virtual = e->mode == EMULATE_V86 ? e->cr4 & CR4_VME : e->cpl == 3 && (e->cr4 & CR4_PVI);

		return is_virtual ? EMULATE_UNKNOWN : raise_error(e, VECTOR_GP, 0);
	}
	set_flags(e, RFLAGS_IF, i->sub ? RFLAGS_IF : 0);
	finish(e, i);
	if (i->sub && !was_set)
		e->shadow = SHADOW_STI;
	return EMULATE_OK;
}

static unsigned control_size(const struct emulate *e)
{
	return is_long64(e) ? 8 : 4;
}

/* All others are #UD, before the level is looked at (SDM, MOV to and from control registers). */
static bool is_cr(unsigned n)
{
	return n == 0 || (n >= 2 && n <= 4) || n == 8;
}

/* #UD for a control register that there is not (SDM, MOV - Move to/from Control Registers: "Protected Mode
 * Exceptions"). */
enum emulate_result exec_mov_from_cr(struct emulate *e, const struct insn *i)
{
	uint64_t v = 0;

	if (!is_cr(i->reg))
		return raise(e, VECTOR_UD);
	TRY(check_cpl0(e));
	TRY_OPTIONAL(e, read_cr, e, i->reg, &v);
	write_gpr(e, i->rm, control_size(e), v);
	return finish(e, i);
}

/* #UD for a control register that there is not (SDM, MOV - Move to/from Control Registers: "Protected Mode
 * Exceptions"). finish() comes after the callback, which may have changed the mode. */
enum emulate_result exec_mov_to_cr(struct emulate *e, const struct insn *i)
{
	unsigned size = control_size(e);

	if (!is_cr(i->reg))
		return raise(e, VECTOR_UD);
	TRY(check_cpl0(e));
	TRY_OPTIONAL(e, write_cr, e, i->reg, e->gpr[i->rm] & size_mask(size));
	return finish(e, i);
}

/* SDM, "MOV - Move to/from Debug Registers": REX.R names none. */
enum emulate_result exec_mov_from_dr(struct emulate *e, const struct insn *i)
{
	uint64_t v = 0;

	if (i->reg > 7)
		return raise(e, VECTOR_UD);
	TRY(check_cpl0(e));
	TRY_OPTIONAL(e, read_dr, e, i->reg, &v);
	write_gpr(e, i->rm, control_size(e), v);
	return finish(e, i);
}

/* REX.R names no debug register: #UD (SDM, MOV - Move to/from Debug Registers: "64-Bit Mode Exceptions"). */
enum emulate_result exec_mov_to_dr(struct emulate *e, const struct insn *i)
{
	if (i->reg > 7)
		return raise(e, VECTOR_UD);
	TRY(check_cpl0(e));
	TRY_OPTIONAL(e, write_dr, e, i->reg, e->gpr[i->rm] & size_mask(control_size(e)));
	return finish(e, i);
}

enum emulate_result exec_clts(struct emulate *e, const struct insn *i)
{
	TRY(check_cpl0(e));
	TRY_OPTIONAL(e, write_cr, e, 0, e->cr0 & ~CR0_TS);
	return finish(e, i);
}

/* User-mode instruction prevention (SDM, "Control Registers", CR4.UMIP): SGDT, SIDT, SLDT, SMSW, STR. */
enum emulate_result check_umip(struct emulate *e)
{
	return (e->cpl && (e->cr4 & CR4_UMIP)) ? raise_error(e, VECTOR_GP, 0) : EMULATE_OK;
}

enum emulate_result exec_smsw(struct emulate *e, const struct insn *i)
{
	TRY(check_umip(e));
	TRY(rm_write(e, i, is_memory(i) ? 2 : i->opsize, e->cr0));
	return finish(e, i);
}

/* PE, MP, EM and TS; PE cannot be cleared. */
enum emulate_result exec_lmsw(struct emulate *e, const struct insn *i)
{
	uint64_t linear, v, mask = CR0_PE | CR0_MP | CR0_EM | CR0_TS;

	TRY(check_cpl0(e));
	TRY(rm_read(e, i, 2, 0, &linear, &v));
	TRY_OPTIONAL(e, write_cr, e, 0, (e->cr0 & ~(mask & ~CR0_PE)) | (v & mask));
	return finish(e, i);
}

enum emulate_result exec_rdmsr(struct emulate *e, const struct insn *i)
{
	uint64_t v = 0;

	TRY(check_cpl0(e));
	TRY_OPTIONAL(e, read_msr, e, e->gpr[EMULATE_RCX], &v);
	write_gpr(e, EMULATE_RAX, 4, v);
	write_gpr(e, EMULATE_RDX, 4, v >> 32);
	return finish(e, i);
}

enum emulate_result exec_wrmsr(struct emulate *e, const struct insn *i)
{
	uint64_t v = (e->gpr[EMULATE_RDX] << 32) | (uint32_t)e->gpr[EMULATE_RAX];

	TRY(check_cpl0(e));
	TRY_OPTIONAL(e, write_msr, e, e->gpr[EMULATE_RCX], v);
	return finish(e, i);
}

/* SGDT, SIDT: limit and base; the base has 4 bytes, or 8 in 64-bit mode. */
enum emulate_result exec_store_dtr(struct emulate *e, const struct insn *i)
{
	unsigned size = 2 + control_size(e);
	struct emulate_segment s = { 0 };
	uint64_t linear;
	uint8_t buf[10];

	TRY(check_umip(e));
	TRY_OPTIONAL(e, read_dtr, e, i->sub, &s);
	TRY(rm_linear(e, i, size, EMULATE_HOW_WRITE, &linear));
	memcpy(buf, &s.limit, 2);
	memcpy(buf + 2, &s.base, 8);
	TRY(mem_write(e, linear, buf, size, 0));
	return finish(e, i);
}

/* LGDT, LIDT: with a 16-bit operand size only 24 bits of the base count. */
enum emulate_result exec_load_dtr(struct emulate *e, const struct insn *i)
{
	unsigned size = 2 + control_size(e);
	struct emulate_segment s = { 0 };
	uint64_t linear;
	uint8_t buf[10];

	TRY(check_cpl0(e));
	TRY(rm_linear(e, i, size, 0, &linear));
	TRY(mem_read(e, linear, buf, size, 0));
	memcpy(&s.limit, buf, 2);
	memcpy(&s.base, buf + 2, size - 2);
	if (i->opsize == 2)
		s.base &= 0xffffff;
	if (is_long64(e) && !is_canonical(e, s.base)) /* SDM, "LGDT/LIDT"; VM entry would not take it either */
		return raise_error(e, VECTOR_GP, 0);
	TRY_OPTIONAL(e, write_dtr, e, i->sub, &s);
	return finish(e, i);
}

/* The address is not accessed: no limit is checked, and one that is not canonical does nothing. */
enum emulate_result exec_invlpg(struct emulate *e, const struct insn *i)
{
	uint64_t linear = insn_offset(e, i);

	TRY(check_cpl0(e));
	if (!is_long64(e))
		linear = (uint32_t)(linear + segment(e, i->seg)->base);
	else if (i->seg >= EMULATE_FS)
		linear += segment(e, i->seg)->base;
	if (is_canonical(e, linear))
		TRY_OPTIONAL(e, invlpg, e, linear);
	return finish(e, i);
}

enum emulate_result exec_cpuid(struct emulate *e, const struct insn *i)
{
	uint32_t v[4] = { 0 };

	TRY_OPTIONAL(e, cpuid, e, e->gpr[EMULATE_RAX], e->gpr[EMULATE_RCX], v);
	write_gpr(e, EMULATE_RAX, 4, v[0]);
	write_gpr(e, EMULATE_RBX, 4, v[1]);
	write_gpr(e, EMULATE_RCX, 4, v[2]);
	write_gpr(e, EMULATE_RDX, 4, v[3]);
	return finish(e, i);
}

enum emulate_result exec_rdtsc(struct emulate *e, const struct insn *i)
{
	uint64_t v = 0;

	if (e->cpl && (e->cr4 & CR4_TSD)) /* SDM, "RDTSC" */
		return raise_error(e, VECTOR_GP, 0);
	TRY_OPTIONAL(e, rdtsc, e, &v);
	write_gpr(e, EMULATE_RAX, 4, v);
	write_gpr(e, EMULATE_RDX, 4, v >> 32);
	return finish(e, i);
}

/* IA32_TSC_AUX goes into rCX. CR4.TSD keeps it for level 0, else #GP(0) (SDM, RDTSCP: "Protected Mode Exceptions"). */
enum emulate_result exec_rdtscp(struct emulate *e, const struct insn *i)
{
	uint64_t tsc = 0, aux = 0;

	if (e->cpl && (e->cr4 & CR4_TSD))
		return raise_error(e, VECTOR_GP, 0);
	TRY_OPTIONAL(e, rdtsc, e, &tsc);
	TRY_OPTIONAL(e, read_msr, e, MSR_TSC_AUX, &aux);
	write_gpr(e, EMULATE_RAX, 4, tsc);
	write_gpr(e, EMULATE_RDX, 4, tsc >> 32);
	write_gpr(e, EMULATE_RCX, 4, aux);
	return finish(e, i);
}

/* XCR0 only: XGETBV(1) is the CPU's to know. #UD without CR4.OSXSAVE (SDM, XGETBV: "Protected Mode Exceptions"). */
enum emulate_result exec_xgetbv(struct emulate *e, const struct insn *i)
{
	if (!(e->cr4 & CR4_OSXSAVE))
		return raise(e, VECTOR_UD);
	if ((uint32_t)e->gpr[EMULATE_RCX])
		return EMULATE_UNKNOWN;
	write_gpr(e, EMULATE_RAX, 4, e->xcr0);
	write_gpr(e, EMULATE_RDX, 4, e->xcr0 >> 32);
	return finish(e, i);
}

/* INVD and WBINVD: guest memory is coherent, and caches are the host's. */
enum emulate_result exec_wbinvd(struct emulate *e, const struct insn *i)
{
	TRY(check_cpl0(e));
	return finish(e, i);
}
