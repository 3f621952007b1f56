#!/bin/bash
# Gets what is no kernel of Linux' and runs on the bare machine, as Debian has it:
#
#   get-foreign.sh DIR      leaves DIR/xen, the hypervisor Xen; DIR/gnumach, GNU Mach; DIR/memtest86+ and
#                           DIR/ipxe.lkrn, which Linux' boot protocol starts
set -euo pipefail
VELLUM_SAY=get-foreign
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
[ $# -eq 1 ] || die "usage: get-foreign.sh DIR"
arch=amd64
. "$here/packages.sh"
mkdir -p "$1"

# The package of today's Xen has its version in its name.
xen=$(apt-cache pkgnames xen-hypervisor-4 2>/dev/null | grep -E '^xen-hypervisor-[0-9.]+-amd64$' | sort -V |
	tail -n 1) || true
xen=$(package "xen-hypervisor-[0-9]*-amd64_*_$arch.deb" "$xen")
memtest=$(package "memtest86+_*_$arch.deb" memtest86+)
mach=$(apt-cache pkgnames gnumach-image-1 2>/dev/null | grep -E '^gnumach-image-[0-9.]+-(486|amd64)$' | sort -V |
	tail -n 1) || true
mach=$(package "gnumach-image-[0-9]*_*_$arch.deb" "$mach")
ipxe=$(arch=all package "ipxe_*_all.deb" ipxe)
dpkg-deb --fsys-tarfile "$xen" | tar -xO --wildcards './boot/xen-*-amd64.gz' | gzip -dc >"$1/xen.new"
dpkg-deb --fsys-tarfile "$memtest" | tar -xO ./boot/memtest86+x64.bin >"$1/memtest86+"
dpkg-deb --fsys-tarfile "$mach" | tar -xO --wildcards './boot/gnumach-*.gz' | gzip -dc >"$1/gnumach"
dpkg-deb --fsys-tarfile "$ipxe" | tar -xO ./boot/ipxe.lkrn >"$1/ipxe.lkrn"
mv "$1/xen.new" "$1/xen"
