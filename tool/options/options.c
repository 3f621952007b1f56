#include "tool/options/options.h"

#include <getopt.h>
#include <string.h>

#include "tool/base/runtime.h"
#include "tool/base/util.h"
#include "tool/options/value.h"
#include "tool/options/workload.h"

enum { DEFAULT_IPS = 50000000, MOST_CPUS = 256 };

enum {
	OPTION_MACHINE = 256, OPTION_BOCHS, OPTION_CPU, OPTION_HOST_CPUS, OPTION_HOST_MEM, OPTION_IPS,
	OPTION_HYPERVISOR,
	OPTION_MMU,
	OPTION_PAGES,
	OPTION_NO_VPID,
	OPTION_NO_RDRAND, OPTION_PREALLOC,
	OPTION_NO_UNRESTRICTED,
	OPTION_MEM,
	OPTION_KERNEL,
	OPTION_INITRD,
	OPTION_DISK, OPTION_NET, OPTION_RNG, OPTION_HVC, OPTION_BALLOON,
	OPTION_MODULE,
	OPTION_CDROM,
	OPTION_BOOT,
	OPTION_SNAPSHOT,
	OPTION_APPEND,
	OPTION_VM,
	OPTION_CLOCK,
	OPTION_TESTDEV,
	OPTION_GUEST,
	OPTION_WORKLOAD,
	OPTION_NATIVE,
	OPTION_NO_SWITCH,
	OPTION_SWITCH_EVERY,
	OPTION_SWITCH_AMONG,
	OPTION_NAME,
	OPTION_JSON,
	OPTION_TIMEOUT,
	OPTION_KEEP,
	OPTION_QUIET,
	OPTION_CHECK,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_PROVOKE,
	OPTION_MITIGATIONS,
	OPTION_ON_PANIC,
	OPTION_ON_RESET,
	OPTION_STAY,
	OPTION_TPR,
	OPTION_HIDE,
	OPTION_VCPUS,
	OPTION_WEIGHT,
	OPTION_MIGRATE_EVERY,
	OPTION_VPIDS,
	OPTION_BIOS, OPTION_RESTORE, OPTION_FROM, OPTION_EXCHANGE,
	OPTION_NO_VM86,
	OPTION_OPTION_ROM, OPTION_VGA, OPTION_DISPLAY,
	OPTION_GDB, OPTION_GDB_ARCH, OPTION_PAUSED,
	OPTION_DETAIL, OPTION_TRACE, OPTION_DIRTY, OPTION_CONSOLE,
	OPTION_SWAP, OPTION_ZPOOL, OPTION_RESERVATION, OPTION_LIMIT,
	OPTION_MERGE, OPTION_MERGE_RATE, OPTION_MERGE_SHARE, OPTION_INCOMING,
};

