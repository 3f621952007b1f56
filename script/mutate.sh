#!/bin/sh
# Runs every mutant of mmu/mutate.h against the oracle, and writes the table of what killed it: mutate.sh ORACLE TABLE
# [MUTANT...] Fails where a mutant lives. With names given, only those run, and no table is written.
#
# A kill is a failure that the oracle reports, on a sequence that passes without the mutant. A timeout is none, and no
# crash that the oracle cannot report. What TABLE says of a mutant is tried first: one sequence, or one crossing. Only
# where that no longer shows it, or nothing is known, comes a search. Its sequences are the same on every computer:
# MUTATE_ACCESSES (16 million) by each mechanism, in three rounds, the first ones short; in each first steps that follow
# each other, then steps of several vCPUs in the middle of each other's (--interleave), then crossings (the program
# explore beside ORACLE, 60 executions of each, and more from the second round on). MUTATE_JOBS mutants run side by
# side.
set -u
accesses=${MUTATE_ACCESSES:-16000000}
steps=2000

# try MECHANISM MUTANT SEED OPTION...: 0 passes, 1 fails, other: it did neither.
try() {
	mechanism=$1 mutant=$2 seed=$3
	shift 3
	(ulimit -t $((accesses / 20000 + 60))
	 case $way in crossings*)
		exec "$(dirname "$oracle")/explore" --mechanism "$mechanism" --mutant "$mutant" --most \
			"${way#crossings }" --only "$only" ;;
	 esac
	 exec "$oracle" --mechanism "$mechanism" --mutant "$mutant" --seed "$seed" --steps $steps --no-shrink "$@") < \
	 	/dev/null
}

# Where the mutant is most likely to show comes first. INVEPT and what EPT alone does need no look at the others.
order() {
	case $1 in
	EPT_* | TAG_EPT | OVERLAY_* | ALONE_* | BESIDE_*) echo ept vtlb shadow brute ;;
	NPT_*) echo npt ;;
	VTLB_*) echo vtlb shadow brute ept ;;
	TAG_* | LOG_* | AGE_* | WALK_* | SWITCH_* | POPULATE_* | SLOT_* | SYNC_HOST_*) echo ept vtlb shadow brute ;;
	TRACK_ZAP | TRACK_FLUSH) echo brute shadow vtlb ept ;;
	MMIO_*) echo vtlb shadow brute ept ;;
	*) echo shadow brute vtlb ept ;;
	esac
}

# one MUTANT WHAT: its line of the table in $work/MUTANT.row, what is to be said of it in $work/MUTANT.said.
one() {
	name=$1 what=$2 out=$work/$1.out
	known && return
	for round in 80 8 1; do
		for way in "" --interleave "crossings $((round < 80 ? 600 : 60))"; do
			look "$way" "$round" && return
		done
	done
	echo "LIVES: $name ($what)" >> "$work/$name.said"
	echo "| $name | $what | **lives** | |" > "$work/$name.row"
	touch "$work/$name.lives"
}

# known: where the table of before says that $name is killed. 0: it still is, and its row is written.
known() {
	where=$(awk -F ' [|] ' -v row="| $name" '$1 == row { print $3 }' "$work/known")
	m=${where%%, *} only=
	seed=$(echo "$where" | sed -n 's/.*, seed \([0-9]*\), [a-z]* [0-9]*$/\1/p')
	case $where in
	"" | '**lives**') return 1 ;;
	*", interleaved, seed "*) way=--interleave ;;
	*", seed "*) way= ;;
	*)
		way="crossings 600" seed=0 only=${where#*, }
		only=${only%, without VPID}
		;;
	esac
	kills "$seed" --runs 1 && return
	echo "$name: no longer killed by $where" >> "$work/$name.said"
	return 1
}

# look WAY ROUND: of the mutant $name. 0: killed, and its row is written.
look() {
	way=$1 round=$2 only=
	for m in $(order "$name"); do
		kills 1 --accesses $((accesses / round)) && return
	done
	return 1
}

