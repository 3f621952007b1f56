#!/bin/bash
# How fast the lab is: CPU time of whole runs, on one core, decoding and set-up included.
#
#   lab.sh VELLUM [TRACE]      TRACE: of `sort` on 20,000 lines; recorded if there is none
set -euo pipefail

vellum=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trace=${2:-$dir/sort.vtrace}

if [ ! -e "$trace" ]; then
	seq 20000 | awk '{ printf "%016x %d\n", ($1 * 2654435761) % 4294967296, $1 }' >"$dir/lines"
	"$vellum" lab record -o "$trace" -- sort --parallel=1 "$dir/lines" >/dev/null
fi

# instructions ARG...: of this computer, that a run takes; what another program does beside it does not change them.
instructions() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$vellum" lab run "$@" 2>&1 >/dev/null |
		sed -n 's/.*Collected : //p'
}

# measure NAME VALUE MORE LESS ARG...: VALUE of the account, in a second of CPU time, the best of three; and, where
# there is valgrind, instructions an access, from a run of MORE accesses less one of LESS: so without what comes before.
measure() {
	local name=$1 value=$2 more=$3 less=$4 best=
	shift 4
	for _ in 1 2 3; do
		local seconds
		seconds=$( { TIMEFORMAT=%U; time "$vellum" lab run --json "$dir/out" "$@" >/dev/null; } 2>&1 | tail -1)
		if [ -z "$best" ] || awk "BEGIN { exit !($seconds < $best) }"; then best=$seconds; fi
	done
	local count each=-
	count=$(sed "s/.*\"$value\":\([0-9]*\).*/\1/" "$dir/out")
	if command -v valgrind >/dev/null; then
		local most least
		most=$(instructions "$@" --set "limit=$more")
		least=$(instructions "$@" --set "limit=$less")
		each=$(awk "BEGIN { printf \"%.1f\", ($most - $least) / ($more - $less) }")
	fi
	awk "BEGIN { printf \"%-38s %9d in %5.2f s: %6.2f million/s; %s instructions an access\n\", \"$name\",
		$count, $best, $count / $best / 1e6, \"$each\" }"
}

measure "accesses of sort, EPT 4K/4K, Haswell" accesses 30000000 10000000 --preset haswell --guest-pages 4k --pages 4k \
	"trace:$trace"
measure "nested walks, GUPS over 256 MB, 4K/4K" walks 4000000 2000000 --preset haswell --guest-pages 4k --pages 4k \
	gups:size=256M,updates=4M
command -v valgrind >/dev/null || echo "(instructions are counted by valgrind, which is not installed)"
