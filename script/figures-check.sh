#!/bin/sh
# The committed figures are what the code draws: figures-check.sh BUILD, in which benchmmu/figures is.
set -eu
drawn=$1/benchmmu/drawn
rm -rf "$drawn"
mkdir -p "$drawn"
"$1/benchmmu/figures" "$drawn"
diff -r docs/figures "$drawn"
