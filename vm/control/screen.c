/* vm/control/screen.c - the screen, as far as it has changed, and its keyboard and mouse. Who has asked draws the
 * picture: registers and memory leave as they are. */
#include "vm/control/control.h"

#include "dev/video/vga_state.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/control/packed.h"

/* Of a request on the channel; its server is one at a time (CT1). */
static uint8_t planes[CONTROL_VIDEO_MAX];
_Static_assert(CONTROL_VIDEO_MAX <= PACKED_MAX, "json_packed()");

static bool has_screen(const struct vm *vm, char *error, size_t size)
{
	if (vm->video)
		return true;
	fmt(error, size, "%s has no screen: it has been started without vga", vm->config->name);
	return false;
}

static void show_pages(struct json *j, const struct vm_video *v, uint64_t since)
{
	json_open(j, "pages", '[');
	for (uint32_t n = 0, first; n < VIDEO_PAGES; n++) {
		if (v->page_number[n] <= since)
			continue;
		for (first = n; n < VIDEO_PAGES && v->page_number[n] > since; n++)
			;
		json_number(j, NULL, first);
		json_number(j, NULL, n - first);
	}
	json_close(j, '[');
}

static bool tell_screen(struct vm *vm, uint64_t since, struct json *j, char *error, size_t size)
{
	const struct vm_video *v = vm->video;
	uint8_t state[VGA_STATE_BYTES];

	if (!has_screen(vm, error, size))
		return false;
	spin_lock(&vm->device_lock);
	video_changes(vm);
	vga_state_save(&v->stdvga.vga, state);
	spin_unlock(&vm->device_lock);
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_number(j, "number", v->number);
	json_number(j, "bytes", VIDEO_BYTES);
	if (v->registers_number > since)
		json_bytes(j, "registers", state, sizeof(state));
	show_pages(j, v, since);
	json_close(j, '{');
	return true;
}

static bool tell_video(struct vm *vm, uint64_t offset, uint64_t length, struct json *j, char *error, size_t size)
{
	const uint8_t *memory;

	if (!has_screen(vm, error, size))
		return false;
	memory = vm->video->memory;
	if (VM_KEPT(SCREEN_RANGE, offset > VIDEO_BYTES || length > VIDEO_BYTES - offset) || offset % VGA_PLANES ||
	    length % VGA_PLANES) {
		fmt(error, size, "the screen of %s has %u bytes, of which whole doublewords can be read",
		    vm->config->name, VIDEO_BYTES);
		return false;
	}
	for (size_t n = 0; n < length; n++)
		planes[n % VGA_PLANES * (length / VGA_PLANES) + n / VGA_PLANES] = memory[offset + n];
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_number(j, "offset", offset);
	json_number(j, "length", length);
	json_packed(j, "planes", planes, length);
	json_close(j, '{');
	return true;
}

/* ---- what is typed and pointed at ---- */

static bool has_keyboard(const struct vm *vm, char *error, size_t size)
{
	if (firmware_given(vm))
		return true;
	fmt(error, size, "%s has no keyboard and no mouse: it has been started without bios", vm->config->name);
	return false;
}

static bool press_keys(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	unsigned taken = 0;

	if (!has_keyboard(vm, error, size))
		return false;
	spin_lock(&vm->device_lock);
	while (2 * taken + 1 < r->count && i8042_key(&vm->i8042, r->bytes[2 * taken], r->bytes[2 * taken + 1]))
		taken++;
	spin_unlock(&vm->device_lock);
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_number(j, "taken", taken);
	json_close(j, '{');
	return true;
}

static int signed16(const uint8_t *bytes) { return (int16_t)(bytes[0] | bytes[1] << 8); }

static bool move_mouse(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	bool taken;

	if (!has_keyboard(vm, error, size))
		return false;
	if (r->count != CONTROL_MOUSE_BYTES) {
		fmt(error, size, "a mouse's movement has %u bytes, not %u", CONTROL_MOUSE_BYTES, r->count);
		return false;
	}
	spin_lock(&vm->device_lock);
	taken = i8042_mouse(&vm->i8042, r->bytes[0], signed16(r->bytes + 1), signed16(r->bytes + 3),
			    (int8_t)r->bytes[5]);
	spin_unlock(&vm->device_lock);
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_bool(j, "taken", taken);
	json_close(j, '{');
	return true;
}

bool control_of_screen(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	switch (r->command) {
	case CONTROL_SCREEN: return tell_screen(vm, r->address, j, error, size);
	case CONTROL_VIDEO: return tell_video(vm, r->address, r->length, j, error, size);
	case CONTROL_KEYS: return press_keys(vm, r, j, error, size);
	default: return move_mouse(vm, r, j, error, size);
	}
}
