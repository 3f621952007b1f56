/* A snapshot of the bench's first virtual machine, taken as the control channel does it, and made into a file. */
#ifndef VELLUM_TEST_VM_SNAPSHOT_TAKEN_H
#define VELLUM_TEST_VM_SNAPSHOT_TAKEN_H

#include "test/unit/vm/fixture.h"
#include "vm/load/snapshot_file.h"
#include "vm/snapshot/snapshot.h"

#define TAKEN_MAX (8u << 20)
#define TAKEN_STATE 0x20000u
#define TAKEN_DISPLAY 0x40000u /* bytes of a display's memory; what is behind is zero */

struct taken {
	uint8_t machine[TAKEN_STATE], cpu[4][0x4000];
	size_t machine_bytes, cpu_bytes[4];
	unsigned cpus;
	uint8_t ram[BENCH_RAM], display[TAKEN_DISPLAY];
};
extern struct taken taken;

/* It stands afterwards, paused. */
static inline void pause_it(void)
{
	bench_type(CONSOLE_STATS, "p pause 0\n", 10);
	assert_int_equal(bench_interrupt(VECTOR_KICK), BENCH_IDLE);
}

/* Pages that are to leave do so. */
void take_pages(void);
/* Goes on with one that has been begun, whose pages were taken, or begins one. */
void take(void);
/* Takes state and registers again; the rest is as it was. */
void take_state(void);
/* The file of what was taken becomes the boot module. */
void make_file(void);
/* And a machine goes on with it: of this kind. */
static inline void restore_as(struct bench_config config)
{
	make_file();
	config.restore = true;
	bench_new(&config);
}

/* Why a machine that goes on with what was taken is refused, beside one that is not; "": it is not. */
const char *refusal(struct bench_config config);
/* Fails where that does not say so. */
void expect(const char *what, struct bench_config config);
static const struct bench_config plainly = { .mmu = "ept" };
/* One is taken, in 64-bit mode, and is there. */
void take_one(void);

#define BAD_CPU(statement, what) \
	do { \
		take_one(); \
		statement; \
		take_state(); \
		finish(); \
		expect(what, plainly); \
	} while (0)
#define V (bench.vm[0]->vcpu[0])
#define REGS (V->mmu.regs)

#endif