static const struct option names[] = {
	{ "machine", required_argument, NULL, OPTION_MACHINE },
	{ "bochs", required_argument, NULL, OPTION_BOCHS },
	{ "cpu", required_argument, NULL, OPTION_CPU },
	{ "host-cpus", required_argument, NULL, OPTION_HOST_CPUS },
	{ "host-mem", required_argument, NULL, OPTION_HOST_MEM },
	{ "ips", required_argument, NULL, OPTION_IPS },
	{ "hypervisor", required_argument, NULL, OPTION_HYPERVISOR },
	{ "mmu", required_argument, NULL, OPTION_MMU },
	{ "pages", required_argument, NULL, OPTION_PAGES },
	{ "no-vpid", no_argument, NULL, OPTION_NO_VPID },
	{ "tpr", required_argument, NULL, OPTION_TPR },
	{ "dirty", required_argument, NULL, OPTION_DIRTY },
	{ "merge", no_argument, NULL, OPTION_MERGE },
	{ "merge-rate", required_argument, NULL, OPTION_MERGE_RATE },
	{ "merge-share", required_argument, NULL, OPTION_MERGE_SHARE },
	{ "prealloc", no_argument, NULL, OPTION_PREALLOC },
	{ "swap", required_argument, NULL, OPTION_SWAP },
	{ "zpool", required_argument, NULL, OPTION_ZPOOL },
	{ "reservation", required_argument, NULL, OPTION_RESERVATION },
	{ "limit", required_argument, NULL, OPTION_LIMIT },
	{ "no-rdrand", no_argument, NULL, OPTION_NO_RDRAND },
	{ "no-vm86", no_argument, NULL, OPTION_NO_VM86 },
	{ "no-unrestricted", no_argument, NULL, OPTION_NO_UNRESTRICTED },
	{ "guest", required_argument, NULL, OPTION_GUEST },
	{ "mem", required_argument, NULL, OPTION_MEM },
	{ "vcpus", required_argument, NULL, OPTION_VCPUS },
	{ "weight", required_argument, NULL, OPTION_WEIGHT },
	{ "migrate-every", required_argument, NULL, OPTION_MIGRATE_EVERY },
	{ "kernel", required_argument, NULL, OPTION_KERNEL },
	{ "restore", required_argument, NULL, OPTION_RESTORE },
	{ "from", required_argument, NULL, OPTION_FROM },
	{ "incoming", no_argument, NULL, OPTION_INCOMING },
	{ "exchange", no_argument, NULL, OPTION_EXCHANGE },
	{ "bios", required_argument, NULL, OPTION_BIOS },
	{ "option-rom", required_argument, NULL, OPTION_OPTION_ROM },
	{ "vga", required_argument, NULL, OPTION_VGA },
	{ "display", required_argument, NULL, OPTION_DISPLAY },
	{ "initrd", required_argument, NULL, OPTION_INITRD },
	{ "disk", required_argument, NULL, OPTION_DISK },
	{ "net", required_argument, NULL, OPTION_NET },
	{ "rng", no_argument, NULL, OPTION_RNG },
	{ "hvc", no_argument, NULL, OPTION_HVC },
	{ "balloon", optional_argument, NULL, OPTION_BALLOON },
	{ "module", required_argument, NULL, OPTION_MODULE },
	{ "cdrom", required_argument, NULL, OPTION_CDROM },
	{ "boot", required_argument, NULL, OPTION_BOOT },
	{ "snapshot", no_argument, NULL, OPTION_SNAPSHOT },
	{ "append", required_argument, NULL, OPTION_APPEND },
	{ "workload", required_argument, NULL, OPTION_WORKLOAD },
	{ "native", no_argument, NULL, OPTION_NATIVE },
	{ "vm", required_argument, NULL, OPTION_VM },
	{ "clock", required_argument, NULL, OPTION_CLOCK },
	{ "testdev", no_argument, NULL, OPTION_TESTDEV },
	{ "no-switch", no_argument, NULL, OPTION_NO_SWITCH },
	{ "switch-every", required_argument, NULL, OPTION_SWITCH_EVERY },
	{ "switch-among", required_argument, NULL, OPTION_SWITCH_AMONG },
	{ "mitigations", required_argument, NULL, OPTION_MITIGATIONS },
	{ "on-panic", required_argument, NULL, OPTION_ON_PANIC },
	{ "on-reset", required_argument, NULL, OPTION_ON_RESET },
	{ "stay", no_argument, NULL, OPTION_STAY },
	{ "provoke", required_argument, NULL, OPTION_PROVOKE },
	{ "hide", required_argument, NULL, OPTION_HIDE },
	{ "gdb", required_argument, NULL, OPTION_GDB },
	{ "gdb-arch", required_argument, NULL, OPTION_GDB_ARCH },
	{ "paused", no_argument, NULL, OPTION_PAUSED },
	{ "vpids", required_argument, NULL, OPTION_VPIDS },
	{ "interactive", no_argument, NULL, 'i' },
	{ "console", required_argument, NULL, OPTION_CONSOLE },
	{ "name", required_argument, NULL, OPTION_NAME },
	{ "detail", no_argument, NULL, OPTION_DETAIL },
	{ "trace", required_argument, NULL, OPTION_TRACE },
	{ "json", required_argument, NULL, OPTION_JSON },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "keep", required_argument, NULL, OPTION_KEEP },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* Sets a key of the one virtual machine, in the words of its description. */
