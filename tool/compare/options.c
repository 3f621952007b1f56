/* The command line of `vellum compare`. */
#include "tool/compare/compare.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base.h"
#include "tool/base/output.h"
#include "tool/options/value.h"
#include "tool/options/workload.h"
#include "vm/config/config.h"

const char *const axis_names[AXES] = { "workload", "guest", "kernel", "cpu", "pti", "mmu", "pages", "vpid", "tpr" };

static const char help[] =
	"usage: vellum compare [OPTION]...   runs a workload under several configurations and compares what it cost\n"
	"\n"
	"Without options: the four mechanisms and the bare machine, the workload memory, and a report in\n"
	"vellum-compare.html and vellum-compare.json.\n"
	"\n"
	"What is compared: every combination of these lists (values with commas between them).\n"
	"  --mmu LIST         ept, npt, shadow, vtlb, brute   (default: all that the CPU has)\n"
	"  --pages LIST       4k, 2m, 1g, auto\n"
	"  --vpid LIST        on, off\n"
	"  --tpr LIST         trap, patch, flexpriority, apicv: its priority register (docs/interrupts.md)\n"
	"  --cpu LIST         CPU models of Bochs, or parts of their names\n"
	"  --guest LIST       amd64, 686-pae, 686\n"
	"  --kernel LIST      files of kernels, instead of --guest; of these there is no native run\n"
	"  --pti LIST         on, off: the guest's page-table isolation\n"
	"  --workload LIST    memory, boot, fork, mmap, switch, fault, compute, compile, threads, mix, or NAME:SIZE\n"
	"  --config TEXT      one more configuration, such as mmu=ept,pages=4k,cpu=skylake_x; may be repeated. Alone,\n"
	"                     these are all\n"
	"  --no-native        without the bare machine to compare with\n"
	"  --preset crossover the workload mix under all mechanisms: where vtlb and shadow cross\n"
	"\n"
	"How:\n"
	"  --jobs N           so many runs at a time   (default: one for each CPU here)\n"
	"  --timeout S        gives up a run after S seconds   (default: 3600)\n"
	"  --ips N, --mem SIZE, --append TEXT, --hypervisor FILE   as for vellum run, for every configuration\n"
	"  --from FILE        each run goes on with this snapshot of a guest that waits for its workload, in place of\n"
	"                     a boot (as vellum run --from); the bare machine boots\n"
	"  --boots            each run boots; else runs of one guest on one CPU model have a boot together, and go on\n"
	"                     with a snapshot of it\n"
	"  --resume FILE      takes over what succeeded from an earlier comparison's JSON\n"
	"\n"
	"What comes out: a table on the terminal, and\n"
	"  --html FILE        one page with charts, which needs nothing else\n"
	"  --json FILE        everything, each run's own JSON included\n"
	"  --csv FILE         a row for each configuration and phase\n"
	"  --svg DIR          the charts as files\n"
	"  --quiet            no progress\n"
	"\n"
	"A configuration that fails is shown with its sentence, and the others go on; the status is then 1.\n";

enum {
	OPTION_AXIS = 256, /* + the axis */
	OPTION_CONFIG = 300,
	OPTION_NO_NATIVE,
	OPTION_PRESET,
	OPTION_JOBS,
	OPTION_TIMEOUT,
	OPTION_IPS,
	OPTION_MEM,
	OPTION_APPEND,
	OPTION_HYPERVISOR,
	OPTION_FROM,
	OPTION_BOOTS,
	OPTION_RESUME,
	OPTION_HTML,
	OPTION_JSON,
	OPTION_CSV,
	OPTION_SVG,
	OPTION_QUIET,
	OPTION_HELP,
};

static const struct option names[] = {
	{ "workload", required_argument, NULL, OPTION_AXIS + AXIS_WORKLOAD },
	{ "guest", required_argument, NULL, OPTION_AXIS + AXIS_GUEST },
	{ "kernel", required_argument, NULL, OPTION_AXIS + AXIS_KERNEL },
	{ "cpu", required_argument, NULL, OPTION_AXIS + AXIS_CPU },
	{ "pti", required_argument, NULL, OPTION_AXIS + AXIS_PTI },
	{ "mmu", required_argument, NULL, OPTION_AXIS + AXIS_MMU },
	{ "pages", required_argument, NULL, OPTION_AXIS + AXIS_PAGES },
	{ "vpid", required_argument, NULL, OPTION_AXIS + AXIS_VPID },
	{ "tpr", required_argument, NULL, OPTION_AXIS + AXIS_TPR },
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "no-native", no_argument, NULL, OPTION_NO_NATIVE },
	{ "preset", required_argument, NULL, OPTION_PRESET },
	{ "jobs", required_argument, NULL, OPTION_JOBS },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "ips", required_argument, NULL, OPTION_IPS },
	{ "mem", required_argument, NULL, OPTION_MEM },
	{ "append", required_argument, NULL, OPTION_APPEND },
	{ "hypervisor", required_argument, NULL, OPTION_HYPERVISOR },
	{ "from", required_argument, NULL, OPTION_FROM },
	{ "boots", no_argument, NULL, OPTION_BOOTS },
	{ "resume", required_argument, NULL, OPTION_RESUME },
	{ "html", required_argument, NULL, OPTION_HTML },
	{ "json", required_argument, NULL, OPTION_JSON },
	{ "csv", required_argument, NULL, OPTION_CSV },
	{ "svg", required_argument, NULL, OPTION_SVG },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* Refuses a value that the axis cannot have. CPU models are Bochs' to know (matrix.c). */
