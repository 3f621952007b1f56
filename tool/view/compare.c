#include <string.h>

#include "tool/view/view.h"

bool view_compare(const uint32_t *before, const uint32_t *now, unsigned width, unsigned height,
		  struct view_change *change)
{
	*change = (struct view_change){ width, height, 0, 0 };
	for (unsigned y = 0; y < height; y++, before += width, now += width) {
		unsigned first = 0, end = width;

		if (memcmp(before, now, width * sizeof *now) == 0)
			continue;
		while (before[first] == now[first])
			first++;
		while (before[end - 1] == now[end - 1])
			end--;
		change->x1 = first < change->x1 ? first : change->x1;
		change->x2 = end > change->x2 ? end : change->x2;
		change->y1 = y < change->y1 ? y : change->y1;
		change->y2 = y + 1;
	}
	return change->y2 > 0;
}
