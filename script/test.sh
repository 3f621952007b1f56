#!/bin/bash
# All tests, one after the other, each kind two at a time; ends with the line "N passed, N failed". Called by `make test`.
#
#   test.sh BUILD UNIT_BINARY...
#
# Every test counts once: a cmocka test in a binary (built by gcc, and again by clang), a part of the oracle's run, a boot.
# What cannot run has failed.
set -u
build=$1
shift
passed=0 failed=0
say() { printf '%s\n' "$*"; }

# unit BINARY: runs it, and leaves its output and its status beside it.
unit() {
	timeout 600 "$1" >"$1.log" 2>&1
	echo $? >"$1.status"
}
export -f unit

say "== unit tests: $# programs"
printf '%s\n' "$@" | xargs -P 2 -I {} bash -c 'unit {}'
for t in "$@"; do
	ok=$(grep -c '^\[       OK \]' "$t.log")
	bad=$(grep '^\[  FAILED  \] [^0-9]' "$t.log" | sort -u | wc -l)
	if [ "$(cat "$t.status" 2>/dev/null)" != 0 ] || [ "$ok" = 0 ]; then
		[ "$bad" -gt 0 ] || bad=1
		say "FAILED: $t"
		tail -n 30 "$t.log" | sed 's/^/    /'
	fi
	passed=$((passed + ok)) failed=$((failed + bad))
done
say "   $passed passed, $failed failed"

# part NAME TARGET [COUNTS]: a make target that counts as one test, or leaves "PASSED FAILED" in the file COUNTS.
part() {
	local p=0 f=1
	say "== $1"
	[ $# -lt 3 ] || rm -f "$3"
	if make --no-print-directory "$2"; then
		[ $# -eq 3 ] || p=1 f=0
	else
		say "FAILED: $1"
	fi
	[ $# -lt 3 ] || [ ! -f "$3" ] || read -r p f <"$3"
	passed=$((passed + p)) failed=$((failed + f))
}
export EMULATE_CASES=4000000
part "ten million instructions, on this CPU and in the emulator" emulate-native
part "the mechanisms against the model" oracle
part "the figures of docs/mmu.md" figures-check
part "the rooms, who uses whom, and the reading order" rooms-check
part "adding a mechanism and a device" adding-check
part "recording programs" record-test
part "boots" boot-test "$build/boot-test.counts"

say "$passed passed, $failed failed"
[ "$failed" = 0 ]
