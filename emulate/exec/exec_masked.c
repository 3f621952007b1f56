/* emulate/exec/exec_masked.c - vector instructions that touch some elements of memory only: VMASKMOV, MASKMOVQ and
 * MASKMOVDQU, gathers.
 *
 * Elements are accessed one by one, each with its own width; those that the mask leaves out are not accessed at all. */
#include "emulate/native.h"

static unsigned vector_bytes(const struct insn *i)
{
	return (i->flags & INSN_F_VEXL) ? 32 : 16;
}

/* Is element n of the mask, `size` bytes wide, set? Its highest bit says so. */
static bool is_selected(const uint8_t *mask, unsigned n, unsigned size)
{
	return mask[n * size + size - 1] & 0x80;
}

/* One element of memory at offset within segment seg. data NULL: only try. */
static enum emulate_result element(struct emulate *e, unsigned seg, uint64_t offset, unsigned size, bool store,
				   uint8_t *data)
{
	unsigned how = store ? EMULATE_HOW_WRITE : 0;
	uint64_t linear;

	TRY(linear_address(e, seg, offset, size, how, &linear));
	if (!data)
		return mem_probe(e, linear, size, how);
	return store ? mem_write(e, linear, data, size, 0) : mem_read(e, linear, data, size, 0);
}

/* All selected elements from offset on. data NULL: only try. */
static enum emulate_result elements(struct emulate *e, const struct insn *i, const uint8_t *mask, unsigned size,
				    bool store, uint8_t *data)
{
	uint64_t base = insn_offset(e, i);

	for (unsigned n = 0; n < vector_bytes(i) / size; n++) {
		uint64_t offset = (base + n * size) & size_mask(i->adsize);

		if (is_selected(mask, n, size))
			TRY(element(e, i->seg, offset, size, store, data ? data + n * size : NULL));
	}
	return EMULATE_OK;
}

/* VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ; vvvv is the mask. A load clears the elements that are left out. */
enum emulate_result exec_vmaskmov(struct emulate *e, const struct insn *i)
{
	bool wide = i->flags & INSN_F_VEXL, store = native_bits(i) & INSN_N_STORE;
	unsigned size = i->sub == NATIVE_W ? ((i->rex & REX_W) ? 8 : 4) : i->sub;
	uint8_t mask[32], data[32] = { 0 };

	TRY(check_vector_unit(e, i));
	if (i->sub != NATIVE_W && (i->rex & REX_W)) /* VEX.W of VMASKMOV is 0 (SDM, "VMASKMOV") */
		return raise(e, VECTOR_UD);
	TRY(native_get_vector(e, i->vvvv, wide, mask));
	if (store) {
		TRY(elements(e, i, mask, size, true, NULL));
		TRY(native_get_vector(e, i->reg, wide, data));
	}
	TRY(elements(e, i, mask, size, store, data));
	if (!store)
		TRY(native_set_vector(e, i->reg, wide, data));
	return finish(e, i);
}

/* An MMX or XMM register's low bytes. The first access to an MMX register makes the x87 unit one of MMX, as the
 * instruction would. */
static enum emulate_result get_register(struct emulate *e, const struct insn *i, unsigned v, uint8_t *buf)
{
	if (i->sub == 16)
		return native_get_vector(e, v, false, buf);
	return NATIVE_BYTES(e, buf, 0x0f, 0x7f, (v & 7) << 3 | 7);
}

/* MASKMOVQ, MASKMOVDQU: modrm.rm is the mask, byte by byte; the destination is DS:rDI, or the override's segment. */
enum emulate_result exec_maskmov(struct emulate *e, const struct insn *i)
{
	uint8_t mask[16], data[16];
	uint64_t base = e->gpr[EMULATE_RDI];