static void check_value(enum axis axis, const char *value)
{
	static const char *const allowed[AXES] = { [AXIS_GUEST] = "amd64 686-pae 686", [AXIS_PTI] = "on off",
		[AXIS_MMU] = "ept npt shadow vtlb brute native", [AXIS_PAGES] = "4k 2m 1g auto", [AXIS_VPID] = "on off",
		[AXIS_TPR] = "trap patch flexpriority apicv auto" };
	char *wanted, *padded;
	bool found;

	if (*value == 0)
		die(STATUS_USAGE, "--%s: a value is empty", axis_names[axis]);
	if (axis == AXIS_WORKLOAD)
		workload_checked("--workload", value);
	if (axis == AXIS_KERNEL && !file_exists(value))
		die(STATUS_USAGE, "--kernel %s: there is no such file", value);
	if (allowed[axis] == NULL)
		return;
	wanted = text(" %s ", value);
	padded = text(" %s ", allowed[axis]);
	found = strstr(padded, wanted) != NULL;
	free(wanted);
	free(padded);
	if (!found)
		die(STATUS_USAGE, "%s %s: there are only %s", axis_names[axis], value, allowed[axis]);
}

/* A workload is the same with the size that it has by itself. */
static bool same_value(enum axis axis, const char *one, const char *other)
{
	char *a = axis == AXIS_WORKLOAD ? workload_whole(one) : text("%s", one),
	     *b = axis == AXIS_WORKLOAD ? workload_whole(other) : text("%s", other);
	bool same = strcmp(a, b) == 0;

	free(a);
	free(b);
	return same;
}

static void take_list(struct comparison *c, enum axis axis, const char *list)
{
	char *copy = text("%s", list), *rest = copy, *value;

	while ((value = strsep(&rest, ",")) != NULL) {
		check_value(axis, value);
		for (size_t i = 0; i < c->value_count[axis]; i++)
			if (same_value(axis, c->values[axis][i], value))
				die(STATUS_USAGE, "--%s: %s is there twice", axis_names[axis], value);
		if (c->value_count[axis] == COMPARE_VALUES)
			die(STATUS_USAGE, "--%s: more than %d values", axis_names[axis], COMPARE_VALUES);
		c->values[axis][c->value_count[axis]++] = value;
	}
}

static void take_configuration(struct comparison *c, const char *given)
{
	char *copy = text("%s", given), *rest = copy, *word, *value;
	struct configuration *is = &c->explicit_cells[c->explicit_count];
	size_t axis;

	if (c->explicit_count == COMPARE_VALUES)
		die(STATUS_USAGE, "--config: more than %d of them", COMPARE_VALUES);
	for (axis = 0; axis < AXES; axis++)
		is->value[axis] = "";
	while ((word = strsep(&rest, ",")) != NULL) {
		value = strchr(word, '=');
		if (value != NULL)
			*value++ = 0;
		for (axis = 0; axis < AXES && strcmp(word, axis_names[axis]) != 0; axis++)
			;
		if (axis == AXES || value == NULL)
			die(STATUS_USAGE,
			    "--config %s: must be made of workload=, guest=, kernel=, cpu=, pti=, mmu=, pages=, "
			    "vpid= and tpr=",
			    given);
		check_value((enum axis)axis, value);
		if (is->value[axis][0] != 0)
			die(STATUS_USAGE, "--config %s: has %s twice", given, axis_names[axis]);
		is->value[axis] = value;
	}
	c->explicit_count++;
}

/* A value that every virtual machine will get, as vellum run takes it. */
static void check_setting(const char *option, const char *key, const char *value)
{
	struct vm_config vm;
	char error[300];

	if (!config_init(&vm, "guest", error, sizeof error) || !config_set(&vm, key, value, error, sizeof error))
		die(STATUS_USAGE, "%s: %s", option, error);
}

