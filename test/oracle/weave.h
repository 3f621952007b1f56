/* test/oracle/weave.h - vCPUs whose steps are interleaved inside mmu/'s own steps, and the schedule that says how.
 *
 * Each vCPU is an actor on a stack of its own. One runs at a time, and another comes only at a *point*: where the VM's
 * lock is taken or released, a vCPU is kicked, a translation flushed, a table's entry stored, a guest entered, and
 * where the CPU in a guest reads an entry of a walk.
 *
 * WV1: which actor comes is a function of the schedule, the actor that is at the point, and how many it has passed.
 * WV2: what waits - for the lock, for a kicked vCPU, for a CPU - is not chosen until it need not wait any more.
 * WV3: an instruction of the guest is not interrupted: who kicks a vCPU in the middle of one waits for its end.
 * WV4: a logical CPU does one actor's step at a time; who comes to a CPU puts the vCPU that was there out of its guest.
 */
#ifndef VELLUM_TEST_ORACLE_WEAVE_H
#define VELLUM_TEST_ORACLE_WEAVE_H

#include "test/oracle/oracle.h"

/* P(name, what) */
#define POINTS(P) \
	P(STEP, "between two steps") P(LOCK, "the lock is about to be taken") P(UNLOCK, "it was released") \
	P(KICK, "a kick is on its way") P(FLUSH, "INVVPID or INVEPT comes") P(STORE, "an entry of a table was stored") \
	P(ENTRY, "the guest is about to be entered") P(WALK, "a CPU's walk is about to read an entry") \
	P(BESIDE, "a fault is served beside others, or somebody wants to be alone")

enum point {
#define P(name, what) POINT_##name,
	POINTS(P)
#undef P
	POINT_COUNT
};

/* At the actor's point with that number, in that round, another comes. */
struct choice {
	uint32_t round, point;
	uint8_t actor, to, kind;
};

struct schedule {
	uint64_t seed;
	uint32_t kinds;             /* points at which others come at random, by bit; 0: at none */
	unsigned rate;              /* once in so many */
	const struct choice *given; /* these do besides, in any order */
	size_t givens;
	struct choice *taken;       /* the choices that were made, where there is room; NULL: nobody asks */
	size_t takens, room;
};

/* Who tries every order of steps (test/oracle/explore/): it is asked at each point, and told what a step depends on. */
struct watcher {
	/* By bit: who can come, and who of them waited for something. in_a_row: the step was one store of many to a
	 * table. Returns who comes; less than 0: nobody. */
	int (*go)(void *ctx, unsigned enabled, unsigned waited, bool in_a_row);
	void (*touch)(const void *at, size_t size, bool write);
	/* What is read until it is turned off again, nothing depends on. Returns what was so before. */
	bool (*quiet)(bool quiet);
	void *ctx;
};

/* The steps of one actor in a round. */
struct part {
	const struct step *step;
	unsigned steps;
};

/* A stack for each of the world's vCPUs. */
struct weave *weave_make(struct world *w);
void weave_free(struct weave *);
/* Does all parts, of which there is one for each vCPU, to their ends. A failure is the world's. */
void weave_round(struct world *w, uint32_t round, struct schedule *s, const struct part *parts);
/* What an actor does for one step. Tests that know better set another. */
typedef void weave_do(struct vcpu *v, const struct step *s);
void weave_set(struct weave *, weave_do *todo);

void weave_watch(struct weave *, const struct watcher *);
/* Is every order tried? Then what is checked is the same in all runs that differ only in the order of steps that do
 * not depend on each other: nothing is left to chance, and nothing asks who came when. */
static inline bool weave_exact(const struct world *w) { return w->watch != NULL; }
void weave_touch(struct world *w, const void *at, size_t size, bool write);
static inline bool weave_quiet(struct world *w, bool quiet) { return w->watch && w->watch->quiet(quiet); }
/* Of the oracle's time it matters only whether a change came before a mark that it is compared with. A change of a
 * word is compared with marks made for an address whose translation can use it: by its place in a table of any
 * level. */
void weave_changed(struct world *w, uint64_t word);
void weave_searched(struct world *w, uint64_t word);
void weave_marked(const struct vcpu *v, uint64_t va);
void weave_marked_all(struct world *w);
/* The same of pages that a log is to name, and when it is looked at. */
void weave_written(struct world *w, uint64_t gfn);
void weave_collected(struct world *w);
/* Who is in a guest on that CPU is asked, or changes. */
void weave_occupies(struct world *w, const struct m_cpu *cpu, bool change);

/* ---- for those who are at a point; nothing happens where nothing is woven ---- */

void weave_point(struct world *w, enum point kind);
/* A table's entry was stored (test/oracle/seam/). */
void weave_lock(struct world *w, struct vm *vm);
void weave_unlock(struct world *w, struct vm *vm);
/* Does who runs hold the lock? Without weaving: is it held? */
bool weave_holds(struct world *w);
void weave_kick(struct world *w, struct vcpu *v);
/* Is any fault being served without the lock (mmu/lock.h)? */
bool weave_beside_now(const struct world *w);
/* Until *flag is false. */
void weave_wait_while(struct world *w, const bool *flag);
bool weave_enter(struct vcpu *v);
/* The page is nobody else's until it is let go. */
void weave_wait_page(struct world *w, struct page *p);
/* A guest goes to another CPU. */
void weave_migrate(struct vcpu *v, unsigned cpu);
/* Nobody else is in the middle of anything that matters, and none comes until the end. */
void weave_alone(struct world *w);
void weave_together(struct world *w);
/* The same, but false at once where somebody is in the middle. */
bool weave_try_alone(struct world *w);
/* All others are out of their guests, and stay so until the thaw. */
void weave_freeze(struct world *w);
void weave_thaw(struct world *w);
/* Nobody else came since the vCPU last entered its guest: what is seen is what it did. */
bool weave_undisturbed(const struct vcpu *v);
/* The logical CPU of the actor; NULL: none runs. */
struct m_cpu *weave_cpu(struct world *w);
/* A guest tells others, who wait for it. */
void weave_say(struct world *w, unsigned what);
void weave_hear(struct world *w, unsigned what);
/* How often another came. */
uint64_t weave_turns(const struct world *w);

/* weave_run.c */
struct weave_options {
	const struct mmu_ops *ops;
	uint64_t seed, runs, accesses;
	unsigned rounds;
	bool thorough, no_shrink;
	const char *save;
};
bool weave_random(const struct weave_options *o, struct account *sum);
/* 1: it passes, 0: it fails, -1: the file holds no interleaved sequence. */
int weave_replay(const char *file);

#endif
