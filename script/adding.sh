#!/bin/sh
# Adds a mechanism, a device, a figure and a command of the lab as docs/architecture.md says ("To add one"), in a copy
# of the tree, boots a guest with the first two, runs the others; then breaks the rules of the rooms: adding.sh BUILD.
set -eu
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for folder in Makefile mk script docs test lib mmu emulate dev host hvm vmx svm start vm model tool lab guest; do
	cp -a "$folder" "$work/"
done
mkdir -p "$work/build/unit/clang"
cp -a "$build/hyp" "$build/tool" "$build/lab" "$build/bochs" "$work/build/"
for objects in core plain; do
	[ ! -e "$build/unit/clang/$objects" ] || cp -a "$build/unit/clang/$objects" "$work/build/unit/clang/"
done
cd "$work"

# A mechanism: the virtual TLB under another name.
mkdir mmu/added
sed 's/mmu_vtlb/mmu_added/; s/\.name = "vtlb"/.name = "added"/' mmu/vtlb/vtlb.c > mmu/added/added.c
sed -i 's|^MMU_DIRS := .*|& mmu/added|' mk/rooms.mk
sed -i 's|^extern const struct mmu_ops mmu_brute;|&\nextern const struct mmu_ops mmu_added;|' mmu/mechanisms.h
sed -i 's|^\t&mmu_brute,|&\n\t\&mmu_added,|' mmu/mechanisms.c
sed -i 's|"brute", NULL }|"brute", "added", NULL }|' vm/config/switch.c

# A device: the test device's latch, of four ports, at another place.
sed -n 's/^#define TESTDEV/#define ADDED/p' lib/ports.h |
	sed 's/0xe0/0x2c00/; s/0xe4/0x2c04/; s/0xe8/0x2c08/; s/0x2000/0x2800/; s/0xff000000u/0xff100000u/' > places
sed 's/testdev/added/g; s/TESTDEV/ADDED/g' dev/test/testdev.h |
	sed '/^#include "lib\/ports.h"/r places' > dev/test/added.h
sed 's/testdev/added/g; s/TESTDEV/ADDED/g' dev/test/testdev.c > dev/test/added.c
sed -i 's|^#include "dev/test/testdev.h"|#include "dev/test/added.h"\n&|' vm/devices.h
sed -i 's|^\tstruct testdev \*testdev;.*|&\n\tstruct added added;|' vm/vm.h
host='\&(struct added_host){ drop_mapping, protect_mapping, vm }'
init="added_init(\&vm->added, \&vm->pio, \&vm->mmio, (struct irq_line[ADDED_LINES]){ { 0 } }, $host)"
sed -i "s|phases_init(vm) &&|$init \\&\\& &|" vm/platform.c
sed 's/testdev/added/g; s/TESTDEV/ADDED/g' dev/test/testdev_state.c > dev/test/added_state.c
sed -i 's|^\t\ttestdev_state(s, vm->testdev);|&\n\tadded_state(s, \&vm->added);|' vm/snapshot/machine.c
sed 's/testdev/added/g; s/TESTDEV/ADDED/g; s/0x2000 + n/0x2800 + n/; s/0xff00/0xff10/g' \
	test/unit/dev/test/test_testdev.c > test/unit/dev/test/test_added.c
sed -i 's|^#include "dev/test/testdev.h"|#include "dev/test/added.h"\n&|
	s|^\tstruct testdev testdev;|&\n\tstruct added added;|' test/unit/dev/pc.h
init='added_init(\&pc->added, \&pc->pio, \&pc->mmio, lines, \&(struct added_host){ drop, protect, pc })'
sed -i "s|^\tassert_true(testdev_init(.*|&\n\tassert_true($init);|" test/unit/dev/pc.c
sed -i 's/ testdev fuzz$/& added/' mk/dev.mk

# A figure: which CPU pays more for EPT, after early-designs.
cat > row << 'END'
	{ "added", "A figure that was added", "Published: nothing.", "guest.pages=4k hv.pages=4k",
	  "workload=chase:size=16M limit=100K", "", { "machine.preset=nehalem,barcelona", "hv.mmu=native,ept" },
	  lab_rows_added, "% by which EPT takes longer", true, NULL, false },
END
sed -i '/^const struct lab_figure lab_figures/,$ { /^\t{ 0 },/ { e cat row
} }' lab/show/figures.c
sed -n '/^void lab_rows_early/,/^}/p' lab/show/figures_rows.c | sed 's/lab_rows_early/lab_rows_added/' > rows
cat rows >> lab/show/figures_rows.c
sed -i 's|^void lab_rows_early.*|&\nvoid lab_rows_added(struct lab_figure_table *t);|' lab/show/figures.h

# A command of the lab.
cat > lab/command/added.c << 'END'
/* lab/command/added.c - `vellum lab added`: a command that was added. */
#include <stdio.h>

#include "lab/lab.h"

