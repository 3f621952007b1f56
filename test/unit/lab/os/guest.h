/* A guest OS with its processes on the CPU of test/unit/lab/os_cpu.h, and what each process must find in its pages. */
#ifndef VELLUM_TEST_LAB_OS_GUEST_H
#define VELLUM_TEST_LAB_OS_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/os/inside.h"
#include "test/unit/lab/os_cpu.h"

enum { PROCESSES = 5, PAGES = 8 * 512, UNKNOWN = -1 };
#define ARENA 0x555500000000ull

extern uint64_t random_state;
extern struct lab_cpu *cpu;
extern struct lab_os *os;
extern struct lab_error error;
extern bool alive[PROCESSES];
extern int64_t holds[PROCESSES][PAGES]; /* what the page must hold: a tag, or UNKNOWN (shared, or of a file) */
extern uint64_t accesses;

uint64_t rnd(void);
/* Boots an OS on so many CPUs, or on one; pages: shift of the largest page it maps; fragmentation: the share of its
 * memory that no large page can be made of. */
void start_on(unsigned cpus, unsigned levels, bool pcid, bool pti, unsigned pages, double fragmentation, bool implicit);
void start(unsigned levels, bool pcid, bool pti, unsigned pages, double fragmentation, bool implicit);
void audit(void);
void call(struct lab_call c);
/* The frame of an access of the running process, after the page faults it takes. */
uint64_t frame_of(uint64_t va, bool write);
/* An access to a page of the arena: it holds what it must. */
void read_page(unsigned page);
void write_page(unsigned page);
void set_range(unsigned first, unsigned count, int64_t value);
/* cmocka's, for the group. */
int teardown(void **state);

#endif
