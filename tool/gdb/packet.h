/* GDB's remote protocol, bytes to packets and back (GDB's manual, "Remote Protocol", "Overview"). Whatever arrives ends
 * in a packet, an acknowledgement, an interrupt, or nothing; a packet longer than PACKET_MAX or with a wrong sum is a
 * bad one, and asked for again. */
#ifndef VELLUM_TOOL_GDB_PACKET_H
#define VELLUM_TOOL_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tool/base/util.h"

enum { PACKET_MAX = 4096 };

enum packet_event { PACKET_NOTHING, PACKET_WHOLE, PACKET_BAD, PACKET_ACK, PACKET_NAK, PACKET_INTERRUPT };

struct packet_reader {
	enum { BETWEEN, INSIDE, ESCAPED, SUM_HIGH, SUM_LOW } state;
	uint8_t sum, said;
	bool too_long, bad_digit;
	size_t length;
	char data[PACKET_MAX + 1];      /* of the whole packet, without escapes, and a 0 behind it */
};

enum packet_event packet_take(struct packet_reader *reader, char byte);
/* Adds the frame of a packet to out; data may hold any bytes. */
void packet_frame(struct bytes *out, const char *data, size_t length);

/* Reads a hexadecimal number off *text; false: there is none, or it has more than 64 bits. */
bool hex_number(const char **text, uint64_t *value);
/* Pairs of digits, up to `most` bytes; returns how many, and leaves *text behind them. */
size_t hex_bytes(const char **text, uint8_t *out, size_t most);
void hex_add(struct bytes *out, const void *data, size_t length);

#endif
