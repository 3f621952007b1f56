/* vm/tpr/patch_stub.c - the stubs of vm/tpr/patch_insn.h: what a patched write calls. It stores the byte and compares
 * it with the class of what waits; only if that can come now does it tell the hypervisor. */
#include "vm/tpr/patch_insn.h"

#include "hvm/hvm.h"

enum { EAX, ECX, EDX, EBX };

/* SDM, "Opcode Map", "ModR/M and SIB Bytes". _RM: with a register, of what ModR/M names; _EAX: with an immediate. */
enum {
	MODRM_DIGIT_CMP = 7 << 3, MODRM_REGISTER = 0xc0, MODRM_SIB = 4, SIB_TOP_OF_STACK = 0x24,
	OP_OR_RM = 0x0b, OP_OR_EAX = 0x0d, OP_ESCAPE = 0x0f, OP_AND_RM = 0x23, OP_AND_EAX = 0x25, OP_CMP_BYTE = 0x38,
	OP_PUSH_EAX = 0x50, OP_POP_EAX = 0x58, OP_JBE = 0x76, OP_BYTE_IMMEDIATE = 0x80, OP_STORE_BYTE = 0x88,
	OP_MOV_TO_RM = 0x89, OP_PUSHF = 0x9c, OP_POPF = 0x9d, OP_MOVZX_BYTE = 0xb6, OP_RET = 0xc3,
	OP_MOV_BYTE_IMMEDIATE = 0xc6
};

struct emitter {
	struct patch_stub *stub;
	struct patch_stack now;
	/* what is wanted: .now in front of the instruction at .offset */
	unsigned offset;
	struct patch_stack *stack;
	bool found;
};

/* One instruction: up to three bytes of it, and an address or a word behind them. */
static void begin_instruction(struct emitter *e)
{
	if (e->stack && e->stub->length == e->offset) {
		*e->stack = e->now;
		e->found = true;
	}
}

static void byte(struct emitter *e, unsigned b) { e->stub->code[e->stub->length++] = (uint8_t)b; }

static void word(struct emitter *e, uint32_t w)
{
	for (unsigned n = 0; n < 4; n++)
		byte(e, w >> 8 * n & 0xff);
}

static void insn1(struct emitter *e, unsigned a)
{
	begin_instruction(e);
	byte(e, a);
}

static void insn2(struct emitter *e, unsigned a, unsigned b)
{
	insn1(e, a);
	byte(e, b);
}

static void tpr_address(struct emitter *e, uint32_t tpr)
{
	e->stub->tpr_at[e->stub->tprs++] = e->stub->length;
	word(e, tpr);
}

/* own: where what is pushed lies; other: where what lies beside it does, if it is there. */
static void push(struct emitter *e, unsigned insn, int8_t *own, int8_t *other)
{
	insn1(e, insn);
	e->now.words++;
	if (*other >= 0)
		++*other;
	*own = 0;
}

static void pop(struct emitter *e, unsigned insn, int8_t *own, int8_t *other)
{
	insn1(e, insn);
	e->now.words--;
	*own = -1;
	if (*other >= 0)
		--*other;
}

static void push_flags(struct emitter *e) { push(e, OP_PUSHF, &e->now.flags_at, &e->now.eax_at); }
static void pop_flags(struct emitter *e) { pop(e, OP_POPF, &e->now.flags_at, &e->now.eax_at); }
static void push_eax(struct emitter *e) { push(e, OP_PUSH_EAX, &e->now.eax_at, &e->now.flags_at); }
static void pop_eax(struct emitter *e) { pop(e, OP_POP_EAX, &e->now.eax_at, &e->now.flags_at); }

/* CMP set the flags by threshold - value: above, and what waits can come. JBE over what tells it. */
static void tell_if_below(struct emitter *e)
{
	const uint8_t *tell = hvm_tell_insn();

	insn2(e, OP_JBE, (uint8_t)HVM_TELL_LENGTH);
	e->stub->tell_at = e->stub->length;
	insn2(e, tell[0], tell[1]);
	for (unsigned i = 2; i < HVM_TELL_LENGTH; i++)
		byte(e, tell[i]);
}

