#!/bin/sh
# A long run of the oracle: soak.sh DIRECTORY ACCESSES. One process a CPU, each with its own seeds; stops at the first
# failure.
set -u
dir=$1
jobs=$(nproc)
each=$(($2 / jobs / 4))
pids=

for job in $(seq "$jobs"); do
	(
		for mechanism in ept shadow vtlb brute; do
			"$dir/oracle" --mechanism $mechanism --seed $((job * 1000000000)) --accesses "$each" || exit 1
		done
	) &
	pids="$pids $!"
done
status=0
for pid in $pids; do
	wait "$pid" || status=1
done
exit $status
