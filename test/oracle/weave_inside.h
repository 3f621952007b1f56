/* test/oracle/weave_inside.h - what the files of the weaving share: the actors, and how one gives way to another. */
#ifndef VELLUM_TEST_ORACLE_WEAVE_INSIDE_H
#define VELLUM_TEST_ORACLE_WEAVE_INSIDE_H

#include "test/oracle/weave.h"

enum wait { WAIT_NONE, WAIT_LOCK, WAIT_OUT, WAIT_CPU, WAIT_PAGE, WAIT_THAW, WAIT_FROZEN, WAIT_ALONE,
	    WAIT_WORD, WAIT_FLAG };

struct actor {
	void *stands; /* where, while another runs */
	char *stack;
	void *fake; /* of the sanitizer */
	struct vcpu *v;
	struct part part;
	bool done;
	enum wait waits;
	const void *on;
	uint32_t points;
	uint32_t stores;  /* the last so many of them were stores to tables */
	bool by_host;     /* world.by_host while it runs */
	struct vcpu *accessing;
};

#define WORDS_OF_TABLE 512u
#define WEAVE_STACK_SIZE (128 * 1024)

struct weave {
	struct world *w;
	struct actor actor[VCPUS], *now; /* NULL: none runs */
	void *driver;
	const void *driver_bottom;
	size_t driver_size;
	void *driver_fake;
	struct schedule *schedule;
	uint32_t round;
	unsigned actors, alone;
	struct actor *locked;      /* who has the VM's lock */
	struct actor *cpu[CPUS];   /* who has a step under way there */
	struct actor *freezing;
	uint64_t turns;
	bool said[8];
	weave_do *todo;
	const struct watcher *watch; /* NULL: not every order is tried */
	/* these stand for changes of words at that place of a table, of pages, of who is in a guest on a CPU */
	char changed[WORDS_OF_TABLE], written[WORDS_OF_TABLE], occupied[CPUS];
};

/* weave.c */
/* At a point of that kind: the actor goes on, or others come first; must: it cannot go on. */
void weave_pass(struct weave *b, enum point kind, bool must);
bool weave_may_come(const struct weave *b, const struct actor *a);
bool weave_all_quiet(const struct weave *b);

/* weave_wait.c */
void weave_wait(struct weave *b, enum wait what, const void *on);
/* WV3: who was kicked comes out where its instruction ends. */
void weave_come_out(struct vcpu *v);
/* What the model and mmu/ call at their points (world.phys.watch, seam.h). */
void weave_walk(void *ctx);
void weave_stored_to(void *ctx, bool to_guest);
void weave_beside_step(void *ctx);

#endif
