/* A guest's RAM for the tests of the loaders: it checks each write against the rules of vm/load/image.h, and lets tests
 * read it. */
#ifndef VELLUM_TEST_LOAD_RAM_H
#define VELLUM_TEST_LOAD_RAM_H

#include "vm/load/image.h"

struct ram {
	struct loader_memory mem;
	uint8_t *bytes;   /* low_ram_end of them; NULL: writes are checked and forgotten */
	uint64_t written; /* bytes, by write and by zero */
	bool refuse;      /* act as a host without memory */
};

/* keep: the test wants to read what was written. */
void ram_init(struct ram *r, uint64_t low_ram_end, uint64_t high_ram, bool keep);
void ram_free(struct ram *r);
uint16_t ram_u16(const struct ram *r, uint64_t gpa);
uint32_t ram_u32(const struct ram *r, uint64_t gpa);
uint64_t ram_u64(const struct ram *r, uint64_t gpa);
const char *ram_text(const struct ram *r, uint64_t gpa);

/* Loads and demands success. */
struct cpu_start load_ok(struct ram *r, const struct image_files *files);
/* Loads and demands failure with a sentence that holds part. */
void load_bad(struct ram *r, const struct image_files *files, const char *part);
/* Loads count mutations of files->kernel, each cut or with a few bytes changed, mostly within its first head bytes;
 * whatever comes out is checked for sanity. Returns how many were loaded. */
unsigned load_mutations(struct ram *r, const struct image_files *files, size_t head, unsigned count);

/* A copy that ends where its allocation ends, so that the sanitizer sees reads beyond. */
void *exact_copy(const void *data, size_t n);

static inline void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof(v)); }
static inline void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof(v)); }
static inline void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof(v)); }

#endif
