#!/bin/bash
# The lab's commands as people give them: several CPUs from the option to the report, JSON and CSV; and what cannot be,
# which is refused with one sentence, status 2, and nothing lost. `make lab-test`.
#
#   commands.sh BUILD
set -u
NAME=commands
. "$(dirname "$0")/check.sh"

# refused WHAT SENTENCE WORD...: `vellum lab WORD...` fails by status 2, with one line that has the sentence
refused() {
	local what=$1 sentence=$2
	shift 2
	"$vellum" lab "$@" >"$work/out" 2>"$work/error"
	check "$what is refused" [ $? = 2 ]
	check "$what: '$sentence' in $(cat "$work/error")" grep -qF -- "$sentence" "$work/error"
	check "$what: one line" [ "$(wc -l <"$work/error")" = 1 ]
}

# ---- several CPUs
ring=ring:processes=2,pages=0,switches=5000
for mmu in native ept shadow vtlb; do
	"$vellum" lab run --mmu $mmu --vcpus 2 $ring --json "$work/$mmu" --csv "$work/$mmu.csv" \
		--html "$work/$mmu.html" >"$work/$mmu.txt"
	check "two CPUs, $mmu" [ "$(number "$work/$mmu" wakeups)" = 5000 ]
	check "the report says it, $mmu" grep -q 'wake-ups of a process on another CPU  *5,000' "$work/$mmu.txt"
	check "... and how many CPUs, $mmu" eval "tr '\\n' ' ' <$work/$mmu.txt | grep -q '2  *CPUs, *seed 1'"
	check "the CSV says it, $mmu" grep -q ',wakeups,' "$work/$mmu.csv"
	"$vellum" lab run --mmu $mmu --vcpus 2 $ring --json "$work/again" >/dev/null
	check "the page says it, $mmu" grep -q 'waking of CPUs' "$work/$mmu.html"
	check "the same again, $mmu" cmp -s "$work/$mmu" "$work/again"
done
check "natively nothing exits" [ "$(number "$work/native" exits)" = 0 ]
check "EPT: an interrupt, its end, two timers, a HLT" [ "$(number "$work/ept" exits)" = 25000 ]
check "no table is loaded" [ "$(number "$work/shadow" exits.cr3)" = 0 ]
"$vellum" lab run --mmu shadow $ring --json "$work/one" >/dev/null
check "on one CPU, each time" [ "$(number "$work/one" exits.cr3)" = 5000 ]
check "and nobody is woken" [ "$(number "$work/one" wakeups)" = 0 ]
refused "no command" 'lab: say what to do (vellum lab help)'
refused "no CPU" 'guest.cpus must be from 1 to 8' run --vcpus 0
refused "a word for a number" "guest.cpus cannot be 'two'" run --vcpus two
refused "CPUs of several machines" 'guest.cpus must be 1 where hv.vms is more than 1' run --vcpus 2 --set hv.vms=2
refused "interrupts of another maker" 'it takes trap, apicv or ipiv' run --set hv.interrupts=avic

# ---- which is faster: the same, and known, whether the program's own cache misses have a price or not
for priced in off on; do
	"$vellum" lab sweep --mmu native --vary guest-pages=4k,2m --workload chase:size=16M \
		--set machine.data_cache=$priced -o "$work/order.$priced" --csv "$work/order.csv" \
		>"$work/out" 2>/dev/null
	check "2M pages are the faster ones, data_cache=$priced" grep -q '^Verdict: the fastest is guest.pages=2m' \
		"$work/out"
	check "the CSV says what a sample says" grep -q ',cycles.unpriced_data,' "$work/order.csv"
done

# ---- where they decide: reads of what was never written to share one page of zeros with 4K pages, and miss with 2M
while read -r priced answer; do
	"$vellum" lab sweep --mmu native --vary guest-pages=4k,2m --workload seq:size=32M,init=0 \
		--set machine.data_cache=$priced -o "$work/zeros.$priced" 2>/dev/null | tr -s '\n ' ' ' >"$work/out"
	check "pages of zeros, data_cache=$priced" grep -q "$answer" "$work/out"
