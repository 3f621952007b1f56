/* test/unit/dev/video/places.h - where tests put what the display's BARs decode. */
#ifndef VELLUM_TEST_VIDEO_PLACES_H
#define VELLUM_TEST_VIDEO_PLACES_H

#define LFB 0xe0000000u
#define REGISTERS 0xf0000000u
#define ROM 0xf1000000u

#endif
