#!/bin/bash
# Gets the default guest: Debian's own amd64 kernel and a static busybox, as packages, unpacked but not installed.
#
#   get-guest.sh DIR      leaves DIR/bzImage, DIR/vmlinux, DIR/busybox and DIR/release
#
# The packages stay in the per-user cache. When the archive cannot be reached, the newest ones there are used.
set -euo pipefail
VELLUM_SAY=get-guest
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
[ $# -eq 1 ] || die "usage: get-guest.sh DIR"
mkdir -p "$1"
dir=$(cd "$1" && pwd)
cache=$vellum_cache/packages
mkdir -p "$cache"
lock packages

# package PATTERN PACKAGE: prints the path of the cached package, fetching it if it is not there. PATTERN is what the
# cache is searched for when PACKAGE is empty (apt knows of none) or cannot be fetched.
package() {
	local pattern=$1 name=$2 version file
	if [ -n "$name" ]; then
		version=$(apt-cache show --no-all-versions "$name" 2>/dev/null | sed -n 's/^Version: //p' | head -n 1)
		file=$cache/${name}_${version//:/%3a}_amd64.deb
		if [ -n "$version" ] && [ ! -f "$file" ]; then
			say "fetching $name $version"
			(cd "$cache" && apt-get -qq -o APT::Sandbox::User= download "$name=$version" >&2) || true
		fi
		[ ! -f "$file" ] || { echo "$file"; return; }
	fi
	# shellcheck disable=SC2012,SC2086
	file=$(ls -1 "$cache"/$pattern 2>/dev/null | sort -V | tail -n 1)
	[ -n "$file" ] || die "no package ${name:-$pattern}: the archive cannot be reached (try apt-get update) and none is in $cache"
	say "*** $name cannot be fetched: using $file from the cache ***"
	echo "$file"
}

linux=$(apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*-amd64\)$/\1/p' | head -n 1)
linux=$(package 'linux-image-[0-9]*-amd64_*.deb' "$linux")
busybox=$(package 'busybox-static_*.deb' busybox-static)

if [ ! -f "$dir/vmlinux" ] || [ "$(cat "$dir/package" 2>/dev/null)" != "$(basename "$linux")" ]; then
	say "unpacking $(basename "$linux")"
	rm -rf "$dir/unpack" "$dir/package"
	mkdir -p "$dir/unpack"
	# The kernel alone: the modules, a hundred times its size, are not wanted.
	dpkg-deb --fsys-tarfile "$linux" | tar -x -C "$dir/unpack" --wildcards './boot/vmlinuz-*'
	set -- "$dir"/unpack/boot/vmlinuz-*
	[ -f "$1" ] || die "$linux holds no kernel"
	mv "$1" "$dir/bzImage"
	echo "${1##*/vmlinuz-}" >"$dir/release"
	rm -rf "$dir/unpack"
	"$here/extract-vmlinux" "$dir/bzImage" "$dir/vmlinux"
	basename "$linux" >"$dir/package"
fi
if [ ! -f "$dir/busybox" ] || [ "$busybox" -nt "$dir/busybox" ]; then
	dpkg-deb --fsys-tarfile "$busybox" | tar -xO --wildcards './bin/busybox' >"$dir/busybox.new"
	chmod 755 "$dir/busybox.new"
	mv "$dir/busybox.new" "$dir/busybox"
	touch "$dir/busybox"
fi
