/* lab/trace/info.c - `vellum lab trace-info`: what is inside a trace. Reads all of it, so it also says whether it is
 * whole. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lab/lab.h"
#include "lab/trace/trace.h"

/* The pages touched: a set of page numbers. */
struct pages {
	uint64_t *page; /* page number + 1; 0: free */
	size_t room, used;
};

static bool pages_add(struct pages *p, uint64_t page)
{
	size_t i = (size_t)((page * 0x9e3779b97f4a7c15ull) >> 20) & (p->room - 1);

	while (p->page[i] && p->page[i] != page + 1)
		i = (i + 1) & (p->room - 1);
	if (p->page[i])
		return false;
	p->page[i] = page + 1;
	p->used++;
	return true;
}

static bool pages_grow(struct pages *p)
{
	struct pages old = *p;

	p->room = old.room ? 2 * old.room : 1 << 16;
	p->used = 0;
	p->page = calloc(p->room, sizeof(*p->page));
	if (!p->page) {
		*p = old;
		return false;
	}
	for (size_t i = 0; i < old.room; i++)
		if (old.page[i])
			pages_add(p, old.page[i] - 1);
	free(old.page);
	return true;
}

struct info {
	struct lab_trace_totals totals;
	struct pages code, data;
	uint64_t events, processes;
	uint64_t last_code, last_data; /* the same page again needs no looking up */
	uint32_t process;
};

/* Pages of different processes are different pages. */
static bool touch(struct info *info, struct pages *p, uint64_t *last, uint64_t addr)
{
	uint64_t page = (addr >> 12 & ((1ull << 45) - 1)) | (uint64_t)info->process << 45;

	if (page == *last)
		return true;
	if (p->used * 2 >= p->room && !pages_grow(p))
		return false;
	pages_add(p, page);
	*last = page;
	return true;
}

static bool look_at(struct info *info, const struct lab_batch *b)
{
	for (unsigned i = 0; i < b->events; i++) {
		const struct lab_event *e = &b->event[i];
		const struct lab_call *c = &b->call[e->kind == LAB_CALL ? e->addr : 0];
		bool ok = true;

		lab_totals_add(&info->totals, e, b->call);
		if (e->kind <= LAB_WRITE)
			ok = touch(info, &info->data, &info->last_data, e->addr);
		else if (e->kind == LAB_FETCH)
			ok = touch(info, &info->code, &info->last_code, e->addr);
		else if (c->kind == LAB_SWITCH)
			info->process = c->process;
		if (!ok)
			return false;
		if (e->kind == LAB_CALL && (c->kind == LAB_SWITCH || c->kind == LAB_FORK) &&
		    c->process >= info->processes)
			info->processes = c->process + 1;
	}
	info->events += b->events;
	return true;
}

static void row(const char *name, uint64_t value)
{
	printf("%-24s %16" PRIu64 "\n", name, value);
}

static void print(const char *path, struct lab_source *s, const struct info *info)
{
	const struct lab_trace_totals *t = &info->totals;

	printf("%s\n%s", path, lab_trace_notes(s));
	row("accesses", t->accesses);
	row("  instruction fetches", t->fetches);
	row("  reads", t->reads);
	row("  writes", t->writes);
	row("  of these by a kernel", t->kernel);
	row("changes of code page", t->code_pages);
	for (unsigned i = 0; i < LAB_CALLS; i++)
		if (t->calls[i])
			row(lab_call_name[i], t->calls[i]);
	row("processes", info->processes);
	row("code pages touched", info->code.used);
	row("data pages touched", info->data.used);
	row("bytes of the file", lab_trace_bytes(s));
	if (t->accesses)
		printf("%-24s %16.3f\n", "bytes an access", (double)lab_trace_bytes(s) / (double)t->accesses);
}

static bool one_argument(int argc, char **argv, struct lab_error *error)
{
	static const char how[] = "vellum lab trace-info FILE";

	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-' && argv[i][1])
			return lab_fail(error, "trace-info has no option '%s': %s (a file of that name is ./%s)",
					argv[i], how, argv[i]);
	if (argc == 1)
		return lab_fail(error, "trace-info needs a trace: %s", how);
	return argc == 2 || lab_fail(error, "trace-info takes one trace, and '%s' is one too many: %s", argv[2], how);
}

int lab_command_trace_info(int argc, char **argv)
{
	struct info info = { .last_code = UINT64_MAX, .last_data = UINT64_MAX };
	struct lab_batch *b = malloc(sizeof(*b));
	struct lab_error error = { "" };
	struct lab_source *s;
	int status = 2;

	if (lab_asks_for_help(argc, argv)) {
		printf("usage: vellum lab trace-info FILE\n\nReads a trace to its end: says what is inside, and "
		       "whether it is whole.\n");
		free(b);
		return 0;
	}
	s = one_argument(argc, argv, &error) ? lab_trace_open(argv[1], &error) : NULL;
	if (s && b) {
		while (lab_source_next(s, b))
			if (!look_at(&info, b)) {
				lab_fail(&error, "no memory for the set of pages touched");
				break;
			}
		if (lab_source_error(s))
			lab_fail(&error, "%s", lab_source_error(s));
	}
	if (s && !error.text[0]) {
		print(argv[1], s, &info);
		status = 0;
	} else {
		fprintf(stderr, "vellum: %s\n", error.text[0] ? error.text : "no memory");
	}
	if (s)
		lab_source_close(s);
	free(info.code.page);
	free(info.data.page);
	free(b);
	return status;
}
