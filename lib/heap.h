/* lib/heap.h - a queue of things by a number, the least first: a pairing heap (Fredman, Sedgewick, Sleator and Tarjan,
 * "The Pairing Heap: A New Form of Self-Adjusting Heap", 1986). What is in it has a node in itself, so that no memory
 * is needed. Putting in and looking at the first take constant time, taking out logarithmic time in the mean. */
#ifndef VELLUM_LIB_HEAP_H
#define VELLUM_LIB_HEAP_H

#include "lib/base.h"

struct heap_node {
	uint64_t key;
	struct heap_node *child; /* the first of its children, whose keys are not below its own */
	struct heap_node *next;  /* the next child of the same node */
	struct heap_node *prev;  /* the one before it, or its parent; NULL: it is the first of all, or in no heap */
	bool in;                 /* a heap */
};

struct heap {
	struct heap_node *first; /* NULL: it is empty */
};

/* n is in no heap. */
void heap_put(struct heap *h, struct heap_node *n, uint64_t key);
/* n is in h. */
void heap_take(struct heap *h, struct heap_node *n);
/* UINT64_MAX: there is none, or that is its key. */
static inline uint64_t heap_least(const struct heap *h) { return h->first ? h->first->key : UINT64_MAX; }

#endif
