/* emulate/plain_bits.c - BMI1, BMI2, ADX and CRC32 with an operand in memory, for emulate/plain.c: those that
 * exec_native.c has the host's CPU carry out as they are encoded (EM6). Here they stand in the code: what the guest's
 * CPUID offers, the host's CPU has. What the SDM leaves undefined of their flags is what that CPU makes of the flags
 * before. */
#include "emulate/flags.h"
#include "emulate/native.h"

/* a is modrm.rm, b VEX.vvvv or what stands for it. */
#define OF_TWO(insn, wide, to, a, b) \
	do { \
		if (wide) \
			__asm__(insn " %q[b_], %q[a_], %q[to_]" : [to_] "=r"(to) : [a_] "r"(a), [b_] "r"(b)); \
		else \
			__asm__(insn " %k[b_], %k[a_], %k[to_]" : [to_] "=r"(to) : [a_] "r"(a), [b_] "r"(b)); \
	} while (0)

/* Into AH the status flags but OF, before and behind it, into AL that. SDM: "SAHF", "LAHF", "SETcc". */
#define WITH_FLAGS(operation, to, a, b, f) \
	__asm__("sahf\n\t" operation "\n\tlahf\n\tseto %%al" \
		: [to_] "=&r"(to), "+&a"(f) : [a_] "r"(a), [b_] "r"(b) : "cc")
#define OF_TWO_WITH_FLAGS(insn, wide, to, a, b, f) \
	do { \
		if (wide) \
			WITH_FLAGS(insn " %q[b_], %q[a_], %q[to_]", to, a, b, f); \
		else \
			WITH_FLAGS(insn " %k[b_], %k[a_], %k[to_]", to, a, b, f); \
	} while (0)
#define OF_ONE_WITH_FLAGS(insn, wide, to, a, f) \
	do { \
		if (wide) \
			WITH_FLAGS(insn " %q[a_], %q[to_]", to, a, a, f); \
		else \
			WITH_FLAGS(insn " %k[a_], %k[to_]", to, a, a, f); \
	} while (0)

static bool is_wide(const struct insn *i) { return i->opsize == 8; }

static inline uint32_t flags_before(const struct emulate *e)
{
	return (uint32_t)(e->rflags & RFLAGS_STATUS & ~RFLAGS_OF) << 8;
}

static void set_result(struct emulate *e, const struct insn *i, unsigned reg, uint64_t result)
{
	e->gpr[reg] = is_wide(i) ? result : (uint32_t)result;
}

/* SDM: "ANDN". */
static void and_not(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint32_t f = flags_before(e);
	uint64_t result;

	OF_TWO_WITH_FLAGS("andn", is_wide(i), result, e->gpr[i->vvvv], value, f);
	take_flags(e, f, 0);
	set_result(e, i, i->reg, result);
}

/* BLSR, BLSMSK, BLSI: modrm.reg says which, VEX.vvvv where to. */
static void lowest_bit(struct emulate *e, const struct insn *i, uint64_t value)
{
	unsigned which = i->modrm >> 3 & 7;
	uint32_t f = flags_before(e);
	uint64_t result;

	if (which == 1)
		OF_ONE_WITH_FLAGS("blsr", is_wide(i), result, value, f);
	else if (which == 2)
		OF_ONE_WITH_FLAGS("blsmsk", is_wide(i), result, value, f);
	else
		OF_ONE_WITH_FLAGS("blsi", is_wide(i), result, value, f);
	take_flags(e, f, 0);
	set_result(e, i, i->vvvv, result);
}

/* PDEP, PEXT, or without a prefix BZHI. */
static void deposit(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint64_t other = e->gpr[i->vvvv], result;
	uint32_t f = flags_before(e);

	if (i->flags & INSN_F_REPNE) {
		OF_TWO("pdep", is_wide(i), result, other, value);
	} else if (i->flags & INSN_F_REP) {
		OF_TWO("pext", is_wide(i), result, other, value);
	} else {
		OF_TWO_WITH_FLAGS("bzhi", is_wide(i), result, value, other, f);
		take_flags(e, f, 0);
	}
	set_result(e, i, i->reg, result);
}

/* SHRX, SARX, SHLX, or without a prefix BEXTR. */
static void extract(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint64_t other = e->gpr[i->vvvv], result;
	uint32_t f = flags_before(e);

	if (i->flags & INSN_F_REPNE) {
		OF_TWO("shrx", is_wide(i), result, value, other);
	} else if (i->flags & INSN_F_REP) {
		OF_TWO("sarx", is_wide(i), result, value, other);
	} else if (i->flags & INSN_F_OPSIZE) {
		OF_TWO("shlx", is_wide(i), result, value, other);
	} else {
		OF_TWO_WITH_FLAGS("bextr", is_wide(i), result, value, other, f);
		take_flags(e, f, 0);
	}
	set_result(e, i, i->reg, result);
}

