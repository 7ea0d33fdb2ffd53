#!/bin/bash
# The ten patterns of shim/README.md: each example is run on every backend of the build, and must
# end well, say what it did and leave nothing behind (closing a runtime aborts over leftovers).
# That the README quotes them literally is seen to by docs.sh.
set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}" "${QUOTEY:=$top_builddir/quotey/quotey}"
patterns="fan_out timeout retry worker_pool pipeline supervised_loop commit_section
	blocking_library race graceful_stop"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log

n=0 failed=0
step() { # WHAT COMMAND...
	n=$((n + 1))
	if "${@:2}" >"$log" 2>&1; then
		echo "ok $n - $1"
		sed 's/^/# /' "$log"
	else
		echo "not ok $n - $1"
		tail -30 "$log" | sed 's/^/# /'
		failed=$((failed + 1))
	fi
}

# One that hangs may have blocked the signals that would end it politely.
run() { timeout -s KILL 60 "$top_builddir/shim/examples/$1" "$2"; }

plays() { # PATTERN BACKEND
	run "$1" "$2" >"$scratch/said" 2>"$scratch/complained"
	local status=$?
	cat "$scratch/said" "$scratch/complained"
	[ $status = 0 ] || { echo "ended with status $status"; return 1; }
	[ ! -s "$scratch/complained" ] && [ -s "$scratch/said" ]
}

# An exit status that is always 0 would say nothing.
none_plays_nowhere() {
	local pattern
	for pattern in $patterns; do
		! run "$pattern" nowhere >/dev/null || { echo "$pattern claims to have run"; return 1; }
	done
}

all_are_taught() {
	local file pattern bad=0
	for pattern in $patterns; do
		grep -q "^\`\`\`c from shim/examples/$pattern\.c\$" "$top_srcdir/shim/README.md" ||
			{ echo "shim/README.md does not quote $pattern"; bad=1; }
	done
	for file in "$top_srcdir"/shim/examples/*.c; do
		grep -qw "$(basename "$file" .c)" <<<"$patterns" || { echo "$file is not run"; bad=1; }
	done
	return $bad
}

backends=$("$QUOTEY" runtime promises --json | grep -o '"backend":"[^"]*"' | cut -d'"' -f4 | sort -u)
[ -n "$backends" ] || { echo "Bail out! no backends"; exit 1; }
echo "1..$(($(wc -w <<<"$patterns") * $(wc -w <<<"$backends") + 2))"
for pattern in $patterns; do
	for backend in $backends; do
		step "$pattern on $backend" plays "$pattern" "$backend"
	done
done
step "none of them runs on a backend that is not there" none_plays_nowhere
step "each is quoted in shim/README.md, and no example is forgotten" all_are_taught
[ $failed = 0 ]
