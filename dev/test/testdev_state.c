#include "dev/test/testdev.h"

void testdev_state(struct fields *s, struct testdev *t)
{
	state_begin(s, "testdev", 1);
	state_bytes(s, t->latch, sizeof(t->latch));
	state_u32(s, &t->levels);
	state_bytes(s, t->mem, sizeof(t->mem));
	state_check(s, !(t->levels >> TESTDEV_LINES), "there is a line too many");
	state_end(s);
}
