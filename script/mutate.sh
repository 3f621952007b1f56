#!/bin/sh
# Runs every mutant of mmu/mutate.h against the oracle and writes the table of what killed it: mutate.sh ORACLE TABLE [MUTANT...]
# Fails where a mutant lives. Each gets MUTATE_ACCESSES (12 million) by each mechanism: the same sequences on every machine.
set -u
oracle=$1
table=$2
shift 2
accesses=${MUTATE_ACCESSES:-12000000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
living=0
total=0

"$oracle" --mutants | grep -v '^NONE	' > "$work/all"
{
	echo '# Mutations'
	echo
	echo 'Each line is a flush, write-protection, sync, barrier or check of `mmu/` that a mutation build can leave out'
	echo '(`mmu/mutate.h`), and what the oracle (`test/oracle/`) said when it was left out. Written by `make mutate`.'
	echo
	echo '| mutant | left out | killed by | first sign |'
	echo '|---|---|---|---|'
} > "$work/table"

# Without any mutant the same sequences must pass, or a death would prove nothing.
if ! "$oracle" --mutant NONE --steps 2000 --accesses $((accesses / 12)) --no-shrink > "$work/out" 2>&1; then
	cat "$work/out"
	echo "mutate: the oracle fails without a mutant" >&2
	exit 1
fi
while IFS='	' read -r name what; do
	if [ $# -gt 0 ]; then
		case " $* " in *" $name "*) ;; *) continue ;; esac
	fi
	total=$((total + 1))
	# Where the mutant is most likely to show comes first.
	case $name in
	EPT_*) order='ept shadow vtlb brute' ;;
	VTLB_*) order='vtlb ept shadow brute' ;;
	TAG_* | LOG_* | WALK_* | SWITCH_* | POPULATE_*) order='ept vtlb shadow brute' ;;
	*) order='shadow brute vtlb ept' ;;
	esac
	status=0
	for mechanism in $order; do
		# A mutant may also hang or crash: that is death, too.
		(ulimit -t $((accesses / 20000 + 20))
		 exec "$oracle" --mechanism $mechanism --mutant "$name" --steps 2000 --accesses "$accesses" --no-shrink) > "$work/out" 2>&1 < /dev/null
		status=$?
		[ $status -eq 0 ] || break
	done
	if [ $status -eq 0 ]; then
		living=$((living + 1))
		echo "LIVES: $name ($what)"
		echo "| $name | $what | **lives** | |" >> "$work/table"
		continue
	fi
	by=$(sed -n 's/^FAILED: mechanism \([^,]*\), seed \([0-9]*\), step \([0-9]*\).*/\1, seed \2, step \3/p' "$work/out" | head -1)
	sign=$(sed -n '/^FAILED/{n;p;}' "$work/out" | head -1 | cut -c1-150 | sed 's/^ *//; s/|/\\|/g')
	echo "killed: $name by ${by:-status $status}"
	echo "| $name | $what | ${by:-status $status} | ${sign} |" >> "$work/table"
done < "$work/all"

echo "$((total - living)) of $total mutants killed"
if [ $# -eq 0 ]; then
	{ cat "$work/table"; echo; echo "$((total - living)) of $total killed."; } > "$table"
fi
[ $living -eq 0 ]
