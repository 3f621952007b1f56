#!/bin/sh
# The oracle's part of `make test`: oracle.sh DIRECTORY. Two processes side by side; about 40 million checked accesses.
set -u
dir=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Every combination of permission bits, by mechanism; and the random sequences.
"$dir/exhaustive" > "$out/exhaustive" 2>&1 &
a=$!
{
	ok=0
	# What once failed.
	for replay in test/oracle/replays/*; do
		"$dir/oracle" --replay "$replay" || ok=1
	done
	for mechanism in ept shadow vtlb brute; do
		"$dir/oracle" --mechanism $mechanism --covered --seed "${ORACLE_SEED:-1}" --accesses "${ORACLE_ACCESSES:-3000000}" || ok=1
	done
	# The same, shorter, with sanitizers and every invariant checked after every step.
	ASAN_OPTIONS=detect_leaks=0 "$dir-asan/oracle" --thorough --seed 900001 --runs 6 --steps 400 || ok=1
	exit $ok
} > "$out/random" 2>&1 &
b=$!
status=0
wait $a || status=1
wait $b || status=1
cat "$out/exhaustive" "$out/random"
exit $status