static void set_option(struct comparison *c, int option, const char *value)
{
	if (option >= OPTION_AXIS && option < OPTION_AXIS + AXES) {
		take_list(c, (enum axis)(option - OPTION_AXIS), value);
		return;
	}
	switch (option) {
	case OPTION_CONFIG: take_configuration(c, value); break;
	case OPTION_NO_NATIVE: c->no_native = true; break;
	case OPTION_PRESET:
		if (strcmp(value, "crossover") != 0)
			die(STATUS_USAGE, "--preset %s: there is only crossover", value);
		c->crossover = true;
		break;
	case OPTION_JOBS: c->jobs = (unsigned)number_between("--jobs", value, 1, 1000); break;
	case OPTION_TIMEOUT:
		number_between("--timeout", value, 1, 1000000);
		c->timeout = value;
		break;
	case OPTION_IPS:
		number_between("--ips", value, 1000000, 4000000000u);
		c->ips = value;
		break;
	case OPTION_MEM:
		check_setting("--mem", "mem", value);
		c->mem = value;
		break;
	case OPTION_APPEND:
		check_setting("--append", "append", value);
		c->append = value;
		break;
	case OPTION_HYPERVISOR: c->hypervisor = value; break;
	case OPTION_FROM: c->from = value; break;
	case OPTION_BOOTS: c->boots = true; break;
	case OPTION_RESUME: c->resume = value; break;
	case OPTION_HTML: c->html = value; break;
	case OPTION_JSON: c->json = value; break;
	case OPTION_CSV: c->csv = value; break;
	case OPTION_SVG: c->svg = value; break;
	case OPTION_QUIET: c->quiet = true; break;
	}
}

static void check_outputs(const struct comparison *c)
{
	const char *const paths[] = { c->html, c->json, c->csv };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (paths[i] != NULL && !output_possible(paths[i]))
			die(STATUS_USAGE, "%s cannot be written: %s", paths[i], strerror(errno));
		for (size_t k = 0; k < i; k++)
			if (paths[i] != NULL && paths[k] != NULL &&
			    (strcmp(paths[i], paths[k]) == 0 || output_same(paths[i], paths[k])))
				die(STATUS_USAGE, "%s would be written twice", paths[i]);
	}
	if (c->svg == NULL)
		return;
	make_directory(c->svg);
	if (access(c->svg, W_OK | X_OK) != 0)
		die(STATUS_USAGE, "--svg %s: cannot be written: %s", c->svg, strerror(errno));
}

/* What a snapshot has already, and what it has nothing left of. */
static void check_from(const struct comparison *c)
{
	static const enum axis has[] = { AXIS_GUEST, AXIS_KERNEL, AXIS_PTI };
	bool another = c->mem != NULL || c->append != NULL;

	if (c->from == NULL)
		return;
	if (!file_exists(c->from))
		die(STATUS_USAGE, "--from %s: there is no such file", c->from);
	for (size_t k = 0; k < ARRAY_SIZE(has); k++) {
		another |= c->value_count[has[k]] != 0;
		for (size_t i = 0; i < c->explicit_count; i++)
			another |= c->explicit_cells[i].value[has[k]][0] != 0;
	}
	if (another)
		die(STATUS_USAGE, "--from %s: its guest is the snapshot's: --guest, --kernel, --pti, --mem and "
		    "--append would be another", c->from);
	for (size_t i = 0; i < c->value_count[AXIS_WORKLOAD]; i++)
		if (strcmp(c->values[AXIS_WORKLOAD][i], "boot") == 0)
			die(STATUS_USAGE, "--from %s: the workload boot is the boot itself, which is over", c->from);
}

static void check(struct comparison *c)
{
	if (c->value_count[AXIS_KERNEL] != 0 && c->value_count[AXIS_GUEST] != 0)
		die(STATUS_USAGE, "--guest chooses among Debian's kernels, --kernel files: one of them will do");
	if (c->crossover && (c->value_count[AXIS_WORKLOAD] != 0 || c->explicit_count != 0))
		die(STATUS_USAGE, "--preset crossover has a workload and mechanisms of its own");
	if (c->crossover)
		take_list(c, AXIS_WORKLOAD, "mix");
	if (c->ips == NULL)
		c->ips = "50000000";
	/* A report without being asked for one; what was asked for and nothing else otherwise. */
	if (c->html == NULL && c->json == NULL && c->csv == NULL && c->svg == NULL) {
		c->html = "vellum-compare.html";
		c->json = "vellum-compare.json";
	}
	if (c->from != NULL && c->boots)
		die(STATUS_USAGE, "--boots has each run boot, and --from none: give one of them");
	check_from(c);
	check_outputs(c);
}

void compare_options(struct comparison *c, int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int option;

	*c = (struct comparison){
		.jobs = cpus > 0 ? (unsigned)cpus : 1, .timeout = "3600", .command = command_typed(argc, argv)
	};
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":h", names, NULL)) != -1) {
		if (option == ':')
			die(STATUS_USAGE, "%s needs a value", argv[optind - 1]);
		if (option == '?')
			die(STATUS_USAGE,
			    "there is no option %s here, or it takes no value (vellum compare --help lists them)",
			    argv[optind - 1]);
		if (option == 'h' || option == OPTION_HELP) {
			fputs(help, stdout);
			exit(0);
		}
		set_option(c, option, optarg);
	}
	if (optind < argc)
		die(STATUS_USAGE, "%s: what should be done with that? (vellum compare --help lists the options)",
		    argv[optind]);
	check(c);
}
