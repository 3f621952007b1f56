/* test/fuzz/emulate.c - libFuzzer over the instruction emulator: an input is a machine's state, a piece of its memory,
 * and instruction bytes. Whatever they are, the emulator comes back, with a state that a CPU can have, after bounded
 * work (EM5); what it did not carry out has changed nothing (EM2). FPU and vector instructions run on the host's
 * CPU. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulate/decode/ops.h"
#include "test/unit/emulate/world.h"
#include "test/unit/emulate/step.h"

#define STEPS_MAX 8
#define EVENTS_MAX 3000
#define REP_LIMIT 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

/* The input, byte by byte; zeros when it is used up. */
struct input {
	const uint8_t *data;
	size_t size;
};

static uint64_t take(struct input *in, unsigned n)
{
	uint64_t v = 0;

	for (unsigned k = 0; k < n && in->size; k++, in->size--)
		v |= (uint64_t)*in->data++ << (8 * k);
	return v;
}

static struct world *w;

/* Control registers: what switches units and checks on and off. */
static void take_control(struct input *in, unsigned bits)
{
	static const uint32_t cr4[] = { CR4_OSFXSR, CR4_OSXSAVE, CR4_UMIP, CR4_TSD, CR4_VME, CR4_PVI, 1u << 10 };

	w->e.cr0 |=
		(bits & 1 ? CR0_TS : 0) | (bits & 2 ? CR0_EM : 0) | (bits & 4 ? CR0_MP : 0) | (bits & 8 ? CR0_AM : 0);
	for (unsigned n = 0; n < ARRAY_SIZE(cr4); n++)
		w->e.cr4 ^= (bits >> (4 + n)) & 1 ? cr4[n] : 0;
	w->e.xcr0 = (take(in, 1) & 7) | 1;
	if (!cpu_has_avx())
		w->e.xcr0 &= 3;
}

static void take_registers(struct input *in)
{
	for (unsigned n = 0; n < EMULATE_GPRS; n++) {
		uint64_t v = take(in, 2), kind = v & 7;

		w->gpr[n] = kind < 5 ? (v >> 3) * 8 + (kind & 3) : kind < 7 ? v : v << 48 | v << 20;
	}
	w->e.rflags = (take(in, 3) & RFLAGS_KNOWN & ~RFLAGS_VM) | 2 | (w->e.mode == EMULATE_V86 ? RFLAGS_VM : 0);
	if (w->e.mode == EMULATE_PROT16 || w->e.mode == EMULATE_PROT32 || w->e.mode == EMULATE_LONG64)
		w->e.cpl = take(in, 1) & 3;
}

/* Two pages that are not as the others, and callbacks that fail. */
static void take_obstacles(struct input *in)
{
	uint64_t v = take(in, 3);

	w->absent = v & 1 ? (v >> 8 & 15) << 12 : ~0ull;
	w->read_only = v & 2 ? (v >> 12 & 15) << 12 : ~0ull;
	w->refused = v & 4 ? (v >> 16 & 15) << 12 : ~0ull;
	w->races = v >> 20 & 7;
	w->fail_one_in = (v & 24) == 24 ? 8 : 0;
	srand(v);
}

static void take_segments(struct input *in)
{
	unsigned n = take(in, 1) & 7;

	for (; n < EMULATE_SEGS; n += 2) {
		w->e.seg[n].limit ^= take(in, 1) << 12;
		if (n != EMULATE_CS && w->e.mode > EMULATE_V86)
			w->e.seg[n].access ^= take(in, 1);
	}
	/* The GDT and whatever else lies in low memory. */
	for (unsigned k = 0; k < 16; k++)
		world_store(w, WORLD_GDT + 8 * k, 8, take(in, 8));
	w->dtr[EMULATE_LDTR] = (struct emulate_segment){ WORLD_GDT + 64, 63, SEGMENT_LDT, 0x50 };
}

static void set_up(struct input *in)
{
	static const enum emulate_mode modes[] = { EMULATE_REAL, EMULATE_V86, EMULATE_PROT16, EMULATE_PROT32,
						   EMULATE_LONG64 };
	unsigned options = take(in, 2);
	enum emulate_mode mode = modes[options % ARRAY_SIZE(modes)];

	if (mode == EMULATE_REAL && (options & 0x8000))
		mode = EMULATE_REAL32;

	if (w)
		world_reset(w, mode);
	else
		w = world_new(mode);
	w->e.rep_limit = REP_LIMIT;
	take_control(in, options >> 3);
	take_registers(in);
	take_obstacles(in);
	take_segments(in);
	w->e.features = EMULATE_HAS_ALL & take(in, 1);
	memcpy(w->memory + 0x1000, in->data, in->size); /* operands: the input's own rest */
}

static void check_state(enum emulate_result result)
{
	const struct emulate *e = &w->e;

	EXPECT(result <= EMULATE_HALT);
	EXPECT(e->mode <= EMULATE_LONG64 && e->cpl <= 3 && e->length <= 15 && e->shadow <= 2);
	EXPECT(e->mode == EMULATE_LONG64 || e->rip <= 0xffffffff);
	EXPECT((e->rflags & 2) && !(e->rflags & ~(uint64_t)(RFLAGS_KNOWN | 2)));
	EXPECT(w->events <= EVENTS_MAX);
	if (result == EMULATE_EXCEPTION)
		EXPECT(e->exception.vector < 32 || e->exception.kind != EMULATE_HARDWARE_EXCEPTION);
}

/* One instruction; false: it was not carried out. */
static bool step(void)
{
	struct emulate before = w->e;
	uint64_t gpr[EMULATE_GPRS];
	enum emulate_result result;

	memcpy(gpr, w->gpr, sizeof(gpr));
	w->events = w->writes = 0;
	result = emulate_step(&w->e);
	check_state(result);
	if (result == EMULATE_OK || result == EMULATE_HALT)
		return true;
	if (w->e.mode != before.mode || world_at_repetition(w))
		return result == EMULATE_RESTART;
	EXPECT(!memcmp(gpr, w->gpr, sizeof(gpr)) && w->e.rip == before.rip && w->e.rflags == before.rflags);
	EXPECT(!memcmp(before.seg, w->e.seg, sizeof(before.seg)) && w->e.cpl == before.cpl);
	EXPECT(w->fail_one_in || !w->writes);
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size < 1024 ? size : 1024 };
	uint8_t code[64];
	unsigned n = 0;

	/* The instructions come first, so that the fuzzer's mutations reach them most. */
	while (n < sizeof(code) - 16 && in.size && n < 48)
		code[n++] = take(&in, 1);
	memset(code + n, 0x90, sizeof(code) - n);
	set_up(&in);
	memcpy(w->memory + 0x7c00, code, sizeof(code));
	for (n = 0; n < STEPS_MAX && step(); n++)
		;
	return 0;
}
