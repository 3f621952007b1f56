/* What `vellum ctl --help` says: of all commands, or of one. */
#include "tool/ctl/help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tool/base/util.h"

static const char usage[] = "usage: vellum ctl [--run NAME] [--json] COMMAND ...\n"
			    "\n"
			    "  list                          the virtual machines of the run\n"
			    "  stats [VM]                    its VM exits and counters so far\n"
			    "  stats [VM] --interval S       every S seconds what has come since; with the sum of VMs\n"
			    "  detail [VM] [on|off]          its exits one by one: least, mean, most, by port, ...\n"
			    "  trace [VM] FILE [COUNT [SECONDS]]   its next exits, as .json (Perfetto) or .csv\n"
			    "  phases [VM]                   the same of each phase that its guest has marked\n"
			    "  mmu [VM] MECHANISM            its mechanism: ept, npt, shadow, vtlb, brute, next\n"
			    "  tpr [VM] METHOD               its TPR by trap, patch, flexpriority, apicv or auto\n"
			    "  pause [VM] | resume [VM]      stops it between two instructions; lets it go on\n"
			    "  shutdown [VM]                 presses its power button: the rest is up to its guest\n"
			    "  start VM | stop [VM]          one of the description begins; it ends at once\n"
			    "  reset [VM] | destroy [VM]     it begins again; it ends, and nothing of it is kept\n"
			    "  pin [VM[.VCPU]] CPU           runs it on this CPU only, or with any: on whichever\n"
			    "  migrate VM.VCPU CPU           has it go to this CPU, from where it may move on\n"
			    "  weight [VM] N                 its share of the CPUs beside others, 1 to 10000\n"
			    "  translate [VM[.VCPU]] ADDRESS  a guest-virtual address, level by level, down to memory\n"
			    "  dump [VM[.VCPU]]              its registers, controls, flags, and the code that comes\n"
			    "  disassemble [VM[.VCPU]] [ADDRESS|SYMBOL [COUNT]]   its code\n"
			    "  info [VM[.VCPU]] mem | tlb    what its page tables map\n"
			    "  dump-guest-memory [VM] FILE [paging]   its RAM and registers, for gdb and crash\n"
			    "  dump [VM[.VCPU]] [gva|gpa] ADDRESS [LENGTH]   its memory, at most 4096 bytes\n"
			    "  dirty [VM] [SECONDS]          the pages that it writes in that time; or the last count\n"
			    "  dirty [VM] on [METHOD]|off|show  how fast it writes, and where, until it is switched "
			    "off\n"
			    "  merge [VM] on|off|stats       pages that hold the same in one frame: of one, or of all "
			    "that allow it\n"
			    "  balloon [VM] [SIZE]           how much of its RAM it has, and is to have\n"
			    "  audit [VM]                    checks the invariants of its tables\n"
			    "  console [VM]                  its console; Ctrl-] leaves it\n"
			    "  move [VM] [--mmu M]           to another container, while it runs; under another "
			    "mechanism\n"
			    "  move [VM] --postcopy          the same; it goes on there at once, its memory follows\n"
			    "  snapshot [VM] FILE            all that it is, while it runs; vellum run --restore FILE\n"
			    "  screenshot [VM] FILE.png      its screen, as a picture\n"
			    "  sendkey [VM] KEYS ...         presses keys, named as in QEMU: a, ret, ctrl-alt-delete\n"
			    "  mouse [VM] RIGHT DOWN [BUTTONS [WHEEL]]   moves its mouse; left+right, or none\n"
			    "  runs                          the names of the runs there are\n"
			    "\n"
			    "VM is a name or a number, and may be left out where there is one. VCPU is the number "
			    "of a virtual CPU; without it,\n"
			    "it is the boot processor that is meant, or of pin all of them. --run chooses a run "
			    "where there are several\n"
			    "(vellum run --name). --symbols FILE knows the names of an ELF file, such as vmlinux.\n"
			    "--json prints the answer as it comes. The exit status is 0, 1 where "
			    "the hypervisor refused,\n"
			    "2 where there is no run, or nothing was asked.\n";

/* Is the line about this command: does it begin with its name, or have it behind a bar? */
static bool line_is_about(const char *line, size_t length, const char *command)
{
	size_t n = strlen(command);

	for (size_t at = 2; at + n <= length; at++) {
		bool begins = at == 2 || (line[at - 1] == ' ' && line[at - 2] == '|');

		if (begins && strncmp(line + at, command, n) == 0 && (at + n == length || line[at + n] == ' '))
			return true;
	}
	return false;
}

int ctl_help(const char *command)
{
	const char *rest = strstr(usage, "\n\nVM is"), *line, *next;
	bool found = false;

	if (command == NULL || strcmp(command, "help") == 0)
		return fputs(usage, stdout) < 0;
	for (line = strchr(usage, '\n') + 2; line < rest; line = next) {
		next = strchr(line, '\n') + 1;
		if (!line_is_about(line, (size_t)(next - line - 1), command))
			continue;
		printf("%s%.*s", found ? "" : "usage: vellum ctl [--run NAME] [--json] COMMAND ...\n\n",
		       (int)(next - line), line);
		found = true;
	}
	if (!found)
		die(STATUS_USAGE, "ctl: there is no command %s (vellum ctl help lists them)", command);
	return fputs(rest + 1, stdout) < 0;
}
