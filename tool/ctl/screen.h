/* A virtual machine's screen as a run's clients see it: a copy of the VGA's registers and of as much of its memory as
 * the picture needs, brought up to date over the control channel (docs/protocol.md, "screen" and "video"). */
#ifndef VELLUM_TOOL_SCREEN_H
#define VELLUM_TOOL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/video/vga_state.h"
#include "lib/for_tests.h"
#include "tool/ctl/ctl.h"

struct screen {
	struct vga vga;
	char *vm;
	uint64_t number;        /* what has been told up to now */
	uint32_t pages;         /* of memory */
	bool *stale;            /* for each page: it has changed since it was read */
	bool changed;           /* the registers have, or a page that was read: there is a new picture */
};

/* vm: its name or number, copied. */
void screen_init(struct screen *screen, const char *vm);
void screen_free(struct screen *screen);
/* Brings it up to date. false: error is one sentence. */
bool screen_update(struct screen *screen, struct ctl *ctl, char *error, size_t size);
/* The picture's pixels, 0xRRGGBB, line by line; to be freed. */
uint32_t *screen_picture(const struct screen *screen, unsigned *width, unsigned *height);

/* By the C library. Returns how many bytes there are; -1: that is no base64, or not less than size. */
long base64_decode(const char *text, uint8_t *to, size_t size);
/* The bytes that `length` bytes of packed planes stand for: base64, LZ4, four planes one after the other. false: they
 * are not what they should be. */
FOR_TESTS bool screen_unpack(const char *planes, uint8_t *to, size_t length);

/* Which bytes of memory the picture needs, [from, to), in at most SCREEN_RANGES ranges; how many. */
enum { SCREEN_RANGES = 3 };
struct screen_range {
	uint32_t from, to;
};
FOR_TESTS unsigned screen_needs(const struct vga *vga, const struct vga_picture *picture,
		      struct screen_range range[SCREEN_RANGES]);

/* Writes it as PNG. false: errno. */
bool screen_write_png(const char *path, const uint32_t *pixels, unsigned width, unsigned height);

/* ---- keys.c ---- */

/* What a key is called by QEMU, and what it is told as: how and code of i8042_key(). false: there is no such key. */
bool key_named(const char *name, size_t length, uint8_t *how, uint8_t *code);
/* The same of an X11 keysym; a keyboard has a key for both cases of a letter. */
bool key_of_keysym(uint32_t keysym, uint8_t *how, uint8_t *code);
/* Presses or releases keys, of which there are `count` pairs in bytes, as fast as the guest takes them. false: error is
 * one sentence. */
bool keys_send(struct ctl *ctl, const char *vm, const uint8_t *bytes, size_t count, char *error, size_t size);
/* Once, without waiting: how many of them have found room; -1: error is one sentence. */
int keys_try(struct ctl *ctl, const char *vm, const uint8_t *bytes, size_t count, char *error, size_t size);
/* A movement, to the right and down; buttons: 1 left, 2 right, 4 middle. */
bool mouse_send(struct ctl *ctl, const char *vm, unsigned buttons, int x, int y, int wheel, char *error, size_t size);

/* ---- commands ---- */
/* Each with the words behind the virtual machine; returns the exit status. */
/* trace.c */
int trace_command(struct ctl *ctl, const char *vm, int argc, char **argv);
int screenshot_command(struct ctl *ctl, const char *vm, int argc, char **argv);
/* console.c: shows a console and types at it until the virtual machine or the input's escape key ends that. */
int console_command(struct ctl *ctl, const char *vm, int argc, char **argv);
int sendkey_command(struct ctl *ctl, const char *vm, int argc, char **argv);
int mouse_command(struct ctl *ctl, const char *vm, int argc, char **argv);

#endif
