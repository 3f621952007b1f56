/* test/oracle/explore/explore.h - every order of the steps of two actors, up to the order of steps that do not depend
 * on each other: dynamic partial-order reduction (C. Flanagan and P. Godefroid, "Dynamic Partial-Order Reduction for
 * Model Checking Software", POPL 2005), with sleep sets (P. Godefroid, "Partial-Order Methods for the Verification of
 * Concurrent Systems").
 *
 * Who explores makes one run after the other from the same state, and asks at the end of each step who comes next. Two
 * steps of different actors depend on each other where their footprints conflict; two runs in which all that depend on
 * each other follow each other in the same order are the same to everybody.
 *
 * DR1: of runs that are the same, one is made to its end. Others are given up as soon as all that could come sleep.
 * DR2: of runs that are not, each is made: where a step depends on an earlier one of the other actor's that it need not
 *      come behind, the actor is also tried before that.
 * DR3: what an actor waits for is a part of the footprint of the step that it waited with. Such a step may have had to
 *      come behind the last one that it depends on; so its actor is tried before all of them where it could come.
 * DR4: a run begins as the one before it did: who can come is compared. */
#ifndef VELLUM_TEST_ORACLE_EXPLORE_EXPLORE_H
#define VELLUM_TEST_ORACLE_EXPLORE_EXPLORE_H

#include "test/oracle/explore/footprint.h"

#define EXPLORE_ACTORS 2u

struct explore;
struct explore_count { uint64_t executions, pruned, steps_most; };

/* What is to be found wrong by its own test (toys.c). */
enum explore_fault {
	EXPLORE_RIGHT,
	EXPLORE_WRITES_ONLY, /* a read does not depend on a write */
	EXPLORE_LAST_ONLY,   /* DR3 is left out */
	EXPLORE_SLEEPS_ON,   /* who sleeps goes on to, whatever is done meanwhile */
	EXPLORE_FAULTS
};

struct explore *explore_make(enum explore_fault fault);
/* The plain search, without any reduction: each order with at most so many changes that nobody has to wait for. */
struct explore *explore_make_plain(unsigned changes);
void explore_free(struct explore *);
/* Another run is to be made. false: all were. */
bool explore_next(struct explore *);
enum { EXPLORE_GIVE_UP = -1, EXPLORE_STUCK = -2 };
/* The step ends. By bit: who could come, and who of them waited for something. dull: the plain search tries nobody else
 * here. Returns who comes. */
int explore_go(struct explore *, unsigned enabled, unsigned waited, bool dull);
/* The run is over, or was given up. */
void explore_over(struct explore *);
struct explore_count explore_count(const struct explore *);
/* Was the last one made to its end? */
bool explore_whole(const struct explore *);
/* In what state the run has ended; and all of these, in ascending order. */
void explore_note(struct explore *, uint64_t state);
const uint64_t *explore_states(const struct explore *, size_t *count);
/* For who has to tell of the run: who came at its n-th step, or -1. */
int explore_step(const struct explore *, size_t n);

#endif
