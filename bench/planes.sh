#!/bin/bash
# What an access to the display's planes costs, and a line of them by a repeated string, under each mechanism: the test
# kernel planes, from a disk, by SeaBIOS. Instructions, on Bochs, from before the access to behind it.
#
#   bench/planes.sh [BUILD]      BUILD is build by default
#
# Status 1 when a limit is exceeded or a run fails: 400 for a byte under ept, 450 under the others, 16,000 for a line,
# which is one exit.
set -uo pipefail
build=${1:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "bench: $*" >&2; exit 1; }

python3 -B - "$build" "$work/planes.img" "$(dirname "$0")/../test/boot" <<'END' || fail "no disk could be made"
import os, sys
build, out, tests = sys.argv[1:]
sys.path.insert(0, tests)
import screen
class Place:
    def guest(self, name): return os.path.join(build, 'guest', 'test', name + '.elf')
    def file(self, name, content):
        with open(out, 'wb') as f: f.write(content)
screen.kernel_disk(Place(), 'planes', 'planes bench')
END

status=0
for mmu in ept shadow vtlb brute; do
	"$build/vellum" run --bios seabios --vga std --disk "$work/planes.img,ro" --mem 64M --clock host --timeout 100 \
		--mmu $mmu >"$work/$mmu" 2>&1 ||
		{ tail -n 5 "$work/$mmu" >&2; fail "planes under $mmu did not end well"; }
	tr -d '\r' <"$work/$mmu" | awk -v mmu=$mmu '$1 == "BENCH" {
		printf "%-8s%-24s%8d\n", mmu, $2, $4
		if ($2 ~ /byte/ && $4 > (mmu == "ept" ? 400 : 450) || $2 ~ /line/ && $4 > 16000) { bad = 1 }
		n++
	} END { exit bad || n != 5 }' || { echo "bench: that is more than the limit" >&2; status=1; }
done
exit $status
