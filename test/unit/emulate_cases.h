/* test/unit/emulate_cases.h - random instructions, made from a list of forms (opcode, operands, what is undefined). */
#ifndef VELLUM_TEST_EMULATE_CASES_H
#define VELLUM_TEST_EMULATE_CASES_H

#include "test/unit/emulate_machine.h"

/* What a form's encoding has beside the opcode, and how it is tested. */
#define F_MODRM (1u << 0)
#define F_I8 (1u << 1)
#define F_IZ (1u << 2)
#define F_IV (1u << 3)
#define F_I16 (1u << 4)
#define F_LOCK (1u << 5)    /* LOCK is legal with memory */
#define F_MEM (1u << 6)     /* memory operand only */
#define F_REG (1u << 7)     /* register operand only */
#define F_STACK (1u << 8)   /* rSP points into the world */
#define F_STRING (1u << 9)
#define F_BT (1u << 10)     /* the register operand is a bit offset */
#define F_MOFFS (1u << 11)
#define F_CONTROL (1u << 12)
#define F_VECTOR (1u << 13) /* compares XMM/YMM */
#define F_OPREG (1u << 14)
#define F_NO64 (1u << 15)
#define F_ONLY64 (1u << 16)
#define F_NO66 (1u << 17)   /* 66 would make another instruction, or one that CPUs of different make do differently */
#define F_VEX (1u << 18)
#define F_VVVV (1u << 19)   /* VEX.vvvv is an operand of the register form */
#define F_VVVV_MEM (1u << 20) /* ... and of the memory form */
#define F_L0 (1u << 21)     /* VEX.L = 0 only */
#define F_BYTE (1u << 22)
#define F_D64 (1u << 23)
#define F_NOREP (1u << 24)  /* F2/F3 would make another instruction */
#define F_DIVIDE (1u << 25)
#define F_COMPARE (1u << 26) /* CMPXCHG: make it equal now and then */
#define F_ENTER (1u << 27)
#define F_XLAT (1u << 28)
#define F_ALIGN (1u << 29)
#define F_WRITES (1u << 30)  /* several results: the CPU leaves the first ones behind when it faults later, the emulator none */
#define F_FAULTS (1u << 31) /* always an exception in a user program */

#define MAX_FORMS 512

/* Which results the SDM leaves undefined. */
enum undefined {
	U_NONE, U_LOGIC, U_MULTIPLY, U_DIVIDE, U_SHIFT, U_ROTATE, U_DOUBLE_SHIFT, U_BIT, U_SCAN, U_COUNT, U_DECIMAL, U_ASCII,
	U_ASCII_DIVIDE
};

struct form {
	const char *name;
	uint8_t map;    /* 0 one byte, 1 0F, 2 0F38 */
	uint8_t opcode;
	uint8_t digit;  /* modrm.reg, or 0xff: a register */
	uint8_t prefix; /* mandatory: 0, 66, F2, F3 */
	uint32_t flags;
	enum undefined undefined;
};

struct case_ {
	const struct form *form;
	enum layout layout;
	uint8_t bytes[16];
	unsigned n;
	struct state in;
	struct insn insn; /* decoded, to see what came out */
	uint64_t undefined_flags;
	bool undefined_result; /* the destination register is undefined too */
};

/* Those that the host has. */
const struct form *cases_forms(unsigned *count);

void random_seed(uint64_t seed);
uint64_t random64(void);
unsigned random_below(unsigned n);

bool form_available(const struct form *f);

/* Make a random case of a form; false if this attempt did not come to anything sensible (try again). */
bool case_make(struct case_ *c, const struct form *form, enum layout layout);

#endif
