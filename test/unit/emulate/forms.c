/* test/unit/emulate/forms.c - the list of instruction forms that are run against the host CPU. */
#include "test/unit/emulate/cases.h"

#define R 0xff
#define M F_MODRM
#define ML (F_MODRM | F_LOCK)

static const struct form fixed_forms[] = {
	{ "test_b", 0, 0x84, R, 0, M | F_BYTE, U_LOGIC },
	{ "test", 0, 0x85, R, 0, M, U_LOGIC },
	{ "test_al", 0, 0xa8, R, 0, F_I8 | F_BYTE, U_LOGIC },
	{ "test_eax", 0, 0xa9, R, 0, F_IZ, U_LOGIC },
	{ "test_imm_b", 0, 0xf6, 0, 0, M | F_I8 | F_BYTE, U_LOGIC },
	{ "test_imm", 0, 0xf7, 1, 0, M | F_IZ, U_LOGIC },
	{ "xchg_b", 0, 0x86, R, 0, ML | F_BYTE, U_NONE },
	{ "xchg", 0, 0x87, R, 0, ML, U_NONE },
	{ "xchg_eax", 0, 0x90, R, 0, F_OPREG | F_NOREP, U_NONE },
	{ "mov_store_b", 0, 0x88, R, 0, M | F_BYTE, U_NONE },
	{ "mov_store", 0, 0x89, R, 0, M, U_NONE },
	{ "mov_load_b", 0, 0x8a, R, 0, M | F_BYTE, U_NONE },
	{ "mov_load", 0, 0x8b, R, 0, M, U_NONE },
	{ "mov_moffs_load_b", 0, 0xa0, R, 0, F_MOFFS | F_BYTE, U_NONE },
	{ "mov_moffs_load", 0, 0xa1, R, 0, F_MOFFS, U_NONE },
	{ "mov_moffs_store_b", 0, 0xa2, R, 0, F_MOFFS | F_BYTE, U_NONE },
	{ "mov_moffs_store", 0, 0xa3, R, 0, F_MOFFS, U_NONE },
	{ "mov_imm_b", 0, 0xc6, 0, 0, M | F_I8 | F_BYTE, U_NONE },
	{ "mov_imm", 0, 0xc7, 0, 0, M | F_IZ, U_NONE },
	{ "mov_reg_imm_b", 0, 0xb0, R, 0, F_OPREG | F_I8 | F_BYTE, U_NONE },
	{ "mov_reg_imm", 0, 0xb8, R, 0, F_OPREG | F_IV, U_NONE },
	{ "movzx_b", 1, 0xb6, R, 0, M, U_NONE },
	{ "movzx_w", 1, 0xb7, R, 0, M, U_NONE },
	{ "movsx_b", 1, 0xbe, R, 0, M, U_NONE },
	{ "movsx_w", 1, 0xbf, R, 0, M, U_NONE },
	{ "movsxd", 0, 0x63, R, 0, M | F_ONLY64, U_NONE },
	{ "movbe_load", 2, 0xf0, R, 0, M | F_MEM | F_NOREP, U_NONE },
	{ "movbe_store", 2, 0xf1, R, 0, M | F_MEM | F_NOREP, U_NONE },
	{ "movnti", 1, 0xc3, R, 0, M | F_MEM | F_NO66 | F_NOREP, U_NONE },
	{ "lea", 0, 0x8d, R, 0, M | F_MEM, U_NONE },
	{ "bswap", 1, 0xc8, R, 0, F_OPREG | F_NO66, U_NONE },
	{ "cbw", 0, 0x98, R, 0, 0, U_NONE },
	{ "cwd", 0, 0x99, R, 0, 0, U_NONE },
	{ "xlat", 0, 0xd7, R, 0, F_XLAT, U_NONE },
	{ "lahf", 0, 0x9f, R, 0, 0, U_NONE },
	{ "sahf", 0, 0x9e, R, 0, 0, U_NONE },
	{ "cmc", 0, 0xf5, R, 0, 0, U_NONE },
	{ "clc", 0, 0xf8, R, 0, 0, U_NONE },
	{ "stc", 0, 0xf9, R, 0, 0, U_NONE },
	{ "cld", 0, 0xfc, R, 0, 0, U_NONE },
	{ "std", 0, 0xfd, R, 0, 0, U_NONE },
	{ "salc", 0, 0xd6, R, 0, F_NO64, U_NONE },
	{ "nop_hint", 1, 0x1f, 0, 0, M, U_NONE },
	{ "not_b", 0, 0xf6, 2, 0, ML | F_BYTE, U_NONE },
	{ "not", 0, 0xf7, 2, 0, ML, U_NONE },
	{ "neg_b", 0, 0xf6, 3, 0, ML | F_BYTE, U_NONE },
	{ "neg", 0, 0xf7, 3, 0, ML, U_NONE },
	{ "inc_b", 0, 0xfe, 0, 0, ML | F_BYTE, U_NONE },
	{ "inc", 0, 0xff, 0, 0, ML, U_NONE },
	{ "dec_b", 0, 0xfe, 1, 0, ML | F_BYTE, U_NONE },
	{ "dec", 0, 0xff, 1, 0, ML, U_NONE },
	{ "inc_reg", 0, 0x40, R, 0, F_OPREG | F_NO64, U_NONE },
	{ "dec_reg", 0, 0x48, R, 0, F_OPREG | F_NO64, U_NONE },
	{ "mul_b", 0, 0xf6, 4, 0, M | F_BYTE, U_MULTIPLY },
	{ "mul", 0, 0xf7, 4, 0, M, U_MULTIPLY },
	{ "imul_b", 0, 0xf6, 5, 0, M | F_BYTE, U_MULTIPLY },
	{ "imul", 0, 0xf7, 5, 0, M, U_MULTIPLY },
	{ "imul2", 1, 0xaf, R, 0, M, U_MULTIPLY },
	{ "imul3_i8", 0, 0x6b, R, 0, M | F_I8, U_MULTIPLY },
	{ "imul3_iz", 0, 0x69, R, 0, M | F_IZ, U_MULTIPLY },
	{ "div_b", 0, 0xf6, 6, 0, M | F_BYTE | F_DIVIDE, U_DIVIDE },
	{ "div", 0, 0xf7, 6, 0, M | F_DIVIDE, U_DIVIDE },
	{ "idiv_b", 0, 0xf6, 7, 0, M | F_BYTE | F_DIVIDE, U_DIVIDE },
	{ "idiv", 0, 0xf7, 7, 0, M | F_DIVIDE, U_DIVIDE },
	{ "xadd_b", 1, 0xc0, R, 0, ML | F_BYTE, U_NONE },
	{ "xadd", 1, 0xc1, R, 0, ML, U_NONE },
	{ "cmpxchg_b", 1, 0xb0, R, 0, ML | F_BYTE | F_COMPARE, U_NONE },
	{ "cmpxchg", 1, 0xb1, R, 0, ML | F_COMPARE, U_NONE },
	{ "cmpxchg8b", 1, 0xc7, 1, 0, ML | F_MEM | F_COMPARE | F_ALIGN, U_NONE },
	{ "shld_imm", 1, 0xa4, R, 0, M | F_I8, U_DOUBLE_SHIFT },
	{ "shld_cl", 1, 0xa5, R, 0, M, U_DOUBLE_SHIFT },
	{ "shrd_imm", 1, 0xac, R, 0, M | F_I8, U_DOUBLE_SHIFT },
	{ "shrd_cl", 1, 0xad, R, 0, M, U_DOUBLE_SHIFT },
	{ "bt", 1, 0xa3, R, 0, M | F_BT, U_BIT },
	{ "bts", 1, 0xab, R, 0, ML | F_BT, U_BIT },
	{ "btr", 1, 0xb3, R, 0, ML | F_BT, U_BIT },
	{ "btc", 1, 0xbb, R, 0, ML | F_BT, U_BIT },
	{ "bt_imm", 1, 0xba, 4, 0, M | F_I8, U_BIT },
	{ "bts_imm", 1, 0xba, 5, 0, ML | F_I8, U_BIT },
	{ "btr_imm", 1, 0xba, 6, 0, ML | F_I8, U_BIT },
	{ "btc_imm", 1, 0xba, 7, 0, ML | F_I8, U_BIT },
	{ "bsf", 1, 0xbc, R, 0, M | F_NOREP, U_SCAN },
	{ "bsr", 1, 0xbd, R, 0, M | F_NOREP, U_SCAN },
	{ "tzcnt", 1, 0xbc, R, 0xf3, M, U_COUNT },
	{ "lzcnt", 1, 0xbd, R, 0xf3, M, U_COUNT },
	{ "popcnt", 1, 0xb8, R, 0xf3, M, U_NONE },
	{ "daa", 0, 0x27, R, 0, F_NO64, U_DECIMAL },
	{ "das", 0, 0x2f, R, 0, F_NO64, U_DECIMAL },
	{ "aaa", 0, 0x37, R, 0, F_NO64, U_ASCII },
	{ "aas", 0, 0x3f, R, 0, F_NO64, U_ASCII },
	{ "aam", 0, 0xd4, R, 0, F_NO64 | F_I8, U_ASCII_DIVIDE },
	{ "aad", 0, 0xd5, R, 0, F_NO64 | F_I8, U_ASCII_DIVIDE },
	{ "push_reg", 0, 0x50, R, 0, F_OPREG | F_STACK | F_D64, U_NONE },
	{ "push_rm", 0, 0xff, 6, 0, M | F_STACK | F_D64, U_NONE },
	{ "push_i8", 0, 0x6a, R, 0, F_I8 | F_STACK | F_D64, U_NONE },
	{ "push_iz", 0, 0x68, R, 0, F_IZ | F_STACK | F_D64, U_NONE },
	{ "pop_reg", 0, 0x58, R, 0, F_OPREG | F_STACK | F_D64, U_NONE },
	{ "pop_rm", 0, 0x8f, 0, 0, M | F_STACK | F_D64, U_NONE },
	{ "pusha", 0, 0x60, R, 0, F_STACK | F_NO64 | F_WRITES, U_NONE },
	{ "popa", 0, 0x61, R, 0, F_STACK | F_NO64 | F_WRITES, U_NONE },
	{ "pushf", 0, 0x9c, R, 0, F_STACK | F_D64, U_NONE },
	{ "push_es", 0, 0x06, R, 0, F_STACK | F_NO64, U_NONE },
	{ "push_cs", 0, 0x0e, R, 0, F_STACK | F_NO64, U_NONE },
	{ "push_ss", 0, 0x16, R, 0, F_STACK | F_NO64, U_NONE },
	{ "push_ds", 0, 0x1e, R, 0, F_STACK | F_NO64, U_NONE },
	{ "mov_from_ss", 0, 0x8c, 2, 0, M, U_NONE },
	{ "mov_from_cs", 0, 0x8c, 1, 0, M, U_NONE },
	{ "enter", 0, 0xc8, R, 0, F_ENTER | F_STACK | F_D64 | F_WRITES, U_NONE },
	{ "leave", 0, 0xc9, R, 0, F_STACK | F_D64 | F_ENTER, U_NONE },
	{ "movs_b", 0, 0xa4, R, 0, F_STRING | F_BYTE, U_NONE },
	{ "movs", 0, 0xa5, R, 0, F_STRING, U_NONE },
	{ "cmps_b", 0, 0xa6, R, 0, F_STRING | F_BYTE, U_NONE },
	{ "cmps", 0, 0xa7, R, 0, F_STRING, U_NONE },
	{ "stos_b", 0, 0xaa, R, 0, F_STRING | F_BYTE, U_NONE },
	{ "stos", 0, 0xab, R, 0, F_STRING, U_NONE },
	{ "lods_b", 0, 0xac, R, 0, F_STRING | F_BYTE, U_NONE },
	{ "lods", 0, 0xad, R, 0, F_STRING, U_NONE },
	{ "scas_b", 0, 0xae, R, 0, F_STRING | F_BYTE, U_NONE },
	{ "scas", 0, 0xaf, R, 0, F_STRING, U_NONE },
	{ "jmp_8", 0, 0xeb, R, 0, F_CONTROL | F_I8 | F_NO66, U_NONE },
	{ "jmp_z", 0, 0xe9, R, 0, F_CONTROL | F_IZ | F_NO66, U_NONE },
	{ "jmp_rm", 0, 0xff, 4, 0, F_CONTROL | M | F_NO66, U_NONE },
	{ "call_z", 0, 0xe8, R, 0, F_CONTROL | F_IZ | F_NO66 | F_STACK, U_NONE },
	{ "call_rm", 0, 0xff, 2, 0, F_CONTROL | M | F_NO66 | F_STACK, U_NONE },
	{ "ret", 0, 0xc3, R, 0, F_CONTROL | F_STACK | F_NO66, U_NONE },
	{ "ret_i", 0, 0xc2, R, 0, F_CONTROL | F_STACK | F_NO66 | F_I16, U_NONE },
	{ "loopne", 0, 0xe0, R, 0, F_CONTROL | F_I8 | F_NO66, U_NONE },
	{ "loope", 0, 0xe1, R, 0, F_CONTROL | F_I8 | F_NO66, U_NONE },
	{ "loop", 0, 0xe2, R, 0, F_CONTROL | F_I8 | F_NO66, U_NONE },
	{ "jcxz", 0, 0xe3, R, 0, F_CONTROL | F_I8 | F_NO66, U_NONE },
	/* Not allowed to user programs, or not at all: the exception is compared. */
	{ "cli", 0, 0xfa, R, 0, F_FAULTS, U_NONE },
	{ "sti", 0, 0xfb, R, 0, F_FAULTS, U_NONE },
	{ "hlt", 0, 0xf4, R, 0, F_FAULTS, U_NONE },
	{ "in_al", 0, 0xec, R, 0, F_FAULTS, U_NONE },
	{ "out_imm", 0, 0xe7, R, 0, F_I8 | F_FAULTS, U_NONE },
	{ "ins", 0, 0x6d, R, 0, F_STRING | F_FAULTS, U_NONE },
	{ "outs_b", 0, 0x6e, R, 0, F_STRING | F_FAULTS, U_NONE },
	{ "clts", 1, 0x06, R, 0, F_FAULTS, U_NONE },
	{ "wbinvd", 1, 0x09, R, 0, F_NOREP | F_FAULTS, U_NONE },
	{ "wrmsr", 1, 0x30, R, 0, F_NOREP | F_NO66 | F_FAULTS, U_NONE },
	{ "mov_from_cr0", 1, 0x20, 0, 0, M | F_REG | F_FAULTS, U_NONE },
	{ "mov_to_cr3", 1, 0x22, 3, 0, M | F_REG | F_FAULTS, U_NONE },
	{ "ud2", 1, 0x0b, R, 0, F_FAULTS, U_NONE },
	/* Looking at descriptors. */
	{ "lar", 1, 0x02, R, 0, M | F_SELECTOR, U_NONE },
	{ "lsl", 1, 0x03, R, 0, M | F_SELECTOR, U_NONE },
	{ "verr", 1, 0x00, 4, 0, M | F_SELECTOR, U_NONE },
	{ "verw", 1, 0x00, 5, 0, M | F_SELECTOR, U_NONE },
	{ "arpl", 0, 0x63, R, 0, M | F_NO64 | F_NO66, U_NONE },
	{ "bound", 0, 0x62, R, 0, M | F_MEM | F_NO64, U_NONE },
	{ "xgetbv_fault", 1, 0xc7, 2, 0, M | F_MEM | F_FAULTS, U_NONE },
	/* Parts of the FPU's and vector unit's state. */
	{ "fwait", 0, 0x9b, R, 0, F_VECTOR | F_NO66, U_NONE },
	{ "fxsave", 1, 0xae, 0, 0, M | F_MEM | F_VECTOR | F_AREA | F_NO66 | F_NOREP | F_WRITES, U_NONE },
	{ "fxrstor", 1, 0xae, 1, 0, M | F_MEM | F_VECTOR | F_AREA | F_NO66 | F_NOREP, U_NONE },
	{ "ldmxcsr", 1, 0xae, 2, 0, M | F_MEM | F_VECTOR | F_VEX | F_NO66 | F_NOREP | F_L0 | F_MXCSR, U_NONE },
	{ "stmxcsr", 1, 0xae, 3, 0, M | F_MEM | F_VECTOR | F_VEX | F_NO66 | F_NOREP | F_L0, U_NONE },
	{ "xsave", 1, 0xae, 4, 0, M | F_MEM | F_VECTOR | F_AREA | F_NO66 | F_NOREP | F_WRITES, U_NONE },
	{ "xrstor", 1, 0xae, 5, 0, M | F_MEM | F_VECTOR | F_AREA | F_NO66 | F_NOREP, U_NONE },
	{ "xsavec", 1, 0xc7, 4, 0, M | F_MEM | F_VECTOR | F_AREA | F_NO66 | F_NOREP | F_WRITES, U_NONE },
	{ "clflush", 1, 0xae, 7, 0, M | F_MEM | F_NO66 | F_NOREP, U_NONE },
	{ "clflushopt", 1, 0xae, 7, 0x66, M | F_MEM | F_NOREP, U_NONE },
	{ "clwb", 1, 0xae, 6, 0x66, M | F_MEM | F_NOREP, U_NONE },
	{ "prefetch", 1, 0x18, R, 0, M, U_NONE },
	{ "prefetchw", 1, 0x0d, 1, 0, M | F_MEM, U_NONE },
};