static void set_vm(struct options *options, const char *option, const char *key, const char *value)
{
	char error[300];

	if (!config_set(&options->vm, key, value, error, sizeof error))
		die(STATUS_USAGE, "%s: %s", option, error);
}

/* An option that is a key of the description, with its value or with the one that it stands for. false: it is
 * another. */
static bool take_vm(struct options *options, int option, const char *value)
{
	static const struct { int option; const char *name, *key, *stands_for; } keys[] = {
		{ OPTION_MMU, "--mmu", "mmu", NULL }, { OPTION_PAGES, "--pages", "pages", NULL },
		{ OPTION_NO_UNRESTRICTED, "--no-unrestricted", "unrestricted", "off" },
		{ OPTION_NO_VM86, "--no-vm86", "vm86", "off" },
		{ OPTION_NO_VPID, "--no-vpid", "vpid", "off" }, { OPTION_NO_RDRAND, "--no-rdrand", "rdrand", "off" },
		{ OPTION_RESERVATION, "--reservation", "reservation", NULL },
		{ OPTION_LIMIT, "--limit", "limit", NULL }, { OPTION_ZPOOL, "--zpool", "zpool", NULL },
		{ OPTION_PREALLOC, "--prealloc", "prealloc", "on" }, { OPTION_MERGE, "--merge", "merge", "on" },
		{ OPTION_MERGE_RATE, "--merge-rate", "merge-rate", NULL },
		{ OPTION_MERGE_SHARE, "--merge-share", "merge-share", NULL },
		{ OPTION_MEM, "--mem", "mem", NULL }, { OPTION_KERNEL, "--kernel", "kernel", NULL },
		{ OPTION_APPEND, "--append", "append", NULL }, { OPTION_CLOCK, "--clock", "clock", NULL },
		{ OPTION_TESTDEV, "--testdev", "testdev", "on" }, { OPTION_NO_SWITCH, "--no-switch", "switch", "off" },
		{ OPTION_SWITCH_EVERY, "--switch-every", "switch-every", NULL },
		{ OPTION_SWITCH_AMONG, "--switch-among", "switch-among", NULL },
		{ OPTION_MITIGATIONS, "--mitigations", "mitigations", NULL },
		{ OPTION_ON_PANIC, "--on-panic", "on-panic", NULL }, { OPTION_TPR, "--tpr", "tpr", NULL },
		{ OPTION_DIRTY, "--dirty", "dirty", NULL },
		{ OPTION_VCPUS, "--vcpus", "vcpus", NULL }, { OPTION_WEIGHT, "--weight", "weight", NULL },
		{ OPTION_MIGRATE_EVERY, "--migrate-every", "migrate-every", NULL },
		{ OPTION_ON_RESET, "--on-reset", "on-reset", NULL }, { OPTION_BIOS, "--bios", "bios", NULL },
		{ OPTION_OPTION_ROM, "--option-rom", "option-rom", NULL }, { OPTION_DISK, "--disk", "disk", NULL },
		{ OPTION_VGA, "--vga", "vga", NULL },
		{ OPTION_MODULE, "--module", "module", NULL },
		{ OPTION_CDROM, "--cdrom", "cdrom", NULL }, { OPTION_BOOT, "--boot", "boot", NULL },
		{ OPTION_NET, "--net", "net", NULL }, { OPTION_RNG, "--rng", "rng", "on" },
		{ OPTION_HVC, "--hvc", "hvc", "on" }, { OPTION_DETAIL, "--detail", "detail", "on" },
		{ OPTION_BALLOON, "--balloon", "balloon", "on" },
		{ OPTION_ON_RESET, "--on-reset", "on-reset", NULL }, { OPTION_PAUSED, "--paused", "paused", "on" },
	};

	if (option == OPTION_VGA && strcmp(value, "none") == 0)
		return true; /* as it is */
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (option == keys[i].option) {
			set_vm(options, keys[i].name, keys[i].key,
			       value != NULL ? value : keys[i].stands_for);
			return true;
		}
	return false;
}

