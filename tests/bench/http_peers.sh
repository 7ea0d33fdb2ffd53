#!/bin/bash
# Our HTTP server on each backend beside a bare epoll loop with the same parser, libevent's evhttp, and
# hyper on tokio; all answer the same, from memory and from one row of SQLite. Server on core 0, load
# on core 1; in each pair every server has its turn. Prints
#
#	CPU time per request in a closed loop, its ratio to the epoll loop, requests/s,
#	latencies at fixed rates: 20, 50 and 70 % of what the slowest of ours and hyper can do,
#	instructions per request, counted by callgrind without start-up.
#
# medians of PAIRS runs (least to most), ratios within a pair.
#
#	PAIRS=5 SECONDS_EACH=3 CONNECTIONS="32 256" WORK="plain row" SHARES="20 50 70" INSTRUCTIONS=yes \
#		SERVERS="epoll evhttp hyper legacy region" tests/bench/http_peers.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${top_builddir:-.}/tests/bench
pairs=${PAIRS:-5} seconds=${SECONDS_EACH:-3} connections=${CONNECTIONS:-32 256}
works=${WORK:-plain row} shares=${SHARES:-20 50 70} instructions=${INSTRUCTIONS:-yes}
work=$(mktemp -d)
. "$here/peers.sh"
trap 'stop_all; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo 'GET /' >"$work/plain.mix"
for i in $(seq 7 61 1000); do echo "GET /row/$i"; done >"$work/row.mix"
"$build/serve" --make "$work/db" || exit 1

command_of() {
	case $1 in
	epoll | evhttp) echo "$build/peers/http_$1 $work/db" ;;
	hyper) echo "$hyper $work/db" ;;
	*) echo "$build/serve $1 $work/db" ;;
	esac
}

cargo_peer hyper hyper hyper-peer hyper tokio rusqlite
hyper=$built_peer
servers=
for name in ${SERVERS:-epoll evhttp hyper legacy region}; do
	[ "$name" != hyper ] || [ -n "$hyper" ] || continue
	[ -x "$(command_of "$name" | cut -d' ' -f1)" ] || { skip "$name" "it was not built"; continue; }
	start "$name" && servers="$servers $name" || skip "$name" "it does not start"
done
[ -n "$servers" ] || exit 1

# run SERVER WORK ARGUMENTS...: "us-of-CPU-per-request ok/s p50 p95 p99 failed"
run() {
	local name=$1 what=$2
	shift 2
	measure "$name" --mix "$work/$what.mix" --seconds "$seconds" "$@"
}

capacity() { # WORK: requests/s that the slowest of ours and hyper did
	for name in legacy region hyper; do
		of $name 2 "$work/closed.$1.$most" | middle
	done | sort -g | head -1
}

echo "HTTP, server on core 0, load on core 1, $pairs interleaved runs of $seconds s; median (least to most)"
for what in $works; do
	for c in $connections; do
		file=$work/closed.$what.$c most=$c
		for pair in $(seq "$pairs"); do
			for name in $servers; do
				echo "$name $pair $(run "$name" "$what" --closed --connections "$c")" >>"$file"
			done
		done
		echo
		echo "$what, $c connections, closed loop: us of CPU per request; ratio to epoll; requests/s"
		for name in $servers; do
			printf '  %-7s %-26s ratio %-22s %-28s failed %s\n' "$name" "$(of "$name" 1 "$file" | median)" \
				"$(ratio "$name" epoll 1 "$file" | median)" "$(of "$name" 2 "$file" | median 0)" \
				"$(of "$name" 6 "$file" | total)"
		done
	done

	limit=$(capacity "$what")
	for share in ${limit:+$shares}; do
		rate=$(awk -v l="$limit" -v s="$share" 'BEGIN { printf "%d", l * s / 100 }')
		file=$work/open.$what.$share
		for pair in $(seq "$pairs"); do
			for name in $servers; do
				echo "$name $pair $(run "$name" "$what" --rate "$rate" --connections "$most" --spin)" >>"$file"
			done
		done
		echo
		echo "$what, $most connections, $rate requests/s ($share % of what the slowest of ours and hyper can): p50, p95, p99 in ms"
		for name in $servers; do
			printf '  %-7s %-26s %-26s %-26s failed %s\n' "$name" "$(of "$name" 3 "$file" | median 3)" \
				"$(of "$name" 4 "$file" | median 3)" "$(of "$name" 5 "$file" | median 3)" \
				"$(of "$name" 6 "$file" | total)"
		done
		echo "  p95 region / legacy $(ratio region legacy 4 "$file" | median)  region / hyper $(ratio region hyper 4 "$file" | median)"
	done
done

# Requests of the two runs whose difference is counted.
few=500 many=1500
count() { # SERVER WORK CONNECTIONS: instructions per request; nothing when the program does not survive valgrind
	local n a=
	for n in $few $many; do
		start "$1" valgrind --tool=callgrind --callgrind-out-file=/dev/null || return
		"$build/load" --url "${server_url[$1]}" --mix "$work/$2.mix" --requests "$n" --connections "$3" >"$work/load.log" 2>&1
		stop "$1"
		[ -n "$a" ] && echo $((($(collected_in "$work/log.$1") - a) / (many - few)))
		a=$(collected_in "$work/log.$1")
	done
}
[ "$instructions" = yes ] || exit 0
command -v valgrind >/dev/null || { skip instructions "valgrind is not installed"; exit 0; }
for name in $servers; do stop "$name"; done
echo
echo "instructions per request (callgrind), on 1 connection and on 32"
for what in $works; do
	for name in $servers; do
		printf '  %-6s %-7s %10s %10s\n' "$what" "$name" "$(count "$name" "$what" 1)" "$(count "$name" "$what" 32)"
	done
done
