# What the scripts of tests/e2e share that run the program: a folder of their own, TAP and single runs
# (tests/lib/tap.sh), and a server, one at a time. To be sourced first; they are in their folder then,
# which is gone at their end, and with it what they have started.
#
# Sets QUOTEY, top and build (the program, the tree, the build; absolute) and dir. Who starts more
# than the server puts its pids into others.
QUOTEY=${QUOTEY:-./quotey/quotey}
case $QUOTEY in /*) ;; *) QUOTEY=$PWD/$QUOTEY ;; esac
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${top_builddir:-.}" && pwd)

# The environment is configuration, too.
for name in $(compgen -e QUOTEY_); do unset "$name"; done

dir=$(mktemp -d "${TMPDIR:-/tmp}/quotey-$(basename "$0" .sh).XXXXXX") || exit 99
pid= others=
clean_up() {
	local p
	for p in $pid $others; do kill -KILL "$p" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$dir"
}
trap clean_up EXIT
cd "$dir" || exit 99
. "$top/tests/lib/tap.sh" || exit 99

# launch STDERR ARGS...: starts it on ports of its choice; sets pid. Its stdout is fd 3.
launch() {
	local to=$1
	shift
	rm -f out.fifo
	mkfifo out.fifo
	"$QUOTEY" start --set web.port=0 --set control.port=0 "$@" >out.fifo 2>"$to" &
	pid=$!
	exec 3<out.fifo
}
# await_ready: until it serves; sets ready, web and control.
await_ready() {
	ready=
	read -r -t 60 ready <&3
	web=${ready#*\"web\":\"} web=${web%%\"*}
	control=${ready#*\"control\":\"} control=${control%%\"*}
	[ -n "$web" ]
}
# begin STDERR ARGS...: both.
begin() {
	launch "$@"
	await_ready
}
# finish [SIGNAL]: ends it by TERM, or that; sets rc, and out to what it still said.
finish() {
	kill "-${1:-TERM}" "$pid"
	out=$(timeout 90 cat <&3)
	{ wait "$pid"; } 2>/dev/null # without the shell's word on how it ended
	rc=$?
	pid=
	exec 3<&-
}
# until_like COMMAND... PATTERN: asks until the answer is like it, for 15 seconds; sets out.
until_like() {
	local pattern=${*: -1} end=$((SECONDS + 15))
	set -- "${@:1:$#-1}"
	until out=$("$@" 2>&1) && [[ $out =~ $pattern ]]; do
		[ $SECONDS -lt $end ] || return 1
		read -r -t 0.05 <> <(:)
	done
	return 0 # else it would be the read's
}
