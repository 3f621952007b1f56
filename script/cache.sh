# Sourced by the other scripts: where downloads and the emulator are kept between builds.
# The cache is per user and outside the tree, so that a fresh clone fetches and builds nothing twice.

say() { printf '%s: %s\n' "${VELLUM_SAY:-vellum}" "$*" >&2; }
die() { say "$*"; exit 1; }

vellum_cache=${XDG_CACHE_HOME:-$HOME/.cache}/vellum
mkdir -p "$vellum_cache" || die "cannot make the cache directory $vellum_cache"

# lock NAME: holds an exclusive lock until this shell ends; callers in parallel wait for each other.
lock() {
	exec 9>"$vellum_cache/$1.lock" || die "cannot write in $vellum_cache"
	flock -n 9 || { say "another build holds $vellum_cache/$1.lock, waiting for it"; flock 9; }
}
