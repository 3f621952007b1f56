/* Keys by their names in QEMU ("sendkey") and by X11's keysyms, as the codes of scan code set 2. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dev/input/i8042.h"
#include "tool/base/util.h"
#include "tool/ctl/screen.h"

enum { AGAIN_US = 20000, PATIENCE = 500, AT_ONCE = 32 };

#define E I8042_KEY_EXTENDED

/* keysym: X11's, where it is not that of the name's one letter or digit; 0: none */
static const struct key {
	const char *name;
	uint8_t how, code;
	uint32_t keysym, shifted;
} keys[] = {
	{ "a", 0, 0x1c, 'a', 'A' }, { "b", 0, 0x32, 'b', 'B' }, { "c", 0, 0x21, 'c', 'C' }, { "d", 0, 0x23, 'd', 'D' },
	{ "e", 0, 0x24, 'e', 'E' }, { "f", 0, 0x2b, 'f', 'F' }, { "g", 0, 0x34, 'g', 'G' }, { "h", 0, 0x33, 'h', 'H' },
	{ "i", 0, 0x43, 'i', 'I' }, { "j", 0, 0x3b, 'j', 'J' }, { "k", 0, 0x42, 'k', 'K' }, { "l", 0, 0x4b, 'l', 'L' },
	{ "m", 0, 0x3a, 'm', 'M' }, { "n", 0, 0x31, 'n', 'N' }, { "o", 0, 0x44, 'o', 'O' }, { "p", 0, 0x4d, 'p', 'P' },
	{ "q", 0, 0x15, 'q', 'Q' }, { "r", 0, 0x2d, 'r', 'R' }, { "s", 0, 0x1b, 's', 'S' }, { "t", 0, 0x2c, 't', 'T' },
	{ "u", 0, 0x3c, 'u', 'U' }, { "v", 0, 0x2a, 'v', 'V' }, { "w", 0, 0x1d, 'w', 'W' }, { "x", 0, 0x22, 'x', 'X' },
	{ "y", 0, 0x35, 'y', 'Y' }, { "z", 0, 0x1a, 'z', 'Z' },
	{ "0", 0, 0x45, '0', ')' }, { "1", 0, 0x16, '1', '!' }, { "2", 0, 0x1e, '2', '@' }, { "3", 0, 0x26, '3', '#' },
	{ "4", 0, 0x25, '4', '$' }, { "5", 0, 0x2e, '5', '%' }, { "6", 0, 0x36, '6', '^' }, { "7", 0, 0x3d, '7', '&' },
	{ "8", 0, 0x3e, '8', '*' }, { "9", 0, 0x46, '9', '(' },
	{ "minus", 0, 0x4e, '-', '_' }, { "equal", 0, 0x55, '=', '+' }, { "bracket_left", 0, 0x54, '[', '{' },
	{ "bracket_right", 0, 0x5b, ']', '}' }, { "semicolon", 0, 0x4c, ';', ':' },
	{ "apostrophe", 0, 0x52, '\'', '"' },
	{ "grave_accent", 0, 0x0e, '`', '~' }, { "backslash", 0, 0x5d, '\\', '|' }, { "comma", 0, 0x41, ',', '<' },
	{ "dot", 0, 0x49, '.', '>' }, { "slash", 0, 0x4a, '/', '?' }, { "less", 0, 0x61, 0, 0 },
	{ "spc", 0, 0x29, ' ', 0 }, { "ret", 0, 0x5a, 0xff0d, 0 }, { "tab", 0, 0x0d, 0xff09, 0xfe20 },
	{ "backspace", 0, 0x66, 0xff08, 0 }, { "esc", 0, 0x76, 0xff1b, 0 },
	{ "shift", 0, 0x12, 0xffe1, 0 }, { "shift_r", 0, 0x59, 0xffe2, 0 }, { "ctrl", 0, 0x14, 0xffe3, 0 },
	{ "ctrl_r", E, 0x14, 0xffe4, 0 }, { "alt", 0, 0x11, 0xffe9, 0 }, { "alt_r", E, 0x11, 0xffea, 0xfe03 },
	{ "meta_l", E, 0x1f, 0xffeb, 0xffe7 }, { "meta_r", E, 0x27, 0xffec, 0xffe8 }, { "menu", E, 0x2f, 0xff67, 0 },
	{ "compose", E, 0x2f, 0, 0 },
	{ "caps_lock", 0, 0x58, 0xffe5, 0 }, { "num_lock", 0, 0x77, 0xff7f, 0 }, { "scroll_lock", 0, 0x7e, 0xff14, 0 },
	{ "f1", 0, 0x05, 0xffbe, 0 }, { "f2", 0, 0x06, 0xffbf, 0 }, { "f3", 0, 0x04, 0xffc0, 0 },
	{ "f4", 0, 0x0c, 0xffc1, 0 }, { "f5", 0, 0x03, 0xffc2, 0 }, { "f6", 0, 0x0b, 0xffc3, 0 },
	{ "f7", 0, 0x83, 0xffc4, 0 }, { "f8", 0, 0x0a, 0xffc5, 0 }, { "f9", 0, 0x01, 0xffc6, 0 },
	{ "f10", 0, 0x09, 0xffc7, 0 }, { "f11", 0, 0x78, 0xffc8, 0 }, { "f12", 0, 0x07, 0xffc9, 0 },
	{ "insert", E, 0x70, 0xff63, 0 }, { "delete", E, 0x71, 0xffff, 0 }, { "home", E, 0x6c, 0xff50, 0 },
	{ "end", E, 0x69, 0xff57, 0 }, { "pgup", E, 0x7d, 0xff55, 0 }, { "pgdn", E, 0x7a, 0xff56, 0 },
	{ "up", E, 0x75, 0xff52, 0 }, { "down", E, 0x72, 0xff54, 0 }, { "left", E, 0x6b, 0xff51, 0 },
	{ "right", E, 0x74, 0xff53, 0 }, { "print", E, 0x7c, 0xff61, 0 }, { "sysrq", 0, 0x84, 0xff15, 0 },
	{ "pause", I8042_KEY_PAUSE, 0, 0xff13, 0 },
	{ "kp_0", 0, 0x70, 0xffb0, 0xff9e }, { "kp_1", 0, 0x69, 0xffb1, 0xff9c }, { "kp_2", 0, 0x72, 0xffb2, 0xff99 },
	{ "kp_3", 0, 0x7a, 0xffb3, 0xff9b }, { "kp_4", 0, 0x6b, 0xffb4, 0xff96 }, { "kp_5", 0, 0x73, 0xffb5, 0xff9d },
	{ "kp_6", 0, 0x74, 0xffb6, 0xff98 }, { "kp_7", 0, 0x6c, 0xffb7, 0xff95 }, { "kp_8", 0, 0x75, 0xffb8, 0xff97 },
	{ "kp_9", 0, 0x7d, 0xffb9, 0xff9a }, { "kp_decimal", 0, 0x71, 0xffae, 0xff9f },
	{ "kp_add", 0, 0x79, 0xffab, 0 },
	{ "kp_subtract", 0, 0x7b, 0xffad, 0 }, { "kp_multiply", 0, 0x7c, 0xffaa, 0 },
	{ "asterisk", 0, 0x7c, 0, 0 }, { "kp_divide", E, 0x4a, 0xffaf, 0 }, { "kp_enter", E, 0x5a, 0xff8d, 0 },
};

