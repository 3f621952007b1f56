/* test/unit/emulate/machine.h - one instruction, carried out by the host CPU and by the emulator, on equal worlds.
 *
 * The world is a few pages at a fixed low address, so that 32-bit addresses reach them, with holes around:
 *   WORLD + 0x0000  hole
 *   WORLD + 0x1000  two pages to read and write
 *   WORLD + 0x3000  a page to read only
 *   WORLD + 0x4000  hole
 * The emulator has a copy of the three pages. Code and the saved registers lie in pages of their own further up. */
#ifndef VELLUM_TEST_EMULATE_MACHINE_H
#define VELLUM_TEST_EMULATE_MACHINE_H

#include "test/unit/emulate/cpu.h"

#define WORLD 0x20000000u
#define WORLD_DATA (WORLD + 0x1000)
#define WORLD_READ_ONLY (WORLD + 0x3000)
#define WORLD_END (WORLD + 0x4000)
#define WORLD_BYTES (WORLD_END - WORLD_DATA)
#define CODE (WORLD + 0x100000) /* beyond what 16-bit segments reach */
#define CODE_SLOT (CODE + 0x800) /* where the instruction goes */
#define LANDING 0x100 /* so far around it are breakpoints, if asked for */
#define CONTEXT (WORLD + 0x120000)
#define GS_BASE 0x10000000u

#define NO_VECTOR 0xff

/* What an instruction starts from, and what it leaves. */
struct state {
	uint64_t gpr[EMULATE_GPRS];
	uint64_t rip, rflags;
	uint8_t vec[16][32];
	/* x87 state and MXCSR; its XMM registers are those of vec */
	uint8_t fx[CPU_FX_BYTES] __attribute__((aligned(16)));
	/* The exception, if any. */
	unsigned vector; /* NO_VECTOR: none */
	uint32_t error;
	uint64_t cr2;
};

/* The segments of 16-bit and 32-bit runs: descriptors in the LDT, made once. */
enum layout {
	LAYOUT_LONG64,
	LAYOUT_FLAT32,    /* 32-bit code, flat segments */
	/* 32-bit code; DS, SS reach only to the read-only page's end, ES is read-only, SS expands down */
	LAYOUT_SMALL32,
	LAYOUT_CODE16,    /* 16-bit code with base CODE, 64 KiB data and stack with base WORLD */
	LAYOUT_COUNT
};

/* Maps the world and makes the descriptors, once; installs the signal handlers, each time: cmocka has its own. */
void machine_setup(void);
/* False where the kernel offers no LDT: only LAYOUT_LONG64 and LAYOUT_FLAT32 then. */
bool machine_has(enum layout layout);
/* EMULATE_HAS_*, as the host has them. */
uint32_t machine_features(void);

/* Fill the data pages of both worlds with the same random bytes. */
void machine_fill(uint64_t (*random)(void));
/* The bytes at linear, for generators; in both worlds. */
void machine_poke(uint64_t linear, const void *bytes, unsigned n);
const uint8_t *machine_native_memory(void);
const uint8_t *machine_emulated_memory(void);

/* The parts of the machine among themselves. */
#define USER_CS32 0x23
#define USER_CS64 0x33
#define USER_DS 0x2b
extern uint8_t machine_emulated_data[WORLD_BYTES];
bool machine_make_segments(void);
uint16_t machine_selector(enum layout layout, enum emulate_seg seg);
void machine_describe(uint16_t selector, struct emulate_segment *s);

/* The LDT as it is in memory, where only system accesses of the emulator reach it: its size, and entry n. */
#define LDT_BASE 0x28000000u
unsigned machine_ldt_bytes(void);
uint64_t machine_ldt_entry(unsigned n);

/* The segment bases that generators need: the linear address is base + offset. */
uint64_t machine_segment_base(enum layout layout, enum emulate_seg seg);
/* rip of the instruction, as the code segment counts it. */
uint64_t machine_slot(enum layout layout);

/* Run bytes[0..n) natively from *in; with `vectors` XMM/YMM registers, the FPU and MXCSR too; `traps`: it ends in a
 * breakpoint, since control may go anywhere. */
void machine_native(enum layout layout, const uint8_t *bytes, unsigned n, const struct state *in, struct state *out,
		    bool vectors, bool traps);
/* The same by emulate_step(), on the emulator's copy. */
enum emulate_result machine_emulate(enum layout layout, const struct state *in, struct state *out, struct emulate *e);

#endif
