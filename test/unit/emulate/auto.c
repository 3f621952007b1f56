/* test/unit/emulate/auto.c - forms made from the decoder's own tables, so that nothing that the host's CPU carries out
 * for the emulator is left out. What a table does not say (which VEX.L and vvvv are legal) is tried at random: the CPU
 * answers #UD, and so must the emulator. */
#include <stdio.h>

#include "emulate/decode/ops.h"
#include "test/unit/emulate/cases.h"

static char names[MAX_FORMS][24];
static unsigned name_count;

static const char *name(const char *format, unsigned a, unsigned b, unsigned c)
{
	if (name_count == MAX_FORMS)
		bug(__FILE__, __LINE__, "too many forms");
	snprintf(names[name_count], sizeof(names[0]), format, a, b, c);
	return names[name_count++];
}

static uint64_t flags_of(const struct opcode *o)
{
	uint64_t flags = F_VECTOR | F_NO66 | F_NOREP | F_ANY_VEX;

	flags |= (o->how & H_MODRM) ? F_MODRM : 0;
	flags |= (o->how & H_IMM) ? F_I8 : 0;
	flags |= (o->how & H_VEX_OK) ? F_VEX : 0;
	flags |= (o->how & H_MEM) ? F_MEM : 0;
	flags |= (o->how & H_VSIB) ? F_VSIB : 0;
	flags |= (o->how & H_N(INSN_N_ALIGN | INSN_N_ALIGN_VEX)) ? F_ALIGN : 0;
	flags |= (o->how & H_SIZE66) ? F_SOURCE66 : 0;
	if (o->op == OP_maskmov)
		flags |= F_REG | F_RDI | F_WRITES;
	if (o->op == OP_vmaskmov && (o->how & H_N(INSN_N_STORE)))
		flags |= F_WRITES;
	return flags;
}

static void from_map(unsigned map, const struct opcode table[256][4], void (*add)(struct form f))
{
	static const uint8_t prefixes[4] = { 0, 0x66, 0xf3, 0xf2 };

	for (unsigned opcode = 0; opcode < 256; opcode++) {
		for (unsigned p = 0; p < 4; p++) {
			struct opcode o = table[opcode][p];
			struct form f = { .map = map, .opcode = opcode, .digit = 0xff, .prefix = prefixes[p] };

			if (map == 1)
				o.how |= opcodes_0f[opcode].how;
			if (o.op != OP_native && o.op != OP_vmaskmov && o.op != OP_maskmov && o.op != OP_gather &&
			    o.op != OP_group)
				continue;
			f.flags = flags_of(&o);
			f.name = name("map %u, %02x, prefix %02x", map, opcode, prefixes[p]);
			add(f);
		}
	}
}

/* Each opcode and digit, with memory and with registers; 66 chooses the environment's size. */
static void add_x87(unsigned opcode, unsigned digit, void (*add)(struct form f))
{
	bool whole = (opcode == 0xd9 || opcode == 0xdd) && (digit == 4 || digit == 6), saves = whole && digit == 6;
	bool is_ten_bytes =
		(opcode == 0xdb && (digit == 5 || digit == 7)) || (opcode == 0xdf && (digit == 4 || digit == 6));
	struct form f = { .opcode = opcode, .digit = digit, .flags = F_MODRM | F_VECTOR | F_NOREP };

	f.flags |= F_MEM | (saves ? F_WRITES : 0) | (whole || is_ten_bytes ? F_LONG : 0);
	f.name = name("%02x /%u, memory%.0u", opcode, digit, 0);
	add(f);
	f.flags = F_MODRM | F_VECTOR | F_NOREP | F_NO66 | F_REG;
	f.name = name("%02x /%u, registers%.0u", opcode, digit, 0);
	add(f);
}

void forms_from_tables(void (*add)(struct form f))
{
	from_map(1, opcodes_0f_prefixed, add);
	from_map(2, opcodes_0f38, add);
	from_map(3, opcodes_0f3a, add);
	for (unsigned opcode = 0xd8; opcode <= 0xdf; opcode++) {
		for (unsigned digit = 0; digit < 8; digit++)
			add_x87(opcode, digit, add);
	}
}
