/* emulate/exec/exec_xsave.c - XSAVE, XSAVEOPT, XSAVEC and XRSTOR. SDM: "Managing State Using the XSAVE Feature Set".
 *
 * The CPU saves to and restores from e->scratch, in the standard format; what the guest's area gets or gives is copied
 * component by component, so that nothing is touched that the instruction does not touch, and where a compacted area
 * has it. XSAVEOPT is done as XSAVE: what it may leave out it may also write. Outside 64-bit mode the registers 8 to 15
 * stay as they are. */
#include "emulate/native.h"
#include "lib/x86_cpuid.h"

#define KNOWN MASK(9, 0) /* up to PKRU: these fit e->scratch */
#define COMPONENTS 63

/* Where a component lies, in the guest's area and in the standard format, which e->scratch has. */
struct part {
	unsigned at, standard, bytes;
};

/* What an instruction works on: `wanted` is the requested-feature bitmap; `compacted`: 0, or XCOMP_BV of the guest's
 * area. */
struct area {
	uint64_t linear, wanted, compacted;
};

static enum emulate_result native_cpuid(struct emulate *e, uint32_t subleaf, struct emulate_native *n)
{
	*n = (struct emulate_native){ .code = { 0x0f, 0xa2 }, .length = 2, .rax = CPUID_LEAF_XSTATE, .rcx = subleaf,
				      .rflags = e->rflags };
	return native_run(e, n);
}

/* Component n >= 2; in a compacted area it comes at *next, which moves on. */
static enum emulate_result locate(struct emulate *e, const struct area *a, unsigned n, unsigned *next, struct part *p)
{
	struct emulate_native id;

	TRY(native_cpuid(e, n, &id));
	p->bytes = (uint32_t)id.rax;
	p->at = p->standard = (uint32_t)id.rbx;
	if (a->compacted) {
		p->at = (id.rcx & CPUID_D_N_ECX_ALIGNED) ? align_up(*next, 64) : *next;
		*next = p->at + p->bytes;
	}
	if (!p->bytes || p->standard < XSAVE_HEADER_END || (uint64_t)p->standard + p->bytes > EMULATE_SCRATCH)
		return EMULATE_UNKNOWN;
	return EMULATE_OK;
}

/* What a component has outside 64-bit mode: registers 0 to 7, so the first half (AVX, and the upper halves of ZMM 0 to
 * 15), or nothing (ZMM 16 to 31). */
static unsigned visible(const struct emulate *e, unsigned n, unsigned bytes)
{
	if (is_long64(e) || (n != 2 && n != 6 && n != 7))
		return bytes;
	return n == 7 ? 0 : bytes / 2;
}

enum direction { PROBE_WRITE, PROBE_READ, STORE, LOAD, CLEAR };

static enum emulate_result transfer(struct emulate *e, const struct area *a, enum direction d, struct part p)
{
	switch (d) {
	case PROBE_WRITE:
	case PROBE_READ:
		return mem_probe_long(e, a->linear + p.at, p.bytes, d == PROBE_WRITE ? EMULATE_HOW_WRITE : 0);
	case STORE:
		return mem_write_long(e, a->linear + p.at, e->scratch + p.standard, p.bytes);
	case LOAD:
		return mem_read_long(e, a->linear + p.at, e->scratch + p.standard, p.bytes);
	case CLEAR:
		memset(e->scratch + p.standard, 0, p.bytes);
		break;
	}
	return EMULATE_OK;
}

/* A part of the legacy region or of the header, which is where it is in both formats. */
static enum emulate_result transfer_fixed(struct emulate *e, const struct area *a, enum direction d, unsigned at,
					  unsigned bytes)
{
	return transfer(e, a, d, (struct part){ at, at, bytes });
}

/* The legacy region: its two components, of which one lies around MXCSR. */
static enum emulate_result transfer_legacy(struct emulate *e, const struct area *a, enum direction d, uint64_t which)
{
	if (which & XCR0_X87) {
		TRY(transfer_fixed(e, a, d, 0, FXSAVE_MXCSR));
		TRY(transfer_fixed(e, a, d, FXSAVE_MXCSR + 8, FXSAVE_XMM - FXSAVE_MXCSR - 8));
	}
	return (which & XCR0_SSE) ? transfer_fixed(e, a, d, FXSAVE_XMM, is_long64(e) ? 256 : 128) : EMULATE_OK;
}

