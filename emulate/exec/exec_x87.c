/* emulate/exec/exec_x87.c - the x87 FPU: the CPU computes (native.h), here are the memory operands and what programs
 * see of where the last instruction was. SDM: "x87 FPU Execution Environment", "Escape Opcode Instructions".
 *
 * The FPU remembers the address of its last instruction and operand, which natively are those of the hypervisor:
 * exec_x87() replaces them (EM6). */
#include "emulate/native.h"

#define FSW_IE 1u
#define FSW_DE 2u
#define FSW_ZE 4u
#define FSW_OE 8u
#define FSW_UE 16u
#define ENVIRONMENT_BYTES 28
#define REGISTER_BYTES 80

/* What the memory forms of D8-DF do, by opcode and modrm.reg: bytes, and whether they are written. */
#define STORE 0x80
#define CONTROL 0x40 /* leaves the remembered addresses alone, and does not look for a kept exception if it stores */
#define BYTES MASK(3, 0)
#define NONE 0
#define ENVIRONMENT 0x3f /* FLDENV, FNSTENV, FRSTOR, FNSAVE */

static const uint8_t memory_forms[8][8] = {
	{ 4, 4, 4, 4, 4, 4, 4, 4 },
	{ 4, NONE, 4 | STORE, 4 | STORE, ENVIRONMENT, 2 | CONTROL, ENVIRONMENT | STORE, 2 | STORE | CONTROL },
	{ 4, 4, 4, 4, 4, 4, 4, 4 },
	{ 4, 4 | STORE, 4 | STORE, 4 | STORE, NONE, 10, NONE, 10 | STORE },
	{ 8, 8, 8, 8, 8, 8, 8, 8 },
	{ 8, 8 | STORE, 8 | STORE, 8 | STORE, ENVIRONMENT, NONE, ENVIRONMENT | STORE, 2 | STORE | CONTROL },
	{ 2, 2, 2, 2, 2, 2, 2, 2 },
	{ 2, 2 | STORE, 2 | STORE, 2 | STORE, 10, 8, 10 | STORE, 8 | STORE },
};

static unsigned digit(const struct insn *i)
{
	return (i->modrm >> 3) & 7;
}

/* ---- the remembered addresses ---- */

/* FIP, FDP and FOP as the FXSAVE image has them: 64-bit addresses, or 32-bit offsets with selectors. */
static void replace_addresses(struct emulate *e, const struct insn *i, const struct emulate_native *n, uint8_t *image)
{
	unsigned width = is_long64(e) ? 8 : 4;
	uint64_t rip = 0, data = 0, offset = is_memory(i) ? insn_offset(e, i) : 0,
		 operand = (uintptr_t)n->operand;
	uint16_t opcode, native = (n->code[n->length - 2] & 7) << 8 | n->code[n->length - 1];

	memcpy(&rip, image + 8, width);
	if (rip == (n->rip & size_mask(width))) {
		memcpy(image + 8, &e->rip, width);
		if (width == 4)
			memcpy(image + 12, &segment(e, EMULATE_CS)->selector, 2);
	}
	memcpy(&data, image + 16, width);
	if (is_memory(i) && data == (operand & size_mask(width))) {
		memcpy(image + 16, &offset, width);
		if (width == 4)
			memcpy(image + 20, &segment(e, i->seg)->selector, 2);
	}
	memcpy(&opcode, image + 6, 2);
	if (opcode == native) {
		opcode = (native_opcode(i) & 7) << 8 | i->modrm;
		memcpy(image + 6, &opcode, 2);
	}
}

/* After an instruction that ran natively as *n: FXSAVE, replace, FXRSTOR. Neither can fault on an image just saved. */
static enum emulate_result hide_addresses(struct emulate *e, const struct insn *i, const struct emulate_native *n)
{
	uint8_t image[FXSAVE_BYTES] __attribute__((aligned(64))) = { 0 };