done <<'ANSWERS'
off not known. By the estimate guest.pages=2m is; .* that hangs on how long the program waits for its data
on Verdict: the fastest is guest.pages=4k; the next, guest.pages=2m takes +
ANSWERS

# ---- beside those that may be as fast, what is known to be slower is said to be so
for pages in 4k,2m 4k,2m,1g; do
	"$vellum" lab sweep --vary mmu=native,shadow --vary guest-pages=$pages --workload seq:size=32M,init=0 \
		-o "$work/slower.$pages" 2>/dev/null | tr -s '\n ' ' ' >"$work/out"
	check "known to be slower, $pages" grep -qE \
		'which is the fastest is not known.*; ([2-9] are )?known to be slower(, the nearest)?: shadow, guest' \
		"$work/out"
done

# ---- each mechanism beside the machine itself, and those under a hypervisor with each other: what a program that forks
# gains by EPT is known, in percents and in seconds, whether data has a price or not
for priced in off on; do
	"$vellum" lab sweep --vary mmu=native,ept,shadow --workload fork:children=20 --set machine.data_cache=$priced \
		-o "$work/three.$priced" 2>/dev/null | tr -s '\n ' ' ' >"$work/out"
	check "native, EPT, shadow, data $priced" grep -q \
		'fastest is native; the next, ept takes +[^;]* [mu]*s (+[^;]*); shadow takes +[^;]* [mu]*s (+' \
		"$work/out"
	check "EPT or shadow, data_cache=$priced" grep -q \
		'under a hypervisor the fastest is ept; the next, shadow takes +[^-]* [mu]*s (+' "$work/out"
done

# ---- whether data is sampled is an assumption, too
"$vellum" lab sweep --workload gups:size=16M,updates=200k --vary machine.data_sample=on,off -o "$work/sampled" \
	>"$work/out" 2>/dev/null
check "no verdict over a sample" grep -q '^No verdict over machine.data_sample: ' "$work/out"
check "none is the fastest" [ "$(grep -c '^Verdict: .*the fastest' "$work/out")" = 0 ]

# ---- a file that may not grow: said as any other error of a write
for kind in json csv html; do
	(ulimit -f 1 && exec "$vellum" lab run --$kind "$work/long" gups:size=1M,updates=1000) \
		>/dev/null 2>"$work/error"
	check "a limit of files' size, --$kind" [ $? = 1 ] && check "... is named" \
		grep -q "cannot write .*/long: File too large" "$work/error"
done
(ulimit -f 1 && exec "$vellum" lab run --settings) >"$work/long" 2>"$work/error"
check "a limit of the standard output's size" [ $? = 1 ] && check "... is named" \
	grep -q 'the standard output cannot be written: File too large' "$work/error"

# ---- columns: before the first cell runs
small=gups:size=1M,updates=1000
refused "a column that is none" 'perhaps walks_per_1000 was meant' \
	sweep --vary mmu=ept,shadow --workload $small --columns walks_per_100 -o "$work/none.jsonl"
refused "an empty column" 'one of them is empty' \
	sweep --vary mmu=ept,shadow --workload $small --columns walks,,exits -o "$work/none.jsonl"
check "no cell has run" [ ! -e "$work/none.jsonl" ]

refused "a mechanism that is none" "there is no mechanism 'shadw'" \
	sweep --vary mmu=ept,shadw --workload $small -o "$work/none.jsonl"
refused "a sweep of another maker's interrupts" "hv.interrupts cannot be 'avic'" \
	sweep --vary hv.interrupts=trap,avic --workload $small -o "$work/none.jsonl"
refused "a sweep of which nothing can be" "none of the sweep's 2 cells can be: the machine 'penryn' has no EPT" \
	sweep --preset penryn --vary pages=4k,2m --workload $small -o "$work/none.jsonl"
check "no cell has run of these" [ ! -e "$work/none.jsonl" ]

