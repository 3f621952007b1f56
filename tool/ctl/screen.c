#include "tool/ctl/screen.h"

#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "tool/base/util.h"

enum { PIECE = 16384, PAGE = 4096, PLANES_BYTES = 4 * 65536, FONT_BYTES = 4 * 8192 };

void screen_init(struct screen *screen, const char *vm)
{
	*screen = (struct screen){ .vm = text("%s", vm) };
}

void screen_free(struct screen *screen)
{
	free(screen->vm);
	free(screen->vga.memory);
	free(screen->stale);
	*screen = (struct screen){ .number = 0 };
}

/* ---- packed memory ---- */

long base64_decode(const char *text, uint8_t *to, size_t size) { return b64_pton(text, to, size); }

bool screen_unpack(const char *planes, uint8_t *to, size_t length)
{
	uint8_t unpacked[PIECE];

	if (length > sizeof unpacked || length % VGA_PLANES != 0 || !ctl_unpack(planes, unpacked, length))
		return false;
	for (size_t i = 0; i < length; i++)
		to[i] = unpacked[i % VGA_PLANES * (length / VGA_PLANES) + i / VGA_PLANES];
	return true;
}

/* ---- what a picture needs ---- */

static struct screen_range of_planes(uint32_t first, uint32_t end)
{
	return end > 65536 ? (struct screen_range){ 0, PLANES_BYTES }
			   : (struct screen_range){ first * VGA_PLANES, end * VGA_PLANES };
}

static uint32_t font_at(uint8_t fonts, bool second)
{
	unsigned n = second ? (fonts >> 2 & 3) | (fonts >> 3 & 4) : (fonts & 3) | (fonts >> 2 & 4);

	return ((n & 3) * 0x4000u + (n & 4 ? 0x2000u : 0)) * VGA_PLANES;
}

/* Text wants its cells and its fonts, and starts anywhere. */
unsigned screen_needs(const struct vga *vga, const struct vga_picture *p, struct screen_range range[SCREEN_RANGES])
{
	uint32_t rows = p->height * p->lines / p->cell_height + 2, end = p->start + rows * p->pitch + p->width / 8 + 2;
	bool words = (vga->crtc[VGA_CRTC_MODE] & VGA_CRTC_MODE_BYTES) == 0;
	uint8_t fonts = vga->sequencer[VGA_SEQ_FONTS];

	if (p->kind == VGA_BLANK)
		return 0;
	if (dispi_enabled(vga)) {
		unsigned scale = p->kind == VGA_PLANAR ? VGA_PLANES : 1;

		range[0] = (struct screen_range){ p->start * scale, (p->start + p->height * p->pitch +
								     (p->pitch == 0) * p->width * 4) * scale };
		return 1;
	}
	if (p->kind != VGA_TEXT || !words || end > 0x2000) {
		range[0] = (struct screen_range){ 0, PLANES_BYTES };
		return 1;
	}
	range[0] = of_planes(p->start * 2, end * 2);
	range[1] = (struct screen_range){ font_at(fonts, false), font_at(fonts, false) + FONT_BYTES };
	range[2] = (struct screen_range){ font_at(fonts, true), font_at(fonts, true) + FONT_BYTES };
	return 3;
}

/* ---- keeping up ---- */

static bool bad_answer(char *error, size_t size)
{
	snprintf(error, size, "the hypervisor's answer about the screen makes no sense");
	return false;
}

static bool take_registers(struct screen *screen, const cJSON *answer)
{
	const char *digits = ctl_text(answer, "registers");
	uint8_t state[VGA_STATE_BYTES];

	if (*digits == 0)
		return true;
	if (strlen(digits) != 2 * sizeof state)
		return false;
	for (size_t i = 0; i < sizeof state; i++) {
		char byte[3] = { digits[2 * i], digits[2 * i + 1], 0 }, *end;

		state[i] = (uint8_t)strtoul(byte, &end, 16);
		if (*end != 0)
			return false;
	}
	vga_state_load(&screen->vga, state);
	screen->changed = true;
	return true;
}

