#!/bin/bash
# TLS against programs that are not ours: openssl's s_client and s_server, and curl; in both
# directions, on each real backend of the build. Certificates are made here. TAP.
set -u
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}" "${TLS_PEER:=$top_builddir/tests/e2e/tls_peer}"
for program in openssl curl; do
	command -v $program >/dev/null || { echo "1..0 # SKIP no $program here"; exit 0; }
done

dir=$(mktemp -d)
pids=
cleanup() {
	for pid in $pids; do kill "$pid" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
QUOTEY=
# shellcheck source=tests/lib/tap.sh
. "$top_srcdir/tests/lib/tap.sh"

# --- certificates -------------------------------------------------------------------------------

authority() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
		-keyout "$dir/$1.key" -out "$dir/$1.pem" 2>/dev/null
}
certificate() { # NAME AUTHORITY
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
	openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.pem" -CAkey "$dir/$2.key" -CAcreateserial -days 20 \
		-extfile <(echo "subjectAltName=DNS:server.test,IP:127.0.0.1") -out "$dir/$1.pem" 2>/dev/null
}
authority ca && authority other-ca && certificate one ca && certificate two other-ca

# --- waiting ------------------------------------------------------------------------------------

await() { # FILE PATTERN [TIMES]: until so many lines of FILE match; fails after 20 s
	local i
	for ((i = 0; i < 1000; i++)); do
		[ "$(grep -cE -- "$2" "$1" 2>/dev/null || :)" -ge "${3:-1}" ] && return 0
		sleep 0.02
	done
	echo "# nothing like $2 in $1:"
	sed 's/^/# /' "$1"
	return 1
}

# --- a server of ours ---------------------------------------------------------------------------

serve() { # BACKEND
	cp "$dir/one.pem" "$dir/cert.pem"
	cp "$dir/one.key" "$dir/key.pem"
	log=$dir/server-$1.log
	"$TLS_PEER" "$1" serve "$dir/cert.pem" "$dir/key.pem" http/1.1 >"$log" 2>&1 &
	server=$!
	pids="$pids $server"
	await "$log" '^port '
	port=$(sed -n 's/^port //p' "$log")
}

# An s_client whose input is what this script writes to descriptor 9; its output is in $dir/client.
client_open() { # ARGUMENTS...
	rm -f "$dir/in"
	mkfifo "$dir/in"
	timeout 60 openssl s_client -connect "127.0.0.1:$port" -servername server.test \
		-CAfile "$dir/ca.pem" -verify_return_error -verify_hostname server.test "$@" \
		<"$dir/in" >"$dir/client" 2>&1 &
	client=$!
	exec 9>"$dir/in"
}
client_close() { exec 9>&-; wait "$client" 2>/dev/null; }
ends() { grep -c '^end ' "$log"; }

met_by_s_client() { # BACKEND
	local before
	client_open -tls1_3 -alpn http/1.1
	echo "one line" >&9
	await "$dir/client" '^one line$'
	check $? "$1: s_client is answered with TLS 1.3"
	# Keys are changed, ours too, and it goes on.
	echo K >&9
	await "$dir/client" KEYUPDATE
	echo "after new keys" >&9
	await "$dir/client" '^after new keys$'
	check $? "$1: it goes on after a change of keys"
	before=$(ends)
	echo Q >&9
	client_close
	await "$log" '^end ' $((before + 1))
	like "$(tail -1 "$log")" '^end QRT_EEOF' "$1: a client that quits has ended cleanly"
	like "$(cat "$log")" 'agreed TLSv1.3 [A-Z0-9_]+ alpn=http/1.1 resumed=0' "$1: what was agreed on"

	client_open -tls1_2 -quiet
	echo "older line" >&9
	await "$dir/client" '^older line$'
	check $? "$1: s_client is answered with TLS 1.2"
	like "$(cat "$log")" 'agreed TLSv1.2 ECDHE-ECDSA-AES[0-9]+-GCM' "$1: with forward secrecy"
	before=$(ends)
	kill -9 "$(pgrep -P "$client")"
	client_close
	await "$log" '^end ' $((before + 1))
	like "$(tail -1 "$log")" '^end QRT_ECONNRESET the connection ended without a close' \
		"$1: a client that is killed has not"

	client_open -tls1_2
	await "$dir/client" 'Verify return code: 0'
	echo R >&9
	await "$dir/client" 'no renegotiation'
	check $? "$1: a renegotiation is refused, in those words"
	kill "$client"
	client_close

	client_open -tls1_1 -cipher DEFAULT@SECLEVEL=0
	client_close
	await "$log" 'end QRT_EPROTO .*(unsupported protocol|wrong version)'
	check $? "$1: TLS 1.1 is refused"
	like "$(cat "$dir/client")" 'alert protocol version' "$1: and the client is told why"
}

session_is_resumed() { # BACKEND VERSION NAME
	local before i more=
	for i in 1 2; do
		before=$(ends)
		# shellcheck disable=SC2086
		client_open "-$2" -sess_out "$dir/session" $more
		echo "hello $i" >&9
		await "$dir/client" "^hello $i\$"
		echo Q >&9
		client_close
		await "$log" '^end ' $((before + 1))
		more="-sess_in $dir/session"
	done
	like "$(grep agreed "$log" | tail -1)" "agreed $3 .* resumed=1" "$1: a session of $3 is resumed"
	rm -f "$dir/session"
}