# ---- sizes
refused "no heap" 'the heap must have between 4K and 64T bytes' run gups:size=0
refused "less than nothing" 'size of workload gups needs a number, such as size=64M' run gups:size=-5
refused "a unit that is none" 'size of workload gups needs a number' run gups:size=10X
refused "more than there is" 'give it more with guest.memory' run gups:size=64G
refused "a part of a byte" "guest.memory cannot be '1.5'" run --set guest.memory=1.5
refused "too little memory" 'guest.memory must be a multiple of 2M, from 64M to 4T' run --set guest.memory=2M
refused "ways that do not divide" "machine.l2 cannot be '1000/3'" run --set machine.l2=1000/3
refused "a page size that is none" "hv.pages cannot be '3m': it takes 4k, 2m or 1g" run --pages 3m
refused "a setting that is none" "perhaps guest.pages was meant" run --set guest.pagess=4k

refused "an address that is none" '0x800000000000 is no address: above bit 47' \
	explain --workload $small 0x800000000000

# ---- merges
for name in one two; do
	[ $name = one ] && vary=mmu=ept,shadow || vary=pages=4k,2m
	"$vellum" lab sweep --quiet --vary $vary --workload $small -o "$work/$name.jsonl"
done
cp "$work/one.jsonl" "$work/kept"
refused "a merge of two sweeps" 'is of another sweep than the file before it (1 of its 2 cells are none of theirs)' \
	merge "$work/one.jsonl" "$work/two.jsonl" -o "$work/one.jsonl"
check "what was there is what it was" cmp -s "$work/one.jsonl" "$work/kept"
check "both together are shown" eval '"$vellum" lab report "$work/one.jsonl" "$work/two.jsonl" >/dev/null 2>&1'
"$vellum" lab sweep --quiet --vary mmu=ept,shadow,vtlb --workload $small -o "$work/kept"
check "a sweep and what it has become" eval \
	'"$vellum" lab merge "$work/one.jsonl" "$work/kept" -o "$work/all" 2>/dev/null'
refused "a merge with no results" 'it is not a result of vellum lab sweep' merge "$work/one.jsonl" "$0" -o "$work/none"
check "nothing is written" [ ! -e "$work/none" ]

# ---- outputs that are an input, or each other: before anything runs
cp "$work/one.jsonl" "$work/kept"
apart='are the same file'
refused "a CSV over the results" "--csv and -o (the results) $apart" \
	sweep --vary mmu=ept --workload $small -o "$work/one.jsonl" --csv "$work/./one.jsonl"
refused "a page over the results" "--html and a results file $apart" \
	report "$work/one.jsonl" --html "$work/one.jsonl"
ln -s one.jsonl "$work/link"
refused "a page over them by a link" "--html and a results file $apart" \
	report "$work/one.jsonl" --html "$work/link"
refused "a CSV over a part" "--csv and a results file $apart" \
	merge "$work/one.jsonl" -o "$work/none" --csv "$work/one.jsonl"
refused "a CSV over what is joined" "--csv and -o $apart" merge "$work/one.jsonl" -o "$work/none" --csv "$work/none"
refused "one file for two" "--csv and --html $apart, $work/none, and one would be lost: name another for --csv" \
	sweep --vary mmu=ept --workload $small -o "$work/none.jsonl" --html "$work/none" --csv "$work/none"
refused "two on the standard output" 'only one of --json, --csv and --html can be -' \
	report "$work/one.jsonl" --html - --csv -
printf 'hv.mmu = ept\n' >"$work/settings"
refused "results over the settings" "-o (the results) and --config $apart" \
	sweep --config "$work/settings" --vary pages=4k,2m --workload $small -o "$work/settings"
refused "an account over the settings" "--json and --config $apart" \
	run --config "$work/settings" --json "$work/settings" $small
for command in "run $small" "sweep --vary mmu=ept --workload $small -o $work/none.jsonl" "report $work/one.jsonl"; do
	refused "a page nowhere, $command" 'cannot write /nowhere/x: No such file or directory' \
		$command --html /nowhere/x
