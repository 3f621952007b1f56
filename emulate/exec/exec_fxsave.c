/* emulate/exec/exec_fxsave.c - FXSAVE and FXRSTOR. SDM: "FXSAVE - Save x87 FPU, MMX Technology, and SSE State".
 *
 * The CPU, in 64-bit mode, saves 16 XMM registers; outside that the guest has 8, and the other 8 stay as they are. */
#include "emulate/native.h"

#define USED_64 FXSAVE_REGISTERS /* beyond are 48 reserved bytes, and 48 for programs: neither is written */
#define USED_32 (FXSAVE_XMM + 8 * 16)

/* The area must be aligned to 16 bytes, else #GP(0) (SDM, FXSAVE, FXRSTOR: "Protected Mode Exceptions"). */
static enum emulate_result find_area(struct emulate *e, const struct insn *i, unsigned how, uint64_t *linear)
{
	TRY(check_x87(e));
	TRY(rm_linear(e, i, FXSAVE_BYTES, how, linear));
	return (*linear & 15) ? raise_error(e, VECTOR_GP, 0) : EMULATE_OK;
}

/* REX.W chooses how the FPU's last addresses are saved. */
static enum emulate_result save(struct emulate *e, const struct insn *i, uint8_t *image)
{
	if (i->opsize == 8)
		return NATIVE_BYTES(e, image, REX | REX_W, 0x0f, 0xae, 0x07);
	return NATIVE_BYTES(e, image, 0x0f, 0xae, 0x07);
}

enum emulate_result exec_fxsave(struct emulate *e, const struct insn *i)
{
	uint8_t image[FXSAVE_BYTES] __attribute__((aligned(64))) = { 0 };
	unsigned used = is_long64(e) ? USED_64 : USED_32;
	uint64_t linear;

	TRY(find_area(e, i, EMULATE_HOW_WRITE, &linear));
	TRY(mem_probe_long(e, linear, FXSAVE_BYTES, EMULATE_HOW_WRITE));
	TRY(save(e, i, image));
	TRY(mem_write_long(e, linear, image, used));
	return finish(e, i);
}

enum emulate_result exec_fxrstor(struct emulate *e, const struct insn *i)
{
	uint8_t image[FXSAVE_BYTES] __attribute__((aligned(64))) = { 0 };
	unsigned used = is_long64(e) ? USED_64 : USED_32;
	uint64_t linear;

	TRY(find_area(e, i, 0, &linear));
	TRY(mem_probe_long(e, linear, FXSAVE_BYTES, 0));
	TRY(save(e, i, image));
	TRY(mem_read_long(e, linear, image, used));
	if (i->opsize == 8)
		TRY(NATIVE_BYTES(e, image, REX | REX_W, 0x0f, 0xae, 0x0f));
	else
		TRY(NATIVE_BYTES(e, image, 0x0f, 0xae, 0x0f));
	return finish(e, i);
}
