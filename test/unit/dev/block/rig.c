#include "test/unit/dev/block/rig.h"

int rig_setup(void **state)
{
	(void)state;
	rig_make(false);
	return 0;
}

int rig_setup_read_only(void **state)
{
	(void)state;
	rig_make(true);
	return 0;
}

int rig_teardown(void **state)
{
	(void)state;
	rig_forget();
	return 0;
}
