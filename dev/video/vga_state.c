/* dev/video/vga_state.c - registers to bytes, and back. */
#include "dev/video/vga_state.h"

/* One way for both directions, so that they cannot differ. */
struct way {
	uint8_t *bytes;
	size_t at;
	bool load;
};

static void part(struct way *w, void *registers, size_t n)
{
	if (w->load)
		memcpy(registers, w->bytes + w->at, n);
	else
		memcpy(w->bytes + w->at, registers, n);
	w->at += n;
}

static void all(struct way *w, struct vga *v)
{
	part(w, &v->misc, 1);
	part(w, &v->attribute_index, 1);
	part(w, &v->dac_mask, 1);
	part(w, &v->crtc_index, 1);
	part(w, &v->feature, 1);
	part(w, v->sequencer, sizeof(v->sequencer));
	part(w, v->graphics, sizeof(v->graphics));
	part(w, v->crtc, sizeof(v->crtc));
	part(w, v->attribute, sizeof(v->attribute));
	part(w, v->palette, sizeof(v->palette));
	part(w, v->dispi, sizeof(v->dispi));
}

void vga_state_save(const struct vga *v, uint8_t *bytes)
{
	struct way w = { .bytes = bytes };

	all(&w, (struct vga *)(uintptr_t)v);
}

void vga_state_load(struct vga *v, const uint8_t *bytes)
{
	struct way w = { .bytes = (uint8_t *)(uintptr_t)bytes, .load = true };

	all(&w, v);
}
