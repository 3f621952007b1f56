/* test/unit/emulate_mirror.c - the emulator's side of emulate_machine.h: callbacks over its copy of the world. */
#include <string.h>

#include "test/unit/emulate_machine.h"

uint8_t machine_emulated_data[WORLD_BYTES];
static uint8_t emulated_vectors[16][32];

static enum emulate_access page_fault(struct emulate *e, uint64_t linear, uint32_t error)
{
	e->exception = (struct emulate_exception){ .vector = 14, .has_error = true, .error = error, .cr2 = linear };
	return EMULATE_ACCESS_FAULT;
}

static enum emulate_access locate(struct emulate *e, uint64_t linear, unsigned size, unsigned how, uint8_t **p)
{
	uint32_t error = 4 | ((how & EMULATE_HOW_WRITE) ? 2 : 0);

	if (((linear ^ (linear + size - 1)) & ~4095ull) || !size)
		bug(__FILE__, __LINE__, "E4: an access crosses a page");
	if (linear < WORLD_DATA || linear >= WORLD_END)
		return page_fault(e, linear, error);
	if ((how & EMULATE_HOW_WRITE) && linear >= WORLD_READ_ONLY)
		return page_fault(e, linear, error | 1);
	*p = machine_emulated_data + (linear - WORLD_DATA);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access fetch(struct emulate *e, uint64_t linear, void *buf, unsigned n)
{
	if (linear < CODE || linear + n > CODE + PAGE_SIZE)
		return page_fault(e, linear, 0x14);
	memcpy(buf, (const void *)(uintptr_t)linear, n);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access read_memory(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how)
{
	uint8_t *p;
	enum emulate_access a = locate(e, linear, size, how, &p);

	if (a == EMULATE_ACCESS_OK)
		memcpy(buf, p, size);
	return a;
}

static enum emulate_access write_memory(struct emulate *e, uint64_t linear, const void *buf, unsigned size, unsigned how)
{
	uint8_t *p;
	enum emulate_access a = locate(e, linear, size, how, &p);

	if (a == EMULATE_ACCESS_OK)
		memcpy(p, buf, size);
	return a;
}

static enum emulate_access probe(struct emulate *e, uint64_t linear, unsigned size, unsigned how)
{
	uint8_t *p;

	return locate(e, linear, size, how, &p);
}

static enum emulate_access compare_exchange(struct emulate *e, uint64_t linear, void *expected, const void *desired,
					    unsigned size, bool *done)
{
	uint8_t *p;
	enum emulate_access a = locate(e, linear, size, EMULATE_HOW_WRITE, &p);

	if (a != EMULATE_ACCESS_OK)
		return a;
	*done = memcmp(p, expected, size) == 0;
	memcpy(*done ? (void *)p : expected, *done ? desired : p, size);
	return a;
}

static enum emulate_access get_vector(struct emulate *e, unsigned n, void *buf, unsigned size)
{
	(void)e;
	memcpy(buf, emulated_vectors[n], size);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access set_vector(struct emulate *e, unsigned n, const void *buf, unsigned size, bool clear_upper)
{
	(void)e;
	memcpy(emulated_vectors[n], buf, size);
	if (clear_upper)
		memset(emulated_vectors[n] + 16, 0, 16);
	return EMULATE_ACCESS_OK;
}

static const struct emulate_ops ops = {
	.fetch = fetch, .read = read_memory, .write = write_memory, .probe = probe, .cmpxchg = compare_exchange,
	.get_vector = get_vector, .set_vector = set_vector,
};

static void describe_all(enum layout layout, struct emulate *e)
{
	for (unsigned n = 0; n < 4; n++)
		machine_describe(machine_selector(layout, n), &e->seg[n]);
	machine_describe(0, &e->seg[EMULATE_FS]);
	machine_describe(0, &e->seg[EMULATE_GS]);
	if (layout == LAYOUT_LONG64)
		e->seg[EMULATE_GS].base = GS_BASE;
	e->seg_valid = 0x3f;
}

enum emulate_result machine_emulate(enum layout layout, const struct state *in, struct state *out, struct emulate *e)
{
	enum emulate_result result;

	*out = *in;
	*e = (struct emulate){
		.ops = &ops, .gpr = out->gpr, .rip = machine_slot(layout), .rflags = in->rflags,
		.cr0 = 0x80050033, .cr4 = 0x406f0, .efer = 0xd01, .xcr0 = 7, .features = EMULATE_HAS_ALL, .cpl = 3,
		.mode = layout == LAYOUT_LONG64 ? EMULATE_LONG64 : layout == LAYOUT_CODE16 ? EMULATE_PROT16 : EMULATE_PROT32,
	};
	describe_all(layout, e);
	memcpy(emulated_vectors, in->vec, sizeof(emulated_vectors));
	result = emulate_step(e);
	out->rip = e->rip;
	out->rflags = e->rflags;
	memcpy(out->vec, emulated_vectors, sizeof(out->vec));
	out->vector = NO_VECTOR;
	out->error = 0;
	out->cr2 = 0;
	if (result == EMULATE_EXCEPTION) {
		out->vector = e->exception.vector;
		out->error = e->exception.error;
		out->cr2 = out->vector == 14 ? e->exception.cr2 : 0;
	}
	return result;
}