	TRY(check_vector_unit(e, i));
	/* SDM, "MASKMOVDQU": of registers, with VEX.L = 0 and VEX.vvvv = 1111b. */
	if (is_memory(i) || (i->flags & INSN_F_VEXL) || ((i->flags & INSN_F_VEX) && i->vvvv))
		return raise(e, VECTOR_UD);
	if (i->sub == 8)
		TRY(check_x87_pending(e));
	TRY(get_register(e, i, i->rm, mask));
	TRY(get_register(e, i, i->reg, data));
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned n = 0; n < i->sub; n++) {
			if (is_selected(mask, n, 1))
				TRY(element(e, i->seg, (base + n) & size_mask(i->adsize), 1, true,
					    pass ? data + n : NULL));
		}
	}
	return finish(e, i);
}

/* What a gather works on; each element of the mask is made all ones or all zeros first. The index has `i->sub` bytes
 * for each element, the element 4 or, with VEX.W, 8. */
struct gather {
	unsigned size, count;
	uint8_t mask[32], index[32], data[32];
};

static enum emulate_result gather_registers(struct emulate *e, const struct insn *i, struct gather *g)
{
	unsigned widest;

	g->size = (i->rex & REX_W) ? 8 : 4;
	widest = max_u64(g->size, i->sub);
	g->count = vector_bytes(i) / widest;
	TRY(native_get_vector(e, i->vvvv, true, g->mask));
	for (unsigned n = 0; n < vector_bytes(i) / g->size; n++)
		memset(g->mask + n * g->size, is_selected(g->mask, n, g->size) ? 0xff : 0, g->size);
	TRY(native_get_vector(e, i->index, true, g->index));
	return native_get_vector(e, i->reg, true, g->data);
}

static enum emulate_result gather_element(struct emulate *e, const struct insn *i, struct gather *g, unsigned n)
{
	struct insn base = *i;
	uint64_t index = 0, offset;
	uint8_t data[8];

	base.index = INSN_NONE;
	memcpy(&index, g->index + n * i->sub, i->sub);
	index = sign_extend(index, i->sub);
	offset = (insn_offset(e, &base) + (index << i->scale)) & size_mask(i->adsize);
	TRY(element(e, i->seg, offset, g->size, false, data));
	memcpy(g->data + n * g->size, data, g->size);
	return EMULATE_OK;
}

/* What there is goes into the registers; whole registers, of which the part above the last element is cleared at the
 * end only. */
static enum emulate_result gather_commit(struct emulate *e, const struct insn *i, struct gather *g, bool done)
{
	unsigned used = done ? g->count * g->size : 32;

	memset(g->data + used, 0, 32 - used);
	if (done)
		memset(g->mask, 0, 32);
	TRY(native_set_vector(e, i->reg, true, g->data));
	return native_set_vector(e, i->vvvv, true, g->mask);
}

/* Each element that is read clears its part of the mask, so that a fault in the middle goes on from there. SDM:
 * "VPGATHERDD". */
enum emulate_result exec_gather(struct emulate *e, const struct insn *i)
{
	enum emulate_result result = EMULATE_OK;
	struct gather g;

	TRY(check_vector_unit(e, i));
	if ((i->modrm & 7) != 4 || i->adsize == 2 || i->reg == i->index || i->reg == i->vvvv || i->index == i->vvvv)
		return raise(e, VECTOR_UD);
	TRY(gather_registers(e, i, &g));
	for (unsigned n = 0; n < g.count && result == EMULATE_OK; n++) {
		if (!is_selected(g.mask, n, g.size))
			continue;
		result = gather_element(e, i, &g, n);
		if (result == EMULATE_OK)
			memset(g.mask + n * g.size, 0, g.size);
	}
	if (result == EMULATE_OK) {
		TRY(gather_commit(e, i, &g, true));
		return finish(e, i);
	}
	if (result == EMULATE_EXCEPTION) {
		struct emulate_exception x = e->exception;

		TRY(gather_commit(e, i, &g, false));
		e->exception = x;
	}
	return result;
}
