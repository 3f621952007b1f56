/* vellum top on a terminal. */
#include <curses.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base.h"
#include "tool/ctl/top.h"

enum { PERIOD_MS = 1000, TICK_MS = 100 };

static volatile sig_atomic_t stop;
static bool open_now;

static void close_screen(void)
{
	if (open_now) {
		open_now = false;
		endwin();
	}
}

static void on_stop(int number)
{
	stop = number;
}

/* A mistake of our own: the terminal comes first. */
static void on_crash(int number)
{
	close_screen();
	signal(number, SIG_DFL);
	raise(number);
}

static void open_screen(void)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE },
			 crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE };
	struct sigaction action = { .sa_handler = on_stop };

	/* top_screen_possible() said that it can be. */
	if (newterm(NULL, stdout, stdin) == NULL)
		die(STATUS_FAILED, "top: this terminal cannot be used; vellum top --once needs none");
	open_now = true;
	atexit(close_screen);
	for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
		sigaction(stops[i], &action, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		signal(crashes[i], on_crash);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	curs_set(0);
	timeout(TICK_MS);
}

/* ---- drawing: nothing relies on there being room ---- */

static void line(int y, int attributes, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void line(int y, int attributes, const char *format, ...)
{
	char buf[300];
	va_list ap;

	if (y < 0 || y >= LINES)
		return;
	va_start(ap, format);
	vsnprintf(buf, sizeof buf, format, ap);
	va_end(ap);
	attron(attributes);
	mvaddnstr(y, 0, buf, COLS);
	attroff(attributes);
}

static double percent(double share)
{
	return share < 0 ? 0 : share > 1 ? 100 : 100 * share;
}

static void draw_vms(const struct top *top, unsigned chosen, int *y)
{
	line((*y)++, A_BOLD, "  %-14s %-8s %-7s %3s %6s %7s %7s %9s %6s %6s %6s %6s", "machine", "state", "mmu",
	     "cpu", "guest", "hyperv.", "neither", "exits/s", "tables", "res.MB", "merged", "swap");
	for (unsigned i = 0; i < top->vms + (top->vms > 1); i++) {
		const struct top_vm *vm = i < top->vms ? &top->vm[i] : &top->all;

		line((*y)++, i == chosen ? A_REVERSE : 0,
		     "%c %-14.14s %-8s %-7s %3u %5.1f%% %6.1f%% %6.1f%% %9.0f %6.0f %6.0f %6.0f %6.0f",
		     i == chosen ? '>' : ' ', vm->name, vm->state, vm->mmu, vm->cpu,
		     percent(vm->guest_share), percent(vm->hypervisor_share),
		     percent(1 - vm->guest_share - vm->hypervisor_share), vm->exits_per_second, vm->table_pages,
		     vm->resident_mb, vm->merged_mb, vm->swapped_mb);
	}
}

static void draw_reasons(const struct top_vm *vm, enum top_sort sort, int y)
{
	unsigned order[TOP_REASONS], n = top_order(vm, sort, order);
	double most = 1e-9;

	for (unsigned i = 0; i < n; i++)
		most = vm->reason[i].per_second > most ? vm->reason[i].per_second : most;
	line(y++, A_BOLD, "  %-26s %12s %9s %9s", "VM exits by reason", "per second", "time", "each");
	for (unsigned i = 0; i < n && y < LINES - 1; i++, y++) {
		const struct top_reason *r = &vm->reason[order[i]];
		int bar = (int)lround(r->per_second / most * (COLS - 62));

		line(y, 0, "  %-26.26s %12.1f %8.2f%% %9.0f", r->name, r->per_second, percent(r->share),
		     r->per_second > 0 ? r->share * vm->hz / r->per_second : 0);
		for (int x = 0; x < bar && 61 + x < COLS; x++)
			mvaddch(y, 61 + x, '#');
	}
	if (n == 0)
		line(y, A_DIM, "  %s", vm->known ? "no exits in the last second" : "...");
}

static void draw_one(const struct top_vm *vm, enum top_sort sort, int y)
{
	char memory[120];

	top_memory(vm, memory, sizeof(memory));
	line(y, 0, "  %s", memory);
	draw_reasons(vm, sort, y + 2);
}

static void draw(const struct top *top, unsigned chosen, const char *message)
{
	int y = 0;

	erase();
	line(y++, A_BOLD, "vellum top: run %s, %.2f s of the machine's time, x%.2f of ours", top->run,
	     top->machine_seconds, top->pace);
	line(y++, A_DIM, "up/down choose   s sort (%s)   p pause, go on   m next mechanism   q quit",
	     top_sorts[top->sort]);
	draw_vms(top, chosen, &y);
	if (chosen < top->vms)
		draw_one(&top->vm[chosen], top->sort, y);
	else if (top->vms > 1)
		draw_one(&top->all, top->sort, y);
	line(LINES - 1, A_BOLD, "%s", message);
	refresh();
}

/* ---- keys ---- */

/* One request about the chosen machine; what came of it is the message. */
static void command(struct top *top, unsigned chosen, const char *request, char *message, size_t size)
{
	char *words = text(request, chosen), *answer = ctl_ask(&top->ctl, words, message, size);

	if (answer != NULL)
		snprintf(message, size, "%s", "");
	free(answer);
	free(words);
}

static unsigned on_key(struct top *top, int key, unsigned chosen, char *message, size_t size)
{
	bool paused;

	if (top->vms == 0)
		return 0;
	switch (key) {
	case KEY_UP:
		return chosen > 0 ? chosen - 1 : chosen;
	case KEY_DOWN:
		return chosen + 1 < top->vms + (top->vms > 1) ? chosen + 1 : chosen;
	case 's':
		top->sort = (top->sort + 1) % TOP_SORTS;
		return chosen;
	}
	if (chosen == top->vms)
		return chosen; /* their sum */
	switch (key) {
	case 'p':
		paused = strcmp(top->vm[chosen].state, "paused") == 0;
		command(top, chosen, paused ? "resume %u" : "pause %u", message, size);
		return chosen;
	case 'm':
		command(top, chosen, "mmu %u next", message, size);
		return chosen;
	}
	return chosen;
}

static double milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

int top_screen(struct top *top)
{
	char message[300] = "", error[300];
	unsigned chosen = 0;
	double next = 0;
	int key = 0;

	open_screen();
	top->ctl.stop = &stop;
	while (!stop && key != 'q') {
		/* A key that changes something is answered by fresh figures at once. */
		if (milliseconds() >= next || key == 'p' || key == 'm') {
			if (!top_sample(top, error, sizeof error)) {
				close_screen();
				if (stop)
					break;
				say("%s", error);
				return STATUS_FAILED;
			}
			next = milliseconds() + PERIOD_MS;
			chosen = chosen < top->vms + (top->vms > 1) ? chosen : 0;
		}
		draw(top, chosen, message);
		key = getch();
		if (key != ERR)
			chosen = on_key(top, key, chosen, message, sizeof message);
	}
	close_screen();
	return stop ? 128 + stop : 0;
}
