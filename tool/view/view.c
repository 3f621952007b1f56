#include "tool/view/view.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <rfb/rfb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dev/input/i8042.h"
#include "tool/base/number.h"
#include "tool/base/runtime.h"
#include "tool/base/size.h"
#include "tool/ctl/screen.h"

enum { WAIT_US = 20000, LOOK_MS = 100, BEGIN_TRIES = 300, BEGIN_PAUSE_US = 200000, WORDS = 256 };

static const char usage[] =
	"usage: vellum view [--run NAME] [--port N] [VM]\n"
	"\n"
	"Shows the screen of a running virtual machine (one with --vga std) to VNC viewers, and gives its\n"
	"keyboard and mouse what they send: at port N of this computer (default: 5900), 127.0.0.1 only.\n"
	"docs/screen.md has more.\n";

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static struct {
	struct ctl ctl;
	struct screen screen;
	rfbScreenInfoPtr server;
	uint32_t *picture;
	unsigned width, height, viewers;
	bool down[WORDS][2];    /* keys that are held, by code, and whether with 0xe0 */
	unsigned buttons;       /* as the guest has been told */
	int x, y, right, down_by, wheel; /* where the pointer is, and what the guest has not been told of its way */
	unsigned wanted_buttons;
	bool pointed;
} view;

/* ---- what viewers send ---- */

/* What the guest does not take at once is lost: a viewer's keys are not kept for later. */
static void press(uint8_t how, uint8_t code, bool down)
{
	uint8_t event[2] = { (uint8_t)(how | (down ? 0 : I8042_KEY_RELEASED)), code };
	char error[300];

	view.down[code][how & I8042_KEY_EXTENDED] = down;
	if (keys_try(&view.ctl, view.screen.vm, event, 1, error, sizeof error) < 0)
		stop = 1;
}

static void key_event(rfbBool down, rfbKeySym keysym, rfbClientPtr client)
{
	uint8_t how, code;

	(void)client;
	if (key_of_keysym(keysym, &how, &code))
		press(how, code, down);
}

/* Bits 3 and 4 are the wheel's two directions. */
static void pointer_event(int mask, int x, int y, rfbClientPtr client)
{
	(void)client;
	if (view.pointed) {
		view.right += x - view.x;
		view.down_by += y - view.y;
	}
	view.pointed = true;
	view.x = x;
	view.y = y;
	view.wheel += (mask & 0x10 ? 1 : 0) - (mask & 0x08 ? 1 : 0);
	view.wanted_buttons = (mask & 1u) | (mask & 4u) >> 1 | (mask & 2u) << 1;
}

static bool tell_pointer(char *error, size_t size)
{
	bool ok;

	if (view.right == 0 && view.down_by == 0 && view.wheel == 0 && view.buttons == view.wanted_buttons)
		return true;
	ok = mouse_send(&view.ctl, view.screen.vm, view.wanted_buttons, view.right, view.down_by, view.wheel, error,
			size);
	view.buttons = view.wanted_buttons;
	view.right = view.down_by = view.wheel = 0;
	return ok;
}

/* Who leaves lets go of what he held. */
static void viewer_left(rfbClientPtr client)
{
	(void)client;
	view.viewers--;
	view.pointed = false;
	view.wanted_buttons = 0;
	for (unsigned code = 0; code < WORDS; code++)
		for (unsigned extended = 0; extended < 2; extended++)
			if (view.down[code][extended])
				press((uint8_t)extended, (uint8_t)code, false);
}

static enum rfbNewClientAction viewer_came(rfbClientPtr client)
{
	client->clientGoneHook = viewer_left;
	view.viewers++;
	return RFB_CLIENT_ACCEPT;
}

/* ---- what they see ---- */

static void set_format(void)
{
	view.server->serverFormat.redShift = 16;
	view.server->serverFormat.greenShift = 8;
	view.server->serverFormat.blueShift = 0;
}

/* The new picture, of which only what has changed is sent. */
static void show(void)
{
	struct view_change change;
	unsigned width, height;
	uint32_t *picture = screen_picture(&view.screen, &width, &height), *old = view.picture;

	if (old == NULL || width != view.width || height != view.height) {
		view.picture = picture;
		view.width = width;
		view.height = height;
		if (view.server != NULL) {
			rfbNewFramebuffer(view.server, (char *)picture, (int)width, (int)height, 8, 3, 4);
			set_format();
		}
		free(old);
		return;
	}
	if (view_compare(old, picture, width, height, &change)) {
		memcpy(old, picture, (size_t)width * height * sizeof *picture);
		rfbMarkRectAsModified(view.server, (int)change.x1, (int)change.y1, (int)change.x2, (int)change.y2);
	}
	free(picture);
}