/* Whole pages, of what the machine's controller can address. */
static uint64_t swap_given(const char *value)
{
	uint64_t bytes = bytes_given("--swap", value);

	if (bytes % PAGE_SIZE != 0 || bytes > (uint64_t)2 << 40)
		die(STATUS_USAGE, "--swap %s: an area has whole pages of 4K, and up to 2048G", value);
	return bytes;
}

/* The same of the machine that it all runs on, and what is written of the run. */
static bool take_machine(struct options *options, int option, const char *value)
{
	static const char *const machines[] = { "bochs", "qemu", NULL };
	static const char *const emulators[] = { "auto", "built", "debian", NULL };

	switch (option) {
	case OPTION_MACHINE: options->machine = one_of("--machine", value, machines); break;
	case OPTION_BOCHS: options->bochs = one_of("--bochs", value, emulators); break;
	case OPTION_CPU: options->cpu = value; break;
	case OPTION_HOST_CPUS: options->host_cpus = (unsigned)number_between("--host-cpus", value, 1, MOST_CPUS); break;
	case OPTION_HOST_MEM: options->host_mem = bytes_given("--host-mem", value); break;
	case OPTION_IPS: options->ips = number_between("--ips", value, 1000000, 4000000000u); break;
	case OPTION_HYPERVISOR: options->hypervisor = value; break;
	case OPTION_SNAPSHOT: options->snapshot = true; break;
	case OPTION_STAY: options->stay = true; break;
	case OPTION_GDB: options->gdb = value; break;
	case OPTION_DISPLAY: options->display = value; break;
	case OPTION_GDB_ARCH: options->gdb_arch = value; break;
	case OPTION_JSON: options->json = value; break;
	case OPTION_TRACE: options->trace = value; break;
	case OPTION_CONSOLE: options->console = value; break;
	case OPTION_SWAP: options->swap = swap_given(value); break;
	default: return false;
	}
	return true;
}

static const char *features_checked(const char *list)
{
	char error[200];
	uint32_t set;

	if (!config_read_features(&set, list, error, sizeof error))
		die(STATUS_USAGE, "--hide: %s", error);
	return list;
}

static const char *name_checked(const char *name)
{
	if (!run_name_valid(name))
		die(STATUS_USAGE, "--name %s: a name has 1 to %d letters, digits, - _ and .", name, RUN_NAME_MAX);
	return name;
}

static void set_option(struct options *options, int option, const char *value)
{
	static const char *const guests[] = { "amd64", "686-pae", "686", NULL };

	if (take_vm(options, option, value) || take_machine(options, option, value))
		return;
	switch (option) {
	case OPTION_INITRD:
		if (strcmp(value, "none") == 0)
			options->no_initrd = true;
		else
			set_vm(options, "--initrd", "initrd", value);
		break;
	case OPTION_GUEST:
		options->guest = one_of("--guest", value, guests);
		options->guest_given = true;
		break;
	case OPTION_WORKLOAD: options->workload = workload_checked("--workload", value); break;
	case OPTION_NATIVE: options->native = true; break;
	case OPTION_VM: options->vm_file = value; break;
	case OPTION_RESTORE: options->restore = value; break;
	case OPTION_FROM: options->restore = value; options->from = true; break;
	case OPTION_INCOMING: options->incoming = true; break;
	case OPTION_EXCHANGE: options->exchange = true; break;
	case OPTION_PROVOKE:
		if (strspn(value, "abcdefghijklmnopqrstuvwxyz-") != strlen(value))
			die(STATUS_USAGE, "--provoke %s: a provocation is made of small letters and -", value);
		options->provoke = value;
		break;
	case OPTION_VPIDS: options->vpids = (unsigned)number_between("--vpids", value, 1, 65535); break;
	case OPTION_HIDE: options->hide = features_checked(value); break;
	case OPTION_NAME: options->name = name_checked(value); break;
	case 'i': options->interactive = true; break;
	case OPTION_TIMEOUT: options->timeout = (unsigned)number_between("--timeout", value, 1, 1000000); break;
	case OPTION_KEEP: options->keep = value; break;
	case OPTION_QUIET: options->quiet = true; break;
	case OPTION_CHECK: options->check = true; break;
	case OPTION_HELP: options->command = COMMAND_HELP; break;
	case OPTION_VERSION: options->command = COMMAND_VERSION; break;
	}
}

