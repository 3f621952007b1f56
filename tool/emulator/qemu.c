/* QEMU: with KVM and nested VT-x, where this computer offers them; else with the CPU that QEMU emulates (TCG), which
 * has AMD-V and no VT-x. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/emulator/emulator.h"
#include "tool/base/util.h"

enum { QEMU_MOST_MB = 1 << 20 };

/* Has the first processor this flag in /proc/cpuinfo? */
static bool cpu_flag(const char *flag)
{
	struct bytes info = { 0 };
	char *line, *end, *word, *state;
	bool found = false;

	if (file_read("/proc/cpuinfo", &info) && (line = strstr(info.data, "\nflags")) != NULL) {
		end = strchr(line + 1, '\n');
		if (end != NULL)
			*end = 0;
		for (word = strtok_r(line, " \t:", &state); word != NULL && !found;
		     word = strtok_r(NULL, " \t:", &state))
			found = strcmp(word, flag) == 0;
	}
	bytes_free(&info);
	return found;
}

/* Does KVM give a machine VT-x of its own? If not, QEMU's emulation of a CPU (TCG) has AMD-V. */
static bool has_nested_vtx(void)
{
	struct bytes nested = { 0 };
	bool has = cpu_flag("vmx") && access("/dev/kvm", R_OK | W_OK) == 0 &&
		   file_read("/sys/module/kvm_intel/parameters/nested", &nested) && nested.length != 0 &&
		   (nested.data[0] == 'Y' || nested.data[0] == '1');

	bytes_free(&nested);
	return has;
}

/* "QEMU emulator version 7.2.17 (Debian …)": the number. */
static char *version_of(const char *program)
{
	static char option[] = "--version";
	static const char title[] = "version ";
	struct bytes said = { 0 };
	char *path = text("%s", program), *start, *version;
	char *argv[] = { path, option, NULL };

	if (run_program(argv, &said) != 0 || (start = strstr(said.data, title)) == NULL)
		die(STATUS_FAILED, "%s is missing: run script/deps.sh qemu", program);
	start += strlen(title);
	version = text("%.*s", (int)strcspn(start, " \n"), start);
	bytes_free(&said);
	free(path);
	return version;
}

void qemu_find(struct emulator *emulator, const struct options *options, uint64_t needed)
{
	bool kvm = has_nested_vtx();

	emulator->program = text("qemu-system-x86_64");
	emulator->name = "QEMU";
	emulator->build = kvm ? "KVM, nested VT-x" : "TCG, AMD-V";
	emulator->version = version_of(emulator->program);
	emulator->cpu = text(kvm ? "host,+vmx" : "max,+svm");
	emulator->accelerator = kvm ? "kvm" : "tcg";
	emulator->cpus = options->host_cpus;
	emulator->memory = emulator_memory(options, needed, QEMU_MOST_MB, "QEMU");
	emulator->ips = 0;
}

pid_t qemu_start(struct emulator *emulator, const char *iso, const char *work, const struct wires *wires, int output)
{
	/* The options that depend on nothing, then those that do, in pairs. */
	static const char fixed[] =
		"-machine q35 -boot d -no-reboot -display none -monitor none -nodefaults "
		"-serial chardev:console -serial chardev:statistics";
	char *words = text("%s", fixed), *argv[40], *word, *state;
	size_t n = 0;
	pid_t pid;

	argv[n++] = emulator->program;
	for (word = strtok_r(words, " ", &state); word != NULL; word = strtok_r(NULL, " ", &state))
		argv[n++] = word;
	argv[n++] = text("-accel");
	argv[n++] = text("%s", emulator->accelerator);
	argv[n++] = text("-cpu");
	argv[n++] = text("%s", emulator->cpu);
	argv[n++] = text("-m");
	argv[n++] = text("%llu", (unsigned long long)(emulator->memory >> 20));
	argv[n++] = text("-smp");
	argv[n++] = text("%u", emulator->cpus);
	argv[n++] = text("-cdrom");
	argv[n++] = text("%s", iso);
	argv[n++] = text("-chardev");
	argv[n++] = text("%s,id=console,path=%s", wires->console_is_terminal ? "serial" : "file", wires->console);
	argv[n++] = text("-chardev");
	argv[n++] = text("socket,id=statistics,host=127.0.0.1,port=%u,server=off", wires->statistics);
	for (unsigned i = 0; i < wires->drives->count; i++) {
		const struct drive *d = &wires->drives->drive[i];

		argv[n++] = text("-drive");
		argv[n++] = text("file=%s,format=raw,if=ide,index=%u,discard=unmap%s", d->path,
				 d->channel - CONFIG_IDE_CHANNELS, d->written ? "" : ",snapshot=on");
	}
	if (wires->card) {
		argv[n++] = text("-nic");
		argv[n++] = text("user,model=e1000,mac=52:54:00:ff:00:01");
	}
	argv[n] = NULL;
	pid = spawn(argv, work, output);
	free(words);
	return pid;
}
