/* vm/tpr/patch_insn.c - the closed set of vm/tpr/patch_insn.h. Encodings: SDM, "Instruction Format" and "Opcode
 * Map". */
#include "vm/tpr/patch_insn.h"

#define SIB_ABSOLUTE 0x25u /* behind r/m 4: what MODRM_ABSOLUTE is without */
#define CALL_RELATIVE 0xe8
#define CALL_INDIRECT_0 0xff
#define CALL_INDIRECT_1 0x15
#define PREFIX_DS 0x3e /* says what is so without it */
#define REG_ESP 4u
#define OP_STI 0xfb
#define OP_POP_SS 0x17
#define OP_MOV_TO_SEGMENT 0x8e
#define REG_SS 2u

/* What an opcode is. .digits: of those with more than one meaning, which values of ModRM.reg are in the set. */
struct form {
	uint8_t opcode;
	bool escaped;      /* 0F is in front of it */
	uint8_t digits;
	uint8_t op;
	uint8_t immediate; /* bytes */
};

/* As the SDM writes what is behind an opcode: /0 to /7. */
#define DIGIT(n) BIT(n)

static const struct form forms[] = {
	{ 0x8a, false, 0, PATCH_READ, 0 },             /* MOV r8, r/m8 */
	{ 0x8b, false, 0, PATCH_READ, 0 },             /* MOV r32, r/m32 */
	{ 0xb6, true, 0, PATCH_READ, 0 },              /* MOVZX r32, r/m8 */
	{ 0xb7, true, 0, PATCH_READ, 0 },              /* MOVZX r32, r/m16 */
	{ 0xff, false, DIGIT(6), PATCH_READ, 0 },      /* PUSH r/m32 */
	{ 0x38, false, 0, PATCH_READ, 0 },             /* CMP r/m8, r8 */
	{ 0x39, false, 0, PATCH_READ, 0 },             /* CMP r/m32, r32 */
	{ 0x3a, false, 0, PATCH_READ, 0 },             /* CMP r8, r/m8 */
	{ 0x3b, false, 0, PATCH_READ, 0 },             /* CMP r32, r/m32 */
	{ 0x80, false, DIGIT(7), PATCH_READ, 1 },      /* CMP r/m8, imm8 */
	{ 0x81, false, DIGIT(7), PATCH_READ, 4 },      /* CMP r/m32, imm32 */
	{ 0x83, false, DIGIT(7), PATCH_READ, 1 },      /* CMP r/m32, imm8 */
	{ 0x84, false, 0, PATCH_READ, 0 },             /* TEST r/m8, r8 */
	{ 0x85, false, 0, PATCH_READ, 0 },             /* TEST r/m32, r32 */
	{ 0xf6, false, DIGIT(0), PATCH_READ, 1 },      /* TEST r/m8, imm8 */
	{ 0xf7, false, DIGIT(0), PATCH_READ, 4 },      /* TEST r/m32, imm32 */
	{ 0x02, false, 0, PATCH_READ, 0 },             /* ADD r8, r/m8 */
	{ 0x03, false, 0, PATCH_READ, 0 },             /* ADD r32, r/m32 */
	{ 0x0a, false, 0, PATCH_READ, 0 },             /* OR r8, r/m8 */
	{ 0x0b, false, 0, PATCH_READ, 0 },             /* OR r32, r/m32 */
	{ 0x22, false, 0, PATCH_READ, 0 },             /* AND r8, r/m8 */
	{ 0x23, false, 0, PATCH_READ, 0 },             /* AND r32, r/m32 */
	{ 0x2a, false, 0, PATCH_READ, 0 },             /* SUB r8, r/m8 */
	{ 0x2b, false, 0, PATCH_READ, 0 },             /* SUB r32, r/m32 */
	{ 0x32, false, 0, PATCH_READ, 0 },             /* XOR r8, r/m8 */
	{ 0x33, false, 0, PATCH_READ, 0 },             /* XOR r32, r/m32 */
	/* To memory only 32 bits: what writes less is no write of the TPR. */
	{ 0x89, false, 0, PATCH_MOV, 0 },              /* MOV r/m32, r32 */
	{ 0xc7, false, DIGIT(0), PATCH_MOV, 4 },       /* MOV r/m32, imm32 */
	{ 0x21, false, 0, PATCH_AND, 0 },              /* AND r/m32, r32 */
	{ 0x81, false, DIGIT(4), PATCH_AND, 4 },       /* AND r/m32, imm32 */
	{ 0x83, false, DIGIT(4), PATCH_AND, 1 },       /* AND r/m32, imm8 */
	{ 0x09, false, 0, PATCH_OR, 0 },               /* OR r/m32, r32 */
	{ 0x81, false, DIGIT(1), PATCH_OR, 4 },        /* OR r/m32, imm32 */
	{ 0x83, false, DIGIT(1), PATCH_OR, 1 },        /* OR r/m32, imm8 */
};

