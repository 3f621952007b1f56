/* test/unit/emulate/world.h - a small machine for hand-written tests of the emulator: 1 MiB of memory from linear
 * address 0, ports and registers that record what was done to them. */
#ifndef VELLUM_TEST_EMULATE_WORLD_H
#define VELLUM_TEST_EMULATE_WORLD_H

#include "emulate/internal.h"
#include "test/unit/emulate/cpu.h"

#define WORLD_MEMORY (1u << 20)
#define WORLD_GDT 0x600u
#define WORLD_LOG 64
#define WORLD_TSS 0x800u
#define WORLD_IO_MAP 0x68u /* within the TSS: all ports are forbidden */
#define WORLD_TSS_LIMIT 0x87u /* ports up to 0xef */

/* One callback that touched memory or a port. */
struct world_event {
	char kind; /* 'r'ead 'w'rite 'p'robe 'c'mpxchg 'f'etch 'i'n 'o'ut */
	uint64_t address;
	unsigned size;
	unsigned how;
};

struct world {
	struct emulate e;
	uint64_t gpr[EMULATE_GPRS];
	uint64_t absent;      /* page (linear address) that is not there; ~0: none */
	uint64_t read_only;   /* page that cannot be written; ~0: none */
	uint64_t refused;     /* page whose accesses are EMULATE_ACCESS_UNHANDLEABLE; ~0: none */
	unsigned races;       /* so many compare-and-exchanges are lost */
	bool interrupts;      /* each write asks for a pause (EM5) */
	unsigned fail_one_in; /* callbacks fail at random, one in so many; 0: never */
	uint32_t port_value;  /* what IN gives, one more each time */
	uint32_t string_most; /* elements that a port moves at once; 0: it does not */
	uint64_t cr[16], dr[16], msr, msr_index, invalidated;
	struct emulate_segment dtr[4];
	struct cpu_area cpu;
	uint8_t scratch[EMULATE_SCRATCH] __attribute__((aligned(64)));
	struct world_event log[WORLD_LOG];
	unsigned events;      /* may exceed WORLD_LOG */
	unsigned writes;      /* memory writes that were done, but for those of the system's own tables */
	uint8_t memory[WORLD_MEMORY];
};

/* Everything zero, then a mode: CS:IP at linear 0x7c00, flat data segments (real mode: base 0), stack pointer
 * 0x7000. */
struct world *world_new(enum emulate_mode mode);
void world_free(struct world *w);
/* As world_new() makes it. */
void world_reset(struct world *w, enum emulate_mode mode);

/* Put code at CS:rip and carry out one instruction. */
enum emulate_result world_step(struct world *w, const uint8_t *code, unsigned n);
#define RUN(w, ...) world_step(w, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

uint64_t world_load(const struct world *w, uint64_t linear, unsigned size);
void world_store(struct world *w, uint64_t linear, unsigned size, uint64_t v);
/* Descriptor n of the GDT at WORLD_GDT. */
void world_descriptor(struct world *w, unsigned n, uint32_t base, uint32_t limit, uint32_t access);

/* The exception, in one number for assertions: vector, or vector << 16 | 0x8000 | error. */
uint32_t world_exception(const struct world *w);
#define EXCEPTION(vector) ((uint32_t)(vector))
#define EXCEPTION_ERROR(vector, error) ((uint32_t)(vector) << 16 | 0x8000 | (error))

/* Is the next instruction a repeated string instruction? */
static inline bool world_at_repetition(const struct world *w)
{
	struct insn i;

	return emulate_decode(w->e.bytes, w->e.length, w->e.mode, &i) == INSN_OK && i.op >= OP_movs &&
	       i.op <= OP_outs && (i.flags & (INSN_F_REP | INSN_F_REPNE));
}

#endif
