#!/bin/sh
# The committed figures are what the code draws: figures-check.sh BUILD, in which benchmmu/figures is.
set -eu
drawn=$1/benchmmu/drawn
rm -rf "$drawn"
mkdir -p "$drawn"
"$1/benchmmu/figures" "$drawn"
# Pictures of guests' screens (screen-*.png) are not drawn here.
diff -r --exclude='screen-*.png' docs/figures "$drawn"
