/* lab/work/graph.c - breadth-first search over a graph in compressed rows: offsets, targets of edges, the parent of
 * each vertex, and a queue. Which vertex an edge leads to is a function of its number; only which vertices were
 * visited, and the queue, are kept. */
#include <stdlib.h>

#include "lab/work/work.h"

struct graph {
	uint64_t vertices, degree;
	uint64_t offsets, targets, parents, queues; /* where the arrays are */
	uint64_t bytes;
	uint8_t *visited;  /* bitmap */
	uint32_t *queue;
	uint64_t head, tail, edge, search;
	unsigned phase;
};

static bool bfs_begin(struct work *w, struct lab_error *error)
{
	struct graph *g = w->state;

	if (w->param[0] < 4 || w->param[0] > 28 || !w->param[1] || w->param[1] > 1024)
		return lab_fail(error, "bfs takes a scale of 4 to 28, and 1 to 1024 edges from each vertex");
	g->vertices = 1ull << w->param[0];
	g->degree = w->param[1];
	g->offsets = WORK_HEAP;
	g->targets = g->offsets + 8 * g->vertices;
	g->parents = g->targets + 8 * g->vertices * g->degree;
	g->queues = g->parents + 8 * g->vertices;
	g->bytes = g->queues + 8 * g->vertices - WORK_HEAP;
	g->visited = calloc(g->vertices / 8, 1);
	g->queue = malloc(g->vertices * sizeof(*g->queue));
	return (g->visited && g->queue) || lab_fail(error, "no memory for a graph of that scale");
}

static void bfs_end(struct work *w)
{
	struct graph *g = w->state;

	free(g->visited);
	free(g->queue);
}

/* R-MAT: each bit of the target is chosen by the corner of the matrix that the edge falls into; the source's bits are
 * given. */
static uint64_t target(const struct work *w, const struct graph *g, uint64_t vertex, uint64_t edge)
{
	uint64_t key = w->seed ^ work_mix(vertex * g->degree + edge), bits = work_mix(key), result = 0;

	if (!w->param[2])
		return bits & (g->vertices - 1);
	for (unsigned i = 0; i < w->param[0]; i++) {
		/* P(1) given the row's bit: b/(a+b) = 0.25, d/(c+d) = 0.05/0.24 = 0.21 */
		unsigned threshold = vertex >> i & 1 ? 53 : 64;

		if (i % 8 == 0)
			bits = work_mix(key + i + 1);
		result |= (uint64_t)((bits & 255) < threshold) << i;
		bits >>= 8;
	}
	return result;
}

static bool visit(struct graph *g, uint64_t vertex)
{
	if (g->visited[vertex / 8] >> vertex % 8 & 1)
		return false;
	g->visited[vertex / 8] |= (uint8_t)(1 << vertex % 8);
	g->queue[g->tail++] = (uint32_t)vertex;
	return true;
}

static void new_search(struct work *w, struct graph *g)
{
	for (uint64_t i = 0; i < g->vertices / 8; i++)
		g->visited[i] = 0;
	g->head = g->tail = g->edge = 0;
	visit(g, work_below(w, g->vertices));
}

static void one_edge(struct work *w, struct graph *g)
{
	uint64_t vertex = g->queue[g->head], other;

	if (!g->edge) {
		work_access(w, LAB_READ, g->queues + 8 * g->head, 8, 2);
		work_access(w, LAB_READ, g->offsets + 8 * vertex, 8, 3);
	}
	other = target(w, g, vertex, g->edge);
	work_access(w, LAB_READ, g->targets + 8 * (vertex * g->degree + g->edge), 8, 2);
	work_access(w, LAB_READ, g->parents + 8 * other, 8, 3);
	if (visit(g, other)) {
		work_access(w, LAB_WRITE, g->parents + 8 * other, 8, 2);
		work_access(w, LAB_WRITE, g->queues + 8 * (g->tail - 1), 8, 3);
	}
	if (++g->edge == g->degree) {
		g->edge = 0;
		g->head++;
		work_overhead(w);
	}
}

static bool bfs_step(struct work *w)
{
	struct graph *g = w->state;

	switch (g->phase) {
	case 0:
		work_call(w, (struct lab_call){ .kind = LAB_SWITCH });
		work_program(w);
		work_map(w, WORK_HEAP, (g->bytes + 4095) & ~4095ull, 0);
		g->phase = 1;
		return true;
	case 1:
		if (w->param[4] && !work_touch_all(w, g->bytes))
			return true;
		work_call(w, (struct lab_call){ .kind = LAB_MEASURE });
		work_run(w, 0, 1);
		g->phase = 2;
		return true;
	default:
		if (g->head < g->tail) {
			one_edge(w, g);
			return true;
		}
		if (g->search++ < w->param[3]) {
			new_search(w, g);
			return true;
		}
		return false;
	}
}

const struct work_kind work_bfs = { "bfs", sizeof(struct graph), bfs_begin, bfs_step, bfs_end };
