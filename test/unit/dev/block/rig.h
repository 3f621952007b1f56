/* test/unit/dev/block/rig.h - set-up and teardown for tests of a controller with a disk: a rig, which
 * test/unit/dev/ide/ and test/unit/dev/virtio/ have one each of. */
#ifndef VELLUM_TEST_DEV_BLOCK_RIG_H
#define VELLUM_TEST_DEV_BLOCK_RIG_H

#include <stdbool.h>

/* By who has the rig: begins with a new one, whose disk may be written or not; there is none any more. */
void rig_make(bool read_only);
void rig_forget(void);

/* For cmocka. */
int rig_setup(void **state);
int rig_setup_read_only(void **state);
int rig_teardown(void **state);

#endif
