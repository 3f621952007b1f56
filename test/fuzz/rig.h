/* test/fuzz/rig.h - what fuzzers of a controller with a disk do with their bytes: a rig whose disk may be written or
 * not, then one step after the other. */
#ifndef VELLUM_TEST_FUZZ_RIG_H
#define VELLUM_TEST_FUZZ_RIG_H

#include "test/fuzz/input.h"
#include "test/unit/dev/block/rig.h"

/* Each step is one of these, at most so many of them. */
struct rig_steps {
	void (*const *what)(struct input *);
	unsigned count, most;
	void (*check)(void); /* behind each */
	void (*drain)(void); /* in the end: what is under way */
};

static inline void rig_fuzz(const struct rig_steps *steps, const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	rig_make(!in_bool(&in));
	for (unsigned n = 0; n < steps->most && in.left; n++) {
		steps->what[in8(&in) % steps->count](&in);
		steps->check();
	}
	steps->drain();
	rig_forget();
}

#endif
