/* test/unit/emulate/cases.h - random instructions, made from a list of forms (opcode, operands, what is undefined). */
#ifndef VELLUM_TEST_EMULATE_CASES_H
#define VELLUM_TEST_EMULATE_CASES_H

#include "test/unit/emulate/machine.h"

/* What a form's encoding has beside the opcode, and how it is tested. */
#define F_MODRM (1ull << 0)
#define F_I8 (1ull << 1)
#define F_IZ (1ull << 2)
#define F_IV (1ull << 3)
#define F_I16 (1ull << 4)
#define F_LOCK (1ull << 5)    /* LOCK is legal with memory */
#define F_MEM (1ull << 6)     /* memory operand only */
#define F_REG (1ull << 7)     /* register operand only */
#define F_STACK (1ull << 8)   /* rSP points into the world */
#define F_STRING (1ull << 9)
#define F_BT (1ull << 10)     /* the register operand is a bit offset */
#define F_MOFFS (1ull << 11)
#define F_CONTROL (1ull << 12)
#define F_VECTOR (1ull << 13) /* compares XMM/YMM */
#define F_OPREG (1ull << 14)
#define F_NO64 (1ull << 15)
#define F_ONLY64 (1ull << 16)
#define F_NO66 (1ull << 17)   /* 66 would make another instruction, or one that CPUs of different make do differently */
#define F_VEX (1ull << 18)
#define F_VVVV (1ull << 19)   /* VEX.vvvv is an operand of the register form */
#define F_VVVV_MEM (1ull << 20) /* ... and of the memory form */
#define F_L0 (1ull << 21)     /* VEX.L = 0 only */
#define F_BYTE (1ull << 22)
#define F_D64 (1ull << 23)
#define F_NOREP (1ull << 24)  /* F2/F3 would make another instruction */
#define F_DIVIDE (1ull << 25)
#define F_COMPARE (1ull << 26) /* CMPXCHG: make it equal now and then */
#define F_ENTER (1ull << 27)
#define F_XLAT (1ull << 28)
#define F_ALIGN (1ull << 29)
/* several results: the CPU leaves the first ones behind when it faults later, the emulator none */
#define F_WRITES (1ull << 30)
#define F_FAULTS (1ull << 31) /* always an exception in a user program */
#define F_ANY_VEX (1ull << 32) /* vvvv, L and W are anything: the CPU says what is legal */
#define F_RDI (1ull << 33)   /* rDI points into the world */
#define F_VSIB (1ull << 34)  /* the index is a vector register */
#define F_AREA (1ull << 35)  /* memory is an FXSAVE or XSAVE area */
#define F_SELECTOR (1ull << 36) /* r/m is a selector of the LDT */
#define F_LONG (1ull << 38) /* memory of many bytes */
#define F_MXCSR (1ull << 39) /* memory is what MXCSR can hold */
#define F_SOURCE66 (1ull << 37) /* 66 may come before the mandatory prefix, as an operand size */

#define MAX_FORMS 2048

/* Which results the SDM leaves undefined. */
enum undefined {
	U_NONE,
	U_LOGIC,
	U_MULTIPLY,
	U_DIVIDE,
	U_SHIFT,
	U_ROTATE,
	U_DOUBLE_SHIFT,
	U_BIT,
	U_SCAN,
	U_COUNT,
	U_DECIMAL,
	U_ASCII,
	U_ASCII_DIVIDE
};

struct form {
	const char *name;
	uint8_t map;    /* 0 one byte, 1 0F, 2 0F38, 3 0F3A */
	uint8_t opcode;
	uint8_t digit;  /* modrm.reg, or 0xff: a register */
	uint8_t prefix; /* mandatory: 0, 66, F2, F3 */
	uint64_t flags;
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

/* auto.c: the forms of the vector, MMX and x87 tables of the decoder, of BMI and its like. */
void forms_from_tables(void (*add)(struct form f));
/* units.c: random FPU and vector registers, and what an area in memory must hold. */
void random_units(struct case_ *c);
void prepare_area(struct case_ *c, uint64_t at);
void prepare_mxcsr(uint64_t at);

void random_seed(uint64_t seed);
uint64_t random64(void);
unsigned random_below(unsigned n);

bool form_available(const struct form *f);

/* Make a random case of a form; false if this attempt did not come to anything sensible (try again). */
bool case_make(struct case_ *c, const struct form *form, enum layout layout);

#endif
