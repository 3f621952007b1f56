/* A look at XML and HTML that a program wrote. To be included after <cmocka.h>. */
#ifndef VELLUM_TEST_UNIT_XML_H
#define VELLUM_TEST_UNIT_XML_H

#include <stdio.h>
#include <string.h>

/* Tags open and close in pairs, & begins an entity, nothing is fetched from outside: enough to find what breaks a
 * reader. */
static inline void xml_check(const char *text)
{
	char open[32][16];
	unsigned depth = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '&')
			assert_true(!strncmp(p, "&amp;", 5) || !strncmp(p, "&lt;", 4) || !strncmp(p, "&gt;", 4) ||
				    !strncmp(p, "&quot;", 6) || !strncmp(p, "&#39;", 5));
		if (*p != '<')
			continue;
		if (p[1] == '!')
			continue;
		if (p[1] == '/') {
			assert_true(depth > 0);
			depth--;
			assert_memory_equal(p + 2, open[depth], strlen(open[depth]));
		} else {
			const char *end = strchr(p, '>');

			assert_non_null(end);
			assert_int_not_equal(0, sscanf(p + 1, "%15[a-z0-9]", open[depth]));
			if (end[-1] != '/')
				depth++;
			assert_true(depth < 32);
			p = end;
		}
	}
	assert_int_equal(0, depth);
	assert_null(strstr(text, "href"));
	assert_null(strstr(text, "url("));
}

#endif
