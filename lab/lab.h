/* lab/lab.h - the lab: what will a mechanism, page sizes and tags cost this workload? One run, as a library; `vellum
 * lab` is made of it.
 *
 *   lab/machine/event.h     what a program does, as a stream        from workloads and traces
 *   lab/os/os.h        what the guest's kernel makes of it     on lab/os/guestcpu.h
 *   lab/engine/engine.c   the machine with its time               over mmu/, unchanged
 *   lab/config/config.h    the settings    lab/sweep/result.h  the account */
#ifndef VELLUM_LAB_LAB_H
#define VELLUM_LAB_LAB_H

#include <string.h>

#include "lab/config/config.h"
#include "lab/machine/event.h"
#include "lab/sweep/result.h"
#include "lib/for_tests.h"

/* Called now and then during a run, with the accesses made so far, and those expected (0: not known). May be NULL. */
typedef void lab_progress(void *ctx, uint64_t done, uint64_t all);

/* Runs config from start to end. Uses no global state: any number of runs may go on in threads of one process. false:
 * the configuration or the workload is impossible, or a law is broken (error). */
bool lab_run(const struct lab_config *config, struct lab_result *result, lab_progress *progress, void *ctx,
	     struct lab_error *error);
/* The same over streams of the caller's, one for each virtual machine (they stay the caller's). */
FOR_TESTS bool lab_run_sources(const struct lab_config *config, struct lab_source *const source[],
			       struct lab_result *result, lab_progress *progress, void *ctx, struct lab_error *error);

/* `vellum lab NAME ...`: each part adds a line to the table in lab/command/command.c. argv[0] is NAME. Returns the exit
 * status. */
struct lab_command {
	const char *name, *usage, *help;
	int (*run)(int argc, char **argv);
};
FOR_TESTS extern const struct lab_command lab_commands[];
int lab_main(int argc, char **argv);

/* Is --help (or -h) the command's first word? */
static inline bool lab_asks_for_help(int argc, char **argv)
{
	return argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
}

/* The commands, each in a file of its own. */
int lab_command_workloads(int argc, char **argv);
int lab_command_record(int argc, char **argv);
int lab_command_import(int argc, char **argv);
int lab_command_trace_info(int argc, char **argv);
int lab_command_presets(int argc, char **argv);
int lab_command_run(int argc, char **argv);
int lab_command_explain(int argc, char **argv);
int lab_command_sweep(int argc, char **argv);
int lab_command_merge(int argc, char **argv);
int lab_command_report(int argc, char **argv);
int lab_command_figure(int argc, char **argv);

/* Options that all commands take: --config FILE, --set KEY=VALUE, --preset NAME, --mmu NAME, --workload TEXT, and the
 * like. Reads those at argv[*at] into config and moves on; false without an error text: argv[*at] is not such an
 * option. */
bool lab_option(struct lab_config *config, int argc, char **argv, int *at, struct lab_error *error);
/* Those before the argument `at` have not said what runs; else an error. */
bool lab_workload_once(char **argv, int at, struct lab_error *error);
extern const char lab_options_help[];
/* The key of a short option without its dashes ("mmu": "hv.mmu"); NULL: there is none. */
const char *lab_shorthand(const char *name);

#endif
