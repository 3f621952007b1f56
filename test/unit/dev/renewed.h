/* test/unit/dev/renewed.h - what tests of a device's snapshot share, whose rig has a guest's RAM and a medium. Included
 * after the rig's header. */
#ifndef VELLUM_TEST_DEV_RENEWED_H
#define VELLUM_TEST_DEV_RENEWED_H

#include <string.h>

/* Another machine, with the same memory and medium; the rig is one. */
static inline void rig_renew(void)
{
	static uint8_t ram[GUEST_RAM], media[sizeof(rig->medium.data)];

	memcpy(ram, rig->guest.ram, sizeof(ram));
	memcpy(media, rig->medium.data, sizeof(media));
	rig_setup(NULL);
	memcpy(rig->guest.ram, ram, sizeof(ram));
	memcpy(rig->medium.data, media, sizeof(media));
}

/* What save() has written behind each of so many changes to a rig that `begin` has brought into use, load() refuses. */
static inline void each_refused(void **state, void (*const bad[])(void), unsigned count, void (*begin)(void),
				size_t (*save)(void), bool (*load)(size_t, struct fields *))
{
	for (unsigned n = 0; n < count; n++) {
		struct fields s;
		size_t size;

		rig_teardown(state);
		rig_setup(state);
		begin();
		bad[n]();
		size = save();
		rig_renew();
		if (load(size, &s))
			fail_msg("number %u was believed", n);
	}
}

#endif
