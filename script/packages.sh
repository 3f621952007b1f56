# Sourced by the scripts that get guests, behind cache.sh and with $arch set: Debian's packages, which are unpacked and
# not installed. They stay in the per-user cache; apt verifies them against the archive's signed index. When the archive
# cannot be reached, the newest ones in the cache are used.
cache=$vellum_cache/packages
mkdir -p "$cache"
lock packages

# What apt is told, so that it finds packages of $arch.
options=()

# fetch NAME: prints the path of the package in the cache, fetching it if it is not there; nothing when that fails.
fetch() {
	local name=$1 version file
	version=$(apt-cache "${options[@]}" show --no-all-versions "$name" 2>/dev/null | sed -n 's/^Version: //p' | \
		head -n 1) || true
	[ -n "$version" ] || return 0
	file=$cache/${name}_${version//:/%3a}_$arch.deb
	if [ ! -f "$file" ]; then
		say "fetching $name $version ($arch)"
		(cd "$cache" && apt-get "${options[@]}" -qq -o APT::Sandbox::User= download "$name=$version" >&2) || \
		true
	fi
	[ ! -f "$file" ] || echo "$file"
}

# package PATTERN PACKAGE: prints the path of the package. PATTERN is what the cache is searched for when PACKAGE is
# empty (apt knows of none) or cannot be fetched.
package() {
	local pattern=$1 name=$2 file=
	[ -z "$name" ] || file=$(fetch "$name")
	if [ -z "$file" ]; then
		# shellcheck disable=SC2012,SC2086
		file=$(ls -1 "$cache"/$pattern 2>/dev/null | sort -V | tail -n 1)
		[ -n "$file" ] ||
			die "no package ${name:-$pattern}: the archive cannot be reached (try apt-get update)" \
				"and none is in $cache"
		say "*** ${name:-$pattern} cannot be fetched: using $file from the cache ***"
	fi
	echo "$file"
}
