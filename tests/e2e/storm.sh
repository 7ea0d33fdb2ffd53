#!/bin/bash
# Bad peers against the real program, on each backend: who behaves is served all the while, and
# afterwards nothing is left of the others. Short here; `make soak` takes its time. TAP.
#
#	SECONDS_EACH=12 TICK_MS=1000 CROWD=200 FLOOD=400 ROUNDS=3 RATE=100 tests/e2e/storm.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
quotey=${QUOTEY:-./quotey/quotey}
bench=${top_builddir:-.}/tests/bench
. "$here/../bench/operator.sh"
seconds=${SECONDS_EACH:-0.1} tick=${TICK_MS:-10} rounds=${ROUNDS:-1} rate=${RATE:-200}
crowd=${CROWD:-40} flood=${FLOOD:-160} kinds=7

failed=0
ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; failed=1; }
check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name"; fi
}

# A sanitizer keeps what was freed: its memory says nothing about ours.
growth=${GROWTH_KIB:-8192}
if grep -qE 'asan|tsan' <(ldd "$quotey" 2>/dev/null; ldd "$bench/storm" 2>/dev/null) ||
	grep -qaE '__(asan|tsan)_init' "$bench/storm"; then
	growth=0
fi
growth_first=$growth

set -- $built
echo "1..$(($# * (rounds * kinds + 2) + 1))"
start_quotey "[server]
max_connections = $((crowd + 24))" || { echo "Bail out! Quotey did not start"; exit 1; }
# Counters of what lives go down on the loop's own turns: looked at until they have.
as_before() {
	local end=$((SECONDS + 5))
	until now=$(live) && [ "$now" = "$before" ]; do
		[ $SECONDS -lt $end ] || { diff <(echo "$before") <(echo "$now") | sed 's/^/# /'; return 1; }
	done
}
for backend in $built; do
	check "$backend is the place" place "$backend"
	curl -s -o /dev/null -H "Authorization: Bearer $key" "$web/api/v1/quotes/quote-renewal-001"
	before=$(live)
	for round in $(seq "$rounds"); do
		[ "$round" = 1 ] || [ "$growth" = 0 ] || growth=2048
		"$bench/storm" --url "$web/api/v1/quotes/quote-renewal-001" --pid "$pid" \
			--header "Authorization: Bearer $key" --label "$backend" --seconds "$seconds" \
			--tick "$tick" --crowd "$crowd" --flood "$flood" --rate "$rate" --growth "$growth" \
			--header-timeout 10
		case $? in 0) ;; 1) failed=1 ;; *) echo "Bail out! storm could not run"; tail -5 "$work/log" >&2; exit 1 ;; esac
	done
	check "$backend: regions, tasks, streams, jobs and duties are as many as before" as_before
	growth=$growth_first
done
stop_quotey
status=$?
check "and it stops cleanly ($status)" test "$status" = 0
exit $failed
