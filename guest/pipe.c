/* Pipes: a source, two processes that change the data in passing, and the parent that knows what must come out. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { STAGES = 2, CHUNK_WORDS = 512, CHUNKS = 48, SEED = 5000 };

static void send(int file, const void *data, size_t bytes)
{
	const char *p = data;

	while (bytes > 0) {
		ssize_t n = write(file, p, bytes);

		if (n <= 0)
			fail("pipes: write: %s", strerror(errno));
		p += n;
		bytes -= (size_t)n;
	}
}

/* False at the end of the data. */
static int receive(int file, void *data, size_t bytes)
{
	char *p = data;

	while (bytes > 0) {
		ssize_t n = read(file, p, bytes);

		if (n < 0)
			fail("pipes: read: %s", strerror(errno));
		if (n == 0) {
			if (p != data)
				fail("pipes: the data ends within a block");
			return 0;
		}
		p += n;
		bytes -= (size_t)n;
	}
	return 1;
}

static uint64_t key(unsigned stage)
{
	return mix(SEED + 100, stage);
}

/* Starts a process whose output is returned; it reads `in` unless it is the source (in < 0). */
static int start(unsigned stage, int in, int *pid)
{
	static uint64_t chunk[CHUNK_WORDS];
	int ends[2];

	if (pipe(ends) != 0)
		fail("pipe: %s", strerror(errno));
	*pid = fork();
	if (*pid == 0) {
		close(ends[0]);
		for (unsigned n = 0; in < 0 ? n < CHUNKS : receive(in, chunk, sizeof chunk); n++) {
			if (in < 0)
				fill_words(chunk, CHUNK_WORDS, SEED + n);
			else
				for (size_t i = 0; i < CHUNK_WORDS; i++)
					chunk[i] ^= key(stage);
			send(ends[1], chunk, sizeof chunk);
		}
		_exit(0);
	}
	close(ends[1]);
	if (in >= 0)
		close(in);
	return ends[0];
}

uint64_t pipes_part(void)
{
	static uint64_t chunk[CHUNK_WORDS];
	int pids[STAGES + 1], file = start(0, -1, &pids[0]);
	uint64_t sum = 0, keys = 0;
	unsigned chunks = 0;

	for (unsigned stage = 1; stage <= STAGES; stage++) {
		file = start(stage, file, &pids[stage]);
		keys ^= key(stage);
	}
	while (receive(file, chunk, sizeof chunk)) {
		for (size_t i = 0; i < CHUNK_WORDS; i++)
			chunk[i] ^= keys;
		sum = fold(sum, check_words(chunk, CHUNK_WORDS, SEED + chunks++, "pipes: what came out"));
	}
	close(file);
	if (chunks != CHUNKS)
		fail("pipes: %u blocks came out, should be %d", chunks, CHUNKS);
	for (unsigned stage = 0; stage <= STAGES; stage++)
		reap(pids[stage], "pipes");
	return sum;
}
