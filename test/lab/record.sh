#!/bin/bash
# `vellum lab record` on real programs: their output and status, what the trace holds, and that the lab runs it. `make
# record-test`.
#
#   record.sh BUILD
set -u
NAME=record
. "$(dirname "$0")/check.sh"

# count FILE NAME: a number of `trace-info`; 0 where it has no such line
count() { "$vellum" lab trace-info "$1" | sed -n "s/^ *$2  *\([0-9][0-9]*\)$/\1/p" | { read -r n; echo "${n:-0}"; }; }

# One process: what it reads and writes is its own, and so is its status.
seq 500 -1 1 >"$work/in"
"$vellum" lab record --quiet -o "$work/sort.vtrace" -- sort -n <"$work/in" >"$work/out"
check "the status of sort" [ $? = 0 ]
check "the output of sort" cmp -s "$work/out" <(seq 500)
check "accesses of sort" [ "$(count "$work/sort.vtrace" accesses)" -gt 100000 ]
check "one process" [ "$(count "$work/sort.vtrace" processes)" = 1 ]
check "files are mapped" [ "$(count "$work/sort.vtrace" mmap)" -gt 5 ]
check "the lab runs it" "$vellum" lab run --workload "trace:$work/sort.vtrace" --json "$work/account" >/dev/null
check "nothing was touched that the trace does not map" grep -q '"os_implicit":0[,}]' "$work/account"

# Its range holds what the program's own cache misses cost, which have no price by default.
for mmu in native ept shadow; do
	"$vellum" lab run --mmu $mmu --json "$work/off" "trace:$work/sort.vtrace" >/dev/null
	"$vellum" lab run --mmu $mmu --set machine.data_cache=on --json "$work/on" "trace:$work/sort.vtrace" >/dev/null
	check "the range holds cache misses, $mmu" awk -v low="$(number "$work/off" seconds.low)" \
		-v high="$(number "$work/off" seconds.high)" -v on="$(number "$work/on" seconds.estimate)" \
		'BEGIN { exit !(on > 0 && low <= on && on <= high) }'
done

# A script, processes that fork and exec, one that outlives its parent.
cat >"$work/script" <<'SCRIPT'
#!/bin/sh
for i in 1 2 3; do echo $i | cat; done
(sleep 0.2; echo late) &
exit 7
SCRIPT
chmod +x "$work/script"
"$vellum" lab record --quiet -o "$work/script.vtrace" "$work/script" >"$work/out"
check "the status of a script" [ $? = 7 ]
check "the output of a script" [ "$(tr '\n' ' ' <"$work/out")" = "1 2 3 late " ]
check "forks" [ "$(count "$work/script.vtrace" fork)" -ge 5 ]
check "execs" [ "$(count "$work/script.vtrace" exec)" -ge 4 ]
check "the lab runs it" "$vellum" lab run --workload "trace:$work/script.vtrace" >"$work/account"

# One that is killed: the trace is whole all the same.
"$vellum" lab record --quiet -o "$work/killed.vtrace" -- sh -c 'kill -9 $$'
check "the status of a killed program" [ $? = 137 ]
check "the trace of a killed program" "$vellum" lab trace-info "$work/killed.vtrace" >/dev/null

# One that does not end by itself: what ends the recorder is passed on to it, and the trace is whole.
"$vellum" lab record --quiet -o "$work/ended.vtrace" -- sh -c "echo begun >$work/begun; exec sleep 100" &
for _ in $(seq 300); do
	[ -s "$work/begun" ] && break
	sleep 0.1
done
sleep 0.5
kill -TERM $!
wait $!
check "the status of an ended program" [ $? = 143 ]
check "the trace of an ended program" "$vellum" lab trace-info "$work/ended.vtrace" >/dev/null

# Threads share their process.
cat >"$work/threads.c" <<'PROGRAM'
#include <pthread.h>
static volatile char memory[4][1 << 16];
static void *fill(void *which)
{
	for (int i = 0; i < 1 << 16; i++)
		memory[(long)which][i] = 1;
	return 0;
}
int main(void)
{
	pthread_t thread[4];

	for (long i = 0; i < 4; i++)
		pthread_create(&thread[i], 0, fill, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], 0);
	return 0;
}
PROGRAM
gcc -O1 -pthread -o "$work/threads" "$work/threads.c"
check "a program with threads" "$vellum" lab record --quiet -o "$work/threads.vtrace" "$work/threads"
check "all that the threads wrote" [ "$(count "$work/threads.vtrace" writes)" -gt 262144 ]
check "threads are one process" [ "$(count "$work/threads.vtrace" processes)" = 1 ]
check "and are switched between" [ "$(count "$work/threads.vtrace" switch)" -gt 4 ]

