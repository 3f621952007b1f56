/* vm/control/json.h - JSON written into a buffer of fixed size, without blanks or newlines. A key of NULL is for values
 * in arrays. Addresses are strings in hexadecimal: many readers keep 53 bits of a number (RFC 8259, "Numbers"). */
#ifndef VELLUM_VM_JSON_H
#define VELLUM_VM_JSON_H

#include "lib/base.h"

struct json {
	char *buf;
	size_t size, used;
	bool overflow; /* what is there is not complete */
	bool comma;    /* a value stands before */
};

/* buf stays the caller's; it holds text ended by NUL from the first value on. */
void json_init(struct json *j, char *buf, size_t size);
/* bracket: '{' or '['. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_number(struct json *j, const char *key, uint64_t value);
void json_hex(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
/* Any bytes; what is no printable character becomes ?. NULL: null. */
void json_text(struct json *j, const char *key, const char *text);
/* n bytes as a string of 2n hexadecimal digits. */
void json_bytes(struct json *j, const char *key, const uint8_t *bytes, size_t n);
/* The same in base64 (RFC 4648, "Base 64 Encoding"). By no library: its code may use vector registers, which are the
 * guest's (VX1 in host/cpu/vector.h), and they would have to be kept for twelve lines. */
void json_base64(struct json *j, const char *key, const uint8_t *bytes, size_t n);

#endif