static void check_restore(const struct options *options)
{
	bool other = options->vm_file != NULL || options->native || options->no_initrd || options->guest != NULL;

	if (options->restore != NULL && (other || (options->workload != NULL && !options->from)))
		die(STATUS_USAGE, "--restore goes on with what a snapshot has: --vm, --native, --guest, --initrd and "
		    "--workload begin something else");
	if (options->incoming && (other || options->workload != NULL || options->restore != NULL))
		die(STATUS_USAGE, "--incoming goes on with what vellum migrate brings: leave out what begins another");
	if (options->from && options->workload == NULL)
		die(STATUS_USAGE, "--from runs a workload in a guest that waits for one: say which by --workload NAME, "
		    "or go on with the snapshot by --restore");
}

static void check_native(const struct options *options)
{
	if (options->native &&
	    (options->vm.given & (BIT(CONFIG_MMU) | BIT(CONFIG_PAGES) | BIT(CONFIG_VPID) |
				  BIT(CONFIG_RUN_UNRESTRICTED) | BIT(CONFIG_VM86) | BIT(CONFIG_RDRAND) |
				  BIT(CONFIG_CLOCK) | BIT(CONFIG_TESTDEV) | BIT(CONFIG_TPR) | BIT(CONFIG_VCPUS) |
				  BIT(CONFIG_DIRTY) | BIT(CONFIG_LIMIT) | BIT(CONFIG_RESERVATION) | BIT(CONFIG_ZPOOL) |
				  BIT(CONFIG_ON_RESET) | BIT(CONFIG_BIOS) | BIT(CONFIG_VGA) | BIT(CONFIG_NET) |
				  BIT(CONFIG_RNG) | BIT(CONFIG_HVC) | BIT(CONFIG_DETAIL) | BIT(CONFIG_BALLOON))) != 0)
		die(STATUS_USAGE, "--native runs the guest without the hypervisor: --mmu, --pages, --no-vpid, "
				  "--no-unrestricted, --no-vm86, --tpr, --no-rdrand, --clock, --vcpus, --on-reset, "
				  "--bios, --vga, --net, --rng, --hvc, --balloon, --dirty, --limit, --reservation, "
				  "--zpool, --detail and --testdev mean nothing to it");
	if (options->native &&
	    (options->vm_file != NULL || options->command == COMMAND_ISO || strcmp(options->machine, "bochs") != 0))
		die(STATUS_USAGE, "--native is for one guest of vellum run on Bochs");
	if (options->snapshot && options->native)
		die(STATUS_USAGE, "--native runs the guest without the hypervisor, which would keep snapshots");
	if (options->swap != 0 && options->native)
		die(STATUS_USAGE, "--native runs the guest without the hypervisor, which would swap");
}