# A program that frees its memory before it ends: it lay in 2M pages all the same.
cat >"$work/frees.c" <<'PROGRAM'
#include <stdlib.h>
int main(void)
{
	volatile char *p = malloc(32 << 20);

	for (long i = 0; i < 32 << 20; i += 4096)
		p[i] = 1;
	free((void *)p);
	return 0;
}
PROGRAM
gcc -O1 -o "$work/frees" "$work/frees.c"
"$vellum" lab record --quiet -o "$work/frees.vtrace" "$work/frees"
for pages in 2m 4k; do
	"$vellum" lab run --guest-pages $pages --json "$work/freed.$pages" "trace:$work/frees.vtrace" >"$work/freed"
done
check "large pages of what was freed" [ "$(number "$work/freed.2m" os_held_2m)" -ge 15 ]
check "... are most of it" awk -v share="$(number "$work/freed.2m" large_share)" 'BEGIN { exit !(share > 90) }'
check "small ones, and why" [ "$(number "$work/freed.4k" os_small_off)" -ge 8192 ]
check "the report says when" grep -q 'at its peak, when most of it was mapped' "$work/freed"

# Nothing is lost: neither another trace, nor what a trace is made from, nor an old one by a conversion that fails.
cp "$work/threads.vtrace" "$work/kept.vtrace"
"$vellum" lab record --quiet -o "$work/kept.vtrace" -- /bin/true 2>"$work/error"
check "another trace in its place" [ $? = 2 ] && check "... is named" grep -q \
	'is there already: name another file by -o, or replace it by --force' "$work/error"
printf 'I  04000890,3\n L 1ffeffe7e,8\n' >"$work/lackey"
cp "$work/lackey" "$work/same"
"$vellum" lab import -o "$work/same" "$work/same" 2>"$work/error"
check "a trace over its own input" [ $? = 2 ] && check "... says so" grep -q 'name another file by -o' "$work/error"
check "the input is what it was" cmp -s "$work/lackey" "$work/same"
echo 'no such line' >>"$work/same"
"$vellum" lab import --format lackey -o "$work/kept.vtrace" "$work/lackey" 2>"$work/error"
check "an import in its place" [ $? = 2 ] && check "... is named" grep -q \
	'is there already: name another file by -o, or replace it by --force' "$work/error"
"$vellum" lab import --force --format lackey -o "$work/kept.vtrace" "$work/same" 2>"$work/error"
check "a conversion that fails" [ $? = 2 ] && check "the old trace is what it was" cmp -s "$work/threads.vtrace" \
	"$work/kept.vtrace"
check "one that may be replaced" "$vellum" lab record --quiet --force -o "$work/kept.vtrace" -- /bin/true
check "and was" [ "$(count "$work/kept.vtrace" processes)" = 1 ]
check "an import that may replace" "$vellum" lab import --force -o "$work/kept.vtrace" "$work/lackey"
check "... did" [ "$(count "$work/kept.vtrace" accesses)" = 2 ]
check "nothing is left beside it" [ -z "$(find "$work" -name 'kept.vtrace?*')" ]

# What cannot be done is said, and leaves no file.
"$vellum" lab record -o "$work/none.vtrace" -- /nonexistent 2>"$work/error"
check "a program that is not there" [ $? = 2 ] && check "... is named" grep -q '/nonexistent: no such program' \
	"$work/error"
PATH=/nonexistent "$vellum" lab record -o "$work/none.vtrace" -- /bin/true 2>"$work/error"
check "without QEMU" grep -q 'apt-get install qemu-user' "$work/error"
check "no file" [ ! -e "$work/none.vtrace" ]
"$vellum" lab record -o /dev/full -- /bin/true 2>"$work/error"
check "a full disk" [ $? = 2 ] && check "... is named" grep -q 'writing failed: No space left on device' "$work/error"
check "... and no trace is reported" [ "$(grep -c 'million accesses' "$work/error")" = 0 ]
(ulimit -f 100 && exec "$vellum" lab record -o "$work/none.vtrace" -- /bin/true) 2>"$work/error"
check "a limit of files' size" [ $? = 2 ] && check "... is named" grep -q 'File too large' "$work/error"
check "no shared memory is left" [ -z "$(find /dev/shm -name 'vellum-record-*' -newer "$work/in")" ]

conclude
