/* lib/fmt.h - formatted text into a buffer, without libc.
 *
 * Understood: %c %s %d %u %x %p %% with flags '-' and '0', a width, a precision for %s, and the length modifiers l, ll,
 * z. As snprintf(3): the text is cut to fit and always ended by NUL when size > 0; the return value is the length that
 * the whole text has. */
#ifndef VELLUM_LIB_FMT_H
#define VELLUM_LIB_FMT_H

#include <stdarg.h>
#include <stddef.h>

size_t fmt_v(char *buf, size_t size, const char *format, va_list ap);
size_t fmt(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
