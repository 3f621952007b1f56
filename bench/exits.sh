#!/bin/bash
# What VM exits cost, held against the limits that the project has set itself. On Bochs a TSC tick is an instruction.
#
#   bench/exits.sh [BUILD] [OPTION]...      BUILD is build by default; the options go to `vellum run`, e.g. --cpu
#   corei7_skylake_x
#
# Prints tables: the path length of single exits as the guest sees them (test kernel exitcost), the default guest's
# boot, what recording an exit adds to it, what each measure against speculation adds to an exit, on the CPU model of
# BARE_CPU and on one that has the MSRs (SCA_CPU), what an access to the local APIC costs by each method, with each
# form of instruction trapped, also the rare ones, to each other register where the CPU serves the TPR, and from
# several places, what is between CPUs, what 4 CPUs wait for each other, the default guest's boot with 4 CPUs, and a
# 32-bit kernel's accesses to its TPR. Status 1 when a limit is exceeded or a run fails.
set -uo pipefail
build=build
case ${1:-} in ''|-*) ;; *) build=$1; shift ;; esac
vellum=$build/vellum
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "bench: $*" >&2; exit 1; }

"$vellum" run --kernel "$build/guest/test/exitcost.elf" --mem 64M --clock host --timeout 100 --json "$work/cost.json" \
	"$@" >"$work/cost" 2>&1 ||
	{ tail -n 5 "$work/cost" >&2; fail "the test kernel exitcost did not end well"; }
"$vellum" run --pages 2m --no-rdrand --timeout 200 --json "$work/boot.json" "$@" >"$work/boot" 2>&1 ||
	{ tail -n 5 "$work/boot" >&2; fail "the default guest did not end well"; }

# Each exit written to a disk.
"$vellum" run --kernel "$build/guest/test/exitcost.elf" --mem 64M --clock host --timeout 100 --trace "$work/cost.csv" \
	"$@" >"$work/traced" 2>&1 || fail "exitcost with --trace did not end well"

# Each measure alone, and nothing, as MODEL.MEASURE.
BARE_CPU=corei7_haswell_4770 SCA_CPU=tigerlake
mkdir "$work/measures"
for run in $BARE_CPU.{off,registers,rsb,auto} $SCA_CPU.{off,registers,l1d,verw,ibrs,rsb,guest,auto}; do
	"$vellum" run --kernel "$build/guest/test/exitcost.elf" --mem 64M --clock host --timeout 100 --cpu "${run%.*}" \
		--mitigations "${run#*.}" >"$work/measures/$run" 2>&1 || fail \
		"exitcost with --mitigations ${run#*.} on ${run%.*} did not end well"
done

# The local APIC's registers by each method and mechanism, as METHOD.MECHANISM.
mkdir "$work/tpr"
for run in {trap,flexpriority,apicv}.{ept,shadow}; do
	"$vellum" run --kernel "$build/guest/test/exitcost.elf" --mem 64M --clock host --timeout 100 --cpu $BARE_CPU \
		--tpr "${run%.*}" --mmu "${run#*.}" >"$work/tpr/$run" 2>&1 || fail \
		"exitcost with --tpr ${run%.*} --mmu ${run#*.} did not end well"
done

# Accesses to the TPR and EOI by each form of instruction, which are trapped, also where patching leaves them to the
# trap, as METHOD.BITS.MECHANISM.CPU.VCPUS; to each other register; and from several places.
tprcost() {
	local directory=$1 run=$2 method bits mmu cpu vcpus
	shift 2
	IFS=. read -r method bits mmu cpu vcpus <<<"$run"
	"$vellum" run --kernel "$build/guest/test/tprcost$bits.elf" --mem 64M --clock host --timeout 200 --cpu "$cpu" \
		--tpr "$method" --mmu "$mmu" --vcpus "$vcpus" "$@" >"$directory/$run" 2>&1 || fail \
		"tprcost$bits with --tpr $method --mmu $mmu --cpu $cpu --vcpus $vcpus did not end well"
}
mkdir "$work/forms" "$work/others" "$work/places" "$work/expired" "$work/closed" "$work/every" "$work/every16"
for run in trap.{32,32pae,64}.{ept,shadow,vtlb,brute}.$BARE_CPU.1 trap.{32,64}.shadow.$SCA_CPU.1 \
	patch.{32,64}.{ept,shadow}.$BARE_CPU.1 patch.32.{ept,shadow}.$BARE_CPU.2; do
	tprcost "$work/forms" "$run"
done
for run in {flexpriority,apicv}.{32,32pae,64}.{ept,shadow}.$BARE_CPU.1; do
	tprcost "$work/others" "$run" --append all
done
for run in {flexpriority,apicv}.64.{ept,shadow}.$BARE_CPU.1; do
	tprcost "$work/expired" "$run" --append expires --json "$work/expired/$run.json"