static uint32_t word_at(const uint8_t *b)
{
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void put_word(uint8_t *b, uint32_t word)
{
	for (unsigned n = 0; n < 4; n++)
		b[n] = (uint8_t)(word >> 8 * n);
}

/* A0, A1, A3: AL or EAX, and an address. */
static bool decode_moffs(const uint8_t *b, unsigned n, struct patch_insn *insn)
{
	if (n < 5 || (b[0] != 0xa0 && b[0] != 0xa1 && b[0] != 0xa3))
		return false;
	*insn = (struct patch_insn){ .op = b[0] == 0xa3 ? PATCH_MOV : PATCH_READ, .length = 5, .at = 1,
				     .address = word_at(b + 1) };
	return true;
}

static const struct form *form_of(const uint8_t *b, bool escaped, unsigned digit)
{
	for (unsigned n = 0; n < ARRAY_SIZE(forms); n++) {
		const struct form *f = &forms[n];

		if (f->opcode == b[escaped] && f->escaped == escaped && (!f->digits || (f->digits >> digit & 1)))
			return f;
	}
	return NULL;
}

/* One byte is sign-extended. */
static uint32_t immediate_of(const uint8_t *b, unsigned bytes)
{
	return bytes == 4 ? word_at(b) : bytes ? (uint32_t)(int8_t)b[0] : 0;
}

bool patch_decode(const uint8_t *b, unsigned n, struct patch_insn *insn)
{
	bool escaped = n && b[0] == 0x0f;
	unsigned modrm = escaped + 1u, at = modrm + 1, reg;
	const struct form *f;

	if (decode_moffs(b, n, insn))
		return true;
	if (n < at + 4 || (b[modrm] & 0xc0))
		return false;
	reg = b[modrm] >> 3 & 7;
	f = form_of(b, escaped, reg);
	if ((b[modrm] & 7) == 4 && (b[at] & 0x3f) == SIB_ABSOLUTE)
		at++;
	else if ((b[modrm] & 7) != MODRM_ABSOLUTE)
		return false;
	/* ESP moves before its value would be stored. */
	if (!f || n < at + 4 + f->immediate || (f->op != PATCH_READ && !f->immediate && reg == REG_ESP))
		return false;
	*insn = (struct patch_insn){ .op = f->op, .length = (uint8_t)(at + 4 + f->immediate), .at = (uint8_t)at,
				     .immediate = f->immediate, .reg = (uint8_t)reg,
				     .imm = immediate_of(b + at + 4, f->immediate), .address = word_at(b + at) };
	return true;
}

/* SDM, "ModR/M and SIB Bytes": of an opcode with ModRM and its displacement, in bytes, by 32- and 16-bit addresses. */
static bool may_have_length(const uint8_t *b, unsigned n)
{
	unsigned mod = b[1] >> 6, rm = b[1] & 7;
	unsigned sib = rm == 4, of32, of16;

	if (mod == 3)
		return n == 2;
	if (mod == 0)
		of32 = rm == 5 || (sib && n > 2 && (b[2] & 7) == 5) ? 4 : 0;
	else
		of32 = mod == 1 ? 1 : 4;
	of16 = mod == 0 ? (rm == 6 ? 2 : 0) : mod;
	return n == 2 + sib + of32 || n == 2 + of16;
}

/* SDM, STI, POP and MOV: FB, 17, and 8E with SS in ModRM.reg. */
bool patch_shadowed(const uint8_t before[PATCH_BEFORE])
{
	const uint8_t *end = before + PATCH_BEFORE;

	if (end[-1] == OP_STI || end[-1] == OP_POP_SS)
		return true;
	for (unsigned n = 2; n <= PATCH_BEFORE; n++) {
		const uint8_t *b = end - n;

		if (b[0] == OP_MOV_TO_SEGMENT && (b[1] >> 3 & 7) == REG_SS && may_have_length(b, n))
			return true;
	}
	return false;
}

void patch_read(uint8_t *out, const uint8_t *original, const struct patch_insn *insn, uint32_t tpr)
{
	memcpy(out, original, insn->length);
	put_word(out + insn->at, tpr);
}

void patch_call(uint8_t *out, const struct patch_insn *insn, uint32_t site, uint32_t stub, uint32_t pointer)
{
	unsigned n = 0;

	if (insn->length == 5) {
		out[0] = CALL_RELATIVE;
		put_word(out + 1, stub - (site + 5));
		return;
	}
	while (n + 6u < insn->length)
		out[n++] = PREFIX_DS;
	out[n] = CALL_INDIRECT_0;
	out[n + 1] = CALL_INDIRECT_1;
	put_word(out + n + 2, pointer);
}
