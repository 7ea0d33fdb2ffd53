#!/bin/bash
# Quotey on legacy against Quotey on region: one process, both components moved between the backends,
# interleaved pairs. Reads one quote, then creates quotes. Prints CPU time per request in a closed loop,
# and latencies at fixed rates: 20, 50 and 70 % of what legacy can; and region / legacy, within pairs.
#
#	PAIRS=5 SECONDS_EACH=3 CONNECTIONS=32 SHARES="20 50 70" tests/bench/http.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
quotey=${QUOTEY:-./quotey/quotey} build=${top_builddir:-.}/tests/bench
pairs=${PAIRS:-5} seconds=${SECONDS_EACH:-3} connections=${CONNECTIONS:-32} shares=${SHARES:-20 50 70}
. "$here/operator.sh"
. "$here/peers.sh"
if [ "$built" != "legacy region " ]; then
	echo "http.sh: this build has one backend only: nothing to compare" >&2
	exit 0
fi

start_quotey || exit 1
echo 'GET /api/v1/quotes/quote-renewal-001' >"$work/read.mix"
echo 'POST /api/v1/quotes {"account_name":"Acme Corp","currency":"USD","lines":[{"product_id":"prd-team","quantity":200}]}' \
	>"$work/write.mix"

# run MIX MODE...: "us-of-CPU-per-request ok/s p50 p95 p99 failed"
run() {
	local mix=$1 before after json
	shift
	before=$(cpu_ns "$pid")
	json=$(on 1 "$build/load" --url "$web" --mix "$work/$mix.mix" --header "Authorization: Bearer $key" \
		--connections "$connections" --seconds "$seconds" --json "$@")
	after=$(cpu_ns "$pid")
	awk -v ns=$((after - before)) -v n="$(field requests <<<"$json")" 'BEGIN { printf "%.2f ", ns / 1000 / n }'
	for f in ok_per_s p50_ms p95_ms p99_ms failed; do field $f <<<"$json"; done | tr '\n' ' '
}
# pairs MIX FILE MODE...: lines "BACKEND PAIR FIGURES"
pairs() {
	local mix=$1 file=$2 pair backend
	shift 2
	for pair in $(seq "$pairs"); do
		for backend in legacy region; do
			place $backend
			echo "$backend $pair $(run "$mix" "$@")" >>"$file"
		done
	done
}
# show FILE "NAME COLUMN DIGITS"...
show() {
	local file=$1 backend figure name column digits
	shift
	for backend in legacy region; do
		printf '  %-7s' $backend
		for figure in "$@"; do
			read -r name column digits <<<"$figure"
			printf ' %s %-30s' "$name" "$(of $backend "$column" "$file" | median "$digits")"
		done
		echo " failed $(of $backend 6 "$file" | awk '{ s += $1 } END { print s + 0 }')"
	done
}

echo "Quotey, legacy and region, $pairs interleaved pairs of $seconds s, $connections connections; median (least to most)"
for mix in read write; do
	pairs $mix "$work/$mix.closed" --closed
	echo
	echo "$mix, closed loop"
	show "$work/$mix.closed" "CPU-us/request 1 1" "requests/s 2 0"
	echo "  region / legacy  CPU $(ratio region legacy 1 "$work/$mix.closed" | median)"
	capacity=$(of legacy 2 "$work/$mix.closed" | median 0)
	for share in $shares; do
		rate=$((${capacity%% *} * share / 100))
		pairs $mix "$work/$mix.$share" --rate "$rate"
		echo "$mix, $rate requests/s ($share % of what legacy can)"
		show "$work/$mix.$share" "p50-ms 3 3" "p95-ms 4 3" "p99-ms 5 3"
		echo "  region / legacy  p95 $(ratio region legacy 4 "$work/$mix.$share" | median)"
	done
done
stop_quotey