static void check(const struct options *options)
{
	if (options->guest != NULL && (options->vm.given & BIT(CONFIG_KERNEL)) != 0)
		die(STATUS_USAGE, "--guest chooses one of Debian's kernels, --kernel a file: one of them will do");
	if (options->vm_file != NULL && (options->vm.given != 0 || options->no_initrd || options->guest != NULL))
		die(STATUS_USAGE, "--vm takes everything about its virtual machines from the file: "
		    "no option may describe one beside it");
	if (options->workload != NULL &&
	    (options->vm_file != NULL || options->no_initrd || (options->vm.given & BIT(CONFIG_INITRD)) != 0))
		die(STATUS_USAGE, "--workload chooses what the default initramfs does: it needs that initramfs");
	if (options->workload != NULL && strstr(options->vm.append, "vellum.workload=") != NULL)
		die(STATUS_USAGE, "--workload and vellum.workload= in --append name a workload each: one of them will "
				  "do");
	check_native(options);
	if (options->trace != NULL && options->command == COMMAND_ISO)
		die(STATUS_USAGE, "--trace FILE is for vellum run; on a PC exits go to a disk: "
		    "trace ide0.1 in a --vm file");
	if (options->swap != 0 && options->command == COMMAND_ISO)
		die(STATUS_USAGE, "--swap SIZE is for vellum run; on a PC pages go to a disk: swap ide0.1 in a --vm "
		    "file");
	check_restore(options);
	if (options->quiet && options->interactive)
		die(STATUS_USAGE, "-i and --quiet exclude each other");
	if (strcmp(options->machine, "qemu") == 0 && (options->cpu != NULL || strcmp(options->bochs, "auto") != 0))
		die(STATUS_USAGE, "--cpu and --bochs choose an emulated CPU: --machine qemu has this machine's own");
}

/* The command: the first word. */
static void take_command(struct options *options, int *argc, char ***argv)
{
	static const struct { const char *name; enum command command;
	} commands[] = {
		{ "run", COMMAND_RUN },		  { "iso", COMMAND_ISO },     { "help", COMMAND_HELP },
		{ "version", COMMAND_VERSION },	  { "--help", COMMAND_HELP }, { "-h", COMMAND_HELP },
		{ "--version", COMMAND_VERSION },
	};
	const char *word = *argc > 1 ? (*argv)[1] : NULL;

	if (word == NULL)
		die(STATUS_USAGE, "say what to do: vellum run, or vellum help");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(word, commands[i].name) == 0) {
			options->command = commands[i].command;
			++*argv;
			--*argc;
			return;
		}
	die(STATUS_USAGE, "there is no command %s (vellum help lists them)", word);
}

static bool adds_up(int option)
{
	return option == OPTION_DISK || option == OPTION_CDROM || option == OPTION_MODULE || option == OPTION_NET;
}

/* What has a value has one: the second would take the first one's place in silence. The settings of the virtual machine
 * see to that themselves. */
static void check_once(bool *given, int option)
{
	for (size_t i = 0; names[i].name != NULL; i++)
		if (names[i].val == option && !adds_up(option) && names[i].has_arg == required_argument) {
			if (given[i])
				die(STATUS_USAGE, "--%s is given twice", names[i].name);
			given[i] = true;
		}
}

void options_parse(struct options *options, int argc, char **argv)
{
	bool given[ARRAY_SIZE(names)] = { false };
	char error[100];
	int option;

	*options = (struct options){ .typed = command_typed(argc - 1, argv + 1), .machine = "bochs",
		.bochs = "auto", .gdb_arch = "auto", .host_cpus = 1, .ips = DEFAULT_IPS };
	config_init(&options->vm, "guest", error, sizeof error);
	take_command(options, &argc, &argv);
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":ihm:", names, NULL)) != -1) {
		if (option == ':')
			die(STATUS_USAGE, "%s needs a value", argv[optind - 1]);
		if (option == '?')
			die(STATUS_USAGE, "there is no option %s here, or it takes no value (vellum help lists them)",
			    argv[optind - 1]);
		option = option == 'h' ? OPTION_HELP : option == 'm' ? OPTION_MEM : option;
		check_once(given, option);
		set_option(options, option, optarg);
	}
	if (options->command == COMMAND_ISO && optind < argc)
		options->output = argv[optind++];
	if (options->command == COMMAND_ISO && options->output == NULL)
		die(STATUS_USAGE, "iso: give the name of the image to make");
	if (optind < argc)
		die(STATUS_USAGE, "%s: what should be done with that? (vellum help lists the options)", argv[optind]);
	if (options->command == COMMAND_RUN || options->command == COMMAND_ISO)
		check(options);
	if (options->guest == NULL)
		options->guest = "amd64";
}
