#!/bin/sh
# Runs every mutant of lib/mutants/mutate.h against the unit tests of vm/, and writes the table of what killed it:
# mutate-vm.sh DIRECTORY TABLE [MUTANT...], DIRECTORY with the test programs. Fails where a mutant lives. With names
# given, only those run, and no table is written.
#
# A kill is a test that fails with the mutant and passes without it, or a promise of Vellum's (BUG_ON) that its program
# ends by. A crash of another kind, or a timeout, is none.
set -u
directory=$1
table=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A program that ends by a signal or not in time, with no promise broken, is tried once more: something else may have
# ended it.
run() {
	VM_MUTANT=$1 timeout 20 "$2" > "$work/out" 2> "$work/err"
	status=$?
	cat "$work/err" >> "$work/out"
	[ $status -lt 124 ] || grep -q '^panic ' "$work/out"
}

# try MUTANT PROGRAM: the names of the tests that fail, and "promise" where a promise is broken, into $work/failed.
try() {
	run "$1" "$2" || run "$1" "$2" || echo "$1: $(basename "$2") ends with status $status, which is no kill" >&2
	sed -n 's/^\[  FAILED  \] \([a-z_0-9]*\)$/\1/p' "$work/out" | sort -u > "$work/failed"
	if grep -q '^panic ' "$work/out"; then
		grep '^\[ RUN' "$work/out" | tail -1 | sed 's/.*\] //; s/$/ (a broken promise)/' >> "$work/failed"
	fi
	sort -u -o "$work/failed" "$work/failed"
}

for program in "$directory"/vm_* "$directory"/plain/*; do
	case $program in *.d | *.o | *\*) continue ;; esac
	echo "$program"
done > "$work/programs"
# Those that take long come last.
: > "$work/quick"
: > "$work/slow"
while read -r program; do
	began=$(date +%s%N)
	try NONE "$program"
	cp "$work/failed" "$work/base.$(basename "$program")"
	[ $((($(date +%s%N) - began) / 1000000)) -lt 2000 ] && echo "$program" >> "$work/quick" || echo "$program" >> \
		"$work/slow"
done < "$work/programs"
cat "$work/quick" "$work/slow" > "$work/programs"
VM_MUTANT=list $(head -1 "$work/programs") | grep -v '^NONE	' > "$work/all"
if [ $# -gt 0 ]; then
	printf '%s\n' "$@" > "$work/names"
else
	cut -f1 "$work/all" > "$work/names"
fi

living=0
total=0
: > "$work/rows"
while read -r name; do
	what=$(sed -n "s/^$name	//p" "$work/all")
	by=
	while read -r program; do
		try "$name" "$program"
		by=$(comm -23 "$work/failed" "$work/base.$(basename "$program")" | head -1)
		[ -n "$by" ] && break
	done < "$work/programs"
	total=$((total + 1))
	if [ -n "$by" ]; then
		echo "killed: $name by $(basename "$program"), $by"
		echo "| $name | $what | \`$(basename "$program")\`, $by |" >> "$work/rows"
	else
		echo "LIVES: $name ($what)"
		echo "| $name | $what | **lives** |" >> "$work/rows"
		living=$((living + 1))
	fi
done < "$work/names"
echo "$((total - living)) of $total mutants of vm/ and vmx/ killed"
if [ $# -eq 0 ]; then
	{
		cat <<'TEXT'
# Mutations of vm/, vmx/, dev/ and host/

As [mutations.md](mutations.md) for the heart: for each check, requeue, window, truncation and blocking rule of `vm/`
and `vmx/`, and for rules of disks, queues and buses in `dev/` and of the driver of disks (`host/device/ata.c`), there
is a *mutant*, compiled only into `build/vm-mutants/`, that leaves out exactly this one. The lists are in
`lib/mutants/*.h`. `make mutate` runs unit tests (`VMBENCH_TESTS`, on the bench of `test/vm/`, and `VM_PLAIN_TESTS`,
which need none, of `mk/vmbench.mk`) against each mutant, and fails where one lives. It wrote this page.

*Killed by* is a test that fails with the mutant and passes without: see it again with `VM_MUTANT=NAME
build/vm-mutants/PROGRAM` (`plain/PROGRAM` where its name does not begin with `vm_`).

| mutant | left out | killed by |
|---|---|---|
TEXT
		cat "$work/rows"
		echo
		echo "$((total - living)) of $total killed."
	} > "$table"
fi
[ "$living" -eq 0 ]
