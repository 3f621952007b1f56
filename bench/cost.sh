#!/bin/sh
# Prints what the memory mechanisms cost: bench/cost.sh PROGRAM. Instructions are those of mmu/ alone: callgrind counts
# inside the functions that the hypervisor calls, and leaves out the model below (machine_below_*) and the CPU.
set -eu

program=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo '== The example of docs/mmu.md'
"$program" example
echo
echo '== Table pages'
"$program" tables
echo
echo '== Work: exits, and instructions in mmu/, for one PTE write or CR3 load of the guest'
toggles=
for f in mmu_fault_locked mmu_fault_of_several mmu_set_cr3 mmu_invlpg mmu_guest_write mmu_sync_regs tag_consume \
	machine_below_alloc machine_below_free machine_below_ptr machine_below_kick machine_below_invvpid \
	machine_below_invept; do
	toggles="$toggles --toggle-collect=$f"
done
# shellcheck disable=SC2086
valgrind -q --tool=callgrind $toggles --callgrind-out-file="$dir/out" "$program" work >"$dir/exits" 2>"$dir/err" || {
	cat "$dir/err" >&2
	exit 1
}
for f in "$dir"/out.*; do
	awk '/^desc: Trigger: Client Request:/ { name = $NF }
		/^(totals|summary):/ { n = $2 }
		END { if (name) print name, n }' "$f"
done >"$dir/instructions"
awk 'NR == FNR { instructions[$1] = $2; next }
	FNR == 1 { printf "%-12s %-8s %10s %10s %14s\n", "work", "mech.", "exits", "emulated", "instructions" }
	{
		split($1, part, "/")
		printf "%-12s %-8s %10.2f %10.2f %14.0f\n", part[1], part[2], $3 / $2, $4 / $2, instructions[$1] / $2
	}' \
	"$dir/instructions" "$dir/exits" | sort -s -k1,1 | awk '/^work/ { head = $0; next } { line[++n] = $0 }
	END { print head; for (i = 1; i <= n; i++) print line[i] }'
echo
echo '== Accesses over the model, a second of CPU time of this computer'
"$program" accesses
