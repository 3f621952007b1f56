/* lib/heap.c against a list that is searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/heap.h"
#include "lib/xorshift.h"

#define NODES 64u

static struct heap heap;
static struct heap_node node[NODES];

/* What is below n is not less, and says who is before it; how many there are. */
static unsigned count(const struct heap_node *n)
{
	const struct heap_node *before = n;
	unsigned sum = 1;

	assert_true(n->in);
	for (const struct heap_node *i = n->child; i; before = i, i = i->next) {
		assert_true(i->key >= n->key);
		assert_ptr_equal(i->prev, before);
		sum += count(i);
	}
	return sum;
}

static void check(void)
{
	uint64_t least = UINT64_MAX;
	unsigned in = 0;

	for (unsigned i = 0; i < NODES; i++) {
		in += node[i].in;
		if (node[i].in && node[i].key < least)
			least = node[i].key;
	}
	assert_int_equal(heap_least(&heap), least);
	assert_int_equal(heap.first ? count(heap.first) : 0, in);
	if (heap.first) {
		assert_null(heap.first->prev);
		assert_null(heap.first->next);
	}
}

static void at_random(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct heap_node *n = &node[xorshift(&seed) % NODES];

		if (n->in)
			heap_take(&heap, n);
		else
			heap_put(&heap, n, xorshift(&seed) % 8 ? xorshift(&seed) % 100 : UINT64_MAX);
		check();
	}
}

static void in_order(void **state)
{
	uint64_t seed = 9, last = 0;

	(void)state;
	for (unsigned i = 0; i < NODES; i++)
		if (!node[i].in)
			heap_put(&heap, &node[i], xorshift(&seed));
	for (; heap.first; check()) {
		assert_true(heap_least(&heap) >= last);
		last = heap_least(&heap);
		heap_take(&heap, heap.first);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(at_random), cmocka_unit_test(in_order) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