static bool tell_key(const struct key *key, uint8_t *how, uint8_t *code)
{
	*how = key->how;
	*code = key->code;
	return true;
}

bool key_named(const char *name, size_t length, uint8_t *how, uint8_t *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == length && strncmp(keys[i].name, name, length) == 0)
			return tell_key(&keys[i], how, code);
	return false;
}

bool key_of_keysym(uint32_t keysym, uint8_t *how, uint8_t *code)
{
	for (size_t i = 0; keysym != 0 && i < ARRAY_SIZE(keys); i++)
		if (keys[i].keysym == keysym || keys[i].shifted == keysym)
			return tell_key(&keys[i], how, code);
	return false;
}

/* ---- to the guest ---- */

int keys_try(struct ctl *ctl, const char *vm, const uint8_t *bytes, size_t count, char *error, size_t size)
{
	struct bytes request = { 0 };
	cJSON *answer;
	int taken;

	bytes_print(&request, "keys %s ", vm);
	for (size_t i = 0; i < 2 * count; i++)
		bytes_print(&request, "%02x", bytes[i]);
	answer = ctl_ask_json(ctl, request.data, NULL, error, size);
	bytes_free(&request);
	if (answer == NULL)
		return -1;
	taken = (int)ctl_number(answer, "taken");
	cJSON_Delete(answer);
	return taken < 0 || (size_t)taken > count ? 0 : taken;
}

bool keys_send(struct ctl *ctl, const char *vm, const uint8_t *bytes, size_t count, char *error, size_t size)
{
	unsigned waited = 0;

	while (count > 0) {
		int taken = keys_try(ctl, vm, bytes, count < AT_ONCE ? count : AT_ONCE, error, size);

		if (taken < 0)
			return false;
		bytes += 2 * taken;
		count -= (size_t)taken;
		waited = taken > 0 ? 0 : waited + 1;
		if (waited == PATIENCE) {
			snprintf(error, size, "the guest does not read its keyboard: %zu key%s left", count,
				 count == 1 ? " is" : "s are");
			return false;
		}
		if (count > 0)
			usleep(AGAIN_US);
	}
	return true;
}

bool mouse_send(struct ctl *ctl, const char *vm, unsigned buttons, int x, int y, int wheel, char *error, size_t size)
{
	uint16_t right = (uint16_t)x, up = (uint16_t)-y;
	char *request = text("mouse %s %02x%02x%02x%02x%02x%02x", vm, buttons & 7, right & 0xff, right >> 8, up & 0xff,
			     up >> 8, (uint8_t)wheel);
	cJSON *answer = ctl_ask_json(ctl, request, NULL, error, size);

	free(request);
	cJSON_Delete(answer);
	return answer != NULL;
}
