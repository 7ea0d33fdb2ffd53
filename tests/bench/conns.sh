#!/bin/bash
# Many idle keep-alive connections on Quotey, on each backend in a process of its own: how long they
# take to come, what each costs in memory, what the process costs while they rest. Not the kernel's
# memory for them.
#
#	CONNECTIONS=10000 SECONDS_EACH=5 tests/bench/conns.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
quotey=${QUOTEY:-./quotey/quotey} bench=${top_builddir:-.}/tests/bench
. "$here/operator.sh"
n=${CONNECTIONS:-10000} seconds=${SECONDS_EACH:-5}

ulimit -n "$(ulimit -Hn)"
if [ "$(ulimit -n)" -lt $((n + 200)) ]; then
	echo "conns.sh: only $(ulimit -n) descriptors are allowed here, CONNECTIONS=$n needs $((n + 200))" >&2
	exit 1
fi
failed=0
echo "$n idle keep-alive connections, each after one GET of a quote; at rest: before they came"
for backend in $built; do
	start_quotey "[server]
max_connections = $((n + 100))" && place "$backend" || exit 1
	url=$web/api/v1/quotes/quote-renewal-001
	curl -s -o /dev/null -H "Authorization: Bearer $key" "$url"
	if json=$("$bench/conns" --url "$url" --pid "$pid" --header "Authorization: Bearer $key" \
		--connections "$n" --seconds "$seconds"); then
		printf '  %-7s open %s s (%s/s), %s bytes each, idle CPU %s ms/s (at rest %s), wake-ups/s %s (at rest %s), resident %s MiB, after %s MiB\n' \
			"$backend" $(for f in open_s per_s bytes_each idle_cpu_ms_per_s rest_cpu_ms_per_s idle_wakeups_per_s \
			rest_wakeups_per_s resident_mib after_mib; do field $f <<<"$json"; done)
	else
		echo "  $backend  failed: ${json:-no figures}"
		failed=1
	fi
	stop_quotey
done
exit $failed
