/* lab/plugin/ring.h - the memory that the plugin in QEMU (lab/plugin/record.c) and the recorder (lab/trace/record*.c)
 * share: chunks of records, each filled by one thread, handed over in the order of their tickets.
 *
 * Q1: a chunk belongs to whoever moved its state on: FREE -> (a thread) CLAIMED -> submitted, by its number in queue[]
 *     -> (the recorder) FREE.
 * Q2: a free chunk's records are all 0, and no record is 0; so a chunk that a killed thread left behind can be read,
 *     too.
 * Q3: a thread that waits for a chunk holds none; so the recorder always comes to the next one. */
#ifndef VELLUM_LAB_PLUGIN_RING_H
#define VELLUM_LAB_PLUGIN_RING_H

#include <stdatomic.h>
#include <stdint.h>

#define RING_MAGIC 0x31676e69722e6d76ull

enum { RING_CHUNKS = 256, RING_RECORDS = 4096, RING_CALL_WORDS = 9 };

/* A record is kind << 60 | n << 48 | address (48 bits): an access of n bytes; n instructions, the first at the
 * address; or a call, of kind n (enum lab_call_kind, or one of these), with eight more words. */
enum ring_kind { RING_READ = 1, RING_WRITE, RING_FETCH, RING_CALL };
enum ring_call {
	RING_IMAGE = 64, /* a program begins to run in the process */
	RING_FORKED,     /* word 0: the process that this one is a copy of */
	RING_THREAD_EXIT,
	RING_LOST,       /* something could not be recorded; word 0: enum ring_lost */
};
enum ring_lost { LOST_THREADS = 1, LOST_EXEC };
/* The words of a call: */
enum { WORD_ADDR, WORD_LENGTH, WORD_PROT, WORD_FLAGS, WORD_FILE, WORD_OFFSET, WORD_TO, WORD_TO_LENGTH };

enum chunk_state { CHUNK_FREE, CHUNK_CLAIMED };

struct ring_chunk {
	_Atomic uint32_t state;
	uint32_t pid, tid;
	uint32_t unused;
	uint64_t record[RING_RECORDS];
};

struct ring {
	uint64_t magic;
	_Atomic uint64_t tail;                /* tickets given */
	_Atomic uint32_t queue[RING_CHUNKS];  /* by ticket: chunk + 1 */
	struct ring_chunk chunk[RING_CHUNKS];
};

#endif
