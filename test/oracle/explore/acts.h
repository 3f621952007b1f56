/* test/oracle/explore/acts.h - the crossings, and what their steps do. */
#ifndef VELLUM_TEST_ORACLE_EXPLORE_ACTS_H
#define VELLUM_TEST_ORACLE_EXPLORE_ACTS_H

#include "test/oracle/weave.h"

/* The first so many are short enough for each mechanism to be tried in every order. */
#define CROSSINGS_SHORT 5u
#define BEFORE_MOST 18u
#define PART_MOST 7u

struct crossing {
	const char *name;
	struct step before[BEFORE_MOST]; /* by .who */
	struct step part[2][PART_MOST];
};

extern const struct crossing crossing_all[];
extern const unsigned crossing_count;

/* How many steps there are, of so many at most. */
unsigned acts_length(const struct step *s, unsigned most);
/* Brings in what they use, and lays out the tables. */
void acts_begin(struct world *w, const struct crossing *c);
void acts_do(struct vcpu *v, const struct step *s);
/* Is the first table, at that frame, read by entries of either size? 0: no. */
uint64_t acts_halves(const struct crossing *c);
/* Both see what is there in the end, when each has invalidated it. */
void acts_look_at_all(struct world *w);
/* Of what each saw, and what is in memory. */
uint64_t acts_state(struct world *w);
void acts_forget(void);

#endif
