#!/bin/bash
# The runtime's basic costs beside the same work on other ground: a bare loop in C, libuv alone, tokio,
# Go. Interleaved pairs in one run; prints medians with their spread, the ratio region / each other
# (median of the ratios within a pair), and instructions per operation. Figures are for
# ratios on one machine: nothing here passes or fails on one.
#
#	PAIRS=5 SCALE=1 ROWS="yield spawn" INSTRUCTIONS=yes tests/bench/runtime.sh
#
# SCALE multiplies the operations of each run. Peers that cannot be built here are named and left
# out; CRATES is where the distribution keeps the sources of tokio. PROGRAM=bench_db with
# OTHERS="legacy bare" (make bench-db) does the same for the rows of a database.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${top_builddir:-.}/tests/bench
runtime=$build/${PROGRAM:-bench_runtime}
pairs=${PAIRS:-5} scale=${SCALE:-1} instructions=${INSTRUCTIONS:-yes}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

. "$here/peers.sh"

build_libuv() {
	peer_libuv=$build/peers/libuv
	[ -x "$peer_libuv" ] || { skip libuv "$peer_libuv was not built (no libuv here)"; peer_libuv=; }
}
build_tokio() {
	cargo_peer tokio tokio tokio-peer tokio libc
	peer_tokio=$built_peer
}
build_go() {
	local at=$build/peers/go-build
	peer_go=
	command -v go >/dev/null || { skip go "go is not installed"; return; }
	mkdir -p "$at" && at=$(cd "$at" && pwd)
	if GOCACHE=$at/cache GOPROXY=off GOFLAGS= GO111MODULE=off \
		go build -o "$at/go-peer" "$here/peers/go/main.go" >"$work/go" 2>&1; then
		peer_go=$at/go-peer
	else
		skip go "$(head -1 "$work/go")"
	fi
}

# Operations of one timed run: some tenths of a second of the runtime's.
operations() {
	case $1 in
	switch) n=20000000 ;;
	checkpoint) n=50000000 ;;
	yield | channel) n=5000000 ;;
	timer-*) n=1000000 ;;
	port*) n=10000 ;;
	db-short) n=200000 ;;
	db-lane | db-write-64) n=20000 ;;
	db-write) n=2000 ;;
	parked | cancel) n=200000 ;;
	*) n=1000000 ;;
	esac
	[ "$1" = parked ] && echo $n || echo $((n * scale))
}
# Of the two runs whose difference is counted: few enough that each is one batch of the row.
counted() {
	case $1 in
	parked | cancel) echo "2000 6000" ;;
	port* | db-lane | db-write*) echo "0 0" ;; # a thread that waits counts nothing
	*) echo "20000 60000" ;;
	esac
}
command_of() { # ROW WHO N
	case $2 in
	libuv) echo "$peer_libuv $1 $3" ;;
	tokio) echo "$peer_tokio $1 $3" ;;
	go) echo "$peer_go $1 $3" ;;
	*) echo "$runtime $1 $2 $3" ;;
	esac
}
# One run on one core, unless the row is about two. Prints ns: of the process, or of the clock when it waits.
once() { # ROW WHO
	local pin="taskset -c 0" field=2
	case $1 in port-cores | db-lane | db-write*) pin= field=1 ;; port) field=1 ;; esac
	command -v taskset >/dev/null || pin=
	timeout 300 $pin $(command_of "$1" "$2" "$(operations "$1")") | cut -d' ' -f$field
}
collected() { # ROW WHO N; nothing when the program does not survive valgrind
	valgrind --tool=callgrind --callgrind-out-file=/dev/null $(command_of "$1" "$2" "$3") \
		2>"$work/valgrind" >/dev/null && sed -n 's/.*Collected : //p' "$work/valgrind"
}
count() { # ROW WHO: instructions per operation, start-up subtracted; nothing when valgrind cannot
	local few many a b parked=0
	read -r few many < <(counted "$1")
	[ "$few" != 0 ] || return 0
	a=$(collected "$1" "$2" "$few") b=$(collected "$1" "$2" "$many")
	# What is cancelled was parked before, which is not timed: and is a row of its own.
	[ "$1" != cancel ] || parked=$(count parked "$2")
	[ -n "$a" ] && [ -n "$b" ] && [ -n "$parked" ] && echo $(((b - a) / (many - few) - parked))
}

if [ -z "${OTHERS:-}" ]; then
	build_libuv
	build_tokio
	build_go
fi
others=${OTHERS:-legacy bare${peer_libuv:+ libuv}${peer_tokio:+ tokio}${peer_go:+ go}}
if [ "$instructions" = yes ] && ! command -v valgrind >/dev/null; then
	skip instructions "valgrind is not installed"
	instructions=no
fi
rows=${ROWS:-$("$runtime" --list | cut -f1)}

for row in $rows; do
	for pair in $(seq "$pairs"); do
		for who in region $others; do
			[ ! -e "$work/not.$row.$who" ] || continue
			figure=$(once "$row" "$who") && [ -n "$figure" ] || figure=
			[ -n "$figure" ] || { : >"$work/not.$row.$who"; continue; }
			echo "$row $who $pair $figure" >>"$work/figures"
		done
	done
	[ "$instructions" = yes ] || continue
	for who in region $others; do
		[ -e "$work/not.$row.$who" ] || echo "$row $who $(count "$row" "$who")" >>"$work/counts"
	done
done

echo "$pairs interleaved runs; ns of CPU per operation, rows that wait ns of the clock, parked rows bytes;"
echo "median (least to most); ratio: region / it, 1.00 is even, less is better for us"
"$runtime" --list >"$work/rows"
touch "$work/figures" "$work/counts"
awk -F'[\t ]' -v others="region $others" '
	function median(list, n,    i, j, v) {
		for (i = 1; i <= n; i++)
			for (j = i + 1; j <= n; j++)
				if (list[j] < list[i]) { v = list[i]; list[i] = list[j]; list[j] = v }
		return list[int((n + 1) / 2)]
	}
	function shown(x) { return x < 100 ? sprintf("%.1f", x) : sprintf("%.0f", x) }
	FILENAME ~ /counts$/ { count[$1, $2] = $3; next }
	FILENAME ~ /figures$/ { at[$1, $2, $3] = $4; if ($3 > pairs) pairs = $3; measured[$1]; next }
	$1 in measured {
		row = $1
		what = $0
		sub(/^[^\t]*\t[^\t]*\t/, "", what)
		printf "\n%s: %s\n", row, what
		n_who = split(others, who, " ")
		for (w = 1; w <= n_who; w++) {
			n = m = 0
			for (p = 1; p <= pairs; p++) {
				if (!((row, who[w], p) in at)) continue
				list[++n] = at[row, who[w], p] + 0
				if (((row, "region", p) in at) && list[n] > 0) ratio[++m] = at[row, "region", p] / list[n]
			}
			if (!n) { printf "  %-7s %10s\n", who[w], "-"; continue }
			mid = median(list, n)
			printf "  %-7s %10s  %-20s", who[w], shown(mid), "(" shown(list[1]) " to " shown(list[n]) ")"
			if (who[w] == "region" || !m) printf " %-26s", ""
			else { mid = median(ratio, m); printf "ratio %5.2f (%.2f to %.2f)  ", mid, ratio[1], ratio[m] }
			print ((row, who[w]) in count) && count[row, who[w]] != "" ? sprintf("%8d instructions", count[row, who[w]]) : ""
		}
	}' "$work/counts" "$work/figures" "$work/rows"
