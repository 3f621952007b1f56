# For the tests of the lab's commands, which read this: a place of their own, and what is checked. NAME is the test's.
vellum=$1/vellum
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

check() { # check WHAT COMMAND...: the command must succeed
	local what=$1
	shift
	"$@" && return
	echo "$NAME: $what: failed" >&2
	failures=$((failures + 1))
}

number() { sed -n "s/.*\"$2\":\([0-9.e+-]*\).*/\1/p" "$1"; } # number FILE NAME: of the account

conclude() {
	[ $failures = 0 ] && echo "$NAME: all as it should be"
	exit $((failures != 0))
}
