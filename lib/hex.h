/* lib/hex.h - hexadecimal digits. */
#ifndef VELLUM_LIB_HEX_H
#define VELLUM_LIB_HEX_H

/* -1: no hexadecimal digit. */
static inline int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
