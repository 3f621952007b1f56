#include "tool/gdb/packet.h"

#include <string.h>

#include "lib/hex.h"

bool hex_number(const char **text, uint64_t *value)
{
	const char *start = *text;

	*value = 0;
	for (; hex_value(**text) >= 0; ++*text) {
		if (*value >> 60 != 0)
			return false;
		*value = *value << 4 | (unsigned)hex_value(**text);
	}
	return *text != start;
}

size_t hex_bytes(const char **text, uint8_t *out, size_t most)
{
	size_t n = 0;

	while (n < most && hex_value((*text)[0]) >= 0 && hex_value((*text)[1]) >= 0) {
		out[n++] = (uint8_t)(hex_value((*text)[0]) << 4 | hex_value((*text)[1]));
		*text += 2;
	}
	return n;
}

void hex_add(struct bytes *out, const void *data, size_t length)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < length; i++)
		bytes_print(out, "%02x", byte[i]);
}

static void begin_packet(struct packet_reader *r)
{
	r->state = INSIDE;
	r->sum = 0;
	r->length = 0;
	r->too_long = r->bad_digit = false;
}

static void add(struct packet_reader *r, char byte)
{
	if (r->length == PACKET_MAX)
		r->too_long = true;
	else
		r->data[r->length++] = byte;
}

static enum packet_event between(struct packet_reader *r, char byte)
{
	switch (byte) {
	case '$': begin_packet(r); return PACKET_NOTHING;
	case '+': return PACKET_ACK;
	case '-': return PACKET_NAK;
	case 3: return PACKET_INTERRUPT;
	default: return PACKET_NOTHING;
	}
}

static enum packet_event inside(struct packet_reader *r, char byte)
{
	if (byte == '$') {
		begin_packet(r);       /* the end of the one before was lost */
		return PACKET_NOTHING;
	}
	if (byte == '#') {
		r->state = SUM_HIGH;
		return PACKET_NOTHING;
	}
	r->sum = (uint8_t)(r->sum + (uint8_t)byte);
	if (byte == '}')
		r->state = ESCAPED;
	else
		add(r, byte);
	return PACKET_NOTHING;
}

enum packet_event packet_take(struct packet_reader *r, char byte)
{
	int digit = hex_value(byte);

	switch (r->state) {
	case BETWEEN: return between(r, byte);
	case INSIDE: return inside(r, byte);
	case ESCAPED:
		r->sum = (uint8_t)(r->sum + (uint8_t)byte);
		r->state = INSIDE;
		add(r, (char)(byte ^ 0x20));
		return PACKET_NOTHING;
	case SUM_HIGH:
		r->bad_digit = digit < 0;
		r->said = (uint8_t)((unsigned)digit << 4);
		r->state = SUM_LOW;
		return PACKET_NOTHING;
	case SUM_LOW:
		r->state = BETWEEN;
		r->data[r->length] = 0;
		if (r->bad_digit || digit < 0 || (uint8_t)(r->said | digit) != r->sum || r->too_long)
			return PACKET_BAD;
		return PACKET_WHOLE;
	}
	return PACKET_NOTHING;
}

void packet_frame(struct bytes *out, const char *data, size_t length)
{
	uint8_t sum = 0;

	bytes_add(out, "$", 1);
	for (size_t i = 0; i < length; i++) {
		char escaped[2] = { '}', (char)(data[i] ^ 0x20) };
		bool escape = data[i] != 0 && strchr("$#}*", data[i]) != NULL;
		const char *from = escape ? escaped : data + i;

		bytes_add(out, from, escape ? 2 : 1);
		sum = (uint8_t)(sum + (uint8_t)from[0] + (escape ? (uint8_t)from[1] : 0));
	}
	bytes_print(out, "#%02x", sum);
}
