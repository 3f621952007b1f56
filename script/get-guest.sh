#!/bin/bash
# Gets a guest: one of Debian's own kernels and a static busybox of its architecture, as packages, unpacked but not
# installed.
#
#   get-guest.sh KERNEL DIR      KERNEL: amd64, 686-pae or 686, as in linux-image-KERNEL;
#                                leaves DIR/bzImage, DIR/vmlinux, DIR/busybox and DIR/release, and of the modules
#                                DIR/pvpanic.ko and DIR/pvpanic-mmio.ko, for a test, and DIR/modules/, for a guest
#                                with disks, and DIR/modules-ide/, with drives at an IDE controller, and
#                                DIR/modules-more/, with other virtio devices, by names in whose order they are to be
#                                loaded
#
# The index of i386 is read into a directory of its own: the system need not know of it.
set -euo pipefail
VELLUM_SAY=get-guest
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
. "$here/packages.sh"
[ $# -eq 2 ] || die "usage: get-guest.sh KERNEL DIR"
kernel=$1
case $kernel in
amd64) arch=amd64 ;;
686-pae|686) arch=i386 ;;
*) die "there is no kernel $kernel (there are amd64, 686-pae and 686)" ;;
esac
mkdir -p "$2"
dir=$(cd "$2" && pwd)
# The machine's own mirrors, for i386. Prints nothing where apt knows of none.
i386_sources() {
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
		--format "deb [arch=i386 signed-by=$keyring] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" | sort -u
}

# update_i386: reads the index.
update_i386() {
	say "reading Debian's index of i386 packages"
	apt-get "${options[@]}" -qq update >&2 || say "not all of the index of i386 packages could be read"
}

prepare_i386() {
	local lists=$vellum_cache/i386
	mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
	i386_sources >"$lists/sources.list"
	: >"$lists/status"
	options=(-o APT::Architecture=i386 -o APT::Architectures=i386 -o "Dir::Etc::SourceList=$lists/sources.list"
		 -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$lists/lists" -o \
		 	"Dir::State::Status=$lists/status"
		 -o "Dir::Cache=$lists/cache" -o Acquire::Languages=none -o \
		 	Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
		 -o APT::Sandbox::User=)
	[ -s "$lists/sources.list" ] || { say "apt has no index of a Debian archive here (run apt-get update)"; \
		return; }
	ls "$lists"/lists/*_Packages* >/dev/null 2>&1 || update_i386
}

# The package that linux-image-KERNEL stands for today.
linux_package() {
	apt-cache "${options[@]}" depends "linux-image-$kernel" 2>/dev/null |
		sed -n "s/^ *Depends: \(linux-image-[0-9][^ ]*-$kernel\)\$/\1/p" | head -n 1 || true # apt knows of none
}

[ "$arch" != i386 ] || prepare_i386
name=$(linux_package)
if [ "$arch" = i386 ] && [ -n "$name" ] && [ -z "$(fetch "$name")" ]; then
	update_i386     # the index may be older than the archive
	name=$(linux_package)
fi
linux=$(package "linux-image-[0-9]*-${kernel}_*_$arch.deb" "$name")
busybox=$(package "busybox-static_*_$arch.deb" busybox-static)

modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk crc16 crc32c_generic
	 mbcache jbd2 ext4)
ide_modules=(crct10dif_common crc-t10dif crc64 crc64-rocksoft t10-pi scsi_common scsi_mod libata ata_piix sd_mod cdrom
	     sr_mod isofs)
more_modules=(failover net_failover virtio_net virtio-rng virtio_console virtio_balloon)
patterns=("${modules[@]/#/*/}" "${ide_modules[@]/#/*/}" "${more_modules[@]/#/*/}")
patterns=("${patterns[@]/%/.ko}")
last=$dir/modules-more/$((${#more_modules[@]} + 49))-${more_modules[-1]}.ko

# keep DIRECTORY NUMBER MODULE...: from the unpacked package, in the order in which they are to be loaded.
keep() {
	local to=$1 n=$2 module
	shift 2
	rm -rf "$to"
	mkdir "$to"
	for module; do
		find "$dir/unpack/lib" -name "$module.ko" -exec mv {} "$to/$n-$module.ko" \;
		[ -f "$to/$n-$module.ko" ] || die "$linux does not hold $module"
		n=$((n + 1))
	done
}

if [ ! -f "$dir/vmlinux" ] || [ ! -f "$dir/pvpanic-mmio.ko" ] || [ ! -f "$last" ] ||
	[ "$(cat "$dir/package" 2>/dev/null)" != "$(basename "$linux")" ]; then
	say "unpacking $(basename "$linux")"
	rm -rf "$dir/unpack" "$dir/package"
	mkdir -p "$dir/unpack"
	# The kernel and some drivers: the other modules, a hundred times its size, are not wanted.
	dpkg-deb --fsys-tarfile "$linux" | tar -x -C "$dir/unpack" --wildcards './boot/vmlinuz-*' '*/pvpanic/*.ko' \
		"${patterns[@]}"
	find "$dir/unpack/lib" \( -name pvpanic.ko -o -name pvpanic-mmio.ko \) -exec mv {} "$dir/" \;
	keep "$dir/modules" 10 "${modules[@]}"
	keep "$dir/modules-ide" 30 "${ide_modules[@]}"
	keep "$dir/modules-more" 50 "${more_modules[@]}"
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