static void quiet(const char *format, ...) { (void)format; }

static void serve(uint64_t port)
{
	static char name[] = "vellum";
	static char *argv[] = { name, NULL };
	int argc = 1;

	rfbLog = rfbErr = quiet;
	view.server = rfbGetScreen(&argc, argv, (int)view.width, (int)view.height, 8, 3, 4);
	if (view.server == NULL)
		die(STATUS_FAILED, "view: out of memory");
	view.server->frameBuffer = (char *)view.picture;
	view.server->desktopName = view.screen.vm;
	view.server->alwaysShared = TRUE;
	view.server->port = (int)port;
	view.server->ipv6port = -1;
	view.server->listenInterface = htonl(INADDR_LOOPBACK);
	view.server->kbdAddEvent = key_event;
	view.server->ptrAddEvent = pointer_event;
	view.server->newClientHook = viewer_came;
	rfbSetCursor(view.server, NULL); /* a guest that has one draws it */
	set_format();
	rfbInitServer(view.server);
	if (view.server->listenSock < 0)
		die(STATUS_USAGE, "view: port %lu of this computer cannot be had: somebody else has it, or it is not "
		    "allowed; take another by --port", (unsigned long)port);
	say("a VNC viewer can connect to 127.0.0.1:%lu", (unsigned long)port);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the run is over. Nobody is asked while nobody looks. */
static int go_on(void)
{
	uint64_t next = 0;
	char error[300];

	while (!stop && rfbIsActive(view.server)) {
		rfbProcessEvents(view.server, WAIT_US);
		if (!tell_pointer(error, sizeof error))
			break;
		if (now_ms() < next || view.viewers == 0)
			continue;
		if (!screen_update(&view.screen, &view.ctl, error, sizeof error))
			break;
		if (view.screen.changed)
			show();
		next = now_ms() + LOOK_MS;
	}
	rfbShutdownServer(view.server, TRUE);
	return 0;
}

/* ---- the command ---- */

struct view_options {
	const char *run, *vm;
	uint64_t port;
	bool begins; /* the run may not be there yet (view_start) */
};

static void take_options(struct view_options *o, int argc, char **argv)
{
	*o = (struct view_options){ .port = VIEW_PORT };
	for (int at = 1; at < argc; at++) {
		bool value = at + 1 < argc;

		if (strcmp(argv[at], "--run") == 0 && value)
			o->run = argv[++at];
		else if (strcmp(argv[at], "--begins") == 0)
			o->begins = true;
		else if (strcmp(argv[at], "--port") == 0 && value) {
			if (!parse_number(argv[++at], &o->port) || o->port == 0 || o->port > 65535)
				die(STATUS_USAGE, "view: --port %s: a port is a number from 1 to 65535", argv[at]);
		} else if (argv[at][0] != '-' && o->vm == NULL)
			o->vm = argv[at];
		else
			die(STATUS_USAGE, "view: there is no option %s here, or it needs a value (vellum help view)",
			    argv[at]);
	}
}

/* A run that begins answers when its machine is up. */
static void connect_to(const struct view_options *o)
{
	char error[300];
	bool named;
	char *vm;

	for (unsigned n = 0; n < (o->begins ? BEGIN_TRIES : 1); n++) {
		view.ctl = (struct ctl){ .file = runtime_connect(o->run, NULL, error, sizeof error), .stop = &stop };
		if (view.ctl.file >= 0)
			break;
		usleep(BEGIN_PAUSE_US);
	}
	if (view.ctl.file < 0)
		die(STATUS_USAGE, "%s", error);
	vm = ctl_vm(&view.ctl, o->vm, &named);
	if (o->vm != NULL && !named)
		die(STATUS_USAGE, "view: there is no virtual machine %s (vellum ctl list)", o->vm);
	screen_init(&view.screen, vm);
	free(vm);
	if (!screen_update(&view.screen, &view.ctl, error, sizeof error))
		die(STATUS_FAILED, "view: %s", error);
}

int view_main(int argc, char **argv)
{
	struct view_options o;
	struct sigaction action = { .sa_handler = on_signal };

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return fputs(usage, stdout) < 0;
	take_options(&o, argc, argv);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	connect_to(&o);
	show();
	serve(o.port);
	return go_on();
}
