/*
 * The default guest's init: a short memory workload that checks itself.
 *
 * Each part returns a checksum of what it *read*, folded from fixed-size data only, so that the sum of all is the same
 * on any kernel, with any RAM, under any MMU mechanism; whatever else a part reads is compared with what it must be. A
 * wrong value, a missing fault or an unexpected one ends the run through fail(), which says what went wrong.
 *
 * Portable C: 32 and 64 bits, no assumption about the page size beyond its being 4096 (checked at start).
 */
#ifndef VELLUM_GUEST_GUEST_H
#define VELLUM_GUEST_GUEST_H

#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096 };

/* Folds one value into a checksum; the order matters. */
static inline uint64_t fold(uint64_t sum, uint64_t value)
{
	sum ^= value + 0x9e3779b97f4a7c15u;
	sum *= 0xff51afd7ed558ccdu;
	return sum ^ (sum >> 32);
}

/* A value that depends on a seed and a position and looks random. */
static inline uint64_t mix(uint64_t seed, uint64_t position)
{
	uint64_t v = (seed + position) * 0x9e3779b97f4a7c15u;

	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
	return v ^ (v >> 27);
}

/* Fills words of memory with mix(seed, 0), mix(seed, 1), …; folds them into a checksum after comparing each of them. */
void fill_words(uint64_t *words, size_t count, uint64_t seed);
uint64_t check_words(const uint64_t *words, size_t count, uint64_t seed, const char *what);

/* The value of a kernel parameter NAME or NAME=VALUE; null when it is absent, "" when it has no value. It stays until
 * the next call. */
const char *parameter(const char *name);

/*
 * Ends the workload: in the first process says "VELLUM-RESULT FAIL what", writes to the debug-exit port and powers off;
 * in any other, tells its parent by the exit status, after saying what.
 */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Waits for a child and fails unless it exited with status 0. */
void reap(int pid, const char *what);

/* Runs a store or a load that may fault, by any thread: 0 when it went through, else the SIGSEGV's si_code; -1: of
 * another address. */
int try_store(volatile unsigned char *address, unsigned char value);
int try_load(const volatile unsigned char *address, unsigned char *value);
int try_store_word(uint32_t *address, uint32_t value);
int try_load_word(const uint32_t *address, uint32_t *value);
void faults_init(void);

/* The parts. */
uint64_t processes_part(const char *self);
int processes_child(const char *argument);      /* what an executed child does; its exit status */
uint64_t mappings_part(void);
uint64_t copy_on_write_part(void);
uint64_t pipes_part(void);
struct pattern;
struct pattern *pattern_write(void);
uint64_t pattern_verify(struct pattern *pattern);
unsigned pattern_megabytes(const struct pattern *pattern);

void shell(void);
_Noreturn void power_off(void);
void debug_exit(unsigned value);

/* Loads the kernel modules of /modules, if the initramfs has some, in the order of their names. */
void load_modules(void);

#endif
