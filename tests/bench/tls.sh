#!/bin/bash
# TLS: our HTTP server on each backend beside openssl s_server, all with one P-256 certificate. Server on
# core 0, client on core 1. Full and resumed handshakes as openssl s_time makes them, one after the other;
# a download of 64 MiB by curl; and what the processor could do, by openssl speed.
#
#	PAIRS=5 SECONDS_EACH=3 tests/bench/tls.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${top_builddir:-.}/tests/bench
pairs=${PAIRS:-5} seconds=${SECONDS_EACH:-3}
work=$(mktemp -d)
. "$here/peers.sh"
trap 'stop_all; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
for tool in openssl curl; do
	command -v $tool >/dev/null || { skip "figures of TLS" "$tool is not installed"; exit 0; }
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$work/key" -out "$work/cert" \
	-subj /CN=localhost -days 2 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
printf 'Hello, world!\n' >"$work/hello"
truncate -s 64M "$work/bulk"
"$build/serve" --make "$work/db" || exit 1

# s_server takes any free port and says which.
start_openssl() {
	local port=
	(cd "$work" && on 0 openssl s_server -accept 127.0.0.1:0 -cert cert -key key -WWW) \
		</dev/null >"$work/log.openssl" 2>&1 &
	server_pid[openssl]=$!
	while kill -0 "${server_pid[openssl]}" 2>/dev/null; do
		port=$(sed -n 's/^ACCEPT.*:\([0-9]*\)$/\1/p' "$work/log.openssl" | head -1)
		[ -z "$port" ] || break
	done
	server_url[openssl]=https://127.0.0.1:$port
	[ -n "$port" ] && curl -skf -o /dev/null "${server_url[openssl]}/hello" && return
	tail -3 "$work/log.openssl" >&2
	return 1
}
command_of() { echo "$build/serve $1 $work/db $work/cert $work/key"; }
servers=
start_openssl && servers=openssl || skip openssl "s_server does not start"
for name in legacy region; do
	start $name && curl -skf -o /dev/null "${server_url[$name]}/hello" && servers="$servers $name" ||
		skip $name "it does not serve TLS"
done

# handshakes NAME ARGUMENTS OF s_time...: "connections/s us-of-CPU-of-the-server-per-connection"
handshakes() {
	local name=$1 before after line
	shift
	before=$(cpu_ns "${server_pid[$name]}")
	line=$(on 1 openssl s_time -connect "${server_url[$name]#https://}" -time "$seconds" "$@" 2>&1 |
		grep -a 'real seconds' | tail -1)
	after=$(cpu_ns "${server_pid[$name]}")
	awk -v ns=$((after - before)) '{ n = $1; print n / $4, n ? ns / 1000 / n : 0 }' <<<"$line"
}
bulk() { # NAME: "MB/s us-of-CPU-per-MiB"
	local before after
	before=$(cpu_ns "${server_pid[$1]}")
	speed=$(on 1 curl -sk -o /dev/null -w '%{speed_download} %{size_download}' "${server_url[$1]}/bulk")
	after=$(cpu_ns "${server_pid[$1]}")
	awk -v ns=$((after - before)) '{ print ($2 == 67108864 ? $1 / 1e6 : 0), ns / 1000 / 64 }' <<<"$speed"
}
row() { # TITLE UNIT COMMAND ARGUMENTS...
	local title=$1 unit=$2 command=$3 file pair name
	shift 3
	file=$work/row.$((n_rows = ${n_rows:-0} + 1))
	for pair in $(seq "$pairs"); do
		for name in $servers; do
			echo "$name $pair $($command $name "$@")" >>"$file"
		done
	done
	echo
	echo "$title: $unit; us of CPU of the server; ratio of that to openssl"
	for name in $servers; do
		printf '  %-7s %-28s %-28s ratio %s\n' $name "$(of $name 1 "$file" | median 0)" \
			"$(of $name 2 "$file" | median 0)" "$(ratio $name openssl 2 "$file" | median)"
	done
}

echo "TLS, P-256, server on core 0, client on core 1, $pairs interleaved runs of $seconds s; median (least to most)"
row "full handshakes, TLS 1.3" "a second" handshakes -tls1_3 -new -www /hello
row "full handshakes, TLS 1.2" "a second" handshakes -tls1_2 -new -www /hello
row "resumed handshakes, TLS 1.2" "a second" handshakes -tls1_2 -reuse -www /hello
row "resumed handshakes, TLS 1.3" "a second" handshakes -tls1_3 -reuse -www /hello
row "64 MiB by one connection" "MB/s, per MiB" bulk
echo
echo "what the processor can do, openssl speed on core 0"
on 0 openssl speed -seconds 1 -bytes 16384 -evp aes-256-gcm 2>/dev/null | awk '/AES-256-GCM|aes-256-gcm/ { print "  AES-256-GCM, 16 KiB   " $NF " bytes/s" }'
on 0 openssl speed -seconds 1 ecdsap256 2>/dev/null | awk '/nistp256/ { print "  ECDSA P-256 signatures " $(NF - 1) " /s" }'