# kills SEED OPTION...: does $m show the mutant $name in the sequences from SEED on, or in crossings ($way, $only)?
kills() {
	# shellcheck disable=SC2086
	try "$m" "$name" "$@" $way > "$out" 2>&1
	status=$?
	[ $status -eq 0 ] && return 1
	seed=$(sed -n 's/^FAILED: mechanism [^,]*, seed \([0-9]*\), step .*/\1/p' "$out" | head -1)
	step=$(sed -n 's/^FAILED: mechanism [^,]*, seed [0-9]*, step \([0-9]*\).*/\1/p' "$out" | head -1)
	if [ $status -ne 1 ] || [ -z "$seed" ]; then
		echo "$name: $m ends with status $status and no failure: no kill" >> "$work/$name.said"
		return 1
	fi
	# shellcheck disable=SC2086
	if ! try "$m" NONE "$seed" --runs 1 $way > "$out.none" 2>&1; then
		echo "$name: $m, seed $seed fails without the mutant, too: no kill" >> "$work/$name.said"
		touch "$work/baseline-fails"
		return 1
	fi
	told "$out"
}

# What killed $name: where, and what the oracle said first.
told() {
	sign=$(sed -n '/^FAILED/{n;p;}' "$1" | head -1 | cut -c1-150 | sed 's/^ *//; s/|/\\|/g')
	case $way in
	*crossings*) where="$m, $(sed -n 's/^FAILED: [^:]*: //p' "$1" | head -1)" ;;
	*interleave*) where="$m, interleaved, seed $seed, round $step" ;;
	*) where="$m, seed $seed, step $step" ;;
	esac
	echo "killed: $name by $where" >> "$work/$name.said"
	echo "| $name | $what | $where | $sign |" > "$work/$name.row"
}

if [ "$1" = --one ]; then
	oracle=$2 work=$3
	one "$4" "$(sed -n "s/^$4	//p" "$work/all")"
	cat "$work/$4.said"
	exit 0
fi

oracle=$1
table=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$oracle" --mutants | grep -v '^NONE	' > "$work/all"
cp "$table" "$work/known" 2> /dev/null || : > "$work/known"
if [ $# -gt 0 ]; then
	printf '%s\n' "$@" > "$work/names"
else
	cut -f1 "$work/all" > "$work/names"
fi
xargs -P "${MUTATE_JOBS:-1}" -n 1 "$0" --one "$oracle" "$work" < "$work/names"

total=$(wc -l < "$work/names")
living=$(find "$work" -name '*.lives' | wc -l)
echo "$((total - living)) of $total mutants killed"
if [ $# -eq 0 ]; then
	{
		cat <<'EOF'
# Mutations

A test that cannot fail proves nothing. So for each flush, write-protection, sync, drop and recheck in `mmu/` there is
a *mutant*: a switch, compiled only into `build/oracle-mutants/oracle`, that leaves out exactly this one. In the code
it is the line inside `MUTANT(NAME, ...)`, or the condition in `MUTANT_OR(NAME, ...)`; the list is in `mmu/mutate.h`.
`make mutate` (`MUTATE_JOBS=2` to use two CPUs) runs the oracle (`test/oracle/`: random guests and hosts on a model of
the CPU that keeps in its caches whatever the architecture lets it keep) against each mutant, and fails where one
lives. It wrote this page, and reads it: what killed a mutant before is tried first, and only where that no longer does
comes a search, which takes minutes to hours. So a run that changes nothing is short, and writes the same page again.

*Killed by* is the sequence that showed it, which the oracle passes without the mutant: see it again with
`build/oracle-mutants/oracle --mechanism M --mutant NAME --seed N --runs 1 --steps 2000`, which also shrinks it; with
`--interleave` where it says *interleaved*; where it names a crossing (`test/oracle/explore/crossings.c`), with
`build/oracle-mutants/explore --mechanism M --mutant NAME --only CROSSING`. *First sign* is what the oracle said; ids
like S5 are those of [docs/mmu.md](mmu.md).

| mutant | left out | killed by | first sign |
|---|---|---|---|
EOF
		while read -r name; do
			cat "$work/$name.row"
		done < "$work/names"
		echo
		echo "$((total - living)) of $total killed."
		cat "$(dirname "$0")/mutate-notes.md"
	} > "$table"
fi
[ "$living" -eq 0 ] && [ ! -e "$work/baseline-fails" ]