done
for run in {trap,flexpriority,apicv}.64.{ept,shadow}.$BARE_CPU.1; do
	tprcost "$work/places" "$run" --append places
done
for run in {trap,flexpriority}.{32,32pae,64}.{ept,shadow}.$BARE_CPU.1; do
	tprcost "$work/closed" "$run" --append closed
done

# And by all other instructions; also of 16 bits.
for run in trap.{32,32pae,64}.{ept,shadow,vtlb,brute}.$BARE_CPU.1 \
	flexpriority.{32,32pae,64}.{ept,shadow}.$BARE_CPU.1; do
	tprcost "$work/every" "$run" --append "every all"
done
for run in {trap,flexpriority}.{32,32pae}.{ept,shadow}.$BARE_CPU.1; do
	tprcost "$work/every16" "$run" --append "every all code16"
done

# Interrupts from one virtual CPU to another, and moves from CPU to CPU; and all steps of a move on one CPU, where a
# tick is an instruction.
"$vellum" run --kernel "$build/guest/test/ipicost.elf" --mem 64M --clock host --timeout 100 --cpu $BARE_CPU --vcpus 2 \
	--host-cpus 2 >"$work/ipi" 2>&1 || fail "the test kernel ipicost did not end well"
"$vellum" run --kernel "$build/guest/test/ipicost.elf" --append gap=1500 --mem 64M --clock host --timeout 100 --cpu \
	$BARE_CPU --host-cpus 2 --migrate-every 1 >>"$work/ipi" 2>&1 || fail "ipicost, moved, did not end well"
"$vellum" run --kernel "$build/guest/test/ipicost.elf" --append gap=1000 --mem 64M --clock host --timeout 100 --cpu \
	$BARE_CPU --host-cpus 1 --migrate-every 1 >"$work/move" 2>&1 || fail "ipicost, moved at home, did not end well"

# The first once more, on a machine where time goes on by 1, not by 16, for a CPU that sleeps, in each turn of the
# others.
mkdir "$work/by-one"
ln -s "$(realpath "$build")"/* "$work/by-one"
rm "$work/by-one/vellum" "$work/by-one/bochs"
cp "$vellum" "$work/by-one"
cat >"$work/by-one/bochs" <<EOF
#!/bin/sh
for configuration; do :; done
sed -i 's/^cpu: .*/&, quantum=1/' "\$configuration"
exec "$(realpath "$build/bochs")" "\$@"
EOF
chmod +x "$work/by-one/bochs"
"$work/by-one/vellum" run --kernel "$build/guest/test/ipicost.elf" --mem 64M --clock host --timeout 100 \
	--cpu $BARE_CPU --vcpus 2 --host-cpus 2 >"$work/ipi-by-one" 2>&1 || fail "ipicost, by one, did not end well"

# Fresh memory, touched by 4 virtual CPUs side by side on 4 CPUs, as MECHANISM.json.
mkdir "$work/fresh"
for mmu in ept shadow vtlb; do
	"$vellum" run --kernel "$build/guest/test/fresh.elf" --append "processors=4 pages=4096" --mem 256M --pages 4k \
		--clock host --timeout 100 --cpu $BARE_CPU --vcpus 4 --host-cpus 4 --mmu $mmu \
		--json "$work/fresh/$mmu.json" >"$work/fresh/$mmu" 2>&1 || fail "fresh under $mmu did not end well"
done

# The default guest with 4 virtual CPUs on 4 CPUs, as MECHANISM.json.
mkdir "$work/smp"
for mmu in ept shadow; do
	"$vellum" run --pages 2m --no-rdrand --timeout 400 --cpu $BARE_CPU --vcpus 4 --host-cpus 4 --mmu $mmu \
		--json "$work/smp/$mmu.json" >"$work/smp/$mmu" 2>&1 ||
		{ tail -n 5 "$work/smp/$mmu" >&2; fail "the default guest with 4 CPUs under $mmu did not end well"; }
done

# 1,000 accesses of a 32-bit kernel's to its TPR, none of which lets an interrupt in, as METHOD.MECHANISM.json.
mkdir "$work/irql"
for run in {trap,patch,flexpriority}.{ept,shadow}; do
	"$vellum" run --kernel "$build/guest/test/irql32.elf" --append bench=1000 --mem 64M --timeout 100 \
		--cpu $BARE_CPU --tpr "${run%.*}" --mmu "${run#*.}" --json "$work/irql/$run.json" \
		>"$work/irql/$run" 2>&1 || fail \
		"irql32 with --tpr ${run%.*} --mmu ${run#*.} did not end well"
done

python3 -B "$(dirname "$0")/exits.py" "$work/cost" "$work/boot.json" "$work/measures" "$work/tpr" "$work/ipi" \
	"$work/irql" "$work/forms" "$work/fresh" "$work/traced" "$work/others" "$work/move" "$work/places" \
	"$work/ipi-by-one" "$work/expired" "$work/smp" "$work/closed" "$work/every" "$work/every16"