/* All components of `which`. */
static enum emulate_result transfer_all(struct emulate *e, const struct area *a, enum direction d, uint64_t which)
{
	unsigned next = XSAVE_HEADER_END;
	struct part p;

	TRY(transfer_legacy(e, a, d, which));
	for (unsigned n = 2; n < COMPONENTS; n++) {
		if (!((which | a->compacted) & BIT(n)))
			continue;
		TRY(locate(e, a, n, &next, &p));
		p.bytes = visible(e, n, p.bytes);
		if (which & BIT(n))
			TRY(transfer(e, a, d, p));
	}
	return EMULATE_OK;
}

/* #UD without CR4.OSXSAVE, #NM with CR0.TS, and #GP(0) for an area that is not aligned to 64 bytes (SDM, XSAVE, XRSTOR:
 * "Protected Mode Exceptions"). */
static enum emulate_result find_area(struct emulate *e, const struct insn *i, unsigned how, struct area *a)
{
	uint64_t mask = (e->gpr[EMULATE_RDX] << 32) | (uint32_t)e->gpr[EMULATE_RAX];

	if (!e->scratch || (e->xcr0 & ~KNOWN))
		return EMULATE_UNKNOWN;
	if (!(e->cr4 & CR4_OSXSAVE))
		return raise(e, VECTOR_UD);
	if (e->cr0 & CR0_TS)
		return raise(e, VECTOR_NM);
	*a = (struct area){ .wanted = mask & e->xcr0 };
	TRY(rm_linear(e, i, XSAVE_HEADER_END, how, &a->linear));
	memset(e->scratch, 0, EMULATE_SCRATCH);
	return (a->linear & 63) ? raise_error(e, VECTOR_GP, 0) : EMULATE_OK;
}

/* XSAVE, XRSTOR (0F AE /4, /5), XSAVEC (0F C7 /4) of the components of `which`; REX.W as the guest has it. */
static enum emulate_result run(struct emulate *e, const struct insn *i, uint8_t opcode, uint8_t digit, uint64_t which)
{
	struct emulate_native n = {
		.code = { i->opsize == 8 ? REX | REX_W : REX, 0x0f, opcode, digit << 3 | 7 },
		.length = 4,
		.operand = e->scratch,
		.rax = (uint32_t)which,
		.rdx = which >> 32,
		.rflags = e->rflags,
	};

	return native_run(e, &n);
}

static uint64_t header_word(const struct emulate *e, unsigned n)
{
	uint64_t v;

	memcpy(&v, e->scratch + XSAVE_XSTATE_BV + 8 * n, 8);
	return v;
}

static void set_header_word(struct emulate *e, unsigned n, uint64_t v)
{
	memcpy(e->scratch + XSAVE_XSTATE_BV + 8 * n, &v, 8);
}

static enum emulate_result has_compaction(struct emulate *e, bool *has)
{
	struct emulate_native id;

	TRY(native_cpuid(e, 1, &id));
	*has = id.rax & CPUID_D_1_EAX_XSAVEC;
	return EMULATE_OK;
}

/* sub: 1 XSAVEC, else XSAVE and XSAVEOPT. The CPU saves in the standard format; XSTATE_BV then says what is in use.
 * XSAVE keeps the bits of XSTATE_BV that were not asked for; XSAVEC clears them, and leaves out what is in its initial
 * state; it is #UD where CPUID does not have it (SDM, XSAVEC: "Protected Mode Exceptions"). MXCSR goes with SSE, and of
 * XSAVE with AVX too (SDM, "Operation of XSAVEC"). */
enum emulate_result exec_xsave(struct emulate *e, const struct insn *i)
{
	bool compact = i->sub, has = true;
	struct area a;
	uint64_t in_use, with_mxcsr = compact ? XCR0_SSE : XCR0_SSE | XCR0_AVX;