static struct form forms[MAX_FORMS];
static unsigned form_count;

static void add(struct form f)
{
	if (form_count == MAX_FORMS)
		bug(__FILE__, __LINE__, "too many forms");
	if (form_available(&f))
		forms[form_count++] = f;
}

static const char *const alu_names[8] = { "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp" };
static const char *const shift_names[8] = { "rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar" };

static void add_alu(unsigned op)
{
	uint64_t lock = op == 7 ? 0 : F_LOCK;
	enum undefined u = op == 1 || op == 4 || op == 6 ? U_LOGIC : U_NONE;
	const char *name = alu_names[op];

	add((struct form){ name, 0, op * 8, R, 0, M | F_BYTE | lock, u });
	add((struct form){ name, 0, op * 8 + 1, R, 0, M | lock, u });
	add((struct form){ name, 0, op * 8 + 2, R, 0, M | F_BYTE, u });
	add((struct form){ name, 0, op * 8 + 3, R, 0, M, u });
	add((struct form){ name, 0, op * 8 + 4, R, 0, F_I8 | F_BYTE, u });
	add((struct form){ name, 0, op * 8 + 5, R, 0, F_IZ, u });
	add((struct form){ name, 0, 0x80, op, 0, M | F_BYTE | F_I8 | lock, u });
	add((struct form){ name, 0, 0x81, op, 0, M | F_IZ | lock, u });
	add((struct form){ name, 0, 0x82, op, 0, M | F_BYTE | F_I8 | lock | F_NO64, u });
	add((struct form){ name, 0, 0x83, op, 0, M | F_I8 | lock, u });
}

