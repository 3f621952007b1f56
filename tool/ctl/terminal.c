/* What the terminal can do. Apart from top_screen.c: <term.h> makes macros of ordinary words. */
#include "tool/ctl/top.h"

#include <curses.h>
#include <term.h>

bool top_screen_possible(void)
{
	int error;
	char *where;

	if (setupterm(NULL, 1, &error) != OK)
		return false;
	where = tigetstr("cup");
	return where != NULL && where != (char *)-1;
}
