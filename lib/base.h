/* lib/base.h - what every freestanding file may use: fixed-width integers, small helpers, and the few functions of
 * <string.h> that the compiler itself may call. Nothing here allocates or fails. */
#ifndef VELLUM_LIB_BASE_H
#define VELLUM_LIB_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bits.h"
#include "lib/for_tests.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE_SIZE 4096u
#define SECTOR_SIZE 512u /* bytes: of disks, and of what boots from them */
#define PAGE_SHIFT 12
#define GIB (1ull << 30)
#define FOUR_GIB (4 * GIB) /* where the addresses of 32 bits end */

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
/* Where a call would cost more than a copy of the code, or hide a constant from it. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }
/* align must be a power of two. */
static inline uint64_t align_down(uint64_t x, uint64_t align) { return x & ~(align - 1); }
static inline uint64_t align_up(uint64_t x, uint64_t align) { return (x + align - 1) & ~(align - 1); }
/* Pages that hold so many bytes. */
static inline uint64_t pages_for(uint64_t bytes) { return align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT; }

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* A broken promise inside Vellum itself, never something a guest can cause: prints and does not return. Each program
 * (the hypervisor, the hosted tests) defines it. */
_Noreturn void bug(const char *file, int line, const char *what);

/* An internal invariant. Guest input never reaches it. */
#define BUG_ON(cond) \
	do { \
		if (unlikely(cond)) \
			bug(__FILE__, __LINE__, #cond); \
	} while (0)

#if __STDC_HOSTED__
#define memcpy(d, s, n) __builtin_memcpy(d, s, n)
#define memset(d, c, n) __builtin_memset(d, c, n)
#else
/* A freestanding compiler takes these for functions like any other; as built-ins, small ones need no call. Where the
 * compiler knows how large the object is that is written to, no more than that is written: what libc calls
 * _FORTIFY_SOURCE. */
static ALWAYS_INLINE void *memcpy_checked(void *restrict dst, const void *restrict src,
								  size_t n)
{
	BUG_ON(n > __builtin_object_size(dst, 0));
	return __builtin_memcpy(dst, src, n);
}

static ALWAYS_INLINE void *memset_checked(void *dst, int c, size_t n)
{
	BUG_ON(n > __builtin_object_size(dst, 0));
	return __builtin_memset(dst, c, n);
}

#define memcpy(d, s, n) memcpy_checked(d, s, n)
#define memset(d, c, n) memset_checked(d, c, n)
#endif
#define memcmp(a, b, n) __builtin_memcmp(a, b, n)

#ifdef VELLUM_DEBUG
#define ASSERT(cond) BUG_ON(!(cond))
enum { DEBUG_BUILD = 1 };
#else
#define ASSERT(cond) ((void)sizeof(cond))
enum { DEBUG_BUILD = 0 };
#endif

#endif
