#include "vm/control/json.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

void json_init(struct json *j, char *buf, size_t size) { *j = (struct json){ .buf = buf, .size = size }; }

static void put_char(struct json *j, char c)
{
	if (VM_LEFT_OUT_OR(JSON_FULL, j->used + 1 < j->size)) {
		j->buf[j->used++] = c;
		j->buf[j->used] = '\0';
	} else {
		j->overflow = true;
	}
}

static void put_all(struct json *j, const char *s)
{
	while (*s)
		put_char(j, *s++);
}

static void key_of(struct json *j, const char *key)
{
	if (VM_KEPT(JSON_COMMA, j->comma))
		put_char(j, ',');
	j->comma = true;
	if (!key)
		return;
	put_char(j, '"');
	put_all(j, key);
	put_all(j, "\":");
}

void json_open(struct json *j, const char *key, char bracket)
{
	key_of(j, key);
	put_char(j, bracket);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	put_char(j, bracket == '{' ? '}' : ']');
	j->comma = true;
}

void json_number(struct json *j, const char *key, uint64_t value)
{
	char text[24];

	fmt(text, sizeof(text), "%lu", value);
	key_of(j, key);
	put_all(j, text);
}

void json_hex(struct json *j, const char *key, uint64_t value)
{
	char text[24];

	fmt(text, sizeof(text), "\"0x%lx\"", value);
	key_of(j, key);
	put_all(j, text);
}

void json_bool(struct json *j, const char *key, bool value)
{
	key_of(j, key);
	put_all(j, value ? "true" : "false");
}

void json_text(struct json *j, const char *key, const char *text)
{
	key_of(j, key);
	if (!text) {
		put_all(j, "null");
		return;
	}
	put_char(j, '"');
	/* RFC 8259, "Strings": a quotation mark and a backslash are escaped; control characters do not occur. */
	for (; *text; text++) {
		char c = VM_KEPT(JSON_PRINTABLE, *text < 0x20 || *text > 0x7e) ? '?' : *text;

		if (VM_KEPT(JSON_ESCAPE, c == '"' || c == '\\'))
			put_char(j, '\\');
		put_char(j, c);
	}
	put_char(j, '"');
}

void json_bytes(struct json *j, const char *key, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	key_of(j, key);
	put_char(j, '"');
	for (size_t i = 0; i < n; i++) {
		put_char(j, digits[bytes[i] >> 4]);
		put_char(j, digits[bytes[i] & 15]);
	}
	put_char(j, '"');
}

void json_base64(struct json *j, const char *key, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	key_of(j, key);
	put_char(j, '"');
	for (size_t i = 0; i < n; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16 | (i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0) |
				 (i + 2 < n ? bytes[i + 2] : 0u);

		for (unsigned c = 0; c < 4; c++)
			put_char(j, i + c > n ? '=' : digits[group >> (18 - 6 * c) & 63]);
	}
	put_char(j, '"');
}
