/* lab/command/explain.c - `vellum lab explain`: one access, reference by reference, as the plain hardware makes it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab/machine/machine.h"
#include "lab/wrap.h"

struct story {
	const struct lab_config *config;
	const uint64_t *gva;
	unsigned count;
	bool write, fetch, cold;
	unsigned number;       /* references so far */
	double cycles;
};

static const char *const size_names[] = { "4K", "2M", "1G" };
static const char *const level_names[] = { "", "PT", "PD", "PDPT", "PML4", "PML5" };

static void looked_up(void *ctx, const char *where, uint64_t page, unsigned size, bool hit)
{
	struct story *s = ctx;
	const struct lab_machine_config *c = &s->config->machine;
	bool tlb = strstr(where, "TLB") != NULL;

	/* A TLB that has no place for a size was asked for nothing. */
	if (!hit && tlb && size > 0)
		return;
	printf("         %-20s %s", where, hit ? "hit" : "miss");
	if (hit && tlb)
		printf(", %s page 0x%llx", size_names[size], (unsigned long long)page << (12 + 9 * size));
	putchar('\n');
	if (hit && !strcmp(where, "L2 TLB"))
		s->cycles += c->l2_hit;
	if (hit && !strcmp(where, "nested TLB"))
		s->cycles += c->ntlb_hit;
}

static void reference(void *ctx, bool ept, unsigned level, uint64_t gpa, uint64_t hpa, uint64_t entry, unsigned place)
{
	static const char *const places[] = { "the L1 cache", "the L2 cache", "the L3 cache", "memory" };
	struct story *s = ctx;
	const struct lab_machine_config *c = &s->config->machine;
	const double cycles[] = { c->l1_cycles, c->l2_cycles, c->l3_cycles, c->dram_cycles };
	char whose[64] = "";

	s->number++;
	s->cycles += cycles[place];
	if (ept)
		snprintf(whose, sizeof(whose), " (for guest-physical 0x%llx)", (unsigned long long)gpa);
	lab_print_wrapped(stdout, 9, "  %4u.  %s%-5s at 0x%llx holds 0x%llx%s; answered by %s, %g cycles", s->number,
			  ept ? "EPT   " : "guest ", level_names[level], (unsigned long long)hpa,
			  (unsigned long long)entry, whose, places[place], cycles[place]);
}

static void explain_access(struct lab_machine *m, struct story *s, uint64_t gva)
{
	const struct lab_listener listener = { looked_up, reference, s };
	enum lab_kind kind = s->fetch ? LAB_FETCH : s->write ? LAB_WRITE : LAB_READ;
	uint64_t walks = m->counts->r.walks, misses = m->counts->r.ntlb_misses;
	struct lab_translation t;

	if (s->cold) {
		m->hardware->destroy(m->hw);
		m->hw = m->hardware->make(s->config);
		BUG_ON(!m->hw);
	}
	printf("%s of 0x%llx by %s, %s:\n",
	       kind == LAB_FETCH   ? "fetch"
	       : kind == LAB_WRITE ? "write"
				   : "read",
	       (unsigned long long)gva, gva >> 63 ? "the kernel" : "the program",
	       s->cold ? "nothing cached" : "caches as the workload left them");
	s->number = 0;
	s->cycles = 0;
	m->listener = &listener;
	t = m->hardware->translate(m, gva, kind, !(gva >> 63));
	m->listener = NULL;
	walks = m->counts->r.walks - walks;
	misses = m->counts->r.ntlb_misses - misses;
	s->cycles += (double)(walks + misses) * s->config->machine.psc_hit;
	if (t.how == LAB_TRANSLATED)
		printf("  host-physical 0x%llx", (unsigned long long)t.hpa);
	else if (t.how == LAB_PAGE_FAULT)
		printf("  page fault, error code 0x%x", t.error);
	else
		printf("  EPT violation for guest-physical 0x%llx%s", (unsigned long long)t.gpa,
		       t.of_table ? " (of a table)" : "");
	printf("; %u reference%s, %g cycles\n\n", s->number, s->number == 1 ? "" : "s", s->cycles);
}

static void explain(struct lab_machine *m, void *ctx)
{
	struct story *s = ctx;

	for (unsigned i = 0; i < s->count; i++)
		explain_access(m, s, s->gva[i]);
	if (s->count == 0)
		explain_access(m, s, m->vm[0].last);
}

static int usage(FILE *out)
{
	fprintf(out,
		"usage: vellum lab explain [OPTION]... [GVA]...\n\n"
		"Runs the workload for a while (limit, by default 200000 accesses), then shows how the CPU\n"
		"translates each address; without one, that of the last access of the workload to its data.\n\n%s"
		"  --cold             with all caches empty\n"
		"  --write, --fetch   a write, or an instruction fetch, instead of a read\n",
		lab_options_help);
	return out == stdout ? 0 : 2;
}

static int failed(const char *text)
{
	fprintf(stderr, "vellum: %s\n", text);
	return 2;
}

/* SDM, "Canonical Addressing": what is not is no address, whatever the tables say. */
static bool canonical(const struct lab_config *config, const struct story *s, struct lab_error *error)
{
	unsigned bits = config->guest.levels == 5 ? 57 : 48;

	for (unsigned i = 0; i < s->count; i++) {
		uint64_t above = s->gva[i] >> (bits - 1);

		if (above && above != UINT64_MAX >> (bits - 1))
			return lab_fail(error, "0x%llx is no address: above bit %u all must be like it",
					(unsigned long long)s->gva[i], bits - 1);
	}
	return true;
}

static int run(struct lab_config *config, struct story *s)
{
	struct lab_error error = { "" };
	struct lab_result result;
	struct lab_source *source;
	bool ok;

	config->plain = true;
	if (config->hv.vms != 1)
		return failed("explain shows one virtual machine: hv.vms must be 1");
	if (!config->limit)
		config->limit = 200000;
	source = lab_source_open(config->workload, config->seed, config->limit + config->warmup, &error);
	ok = source && canonical(config, s, &error) && lab_run_then(config, &source, &result, explain, s, &error);
	if (source)
		lab_source_close(source);
	return ok ? 0 : failed(error.text);
}

int lab_command_explain(int argc, char **argv)
{
	uint64_t *gva = calloc((size_t)argc, sizeof(*gva));
	struct lab_error error = { "" };
	struct lab_config config;
	struct story s = { .config = &config, .gva = gva };
	int status;

	if (!gva)
		return failed("out of memory");
	lab_config_init(&config);
	for (int at = 1; at < argc;) {
		char *end;

		if (lab_option(&config, argc, argv, &at, &error))
			continue;
		if (error.text[0] || !strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")) {
			free(gva);
			return error.text[0] ? failed(error.text) : usage(stdout);
		}
		errno = 0;
		gva[s.count] = strtoull(argv[at], &end, 0);
		if (!strcmp(argv[at], "--cold")) {
			s.cold = true;
		} else if (!strcmp(argv[at], "--write")) {
			s.write = true;
		} else if (!strcmp(argv[at], "--fetch")) {
			s.fetch = true;
		} else if (argv[at][0] != '-' && end != argv[at] && !*end && !errno) {
			s.count++;
		} else {
			fprintf(stderr, "vellum: '%s' is neither an option nor an address like 0x10000000000\n",
				argv[at]);
			free(gva);
			return 2;
		}
		at++;
	}
	status = run(&config, &s);
	free(gva);
	return status;
}
