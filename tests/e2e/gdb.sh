#!/bin/bash
# The gdb script, on a core file and on a stopped process: it names every runtime, region and task,
# what each waits for and where it is parked. Skipped without gdb, or where neither can be had. TAP.
#
# The core file is the system's: gdb's own gcore leaves out stacks that have the kernel's guards.
set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}" "${PARKED:=$top_builddir/tests/e2e/parked}"
script=$top_srcdir/shim/gdb/qrt.py

skip() {
	echo "1..0 # SKIP $*"
	exit 0
}
command -v gdb >/dev/null || skip "no gdb here"
gdb -batch -nx -ex 'python print(1)' 2>&1 | grep -q '^1$' || skip "this gdb has no Python"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The leak checker of a sanitized build could not run below gdb, and a core file is not its habit.
export ASAN_OPTIONS=detect_leaks=0:disable_coredump=0:abort_on_error=1
{ (cd "$scratch" && ulimit -c unlimited && "$PARKED") >/dev/null 2>&1; } 2>/dev/null
core=$(find "$scratch" -name 'core*' -size +0 | head -1)

look() { # ARGUMENTS...: in a gdb of its own
	timeout 120 gdb -batch -nx -ex 'set pagination off' -ex 'set debuginfod enabled off' "$@" 2>&1 </dev/null
}
core_says() { look -ex "source $script" -ex "$1" "$PARKED" "$core"; }
live_says() { look -ex run -ex "source $script" -ex "$1" "$PARKED"; }

n=0 failed=0
like() { # TEXT PATTERN WHAT
	n=$((n + 1))
	if grep -qE "$2" <<<"$1"; then
		echo "ok $n - $3"
	else
		echo "not ok $n - $3"
		printf '# no match of %s in\n' "$2"
		sed 's/^/# /' <<<"$1"
		failed=1
	fi
}

check() { # SAYS WHAT
	local says=$1 of=$2 all frames id
	all=$($says 'qrt dump')
	like "$all" '^runtime first, backend [a-z]+, 4 tasks, runs task [0-9]+ ender$' "$of: the runtime that aborted is found"
	like "$all" '^runtime second, backend [a-z]+, 1 tasks, runs no task$' "$of: and the one that is idle"
	like "$all" '^  region root \(open\)$' "$of: regions have their state"
	like "$all" '^    region waiting room \(draining\), opened by main$' "$of: and their opener"
	like "$all" '^    task 1 main, spawned at .*runtime\.c:[0-9]+, waits for region close of waiting room' "$of: who closes a region says which"
	like "$all" '^      task [0-9]+ holder, spawned at .*parked\.c:[0-9]+, waits for sleep' "$of: a sleeper is named with its site"
	like "$all" '^        duty mutex, made at .*parked\.c:[0-9]+$' "$of: and with what it holds"
	like "$all" '^      task [0-9]+ waiter, .* waits for mutex at .*parked\.c:[0-9]+' "$of: a waiter with where it waits"
	like "$all" '^      task [0-9]+ ender, .*, running$' "$of: who runs is said to"

	id=$(sed -n 's/.*task \([0-9]*\) waiter,.*/\1/p' <<<"$all")
	frames=$($says "qrt bt first:$id")
	like "$frames" '^task [0-9]+ waiter,' "$of: a parked task has a backtrace"
	like "$frames" '^  #[0-9]+ .* in qrt__park \(\)' "$of: from the wait"
	like "$frames" '^  #[0-9]+ .* in wants_the_lock \(\) at .*parked\.c:[0-9]+$' "$of: through its own functions"
	like "$frames" '^  #[0-9]+ .* in task_main \(\)' "$of: to where it began"
	like "$($says 'qrt bt all')" 'in idle \(\) at .*parked\.c' "$of: all of them at once"
	like "$($says 'qrt bt 999')" 'no such task: 999' "$of: a task that is none is refused"
	like "$($says 'qrt bt')" 'qrt bt \[RUNTIME:\]ID' "$of: and so is no task at all"
}

done_any=
if [ -n "$core" ]; then
	check core_says "a core file"
	done_any=1
else
	echo "# the system writes no core file here ($(cat /proc/sys/kernel/core_pattern 2>/dev/null))"
fi
if look -ex run "$PARKED" | grep -q SIGABRT; then
	check live_says "a process"
	done_any=1
else
	echo "# gdb may not run a program here"
fi
[ -n "$done_any" ] || skip "neither a core file nor a traced process can be had here"
echo "1..$n"
[ $failed = 0 ]
