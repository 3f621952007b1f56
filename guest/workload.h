/*
 * Workloads: what the first process does after the boot, chosen by the kernel parameter vellum.workload=NAME[:SIZE].
 *
 * Each workload computes something, checks it, and returns a checksum of what it read that depends on its size and on
 * nothing else: not on the kernel, the word size, the RAM or the MMU mechanism. What it does falls into phases, which
 * it marks: the hypervisor accounts for each of them separately (vm/account/account.h), and bare hardware ignores the
 * marks.
 */
#ifndef VELLUM_GUEST_WORKLOAD_H
#define VELLUM_GUEST_WORKLOAD_H

#include "guest.h"
#include "workload_list.h"

struct workload {
	const char *name;
	const char *size_means;         /* null: it has no size */
	uint32_t size, most;            /* the default, and the largest */
	uint64_t (*run)(uint32_t size);
};

#define ALL_SIZES UINT32_MAX            /* for run, when no size was given and the default is 0 */

extern const struct workload workloads[];       /* the last one has no name */

/* The one that `name` names, which may have ":SIZE" behind it; size_text, if not null, is a size too. Does not return
 * if there is none or its size makes no sense. */
const struct workload *workload_find(const char *name, const char *size_text, uint32_t *size);

/* Phases. Beginning one ends the one before; the same name again continues that phase. Only the process that runs the
 * workload may call these, and no other process of the workload may be left when phases_end() is called. */
void phases_open(void);
void phase(const char *name);
void phase_steps(uint32_t steps);       /* how many of its operations the open phase has done, added up */
void phases_end(void);
void phases_say(void);
uint64_t ticks_now(void);
/* The time now, and how much of it the kernel had nothing to do. */
void clock_say(void);

/* One line on the console, written at once. */
void say(const char *text);

/* Programs that a workload executes: this one again, with a first argument that names the helper. */
struct helper {
	const char *name;
	int (*run)(const char *argument);
};
/* Starts a helper; what it writes to descriptor 3 goes to `output` (-1: it has none). Returns its process id. */
int start_helper(const char *name, uint32_t argument, int output);
uint32_t helper_number(const char *argument);
int fork_exec_helper(const char *argument);
int compile_helper(const char *argument);
int link_helper(const char *argument);

/* Memory for a workload, in pages of 4 KB whatever the kernel would like. sharing: MAP_PRIVATE or MAP_SHARED. */
unsigned char *take_pages(size_t pages, int sharing);
/* The sum that check_words() returns for these words, computed and not read. */
uint64_t sum_of_words(size_t count, uint64_t seed);

uint64_t memory_workload(uint32_t size);
uint64_t boot_workload(uint32_t size);
uint64_t fork_workload(uint32_t size);
uint64_t mmap_workload(uint32_t size);
uint64_t switch_workload(uint32_t size);
uint64_t fault_workload(uint32_t size);
uint64_t compute_workload(uint32_t size);
uint64_t compile_workload(uint32_t size);
uint64_t threads_workload(uint32_t size);
uint64_t disk_workload(uint32_t size);
uint64_t net_workload(uint32_t size);
uint64_t mix_workload(uint32_t size);

#endif
