/* lab/run.c - `vellum lab run`: one configuration, a full account. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/lab.h"

static void progress(void *ctx, uint64_t done, uint64_t all)
{
	(void)ctx;
	if (all)
		fprintf(stderr, "\r%3.0f%%", 100.0 * (double)done / (double)all);
	else
		fprintf(stderr, "\r%llu million accesses", (unsigned long long)done / 1000000);
	fflush(stderr);
}

static int usage(FILE *out)
{
	fprintf(out, "usage: vellum lab run [OPTION]... [WORKLOAD]\n\n%s"
		"  --json FILE        the account as JSON; - is the standard output, which then shows nothing else\n"
		"  --settings         prints the settings that the run would have, as a configuration file, and ends\n", lab_options_help);
	return out == stdout ? 0 : 2;
}

static int write_json(const struct lab_result *result, const char *path)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "w") : stdout;
	bool ok = f != NULL;

	if (ok)
		lab_result_json(result, f);
	if (ok && f != stdout)
		ok = fclose(f) == 0;
	else if (ok)
		ok = fflush(f) == 0;
	if (!ok)
		fprintf(stderr, "vellum: cannot write %s: %s\n", path, strerror(errno));
	return ok ? 0 : 1;
}

static int run(const struct lab_config *config, const char *json)
{
	static struct lab_result result;
	struct lab_error error = { "" };
	bool show = isatty(STDERR_FILENO);
	bool ok = lab_run(config, &result, show ? progress : NULL, NULL, &error);

	if (show)
		fprintf(stderr, "\r%40s\r", "");
	if (!ok) {
		fprintf(stderr, "vellum: %s\n", error.text);
		return 2;
	}
	if (!json || strcmp(json, "-"))
		lab_result_print(&result, stdout);
	return json ? write_json(&result, json) : 0;
}

int lab_command_run(int argc, char **argv)
{
	struct lab_config config;
	struct lab_error error = { "" };
	const char *json = NULL;
	bool settings = false;

	lab_config_init(&config);
	for (int at = 1; at < argc;) {
		if (lab_option(&config, argc, argv, &at, &error))
			continue;
		if (error.text[0]) {
			fprintf(stderr, "vellum: %s\n", error.text);
			return 2;
		}
		if (!strcmp(argv[at], "--help"))
			return usage(stdout);
		if (!strcmp(argv[at], "--json") && at + 1 < argc) {
			json = argv[++at];
		} else if (!strcmp(argv[at], "--settings")) {
			settings = true;
		} else if (argv[at][0] == '-' || !lab_config_set(&config, "workload", argv[at], &error)) {
			fprintf(stderr, "vellum: %s%s\n", error.text[0] ? error.text : "unknown option, or one without its value: ",
				error.text[0] ? "" : argv[at]);
			return usage(stderr);
		}
		at++;
	}
	if (!settings)
		return run(&config, json);
	lab_config_write(&config, "", true, stdout);
	return 0;
}
