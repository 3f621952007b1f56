/* test/unit/emulate/mirror.c - the emulator's side of machine.h: callbacks over its copy of the world. */
#include <string.h>

#include "test/unit/emulate/machine.h"
#include "test/unit/emulate/step.h"

uint8_t machine_emulated_data[WORLD_BYTES];
static struct cpu_area area;
static uint8_t scratch[EMULATE_SCRATCH] __attribute__((aligned(64)));

static enum emulate_access page_fault(struct emulate *e, uint64_t linear, uint32_t error)
{
	e->exception = (struct emulate_exception){ .vector = 14, .has_error = true, .error = error, .cr2 = linear };
	return EMULATE_ACCESS_FAULT;
}

/* The kernel's LDT of this process. */
static bool is_ldt(uint64_t linear, unsigned how)
{
	return (how & EMULATE_HOW_SYSTEM) && linear >= LDT_BASE && linear < LDT_BASE + machine_ldt_bytes();
}

static enum emulate_access locate(struct emulate *e, uint64_t linear, unsigned size, unsigned how, uint8_t **p)
{
	uint32_t error = 4 | ((how & EMULATE_HOW_WRITE) ? 2 : 0);

	if (((linear ^ (linear + size - 1)) & ~4095ull) || !size)
		bug(__FILE__, __LINE__, "EM4: an access crosses a page");
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
	enum emulate_access a;

	if (is_ldt(linear, how)) {
		uint64_t entry = machine_ldt_entry((linear - LDT_BASE) / 8);

		memcpy(buf, &entry, size);
		return EMULATE_ACCESS_OK;
	}
	a = locate(e, linear, size, how, &p);
	if (a == EMULATE_ACCESS_OK)
		memcpy(buf, p, size);
	return a;
}

static enum emulate_access write_memory(struct emulate *e, uint64_t linear, const void *buf, unsigned size,
					unsigned how)
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

static enum emulate_access native(struct emulate *e, struct emulate_native *n)
{
	return cpu_native(e, &area, n);
}

static enum emulate_access read_dtr(struct emulate *e, enum emulate_dtr which, struct emulate_segment *s)
{
	(void)e;
	*s = (struct emulate_segment){ 0 };
	if (which == EMULATE_LDTR)
		*s = (struct emulate_segment){ .base = LDT_BASE,
					       .limit = machine_ldt_bytes() - 1,
					       .access = SEGMENT_LDT };
	else if (which == EMULATE_TR)
		s->access = SEGMENT_UNUSABLE;
	return EMULATE_ACCESS_OK;
}

static const struct emulate_ops ops = {
	.fetch = fetch, .read = read_memory, .write = write_memory, .probe = probe, .cmpxchg = compare_exchange,
	.native = native, .read_dtr = read_dtr,
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

static void load_units(const struct state *in)
{
	cpu_reset(&area);
	memcpy(area.bytes, in->fx, CPU_FX_BYTES);
	for (unsigned n = 0; n < 16; n++) {
		memcpy(cpu_xmm(&area, n), in->vec[n], 16);
		memcpy(cpu_ymm_high(&area, n), in->vec[n] + 16, 16);
	}
}

static void store_units(struct state *out)
{
	memcpy(out->fx, area.bytes, CPU_FX_BYTES);
	for (unsigned n = 0; n < 16; n++) {
		memcpy(out->vec[n], cpu_xmm(&area, n), 16);
		memcpy(out->vec[n] + 16, cpu_ymm_high(&area, n), 16);
	}
}

enum emulate_result machine_emulate(enum layout layout, const struct state *in, struct state *out, struct emulate *e)
{
	enum emulate_result result;

	*out = *in;
	*e = (struct emulate){
		.ops = &ops,
		.gpr = out->gpr,
		.rip = machine_slot(layout),
		.rflags = in->rflags,
		.cr0 = CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE,
		.cr4 = CR4_OSXSAVE | CR4_OSXMMEXCPT | CR4_OSFXSR | CR4_PGE | CR4_MCE | CR4_PAE | CR4_PSE,
		.efer = EFER_NXE | EFER_LMA | EFER_LME | EFER_SCE,
		.xcr0 = XCR0_AVX | XCR0_SSE | XCR0_X87,
		.features = EMULATE_HAS_ALL,
		.cpl = 3,
		.scratch = scratch,
		.mode = layout == LAYOUT_LONG64	  ? EMULATE_LONG64
			: layout == LAYOUT_CODE16 ? EMULATE_PROT16
						  : EMULATE_PROT32,
	};
	describe_all(layout, e);
	load_units(in);
	result = emulate_step(e);
	out->rip = e->rip;
	out->rflags = e->rflags;
	store_units(out);
	out->vector = NO_VECTOR;
	out->error = 0;
	out->cr2 = 0;
	if (result == EMULATE_EXCEPTION) {
		out->vector = e->exception.vector;
		out->error = e->exception.error;
		out->cr2 = out->vector == VECTOR_PF ? e->exception.cr2 : 0;
	}
	return result;
}
