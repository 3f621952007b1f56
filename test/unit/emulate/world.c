/* test/unit/emulate/world.c - see world.h. */
#include <stdlib.h>
#include <string.h>

#include "lib/descriptor.h"
#include "test/unit/emulate/world.h"
#include "test/unit/emulate/step.h"

static struct world *world_of(struct emulate *e)
{
	return e->opaque;
}

static void note(struct world *w, char kind, uint64_t address, unsigned size, unsigned how)
{
	if (w->events < WORLD_LOG)
		w->log[w->events] = (struct world_event){ kind, address, size, how };
	w->events++;
}

static enum emulate_access fault(struct emulate *e, unsigned vector, uint32_t error, uint64_t cr2)
{
	e->exception = (struct emulate_exception){ .vector = vector, .has_error = true, .error = error, .cr2 = cr2 };
	return EMULATE_ACCESS_FAULT;
}

/* A callback that the test wants to fail. */
static enum emulate_access disturb(struct emulate *e)
{
	struct world *w = world_of(e);

	if (!w->fail_one_in || rand() % w->fail_one_in)
		return EMULATE_ACCESS_OK;
	return rand() % 2 ? fault(e, 14, 0, 0x123000) : EMULATE_ACCESS_UNHANDLEABLE;
}

static enum emulate_access access(struct emulate *e, char kind, uint64_t linear, unsigned size, unsigned how,
				  uint8_t **p)
{
	struct world *w = world_of(e);
	uint64_t page = linear & ~4095ull;
	uint32_t error = (how & EMULATE_HOW_WRITE) ? 2 : 0;

	note(w, kind, linear, size, how);
	if (!size || (size > 32 && kind != 'p') || page != ((linear + size - 1) & ~4095ull))
		bug(__FILE__, __LINE__, "EM4: an access crosses a page");
	if (page == w->refused)
		return EMULATE_ACCESS_UNHANDLEABLE;
	if (page == w->absent || linear >= WORLD_MEMORY)
		return fault(e, 14, error, linear);
	if (page == w->read_only && error)
		return fault(e, 14, error | 1, linear);
	*p = w->memory + linear;
	return disturb(e);
}

static enum emulate_access world_fetch(struct emulate *e, uint64_t linear, void *buf, unsigned n)
{
	uint8_t *p;
	enum emulate_access a = access(e, 'f', linear, n, 0, &p);

	if (a == EMULATE_ACCESS_OK)
		memcpy(buf, p, n);
	return a;
}

static enum emulate_access world_read(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how)
{
	uint8_t *p;
	enum emulate_access a = access(e, 'r', linear, size, how, &p);

	if (a == EMULATE_ACCESS_OK)
		memcpy(buf, p, size);
	return a;
}

static enum emulate_access world_write(struct emulate *e, uint64_t linear, const void *buf, unsigned size, unsigned how)
{
	struct world *w = world_of(e);
	uint8_t *p;
	enum emulate_access a = access(e, 'w', linear, size, how, &p);

	if (a != EMULATE_ACCESS_OK)
		return a;
	memcpy(p, buf, size);
	w->writes += !(how & EMULATE_HOW_SYSTEM);
	e->interrupted |= w->interrupts;
	return a;
}

static enum emulate_access world_probe(struct emulate *e, uint64_t linear, unsigned size, unsigned how)
{
	uint8_t *p;

	return access(e, 'p', linear, size, how, &p);
}

static enum emulate_access world_cmpxchg(struct emulate *e, uint64_t linear, void *expected, const void *desired,
					 unsigned size, bool *done)
{
	struct world *w = world_of(e);
	uint8_t *p;
	enum emulate_access a = access(e, 'c', linear, size, EMULATE_HOW_WRITE, &p);

	if (a != EMULATE_ACCESS_OK)
		return a;
	if (w->races) {
		/* Another CPU was faster. */
		w->races--;
		*p += 1;
	}
	*done = memcmp(p, expected, size) == 0;
	memcpy(*done ? (void *)p : expected, *done ? desired : p, size);
	w->writes += *done;
	return a;
}

static enum emulate_access world_in(struct emulate *e, uint16_t port, unsigned size, uint32_t *value)
{
	struct world *w = world_of(e);