/* MULX: the high half last, which one register for both keeps. */
static void multiply(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint64_t with = e->gpr[EMULATE_RDX];

	if (is_wide(i)) {
		unsigned __int128 product = (unsigned __int128)value * with;

		e->gpr[i->vvvv] = (uint64_t)product;
		e->gpr[i->reg] = (uint64_t)(product >> 64);
	} else {
		uint64_t product = (uint64_t)(uint32_t)value * (uint32_t)with;

		e->gpr[i->vvvv] = (uint32_t)product;
		e->gpr[i->reg] = product >> 32;
	}
}

/* ADCX by CF, ADOX by OF: the only flag that changes. */
static void add_by_flag(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint64_t flag = i->flags & INSN_F_REP ? RFLAGS_OF : RFLAGS_CF, by = e->rflags & flag ? 1 : 0;
	unsigned __int128 sum = (unsigned __int128)(e->gpr[i->reg] & size_mask(i->opsize)) +
				(value & size_mask(i->opsize)) + by;

	set_flags(e, flag, sum >> (8 * i->opsize) ? flag : 0);
	set_result(e, i, i->reg, (uint64_t)sum);
}

static void check_sum(struct emulate *e, const struct insn *i, uint64_t value)
{
	uint32_t sum = (uint32_t)e->gpr[i->reg];
	uint64_t wide = sum;

	switch (insn_operand_size(i)) {
	case 1:
		__asm__("crc32b %b1, %0" : "+r"(sum) : "r"(value));
		break;
	case 2:
		__asm__("crc32w %w1, %0" : "+r"(sum) : "r"(value));
		break;
	case 4:
		__asm__("crc32l %k1, %0" : "+r"(sum) : "r"(value));
		break;
	default:
		__asm__("crc32q %1, %0" : "+r"(wide) : "r"(value));
		sum = (uint32_t)wide;
		break;
	}
	e->gpr[i->reg] = sum;
}

static uint64_t rotated(const struct insn *i, uint64_t value)
{
	unsigned by = i->imm & (is_wide(i) ? 63 : 31);

	if (is_wide(i))
		return value >> by | value << (63 & -by);
	return (uint32_t)value >> by | (uint32_t)value << (31 & -by);
}

uint64_t on_value_bits(struct emulate *e, const struct insn *i, uint64_t value)
{
	switch (native_opcode(i)) {
	case 0xf0:
		if (native_map(i) == 3) /* RORX */
			set_result(e, i, i->reg, rotated(i, value));
		else
			check_sum(e, i, value);
		break;
	case 0xf1:
		check_sum(e, i, value);
		break;
	case 0xf2:
		and_not(e, i, value);
		break;
	case 0xf3:
		lowest_bit(e, i, value);
		break;
	case 0xf5:
		deposit(e, i, value);
		break;
	case 0xf6:
		if (i->flags & INSN_F_VEX)
			multiply(e, i, value);
		else
			add_by_flag(e, i, value);
		break;
	default: /* F7 */
		extract(e, i, value);
		break;
	}
	return value;
}

/* Which of them CPUID must offer: EMULATE_HAS_*. */
static uint32_t bits_feature(const struct insn *i)
{
	const uint8_t prefixes = INSN_F_REP | INSN_F_REPNE | INSN_F_OPSIZE;

	if (!(i->flags & INSN_F_VEX))
		return native_opcode(i) == 0xf6 ? EMULATE_HAS_ADX : EMULATE_HAS_CRC32;
	if (native_opcode(i) == 0xf2 || native_opcode(i) == 0xf3 ||
	    (native_opcode(i) == 0xf7 && !(i->flags & prefixes)))
		return EMULATE_HAS_TZCNT; /* of BMI1 as well */
	return EMULATE_HAS_BMI2;
}

/* With VEX.L, and RORX with a register more, they are #UD (SDM, "VEX-Encoded GPR Instructions"). */
bool insn_is_bits(const struct insn *i, uint32_t features)
{
	unsigned bits = native_bits(i);

	if (!(bits & INSN_N_GENERAL) || (bits & INSN_N_STORE) || (i->flags & INSN_F_VEXL))
		return false;
	if (!(features & bits_feature(i)))
		return false;
	return (bits & INSN_N_VVVV) || !i->vvvv;
}