fetch() { # CA ARGUMENTS...: sets out and rc
	local ca=$1
	shift
	out=$(curl -sS --max-time 20 --cacert "$dir/$ca.pem" --resolve "server.test:$port:127.0.0.1" "$@" \
		"https://server.test:$port/" 2>"$dir/stderr")
	rc=$?
	err=$(<"$dir/stderr")
}

met_by_curl() { # BACKEND
	fetch ca
	is "$out" "hello from $1" "$1: curl is answered"
	fetch ca --tls-max 1.2
	is "$out" "hello from $1" "$1: with TLS 1.2, too"
	fetch other-ca
	is "$rc" 60 "$1: curl that knows another root believes nothing"
	# The certificate changes in the middle of a connection.
	client_open -quiet -no_ign_eof
	echo before >&9
	await "$dir/client" '^before$'
	cp "$dir/two.pem" "$dir/cert.pem"
	kill -HUP $server
	await "$log" '^reload QRT_EINVAL key_file: key values mismatch'
	check $? "$1: a reload of what does not fit is refused"
	fetch ca
	is "$out" "hello from $1" "$1: and changes nothing"
	cp "$dir/two.key" "$dir/key.pem"
	kill -HUP $server
	await "$log" '^reload QRT_OK'
	check $? "$1: a reload without a restart"
	fetch other-ca
	is "$out" "hello from $1" "$1: shows the new certificate to who comes"
	fetch ca
	is "$rc" 60 "$1: and no longer the old one"
	echo after >&9
	await "$dir/client" '^after$'
	check $? "$1: who was there goes on"
	client_close
}

# --- a client of ours ---------------------------------------------------------------------------

# An s_server that sends each line back, reversed; sets port.
s_server() { # ARGUMENTS...
	local try
	rm -f "$dir/sin"
	mkfifo "$dir/sin"
	for try in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 20000))
		openssl s_server -accept "127.0.0.1:$port" -cert "$dir/one.pem" -key "$dir/one.key" "$@" \
			<"$dir/sin" >"$dir/server" 2>&1 &
		server=$!
		pids="$pids $server"
		exec 8>"$dir/sin"
		await "$dir/server" '^(ACCEPT|.*(rror|already in use))' && grep -q ^ACCEPT "$dir/server" && return 0
		exec 8>&-
	done
	return 1
}
s_server_end() {
	exec 8>&-
	kill "$server" 2>/dev/null
	wait "$server" 2>/dev/null
}
connect() { # BACKEND HOST CA ALPN TIMES: sets out
	out=$(timeout 60 "$TLS_PEER" "$1" connect "$port" "$2" "$3" "$4" "$5" 2>&1)
	rc=$?
}

meets_s_server() { # BACKEND
	local version name
	for version in tls1_3 tls1_2; do
		name=${version/tls1_/TLSv1.}
		s_server -$version -rev -alpn http/1.1
		connect "$1" server.test "$dir/ca.pem" http/1.1 3
		like "$out" "agreed $name .* alpn=http/1.1 resumed=0
got ereht olleh
end QRT_EEOF " "$1: s_server answers with $name, and ends cleanly"
		is "$(grep -c resumed=1 <<<"$out")" 2 "$1: its sessions of $name are resumed"
		connect "$1" 127.0.0.1 "$dir/ca.pem" - 1
		like "$out" 'got ereht olleh' "$1: known by its address, too"
		connect "$1" elsewhere.test "$dir/ca.pem" - 1
		like "$out" "end QRT_EPROTO TLS with elsewhere.test: the peer's certificate: hostname mismatch" \
			"$1: by another name it is not believed"
		connect "$1" server.test "$dir/other-ca.pem" - 1
		like "$out" "the peer's certificate: unable to get local issuer certificate" "$1: nor under another root"
		s_server_end
	done
	s_server
	connect "$1" server.test - - 1
	like "$out" "the peer's certificate: unable to get local issuer certificate" "$1: nor under the system's"
	s_server_end
	s_server -tls1_1 -rev -cipher DEFAULT@SECLEVEL=0
	connect "$1" server.test "$dir/ca.pem" - 1
	like "$out" 'end QRT_EPROTO .*(protocol version|unsupported protocol)' "$1: TLS 1.1 is refused"
	s_server_end
}

is_cut_off() { # BACKEND
	s_server
	timeout 60 "$TLS_PEER" "$1" connect "$port" server.test "$dir/ca.pem" - 1 >"$dir/cut" 2>&1 &
	client=$!
	await "$dir/server" 'hello there'
	kill -9 $server
	wait $client
	like "$(cat "$dir/cut")" 'end QRT_ECONNRESET' "$1: a server that is killed has not ended cleanly"
	s_server_end
}

for backend in legacy region; do
	"$TLS_PEER" $backend connect 0 - - - 0
	[ $? != 77 ] || continue
	serve $backend
	met_by_s_client $backend
	session_is_resumed $backend tls1_3 TLSv1.3
	session_is_resumed $backend tls1_2 TLSv1.2
	met_by_curl $backend
	kill $server
	wait $server
	check $? "$backend: it ends when it is told to"
	meets_s_server $backend
	is_cut_off $backend
done
echo "1..$tests"
[ -z "$failed" ]
