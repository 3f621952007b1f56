/* See test/unit/lab/fake.h. */
#include "test/unit/lab/fake.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t option(const char *workload, const char *name)
{
	const char *at = strstr(workload, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

void lab_fake_result(const struct lab_config *config, struct lab_result *r)
{
	memset(r, 0, sizeof(*r));
	r->config = *config;
	r->accesses = 1000000 + config->seed;
	r->walks = 40000 / (config->hv.pages - 11u) + config->seed * 7;
	r->references = r->walks * 20;
	r->exits[LAB_EXIT_cr3] = !strcmp(config->hv.mechanism, "shadow") ? 5000 : 0;
	r->exits[LAB_EXIT_ept_violation] = 100;
	r->exits_all = r->exits[LAB_EXIT_cr3] + 100;
	r->cycles_base = 2e6;
	r->cycles_walk_guest = (double)r->walks * 30.1;
	r->cycles_walk_ept = (double)r->walks * 12.7;
	r->cycles_exits = (double)r->exits_all * 500;
	r->cycles_hypervisor = (double)r->exits_all * 900;
	r->cycles_least = r->cycles_base + r->cycles_exits + r->cycles_hypervisor;
	r->cycles_most = r->cycles_least + r->cycles_walk_guest + r->cycles_walk_ept;
	r->cycles_low = r->cycles_least;
	r->cycles_high = r->cycles_most;
	r->cycles_estimate = (r->cycles_least + r->cycles_most) / 2;
	r->seconds_low = r->cycles_low / 3.4e9;
	r->seconds_high = r->cycles_high / 3.4e9;
	r->seconds_estimate = r->cycles_estimate / 3.4e9;
	r->dependence = 0.5;
	r->dependence_low = 0.2;
	r->dependence_high = 0.9;
	r->instructions = 500000;
	r->seconds_least = r->cycles_least / 3.4e9;
	r->seconds_most = r->cycles_most / 3.4e9;
}

bool lab_run(const struct lab_config *config, struct lab_result *result, lab_progress *progress,
	     void *ctx, struct lab_error *error)
{
	uint64_t ms = option(config->workload, "ms=");

	for (uint64_t i = 0; i < ms; i += 5) {
		nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
		if (progress)
			progress(ctx, i, ms);
	}
	for (unsigned i = 0; i < 12000 && strstr(config->workload, "hold=") &&
			     config->seed >= option(config->workload, "hold=") && access("go", F_OK);
	     i++)
		nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
	if (config->seed == option(config->workload, "crash="))
		raise(SIGKILL);
	if (config->seed == option(config->workload, "fail="))
		return lab_fail(error, "this seed was not to be");
	lab_fake_result(config, result);
	return true;
}

bool lab_config_names(const struct lab_config *config, struct lab_error *error)
{
	return strcmp(config->hv.mechanism, "shadw") || lab_fail(error, "there is no mechanism 'shadw'");
}

bool lab_config_check(const struct lab_config *config, struct lab_error *error)
{
	if (!strcmp(config->hv.mechanism, "shadow") && config->hv.pages == 30)
		return lab_fail(error, "shadow tables have no 1g pages; 4k and 2m work");
	return true;
}

static void shut(struct lab_source *source)
{
	free(source);
}

static const struct lab_source_ops ops = { .close = shut };

struct lab_source *lab_source_open(const char *description, uint64_t seed, uint64_t limit, struct lab_error *error)
{
	struct lab_source *source;

	(void)seed, (void)limit;
	if (strncmp(description, "fake:", 5) && strncmp(description, "trace:", 6)) {
		lab_fail(error, "there is no workload '%s'", description);
		return NULL;
	}
	source = calloc(1, sizeof(*source));
	source->ops = &ops;
	source->accesses = 1000000 + option(description, "ms=");
	return source;
}
