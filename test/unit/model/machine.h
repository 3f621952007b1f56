/* A modelled CPU with hand-made tables, for the model's own tests. Frames are given by number; the tables are written
 * word by word. */
#ifndef VELLUM_TEST_MODEL_MACHINE_H
#define VELLUM_TEST_MODEL_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/cpu.h"
#include "test/caps.h"

/* Host-physical frames. */
enum {
	ROOT = 16,
	L3,
	L2,
	L1,
	PDPT_PAGE,
	OTHER_ROOT,
	OTHER_L3,
	OTHER_L2,
	OTHER_L1,
	EPT5,
	EPT4,
	EPT3,
	EPT2,
	EPT1,
	EPT2B,
	DATA = 64,
	DATA2,
	FRAMES = 128
};

#define RWU (X_P | X_W | X_U)
#define RWX (X_EPT_R | X_EPT_W | X_EPT_X)
#define WB (6ull << X_EPT_TYPE_SHIFT)

struct machine {
	struct phys phys;
	struct mmu_caps caps;
	struct m_cpu cpu;
	struct m_vmcs vmcs;
};

static inline uint64_t frame(unsigned n) { return (uint64_t)n << 12; }

static inline void poke(struct machine *m, unsigned table, unsigned index, uint64_t value)
{
	phys_write(&m->phys, frame(table) + 8 * index, 8, value);
}

static inline void poke4(struct machine *m, unsigned table, unsigned index, uint64_t value)
{
	phys_write(&m->phys, frame(table) + 4 * index, 4, value);
}

static inline uint64_t peek(struct machine *m, unsigned table, unsigned index)
{
	return phys_read(&m->phys, frame(table) + 8 * index, 8);
}

/* 4-level paging with one 4-KByte page: address 0 to frame DATA; without EPT. */
static inline void start(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	assert_true(phys_init(&m->phys));
	phys_add(&m->phys, 0, FRAMES);
	m->caps = caps_all();
	assert_true(m_cpu_init(&m->cpu, &m->phys, &m->caps, &m_geometry_plain));
	m->vmcs = (struct m_vmcs){ .vpid = 1 };
	m->vmcs.guest = (struct x_regs){ .cr0 = X_CR0_PE | X_CR0_PG | X_CR0_WP | X_CR0_ET,
					 .cr3 = frame(ROOT),
					 .cr4 = X_CR4_PAE | X_CR4_PGE,
					 .efer = X_EFER_LME | X_EFER_LMA | X_EFER_NXE };
	poke(m, ROOT, 0, frame(L3) | RWU);
	poke(m, L3, 0, frame(L2) | RWU);
	poke(m, L2, 0, frame(L1) | RWU);
	poke(m, L1, 0, frame(DATA) | RWU);
}

/* An EPT that maps the low frames to themselves by 4-KByte pages. */
static inline void with_ept(struct machine *m)
{
	m->vmcs.ept = true;
	m->vmcs.eptp = frame(EPT4) | 6 | 3 << X_EPTP_LENGTH_SHIFT;
	poke(m, EPT4, 0, frame(EPT3) | RWX);
	poke(m, EPT3, 0, frame(EPT2) | RWX);
	poke(m, EPT2, 0, frame(EPT1) | RWX);
	for (unsigned i = 0; i < FRAMES; i++)
		poke(m, EPT1, i, frame(i) | RWX | WB);
}

/* The same, with one level more; guest-physical addresses repeat from bit 48 on. */
static inline void with_ept_of_five(struct machine *m)
{
	with_ept(m);
	m->caps.maxphyaddr = 52;
	m->vmcs.eptp = frame(EPT5) | 6 | 4 << X_EPTP_LENGTH_SHIFT;
	poke(m, EPT5, 0, frame(EPT4) | RWX);
	poke(m, EPT5, 1, frame(EPT4) | RWX);
}

static inline void stop(struct machine *m)
{
	m_cpu_fini(&m->cpu);
	phys_fini(&m->phys);
}

static inline void restart(struct machine *m)
{
	stop(m);
	start(m);
}

/* Every test has a machine of its own, started: *state. */
static inline int setup(void **state)
{
	struct machine *m = malloc(sizeof(*m));

	assert_non_null(m);
	start(m);
	*state = m;
	return 0;
}

static inline int teardown(void **state)
{
	stop(*state);
	free(*state);
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static inline void run(struct machine *m)
{
	assert_null(m_entry(&m->cpu, &m->vmcs));
}

static const struct x_access READ = { 0 }, WRITE = { .write = true }, FETCH = { .fetch = true };
static const struct x_access USER_READ = { .user = true }, USER_WRITE = { .user = true, .write = true };

static inline void reaches(struct machine *m, uint64_t va, struct x_access a, uint64_t hpa)
{
	struct m_result r = m_access(&m->cpu, va, a);

	assert_int_equal(r.event, M_OK);
	assert_int_equal(r.hpa, hpa);
}

static inline void faults(struct machine *m, uint64_t va, struct x_access a, uint32_t error)
{
	struct m_result r = m_access(&m->cpu, va, a);

	assert_int_equal(r.event, M_PF);
	assert_int_equal(r.error, error);
	assert_int_equal(r.gla, va);
}

/* Runs the access into an EPT violation with that qualification, and enters the guest again. */
static inline void violates(struct machine *m, uint64_t va, struct x_access a, uint64_t gpa, uint64_t qualification)
{
	struct m_result r = m_access(&m->cpu, va, a);

	assert_int_equal(r.event, M_EXIT);
	assert_int_equal(r.exit, M_EXIT_EPT_VIOLATION);
	assert_int_equal(r.gpa, gpa);
	assert_int_equal(r.qualification, qualification);
	assert_null(m->cpu.vmcs);
	run(m);
}

#endif