	note(w, 'i', port, size, 0);
	*value = w->port_value++;
	return disturb(e);
}

/* As world_in() and world_out(), in one event. */
static enum emulate_access world_string(struct emulate *e, uint16_t port, unsigned size, uint64_t linear,
					uint32_t count, bool in, uint32_t *done)
{
	struct world *w = world_of(e);

	*done = (uint32_t)min_u64(count, w->string_most);
	if (!*done)
		return EMULATE_ACCESS_OK;
	note(w, in ? 'I' : 'O', port, size, *done);
	for (uint32_t n = 0; in && n < *done; n++)
		world_store(w, linear + n * size, size, w->port_value++);
	return EMULATE_ACCESS_OK;
}

static enum emulate_access world_out(struct emulate *e, uint16_t port, unsigned size, uint32_t value)
{
	note(world_of(e), 'o', port, size, value);
	return disturb(e);
}

static enum emulate_access world_native(struct emulate *e, struct emulate_native *n)
{
	enum emulate_access a = disturb(e);

	return a == EMULATE_ACCESS_OK ? cpu_native(e, &world_of(e)->cpu, n) : a;
}

static enum emulate_access world_read_cr(struct emulate *e, unsigned n, uint64_t *value)
{
	*value = world_of(e)->cr[n];
	return disturb(e);
}

static enum emulate_access world_write_cr(struct emulate *e, unsigned n, uint64_t value)
{
	if (n == 4 && (value & BIT(31)))
		return fault(e, VECTOR_GP, 0, 0);
	world_of(e)->cr[n] = value;
	if (n != 0)
		return EMULATE_ACCESS_OK;
	e->cr0 = value;
	if (e->mode <= EMULATE_REAL32 && (value & CR0_PE))
		e->mode = EMULATE_PROT16;
	return EMULATE_ACCESS_OK;
}

static enum emulate_access world_read_dr(struct emulate *e, unsigned n, uint64_t *value)
{
	*value = world_of(e)->dr[n];
	return EMULATE_ACCESS_OK;
}

static enum emulate_access world_write_dr(struct emulate *e, unsigned n, uint64_t value)
{
	world_of(e)->dr[n] = value;
	return EMULATE_ACCESS_OK;
}

static enum emulate_access world_read_msr(struct emulate *e, uint32_t index, uint64_t *value)
{
	*value = world_of(e)->msr;
	return index == 0xbad ? fault(e, VECTOR_GP, 0, 0) : EMULATE_ACCESS_OK;
}

static enum emulate_access world_write_msr(struct emulate *e, uint32_t index, uint64_t value)
{
	world_of(e)->msr_index = index;
	world_of(e)->msr = value;
	return EMULATE_ACCESS_OK;
}

static enum emulate_access world_read_dtr(struct emulate *e, enum emulate_dtr which, struct emulate_segment *s)
{
	*s = world_of(e)->dtr[which];
	return EMULATE_ACCESS_OK;
}

static enum emulate_access world_write_dtr(struct emulate *e, enum emulate_dtr which, const struct emulate_segment *s)
{
	world_of(e)->dtr[which] = *s;
	return EMULATE_ACCESS_OK;
}

static enum emulate_access world_invlpg(struct emulate *e, uint64_t linear)
{
	world_of(e)->invalidated = linear;
	return EMULATE_ACCESS_OK;
}

static enum emulate_access world_cpuid(struct emulate *e, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	(void)e;
	out[0] = leaf + 1;
	out[1] = subleaf + 2;
	out[2] = 3;
	out[3] = 4;
	return EMULATE_ACCESS_OK;
}

static enum emulate_access world_rdtsc(struct emulate *e, uint64_t *value)
{
	(void)e;
	*value = 0x1122334455667788;
	return EMULATE_ACCESS_OK;
}

static const struct emulate_ops world_ops = {
	.fetch = world_fetch,
	.read = world_read,
	.write = world_write,
	.probe = world_probe,
	.cmpxchg = world_cmpxchg,
	.io_in = world_in,
	.io_out = world_out,
	.io_string = world_string,
	.native = world_native,
	.read_cr = world_read_cr,
	.write_cr = world_write_cr,
	.read_dr = world_read_dr,
	.write_dr = world_write_dr,
	.read_msr = world_read_msr,
	.write_msr = world_write_msr,
	.read_dtr = world_read_dtr,
	.write_dtr = world_write_dtr,
	.invlpg = world_invlpg,
	.cpuid = world_cpuid,
	.rdtsc = world_rdtsc,
};

