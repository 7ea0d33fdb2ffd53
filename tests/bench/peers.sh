# What the scripts that have peers share: building those that make does not. To be sourced, with here
# (tests/bench of the source), build (of the build) and work (a folder of one's own) set. Peers are
# built beside the build, never in the source tree; one that cannot be is named and left out.
crates=${CRATES:-/usr/share/cargo/registry}
me=$(basename "$0")

skip() { echo "$me: no $1: $2" >&2; }

# cargo_peer NAME FOLDER BINARY CRATE...: leaves the program's path in $built_peer, "" if there is none;
# offline, from the sources of the distribution's packages.
cargo_peer() {
	local name=$1 folder=$2 binary=$3 at=$build/peers/$2-build crate
	shift 3
	built_peer=
	command -v cargo >/dev/null || { skip "$name" "cargo is not installed"; return; }
	for crate in "$@"; do
		compgen -G "$crates/$crate-[0-9]*" >/dev/null ||
			{ skip "$name" "no $crate in $crates (librust-$crate-dev)"; return; }
	done
	mkdir -p "$at" && cp -rp "$here/peers/$folder/." "$at" && chmod -R u+w "$at"
	if (cd "$at" && CARGO_HOME=$PWD/home cargo build --offline --release --quiet \
		--config 'source.crates-io.replace-with="packaged"' \
		--config "source.packaged.directory=\"$crates\"") >"$work/cargo" 2>&1; then
		built_peer=$at/target/release/$binary
	else
		skip "$name" "$(grep -m1 error "$work/cargo")"
	fi
}
# on CORE COMMAND...: pinned to the core where the machine has several and lets us. It becomes the
# command when it stands alone in the background, so that $! is the command.
on() {
	local core=$1 pin=
	shift
	if [ "$(nproc)" -gt 1 ] && command -v taskset >/dev/null; then pin="taskset -c $core"; fi
	if [ "$BASHPID" != $$ ]; then exec $pin "$@"; else $pin "$@"; fi
}
# ns that the process has been on a processor, all its threads
cpu_ns() { cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ s += $1 } END { printf "%.0f\n", s }'; }
# median [DIGITS] < NUMBERS: "median (least to most)"
median() {
	sort -g | awk -v digits="${1:-2}" '{ v[NR] = $1 } END { if (NR) printf "%.*f (%.*f to %.*f)\n",
		digits, v[int((NR + 1) / 2)], digits, v[1], digits, v[NR] }'
}
# Instructions that valgrind counted, of a program that has ended: collected_in FILE
collected_in() { sed -n 's/.*Collected : //p' "$1"; }
# of NAME COLUMN < FILE "NAME PAIR COLUMNS...": that column
of() { awk -v name="$1" -v column="$2" '$1 == name { print $(column + 2) }' "$3"; }
# ratio A B COLUMN FILE: of A to B within each pair
ratio() {
	awk -v a="$1" -v b="$2" -v c=$(($3 + 2)) '$1 == a { x[$2] = $c } $1 == b { y[$2] = $c }
		END { for (p in x) if (y[p] > 0) print x[p] / y[p] }' "$4"
}
total() { awk '{ s += $1 } END { print s + 0 }'; }
# middle < NUMBERS: the median alone
middle() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }
json_field() { sed -n "s/.*\"$1\":\([^,}]*\).*/\1/p"; }

# --- servers that print their URL and end on TERM -------------------------------------------------
declare -A server_pid server_url
# start NAME [PREFIX...]: runs what command_of NAME says, on core 0; leaves server_pid[NAME] and server_url[NAME]
start() {
	local name=$1
	shift
	rm -f "$work/ready.$name"
	mkfifo "$work/ready.$name"
	on 0 "$@" $(command_of "$name") >"$work/ready.$name" 2>"$work/log.$name" &
	server_pid[$name]=$!
	read -r -t 60 ready <"$work/ready.$name" && server_url[$name]=$ready && return
	tail -3 "$work/log.$name" >&2
	unset "server_pid[$name]"
	return 1
}
stop() {
	kill "${server_pid[$1]}" && wait "${server_pid[$1]}"
	unset "server_pid[$1]"
}
stop_all() {
	local name
	for name in "${!server_pid[@]}"; do kill "${server_pid[$name]}" 2>/dev/null; done
	wait
}
# measure NAME ARGUMENTS OF load...: "us-of-CPU-per-request ok/s p50 p95 p99 failed"
measure() {
	local name=$1 before after json field
	shift
	before=$(cpu_ns "${server_pid[$name]}")
	json=$(on 1 "$build/load" --url "${server_url[$name]}" --json "$@")
	after=$(cpu_ns "${server_pid[$name]}")
	awk -v ns=$((after - before)) -v n="$(json_field requests <<<"$json")" 'BEGIN { printf "%.3f ", ns / 1000 / n }'
	for field in ok_per_s p50_ms p95_ms p99_ms failed; do json_field $field <<<"$json"; done | tr '\n' ' '
}
