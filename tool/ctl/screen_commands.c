/* vellum ctl screenshot, sendkey and mouse: for a run's screen, keyboard and mouse. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev/input/i8042.h"
#include "lib/base.h"
#include "tool/base/runtime.h"
#include "tool/ctl/screen.h"

enum { COMBINED_MAX = 16 };

/* ---- screenshot ---- */

int screenshot_command(struct ctl *ctl, const char *vm, int argc, char **argv)
{
	char error[300];
	struct screen screen;
	unsigned width, height;
	uint32_t *pixels;

	if (argc != 1)
		die(STATUS_USAGE, "ctl: it is: screenshot [VM] FILE.png");
	screen_init(&screen, vm);
	if (!screen_update(&screen, ctl, error, sizeof error))
		die(STATUS_FAILED, "%s", error);
	pixels = screen_picture(&screen, &width, &height);
	if (!screen_write_png(argv[0], pixels, width, height))
		die(STATUS_FAILED, "%s cannot be written: %s", argv[0], strerror(errno));
	say("%s: %u by %u pixels", argv[0], width, height);
	free(pixels);
	screen_free(&screen);
	return 0;
}

/* ---- sendkey ---- */

/* Presses the keys of one word, ctrl-alt-delete, one after the other, and releases them the other way round. */
static void press_together(struct bytes *events, const char *word)
{
	uint8_t event[COMBINED_MAX][2];
	size_t count = 0;

	for (const char *at = word;; at++) {
		size_t length = strcspn(at, "-");

		if (count == COMBINED_MAX)
			die(STATUS_USAGE, "ctl: %s: at most %d keys are pressed together", word, COMBINED_MAX);
		if (!key_named(at, length, &event[count][0], &event[count][1]))
			die(STATUS_USAGE, "ctl: there is no key \"%.*s\"; keys are named as in QEMU's sendkey: a, ret, "
			    "ctrl-alt-delete, f1, spc", (int)length, at);
		bytes_add(events, (const char *)event[count++], 2);
		at += length;
		if (*at == 0)
			break;
	}
	while (count-- > 0) {
		event[count][0] |= I8042_KEY_RELEASED;
		bytes_add(events, (const char *)event[count], 2);
	}
}

int sendkey_command(struct ctl *ctl, const char *vm, int argc, char **argv)
{
	struct bytes events = { 0 };
	char error[300];

	if (argc < 1)
		die(STATUS_USAGE, "ctl: it is: sendkey [VM] KEYS ...");
	for (int i = 0; i < argc; i++)
		press_together(&events, argv[i]);
	if (!keys_send(ctl, vm, (const uint8_t *)events.data, events.length / 2, error, sizeof error))
		die(STATUS_FAILED, "%s", error);
	bytes_free(&events);
	return 0;
}

/* ---- mouse ---- */

static int number_or_die(const char *word, int most)
{
	char *end;
	long value = strtol(word, &end, 10);

	if (*end != 0 || *word == 0 || value < -most || value > most)
		die(STATUS_USAGE, "ctl: %s is no number from -%d to %d", word, most, most);
	return (int)value;
}

static unsigned buttons_or_die(const char *word)
{
	static const char *const names[] = { "left", "right", "middle" };
	unsigned buttons = 0;

	if (strcmp(word, "none") == 0)
		return 0;
	for (const char *at = word;; at++) {
		size_t length = strcspn(at, "+"), n = 0;

		while (n < ARRAY_SIZE(names) && (strlen(names[n]) != length || strncmp(names[n], at, length) != 0))
			n++;
		if (n == ARRAY_SIZE(names))
			die(STATUS_USAGE, "ctl: %s: buttons are left, right and middle, with + between them, or none",
			    word);
		buttons |= 1u << n;
		at += length;
		if (*at == 0)
			return buttons;
	}
}

int mouse_command(struct ctl *ctl, const char *vm, int argc, char **argv)
{
	char error[300];

	if (argc < 2 || argc > 4)
		die(STATUS_USAGE, "ctl: it is: mouse [VM] RIGHT DOWN [BUTTONS [WHEEL]]");
	if (!mouse_send(ctl, vm, argc > 2 ? buttons_or_die(argv[2]) : 0, number_or_die(argv[0], 32767),
			number_or_die(argv[1], 32767), argc > 3 ? number_or_die(argv[3], 127) : 0, error, sizeof error))
		die(STATUS_FAILED, "%s", error);
	return 0;
}