static void world_segments(struct world *w, enum emulate_mode mode)
{
	bool small = mode <= EMULATE_V86;

	for (unsigned n = 0; n < EMULATE_SEGS; n++) {
		struct emulate_segment *s = &w->e.seg[n];

		s->limit = small || mode == EMULATE_PROT16 ? 0xffff : 0xffffffff;
		s->access = (n == EMULATE_CS && !small ? 0xbu : 0x3u) | SEGMENT_S | SEGMENT_P;
		s->access |= (uint32_t)w->e.cpl << SEGMENT_DPL_SHIFT;
		s->access |= mode == EMULATE_PROT32 ? SEGMENT_DB | SEGMENT_G : 0;
		s->access |= mode == EMULATE_LONG64 && n == EMULATE_CS ? SEGMENT_L : 0;
	}
	w->e.seg_valid = 0x3f;
}

void world_reset(struct world *w, enum emulate_mode mode)
{
	memset(w, 0, sizeof(*w));
	cpu_setup();
	cpu_reset(&w->cpu);
	w->e = (struct emulate){
		.ops = &world_ops,
		.opaque = w,
		.gpr = w->gpr,
		.rip = 0x7c00,
		.rflags = 2 | (mode == EMULATE_V86 ? RFLAGS_VM : 0),
		.cr0 = mode <= EMULATE_REAL32 ? 0x10 : 0x11,
		.cr4 = CR4_OSFXSR | CR4_OSXSAVE,
		.xcr0 = 7,
		.efer = mode == EMULATE_LONG64 ? 0x500 : 0,
		.mode = mode,
		.cpl = mode == EMULATE_V86 ? 3 : 0,
		.features = EMULATE_HAS_ALL,
		.scratch = w->scratch,
	};
	w->absent = w->read_only = w->refused = ~0ull;
	w->gpr[EMULATE_RSP] = 0x7000;
	w->dtr[EMULATE_GDTR] = (struct emulate_segment){ .base = WORLD_GDT, .limit = 0xff };
	w->dtr[EMULATE_IDTR].limit = 0x3ff;
	w->dtr[EMULATE_LDTR].access = SEGMENT_UNUSABLE;
	w->dtr[EMULATE_TR] = (struct emulate_segment){ WORLD_TSS, WORLD_TSS_LIMIT, SEGMENT_TSS_BUSY, 0x40 };
	world_store(w, WORLD_TSS + 0x66, 2, WORLD_IO_MAP);
	memset(w->memory + WORLD_TSS + WORLD_IO_MAP, 0xff, WORLD_TSS_LIMIT + 1 - WORLD_IO_MAP);
	world_segments(w, mode);
}

struct world *world_new(enum emulate_mode mode)
{
	struct world *w = aligned_alloc(64, sizeof(*w));

	if (!w)
		abort();
	world_reset(w, mode);
	return w;
}

void world_free(struct world *w)
{
	free(w);
}

enum emulate_result world_step(struct world *w, const uint8_t *code, unsigned n)
{
	cpu_setup(); /* cmocka puts its own handlers in front for each test */
	memcpy(w->memory + w->e.seg[EMULATE_CS].base + w->e.rip, code, n);
	w->events = w->writes = 0;
	return emulate_step(&w->e);
}

uint64_t world_load(const struct world *w, uint64_t linear, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, w->memory + linear, size);
	return v;
}

void world_store(struct world *w, uint64_t linear, unsigned size, uint64_t v)
{
	memcpy(w->memory + linear, &v, size);
}

void world_descriptor(struct world *w, unsigned n, uint32_t base, uint32_t limit, uint32_t access_rights)
{
	world_store(w, WORLD_GDT + 8 * n, 8, descriptor_pack(base, limit, access_rights));
}

uint32_t world_exception(const struct world *w)
{
	const struct emulate_exception *x = &w->e.exception;

	return x->has_error ? EXCEPTION_ERROR(x->vector, x->error) : EXCEPTION(x->vector);
}