static void add_shift(unsigned op)
{
	enum undefined u = op < 4 ? U_ROTATE : U_SHIFT;
	const char *name = shift_names[op];

	add((struct form){ name, 0, 0xc0, op, 0, M | F_BYTE | F_I8, u });
	add((struct form){ name, 0, 0xc1, op, 0, M | F_I8, u });
	add((struct form){ name, 0, 0xd0, op, 0, M | F_BYTE, u });
	add((struct form){ name, 0, 0xd1, op, 0, M, u });
	add((struct form){ name, 0, 0xd2, op, 0, M | F_BYTE, u });
	add((struct form){ name, 0, 0xd3, op, 0, M, u });
}

const struct form *cases_forms(unsigned *count)
{
	if (!form_count) {
		for (unsigned n = 0; n < ARRAY_SIZE(fixed_forms); n++)
			add(fixed_forms[n]);
		for (unsigned op = 0; op < 8; op++) {
			add_alu(op);
			add_shift(op);
		}
		for (unsigned cc = 0; cc < 16; cc++) {
			add((struct form){ "cmov", 1, 0x40 + cc, R, 0, M, U_NONE });
			add((struct form){ "setcc", 1, 0x90 + cc, R, 0, M | F_BYTE, U_NONE });
			add((struct form){ "jcc_8", 0, 0x70 + cc, R, 0, F_CONTROL | F_I8 | F_NO66, U_NONE });
			add((struct form){ "jcc_z", 1, 0x80 + cc, R, 0, F_CONTROL | F_IZ | F_NO66, U_NONE });
		}
		forms_from_tables(add);
	}
	*count = form_count;
	return forms;
}
