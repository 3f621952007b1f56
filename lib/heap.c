/* lib/heap.c - a queue of things by a number (lib/heap.h). */
#include "lib/heap.h"

/* The one of two first nodes that is to be first. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
	if (b->key < a->key) {
		struct heap_node *less = b;

		b = a;
		a = less;
	}
	b->next = a->child;
	if (b->next)
		b->next->prev = b;
	b->prev = a;
	a->child = b;
	return a;
}

/* Of siblings, which are melded in pairs, and the pairs from the last to the first: that is what keeps the heap flat.
 * NULL: there are none. */
static struct heap_node *meld_all(struct heap_node *n)
{
	struct heap_node *pairs = NULL, *all = NULL;

	while (n) {
		struct heap_node *a = n, *b = n->next;

		n = b ? b->next : NULL;
		if (b)
			a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		n = pairs->next;
		all = all ? meld(all, pairs) : pairs;
		pairs = n;
	}
	if (all)
		all->next = all->prev = NULL;
	return all;
}

void heap_put(struct heap *h, struct heap_node *n, uint64_t key)
{
	*n = (struct heap_node){ .key = key, .in = true };
	h->first = h->first ? meld(h->first, n) : n;
}

static void cut(struct heap_node *n)
{
	if (n->prev->child == n)
		n->prev->child = n->next;
	else
		n->prev->next = n->next;
	if (n->next)
		n->next->prev = n->prev;
}

void heap_take(struct heap *h, struct heap_node *n)
{
	struct heap_node *rest;

	ASSERT(n->in);
	n->in = false;
	if (h->first == n) {
		h->first = n->child ? meld_all(n->child) : NULL;
		return;
	}
	cut(n);
	rest = meld_all(n->child);
	if (rest)
		h->first = meld(h->first, rest);
}
