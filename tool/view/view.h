/* vellum view: a guest's screen, keyboard and mouse for any VNC viewer, by libvncserver. */
#ifndef VELLUM_TOOL_VIEW_H
#define VELLUM_TOOL_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { VIEW_PORT = 5900 };

int view_main(int argc, char **argv);

/* For vellum run --display, whose value is none, vnc or vnc:PORT: *port, 0 for none. false: it is neither. */
bool view_display(const char *display, uint64_t *port);
/* Starts `vellum view` beside the run of this name; it ends with it. Ends the program where that cannot be. */
pid_t view_start(uint64_t port, const char *session);

/* What has changed from one picture to another of the same size: the rectangle [x1, x2) by [y1, y2). false: nothing. */
struct view_change {
	unsigned x1, y1, x2, y2;
};
bool view_compare(const uint32_t *before, const uint32_t *now, unsigned width, unsigned height,
		  struct view_change *change);

#endif
