/* vm/load/snapshot_file.h - the file that a snapshot is (docs/snapshot.md): a header, and chunks behind it. The
 * hypervisor reads it as a boot module, the command checks it first and writes it.
 *
 *   SF1  The file is hostile: nothing of it is used before the length, the checksum and the place of every chunk have
 *        been found right, and what a chunk holds is checked again by who reads it. */
#ifndef VELLUM_VM_SNAPSHOT_FILE_H
#define VELLUM_VM_SNAPSHOT_FILE_H

#include "lib/base.h"

#define SNAPSHOT_MAGIC "VELLUM-SNAPSHOT" /* with its NUL */
#define SNAPSHOT_VERSION 1u
#define SNAPSHOT_HEADER_BYTES 48u
#define SNAPSHOT_CHUNK_BYTES 16u /* before what it holds, which begins at a multiple of 8, as all of it does */
#define SNAPSHOT_RUN_MAX 15u     /* pages of a chunk of memory: what a block of LZ4 may refer back */
#define SNAPSHOT_RUN_HEAD 16u    /* of one: its first frame's number (8 bytes), pages (4), bytes as packed (4) */

/* A display's memory is told as frames from here on, where no machine has RAM. */
#define SNAPSHOT_DISPLAY_GFN 0xc0000u

enum snapshot_kind { SNAPSHOT_DESCRIPTION = 1, SNAPSHOT_MACHINE, SNAPSHOT_CPU, SNAPSHOT_MEMORY, SNAPSHOT_KINDS };

struct snapshot_file {
	const uint8_t *bytes;
	size_t size;
	uint64_t tsc_hz; /* of the machine that it was taken on */
	unsigned cpus;
};

struct snapshot_chunk {
	enum snapshot_kind kind;
	const uint8_t *data;
	size_t bytes;
	size_t next; /* for snapshot_next() */
};

/* Little-endian numbers at p. */
uint32_t snapshot_u32(const uint8_t *p);
uint64_t snapshot_u64(const uint8_t *p);
void snapshot_put32(uint8_t *p, uint32_t v);
void snapshot_put64(uint8_t *p, uint64_t v);
/* CRC-32 (ISO 3309; the polynomial of zlib), of what continues one that was computed so far: 0 at the beginning. */
uint32_t snapshot_crc(uint32_t crc, const uint8_t *p, size_t n);

/* Looks at all of it (SF1). false: error is one sentence. */
bool snapshot_open(struct snapshot_file *f, const uint8_t *bytes, size_t size, char *error, size_t error_size);
/* The chunk at .next, which is 0 for the first. false: there is none. The file has been opened. */
bool snapshot_next(const struct snapshot_file *f, struct snapshot_chunk *c);
/* The n-th chunk of a kind, from 0 on. false: there is none. */
bool snapshot_find(const struct snapshot_file *f, enum snapshot_kind kind, unsigned n, struct snapshot_chunk *c);

/* Writes the header of a file of so many bytes. */
void snapshot_header(uint8_t header[SNAPSHOT_HEADER_BYTES], uint64_t size, uint64_t tsc_hz, unsigned cpus);
/* And of a chunk, which holds those bytes. */
void snapshot_chunk_head(uint8_t head[SNAPSHOT_CHUNK_BYTES], enum snapshot_kind kind, const uint8_t *data, size_t n);

#endif
