/* vm/patch_stub.c - the stubs of vm/patch_insn.h: what a patched write calls. It stores the byte and compares it with
 * the class of what waits; only if that can come now does it tell the hypervisor. */
#include "vm/patch_insn.h"

#include "lib/ports.h"

enum { EAX, ECX, EDX, EBX };

struct emitter {
	struct patch_stub *stub;
	struct patch_stack now;
	/* what is wanted: .now in front of the instruction at .offset */
	unsigned offset;
	struct patch_stack *stack;
	bool found;
};

/* One instruction: up to three bytes of it, and an address or a word behind them. */
static void begin(struct emitter *e)
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
	begin(e);
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

static void push_flags(struct emitter *e)
{
	insn1(e, 0x9c);
	e->now.words++;
	if (e->now.eax_at >= 0)
		e->now.eax_at++;
	e->now.flags_at = 0;
}

static void push_eax(struct emitter *e)
{
	insn1(e, 0x50);
	e->now.words++;
	if (e->now.flags_at >= 0)
		e->now.flags_at++;
	e->now.eax_at = 0;
}

static void pop_flags(struct emitter *e)
{
	insn1(e, 0x9d);
	e->now.words--;
	e->now.flags_at = -1;
	if (e->now.eax_at >= 0)
		e->now.eax_at--;
}

static void pop_eax(struct emitter *e)
{
	insn1(e, 0x58);
	e->now.words--;
	e->now.eax_at = -1;
	if (e->now.flags_at >= 0)
		e->now.flags_at--;
}

/* CMP set the flags by threshold - value: above, and what waits can come. JBE over OUT. */
static void tell_if_below(struct emitter *e)
{
	insn2(e, 0x76, 2);
	insn2(e, 0xe6, PATCH_PORT);
}

static void store_register(struct emitter *e, unsigned reg, uint32_t tpr, uint32_t threshold)
{
	insn2(e, 0x88, 5 | reg << 3);
	tpr_address(e, tpr);
	insn2(e, 0x38, 5 | reg << 3);
	word(e, threshold);
	tell_if_below(e);
}

static void mov_immediate(struct emitter *e, uint32_t imm, uint32_t tpr, uint32_t threshold)
{
	push_flags(e);
	insn2(e, 0xc6, 5);
	tpr_address(e, tpr);
	byte(e, imm & 0xff);
	insn2(e, 0x80, 5 | 7 << 3);
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
		insn2(e, 0x89, 0xc0 | reg << 3);
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
	insn2(e, 0x0f, 0xb6);
	byte(e, 5);
	tpr_address(e, tpr);
	if (key.immediate) {
		insn1(e, or ? 0x0d : 0x25);
		word(e, key.imm);
	} else if (key.reg == EAX) {
		insn2(e, or ? 0x0b : 0x23, 4);
		byte(e, 0x24);
	} else {
		insn2(e, or ? 0x0b : 0x23, 0xc0 | key.reg);
	}
	insn2(e, 0x88, 5);
	tpr_address(e, tpr);
	push_flags(e);
	insn2(e, 0x38, 5);
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
	insn1(e, 0xc3);
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
