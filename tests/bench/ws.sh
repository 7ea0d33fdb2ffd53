#!/bin/bash
# WebSocket echoes: ours on each backend beside libwebsockets on its own loop. Server on core 0, load on
# core 1, in each pair every server has its turn. CPU per message in a closed loop, then p50 and p95 at
# fixed rates: 20, 50 and 70 % of what the slowest can.
#
#	PAIRS=5 SECONDS_EACH=3 CONNECTIONS=32 MESSAGE=64 SHARES="20 50 70" tests/bench/ws.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${top_builddir:-.}/tests/bench
pairs=${PAIRS:-5} seconds=${SECONDS_EACH:-3} connections=${CONNECTIONS:-32} message=${MESSAGE:-64}
shares=${SHARES:-20 50 70}
work=$(mktemp -d)
. "$here/peers.sh"
trap 'stop_all; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

command_of() { case $1 in lws) echo "$build/peers/ws_lws" ;; *) echo "$build/echo $1" ;; esac; }
servers=
for name in lws legacy region; do
	[ -x "$(command_of $name | cut -d' ' -f1)" ] || { skip "$name" "it was not built"; continue; }
	start $name && servers="$servers $name" || skip $name "it does not start"
done
[ -n "$servers" ] || exit 1

# run SERVER ARGUMENTS...: "us-of-CPU-per-message ok/s p50 p95 p99 failed"
run() {
	local name=$1
	shift
	measure "$name" --connections "$connections" --message "$message" --seconds "$seconds" "$@"
}
run_all() { # FILE ARGUMENTS...
	local file=$1 pair name
	shift
	for pair in $(seq "$pairs"); do
		for name in $servers; do
			echo "$name $pair $(run $name "$@")" >>"$file"
		done
	done
}

echo "WebSocket echoes of $message bytes, $connections connections, server on core 0, load on core 1;"
echo "$pairs interleaved runs of $seconds s; median (least to most)"
run_all "$work/closed" --closed
echo
echo "closed loop: us of CPU per message; ratio to lws; messages/s"
for name in $servers; do
	printf '  %-7s %-26s ratio %-22s %-28s failed %s\n' $name "$(of $name 1 "$work/closed" | median)" \
		"$(ratio $name lws 1 "$work/closed" | median)" "$(of $name 2 "$work/closed" | median 0)" \
		"$(of $name 6 "$work/closed" | total)"
done
limit=$(for name in $servers; do of $name 2 "$work/closed" | middle; done | sort -g | head -1)
for share in $shares; do
	rate=$(awk -v l="$limit" -v s="$share" 'BEGIN { printf "%d", l * s / 100 }')
	run_all "$work/open.$share" --rate "$rate" --spin
	echo
	echo "$rate messages/s ($share % of what the slowest can): p50, p95, p99 in ms"
	for name in $servers; do
		printf '  %-7s %-26s %-26s %-26s failed %s\n' $name "$(of $name 3 "$work/open.$share" | median 3)" \
			"$(of $name 4 "$work/open.$share" | median 3)" "$(of $name 5 "$work/open.$share" | median 3)" \
			"$(of $name 6 "$work/open.$share" | total)"
	done
	echo "  p95 region / legacy $(ratio region legacy 4 "$work/open.$share" | median)  region / lws $(ratio region lws 4 "$work/open.$share" | median)"
done