int lab_command_added(int argc, char **argv)
{
	return puts(lab_asks_for_help(argc, argv) ? "usage: vellum lab added" : "it runs") < 0;
}
END
sed -i 's|^int lab_command_run(.*|&\nint lab_command_added(int argc, char **argv);|' lab/lab.h
sed -i 's|^\t{ NULL, NULL, NULL, NULL },|\t{ "added", "added", "was added", lab_command_added },\n&|' \
	lab/command/command.c

# Their places in the house.
sed -i 's/^| `mmu\/vtlb` |.*/&\n| `mmu\/added` | the mechanism `added` | `lib`, `mmu`, `mmu\/table`, `bug()` |/
	s/^- `dev\/test\/testdev.c`,/- `mmu\/added\/added.c`, `dev\/test\/added.c`, `dev\/test\/added.h`\n&/
	s/^- `dev\/state.c`,/& `dev\/test\/added_state.c`,/
	s/^| `test\/lab\/commands.sh` | /&`lab\/command\/added.c`, /
	s/^| `test\/boot\/boots.py` | /&`mmu\/added\/added.c`, /
	s/^| `test\/unit\/dev\/test_state.c` | /&`dev\/test\/added_state.c`, /
	s/^| `mmu` |.*`mmu\/vtlb`,/& `mmu\/added`,/' docs/architecture.md

# What sed has not found is not added.
for place in mk/rooms.mk:mmu/added mmu/mechanisms.h:mmu_added mmu/mechanisms.c:mmu_added vm/config/switch.c:'"added"' \
	vm/vm.h:'struct added added' \
	vm/platform.c:added_init vm/snapshot/machine.c:added_state test/unit/dev/pc.h:'struct added added' \
	test/unit/dev/pc.c:added_init mk/dev.mk:' added$' \
	lab/show/figures.c:lab_rows_added lab/show/figures.h:lab_rows_added \
	lab/show/figures_rows.c:lab_rows_added lab/lab.h:lab_command_added lab/command/command.c:lab_command_added; do
	grep -q "${place#*:}" "${place%%:*}" || { echo "adding.sh: ${place%%:*} has no place for ${place#*:}"; exit 1; }
done

make --no-print-directory -j2 build/vellum build/vellum.elf build/unit-sources build/unit/clang/dev_added \
	> "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
python3 script/rooms.py build > "$work/rooms" || { cat "$work/rooms"; exit 1; }
printf 'vm added\nkernel %s/guest/test/memory.elf\nmem 16M\nmmu added\n' "$build" > machines
build/vellum run --quiet --vm machines --timeout 120 > out 2>&1 || { cat out; exit 1; }
build/unit/clang/dev_added > out 2>&1 || { cat out; exit 1; }
echo "a mechanism and a device have been added; a guest has run under the one, with the other beside it; its test too"

build/vellum lab help | grep -q '^  added .* was added' && [ "$(build/vellum lab added)" = 'it runs' ] &&
	[ "$(build/vellum lab added --help)" = 'usage: vellum lab added' ]
build/vellum lab figure added -o . > out 2>&1 || { cat out; exit 1; }
[ "$(wc -l < added.csv)" = 3 ] && grep -q '</svg>' added.svg
echo "a figure and a command of the lab have been added, and have run"

# What rooms.py has to find: where, a line that is put there, what it says of it.
: > breaches
total=0
breaks()
{
	[ -e "$1" ] && [ ! -e "build/kept/$1" ] && mkdir -p "build/kept/$(dirname "$1")" && cp "$1" "build/kept/$1"
	printf '%s\n' "$2" >> "$1"
	printf '%s\t%s\t%s\n' "$1" "$3" "$(printf '%s' "$2" | tail -n 1)" >> breaches
}

# All that were put there since the last time; puts back what was there before.
are_found()
{
	if python3 script/rooms.py > rooms; then echo "rooms.py finds nothing wrong"; exit 1; fi
	while IFS="$(printf '\t')" read -r file said line; do
		alike=$(cut -f 1,2 breaches | grep -cxF "$(printf '%s\t%s' "$file" "$said")")
		[ "$(grep -F "$said" rooms | grep -cF "$file")" -ge "$alike" ] ||
			{ echo "rooms.py does not find '$line' in $file:"; cat rooms; exit 1; }
		if [ -e "build/kept/$file" ]; then cp "build/kept/$file" "$file"; else rm -f "$file"; fi
		total=$((total + 1))
	done < breaches
	: > breaches
}

