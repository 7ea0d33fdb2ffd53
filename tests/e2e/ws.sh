#!/bin/bash
# WebSockets with an independent peer, npm's `ws`, in both directions and on each real backend of
# the build. Skipped without node and npm, or when the package cannot be had. TAP.
set -u

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}" "${QUOTEY:=$top_builddir/quotey/quotey}"
here=$top_srcdir/tests/e2e
ours=$top_builddir/tests/e2e/ws_peer

skip() {
	echo "1..0 # SKIP $*"
	exit 0
}
command -v node >/dev/null && command -v npm >/dev/null || skip "no node and npm here"

dir=$(mktemp -d)
started=()
trap 'for pid in "${started[@]}"; do kill "$pid" 2>/dev/null; done; rm -rf "$dir"' EXIT
# shellcheck source=tests/lib/tap.sh
. "$top_srcdir/tests/lib/tap.sh"

# The package is fetched once per build folder, and never kept in the tree.
package=$top_builddir/tests/e2e/ws-package
if ! [ -f "$package/node_modules/ws/package.json" ]; then
	mkdir -p "$package"
	echo '{"private": true}' >"$package/package.json"
	timeout 60 npm install --prefix "$package" --no-audit --no-fund --ignore-scripts \
		--prefer-offline --fetch-retries 0 --fetch-timeout 20000 ws@8 >/dev/null 2>&1 || skip "npm does not hand out ws"
fi
export NODE_PATH=$package/node_modules

# start NAME COMMAND...: sets port to what it prints.
start() {
	local name=$1
	shift
	"$@" >"$dir/$name" 2>"$dir/$name.err" </dev/null &
	started+=($!)
	port=
	for _ in $(seq 100); do
		port=$(sed -n 's/^port //p' "$dir/$name")
		[ -z "$port" ] || return 0
		read -r -t 0.1 <> <(:)
	done
	return 1
}

# count FILE NAME: the TAP lines of a program as ours; it must have said something.
count() {
	local said=0 line
	while IFS= read -r line; do
		case $line in
		'ok '*) check 0 "${line#*- }" ;;
		'not ok '*) check 1 "${line#*- }" ;;
		*) echo "# $line"; continue ;;
		esac
		said=$((said + 1))
	done <"$1"
	[ $said -ge "$2" ]
	check $? "$3: that was all ($said)"
}

start node node "$here/ws_peer.js" serve || { cat "$dir/node.err"; check 1 "node serves"; }
node_port=$port
secure_port=
if command -v openssl >/dev/null &&
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null; then
	start secure node "$here/ws_peer.js" serve "$dir/cert.pem" "$dir/key.pem"
	check $? "node serves with TLS"
	secure_port=$port
fi
for backend in legacy region; do
	has_backend $backend || continue
	timeout 60 "$ours" talk $backend "ws://127.0.0.1:$node_port" >"$dir/talk" 2>"$dir/err"
	check $? "$backend: our client has talked with their server"
	count "$dir/talk" 22 "$backend"
	[ ! -s "$dir/err" ]
	check $? "$backend: and nothing was printed beside"
	if [ -n "$secure_port" ]; then
		timeout 60 "$ours" talk $backend "wss://localhost:$secure_port" "$dir/cert.pem" >"$dir/talk" 2>"$dir/err"
		check $? "$backend: and by TLS"
		count "$dir/talk" 22 "$backend"
		[ ! -s "$dir/err" ]
		check $? "$backend: and nothing was printed beside"
	fi

	start ours-$backend "$ours" serve $backend
	check $? "$backend: our server is there"
	ours_pid=${started[-1]}
	timeout 60 node "$here/ws_peer.js" talk "ws://127.0.0.1:$port" $backend >"$dir/talk" 2>"$dir/err"
	check $? "$backend: their client has talked with our server"
	count "$dir/talk" 13 "$backend"
	wait "$ours_pid"
	check $? "$backend: our server has ended, and left nothing"
	like "$(<"$dir/ours-$backend")" 'end QRT_EEOF 4000 ours' "$backend: it has heard of their close"
	like "$(<"$dir/ours-$backend")" 'end QRT_ELIMIT 1009' "$backend: and of what was too long"
	is "$(<"$dir/ours-$backend.err")" "" "$backend: and nothing was printed beside"
done
echo "1..$tests"
exit ${failed:-0}
