#!/bin/bash
# Installs the Debian packages that Vellum needs and that are missing. Quick, and without network, when none is.
#
#   deps.sh [GROUP]...       GROUP: qemu (for --machine qemu), bochs-debian (for --bochs debian), i386 (for the 32-bit
#   guests), image (for vellum image);
#                            always: the rest
set -euo pipefail

packages=(
	make gcc g++ libc6-dev binutils clang libclang-rt-14-dev    # the build: two compilers, with their sanitizers
	libcjson-dev libcmocka-dev libncurses-dev                   # the command, the tests
	libpng-dev liblz4-dev zlib1g-dev libvncserver-dev           # guests' screens; what is packed, and checksums
	libcapstone-dev                                             # guests' code
	gnuplot-nox parallel                                        # figures of the lab; the test of its job lists
	xz-utils zstd libzstd-dev cpio                              # the guest's kernel and initramfs
	grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools   # the boot image
	qemu-user                                                   # recording programs for the lab
	gdb                                                         # debugging guests, and its tests
	bochsbios vgabios                                           # the machine's firmware
	bcc bin86 acpica-tools                                      # and that of a machine of more than 128 CPUs
	seabios ovmf qemu-system-data                               # the guests', and what loads a kernel there
	debian-archive-keyring ca-certificates                      # where Bochs' source comes from
)
command -v python3 >/dev/null || packages+=(python3)         # the boot tests
for group; do
	case $group in
	qemu) packages+=(qemu-system-x86) ;;
	bochs-debian) packages+=(bochs bochs-term) ;;
	i386) packages+=(gcc-multilib) ;;
	image) packages+=(mmdebstrap fakeroot uidmap e2fsprogs) ;;
	*) echo "deps: there is no group $group (there are qemu, bochs-debian, i386 and image)" >&2; exit 2 ;;
	esac
done

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || {
	echo "deps: this is not Debian: please install by hand what matches ${packages[*]}" >&2; exit 1; }

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo \
		"deps: missing packages, and no sudo to install them: as root, run apt-get install ${missing[*]}" \
		>&2; exit 1; }
	root=(sudo)
fi
echo "deps: installing ${missing[*]}"

# apt says nothing for a moment, then a lot: only what goes wrong is shown.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1; }
if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
	echo "deps: reading the package lists"
	apt update || echo "deps: apt-get update had problems: $(grep -m1 '^[EW]:' "$log" || tail -n 1 "$log")" >&2
fi
if ! apt install -y --no-install-recommends "${missing[@]}"; then
	# The lists may be older than the archive.
	apt update && apt install -y --no-install-recommends "${missing[@]}" || {
		echo "deps: installing failed:" >&2; grep '^E:' "$log" >&2 || tail -n 5 "$log" >&2; exit 1; }
fi