# What it looks for first: with one of these it looks no further.
breaks dev/added.inc 'int x;' 'no source'
breaks Makefile 'include added.mk' 'no list'
breaks mk/added.mk 'x:' 'no list'
breaks guest/init.c '#include "../test/caps.h"' 'a guest knows'
breaks guest/init.c '#include "../vm/vm.h"' 'a guest knows'
are_found
breaks vm/exit/dispatch.c 'int x(struct vcpu *v) { return hvm_exit_code(&v->hvm) == EXIT_CPUID; }' EXIT_CPUID
breaks vm/exit/dispatch.c 'int x(struct vcpu *v) { return hvm_exit_detail(&v->hvm) & 4; }' 'says hvm_exit_detail'
breaks vm/exit/dispatch.c 'int x = VIOLATION_TRANSLATED;' VIOLATION_TRANSLATED
breaks vm/exit/dispatch.c 'int x(struct vcpu *v) { return v->hvm_room.vmx.launched; }' 'says .vmx'
breaks vm/run.c 'int x = EXIT_CPUID;' EXIT_CPUID
breaks vm/run.c 'int x = 0x4402;' 'a VMCS field'
breaks vm/run.c 'int x = 0x681eu;' 'a VMCS field'
breaks vm/run.c 'int x = 26654;' 'a VMCS field'
breaks vm/run.c 'void x(void) { asm(".byte 0x0f, 0x78, 0xc3"); }' 'says .byte 0x0f, 0x78'
breaks vm/run.c 'uint64_t (*x)(const struct hvm_vcpu *) = hvm_exit_code;' 'says hvm_exit_code'
breaks vm/run.c 'void x(struct vcpu *v, struct y *y) { y->c = hvm_exit_code(&v->hvm); }' 'that is kept'
breaks vm/account/stats.c 'uint64_t x(struct vcpu *v) { return v->exits[MINE].count; }' 'exits[MINE]'
breaks vm/run.c 'bool x(struct vcpu *v) { uint64_t c = hvm_exit_code(&v->hvm); return c == 10; }' 'c == 10'
breaks vm/run.c 'void x(struct vcpu *v) { unsigned c = hvm_exit_code(&v->hvm), d; d = c; switch (d) { } }' 'switch (d)'
breaks vm/run.c 'int x(struct vcpu *v) { unsigned c = hvm_exit_code(&v->hvm); return is_it(v, c); }' 'is_it(c)'
breaks vm/run.c 'bool x(unsigned code) { return 48u == code || (10) == code; }' '48u == code'
breaks vm/account/stats.c 'bool x(unsigned n) { return hvm_exit_kind(n) && 48 == n; }' '48 == n'
breaks vm/account/stats.c 'bool x(unsigned n) { return n < HVM_EXIT_CODES && n > 42; }' 'n > 42'
breaks vm/account/stats.c 'uint64_t x(struct vcpu *v) { return v->exits[30].count; }' 'by its number'
breaks vm/run.c 'bool x(struct vcpu *v) { return v->exit - v->exits == 28; }' 'from its place'
breaks vm/exit/dispatch.c 'int x(struct vcpu *v) { long d = hvm_exit_detail(&v->hvm); return d >> 12; }' 'd >> 12'
breaks vm/exit/io.c 'bool x(hvm_io_t io) { return io.v & 8; }' 'access to a port'
breaks vm/sched/schedule.c 'uint64_t x(struct vcpu *v) { return hvm_exit_code(&v->hvm); }' 'says hvm_exit_code'
breaks host/cpu/smp.c 'bool x(hpa_t vmcs) { return vmptrld(vmcs); }' vmptrld
breaks host/cpu/smp.c '/* With VT-x. */' VT-x
breaks tool/base/exits.c 'int x = EXIT_CPUID;' EXIT_CPUID
breaks lab/machine/fast.c 'int x = VMCS_VPID;' VMCS_VPID
breaks dev/timer.c '#include "vm/vm.h"' 'may not use'
breaks dev/timer.c '%:include "vm/vm.h"' 'may not use'
breaks dev/timer.c '#/* */include "vm/vm.h"' 'may not use'
breaks dev/timer.c '#include VM_H' 'not written'
breaks dev/timer.c "$(printf '#incl\\\nude "vm/vm.h"')" 'may not use'
breaks dev/timer.c 'asm(".include \"vm/vm.h\"");' 'not written'
breaks test/unit/dev/test_added.c 'int x;' 'the name of no file'
breaks vm/run.c '/* What vmcs says. */' 'a word of one vendor'
breaks vm/run.c '/* What EXITINFO1 says. */' 'a word of one vendor'
breaks lib/fmt.c '/* What the VMCS says. */' 'a word of one vendor'
breaks mmu/shadow/added.c 'int x;' 'reading order'
breaks vm/added.c 'int x;' 'has no test'
breaks tool/base/added.c 'int x;' 'has no test'
are_found
objcopy --add-symbol hvm_added=.text:0,function build/vellum.elf
objcopy --add-symbol fmt_added=.text:0,global,function build/hyp/lib/fmt.o
sed -i 's/^size_t fmt_v(/FOR_TESTS &/' lib/fmt.h
for said in '^hvm_added of hvm/ is called' '^fmt_added of lib/fmt.c is used by no other file' \
	'^fmt_v says FOR_TESTS, and others use it'; do
	if python3 script/rooms.py build > rooms || ! grep -q "$said" rooms; then
		echo "rooms.py does not find '$said':"
		cat rooms
		exit 1
	fi
	total=$((total + 1))
done
echo "$total breaches of the rooms' rules have been found"
