/* vm/control/lz4.c - LZ4 blocks, with one place remembered for each four bytes' hash. */
#include "vm/control/lz4.h"

#define HASH_BITS 12
#define MATCH_LEAST 4
/* The last bytes of a block are literals; no match begins later. */
#define END_LITERALS 5
#define END_MATCH 12

static uint16_t places[1u << HASH_BITS];

static uint32_t four(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* A length that has not fitted into its half of the token. */
static uint8_t *put_length(uint8_t *to, size_t rest)
{
	for (; rest >= 255; rest -= 255)
		*to++ = 255;
	*to++ = (uint8_t)rest;
	return to;
}

static uint8_t *put_literals(uint8_t *to, const uint8_t *from, size_t n, unsigned token_low)
{
	*to++ = (uint8_t)(min_u64(n, 15) << 4 | token_low);
	if (n >= 15)
		to = put_length(to, n - 15);
	memcpy(to, from, n);
	return to + n;
}

static uint8_t *put_match(uint8_t *to, const uint8_t *literals, size_t count, size_t back, size_t length)
{
	size_t more = length - MATCH_LEAST;

	to = put_literals(to, literals, count, (unsigned)min_u64(more, 15));
	*to++ = (uint8_t)back;
	*to++ = (uint8_t)(back >> 8);
	return more >= 15 ? put_length(to, more - 15) : to;
}

static size_t match_length(const uint8_t *a, const uint8_t *b, size_t most)
{
	size_t n = MATCH_LEAST;

	while (n < most && a[n] == b[n])
		n++;
	return n;
}

size_t lz4_pack(const uint8_t *from, size_t n, uint8_t *to)
{
	uint8_t *begin = to;
	size_t at = 0, done = 0;

	memset(places, 0, sizeof(places));
	while (n >= END_MATCH && at + END_MATCH <= n) {
		uint16_t *place = &places[four(from + at) * 2654435761u >> (32 - HASH_BITS)];
		size_t was = *place;

		*place = (uint16_t)at;
		if (was < at && four(from + was) == four(from + at)) {
			size_t length = match_length(from + was, from + at, n - END_LITERALS - at);

			to = put_match(to, from + done, at - done, at - was, length);
			done = at += length;
		} else {
			at++;
		}
	}
	return (size_t)(put_literals(to, from + done, n - done, 0) - begin);
}