static void store_register(struct emitter *e, unsigned reg, uint32_t tpr, uint32_t threshold)
{
	insn2(e, OP_STORE_BYTE, MODRM_ABSOLUTE | reg << 3);
	tpr_address(e, tpr);
	insn2(e, OP_CMP_BYTE, MODRM_ABSOLUTE | reg << 3);
	word(e, threshold);
	tell_if_below(e);
}

static void mov_immediate(struct emitter *e, uint32_t imm, uint32_t tpr, uint32_t threshold)
{
	push_flags(e);
	insn2(e, OP_MOV_BYTE_IMMEDIATE, MODRM_ABSOLUTE);
	tpr_address(e, tpr);
	byte(e, imm & 0xff);
	insn2(e, OP_BYTE_IMMEDIATE, MODRM_ABSOLUTE | MODRM_DIGIT_CMP);
	word(e, threshold);
	byte(e, imm & 0xff);
	tell_if_below(e);
	pop_flags(e);
}

/* EBP, ESI and EDI have no low byte of their own. */
static void mov_register(struct emitter *e, unsigned reg, uint32_t tpr, uint32_t threshold)
{
	push_flags(e);
	if (reg > EBX) {
		push_eax(e);
		insn2(e, OP_MOV_TO_RM, MODRM_REGISTER | reg << 3);
		store_register(e, EAX, tpr, threshold);
		pop_eax(e);
	} else {
		store_register(e, reg, tpr, threshold);
	}
	pop_flags(e);
}

/* AND or OR, of 32 bits as the original: its flags are the guest's. */
static void change(struct emitter *e, struct patch_key key, uint32_t tpr, uint32_t threshold)
{
	bool or = key.op == PATCH_OR;

	push_eax(e);
	insn2(e, OP_ESCAPE, OP_MOVZX_BYTE);
	byte(e, MODRM_ABSOLUTE);
	tpr_address(e, tpr);
	if (key.immediate) {
		insn1(e, or ? OP_OR_EAX : OP_AND_EAX);
		word(e, key.imm);
	} else if (key.reg == EAX) {
		insn2(e, or ? OP_OR_RM : OP_AND_RM, MODRM_SIB);
		byte(e, SIB_TOP_OF_STACK);
	} else {
		insn2(e, or ? OP_OR_RM : OP_AND_RM, MODRM_REGISTER | key.reg);
	}
	insn2(e, OP_STORE_BYTE, MODRM_ABSOLUTE);
	tpr_address(e, tpr);
	push_flags(e);
	insn2(e, OP_CMP_BYTE, MODRM_ABSOLUTE);
	word(e, threshold);
	tell_if_below(e);
	pop_flags(e);
	pop_eax(e);
}

static void emit(struct emitter *e, struct patch_key key, uint32_t tpr, uint32_t threshold)
{
	e->now = (struct patch_stack){ 0, -1, -1 };
	e->stub->length = e->stub->tprs = 0;
	if (key.op != PATCH_MOV)
		change(e, key, tpr, threshold);
	else if (key.immediate)
		mov_immediate(e, key.imm, tpr, threshold);
	else
		mov_register(e, key.reg, tpr, threshold);
	insn1(e, OP_RET);
}

/* Of what is moved only the low byte counts. */
struct patch_key patch_key_of(const struct patch_insn *insn)
{
	uint32_t imm = insn->op == PATCH_MOV ? insn->imm & 0xff : insn->imm;

	return (struct patch_key){ insn->op, insn->immediate, insn->immediate ? 0 : insn->reg, imm };
}

void patch_stub(struct patch_stub *stub, struct patch_key key, uint32_t tpr, uint32_t threshold)
{
	struct emitter e = { .stub = stub };

	emit(&e, key, tpr, threshold);
}

bool patch_stack_at(struct patch_key key, unsigned offset, struct patch_stack *stack)
{
	struct patch_stub stub;
	struct emitter e = { .stub = &stub, .offset = offset, .stack = stack };

	emit(&e, key, 0, 0);
	return e.found;
}
