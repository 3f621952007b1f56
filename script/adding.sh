#!/bin/sh
# Adds a mechanism and a device as docs/architecture.md says ("To add one"), in a copy of the tree, and boots a guest
# with both: adding.sh BUILD.
set -eu
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for folder in Makefile mk script docs test/oracle lib mmu emulate dev host hvm vmx vm model tool lab guest; do
	mkdir -p "$work/$(dirname "$folder")"
	cp -a "$folder" "$work/$(dirname "$folder")"
done
mkdir -p "$work/build"
cp -a "$build/hyp" "$build/tool" "$build/lab" "$build/bochs" "$work/build/"
cd "$work"

# A mechanism: the virtual TLB under another name.
mkdir mmu/added
sed 's/mmu_vtlb/mmu_added/; s/\.name = "vtlb"/.name = "added"/' mmu/vtlb/vtlb.c > mmu/added/added.c
sed -i 's|^MMU_DIRS := .*|& mmu/added|' mk/rooms.mk
sed -i 's|^extern const struct mmu_ops mmu_brute;|&\nextern const struct mmu_ops mmu_added;|' mmu/mechanisms.h
sed -i 's|^\t&mmu_brute,|&\n\t\&mmu_added,|' mmu/mechanisms.c
sed -i 's|"brute", NULL }|"brute", "added", NULL }|' vm/config/switch.c

# A device: the test device's latch, of four ports, at another place.
sed 's/testdev/added/g; s/TESTDEV/ADDED/g; s/0xff000000u/0xff100000u/' dev/test/testdev.h > dev/test/added.h
sed 's/testdev/added/g; s/TESTDEV/ADDED/g; s/0xe0/0xe8/g; s/0xe4/0xec/g; s/0x2000/0x2800/g' dev/test/testdev.c > \
	dev/test/added.c
sed -i 's|^#include "dev/test/testdev.h"|#include "dev/test/added.h"\n&|' vm/vm.h
sed -i 's|^\tstruct testdev \*testdev;.*|&\n\tstruct added added;|' vm/vm.h
init='added_init(\&vm->added, \&vm->pio, \&vm->mmio, (struct irq_line[ADDED_LINES]){ { 0 } }, drop_mapping, vm)'
sed -i "s|phases_init(vm) &&|$init \\&\\& &|" vm/platform.c

# Their places in the house.
sed -i 's/^| `mmu\/vtlb` |.*/&\n| `mmu\/added` | the mechanism `added` | `lib`, `mmu`, `mmu\/table`, `bug()` |/
	s/^- `dev\/test\/testdev.c`,/- `mmu\/added\/added.c`, `dev\/test\/added.c`, `dev\/test\/added.h`\n&/
	s/^| `mmu` |.*`mmu\/vtlb`,/& `mmu\/added`,/' docs/architecture.md

# What sed has not found is not added.
for place in mk/rooms.mk:mmu/added mmu/mechanisms.h:mmu_added mmu/mechanisms.c:mmu_added vm/config/switch.c:'"added"' \
	vm/vm.h:'struct added added' \
	vm/platform.c:added_init; do
	grep -q "${place#*:}" "${place%%:*}" || { echo "adding.sh: ${place%%:*} has no place for ${place#*:}"; exit 1; }
done

make --no-print-directory -j2 build/vellum build/vellum.elf > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
python3 script/rooms.py build > "$work/rooms" || { cat "$work/rooms"; exit 1; }
printf 'vm added\nkernel %s/guest/test/memory.elf\nmem 16M\nmmu added\n' "$build" > machines
build/vellum run --quiet --vm machines --timeout 120 > out 2>&1 || { cat out; exit 1; }
echo "a mechanism and a device have been added; a guest has run under the one, with the other beside it"