	if (is_long64(e)) {
		TRY(NATIVE_BYTES(e, image, REX | REX_W, 0x0f, 0xae, 0x07));
		replace_addresses(e, i, n, image);
		return NATIVE_BYTES(e, image, REX | REX_W, 0x0f, 0xae, 0x0f);
	}
	TRY(NATIVE_BYTES(e, image, 0x0f, 0xae, 0x07));
	replace_addresses(e, i, n, image);
	return NATIVE_BYTES(e, image, 0x0f, 0xae, 0x0f);
}

/* ---- loads, stores, arithmetic ---- */

/* Has the CPU written the operand? An unmasked exception but for inexactness keeps it from doing so (SDM, "x87 FPU
 * Floating-Point Exception Handling"); no such exception was there before, or the instruction had not run. */
static enum emulate_result was_stored(struct emulate *e, bool *stored)
{
	uint16_t word[2] __attribute__((aligned(8))) = { 0 };

	TRY(NATIVE_BYTES(e, &word[0], 0xdd, 0x3f)); /* FNSTSW */
	TRY(NATIVE_BYTES(e, &word[1], 0xd9, 0x3f)); /* FNSTCW */
	*stored = !(word[0] & ~word[1] & (FSW_IE | FSW_DE | FSW_ZE | FSW_OE | FSW_UE));
	return EMULATE_OK;
}

static enum emulate_result memory_operand(struct emulate *e, const struct insn *i, unsigned form)
{
	uint8_t buf[16] __attribute__((aligned(16))) = { 0 };
	unsigned size = form & BYTES, how = (form & STORE) ? EMULATE_HOW_WRITE : 0;
	struct emulate_native n;
	bool stored = true;
	uint64_t linear;

	if (!(form & STORE) || !(form & CONTROL))
		TRY(check_x87_pending(e));
	TRY(rm_linear(e, i, size, how, &linear));
	TRY(how ? mem_probe(e, linear, size, how) : mem_read(e, linear, buf, size, 0));
	native_encode(e, i, true, &n);
	n.operand = buf;
	TRY(native_run(e, &n));
	if ((form & STORE) && !(form & CONTROL))
		TRY(was_stored(e, &stored));
	if (how && stored)
		TRY(mem_write(e, linear, buf, size, 0));
	if (!(form & CONTROL))
		TRY(hide_addresses(e, i, &n));
	return finish(e, i);
}

/* Registers only; FNSTSW AX and the comparisons that set EFLAGS have results outside. FNCLEX, FNINIT and FNSTSW do not
 * look for a kept exception, and the CPU knows that by itself. */
static enum emulate_result register_operand(struct emulate *e, const struct insn *i)
{
	bool to_ax = native_opcode(i) == 0xdf && i->modrm == 0xe0,
	     control = to_ax || (native_opcode(i) == 0xdb && digit(i) == 4);
	struct emulate_native n;

	native_encode(e, i, false, &n);
	n.rax = e->gpr[EMULATE_RAX];
	TRY(native_run(e, &n));
	if (!control)
		TRY(hide_addresses(e, i, &n));
	if (to_ax)
		e->gpr[EMULATE_RAX] = n.rax;
	set_flags(e, RFLAGS_STATUS, n.rflags);
	return finish(e, i);
}

