#!/bin/bash
# Packs the default guest's initramfs: not compressed, because unpacking costs the guest instructions.
#
#   make-initramfs.sh INIT BUSYBOX OUT [MODULES | FILE:PLACE]...
#
# MODULES is a directory; what is in it goes to /modules. An executable FILE goes to its PLACE.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: make-initramfs.sh INIT BUSYBOX OUT [MODULES...]" >&2; exit 1; }
out=$(realpath "$3")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,proc,sys,tmp}
install -m 755 "$1" "$root/init"
[ -z "$2" ] || install -m 755 "$2" "$root/bin/busybox"
for what in "${@:4}"; do
	case $what in
	*:*) install -D -m 755 "${what%%:*}" "$root/${what#*:}" ;;
	*) mkdir -p "$root/modules"; cp "$what"/* "$root/modules/" ;;
	esac
done
# The same input makes the same archive, byte for byte.
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet --reproducible -R 0:0 -H newc -o) >"$out.new"
mv "$out.new" "$out"
