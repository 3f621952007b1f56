/* The table of workloads, and what several of them use. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const struct workload workloads[] = {
#define W(name, means, size, most) { #name, means, size, most, name##_workload },
	WORKLOADS(W)
#undef W
	{ NULL, NULL, 0, 0, NULL },
};

static void fail_name(const char *wanted, size_t length)
{
	char names[200];
	size_t used = 0;

	for (const struct workload *w = workloads; w->name != NULL; w++)
		used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used == 0 ? "" : ", ", w->name);
	fail("there is no workload \"%.*s\"; there are %s", (int)(length < 30 ? length : 30), wanted, names);
}

static uint32_t size_of(const struct workload *w, const char *text)
{
	char *end;
	unsigned long long value;

	if (w->size_means == NULL)
		fail("the workload %s has no size", w->name);
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != 0 || errno != 0 || value > w->most || (value == 0 && w->size != 0))
		fail("the size of the workload %s, in %s, must be a number from %d to %u, not \"%.20s\"", w->name,
		     w->size_means, w->size != 0, w->most, text);
	return (uint32_t)value;
}

const struct workload *workload_find(const char *name, const char *size_text, uint32_t *size)
{
	const struct workload *w = workloads;
	size_t length = strcspn(name, ":");

	while (w->name != NULL && (strlen(w->name) != length || strncmp(w->name, name, length) != 0))
		w++;
	if (w->name == NULL)
		fail_name(name, length);
	if (name[length] == ':')
		size_text = name + length + 1;
	*size = size_text != NULL ? size_of(w, size_text) : w->size != 0 ? w->size : (uint32_t)ALL_SIZES;
	return w;
}

unsigned char *take_pages(size_t pages, int sharing)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap of %zu pages: %s", pages, strerror(errno));
	/* Fails where the kernel knows no larger pages, which is as well. */
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	return p;
}

uint64_t sum_of_words(size_t count, uint64_t seed)
{
	uint64_t sum = seed;

	for (size_t i = 0; i < count; i++)
		sum = fold(sum, mix(seed, i));
	return sum;
}

int start_helper(const char *name, uint32_t argument, int output)
{
	static char self[] = "/init";
	int pid = fork();

	if (pid == 0) {
		char number[16];
		char *argv[] = { self, (char *)(uintptr_t)name, number, NULL };
		char *envp[] = { NULL };

		snprintf(number, sizeof number, "%u", argument);
		if (output >= 0 && dup2(output, 3) != 3)
			fail("dup2: %s", strerror(errno));
		execve(self, argv, envp);
		fail("cannot execute %s: %s", self, strerror(errno));
	}
	return pid;
}

uint32_t helper_number(const char *argument)
{
	return (uint32_t)strtoul(argument, NULL, 10);
}

/* The console is slow on some machines: what is said belongs to no phase. */
static void begin(const char *name, const char *text)
{
	phases_end();
	say(text);
	phase(name);
}

uint64_t memory_workload(uint32_t size)
{
	struct pattern *pattern;
	uint64_t sum = 0;
	char line[200];

	faults_init();
	/* The pattern lies in RAM while all the rest goes on, and is looked at again at the end. */
	phase("pattern");
	pattern = pattern_write();
	snprintf(line, sizeof line, "workload: a pattern over %u MB; processes\n", pattern_megabytes(pattern));
	for (uint32_t round = 0; round < size; round++) {
		begin("processes", round == 0 ? line : "workload: processes\n");
		sum = fold(sum, processes_part("/init"));
		begin("mappings", "workload: mappings\n");
		sum = fold(sum, mappings_part());
		begin("copy-on-write", "workload: copy on write\n");
		sum = fold(sum, copy_on_write_part());
		begin("pipes", "workload: pipes\n");
		sum = fold(sum, pipes_part());
	}
	begin("pattern", "workload: the pattern again\n");
	return fold(sum, pattern_verify(pattern));
}

/* Nothing but a page of words, and no phase: what is of interest came before. */
uint64_t boot_workload(uint32_t size)
{
	enum { WORDS = PAGE / 8, SEED = 7000 };
	uint64_t *words = (uint64_t *)(void *)take_pages(1, MAP_PRIVATE);

	(void)size;
	fill_words(words, WORDS, SEED);
	return check_words(words, WORDS, SEED, "a page after the boot");
}