enum emulate_result exec_fwait(struct emulate *e, const struct insn *i)
{
	/* Of the FPU's instructions it alone looks at MP (SDM, "Control Registers"). */
	if ((e->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
		return raise(e, VECTOR_NM);
	TRY(check_x87_pending(e));
	return finish(e, i);
}

/* ---- the environment ---- */

/* In real and virtual-8086 mode the environment holds linear addresses. The native form is that of 32-bit protected
 * mode: words for FCW, FSW, FTW, then FIP, FCS with FOP, FDP, FDS. */
static void environment_out(const struct emulate *e, bool wide, const uint32_t *native, uint8_t *out)
{
	uint32_t v[7];
	uint16_t narrow[7];

	memcpy(v, native, sizeof(v));
	if (is_real_like(e)) {
		uint32_t fip = v[3] + ((v[4] & 0xffff) << 4), fdp = v[5] + ((v[6] & 0xffff) << 4);

		v[3] = (fip & 0xffff) | (wide ? 0xffff0000 : 0);
		v[4] = wide ? ((fip >> 16) << 12) | (v[4] >> 16 & 0x7ff) : ((fip >> 4) & 0xf000) | (v[4] >> 16 & 0x7ff);
		v[5] = (fdp & 0xffff) | (wide ? 0xffff0000 : 0);
		v[6] = wide ? (fdp >> 16) << 12 : (fdp >> 4) & 0xf000;
	}
	for (unsigned n = 0; n < 7; n++)
		narrow[n] = v[n];
	memcpy(out, wide ? (const void *)v : narrow, wide ? sizeof(v) : sizeof(narrow));
}

static void environment_in(const struct emulate *e, bool wide, const uint8_t *in, uint32_t *native)
{
	uint16_t narrow[7];

	memcpy(native, in, ENVIRONMENT_BYTES);
	if (!wide) {
		memcpy(narrow, in, sizeof(narrow));
		for (unsigned n = 0; n < 7; n++)
			native[n] = narrow[n];
	}
	if (is_real_like(e)) {
		uint32_t high = wide ? (native[4] >> 12) << 16 : (native[4] & 0xf000) << 4;

		native[3] = (native[3] & 0xffff) | high;
		native[4] = (native[4] & 0x7ff) << 16;
		high = wide ? (native[6] >> 12) << 16 : (native[6] & 0xf000) << 4;
		native[5] = (native[5] & 0xffff) | high;
		native[6] = 0;
	}
}

/* FNSTENV, FNSAVE */
static enum emulate_result environment_store(struct emulate *e, const struct insn *i, unsigned registers)
{
	uint32_t native[(ENVIRONMENT_BYTES + REGISTER_BYTES) / 4] = { 0 };
	uint8_t out[ENVIRONMENT_BYTES + REGISTER_BYTES];
	unsigned header = i->opsize == 2 ? ENVIRONMENT_BYTES / 2 : ENVIRONMENT_BYTES;
	struct emulate_native n;
	uint64_t linear;

	TRY(rm_linear(e, i, header + registers, EMULATE_HOW_WRITE, &linear));
	TRY(mem_probe_long(e, linear, header + registers, EMULATE_HOW_WRITE));
	native_encode(e, i, true, &n);
	n.operand = native;
	TRY(native_run(e, &n));
	environment_out(e, i->opsize != 2, native, out);
	memcpy(out + header, (const uint8_t *)native + ENVIRONMENT_BYTES, registers);
	TRY(mem_write_long(e, linear, out, header + registers));
	return finish(e, i);
}

/* FLDENV, FRSTOR */
static enum emulate_result environment_load(struct emulate *e, const struct insn *i, unsigned registers)
{
	uint32_t native[(ENVIRONMENT_BYTES + REGISTER_BYTES) / 4] = { 0 };
	uint8_t in[ENVIRONMENT_BYTES + REGISTER_BYTES] = { 0 };
	unsigned header = i->opsize == 2 ? ENVIRONMENT_BYTES / 2 : ENVIRONMENT_BYTES;
	struct emulate_native n;
	uint64_t linear;

	TRY(check_x87_pending(e));
	TRY(rm_linear(e, i, header + registers, 0, &linear));
	TRY(mem_read_long(e, linear, in, header + registers));
	environment_in(e, i->opsize != 2, in, native);
	memcpy((uint8_t *)native + ENVIRONMENT_BYTES, in + header, registers);
	native_encode(e, i, true, &n);
	n.operand = native;
	TRY(native_run(e, &n));
	return finish(e, i);
}

/* An opcode that is none is #UD (SDM, "Escape Opcode Instructions"). */
enum emulate_result exec_x87(struct emulate *e, const struct insn *i)
{
	unsigned form = memory_forms[native_opcode(i) & 7][digit(i)];
	unsigned registers = native_opcode(i) == 0xdd ? REGISTER_BYTES : 0;

	TRY(check_x87(e));
	if (!is_memory(i))
		return register_operand(e, i);
	if (form == NONE)
		return raise(e, VECTOR_UD);
	if (form == ENVIRONMENT)
		return environment_load(e, i, registers);
	if (form == (ENVIRONMENT | STORE))
		return environment_store(e, i, registers);
	return memory_operand(e, i, form);
}
