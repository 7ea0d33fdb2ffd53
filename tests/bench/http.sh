#!/bin/bash
# Legacy against region, side by side: one process, both components moved between the backends,
# interleaved pairs. Prints CPU time per request and p95 at a fixed rate, and their ratios.
#
#	PAIRS=5 SECONDS_EACH=2 RATE=2000 CONNECTIONS=16 tests/bench/http.sh
set -eu
quotey=${QUOTEY:-./quotey/quotey}
load=${top_builddir:-.}/tests/bench/load
pairs=${PAIRS:-5} seconds=${SECONDS_EACH:-2} rate=${RATE:-2000} connections=${CONNECTIONS:-16}
work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; wait; rm -rf "$work"' EXIT
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p" | head -1; }
q() { "$quotey" "$@" --config "$work/quotey.conf"; }

cat >"$work/quotey.conf" <<CONF
[database]
url = sqlite://$work/quotey.db
synchronous = normal
[web]
port = 0
[control]
port = 0
[security]
key_file = $work/quotey.key
[server]
drain_linger_ms = 50
[runtime]
backend = legacy
CONF
q seed >/dev/null
key=$(q apikey create --name bench --scopes quotes:read,quotes:write --rate 1000000 --json | field key)
mkfifo "$work/ready"
"$quotey" start --config "$work/quotey.conf" >"$work/ready" 2>"$work/log" &
pid=$!
exec 3<"$work/ready"
read -r ready <&3
web=$(field web <<<"$ready")
control=$(field control <<<"$ready")
echo 'GET /api/v1/quotes/quote-renewal-001' >"$work/read.mix"
echo 'POST /api/v1/quotes {"account_name":"Acme Corp","currency":"USD","lines":[{"product_id":"prd-team","quantity":200}]}' \
	>"$work/write.mix"

ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
# run MIX MODE...: one run of the generator; prints "requests cpu_us_per_request p95_ms failed"
run() {
	local mix=$1 before after json requests
	shift
	before=$(ticks)
	json=$("$load" --url "$web" --mix "$work/$mix.mix" --header "Authorization: Bearer $key" \
		--connections "$connections" --seconds "$seconds" --json "$@")
	after=$(ticks)
	requests=$(field requests <<<"$json")
	echo "$requests $(((after - before) * 1000000 / $(getconf CLK_TCK) / requests)) $(field p95_ms <<<"$json") $(field failed <<<"$json")"
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] " (" v[1] " to " v[NR] ")" }'; }

for mix in read write; do
	: >"$work/$mix"
	for _ in $(seq "$pairs"); do
		for backend in legacy region; do
			q runtime set "db=$backend" --control "$control" >/dev/null
			q runtime set "server=$backend" --control "$control" >/dev/null
			echo "$backend $(run $mix --closed) $(run $mix --rate "$rate")" >>"$work/$mix"
		done
	done
	echo "$mix: $pairs interleaved pairs of $seconds s, $connections connections; p95 at $rate requests/s"
	for backend in legacy region; do
		echo "  $backend  CPU us/request $(awk -v b=$backend '$1 == b { print $3 }' "$work/$mix" | median)" \
			" p95 ms $(awk -v b=$backend '$1 == b { print $8 }' "$work/$mix" | median)" \
			" failed $(awk -v b=$backend '$1 == b { f += $5 + $9 } END { print f }' "$work/$mix")"
	done
	awk '{ cpu[NR] = $3; p95[NR] = $8 } NR % 2 == 0 { print cpu[NR] / cpu[NR - 1], p95[NR] / p95[NR - 1] }' \
		"$work/$mix" >"$work/ratio"
	echo "  region / legacy  CPU $(cut -d' ' -f1 "$work/ratio" | median)  p95 $(cut -d' ' -f2 "$work/ratio" | median)"
done