static bool take_size(struct screen *screen, const cJSON *answer)
{
	double bytes = ctl_number(answer, "bytes");

	if (bytes < PLANES_BYTES || bytes > VGA_MEMORY_MAX || ((uint32_t)bytes & ((uint32_t)bytes - 1)) != 0)
		return false;
	if (screen->pages != 0)
		return screen->pages == (uint32_t)bytes / PAGE;
	screen->pages = (uint32_t)bytes / PAGE;
	screen->vga.memory = allocate((size_t)bytes);
	screen->vga.doublewords = (uint32_t)bytes / VGA_PLANES;
	screen->stale = allocate(screen->pages * sizeof *screen->stale);
	return true;
}

static bool take_pages(struct screen *screen, const cJSON *answer)
{
	const cJSON *pages = ctl_get(answer, "pages"), *first, *count;

	if (!cJSON_IsArray(pages))
		return false;
	for (first = pages->child; first != NULL; first = count->next) {
		count = first->next;
		if (count == NULL || first->valuedouble < 0 || count->valuedouble < 0 ||
		    first->valuedouble + count->valuedouble > screen->pages)
			return false;
		memset(screen->stale + (size_t)first->valuedouble, 1, (size_t)count->valuedouble);
	}
	return true;
}

static bool read_piece(struct screen *screen, struct ctl *ctl, uint32_t page, uint32_t count, char *error, size_t size)
{
	char *request = text("video %s %u %u", screen->vm, page * PAGE, count * PAGE);
	cJSON *answer = ctl_ask_json(ctl, request, NULL, error, size);
	bool ok;

	free(request);
	if (answer == NULL)
		return false;
	ok = screen_unpack(ctl_text(answer, "planes"), (uint8_t *)screen->vga.memory + (size_t)page * PAGE,
			   (size_t)count * PAGE);
	cJSON_Delete(answer);
	if (!ok)
		return bad_answer(error, size);
	memset(screen->stale + page, 0, count * sizeof *screen->stale);
	screen->changed = true;
	return true;
}

static bool read_range(struct screen *screen, struct ctl *ctl, struct screen_range range, char *error, size_t size)
{
	uint32_t end = (range.to + PAGE - 1) / PAGE, count;

	for (uint32_t page = range.from / PAGE; page < end && page < screen->pages; page += count) {
		for (count = 0; count < PIECE / PAGE && page + count < end && page + count < screen->pages &&
		     screen->stale[page + count]; count++)
			;
		if (count > 0 && !read_piece(screen, ctl, page, count, error, size))
			return false;
		count += count == 0;
	}
	return true;
}

bool screen_update(struct screen *screen, struct ctl *ctl, char *error, size_t size)
{
	char *request = text("screen %s %lu", screen->vm, (unsigned long)screen->number);
	cJSON *answer = ctl_ask_json(ctl, request, NULL, error, size);
	struct screen_range range[SCREEN_RANGES];
	struct vga_picture picture;
	unsigned ranges;
	bool ok;

	free(request);
	screen->changed = false;
	if (answer == NULL)
		return false;
	ok = take_size(screen, answer) && take_registers(screen, answer) && take_pages(screen, answer);
	screen->number = (uint64_t)ctl_number(answer, "number");
	cJSON_Delete(answer);
	if (!ok)
		return bad_answer(error, size);
	vga_picture(&screen->vga, &picture);
	ranges = screen_needs(&screen->vga, &picture, range);
	for (unsigned n = 0; n < ranges; n++)
		if (!read_range(screen, ctl, range[n], error, size))
			return false;
	return true;
}

uint32_t *screen_picture(const struct screen *screen, unsigned *width, unsigned *height)
{
	struct vga_picture picture;
	uint32_t *pixels;

	vga_picture(&screen->vga, &picture);
	*width = picture.width;
	*height = picture.height;
	pixels = allocate((size_t)picture.width * picture.height * sizeof *pixels);
	for (unsigned y = 0; y < picture.height; y++)
		vga_picture_line(&screen->vga, &picture, y, pixels + (size_t)y * picture.width);
	return pixels;
}