done
refused "a merge nowhere" 'cannot write /nowhere/x: No such file' merge "$work/one.jsonl" -o /nowhere/x
check "nothing is lost" cmp -s "$work/one.jsonl" "$work/kept"
check "nor the settings" [ "$(cat "$work/settings")" = 'hv.mmu = ept' ]
check "nothing was begun" [ ! -e "$work/none" ] && check "nor any results" [ ! -e "$work/none.jsonl" ]
check "what keeps nothing may be named twice" "$vellum" lab report "$work/one.jsonl" --csv - \
	--html /dev/null --json /dev/null >/dev/null 2>&1

# ---- a warm-up that leaves nothing
refused "a long warm-up" 'the warm-up of 1048576 accesses leaves nothing to account for: the workload has 10035' \
	run --set warmup=1M $small
printf 'I  04000890,3\n L 1ffeffe7e,8\n' >"$work/lackey"
"$vellum" lab import --format lackey -o "$work/short.vtrace" "$work/lackey" 2>/dev/null
refused "an account over the trace" "--json and the trace $apart" \
	run --json "$work/short.vtrace" "trace:$work/short.vtrace"
check "... of which a part is run" "$vellum" lab sweep --quiet --vary seed=1,2 \
	--workload "trace:$work/short.vtrace,skip=1" -o "$work/skip.jsonl"
check "parts of one are different cells" "$vellum" lab sweep --quiet -o "$work/parts.jsonl" \
	--vary "workload=trace:$work/short.vtrace;trace:$work/short.vtrace,skip=0;trace:$work/short.vtrace,skip=1"
check "... each run" [ "$(grep -c '"cell":' "$work/parts.jsonl")" = 3 ]
refused "results over it" "-o (the results) and the trace $apart" \
	sweep --vary seed=1,2 --workload "trace:$work/short.vtrace,skip=1" -o "$work/short.vtrace"
check "the trace is what it was" "$vellum" lab trace-info "$work/short.vtrace" >/dev/null
refused "an import over a trace" 'is there already: name another file by -o, or replace it by --force' \
	import -o "$work/short.vtrace" "$work/lackey"
refused "no trace" 'trace-info needs a trace: vellum lab trace-info FILE' trace-info
refused "two traces" "trace-info takes one trace, and 'two' is one too many" trace-info "$work/short.vtrace" two
refused "an option of trace-info" "trace-info has no option '-x'" trace-info -x
refused "a warm-up longer than the trace" 'leaves nothing to account for: the workload has 2' \
	run --set warmup=10 "trace:$work/short.vtrace"
"$vellum" lab sweep --quiet --vary warmup=0,1M --workload $small -o "$work/warm.jsonl" 2>"$work/error"
check "a sweep with such a cell fails" [ $? != 0 ]
check "... and says why" grep -q 'cell warmup=1M failed: the warm-up of 1048576 accesses' "$work/error"
check "... and keeps the other" [ "$(grep -c '"cell":' "$work/warm.jsonl")" = 1 ]

# ---- nothing is wider than a page
narrow() { [ "$(awk 'length > n { n = length } END { print n + 0 }' "$2")" -le 100 ] || { echo "$1"; return 1; }; }
"$vellum" lab run --mmu shadow --guest-pages 2m --vcpus 2 ring:processes=2,pages=3,switches=2000 >"$work/out"
check "a report fits" narrow run "$work/out"
"$vellum" lab sweep --vary mmu=native,ept,shadow --vary preset=nehalem,haswell --vary pages=4k,2m --vary vcpus=1,2 \
	--vary guest-pages=4k,2m --workload $ring -o "$work/wide.jsonl" >"$work/out" 2>/dev/null
check "a table fits" narrow sweep "$work/out"
"$vellum" lab figure switches --quick -o "$work" >"$work/out" 2>/dev/null
check "a figure fits" narrow figure "$work/out"
for command in run explain sweep merge report figure record import trace-info presets workloads; do
	"$vellum" lab $command --help >"$work/out" 2>/dev/null
	check "the help of $command" [ $? = 0 ]
	check "... fits" narrow $command "$work/out"
done

conclude
