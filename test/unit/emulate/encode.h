/* test/unit/emulate/encode.h - encoding a form: prefixes, ModRM and SIB whose registers are set so that the memory
 * operand lies at a chosen address, immediates. For cases.c. */
#ifndef VELLUM_TEST_EMULATE_ENCODE_H
#define VELLUM_TEST_EMULATE_ENCODE_H

#include "test/unit/emulate/cases.h"

struct builder {
	struct case_ *c;
	uint8_t *bytes;
	unsigned n;
	unsigned rip_displacement; /* where a RIP-relative displacement waits for the length; 0: none */
	bool w, address_override, small;
	uint8_t rex;
	uint8_t seg; /* of the memory operand, or INSN_NONE if not overridden */
	unsigned adsize, opsize;
	uint64_t target; /* the linear address that the memory operand should have */
	bool has_target;
};

bool chance(unsigned percent);
uint64_t random_value(void);
uint64_t random_target(uint64_t flags);

bool builder_is_64(const struct builder *b);
uint64_t *builder_gpr(struct builder *b, unsigned n);
void set_address_part(struct builder *b, unsigned reg, uint64_t v);
unsigned memory_segment(const struct builder *b, unsigned base);

void put_prefixes(struct builder *b);
void put_vex(struct builder *b, bool memory);
void put_opcode(struct builder *b, bool vex);
void put_modrm(struct builder *b, bool memory);
void put_immediate(struct builder *b);

#endif