	if (compact)
		TRY(has_compaction(e, &has));
	if (!has)
		return raise(e, VECTOR_UD);
	TRY(find_area(e, i, EMULATE_HOW_WRITE, &a));
	a.compacted = compact ? a.wanted | XCOMP_BV_COMPACTED : 0;
	TRY(transfer_all(e, &a, PROBE_WRITE, a.wanted));
	if (a.wanted & with_mxcsr)
		TRY(transfer_fixed(e, &a, PROBE_WRITE, FXSAVE_MXCSR, 8));
	TRY(transfer_fixed(e, &a, PROBE_WRITE, XSAVE_XSTATE_BV, 16));
	if (!compact)
		TRY(transfer_fixed(e, &a, LOAD, XSAVE_XSTATE_BV, 8));
	TRY(run(e, i, 0xae, 4, a.wanted));
	in_use = header_word(e, 0);
	TRY(transfer_all(e, &a, STORE, compact ? a.wanted & in_use : a.wanted));
	if (a.wanted & with_mxcsr & (compact ? in_use : with_mxcsr))
		TRY(transfer_fixed(e, &a, STORE, FXSAVE_MXCSR, 8));
	set_header_word(e, 1, a.compacted);
	TRY(transfer_fixed(e, &a, STORE, XSAVE_XSTATE_BV, compact ? 16 : 8));
	return finish(e, i);
}

/* SDM: "Operation of XRSTOR", what is #GP. The header is in e->scratch. */
static enum emulate_result check_header(struct emulate *e, struct area *a)
{
	uint64_t state = header_word(e, 0), layout = header_word(e, 1), rest = 0;
	bool has;

	TRY(has_compaction(e, &has));
	for (unsigned n = 2; n < ((layout & XCOMP_BV_COMPACTED) ? 8u : 3u); n++)
		rest |= header_word(e, n);
	if (rest || (state & ~e->xcr0))
		return raise_error(e, VECTOR_GP, 0);
	if (!layout)
		return EMULATE_OK;
	a->compacted = layout;
	if (!has || !(layout & XCOMP_BV_COMPACTED) || (layout & ~XCOMP_BV_COMPACTED & ~e->xcr0) || (state & ~layout))
		return raise_error(e, VECTOR_GP, 0);
	return EMULATE_OK;
}

/* MXCSR is loaded with SSE or AVX; from a compacted area only as a part of SSE, with which it is initialised too. */
static enum emulate_result load_mxcsr(struct emulate *e, const struct area *a, uint64_t in_use)
{
	static const uint32_t initial = MXCSR_INITIAL;

	if (!a->compacted)
		return (a->wanted & (XCR0_SSE | XCR0_AVX)) ? transfer_fixed(e, a, LOAD, FXSAVE_MXCSR, 8) : EMULATE_OK;
	if (!(a->wanted & XCR0_SSE))
		return EMULATE_OK;
	if (in_use & XCR0_SSE)
		return transfer_fixed(e, a, LOAD, FXSAVE_MXCSR, 8);
	memcpy(e->scratch + FXSAVE_MXCSR, &initial, 4);
	return EMULATE_OK;
}

/* The CPU's own state first, over it what the area has. Outside 64-bit mode registers 8 to 15 so stay, and what is to
 * be initialised is loaded as zeros. */
enum emulate_result exec_xrstor(struct emulate *e, const struct insn *i)
{
	struct area a;
	uint64_t in_use, cleared;

	TRY(find_area(e, i, 0, &a));
	TRY(transfer_fixed(e, &a, LOAD, XSAVE_XSTATE_BV, XSAVE_HEADER_BYTES));
	TRY(check_header(e, &a));
	in_use = header_word(e, 0) & a.wanted;
	TRY(transfer_all(e, &a, PROBE_READ, in_use));
	memset(e->scratch + XSAVE_XSTATE_BV, 0, XSAVE_HEADER_BYTES);
	TRY(run(e, i, 0xae, 4, e->xcr0));
	TRY(transfer_all(e, &a, LOAD, in_use));
	TRY(load_mxcsr(e, &a, in_use));
	cleared = is_long64(e) ? 0 : a.wanted & ~in_use & (XCR0_SSE | XCR0_AVX | XCR0_ZMM_HI256 | XCR0_HI16_ZMM);
	TRY(transfer_all(e, &a, CLEAR, cleared));
	memset(e->scratch + XSAVE_XSTATE_BV, 0, XSAVE_HEADER_BYTES);
	set_header_word(e, 0, in_use | cleared);
	TRY(run(e, i, 0xae, 5, a.wanted));
	return finish(e, i);
}
