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

# measure NAME VALUE ARG...: VALUE of the account, in a second of CPU time; the best of three.
measure() {
	local name=$1 value=$2 best=
	shift 2
	for _ in 1 2 3; do
		local seconds
		seconds=$( { TIMEFORMAT=%U; time "$vellum" lab run --json "$dir/out" "$@" >/dev/null; } 2>&1 | tail -1)
		if [ -z "$best" ] || awk "BEGIN { exit !($seconds < $best) }"; then best=$seconds; fi
	done
	local count
	count=$(sed "s/.*\"$value\":\([0-9]*\).*/\1/" "$dir/out")
	awk "BEGIN { printf \"%-44s %12d in %6.2f s: %7.2f million/s\n\", \"$name\", $count, $best,
		$count / $best / 1e6 }"
}

measure "accesses of sort, EPT 4K/4K, Haswell" accesses --preset haswell --guest-pages 4k --pages 4k "trace:$trace"
measure "nested walks, GUPS over 256 MB, 4K/4K" walks --preset haswell --guest-pages 4k --pages 4k \
	gups:size=256M,updates=4M
